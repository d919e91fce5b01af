"""The contrast of TS2Vec and its relatives: over instances, over time, over a hierarchy of time scales.

Views are `(B, T, C)`: B sequences, T frames that the two views share, C channels. r is the first view, r' the second.
Dot products are taken as they are, neither normalised nor divided by a temperature. Section numbers refer to the method
specification behind the companion's ledger.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from emargin.errors import InputError
from emargin.losses.guards import check_device, check_weights, outside_autocast, usable

# A term below exp(-60) times the largest of its sum is set to that. No sum changes, not even in float64, and subnormal
# numbers would make the matrix products of the gradient ten times slower.
FARTHEST = -60.0

Weights = Callable[[int, int], Tensor]  # (length, level) -> (length, length)


def instance_contrast(first: Tensor, second: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute loss I (section 10): at each frame, the two views of a sequence against all other sequences.

        I = mean over t, i and both directions of
            -log( exp(r_it . r'_it) / (sum_j exp(r_it . r'_jt) + sum_{j != i} exp(r_it . r_jt)) )

    Parameters
    ----------
    first, second : Tensor
        The views r and r', `(B, T, C)`.
    weights : Tensor, optional
        w, `(B, B)` (section 11): every r'_jt, and every r_jt with j != i, is a positive of r_it with weight w_ij.
        Without weights w is the identity, which is the loss above.

    Returns
    -------
    Tensor
        A scalar; 0 for B = 1.

    Raises
    ------
    InputError
        For views of different shapes, for views that are empty, not finite, or no tensors of floating-point numbers,
        and for weights that do not fit them, are not finite or require a gradient, which they would not get.

    Notes
    -----
    Float16 and bfloat16 are summed in float32, under autocast too; gradients have the type of the views.
    """
    return outside_autocast(partial(_instance_contrast, weights=weights), *_usable_views(first, second))


def _instance_contrast(first: Tensor, second: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute `instance_contrast`, unguarded."""
    return _contrast(*_views(first.transpose(0, 1), second.transpose(0, 1)), weights)


def temporal_contrast(first: Tensor, second: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute loss Tm (section 10): in each sequence, the two views of a frame against all other frames.

    It is the formula of `instance_contrast` with t in the role of i.

    Parameters
    ----------
    first, second : Tensor
        The views r and r', `(B, T, C)`.
    weights : Tensor, optional
        `(T, T)`, as for `instance_contrast`.

    Returns
    -------
    Tensor
        A scalar; 0 for T = 1.

    Raises
    ------
    InputError
        As `instance_contrast`.
    """
    return outside_autocast(partial(_temporal_contrast, weights=weights), *_usable_views(first, second))


def _temporal_contrast(first: Tensor, second: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute `temporal_contrast`, unguarded."""
    return _contrast(*_views(first, second), weights)


def hierarchical(
    first: Tensor, second: Tensor, *, instance_weights: Tensor | None = None, temporal_weights: Weights | None = None
) -> Tensor:
    """Compute the mean over time scales of I / 2 + Tm / 2 (section 10).

    From each level to the next both views are max-pooled over time (kernel and stride 2; a last odd frame is left out).
    The last level has one frame, and I / 2 alone.

    Parameters
    ----------
    first, second : Tensor
        The views r and r', `(B, T, C)`.
    instance_weights : Tensor, optional
        `(B, B)`, the same at each level.
    temporal_weights : callable, optional
        (length, level) -> weights `(length, length)`; level 0 has full length.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    InputError
        As `instance_contrast`.
    """
    loss = partial(_hierarchical, instance_weights=instance_weights, temporal_weights=temporal_weights)
    return outside_autocast(loss, *_usable_views(first, second))


def _hierarchical(
    first: Tensor, second: Tensor, *, instance_weights: Tensor | None = None, temporal_weights: Weights | None = None
) -> Tensor:
    """Compute `hierarchical`, unguarded."""
    first, second = _views(first, second)
    total, level = first.new_zeros(()), 0
    while first.shape[1] > 1:
        soft = temporal_weights(first.shape[1], level) if temporal_weights else None
        total = (
            total
            + 0.5 * _instance_contrast(first, second, instance_weights)
            + 0.5 * _temporal_contrast(first, second, soft)
        )
        first, second, level = _halved(first), _halved(second), level + 1
    total = total + 0.5 * _instance_contrast(first, second, instance_weights)
    return total / (level + 1)


def _contrast(first: Tensor, second: Tensor, weights: Tensor | None) -> Tensor:
    """Compute the weighted cross-entropy among the 2n vectors of each group of `(G, n, C)`; the mean over all."""
    n = first.shape[1]
    check_weights(weights)
    if weights is None:
        weights = torch.eye(n)
    elif weights.shape != (n, n):
        raise InputError("soft weights do not fit the views", found=tuple(weights.shape), wanted=(n, n))
    weights = weights.to(first).repeat(2, 2).fill_diagonal_(0)
    return _CrossEntropy.apply(torch.cat([first, second], dim=1), weights)


class _CrossEntropy(torch.autograd.Function):
    """-sum_k w_jk log p_jk with p_j the softmax over k != j of z_j . z_k; mean over groups and anchors j.

    z: `(G, N, C)`. w: `(N, N)`, zero on the diagonal. The gradient on the dot product of j and k is
    G_jk = p_jk sum_l w_jl - w_jk, and the gradient on z_j is sum_k (G_jk + G_kj) z_k, a single product.
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
    """Take the larger of each two frames: `(B, T, C)` -> `(B, T // 2, C)`."""
    pairs = view[:, : view.shape[1] // 2 * 2].unflatten(1, (-1, 2))
    return pairs.max(2).values


def _usable_views(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return both views as they can be used; `_views` sees to their shapes."""
    rows = [
        usable(f"the {name} of two views to contrast", view) for name, view in (("first", first), ("second", second))
    ]
    check_device("the second view", rows[1], rows[0])
    return rows[0], rows[1]


def _views(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    if first.ndim != 3 or first.shape != second.shape or not first.numel():
        raise InputError(
            "two views to contrast",
            found=f"{tuple(first.shape)} and {tuple(second.shape)}",
            wanted="two of one shape (sequences, frames, channels)",
        )
    return first, second
