"""Cosines of rows: rows of length 1, and the cosine of each row with the next."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from emargin.losses.memory import CUDA_BLOCK, SLICE

SHORTEST = 1e-12  # a row's length is taken as at least this, so that a row of zeros has cosine 0 with every other


def unit_rows(embedding: Tensor) -> Tensor:
    """z / max(|z|, 1e-12) along the last axis."""
    return normalize(embedding, dim=-1, eps=SHORTEST)


def row_lengths(rows: Tensor) -> Tensor:
    """max(|z|, 1e-12) of each row z: `(..., N, C)` -> `(..., N, 1)`."""
    return torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_(min=SHORTEST)


@torch.no_grad()
def adjacent_cosines(rows: Tensor, *, wrap: bool = False) -> Tensor:
    """Cosine of each row with the next, as a number without gradient: `(..., N, C)` -> `(..., N - 1)`.

    With `wrap`, `(..., N)`: the last row with the first, too.
    """
    if wrap:
        rows = torch.cat([rows, rows[..., :1, :]], dim=-2)
    lengths, side, pairs = row_lengths(rows), slice_of_rows(rows), max(0, rows.shape[-2] - 1)
    cosines = rows.new_empty(*rows.shape[:-2], pairs)
    # Slice by slice in the same memory: fresh one for all unit rows would take longer than the cosines.
    unit, products = (rows.new_empty(*rows.shape[:-2], min(side, pairs) + 1, rows.shape[-1]) for _ in range(2))
    for start in range(0, pairs, side):
        n = min(side, pairs - start)
        own = torch.div(rows.narrow(-2, start, n + 1), lengths.narrow(-2, start, n + 1), out=unit.narrow(-2, 0, n + 1))
        of_pairs = torch.mul(own.narrow(-2, 0, n), own.narrow(-2, 1, n), out=products.narrow(-2, 0, n))
        torch.sum(of_pairs, -1, out=cosines.narrow(-1, start, n))
    return cosines


def adjacent_products(unit: Tensor) -> Tensor:
    """Inner product of each row with the next, which is their cosine where rows have length 1."""
    return row_products(unit[..., :-1, :], unit[..., 1:, :])


def row_products(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each row of one with that of the other: twice `(..., N, C)` -> `(..., N)`."""
    side = slice_of_rows(a)
    return torch.cat([(x * y).sum(-1) for x, y in zip(a.split(side, dim=-2), b.split(side, dim=-2), strict=True)], -1)


def slice_of_rows(rows: Tensor) -> int:
    """How many rows, `(..., N, C)`, to take at a time."""
    return max(1, (CUDA_BLOCK**2 if rows.is_cuda else SLICE) // rows.shape[-1])
