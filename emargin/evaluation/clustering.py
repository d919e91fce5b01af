"""Clustering: the protocol of the paper's Table 1 (K-means, scores of its labels), and agreement with the truth."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from threadpoolctl import threadpool_limits

from emargin.errors import InputError
from emargin.evaluation.features import Features

DRAW_SEED = 0  # one draw of frames for all methods and seeds, so that they are compared on the same frames
KMEANS_SEED, KMEANS_RESTARTS = 1, 10


def draw(
    features: Features, nominal: tuple[int, ...], classes: tuple[str, ...], *, repeats: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Draw frames without replacement: of each class its nominal number, or all there are.

    Parameters
    ----------
    features : Features
    nominal : tuple of int
        How many frames to draw, for each class.
    classes : tuple of str
        Their names.
    repeats : bool
        Draw from each frame as often as the sequences hold it, as the released code does, not from each frame once.

    Returns
    -------
    embedding : ndarray
        `(n, C)`, sorted by class and, in a class, by time.
    labels : ndarray
        `(n,)`.

    Raises
    ------
    InputError
        For a class that is absent.
    """
    rows = draw_rows(features, nominal, repeats=repeats)
    embedding, labels = features.embedding.flatten(0, 1)[rows].numpy(), features.labels.flatten()[rows].numpy()
    for label, (wanted, name) in enumerate(zip(nominal, classes, strict=True)):
        if not (labels == label).any():
            what, wish = f"class {name} is absent from the test frames", f"at least one, nominally {wanted}"
            raise InputError(what, found="0 frames", wanted=wish, todo="add recordings of it, or leave it out")
    return embedding, labels


def draw_rows(features: Features, nominal: tuple[int, ...], *, repeats: bool = False) -> np.ndarray:
    """Return which of the `S T` frames `draw` takes, int64 `(n,)`: none of a class that is absent."""
    usable = features.rows(repeats=repeats).numpy()
    labels = features.labels.flatten().numpy()[usable]
    generator = np.random.default_rng(DRAW_SEED)
    picked = [
        np.sort(generator.permutation(np.flatnonzero(labels == label))[:wanted]) for label, wanted in enumerate(nominal)
    ]
    return usable[np.concatenate(picked)]


def cluster(embedding: np.ndarray, labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """Cluster embeddings by `partition`, and score the clusters by `scores`.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        True classes, `(n,)`.
    n_classes : int
        k, the number of clusters.

    Returns
    -------
    dict of str to float
        The values of `scores`.
    """
    return scores(embedding, labels, partition(embedding, n_classes))


def partition(embedding: np.ndarray, n_classes: int) -> np.ndarray:
    """Cluster embeddings by K-means with k = n_classes, without scaling them.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    n_classes : int
        k.

    Returns
    -------
    ndarray
        The cluster of each row, int `(n,)`, from 0 on.
    """
    with threadpool_limits(1):  # for a few thousand rows: two threads on two cores take three times as long
        return KMeans(n_classes, n_init=KMEANS_RESTARTS, random_state=KMEANS_SEED).fit_predict(embedding)


def scores(embedding: np.ndarray, labels: np.ndarray, assignment: np.ndarray) -> dict[str, float]:
    """Score clusters without the truth, as the paper's Table 1 does, and against the truth.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        True classes, `(n,)`.
    assignment : ndarray
        The cluster of each row, `(n,)`.

    Returns
    -------
    dict of str to float
        "davies_bouldin" (lower is better), "silhouette" and "calinski_harabasz" (higher is better) of the clusters.
        They do not see the true classes, which only balance the draw. They are NaN for a single cluster, where they are
        not defined. "nmi" and "ari" compare clusters with true classes.
    """
    values = dict.fromkeys(("davies_bouldin", "silhouette", "calinski_harabasz"), float("nan"))
    if len(np.unique(assignment)) > 1:
        values = {
            "davies_bouldin": davies_bouldin_score(embedding, assignment),
            "silhouette": silhouette_score(embedding, assignment),
            "calinski_harabasz": calinski_harabasz_score(embedding, assignment),
        }
    values |= {"nmi": normalized_mutual_info_score(labels, assignment), "ari": adjusted_rand_score(labels, assignment)}
    return {name: float(value) for name, value in values.items()}
