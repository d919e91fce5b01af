"""The exponent under the sums of a loss: the cosine, or the margin map of it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Exponent:
    """The exponent e(s, y) under the sums, for a cosine s with label y.

    Without a margin: e = s * scale. With one, the margin map phi of the paper's equation 2, less its constant
    m^2 / 2, which the loss adds where it does not cancel (at m = 100 float32 would lose the rest beside it):

        e(s, 0) = sign * s^2 / 2 * scale
        e(s, 1) = (max(0, m - s)^2 - m^2) / 2 * scale = d (d / 2 - m) * scale,   d = min(s, m)
    """

    scale: float
    margin: float | None = None
    sign: float = 1.0

    @property
    def offset(self) -> float:
        """The constant left out where y = 1."""
        return 0.0 if self.margin is None else 0.5 * self.margin**2 * self.scale

    @property
    def bound(self) -> float:
        """The largest |e| over cosines."""
        return self.scale if self.margin is None else self.scale * (self.margin + 0.5)

    def __call__(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        a, b = self.coefficients(y, s.dtype)
        d = self.clipped(s, y)
        return d * b if self.margin is None else (d * a + b) * d

    def slope(self, s: Tensor, y: Tensor | bool | None) -> Tensor | float:
        """de/ds = 2 a d + b, which is 0 where d = m."""
        a, b = self.coefficients(y, s.dtype)
        return b if self.margin is None else self.clipped(s, y) * (2 * a) + b

    def coefficients(self, y: Tensor | bool | None, dtype: torch.dtype) -> tuple[Tensor | float, Tensor | float]:
        """(a, b) of e = (a d + b) d with d = min(s, m) where y = 1 and d = s elsewhere; numbers for a single label."""
        if self.margin is None:
            return 0.0, self.scale
        equal, unequal = 0.5 * self.sign * self.scale, 0.5 * self.scale
        if isinstance(y, bool):
            return (unequal, -self.margin * self.scale) if y else (equal, 0.0)
        y = y.to(dtype)
        a = equal if equal == unequal else equal + (unequal - equal) * y
        return a, -self.margin * self.scale * y

    def clipped(self, s: Tensor, y: Tensor | bool | None) -> Tensor:
        """d; s itself where no cosine is above the margin or no label is 1."""
        if self.margin is None or self.margin >= 1 or y is False:
            return s
        return s.clamp(max=self.margin) if y is True else torch.where(y, s.clamp(max=self.margin), s)
