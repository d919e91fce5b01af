"""SoftCLT on TS2Vec: hard and soft losses, the weights of both kinds, and a whole step."""

import numpy as np
import torch
from torch import Tensor

from companion.audit.parity import ts2vec
from companion.audit.parity.comparison import Comparison, normal, with_gradients
from companion.audit.stand_ins import need
from emargin.losses.hierarchical import hierarchical, instance_contrast, temporal_contrast
from emargin.methods.softclt import (
    ALPHA,
    INSTANCE_SHARPNESS,
    TEMPORAL_SHARPNESS,
    instance_weights,
    temporal_weights,
    time_warp_distances,
)

HARD = {"inst_CL_hard": instance_contrast, "temp_CL_hard": temporal_contrast, "hier_CL_hard": hierarchical}
SOFT = "models.soft_losses"


def _distances(n: int) -> Tensor:
    """Return distances of n sequences, symmetric, from 0 to 1 off the diagonal."""
    distances = normal(n, n, seed=7).abs()
    distances = (distances + distances.T).fill_diagonal_(0)
    return (distances / distances.max()).where(torch.eye(n) == 0, 0)


def _scaled(n: int) -> Tensor:
    distances = _distances(n)
    low = distances[torch.eye(n) == 0].min()
    return ((distances - low) / (distances.max() - low)).fill_diagonal_(0)


def _weights(n: int) -> Tensor:
    return instance_weights(_distances(n))


def _soft(number: int, instance: bool, temporal: bool) -> Comparison:
    n, settings = ts2vec.SHAPES[number][0], {}
    if instance:
        settings["instance_weights"] = _weights(n)
    if temporal:
        settings["temporal_weights"] = temporal_weights

    def theirs(load):
        loss = load(SOFT).hier_CL_soft
        switches = {"soft_instance": instance, "soft_temporal": temporal, "tau_temp": TEMPORAL_SHARPNESS}
        return with_gradients(lambda a, b: loss(a, b, _weights(n).numpy(), **switches), *ts2vec.views(number))

    return Comparison(
        "models/soft_losses.py: hier_CL_soft",
        "value and gradient",
        f"{ts2vec.SHAPES[number]}, soft instances {instance}, soft time {temporal}",
        lambda: with_gradients(lambda a, b: hierarchical(a, b, **settings), *ts2vec.views(number)),
        theirs,
    )


def _part(name: str, number: int) -> Comparison:
    over_time = name == "temp_CL_soft"
    n = ts2vec.SHAPES[number][1 if over_time else 0]
    ours, weights = (temporal_contrast, temporal_weights(n)) if over_time else (instance_contrast, _weights(n))

    def theirs(load):
        both = load("models.timelags").dup_matrix(weights)
        return with_gradients(lambda a, b: getattr(load(SOFT), name)(a, b, *both), *ts2vec.views(number))

    return Comparison(
        f"models/soft_losses.py: {name}",
        "value and gradient",
        str(ts2vec.SHAPES[number]),
        lambda: with_gradients(lambda a, b: ours(a, b, weights), *ts2vec.views(number)),
        theirs,
    )


def _times(level: int) -> Comparison:
    def theirs(load):
        return [torch.tensor(load("models.timelags").timelag_sigmoid(40, TEMPORAL_SHARPNESS * 2**level))]

    return Comparison(
        "models/timelags.py: timelag_sigmoid",
        "value",
        f"40 frames, level {level}",
        lambda: [temporal_weights(40, level)],
        theirs,
    )


def _assigned(load) -> list[Tensor]:
    return [torch.tensor(load("utils_distance_matrix").densify(-_scaled(6).numpy(), INSTANCE_SHARPNESS, ALPHA))]


def _from_distances(load) -> list[Tensor]:
    module, distances = load("utils_distance_matrix"), _distances(6).numpy()
    module.get_DTW = lambda series: distances.copy()
    return [torch.tensor(module.densify(module.save_sim_mat(np.zeros((6, 4))) - 1, INSTANCE_SHARPNESS, ALPHA))]


def _warped(load) -> list[Tensor]:
    module = load("utils_distance_matrix")
    need("tslearn")
    return [torch.tensor(module.get_MDTW(normal(5, 30, 3, seed=8).numpy()))]


def _step() -> list[Tensor]:
    return ts2vec.step(lambda a, b: hierarchical(a, b, instance_weights=_weights(4), temporal_weights=temporal_weights))


def _their_step(load) -> list[Tensor]:
    switches = {"soft_instance": True, "soft_temporal": True, "tau_temp": TEMPORAL_SHARPNESS}
    soft = _weights(4).numpy()
    return ts2vec.their_step(load, lambda a, b: load(SOFT).hier_CL_soft(a, b, soft, **switches))


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    return [
        *ts2vec.losses("models/hard_losses.py", HARD, "models.hard_losses"),
        *(_part(name, number) for name in ("inst_CL_soft", "temp_CL_soft") for number in (0, 1, 5)),
        *(_soft(number, *flags) for number in (0, 1, 4) for flags in ((1, 1), (1, 0), (0, 1), (0, 0))),
        *(_times(level) for level in range(4)),
        Comparison(
            "utils_distance_matrix.py: densify",
            "value",
            "6 sequences, scaled distances",
            lambda: [_weights(6)],
            _assigned,
        ),
        Comparison(
            "utils_distance_matrix.py: save_sim_mat", "value", "6 sequences", lambda: [_weights(6)], _from_distances
        ),
        Comparison(
            "utils_distance_matrix.py: get_MDTW",
            "value",
            "5 sequences",
            lambda: [time_warp_distances(normal(5, 30, 3, seed=8))],
            _warped,
        ),
        *ts2vec.encoders("models/encoder.py"),
        ts2vec.masks_by_distribution("models/encoder.py", "models.encoder"),
        Comparison(
            "soft_ts2vec.py: TS2Vec.fit, a step", "weights", "loss, gradients, weights after AdamW", _step, _their_step
        ),
    ]
