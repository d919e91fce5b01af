"""MF-CLR's "dual twister": each series is bent along a random path in time and shaken in amplitude."""

import torch
from torch import Tensor
from torch.nn import functional

BUDGET = 0.05  # of the mean of a series: what all its changes of amplitude add up to; MF-CLR's code
SHARPNESS = 0.5  # of the pull to the diagonal, likewise
FARTHEST = 6  # rise of the squared distance from the diagonal from which on a step is never made, likewise


def dual_twist(frames: Tensor, generator: torch.Generator) -> Tensor:
    """The second view of MF-CLR (section 12), for each sequence and feature of `(B, T, D)` on its own.

    A random path of cells (source frame, target frame) leads from (0, 0) to (T - 1, T - 1), see `warping_paths`. The
    |0.05 mean| of the series is split over the cells of the path into uniform spacings. A target value is the mean over
    its cells of source value + spacing, where the spacing of its first cell has a fair sign.
    """
    series = frames.mT  # (B, D, T)
    visited = warping_paths(series.shape[:-1].numel(), series.shape[-1], generator)
    visited = visited.unflatten(0, series.shape[:-1])  # (B, D, T, 3)
    # uniform spacings are exponential draws divided by their sum, in whatever order
    shares = torch.empty(visited.shape).exponential_(generator=generator) * visited
    shares = shares / shares.sum((-2, -1), keepdim=True)
    first = visited & (visited.cumsum(-1) == 1)
    minus = first & (torch.rand(visited.shape[:-1], generator=generator) < 0.5)[..., None]
    visited, shares = visited.to(frames.device), shares.where(~minus, -shares).to(series)
    changes = BUDGET * series.mean(-1).abs()[..., None, None] * shares
    around = functional.pad(series, (1, 1)).unfold(-1, 3, 1)  # the frames before, at and after each
    return (((around + changes) * visited).sum(-1) / visited.sum(-1)).mT


def warping_paths(n_series: int, n: int, generator: torch.Generator) -> Tensor:
    """The cells of random monotone paths, `(n_series, n, 3)` bool: target frame q takes from source q - 1, q, q + 1.

    A step moves the source, both, or the target by one. Its weight is floor(100 exp(-0.5 d Delta)), with
    d = 2 (target - source)^2 before the step and Delta its rise, and 0 where Delta >= 6: no path is ever more than one
    frame off the diagonal. A source step does not directly follow a target step, nor the other way round, and neither
    enters the last row or column; there the path has but one way to go.

    A path is a chain, so this walks over its steps, 2n - 2 at most, for all series at once.
    """
    weights = _step_weights()
    source, target, last = (torch.zeros(n_series, dtype=torch.int64) for _ in range(3))
    rows = torch.arange(n_series)
    visited = torch.zeros(n_series, n, 3, dtype=torch.bool)
    visited[:, 0, 1] = True
    chances = torch.rand(max(2 * n - 2, 0), n_series, 1, generator=generator, dtype=torch.float64)
    for chance in chances:
        weight = weights[target - source, last + 1]  # (n_series, 3), by distance and the last step
        weight[:, 0] *= source != n - 2
        weight[:, 2] *= target != n - 2
        weight = weight.where((source < n - 1)[:, None], torch.tensor([0.0, 0.0, 1.0]))
        weight = weight.where((target < n - 1)[:, None], torch.tensor([1.0, 0.0, 0.0]))
        bounds = weight.cumsum(-1)
        last = (chance * bounds[:, 2:] >= bounds[:, :2]).sum(-1) - 1  # -1 source, 0 both, 1 target
        moves = source + target < 2 * n - 2
        source = source + (moves & (last <= 0))
        target = target + (moves & (last >= 0))
        visited[rows, target, source - target + 1] = True
    return visited


def _step_weights() -> Tensor:
    """Weights of the steps, indexed by target - source (0, 1, -1), last step + 1, and step (source, both, target)."""
    off = torch.tensor([0, 1, -1], dtype=torch.float64)[:, None]
    before = 2 * off**2
    rise = 2 * (off + torch.tensor([-1, 0, 1])) ** 2 - before
    weight = (100 * torch.exp(-SHARPNESS * before * rise)).floor().where(rise < FARTHEST, 0.0)
    weight = weight[:, None, :].repeat(1, 3, 1)
    weight[:, 0, 2] = 0  # after a source step no target step
    weight[:, 2, 0] = 0
    return weight
