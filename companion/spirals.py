"""What the two pages on spirals compute: an embedding beside its line, and what made it one."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from companion.grid.store import Store
from companion.labels import label
from companion.statistics import curves
from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Dataset
from emargin.data.protocols import test_subjects_of, within_recordings
from emargin.data.recordings import RecordingSet
from emargin.evaluation import collapse
from emargin.evaluation.features import Features
from emargin.optimiser import AdamW
from emargin.resolve import Resolved
from emargin.training import build

SCORES = {"silhouette": "silhouette", "davies_bouldin": "Davies-Bouldin"}
BESIDE = [
    "rank",
    *(title + line for title in SCORES.values() for line in ("", ", line")),
    "agreement",
    "NMI, line",
]
GOOD, MANY = 0.5, 3  # a high silhouette, and more directions than a line has


def beside_its_line(embedding: np.ndarray, labels: np.ndarray, k: int) -> dict[str, float]:
    """Return both scores of an embedding, and those of the positions on its leading direction alone.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        Classes `(n,)`.
    k : int
        Clusters.

    Returns
    -------
    dict of str to float
        "rank", the effective rank; "silhouette", "Davies-Bouldin", and the same followed by ", line"; "agreement", the
        adjusted Rand index of the clusters with and without all other directions; "NMI, line" with the classes.
    """
    whole, line = curves.whole_and_line(embedding, labels, k)
    found = {"rank": collapse.participation_ratio(torch.from_numpy(embedding))}
    for score, title in SCORES.items():
        found |= {title: whole[score], f"{title}, line": line[score]}
    return found | {"agreement": whole["ari"], "NMI, line": line["nmi"]}


def kept_beside_lines(store: Store, cells: Iterable[Experiment], names: Iterable[str]) -> pd.DataFrame:
    """Return `beside_its_line` of the cells of these names whose principal components a store keeps.

    Parameters
    ----------
    store : Store
        It keeps the first 16 principal components of up to 300 test frames for some cells.
    cells : iterable of Experiment
        Those to look at.
    names : iterable of str
        As `label` gives them.

    Returns
    -------
    DataFrame
        A line a cell, index (dataset, name); without any if the store keeps none of them.
    """
    kept, chosen = store.arrays_of_cells(["components", "component_labels"]), set(names)
    found = {}
    for cell in cells:
        if label(cell) in chosen and cell.digest in kept:
            labels = kept[cell.digest]["component_labels"]
            embedding = kept[cell.digest]["components"].astype(np.float32)
            found[cell.dataset, label(cell)] = beside_its_line(embedding, labels, len(np.unique(labels)))
    index = pd.MultiIndex.from_tuples(list(found), names=["dataset", "name"])
    return pd.DataFrame(list(found.values()), index, columns=BESIDE)


def counted(scores: pd.DataFrame) -> pd.Series:
    """Return what runs say about silhouette, effective rank and NMI: how many score well, and rank correlations.

    scores: a line a run, with the columns silhouette, participation_ratio and nmi.
    """
    high = scores[scores.silhouette >= GOOD]
    return pd.Series(
        {
            "runs": len(scores),
            f"silhouette ≥ {GOOD}": len(high),
            f"of these, rank ≥ {MANY}": int((high.participation_ratio >= MANY).sum()),
            "ρ with rank": spearmanr(scores.silhouette, scores.participation_ratio).statistic,
            "ρ with NMI": spearmanr(scores.silhouette, scores.nmi).statistic,
        }
    )


def good_without_a_line(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a high silhouette and more directions than a line has."""
    return scores[(scores.silhouette >= GOOD) & (scores.participation_ratio >= MANY)]


def without_batchnorm(experiment: Resolved, data: Dataset, steps: int, every: int = 10) -> pd.DataFrame:
    """Train a method whose encoder has no BatchNorm, and return how its embedding collapses.

    Parameters
    ----------
    experiment : Resolved
        Method and settings.
    data : Dataset
    steps : int
    every : int
        The batch of the first step and of each such one is measured, before the step.

    Returns
    -------
    DataFrame
        Columns step, participation_ratio and mean_cosine, as in the curve of `train`.
    """
    bare = build(experiment, data.n_features)
    for number, layer in enumerate(bare.encoder.blocks):
        if isinstance(layer, torch.nn.BatchNorm1d):
            bare.encoder.blocks[number] = torch.nn.Identity()
    optimiser = AdamW(bare.parameters(), learning_rate=experiment.learning_rate, weight_decay=experiment.weight_decay)
    order = torch.Generator().manual_seed(experiment.seed)
    found = []
    for step in range(1, steps + 1):
        batch = data.train.batch(torch.randperm(len(data.train), generator=order)[: experiment.batch_size])
        if step == 1 or step % every == 0:
            with torch.no_grad():
                rows = bare.encode(batch).flatten(0, 1)
            found.append((step, collapse.participation_ratio(rows), collapse.mean_cosine(rows)))
        loss, _ = bare.loss(batch, order)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return pd.DataFrame(found, columns=["step", "participation_ratio", "mean_cosine"])


def frame_properties(
    recordings: RecordingSet, experiment: Resolved, data: Dataset
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what can be said of each test frame without an encoder, and the number of its recording.

    Parameters
    ----------
    recordings : RecordingSet
        What `data` was made from.
    experiment : Resolved
        Of protocol "original".
    data : Dataset

    Returns
    -------
    properties : dict of str to ndarray
        By name, `(F,)`: the logarithm of the energy of a frame before standardisation, in the whole band and in its
        halves; its mean frequency; the mean of its features as the encoder gets them; the time, 0 to 1.
    recording : ndarray
        `(F,)`.
    """
    tested = test_subjects_of(recordings, settings_of(experiment.dataset), experiment.fold)
    sides = [within_recordings([one], recordings, experiment) for one in recordings.recordings if one.subject in tested]
    raw = torch.cat([side.frames for side in sides]).double().numpy()
    bins = data.n_features if experiment.n_fft is None else experiment.n_fft // 2 + 1  # of one channel
    frequency = np.arange(data.n_features) % bins / (bins - 1)  # as a share of the highest
    high, energy = frequency > 0.5, raw**2
    lengths = [len(side.frames) for side in sides]
    properties = {
        "log energy": np.log(energy.sum(1)),
        "log energy, lower half of the band": np.log(energy[:, ~high].sum(1)),
        "log energy, upper half of the band": np.log(energy[:, high].sum(1)),
        "mean frequency": raw @ frequency / raw.sum(1),
        "mean standardised magnitude": data.test.frames.numpy().mean(1),
        "time in the recording": np.concatenate([np.linspace(0, 1, length) for length in lengths]),
    }
    return properties, np.repeat(np.arange(len(sides)), lengths)


def position_alone(sides: tuple[Features, Features]) -> tuple[Features, Features]:
    """Return both sides with one number a frame: its position on the leading direction of the training side."""
    mean, direction, _ = curves.leading_direction(sides[0].flat()[0].numpy())
    middle, along = torch.from_numpy(mean).float(), torch.from_numpy(direction).float()
    train, test = (Features(((side.embedding - middle) @ along)[..., None], side.labels, side.frame) for side in sides)
    return train, test
