"""InfoNCE with adjacent frames as positives (the paper's equation 1)."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses import info_nce
from emargin.methods.base import Method


class InfoNCE(Method):
    """original: one side, within each sequence. released: two sides, on the flattened batch.

    The paper's tables have no such row; it is the control that decides whether the margin does anything.
    """

    title = "InfoNCE"
    summary = "adjacent frames attract, all others repel: the control without a margin"
    fields = {
        "sides": Field(
            int,
            default={"released": 2, "original": 1},
            choices=(1, 2),
            help="neighbours to contrast with: the next, or both",
        ),
        "scope": Field(
            str,
            default={"released": "flattened", "original": "sequence"},
            choices=("sequence", "flattened"),
            help="what a frame is contrasted with: its sequence or the flattened batch",
        ),
    }

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        experiment = self.experiment
        value = info_nce(
            self.encoder(batch), temperature=experiment.temperature, sides=experiment.sides, scope=experiment.scope
        )
        return value, {}
