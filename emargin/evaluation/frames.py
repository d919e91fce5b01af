"""Score an encoder on frames: rows of clustering, collapse and probes, sums for each person, and maps."""

import numpy as np
import torch
from sklearn.decomposition import PCA

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.evaluation import clustering, collapse, per_subject, probing
from emargin.evaluation.features import Features
from emargin.evaluation.tsne import tsne

MAP_FRAMES = 1000  # of the draw at most, in a t-SNE map
COMPONENTS, COMPONENT_FRAMES = 16, 300  # kept of an embedding for the book: principal components, frames of the draw


def score_clusters(
    experiment: Experiment, dataset: Dataset, test: Features
) -> tuple[tuple[np.ndarray, np.ndarray], list[dict], dict]:
    """Score clusters and collapse on frames drawn from the test side.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    test : Features
        Of the test side of the data set.

    Returns
    -------
    drawn : tuple of ndarray
        Embeddings `(n, C)` and labels `(n,)` of the draw.
    rows : list of dict
        A tidy row for each metric.
    arrays : dict of str to ndarray
        The tables of `per_subject.cluster_tables`; none where the data set names no people.
    """
    picked = clustering.draw_rows(test, dataset.draw, dataset.classes, repeats=experiment.protocol == "released")
    embedding, labels = test.embedding.flatten(0, 1)[picked].numpy(), test.labels.flatten()[picked].numpy()
    counts = ", ".join(f"{name} {(labels == label).sum()}" for label, name in enumerate(dataset.classes))
    assignment = clustering.partition(embedding, len(dataset.classes))
    values = clustering.scores(embedding, labels, assignment)
    rows = torch.from_numpy(embedding)
    values |= {
        "mean_cosine": collapse.mean_cosine(rows),
        "participation_ratio": collapse.participation_ratio(rows),
        "uniformity": collapse.uniformity(rows),
    }
    tidy = [results.tidy(experiment, metric, value, len(labels), counts) for metric, value in values.items()]
    tidy.append(results.tidy(experiment, "alignment", collapse.alignment(test.embedding), test.labels.numel()))
    arrays = {}
    if dataset.test.subjects is not None:
        subjects, n_subjects = _subjects(dataset, test)
        arrays = per_subject.cluster_tables(
            embedding, labels, assignment, subjects[picked], n_classes=len(dataset.classes), n_subjects=n_subjects
        )
    return (embedding, labels), tidy, arrays


def score_probes(
    experiment: Experiment, dataset: Dataset, train_features: Features, test: Features
) -> tuple[list[dict], dict]:
    """Score the paper's probe and the further ones on the test side.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    train_features, test : Features
        Of the two sides of the data set.

    Returns
    -------
    rows : list of dict
        A tidy row for each metric of each probe.
    arrays : dict of str to ndarray
        For the probes in `per_subject.PROBES`, frames by person, true and predicted class; none where the data set
        names no people.
    """
    labels, rows_a_class = test.labels.flatten().numpy(), probing.QUICK_ROWS if experiment.quick else probing.PROBE_ROWS
    scored, predicted = probing.linear_predictions(
        train_features,
        test,
        len(dataset.classes),
        batch_size=experiment.batch_size,
        seed=experiment.seed,
        drop_last=experiment.protocol == "released",
    )
    predictions = {"probe": (scored, predicted)} | {
        probe: (test.rows().numpy(), predicted)
        for probe, predicted in probing.further_predictions(
            train_features, test, seed=experiment.seed, rows=rows_a_class
        ).items()
    }
    rows, arrays = [], {}
    for probe, (scored, predicted) in predictions.items():
        prefix = per_subject.PROBES.get(probe, f"{probe}_")
        rows += [
            results.tidy(experiment, f"{prefix}{metric}", value, len(scored))
            for metric, value in probing.scores(labels[scored], predicted).items()
        ]
        if probe in per_subject.PROBES and dataset.test.subjects is not None:
            subjects, n_subjects = _subjects(dataset, test)
            arrays[probe] = per_subject.counts(
                (subjects[scored], labels[scored], predicted), (n_subjects, *2 * [len(dataset.classes)])
            )
    return rows, arrays


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
