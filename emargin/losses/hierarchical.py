"""The contrast of TS2Vec and its relatives: over instances, over time, over a hierarchy of time scales.

Views are `(B, T, C)`: B sequences, T frames that the two views share, C channels. r is the first view, r' the second.
Dot products are taken as they are, neither normalised nor divided by a temperature. Section numbers refer to the method
specification behind the companion's ledger.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from emargin.errors import InputError

# A term below exp(-60) of its sum's largest is taken as exp(-60). No sum can tell, in float64 either, and numbers too
# small to be normal would make the matrix products of the gradient ten times slower.
FARTHEST = -60.0

Weights = Callable[[int, int], Tensor]  # (length, level) -> (length, length)


def instance_contrast(one: Tensor, two: Tensor, weights: Tensor | None = None) -> Tensor:
    """Loss I (section 10): at each frame, a sequence's other view against the other 2B - 2 vectors of that frame.

        I = mean over t, i and both directions of
            -log( exp(r_it . r'_it) / (sum_j exp(r_it . r'_jt) + sum_{j != i} exp(r_it . r_jt)) )

    With `weights` w `(B, B)` (section 11) each of the 2B - 1 partners is a positive of weight w_ij, in its own view
    (j != i) and in the other (all j); the identity gives the loss above. Scalar; 0 for B = 1.
    """
    return _contrast(*_views(one.transpose(0, 1), two.transpose(0, 1)), weights)


def temporal_contrast(one: Tensor, two: Tensor, weights: Tensor | None = None) -> Tensor:
    """Loss Tm (section 10): in each sequence, a frame's other view against the other 2T - 2 vectors of that sequence.

    The formula of `instance_contrast` with t in the role of i. weights: `(T, T)`. Scalar; 0 for T = 1.
    """
    return _contrast(*_views(one, two), weights)


def hierarchical(
    one: Tensor, two: Tensor, *, instance_weights: Tensor | None = None, temporal_weights: Weights | None = None
) -> Tensor:
    """The mean over time scales of I / 2 + Tm / 2 (section 10).

    From one level to the next both views are max-pooled over time (kernel and stride 2, a last odd frame is left out);
    the last level has one frame and I / 2 alone. instance_weights: `(B, B)`, the same at each level. temporal_weights:
    a function of (length, level), level 0 at full length. Returns a scalar.
    """
    one, two = _views(one, two)
    total, level = one.new_zeros(()), 0
    while one.shape[1] > 1:
        soft = temporal_weights(one.shape[1], level) if temporal_weights else None
        total = total + 0.5 * instance_contrast(one, two, instance_weights) + 0.5 * temporal_contrast(one, two, soft)
        one, two, level = _halved(one), _halved(two), level + 1
    total = total + 0.5 * instance_contrast(one, two, instance_weights)
    return total / (level + 1)


def _contrast(one: Tensor, two: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted cross-entropy among the 2n vectors of each group of `(G, n, C)`; mean over groups and anchors."""
    n = one.shape[1]
    if weights is None:
        weights = torch.eye(n)
    elif weights.shape != (n, n):
        raise InputError("soft weights do not fit the views", found=tuple(weights.shape), wanted=(n, n))
    weights = weights.to(one).repeat(2, 2).fill_diagonal_(0)
    return _CrossEntropy.apply(torch.cat([one, two], dim=1), weights)


class _CrossEntropy(torch.autograd.Function):
    """-sum_k w_jk log p_jk with p_j the softmax over k != j of z_j . z_k; mean over groups and anchors j.

    z: `(G, N, C)`. w: `(N, N)`, zero on the diagonal. The gradient on the dot product of j and k is
    G_jk = p_jk sum_l w_jl - w_jk, and that on z_j the sum over k of (G_jk + G_kj) z_k: one product, as both meet.
    """

    @staticmethod
    def forward(ctx, z, weights):
        dots = z @ z.mT
        dots.diagonal(dim1=1, dim2=2).fill_(float("-inf"))
        dots -= dots.amax(-1, keepdim=True)
        dots.diagonal(dim1=1, dim2=2).fill_(0)
        shares = dots.clamp(min=FARTHEST).exp_()
        shares.diagonal(dim1=1, dim2=2).fill_(0)
        sums = shares.sum(-1, keepdim=True)
        shares /= sums
        ctx.save_for_backward(z, weights, shares)
        return (weights * (sums.log() - dots)).sum(-1).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        z, weights, shares = ctx.saved_tensors
        on_dots = shares * weights.sum(-1, keepdim=True) - weights
        return (on_dots + on_dots.mT) @ z * (grad / shares[..., 0].numel()), None


def _halved(view: Tensor) -> Tensor:
    pairs = view[:, : view.shape[1] // 2 * 2].unflatten(1, (-1, 2))
    return pairs.max(2).values


def _views(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    if one.ndim != 3 or one.shape != two.shape or not one.numel():
        raise InputError(
            "two views to contrast",
            found=f"{tuple(one.shape)} and {tuple(two.shape)}",
            wanted="two of one shape (sequences, frames, channels)",
        )
    return one, two
