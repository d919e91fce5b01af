"""InfoNCE with adjacent frames as positives (the paper's equation 1)."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses.emargin import _info_nce as info_nce
from emargin.methods.base import Method


class InfoNCE(Method):
    """Adjacent frames attract, all others repel; the positive is not in the denominator.

    With S_tk = cos(z_t, z_k):

        l_t = -S_{t,t+1} / tau + log sum_{k not in {t, t+1}} exp(S_tk / tau)

    Fidelity "original" has this one side, within each sequence. "released" has both neighbours as positives, on the
    flattened batch, see `emargin.losses.info_nce`.

    The paper's tables have no such row. It is the control that decides whether the margin does anything.

    References
    ----------
    The paper's equation 1 (arXiv 2507.14828); van den Oord, Li and Vinyals, "Representation Learning with Contrastive
    Predictive Coding", 2018 (arXiv 1807.03748).
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
