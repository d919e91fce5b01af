"""Collapse diagnostics: how much of the embedding space is in use."""

import torch
from torch import Tensor

from emargin.losses.cosines import adjacent_cosines, unit_rows

UNIFORMITY_ROWS = 2000  # pairs of this many rows at most: enough for two digits, and the n x n matrix stays small


def mean_cosine(embedding: Tensor) -> float:
    """Mean cosine over all pairs of different rows of `(n, C)`: 1 when all point the same way.

    From the norm of the sum: |sum_i u_i|^2 = n + sum_{i != j} u_i . u_j. Rows of zeros count as orthogonal to all.
    """
    unit = unit_rows(embedding.double())
    n = len(unit)
    return ((unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))).item()


def participation_ratio(embedding: Tensor) -> float:
    """Effective rank of the covariance of `(n, C)`: (sum of eigenvalues)^2 / sum of squares, 1 to C; 0 if constant."""
    centred = embedding.double() - embedding.double().mean(0)
    covariance = centred.mT @ centred
    total, squares = covariance.trace(), covariance.square().sum()
    return (total.square() / squares).item() if squares > 0 else 0.0


def alignment(sequences: Tensor) -> float:
    """Mean squared distance of adjacent unit embeddings in `(S, T, C)`: 0 when neighbours coincide."""
    return (2 - 2 * adjacent_cosines(sequences.double())).mean().item()


def uniformity(embedding: Tensor) -> float:
    """log mean exp(-2 |u_i - u_j|^2) over pairs of rows of `(n, C)`: 0 when all coincide, lower is more even."""
    n = len(embedding)
    rows = embedding[torch.linspace(0, n - 1, min(n, UNIFORMITY_ROWS)).long()]
    distances = torch.pdist(unit_rows(rows.double()))
    return distances.square().mul(-2).exp().mean().log().item()
