"""Cosines of rows: rows of length 1, and the cosine of each row with the next."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from emargin.losses.memory import CUDA_BLOCK, SLICE

SHORTEST = 1e-12  # a row's length is taken as at least this, so that a row of zeros has cosine 0 with every other


def unit_rows(embedding: Tensor) -> Tensor:
    """Scale rows to length 1: z / max(|z|, 1e-12).

    Parameters
    ----------
    embedding : Tensor
        Rows z along the last axis, `(..., C)`.

    Returns
    -------
    Tensor
        Of the same shape. A row shorter than 1e-12 stays shorter than 1.
    """
    return normalize(embedding, dim=-1, eps=SHORTEST)


def row_lengths(rows: Tensor) -> Tensor:
    """Return max(|z|, 1e-12) of each row z: `(..., N, C)` -> `(..., N, 1)`."""
    return torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_(min=SHORTEST)


@torch.no_grad()
def adjacent_cosines(rows: Tensor, *, wrap: bool = False) -> Tensor:
    """Compute the cosine of each row with the next, without gradient.

    Parameters
    ----------
    rows : Tensor
        `(..., N, C)`, of any length.
    wrap : bool
        Whether the last row has a next row too: the first.

    Returns
    -------
    Tensor
        `(..., N - 1)`, or `(..., N)` with `wrap`. A row of zeros has cosine 0 with every other.
    """
    if wrap:
        rows = torch.cat([rows, rows[..., :1, :]], dim=-2)
    lengths, side, pairs = row_lengths(rows), slice_of_rows(rows), max(0, rows.shape[-2] - 1)
    cosines = rows.new_empty(*rows.shape[:-2], pairs)
    # Slice by slice in the same memory: fresh memory for all unit rows would take longer than the cosines.
    unit, products = (rows.new_empty(*rows.shape[:-2], min(side, pairs) + 1, rows.shape[-1]) for _ in range(2))
    for start in range(0, pairs, side):
        n = min(side, pairs - start)
        part = torch.div(rows.narrow(-2, start, n + 1), lengths.narrow(-2, start, n + 1), out=unit.narrow(-2, 0, n + 1))
        of_pairs = torch.mul(part.narrow(-2, 0, n), part.narrow(-2, 1, n), out=products.narrow(-2, 0, n))
        torch.sum(of_pairs, -1, out=cosines.narrow(-1, start, n))
    return cosines


def adjacent_products(unit: Tensor) -> Tensor:
    """Return the inner product of each row with the next; for rows of length 1 it is their cosine."""
    return row_products(unit[..., :-1, :], unit[..., 1:, :])


def row_products(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner products a_j . b_j: twice `(..., N, C)` -> `(..., N)`."""
    side = slice_of_rows(a)
    return torch.cat([(x * y).sum(-1) for x, y in zip(a.split(side, dim=-2), b.split(side, dim=-2), strict=True)], -1)


def slice_of_rows(rows: Tensor) -> int:
    """Return how many rows of `(..., N, C)` to take at a time."""
    return max(1, (CUDA_BLOCK**2 if rows.is_cuda else SLICE) // rows.shape[-1])
