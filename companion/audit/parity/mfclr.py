"""MF-CLR: losses, warping paths, changes of amplitude, and the projection of coarse features."""

from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from companion.audit.parity import ts2vec
from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    by,
    filled,
    generator,
    normal,
    seed_theirs,
    with_gradients,
)
from emargin.augmentations import warps
from emargin.losses.hierarchical import instance_contrast, temporal_contrast
from emargin.methods.mfclr import FEATURE_WEIGHT, Grains, feature_contrast

FILE, TWISTER, LENGTH = "lossfunc.py", "data_augmentation.py", 30
SHAPES = [(6, 20, 8), (3, 7, 5), (4, 1, 6)]


def _views(number: int) -> tuple[Tensor, ...]:
    shape = SHAPES[number]
    return (
        *(normal(*shape, seed=80 + 10 * view + number) for view in range(2)),
        *(normal(*shape[:2], 3, seed=100 + 10 * view + number) for view in range(2)),
    )


def _feature(number: int) -> Comparison:
    return Comparison(
        f"{FILE}: feature_contrastive_loss",
        "value and gradient",
        str(SHAPES[number]),
        lambda: with_gradients(feature_contrast, *_views(number)),
        lambda load: with_gradients(load("lossfunc").feature_contrastive_loss, *_views(number)),
    )


def _combined(number: int) -> Comparison:
    def ours(z, z_2, f, f_2):
        return (1 - FEATURE_WEIGHT) * instance_contrast(z, z_2) + FEATURE_WEIGHT * feature_contrast(z, z_2, f, f_2)

    return Comparison(
        f"{FILE}: combine_loss",
        "value and gradient",
        str(SHAPES[number]),
        lambda: with_gradients(ours, *_views(number)),
        lambda load: with_gradients(load("lossfunc").combine_loss, *_views(number)),
    )


def _their_paths(load, n: int) -> Tensor:
    """Return paths as `warping_paths` does, `(n, T, 3)`."""
    seed_theirs(0)
    series, paths = np.ones(LENGTH), torch.zeros(n, LENGTH, 3)
    for number in range(n):
        cells = load("data_augmentation").PathGeneration(series, LENGTH).find_path()[::-1]  # source, target
        for lead in range(3):
            source = np.arange(LENGTH) + lead - 1
            inside = (source >= 0) & (source < LENGTH)
            paths[number, inside, lead] = torch.tensor(cells[source[inside], np.arange(LENGTH)[inside]]).to(paths)
    return paths


def _sides(paths: Tensor) -> list[Tensor]:
    """Return of each path the share of cells before, at and after the diagonal, of its targets."""
    return [paths.double().mean(1)]


def _series() -> np.ndarray:
    return np.random.default_rng(81).standard_normal(12) + 3


def _cells() -> np.ndarray:
    """Return a path `(source, target)`: along the diagonal, but for a step on either side of it."""
    cells = np.eye(12)
    cells[5, 4] = cells[8, 9] = cells[9, 10] = 1
    cells[9, 9] = 0
    return cells


def _values(series: Tensor) -> list[Tensor]:
    return [torch.cat([series, series.square()], 1)]


def _their_values(load, n: int = 4000) -> list[Tensor]:
    seed_theirs(1)
    budget = warps.BUDGET * np.mean(_series())
    made = load("data_augmentation").AmpGeneration(_series(), len(_series()), budget)
    return _values(torch.tensor(np.array([made.seq_generation(_cells()[::-1]) for _ in range(n)])))


def _our_values(n: int = 4000) -> list[Tensor]:
    cells = np.pad(_cells(), ((1, 1), (0, 0)))
    visited = torch.tensor([[cells[target + lead, target] > 0 for lead in range(3)] for target in range(12)])
    series = torch.tensor(_series())[None, :, None].expand(n, -1, 1)
    with patch.object(warps, "warping_paths", lambda n_series, *_: visited.expand(n_series, -1, -1)):
        return _values(warps.dual_twist(series, generator(82))[..., 0])


def _projection(load=None) -> list[Tensor]:
    grains, coarse = filled(Grains(10, 5), seed=83), normal(3, 9, 4, seed=84)
    layers = [layer for layer in grains.projection if isinstance(layer, torch.nn.Linear)]
    project = grains.projection
    if load is not None:
        project = load("encoder").Projector(input_dims=4, h1=layers[0].out_features, h2=layers[1].out_features)
        with torch.no_grad():
            for target, source in zip(project.parameters(), grains.projection.parameters(), strict=True):
                target.copy_(source)
    return by(project(coarse).square().mean(), project.parameters())


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    names = {"instance_contrastive_loss": instance_contrast, "temporal_contrastive_loss": temporal_contrast}
    return [
        *ts2vec.losses(FILE, names, "lossfunc"),
        *(_feature(number) for number in range(len(SHAPES))),
        *(_combined(number) for number in range(len(SHAPES))),
        Comparison(
            f"{TWISTER}: PathGeneration.find_path",
            DISTRIBUTION,
            "sides of the diagonal",
            lambda: _sides(warps.warping_paths(400, LENGTH, generator(85))),
            lambda load: _sides(_their_paths(load, 400)),
        ),
        Comparison(f"{TWISTER}: AmpGeneration.seq_generation", DISTRIBUTION, "on a path", _our_values, _their_values),
        Comparison("encoder.py: Projector", "weights", "", _projection, _projection),
    ]
