"""Windows of frames round an anchor, near it and far from it (TNC's neighbourhoods)."""

import torch
from torch import Tensor


def window_indices(centres: Tensor, width: int) -> Tensor:
    """Return the frames centre - width // 2 .. centre + width // 2 - 1: `(...)` -> `(..., 2 * (width // 2))`."""
    return centres[..., None] + torch.arange(-(width // 2), width // 2)


def neighbour_centres(
    anchors: Tensor, count: int, *, length: int, width: int, deviation: float, generator: torch.Generator
) -> Tensor:
    """Draw `count` centres a normal deviate away from each anchor: int64 `(A,)` -> `(A, count)`.

    t' ~ N(t, deviation^2), cut to a whole frame, clipped to width // 2 + 1 .. length - width // 2
    """
    normal = torch.randn(len(anchors), count, generator=generator, dtype=torch.float64)
    drawn = (anchors[:, None] + deviation * normal).to(torch.int64)
    return drawn.clamp(width // 2 + 1, length - width // 2)


def distant_centres(
    anchors: Tensor, count: int, *, length: int, width: int, far: int, generator: torch.Generator
) -> Tensor:
    """Draw `count` centres at least `far` from each anchor where there is room: int64 `(A,)` -> `(A, count)`.

    Uniform in [width // 2, t - far] for an anchor t in the second half of `length`, in [t + far, length - width // 2)
    for an anchor in the first half. Where such an interval is empty: the first centre, width // 2, or the centres from
    length - width - 1 on, which are nearer than `far`.
    """
    t, half = anchors[:, None], width // 2
    late = 2 * t > length
    low = torch.where(late, half, (t + far).clamp(max=length - width - 1))
    high = torch.where(late, (t - far + 1).clamp(min=half + 1), length - half)
    uniform = torch.rand(len(anchors), count, generator=generator, dtype=torch.float64)
    return low + (uniform * (high - low)).to(torch.int64)
