"""InfoTS: both losses, the seven augmentations and their mixture, and the dilated encoder."""

import random
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from companion.audit.parity import ts2vec
from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    generator,
    normal,
    recorded,
    scripted,
    seed_theirs,
    with_gradients,
)
from companion.audit.stand_ins import need
from emargin.augmentations.noise import cutout, jitter, scaling, subsequence, time_warp, window_slice, window_warp
from emargin.methods.infots import SEGMENTS, Mixture, global_loss, local_loss

LOSSES, AUGMENTATIONS = "models/losses.py", "models/augclass.py"
LENGTH = 50
SHAPES = [(8, 40, 32), (3, 16, 5), (2, 200, 16)]


def _views(number: int) -> tuple[Tensor, Tensor]:
    return normal(*SHAPES[number], seed=20 + number), normal(*SHAPES[number], seed=30 + number)


def _global(number: int) -> Comparison:
    return Comparison(
        f"{LOSSES}: global_infoNCE",
        "value and gradient",
        str(SHAPES[number]),
        lambda: with_gradients(global_loss, *_views(number)),
        lambda load: with_gradients(load("models.losses").global_infoNCE, *_views(number)),
    )


def _local(number: int, batch: bool) -> Comparison:
    view, other = _views(number)
    view, other = (view, other) if batch else (view[:1], other[:1])

    def theirs(load):
        return with_gradients(lambda z: load("models.losses").local_infoNCE(z, other, k=SEGMENTS), view)

    return Comparison(
        f"{LOSSES}: local_infoNCE, " + ("a batch" if batch else "a sequence"),
        "value and gradient",
        str(tuple(view.shape)),
        lambda: with_gradients(local_loss, view),
        theirs,
    )


def _local_start(load=None) -> list[Tensor]:
    view = normal(1, 43, 6, seed=24)
    if load is None:
        return [local_loss(view[:, 2:42])]
    with scripted(random, "randint", [2]):
        return [load("models.losses").local_infoNCE(view, view, k=SEGMENTS)]


def _frames() -> Tensor:
    return normal(4, LENGTH, 3, seed=21)


def _single(
    name: str,
    ours: Callable[..., Tensor],
    kind: str,
    script: Callable[[list[Tensor]], list],
    *,
    owner: tuple,
    **settings,
) -> Comparison:
    """Compare an augmentation under our draws; `script` turns them into the values that theirs draws from `owner`."""

    def call() -> tuple[Tensor, list[Tensor]]:
        with recorded(kind) as draws:
            value = ours(_frames(), generator(22), **settings)
        return value, draws

    def theirs(load):
        with scripted(*owner, script(call()[1])):
            return [getattr(load("models.augclass"), name)()(_frames())]

    return Comparison(f"{AUGMENTATIONS}: {name}", "draws", "", lambda: [call()[0]], theirs)


def _starts(name: str, ours: Callable[..., Tensor]) -> Comparison:
    """Compare the range of starts, the end excluded, as both ask their generators for it."""

    def our_range():
        asked, draw = [], torch.randint

        def record(*arguments, **settings):
            bounds = [value for value in arguments if isinstance(value, int)]
            asked.append((0, *bounds)[-2:])
            return draw(*arguments, **settings)

        with patch.object(torch, "randint", record):
            ours(_frames(), generator(22))
        return [torch.tensor(asked[0], dtype=torch.float64)]

    def theirs(load):
        asked = []

        def draw(low, high=None, size=None):
            asked.append((low, high) if high is not None else (0, low))
            return np.zeros(size, dtype=int) + low if size is not None else low

        with patch.object(np.random, "randint", draw):
            getattr(load("models.augclass"), name)()(_frames())
        return [torch.tensor(asked[0], dtype=torch.float64)]

    return Comparison(f"{AUGMENTATIONS}: {name}, starts", "value", "range", our_range, theirs)


def _read(warped: Tensor) -> list[Tensor]:
    """Return of each warped ramp the times read at four frames, and their squares."""
    times = warped[:, [5, 12, 25, 40], 0].double()
    return [torch.cat([times, times.square()], 1)]


def _ramps(n: int = 400) -> Tensor:
    return torch.arange(LENGTH, dtype=torch.float64)[None, :, None].repeat(n, 1, 1)


def _time_warp(load) -> list[Tensor]:
    augment = load("models.augclass").time_warp()
    need("tsaug")
    seed_theirs(0)
    return _read(augment(_ramps()))


def _noise() -> Tensor:
    return torch.tensor(np.random.default_rng(23).random(7))


def _logits() -> Tensor:
    return normal(7, seed=25)


def _weights() -> list[Tensor]:
    mixture = Mixture().double()
    with torch.no_grad():
        mixture.logits.copy_(_logits())
    with scripted(torch, "rand", [_noise()]):
        return [mixture.weights(generator())]


def _their_weights(load) -> list[Tensor]:
    mixture = load("models.augmentations").AutoAUG()
    with torch.no_grad():
        mixture.weight.copy_(_logits().expand(2, 7))
    with scripted(torch, "rand", [1 - _noise().expand(2, 7)]):
        return [mixture.train().get_sampling()[0]]


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    numpy_integers, normals = (np.random, "randint"), (torch, "normal")
    return [
        *(_global(number) for number in range(len(SHAPES))),
        *(_local(number, batch=False) for number in range(len(SHAPES))),
        Comparison(
            f"{LOSSES}: local_infoNCE, a sequence",
            "value and gradient",
            "43 frames from frame 2 on",
            _local_start,
            _local_start,
        ),
        _local(0, batch=True),
        _single("subsequence", subsequence, "randint", lambda draws: [int(d) for d in draws], owner=numpy_integers),
        _single("cutout", cutout, "randint", lambda draws: [int(d) for d in draws], owner=numpy_integers),
        _starts("cutout", cutout),
        _single("jitter", jitter, "randn", lambda draws: [0.3 * draws[0]], owner=normals, sigma=0.3),
        _single("scaling", scaling, "randn", lambda draws: [1 + 0.5 * draws[0][:, 0]], owner=normals, sigma=0.5),
        Comparison(
            f"{AUGMENTATIONS}: time_warp",
            DISTRIBUTION,
            "times read at four frames",
            lambda: _read(time_warp(_ramps(), generator(22))),
            _time_warp,
        ),
        _single("window_slice", window_slice, "randint", lambda draws: [draws[0][:, 0].numpy()], owner=numpy_integers),
        _starts("window_slice", window_slice),
        _warp(),
        _starts("window_warp", window_warp),
        Comparison("models/augmentations.py: AutoAUG.get_sampling", "draws", "weights", _weights, _their_weights),
        *ts2vec.encoders("models/encoder.py"),
        ts2vec.masks_by_distribution("models/encoder.py", "models.encoder"),
    ]


def _warp() -> Comparison:
    def call():
        with recorded("randint") as draws:
            value = window_warp(_frames(), generator(22))
        return value, draws

    def theirs(load):
        starts, factors = (draw[:, 0].numpy() for draw in call()[1])
        scales = np.array([0.5, 2.0])[factors]
        with scripted(np.random, "randint", [starts]), scripted(np.random, "choice", [scales]):
            return [load("models.augclass").window_warp()(_frames())]

    return Comparison(f"{AUGMENTATIONS}: window_warp", "draws", "", lambda: [call()[0]], theirs)
