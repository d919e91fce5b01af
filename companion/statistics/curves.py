"""What the clustering scores of a curve are, and what an embedding's leading direction holds.

The model is a segment of length 1, evenly filled, that K-means cuts into k equal cells of width w = 1 / k. It may be
thick: each point is moved sideways, by a distance whose root mean square is s, in so many directions that two points'
displacements are orthogonal. Two points whose positions differ by u are then sqrt(u^2 + 2 s^2) apart, and a point is
sqrt(u^2 + s^2) away from a centroid.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from emargin.evaluation.clustering import KMEANS_RESTARTS, KMEANS_SEED, cluster

GRID = 1000  # points of the midpoint rule over a cell: six digits of the silhouette


def equal_cuts(k: int) -> dict[str, float]:
    """Davies-Bouldin and silhouette of k >= 2 equal cuts of a segment without thickness, in the limit of many points.

        DBI = (w/4 + w/4) / w = 1/2
        Sil = (2 e + (k - 2) i) / k,   e = 2 - 5/4 ln 3 = 0.627,   i = 9/4 - 5/2 ln 2 = 0.517

    e is the mean over a cell at an end, which has one neighbour, i that over an inner cell.
    """
    end, inner = 2 - 1.25 * math.log(3), 2.25 - 2.5 * math.log(2)
    return {"davies_bouldin": 0.5, "silhouette": (2 * end + (k - 2) * inner) / k}


def thick_cuts(k: int, thickness: float) -> dict[str, float]:
    """The same for a segment of thickness s, in units of its length; `equal_cuts` where s = 0.

    With x in [0, w] the position in a cell and G(h, c) = int_0^h sqrt(u^2 + c^2) du,

        DBI = 4 G(w/2, s) / w^2
        a = (G(x, r) + G(w - x, r)) / w,   b = (G(w + y, r) - G(y, r)) / w,   r = sqrt(2) s

    where y is the distance to the border of the nearest other cell, min(x, w - x) in an inner cell. The silhouette is
    the mean of (b - a) / max(a, b).
    """
    w, r = 1 / k, math.sqrt(2) * thickness
    x = (np.arange(GRID) + 0.5) / GRID * w
    a = (_integral(x, r) + _integral(w - x, r)) / w

    def silhouette(y):
        b = (_integral(w + y, r) - _integral(y, r)) / w
        return np.mean((b - a) / np.maximum(a, b))

    return {
        "davies_bouldin": float(4 * _integral(w / 2, thickness) / w**2),
        "silhouette": float((2 * silhouette(x) + (k - 2) * silhouette(np.minimum(x, w - x))) / k),
    }


def _integral(h, c: float):
    """int_0^h sqrt(u^2 + c^2) du."""
    return 0.5 * (h * np.hypot(h, c) + (c**2 * np.arcsinh(h / c) if c > 0 else 0))


def thickness_of_rank(rank: float) -> float:
    """The thickness s of the segment whose effective rank, (1/12 + s^2)^2 / (1/12)^2, is `rank` >= 1."""
    return math.sqrt((math.sqrt(rank) - 1) / 12)


def thick_segment(n: int, thickness: float, dimensions: int, generator: np.random.Generator) -> np.ndarray:
    """`(n, 1 + dimensions)`: evenly spaced positions on [0, 1], and normal displacements in the other directions."""
    sideways = thickness / math.sqrt(dimensions) * generator.standard_normal((n, dimensions))
    return np.column_stack([(np.arange(n) + 0.5) / n, sideways])


def leading_direction(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First principal component of `(n, C)`: the mean `(C,)`, the direction `(C,)`, and all shares of variance `(C,)`.

    The position of a row z on the direction is (z - mean) . direction. The sign of the direction is arbitrary.
    """
    rows = embedding.astype(np.float64)
    centred = rows - rows.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    variances = np.maximum(variances[::-1], 0)
    return rows.mean(0), directions[:, -1], variances / variances.sum()


def positions(embedding: np.ndarray) -> np.ndarray:
    """Positions `(n,)` of the rows of `(n, C)` on their leading direction."""
    mean, direction, _ = leading_direction(embedding)
    return (embedding - mean) @ direction


def cuts(position: np.ndarray, k: int) -> np.ndarray:
    """Labels `(n,)` of K-means with k clusters on positions `(n,)`, with the restarts and seed of `cluster`."""
    with threadpool_limits(1):
        return KMeans(k, n_init=KMEANS_RESTARTS, random_state=KMEANS_SEED).fit_predict(position[:, None])


def whole_and_line(embedding: np.ndarray, labels: np.ndarray, k: int) -> tuple[dict[str, float], dict[str, float]]:
    """The scores of `cluster` for `(n, C)`, and for the positions on its leading direction alone.

    The truth of the second is `labels`. That of the first are the cuts of the second, so its "ari" is an agreement: 1
    where K-means cuts the embedding as it cuts the line.
    """
    position = positions(embedding)
    return cluster(embedding, cuts(position, k), k), cluster(position[:, None], labels, k)


def explained_share(values: np.ndarray, groups: np.ndarray) -> float:
    """Share of the variance of the ranks of `(n,)` values that lies between groups: 0 to 1, blind to monotone maps."""
    ranks = rankdata(values)
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(group, ranks) / sizes
    return float(means[group].var() / ranks.var())


def bend(points: np.ndarray, position: np.ndarray, pieces: int = 15) -> float:
    """How often a curve's map `(n, 2)` is longer than straight: 1 for a straight line, pi / 2 for half a circle.

    The points in the order of their positions `(n,)` are averaged over `pieces` equal parts; the length of the path
    through these means is divided by the distance of its ends.
    """
    means = np.array([part.mean(0) for part in np.array_split(points[np.argsort(position)], pieces)])
    steps = np.linalg.norm(np.diff(means, axis=0), axis=1)
    return float(steps.sum() / np.linalg.norm(means[-1] - means[0]))


def rank_of_davies_bouldin(k: int, value: float) -> float:
    """The effective rank of the evenly filled segment whose k cuts have this Davies-Bouldin index, 1/2 or more."""
    return float(brentq(lambda rank: thick_cuts(k, thickness_of_rank(rank))["davies_bouldin"] - value, 1, 100))
