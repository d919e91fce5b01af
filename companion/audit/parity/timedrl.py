"""TimeDRL: normalisation, patches, positions, and a whole step."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from companion.audit.parity.comparison import Comparison, by, default_type, filled, normal, without_dropout
from emargin.config import Experiment
from emargin.data.framing import stft_frames
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
    model.padding, model.bins = 1, 1
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


BINS = 9  # of the spectrum of 16 samples


def _normalised(load) -> list[Tensor]:
    return [load("layers.RevIN").RevIN(6, affine=False)(_small(), "norm")]


def _spectra() -> Tensor:
    """Return frames of 3 channels of 9 bins, the bins of a channel side by side, `(5, 40, 27)`."""
    return 3 * normal(5, 40, 3 * BINS, seed=73) + 2


def _normalised_channels(load) -> list[Tensor]:
    """Normalise as theirs does a sequence with a further axis: over all axes but the first and the last."""
    channels_last = _spectra().unflatten(-1, (3, BINS)).mT
    return [load("layers.RevIN").RevIN(3, affine=False)(channels_last, "norm").mT.flatten(2)]


def _samples() -> Tensor:
    """Return noise of two channels whose neighbours agree, far from zero, `(5, 400, 2)`."""
    return 3 * normal(5, 402, 2, seed=74).unfold(1, 3, 1).mean(-1) + 2


def _transformed(samples: Tensor) -> Tensor:
    return torch.stack([stft_frames(each.numpy(), 16, 8) for each in samples]).double()


def _of_samples(load) -> list[Tensor]:
    """Normalise samples as theirs does, transform them, and take out what an affine map of a channel can."""
    samples = load("layers.RevIN").RevIN(2, affine=False)(_samples(), "norm")
    return [timedrl.normalised_channels(_transformed(samples), BINS)]


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
            "layers/RevIN.py: RevIN, of a channel's bins",
            "value",
            "5 sequences of 3 channels",
            lambda: [timedrl.normalised_channels(_spectra(), BINS)],
            _normalised_channels,
        ),
        Comparison(
            "layers/RevIN.py: RevIN, of samples before the transform",
            "value",
            "5 sequences of 2 channels",
            lambda: [timedrl.normalised_channels(_transformed(_samples()), BINS)],
            _of_samples,
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
