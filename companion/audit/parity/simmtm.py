"""SimMTM: masks, contrast, weighted averages, and the losses put together."""

from types import SimpleNamespace

import torch
from torch import Tensor

from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    by,
    filled,
    generator,
    normal,
    our_types,
    scripted,
    seed_theirs,
    with_gradients,
)
from emargin.augmentations.masks import markov_mask
from emargin.config import Experiment
from emargin.methods import simmtm
from emargin.resolve import resolve

ROWS = [(16, 6), (40, 32), (8, 3)]
SETTINGS = SimpleNamespace(temperature=simmtm.TEMPERATURE, positive_nums=simmtm.COPIES)
LOSS, MASKS = "loss.py", "utils/augmentations.py"


def _rows(number: int) -> tuple[Tensor, Tensor]:
    n, width = ROWS[number]
    return normal(n, width, seed=40 + number), normal(n, 3, 5, seed=50 + number)


def _contrast(number: int) -> Comparison:
    rows, _ = _rows(number)

    def theirs(load):
        return with_gradients(lambda s: load("loss").ContrastiveWeight(SETTINGS)(s)[0], rows)

    return Comparison(
        f"{LOSS}: ContrastiveWeight",
        "value and gradient",
        f"{ROWS[number]}, 3 copies",
        lambda: with_gradients(lambda s: simmtm.contrast_and_average(s, s)[0], rows),
        theirs,
    )


def _average(number: int) -> Comparison:
    rows, points = _rows(number)
    weights = normal(*points.shape, seed=60)

    def ours(s, p):
        return (simmtm.contrast_and_average(s, p.flatten(1))[1].reshape(p.shape) * weights).sum()

    def theirs(load):
        def value(s, p):
            _, similarity, *_ = load("loss").ContrastiveWeight(SETTINGS)(s)
            rebuilt = load("loss").AggregationRebuild(SETTINGS)(similarity, p)[1]
            return (rebuilt.reshape(p.shape) * weights).sum()

        return with_gradients(value, rows, points)

    return Comparison(
        f"{LOSS}: AggregationRebuild",
        "value and gradient",
        str(ROWS[number]),
        lambda: with_gradients(ours, rows, points),
        theirs,
    )


def _weighted(load=None) -> list[Tensor]:
    losses, a = normal(2, seed=61).abs(), normal(2, seed=62)
    if load is None:
        return with_gradients(simmtm.uncertainty_weighted, losses, a)

    def value(losses, a):
        weighted = load("loss").AutomaticWeightedLoss(2)
        del weighted.params
        weighted.params = a
        return weighted(*losses)

    return with_gradients(value, losses, a)


def _mask() -> Tensor:
    with our_types():
        return markov_mask((6, 5, 20), generator(63), share=simmtm.MASKED_SHARE, mean_run=simmtm.MEAN_RUN)


def _batch() -> Tensor:
    return normal(2, 20, 5, seed=64)


def _copies() -> list[Tensor]:
    with our_types():
        return [simmtm.versions(_batch(), generator(63))[2:]]


def _their_copies(load) -> list[Tensor]:
    module = load("utils.augmentations")
    with scripted(module, "noise_mask", [_mask()]):
        return [module.data_transform_masked4cl(_batch(), simmtm.MASKED_SHARE, simmtm.MEAN_RUN, simmtm.COPIES)[0]]


def _shares(masks: Tensor) -> list[Tensor]:
    """Return of each row of masks the share kept, that of changes, and that of masked runs of a single entry."""
    kept = masks.double()
    alone = kept[:, :-2] * (1 - kept[:, 1:-1]) * kept[:, 2:]
    return [torch.stack([kept.mean(1), (kept[:, 1:] != kept[:, :-1]).double().mean(1), alone.mean(1)], 1)]


def _their_masks(load) -> list[Tensor]:
    seed_theirs(0)
    draw = load("utils.augmentations").geom_noise_mask_single
    return _shares(torch.stack([torch.tensor(draw(200, simmtm.MEAN_RUN, simmtm.MASKED_SHARE)) for _ in range(300)]))


def _our_masks() -> list[Tensor]:
    drawn = [
        markov_mask((200,), generator(seed), share=simmtm.MASKED_SHARE, mean_run=simmtm.MEAN_RUN) for seed in range(300)
    ]
    return _shares(torch.stack(drawn))


def _model() -> simmtm.SimMTM:
    experiment = resolve(Experiment(dataset="harth-sim", method="simmtm", fidelity="original"))
    model = filled(simmtm.SimMTM(experiment, 5), seed=65)
    with torch.no_grad():
        model.loss_weights.copy_(torch.tensor([0.8, 1.3], dtype=torch.float64))
    return model.train()


def _step() -> list[Tensor]:
    model = _model()
    with our_types():
        value, _ = model.loss(_batch(), generator(63))
    return by(value, model.parameters())


def _their_step(load) -> list[Tensor]:
    """Put the losses together in the order of the official `pretrain`, on our encoder, projector and decoder."""
    model, module = _model(), load("loss")
    with our_types():
        frames = model.encoder(simmtm.versions(_batch(), generator(63)))
    loss, similarity, *_ = module.ContrastiveWeight(SETTINGS)(model.projector(frames.mean(1)))
    _, rebuilt = module.AggregationRebuild(SETTINGS)(similarity, frames)
    decoded = model.decoder(rebuilt.reshape(frames.shape))[: len(_batch())]
    weighted = module.AutomaticWeightedLoss(2)
    del weighted.params
    weighted.params = model.loss_weights
    return by(weighted(loss, torch.nn.MSELoss()(decoded, _batch())), model.parameters())


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    return [
        *(_contrast(number) for number in range(len(ROWS))),
        *(_average(number) for number in range(len(ROWS))),
        Comparison(f"{LOSS}: AutomaticWeightedLoss", "value and gradient", "2 losses", _weighted, _weighted),
        Comparison(f"{MASKS}: geom_noise_mask_single", DISTRIBUTION, "300 of 200", _our_masks, _their_masks),
        Comparison(f"{MASKS}: data_transform_masked4cl", "draws", "3 copies", _copies, _their_copies),
        Comparison("Model.pretrain, its losses put together", "weights", "loss and gradients", _step, _their_step),
    ]
