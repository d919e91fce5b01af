"""The workflow: its grid files, what the plan tells Snakemake, the graph, and what `make reproduce` does around it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from companion.__main__ import main
from companion.grid import plan as grid
from companion.grid import reproduce
from companion.grid.plan import cell_folder, estimate, plan, read_grid
from companion.grid.runner import finished, run_cell, run_cells
from companion.grid.store import Store
from emargin import experiment, stages
from emargin.config import FIDELITIES, Experiment
from emargin.data import cache
from emargin.errors import InputError
from emargin.methods import COMPARED
from emargin.resolve import resolve
from tests.conftest import make_dataset, without_further_probes
from tests.test_setup import LOCK, ROOT, pins

WORKFLOW = ROOT / "workflow"
UNTRAINED = {name for name, method in COMPARED.items() if method.untrained}
CELL = {"dataset": "ecg-sim", "iterations": 2, "sequence_length": 10, "batch_size": 2}
SNAKEMAKE = next(
    (
        str(path)
        for path in (
            ROOT / ".venv" / "workflow" / "bin" / "snakemake",
            Path(shutil.which("snakemake") or "no snakemake"),
        )
        if path.exists()
    ),
    None,
)
needs_snakemake = pytest.mark.skipif(SNAKEMAKE is None, reason="Snakemake is not here: make reproduce-quick gets it")


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    (tmp_path / "no data").mkdir()
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "no data"))


def grid_file(folder, *blocks):
    path = folder / "grid.json"
    path.write_text(json.dumps(blocks))
    return path


def methods_of(cells):
    """What there must be of each data set: trained methods in their fidelities, untrained ones once."""
    return {(cell.method, cell.fidelity) for cell in cells if cell.labels != "paper" or cell.fidelity == "original"}


EVERY = {
    (name, fidelity) for name in COMPARED for fidelity in FIDELITIES if fidelity == "released" or name not in UNTRAINED
}
RELEASED = {(name, "released") for name in COMPARED}


@pytest.mark.parametrize(
    ("file", "sets"),
    [
        ("grid.json", {("mitbih", 1), ("mitbih", 2), ("dsads", 1), ("sleepedf-features", 1), ("spsw-har", 1)}),
        ("paper.json", {("harth", 1), ("sleepeeg", 1), ("ecg", 1)}),
    ],
)
def test_the_grids_of_real_data_are_complete_and_read_without_them(file, sets):
    cells = read_grid(WORKFLOW / file)
    assert {cell.source for cell in cells} == {"real"}
    for dataset, fold in sets:
        for seed in (1, 2, 3):
            here = [cell for cell in cells if (cell.dataset, cell.fold, cell.seed) == (dataset, fold, seed)]
            original = [cell for cell in here if cell.protocol == "original"]
            assert methods_of(original) == EVERY
            assert {cell.reading for cell in original if cell.method == "emargin"} == {
                None,
                "anchor",
                "pair",
                "all-pairs",
            }
            released = methods_of(cell for cell in here if cell.protocol == "released")
            assert released == (RELEASED if fold == 1 else set())
    assert {(cell.dataset, cell.fold) for cell in cells} == sets


def test_the_quick_grid_has_every_method_in_both_fidelities_on_the_simulators():
    cells = read_grid(WORKFLOW / "quick.json")
    for dataset in ("harth-sim", "sleepeeg-sim", "ecg-sim"):
        assert methods_of(cell for cell in cells if cell.dataset == dataset) == EVERY
    assert len(cells) == 3 * len(EVERY)
    assert {(cell.quick, cell.seed, cell.source) for cell in cells} == {(True, 1, "simulated")}


def test_the_plan_names_the_job_that_frames_the_recordings_of_each_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "checksum_of", lambda cell: "files")
    real = {"dataset": "mitbih", "source": "real", "method": "random"}
    path = grid_file(
        tmp_path,
        real | {"fold": [1, 2], "seed": [1, 2]},
        real | {"protocol": "released"},
        real | {"surrogate": "phase"},
        CELL | {"method": "random"},
    )
    cells = read_grid(path)
    assert main(["grid", "plan", str(path), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "plan.json")]) == 0
    ahead = json.loads((tmp_path / "plan.json").read_text())
    assert [cell["digest"] for cell in ahead] == [cell.digest for cell in cells]
    assert [cell["folder"] for cell in ahead] == [str(cell_folder(cell)) for cell in cells]
    framed = {cell["digest"]: cell["frames"] for cell in ahead}
    first = cells[0].digest
    assert [framed[cell.digest] == first for cell in cells] == [
        (cell.protocol, cell.surrogate, cell.source) == ("original", None, "real") for cell in cells
    ]
    assert len(set(framed.values())) == 4
    assert {cell["why"] for cell in ahead} == {"missing"}


# --- frames, cells


@pytest.fixture
def small_grid(monkeypatch, tmp_path):
    """A grid of two cells on a small data set, without the slow probes; cells run under tmp_path."""
    dataset = make_dataset()
    object.__setattr__(dataset, "checksum", "ecg-sim seed 0 full")
    monkeypatch.setattr("companion.grid.runner.load", lambda cell: dataset)
    for module in (grid, reproduce):
        monkeypatch.setattr(module, "home", lambda: tmp_path)
    without_further_probes(monkeypatch)
    monkeypatch.setattr("companion.grid.runner.is_drawn", lambda cell: False)
    return grid_file(tmp_path, CELL | {"method": ["random", "emargin"]})


def test_frames_are_cached_once_for_the_cells_that_share_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cache, "SMALLEST", 0)
    monkeypatch.setenv("EMARGIN_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "own"
    own.mkdir()
    (own / "dataset.json").write_text(json.dumps({"classes": ["a", "b"], "sampling_rate": 8}))
    for person in range(4):
        draws = np.random.default_rng(person)
        np.savez(
            own / f"p{person}.npz",
            signal=draws.standard_normal((900, 2)).astype(np.float32),
            labels=draws.integers(0, 2, 900),
        )
    path = grid_file(tmp_path, {"dataset": str(own), "method": "random", "sequence_length": 20, "fold": [1, 2]})
    cell, other = read_grid(path)
    assert main(["grid", "frames", str(path), cell.digest]) == 0
    (place,) = (tmp_path / "cache").iterdir()
    made = place.stat().st_mtime_ns
    assert main(["grid", "frames", str(path), other.digest]) == 0
    assert [(there, there.stat().st_mtime_ns) for there in (tmp_path / "cache").iterdir()] == [(place, made)]
    assert main(["grid", "frames", str(path), "0123456789abcdef"]) == 2
    assert "no such cell" in capsys.readouterr().err


def test_missing_recordings_stop_no_job_and_every_cell_of_theirs_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grid, "home", lambda: tmp_path)
    path = grid_file(tmp_path, {"dataset": "mitbih", "source": "real", "method": "random"})
    (cell,) = read_grid(path)
    assert main(["grid", "frames", str(path), cell.digest]) == 0
    assert "recordings of mitbih are not here" in capsys.readouterr().err
    assert main(["grid", "cell", str(path), cell.digest]) == 0
    assert capsys.readouterr().out.startswith("failed: mitbih")
    assert main(["grid", "collect", str(path), "--out", str(tmp_path / "out")]) == 0
    rows = Store(tmp_path / "out").rows
    assert rows.metric.tolist() == ["failed"] and "are not here" in rows.note.item()


def test_rows_that_are_stale_hold_on_where_their_data_are_not(tmp_path, monkeypatch, small_grid):
    cells, out = read_grid(small_grid), Store(tmp_path / "out")
    list(run_cells(cells, device="cpu"))
    out.add(finished(cells, out))
    monkeypatch.setattr(stages, "code_versions", lambda cell: {"data": "newer", "train": "newer"})
    assert [cell.digest for cell in plan(cells, out).ahead] == [cell.digest for cell in cells]
    monkeypatch.setattr(grid, "checksum_of", lambda cell: None)
    todo = plan(cells, out)
    assert todo.ahead == [] and str(todo).startswith("2 cells: 0 done, 2 without data (not on this machine: ecg-sim;")


def test_cells_without_data_are_reported_and_the_others_are_ahead(tmp_path):
    """Running them would leave nothing but failures."""
    absent = {"source": "real", "method": ["random", "infonce"]}
    path = grid_file(
        tmp_path, absent | {"dataset": "mitbih"}, CELL | {"method": "random"}, absent | {"dataset": "dsads"}
    )
    todo = plan(read_grid(path), Store(tmp_path / "out"))
    assert [cell.dataset for cell in todo.ahead] == ["ecg-sim"]
    assert str(todo) == (
        "5 cells: 0 done, 4 without data, 1 missing (not on this machine: mitbih, dsads; "
        "emargin data list says where it looks)"
    )


def test_a_cell_that_is_done_is_not_run_again_and_a_newer_evaluation_trains_nothing(tmp_path, monkeypatch, small_grid):
    cells = read_grid(small_grid)
    assert [outcome.status for outcome in run_cells(cells, device="cpu")] == ["done", "done"]
    assert [outcome.status for outcome in run_cells(cells, device="cpu")] == ["done already"] * 2
    versions = stages.code_versions

    def newer(cell):
        return versions(cell) | {"clustering": "newer"}

    for module in (
        "emargin.stages",
        "companion.grid.plan",
        "companion.grid.runner",
        "emargin.state",
        "emargin.rows",
    ):
        monkeypatch.setattr(f"{module}.code_versions", newer)
    assert finished(cells, Store(tmp_path / "out")) == []  # what is there is of the code before
    monkeypatch.setattr(experiment, "train", None)
    assert [outcome.status for outcome in run_cells(cells[1:], device="cpu")] == ["done"]
    assert finished(cells, Store(tmp_path / "out")) == [cell_folder(cells[1])]


def test_a_damaged_folder_is_run_again(small_grid, capsys):
    (cell, _) = read_grid(small_grid)
    list(run_cells([cell], device="cpu"))
    (cell_folder(cell) / "rows.csv").write_text("half")
    assert [outcome.status for outcome in run_cells([cell], device="cpu")] == ["done"]
    assert "damaged" in capsys.readouterr().err


def test_a_cell_waits_for_another_process_that_is_running_it(tmp_path, monkeypatch, small_grid):
    """What a killed scheduler left running is not run beside it, but found done."""
    (cell, _) = read_grid(small_grid)
    folder = cell_folder(cell)
    folder.mkdir(parents=True)
    aside = tmp_path / "aside"
    run_cell(cell, aside, device="cpu", progress=False)
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, shutil, filelock\n"
            "with filelock.FileLock(sys.argv[1] + '/.lock'):\n"
            "    print('locked', flush=True); time.sleep(1)\n"
            "    shutil.copytree(sys.argv[2], sys.argv[1], dirs_exist_ok=True)",
            str(folder),
            str(aside),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "locked\n"
    assert [outcome.status for outcome in run_cells([cell], device="cpu")] == ["done already"]
    other.communicate()


def test_the_estimate_is_of_cells_alike_and_says_what_it_leaves_out(tmp_path):
    blocks = [CELL | {"method": ["random", "emargin"], "seed": [1, 2]}]
    cells, out = read_grid(grid_file(tmp_path, *blocks)), Store(tmp_path / "out")
    assert "4 cells ahead; no record yet" in estimate(plan(cells, out), out)
    for seconds, digest in ((3600, "a"), (7200, "b")):  # of other seeds
        cell = resolve(Experiment(**CELL | {"method": "emargin", "seed": seconds}))
        out.records[digest] = {"experiment": vars(cell), "seconds": {"train": seconds, "probe": 1}}
    assert estimate(plan(cells, out), out) == (
        "4 cells ahead; by earlier cells of their kind 3.0 h one after the other, without the 2 of which there is no "
        "record yet"
    )


# --- what make reproduce does around Snakemake


@pytest.fixture
def fake(tmp_path):
    """A command in Snakemake's place: writes down its arguments, then does what it is told."""

    def make(commands):
        path = tmp_path / "fake"
        path.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/arguments"\n{commands}\n')
        path.chmod(0o755)
        return ["--snakemake", str(path)]

    return make


def reproduced(path, out, *more):
    return reproduce.main([str(path), "--out", str(out), *more])


def run_aside(path, tmp_path):
    """Run a grid's cells; returns the command that puts them where they belong."""
    list(run_cells(read_grid(path), device="cpu"))
    (tmp_path / "runs" / "cells").rename(tmp_path / "aside")
    return f'mv "{tmp_path}/aside" "{tmp_path}/runs/cells"'


@pytest.fixture
def aside(tmp_path, small_grid):
    return run_aside(small_grid, tmp_path)


@pytest.mark.parametrize("status", [0, 1])
def test_rows_are_taken_in_however_snakemake_ends(tmp_path, small_grid, aside, fake, status, capsys):
    more = fake(f"{aside}; exit {status}")
    assert reproduced(small_grid, tmp_path / "out", "--jobs", "3", "--cells", "5", *more) == status
    assert len(Store(tmp_path / "out").known) == 2
    assert "2 cells: 2 done" in capsys.readouterr().out
    arguments = (tmp_path / "arguments").read_text()
    assert "--jobs 3 " in arguments and "cells_a_job=5" in arguments and f"python={sys.executable}" in arguments
    assert f"plan={tmp_path / 'runs' / 'reproduce' / 'out' / 'plan.json'}" in arguments
    (tmp_path / "arguments").unlink()
    assert reproduced(small_grid, tmp_path / "out", *fake("exit 1")) == 0
    assert "Nothing to run." in capsys.readouterr().out and not (tmp_path / "arguments").exists()


def test_what_a_killed_run_left_is_taken_in_first(tmp_path, small_grid, fake):
    list(run_cells(read_grid(small_grid), device="cpu"))
    assert reproduced(small_grid, tmp_path / "out", *fake("exit 1")) == 0
    assert len(Store(tmp_path / "out").known) == 2 and not (tmp_path / "arguments").exists()


def test_marks_of_an_earlier_plan_are_removed_and_its_logs_kept(tmp_path, small_grid, fake):
    work = tmp_path / "runs" / "reproduce" / "out"
    for name in ("done", "logs"):
        (work / name).mkdir(parents=True)
        (work / name / "0123456789abcdef.cells").touch()
    assert reproduced(small_grid, tmp_path / "out", *fake("exit 0")) == 0
    assert sorted(path.name for path in work.iterdir()) == ["logs", "plan.json"]


def test_rows_land_while_snakemake_runs(tmp_path, monkeypatch, small_grid, aside, fake, capsys):
    monkeypatch.setattr(reproduce, "EVERY", 0)
    seen = tmp_path / "out" / "rows.csv"
    wait = f'for _ in 1 2 3 4 5 6 7 8 9; do [ -e "{seen}" ] && exit 0; sleep 1; done; exit 9'
    assert reproduced(small_grid, tmp_path / "out", *fake(f"{aside}; {wait}")) == 0
    assert re.search(r"of 2 cells in 0 min, ", capsys.readouterr().out)


def test_an_error_while_rows_are_taken_in_stops_snakemake_first(tmp_path, monkeypatch, small_grid, fake):
    monkeypatch.setattr(reproduce, "EVERY", 0)
    commands = f"trap 'touch {tmp_path}/told; exit 1' INT; i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done"

    def damaged(todo, start):
        raise InputError("rows.csv cannot be read")

    monkeypatch.setattr(reproduce, "_progress", damaged)
    assert reproduced(small_grid, tmp_path / "out", *fake(commands)) == 2
    assert (tmp_path / "told").exists()


def test_folders_of_one_name_have_plans_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "home", lambda: tmp_path)
    names = [reproduce._name_of(tmp_path / place) for place in ("results/grid", "other/grid", "../grid")]
    assert names[:2] == ["results-grid", "other-grid"] and len(set(names)) == 3 and "/" not in "".join(names)


def test_a_failed_cell_is_named_at_the_end(tmp_path, monkeypatch, small_grid, fake, capsys):
    def unusable(cell):
        raise InputError("no bits")

    monkeypatch.setattr("companion.grid.runner.load", unusable)
    path = grid_file(tmp_path, CELL | {"method": "random"})
    assert reproduced(path, tmp_path / "out", *fake("exit 0")) == 0 and "failed:" not in capsys.readouterr().out
    assert reproduced(path, tmp_path / "out", *fake(run_aside(path, tmp_path))) == 0
    assert "failed: ecg-sim random released seed 1: no bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("INT", "kill -INT $PPID; sleep 0.2; exit 1"),
        *(
            (
                name,
                f"trap 'touch {{0}}/told; exit 1' INT; kill -{name} $PPID; i=0; while [ $i -lt 100 ]; do sleep 0.1; "
                "i=$((i + 1)); done",
            )
            for name in ("TERM", "HUP")
        ),
    ],
)
@pytest.mark.usefixtures("signals_are_heard")
def test_an_interrupted_run_takes_its_rows_in_and_says_so(tmp_path, small_grid, aside, fake, name, commands):
    assert reproduced(small_grid, tmp_path / "out", *fake(f"{aside}; {commands.format(tmp_path)}")) == 130
    assert len(Store(tmp_path / "out").known) == 2
    assert name == "INT" or (tmp_path / "told").exists()


def test_two_runs_into_one_folder_and_a_missing_snakemake_are_refused(tmp_path, small_grid, fake, capsys):
    with Store(tmp_path / "out").locked():
        assert reproduced(small_grid, tmp_path / "out", *fake("exit 0")) == 2
    assert "another run is writing to" in capsys.readouterr().err
    assert reproduced(small_grid, tmp_path / "out", "--snakemake", str(tmp_path / "nothing")) == 2
    assert "make reproduce installs it" in capsys.readouterr().err
    assert reproduced(tmp_path / "no.json", tmp_path / "out") == 2


# --- the graph


def test_the_pins_of_the_workflow_differ_where_snakemake_needs_it_alone():
    lock = pins((WORKFLOW / "requirements.lock").read_text().splitlines())
    differing = {name for name, version in lock.items() if LOCK.get(name, version) != version}
    assert differing == {"packaging", "sqlalchemy"}
    assert {"snakemake", "snakemake-executor-plugin-slurm"} < set(lock)


def test_the_profiles_differ_in_the_executor_alone():
    default, slurm = (
        yaml.safe_load((WORKFLOW / "profiles" / name / "config.yaml").read_text()) for name in ("default", "slurm")
    )
    assert slurm["executor"] == "slurm" and default.items() <= slurm.items()


def snakemake(folder, ahead, *more, profile="default", python="false", **config):
    (folder / "plan.json").write_text(json.dumps(ahead))
    config = {"plan": folder / "plan.json", "grid": "some grid.json", "python": python} | config
    command = [
        SNAKEMAKE,
        "--snakefile",
        WORKFLOW / "Snakefile",
        "--workflow-profile",
        WORKFLOW / "profiles" / profile,
        "--jobs",
        1,
        "--directory",
        folder,
        *more,
        "--config",
        *(f"{name}={config[name]}" for name in config),
    ]
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")},
    )


def planned(*cells):
    """Cells of a plan, each given by its number, that of the first one that shares its frames, and its source."""
    return [
        {
            "digest": f"{number:016x}",
            "folder": "",
            "why": "missing",
            "cell": f"cell {number}",
            "frames": f"{frames:016x}",
            "source": source,
        }
        for number, frames, source in cells
    ]


@needs_snakemake
def test_the_graph_makes_frames_first_and_runs_cells_in_the_plan_s_order_past_one_that_dies(tmp_path):
    python, ahead = (
        tmp_path / "a python",
        planned(
            (9, 9, "real"), (6, 6, "simulated"), (5, 6, "simulated"), (8, 9, "real"), (7, 9, "real"), (4, 9, "real")
        ),
    )
    python.write_text(
        f'#!/bin/sh\necho "$4 $5 $6 $OMP_NUM_THREADS" >> "{tmp_path}/calls"\n'
        f'[ "$4 $6" != "cell {6:016x}" ] || kill -9 $$\necho a word\n'
    )
    python.chmod(0o755)
    done = snakemake(tmp_path, ahead, python=python)
    assert done.returncode == 1, done.stdout
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"{what} some grid.json {number:016x} 1"
        for what, number in (("frames", 9), *(("cell", number) for number in (9, 6, 5, 8, 7, 4)))
    ]
    assert (tmp_path / "logs" / f"{5:016x}.txt").read_text() == "a word\n"
    again = snakemake(tmp_path, ahead, python=python)
    assert again.returncode == 1, again.stdout
    assert (tmp_path / "calls").read_text().splitlines()[7:] == [f"cell some grid.json {6:016x} 1"]


@needs_snakemake
def test_a_job_has_neighbouring_cells_of_one_set_and_at_most_so_many(tmp_path):
    ahead = planned(*((number, 1, "simulated") for number in range(1, 6)), (6, 6, "simulated"), (7, 1, "simulated"))
    done = snakemake(tmp_path, ahead, "--dry-run", "--printshellcmds", cells_a_job=3)
    assert done.returncode == 0, done.stdout
    jobs = [
        [int(digest, 16) for digest in re.findall(r" ([0-9a-f]{16})(?= )", line)]
        for line in done.stdout.splitlines()
        if "companion grid cell" in line
    ]
    assert sorted(jobs) == [[1, 2, 3], [4, 5], [6], [7]]


@needs_snakemake
@pytest.mark.parametrize(("gpu", "wanted"), [(0, False), (1, True)])
def test_on_slurm_a_job_asks_for_memory_and_time_and_a_gpu_where_told(tmp_path, monkeypatch, gpu, wanted):
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("sbatch", "squeue", "sacct", "sacctmgr", "sshare", "sinfo", "scontrol", "scancel"):
        refuses = f'echo "$@" >> "{tmp_path}/calls"; exit 1' if name == "sbatch" else ""
        (commands / name).write_text(f"#!/bin/sh\n{refuses}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    done = snakemake(
        tmp_path,
        planned((1, 1, "simulated"), (2, 1, "simulated")),
        "--latency-wait",
        0,
        "--slurm-init-seconds-before-status-checks",
        1,
        profile="slurm",
        gpu=gpu,
        cells_a_job=2,
    )
    assert done.returncode == 1 and (tmp_path / "calls").exists(), done.stdout
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert "--mem 4000 " in first and "-t 60 " in first and ("--gpus=1" in first) == wanted, first
    assert "--mem 8000 " in second and "-t 120 " in second, second


def test_a_command_that_is_not_there_leaves_the_signals_as_they_were():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(InputError, match="Snakemake is not here"):
        reproduce._run(["no such command"], lambda: None)
    assert [signal.getsignal(number) for number in numbers] == before
