"""Experiments on the UCR archive, whose series have one class each: embeddings are pooled over time before scoring.

A row "series_silhouette" is to series what "silhouette" is to frames: the same protocol on one mean embedding each.
"""

import torch

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.evaluation import clustering, collapse, probing
from emargin.evaluation.features import Features, encode_both
from emargin.methods import Method

PREFIX = "series_"


def pooled(features: Features) -> Features:
    """Mean over the T frames of each sequence: embedding `(S, 1, C)`, labels and frame `(S, 1)`.

    Raises InputError where a sequence has frames of several classes.
    """
    labels = features.labels[:, :1]
    mixed = (features.labels != labels).any(1)
    if mixed.any():
        raise InputError(
            "sequences of several classes cannot be pooled",
            found=f"{int(mixed.sum())} of {len(labels)}",
            wanted="one class a series, as in the UCR archive",
        )
    return Features(features.embedding.mean(1, keepdim=True), labels, torch.arange(len(labels))[:, None])


def scores(experiment: Experiment, method: Method, dataset: Dataset, device: torch.device | str = "cpu") -> list[dict]:
    """Tidy rows of the clustering, the collapse and the probes, on the pooled series of the test side.

    All test series are clustered: there is no nominal number a class.
    """
    train, test = (pooled(side) for side in encode_both(method, dataset, device))
    embedding, truth = (one.numpy() for one in test.flat())
    n_classes = len(dataset.classes)
    values = clustering.cluster(embedding, truth, n_classes)
    values["participation_ratio"] = collapse.participation_ratio(torch.from_numpy(embedding))
    values |= probing.linear_probe(
        train, test, n_classes, batch_size=experiment.batch_size, seed=experiment.seed, drop_last=False
    )
    for probe, found in probing.further_probes(train, test, seed=experiment.seed).items():
        values |= {f"{probe}_{metric}": value for metric, value in found.items()}
    return [results.tidy(experiment, f"{PREFIX}{metric}", value, len(truth)) for metric, value in values.items()]
