"""TS2Vec: contrast over instances and over time on a hierarchy of time scales."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emargin.augmentations.crops import overlapping_crops, random_window
from emargin.config import Experiment
from emargin.data.dataset import Sequences
from emargin.encoders import MaskedEncoder, frame_mask, fresh_statistics, weight_average
from emargin.losses.hierarchical import _hierarchical as hierarchical
from emargin.methods.base import Method

LONGEST = {"released": 500, "original": 3000}  # frames of a sequence used in a step: released code, TS2Vec's scripts


class TS2Vec(Method):
    """Two crops of each sequence, half of their frames masked; the frames that both have are positives of each other.

    The loss is `emargin.losses.hierarchical.hierarchical`. Both fidelities have the frame encoder behind a masked input
    layer, `MaskedEncoder`, in the place of TS2Vec's dilated encoder.

    Fidelity "original": the overlap of the crops is compared, and embeddings come from the equal-weight mean of all
    iterates. TS2Vec has no BatchNorm. Here that of the mean needs statistics, which are collected after the last step,
    in a pass over the training sequences, masked as in training. Points of the curve before that use the statistics of
    the iterate at hand.

    Fidelity "released": the crops are compared position by position from their first frames on, the shorter crop padded
    with zeros at its end. So a positive pair is not the same frame twice. The last iterate is used.

    References
    ----------
    Yue et al., "TS2Vec: Towards Universal Representation of Time Series", AAAI 2022 (arXiv 2106.10466).
    """

    title = "TS2Vec"
    summary = "two masked crops, contrasted over instances and over time at every time scale"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        if experiment.encoder is None:
            self.encoder = MaskedEncoder(n_features)
        self.released = experiment.fidelity == "released"
        self.average: Any = None if self.released else weight_average(self.encoder)

    def views(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
        """Embed two crops of a batch.

        Parameters
        ----------
        batch : Tensor
            `(B, T, D)`.
        generator : torch.Generator

        Returns
        -------
        first, second : Tensor
            `(B, T1, C)` and `(B, T2, C)`.
        overlap : int
            The number of frames that the crops share.
        """
        frames = random_window(batch, LONGEST[self.experiment.fidelity], generator)
        first, second, overlap = overlapping_crops(frames, generator)
        return (
            self.encoder(first, frame_mask(first, generator)),
            self.encoder(second, frame_mask(second, generator)),
            overlap,
        )

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        first, second, overlap = self.views(batch, generator)
        views = padded(first, second) if self.released else shared(first, second, overlap)
        return hierarchical(*views), {"overlap": torch.tensor(overlap)}

    def encode(self, sequences: Tensor) -> Tensor:
        return self.encoder(sequences) if self.released else self.average(sequences)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters()

    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        self.train_sequences = train

    def after_step(self) -> None:
        if self.released:
            return
        self.average.update_parameters(self.encoder)
        if self.experiment.encoder is not None:  # which has no BatchNorm
            return
        if self.average.n_averaged == self.experiment.iterations + 1:
            self._collect_statistics()

    def _collect_statistics(self) -> None:
        generator = torch.Generator().manual_seed(self.experiment.seed)
        device = next(self.parameters()).device
        with fresh_statistics(self.average):
            for batch in self.train_sequences.in_order(self.experiment.batch_size):
                self.average(batch.to(device), frame_mask(batch, generator).to(device))


def shared(first: Tensor, second: Tensor, overlap: int) -> tuple[Tensor, Tensor]:
    """Return the frames that both crops have: the last of the first view, the first of the second."""
    return first[:, -overlap:], second[:, :overlap]


def padded(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return both views at the length of the longer, with zero vectors at the end of the shorter."""
    length = max(first.shape[1], second.shape[1])
    return (
        functional.pad(first, (0, 0, 0, length - first.shape[1])),
        functional.pad(second, (0, 0, 0, length - second.shape[1])),
    )
