"""TS2Vec: losses, crops, masks, the dilated encoder, and a whole step."""

import numpy as np
import torch
from torch import Tensor, nn

from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    Load,
    by,
    filled,
    generator,
    normal,
    our_types,
    recorded,
    scripted,
    seed_theirs,
    with_gradients,
    without_dropout,
)
from emargin.augmentations.crops import overlapping_crops
from emargin.encoders import DilatedEncoder, frame_mask
from emargin.losses.hierarchical import hierarchical, instance_contrast, temporal_contrast
from emargin.methods.ts2vec import shared
from emargin.optimiser import AdamW

SHAPES = [(8, 119, 32), (3, 7, 5), (1, 13, 4), (4, 1, 6), (2, 200, 16), (5, 8, 320)]  # seeds 10 and 50, 11 and 51, ...
LOSSES = {
    "hierarchical_contrastive_loss": hierarchical,
    "instance_contrastive_loss": instance_contrast,
    "temporal_contrastive_loss": temporal_contrast,
}


def views(number: int) -> tuple[Tensor, Tensor]:
    """Return the two views of a shape."""
    return normal(*SHAPES[number], seed=10 + number), normal(*SHAPES[number], seed=50 + number)


def losses(file: str, names: dict, module: str) -> list[Comparison]:
    """Compare losses of two views: `names` maps theirs to ours."""

    def comparison(theirs, ours, number):
        return Comparison(
            f"{file}: {theirs}",
            "value and gradient",
            str(SHAPES[number]),
            lambda: with_gradients(ours, *views(number)),
            lambda load: with_gradients(getattr(load(module), theirs), *views(number)),
        )

    return [comparison(theirs, ours, number) for theirs, ours in names.items() for number in range(len(SHAPES))]


def same_weights(theirs: nn.Module, ours: nn.Module) -> None:
    """Copy our weights to theirs: layer by layer, in the order in which both list them."""
    with torch.no_grad():
        for target, source in zip(theirs.parameters(), ours.parameters(), strict=True):
            target.copy_(source)


def _encoder(load: Load, ours: DilatedEncoder) -> nn.Module:
    encoder = without_dropout(load("models.encoder").TSEncoder(ours.input.in_features, 320)).double()
    same_weights(encoder, ours)
    return encoder


def _ours() -> DilatedEncoder:
    return without_dropout(filled(DilatedEncoder(3), seed=1, scale=0.05))


def _mask() -> Tensor:
    return torch.tensor(np.random.default_rng(3).random((4, 40)) < 0.5)


def _frames(missing: bool = False) -> Tensor:
    frames = normal(4, 40, 3, seed=2)
    if missing:
        frames[0, 5] = torch.nan
    return frames


def _encoded(load: Load, frames: Tensor, masked: bool) -> list[Tensor]:
    encoder, module = _encoder(load, _ours()), load("models.encoder")
    with scripted(module, "generate_binomial_mask", [_mask()]):
        return by(encoder(frames, "binomial" if masked else "all_true").square().mean(), encoder.parameters())


def _encoded_by_us(frames: Tensor, masked: bool) -> list[Tensor]:
    encoder = _ours()
    return by(encoder(frames, _mask() if masked else None).square().mean(), encoder.parameters())


def _crops(frames: Tensor) -> tuple[list[Tensor], list[int], Tensor]:
    with recorded("randint") as draws:
        first, second, overlap = overlapping_crops(frames, generator(4))
    return list(shared(first, second, overlap)), [int(draw) for draw in draws[:-1]], draws[-1][:, 0]


def _their_crops(load: Load, frames: Tensor) -> tuple[Tensor, Tensor, int]:
    """Cut as `TS2Vec.fit` does, with our draws."""
    _, (overlap, start, left, right), offset = _crops(frames)
    take, end = load("utils").take_per_row, start + overlap
    return take(frames, offset + left, end - left), take(frames, offset + start, right - start), overlap


def _their_shared(load: Load, frames: Tensor) -> list[Tensor]:
    first, second, overlap = _their_crops(load, frames)
    return [first[:, -overlap:], second[:, :overlap]]


def step(loss=hierarchical) -> list[Tensor]:
    """Return the loss of a step, its gradients, and the weights after it, with our parts."""
    encoder, frames, draws = _ours(), _frames(), generator(4)
    first, second, overlap = overlapping_crops(frames, draws)
    embedded = (encoder(crop, frame_mask(crop, draws)) for crop in (first, second))
    value = loss(*shared(*embedded, overlap))
    return _stepped(value, encoder, AdamW(encoder.parameters(), learning_rate=1e-3, weight_decay=0.01))


def their_step(load: Load, loss) -> list[Tensor]:
    """Return the same with their parts."""
    frames, draws, encoder = _frames(), generator(4), _encoder(load, _ours())
    first, second, _ = overlapping_crops(frames, draws)
    with our_types():
        masks = [frame_mask(crop, draws) for crop in (first, second)]
    first, second, overlap = _their_crops(load, frames)
    with scripted(load("models.encoder"), "generate_binomial_mask", masks):
        value = loss(encoder(first)[:, -overlap:], encoder(second)[:, :overlap])
    return _stepped(value, encoder, torch.optim.AdamW(encoder.parameters(), lr=1e-3))


def _stepped(value: Tensor, encoder: nn.Module, optimiser) -> list[Tensor]:
    answer = by(value, encoder.parameters())
    for parameter, gradient in zip(encoder.parameters(), answer[1:], strict=True):
        parameter.grad = gradient
    optimiser.step()
    return answer + [parameter.detach().clone() for parameter in encoder.parameters()]


def _shares(draw, n: int = 400) -> list[Tensor]:
    """Return features of masks `(n, 3)`: the share of kept frames, and that of kept pairs in time and in the batch."""
    masks = torch.stack([draw() for _ in range(n)]).double()
    pairs = masks[:, :, 1:] * masks[:, :, :-1]
    return [torch.stack([masks.mean((1, 2)), pairs.mean((1, 2)), (masks[:, 1:] * masks[:, :-1]).mean((1, 2))], 1)]


def masks_by_distribution(file: str, module: str) -> Comparison:
    """Compare masks of frames by their shares."""

    def theirs(load):
        seed_theirs(0)
        return _shares(lambda: load(module).generate_binomial_mask(4, 50))

    frames, draws = torch.zeros(4, 50, 1), generator(6)
    return Comparison(
        f"{file}: generate_binomial_mask",
        DISTRIBUTION,
        "share of frames, of pairs",
        lambda: _shares(lambda: frame_mask(frames, draws)),
        theirs,
    )


def encoders(file: str) -> list[Comparison]:
    """Compare the dilated encoder with shared weights."""
    cases = {
        "all frames": (False, False),
        "masked": (False, True),
        "a frame is missing": (True, False),
        "both": (True, True),
    }

    def comparison(case, missing, masked):
        return Comparison(
            f"{file}: TSEncoder",
            "weights",
            case,
            lambda: _encoded_by_us(_frames(missing), masked),
            lambda load: _encoded(load, _frames(missing), masked),
        )

    return [comparison(case, *flags) for case, flags in cases.items()]


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    return [
        *losses("models/losses.py", LOSSES, "models.losses"),
        *encoders("models/encoder.py"),
        masks_by_distribution("models/encoder.py", "models.encoder"),
        Comparison(
            "ts2vec.py: TS2Vec.fit, crops",
            "draws",
            "what the crops share",
            lambda: _crops(_frames())[0],
            lambda load: _their_shared(load, _frames()),
        ),
        Comparison(
            "ts2vec.py: TS2Vec.fit, a step",
            "weights",
            "loss, gradients, weights after AdamW",
            step,
            lambda load: their_step(load, load("models.losses").hierarchical_contrastive_loss),
        ),
    ]
