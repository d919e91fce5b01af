"""What stands between a loss and the training loops of others: its input is checked, and its sums are float32.

The methods of this project call the losses behind these guards, `_info_nce` and so on; everyone else calls the losses.

Precision. Half precision is converted before anything is computed, and no autocast reaches the sums. Where autocast is
on, it may be so again around `backward()`. A loss is a scalar, so there its gradient is computed together with it.

Short rows. A loss of cosines does not change with the length of a row z, so its gradient on z grows with 1 / |z|, and a
row of zeros has none: where it points is chance, and torch's normalisation would divide it by 1e-12. Rows shorter than

    r = 1e-3 min(1, mean length of all rows),   at least 1e-8

have their gradient times (|z| / r)^2 here. So it is zero for a row of zeros, falls towards that without a jump, is at
its largest at |z| = r, and all other rows keep theirs to the last digit. Where the mean length is 1 or more, no row
gets more than a thousand times what it would at length 1. The bound moves with the batch, since embeddings that are
small as a whole are no mistake; 1e-8 holds for a batch that collapses to zero.

A CUDA device is not asked for values, as the program would wait for it: NaN and infinity make the loss NaN there, where
elsewhere they are an error.
"""

from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from emargin.errors import InputError

HALF = (torch.float16, torch.bfloat16)
TYPES = (*HALF, torch.float32, torch.float64)
SMALLEST, LARGEST = 1e-9, 1e9  # temperatures and margins whose exponents, up to m^2 / tau, are numbers of float32
SHORT, SHORTEST = 1e-3, 1e-8  # r, as a share and at least


def usable(what: str, rows: Tensor, *, damped: bool = False) -> Tensor:
    """Return rows `(..., C)` in float32 or float64, once their values can be used.

    Parameters
    ----------
    what : str
        Their name in errors.
    rows : Tensor
        Float16, bfloat16, float32 or float64.
    damped : bool
        Whether what is computed does not depend on their lengths, so that the gradient of short rows is damped.

    Raises
    ------
    InputError
        Unless it is a tensor of rows with finite values whose squares have a finite sum.
    """
    check_floating(what, rows)
    if rows.ndim < 2 or not rows.numel():
        raise InputError(what, found=f"shape {tuple(rows.shape)}", wanted="rows of one or more channels, (..., C)")
    wide = rows.float() if rows.dtype in HALF else rows
    lengths = torch.linalg.vector_norm(wide.detach(), dim=-1)
    shortest, longest = (0.0, 0.0) if wide.is_cuda else map(float, torch.aminmax(lengths))
    if not longest < float("inf"):
        bad = (~lengths.isfinite()).nonzero()
        raise InputError(
            f"{what} with values that cannot be summed",
            found=f"NaN, infinity or squares beyond them in {len(bad)} of {lengths.numel()} rows, the first at "
            f"{tuple(bad[0].tolist())}",
            wanted="finite numbers",
            todo="look at the input of that step; lower the learning rate",
        )
    if damped and wide.requires_grad and shortest < SHORT:
        factor = (lengths / (SHORT * lengths.mean()).clamp(SHORTEST, SHORT)).square()[..., None].clamp(max=1)
        wide = wide.view_as(wide)
        wide.register_hook(lambda gradient: gradient * factor)
    return wide


def check_floating(what: str, values: object) -> None:
    """Raise InputError unless this is a dense tensor of floating-point numbers, with values."""
    if not isinstance(values, Tensor):
        raise InputError(what, found=f"a {type(values).__name__}", wanted="a tensor", todo="see torch.as_tensor")
    if values.dtype not in TYPES or values.layout != torch.strided or values.is_meta:
        raise InputError(
            what,
            found=f"{values.dtype}, {values.layout} on {values.device}",
            wanted="a dense tensor of float16, bfloat16, float32 or float64",
            todo="convert it with .float()",
        )


def check_device(what: str, values: Tensor, like: Tensor) -> None:
    """Raise InputError unless both are on one device."""
    if values.device != like.device:
        raise InputError(
            f"{what} on another device",
            found=f"{values.device} and {like.device}",
            wanted="one device",
            todo=f'move them with .to("{like.device}")',
        )


def check_number(what: str, value: object) -> None:
    """Raise InputError unless this is a number that a temperature or a margin can be."""
    if not isinstance(value, Real) or not SMALLEST <= value <= LARGEST:
        raise InputError(
            what, found=repr(value)[:80], wanted=f"a number from {SMALLEST:g} to {LARGEST:g}, not a tensor"
        )


def check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise InputError unless the value is one of the choices."""
    if value not in choices:
        raise InputError(f"unknown {what} of a loss", found=repr(value), wanted=" or ".join(map(str, choices)))


def check_matrix(s: Tensor, labels: Tensor | None = None) -> None:
    """Raise InputError unless this is a matrix of cosines `(..., N, N)`, with labels `(..., N - 1)` where given."""
    check_floating("the matrix of cosines", s)
    if s.dtype in HALF:
        raise InputError(
            "the matrix of cosines",
            found=f"{s.dtype}, which rounds a cosine near 1 to three digits",
            wanted="float32 or float64",
            todo="take it from cosine_matrix(embedding), which converts the embedding",
        )
    if s.ndim < 2 or s.shape[-2] != s.shape[-1] or s.shape[-1] < 3 or not s.numel():
        raise InputError("the matrix of cosines", found=f"shape {tuple(s.shape)}", wanted="(..., N, N), N at least 3")
    if not s.is_cuda and not (s < float("inf")).all():
        raise InputError("the matrix of cosines", found="NaN or infinity", wanted="finite numbers")
    if labels is not None:
        check_zero_or_one(labels)
        if labels.shape[-1:] != (s.shape[-1] - 1,):
            raise InputError(
                "pseudo-labels do not fit the cosines",
                found=f"shape {tuple(labels.shape)}",
                wanted=f"(..., {s.shape[-1] - 1})",
            )
        check_device("pseudo-labels", labels, s)


def check_zero_or_one(labels: object) -> None:
    """Raise InputError unless pseudo-labels are bool, or numbers that are 0 or 1."""
    try:
        y = torch.as_tensor(labels).flatten()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError("pseudo-labels", found=f"a {type(labels).__name__}", wanted="a tensor of bool") from error
    others = y[(y != 0) & (y != 1)] if y.dtype != torch.bool else y[:0]
    if len(others):
        raise InputError(
            "pseudo-labels",
            found=f"{y.dtype} with {others[0].item()}",
            wanted="bool, or 0 (similar) and 1 (dissimilar)",
            todo="compare with a threshold, as emargin.pseudo_labels does",
        )


def check_labels(labels: Tensor, rows: Tensor) -> None:
    """Raise InputError unless these are pseudo-labels of the adjacent pairs of groups `(G, N, C)`."""
    if not isinstance(labels, Tensor):
        raise InputError("pseudo-labels", found=f"a {type(labels).__name__}", wanted="a tensor of bool")
    groups, n, _ = rows.shape
    fitting = [(groups, n - 1), (groups, n)] + [(n - 1,), (n,)] * (groups == 1)
    if tuple(labels.shape) not in fitting:
        raise InputError(
            "pseudo-labels do not fit the embedding",
            found=f"shape {tuple(labels.shape)}",
            wanted=f"{groups} group(s) of {n - 1} pairs: " + " or ".join(map(str, fitting)),
        )
    check_device("pseudo-labels", labels, rows)
    check_zero_or_one(labels)


def check_frames(frames: Tensor, threshold: float | None, embedding: Tensor) -> None:
    """Raise InputError unless these are the input frames `(B, T, D)` of an embedding, and a cosine or None."""
    if frames.shape[:-1] != embedding.shape[:-1]:
        raise InputError(
            "frames do not fit the embedding",
            found=f"shape {tuple(frames.shape)}",
            wanted=f"({embedding.shape[0]}, {embedding.shape[1]}, features)",
        )
    check_device("frames", frames, embedding)
    if threshold is not None and not (isinstance(threshold, Real) and -1 <= threshold <= 1):
        raise InputError("threshold is a cosine", found=repr(threshold)[:80], wanted="a number from -1 to 1")


def check_weights(weights: Tensor | None) -> None:
    """Raise InputError unless soft weights, where there are any, are a tensor of finite numbers without a gradient."""
    if weights is None:
        return
    if not isinstance(weights, Tensor) or weights.is_complex() or weights.requires_grad:
        raise InputError(
            "soft weights",
            found=f"a {type(weights).__name__}"
            + " that requires a gradient" * getattr(weights, "requires_grad", False),
            wanted="a tensor of numbers; a loss gives its weights no gradient",
        )
    if not weights.is_cuda and not weights.isfinite().all():
        raise InputError("soft weights", found="NaN or infinity", wanted="finite numbers")


def outside_autocast(loss: Callable[..., Any], *rows: Tensor, at_once: bool = True) -> Any:
    """Compute a loss outside of autocast.

    Parameters
    ----------
    loss : callable
        A function of the rows that returns a scalar, or a tuple of which the first, a scalar, has a gradient.
    *rows : Tensor
    at_once : bool
        Compute the gradient with the loss where autocast is on. Not for a loss with weights of its own, or no scalar.

    Returns
    -------
    Tensor or tuple of Tensor
        As the loss returns.
    """
    device = rows[0].device.type
    if not torch.is_autocast_enabled(device):
        return loss(*rows)
    with torch.autocast(device, enabled=False):
        if at_once and torch.is_grad_enabled() and any(part.requires_grad for part in rows):
            return _WithGradient.apply(loss, *rows)
        return loss(*rows)


class _WithGradient(torch.autograd.Function):
    """A loss together with its gradient, which `backward` multiplies by what comes from above."""

    @staticmethod
    def forward(ctx, loss, *rows):
        leaves = [part.detach().requires_grad_(part.requires_grad) for part in rows]
        with torch.enable_grad():
            found = loss(*leaves)
        value, *others = found if isinstance(found, tuple) else (found,)
        ctx.save_for_backward(*torch.autograd.grad(value, [leaf for leaf in leaves if leaf.requires_grad]))
        ctx.mark_non_differentiable(*others)
        return (value.detach(), *others) if others else value.detach()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, from_above, *_):
        gradients = iter(ctx.saved_tensors)
        return None, *(next(gradients) * from_above if needed else None for needed in ctx.needs_input_grad[1:])
