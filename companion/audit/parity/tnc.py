"""TNC: the discriminator, near and distant windows, and an epoch of one batch."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    by,
    filled,
    generator,
    normal,
    recorded,
    scripted,
    seed_theirs,
    without_dropout,
)
from emargin.augmentations.windows import distant_centres, neighbour_centres, window_indices
from emargin.methods.tnc import EPSILON, FAR, UNLABELLED, Discriminator, pu_loss

FILE, WIDTH, LENGTH, COUNT = "tnc/tnc.py", 8, 119, 20
ANCHORS = (20, 45, 59, 60, 80, 100)


def _discriminator() -> Discriminator:
    return without_dropout(filled(Discriminator(6), seed=1, scale=0.3))


def _their_discriminator(load) -> nn.Module:
    theirs = load("tnc.tnc").Discriminator(6, "cpu").double()
    theirs.model.load_state_dict(_discriminator().layers.state_dict())
    return without_dropout(theirs)


def _pairs() -> tuple[Tensor, Tensor]:
    return normal(10, 6, seed=2), normal(10, 6, seed=3)


def _logits() -> list[Tensor]:
    model = _discriminator()
    return by((model(*_pairs()) * normal(10, seed=4)).sum(), model.parameters())


def _their_logits(load) -> list[Tensor]:
    model = _their_discriminator(load)
    return by((model(*_pairs()) * normal(10, seed=4)).sum(), model.parameters())


def _batch() -> tuple[Tensor, Tensor, Tensor]:
    """Return windows `(B, D, w)` and `(B, 5, D, w)` twice, time last as theirs."""
    return normal(3, 4, WIDTH, seed=5), normal(3, 5, 4, WIDTH, seed=6), normal(3, 5, 4, WIDTH, seed=7)


class _Encoder(nn.Module):
    """The mean over the frames of a window, each mapped linearly: what a window's embedding is in the original."""

    def __init__(self):
        super().__init__()
        self.frames = nn.Linear(4, 6)

    def forward(self, windows: Tensor) -> Tensor:  # (N, D, w)
        return self.frames(windows.transpose(1, 2)).mean(1)


class _Captured:
    """In the place of an optimiser: remembers the gradients."""

    def __init__(self, parameters):
        self.parameters, self.answer = list(parameters), []

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        self.answer = [parameter.grad.clone() for parameter in self.parameters]


def _epoch() -> list[Tensor]:
    encoder, model = filled(_Encoder(), seed=8, scale=0.5), _discriminator()
    anchor, near, distant = _batch()
    z, z_near, z_distant = (
        encoder(windows.flatten(0, -3)).unflatten(0, windows.shape[:-2]) for windows in (anchor[:, None], near, distant)
    )
    z = z.expand_as(z_near)
    value = pu_loss(model(z, z_near), model(z, z_distant), UNLABELLED["original"])
    return by(value, [*encoder.parameters(), *model.parameters()])


def _their_epoch(load) -> list[Tensor]:
    encoder, model = filled(_Encoder(), seed=8, scale=0.5), _their_discriminator(load)
    optimiser = _Captured([*encoder.parameters(), *model.parameters()])
    anchor, near, distant = _batch()
    loader = [(anchor, near, distant, None)]
    repeat = SimpleNamespace(repeat=lambda x, n, axis: x.repeat_interleave(n, axis))
    module = load("tnc.tnc")
    kept, module.np = module.np, repeat  # numpy cannot repeat tensors in its newer versions
    try:
        value, _ = module.epoch_run(
            loader, model, encoder, "cpu", w=UNLABELLED["original"], optimizer=optimiser, train=True
        )
    finally:
        module.np = kept
    return [torch.tensor(value), *optimiser.answer]


def _owner() -> SimpleNamespace:
    return SimpleNamespace(
        time_series=torch.zeros(1, 1, LENGTH),
        adf=False,
        epsilon=EPSILON,
        delta=FAR * WIDTH,
        window_size=WIDTH,
        mc_sample_size=COUNT,
    )


def _near() -> tuple[Tensor, Tensor]:
    with recorded("randn") as draws:
        centres = neighbour_centres(
            torch.tensor(ANCHORS),
            COUNT,
            length=LENGTH,
            width=WIDTH,
            deviation=EPSILON * WIDTH,
            generator=generator(9),
        )
    return window_indices(centres, WIDTH), draws[0]


def _their_near(load) -> list[Tensor]:
    _, draws = _near()
    times, windows = torch.arange(LENGTH)[None], []
    for anchor, row in zip(ANCHORS, draws.tolist(), strict=True):
        with scripted(np.random, "randn", row):
            windows.append(load("tnc.tnc").TNCDataset._find_neighours(_owner(), times, anchor)[:, 0])
    return [torch.stack(windows)]


def _distant(anchor: int, n: int = 4000) -> list[Tensor]:
    centres = distant_centres(
        torch.full((1,), anchor), n, length=LENGTH, width=WIDTH, far=FAR * WIDTH, generator=generator(10)
    )[0].double()
    return [torch.stack([centres, centres.square(), (centres < centres.median()).double()], 1)]


def _their_distant(load, anchor: int, n: int = 4000) -> list[Tensor]:
    seed_theirs(0)
    owner, times = _owner(), torch.arange(LENGTH)[None]
    owner.mc_sample_size = n
    first = load("tnc.tnc").TNCDataset._find_non_neighours(owner, times, anchor)[:, 0, 0]
    centres = (first + WIDTH // 2).double()
    return [torch.stack([centres, centres.square(), (centres < centres.median()).double()], 1)]


def _range(anchor: int, theirs, load=None) -> list[Tensor]:
    centres = (theirs(load, anchor) if load else _distant(anchor))[0][:, 0]
    return [torch.stack([centres.min(), centres.max()])]


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    far = f"{FILE}: TNCDataset._find_non_neighours"
    return [
        Comparison(f"{FILE}: Discriminator", "weights", "10 pairs", _logits, _their_logits),
        Comparison(
            f"{FILE}: TNCDataset._find_neighours",
            "draws",
            f"{len(ANCHORS)} anchors, epsilon 1",
            lambda: [_near()[0]],
            _their_near,
        ),
        *(
            Comparison(
                far,
                DISTRIBUTION,
                f"anchor {anchor}",
                lambda anchor=anchor: _distant(anchor),
                lambda load, anchor=anchor: _their_distant(load, anchor),
            )
            for anchor in ANCHORS
        ),
        *(
            Comparison(
                f"{far}, range",
                "value",
                f"anchor {anchor}",
                lambda anchor=anchor: _range(anchor, None),
                lambda load, anchor=anchor: _range(anchor, _their_distant, load),
            )
            for anchor in ANCHORS
        ),
        Comparison(f"{FILE}: epoch_run, a step", "weights", "loss and gradients", _epoch, _their_epoch),
    ]
