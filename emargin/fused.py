"""The triangle of `emargin.similarity` with one kernel for all that happens to a block between its matrix products.

For CUDA devices. On a CPU a block fits the cache and another pass over it costs little. On a GPU a block must be large
to keep the device busy, each pass goes through the device's memory, and a dozen of them take several times as long as
the products. So torch's compiler makes one kernel of what a sum needs and one of what a gradient needs; it takes some
seconds when they first run.

A block is described for the anchors of its rows and for those of its columns, each by three numbers an anchor: with
d = min(s, clip) the exponent is e = (a d + b) d.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from emargin.similarity import Exponent, Triangle

Anchors = tuple[Tensor, Tensor, Tensor]  # a, b, clip


def triangle_sums(triangle: Triangle, unit: Tensor, exponent: Exponent, exclude: tuple[int, ...],
                  labels: Tensor | None) -> Tensor:
    """For each anchor the logarithm of its sum, `(G, N)`, as `emargin.similarity.log_sums` says."""
    sums, anchors = unit.new_zeros(unit.shape[:2]), _anchors(exponent, labels, unit)
    numbers = torch.arange(unit.shape[1], device=unit.device)
    for rows, columns, _, s in triangle.blocks(unit):
        of_rows, of_columns = _compiled(block_sums)(s, _of_rows(anchors, rows), _of_columns(anchors, columns),
                                                    numbers[columns] - numbers[rows, None], min(exclude), max(exclude))
        sums[:, rows] += of_rows
        if rows != columns:
            sums[:, columns] += of_columns
    return sums.log_()


def triangle_gradient(triangle: Triangle, unit: Tensor, share: Tensor, exponent: Exponent, exclude: tuple[int, ...],
                      labels: Tensor | None) -> Tensor:
    """The gradient on the unit rows, `(G, N, C)`. share: dL/dlog_sum / exp(log_sum), `(G, N)`."""
    grad, anchors = torch.zeros_like(unit), _anchors(exponent, labels, unit)
    numbers = torch.arange(unit.shape[1], device=unit.device)
    for rows, columns, _, s in triangle.again(unit):
        of_columns = share[:, None, columns]
        if rows == columns:  # its anchors are those of its rows
            of_columns = torch.zeros_like(of_columns)
        weight = _compiled(block_weights)(s, _of_rows(anchors, rows), _of_columns(anchors, columns),
                                          share[:, rows, None], of_columns, numbers[columns] - numbers[rows, None],
                                          min(exclude), max(exclude))
        grad[:, rows].baddbmm_(weight, unit[:, columns])
        grad[:, columns].baddbmm_(weight.mT, unit[:, rows])
    return grad


def block_sums(s: Tensor, of_rows: Anchors, of_columns: Anchors, apart: Tensor, first: int,
               last: int) -> tuple[Tensor, Tensor]:
    """Sums of exp(e) over a block's rows and over its columns, `(G, rows)` and `(G, columns)`.

    s: cosines, `(G, rows, columns)`. apart: column - row of each entry; an entry k of anchor j is left out where
    first <= k - j <= last.
    """
    return (_powers(s, of_rows).masked_fill((apart >= first) & (apart <= last), 0).sum(-1),
            _powers(s, of_columns).masked_fill((-apart >= first) & (-apart <= last), 0).sum(-2))


def block_weights(s: Tensor, of_rows: Anchors, of_columns: Anchors, row_share: Tensor, column_share: Tensor,
                  apart: Tensor, first: int, last: int) -> Tensor:
    """The gradient on each cosine of a block: exp(e) de/ds times the anchor's share, of its row and of its column."""
    row = (_slopes(s, of_rows) * row_share).masked_fill((apart >= first) & (apart <= last), 0)
    column = (_slopes(s, of_columns) * column_share).masked_fill((-apart >= first) & (-apart <= last), 0)
    return row + column


def _powers(s: Tensor, anchors: Anchors) -> Tensor:
    a, b, clip = anchors
    d = torch.minimum(s, clip)
    return torch.exp((a * d + b) * d)


def _slopes(s: Tensor, anchors: Anchors) -> Tensor:
    a, b, clip = anchors
    d = torch.minimum(s, clip)
    return torch.exp((a * d + b) * d) * (2 * a * d + b)


def _anchors(exponent: Exponent, labels: Tensor | None, unit: Tensor) -> Anchors:
    """a, b and clip of every anchor, each `(G, N)`."""
    y = torch.zeros(unit.shape[:2], dtype=torch.bool, device=unit.device) if labels is None else labels
    a, b = (torch.zeros_like(y, dtype=unit.dtype) + value for value in exponent.coefficients(y, unit.dtype))
    clip = torch.full_like(a, torch.inf)
    return a, b, clip if exponent.margin is None else clip.masked_fill_(y, exponent.margin)


def _of_rows(anchors: Anchors, rows: slice) -> Anchors:
    return tuple(values[:, rows, None] for values in anchors)


def _of_columns(anchors: Anchors, columns: slice) -> Anchors:
    return tuple(values[:, None, columns] for values in anchors)


@cache
def _compiled(function: Callable) -> Callable:
    """For blocks of any size; torch's compiler is imported here, which takes two seconds."""
    return torch.compile(function, dynamic=True)
