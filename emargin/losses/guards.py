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
from typing import Any, cast

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
        found = f"NaN, infinity or squares beyond them in {len(bad)} of {lengths.numel()} rows, the first at "
        todo = "look at the input of that step; lower the learning rate"
        raise InputError(what, found=f"{found}{tuple(bad[0].tolist())}", wanted="finite numbers", todo=todo)
    if damped and wide.requires_grad and shortest < SHORT:
        factor = (lengths / (SHORT * lengths.mean()).clamp(SHORTEST, SHORT)).square()[..., None].clamp(max=1)
        wide = wide.view_as(wide)
        wide.register_hook(lambda gradient: gradient * factor)
    return wide


def check_floating(what: str, values: object) -> None:
    """Raise InputError unless this is a dense tensor of floating-point numbers, with values."""
    dense = isinstance(values, Tensor) and values.layout == torch.strided and not values.is_meta
    if not dense or cast(Tensor, values).dtype not in TYPES:
        kind = f"{values.dtype}, {values.layout} on {values.device}" if isinstance(values, Tensor) else _kind(values)
        wanted, todo = "a dense tensor of float16, bfloat16, float32 or float64", "see torch.as_tensor and .float()"
        raise InputError(what, found=kind, wanted=wanted, todo=todo)


def check_device(what: str, values: Tensor, like: Tensor) -> None:
    """Raise InputError unless both are on one device."""
    if values.device != like.device:
        devices = f"{values.device} and {like.device}"
        raise InputError(f"{what} on another device", found=devices, wanted="one device", todo="move them with .to()")


def check_shape(what: str, values: Tensor, *fitting: tuple[object, ...]) -> None:
    """Raise InputError unless the shape is one of these, where a text stands for any length."""
    shape = tuple(values.shape)
    if not any(
        len(shape) == len(other) and all(isinstance(m, str) or n == m for n, m in zip(shape, other, strict=True))
        for other in fitting
    ):
        raise InputError(f"{what} do not fit", found=f"shape {shape}", wanted=" or ".join(map(str, fitting)))


def check_number(what: str, value: object, least: float = SMALLEST, most: float = LARGEST) -> None:
    """Raise InputError unless this is a number between the two; by default one for a temperature or a margin."""
    if not isinstance(value, Real) or not least <= float(value) <= most:
        raise InputError(what, found=repr(value)[:80], wanted=f"a number from {least:g} to {most:g}, not a tensor")


def check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise InputError unless the value is one of the choices."""
    if value not in choices:
        raise InputError(f"unknown {what} of a loss", found=repr(value), wanted=" or ".join(map(str, choices)))


def check_matrix(s: Tensor, labels: Tensor | None = None) -> None:
    """Raise InputError unless this is a matrix of cosines `(..., N, N)`, with labels `(..., N - 1)` where given."""
    what = "the matrix of cosines"
    check_floating(what, s)
    if s.dtype in HALF:
        rounded, todo = f"{s.dtype}, which rounds cosines to three digits", "take it from cosine_matrix(embedding)"
        raise InputError(what, found=rounded, wanted="float32 or float64", todo=todo)
    if s.ndim < 2 or s.shape[-2] != s.shape[-1] or s.shape[-1] < 3 or not s.numel():
        raise InputError(what, found=f"shape {tuple(s.shape)}", wanted="(..., N, N), N at least 3")
    if not s.is_cuda and not (s < float("inf")).all():
        raise InputError(what, found="NaN or infinity", wanted="finite numbers")
    if labels is not None:
        check_labels(labels, s, tuple(s.shape[:-2]) + (s.shape[-1] - 1,))


def check_zero_or_one(labels: object) -> None:
    """Raise InputError unless pseudo-labels are bool, or numbers that are 0 or 1."""
    wanted, todo = "bool, or 0 (similar) and 1 (dissimilar)", "compare with a threshold, as emargin.pseudo_labels does"
    try:
        y = torch.as_tensor(labels).flatten()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError("pseudo-labels", found=_kind(labels), wanted=f"a tensor of {wanted}") from error
    others = y[(y != 0) & (y != 1)] if y.dtype != torch.bool else y[:0]
    if len(others):
        raise InputError("pseudo-labels", found=f"{y.dtype} with {others[0].item()}", wanted=wanted, todo=todo)


def check_labels(labels: Tensor, like: Tensor, *fitting: tuple[int, ...]) -> None:
    """Raise InputError unless these are pseudo-labels of such a shape, on the device of another tensor."""
    if not isinstance(labels, Tensor):
        raise InputError("pseudo-labels", found=_kind(labels), wanted="a tensor of bool")
    check_shape("pseudo-labels", labels, *fitting)
    check_device("pseudo-labels", labels, like)
    check_zero_or_one(labels)


def check_weights(weights: Tensor | None) -> None:
    """Raise InputError unless soft weights, where there are any, are a tensor of finite numbers without a gradient."""
    if weights is None:
        return
    if not isinstance(weights, Tensor) or weights.is_complex() or weights.requires_grad:
        wanted = "a tensor of real numbers that requires no gradient: it would get none"
        raise InputError("soft weights", found=_kind(weights), wanted=wanted)
    if not weights.is_cuda and not weights.isfinite().all():
        raise InputError("soft weights", found="NaN or infinity", wanted="finite numbers")


def _kind(value: object) -> str:
    return f"a {type(value).__name__}" + " that requires a gradient" * getattr(value, "requires_grad", False)


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
