"""With labels of some training frames: eMargin and InfoNCE with a semi-supervised term, and supervised training."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Sequences
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.fields import Field
from emargin.losses.emargin import _emargin_released as emargin_released
from emargin.losses.emargin import _info_nce as info_nce
from emargin.methods.repair import Repair
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels


class Labelled(Repair):
    """A linear head on the encoder, and a share of the labelled training frames of each class to train it with.

    The share is drawn before the first step, at least a frame of each class. Each step draws as many of these frames as
    its batch has, every class equally likely, with replacement. With the cross-entropy CE of the head on them:

        L = contrast(unlabelled batch) + w CE

    The head takes no part in the evaluation.

    An encoder that sees neighbours gets whole sequences: see `of_sequences`.
    """

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.head = nn.Linear(EMBEDDING, len(settings_of(experiment.dataset).draw))

    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        """Draw the labelled frames.

        Raises
        ------
        InputError
            Where no frame has a label, or a label is beyond the data set's classes.
        """
        covered = train.indices().unique()  # the table may hold frames of the test side, too
        labels = train.labels[covered]
        if not (labels >= 0).any() or labels.max() >= self.head.out_features:
            raise InputError(
                f"{self.title} needs labelled training frames",
                found=labels.unique().tolist(),
                wanted=f"labels from 0 to {self.head.out_features - 1}",
            )
        self.table, self.classes, self.rows = train.frames, labels[labels >= 0].unique(), []
        for label in self.classes:
            rows = covered[labels == label]
            n = max(1, round(self.experiment.label_share * len(rows)))
            self.rows.append(rows[torch.randperm(len(rows), generator=generator)[:n]])
        if self.experiment.encoder is not None:
            self.sequences = train

    def drawn(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n labelled frames.

        Parameters
        ----------
        n : int
        generator : torch.Generator

        Returns
        -------
        frames : Tensor
            `(n, D)`.
        classes : Tensor
            Int64 `(n,)`.
        """
        sizes = torch.tensor([len(rows) for rows in self.rows])
        kind = torch.randint(len(sizes), (n,), generator=generator)
        place = (torch.rand(n, generator=generator) * sizes[kind]).long().clamp(max=sizes[kind] - 1)
        row = torch.cat(self.rows)[(sizes.cumsum(0) - sizes)[kind] + place]
        return self.table[row], self.classes[kind]

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if self.experiment.encoder is not None:
            supervised, contrast = of_sequences(self, batch, generator), self.contrast(self.encoder(batch), batch)
            return contrast + self.experiment.weight * supervised, {"contrast": contrast, "supervised": supervised}
        frames, classes = self.drawn(batch.shape[0] * batch.shape[1], generator)
        unlabelled = batch.flatten(0, 1)
        embedding = self.encoder(torch.cat([unlabelled, frames.to(batch.device)]))
        supervised = cross_entropy(self.head(embedding[len(unlabelled) :]), classes.to(batch.device))
        contrast = self.contrast(embedding[: len(unlabelled)].view(*batch.shape[:2], -1), batch)
        return contrast + self.experiment.weight * supervised, {"contrast": contrast, "supervised": supervised}

    def contrast(self, embedding: Tensor, batch: Tensor) -> Tensor:
        """Compute what the unlabelled batch adds to the loss, a scalar.

        Parameters
        ----------
        embedding : Tensor
            `(B, T, C)`.
        batch : Tensor
            `(B, T, D)`.
        """
        raise NotImplementedError


def of_sequences(method: Labelled, batch: Tensor, generator: torch.Generator) -> Tensor:
    """Compute the cross-entropy of labelled frames amid their neighbours.

    Each step draws as many labelled frames as a batch has sequences, every class equally likely, and for each of them
    one of the training sequences that hold it. The mean is over all frames of these sequences that are among the
    labelled ones.

    Parameters
    ----------
    method : Labelled
        Prepared.
    batch : Tensor
        `(B, T, D)`, for its size and its device.
    generator : torch.Generator

    Returns
    -------
    Tensor
        A scalar.
    """
    starts, length = method.sequences.starts.sort().values, method.sequences.length
    sizes = torch.tensor([len(rows) for rows in method.rows])
    kind = torch.randint(len(sizes), (len(batch),), generator=generator)
    place = (torch.rand(len(batch), generator=generator) * sizes[kind]).long().clamp(max=sizes[kind] - 1)
    labelled = torch.cat(method.rows)
    frame = labelled[(sizes.cumsum(0) - sizes)[kind] + place]
    first, end = torch.searchsorted(starts, frame - length, right=True), torch.searchsorted(starts, frame, right=True)
    picked = first + (torch.rand(len(batch), generator=generator) * (end - first)).long().clamp(max=end - first - 1)
    rows = starts[picked, None] + torch.arange(length)  # (B, T)
    known, classes = torch.isin(rows, labelled), method.sequences.labels[rows]
    logits = method.head(method.encoder(method.table[rows].to(batch.device)))
    return cross_entropy(logits[known.to(batch.device)], classes[known].to(batch.device))


class EMarginLabels(Labelled):
    """The released eMargin plus w times the cross-entropy of labelled frames."""

    title = "eMargin + labels"
    summary = "the released eMargin, with the cross-entropy of a share of labelled frames"
    fields = {
        "margin": Field(float, default=5.0, above=0, help="m of the margin map"),
        "threshold": Field(
            float, default=0.4, least=-1, most=1, help="theta, the cosine above which frames are similar"
        ),
        "labels": Field(str, default="released", choices=("paper", "released"), help="the rule of the pseudo-labels"),
        "weight": Field(float, default=1.0, above=0, help="of the term that is added"),
        "label_share": Field(float, default=0.05, above=0, most=1, help="of the labelled training frames"),
    }

    def contrast(self, embedding: Tensor, batch: Tensor) -> Tensor:
        experiment = self.experiment
        labels = pseudo_labels(batch.flatten(0, 1), threshold=experiment.threshold, rule=experiment.labels)
        return emargin_released(embedding, labels, temperature=experiment.temperature, margin=experiment.margin)[0]


class InfoNCELabels(Labelled):
    """InfoNCE as released plus w times the cross-entropy: the control that shows what the margin adds to labels."""

    title = "InfoNCE + labels"
    summary = "the released InfoNCE, with the cross-entropy of a share of labelled frames"
    fields = {
        "weight": Field(float, default=1.0, above=0, help="of the term that is added"),
        "label_share": Field(float, default=0.05, above=0, most=1, help="of the labelled training frames"),
    }

    def contrast(self, embedding: Tensor, batch: Tensor) -> Tensor:
        return info_nce(embedding, temperature=self.experiment.temperature, sides=2, scope="flattened")


class Supervised(Labelled):
    """Cross-entropy alone, on as many drawn frames a step as a batch has; the frames of the batch are not used."""

    title = "Supervised"
    summary = "the shared encoder trained with the labels of all training frames"
    fields = {
        "label_share": Field(float, default=1.0, above=0, most=1, help="of the labelled training frames"),
    }

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if self.experiment.encoder is not None:
            return of_sequences(self, batch, generator), {}
        frames, classes = self.drawn(batch.shape[0] * batch.shape[1], generator)
        return cross_entropy(self.head(self.encoder(frames.to(batch.device))), classes.to(batch.device)), {}
