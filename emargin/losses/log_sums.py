"""Sums over the cosine similarity matrix of a batch, taken a block at a time.

Every loss of the paper's section 3 needs the N x N matrix S of cosines only through log-sums of a function of its
entries, one sum an anchor, and through its entries beside the diagonal. Here a sum is formed from blocks that fit the
caches; the backward pass forms the blocks again, all but a few, so memory grows with N and not with N^2.

S is symmetric: where exponents are small enough to be summed as they are, only the blocks on and above the diagonal
are formed (`emargin.losses.triangle`), and each serves the anchors of its rows and of its columns. Otherwise rows are
taken whole, with their maximum.
"""

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from emargin.losses import triangle_sums
from emargin.losses.cosines import SHORTEST, adjacent_products, row_lengths, row_products, unit_rows
from emargin.losses.exponent import Exponent
from emargin.losses.memory import BLOCK, CUDA_BLOCK
from emargin.losses.triangle import Triangle

SAFE_EXPONENT = 60.0  # exp(60) a million times over is far from float32's 3e38, exp(-60) from its smallest normal 1e-38
# What forms the sums of several blocks on a CUDA device: a module with the two functions of `triangle_sums` for labels.
# None, unless other code sets it (as `companion.gpu.enable` does): `triangle_sums` itself, with torch's own operations.
CUDA_SUMS: ModuleType | None = None


@dataclass(frozen=True, eq=False)
class PairLabels:
    """Label every pair of frames: y_jk = 0 where cos(x_j, x_k) > threshold, else 1.

    Parameters
    ----------
    frames : Tensor
        The input x, `(G, N, D)`.
    threshold : float
        theta, from -1 to 1.
    """

    frames: Tensor
    threshold: float

    def of(self, rows: slice) -> Tensor:
        """Return the labels of rows of the matrix of pairs, bool `(G, rows, N)`."""
        unit = unit_rows(self.frames)
        return ~(unit[:, rows] @ unit.mT > self.threshold)


def log_sums(
    rows: Tensor, exponent: Exponent, *, exclude: tuple[int, ...], labels: Tensor | PairLabels | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute for each anchor j log sum_k exp e(S_jk, y_jk), over all k whose k - j is not in `exclude`.

    Parameters
    ----------
    rows : Tensor
        `(G, N, C)`, of any length. Each of the G groups has its matrix of cosines S.
    exponent : Exponent
        e, a function of a cosine and a label.
    exclude : tuple of int
        0, and any of -1 and 1: (0, 1) leaves out S_jj and S_{j,j+1}.
    labels : Tensor or PairLabels, optional
        bool `(G, N)`, a label for each row of S; or a label for each pair. An exponent without a margin needs none.

    Returns
    -------
    log_sum : Tensor
        `(G, N)`, without the constant `exponent.offset` of label 1; -inf where no k is left.
    reference : Tensor
        `(G, N)`, how often the constant is to be added: 1 where any entry of the row has label 1, else 0.
    cosines : Tensor
        S_{j,j+1}, `(G, N - 1)`.
    """
    return _LogSums.apply(rows, exponent, exclude, labels)


class _LogSums(torch.autograd.Function):
    """The sums and their gradient, from the rows on: of tensors as large as the rows it keeps the unit rows alone.

    In row j, dL/dS_jk = dL/dlog_sum_j softmax_jk e'(S_jk). The normalisation of the rows comes after that.
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
            ctx.fused = _cuda_sums(unit)
            ctx.power = None if ctx.fused else triangle_sums.power_of(exponent, labels)
            ctx.triangle = Triangle(
                rows, keep=ctx.needs_input_grad[0], spares=0 if ctx.fused else 1 if ctx.power else 2
            )
            unit = ctx.triangle.padded(unit)
            if ctx.power:
                sums = triangle_sums.power_sums(ctx.triangle, unit, ctx.power, exclude)
            else:
                sums = (ctx.fused or triangle_sums).labelled_sums(ctx.triangle, unit, *ctx.form)
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
                grad = (ctx.fused or triangle_sums).labelled_gradient(ctx.triangle, unit, share, *ctx.form)
            unit, grad = unit[:, : lengths.shape[1]], grad[:, : lengths.shape[1]]
        else:
            grad = _row_gradient(unit, log_sum, grad_log_sum, *ctx.form)
        grad[:, :-1].addcmul_(unit[:, 1:], grad_cosines[..., None])
        grad[:, 1:].addcmul_(unit[:, :-1], grad_cosines[..., None])
        along = row_products(unit, grad)[..., None].mul_(lengths > SHORTEST)  # a shorter row is scaled, not projected
        return grad.addcmul_(unit, along, value=-1).div_(lengths), None, None, None


def _cuda_sums(unit: Tensor) -> ModuleType | None:
    """Return CUDA_SUMS where it serves: on CUDA, for more than one block."""
    return CUDA_SUMS if unit.is_cuda and len(unit) * unit.shape[1] ** 2 > CUDA_BLOCK**2 else None


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
    """Yield blocks of whole rows of S: (rows, s, y, e, any label 1), with e = -inf at the excluded entries."""
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
            assert y is not None
            any_label = (y & ~excluded).any(-1)
            e = e + exponent.offset * (y.to(e.dtype) - any_label[..., None].to(e.dtype))
        yield rows, s, y, e.masked_fill_(excluded, float("-inf")), any_label
