"""Run an experiment: data, training, clustering, probing, rows. No notebook needed."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation import clustering, collapse, per_subject, probing
from emargin.evaluation.features import Features, encode_both
from emargin.evaluation.tsne import tsne
from emargin.methods import Method
from emargin.paths import home
from emargin.resolve import resolving
from emargin.stages import code_versions
from emargin.training import build, default_device, load_checkpoint, save_atomically, train

MAP_FRAMES = 1000  # of the draw at most, in a t-SNE map
COMPONENTS, COMPONENT_FRAMES = 16, 300  # kept of an embedding for the book: principal components, frames of the draw


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gives.

    rows: tidy results. provenance: where they come from. curve: loss and diagnostics over steps.
    drawn: the clustering draw, embeddings `(n, C)` and labels `(n,)`. method: in evaluation mode.
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
    drawn: tuple[np.ndarray, np.ndarray]
    arrays: dict[str, np.ndarray]

    def __getitem__(self, metric: str) -> float:
        """The value of one metric."""
        return float(self.rows.set_index("metric").value[metric])


@resolving
def run(
    experiment: Experiment,
    *,
    dataset: Dataset | None = None,
    device: torch.device | str | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
    maps: bool = False,
) -> Result:
    """Train, cluster, probe.

    dataset: the experiment's data if they are loaded already. device: CUDA where there is one, unless named.
    folder: where to write `encoder.pt`, `curve.csv`, `arrays.npz`, `provenance.json` and, last, `rows.csv`; nothing is
    written without it. An interrupted run leaves `resume.pt` there and goes on from it; a finished one deletes it. An
    encoder there that the same code trained on the same data is not trained again.
    maps: draw a t-SNE map, too.
    """
    device = torch.device(device) if device is not None else default_device()
    folder = None if folder is None else results.writable_folder(Path(folder))
    seconds: dict[str, float] = {}
    with _timed(seconds, "data"):
        dataset = dataset or load(experiment)
    with _timed(seconds, "train"):
        method, curve = _trained(experiment, dataset, device, folder, progress)
    with _timed(seconds, "encode"):
        train_features, test_features = encode_both(method, dataset, device)
    with _timed(seconds, "cluster"):
        drawn, rows, arrays = _clustering(experiment, dataset, test_features)
    with _timed(seconds, "probe"):
        scored, tables = _probing(experiment, dataset, train_features, test_features)
    if maps:
        with _timed(seconds, "map"):
            arrays |= _maps(*drawn)
    record = results.provenance(experiment, device, dataset.checksum, seconds, maps=maps)
    result = Result(experiment, dataset, method, curve, results.table(rows + scored), record, drawn, arrays | tables)
    if folder is not None:
        _write(result, folder)
    return result


@resolving
def default_folder(experiment: Experiment) -> Path:
    """`runs/DATASET-METHOD-FIDELITY-seedN-DIGEST` in the checkout, where git ignores it.

    Of a method that goes by its place, "package.module:Class", the class alone.
    """
    parts = (
        Path(experiment.dataset).name,
        experiment.method.rpartition(":")[2],
        experiment.fidelity,
        f"seed{experiment.seed}",
        experiment.digest[:8],
    )
    return home() / "runs" / "-".join(parts)


def _trained(
    experiment: Experiment, dataset: Dataset, device: torch.device, folder: Path | None, progress: bool
) -> tuple[Method, pd.DataFrame]:
    """The method and its curve: from the folder, or else trained and put there."""
    if folder is None:
        method, curve = train(experiment, dataset, device=device, progress=progress)
        return method, pd.DataFrame(curve)
    file, curve_file, resume = folder / "encoder.pt", folder / "curve.csv", folder / "resume.pt"
    code = code_versions(experiment)
    origin = {"data": dataset.checksum, "code": [code["data"], code["train"]]}
    try:
        state = load_checkpoint(file, experiment, device)
        if state["origin"] == origin:
            method = build(experiment, dataset.n_features, device)
            method.load_state_dict(state["method"])
            return method.eval(), pd.read_csv(curve_file)
    except (InputError, KeyError, RuntimeError, OSError, pd.errors.EmptyDataError):
        file.unlink(missing_ok=True)  # of another experiment, or damaged
    method, curve = train(experiment, dataset, device=device, checkpoint=resume, progress=progress)
    curve = pd.DataFrame(curve)
    results.write_text(curve_file, curve.to_csv(index=False))
    save_atomically({"experiment": experiment.to_json(), "origin": origin, "method": method.state_dict()}, file)
    resume.unlink(missing_ok=True)
    return method, curve


def _clustering(experiment: Experiment, dataset: Dataset, test: Features) -> tuple[tuple, list[dict], dict]:
    picked = clustering.draw_rows(test, dataset.draw, dataset.classes, repeats=experiment.protocol == "released")
    embedding, labels = test.embedding.flatten(0, 1)[picked].numpy(), test.labels.flatten()[picked].numpy()
    counts = ", ".join(f"{name} {(labels == label).sum()}" for label, name in enumerate(dataset.classes))
    found = clustering.partition(embedding, len(dataset.classes))
    values = clustering.scores(embedding, labels, found)
    rows = torch.from_numpy(embedding)
    values |= {
        "mean_cosine": collapse.mean_cosine(rows),
        "participation_ratio": collapse.participation_ratio(rows),
        "uniformity": collapse.uniformity(rows),
    }
    tidy = [results.tidy(experiment, metric, value, len(labels), counts) for metric, value in values.items()]
    tidy.append(results.tidy(experiment, "alignment", collapse.alignment(test.embedding), test.labels.numel()))
    arrays = {}
    if dataset.test.subjects is not None:
        subjects, n_subjects = _subjects(dataset, test)
        arrays = per_subject.cluster_tables(
            embedding, labels, found, subjects[picked], n_classes=len(dataset.classes), n_subjects=n_subjects
        )
    return (embedding, labels), tidy, arrays


def _probing(
    experiment: Experiment, dataset: Dataset, train_features: Features, test: Features
) -> tuple[list[dict], dict]:
    labels, rows_a_class = test.labels.flatten().numpy(), probing.QUICK_ROWS if experiment.quick else probing.PROBE_ROWS
    scored, predicted = probing.linear_predictions(
        train_features,
        test,
        len(dataset.classes),
        batch_size=experiment.batch_size,
        seed=experiment.seed,
        drop_last=experiment.protocol == "released",
    )
    predictions = {"probe": (scored, predicted)} | {
        probe: (test.rows().numpy(), predicted)
        for probe, predicted in probing.further_predictions(
            train_features, test, seed=experiment.seed, rows=rows_a_class
        ).items()
    }
    rows, arrays = [], {}
    for probe, (scored, predicted) in predictions.items():
        prefix = per_subject.PROBES.get(probe, f"{probe}_")
        rows += [
            results.tidy(experiment, f"{prefix}{metric}", value, len(scored))
            for metric, value in probing.scores(labels[scored], predicted).items()
        ]
        if probe in per_subject.PROBES and dataset.test.subjects is not None:
            subjects, n_subjects = _subjects(dataset, test)
            arrays[probe] = per_subject.counts(
                (subjects[scored], labels[scored], predicted), (n_subjects, *2 * [len(dataset.classes)])
            )
    return rows, arrays


def _subjects(dataset: Dataset, test: Features) -> tuple[np.ndarray, int]:
    """The person of each of the `S T` test frames, and how many people there are."""
    return dataset.test.subjects[test.frame].flatten().numpy(), int(dataset.test.subjects.max()) + 1


def _maps(embedding: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """A t-SNE map and principal components of frames spread evenly over each class of the draw, which is in the order
    of the recordings; single precision and less, since they are looked at.
    """
    shown, kept = _evenly(labels, MAP_FRAMES), _evenly(labels, COMPONENT_FRAMES)
    components = PCA(min(COMPONENTS, len(kept)), svd_solver="full").fit_transform(embedding[kept])
    return {
        "map": tsne(embedding[shown]).astype(np.float16),
        "map_labels": labels[shown].astype(np.int8),
        "components": components.astype(np.float16),
        "component_labels": labels[kept].astype(np.int8),
    }


def _evenly(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most `most` frames, as many of each class where there are as many."""
    kinds = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = max(1, most // len(kinds))
    return np.concatenate([rows[np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(int)] for rows in kinds])


def _write(result: Result, folder: Path) -> None:
    """The rows come last: where they are, everything is."""
    single = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in result.arrays.items()
    }
    results.write_arrays(folder / "arrays.npz", single)
    results.write_text(folder / "provenance.json", json.dumps(result.provenance, indent=1))
    results.write_text(folder / "rows.csv", results.rows_to_csv(result.rows))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
