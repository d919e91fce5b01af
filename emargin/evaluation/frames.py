"""Score an encoder on frames: a function for each metric, and maps.

Each returns its rows by name, with a value, the number of frames behind it and perhaps a note, and arrays, from which
people are resampled (`emargin.evaluation.per_subject`).
"""

import numpy as np
import torch
from sklearn.decomposition import PCA

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.evaluation import chosen, clustering, collapse, per_subject, probing
from emargin.evaluation.features import Features, Scored
from emargin.evaluation.tsne import tsne

MAP_FRAMES = 1000  # of the draw at most, in a t-SNE map
COMPONENTS, COMPONENT_FRAMES = 16, 300  # kept of an embedding for the book: principal components, frames of the draw


def drawn(experiment: Experiment, dataset: Dataset, test: Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the frames of the test side that are clustered.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    test : Features
        Of the test side of the data set.

    Returns
    -------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        `(n,)`.
    picked : ndarray
        Which of the `S T` frames these are, int64 `(n,)`.
    """
    picked = clustering.draw_rows(test, dataset.draw, repeats=experiment.protocol == "released")
    return test.embedding.flatten(0, 1)[picked].numpy(), test.labels.flatten()[picked].numpy(), picked


def score_clusters(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score K-means clusters of frames drawn from the test side.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    train, test : Features
        Of the two sides of the data set.

    Returns
    -------
    rows : dict of str to tuple
        Value, n and note of each of `clustering.scores`, by its name.
    arrays : dict of str to ndarray
        The tables of `per_subject.cluster_tables`; none where the data set names no people.
    """
    embedding, labels, picked = drawn(experiment, dataset, test)
    assignment, note = clustering.partition(embedding, len(dataset.classes)), _counts(labels, dataset.classes)
    values = clustering.scores(embedding, labels, assignment)
    rows, arrays = {metric: (value, len(labels), note) for metric, value in values.items()}, {}
    if dataset.test.subjects is not None:
        subjects, n_subjects = _subjects(dataset, test)
        arrays = per_subject.cluster_tables(
            embedding, labels, assignment, subjects[picked], n_classes=len(dataset.classes), n_subjects=n_subjects
        )
    return rows, arrays


def score_collapse(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the collapse of frames drawn from the test side. Parameters and rows as for `score_clusters`."""
    embedding, labels, _ = drawn(experiment, dataset, test)
    rows, n, note = torch.from_numpy(embedding), len(labels), _counts(labels, dataset.classes)
    return {
        "mean_cosine": (collapse.mean_cosine(rows), n, note),
        "participation_ratio": (collapse.participation_ratio(rows), n, note),
        "uniformity": (collapse.uniformity(rows), n, note),
        "alignment": (collapse.alignment(test.embedding), test.labels.numel()),
    }, {}


def score_probe(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the paper's probe on the test side. Parameters as for `score_clusters`.

    Returns
    -------
    rows : dict of str to tuple
        Value and n of each of `probing.scores`, by its name.
    arrays : dict of str to ndarray
        Where the data set names people, the frames of each by true and predicted class.
    """
    scored, predicted = probing.linear_predictions(
        train,
        test,
        len(dataset.classes),
        batch_size=experiment.batch_size,
        seed=experiment.seed,
        drop_last=experiment.protocol == "released",
    )
    return _rows(test, scored, predicted), people_tables(dataset, test, scored, predicted, "probe")


def score_converged(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression run to convergence. Parameters and returned values as for `score_probe`."""
    predicted, scored = probing.converged(train, test, rows=rows_a_class(experiment)), test.rows().numpy()
    rows = _rows(test, scored, predicted, "converged_")
    return rows, people_tables(dataset, test, scored, predicted, "converged")


def score_certified(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression at C = 1, its optimum certified. Parameters and returned values as for `score_probe`.

    A row "certified_gradient" is the norm of the gradient where it ended, relative to that of zero weights.
    """
    x, y, _, _ = _learnt_from(experiment, dataset, train)
    return _probed(dataset, test, chosen.fixed(x, y, seed=experiment.seed), "certified")


def score_chosen(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score logistic regression whose penalty is chosen on training people held out. As for `score_certified`.

    A row "chosen_C" is log10 C, and its note says what was held out.
    """
    x, y, folds, note = _learnt_from(experiment, dataset, train)
    probe = chosen.chosen(x, y, folds, chosen.standardising, seed=experiment.seed)
    return _probed(dataset, test, probe, "chosen", note)


def score_whitened(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the same on whitened features. As for `score_chosen`.

    A row "whitened_dimensions" counts the directions that were whitened.
    """
    x, y, folds, note = _learnt_from(experiment, dataset, train)
    probe = chosen.chosen(x, y, folds, chosen.whitening, seed=experiment.seed)
    rows, arrays = _probed(dataset, test, probe, "whitened", note)
    return rows | {"whitened_dimensions": (float(probe.fit.weights.shape[1]), len(y))}, arrays


def _learnt_from(
    experiment: Experiment, dataset: Dataset, train: Features
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return training features, classes, folds to hold out, and what the folds are."""
    embedding, labels = train.flat()
    most, subjects = rows_a_class(experiment), dataset.train.subjects
    x, y = probing.balanced_rows(embedding, labels, most)
    if subjects is not None:
        people, _ = probing.balanced_rows(subjects[train.frame.flatten()[train.rows()]], labels, most)
        if (count := len(np.unique(people))) > 1:
            folds = chosen.folds_of_people(people, y, experiment.seed)
            return x, y, folds, f"held out: {count} people in {folds.max() + 1} folds"
    return x, y, chosen.folds_of_time(y), f"held out: {chosen.FOLDS} stretches of time, no other people"


def _probed(dataset: Dataset, test: Features, probe: chosen.Probe, name: str, note: str = "") -> Scored:
    """Return the rows of a probe, and the frames of each person by true and predicted class."""
    scored, predicted = test.rows().numpy(), probe.predict(test.flat()[0].numpy())
    rows = _rows(test, scored, predicted, f"{name}_") | chosen.rows_of(probe, name, note)
    return rows, people_tables(dataset, test, scored, predicted, name)


def score_neighbours(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the nearest neighbours. Parameters and rows as for `score_probe`."""
    predicted = probing.neighbours(train, test, rows=rows_a_class(experiment))
    return _rows(test, test.rows().numpy(), predicted, "knn_"), {}


def score_mlp(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the classifier with a hidden layer. Parameters and rows as for `score_probe`."""
    predicted = probing.mlp(train, test, rows=rows_a_class(experiment), seed=experiment.seed)
    return _rows(test, test.rows().numpy(), predicted, "mlp_"), {}


def _counts(labels: np.ndarray, classes: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {(labels == label).sum()}" for label, name in enumerate(classes))


def rows_a_class(experiment: Experiment) -> int:
    """Return how many training frames of a class the further probes learn from at most."""
    return probing.QUICK_ROWS if experiment.quick else probing.PROBE_ROWS


def _rows(test: Features, scored: np.ndarray, predicted: np.ndarray, prefix: str = "") -> dict[str, tuple]:
    values = probing.scores(test.labels.flatten().numpy()[scored], predicted)
    return {f"{prefix}{metric}": (value, len(scored)) for metric, value in values.items()}


def people_tables(
    dataset: Dataset, test: Features, scored: np.ndarray, predicted: np.ndarray, table: str
) -> dict[str, np.ndarray]:
    """Count the frames of each person by true and predicted class.

    Parameters
    ----------
    dataset : Dataset
    test : Features
    scored : ndarray
        Which of the `S T` test frames were scored, int `(n,)`.
    predicted : ndarray
        Their predicted classes, int `(n,)`.
    table : str
        The name of the table.

    Returns
    -------
    dict of str to ndarray
        The table, int `(people, classes, classes)`; nothing where the data set names no people.
    """
    if dataset.test.subjects is None:
        return {}
    subjects, n_subjects = _subjects(dataset, test)
    labels, n_classes = test.labels.flatten().numpy()[scored], len(dataset.classes)
    return {table: per_subject.counts((subjects[scored], labels, predicted), (n_subjects, n_classes, n_classes))}


def _subjects(dataset: Dataset, test: Features) -> tuple[np.ndarray, int]:
    """Return the person of each of the `S T` test frames, and how many people there are."""
    assert dataset.test.subjects is not None
    return dataset.test.subjects[test.frame].flatten().numpy(), int(dataset.test.subjects.max()) + 1


def maps_of(embedding: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Compute a t-SNE map and principal components of a draw, for figures.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`, in each class in the order of the recordings.
    labels : ndarray
        `(n,)`.

    Returns
    -------
    dict of str to ndarray
        "map", float16 `(m, 2)`, and "components", float16 `(k, 16)` at most, of frames spread evenly over each class;
        "map_labels" and "component_labels", int8, say their classes.
    """
    shown, kept = _evenly(labels, MAP_FRAMES), _evenly(labels, COMPONENT_FRAMES)
    components = PCA(min(COMPONENTS, len(kept)), svd_solver="full").fit_transform(embedding[kept])
    return {
        "map": tsne(embedding[shown]).astype(np.float16),
        "map_labels": labels[shown].astype(np.int8),
        "components": components.astype(np.float16),
        "component_labels": labels[kept].astype(np.int8),
    }


def _evenly(labels: np.ndarray, most: int) -> np.ndarray:
    """Return rows of at most `most` frames, the same number of each class, or all that a class has."""
    kinds = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = max(1, most // len(kinds))
    return np.concatenate([rows[np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(int)] for rows in kinds])
