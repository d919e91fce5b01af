"""What each loss of the paper's section 3 does to pairs of frames, as numbers: the derivative by their cosine.

The losses are those of `emargin.losses.reference`, functions of a matrix S of cosines.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from emargin.losses.margin import RELEASED_SCALE, psi
from emargin.losses.reference import adjusted, info_nce, label_matrix, released


def uniform_similarity(n: int, adjacent: float, background: float) -> Tensor:
    """S of N frames whose neighbours all have one cosine and whose other pairs all have another, float64 `(N, N)`."""
    s = torch.full((n, n), background, dtype=torch.float64).fill_diagonal_(1.0)
    neighbours = torch.full((n - 1,), adjacent, dtype=torch.float64)
    return s.diagonal_scatter(neighbours, offset=1).diagonal_scatter(neighbours, offset=-1)


def forces(loss: Callable[[Tensor], Tensor], s: Tensor) -> Tensor:
    """dL/dS, `(N, N)`: each pair's two entries are averaged, since they are one cosine. Positive repels the pair."""
    s = s.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(s), s)
    return (gradient + gradient.mT) / 2


def mean_forces(loss: Callable[[Tensor], Tensor], s: Tensor) -> tuple[float, float]:
    """Mean of dL/dS over the entries of adjacent pairs, and over those of all other pairs."""
    force = forces(loss, s)
    far = torch.ones_like(force).triu(2).bool()
    return force.diagonal(1).mean().item(), force[far].mean().item()


def effect(force: float) -> str:
    """What gradient descent does to a pair: a positive dL/dS lowers its cosine."""
    if math.isnan(force):
        return "undefined"
    return "repels" if force > 0 else "attracts" if force < 0 else "none"


def force_cases(n: int, temperature: float, margin: float) -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    """The losses whose forces the page compares, as functions of S `(n, n)`: (loss, labels) -> function."""
    near = torch.ones(n - 1).diag(1) + torch.ones(n - 1).diag(-1)
    uniform = {"y = 0": torch.zeros(n - 1).long(), "y = 1": torch.ones(n - 1).long()}
    by_pair = {
        "y = 0": torch.zeros(n, n),
        "y = 1": torch.ones(n, n),
        "adjacent 0, others 1": 1 - near,
        "adjacent 1, others 0": near,
    }

    def original(labels):
        return lambda s: info_nce(adjusted(s, labels, margin), temperature).mean()

    def as_released(y, sides):
        return lambda s: released(s, y, temperature, margin, sides)[0].mean()

    cases = {("InfoNCE", ""): lambda s: info_nce(s, temperature).mean()}
    for reading in ("anchor", "pair"):
        cases |= {(f"original, {reading}", name): original(label_matrix(y, reading)) for name, y in uniform.items()}
    cases |= {("original, all-pairs", name): original(labels.long()) for name, labels in by_pair.items()}
    for sides, word in ((2, "two-sided"), (1, "one-sided")):
        cases |= {(f"released, {word}", name): as_released(y, sides) for name, y in uniform.items()}
    return cases


def critical_cosine(background: float, *, n: int, temperature: float, margin: float, y: int = 1) -> float:
    """The adjacent cosine a above which the released two-sided logarithm has a negative argument, exp(a/tau) = A(a).

    All adjacent pairs of the N frames have cosine a, all others `background`; A is the sum of an anchor inside. May
    exceed 1, where no cosine gets to.
    """

    def exponent(s, y=y):
        return RELEASED_SCALE / temperature * psi(torch.tensor(s, dtype=torch.float64), y, margin).item()

    def excess(a):
        return a / temperature - np.logaddexp(math.log(4) + exponent(a), math.log(2 * (n - 3)) + exponent(background))

    highest = temperature * (math.log(2 * n) + exponent(-1.0, y=1)) + 1
    return brentq(excess, -1.0, highest, xtol=1e-12)
