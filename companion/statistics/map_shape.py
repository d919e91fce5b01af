"""What a two-dimensional map looks like, as a number: piles, curves or areas."""

import numpy as np
from scipy.spatial import cKDTree

from emargin.errors import InputError


def local_dimension(points: np.ndarray, share: float = 0.1) -> float:
    """Effective rank of the covariance of a point's nearest neighbours, median over the points of a map `(n, 2)`.

    With l1 and l2 the variances of a neighbourhood along its two axes,

        (l1 + l2)^2 / (l1^2 + l2^2)

    is 1 for a straight line and 2 for a disc; a neighbourhood whose points all coincide counts as 0. A neighbourhood is
    the point itself and the `share` of all points that lie nearest, at least three, so the number does not depend on
    the map's scale. What it says depends on the share: any smooth curve is straight from near by, and any band that is
    not infinitely thin is an area.

    Raises InputError for anything but a finite `(n, 2)` of more than three points, and a share outside (0, 1].
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4 or not np.isfinite(points).all():
        raise InputError(
            "a map cannot be measured",
            found=f"shape {points.shape}",
            wanted="finite points, (n, 2) with n of four or more",
        )
    if not 0 < share <= 1:
        raise InputError("the share of neighbours is out of range", found=share, wanted="above 0, at most 1")
    points = points.astype(np.float64)
    neighbours = min(max(3, round(share * len(points))), len(points) - 1)
    near = cKDTree(points).query(points, neighbours + 1)[1]
    x, y = (
        coordinates - coordinates.mean(1, keepdims=True) for coordinates in (points[:, 0][near], points[:, 1][near])
    )
    xx, yy, xy = (np.einsum("nk,nk->n", *pair) for pair in ((x, x), (y, y), (x, y)))
    trace, squares = xx + yy, xx**2 + yy**2 + 2 * xy**2
    return float(np.median(np.divide(trace**2, squares, out=np.zeros(len(points)), where=squares > 0)))
