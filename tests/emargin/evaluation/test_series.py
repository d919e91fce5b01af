"""Whole series: pooling, scores on pooled embeddings, and the rows that a cell of the UCR archive leaves."""

import json

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from companion.grid import runner as cells
from companion.grid.plan import plan, read_grid
from companion.grid.runner import run_cell, run_grid
from companion.grid.store import Store
from emargin import rows as results
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.evaluation import series
from emargin.evaluation.features import Features, encode
from emargin.resolve import resolve
from emargin.stages import code_versions
from emargin.training import train


@pytest.fixture
def ucr(tmp_path, monkeypatch):
    """A set of two classes, a sine and noise: 24 series a side of 80 samples."""
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("companion.grid.plan.home", lambda: tmp_path)
    folder = tmp_path / "data" / "ucr" / "Waves"
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for side in ("TRAIN", "TEST"):
        lines = []
        for number in range(24):
            values = draws.standard_normal(80) * (0.1 if number % 2 else 1)
            values += np.sin(np.arange(80) / 3 + number) * (number % 2)
            lines.append("\t".join(f"{value:.6f}" for value in [number % 2 + 1, *values]))
        (folder / f"Waves_{side}.tsv").write_text("\n".join(lines) + "\n")
    return "ucr-Waves"


def test_pooling_is_the_mean_over_the_frames_of_each_series():
    embedding = torch.randn(5, 7, 3)
    labels = torch.arange(5)[:, None].expand(5, 7)
    found = series.pooled(Features(embedding, labels, torch.arange(35).reshape(5, 7)))
    np.testing.assert_allclose(found.embedding[2, 0], embedding[2].double().mean(0), rtol=1e-5)
    rows, truth = found.flat()
    assert rows.shape == (5, 3) and truth.tolist() == [0, 1, 2, 3, 4]


def test_sequences_of_several_classes_are_refused():
    labels = torch.zeros(4, 6, dtype=torch.int64)
    labels[1, 3] = 1
    with pytest.raises(InputError, match="several classes.*1 of 4"):
        series.pooled(Features(torch.randn(4, 6, 2), labels, torch.arange(24).reshape(4, 6)))


def test_scores_are_those_of_the_protocol_on_pooled_embeddings(ucr):
    from emargin.data.loading import load

    experiment = resolve(Experiment(dataset=ucr, method="infonce", iterations=3))
    dataset = load(experiment)
    method, _ = train(experiment, dataset, progress=False)
    found = {row["metric"]: row for row in series.scores(experiment, method, dataset)}
    means = encode(method, dataset.test).embedding.double().mean(1).float().numpy()
    clusters = KMeans(2, n_init=10, random_state=1).fit_predict(means)
    assert found["series_silhouette"]["value"] == pytest.approx(silhouette_score(means, clusters), abs=1e-4)
    assert {row["n"] for row in found.values()} == {24}
    assert {
        "series_nmi",
        "series_participation_ratio",
        "series_balanced_accuracy",
        "series_converged_balanced_accuracy",
        "series_knn_accuracy",
    } <= found.keys()
    assert found["series_converged_balanced_accuracy"]["value"] > 0.8  # a sine and noise


def test_a_cell_of_the_archive_has_rows_of_series_alone(ucr, tmp_path, monkeypatch):
    (tmp_path / "grid.json").write_text(json.dumps([{"dataset": ucr, "method": "infonce", "iterations": 2}]))
    (cell,) = read_grid(tmp_path / "grid.json")
    with monkeypatch.context() as patch:
        patch.setattr("companion.grid.runner.series.scores", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_cell(cell, cells.cell_folder(cell), device="cpu", progress=False)
    assert cells.finished([cell], Store(tmp_path / "out")) == []
    assert run_cell(cell, cells.cell_folder(cell), device="cpu", progress=False) == "done"
    rows = results.read_rows(cells.cell_folder(cell) / "rows.csv")
    assert rows.metric.str.startswith(series.PREFIX).all() and not rows.metric.duplicated().any()
    store = Store(tmp_path / "out")
    store.add(cells.finished([cell], store))
    assert plan([cell], Store(tmp_path / "out")).done == [cell]
    assert set(store.records[cell.digest]["seconds"]) == {"train", "score"}


def test_the_command_scores_a_set_of_the_archive_by_series(ucr, tmp_path, capsys):
    assert main(["run", "--dataset", ucr, "--method", "random", "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert results.read_rows(tmp_path / "run" / "rows.csv").metric.str.startswith(series.PREFIX).all()
    assert "series_silhouette" in capsys.readouterr().out


def test_cells_of_the_archive_train_alone(ucr, tmp_path):
    (tmp_path / "grid.json").write_text(
        json.dumps([{"dataset": ucr, "method": "infonce", "iterations": 2, "seed": [1, 2]}])
    )
    rows = run_grid(tmp_path / "grid.json", tmp_path / "out", device="cpu", progress=False, together=2)
    assert set(rows.seed) == {1, 2} and "failed" not in set(rows.metric)
    assert all("trained_together" not in record for record in Store(tmp_path / "out").records.values())


def test_rows_of_the_archive_depend_on_how_series_are_scored(ucr):
    own, other = resolve(Experiment(dataset=ucr)), resolve(Experiment(dataset="ecg-sim"))
    assert code_versions(own)["clustering"] != code_versions(other)["clustering"]
