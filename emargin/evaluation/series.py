"""Score an encoder on the UCR archive, where a whole series has a class: embeddings are pooled over time first.

A row "series_silhouette" is for series what "silhouette" is for frames: the same protocol, on the mean embedding of
each series.
"""

from collections.abc import Callable

import numpy as np
import torch

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.evaluation import chosen, clustering, collapse, features, probing
from emargin.evaluation.features import Features, Scored
from emargin.methods import Method

PREFIX = "series_"
HELD_OUT = f"held out: training series in {chosen.FOLDS} folds"


def pooled(side: Features) -> Features:
    """Take the mean over the T frames of each sequence.

    Parameters
    ----------
    side : Features

    Returns
    -------
    Features
        embedding `(S, 1, C)`, labels and frame `(S, 1)`.

    Raises
    ------
    InputError
        Where a sequence has frames of several classes.
    """
    labels = side.labels[:, :1]
    mixed = (side.labels != labels).any(1)
    if mixed.any():
        raise InputError(
            "sequences of several classes cannot be pooled",
            found=f"{int(mixed.sum())} of {len(labels)}",
            wanted="one class a series, as in the UCR archive",
        )
    return Features(side.embedding.mean(1, keepdim=True), labels, torch.arange(len(labels))[:, None])


def encode_both(method: Method, dataset: Dataset, device: torch.device | str = "cpu") -> tuple[Features, Features]:
    """Embed the series of both sides: `features.encode_both`, and `pooled`.

    Parameters
    ----------
    method : Method
    dataset : Dataset
    device : torch.device or str
        Where the method is.

    Returns
    -------
    train, test : Features
        Pooled.
    """
    train, test = features.encode_both(method, dataset, device)
    return pooled(train), pooled(test)


def score_clusters(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score K-means clusters of all test series: a class has no nominal number of them.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    train, test : Features
        Pooled.

    Returns
    -------
    rows : dict of str to tuple
        Value and n of each, by its name.
    arrays : dict
        None.
    """
    embedding, truth = (part.numpy() for part in test.flat())
    return _rows(clustering.cluster(embedding, truth, len(dataset.classes)), test)


def score_collapse(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the collapse of all test series. Parameters and rows as for `score_clusters`."""
    return _rows({"participation_ratio": collapse.participation_ratio(test.flat()[0])}, test)


def score_probe(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the paper's probe. Parameters and rows as for `score_clusters`."""
    values = probing.linear_probe(
        train, test, len(dataset.classes), batch_size=experiment.batch_size, seed=experiment.seed, drop_last=False
    )
    return _rows(values, test)


def score_converged(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression run to convergence. Parameters and rows as for `score_clusters`."""
    return _predicted(probing.converged(train, test), test, "converged")


def score_certified(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression at C = 1, its optimum certified. Parameters and rows as for `score_clusters`."""
    return _probed(chosen.fixed(*_learnt_from(train), seed=experiment.seed), test, "certified")


def score_chosen(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression whose penalty is chosen on series held out. As for `score_clusters`."""
    return _probed(_chosen(experiment, train, chosen.standardising), test, "chosen", HELD_OUT)


def score_whitened(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the same on whitened features. Parameters and rows as for `score_clusters`."""
    probe = _chosen(experiment, train, chosen.whitening)
    rows, arrays = _probed(probe, test, "whitened", HELD_OUT)
    return rows | {"whitened_dimensions": (float(probe.fit.weights.shape[1]), len(train.rows()))}, arrays


def _learnt_from(train: Features) -> tuple[np.ndarray, np.ndarray]:
    return probing.balanced_rows(*train.flat(), probing.PROBE_ROWS)


def _chosen(experiment: Experiment, train: Features, view: Callable) -> chosen.Probe:
    x, y = _learnt_from(train)
    return chosen.chosen(x, y, chosen.folds_of_series(y, experiment.seed), view, seed=experiment.seed)


def _probed(probe: chosen.Probe, test: Features, name: str, note: str = "") -> Scored:
    rows, _ = _predicted(probe.predict(test.flat()[0].numpy()), test, name)
    return rows | chosen.rows_of(probe, name, note), {}


def score_neighbours(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the nearest neighbours. Parameters and rows as for `score_clusters`."""
    return _predicted(probing.neighbours(train, test), test, "knn")


def score_mlp(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the classifier with a hidden layer. Parameters and rows as for `score_clusters`."""
    return _predicted(probing.mlp(train, test, seed=experiment.seed), test, "mlp")


def _predicted(predicted: np.ndarray, test: Features, probe: str) -> Scored:
    values = probing.scores(test.flat()[1].numpy(), predicted)
    return _rows({f"{probe}_{metric}": value for metric, value in values.items()}, test)


def _rows(values: dict[str, float], test: Features) -> Scored:
    n = len(test.rows())
    return {metric: (value, n) for metric, value in values.items()}, {}
