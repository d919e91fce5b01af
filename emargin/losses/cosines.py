"""Sums over the cosine similarity matrix of a batch, taken a block at a time.

Every loss of the paper's section 3 needs the N x N matrix S of cosines only through log-sums of a function of its
entries, one sum an anchor, and through its entries beside the diagonal. Here a sum is formed from blocks that fit the
caches; the backward pass forms the blocks again, all but a few, so memory grows with N and not with N^2.

S is symmetric: where exponents are small enough to be summed as they are, only the blocks on and above the diagonal
are formed (`emargin.losses.triangle`), and each serves the anchors of its rows and of its columns. Otherwise rows are taken
whole, with their maximum.

On a CUDA device blocks are larger, and what happens to each of several is compiled (`emargin.losses.fused`).
"""

from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn.functional import normalize

from emargin.losses import fused, triangle_sums
from emargin.losses.exponent import Exponent
from emargin.losses.triangle import BLOCK, CUDA_BLOCK, Triangle

SLICE = 2**17  # entries of rows taken at a time: 512 KB in float32, half of a core's second-level cache
SHORTEST = 1e-12  # a row's length is taken as at least this, so that a row of zeros has cosine 0 with every other
SAFE_EXPONENT = 60.0  # exp(60) a million times over is far from float32's 3e38, exp(-60) from its smallest normal 1e-38


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


def log_sums(
    rows: Tensor, exponent: Exponent, *, exclude: tuple[int, ...], labels: Tensor | PairLabels | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """For each anchor j the logarithm of the sum over k of exp e(S_jk, y_jk), where k - j is not in `exclude`.

    rows: `(G, N, C)`, G groups that do not see one another; S is that of their cosines. exclude: 0 and any of -1 and 1.
    labels: bool `(G, N)`, where the label of an anchor stands for its whole row, or one for every pair.
    Returns `(log_sum, reference, cosines)`: the full sum is log_sum + reference * exponent.offset, both `(G, N)`, where
    reference is 1 if any entry of the row has label 1, else 0; an empty sum is -inf. cosines `(G, N - 1)`: S_{j,j+1}.
    """
    return _LogSums.apply(rows, exponent, exclude, labels)


class _LogSums(torch.autograd.Function):
    """The gradient on S_jk as an entry of row j is dL/dlog_sum_j softmax_jk e'(S_jk); then through the normalisation.

    One function from the rows on, so that nothing of the size of the rows is kept but the unit rows.
    """

    @staticmethod
    def forward(ctx, rows, exponent, exclude, labels):
        lengths = row_lengths(rows)
        unit = rows / lengths
        cosines = adjacent_products(unit)
        ctx.form = exponent, exclude, labels
        if exponent.bound > SAFE_EXPONENT or isinstance(labels, PairLabels):
            ctx.triangle = None
            log_sum, reference = _row_sums(unit, *ctx.form)
        else:
            ctx.fused = _is_fused(unit)
            ctx.power = None if ctx.fused else triangle_sums.power_of(exponent, labels)
            ctx.triangle = Triangle(
                rows, keep=ctx.needs_input_grad[0], spares=0 if ctx.fused else 1 if ctx.power else 2
            )
            unit = ctx.triangle.padded(unit)
            if ctx.power:
                sums = triangle_sums.power_sums(ctx.triangle, unit, ctx.power, exclude)
            else:
                sums = (fused if ctx.fused else triangle_sums).labelled_sums(ctx.triangle, unit, *ctx.form)
            log_sum = sums[:, : rows.shape[1]].log()
            reference = torch.zeros_like(log_sum) if labels is None else labels.to(rows.dtype)
        ctx.save_for_backward(unit, lengths, log_sum)
        ctx.mark_non_differentiable(reference)
        return log_sum, reference, cosines

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_log_sum, _, grad_cosines):
        unit, lengths, log_sum = ctx.saved_tensors
        if ctx.triangle:
            share = torch.where(torch.isfinite(log_sum), grad_log_sum * torch.exp(-log_sum), 0)  # none of an empty sum
            share = ctx.triangle.padded(share)
            if ctx.power:
                grad = triangle_sums.power_gradient(ctx.triangle, unit, share, ctx.power, ctx.form[1])
            else:
                grad = (fused if ctx.fused else triangle_sums).labelled_gradient(ctx.triangle, unit, share, *ctx.form)
            unit, grad = unit[:, : lengths.shape[1]], grad[:, : lengths.shape[1]]
        else:
            grad = _row_gradient(unit, log_sum, grad_log_sum, *ctx.form)
        grad[:, :-1].addcmul_(unit[:, 1:], grad_cosines[..., None])
        grad[:, 1:].addcmul_(unit[:, :-1], grad_cosines[..., None])
        along = row_products(unit, grad)[..., None].mul_(lengths > SHORTEST)  # a shorter row is scaled, not projected
        return grad.addcmul_(unit, along, value=-1).div_(lengths), None, None, None


def _is_fused(unit: Tensor) -> bool:
    """Whether work on blocks is worth compiling: on CUDA, for more than one, where torch's compiler has its Triton."""
    return unit.is_cuda and len(unit) * unit.shape[1] ** 2 > CUDA_BLOCK**2 and find_spec("triton") is not None


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
    step = max(1, (CUDA_BLOCK if unit.is_cuda else BLOCK) ** 2 // (groups * n))
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
