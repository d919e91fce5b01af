"""Running experiments: rows, files, the command line."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info

from emargin import experiment as experiment_module
from emargin import rows as results
from emargin import stages
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError, MissingData
from emargin.evaluation.scoring import score
from emargin.experiment import run
from emargin.resolve import resolve
from emargin.stages import code_versions
from emargin.threads import limited
from tests.conftest import make_dataset, without_further_probes

METRICS = {
    "davies_bouldin",
    "silhouette",
    "calinski_harabasz",
    "nmi",
    "ari",
    "mean_cosine",
    "participation_ratio",
    "uniformity",
    "alignment",
} | {
    f"{probe}{metric}"
    for probe in ("", "converged_", "knn_", "mlp_")
    for metric in ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall")
}


@pytest.fixture
def no_probes(monkeypatch):
    without_further_probes(monkeypatch)


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
    assert resolve(Experiment.from_dict(record["experiment"])) == small()
    assert record["data"] == "checksum" and "people" not in record
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["seconds"]) == {"data", "train", "encode", *stages.METRICS}
    assert record["code"] == code_versions(small())


def test_a_run_writes_its_files_and_no_others(small, small_dataset, tmp_path, no_probes):
    result = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path / "a" / "b", progress=False)
    written = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert written == {"encoder.pt", "curve.csv", "arrays.npz", "rows.csv", "provenance.json"}
    rows = results.read_rows(tmp_path / "a" / "b" / "rows.csv")
    np.testing.assert_allclose(rows.value, result.rows.value, rtol=1e-8)
    state = torch.load(tmp_path / "a" / "b" / "encoder.pt", weights_only=True)
    assert resolve(Experiment.from_json(state["experiment"])) == result.experiment


def test_a_run_leaves_an_encoder_with_all_that_its_users_need(small, small_dataset, tmp_path, no_probes):
    dataset = replace(small_dataset, standardisation=(torch.arange(6.0), torch.ones(6)))
    result = run(small(), dataset=dataset, device="cpu", folder=tmp_path, progress=False)
    state = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert state["classes"] == ["a", "b", "c", "d"] and state["n_features"] == 6 and state["weights"] == "float32"
    assert all(map(torch.equal, state["standardisation"], dataset.standardisation))
    code = code_versions(small())
    assert state["origin"] == {"data": "checksum", "code": [code["data"], code["train"]]}
    assert state["method"].keys() == result.method.state_dict().keys()


def test_one_metric_alone_has_the_values_that_it_has_among_all(small, small_dataset, no_probes):
    dataset = replace(small_dataset, test=replace(small_dataset.test, subjects=torch.arange(40) // 20))
    whole = run(small(), dataset=dataset, device="cpu", progress=False)
    names = {"clustering": 5, "collapse": 4, "probe": 6}
    for metric, count in names.items():
        part = score(small(), whole.method, dataset, metrics=[metric])
        assert len(part.rows) == count
        assert all(row["value"] == whole[row["metric"]] for row in part.rows)
        assert set(part.arrays) == set(stages.METRICS[metric].arrays)
        assert all(np.array_equal(array, whole.arrays[name]) for name, array in part.arrays.items())
    record = run(small(), dataset=dataset, device="cpu", progress=False, metrics=["probe"]).provenance
    assert set(record["code"]) == {"data", "train", "probe"}
    with pytest.raises(InputError, match="unknown metric. found: prob. wanted: clustering, "):
        score(small(), whole.method, dataset, metrics=["prob"])


def test_rows_are_written_last(small, small_dataset, tmp_path, no_probes, monkeypatch):
    written = []
    for name in ("write_text", "write_arrays"):
        monkeypatch.setattr(results, name, lambda path, content: written.append(path.name))
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    assert {"arrays.npz", "provenance.json"} < set(written) and written[-1] == "rows.csv"


def test_a_file_that_is_half_written_leaves_the_old_one(tmp_path, monkeypatch):
    results.write_text(tmp_path / "rows.csv", "old")
    write = type(tmp_path).write_bytes

    def full(path, content):
        write(path, bytes(content)[:2])
        raise OSError("no space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        results.write_text(tmp_path / "rows.csv", "new and longer")
    assert (tmp_path / "rows.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_an_encoder_of_the_same_code_and_data_is_not_trained_again(
    small, small_dataset, tmp_path, no_probes, monkeypatch
):
    first = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: pytest.fail("trained again"))
    again = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    pd.testing.assert_frame_equal(first.curve, again.curve)


@pytest.mark.parametrize("change", ["data", "code", "experiment", "damage"])
def test_an_encoder_of_other_code_or_data_is_trained_again(
    small, small_dataset, tmp_path, no_probes, monkeypatch, change
):
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    experiment, dataset = small(), small_dataset
    if change == "data":
        dataset = replace(dataset, checksum="other")
    elif change == "code":
        monkeypatch.setattr("emargin.encoder_files.code_versions", lambda cell: {"data": "a", "train": "b"})
    elif change == "experiment":
        experiment = small(seed=2)
    else:
        (tmp_path / "encoder.pt").write_bytes(b"PK")
    trained, real_train = [], experiment_module.train
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: trained.append(1) or real_train(*a, **k))
    result = run(experiment, dataset=dataset, device="cpu", folder=tmp_path, progress=False)
    assert trained == [1]
    state = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert all(torch.equal(state["method"][name], value) for name, value in result.method.state_dict().items())


@pytest.mark.parametrize("change", ["data", "code"])
def test_a_checkpoint_of_other_data_or_code_is_not_gone_on_from(small, small_dataset, tmp_path, monkeypatch, change):
    seen, dataset = [], small_dataset

    def killed(*arguments, checkpoint, **keywords):
        seen.append(checkpoint.exists())
        checkpoint.write_bytes(b"half-way")
        raise KeyboardInterrupt

    monkeypatch.setattr("emargin.experiment.train", killed)
    for again in (False, True, False):
        with pytest.raises(KeyboardInterrupt):
            run(small(), dataset=dataset, device="cpu", folder=tmp_path, progress=False)
        if again and change == "data":
            dataset = replace(dataset, checksum="of other recordings")
        elif again:
            monkeypatch.setattr("emargin.encoder_files.code_versions", lambda cell: {"data": "d", "train": "other"})
    assert seen == [False, True, False]


def test_too_few_sequences_for_a_batch_are_refused_without_training_too(small):
    with pytest.raises(InputError, match="12 on the training side.*at least batch_size = 13"):
        run(small(method="random", batch_size=13), dataset=make_dataset(), progress=False)
    with pytest.raises(InputError, match="2 on the test side"):
        run(small(method="random", protocol="released"), dataset=make_dataset(n_test=2), progress=False)


def test_maps_show_frames_of_every_class(small, small_dataset, no_probes):
    arrays = run(small(), dataset=small_dataset, device="cpu", progress=False, maps=True).arrays
    assert arrays["map"].shape == (len(arrays["map_labels"]), 2)
    assert arrays["components"].shape == (len(arrays["component_labels"]), 16)
    assert set(arrays["map_labels"]) == {0, 1, 2, 3} and np.isfinite(arrays["map"]).all()


def test_a_folder_without_write_permission_is_named(small, small_dataset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to .*file"):
        run(small(), dataset=small_dataset, folder=tmp_path / "file" / "run", progress=False)


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


def test_command_line_runs_an_experiment(tmp_path, capsys, no_probes):
    status = main(
        [
            "run",
            "--dataset",
            "ecg-sim",
            "--quick",
            "--iterations",
            "2",
            "--sequence-length",
            "20",
            "--batch-size",
            "2",
            "--device",
            "cpu",
            "--out",
            str(tmp_path / "run"),
        ]
    )
    assert status == 0
    assert "silhouette" in capsys.readouterr().out
    assert (tmp_path / "run" / "rows.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--device", "bogus"], "no device 'bogus' on this machine"),
    ],
)
def test_command_line_refuses_words_of_the_wrong_kind(words, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "emargn"], "did you mean 'emargin'"),
        (["--temperature", "-1"], "temperature is out of range"),
        (
            ["--dataset", "ecg-sim", "--quick", "--method", "random", "--batch-size", "5000"],
            "fewer sequences than a batch",
        ),
    ],
)
def test_command_line_reports_bad_input_without_a_traceback(words, message, capsys):
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


# --- threads


def test_a_run_computes_with_one_thread_unless_told_otherwise_and_leaves_the_process_as_it_was(small, small_dataset):
    used = []

    def noting(*values, **named):
        used.append({pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads()})
        return score(*values, **named)

    with pytest.MonkeyPatch.context() as patch, limited(3):
        patch.setattr("emargin.experiment.score", noting)
        one = run(small(), dataset=small_dataset, progress=False)
        two = run(small(), dataset=small_dataset, progress=False, threads=2)
        assert torch.get_num_threads() == 3 and {pool["num_threads"] for pool in threadpool_info()} == {3}
    assert used == [{1}, {2}]
    assert (one.provenance["threads"], two.provenance["threads"]) == (1, 2)
    assert torch.get_num_threads() == 1


def test_an_error_leaves_the_number_of_threads_as_it_was(small):
    with limited(3):
        with pytest.raises(InputError, match="fewer sequences than a batch"):
            run(small(batch_size=13), dataset=make_dataset(), progress=False)
        assert torch.get_num_threads() == 3


def test_what_surrounds_a_run_does_not_change_its_numbers(small, small_dataset):
    alone = run(small(), dataset=small_dataset, progress=False).rows
    with limited(2):
        beside = run(small(), dataset=small_dataset, progress=False).rows
    pd.testing.assert_frame_equal(alone, beside, check_exact=True)


@pytest.mark.parametrize("number", [0, -1, 1.5, "many", 2**40, True, None])
def test_a_number_of_threads_that_makes_no_sense_is_named(number):
    with pytest.raises(InputError, match="threads"):
        limited(number)


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", "9" * 5000])
def test_the_command_line_refuses_such_a_number_of_threads(number, capsys):
    with pytest.raises(SystemExit):
        main(["run", "--threads", number])
    assert "argument --threads: " in capsys.readouterr().err


def test_the_command_line_hands_the_number_of_threads_on(tmp_path, capsys):
    words = ["run", "--method", "random", "--quick", "--out", str(tmp_path), "--threads", "2"]
    assert main(words) == 0
    assert json.loads((tmp_path / "provenance.json").read_text())["threads"] == 2
