"""Running experiments: rows, files, grids, the command line."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from emargin import grid, results
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError, MissingData
from emargin.experiment import run
from tests.conftest import make_dataset

METRICS = {"davies_bouldin", "silhouette", "calinski_harabasz", "nmi", "ari", "mean_cosine", "participation_ratio",
           "uniformity", "alignment"} | {
    f"{probe}{metric}" for probe in ("", "converged_", "knn_", "mlp_")
    for metric in ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall")}


@pytest.fixture
def no_probes(monkeypatch):
    monkeypatch.setattr("emargin.experiment.probing.further_probes", lambda *a, **k: {})


def test_rows_are_complete_tidy_and_the_same_twice(small, small_dataset):
    one = run(small(), dataset=small_dataset, device="cpu", progress=False)
    two = run(small(), dataset=small_dataset, device="cpu", progress=False)
    assert set(one.rows.metric) == METRICS
    assert list(one.rows.columns) == list(results.COLUMNS)
    assert one.rows.value.notna().all()
    assert (one.rows.n > 0).all()
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert one["silhouette"] == one.rows.value[one.rows.metric == "silhouette"].item()


def test_provenance_says_what_made_the_rows(small, small_dataset):
    record = run(small(), dataset=small_dataset, device="cpu", progress=False).provenance
    assert Experiment.from_dict(record["experiment"]) == small()
    assert record["data"] == "checksum"
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["seconds"]) == {"data", "train", "encode", "cluster", "probe"}
    assert record["code"] == results.code_digest()


def test_a_run_writes_its_files_and_no_others(small, small_dataset, tmp_path, no_probes):
    result = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path / "a" / "b", progress=False)
    written = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert written == {"encoder.pt", "curve.csv", "rows.csv", "provenance.json"}
    rows = results.read_rows(tmp_path / "a" / "b" / "rows.csv")
    np.testing.assert_allclose(rows.value, result.rows.value, rtol=1e-8)
    state = torch.load(tmp_path / "a" / "b" / "encoder.pt", weights_only=True)
    assert Experiment.from_json(state["experiment"]) == result.experiment


def test_a_folder_without_write_permission_is_named(small, small_dataset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to .*file"):
        run(small(), dataset=small_dataset, folder=tmp_path / "file" / "run", progress=False)


def test_a_class_that_is_absent_from_the_test_side_is_an_error(small):
    dataset = make_dataset()
    dataset.test.labels[dataset.test.labels == 2] = 1
    with pytest.raises(InputError, match="class c is absent"):
        run(small(), dataset=dataset, progress=False)


def test_the_clustering_row_holds_the_counts_of_the_draw(small, no_probes):
    rows = run(small(), dataset=make_dataset(n_test=8, draw=(5, 5, 5, 1000)), progress=False).rows
    row = rows[rows.metric == "silhouette"].iloc[0]
    assert row.note.startswith("a 5, b 5, c 5, d ")
    assert row.n == 15 + int(row.note.rsplit(" ", 1)[1])


@pytest.mark.parametrize("dataset", ["ecg", "mitbih"])
def test_missing_real_data_say_how_to_get_them(monkeypatch, tmp_path, dataset):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=rf"recordings of {dataset} are not here.*emargin data fetch.*EMARGIN_DATA"):
        load(Experiment(dataset=dataset, source="real"))


def grid_file(tmp_path, blocks):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(blocks))
    return path


SMALL = {"dataset": "ecg-sim", "iterations": 2, "sequence_length": 10, "batch_size": 2}


@pytest.fixture
def small_grid(monkeypatch, no_probes):
    monkeypatch.setattr(grid, "load", lambda experiment: make_dataset())
    monkeypatch.setattr(grid, "COMPONENTS", 5)


def test_a_grid_is_the_product_of_its_lists_by_seed(tmp_path):
    path = grid_file(tmp_path, [SMALL | {"method": ["random", "infonce"], "seed": [1, 2]},
                                SMALL | {"method": "emargin"}])
    cells = grid.read_grid(path)
    assert [(c.seed, c.method) for c in cells] == [(1, "random"), (1, "infonce"), (1, "emargin"), (2, "random"),
                                                   (2, "infonce")]


def test_a_grid_writes_rows_as_they_land_and_resumes(tmp_path, monkeypatch, small_grid):
    path = grid_file(tmp_path, [SMALL | {"method": ["random", "emargin"]}])
    real_run, calls = grid.run, []

    def killed_in_the_second(experiment, **keywords):
        calls.append(experiment.method)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real_run(experiment, **keywords)

    monkeypatch.setattr(grid, "run", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        grid.run_grid(path, tmp_path / "out", progress=False)
    assert set(results.read_rows(tmp_path / "out" / "rows.csv").method) == {"random"}
    rows = grid.run_grid(path, tmp_path / "out", progress=False)
    assert calls == ["random", "emargin", "emargin"]
    assert set(rows.method) == {"random", "emargin"}
    assert len(json.loads((tmp_path / "out" / "provenance.json").read_text())) == 2
    kept = np.load(tmp_path / "out" / "embeddings.npz")
    assert len(kept.files) == 4
    grid.run_grid(path, tmp_path / "out", progress=False)
    assert len(calls) == 3


def test_a_failed_cell_leaves_its_reason_and_the_others_go_on(tmp_path, monkeypatch, small_grid):
    path = grid_file(tmp_path, [SMALL | {"method": ["random", "emargin"]}])
    real_run = grid.run

    def failing(experiment, **keywords):
        if experiment.method == "random":
            raise InputError("the disk is on fire")
        return real_run(experiment, **keywords)

    monkeypatch.setattr(grid, "run", failing)
    rows = grid.run_grid(path, tmp_path / "out", progress=False)
    failed = rows[rows.metric == "failed"]
    assert failed.method.tolist() == ["random"]
    assert failed.value.isna().all()
    assert "on fire" in failed.note.item()
    assert "silhouette" in set(rows.metric[rows.method == "emargin"])
    monkeypatch.setattr(grid, "run", real_run)
    again = grid.run_grid(path, tmp_path / "out", progress=False)
    assert "failed" not in set(again.metric)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "cannot be read"), ("{}", "no list of objects"), ("[]", "has no cells"),
    ('[{"method": []}]', "has no cells"), ('[{"methd": "random"}]', "unknown parameter.*did you mean 'method'"),
])
def test_a_bad_grid_file_is_named(tmp_path, text, message):
    (tmp_path / "grid.json").write_text(text)
    with pytest.raises(InputError, match=message):
        grid.read_grid(tmp_path / "grid.json")


def test_the_printed_table_is_mean_and_sample_deviation_over_seeds(small):
    rows = [results.tidy(small(seed=seed), "accuracy", value, 10) for seed, value in ((1, 0.5), (2, 0.7), (3, 0.6))]
    rows.append(results.tidy(small(method="random"), "failed", float("nan"), None, "reason"))
    rows.append(results.tidy(small(fidelity="original", reading="pair"), "ari", 0.1, 10))
    table = results.comparison(results.table(rows), {"accuracy": "Accuracy"})
    assert table.Accuracy.to_dict() == {"InfoNCE + eMargin, released": "0.60 ± 0.10", "Random Init": "failed",
                                        "InfoNCE + eMargin, original, pair": "not run"}


def test_command_line_runs_an_experiment(tmp_path, capsys, no_probes):
    status = main(["run", "--dataset", "ecg-sim", "--quick", "--iterations", "2", "--sequence-length", "20",
                   "--batch-size", "2", "--device", "cpu", "--out", str(tmp_path / "run")])
    assert status == 0
    assert "silhouette" in capsys.readouterr().out
    assert (tmp_path / "run" / "rows.csv").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--method", "emargn"], "did you mean 'emargin'"),
    (["--temperature", "-1"], "temperature is out of range"),
    (["--grid", "no.json", "--seed", "2"], "a grid file says all"),
    (["--grid", "no.json"], "cannot be read"),
])
def test_command_line_reports_bad_input_without_a_traceback(words, message, capsys):
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_command_line_lists_the_methods(capsys):
    main(["methods"])
    assert "emargin " in capsys.readouterr().out
