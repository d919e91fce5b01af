"""The sums of `emargin.losses.triangle_sums` with one kernel for all that happens to a block between its products.

For CUDA devices, once `companion.gpu.enable` has been called. On a CPU a block fits the cache and another pass over it
costs little. On a GPU a block must be large to keep the device busy, each pass goes through the device's memory, and a
dozen of them take several times as long as the products. So torch's compiler makes one kernel of what a sum needs and
one of what a gradient needs; it takes some seconds when they first run.

A block is described for the anchors of its rows and for those of its columns, each by three numbers an anchor: with
d = min(s, clip) the exponent is e = (a d + b) d.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from emargin.losses.exponent import Exponent
from emargin.losses.triangle import Blocks, Triangle

Anchors = tuple[Tensor, Tensor, Tensor]  # a, b, clip


def labelled_sums(
    triangle: Triangle, unit: Tensor, exponent: Exponent, exclude: tuple[int, ...], labels: Tensor | None
) -> Tensor:
    """Return for each anchor the sum that `emargin.losses.log_sums` takes the logarithm of, `(G, P)`."""
    sums, anchors = unit.new_zeros(unit.shape[:2]), _anchors(triangle, exponent, labels, unit)
    is_frame = torch.arange(triangle.padded_n, device=unit.device).expand(unit.shape[:2]).contiguous() < triangle.n
    for blocks, _, s in triangle.blocks(unit):
        rows, columns = _numbers(blocks, unit.device)
        row_anchors, column_anchors = _of(blocks, anchors)
        of_rows, of_columns = blocks.of(sums)
        added = _compiled(block_sums)(
            s, row_anchors, column_anchors, blocks.of(is_frame)[1][:, None], rows, columns, min(exclude), max(exclude)
        )
        of_rows += added[0]
        if not blocks.diagonal:
            of_columns += added[1]
    return sums


def labelled_gradient(
    triangle: Triangle, unit: Tensor, share: Tensor, exponent: Exponent, exclude: tuple[int, ...], labels: Tensor | None
) -> Tensor:
    """Return the gradient on the unit rows, `(G, P, C)`. share: dL/dlog_sum / exp(log_sum), `(G, P)`."""
    grad, anchors = torch.zeros_like(unit), _anchors(triangle, exponent, labels, unit)
    for blocks, _, s in triangle.again(unit):
        row_anchors, column_anchors = _of(blocks, anchors)
        of_rows, of_columns = blocks.of(share)
        if blocks.diagonal:  # its anchors are those of its rows
            of_columns = torch.zeros_like(of_columns)
        weight = _compiled(block_weights)(
            s,
            row_anchors,
            column_anchors,
            of_rows[:, :, None],
            of_columns[:, None],
            *_numbers(blocks, unit.device),
            min(exclude),
            max(exclude),
        )
        (unit_rows, unit_columns), (grad_rows, grad_columns) = blocks.of(unit), blocks.of(grad)
        grad_rows.baddbmm_(weight, unit_columns)
        grad_columns.baddbmm_(weight.mT, unit_rows)
    return grad


def block_sums(
    s: Tensor,
    of_rows: Anchors,
    of_columns: Anchors,
    is_frame: Tensor,
    rows: Tensor,
    columns: Tensor,
    first: int,
    last: int,
) -> tuple[Tensor, Tensor]:
    """Return sums of exp(e) over blocks' rows and over their columns, `(blocks, rows)` and `(blocks, columns)`.

    s: cosines, `(blocks, rows, columns)`. is_frame: bool `(blocks, 1, columns)`, false for columns that are no frames.
    rows `(rows, 1)` and columns `(columns,)` number them; an entry k of anchor j is left out where
    first <= k - j <= last.
    """
    apart = columns - rows
    return (
        _powers(s, of_rows).masked_fill((apart >= first) & (apart <= last) | ~is_frame, 0).sum(-1),
        _powers(s, of_columns).masked_fill((-apart >= first) & (-apart <= last), 0).sum(-2),
    )


def block_weights(
    s: Tensor,
    of_rows: Anchors,
    of_columns: Anchors,
    row_share: Tensor,
    column_share: Tensor,
    rows: Tensor,
    columns: Tensor,
    first: int,
    last: int,
) -> Tensor:
    """The gradient on each cosine of blocks: exp(e) de/ds times the anchor's share, of its row and of its column."""
    apart = columns - rows
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


def _anchors(triangle: Triangle, exponent: Exponent, labels: Tensor | None, unit: Tensor) -> Anchors:
    """Return a, b and clip of every anchor, each `(G, P)`."""
    if labels is None:
        y = torch.zeros(unit.shape[:2], dtype=torch.bool, device=unit.device)
    else:
        y = triangle.padded(labels)
    a, b = (torch.zeros_like(y, dtype=unit.dtype) + value for value in exponent.coefficients(y, unit.dtype))
    clip = torch.full_like(a, torch.inf)
    return a, b, clip if exponent.margin is None else clip.masked_fill_(y, exponent.margin)


def _of(blocks: Blocks, anchors: Anchors) -> tuple[Anchors, Anchors]:
    """Return anchors of blocks' rows, each `(blocks, rows, 1)`, and of their columns, `(blocks, 1, columns)`."""
    of_rows, of_columns = zip(*(blocks.of(values) for values in anchors), strict=True)
    return tuple(values[:, :, None] for values in of_rows), tuple(values[:, None] for values in of_columns)


def _numbers(blocks: Blocks, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the numbers of a block's rows, `(rows, 1)`, and columns, `(columns,)`, within its stretch."""
    rows, columns = (torch.arange(part.start, part.stop, device=device) for part in (blocks.rows, blocks.columns))
    return rows[:, None], columns


@cache
def _compiled(function: Callable) -> Callable:
    """Compile for blocks of any size; torch's compiler is imported here because it takes two seconds."""
    return torch.compile(function, dynamic=True)
