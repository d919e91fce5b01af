"""MF-CLR's "dual twister": each series is bent along a random path in time and shaken in amplitude."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

BUDGET = 0.05  # of the mean of a series: what all its changes of amplitude add up to; MF-CLR's code
SHARPNESS = 0.5  # of the pull to the diagonal, likewise
FARTHEST = 6  # rise of the squared distance from the diagonal from which on a step is never made, likewise


def dual_twist(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Bend and shake each feature of each sequence by itself: the second view of MF-CLR.

    A random path of cells (source frame, target frame) leads from (0, 0) to (T - 1, T - 1), see `warping_paths`. The
    |0.05 mean| of the series is split over the cells of the path into uniform spacings. A target value is the mean over
    its cells of source value + spacing, where the sign of its first cell's spacing is decided by a fair coin.

    Parameters
    ----------
    frames : Tensor
        `(B, T, D)`.
    generator : torch.Generator

    Returns
    -------
    Tensor
        `(B, T, D)`.

    References
    ----------
    Duan et al., "MF-CLR: Multi-Frequency Contrastive Learning Representation for Time Series", ICML 2024.
    """
    series = frames.mT.contiguous()  # (B, D, T)
    visited = warping_paths(series.shape[:-1].numel(), series.shape[-1], generator)
    visited = visited.unflatten(0, series.shape[:-1]).unbind(-1)  # three of (B, D, T)
    masks = [mask.to(series.dtype) for mask in visited]
    changes = _signed_spacings(visited, masks, generator)
    masks, changes = [mask.to(frames.device) for mask in masks], changes.to(series)
    padded = functional.pad(series, (1, 1))
    summed = masks[1] * series + masks[0] * padded[..., :-2] + masks[2] * padded[..., 2:]  # at, before, after
    return ((summed + BUDGET * series.mean(-1, keepdim=True).abs() * changes) / sum(masks)).mT


def _signed_spacings(visited: Sequence[Tensor], masks: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Draw the spacings of a budget of 1, with signs, and add them up over the cells of each target.

    Takes three masks `(B, D, T)` as bool and as float, for the cells before, at and after the target frame; returns
    `(B, D, T)`.
    """
    # Uniform spacings are exponential draws divided by their sum, in whatever order and of whatever sign.
    uniform = torch.rand((*masks[0].shape, 3), generator=generator, dtype=torch.float64)
    draws = torch.sub(1, uniform, out=uniform).float().log_().unbind(-1)
    before, at, after = (draw * mask for draw, mask in zip(draws, masks, strict=True))
    spacings = before + at + after
    total = spacings.sum(-1, keepdim=True)
    first = torch.where(visited[0], before, torch.where(visited[1], at, after))
    first *= torch.rand(first.shape, generator=generator) < 0.5
    return spacings.sub_(first, alpha=2).div_(total)


def warping_paths(n_series: int, n: int, generator: torch.Generator) -> Tensor:
    """Draw random monotone paths, `(n_series, n, 3)` bool: target frame q takes from source frames q - 1, q, q + 1.

    A step moves the source, both, or the target by one. Its weight is floor(100 exp(-0.5 d Delta)), with
    d = 2 (target - source)^2 before the step and Delta its rise, and 0 where Delta >= 6: no path is ever more than one
    frame off the diagonal. A source step does not directly follow a target step, nor the other way round, and neither
    enters the last row or column; there the path has but one way to go.

    A path is a chain of 2n - 2 steps at most. All series walk at once; a table says where each goes next.
    """
    cuts, following, targets, leads = _chain(n)
    chances = torch.rand(max(2 * n - 2, 0), n_series, generator=generator, dtype=torch.float64).numpy()
    choices = sum((chances >= cut for cut in cuts), np.zeros(chances.shape, dtype=np.int8))
    visited = np.zeros((3, n_series, n), dtype=bool)  # in memory the three lie apart: they are used one at a time
    visited[1, :, 0] = True
    flat, paths = visited.reshape(-1), np.arange(n_series) * n
    cells = (1 - leads) * (n_series * n) + targets
    row, place = np.full(n_series, _state(0, 0, 0) * (len(cuts) + 1)), np.empty(n_series, dtype=np.int64)
    for choice in choices:  # mode "clip", although no number is out of range: by default numpy copies to be sure
        np.add(row, choice, out=place)
        following.take(place, out=row, mode="clip")
        cells.take(row, out=place, mode="clip")
        place += paths
        flat[place] = True
    return torch.from_numpy(visited).movedim(0, -1)


@lru_cache
def _chain(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the walk on an n x n grid as a table: (cuts, following, targets, leads).

    cuts: the chances, rising, at which a step changes. following: a row for every state and in it, for a chance below,
    between and above the cuts, where the row of the next state begins; flattened, `(9 n (cuts + 1),)`. targets, leads:
    target and target - source of the state whose row an entry of `following` is in. States off the grid are never
    reached.
    """
    source, lead, last = np.meshgrid(np.arange(n), [-1, 0, 1], [-1, 0, 1], indexing="ij")
    target = source + lead
    weight = _step_weights()[lead + 1, last + 1]  # (n, 3, 3, 3)
    weight[source == n - 2, 0] = 0
    weight[target == n - 2, 2] = 0
    weight[source >= n - 1] = 0, 0, 1
    weight[target >= n - 1] = 1, 0, 0
    bounds = weight.cumsum(-1) / weight.sum(-1, keepdims=True)
    cuts = np.unique(bounds[(bounds > 0) & (bounds < 1)])
    lowest = np.concatenate([[0.0], cuts])[:, None]  # of the chances between two cuts
    step = (lowest >= bounds[..., None, :2]).sum(-1) - 1  # -1 source, 0 both, 1 target
    moves = (source + target < 2 * n - 2)[..., None]
    next_source = source[..., None] + (moves & (step <= 0))
    next_target = target[..., None] + (moves & (step >= 0))
    following = _state(next_source, next_target, step) * len(lowest)
    return cuts, following.reshape(-1), target.repeat(len(lowest)), lead.repeat(len(lowest))


def _state(source, target, last):
    """Return the number of a state; last: the step that led there, -1 source, 0 both, 1 target."""
    return (source * 3 + target - source + 1) * 3 + last + 1


def _step_weights() -> np.ndarray:
    """Return the weights of the steps by target - source + 1, last step + 1, and step (source, both, target)."""
    off = np.array([-1, 0, 1])[:, None]
    before = 2 * off**2
    rise = 2 * (off + np.array([-1, 0, 1])) ** 2 - before
    weight = np.where(rise < FARTHEST, np.floor(100 * np.exp(-SHARPNESS * before * rise)), 0.0)
    weight = np.repeat(weight[:, None], 3, axis=1)
    weight[:, 0, 2] = 0  # after a source step no target step
    weight[:, 2, 0] = 0
    return weight
