"""Running experiments: rows, files, the command line."""

import contextlib
import json
import os
import resource
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info

from companion.fetch.folder import save_folder
from emargin import experiment as experiment_module
from emargin import rows as results
from emargin import stages, training
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.encoder_files import load_trained, write_encoder
from emargin.errors import InputError, MissingData, Unwritable
from emargin.evaluation.scoring import score
from emargin.experiment import default_folder, run
from emargin.resolve import resolve
from emargin.stages import code_versions
from emargin.threads import limited
from emargin.training import train
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
    written, running = record["versions"]["torch"], torch.__version__
    assert written in (running, running.partition("+")[0])  # the label of a build may stand in one alone
    assert set(record["seconds"]) == {"data", "train", "encode", *stages.metrics_of()}
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
    written, write = [], results.write_bytes
    monkeypatch.setattr(results, "write_bytes", lambda path, content: (written.append(path.name), write(path, content)))
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    assert {"arrays.npz", "provenance.json"} < set(written) and written[-1] == "rows.csv"


def test_a_file_that_is_half_written_leaves_the_old_one(tmp_path):
    results.write_text(tmp_path / "rows.csv", "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, limits[1]))
    try:
        with pytest.raises(Unwritable, match="rows.csv cannot be written. found: File too large"):
            results.write_text(tmp_path / "rows.csv", "new and longer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "rows.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_an_encoder_of_the_same_code_and_data_is_not_trained_again(
    small, small_dataset, tmp_path, no_probes, monkeypatch
):
    first = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: pytest.fail("trained again"))
    again = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    pd.testing.assert_frame_equal(first.curve, again.curve)


def flip(path, place):
    content = path.read_bytes()
    place %= len(content)
    path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])


ENCODERS = {
    "data": "is of other recordings (checksum checksum, now other); it is made again",
    "code": "is by other code (fingerprints ",
    "damage": "cannot be read. found: ",
    "flipped": "cannot be read: it is damaged. found: checksum ",
    "curve": "curve.csv is damaged. found: checksum ",
    "no curve": "curve.csv cannot be read. found: No such file",
    "version": "was written by an older version",
}


@pytest.mark.parametrize("change", ENCODERS)
def test_an_encoder_of_other_code_or_data_or_that_is_damaged_is_made_again_and_said(
    small, small_dataset, tmp_path, no_probes, monkeypatch, capsys, change
):
    whole = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    (tmp_path / "rows.csv").unlink()  # killed before the end
    dataset, encoder = small_dataset, tmp_path / "encoder.pt"
    if change == "data":
        dataset = replace(dataset, checksum="other")
    elif change == "code":
        monkeypatch.setattr("emargin.state.code_versions", lambda cell: {"data": "a", "train": "b"})
    elif change == "damage":
        encoder.write_bytes(b"PK")
    elif change == "flipped":
        flip(encoder, encoder.stat().st_size // 2)
    elif change == "curve":
        flip(tmp_path / "curve.csv", -4)
    elif change == "no curve":
        (tmp_path / "curve.csv").unlink()
    else:
        torch.save({"experiment": small().to_json(), "weights": "float32"}, encoder)
    trained, real_train = [], experiment_module.train
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: trained.append(1) or real_train(*a, **k))
    result = run(small(), dataset=dataset, device="cpu", folder=tmp_path, progress=False)
    assert trained == [1] and ENCODERS[change] in (said := capsys.readouterr().err) and "made again" in said
    pd.testing.assert_frame_equal(whole.rows, result.rows)
    state = torch.load(encoder, weights_only=True)
    assert all(torch.equal(state["method"][name], value) for name, value in result.method.state_dict().items())
    run(small(), dataset=dataset, device="cpu", folder=tmp_path, progress=False)
    assert trained == [1] and not capsys.readouterr().err


def test_bits_that_flip_in_an_encoder_change_no_result(small, small_dataset, tmp_path, no_probes, monkeypatch):
    whole, encoder = train(small(), small_dataset, progress=False)[0], tmp_path / "encoder.pt"
    write_encoder(tmp_path, small(), small_dataset, whole, [])
    content, refused = encoder.read_bytes(), 0
    for place in np.random.default_rng(0).integers(0, len(content), 40):
        flip(encoder, place)
        try:
            method, _ = load_trained(encoder, small(), small_dataset)
        except InputError as error:
            assert "encoder.pt" in str(error)
            refused += 1
        else:
            assert all(map(torch.equal, whole.state_dict().values(), method.state_dict().values()))
        encoder.write_bytes(content)
    assert refused > 20


@pytest.mark.parametrize("left", ["rows.csv", "encoder.pt", "resume.pt"])
def test_what_another_experiment_left_in_the_folder_is_refused_with_both_named(
    small, small_dataset, tmp_path, no_probes, left
):
    if left == "resume.pt":
        train(small(), small_dataset, checkpoint=tmp_path / left, progress=False)
    else:
        run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    if left == "encoder.pt":
        (tmp_path / "rows.csv").unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=f"another experiment.*{small().digest}.*seed 2.*{small(seed=2).digest}"):
        run(small(seed=2), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_results_of_another_experiment_are_refused_before_data_are_read(
    small, small_dataset, tmp_path, no_probes, monkeypatch
):
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    monkeypatch.setattr(experiment_module, "load", lambda cell: pytest.fail("data were read"))
    with pytest.raises(InputError, match="results would be overwritten"):
        run(small(seed=2), device="cpu", folder=tmp_path, progress=False)


def test_results_that_another_run_wrote_meanwhile_are_not_written_over(
    small, small_dataset, tmp_path, no_probes, monkeypatch
):
    def slow(experiment, *arguments, **keywords):
        monkeypatch.setattr(experiment_module, "score", score)
        run(small(seed=2), dataset=small_dataset, device="cpu", folder=tmp_path / "other", progress=False)
        shutil.copytree(tmp_path / "other", tmp_path / "run", dirs_exist_ok=True)
        return score(experiment, *arguments, **keywords)

    monkeypatch.setattr(experiment_module, "score", slow)
    with pytest.raises(InputError, match="results would be overwritten"):
        run(small(), dataset=small_dataset, device="cpu", folder=tmp_path / "run", progress=False)
    assert set(results.read_rows(tmp_path / "run" / "rows.csv").digest) == {small(seed=2).digest}


def test_results_of_other_data_are_refused_with_both_named(small, small_dataset, tmp_path, no_probes):
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    other = replace(small_dataset, checksum="corrected")
    with pytest.raises(InputError, match="of other data. found: ecg-sim with checksum checksum. wanted: .*corrected"):
        run(small(), dataset=other, device="cpu", folder=tmp_path, progress=False)
    (tmp_path / "provenance.json").write_text("[")
    with pytest.raises(InputError, match="provenance.json: damaged"):
        run(small(), dataset=other, device="cpu", folder=tmp_path, progress=False)


# --- the reader's own recordings


def record(folder, seed=0):
    draws = np.random.default_rng(seed)
    labels = np.repeat(np.arange(30) % 2, 100)
    people = {f"p{person}": (draws.normal(size=(3000, 2)) * (1 + labels[:, None]), labels) for person in range(4)}
    shutil.rmtree(folder, ignore_errors=True)
    save_folder(folder, people, classes=["a", "b"], sampling_rate=50)
    return Experiment(dataset=str(folder), sequence_length=20, batch_size=4, iterations=60)


class Killed(BaseException):
    pass


@pytest.fixture
def killed_at_60(monkeypatch):
    """Runs an experiment until its training would end."""

    def die(*arguments):
        raise Killed

    def killed(experiment, folder):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(training, "_point", lambda step, *rest: die() if step == 60 else {"step": step, "loss": 0.0})
            run(experiment, folder=folder, device="cpu", progress=False)
        assert (folder / "resume.pt").exists()

    return killed


def test_a_run_does_not_go_on_from_recordings_that_were_corrected_since(tmp_path, no_probes, capsys, killed_at_60):
    killed_at_60(record(tmp_path / "d"), tmp_path / "run")
    corrected = record(tmp_path / "d", seed=1)
    fresh = run(corrected, device="cpu", progress=False)
    again = run(corrected, folder=tmp_path / "run", device="cpu", progress=False)
    pd.testing.assert_frame_equal(fresh.rows, again.rows)
    assert fresh.curve.loss.tolist() == again.curve.loss.tolist()
    assert "resume.pt is of other recordings (checksum " in (said := capsys.readouterr().err)
    assert said.endswith("training starts again\n")


def test_recordings_in_another_folder_of_that_name_are_refused_and_the_same_ones_are_gone_on_from(
    tmp_path, no_probes, monkeypatch, killed_at_60
):
    for number, place in enumerate(("one", "two")):
        record(tmp_path / place / "d", seed=number)
    experiment = Experiment(dataset="d", sequence_length=20, batch_size=4, iterations=60)
    monkeypatch.chdir(tmp_path / "one")
    killed_at_60(experiment, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "two")
    with pytest.raises(InputError, match="another experiment.*dataset '.*/one/d' instead of '.*/two/d'"):
        run(experiment, folder=tmp_path / "run", device="cpu", progress=False)
    begun, load = [], training.Checkpoint.load
    monkeypatch.setattr(training.Checkpoint, "load", lambda *given: begun.append(load(*given)) or begun[-1])
    for dataset in ("../one/d", str(tmp_path / "one" / "d")):
        shutil.copytree(tmp_path / "run", tmp_path / dataset.replace("/", "-"))
        same = replace(experiment, dataset=dataset)
        run(same, folder=tmp_path / dataset.replace("/", "-"), device="cpu", progress=False)
    assert [state["step"] for state in begun] == [50, 50]


def test_recordings_that_change_while_they_are_read_are_refused(tmp_path, monkeypatch):
    experiment, load = record(tmp_path / "d"), experiment_module.load

    def slow(cell):
        dataset = load(cell)
        record(tmp_path / "d", seed=1)
        return dataset

    monkeypatch.setattr(experiment_module, "load", slow)
    with pytest.raises(InputError, match="changed while they were read"):
        run(experiment, device="cpu", progress=False)


def test_rows_go_by_the_recordings_that_were_read(tmp_path, no_probes, monkeypatch):
    experiment = record(tmp_path / "d")
    digest, train = resolve(experiment).digest, experiment_module.train

    def long(*arguments, **keywords):
        record(tmp_path / "d", seed=1)
        return train(*arguments, **keywords)

    monkeypatch.setattr(experiment_module, "train", long)
    assert set(run(experiment, device="cpu", progress=False).rows.digest) == {digest}


# --- where results go


def test_results_go_to_the_working_directory_also_from_a_checkout(tmp_path, small, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = default_folder(small())
    assert folder.parent == tmp_path / "runs" and folder.name.startswith("ecg-sim-emargin-released-seed1-")
    assert default_folder(small(), tmp_path / "elsewhere") == tmp_path / "elsewhere" / folder.name


def test_a_folder_of_recordings_has_one_run_folder_by_any_path_and_shares_it_with_no_other(tmp_path, monkeypatch):
    for number, place in enumerate(("one", "two")):
        record(tmp_path / place / "d", seed=number)
    monkeypatch.chdir(tmp_path / "one")
    folders = {
        default_folder(Experiment(dataset=path), tmp_path).name
        for path in ("d", "./d", "../one/d", str(tmp_path / "one" / "d"))
    }
    assert len(folders) == 1 and folders.pop().startswith("d-emargin")
    monkeypatch.chdir("d")
    assert default_folder(Experiment(dataset="."), tmp_path).name.startswith("d-emargin")
    monkeypatch.chdir(tmp_path)
    one, two = (default_folder(Experiment(dataset=f"{place}/d")) for place in ("one", "two"))
    assert one != two


@pytest.mark.parametrize("name", ["n" * 240, "ü" * 120])
def test_a_long_name_makes_a_folder_that_can_be_made(tmp_path, name):
    record(tmp_path / name)
    folder = default_folder(Experiment(dataset=str(tmp_path / name)), tmp_path / "runs")
    assert results.writable_folder(folder).name.startswith(name[:20])


def test_a_folder_whose_name_is_too_long_is_refused(tmp_path, small, small_dataset):
    with pytest.raises(InputError, match="cannot be written to .*found: File name too long"):
        run(small(), dataset=small_dataset, folder=tmp_path / ("x" * 300), progress=False)


def test_a_run_clears_what_a_killed_one_left_in_its_folder(small, small_dataset, tmp_path, no_probes):
    (tmp_path / ".emargin-0.part").touch()
    run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_schedulers_signal_ends_a_run_as_ctrl_c_does_before_training_too(small, monkeypatch, number):
    monkeypatch.setattr(experiment_module, "load", lambda cell: os.kill(os.getpid(), number))
    process = os.fork()  # which a signal that nobody hears would end
    if not process:
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(KeyboardInterrupt):
            run(small(), progress=False)
        os._exit(3 if signal.getsignal(number) == signal.SIG_DFL else 4)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 3


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


def test_an_encoder_of_another_number_of_threads_is_made_again_and_said(
    small, small_dataset, tmp_path, no_probes, capsys
):
    for threads in (2, 1):
        result = run(small(), dataset=small_dataset, device="cpu", folder=tmp_path, progress=False, threads=threads)
        kept = torch.load(tmp_path / "encoder.pt", weights_only=True)
        assert kept["threads"] == result.provenance["threads"] == threads
        (tmp_path / "rows.csv").unlink()
    assert "encoder.pt is of 2 threads, now 1; it is made again" in capsys.readouterr().err


def test_torch_is_told_of_the_number_itself(monkeypatch):
    """Its threads may be of a pool that threadpoolctl does not know."""
    without = SimpleNamespace(restore_original_limits=lambda: None)
    monkeypatch.setattr("emargin.threads.threadpool_limits", lambda number: without)
    with limited(3):
        assert torch.get_num_threads() == 3
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
def test_the_command_line_refuses_such_a_number_of_threads(number, tmp_path, capsys):
    assert main(["run", "--threads", number, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("emargin: threads ")


def test_the_command_line_hands_the_number_of_threads_on(tmp_path, capsys):
    words = ["run", "--method", "random", "--quick", "--out", str(tmp_path), "--threads", "2"]
    assert main(words) == 0
    assert json.loads((tmp_path / "provenance.json").read_text())["threads"] == 2
