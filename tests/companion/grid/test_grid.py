"""Grids: reading, planning by content, running, failing, resuming; the store of their results."""

import json
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock, Timeout

import companion.grid.runner
from companion.__main__ import main
from companion.grid import files
from companion.grid import plan as grid
from companion.grid.plan import cell_folder, plan, read_chapter, read_grid, threads_of
from companion.grid.runner import finished, is_drawn, run_cell, run_cells, run_grid
from companion.grid.store import Store, read_cell
from emargin import experiment, stages, training
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError, MissingData, NonFiniteGradient
from emargin.resolve import resolve
from tests.conftest import make_dataset, without_further_probes

SMALL = {"dataset": "ecg-sim", "iterations": 2, "sequence_length": 10, "batch_size": 2}
CHECKSUM = "ecg-sim seed 0 full"


def grid_file(folder, blocks):
    path = folder / "grid.json"
    path.write_text(json.dumps(blocks))
    return path


@pytest.fixture
def small_grid(monkeypatch, tmp_path):
    """A grid of two cells, on a small data set, without the slow probes; cells run under tmp_path."""
    dataset = make_dataset()
    object.__setattr__(dataset, "checksum", CHECKSUM)
    monkeypatch.setattr("companion.grid.runner.load", lambda experiment: dataset)
    monkeypatch.setattr(grid, "home", lambda: tmp_path)
    without_further_probes(monkeypatch)
    monkeypatch.setattr("companion.grid.runner.is_drawn", lambda cell: True)
    return grid_file(tmp_path, [SMALL | {"method": ["random", "emargin"]}])


def run_small(path, out, **keywords):
    return run_grid(path, out, progress=False, device="cpu", **keywords)


@pytest.fixture
def counted(monkeypatch):
    """The methods that `run` was called for."""
    calls, real_run = [], experiment.run

    def counting(experiment, **keywords):
        calls.append(experiment.method)
        return real_run(experiment, **keywords)

    monkeypatch.setattr("companion.grid.runner.run", counting)
    return calls


def test_the_chapter_shows_the_paper_s_own_sets_once_they_have_rows(tmp_path, monkeypatch):
    (tmp_path / "workflow").mkdir()
    for name, datasets in (("grid", ["mitbih"]), ("paper", ["harth", "ecg"])):
        (tmp_path / "workflow" / f"{name}.json").write_text(json.dumps([{"dataset": datasets, "seed": [1, 2]}]))
    monkeypatch.setattr(grid, "home", lambda: tmp_path)
    assert [len(cells) for cells in read_chapter(Store(tmp_path / "results")).values()] == [2, 0]
    rows = results.table([results.tidy(resolve(Experiment("ecg")), "silhouette", 0.5, 9)])
    shown = read_chapter(SimpleNamespace(known=set(rows.digest), rows=rows))
    assert {name: [cell.dataset for cell in cells] for name, cells in shown.items()} == {
        "workflow/grid.json": ["mitbih", "mitbih"],
        "workflow/paper.json": ["ecg", "ecg"],
    }


def test_a_grid_is_the_product_of_its_lists_by_seed(tmp_path):
    path = grid_file(
        tmp_path, [SMALL | {"method": ["random", "infonce"], "seed": [1, 2]}, SMALL | {"method": ["emargin", "random"]}]
    )
    assert [(c.seed, c.method) for c in read_grid(path)] == [
        (1, "random"),
        (1, "infonce"),
        (1, "emargin"),
        (2, "random"),
        (2, "infonce"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("{}", "no list of objects"),
        ("[]", "has no cells"),
        ('[{"method": "random"}, {"method": []}]', "block 2 has no cells.*no value for method"),
        ('[{}, {"methd": "random"}]', "grid.json, block 2: unknown parameter.*did you mean 'method'"),
        ('[{"dataset": "mitbh", "source": "real"}]', "grid.json, block 1: unknown dataset.*did you mean 'mitbih'"),
        ("[{}, 3]", "grid.json, block 2.*found: no list of objects but a int"),
        ('[{"seed": {"a": 1}}]', "block 1: seed has the wrong type"),
        ('[{"seed": [1, [2]]}]', "block 1: seed has the wrong type"),
        ('[{"seed": null}]', "block 1: seed has the wrong type"),
        ('[{"seed": 1, "seed": 2}]', "cannot be read. found: 'seed' twice in one object"),
        ("[" * 100_000, "cannot be read. found: JSON too deep"),
        (json.dumps([{"seed": list(range(1000)), "fold": list(range(1000))}]), "block 1 has too many cells.*1,000,000"),
        ('[{"seed": ' + "9" * 5000 + "}]", "cannot be read. found: Exceeds the limit"),
    ],
)
def test_a_bad_grid_file_is_named(tmp_path, text, message):
    (tmp_path / "grid.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_grid(tmp_path / "grid.json")


def test_a_grid_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "grid.json").write_text("\ufeff[{}]", encoding="utf-8")
    assert len(read_grid(tmp_path / "grid.json")) == 1


def test_a_set_that_is_missing_is_so_with_its_block(tmp_path, monkeypatch):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"grid.json, block 1: "):
        read_grid(grid_file(tmp_path, [{"dataset": "ucr-Nowhere"}]))


def test_rows_land_as_cells_end_and_a_killed_grid_resumes(tmp_path, monkeypatch, small_grid):
    real_run, calls = experiment.run, []

    def killed_in_the_second(experiment, **keywords):
        calls.append(experiment.method)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real_run(experiment, **keywords)

    monkeypatch.setattr("companion.grid.runner.run", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_small(small_grid, tmp_path / "out")
    assert set(Store(tmp_path / "out").rows.method) == {"random"}
    rows = run_small(small_grid, tmp_path / "out")
    assert calls == ["random", "emargin", "emargin"]
    assert set(rows.method) == {"random", "emargin"}
    assert len(json.loads((tmp_path / "out" / "provenance.json").read_text())) == 2
    run_small(small_grid, tmp_path / "out")
    assert len(calls) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("signals_are_heard")
def test_a_scheduler_s_first_word_ends_a_grid_like_ctrl_c(tmp_path, small_grid, number, monkeypatch, capsys):
    """In the midst of a training, which leaves its checkpoint; what was done before is in the store."""
    path = grid_file(tmp_path, [SMALL | {"method": ["random", "emargin"], "iterations": 30}])
    point, points = training._point, []

    def signalled(*arguments):
        points.append(arguments[0])
        if len(points) == 1:
            signal.raise_signal(number)
        return point(*arguments)

    monkeypatch.setattr(training, "_point", signalled)
    assert main(["run", "--grid", str(path), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 130
    assert "interrupted; the same command goes on" in capsys.readouterr().err
    assert signal.getsignal(number) is signal.SIG_DFL
    assert set(Store(tmp_path / "out").rows.method) == {"random"}
    assert (cell_folder(read_grid(path)[1]) / "resume.pt").exists()
    rows = run_small(path, tmp_path / "out")
    assert points == [10, 20, 30]
    shutil.rmtree(tmp_path / "runs")
    pd.testing.assert_frame_equal(run_small(path, tmp_path / "whole"), rows, rtol=0, atol=0)


def test_a_signal_that_is_ignored_stays_so(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with training.stops_call(signal.default_int_handler):
            signal.raise_signal(signal.SIGHUP)
    except KeyboardInterrupt:
        pytest.fail("it was heard")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_large_store_takes_cells_in_now_and_then_and_the_last_of_them_on_exit(tmp_path, monkeypatch):
    class Slow:
        taken, now = [], 0.0

        def add(self, folders):
            self.now += 3
            self.taken = [*self.taken, list(folders)]

    slow = Slow()
    monkeypatch.setattr("companion.grid.runner.time.monotonic", lambda: slow.now)
    with pytest.raises(KeyboardInterrupt), companion.grid.runner.Intake(slow.add) as intake:
        for number in range(8):
            slow.now += 20
            intake.take(number)
        raise KeyboardInterrupt
    assert slow.taken == [[0], [1, 2, 3], [4, 5, 6], [7]]  # three seconds each, a twentieth of sixty


def test_the_store_keeps_rows_and_arrays_of_every_cell(tmp_path, small_grid):
    rows = run_small(small_grid, tmp_path / "out")
    again = Store(tmp_path / "out")
    pd.testing.assert_frame_equal(again.rows, rows, rtol=1e-8, check_dtype=False)
    assert rows.digest[rows.note != ""].tolist() == rows.digest.unique().tolist()  # class counts, once a cell
    for cell in read_grid(small_grid):
        here = np.load(cell_folder(cell) / "arrays.npz")
        assert again.arrays(cell.digest).keys() == set(here.files)
        np.testing.assert_array_equal(again.arrays(cell.digest)["map"], here["map"])


def test_components_are_kept_of_the_methods_that_the_book_compares(tmp_path, small_grid):
    path = grid_file(tmp_path, [SMALL | {"method": ["infonce", "ts2vec"]}])
    run_small(path, tmp_path / "out")
    for cell in read_grid(path):
        kept = Store(tmp_path / "out").arrays(cell.digest)
        assert "map" in kept and ("components" in kept) == ("component_labels" in kept) == (cell.method == "infonce")


@pytest.mark.parametrize(
    ("changed", "drawn"),
    [
        ({}, True),
        ({"method": "infonce", "fidelity": "original"}, True),
        ({"reading": "pair", "fidelity": "original"}, True),
        ({"labels": "paper"}, True),
        ({"fold": 2, "surrogate": "phase"}, True),
        ({"seed": 2}, False),
        ({"split": "validation"}, False),
        ({"protocol": "released"}, False),
        ({"threshold": 0.2}, False),
        ({"iterations": 10}, False),
    ],
)
def test_maps_are_drawn_of_one_seed_at_the_settings_of_set_and_method(changed, drawn):
    assert is_drawn(resolve(Experiment(**{"dataset": "ecg-sim"} | changed))) == drawn


@pytest.mark.parametrize("digest", ["1234567890123456", "5e12345678901234", "0000000000000012"])
def test_a_digest_that_looks_like_a_number_stays_a_word(tmp_path, digest):
    row = results.tidy(resolve(Experiment(**SMALL)), "silhouette", 0.5, 9) | {"digest": digest}
    results.write_text(tmp_path / "rows.csv", results.rows_to_csv(results.table([row])))
    assert results.read_rows(tmp_path / "rows.csv").digest.tolist() == [digest]


def test_a_cell_run_anew_replaces_all_that_the_store_has_of_it(tmp_path, small_grid):
    run_small(small_grid, tmp_path / "out")
    cell, kept = read_grid(small_grid)
    ran, record, _ = read_cell(cell_folder(cell))
    (cell_folder(cell) / "arrays.npz").unlink()
    results.write_cell(cell_folder(cell), ran, record)
    Store(tmp_path / "out").add([cell_folder(cell)])
    again = Store(tmp_path / "out")
    assert again.arrays(cell.digest) == {} and again.arrays(kept.digest)
    assert not again.rows.duplicated(["digest", "metric"]).any()


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (InputError("the disk is on fire"), True),
        (NonFiniteGradient("the disk is on fire"), True),
        (MemoryError("the disk is on fire"), False),
    ],
)
def test_a_failed_cell_leaves_its_reason_and_the_others_go_on(
    tmp_path, monkeypatch, small_grid, counted, error, lasting
):
    """What bad input and bad numbers did they would do again; memory may be there the next time."""
    working = companion.grid.runner.run

    def failing(experiment, **keywords):
        if experiment.method == "random":
            raise error
        return working(experiment, **keywords)

    monkeypatch.setattr("companion.grid.runner.run", failing)
    rows = run_small(small_grid, tmp_path / "out")
    failed = rows[rows.metric == "failed"]
    assert failed.method.tolist() == ["random"] and failed.value.isna().all()
    assert "on fire" in failed.note.item()
    assert "silhouette" in set(rows.metric[rows.method == "emargin"])
    monkeypatch.setattr("companion.grid.runner.run", working)
    again = run_small(small_grid, tmp_path / "out")
    assert ("failed" in set(again.metric)) == lasting
    assert counted == (["emargin"] if lasting else ["emargin", "random"])


def test_rows_hold_while_code_and_data_are_the_same(tmp_path, monkeypatch, small_grid):
    run_small(small_grid, tmp_path / "out")
    cells = read_grid(small_grid)

    def states():
        todo = plan(cells, Store(tmp_path / "out"))
        return [todo.why.get(cell.digest, "done") for cell in cells]

    assert states() == ["done", "done"]
    with monkeypatch.context() as patch:
        patch.setattr(grid, "checksum_of", lambda cell: "other recordings")
        assert states() == ["stale", "stale"]
    with monkeypatch.context() as patch:  # a clone without the data
        patch.setattr(grid, "checksum_of", lambda cell: None)
        assert states() == ["done", "done"]
    versions = stages.code_versions
    monkeypatch.setattr(
        stages, "code_versions", lambda cell: versions(cell) | ({"train": "newer"} if cell.method == "emargin" else {})
    )
    assert states() == ["done", "stale"]


def test_reading_a_store_writes_nothing(tmp_path, small_grid):
    """A reader's checkout may be read-only."""
    store = Store(tmp_path / "none")
    assert plan(read_grid(small_grid), store).done == [] and store.arrays("0") == {}
    assert not (tmp_path / "none").exists()


def test_arrays_of_all_cells_are_those_of_each(tmp_path, small_grid):
    run_small(small_grid, tmp_path / "out")
    store = Store(tmp_path / "out")
    together = store.arrays_of_cells(("map", "map_labels"))
    assert together.keys() == store.known
    for digest, arrays in together.items():
        assert arrays.keys() == {"map", "map_labels"}
        np.testing.assert_array_equal(arrays["map"], store.arrays(digest)["map"])


def test_scores_tell_cells_apart_that_differ_in_a_setting(tmp_path, small_grid):
    path = grid_file(tmp_path, [SMALL | {"method": "emargin", "margin": [0.5, 2.0], "seed": [1, 2]}])
    first, second, *_ = read_grid(path)
    run_small(grid_file(tmp_path, [SMALL | {"method": "emargin", "margin": [2.0, 0.5]}]), tmp_path / "out")
    store = Store(tmp_path / "out")
    table = store.scores([first, second, resolve(Experiment(**SMALL, seed=9))])
    assert table.margin.tolist() == [0.5, 2.0] and table.temperature.tolist() == 2 * [first.temperature]
    values = store.rows.set_index(["digest", "metric"]).value
    assert table.silhouette.tolist() == [values[first.digest, "silhouette"], values[second.digest, "silhouette"]]
    assert store.scores([]).empty


@pytest.mark.parametrize("there", [True, False])
def test_rows_that_are_not_there_are_said_to_be_missing(tmp_path, there):
    folder = tmp_path / "none"
    if there:
        folder.mkdir()
    found = "no rows.csv" if there else "no such folder"
    with pytest.raises(InputError, match=rf"no rows in {folder}\. found: {found}\. .* in the installed package"):
        _ = Store(folder).rows
    with pytest.raises(InputError, match="no rows in"):
        Store(folder).scores([])


def test_a_second_run_on_a_folder_is_refused(tmp_path, small_grid):
    with Store(tmp_path / "out").locked(), pytest.raises(InputError, match="another run is writing to .*out"):
        run_small(small_grid, tmp_path / "out")


@pytest.mark.parametrize("name", ["rows.csv", "provenance.json", "arrays.npz"])
def test_a_damaged_cell_runs_again(tmp_path, small_grid, name, capsys):
    cells = read_grid(small_grid)
    for cell in cells:
        run_cell(cell, cell_folder(cell), device="cpu", progress=False)
    (cell_folder(cells[0]) / name).write_bytes(b"PK\x03\x04")
    there = finished(cells, Store(tmp_path / "out"))
    assert there == [cell_folder(cells[1])]
    assert "damaged" in capsys.readouterr().err
    assert not (cell_folder(cells[0]) / "rows.csv").exists() and (cell_folder(cells[0]) / "encoder.pt").exists()


def test_a_file_in_the_place_of_a_folder_of_results_is_named(tmp_path, small_grid, capsys):
    (tmp_path / "file").write_text("")
    assert main(["grid", "plan", str(small_grid), "--out", str(tmp_path / "file")]) == 2
    assert "file is no folder of results. found: a file. wanted: a folder" in capsys.readouterr().err


def test_a_folder_without_rows_is_not_merged(tmp_path, capsys):
    assert main(["grid", "merge", str(tmp_path / "misspelt"), "--out", str(tmp_path / "merged")]) == 2
    assert "nothing to merge" in capsys.readouterr().err and not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("stopped_at", "state"), [*((n, "stale") for n in range(4)), *((n, "done") for n in range(4, 9))]
)
def test_a_store_that_is_killed_while_a_stale_cell_is_replaced_is_the_old_or_the_new_one(
    tmp_path, small_grid, monkeypatch, stopped_at, state
):
    """Before each file is written, put on the disk, and put in its place."""
    run_small(small_grid, tmp_path / "out")
    cells, kept = read_grid(small_grid), Store(tmp_path / "out")
    kept.records[cells[0].digest]["code"] = {}
    kept._replace({"0"}, [], {})
    assert [Store(tmp_path / "out").state(cell, CHECKSUM) for cell in cells] == ["stale", "done"]
    steps = []

    def stopping(step):
        def wrapped(*arguments):
            steps.append(step)
            if len(steps) == stopped_at + 1:
                raise KeyboardInterrupt
            return step(*arguments)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(results, "write_bytes", stopping(results.write_bytes))
        patch.setattr(files, "_sync", stopping(files._sync))
        patch.setattr(files, "_put", stopping(files._put))
        patch.setattr("shutil.rmtree", lambda *a, **k: None)  # a kill has no last words
        with pytest.raises(KeyboardInterrupt):
            kept.add([cell_folder(cells[0])])
    state = "stale" if stopped_at < 4 else "done"
    assert [Store(tmp_path / "out").state(cell, CHECKSUM) for cell in cells] == [state, "done"]
    rows = run_small(small_grid, tmp_path / "out")
    pd.testing.assert_frame_equal(rows, kept.rows, check_dtype=False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", *files.NAMES}


def test_a_cell_that_is_killed_while_it_runs_anew_has_no_rows(tmp_path, small_grid, monkeypatch):
    cell = read_grid(small_grid)[0]
    run_cell(cell, cell_folder(cell), device="cpu", progress=False)

    def killed(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(companion.grid.runner, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, cell_folder(cell), device="cpu", progress=False)
    assert finished([cell], Store(tmp_path / "out")) == []


def test_too_few_sequences_for_a_batch_are_refused_without_training_too(tmp_path, small_grid):
    cell = resolve(Experiment(**SMALL | {"batch_size": 500}, method="random"))
    assert run_cell(cell, tmp_path / "cell", device="cpu", progress=False) == "failed"
    assert "fewer sequences than a batch. found: 12 on the training side" in (tmp_path / "cell/rows.csv").read_text()


def test_a_training_together_that_fails_leaves_its_cells_to_train_alone(tmp_path, small_grid, monkeypatch, capsys):
    def no_memory(*arguments, **keywords):
        raise MemoryError("too large")

    monkeypatch.setattr(companion.grid.runner, "prepare_cells", no_memory)
    path = grid_file(tmp_path, [SMALL | {"method": "emargin", "seed": [1, 2]}])
    rows = run_small(path, tmp_path / "out", together=2)
    assert rows.digest.nunique() == 2 and "failed" not in set(rows.metric)
    assert "not trained together: MemoryError: too large" in capsys.readouterr().err


def test_a_grid_waits_for_another_process_in_the_folder_of_a_cell(tmp_path, small_grid, monkeypatch):
    held = []

    def locked(folder):
        lock = FileLock(folder / ".lock", timeout=0)
        with pytest.raises(Timeout), lock:
            pass

    real = companion.grid.runner.run_cell
    monkeypatch.setattr(
        companion.grid.runner,
        "run_cell",
        lambda cell, folder, **keywords: (held.append(folder), locked(folder), real(cell, folder, **keywords))[-1],
    )
    run_small(small_grid, tmp_path / "out")
    assert len(held) == 2


def test_a_damaged_checkpoint_costs_its_steps_alone(tmp_path, small_grid):
    cell = read_grid(small_grid)[1]
    folder = cell_folder(cell)
    folder.mkdir(parents=True)
    (folder / "resume.pt").write_bytes(b"PK")
    assert run_cell(cell, folder, device="cpu", progress=False) == "done"
    assert (folder / "damaged.pt").exists()


def test_a_failure_of_this_machine_takes_no_numbers_from_a_store(tmp_path, small_grid, monkeypatch, capsys):
    run_small(small_grid, tmp_path / "out")
    cell, kept = read_grid(small_grid)[0], Store(tmp_path / "out")
    kept.records[cell.digest]["code"] = {}
    kept._replace({"0"}, [], {})

    def absent(cell):
        raise MissingData("the recordings are not here")

    monkeypatch.setattr("companion.grid.runner.load", absent)
    shutil.rmtree(tmp_path / "runs")
    assert main(["grid", "cell", str(small_grid), cell.digest]) == 0
    assert "failed: ecg-sim" in (said := capsys.readouterr().out) and "the recordings are not here" in said
    assert main(["grid", "collect", str(small_grid), "--out", str(tmp_path / "out")]) == 0
    now = Store(tmp_path / "out")
    assert now.state(cell, CHECKSUM) == "stale" and cell.digest not in now.failed
    assert main(["grid", "collect", str(small_grid), "--out", str(tmp_path / "new")]) == 0
    assert Store(tmp_path / "new").failed == {cell.digest}
    now.merge(Store(tmp_path / "new"))
    assert cell.digest not in now.failed and len(now.known) == 2


def test_a_run_of_one_experiment_writes_over_no_other_rows(tmp_path, small_grid, capsys):
    rows = run_small(small_grid, tmp_path / "out")
    assert main(["run", "--dataset", "ecg-sim", "--method", "random", "--out", str(tmp_path / "out")]) == 2
    assert "results would be overwritten" in capsys.readouterr().err
    assert len(Store(tmp_path / "out").rows) == len(rows)


def test_a_store_is_read_when_its_lock_is_held(tmp_path, small_grid):
    late = Store(tmp_path / "out")
    run_small(small_grid, tmp_path / "out")
    with late.locked():
        assert len(late.known) == 2


def test_a_store_adds_to_what_its_files_hold_by_then(tmp_path, small_grid):
    run_small(small_grid, tmp_path / "out")
    one, two = (cell_folder(cell) for cell in read_grid(small_grid))
    early = Store(tmp_path / "shared")
    Store(tmp_path / "shared").add([one])
    early.add([two])
    for there in (early, Store(tmp_path / "shared")):
        assert len(there.known) == len(there.records) == 2 and not there.rows.duplicated(["digest", "metric"]).any()


def test_a_grid_takes_in_cells_that_have_run_elsewhere(tmp_path, small_grid, counted):
    rows = run_small(small_grid, tmp_path / "here")
    pd.testing.assert_frame_equal(run_small(small_grid, tmp_path / "there"), rows, rtol=1e-8)
    assert counted == ["random", "emargin"]


def test_arrays_of_no_cell_do_not_stay(tmp_path, small_grid):
    run_small(small_grid, tmp_path / "out")
    kept = Store(tmp_path / "out")
    for digest in kept.known:
        kept._replace({digest}, [kept.rows[kept.rows.digest == digest]], {})
        assert kept.arrays(digest) == {} and Store(tmp_path / "out").arrays(digest) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("surrogate", "phase"),
        ("protocol", "released"),
        ("fold", 2),
        ("split", "validation"),
        ("sequence_length", 20),
        ("stride", 5),
        ("n_fft", 32),
        ("hop", 4),
        ("quick", True),
        ("dataset", "sleepeeg-sim"),
    ],
)
def test_neighbouring_cells_share_data_where_all_that_makes_them_is_the_same(field, value):
    loads = []
    shared = companion.grid.runner.LastOnly(lambda cell: loads.append(cell) or object())
    fields = {"dataset": "ecg-sim", "method": "random", "sequence_length": 10, "stride": 10, "n_fft": 16, "hop": 8}
    cell, other = resolve(Experiment(**fields)), resolve(Experiment(**fields | {field: value}))
    assert shared(cell) is shared(replace(cell, method="infonce", iterations=9, seed=2))
    assert shared(cell) is not shared(other) and len(loads) == 2


def test_rows_of_two_machines_merge(tmp_path, small_grid):
    rows = run_small(small_grid, tmp_path / "all")
    for number, cell in enumerate(read_grid(small_grid)):
        Store(tmp_path / f"machine{number}").add([cell_folder(cell)])
    status = main(
        ["grid", "merge", str(tmp_path / "machine1"), str(tmp_path / "machine0"), "--out", str(tmp_path / "merged")]
    )
    assert status == 0
    merged = Store(tmp_path / "merged")
    pd.testing.assert_frame_equal(merged.rows, rows, rtol=1e-8, check_dtype=False)
    assert (tmp_path / "merged" / "rows.csv").read_text() == (tmp_path / "all" / "rows.csv").read_text()
    assert (tmp_path / "merged" / "arrays.npz").read_bytes() == (tmp_path / "all" / "arrays.npz").read_bytes()


def test_cells_one_by_one_make_the_rows_of_the_grid(tmp_path, small_grid, capsys):
    together = run_small(small_grid, tmp_path / "together")
    shutil.rmtree(tmp_path / "runs")
    out = ["--out", str(tmp_path / "apart")]
    assert main(["grid", "plan", str(small_grid), *out, "--json", str(tmp_path / "plan.json")]) == 0
    assert "2 cells: 0 done, 2 missing" in capsys.readouterr().out
    ahead = json.loads((tmp_path / "plan.json").read_text())
    for cell in ahead:
        assert main(["grid", "cell", str(small_grid), cell["digest"], "--device", "cpu"]) == 0
    assert main(["grid", "collect", str(small_grid), *out]) == 0
    assert "2 cells: 2 done" in capsys.readouterr().out
    pd.testing.assert_frame_equal(Store(tmp_path / "apart").rows, together, rtol=1e-8, check_dtype=False)


def test_an_unknown_cell_is_named(small_grid, capsys):
    assert main(["grid", "cell", str(small_grid), "0123456789abcdef"]) == 2
    assert "no such cell" in capsys.readouterr().err


def test_a_full_disk_is_reported_without_a_traceback(tmp_path, small_grid, monkeypatch, capsys):
    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(results, "write_text", full)
    assert main(["run", "--grid", str(small_grid), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_cells_that_train_together_have_the_rows_of_cells_alone(tmp_path, small_grid, counted, monkeypatch):
    """Up to rounding, and their records say so; methods that cannot run as ever."""
    path = grid_file(tmp_path, [SMALL | {"method": ["random", "infonce", "emargin"], "seed": [1, 2]}])
    alone = run_small(path, tmp_path / "alone", cells_folder=tmp_path / "a")
    trained, real_train = [], experiment.train
    monkeypatch.setattr(
        experiment, "train", lambda cell, *a, **k: trained.append(cell.method) or real_train(cell, *a, **k)
    )
    together = run_small(path, tmp_path / "together", cells_folder=tmp_path / "b", together=3)
    assert trained == ["random", "random", "emargin"]  # four cells in groups of three: the fourth is alone
    # AdamW's first steps divide a gradient by its own size, so one of nearly 0 takes the sign of its rounding
    np.testing.assert_allclose(together.value.astype(float), alone.value.astype(float), rtol=1e-3)
    records = Store(tmp_path / "together").records.values()
    company = {
        (record["experiment"]["method"], record["experiment"]["seed"]): record.get("trained_together")
        for record in records
    }
    assert company == {
        ("infonce", 1): 3,
        ("emargin", 1): 3,
        ("infonce", 2): 3,
        ("emargin", 2): None,
        ("random", 1): None,
        ("random", 2): None,
    }


def test_a_group_without_data_leaves_a_row_for_each_cell(tmp_path, small_grid, monkeypatch):
    def missing(cell):
        raise MissingData("the recordings are not here")

    monkeypatch.setattr("companion.grid.runner.load", missing)
    path = grid_file(tmp_path, [SMALL | {"method": "emargin", "seed": [1, 2]}])
    rows = run_small(path, tmp_path / "out", together=2)
    assert rows.metric.tolist() == ["failed", "failed"] and "not here" in rows.note[0]


@pytest.mark.parametrize(("threads", "words"), [({}, "2 done"), ({"threads": 2}, "2 done (2 with 2 threads)")])
def test_the_plan_says_which_cells_had_other_threads(tmp_path, small_grid, threads, words):
    run_small(small_grid, tmp_path / "out", **threads)
    assert str(plan(read_grid(small_grid), Store(tmp_path / "out"))) == f"2 cells: {words}"


@pytest.mark.parametrize(
    ("record", "numbers"),
    [
        ({}, set()),
        ({"device": "CPU, 1 thread(s)"}, {1}),
        ({"device": "CPU, 12 thread(s)", "scored": {"probe": {"device": "CPU", "threads": 2}}}, {12, 2}),
        ({"device": "NVIDIA H200", "threads": 4, "scored": {"all": {"weights": "float16"}}}, {4}),
    ],
)
def test_a_record_tells_its_threads(record, numbers):
    assert threads_of(record) == numbers


def test_a_plan_says_what_has_no_effect_and_in_how_many_cells_and_a_run_says_it_too(tmp_path, capsys):
    block = {"dataset": "ecg-sim", "quick": True, "method": ["random", "random-calibrated"], "temperature": 0.1}
    block |= {"sequence_length": 50, "seed": [1, 2]}
    (tmp_path / "grid.json").write_text(json.dumps([block]))
    assert main(["grid", "plan", str(tmp_path / "grid.json"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    for method in block["method"]:
        assert f"emargin: temperature = 0.1 has no effect: {method} is not trained (2 cells)\n" in said
    with pytest.warns(UserWarning, match="temperature = 0.1 has no effect: random is not trained"):
        next(iter(run_cells(read_grid(tmp_path / "grid.json")[:1], root=tmp_path / "cells", progress=False)))
