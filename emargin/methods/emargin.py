"""InfoNCE + eMargin (the paper's section 3)."""

from emargin.losses import emargin_loss, emargin_released
from emargin.methods.base import Method
from emargin.pseudo_labels import pseudo_labels


class EMargin(Method):
    """original: the paper's formula in one of three readings. released: the computation of the released code.

    Pseudo-labels come from the input frames as the encoder sees them, by the rule that `labels` names; on a flattened
    batch the last frame of a sequence is compared with the first of the next.
    """

    title = "InfoNCE + eMargin"
    summary = "InfoNCE with the margin map on the similarities of adjacent or of all frames"

    def loss(self, batch, generator):
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
