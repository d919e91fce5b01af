"""Probing: the linear probe of the paper's Table 2, and further classifiers on the same frozen features."""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_fscore_support
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from emargin.evaluation.features import Features
from emargin.optimiser import AdamW

EPOCHS, LEARNING_RATE = 10, 1e-3
PROBE_ROWS, QUICK_ROWS = 5000, 200  # training frames a class at most for the converged, k-NN and MLP probes
NEIGHBOURS = 5
HIDDEN = 128


def linear_probe(
    train: Features, test: Features, n_classes: int, *, batch_size: int, seed: int, drop_last: bool
) -> dict[str, float]:
    """Score the paper's probe, `linear_predictions`.

    Parameters
    ----------
    train, test, n_classes, batch_size, seed, drop_last
        As for `linear_predictions`.

    Returns
    -------
    dict of str to float
        The values of `scores`.
    """
    rows, predicted = linear_predictions(train, test, n_classes, batch_size=batch_size, seed=seed, drop_last=drop_last)
    return scores(test.labels.flatten().numpy()[rows], predicted)


@torch.no_grad()
def linear_predictions(
    train: Features, test: Features, n_classes: int, *, batch_size: int, seed: int, drop_last: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Train the paper's probe and predict: one linear layer on every frame, Adam at 1e-3, 10 epochs.

    A batch holds whole sequences, which are shuffled each epoch; the incomplete last batch of an epoch is dropped.
    Frames without a class are left out.

    Parameters
    ----------
    train, test : Features
        Embeddings to learn from, and to predict the classes of.
    n_classes : int
    batch_size : int
        Sequences a batch.
    seed : int
        Of the first weights and of the shuffling.
    drop_last : bool
        Drop the incomplete last batch of the test side too, as the released code does.

    Returns
    -------
    rows : ndarray
        Which of the `S T` test frames are scored, int64 `(n,)`.
    predicted : ndarray
        The class predicted for each, int64 `(n,)`.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = nn.Linear(train.embedding.shape[-1], n_classes)
    optimiser = AdamW(probe.parameters(), learning_rate=LEARNING_RATE)
    batch = train.embedding.new_empty(batch_size, *train.embedding.shape[1:])
    whole = len(train.embedding) - len(train.embedding) % batch_size
    for _ in range(EPOCHS):
        order = torch.randperm(len(train.embedding), generator=generator)[:whole].view(-1, batch_size)
        labels = train.labels[order]
        labelled = (labels >= 0).flatten(1).sum(1)
        share = (labels >= 0).to(batch.dtype) / labelled[:, None, None]  # of each frame in its batch's mean
        for number in torch.nonzero(labelled).flatten().tolist():
            torch.index_select(train.embedding, 0, order[number], out=batch)
            probe.weight.grad, probe.bias.grad = _cross_entropy_gradient(probe, batch, labels[number], share[number])
            optimiser.step()
    scored = len(test.embedding)
    if drop_last:
        scored -= scored % batch_size
    rows = torch.nonzero(test.labels[:scored].flatten() >= 0).flatten()
    predicted = probe(test.embedding[:scored]).argmax(-1).flatten()[rows]
    return rows.numpy(), predicted.numpy()


def _cross_entropy_gradient(probe: nn.Linear, frames: Tensor, labels: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the gradient on weight and bias of sum share * cross-entropy.

    frames `(B, T, C)`, labels and shares `(B, T)`; a frame of share 0 may have any label. On the logits the gradient is
    share (softmax - one-hot). Products go sequence by sequence: a single product has as few rows as there are classes,
    and cannot be divided among cores. Logits are (sequences, classes, frames): a softmax over a last axis of a few
    entries would take as long as the products.
    """
    logits = torch.bmm(probe.weight.expand(len(frames), -1, -1), frames.mT).add_(probe.bias[:, None])
    share = share[:, None]
    on_logits = logits.softmax(1).mul_(share).scatter_add_(1, labels.clamp(min=0)[:, None], -share)
    return torch.bmm(on_logits, frames).sum(0), on_logits.sum((0, 2))


def scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score predicted classes.

    The paper's table mixes averages (discrepancy D29): its F1 is weighted, its precision and recall are macro.

    Parameters
    ----------
    truth, predicted : ndarray
        Classes, int `(n,)`.

    Returns
    -------
    dict of str to float
        "accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall". Classes that
        occur neither in truth nor in prediction are left out; an undefined ratio counts as 0.
    """
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="macro", zero_division=0)
    weighted_f1 = precision_recall_fscore_support(truth, predicted, average="weighted", zero_division=0)[2]
    with warnings.catch_warnings():  # a class predicted but never true has no recall, and is left out of the mean
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        balanced = balanced_accuracy_score(truth, predicted)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "balanced_accuracy": float(balanced),
        "weighted_f1": float(weighted_f1),
        "macro_f1": float(f1),
        "macro_precision": float(precision),
        "macro_recall": float(recall),
    }


def further_probes(
    train: Features, test: Features, *, seed: int, rows: int = PROBE_ROWS
) -> dict[str, dict[str, float]]:
    """Score the predictions of `converged`, `neighbours` and `mlp`.

    Parameters
    ----------
    train, test, rows
        As for `converged`.
    seed : int
        As for `mlp`.

    Returns
    -------
    dict of str to dict
        The values of `scores`, for "converged", "knn" and "mlp".
    """
    truth = test.flat()[1].numpy()
    predictions = {
        "converged": converged(train, test, rows=rows),
        "knn": neighbours(train, test, rows=rows),
        "mlp": mlp(train, test, seed=seed, rows=rows),
    }
    return {probe: scores(truth, predicted) for probe, predicted in predictions.items()}


def converged(train: Features, test: Features, *, rows: int = PROBE_ROWS) -> np.ndarray:
    """Predict by class-balanced logistic regression, run to convergence, on standardised features.

    The paper's ten epochs can stop at the majority class.

    Parameters
    ----------
    train, test : Features
        Embeddings to learn from, and to predict the classes of.
    rows : int
        How many training frames of a class to take at most; they are drawn with a fixed seed.

    Returns
    -------
    ndarray
        The class of each row of `test.flat()`, `(n,)`.
    """
    x, y, x_test = _standardised(train, test, rows)
    classifier = LogisticRegression(class_weight="balanced", max_iter=5000)
    with threadpool_limits(1):  # it makes many small products: two threads take four times as long
        classifier.fit(x, y)
    return classifier.predict(x_test)


def neighbours(train: Features, test: Features, *, rows: int = PROBE_ROWS) -> np.ndarray:
    """Predict by the 5 nearest neighbours, on standardised features.

    Parameters
    ----------
    train, test, rows
        As for `converged`.

    Returns
    -------
    ndarray
        The class of each row of `test.flat()`, `(n,)`.
    """
    x, y, x_test = _standardised(train, test, rows)
    return KNeighborsClassifier(NEIGHBOURS).fit(x, y).predict(x_test)


def mlp(train: Features, test: Features, *, seed: int, rows: int = PROBE_ROWS) -> np.ndarray:
    """Predict by a classifier with one hidden layer of 128 units, on standardised features.

    Parameters
    ----------
    train, test, rows
        As for `converged`.
    seed : int
        Of the first weights.

    Returns
    -------
    ndarray
        The class of each row of `test.flat()`, `(n,)`.
    """
    x, y, x_test = _standardised(train, test, rows)
    return MLPClassifier((HIDDEN,), early_stopping=True, random_state=seed).fit(x, y).predict(x_test)


def _standardised(train: Features, test: Features, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training features and classes, and test features."""
    x, y = balanced_rows(*train.flat(), rows)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), y, scaler.transform(test.flat()[0].numpy())


def balanced_rows(embedding: Any, labels: Any, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most so many rows of each class, with a fixed seed.

    Parameters
    ----------
    embedding : Tensor
        `(n, ...)`.
    labels : Tensor
        Classes, int `(n,)`.
    most : int

    Returns
    -------
    rows, labels : ndarray
        `(m, ...)` and `(m,)`, in their order.
    """
    generator = np.random.default_rng(0)
    embedding, labels = embedding.numpy(), labels.numpy()
    rows = np.sort(
        np.concatenate([generator.permutation(np.flatnonzero(labels == label))[:most] for label in np.unique(labels)])
    )
    return embedding[rows], labels[rows]
