"""Sums over the cosine similarity matrix of a batch, taken a few rows at a time.

Every loss of sections 1 and 2 of the method specification needs the N x N matrix S of cosines only through
log-sums of a function of its entries, one sum an anchor. Here such a sum is formed from blocks of rows that fit
the cache; the backward pass forms the blocks again instead of keeping them, so memory grows with N and not with N^2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

BLOCK_ENTRIES = 1 << 20  # entries of S held at once: 4 MB in float32, about what the caches hold


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

    def __call__(self, s: Tensor, y: Tensor | None) -> Tensor:
        if self.margin is None:
            return s * self.scale
        d = s.clamp(max=self.margin)
        return torch.where(y, d * (d * (0.5 * self.scale) - self.margin * self.scale),
                           s.square() * (0.5 * self.sign * self.scale))

    def slope(self, s: Tensor, y: Tensor | None) -> Tensor:
        """de/ds."""
        if self.margin is None:
            return torch.full_like(s, self.scale)
        return torch.where(y, (s - self.margin).clamp(max=0) * self.scale, s * (self.sign * self.scale))


def unit_rows(embedding: Tensor) -> Tensor:
    """z / max(|z|, 1e-12) along the last axis."""
    return normalize(embedding, dim=-1, eps=1e-12)


def adjacent_cosines(rows: Tensor, *, wrap: bool = False) -> Tensor:
    """Cosine of each row with the next: `(..., N, C)` -> `(..., N - 1)`, or `(..., N)` when the last meets the first."""
    unit = unit_rows(rows)
    if wrap:
        return (unit * unit.roll(-1, dims=-2)).sum(-1)
    return (unit[..., :-1, :] * unit[..., 1:, :]).sum(-1)


RowLabels = Callable[[slice], Tensor]  # rows -> labels of their entries, bool, (G, rows, N) or (G, rows, 1)


def anchor_labels(y: Tensor) -> RowLabels:
    """The label of a row stands for all its entries: y is bool, `(G, N)`."""
    return lambda rows: y[:, rows, None]


def pair_labels(frames: Tensor, threshold: float) -> RowLabels:
    """Each entry has a label of its own: y_ij = not cos(x_i, x_j) > threshold, for frames `(G, N, D)`."""
    unit = unit_rows(frames)
    return lambda rows: ~(unit[:, rows] @ unit.mT > threshold)


def log_sums(embedding: Tensor, exponent: Exponent, *, exclude: tuple[int, ...],
             labels: RowLabels | None = None) -> tuple[Tensor, Tensor]:
    """For each anchor j the logarithm of the sum over k of exp e(S_jk, y_jk), where k - j is not in `exclude`.

    embedding: `(G, N, C)`, G groups that do not see one another. Returns `(log_sum, reference)`, both `(G, N)`:
    the full sum is log_sum + reference * exponent.offset, where reference is 1 if any entry of the row has label 1,
    else 0. An empty sum is -inf.
    """
    return _LogSums.apply(unit_rows(embedding), exponent, exclude, labels)


class _LogSums(torch.autograd.Function):
    """log_sums for unit rows, with the gradient formed block by block."""

    @staticmethod
    def forward(ctx, unit, exponent, exclude, labels):
        log_sum, reference = unit.new_empty(unit.shape[:2]), unit.new_zeros(unit.shape[:2])
        for rows, _, _, e, any_label in _blocks(unit, exponent, exclude, labels):
            log_sum[:, rows] = torch.logsumexp(e, dim=-1)
            if any_label is not None:
                reference[:, rows] = any_label.to(unit.dtype)
        ctx.save_for_backward(unit, log_sum)
        ctx.form = exponent, exclude, labels
        ctx.mark_non_differentiable(reference)
        return log_sum, reference

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_log_sum, _):
        unit, log_sum = ctx.saved_tensors
        exponent, exclude, labels = ctx.form
        grad = torch.zeros_like(unit)
        log_sum = log_sum.clamp(min=torch.finfo(unit.dtype).min)  # an empty sum has no gradient, not NaN
        for rows, s, y, e, _ in _blocks(unit, exponent, exclude, labels):
            # dL/dS_jk = dL/dlog_sum_j * softmax_jk * e'(S_jk), and S_jk = u_j . u_k feeds both rows
            weight = (e - log_sum[:, rows, None]).exp_().mul_(exponent.slope(s, y)).mul_(grad_log_sum[:, rows, None])
            grad[:, rows] += weight @ unit
            grad += weight.mT @ unit[:, rows]
        return grad, None, None, None


def _blocks(unit, exponent, exclude, labels):
    """Blocks of rows of S: (rows, s, y, e, any label 1), with e = -inf at the excluded entries."""
    groups, n, _ = unit.shape
    step = max(1, BLOCK_ENTRIES // (groups * n))
    columns = torch.arange(n, device=unit.device)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        s = unit[:, rows] @ unit.mT
        y = None if labels is None else labels(rows)
        e = exponent(s, y)
        excluded = torch.zeros(s.shape[1:], dtype=torch.bool, device=unit.device)
        for lag in exclude:
            excluded |= columns[None] - columns[rows, None] == lag
        any_label = None
        if y is not None:
            any_label = y[..., 0] if y.shape[-1] == 1 else (y & ~excluded).any(-1)
            if y.shape[-1] > 1:  # constants that differ inside a row do not cancel: count them from the largest
                e = e + exponent.offset * (y.to(e.dtype) - any_label[..., None].to(e.dtype))
        yield rows, s, y, e.masked_fill_(excluded, float("-inf")), any_label
