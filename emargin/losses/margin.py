"""The margin map: the paper's equation 2, the released code's variant of it, and their slopes.

For a cosine s, its pseudo-label y (0 similar, 1 dissimilar) and a margin m:

    phi(s, y, m) =  (1 - y) s^2 / 2 + y max(0, m - s)^2 / 2     the paper's equation 2
    psi(s, y, m) = -(1 - y) s^2 / 2 + y max(0, m - s)^2 / 2     in the released two-sided loss
    dphi/ds      =  (1 - y) s - y max(0, m - s)
    dpsi/ds      = -(1 - y) s - y max(0, m - s)

Nothing else in this project writes the map down. To try another one, hand `emargin_loss` a function of phi's arguments,
or rewrite phi here, and psi for the released loss of two sides: the losses follow. `Parabolas` is how the fast path
computes phi and psi, and serves them alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from emargin.losses.guards import check_floating, check_zero_or_one

MarginMap = Callable[[Tensor, Tensor, float], Tensor]  # (cosines, labels, margin) -> values of the cosines' shape
RELEASED_SCALE = 0.05  # gamma, the factor on psi in the released two-sided loss; the paper has none


def phi(s: Tensor, y: Tensor | int, margin: float) -> Tensor:
    """Map cosines as the paper's equation 2 does.

    Parameters
    ----------
    s : Tensor
        Cosines, of any shape.
    y : Tensor or int
        Labels, 0 or 1 (or bool), of a shape that fits s.
    margin : float
        m, above 0. For m >= 1 the hinge max(0, m - s) always acts, since no cosine is larger.

    Returns
    -------
    Tensor
        (1 - y) s^2 / 2 + y max(0, m - s)^2 / 2, of the shape and type of s.

    Examples
    --------
    >>> phi(torch.tensor([0.5, 0.5]), torch.tensor([0, 1]), margin=5.0)
    tensor([ 0.1250, 10.1250])
    """
    check_floating("cosines", s)
    check_zero_or_one(y)
    y = torch.as_tensor(y, dtype=s.dtype, device=s.device)
    return 0.5 * (1 - y) * s.square() + 0.5 * y * (margin - s).clamp(min=0).square()


def psi(s: Tensor, y: Tensor | int, margin: float) -> Tensor:
    """Map cosines as the released two-sided loss does: as phi, with a minus before the square of label 0.

    Parameters
    ----------
    s, y, margin : Tensor, Tensor or int, float
        As for `phi`.

    Returns
    -------
    Tensor
        -(1 - y) s^2 / 2 + y max(0, m - s)^2 / 2, of the shape and type of s.
    """
    check_floating("cosines", s)
    check_zero_or_one(y)
    y = torch.as_tensor(y, dtype=s.dtype, device=s.device)
    return -0.5 * (1 - y) * s.square() + 0.5 * y * (margin - s).clamp(min=0).square()


def phi_slope(s: Tensor, y: Tensor | int, margin: float) -> Tensor:
    """Return the slope of phi over the cosine.

    Parameters
    ----------
    s, y, margin : Tensor, Tensor or int, float
        As for `phi`.

    Returns
    -------
    Tensor
        (1 - y) s - y max(0, m - s), of the shape and type of s.
    """
    check_floating("cosines", s)
    check_zero_or_one(y)
    y = torch.as_tensor(y, dtype=s.dtype, device=s.device)
    return (1 - y) * s - y * (margin - s).clamp(min=0)


def psi_slope(s: Tensor, y: Tensor | int, margin: float) -> Tensor:
    """Return the slope of psi over the cosine.

    Parameters
    ----------
    s, y, margin : Tensor, Tensor or int, float
        As for `phi`.

    Returns
    -------
    Tensor
        -(1 - y) s - y max(0, m - s), of the shape and type of s.
    """
    check_floating("cosines", s)
    check_zero_or_one(y)
    y = torch.as_tensor(y, dtype=s.dtype, device=s.device)
    return -(1 - y) * s - y * (margin - s).clamp(min=0)


@dataclass(frozen=True)
class Parabolas:
    """Describe phi (sign 1) or psi (sign -1) for the fast path: a parabola for each label, and a constant kept apart.

        phi(s, y, m) = (a_y d + b_y) d + y m^2 / 2,    d = s where y = 0, d = min(s, m) where y = 1
        a_0 = sign / 2, b_0 = 0,    a_1 = 1/2, b_1 = -m

    The constant cancels in most losses. At m = 100 it is 5,000, and float32 would lose the rest beside it.
    """

    sign: float = 1.0

    def coefficients(self, margin: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return (a_0, b_0), (a_1, b_1)."""
        return (0.5 * self.sign, 0.0), (0.5, -margin)

    def constant(self, margin: float) -> float:
        """Return what is left out where y = 1."""
        return 0.5 * margin**2


def parabolas_of(function: MarginMap, margin: float) -> Parabolas | None:
    """Return the parabolas of phi or of psi; None for every other map, and for a phi or psi that was rewritten.

    So whoever edits phi in this file has it in every loss: what the parabolas do not serve takes the dense path.
    """
    parabolas = Parabolas(1.0) if function is phi else Parabolas(-1.0) if function is psi else None
    return parabolas if parabolas and _agree(function, parabolas, margin) else None


@lru_cache
def _agree(function: MarginMap, parabolas: Parabolas, margin: float) -> bool:
    s = torch.linspace(-1, 1, 41, dtype=torch.float64, device="cpu")
    for y, (a, b) in enumerate(parabolas.coefficients(margin)):
        d = s.clamp(max=margin) if y else s
        expected = (a * d + b) * d + y * parabolas.constant(margin)
        if not torch.allclose(function(s, torch.full_like(s, y, dtype=torch.bool), margin), expected, 1e-9, 1e-9):
            return False
    return True
