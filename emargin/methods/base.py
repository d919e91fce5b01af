"""What every method is: built for an experiment, a loss on a batch, an encoding of sequences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from emargin.encoders import FrameEncoder
from emargin.fields import Field

if TYPE_CHECKING:
    from emargin.config import Experiment
    from emargin.data.dataset import Sequences


class Method(nn.Module):
    """Build, loss, encode; the shared frame encoder unless a method says otherwise.

    title: as in the paper's tables. summary: one line for `emargin methods`. untrained: takes no optimiser step.
    fidelities: in which the method exists. fields: its settings, which an experiment names and which the method reads
    from `self.experiment`. All of these are written out, so that they can be read without running the class.
    """

    title: str
    summary: str
    untrained = False
    fidelities: tuple[str, ...] = ("released", "original")
    fields: dict[str, Field] = {}

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__()
        self.experiment = experiment
        self.encoder: Any = FrameEncoder(n_features)

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
