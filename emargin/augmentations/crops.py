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
    """Crops of `(B, T, D)` by TS2Vec's rule (section 10); all limits are included and all draws uniform.

    Overlap l from {2 .. T}, its start a from {0 .. T - l} and end b = a + l; left end a' from {0 .. a}, right end b'
    from {b .. T}; for each sequence an offset o from {-a' .. T - b'}. View one = frames [a', b) + o, view two =
    [a, b') + o.
    Raises InputError for T < 2.
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
    """At most `longest` frames of `(B, T, D)`: the whole, or one window at a uniform place, the same for all."""
    spare = frames.shape[1] - longest
    if spare <= 0:
        return frames
    start = int(torch.randint(spare + 1, (), generator=generator))
    return frames[:, start : start + longest]
