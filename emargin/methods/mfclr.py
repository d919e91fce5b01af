"""MF-CLR: contrast across features of different frequency."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from emargin.augmentations.warps import dual_twist
from emargin.config import Experiment
from emargin.data.dataset import Sequences
from emargin.encoders import EMBEDDING, ENCODERS, MaskedEncoder, fresh_statistics, weight_average
from emargin.errors import InputError
from emargin.losses.hierarchical import _instance_contrast as instance_contrast
from emargin.methods.base import Method

FEATURE_WEIGHT = 1e-5  # beta, the default of MF-CLR's code; its alpha of 1 leaves the temporal contrast out
PROJECTION = 320  # h, as in the released configuration
SMALLEST_SCALE = 0.01  # floor of the largest distance between coarse features, MF-CLR's code


class MFCLR(Method):
    """Each sequence against a twisted copy of itself: fine features first, then with the coarse features.

    A level of features has the loss

        L = (1 - beta) I + beta F

    with I the contrast of sequences (`emargin.losses.hierarchical.instance_contrast`) and F `feature_contrast`, which
    compares distances of embeddings with distances of the coarser features. Embeddings come from the equal-weight mean
    of all iterates.

    Fidelity "original": two levels of encoders, see `Grains`; the second has no coarser features and no F. A level
    learns from its own loss alone, and its second view is the twist of its input. BatchNorm's statistics of the mean
    are collected after the last step, in a pass over the training sequences. Paths of time warping follow the rule that
    MF-CLR's code states, by which a path is as often ahead of time as behind it. The code itself remembers its last
    step as a place in a list that it has shortened, so it forbids the wrong step and its paths lean to one side: 0.31
    of their cells there, 0.19 on the other. That is a slip, and not taken over. Two further choices are ours. MF-CLR's
    code has a level less: it appends the last grain's projection, which no loss trains, to the features; here a second
    level encodes and trains it. And MF-CLR lowers the learning rate every ten epochs, which is later than the paper's
    numbers of iterations end; here the rate stays.

    Fidelity "released": a single level of all features with none coarser, so F pulls all sequences together. Time and
    channels are exchanged before the contrast, so it compares the time courses of each channel. BatchNorm keeps the
    statistics of the last iterate. The paths of time warping are those of "original" here, without the slip.

    References
    ----------
    Duan et al., "MF-CLR: Multi-Frequency Contrastive Learning Representation for Time Series", ICML 2024.
    """

    title = "MF-CLR"
    summary = "fine and coarse features encoded in turn, each against a twisted copy of itself"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        if not self.released and experiment.n_fft is None:
            raise InputError(
                "the grains of MF-CLR are bands of frequency",
                found=f"{experiment.dataset}, whose frames are no spectra",
                wanted="a data set with an STFT",
                todo="take fidelity released",
            )
        if experiment.encoder is None:
            self.encoder = MaskedEncoder(n_features) if self.released else Grains(n_features, experiment.n_fft // 2 + 1)
        elif not self.released:
            grains = Grains(n_features, experiment.n_fft // 2 + 1)
            self.encoder = with_levels(grains, ENCODERS[experiment.encoder])
        self.average = weight_average(self.encoder)

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self._released_loss(batch, generator) if self.released else self._original_loss(batch, generator)

    def _released_loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        first, second = self.encoder(batch), self.encoder(dual_twist(batch, generator))
        coarser = batch[..., :0]
        instance = instance_contrast(first.mT, second.mT)
        feature = feature_contrast(first, second, coarser, coarser)
        value = (1 - FEATURE_WEIGHT) * instance + FEATURE_WEIGHT * feature
        return value, {"instance": instance, "feature": feature}

    def _original_loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        grains = self.encoder
        fine, coarse = grains.split(batch)
        first, second = grains.fine(fine), grains.fine(dual_twist(fine, generator))
        instance = instance_contrast(first, second)
        feature = feature_contrast(first, second, coarse, coarse)
        joined = grains.joined(first.detach(), coarse)
        instance_above = instance_contrast(grains.coarse(joined), grains.coarse(dual_twist(joined, generator)))
        value = (1 - FEATURE_WEIGHT) * (instance + instance_above) + FEATURE_WEIGHT * feature
        return value, {"instance": instance, "instance_above": instance_above, "feature": feature}

    def encode(self, sequences: Tensor) -> Tensor:
        return self.average(sequences)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters()

    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        self.train_sequences = train

    def after_step(self) -> None:
        self.average.update_parameters(self.encoder)
        if self.experiment.encoder is not None:  # which has no BatchNorm
            return
        if not self.released and self.average.n_averaged == self.experiment.iterations + 1:
            device = next(self.parameters()).device
            with fresh_statistics(self.average):
                for batch in self.train_sequences.in_order(self.experiment.batch_size):
                    self.average(batch.to(device))


class Grains(nn.Module):
    """Two levels of encoders: `(B, T, D)` -> `(B, T, 320)`.

    Level 0 encodes the fine grain; level 1 encodes the output of level 0 beside a projection of the coarse grain. Of
    each channel's frequency bins the upper half is the fine grain, with the middle bin of an odd number, and the lower
    half the coarse grain. This is our choice: MF-CLR was made for features that arrive at different rates.

    Parameters
    ----------
    n_features : int
        D. If it is no multiple of `bins`, all features are the bins of a single channel.
    bins : int
        Of a channel's spectrum.

    Raises
    ------
    InputError
        For fewer than two bins.
    """

    def __init__(self, n_features: int, bins: int):
        super().__init__()
        bins = bins if n_features % bins == 0 else n_features
        if bins < 2:
            raise InputError(
                "the grains of MF-CLR", found=f"{bins} frequency bin", wanted="at least 2", todo="use a larger n_fft"
            )
        low = torch.arange(n_features) % bins < bins // 2
        self.low: Tensor
        self.register_buffer("low", low, persistent=False)
        n_coarse = int(low.sum())
        self.fine = MaskedEncoder(n_features - n_coarse)
        self.projection = nn.Sequential(
            nn.Linear(n_coarse, PROJECTION // 2), nn.ReLU(), nn.Linear(PROJECTION // 2, PROJECTION)
        )
        self.coarse = MaskedEncoder(EMBEDDING + PROJECTION)

    def split(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fine and the coarse features."""
        return frames[..., ~self.low], frames[..., self.low]

    def joined(self, embedding: Tensor, coarse: Tensor) -> Tensor:
        """Return the input of level 1."""
        return torch.cat([embedding, self.projection(coarse)], dim=-1)

    def forward(self, frames: Tensor) -> Tensor:
        fine, coarse = self.split(frames)
        return self.coarse(self.joined(self.fine(fine), coarse))


def with_levels(grains: Grains, encoder: Callable[[int], nn.Module]) -> Grains:
    """Return the grains with another encoder at both levels, made for the level's number of features."""
    for name in ("fine", "coarse"):
        setattr(grains, name, encoder(getattr(grains, name).input.in_features))
    return grains


def feature_contrast(first: Tensor, second: Tensor, coarser_first: Tensor, coarser_second: Tensor) -> Tensor:
    """Compare distances between embeddings with those between coarser features, scaled to at most 1.

        F = mean over i, j of ( (1 - s_ij) - |z_i - z'_j| )^2
        1 - s_ij = |f_i - f'_j| / max(0.01, max_kl |f_k - f'_l|)

    Norms are over time and channels.

    Parameters
    ----------
    first, second : Tensor
        The views z and z', `(B, T, C)`.
    coarser_first, coarser_second : Tensor
        f and f', `(B, T, d)`; with d = 0, F pulls all pairs together.

    Returns
    -------
    Tensor
        A scalar.
    """
    distances = _distances(first, second)
    wanted = _distances(coarser_first, coarser_second)
    return (wanted / wanted.max().clamp(min=SMALLEST_SCALE) - distances).square().mean()


def _distances(first: Tensor, second: Tensor) -> Tensor:
    # at distance 0 the gradient of cdist is 0, that of a square root is not finite
    return torch.cdist(first.flatten(1), second.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
