"""Run an experiment: data, training, scores, files. No notebook needed."""

import json
import signal
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.effects import without_effect
from emargin.encoder_files import read_encoder, write_encoder
from emargin.errors import InputError, unreadable
from emargin.evaluation.needs import remarks_on
from emargin.evaluation.scoring import score, timed
from emargin.files import clear, short
from emargin.methods import Method
from emargin.resolve import resolve, resolving
from emargin.stages import MAP_NAME, metrics_of
from emargin.threads import THREADS, limited
from emargin.training import default_device, device_of, stops_call, train


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gives.

    rows: tidy results. provenance: where they come from. curve: loss and diagnostics over steps.
    drawn: the clustering draw, embeddings `(n, C)` and labels `(n,)`; None where frames were not clustered. method: in
    evaluation mode.
    arrays: the tables of `evaluation.per_subject`, where people are told apart; with `maps` also "map" `(m, 2)`, a
    t-SNE map of frames spread evenly over the draw, "components" `(m', 16)`, principal components of fewer of them,
    and their classes, "map_labels" and "component_labels".
    """

    experiment: Experiment
    dataset: Dataset
    method: Method
    curve: pd.DataFrame
    rows: pd.DataFrame
    provenance: dict
    drawn: tuple[np.ndarray, np.ndarray] | None
    arrays: dict[str, np.ndarray]

    def __getitem__(self, metric: str) -> float:
        """Return the value of one metric."""
        return float(self.rows.set_index("metric").value[metric])


@stops_call(signal.default_int_handler)  # until training, and after it
def run(
    experiment: Experiment,
    *,
    dataset: Dataset | None = None,
    device: torch.device | str | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
    metrics: Collection[str] | None = None,
    maps: bool = False,
    threads: int = THREADS,
) -> Result:
    """Train, cluster, probe: frame by frame, or, for a set of the UCR archive, on one embedding a series.

    Parameters
    ----------
    experiment
        What to run. Warnings name what is asked for and has no effect.
    dataset
        The experiment's data, if they are loaded already.
    device
        CUDA where there is one, unless named.
    folder
        Where to write `encoder.pt`, `curve.csv`, `arrays.npz`, `provenance.json` and, last, `rows.csv`; nothing is
        written without it. An interrupted run leaves `resume.pt` there and goes on from it, unless code or data have
        changed; a finished one deletes it. An encoder there that the same code trained on the same data is not trained
        again. What is not gone on from is said on stderr. SIGTERM and SIGHUP interrupt as Ctrl-C does.
    progress
        Show a bar while it trains.
    metrics
        Names of `emargin.stages.METRICS`; those that no grid has to itself unless named. What the data do not allow is
        said before the training, and leaves rows without a value, with the reason as their note.
    maps
        Draw a t-SNE map of frames, too. Series have none.
    threads
        How many to compute with, see `emargin.threads`; the process has as many as before when it is done.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        A side of the data has fewer sequences than a batch; the folder cannot be written to, or holds what another
        experiment or other data gave; the data cannot be used.
    MissingData
        Real recordings are asked for and not there.
    NonFiniteGradient
        The training met a gradient that is not finite.
    Unwritable
        The disk is full. The last checkpoint is kept.
    """
    asked, experiment = experiment, resolve(experiment)
    for remark in without_effect(asked):
        warnings.warn(remark, stacklevel=3)  # above `stops_call`
    device = default_device() if device is None else device_of(device)
    digest = experiment.digest
    folder = None if folder is None else results.writable_folder(Path(folder))
    if folder is not None:
        clear(folder)
        check_free(folder, experiment)
    seconds: dict[str, float] = {}
    wanted = [*(metrics_of() if metrics is None else metrics), *[MAP_NAME] * maps]
    with limited(threads):
        with timed(seconds, "data"):
            dataset = dataset or load(experiment)
        if experiment.digest != digest:
            what = f"the recordings in {experiment.dataset} changed while they were read"
            raise InputError(what, todo="run it again")
        check_sequences(experiment, dataset)
        if folder is not None:
            check_free(folder, experiment, dataset.checksum)
        for remark in remarks_on(experiment, dataset, wanted):
            warnings.warn(remark, stacklevel=3)
        with timed(seconds, "train"):
            method, curve = _trained(experiment, dataset, device, folder, progress)
        scored = score(experiment, method, dataset, device, metrics=metrics, maps=maps)
        record = results.provenance(experiment, dataset, device, seconds | scored.seconds, metrics=metrics, maps=maps)
    rows = results.table(scored.rows).assign(digest=digest)  # of what was read, whatever has become of it
    result = Result(experiment, dataset, method, curve, rows, record, scored.drawn, scored.arrays)
    if folder is not None:
        check_free(folder, experiment, dataset.checksum)  # another run may have ended there meanwhile
        results.write_cell(folder, rows, record, scored.arrays)
    return result


def check_sequences(experiment: Experiment, dataset: Dataset) -> None:
    """Raise InputError where a side has fewer sequences than the batches that training or its probe take from it."""
    sides = {"training": dataset.train}
    if experiment.protocol == "released":  # which drops the last batch of the test side, too
        sides["test"] = dataset.test
    for name, side in sides.items():
        if len(side) < experiment.batch_size:
            what, number = f"data set {dataset.name}: fewer sequences than a batch", f"{len(side)} on the {name} side"
            wanted = f"at least batch_size = {experiment.batch_size}"
            todo = "shorten sequence_length, or lower batch_size"
            raise InputError(what, found=number, wanted=wanted, todo=todo)


def check_free(folder: Path, experiment: Experiment, data: str | None = None) -> None:
    """Raise InputError where a folder has results of another experiment, or of data with another checksum."""
    if not (folder / "rows.csv").exists():
        return
    what = f"results would be overwritten: those in {folder} are of"
    todo, name = "name another folder with --out, or delete this one", f"{experiment.dataset} with checksum"
    for row in results.read_rows(folder / "rows.csv").itertuples():
        if row.digest != experiment.digest:
            theirs = f"{row.dataset}, {row.method} {row.fidelity}, seed {row.seed}, digest {row.digest}"
            ours = f"{experiment}, digest {experiment.digest}"
            raise InputError(f"{what} another experiment", found=theirs, wanted=ours, todo=todo)
    try:
        theirs = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise unreadable(f"{folder / 'provenance.json'}: damaged", error, "the record of the results", todo) from error
    if data not in (None, theirs):
        raise InputError(f"{what} other data", found=f"{name} {theirs}", wanted=f"{name} {data}", todo=todo)


@resolving
def default_folder(experiment: Experiment, root: Path | None = None) -> Path:
    """Return `runs/DATASET-METHOD-FIDELITY-seedN-DIGEST` in the working directory, or below another `root` than `runs`.

    Of a method that goes by its place, "package.module:Class", the class alone; of long names the start.
    """
    entry, method = entry_of(experiment.dataset), experiment.method.rpartition(":")[2]
    data = entry.folder.resolve().name if entry.is_folder else experiment.dataset
    name = f"{short(data)}-{short(method)}-{experiment.fidelity}-seed{experiment.seed}-{experiment.digest[:8]}"
    return (root or Path.cwd() / "runs") / name


def _trained(
    experiment: Experiment, dataset: Dataset, device: torch.device, folder: Path | None, progress: bool
) -> tuple[Method, pd.DataFrame]:
    """Return the method and its curve: from the folder, or else trained and put there."""
    if folder and (kept := read_encoder(folder, experiment, dataset, device)):
        return kept
    checkpoint = folder / "resume.pt" if folder else None
    method, curve = train(experiment, dataset, device=device, checkpoint=checkpoint, progress=progress)
    if folder:
        write_encoder(folder, experiment, dataset, method, curve)
    return method, pd.DataFrame(curve)
