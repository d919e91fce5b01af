"""Sums over the test frames of each person: what a bootstrap over people needs, in a few kilobytes.

With R people, K clusters and L classes:

    clusters    (R, K, L)  frames of the draw, by cluster and true class
    spread      (R, K)     sum of their distances to the centroid of their cluster
    separation  (K, K)     distances of the centroids
    silhouette  (R,)       sum of their silhouettes
    probe, converged (R, L, L)  test frames by true and predicted class: the paper's probe, the converged one

Clusters, centroids, silhouettes and probes are those of all people: a bootstrap counts people anew and trains nothing.
`resampling.scores_of` makes scores of them.
"""

import numpy as np
from sklearn.metrics import silhouette_samples

PROBES = {"probe": "", "converged": "converged_"}  # table -> what the names of its metrics start with


def cluster_tables(
    embedding: np.ndarray,
    labels: np.ndarray,
    found: np.ndarray,
    subjects: np.ndarray,
    *,
    n_classes: int,
    n_subjects: int,
) -> dict[str, np.ndarray]:
    """The first four tables of a draw: `(n, C)`, true classes, clusters and people `(n,)`."""
    kinds = np.unique(found)
    centroids = np.array([embedding[found == kind].mean(0, dtype=np.float64) for kind in kinds])
    distances = np.linalg.norm(embedding - centroids[np.searchsorted(kinds, found)], axis=1)
    cluster = np.searchsorted(kinds, found)
    tables = {
        "clusters": counts((subjects, cluster, labels), (n_subjects, len(kinds), n_classes)),
        "spread": np.bincount(subjects * len(kinds) + cluster, distances, n_subjects * len(kinds)).reshape(
            n_subjects, len(kinds)
        ),
        "separation": np.linalg.norm(centroids[:, None] - centroids, axis=-1),
    }
    if len(kinds) > 1:
        silhouettes = silhouette_samples(embedding, found)
        tables["silhouette"] = np.bincount(subjects, silhouettes, n_subjects)
    return tables


def counts(indices: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    """How often each combination of indices occurs, in an array of the given shape."""
    return np.bincount(np.ravel_multi_index(indices, shape), minlength=np.prod(shape)).reshape(shape)
