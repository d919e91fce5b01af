"""What noise in the recordings does to the pseudo-labels, and to what is read after training on them."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from companion.detection import detection
from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Dataset
from emargin.data.loading import load_recordings
from emargin.data.protocols import build
from emargin.data.recordings import RecordingSet
from emargin.evaluation import clustering, collapse, probing
from emargin.evaluation.features import encode_both
from emargin.pseudo_labels import pseudo_labels
from emargin.training import train


def with_noise(recordings: RecordingSet, snr: float) -> RecordingSet:
    """Return recordings with white noise at a signal-to-noise ratio in dB, channel by channel; infinity: as they are.

    All ratios get the same draws, of one seed.
    """
    if np.isinf(snr):
        return recordings
    generator = np.random.default_rng(0)

    def noisy(values: np.ndarray) -> np.ndarray:
        deviation = values.std(0) * 10 ** (-snr / 20)
        return (values + deviation * generator.standard_normal(values.shape)).astype(np.float32)

    return replace(
        recordings, recordings=tuple(replace(one, values=noisy(one.values)) for one in recordings.recordings)
    )


def noisy_sets(experiment: Experiment, ratios: Iterable[float]) -> dict[float, Dataset]:
    """Return the data of an experiment by signal-to-noise ratio, its sequences side by side, without an overlap."""
    recordings, checksum = load_recordings(experiment)
    apart = replace(experiment, stride=experiment.sequence_length)
    settings = settings_of(experiment.dataset)
    return {snr: build(with_noise(recordings, snr), settings, apart, checksum) for snr in ratios}


def flips(sets: dict[float, Dataset], threshold: float) -> pd.DataFrame:
    """Compare the training side's pseudo-labels with those without noise: a row a signal-to-noise ratio.

    Columns: the share that noise changes, the shares of label 1 with and without noise, and as a detector of changes of
    class, within one pair, its precision and the base rate.
    """
    labels, found = {}, {}
    for snr, one in sets.items():
        labels[snr] = pseudo_labels(one.train.batch(slice(None)), threshold=threshold)
    clean, side = labels[np.inf], sets[np.inf].train
    classes = side.labels[side.indices()]
    for snr, own in labels.items():
        marks = detection(own, classes, tolerance=1)
        found[snr] = {
            "flipped": (own != clean).float().mean().item(),
            "label 1": marks["share"],
            "label 1 without noise": clean.float().mean().item(),
            "precision": marks["precision"],
            "base": marks["base"],
        }
    return pd.DataFrame(found).T.rename_axis("snr")


def after_training(experiment: Experiment, data: Dataset, iterations: int = 10) -> dict[str, float]:
    """Return the effective rank and what the converged probe reads after a short training."""
    method, _ = train(replace(experiment, iterations=iterations), data, progress=False)
    train_side, test_side = encode_both(method, data)
    embedding, _ = clustering.draw(test_side, data.draw, data.classes)
    probe = probing.further_probes(train_side, test_side, seed=experiment.seed, rows=20)["converged"]
    return {
        "rank": collapse.participation_ratio(torch.from_numpy(embedding)),
        "converged probe": probe["balanced_accuracy"],
    }
