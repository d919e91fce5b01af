"""A function of a method's own code and ours, called on the same inputs; tools to share inputs, weights and draws."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

TOLERANCE = 1e-9  # relative to the largest entry of a tensor, in float64
DEVIATIONS = 5.0  # of the difference of two means of draws
MOST_APART = 5  # tensors that a golden file has one by one
DISTRIBUTION = "distribution"
Load = Callable[[str], Any]


@dataclass(frozen=True)
class Comparison:
    """One function of theirs and ours.

    Parameters
    ----------
    function : str
        Theirs, as "file: name".
    how : str
        What is shared: "value and gradient", "weights", "draws", or, for draws that cannot be, "distribution".
    case : str
        What tells it from other comparisons of the function.
    ours : callable
        Returns tensors; for a distribution samples `(n, k)`, whose means are compared.
    theirs : callable
        Takes a function that imports a module of theirs by name; returns tensors that belong to ours one by one.
    tolerance : float
        Relative to the largest entry of a tensor; larger where their text asks for float32.
    """

    function: str
    how: str
    case: str
    ours: Callable[[], list[Tensor]]
    theirs: Callable[[Load], list[Tensor]]
    tolerance: float = TOLERANCE

    @property
    def key(self) -> str:
        """The name of the comparison in golden files."""
        return f"{self.function} | {self.how} | {self.case}"


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor], how: str, tolerance: float = TOLERANCE) -> float:
    """Return how far two answers are apart, in units of what is allowed: at most 1 is equal.

    Parameters
    ----------
    ours, theirs : sequence of Tensor
    how : str
        For a distribution the means are compared, else each tensor as a whole.
    tolerance : float

    Returns
    -------
    float
        Infinite where shapes differ or a single side is not finite.
    """
    if len(ours) != len(theirs):
        return float("inf")
    return max((_apart(a.detach(), b.detach(), how, tolerance) for a, b in zip(ours, theirs, strict=True)), default=0.0)


def _apart(ours: Tensor, theirs: Tensor, how: str, tolerance: float) -> float:
    ours, theirs = ours.double(), theirs.double()
    if how == DISTRIBUTION:
        spread = (ours.var(0) / len(ours) + theirs.var(0) / len(theirs)).sqrt().clamp(min=1e-12)
        gap = ((ours.mean(0) - theirs.mean(0)).abs() / spread).max() / DEVIATIONS
    elif ours.shape != theirs.shape:
        return float("inf")
    else:
        gap = (ours - theirs).abs().max() / ours.abs().max().clamp(min=1.0) / tolerance
    return float("inf") if gap.isnan() else gap.item()


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal numbers in float64, the same on every machine."""
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def with_gradients(loss: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """Return the loss and its gradients by the inputs, zero where it has none."""
    leaves = [values.clone().requires_grad_() for values in inputs]
    return by(loss(*leaves), leaves)


def by(value: Tensor, leaves: Iterable[Tensor]) -> list[Tensor]:
    """Return a value and its gradients by `leaves`, zero where it has none."""
    leaves = list(leaves)
    if not value.requires_grad:
        return [value.detach(), *map(torch.zeros_like, leaves)]
    gradients = torch.autograd.grad(value, leaves, allow_unused=True)
    return [
        value.detach(),
        *(torch.zeros_like(a) if g is None else g for a, g in zip(leaves, gradients, strict=True)),
    ]


def filled(module: nn.Module, seed: int, scale: float = 0.1) -> nn.Module:
    """Fill a module's parameters with the same numbers on every machine, in their order, and make it float64."""
    module.double()
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(scale * generator.standard_normal(parameter.shape)))
    return module


def without_dropout(module: nn.Module) -> nn.Module:
    """Set the chance of every dropout layer to 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return module


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator for our draws."""
    return torch.Generator().manual_seed(seed)


def seed_theirs(seed: int) -> None:
    """Seed the global generators, which theirs draw from."""
    random.seed(seed)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002


@contextmanager
def recorded(name: str) -> Iterator[list[Tensor]]:
    """Record what `torch.NAME` draws inside."""
    draw, draws = getattr(torch, name), []

    def record(*arguments, **settings):
        draws.append(draw(*arguments, **settings))
        return draws[-1]

    with patch.object(torch, name, record):
        yield draws


@contextmanager
def default_type(kind: torch.dtype) -> Iterator[None]:
    """Let torch compute in a type where nothing else is said: theirs are called in float64, ours in float32."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(kept)


def our_types() -> AbstractContextManager[None]:
    """Draw as we do, although theirs are called in float64."""
    return default_type(torch.float32)


def scripted(owner: Any, name: str, values: Iterable) -> Any:
    """Let a function of another module return the given values one after the other: a context manager."""
    return patch.object(owner, name, side_effect=list(values))


def summarised(tensors: Sequence[Tensor]) -> list[list[float]]:
    """Return each tensor in short, to twelve digits: size, sum, norm, and four entries spread over it, or all of fewer.

    Many gradients are joined to one tensor.
    """
    flat = [tensor.detach().double().flatten() for tensor in tensors]
    if len(flat) > MOST_APART:
        flat = [flat[0], torch.cat(flat[1:])]
    rows = []
    for values in flat:
        places = np.linspace(0, max(len(values) - 1, 0), min(4, len(values))).round().astype(int)
        row = [len(values), values.sum().item(), values.norm().item(), *values[places].tolist()]
        rows.append([float(f"{number:.12g}") for number in row])
    return rows
