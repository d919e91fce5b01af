"""TimeDRL: normalisation, patches, positions, and a whole step."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from companion.audit.parity.comparison import Comparison, by, default_type, filled, normal, without_dropout
from emargin.config import Experiment
from emargin.encoders import EMBEDDING
from emargin.methods import timedrl
from emargin.resolve import resolve

LENGTH, PATCH = 24, timedrl.PATCH["original"]


def _batch() -> Tensor:
    return normal(4, LENGTH, EMBEDDING, seed=70)


def _small() -> Tensor:
    return 3 * normal(5, 40, 6, seed=71) + 2


def _settings() -> SimpleNamespace:
    return SimpleNamespace(
        C=EMBEDDING,
        patch_len=PATCH,
        stride=1,
        enable_channel_independence=False,
        d_model=EMBEDDING,
        dropout=0.0,
        get_i="gap",
        i_dim=EMBEDDING,
        data_aug="none",
    )


def _model() -> timedrl.TimeDRL:
    """Return our method on a linear encoder, with as many features as channels and the official padding."""
    model = timedrl.TimeDRL(
        resolve(Experiment(dataset="harth-sim", method="timedrl", fidelity="original")), n_features=EMBEDDING
    )
    model.encoder = nn.Linear(EMBEDDING, EMBEDDING)
    model.padding = 1
    return without_dropout(filled(model, seed=72, scale=0.05)).train()


def _parts(model: nn.Module, theirs: bool) -> list[Tensor]:
    if theirs:
        modules = (
            model.input_layer.token_embedding,
            model.encoder,
            model.predictive_linear,
            model.contrastive_predictor,
        )
    else:
        modules = (model.to_tokens, model.encoder, model.to_frames, model.predictor)
    return [parameter for module in modules for parameter in module.parameters()]


class _Positions(nn.Module):
    """Their positions, moved by one, so that the first frame has the first; the [CLS] token before it has none."""

    def __init__(self, positions: nn.Module):
        super().__init__()
        self.positions = positions

    def forward(self, x: Tensor) -> Tensor:
        positions = self.positions(x)
        return torch.cat([torch.zeros_like(positions[:, :1]), positions[:, :-1]], 1)


def _step() -> list[Tensor]:
    model = _model()
    with default_type(torch.float64):
        value, _ = model.loss(_batch(), torch.Generator())
    return by(value, _parts(model, theirs=False))


def _their_step(load) -> list[Tensor]:
    """Compute the losses as the official `exp_classification.py` does."""
    ours, module = _model(), load("models.TimeDRL")
    module.load_encoder = lambda settings: nn.Linear(EMBEDDING, EMBEDDING)
    model = module.Model(_settings()).double().train()
    positions = timedrl.positions(LENGTH + 2, EMBEDDING)
    model.input_layer.position_embedding = _Positions(lambda x: positions[None, : x.shape[1]])
    with torch.no_grad():
        for target, source in zip(_parts(model, True), _parts(ours, False), strict=True):
            target.copy_(source)
    _, _, guess_1, guess_2, i_1, i_2, p_1, p_2 = model(_batch())
    raw = model.patching(_batch())
    predictive = (nn.MSELoss()(guess_1, raw) + nn.MSELoss()(guess_2, raw)) / 2
    cosine = nn.CosineSimilarity(dim=1)
    contrastive = -(cosine(i_1.detach(), p_2).mean() + cosine(i_2.detach(), p_1).mean()) * 0.5
    return by(predictive + timedrl.CONTRASTIVE_WEIGHT * contrastive, _parts(model, True))


def _normalised(load) -> list[Tensor]:
    return [load("layers.RevIN").RevIN(6, affine=False)(_small(), "norm")]


def _patches(load) -> list[Tensor]:
    return [load("layers.Embed").Patching(PATCH, 1, False)(_small())]


def _positions(load=None) -> list[Tensor]:
    if load is None:
        with default_type(torch.float64):
            return [timedrl.positions(40, 32)]
    return [load("layers.Embed").PositionalEmbedding(32, max_len=50)(_small())[0]]


def comparisons() -> list[Comparison]:
    """Return all comparisons."""
    return [
        Comparison(
            "layers/RevIN.py: RevIN", "value", "5 sequences", lambda: [timedrl.normalised(_small())], _normalised
        ),
        Comparison(
            "layers/Embed.py: Patching", "value", "stride 1", lambda: [timedrl.patches(_small(), PATCH, 1)], _patches
        ),
        Comparison(
            "layers/Embed.py: PositionalEmbedding",
            "value",
            "40 of width 32",
            _positions,
            _positions,
            tolerance=1e-6,
        ),
        Comparison("models/TimeDRL.py: Model.forward, a step", "weights", "loss and gradients", _step, _their_step),
    ]
