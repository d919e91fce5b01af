"""What every method is: built for an experiment, a loss on a batch, an encoding of sequences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from emargin.encoders import FrameEncoder

if TYPE_CHECKING:
    from emargin.config import Experiment
    from emargin.data.dataset import Sequences


class Method(nn.Module):
    """Build, loss, encode; the shared frame encoder unless a method says otherwise.

    title: as in the paper's tables. summary: one line for `emargin methods`. untrained: takes no optimiser step.
    """

    title: str
    summary: str
    untrained = False

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__()
        self.experiment = experiment
        self.encoder = FrameEncoder(n_features)

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise on a batch `(B, T, D)`, and measurements to log. Draws use `generator` (CPU)."""
        raise NotImplementedError(f"{self.title} is not trained")

    def encode(self, sequences: Tensor) -> Tensor:
        """`(B, T, D)` -> `(B, T, C)`, called in evaluation mode."""
        return self.encoder(sequences)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """What the optimiser holds."""
        return self.parameters()

    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        """Called once before the first step."""

    def after_step(self) -> None:
        """Called after each optimiser step."""
