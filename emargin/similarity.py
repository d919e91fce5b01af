"""Sums over the cosine similarity matrix of a batch, taken a block at a time.

Every loss of the paper's section 3 needs the N x N matrix S of cosines only through log-sums of a function of its
entries, one sum an anchor. Here such a sum is formed from blocks that fit the cache; the backward pass forms the
blocks again instead of keeping them, so memory grows with N and not with N^2.

S is symmetric: where exponents are small enough to be summed as they are, only the blocks on and above the diagonal
are formed, and each serves the anchors of its rows and of its columns. Otherwise rows are taken whole, with their
maximum.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

BLOCK = 512  # rows and columns of a block: 1 MB in float32, about a core's second-level cache
SAFE_EXPONENT = 60.0  # exp(60) a million times over is far from float32's 3e38, exp(-60) from its smallest normal 1e-38


@dataclass(frozen=True)
class Exponent:
    """The exponent e(s, y) under the sums, for a cosine s with label y.

    Without a margin: e = s * scale. With one, the margin map phi of the paper's equation 2, less its constant
    m^2 / 2, which the loss adds where it does not cancel (at m = 100 float32 would lose the rest beside it):

        e(s, 0) = sign * s^2 / 2 * scale
        e(s, 1) = (max(0, m - s)^2 - m^2) / 2 * scale = d (d / 2 - m) * scale,   d = min(s, m)
    """

    scale: float
    margin: float | None = None
    sign: float = 1.0

    @property
    def offset(self) -> float:
        """The constant left out where y = 1."""
        return 0.0 if self.margin is None else 0.5 * self.margin**2 * self.scale

    @property
    def bound(self) -> float:
        """The largest |e| over cosines."""
        return self.scale if self.margin is None else self.scale * (self.margin + 0.5)

    def __call__(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        a, b = self.coefficients(y, s.dtype)
        d = self.clipped(s, y)
        return d * b if self.margin is None else (d * a + b) * d

    def slope(self, s: Tensor, y: Tensor | bool | None) -> Tensor | float:
        """de/ds = 2 a d + b, which is 0 where d = m."""
        a, b = self.coefficients(y, s.dtype)
        return b if self.margin is None else self.clipped(s, y) * (2 * a) + b

    def coefficients(self, y: Tensor | bool | None, dtype: torch.dtype) -> tuple[Tensor | float, Tensor | float]:
        """(a, b) of e = (a d + b) d with d = min(s, m) where y = 1 and d = s elsewhere; numbers for a single label."""
        if self.margin is None:
            return 0.0, self.scale
        equal, unequal = 0.5 * self.sign * self.scale, 0.5 * self.scale
        if isinstance(y, bool):
            return (unequal, -self.margin * self.scale) if y else (equal, 0.0)
        y = y.to(dtype)
        return equal + (unequal - equal) * y, -self.margin * self.scale * y

    def clipped(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        """d; s itself where no cosine is above the margin or no label is 1."""
        if self.margin is None or self.margin >= 1 or y is False:
            return s
        return s.clamp(max=self.margin) if y is True else torch.where(y, s.clamp(max=self.margin), s)


@dataclass(frozen=True, eq=False)
class PairLabels:
    """A label for every pair: y_jk = not cos(x_j, x_k) > threshold. frames: `(G, N, D)`."""

    frames: Tensor
    threshold: float

    def of(self, rows: slice) -> Tensor:
        """Labels of the rows' entries, bool `(G, rows, N)`."""
        unit = unit_rows(self.frames)
        return ~(unit[:, rows] @ unit.mT > self.threshold)


def unit_rows(embedding: Tensor) -> Tensor:
    """z / max(|z|, 1e-12) along the last axis."""
    return normalize(embedding, dim=-1, eps=1e-12)


def adjacent_cosines(rows: Tensor, *, wrap: bool = False) -> Tensor:
    """Cosine of each row with the next: `(..., N, C)` -> `(..., N - 1)`; with `wrap`, the last with the first, too."""
    unit = unit_rows(rows)
    if wrap:
        return (unit * unit.roll(-1, dims=-2)).sum(-1)
    return adjacent_products(unit)


def adjacent_products(unit: Tensor) -> Tensor:
    """Inner product of each row with the next, which is their cosine where rows have length 1."""
    return (unit[..., :-1, :] * unit[..., 1:, :]).sum(-1)


def log_sums(unit: Tensor, exponent: Exponent, *, exclude: tuple[int, ...],
             labels: Tensor | PairLabels | None = None) -> tuple[Tensor, Tensor]:
    """For each anchor j the logarithm of the sum over k of exp e(S_jk, y_jk), where k - j is not in `exclude`.

    unit: rows of length 1, `(G, N, C)`, G groups that do not see one another. exclude: 0 and any of -1 and 1. labels:
    bool `(G, N)`, where the label of an anchor stands for its whole row, or one for every pair.
    Returns `(log_sum, reference)`, both `(G, N)`: the full sum is log_sum + reference * exponent.offset, where
    reference is 1 if any entry of the row has label 1, else 0. An empty sum is -inf.
    """
    return _LogSums.apply(unit, exponent, exclude, labels)


class _LogSums(torch.autograd.Function):
    """log_sums for unit rows; the gradient on S_jk as an entry of row j is dL/dlog_sum_j softmax_jk e'(S_jk)."""

    @staticmethod
    def forward(ctx, unit, exponent, exclude, labels):
        ctx.form = exponent, exclude, labels
        ctx.by_triangle = exponent.bound <= SAFE_EXPONENT and not isinstance(labels, PairLabels)
        log_sum, reference = (_triangle_sums if ctx.by_triangle else _row_sums)(unit, *ctx.form)
        ctx.save_for_backward(unit, log_sum)
        ctx.mark_non_differentiable(reference)
        return log_sum, reference

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_log_sum, _):
        unit, log_sum = ctx.saved_tensors
        gradient = _triangle_gradient if ctx.by_triangle else _row_gradient
        return gradient(unit, log_sum, grad_log_sum, *ctx.form), None, None, None


def _triangle_sums(unit, exponent, exclude, labels):
    sums = unit.new_zeros(unit.shape[:2])
    uniform = _uniform(labels)
    alike = labels is None or uniform is not None  # a block serves its rows and its columns as it is
    for rows, columns, s, spare, _ in _triangle(unit):
        touching = columns.start == rows.stop  # a corner of the block touches the diagonal
        terms = _powers(exponent, s, uniform if alike else labels[:, rows, None], out=spare)
        if rows == columns:
            sums[:, rows] += terms.masked_fill_(_band(terms, exclude), 0).sum(-1)
            continue
        if touching:
            corner = terms[:, -1, 0].clone()
            terms[:, -1, 0] *= 1 not in exclude
        sums[:, rows] += terms.sum(-1)
        if not alike:
            terms = _powers(exponent, s, labels[:, None, columns], out=spare)
        elif touching:
            terms[:, -1, 0] = corner
        if touching:
            terms[:, -1, 0] *= -1 not in exclude
        sums[:, columns] += terms.sum(-2)
    return sums.log_(), torch.zeros_like(sums) if labels is None else labels.to(sums.dtype)


def _triangle_gradient(unit, log_sum, grad_log_sum, exponent, exclude, labels):
    grad = torch.zeros_like(unit)
    share = torch.where(torch.isfinite(log_sum), grad_log_sum * torch.exp(-log_sum), 0)  # an empty sum has no gradient
    uniform = _uniform(labels)
    alike = labels is None or uniform is not None
    for rows, columns, s, spare, scratch in _triangle(unit):
        touching = columns.start == rows.stop
        of_row, of_column = share[:, rows, None], share[:, None, columns]
        keep_row, keep_column = 1 not in exclude, -1 not in exclude  # the entry in a touching corner
        if rows == columns:
            weight = _slopes(exponent, s, uniform if alike else labels[:, rows, None], spare, scratch).mul_(of_row)
            weight.masked_fill_(_band(weight, exclude), 0)
            grad[:, rows].baddbmm_(weight + weight.mT, unit[:, rows])
            continue
        if alike:
            weight = _slopes(exponent, s, uniform, spare, scratch)
            factor = torch.add(of_row, of_column, out=scratch)
            if touching:
                factor[:, -1, 0] = of_row[:, -1, 0] * keep_row + of_column[:, 0, 0] * keep_column
            weight *= factor
        else:
            weight = _slopes(exponent, s, labels[:, rows, None], spare, scratch).mul_(of_row)
            other = _slopes(exponent, s, labels[:, None, columns], scratch, s).mul_(of_column)
            if touching:
                weight[:, -1, 0] *= keep_row
                other[:, -1, 0] *= keep_column
            weight += other
        grad[:, rows].baddbmm_(weight, unit[:, columns])
        grad[:, columns].baddbmm_(weight.mT, unit[:, rows])
    return grad


def _powers(exponent: Exponent, s: Tensor, y: Tensor | bool | None, out: Tensor) -> Tensor:
    """exp e(s, y), written to `out`: `exponent(s, y).exp()` without a tensor of its own for each operation."""
    a, b = exponent.coefficients(y, s.dtype)
    if exponent.margin is None:
        return torch.mul(s, b, out=out).exp_()
    d = exponent.clipped(s, y)
    return torch.mul(d, a, out=out).add_(b).mul_(d).exp_()


def _slopes(exponent: Exponent, s: Tensor, y: Tensor | bool | None, out: Tensor, scratch: Tensor) -> Tensor:
    """exp(e) de/ds, the derivative of `_powers`, written to `out`; `scratch` may be s, which is then lost."""
    a, b = exponent.coefficients(y, s.dtype)
    powers = _powers(exponent, s, y, out)
    if exponent.margin is None:
        return powers.mul_(b)
    return powers.mul_(torch.mul(exponent.clipped(s, y), 2 * a, out=scratch).add_(b))


def _triangle(unit: Tensor) -> Iterator[tuple[slice, slice, Tensor, Tensor, Tensor]]:
    """Blocks of S on and above the diagonal: (rows, columns, s, and two tensors of its shape to work in).

    The three are used again for the next block: fresh ones would cost as much time as a matrix product.
    """
    groups, n, _ = unit.shape
    side = min(n, max(32, int(BLOCK / groups**0.5)))
    slices = [slice(start, min(start + side, n)) for start in range(0, n, side)]
    memory = unit.new_empty(3, groups * side * side)
    for number, rows in enumerate(slices):
        for columns in slices[number:]:
            height, width = rows.stop - rows.start, columns.stop - columns.start
            s, spare, scratch = memory[:, :groups * height * width].view(3, groups, height, width)
            torch.bmm(unit[:, rows], unit[:, columns].mT, out=s)
            yield rows, columns, s, spare, scratch


def _band(block: Tensor, exclude: tuple[int, ...]) -> Tensor:
    """True where column - row is in `exclude`, for a block on the diagonal."""
    ones = torch.ones(block.shape[1:], dtype=torch.bool, device=block.device)
    return ones.triu(min(exclude)) & ones.tril(max(exclude))


def _uniform(labels: Tensor | None) -> bool | None:
    """The one label that all anchors share, if they do."""
    if labels is None or not (labels.all() or not labels.any()):
        return None
    return bool(labels.flatten()[0])


def _row_sums(unit, exponent, exclude, labels):
    log_sum, reference = unit.new_empty(unit.shape[:2]), unit.new_zeros(unit.shape[:2])
    for rows, _, _, e, any_label in _rows(unit, exponent, exclude, labels):
        log_sum[:, rows] = torch.logsumexp(e, dim=-1)
        if any_label is not None:
            reference[:, rows] = any_label.to(unit.dtype)
    return log_sum, reference


def _row_gradient(unit, log_sum, grad_log_sum, exponent, exclude, labels):
    grad = torch.zeros_like(unit)
    log_sum = log_sum.clamp(min=torch.finfo(unit.dtype).min)  # an empty sum has no gradient, not NaN
    for rows, s, y, e, _ in _rows(unit, exponent, exclude, labels):
        weight = (e - log_sum[:, rows, None]).exp_().mul_(exponent.slope(s, y)).mul_(grad_log_sum[:, rows, None])
        grad[:, rows] += weight @ unit
        grad += weight.mT @ unit[:, rows]
    return grad


def _rows(unit, exponent, exclude, labels):
    """Blocks of whole rows of S: (rows, s, y, e, any label 1), with e = -inf at the excluded entries."""
    groups, n, _ = unit.shape
    step = max(1, BLOCK**2 // (groups * n))
    numbers = torch.arange(n, device=unit.device)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        s = unit[:, rows] @ unit.mT
        y = labels.of(rows) if isinstance(labels, PairLabels) else None if labels is None else labels[:, rows, None]
        e = exponent(s, y)
        lag = numbers - numbers[rows, None]
        excluded = (lag >= min(exclude)) & (lag <= max(exclude))
        any_label = None if y is None else y[..., 0]
        if isinstance(labels, PairLabels):  # constants that differ inside a row do not cancel: count from the largest
            any_label = (y & ~excluded).any(-1)
            e = e + exponent.offset * (y.to(e.dtype) - any_label[..., None].to(e.dtype))
        yield rows, s, y, e.masked_fill_(excluded, float("-inf")), any_label
