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


def draw(features: Features, nominal: tuple[int, ...], classes: tuple[str, ...],
         *, repeats: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """For each class its nominal number of frames, or all there are: embeddings `(n, C)` and labels `(n,)`.

    Without replacement, from every frame once or, with `repeats` (as released), as often as the sequences hold it.
    Raises InputError for a class that is absent.
    """
    embedding, labels = (part.numpy() for part in features.flat(repeats=repeats))
    generator = np.random.default_rng(DRAW_SEED)
    picked = []
    for label, (wanted, name) in enumerate(zip(nominal, classes, strict=True)):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 0:
            raise InputError(f"class {name} is absent from the test frames", found="0 frames",
                             wanted=f"at least one, nominally {wanted}", todo="choose another fold or add recordings")
        picked.append(np.sort(generator.permutation(rows)[:wanted]))
    picked = np.concatenate(picked)
    return embedding[picked], labels[picked]


def cluster(embedding: np.ndarray, labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """K-means with k = number of classes on raw features, scored by itself and against the true labels.

    Davies-Bouldin (lower better), silhouette and Calinski-Harabasz (higher better) are those of the K-means labels, as
    in the paper: the true labels only balance the draw. NMI and ARI compare K-means with the truth. Where K-means finds
    a single cluster the first three are NaN: they are not defined.
    """
    with threadpool_limits(1):  # a few thousand rows: on two cores, two threads take three times as long as one
        kmeans = KMeans(n_classes, n_init=KMEANS_RESTARTS, random_state=KMEANS_SEED).fit(embedding)
    found = kmeans.labels_
    scores = dict.fromkeys(("davies_bouldin", "silhouette", "calinski_harabasz"), float("nan"))
    if len(np.unique(found)) > 1:
        scores = {"davies_bouldin": davies_bouldin_score(embedding, found),
                  "silhouette": silhouette_score(embedding, found),
                  "calinski_harabasz": calinski_harabasz_score(embedding, found)}
    scores |= {"nmi": normalized_mutual_info_score(labels, found), "ari": adjusted_rand_score(labels, found)}
    return {name: float(value) for name, value in scores.items()}
