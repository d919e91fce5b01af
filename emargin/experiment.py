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

from emargin import results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.evaluation import clustering, collapse, probing
from emargin.evaluation.features import Features, encode_both
from emargin.methods import Method
from emargin.paths import home
from emargin.training import default_device, save_atomically, train


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gives.

    rows: tidy results. provenance: where they come from. curve: loss and diagnostics over steps.
    drawn: the clustering draw, embeddings `(n, C)` and labels `(n,)`. method: in evaluation mode.
    """

    experiment: Experiment
    dataset: Dataset
    method: Method
    curve: pd.DataFrame
    rows: pd.DataFrame
    provenance: dict
    drawn: tuple[np.ndarray, np.ndarray]

    def __getitem__(self, metric: str) -> float:
        """The value of one metric."""
        return float(self.rows.set_index("metric").value[metric])


def run(experiment: Experiment, *, dataset: Dataset | None = None, device: torch.device | str | None = None,
        folder: Path | str | None = None, progress: bool = True) -> Result:
    """Train, cluster, probe.

    dataset: the experiment's data if they are loaded already. device: CUDA where there is one, unless named.
    folder: where to write `encoder.pt`, `curve.csv`, `rows.csv` and `provenance.json`; nothing is written without it.
    An interrupted run leaves `resume.pt` there and goes on from it; a finished one deletes it.
    """
    device = torch.device(device) if device is not None else default_device()
    folder = None if folder is None else results.writable_folder(Path(folder))
    seconds: dict[str, float] = {}
    with _timed(seconds, "data"):
        dataset = dataset or load(experiment)
    resume = None if folder is None else folder / "resume.pt"
    with _timed(seconds, "train"):
        method, curve = train(experiment, dataset, device=device, checkpoint=resume, progress=progress)
    with _timed(seconds, "encode"):
        train_features, test_features = encode_both(method, dataset, device)
    with _timed(seconds, "cluster"):
        drawn, rows = _clustering(experiment, dataset, test_features)
    with _timed(seconds, "probe"):
        rows += _probing(experiment, dataset, train_features, test_features)
    result = Result(experiment, dataset, method, pd.DataFrame(curve), results.table(rows),
                    results.provenance(experiment, device, dataset.checksum, seconds), drawn)
    if folder is not None:
        _write(result, folder)
        resume.unlink(missing_ok=True)
    return result


def default_folder(experiment: Experiment) -> Path:
    """`runs/DATASET-METHOD-FIDELITY-seedN-DIGEST` in the checkout, where git ignores it."""
    parts = (Path(experiment.dataset).name, experiment.method, experiment.fidelity, f"seed{experiment.seed}",
             experiment.digest[:8])
    return home() / "runs" / "-".join(parts)


def _clustering(experiment: Experiment, dataset: Dataset, test: Features) -> tuple[tuple, list[dict]]:
    repeats = experiment.protocol == "released"
    drawn = clustering.draw(test, dataset.draw, dataset.classes, repeats=repeats)
    embedding, labels = drawn
    counts = ", ".join(f"{name} {(labels == label).sum()}" for label, name in enumerate(dataset.classes))
    values = clustering.cluster(embedding, labels, len(dataset.classes))
    rows = torch.from_numpy(embedding)
    values |= {"mean_cosine": collapse.mean_cosine(rows), "participation_ratio": collapse.participation_ratio(rows),
               "uniformity": collapse.uniformity(rows)}
    tidy = [results.tidy(experiment, metric, value, len(labels), counts) for metric, value in values.items()]
    tidy.append(results.tidy(experiment, "alignment", collapse.alignment(test.embedding), test.labels.numel()))
    return drawn, tidy


def _probing(experiment: Experiment, dataset: Dataset, train_features: Features, test: Features) -> list[dict]:
    paper = probing.linear_probe(train_features, test, len(dataset.classes), batch_size=experiment.batch_size,
                                 seed=experiment.seed, drop_last=experiment.protocol == "released")
    scored = int((test.labels >= 0).sum())
    rows = [results.tidy(experiment, metric, value, scored) for metric, value in paper.items()]
    once = len(test.flat()[1])
    rows_a_class = probing.QUICK_ROWS if experiment.quick else probing.PROBE_ROWS
    for probe, values in probing.further_probes(train_features, test, seed=experiment.seed, rows=rows_a_class).items():
        rows += [results.tidy(experiment, f"{probe}_{metric}", value, once) for metric, value in values.items()]
    return rows


def _write(result: Result, folder: Path) -> None:
    save_atomically({"experiment": result.experiment.to_json(), "method": result.method.state_dict()},
                    folder / "encoder.pt")
    results.write_text(folder / "curve.csv", result.curve.to_csv(index=False))
    results.write_text(folder / "provenance.json", json.dumps(result.provenance, indent=1))
    results.write_text(folder / "rows.csv", results.rows_to_csv(result.rows))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
