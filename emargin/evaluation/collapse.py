"""Collapse diagnostics: how much of the embedding space is in use."""

import torch
from torch import Tensor

from emargin.losses.cosines import adjacent_cosines, unit_rows

UNIFORMITY_ROWS = 2000  # enough for two digits, and the matrix of all pairs stays small


def mean_cosine(embedding: Tensor) -> float:
    """Compute the mean cosine over all pairs of different rows: 1 when all point the same way.

    It follows from the norm of the sum: |sum_i u_i|^2 = n + sum_{i != j} u_i . u_j for rows u of length 1.

    Parameters
    ----------
    embedding : Tensor
        `(n, C)`, of any length; a row of zeros counts as orthogonal to all others.

    Returns
    -------
    float
        From -1 / (n - 1) to 1.
    """
    unit = unit_rows(embedding.double())
    n = len(unit)
    return ((unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))).item()


def participation_ratio(embedding: Tensor) -> float:
    """Compute the effective rank of the covariance: (sum of eigenvalues)^2 / sum of their squares.

    Parameters
    ----------
    embedding : Tensor
        `(n, C)`.

    Returns
    -------
    float
        From 1 (all on a line) to C (the same variance in all directions); 0 if all rows are equal.
    """
    centred = embedding.double() - embedding.double().mean(0)
    covariance = centred.mT @ centred
    total, squares = covariance.trace(), covariance.square().sum()
    return (total.square() / squares).item() if squares > 0 else 0.0


def alignment(sequences: Tensor) -> float:
    """Compute the mean squared distance of adjacent frames, after scaling all to length 1.

    Parameters
    ----------
    sequences : Tensor
        Embeddings `(S, T, C)`.

    Returns
    -------
    float
        From 0, when neighbours point the same way, to 4.
    """
    return (2 - 2 * adjacent_cosines(sequences.double())).mean().item()


def uniformity(embedding: Tensor) -> float:
    """Compute log mean exp(-2 |u_i - u_j|^2) over pairs of rows, after scaling all to length 1.

    Parameters
    ----------
    embedding : Tensor
        `(n, C)`; of more than 2,000 rows, 2,000 spread evenly are taken.

    Returns
    -------
    float
        From -8 to 0, when all point the same way; the lower, the more evenly the rows cover the sphere.
    """
    n = len(embedding)
    rows = embedding[torch.linspace(0, n - 1, min(n, UNIFORMITY_ROWS)).long()]
    distances = torch.pdist(unit_rows(rows.double()))
    return distances.square().mul(-2).exp().mean().log().item()
