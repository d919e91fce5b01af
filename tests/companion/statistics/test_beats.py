"""Beats of either side of the split: what is read, and the differences of two lines."""

import numpy as np
import pytest

from companion.statistics import beats
from companion.statistics.beats import ALL, COMMON, EMARGIN, INFONCE, Beats, controls, differences
from companion.statistics.readable import readable
from emargin.evaluation import probing
from tests.companion.statistics.cells import Cells, L, seeds_of

PAPERS, NEIGHBOURS = "the paper’s probe", "k nearest neighbours"


@pytest.fixture
def cells(monkeypatch):
    """Both folds of a control, InfoNCE and eMargin; the last of three classes is the rare one."""
    monkeypatch.setattr(beats, "F", L - 1)
    monkeypatch.setattr(beats, "CHANCE", {ALL: 1 / 3, COMMON: 1 / 2})
    made = Cells(8)
    for fold, lift in ((1, 0.0), (2, 0.2)):
        seeds_of(made, 0.5 + lift, method="random-calibrated", fold=fold)
        seeds_of(made, 0.7 + lift, method="infonce", fold=fold)
        seeds_of(made, 0.6 + lift, 2, method="emargin", fold=fold)
    return made


def of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    (found,) = table.itertuples()
    return found


def test_a_control_informs_by_the_rule_for_all_splits(cells, tmp_path):
    store = cells.store(tmp_path)
    table, rule = controls(store), readable(store, ["balanced_accuracy"])
    for side, fold in (("DS2", 1), ("DS1", 2)):
        own, theirs = of(table, tested=side, scored=ALL), of(rule, fold=fold)
        assert (own.value, own.low, own.chance) == pytest.approx((theirs.value, theirs.low, theirs.chance))
        assert own.informs == theirs.informs and (own.people, own.seeds) == (8, 3)
    assert of(table, tested="both", scored=ALL).people == 16 and of(table, tested="both", scored=ALL).informs
    barely = of(table, tested="DS2", scored=COMMON)
    assert barely.low < 0.55 and not barely.informs  # half of two classes is a guess


def test_a_control_that_is_barely_above_chance_does_not_inform(cells, tmp_path, monkeypatch):
    store = cells.store(tmp_path)
    monkeypatch.setattr(beats, "ABOVE", 0.4)
    found = of(controls(store), tested="DS2", scored=ALL)
    assert found.low > found.chance and not found.informs


def test_frames_of_the_rare_class_are_left_out(cells, tmp_path):
    store = cells.store(tmp_path)
    digests = Beats(store).digests(EMARGIN, "DS2")
    assert len(digests) == 2
    recalls = [
        np.mean([(cells.predicted[digest] == label)[cells.truth == label].mean() for label in range(L - 1)])
        for digest in digests
    ]
    found = of(differences(store, EMARGIN, INFONCE), tested="DS2", scored=COMMON)
    assert found.first == pytest.approx(np.mean(recalls))
    whole = of(differences(store, EMARGIN, INFONCE), tested="DS2", scored=ALL, by=PAPERS)
    scores = [probing.scores(cells.truth, cells.predicted[digest])["balanced_accuracy"] for digest in digests]
    assert whole.first == pytest.approx(np.mean(scores))


def test_differences_are_of_the_seeds_that_both_have(cells, tmp_path):
    cells.rows += [row | {"metric": "knn_balanced_accuracy"} for row in cells.rows if row["metric"] == "knn_accuracy"]
    store = cells.store(tmp_path)
    table = differences(store, EMARGIN, INFONCE)
    assert set(table.tested) == {"DS2", "DS1", "both"} and set(table.seeds) == {2}
    found = of(table, tested="both", by=PAPERS, scored=ALL)
    assert found.low < found.value < found.high < 0 and found.people == 16 and found.verdict == "lower"
    assert found.value == pytest.approx(-0.1, abs=0.04) and found.value == pytest.approx(found.first - found.second)
    neighbours = of(table, tested="DS1", by=NEIGHBOURS)
    assert neighbours.value == 0 and np.isnan(neighbours.low) and neighbours.verdict == ""
    assert differences(store, EMARGIN, "TNC, released").empty


def test_a_seed_that_one_side_of_the_split_lacks_does_not_count_for_both(cells, tmp_path):
    cells.add(0.9, method="random-calibrated", fold=1, seed=4)
    table = controls(cells.store(tmp_path))
    assert of(table, tested="DS2", scored=ALL).seeds == 4 and of(table, tested="both", scored=ALL).seeds == 3
