"""How many frames of an embedding are rows of zeros, or one and the same row."""

import numpy as np


def zeros_at_least(cosine, uniformity):
    """Return a lower bound on the share of rows of zeros in an embedding that is not negative.

    A row of zeros counts as orthogonal in the mean cosine; in the uniformity all of them are one point.
    """
    left = np.sqrt(np.maximum(np.exp(uniformity) - cosine * (1 - np.exp(-4)), 0))
    return np.maximum((left - np.exp(-2)) / (1 - np.exp(-2)), 0)


def most_alike(points: np.ndarray) -> float:
    """Return the share of the most frequent row."""
    return np.unique(points, axis=0, return_counts=True)[1].max() / len(points)
