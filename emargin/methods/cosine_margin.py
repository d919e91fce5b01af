"""Cosine margin: the margin inside the exponent, with the positive in the denominator."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses.exponent import Exponent
from emargin.losses.log_sums import log_sums
from emargin.methods.repair import Repair, of_three_frames
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels


class CosineMargin(Repair):
    """InfoNCE within a sequence, in which a similar neighbour must be nearer than all other frames by a margin m.

    With S_tk = cos(z_t, z_k), the pseudo-label y_t and anchors t = 0 .. T - 2:

        p_t = S_{t,t+1} - m (1 - y_t)
        l_t = -p_t / tau + log(exp(p_t / tau) + sum_{k not in {t, t+1}} exp(S_tk / tau))

    This is the additive margin of CosFace. The positive has to be in the denominator: without it, as in the paper's
    equation 1, m would add a constant to the loss and nothing to its gradient. A dissimilar neighbour stays a positive
    without a margin.

    References
    ----------
    Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018 (arXiv 1801.09414).
    """

    title = "Cosine margin"
    summary = "InfoNCE; neighbours that the threshold calls similar must lead all others by a cosine of m"
    fields = {
        "margin": Field(float, default=0.2, above=0, help="m, by which the cosine of similar neighbours leads"),
        "threshold": Field(
            float, default=0.4, least=-1, most=1, help="theta, the cosine above which frames are similar"
        ),
        "labels": Field(str, default="paper", choices=("paper", "released"), help="the rule of the pseudo-labels"),
    }

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        experiment = self.experiment
        dissimilar = pseudo_labels(batch, threshold=experiment.threshold, rule=experiment.labels)
        rows = of_three_frames(self.encoder(batch))
        negatives, _, cosines = log_sums(rows, Exponent(1 / experiment.temperature), exclude=(0, 1))
        positive = torch.where(dissimilar, cosines, cosines - experiment.margin) / experiment.temperature
        value = (torch.logaddexp(positive, negatives[:, :-1]) - positive).mean()
        return value, {"label_share": dissimilar.float().mean()}
