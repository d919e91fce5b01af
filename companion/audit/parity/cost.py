"""CoST: augmentations, both losses, trend and season, the moving copy and its queue, and a whole step."""

import random
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
    our_types,
    recorded,
    scripted,
    seed_theirs,
    with_gradients,
    without_dropout,
)
from emargin.augmentations.noise import jitter, scaling, shift
from emargin.config import Experiment
from emargin.encoders import FrameEncoder
from emargin.losses.cosines import unit_rows
from emargin.methods.cost import (
    ALPHA,
    MOMENTUM,
    QUEUE,
    SIGMA,
    TEMPERATURE,
    CoST,
    FrequencyLayer,
    TrendSeason,
    augmented,
    frequency_losses,
    moco_loss,
    represented,
    shrink,
)
from emargin.resolve import resolve

LENGTH, FEATURES, BATCH = 30, 5, 4
FILE = "cost.py"


class _Frames(nn.Module):
    """Our frame encoder with time last, as theirs has it between its layers."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, frames: Tensor) -> Tensor:
        return self.backbone(frames.transpose(1, 2)).transpose(1, 2)


def _model() -> CoST:
    experiment = resolve(
        Experiment(dataset="harth-sim", method="cost", fidelity="original", sequence_length=LENGTH, batch_size=BATCH)
    )
    model = CoST(experiment, FEATURES)
    for part, seed in ((model.encoder, 1), (model.head, 2)):
        without_dropout(filled(part, seed))
    model.double()
    model.queue.copy_(unit_rows(normal(*model.queue.shape, seed=3)))
    for key, query in ((model.key_encoder, model.encoder), (model.key_head, model.head)):
        without_dropout(key).load_state_dict(query.state_dict())
    return model.train()


def _their_encoder(load, ours: TrendSeason) -> nn.Module:
    kernels = [layer.kernel_size[0] for layer in ours.trends]
    encoder = load("models.encoder").CoSTEncoder(FEATURES, 320, kernels, LENGTH)
    encoder.input_fc, encoder.feature_extractor = nn.Identity(), _Frames(ours.backbone)
    frequencies = encoder.sfd[0]
    with torch.no_grad():
        for layer, own in zip(encoder.tfd, ours.trends, strict=True):
            layer.load_state_dict(own.state_dict())
        frequencies.weight.copy_(torch.view_as_complex(ours.season[0].weight))
        frequencies.bias.copy_(torch.view_as_complex(ours.season[0].bias))
    return without_dropout(encoder)


def _their_model(load, ours: CoST) -> nn.Module:
    query = _their_encoder(load, ours.encoder)
    key = _their_encoder(load, ours.key_encoder)
    kernels = query.kernels
    model = load("cost").CoSTModel(
        query, key, kernels, "cpu", dim=160, alpha=ALPHA["original"], K=QUEUE, m=MOMENTUM, T=TEMPERATURE
    )
    model.head_q.load_state_dict(ours.head.state_dict())
    model.head_k.load_state_dict(ours.key_head.state_dict())
    model.queue.copy_(ours.queue.T)
    return model.double()


def _views() -> tuple[Tensor, Tensor]:
    return normal(BATCH, LENGTH, FEATURES, seed=4), normal(BATCH, LENGTH, FEATURES, seed=5)


def _parameters(model: nn.Module, theirs: bool) -> list[Tensor]:
    """Return what both have, in one order: frame encoder, trends, head, and the frequencies as real numbers."""
    if theirs:
        encoder, head, frequencies = model.encoder_q, model.head_q, model.encoder_q.sfd[0]
        frames, trends = encoder.feature_extractor.backbone, encoder.tfd
    else:
        encoder, head, frequencies = model.encoder, model.head, model.encoder.season[0]
        frames, trends = encoder.backbone, encoder.trends
    return [*frames.parameters(), *trends.parameters(), *head.parameters(), frequencies.weight, frequencies.bias]


def _real(tensors: list[Tensor]) -> list[Tensor]:
    return [torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in tensors]


def _step() -> list[Tensor]:
    model = _model()
    model.views = lambda batch, generator: _views()
    value, _ = model.loss(_views()[0], generator(6))
    model_answer = by(value, _parameters(model, theirs=False))
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(1.5)
    model.after_step()
    return [*model_answer, model.queue, *(p.detach() for p in model.key_encoder.trends.parameters())]


def _their_step(load) -> list[Tensor]:
    ours = _model()
    model = _their_model(load, ours).train()
    with recorded("randint") as draws:
        torch.randint(LENGTH, (), generator=generator(6))
    with scripted(np.random, "randint", [int(draws[0])]):
        value = model(*_views())
    answer = _real(by(value, _parameters(model, theirs=True)))
    queue = model.queue.T.clone()
    with torch.no_grad():
        for parameter in model.encoder_q.parameters():
            parameter.data.mul_(1.5)
    model._momentum_update_key_encoder()
    return [*answer, queue, *(p.detach() for p in model.encoder_k.tfd.parameters())]


def _moco() -> tuple[Tensor, Tensor, Tensor]:
    return unit_rows(normal(8, 160, seed=7)), unit_rows(normal(8, 160, seed=8)), unit_rows(normal(64, 160, seed=9))


def _their_moco(load) -> list[Tensor]:
    query, key, queue = _moco()
    loss, owner = load("cost").CoSTModel.compute_loss, SimpleNamespace(T=TEMPERATURE)
    return with_gradients(lambda q: loss(owner, q, key, queue.T), query)


def _seasons() -> tuple[Tensor, Tensor]:
    return normal(6, LENGTH, 16, seed=10), normal(6, LENGTH, 16, seed=11)


def _frequencies(part: int):
    def theirs(load):
        model = load("cost").CoSTModel

        def loss(a, b):
            spectra = [torch.fft.rfft(nn.functional.normalize(season, dim=-1), dim=1) for season in (a, b)]
            return model.instance_contrastive_loss(None, *(model.convert_coeff(None, s)[part] for s in spectra))

        return with_gradients(loss, *_seasons())

    return Comparison(
        f"{FILE}: CoSTModel.convert_coeff, instance_contrastive_loss",
        "value and gradient",
        ("amplitudes", "phases")[part],
        lambda: with_gradients(lambda a, b: frequency_losses(a, b)[part], *_seasons()),
        theirs,
    )


def _layer() -> FrequencyLayer:
    return filled(FrequencyLayer(8, 6, LENGTH), seed=12)


def _their_layer(load, length: int) -> list[Tensor]:
    ours, x = _layer(), normal(3, length, 8, seed=13)
    layer = load("models.encoder").BandedFourierLayer(8, 6, 0, 1, length=LENGTH)
    with torch.no_grad():
        layer.weight.copy_(torch.view_as_complex(ours.weight))
        layer.bias.copy_(torch.view_as_complex(ours.bias))
    return _real(by((layer(x) * normal(3, length, 6, seed=14)).sum(), [layer.weight, layer.bias]))


def _our_layer(length: int) -> list[Tensor]:
    layer, x = _layer(), normal(3, length, 8, seed=13)
    return by((layer(x) * normal(3, length, 6, seed=14)).sum(), [layer.weight, layer.bias])


def _squares(weights: Tensor) -> list[Tensor]:
    return [weights.detach().double().square().reshape(-1, 1)]


def _initial(name: str) -> Comparison:
    def ours():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = FrequencyLayer(320, 160, 12)
            shrink(layer)
            return _squares(getattr(layer, name))

    def theirs(load):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            layer = load("models.encoder").BandedFourierLayer(320, 160, 0, 1, length=12)
            return _squares(torch.view_as_real(getattr(layer, name)))

    return Comparison(
        f"models/encoder.py: BandedFourierLayer, initial {name}", DISTRIBUTION, "mean square", ours, theirs
    )


def _trend_season() -> TrendSeason:
    return without_dropout(filled(TrendSeason(FrameEncoder(FEATURES), FEATURES, LENGTH, False), seed=15))


def _parts() -> list[Tensor]:
    module = _trend_season()
    hidden = module(_views()[0])
    return [torch.stack([module.trend(hidden, at) for at in range(LENGTH)], 1), module.season(hidden)]


def _their_parts(load) -> list[Tensor]:
    return list(_their_encoder(load, _trend_season())(_views()[0]))


def _their_last(load) -> list[Tensor]:
    owner = SimpleNamespace(net=_their_encoder(load, _trend_season()).eval(), device="cpu")
    return [load("cost").CoST._eval_with_pooling(owner, _views()[0])]


def _single(name: str, ours) -> Comparison:
    x = normal(1, LENGTH, FEATURES, seed=16)

    def call():
        with recorded("randn") as draws:
            value = ours(x, generator(17), sigma=SIGMA)
        return value, draws[0]

    def theirs(load):
        module, (_, draw) = load("cost"), call()
        owner = SimpleNamespace(p=0.5, sigma=SIGMA)
        with scripted(random, "random", [0.1]), scripted(torch, "randn", [draw[0] if name == "jitter" else draw[0, 0]]):
            return [getattr(module.PretrainDataset, name)(owner, x[0])[None]]

    return Comparison(f"{FILE}: PretrainDataset.{name}", "draws", "", lambda: [call()[0]], theirs)


def _moments(views: Tensor) -> list[Tensor]:
    """Return of each view `(T, D)` its mean, its mean square and the share of frames left as they were."""
    return [torch.stack([views.mean((1, 2)), views.square().mean((1, 2)), (views == 1).double().mean((1, 2))], 1)]


def _their_views(load) -> list[Tensor]:
    module = load("cost")
    seed_theirs(0)
    data = module.PretrainDataset(torch.ones(1, LENGTH, FEATURES), SIGMA)
    return _moments(torch.stack([data.transform(data.data[0]) for _ in range(2000)]))


def _our_views() -> list[Tensor]:
    with our_types():
        return _moments(augmented(torch.ones(2000, LENGTH, FEATURES), generator(18)).double())


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    query, key, queue = _moco()
    return [
        _single("scale", scaling),
        _single("shift", shift),
        _single("jitter", jitter),
        Comparison(f"{FILE}: PretrainDataset.transform", DISTRIBUTION, "moments", _our_views, _their_views),
        Comparison(
            f"{FILE}: CoSTModel.compute_loss",
            "value and gradient",
            "8 queries, 64 keys",
            lambda: with_gradients(lambda q: moco_loss(q, key, queue), query),
            _their_moco,
        ),
        _frequencies(0),
        _frequencies(1),
        *(
            Comparison(
                "models/encoder.py: BandedFourierLayer",
                "weights",
                f"{length} frames",
                lambda length=length: _our_layer(length),
                lambda load, length=length: _their_layer(load, length),
            )
            for length in (LENGTH, LENGTH + 1)
        ),
        _initial("weight"),
        _initial("bias"),
        Comparison("models/encoder.py: CoSTEncoder, trend and season", "weights", "each frame", _parts, _their_parts),
        Comparison(
            "models/encoder.py: CoSTEncoder, what is scored",
            "weights",
            "each frame",
            lambda: [represented(_trend_season().eval(), _views()[0])],
            lambda load: [torch.cat(_their_encoder(load, _trend_season()).eval()(_views()[0]), -1)],
        ),
        Comparison(
            f"{FILE}: CoST._eval_with_pooling",
            "weights",
            "the last frame",
            lambda: [represented(_trend_season().eval(), _views()[0])[:, -1:]],
            _their_last,
        ),
        Comparison(
            f"{FILE}: CoSTModel.forward, a step",
            "weights",
            "loss, gradients, queue, moving copy",
            _step,
            _their_step,
        ),
    ]
