"""Scoring again: metrics that cells lack or that are stale, from the encoders that their training left."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from companion.__main__ import main
from companion.grid import plan as grid
from companion.grid import reproduce, score
from companion.grid.integrity import stamp
from companion.grid.plan import cell_folder, plan, read_grid
from companion.grid.runner import run_grid
from companion.grid.store import Store
from emargin import experiment, stages
from emargin import rows as results
from emargin.errors import InputError
from emargin.fingerprint import ROOT, Source
from emargin.stages import METRICS, Metric, code_versions
from emargin.state import read_state, save_atomically
from tests.conftest import make_dataset, without_further_probes

CELL = {"dataset": "ecg-sim", "iterations": 2, "sequence_length": 10, "batch_size": 2}
TOY = f"{__name__}:breadth"


def breadth(experiment, dataset, train, test):
    """A metric: the spread of the test side's embedding."""
    return {"breadth": (float(test.embedding.std()), test.labels.numel())}, {}


def misnamed(experiment, dataset, train, test):
    return {"depth": (1.0, 1)}, {}


@pytest.fixture
def cells(monkeypatch, tmp_path):
    """Two cells that ran, in a store `tmp_path/out`, from the grid file `tmp_path/toys.json`; their data stay small."""
    dataset = make_dataset()
    object.__setattr__(dataset, "checksum", "ecg-sim seed 0 full")

    object.__setattr__(dataset.test, "subjects", torch.arange(40) // 20)
    for module in ("companion.grid.runner", "companion.grid.score"):
        monkeypatch.setattr(f"{module}.load", lambda cell: dataset)
        monkeypatch.setattr(f"{module}.is_drawn", lambda cell: False)
    for module in (grid, reproduce):
        monkeypatch.setattr(module, "home", lambda: tmp_path)
    without_further_probes(monkeypatch)
    (tmp_path / "toys.json").write_text(json.dumps([CELL | {"method": ["random", "emargin"]}]))
    run_grid(tmp_path / "toys.json", tmp_path / "out", progress=False, device="cpu")
    return read_grid(tmp_path / "toys.json")


@pytest.fixture
def toy(monkeypatch):
    source = Source(ROOT)  # read once: outside of the package, it is read anew at each look
    monkeypatch.setattr("emargin.fingerprint._source_for", lambda stage: source)
    monkeypatch.setitem(METRICS, "breadth", Metric(("breadth",), TOY))


@pytest.fixture
def untrained(monkeypatch):
    """Training is an error from here on."""
    monkeypatch.setattr(experiment, "train", lambda *a, **k: pytest.fail("trained"))


def scored(tmp_path, *more):
    return main(["score", str(tmp_path / "toys.json"), "--out", str(tmp_path / "out"), "--device", "cpu", *more])


def lines(tmp_path, *, without=()):
    """The text of the rows, but for those of some metrics."""
    text = (tmp_path / "out" / "rows.csv").read_text().splitlines()
    return [line for line in text if not any(f",{metric}," in line for metric in without)]


def make_stale(monkeypatch, stage):
    versions = stages.code_versions

    def newer(cell):
        return versions(cell) | {stage: "newer"}

    for module in ("emargin.stages", "companion.grid.plan", "emargin.state", "emargin.rows"):
        monkeypatch.setattr(f"{module}.code_versions", newer)


def test_a_new_metric_is_lacking_and_is_filled_in_beside_rows_that_stay(cells, toy, untrained, tmp_path):
    before, records = lines(tmp_path), Store(tmp_path / "out").records
    arrays = {cell.digest: Store(tmp_path / "out").arrays(cell.digest) for cell in cells}
    todo = plan(cells, Store(tmp_path / "out"), "toys")
    assert str(todo) == "2 cells: 2 done (2 without breadth)" and not todo.ahead
    assert scored(tmp_path) == 0
    store = Store(tmp_path / "out")
    assert lines(tmp_path, without=["breadth"]) == before
    fresh = store.rows[store.rows.metric == "breadth"]
    assert set(fresh.digest) == {cell.digest for cell in cells} and (fresh.n == 40).all() and (fresh.value > 0).all()
    assert str(plan(cells, store, "toys")) == "2 cells: 2 done"
    for cell in cells:
        record = store.records[cell.digest]
        assert record["code"] == records[cell.digest]["code"] | {"breadth": code_versions(cell)["breadth"]}
        assert record["seconds"] == records[cell.digest]["seconds"]
        assert set(record["scored"]) == {"breadth"} and record["scored"]["breadth"]["weights"] == "float32"
        kept = store.arrays(cell.digest)
        assert kept.keys() == arrays[cell.digest].keys() > {"clusters", "probe"}
        assert all(np.array_equal(kept[name], array) for name, array in arrays[cell.digest].items())


def test_a_cell_that_runs_has_the_metric_and_equal_values_to_one_that_is_scored(cells, toy, tmp_path):
    assert scored(tmp_path) == 0
    run_grid(tmp_path / "toys.json", tmp_path / "anew", progress=False, device="cpu", cells_folder=tmp_path / "other")
    pd.testing.assert_frame_equal(Store(tmp_path / "out").rows, Store(tmp_path / "anew").rows)


def test_a_metric_concerns_the_grids_that_it_names(cells, toy, monkeypatch, tmp_path):
    monkeypatch.setitem(METRICS, "breadth", Metric(("breadth",), TOY, grids=("others",)))
    assert str(plan(cells, Store(tmp_path / "out"), "toys")) == "2 cells: 2 done"
    before = lines(tmp_path)
    assert scored(tmp_path) == 0 and lines(tmp_path) == before
    run_grid(tmp_path / "toys.json", tmp_path / "anew", progress=False, device="cpu", cells_folder=tmp_path / "new")
    assert "breadth" not in set(Store(tmp_path / "anew").rows.metric)
    shutil.copy(tmp_path / "toys.json", tmp_path / "others.json")
    assert main(["score", str(tmp_path / "others.json"), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert len(lines(tmp_path)) == len(before) + 2


@pytest.mark.parametrize("stage", ["clustering", "collapse", "probe"])
def test_a_stale_metric_is_computed_again_and_the_others_stay(cells, monkeypatch, untrained, tmp_path, stage):
    before = lines(tmp_path)
    path = tmp_path / "out" / "rows.csv"
    rows = results.read_rows(path)  # other values, so that it shows which are computed
    rows.value += 100
    path.write_text(results.rows_to_csv(rows))
    stamp(path.parent, anew=True)
    spoilt = lines(tmp_path)
    make_stale(monkeypatch, stage)
    assert "2 stale" in str(plan(cells, Store(tmp_path / "out")))
    assert scored(tmp_path) == 0
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done"
    for old, changed, new in zip(before[1:], spoilt[1:], lines(tmp_path)[1:], strict=True):
        metric = old.split(",")[len(results.IDENTITY)]
        assert new == (old if METRICS[stage].holds(metric) else changed), metric
    assert all(record["code"][stage] == "newer" for record in Store(tmp_path / "out").records.values())


def test_one_metric_is_computed_if_it_is_named(cells, toy, monkeypatch, untrained, tmp_path, capsys):
    monkeypatch.setitem(METRICS, "width", Metric(("width",), TOY.replace("breadth", "misnamed")))
    assert scored(tmp_path, "--metric", "breadth") == 0
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done (2 without width)"
    assert scored(tmp_path, "--metric", "bredth") == 2
    assert "unknown metric. found: bredth. wanted: clustering," in capsys.readouterr().err
    assert scored(tmp_path) == 2
    assert "metric 'width' gives rows that its entry does not name. found: depth" in capsys.readouterr().err


def test_a_cell_whose_encoder_is_gone_is_named_and_the_others_are_scored(cells, toy, untrained, tmp_path, capsys):
    gone = cell_folder(cells[0]) / "encoder.pt"
    gone.unlink()
    (gone.parent.parent / f"{cells[0].digest}-00000000").mkdir()
    (gone.parent.parent / f"{cells[0].digest}-00000000" / "encoder.pt").touch()
    assert scored(tmp_path) == 2
    error = capsys.readouterr().err
    assert f"the encoder of {cells[0]} is gone. found: no {gone}; by other code: {cells[0].digest}-00000000." in error
    assert f"run it again: emargin grid cell GRID {cells[0].digest} --again" in error and str(cells[1]) in error
    assert "Traceback" not in error
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done (1 without breadth)"


def test_a_cell_that_runs_again_because_it_is_asked_to_has_an_encoder_to_score(cells, toy, tmp_path):
    (cell_folder(cells[0]) / "encoder.pt").unlink()
    words = ["grid", "cell", str(tmp_path / "toys.json"), cells[0].digest, "--device", "cpu"]
    assert main(words) == 0 and not (cell_folder(cells[0]) / "encoder.pt").exists()
    assert main([*words, "--again"]) == 0
    assert scored(tmp_path) == 0


@pytest.mark.parametrize("damage", [b"PK\x03\x04", b"\x80\x04c", b""])
def test_a_damaged_encoder_is_named_and_left_as_it_is(cells, toy, untrained, tmp_path, capsys, damage):
    file = cell_folder(cells[0]) / "encoder.pt"
    file.write_bytes(damage)
    assert scored(tmp_path) == 2
    assert f"{file} cannot be read" in capsys.readouterr().err and file.read_bytes() == damage


def test_an_encoder_of_another_training_is_not_scored(cells, toy, untrained, tmp_path, capsys):

    file = cell_folder(cells[0]) / "encoder.pt"
    state = read_state("encoder", file)
    save_atomically(state | {"origin": state["origin"] | {"data": "of others"}}, file)
    assert scored(tmp_path) == 2
    error = capsys.readouterr().err
    assert f"encoder {file} is of another training. found: " in error and "of others" in error
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done (1 without breadth)"


@pytest.mark.parametrize("base", ["missing", "an earlier text", "other data"])
def test_a_cell_whose_rows_are_of_no_present_training_is_scored_as_a_whole(cells, toy, untrained, tmp_path, base):
    before, out = lines(tmp_path), tmp_path / "out"
    records = Store(out).records
    if base == "missing":
        shutil.rmtree(out)
    else:
        change = {"earlier_text": ["train"]} if base == "an earlier text" else {"data": "other"}
        (out / "provenance.json").write_text(json.dumps({name: r | change for name, r in records.items()}))
        (out / "rows.csv").write_text((out / "rows.csv").read_text().replace(",0.", ",1."))
        stamp(out, anew=True)
    assert scored(tmp_path, *(["--metric", "breadth"] if base == "an earlier text" else [])) == 0
    assert lines(tmp_path, without=["breadth"]) == before
    assert not any(Store(out).is_earlier(cell.digest) for cell in cells)
    assert all(r["scored"] == {"all": {"weights": "float32"}} for r in Store(out).records.values())


def test_a_stage_that_is_computed_again_is_of_an_earlier_text_no_more(cells, monkeypatch, untrained, tmp_path):
    out = tmp_path / "out"
    earlier = {name: r | {"earlier_text": ["probe", "collapse"]} for name, r in Store(out).records.items()}
    (out / "provenance.json").write_text(json.dumps(earlier))
    stamp(out, anew=True)
    make_stale(monkeypatch, "collapse")
    assert scored(tmp_path) == 0
    assert {tuple(record["earlier_text"]) for record in Store(out).records.values()} == {("probe",)}


def test_a_cell_that_failed_is_not_scored(cells, toy, tmp_path, monkeypatch):
    def unusable(cell):
        raise InputError("no bits")

    monkeypatch.setattr("companion.grid.runner.load", unusable)
    run_grid(tmp_path / "toys.json", tmp_path / "out2", progress=False, device="cpu", cells_folder=tmp_path / "none")
    monkeypatch.setitem(METRICS, "width", Metric(("width",), TOY))
    todo = plan(cells, Store(tmp_path / "out2"))
    assert str(todo) == "2 cells: 2 done"
    assert score.score_cells(cells, Store(tmp_path / "out2")) == []


@pytest.mark.parametrize("killed_at", [1, 2, 3, 5])
def test_a_kill_while_a_metric_is_filled_in_loses_nothing(cells, toy, untrained, tmp_path, monkeypatch, killed_at):
    """Of the files that are written for two cells, so many are; then the process is gone."""
    before, count = lines(tmp_path), []
    write = results.write_bytes

    def counted(path, content):
        count.append(path)
        if len(count) == killed_at:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(results, "write_bytes", counted)
    monkeypatch.setattr("companion.grid.runner.Intake.__exit__", lambda *a: None)  # a kill has no last words
    monkeypatch.setattr("companion.grid.runner.Intake.SHARE", float("inf"))
    assert scored(tmp_path) == 130
    assert lines(tmp_path, without=["breadth"]) == before
    assert len(plan(cells, Store(tmp_path / "out")).done) == 2


def test_after_a_kill_the_same_command_finishes(cells, toy, untrained, tmp_path, monkeypatch):
    before, real, seen = lines(tmp_path), score._scored, []

    def killed(item, *arguments):
        seen.append(item.cell)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(item, *arguments)

    monkeypatch.setattr(score, "_scored", killed)
    assert scored(tmp_path) == 130
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done (1 without breadth)"
    assert scored(tmp_path) == 0
    assert seen == [cells[0], cells[1], cells[1]] and lines(tmp_path, without=["breadth"]) == before
    assert str(plan(cells, Store(tmp_path / "out"))) == "2 cells: 2 done"


def test_reproduce_scores_what_it_can_and_then_runs_the_rest(cells, toy, tmp_path, monkeypatch, capsys):
    shutil.rmtree(cell_folder(cells[0]))
    out = tmp_path / "out"
    records = Store(out).records
    records[cells[0].digest]["code"]["train"] = "older"
    (out / "provenance.json").write_text(json.dumps(records))
    stamp(out, anew=True)
    command = tmp_path / "snakemake"
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    monkeypatch.setattr(experiment, "train", lambda *a, **k: pytest.fail("trained"))
    words = [str(tmp_path / "toys.json"), "--out", str(out), "--snakemake", str(command)]
    assert reproduce.main(words) == 0
    output = capsys.readouterr()
    assert "2 cells: 1 done, 1 stale" in output.out and "gone" not in output.err
    assert re.search(r"\[1/1\] scored in \d+ s: .*: breadth", output.err)
    (ahead,) = json.loads((tmp_path / "runs" / "reproduce" / "out" / "plan.json").read_text())
    assert ahead["digest"] == cells[0].digest


def test_series_are_scored_on_one_embedding_each(ucr, tmp_path, monkeypatch, toy):
    monkeypatch.setattr(grid, "home", lambda: tmp_path)
    without_further_probes(monkeypatch)
    monkeypatch.delitem(METRICS, "breadth")
    (tmp_path / "toys.json").write_text(json.dumps([{"dataset": ucr, "method": "random", "batch_size": 2}]))
    run_grid(tmp_path / "toys.json", tmp_path / "out", progress=False, device="cpu")
    before = lines(tmp_path)
    monkeypatch.setitem(METRICS, "breadth", Metric(("breadth",), TOY))
    assert scored(tmp_path) == 0
    assert lines(tmp_path, without=["series_breadth"]) == before
    rows = Store(tmp_path / "out").rows
    assert rows[rows.metric == "series_breadth"].n.tolist() == [24]
