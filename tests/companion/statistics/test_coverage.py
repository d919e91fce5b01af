"""Coverage: one size, simulated quickly; all sizes stand in a file that a command wrote."""

import itertools
import json

import numpy as np
import pytest

from companion.statistics import coverage
from companion.statistics.crossed import moments

EIGHT = (8, 4, 3)  # people, folds, seeds: DSADS


def test_t_covers_where_the_percentile_bootstrap_falls_short():
    t = coverage.covered("t", "normal", *EIGHT, tables=1500)
    percentile = coverage.covered("percentile", "normal", *EIGHT, tables=1500)
    assert t["coverage"] >= coverage.WANTED and t["error"] < 0.01
    assert percentile["coverage"] < t["coverage"] - 0.02 and percentile["width"] < t["width"]


def test_training_people_are_missed_by_people_and_seeds_and_met_by_folds():
    found = {
        method: coverage.covered(method, "training people too", *EIGHT, tables=1500)["coverage"]
        for method in ("t", "t of folds")
    }
    assert found["t of folds"] >= coverage.WANTED > found["t"]


@pytest.mark.parametrize("law", coverage.LAWS)
def test_people_of_a_fold_share_its_encoders_and_the_mean_is_the_truth(law):
    folds = coverage.folds_of(8, 4)
    values = coverage.draw(law, 4000, folds, 3, np.random.default_rng(1))
    assert values.shape == (4000, 8, 3) and folds.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    error = values.mean((1, 2)).std() / 4000**0.5
    assert values.mean() == pytest.approx(coverage.truth_of(law), abs=5 * error)
    assert (coverage.truth_of(law) != 0) == (law in ("bounded", "balanced accuracy"))
    of_seeds = values[:, :, 0] - values[:, :, 1]  # what a person is drops out
    inside = np.corrcoef(of_seeds[:, 0], of_seeds[:, 1])[0, 1]
    between = np.corrcoef(of_seeds[:, 0], of_seeds[:, 2])[0, 1]
    assert abs(between) < 0.08 and (inside > 0.15) == (law != "the rest alone")


def test_a_resample_of_everybody_once_has_the_error_of_the_table():
    folds = coverage.folds_of(8, 4)
    values = np.random.default_rng(2).standard_normal((5, 8, 3))
    found = coverage._error(values, folds, np.ones(8, int), np.ones((4, 3), int))
    assert found == pytest.approx(moments(values, folds)[1])


def test_the_file_has_every_size_and_says_where_t_falls_short():
    kept = coverage.read_coverage()
    t = kept[kept.method == "t"]
    assert set(zip(t["size"], t.seeds, strict=True)) == set(itertools.product(coverage.SIZES, coverage.SEEDS))
    assert set(t.law[t.coverage < coverage.WANTED]) <= {"skewed", "training people too"}


def test_the_command_writes_what_it_simulates(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(coverage, "SIZES", {"DSADS": (8, 4)})
    monkeypatch.setattr(coverage, "LAWS", {"normal": coverage.LAWS["normal"]})
    monkeypatch.setattr(coverage, "SEEDS", (3,))
    monkeypatch.setattr(coverage, "DRAWS", 20)
    coverage.main(["--tables", "8", "--out", str(tmp_path / "new" / "coverage.json")])
    lines = json.loads((tmp_path / "new" / "coverage.json").read_text())["lines"]
    assert [line["method"] for line in lines[:4]] == list(coverage.METHODS)
    assert len(lines) == 6 and {line["law"] for line in lines} == {"normal", "rank correlation"}
    assert "least and most" in capsys.readouterr().out
