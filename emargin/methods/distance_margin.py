"""Distance margin: the paper's margin map where it came from, on a distance and on the adjacent pair alone."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses.exponent import Exponent
from emargin.losses.log_sums import log_sums
from emargin.methods.repair import Repair, of_three_frames
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels


class DistanceMargin(Repair):
    """InfoNCE within a sequence, whose dissimilar pairs are pushed to a distance m instead of pulled together.

    With S_tk = cos(z_t, z_k), the distance d_t = 1 - S_{t,t+1}, the pseudo-label y_t and anchors t = 0 .. T - 2:

        l_t = (1 - y_t) (-S_{t,t+1}) / tau + y_t max(0, m - d_t)^2 / (2 tau) + log sum_{k not in {t, t+1}} exp(S_tk/tau)

    The contrastive loss that the margin map comes from has a distance where the paper has a similarity. On a distance
    the hinge acts within the margin and rests beyond it. The shared encoder's outputs are not negative, so distances
    are at most 1, and m belongs between 0 and 1.

    References
    ----------
    Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006.
    """

    title = "Distance margin"
    summary = "InfoNCE; neighbours that the threshold calls dissimilar are kept a distance m apart"
    fields = {
        "margin": Field(float, default=0.5, above=0, help="m, the cosine distance that dissimilar neighbours keep"),
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
        lacking = (experiment.margin - (1 - cosines)).clamp(min=0)  # by how much a pair's distance falls short of m
        pair = torch.where(dissimilar, lacking.square() / 2, -cosines)
        value = (negatives[:, :-1] + pair / experiment.temperature).mean()
        return value, {
            "label_share": dissimilar.float().mean(),
            "hinge_share": (dissimilar & (lacking > 0)).float().mean(),
        }
