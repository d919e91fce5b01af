"""The exponent under the sums of a loss: the cosine, or the margin map of it, as the fast path computes it."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from emargin.losses.margin import Parabolas


@dataclass(frozen=True)
class Exponent:
    """Compute the exponent e(s, y) under the sums, for a cosine s with label y.

    Without a margin: e = s * scale. With one, phi or psi of `emargin.losses.margin` by its parabolas, less the constant
    m^2 / 2 of label 1, which the loss adds where it does not cancel:

        e(s, y) = scale (phi(s, y, m) - y m^2 / 2) = scale (a_y d + b_y) d,   d = min(s, m) where y = 1, else s
    """

    scale: float
    margin: float | None = None
    parabolas: Parabolas = Parabolas()

    @property
    def offset(self) -> float:
        """Return the constant left out where y = 1."""
        return 0.0 if self.margin is None else self.parabolas.constant(self.margin) * self.scale

    @property
    def bound(self) -> float:
        """Return the largest |e| over cosines."""
        if self.margin is None:
            return self.scale
        return self.scale * max(abs(a) + abs(b) for a, b in self.parabolas.coefficients(self.margin))

    def __call__(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        """Return e(s, y) of cosines and labels."""
        a, b = self.coefficients(y, s.dtype)
        d = self.clipped(s, y)
        return d * b if self.margin is None else (d * a + b) * d

    def slope(self, s: Tensor, y: Tensor | bool | None) -> Tensor | float:
        """Return de/ds = 2 a d + b, which is 0 where d = m."""
        a, b = self.coefficients(y, s.dtype)
        return b if self.margin is None else self.clipped(s, y) * (2 * a) + b

    def coefficients(self, y: Tensor | bool | None, dtype: torch.dtype) -> tuple[Tensor | float, Tensor | float]:
        """Return (a, b) of e = (a d + b) d, scale included; for a single label two numbers."""
        if self.margin is None:
            return 0.0, self.scale
        similar, dissimilar = (
            tuple(number * self.scale for number in label) for label in self.parabolas.coefficients(self.margin)
        )
        if isinstance(y, bool):
            return cast(tuple[float, float], dissimilar if y else similar)
        (a_0, _), (a_1, b_1) = similar, dissimilar  # b_0 is 0
        assert y is not None
        y = y.to(dtype)
        a = a_0 if a_0 == a_1 else a_0 + (a_1 - a_0) * y
        return a, b_1 * y

    def clipped(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        """Return d; that is s itself where no cosine is above the margin or no label is 1."""
        if self.margin is None or self.margin >= 1 or y is False:
            return s
        return s.clamp(max=self.margin) if y is True else torch.where(cast(Tensor, y), s.clamp(max=self.margin), s)
