"""Noise, windows and warps of time for whole batches `(B, T, D)`; every random draw comes from the CPU `generator`."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emargin.errors import InputError


def jitter(x: Tensor, generator: torch.Generator, *, sigma: float) -> Tensor:
    """Return x + sigma n, with n standard normal for every element."""
    return x + sigma * _normal(x, x.shape, generator)


def scaling(x: Tensor, generator: torch.Generator, *, sigma: float, shared: bool = False) -> Tensor:
    """Return x (1 + sigma n), n standard normal for each sequence and feature, the same at all frames.

    With `shared` it is the same for all sequences, too.
    """
    return x * (1 + sigma * _normal(x, (1 if shared else len(x), 1, x.shape[2]), generator))


def shift(x: Tensor, generator: torch.Generator, *, sigma: float, shared: bool = False) -> Tensor:
    """Return x + sigma n, with n as in `scaling`."""
    return x + sigma * _normal(x, (1 if shared else len(x), 1, x.shape[2]), generator)


def subsequence(x: Tensor, generator: torch.Generator) -> Tensor:
    """Set frames to zero outside a run, the same for the batch: length uniform in 2 .. T, start uniform."""
    frames = x.shape[1]
    if frames < 2:
        raise InputError("a random subsequence has at least two frames", found=f"{frames} frames", wanted="2 or more")
    length = torch.randint(2, frames + 1, (), generator=generator)
    inside = _run(frames, length, torch.randint(frames - int(length) + 1, (), generator=generator))
    return x * inside.to(x)[:, None]


def cutout(x: Tensor, generator: torch.Generator, *, share: float = 0.1) -> Tensor:
    """Set frames to zero inside a run of floor(share T) frames, the same for the batch."""
    frames = x.shape[1]
    length = int(share * frames)
    inside = _run(frames, length, torch.randint(frames - length + 1, (), generator=generator))
    return x * (~inside).to(x)[:, None]


def window_slice(x: Tensor, generator: torch.Generator, *, share: float = 0.5) -> Tensor:
    """Stretch a run of ceil(share T) frames of each sequence to T frames; the first and the last stay at the ends."""
    frames = x.shape[1]
    length = math.ceil(share * frames)
    start = torch.randint(frames - length + 1, (len(x), 1), generator=generator)
    return resample(x, start + torch.linspace(0, length - 1, frames, dtype=torch.float64))


def window_warp(
    x: Tensor, generator: torch.Generator, *, share: float = 0.3, factors: Sequence[float] = (0.5, 2.0)
) -> Tensor:
    """Resample a run of each sequence to a longer or shorter length, then the whole sequence back to T frames.

    The run has L = ceil(share T) frames and becomes ceil(factor L) frames long, by a factor that each sequence draws
    from `factors`. Both resamplings keep the first and the last frame of what they resample.
    """
    frames = x.shape[1]
    length = math.ceil(share * frames)
    start = torch.randint(frames - length + 1, (len(x), 1), generator=generator)
    factor = torch.tensor(factors, dtype=torch.float64)[torch.randint(len(factors), (len(x), 1), generator=generator)]
    warped = (factor * length).ceil()
    place = torch.arange(frames - length + math.ceil(max(factors) * length), dtype=torch.float64)
    inside = start + (place - start) * (length - 1) / (warped - 1).clamp(min=1)
    after = place - warped + length
    spliced = torch.where(place < start, place, torch.where(place < start + warped, inside, after))
    last = frames - length + warped - 1  # sequences differ in length here; nothing beyond their last frame is read
    return resample(resample(x, spliced), last * torch.linspace(0, 1, frames, dtype=torch.float64))


def time_warp(x: Tensor, generator: torch.Generator, *, changes: int = 100, ratio: float = 10.0) -> Tensor:
    """Let time run at a speed that changes `changes` times, at equal distances.

    The fastest is `ratio` times the slowest. Each sequence draws `changes` + 1 uniform numbers, moved by a constant so
    that max / min = ratio. Their sums, scaled to [0, T - 1], are the times read at equidistant knots; between knots a
    monotone cubic (PCHIP).
    """
    from scipy.interpolate import PchipInterpolator  # slow to import, and InfoTS alone needs it

    frames = x.shape[1]
    speed = torch.rand((len(x), changes + 1), generator=generator, dtype=torch.float64)
    slowest, fastest = speed.amin(1, keepdim=True), speed.amax(1, keepdim=True)
    travelled = (speed - (ratio * slowest - fastest) / (ratio - 1)).cumsum(1)
    read = torch.cat([torch.zeros(len(x), 1), travelled / travelled[:, -1:] * (frames - 1)], dim=1)
    warp = PchipInterpolator(np.linspace(0, 1, changes + 2), read.numpy(), axis=1)
    return resample(x, torch.from_numpy(warp(np.linspace(0, 1, frames))))


def sometimes(
    x: Tensor, changed: Tensor, generator: torch.Generator, *, probability: float = 0.5, shared: bool = False
) -> Tensor:
    """Return `changed` in place of x with a probability: by sequence or, with `shared`, for the whole batch."""
    heads = torch.rand((1 if shared else len(x), 1, 1), generator=generator) < probability
    return torch.where(heads.to(x.device), changed, x)


def resample(x: Tensor, times: Tensor) -> Tensor:
    """Read x at real-valued times, linear between frames: `(B, T, D)` and `(B, S)` -> `(B, S, D)`.

    Times before the first frame read the first, times after the last frame the last.
    """
    times = times.to(x.device).clamp(0, x.shape[1] - 1)
    before = times.floor().long()
    after = (before + 1).clamp(max=x.shape[1] - 1)
    sequence = torch.arange(len(x), device=x.device)[:, None]
    return torch.lerp(x[sequence, before], x[sequence, after], (times - before)[..., None].to(x.dtype))


def _normal(x: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=x.dtype).to(x.device)


def _run(frames: int, length: int | Tensor, start: Tensor) -> Tensor:
    place = torch.arange(frames)
    return (place >= start) & (place < start + length)
