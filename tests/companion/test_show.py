"""`emargin show`: any folder of rows as Tables 1 and 2, with chance, controls and settings beside."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from companion import show as shown
from companion.__main__ import main
from companion.grid.store import SETTINGS, Store
from companion.show import show
from emargin import experiment as running
from emargin import rows as results
from emargin.__main__ import MAIN
from emargin.config import Experiment
from emargin.resolve import resolve

# two people with three classes: 6, 3 and 1 test frames of them, whatever was answered
PROBE = np.array([[[1, 2, 0], [0, 1, 0], [0, 0, 1]], [[3, 0, 0], [1, 1, 0], [0, 0, 0]]])


def cell(method="emargin", seed=1, **fields):
    return resolve(Experiment(**{"dataset": "harth-sim", "method": method, "seed": seed} | fields))


def ran(experiment, values, probe=PROBE):
    rows = results.table([results.tidy(experiment, name, value, 10) for name, value in values.items()])
    record = {"experiment": json.loads(experiment.to_json()), "code": {"data": "d", "train": "t"}, "data": "files"}
    return rows, record, {} if probe is None else {"probe": probe}


@pytest.fixture(autouse=True)
def committed(tmp_path, monkeypatch):
    """A checkout in which `results/grid` has the calibrated random encoder of two seeds, and others'."""
    monkeypatch.setattr("companion.committed.home", lambda: tmp_path / "checkout")
    shown._controls_of.cache_clear()
    store = Store(tmp_path / "checkout" / "results" / "grid")
    store.take(
        [
            *(ran(cell("random-calibrated", seed), {"silhouette": seed / 10, "accuracy": 0.5}) for seed in (1, 2)),
            ran(cell("random-calibrated", 3, fold=2), {"silhouette": 0.9}),
            ran(cell("random-calibrated", 3, sequence_length=50), {"silhouette": 0.9}),
            ran(cell("infonce"), {"silhouette": 0.9}),
        ]
    )
    yield store
    shown._controls_of.cache_clear()


@pytest.fixture
def store(tmp_path):
    """A reader's rows: eMargin at two margins, two seeds of the first; and a cell that failed."""
    mine = Store(tmp_path / "mine")
    mine.take(
        [
            ran(cell(seed=1), {"silhouette": 0.2, "accuracy": 0.6}),
            ran(cell(seed=2), {"silhouette": 0.4, "accuracy": 0.8}),
            ran(cell(margin=2.0, threshold=0.3), {"silhouette": 0.7, "accuracy": 0.9}),
        ]
    )
    rows, record, _ = ran(cell("infonce"), {"failed": np.nan}, None)
    mine.take([(rows.assign(note="a gradient that is not finite"), record, {})])
    return mine


def lines_of(text, table):
    """Columns of texts of the lines of a table, by its title."""
    block = text.split(f"{table}: ")[1].split("\n\n")[1]
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in block.splitlines()]


def test_a_folder_is_shown_with_chance_controls_and_settings(store):
    text = show(store.folder)
    assert "Table 1: harth-sim, simulated data, protocol original, fold 1\n" in text
    assert lines_of(text, "Table 1") == [
        ["Method", "Fidelity", "margin", "threshold", "temperature", "Davies-Bouldin ↓", "Silhouette ↑", "Seeds"],
        ["chance", "-", "-"],
        ["Random, calibrated (results/grid)", "-", "0.15 ± 0.07", "2"],
        ["InfoNCE", "released", "0.05", "-", "-", "0"],
        ["eMargin", "released", "2", "0.3", "0.05", "-", "0.70", "1"],
        ["eMargin", "released", "5", "0.4", "0.05", "-", "0.30 ± 0.14", "2"],
    ]
    table = lines_of(text, "Table 2")
    assert table[1][:2] == ["chance", "60.00"]  # 6 of 10 frames, in percent
    assert table[2][:2] == ["Random, calibrated (results/grid)", "50.00 ± 0.00"]
    assert table[5][5] == "70.00 ± 14.14"
    assert text.endswith("infonce released seed 1: a gradient that is not finite")


def test_chance_is_what_the_most_frequent_class_scores(store):
    table = pd.read_csv(io.StringIO(show(store.folder, "csv", everything=True)))
    (chance,) = table[table.kind == "chance"].to_dict("records")
    assert chance["accuracy mean"] == 0.6
    wide = lines_of(show(store.folder), "Table 2")
    # precision 6 / 10 of one of three classes, recall 1 / 3; F1 of the class 2 * 6 / 16, weighted by its share
    assert wide[1] == ["chance", "60.00", "0.45", "0.20", "0.33"]


def test_controls_of_the_folder_itself_come_before_committed_ones(store):
    store.take([ran(cell("random-calibrated"), {"silhouette": 0.55})])
    controls = [line for line in lines_of(show(store.folder), "Table 1") if line[0].startswith("Random")]
    assert controls == [["Random, calibrated", "-", "0.55", "1"]]


def test_settings_that_have_no_column_tell_lines_apart(store):
    store.take([ran(cell(seed=3, iterations=20), {"silhouette": 0.9})])
    lines = lines_of(show(store.folder), "Table 1")
    assert lines[0][5] == "other settings"
    assert [line[5] for line in lines if line[0] == "eMargin"] == ["iterations 600", "iterations 20", "iterations 600"]


def test_csv_has_all_digits_and_the_settings(store, capsys):
    assert main(["show", str(store.folder), "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(table.kind) == ["chance", "control", "run", "run", "run"]
    line = table.iloc[4]
    assert (line.method, line.margin, line.threshold, line.temperature) == ("emargin", 5, 0.4, 0.05)
    assert (line["accuracy mean"], line["accuracy n"]) == (pytest.approx(0.7), 2)
    assert line["accuracy std"] == pytest.approx(0.2 / 2**0.5, abs=1e-8)


def test_rows_carry_the_settings_of_their_cells(store, tmp_path, capsys):
    folder = results.writable_folder(tmp_path / "run")
    results.write_cell(folder, *ran(cell(margin=3.0), {"silhouette": 0.5, "accuracy": 0.25}))
    for place, expected in ((store.folder, [(5, 0.4), (5, 0.4), (2, 0.3)]), (folder, [(3, 0.4)])):
        assert main(["show", str(place), "--format", "rows"]) == 0
        rows = pd.read_csv(io.StringIO(capsys.readouterr().out))
        assert list(rows)[-8:] == ["margin", "threshold", "temperature", "metric", "value", "n", "digest", "note"]
        own = rows[(rows.method == "emargin") & (rows.metric == "silhouette")].sort_values("value")
        assert sorted(zip(own.margin, own.threshold, strict=True)) == sorted(expected)
        assert (own.temperature == 0.05).all()
    assert Store(store.folder).rows[lambda table: table.method == "infonce"].margin.isna().all()


def test_settings_are_columns_of_rows_that_are_read_and_not_of_the_file(store):
    header = (store.folder / "rows.csv").read_text(encoding="utf-8").splitlines()[0]
    assert set(SETTINGS) <= set(store.rows) and not set(SETTINGS) & set(header.split(","))
    pd.testing.assert_frame_equal(Store(store.folder).rows, store.rows, check_dtype=False)


def test_markdown_has_a_rule_below_the_head(store, capsys):
    assert main(["show", str(store.folder), "--format", "markdown"]) == 0
    head, rule, first = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")][:3]
    assert head.startswith("| Method ") and first.startswith("| chance ")
    assert set(rule) == set("|- :") and head.count("|") == rule.count("|") == first.count("|")


def test_the_folder_of_a_single_run_is_shown_too(tmp_path):
    folder = results.writable_folder(tmp_path / "run")
    results.write_cell(folder, *ran(cell(), {"silhouette": 0.2, "knn_accuracy": 0.4}))
    assert lines_of(show(folder), "Table 1")[-1] == ["eMargin", "released", "5", "0.4", "0.05", "-", "0.20", "1"]
    assert "knn_accuracy" not in show(folder) and "knn_accuracy" in show(folder, everything=True)


def test_scores_of_series_stand_in_the_tables(tmp_path):
    mine = Store(tmp_path / "mine")
    mine.take([ran(cell(dataset="ecg-sim"), {"series_silhouette": 0.25}, None)])
    lines = lines_of(show(mine.folder), "Table 1")
    assert lines[-1][-2:] == ["0.25", "1"] and "chance" not in [line[0] for line in lines]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_rows_is_an_error_that_says_what_is_wanted(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["show", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in (f"no rows in {tmp_path / name}", "found:", "wanted:", "what to do:"))


def test_a_run_of_a_grid_ends_with_a_short_table(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("companion.grid.runner.run_grid", lambda *arguments, **how: None)
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps([{"dataset": "harth-sim", "method": "emargin", "margin": 2.0, "threshold": 0.3}]))
    assert main(["run", "--grid", str(grid), "--out", str(store.folder)]) == 0
    text = capsys.readouterr().out
    assert [line.split()[0] for line in text.splitlines() if "±" in line or "0.70" in line] == ["Random,", "eMargin"]
    assert f"emargin show {store.folder} prints" in text and "Precision" not in text


@pytest.mark.parametrize("everything", [False, True])
def test_a_run_prints_its_main_numbers_beside_chance_and_the_committed_control(
    everything, tmp_path, capsys, monkeypatch
):
    values = {name: 0.25 for name in (*MAIN, "knn_accuracy")}

    def run(experiment, folder, **how):
        results.write_cell(results.writable_folder(folder), *ran(resolve(experiment), values))

    monkeypatch.setattr(running, "run", run)
    words = ["run", "--dataset", "harth-sim", "--out", str(tmp_path / "run"), *["--all"] * everything]
    assert main(words) == 0
    text = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:]}
    assert lines["accuracy"] == ["0.2500", "0.6000", "0.5000", "±", "0.0000", "10"]
    assert lines["silhouette"] == ["0.2500", "-", "0.1500", "±", "0.0707", "10"]
    assert len(MAIN) == 10 and set(MAIN) <= set(lines)
    assert ("knn_accuracy" in lines) == everything and ("1 more numbers" in text) == (not everything)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["results", "verify"], "no results to look at.*found.*wanted.*in a checkout, or with the installed package"),
        (["grid", "plan", "workflow/none.json", "--out", "x"], "cannot be read.*wanted.*part of a checkout"),
    ],
    ids=["results verify", "grid plan"],
)
def test_outside_a_checkout_a_command_says_that_it_needs_one(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("companion.committed.home", lambda: tmp_path)
    assert main(words) == 2
    assert re.search(says, capsys.readouterr().err)
