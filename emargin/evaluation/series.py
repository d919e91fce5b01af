"""Score an encoder on the UCR archive, where a whole series has a class: embeddings are pooled over time first.

A row "series_silhouette" is for series what "silhouette" is for frames: the same protocol, on the mean embedding of
each series.
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
    """Take the mean over the T frames of each sequence.

    Parameters
    ----------
    features : Features

    Returns
    -------
    Features
        embedding `(S, 1, C)`, labels and frame `(S, 1)`.

    Raises
    ------
    InputError
        Where a sequence has frames of several classes.
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
    """Score clustering, collapse and probes on the pooled series of the test side.

    All test series are clustered: a class has no nominal number of them.

    Parameters
    ----------
    experiment : Experiment
    method : Method
    dataset : Dataset
    device : torch.device or str
        Where the method is.

    Returns
    -------
    list of dict
        A tidy row for each metric.
    """
    train, test = (pooled(side) for side in encode_both(method, dataset, device))
    embedding, truth = (part.numpy() for part in test.flat())
    n_classes = len(dataset.classes)
    values = clustering.cluster(embedding, truth, n_classes)
    values["participation_ratio"] = collapse.participation_ratio(torch.from_numpy(embedding))
    values |= probing.linear_probe(
        train, test, n_classes, batch_size=experiment.batch_size, seed=experiment.seed, drop_last=False
    )
    for probe, scored in probing.further_probes(train, test, seed=experiment.seed).items():
        values |= {f"{probe}_{metric}": value for metric, value in scored.items()}
    return [results.tidy(experiment, f"{PREFIX}{metric}", value, len(truth)) for metric, value in values.items()]
