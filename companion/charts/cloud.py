"""Frames of an untrained encoder for the chart of the dial, and the clusters that K-means cuts at each of its settings.

    python -m companion.charts.cloud

It needs the recordings of the sets, embeds them anew, and ends with an error where the clusters do not score what the
rows in `results/dial` say.
"""

import numpy as np
import pandas as pd
import torch

from companion.grid.store import Store
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation import clustering, frames
from emargin.evaluation.dial import SHRUNK, Axis, axis_of
from emargin.evaluation.features import Features, encode_both
from emargin.paths import home
from emargin.resolve import Resolved, resolve
from emargin.training import train

SETS = ("spsw-har", "sleepedf-features")
METHOD, SEED = "random-calibrated", 1
POINTS = 300  # of a set
FILE = home() / "results" / "charts" / "dial_cloud.csv"
CLOSE = 1e-3  # of a silhouette: K-means of another machine may cut a few frames elsewhere


def cloud(axis: Axis, train_side: Features, picked: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Return coordinates `(n, 2)` along the leading and the second principal direction of the training frames.

    With t and u for these coordinates of z, those of the dial's z' are a t and c u: the map is linear, and it scales
    either direction as a whole.

    Parameters
    ----------
    picked : ndarray
        Which rows of `embedding`.
    """
    beside = axis.beside(train_side.flat()[0])
    second = torch.linalg.eigh(beside.mT @ beside)[1][:, -1]
    directions = torch.stack([axis.direction, second * second.sum().sign()], 1)
    return ((torch.from_numpy(embedding[picked]).double() - axis.mean) @ directions).numpy()


def in_order(assignment: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Number clusters by their mean along the axis, so that a cluster keeps its colour from setting to setting."""
    clusters = np.unique(assignment)
    order = clusters[np.argsort([along[assignment == cluster].mean() for cluster in clusters])]
    return np.argsort(order)[np.searchsorted(clusters, assignment)]


def frames_of(experiment: Resolved, dataset: Dataset, sides: tuple[Features, Features], points: int) -> pd.DataFrame:
    """Return a line a frame: class, its two coordinates, and its cluster at each setting of the dial that shrinks.

    Parameters
    ----------
    points : int
        How many of the frames that are clustered, drawn at random.
    """
    axis = axis_of(sides[0])
    embedding, labels, _ = frames.drawn(experiment, dataset, sides[1])
    generator = np.random.default_rng(0)
    picked = np.sort(generator.permutation(len(labels))[:points])
    coordinates = cloud(axis, sides[0], picked, embedding)
    along = ((torch.from_numpy(embedding).double() - axis.mean) @ axis.direction).numpy()
    table = pd.DataFrame(coordinates.round(4), columns=["t", "u"])
    table.insert(0, "class", [dataset.classes[label] for label in labels[picked]])
    for power, factor in enumerate(SHRUNK):
        turned = axis.turn(sides[1], along=1.0, beside=float(factor))
        there = frames.drawn(experiment, dataset, turned)[0]
        assignment = clustering.partition(there, len(dataset.classes))
        table[f"cluster_{power}"] = in_order(assignment, along)[picked]
        table.attrs[power] = clustering.scores(there, labels, assignment)["silhouette"]
    return table


def main() -> None:
    """Write the file."""
    store, tables = Store(home() / "results" / "dial"), []
    for name in SETS:
        experiment = resolve(Experiment(dataset=name, source="real", method=METHOD, seed=SEED))
        dataset = load(experiment)
        method, _ = train(experiment, dataset, progress=False)
        table = frames_of(experiment, dataset, encode_both(method, dataset), POINTS)
        rows = store.rows[store.rows.digest == experiment.digest].set_index("metric").value
        for power, factor in enumerate(SHRUNK):
            known = rows[f"dial_beside_{factor}_silhouette"]
            if abs(known - table.attrs[power]) > CLOSE:
                what = f"{name}: the clusters at c = {factor} do not score what the rows say"
                raise InputError(what, found=f"silhouette {table.attrs[power]:.4f}", wanted=f"{known:.4f}")
        print(f"{name}: silhouettes as in the rows, {len(table)} frames")
        tables.append(table.assign(set=name))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_csv(FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
