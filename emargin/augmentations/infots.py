"""Cutout, slices and warps of windows as InfoTS's code draws and resamples them: `(B, T, D)` -> `(B, T, D)`.

Those of `emargin.augmentations.noise` may start at every place and keep the first and the last frame of what they
resample. Here the last one or two places are left out, and frames stand for intervals, as PyTorch's `interpolate` has
it by default: the ends are those of the intervals.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emargin.augmentations.noise import resample


def cutout(x: Tensor, generator: torch.Generator, *, share: float = 0.1) -> Tensor:
    """Set a run of L = floor(share T) frames to zero, the same for the batch: start uniform in 0 .. T - L - 2."""
    frames = x.shape[1]
    length = int(share * frames)
    start = torch.randint(frames - length - 1, (), generator=generator)
    place = torch.arange(frames)
    return x * ((place < start) | (place >= start + length)).to(x)[:, None]


def window_slice(x: Tensor, generator: torch.Generator, *, share: float = 0.5) -> Tensor:
    """Stretch a run of L = ceil(share T) frames of each sequence to T: start uniform in 0 .. T - L - 1."""
    frames = x.shape[1]
    length = math.ceil(share * frames)
    start = torch.randint(frames - length, (len(x), 1), generator=generator)
    return resample(x, start + _centres(torch.arange(frames), length, frames))


def window_warp(
    x: Tensor, generator: torch.Generator, *, share: float = 0.3, factors: Sequence[float] = (0.5, 2.0)
) -> Tensor:
    """Resample a run of each sequence to a longer or shorter length, then the whole sequence back to T frames.

    The run has L = ceil(share T) frames from a start in 1 .. T - L - 2, and becomes floor(factor L) frames long, by a
    factor that each sequence draws from `factors`.
    """
    frames = x.shape[1]
    length = math.ceil(share * frames)
    factor = torch.tensor(factors, dtype=torch.float64)[torch.randint(len(factors), (len(x), 1), generator=generator)]
    start = torch.randint(1, frames - length - 1, (len(x), 1), generator=generator)
    warped = (factor * length).floor()
    place = torch.arange(frames - length + math.ceil(max(factors) * length), dtype=torch.float64)
    inside = start + _centres(place - start, length, warped)
    spliced = torch.where(place < start, place, torch.where(place < start + warped, inside, place - warped + length))
    # sequences differ in length here; nothing beyond their last frame is read
    return resample(resample(x, spliced), _centres(torch.arange(frames), frames - length + warped, frames))


def _centres(place: Tensor, length: int | Tensor, size: int | Tensor) -> Tensor:
    """Return where `size` intervals of equal width have their centres among `length` of width 1, in float64."""
    centre = (place + 0.5) * torch.as_tensor(length, dtype=torch.float64) / size - 0.5
    return centre.clamp(min=0).minimum(torch.as_tensor(length, dtype=torch.float64) - 1)
