"""Sums over the test frames of each person: what a bootstrap over people needs, in a few kilobytes.

With R people, K clusters and L classes:

    clusters    (R, K, L)  frames of the draw, by cluster and true class
    spread      (R, K)     sum of their distances to the centroid of their cluster
    separation  (K, K)     distances of the centroids
    silhouette  (R,)       sum of their silhouettes
    probe, converged, certified, chosen, whitened
                (R, L, L)  test frames by true and predicted class, of each linear probe

Clusters, centroids, silhouettes and probes are those of all people: a bootstrap counts people anew and trains nothing.
`companion.statistics.resampling.scores_of` makes scores of them.
"""

import numpy as np
from sklearn.metrics import silhouette_samples

PROBES = {  # table -> what the names of its metrics start with
    "probe": "",
    "converged": "converged_",
    "certified": "certified_",
    "chosen": "chosen_",
    "whitened": "whitened_",
}


def cluster_tables(
    embedding: np.ndarray,
    labels: np.ndarray,
    assignment: np.ndarray,
    subjects: np.ndarray,
    *,
    n_classes: int,
    n_subjects: int,
) -> dict[str, np.ndarray]:
    """Compute the tables of a draw: clusters, spread, separation and silhouette.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels, assignment, subjects : ndarray
        True class, cluster and person of each row, `(n,)`.
    n_classes, n_subjects : int
        L and R, which also count classes and people that the draw lacks.

    Returns
    -------
    dict of str to ndarray
        The tables by name; no "silhouette" for a single cluster.
    """
    kinds = np.unique(assignment)
    centroids = np.array([embedding[assignment == kind].mean(0, dtype=np.float64) for kind in kinds])
    distances = np.linalg.norm(embedding - centroids[np.searchsorted(kinds, assignment)], axis=1)
    cluster = np.searchsorted(kinds, assignment)
    tables = {
        "clusters": counts((subjects, cluster, labels), (n_subjects, len(kinds), n_classes)),
        "spread": np.bincount(subjects * len(kinds) + cluster, distances, n_subjects * len(kinds)).reshape(
            n_subjects, len(kinds)
        ),
        "separation": np.linalg.norm(centroids[:, None] - centroids, axis=-1),
    }
    if len(kinds) > 1:
        silhouettes = silhouette_samples(embedding, assignment)
        tables["silhouette"] = np.bincount(subjects, silhouettes, n_subjects)
    return tables


def counts(indices: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Count how often each combination of indices occurs.

    Parameters
    ----------
    indices : tuple of ndarray
        An array `(n,)` for each axis of the shape.
    shape : tuple of int

    Returns
    -------
    ndarray
        int64, of the given shape.
    """
    return np.bincount(np.ravel_multi_index(indices, shape), minlength=np.prod(shape)).reshape(shape)
