"""The dial: change the size of an embedding's directions, leave what can be read linearly, and score it again.

With mu the mean and v the leading principal direction of the training frames, an embedding z becomes

    z' = mu + a v v'(z - mu) + c (1 - v v')(z - mu).

The map is affine and, for a and c above 0, invertible: a linear classifier on z' is a linear classifier on z. So what
the scores do along the dial says what they measure, and what a probe does says how far its training reaches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.evaluation import chosen, clustering, collapse, frames, probing
from emargin.evaluation.features import Features, Scored

SHRUNK = tuple(Fraction(1, 2**power) for power in range(7))  # c, at a = 1; the first leaves all as it is
RAISED = (Fraction(4), Fraction(16), Fraction(64))  # c, at a = 1
STRETCHED = (Fraction(4), Fraction(16))  # a, at c = 1
LONGER = 4  # times as many epochs, for a probe that reaches further
CLUSTERS = ("silhouette", "davies_bouldin", "nmi", "participation_ratio")


@dataclass(frozen=True, eq=False)
class Axis:
    """Mean `(C,)` and leading principal direction `(C,)`, of length 1, of frames; float64."""

    mean: Tensor
    direction: Tensor

    def turn(self, features: Features, along: float, beside: float) -> Features:
        """Return features with the coordinate along the axis times `along`, and all beside it times `beside`."""
        embedding = np.empty(features.embedding.shape, np.float32)
        for sequence, kept in zip(features.embedding, embedding, strict=True):
            centred = sequence.double() - self.mean
            part = torch.outer(centred @ self.direction, self.direction)
            kept[:] = self.mean + along * part + beside * (centred - part)
        return Features(torch.from_numpy(embedding), features.labels, features.frame)

    def beside(self, embedding: Tensor) -> Tensor:
        """Return what embeddings `(n, C)` have beside the axis, in float64."""
        centred = embedding.double() - self.mean
        return centred - torch.outer(centred @ self.direction, self.direction)


def axis_of(features: Features) -> Axis:
    """Return the mean and the leading principal direction of labelled frames."""
    embedding = features.flat()[0].double()
    mean = embedding.mean(0)
    direction = torch.linalg.eigh((embedding - mean).mT @ (embedding - mean))[1][:, -1]
    return Axis(mean, direction * direction.sum().sign())


def settings() -> Iterator[tuple[str, Fraction, Fraction]]:
    """Yield name, a and c of each setting of the dial."""
    for beside in (*SHRUNK, *RAISED):
        yield f"beside_{beside}", Fraction(1), beside
    for along in STRETCHED:
        yield f"along_{along}", along, Fraction(1)


def score_dial(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the embedding at each setting of the dial.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    train, test : Features
        Of the two sides of the data set.

    Returns
    -------
    rows : dict of str to tuple
        Value and n. "dial_SETTING_SCORE", where SETTING is of `settings` and SCORE "silhouette", "davies_bouldin",
        "nmi", "participation_ratio", or the balanced accuracy of a probe: "probe", the paper's; "longer", the same with
        `LONGER` times as many epochs; "whitened", the same on whitened features; "certified", logistic regression at
        its optimum for C = 1, of at most `chosen.CHOOSING_ROWS` frames a class. "dial_coordinate_SCORE": of clusters in
        the coordinate along the axis alone, the limit for c towards 0. "dial_reach": see `reach`.
    arrays : dict of str to ndarray
        Where the data set names people, "dial_probe" and "dial_certified": the frames of each by true and predicted
        class, int `(settings, people, classes, classes)`, in the order of `settings`.
    """
    axis, rows, people = axis_of(train), dict[str, tuple](), dict[str, list[np.ndarray]](probe=[], certified=[])
    for name, along, beside in settings():
        sides = tuple(axis.turn(side, float(along), float(beside)) for side in (train, test))
        values = _clusters(experiment, dataset, sides[1])
        for probe, (scored, predicted) in _predictions(experiment, dataset, *sides).items():
            truth = test.labels.flatten().numpy()[scored]
            values[probe] = probing.scores(truth, predicted)["balanced_accuracy"], len(scored)
            if probe in people:
                people[probe] += frames.people_tables(dataset, test, scored, predicted, probe).values()
        rows |= {f"dial_{name}_{score}": value for score, value in values.items()}
    values = _clusters(experiment, dataset, axis.turn(test, 1.0, 0.0))
    rows |= {f"dial_coordinate_{score}": value for score, value in values.items()}
    rows["dial_reach"] = reach(experiment, axis, train), len(train.flat()[1])
    return rows, {f"dial_{probe}": np.stack(tables) for probe, tables in people.items() if tables}


def reach(experiment: Experiment, axis: Axis, train: Features) -> float:
    """Return how far the paper's probe can move a logit by what lies beside the axis, in logits.

    A step of Adam moves a weight by about its rate, up to 7.3 times that where gradients grow from step to step. Steps
    of the rate, n of them and all of one sign, move the logit of a frame by

        rate n |(1 - v v')(z - mu)|_1

    This is the mean over the training frames. At c it is c times as much.

    Parameters
    ----------
    experiment : Experiment
    axis : Axis
        Of the training frames.
    train : Features
        Of the training side.
    """
    steps = probing.EPOCHS * (len(train.embedding) // experiment.batch_size)
    return probing.LEARNING_RATE * steps * axis.beside(train.flat()[0]).abs().sum(1).mean().item()


def _clusters(experiment: Experiment, dataset: Dataset, test: Features) -> dict[str, tuple]:
    """Score clusters of the draw of the test side, and say how many directions it keeps."""
    embedding, labels, _ = frames.drawn(experiment, dataset, test)
    values = clustering.cluster(embedding, labels, len(dataset.classes))
    values["participation_ratio"] = collapse.participation_ratio(torch.from_numpy(embedding))
    return {name: (values[name], len(labels)) for name in CLUSTERS}


def _predictions(
    experiment: Experiment, dataset: Dataset, train: Features, test: Features
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by probe which of the `S T` test frames are scored, and the class predicted for each."""
    whitened = chosen.whitening(train.flat()[0].numpy())
    repeated = Features(*(part.repeat(LONGER, 1, *[1] * (part.ndim - 2)) for part in vars(train).values()))
    sides = {
        "probe": (train, test),
        "longer": (repeated, test),  # an epoch of data that are there four times is four epochs
        "whitened": (_mapped(train, whitened), _mapped(test, whitened)),
    }
    predictions = {
        name: probing.linear_predictions(
            *pair, len(dataset.classes), batch_size=experiment.batch_size, seed=experiment.seed, drop_last=False
        )
        for name, pair in sides.items()
    }
    x, y = probing.balanced_rows(*train.flat(), chosen.CHOOSING_ROWS)
    predicted = chosen.fixed(x, y, seed=experiment.seed).predict(test.flat()[0].numpy())
    return predictions | {"certified": (test.rows().numpy(), predicted)}


def _mapped(features: Features, function: chosen.Map) -> Features:
    embedding = function(features.embedding.flatten(0, 1).numpy())
    return Features(torch.from_numpy(embedding).unflatten(0, features.frame.shape), features.labels, features.frame)
