"""InfoNCE + eMargin (the paper's section 3)."""

import torch
from torch import Tensor

from emargin.fields import Field
from emargin.losses.emargin import _emargin_loss as emargin_loss
from emargin.losses.emargin import _emargin_released as emargin_released
from emargin.methods.base import Method
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels


class EMargin(Method):
    """InfoNCE with the margin map phi on its similarities, S_tk = cos(z_t, z_k).

    Fidelity "original" is the paper's formula,

        l_t = -M_{t,t+1} / tau + log sum_{k not in {t, t+1}} exp(M_tk / tau),   M = phi(S, y)
        phi(s, y) = (1 - y) s^2 / 2 + y max(0, m - s)^2 / 2

    The paper defines a label y_t for each adjacent pair, but the sum needs M_tk for every k. So there are three
    readings: "anchor" takes y_t for the whole row t; "pair" maps the positive alone and leaves the rest at S;
    "all-pairs" labels every pair of frames by the cosine of their inputs.

    Fidelity "released" is what the released code computes, `emargin.losses.emargin_released`.

    Pseudo-labels come from the input frames, by the rule that `labels` names. On a flattened batch the last frame of a
    sequence is compared with the first of the next.

    References
    ----------
    Shamba, Bach and Taylor, "eMargin: Revisiting Contrastive Learning with Margin-Based Separation", 2025
    (arXiv 2507.14828), section 3 and algorithm 1.
    """

    title = "InfoNCE + eMargin"
    summary = "InfoNCE with the margin map on the similarities of adjacent or of all frames"
    fields = {
        "reading": Field(
            str,
            default={"original": "anchor"},
            choices=("anchor", "pair", "all-pairs"),
            help="where the paper's formula has the margin map",
        ),
        "labels": Field(
            str,
            default={"released": "released", "original": "paper"},
            choices=("paper", "released"),
            help="the rule of the pseudo-labels",
        ),
        "margin": Field(float, default=5.0, above=0, help="m of the margin map"),
        "threshold": Field(
            float, default=0.4, least=-1, most=1, help="theta, the cosine above which frames are similar"
        ),
        "sides": Field(
            int,
            default={"released": 2, "original": 1},
            choices={"released": (1, 2), "original": (1,)},
            help="neighbours to contrast with: the next, or both",
        ),
        "scope": Field(
            str,
            default={"released": "flattened", "original": "sequence"},
            choices={"released": ("flattened",), "original": ("sequence", "flattened")},
            help="what a frame is contrasted with: its sequence or the flattened batch",
        ),
    }

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        experiment = self.experiment
        frames = batch if experiment.scope == "sequence" else batch.flatten(0, 1)
        labels = pseudo_labels(frames, threshold=experiment.threshold, rule=experiment.labels)
        embedding = self.encoder(batch)
        measurements = {"label_share": labels.float().mean()}
        if experiment.fidelity == "released":
            value, share = emargin_released(
                embedding, labels, temperature=experiment.temperature, margin=experiment.margin, sides=experiment.sides
            )
            return value, measurements | {"nonpositive_share": share}
        value = emargin_loss(
            embedding,
            labels,
            temperature=experiment.temperature,
            margin=experiment.margin,
            reading=experiment.reading,
            scope=experiment.scope,
            frames=batch,
            threshold=experiment.threshold,
        )
        return value, measurements
