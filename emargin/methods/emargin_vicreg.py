"""The released eMargin with VICReg's variance and covariance terms: what is left of it when the rank may not fall."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses.cosines import unit_rows
from emargin.losses.emargin import _emargin_released as emargin_released
from emargin.methods.repair import Repair, variance_covariance
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels


class EMarginVICReg(Repair):
    """The released loss plus w (variance + covariance) of the batch's embedding, rows scaled to the length sqrt(C).

    With that length the variances of the C channels add up to at most C. So all channels can have a variance of 1,
    where the variance term becomes zero, but no more than that.

    References
    ----------
    See `emargin.methods.repair.variance_covariance` for the two terms.
    """

    title = "eMargin + VICReg terms"
    summary = "the released eMargin, with a penalty on channels that do not vary or that vary together"
    fields = {
        "margin": Field(float, default=5.0, above=0, help="m of the margin map"),
        "threshold": Field(
            float, default=0.4, least=-1, most=1, help="theta, the cosine above which frames are similar"
        ),
        "labels": Field(str, default="released", choices=("paper", "released"), help="the rule of the pseudo-labels"),
        "weight": Field(float, default=1.0, above=0, help="of the term that is added"),
    }

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        experiment = self.experiment
        labels = pseudo_labels(batch.flatten(0, 1), threshold=experiment.threshold, rule=experiment.labels)
        embedding = self.encoder(batch)
        value, _ = emargin_released(embedding, labels, temperature=experiment.temperature, margin=experiment.margin)
        rows = unit_rows(embedding.flatten(0, 1)) * embedding.shape[-1] ** 0.5
        variance, covariance = variance_covariance(rows)
        return value + experiment.weight * (variance + covariance), {"variance": variance, "covariance": covariance}
