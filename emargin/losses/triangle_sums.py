"""Sums over the triangle of cosines, and their gradient, with torch's own operations on blocks.

For each anchor j the sum over k of exp e(S_jk, y_j); `emargin.losses.log_sums` takes its logarithm. As few operations
as possible go over a block, since each loads it into a cache. Where all anchors share a label, or no label counts, a
block gives the same terms to its rows and to its columns: an exponential serves both. Otherwise each side has its own.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from emargin.losses.exponent import Exponent
from emargin.losses.triangle import Blocks, Triangle

LOG2_E = math.log2(math.e)


@dataclass(frozen=True)
class Power:
    """exp e(s, y) for a single y, in the fewest passes over a block: 2^x, x = linear d + quadratic d^2, d = scale s.

    Where s is above the margin, d = limit. exp(e) de/ds = factor * 2^x * dx/dd, where dx/dd = linear + 2 quadratic d,
    or d alone if linear = 0, with the 2 quadratic in the factor. A power of 2 is as exact, and can be several times as
    fast: torch takes exp from a library made for the processors of a single maker.
    """

    scale: float
    linear: bool
    quadratic: float
    factor: float
    limit: float | None = None

    def of(self, s: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return (d, 2^x) from s = scale * cosines, which becomes d.

        2^x takes the place of d where a gradient needs nothing else.
        """
        d = s if self.limit is None else s.clamp_(min=self.limit)  # scale is negative there
        if not self.quadratic:
            return d, d.exp2_()
        if self.linear:
            x = torch.addcmul(d, d, d, value=self.quadratic, out=out)
        else:
            x = torch.mul(d, d, out=out).mul_(self.quadratic)
        return d, x.exp2_()

    def slope_(self, d: Tensor, powers: Tensor) -> Tensor:
        """Compute exp(e) de/ds / factor, written to d."""
        if not self.quadratic:
            return d
        return torch.addcmul(powers, powers, d, value=2 * self.quadratic, out=d) if self.linear else d.mul_(powers)


def power_of(exponent: Exponent, labels: Tensor | None) -> Power | None:
    """Return the power of all entries, or None where anchors have different labels."""
    if exponent.margin is None:
        return Power(LOG2_E * exponent.scale, True, 0.0, exponent.scale)
    y = _uniform(labels)
    if y is None:
        return None
    assert labels is not None
    a, b = cast(tuple[float, float], exponent.coefficients(y, labels.dtype))
    if not y:
        return Power(1.0, False, LOG2_E * a, 2 * a)
    limit = LOG2_E * b * exponent.margin if exponent.margin < 1 else None
    return Power(LOG2_E * b, True, a / (LOG2_E * b**2), b, limit)


def _uniform(labels: Tensor | None) -> bool | None:
    """Return the label that all anchors share, if any. A CUDA device is not asked: the program would wait for it."""
    if labels is None or labels.is_cuda or not (labels.all() or not labels.any()):
        return None
    return bool(labels.flatten()[0])


def power_sums(triangle: Triangle, unit: Tensor, power: Power, exclude: tuple[int, ...]) -> Tensor:
    """Sum over each anchor's row, `(G, P)`, where all entries share a power. unit: `(G, P, C)`."""
    sums = unit.new_zeros(unit.shape[:2])
    for blocks, stays, s, spare in triangle.blocks(unit, power.scale):
        d, terms = power.of(s, out=spare)
        triangle.without_padding(blocks, terms)
        of_rows, of_columns = blocks.of(sums)
        if blocks.diagonal:
            beside = [(lag, terms.diagonal(lag, dim1=1, dim2=2).clone()) for lag in exclude if lag]
            of_rows += _without(terms, exclude).sum(-1)
            for lag, values in beside:
                terms.diagonal(lag, dim1=1, dim2=2).copy_(values)
        elif blocks.touching:
            corner = terms[:, -1, 0].clone()
            of_rows += _with_corner(terms, corner, 1 not in exclude).sum(-1)
            of_columns += _with_corner(terms, corner, -1 not in exclude).sum(-2)
            _with_corner(terms, corner, True)
        else:
            of_rows += terms.sum(-1)
            of_columns += terms.sum(-2)
        if stays:  # its gradient needs no more of it than this
            power.slope_(d, terms)
    return sums


def power_gradient(triangle: Triangle, unit: Tensor, share: Tensor, power: Power, exclude: tuple[int, ...]) -> Tensor:
    """Compute the gradient on the unit rows, `(G, P, C)`, where all entries share a power.

    share: dL/dlog_sum / exp(log_sum), `(G, P)`.
    """
    grad = torch.empty_like(unit)
    share *= power.factor
    keep_row, keep_column = 1 not in exclude, -1 not in exclude  # an entry beside the diagonal, for its row, its column
    for blocks, stayed, s, spare in triangle.again(unit, power.scale):
        weight = s if stayed else power.slope_(*power.of(s, out=spare))
        of_row, of_column = blocks.of(share)
        factor = torch.add(of_row[:, :, None], of_column[:, None], out=spare)
        if blocks.diagonal:
            beside = of_row[:, :-1] * keep_row + of_row[:, 1:] * keep_column
            for lag, kept in ((-1, beside), (0, 0), (1, beside)):
                factor.diagonal(lag, dim1=1, dim2=2)[:] = kept
        elif blocks.touching:
            factor[:, -1, 0] = of_row[:, -1] * keep_row + of_column[:, 0] * keep_column
        _multiply(blocks, weight.mul_(factor), unit, grad)
    return grad


def labelled_sums(
    triangle: Triangle, unit: Tensor, exponent: Exponent, exclude: tuple[int, ...], labels: Tensor
) -> Tensor:
    """Sum over each anchor's row, `(G, P)`, with labels for anchors. unit: `(G, P, C)`, labels: bool `(G, N)`."""
    sums, labels = unit.new_zeros(unit.shape[:2]), triangle.padded(labels)
    for blocks, _, s, spare, _ in triangle.blocks(unit):
        of_rows, of_columns = blocks.of(sums)
        y_rows, y_columns = blocks.of(labels)
        terms = triangle.without_padding(blocks, _powers(exponent, s, y_rows[:, :, None], out=spare))
        if blocks.diagonal:
            of_rows += _without(terms, exclude).sum(-1)
            continue
        if blocks.touching:
            terms[:, -1, 0] *= 1 not in exclude
        of_rows += terms.sum(-1)
        terms = _powers(exponent, s, y_columns[:, None], out=spare)
        if blocks.touching:
            terms[:, -1, 0] *= -1 not in exclude
        of_columns += terms.sum(-2)
    return sums


def labelled_gradient(
    triangle: Triangle, unit: Tensor, share: Tensor, exponent: Exponent, exclude: tuple[int, ...], labels: Tensor
) -> Tensor:
    """Compute the gradient on the unit rows, `(G, P, C)`, with labels for anchors. share: as in `power_gradient`."""
    grad, labels = torch.empty_like(unit), triangle.padded(labels)
    for blocks, _, s, spare, scratch in triangle.again(unit):
        of_row, of_column = blocks.of(share)
        y_rows, y_columns = (y[..., None] for y in blocks.of(labels))
        weight = _slopes(exponent, s, y_rows, _powers(exponent, s, y_rows, out=spare), out=scratch)
        weight *= of_row[:, :, None]
        if blocks.diagonal:
            weight = torch.add(_without(weight, exclude), weight.mT, out=spare)
        else:
            y_columns = y_columns.mT
            of_columns = _slopes(exponent, s, y_columns, _powers(exponent, s, y_columns, out=spare), out=s)
            of_columns *= of_column[:, None]
            if blocks.touching:
                weight[:, -1, 0] *= 1 not in exclude
                of_columns[:, -1, 0] *= -1 not in exclude
            weight += of_columns
        _multiply(blocks, weight, unit, grad)
    return grad


def _multiply(blocks: Blocks, weight: Tensor, unit: Tensor, grad: Tensor) -> None:
    """Add (W + W^T) U of these blocks to the gradient; those on the diagonal, which come first, write it."""
    (unit_rows, unit_columns), (grad_rows, grad_columns) = blocks.of(unit), blocks.of(grad)
    if blocks.diagonal:
        torch.bmm(weight, unit_rows, out=grad_rows)
    else:
        grad_rows.baddbmm_(weight, unit_columns)
        grad_columns.baddbmm_(weight.mT, unit_rows)


def _without(blocks: Tensor, exclude: tuple[int, ...]) -> Tensor:
    """Set blocks on the diagonal to zero where column - row is in `exclude`; in place."""
    for lag in exclude:
        blocks.diagonal(lag, dim1=1, dim2=2).zero_()
    return blocks


def _with_corner(blocks: Tensor, corner: Tensor, there: bool) -> Tensor:
    """Set the entry of last row and first column, which lies beside the diagonal, to `corner` or zero; in place."""
    blocks[:, -1, 0] = corner if there else 0
    return blocks


def _powers(exponent: Exponent, s: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """Compute exp e(s, y), written to `out`: `exponent(s, y).exp()` without a new tensor for each operation."""
    a, b = (LOG2_E * coefficient for coefficient in exponent.coefficients(y, s.dtype))
    d = exponent.clipped(s, y)
    return _line(d, a, b, out=out).mul_(d).exp2_()


def _slopes(exponent: Exponent, s: Tensor, y: Tensor, powers: Tensor, out: Tensor) -> Tensor:
    """Compute exp(e) de/ds from exp e(s, y), written to `out`, which may be s."""
    a, b = exponent.coefficients(y, s.dtype)
    return _line(exponent.clipped(s, y), 2 * a, b, out=out).mul_(powers)


def _line(d: Tensor, a: Tensor | float, b: Tensor | float, out: Tensor) -> Tensor:
    """Compute a d + b, written to `out`; in a single pass where a is a number."""
    assert isinstance(b, Tensor)
    return torch.mul(d, a, out=out).add_(b) if isinstance(a, Tensor) else torch.add(b, d, alpha=a, out=out)
