"""TS2Vec's views: two crops of each sequence that share a stretch of frames."""

from typing import NamedTuple

import torch
from torch import Tensor

from emargin.errors import InputError


class Crops(NamedTuple):
    """Two views, `(B, T1, D)` and `(B, T2, D)`: the last `overlap` frames of `one` are the first of `two`."""

    one: Tensor
    two: Tensor
    overlap: int


def overlapping_crops(frames: Tensor, generator: torch.Generator) -> Crops:
    """Cut two crops of each sequence by TS2Vec's rule; all draws are uniform.

    The overlap has l frames, l from {2 .. T}, from a, a from {0 .. T - l}, to b = a + l. The crops extend it to a' on
    the left, a' from {0 .. a}, and to b' on the right, b' from {b .. T}. Each sequence is shifted by its own o from
    {-a' .. T - b'}. The first crop has the frames [a', b) + o, the second [a, b') + o.

    Parameters
    ----------
    frames : Tensor
        `(B, T, D)`.
    generator : torch.Generator

    Returns
    -------
    Crops

    Raises
    ------
    InputError
        For T < 2.

    References
    ----------
    Yue et al., "TS2Vec: Towards Universal Representation of Time Series", AAAI 2022 (arXiv 2106.10466).
    """
    n, length = frames.shape[:2]
    if length < 2:
        raise InputError("crops of TS2Vec", found=f"sequences of {length} frame", wanted="at least 2 frames")

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    overlap = draw(2, length)
    start = draw(0, length - overlap)
    end = start + overlap
    left, right = draw(0, start), draw(end, length)
    offset = torch.randint(-left, length - right + 1, (n, 1), generator=generator)

    def cut(first: int, beyond: int) -> Tensor:
        rows = (offset + torch.arange(first, beyond)).to(frames.device)
        return frames[torch.arange(n, device=frames.device)[:, None], rows]

    return Crops(cut(left, end), cut(start, right), overlap)


def random_window(frames: Tensor, longest: int, generator: torch.Generator) -> Tensor:
    """Return at most `longest` frames of `(B, T, D)`: the whole, or a window at a uniform place, the same for all."""
    spare = frames.shape[1] - longest
    if spare <= 0:
        return frames
    start = int(torch.randint(spare + 1, (), generator=generator))
    return frames[:, start : start + longest]
