"""InfoTS: both losses, the seven augmentations and their mixture, the meta step, the mean of iterates, the encoder."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from companion.audit.parity import ts2vec
from companion.audit.parity.comparison import (
    DISTRIBUTION,
    Comparison,
    filled,
    generator,
    normal,
    recorded,
    scripted,
    seed_theirs,
    with_gradients,
    without_dropout,
)
from companion.audit.stand_ins import need
from emargin.augmentations.infots import cutout, window_slice, window_warp
from emargin.augmentations.noise import jitter, scaling, subsequence, time_warp
from emargin.config import Experiment
from emargin.encoders import DilatedEncoder, weight_average
from emargin.methods import infots
from emargin.methods.infots import SEGMENTS, LearnedMixture, global_loss, local_loss
from emargin.optimiser import AdamW
from emargin.resolve import resolve

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
        return [torch.tensor(asked[-1], dtype=torch.float64)]  # of a warp the factors are drawn first

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
    mixture = LearnedMixture().double()
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


BATCH, FEATURES = 4, 3


def _ours() -> infots.InfoTS:
    """Return our method on the encoder of InfoTS, which it takes as any other."""
    experiment = resolve(
        Experiment(dataset="harth-sim", method="infots", fidelity="original", batch_size=BATCH, iterations=2)
    )
    model = infots.InfoTS(experiment, FEATURES)
    model.encoder = filled(DilatedEncoder(FEATURES), seed=26, scale=0.05)
    model.average = weight_average(model.encoder)
    filled(model.meta.classify, seed=27)
    model.double()
    with torch.no_grad():
        model.mixture.logits.copy_(_logits())
    return model.train()


def _their_model(load, **settings):
    ours = _ours()
    model = load("infots").InfoTS(FEATURES, hidden_dims=64, device="cpu", batch_size=BATCH, **settings)
    for target, source in ((model._net, ours.encoder), (model.unsup_pred, ours.meta.classify)):
        ts2vec.same_weights(target.double(), source)
    with torch.no_grad():
        model.aug.weight.copy_(_logits().expand(2, 7))
    return model


def _sequences() -> Tensor:
    return normal(BATCH, 24, FEATURES, seed=28)


POOL: list[Callable[..., Tensor]] = [
    lambda x, *_, number=number: (x * (1 + number / 7)).roll(number, 1) for number in range(7)
]  # the seven augmentations are compared by themselves


def _mixed_by_us() -> list[Tensor]:
    """Return the mixed view twice: ours knows no temperature."""
    with scripted(torch, "rand", [_noise()]), patch.object(infots, "ORIGINAL_POOL", tuple(POOL)):
        return [_ours().mixture(_sequences(), generator()).detach()] * 2


def _mixed(load) -> list[Tensor]:
    augment = load("models.augmentations").AutoAUG(aug_p1=1.0)
    augment.augs = POOL
    with torch.no_grad():
        augment.weight.copy_(_logits().expand(2, 7))
    with scripted(torch, "rand", [1 - _noise().expand(2, 7)] * 2):
        return [augment((_sequences(), temperature))[0].detach() for temperature in (2.0, 0.1)]


def _meta_steps(chances: list[float]) -> list[Tensor]:
    """Return gradients and weights after meta steps; a chance below .2 mixes the view."""
    model = _ours()
    meta, learned = model.meta, [*model.meta.classify.parameters(), model.mixture.logits]
    draws = [draw for chance in chances for draw in ([torch.tensor(chance), _noise()][: 1 + (chance < 0.2)])]
    gradients: list[Tensor] = []

    def noted():
        gradients[:] = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in learned]
        for parameter in learned:
            parameter.grad = None

    with scripted(torch, "rand", draws), patch.object(infots, "ORIGINAL_POOL", tuple(POOL)):
        for _ in chances:
            meta.steps = infots.META_EVERY - 1
            with patch.object(meta.optimiser, "zero_grad", noted):
                meta.step(_sequences(), generator(), model.mixture, model.encoder)
    return [*gradients, *(parameter.detach() for parameter in learned)]


def _their_meta_steps(load, chances: list[float]) -> list[Tensor]:
    model = _their_model(load)
    model.aug.augs = POOL
    model._net.train()
    mixture, classifier = model.aug.weight, list(model.unsup_pred.parameters())
    optimisers = [
        torch.optim.AdamW(parameters, lr=rate)
        for parameters, rate in (([mixture], model.meta_lr), (classifier, model.cls_lr))
    ]
    noise = [1 - _noise().expand(2, 7) for _ in chances]
    batches = [[[_sequences()], [torch.arange(BATCH)]] for _ in chances]
    with scripted(torch, "rand", noise), scripted(random, "random", chances):
        model.meta_fit(batches, optimisers[0], 1.0, False, optimisers[1])
    gradient = torch.zeros(7) if mixture.grad is None else mixture.grad[0]
    learned = [*(p.grad for p in classifier), gradient, *classifier, mixture[0]]
    return [tensor.detach() for tensor in learned]


def _meta(case: str, function: str, chances: list[float]) -> Comparison:
    return Comparison(
        f"infots.py: InfoTS.meta_fit, {function}",
        "weights",
        case,
        lambda: _meta_steps(chances),
        lambda load: _their_meta_steps(load, chances),
    )


def _mean() -> list[Tensor]:
    """Return the encoder after a run of two steps: on views that are the batch, without masks and the local loss."""
    model = _ours()
    without_dropout(model)
    optimiser = AdamW(model.trained_parameters(), learning_rate=1e-3, weight_decay=0.01)
    whole = SimpleNamespace(
        AUGMENTED=0.0, LOCAL_WEIGHT=0.0, frame_mask=lambda frames, _: frames[..., 0] == frames[..., 0]
    )
    with patch.multiple(infots, **vars(whole)):
        for _ in range(model.experiment.iterations):
            value, _ = model.loss(_sequences(), generator(29))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            model.after_step()
    return [parameter.detach() for parameter in model.encoder.parameters()]


def _their_mean(load) -> list[Tensor]:
    model = _their_model(load, dropout=0.0, mask_mode="all_true", aug_p1=0.0)
    model.net = torch.optim.swa_utils.AveragedModel(model._net)  # as in their __init__, of the weights that are shared
    model.net.update_parameters(model._net)
    with patch.object(torch, "float", torch.float64):  # of their data
        model.fit(_sequences().numpy(), n_epochs=2, task_type="none", supervised_meta=False, beta=0.0, meta_epoch=10**6)
    return [parameter.detach() for parameter in model.net.module.parameters()]


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
        Comparison("models/augmentations.py: AutoAUG.forward", "draws", "two temperatures", _mixed_by_us, _mixed),
        _meta("the view mixed", "a step", [0.19]),
        _meta("the view as it is", "a step", [0.21]),
        _meta("both views mixed", "a second step", [0.19, 0.19]),
        Comparison("infots.py: InfoTS.fit, mean of iterates", "weights", "two steps", _mean, _their_mean),
        *ts2vec.encoders("models/encoder.py"),
        ts2vec.masks_by_distribution("models/encoder.py", "models.encoder"),
    ]


def _warp() -> Comparison:
    def call():
        with recorded("randint") as draws:
            value = window_warp(_frames(), generator(22))
        return value, draws

    def theirs(load):
        factors, starts = (draw[:, 0].numpy() for draw in call()[1])
        scales = np.array([0.5, 2.0])[factors]
        with scripted(np.random, "randint", [starts]), scripted(np.random, "choice", [scales]):
            return [load("models.augclass").window_warp()(_frames())]

    return Comparison(f"{AUGMENTATIONS}: window_warp", "draws", "", lambda: [call()[0]], theirs)
