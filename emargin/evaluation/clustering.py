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
    """For each class its nominal number of frames, or all there are: embeddings `(n, C)` and labels `(n,)`.

    Without replacement, from every frame once or, with `repeats` (as released), as often as the sequences hold it.
    Raises InputError for a class that is absent.
    """
    rows = draw_rows(features, nominal, classes, repeats=repeats)
    return features.embedding.flatten(0, 1)[rows].numpy(), features.labels.flatten()[rows].numpy()


def draw_rows(
    features: Features, nominal: tuple[int, ...], classes: tuple[str, ...], *, repeats: bool = False
) -> np.ndarray:
    """Which of the `S T` frames `draw` takes: int64 `(n,)`."""
    usable = features.rows(repeats=repeats).numpy()
    labels = features.labels.flatten().numpy()[usable]
    generator = np.random.default_rng(DRAW_SEED)
    picked = []
    for label, (wanted, name) in enumerate(zip(nominal, classes, strict=True)):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 0:
            raise InputError(
                f"class {name} is absent from the test frames",
                found="0 frames",
                wanted=f"at least one, nominally {wanted}",
                todo="choose another fold or add recordings",
            )
        picked.append(np.sort(generator.permutation(rows)[:wanted]))
    return usable[np.concatenate(picked)]


def cluster(embedding: np.ndarray, labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """K-means with k = number of classes on raw features, scored by itself and against the true labels: `scores`."""
    return scores(embedding, labels, partition(embedding, n_classes))


def partition(embedding: np.ndarray, n_classes: int) -> np.ndarray:
    """The cluster of each row of `(n, C)`, by K-means with k = n_classes on raw features."""
    with threadpool_limits(1):  # a few thousand rows: on two cores, two threads take three times as long as one
        return KMeans(n_classes, n_init=KMEANS_RESTARTS, random_state=KMEANS_SEED).fit_predict(embedding)


def scores(embedding: np.ndarray, labels: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """The scores of a partition `found` `(n,)` of `(n, C)` by itself, and against the true labels `(n,)`.

    Davies-Bouldin (lower better), silhouette and Calinski-Harabasz (higher better) are those of the K-means labels, as
    in the paper: the true labels only balance the draw. NMI and ARI compare K-means with the truth. Where K-means finds
    a single cluster the first three are NaN: they are not defined.
    """
    values = dict.fromkeys(("davies_bouldin", "silhouette", "calinski_harabasz"), float("nan"))
    if len(np.unique(found)) > 1:
        values = {
            "davies_bouldin": davies_bouldin_score(embedding, found),
            "silhouette": silhouette_score(embedding, found),
            "calinski_harabasz": calinski_harabasz_score(embedding, found),
        }
    values |= {"nmi": normalized_mutual_info_score(labels, found), "ari": adjusted_rand_score(labels, found)}
    return {name: float(value) for name, value in values.items()}
