"""Scores with each person counted as often as drawn, from the tables of `per_subject`.

Clusters, centroids, silhouettes and probes are held; with a weight of one for everybody the scores are those of
`clustering.scores` and `probing.scores`.
"""

import numpy as np
from scipy.special import entr

from emargin.evaluation.per_subject import PROBES

CLUSTERING = ("davies_bouldin", "silhouette", "nmi", "ari")
TABLES = ("clusters", "spread", "separation", "silhouette", *PROBES)
PROBING = ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall")
RESAMPLED = {"clusters": CLUSTERING} | {  # table -> the metrics that it gives
    table: tuple(f"{prefix}{name}" for name in PROBING) for table, prefix in PROBES.items()
}


def scores_of(tables: dict[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray | float]:
    """Clustering and probing metrics with each person counted `weights` times; NaN where one is not defined.

    weights: `(R,)`, which gives numbers, or `(B, R)` for B resamples at once, which gives arrays `(B,)`.
    """
    draws = np.atleast_2d(weights)
    scores = _clustering(tables, draws) if "clusters" in tables else {}
    for table, prefix in PROBES.items():
        if table in tables:
            confusion = np.tensordot(draws, tables[table], 1)
            scores |= {f"{prefix}{name}": values for name, values in probing_scores(confusion).items()}
    return scores if np.ndim(weights) > 1 else {name: float(values[0]) for name, values in scores.items()}


def probing_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of `probing.scores` from frames by true (rows) and predicted (columns) class, `(..., L, L)`; each is
    `(...)`, and NaN where there are no frames.
    """
    true, predicted = confusion.sum(-1), confusion.sum(-2)
    right, every = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1))
    occurs = true + predicted > 0
    recall, precision = _ratio(right, true, 0.0), _ratio(right, predicted, 0.0)
    f1 = _ratio(2 * right, true + predicted, 0.0)
    return {
        "accuracy": _ratio(right.sum(-1), every),
        "balanced_accuracy": _mean(recall, true > 0),
        "weighted_f1": _ratio((f1 * true).sum(-1), every),
        "macro_f1": _mean(f1, occurs),
        "macro_precision": _mean(precision, occurs),
        "macro_recall": _mean(recall, occurs),
    }


def _clustering(tables: dict[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    contingency = np.tensordot(weights, tables["clusters"], 1)
    sizes = contingency.sum(-1)
    several = (sizes > 0).sum(-1) > 1
    undefined = np.full(len(weights), np.nan)
    scores = {"davies_bouldin": undefined, "silhouette": undefined, "nmi": _nmi(contingency), "ari": _ari(contingency)}
    if several.any():
        scores["davies_bouldin"] = np.where(several, _davies_bouldin(tables, weights, sizes), np.nan)
        scores["silhouette"] = np.where(several, _ratio(weights @ tables["silhouette"], sizes.sum(-1)), np.nan)
    return scores


def _davies_bouldin(tables: dict[str, np.ndarray], weights: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Over the clusters that the drawn people have frames in."""
    occupied = sizes > 0
    spread = _ratio(weights @ tables["spread"], sizes, 0.0)
    separation = tables["separation"] + np.diag(np.full(len(tables["separation"]), np.inf))
    ratios = (spread[:, :, None] + spread[:, None, :]) / separation
    return _mean(np.where(occupied[:, None, :], ratios, 0.0).max(-1), occupied)


def _nmi(contingency: np.ndarray) -> np.ndarray:
    """Mutual information over the mean of both entropies; 1 for two partitions of one part each."""
    every = contingency.sum((-2, -1))
    joint = _ratio(contingency, every[:, None, None])
    entropies = sum(entr(joint.sum(axis)).sum(-1) for axis in (-2, -1))
    shared = np.maximum(0.0, entropies - entr(joint).sum((-2, -1)))
    return np.where(every > 0, _ratio(shared, entropies / 2, 1.0), np.nan)


def _ari(contingency: np.ndarray) -> np.ndarray:
    """Adjusted Rand index; 1 where both partitions are trivial in the same way."""

    def pairs(n):
        return n * (n - 1) / 2

    rows, columns = pairs(contingency.sum(-1)).sum(-1), pairs(contingency.sum(-2)).sum(-1)
    every = contingency.sum((-2, -1))
    expected, most = _ratio(rows * columns, pairs(every), 0.0), (rows + columns) / 2
    agreeing = pairs(contingency).sum((-2, -1))
    scores = np.where(most == expected, 1.0, _ratio(agreeing - expected, most - expected))
    return np.where(every > 0, scores, np.nan)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values that count; NaN where none does."""
    return _ratio((values * counted).sum(-1), counted.sum(-1))


def _ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """`otherwise` where there is nothing to divide by."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, otherwise), where=below != 0)
