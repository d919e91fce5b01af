"""What probes read of the rhythms, on either split and on both together."""

from types import SimpleNamespace

import numpy as np
import pytest

from companion.statistics import rhythms
from companion.statistics.readable import readable
from companion.statistics.rhythms import reads
from tests.companion.statistics.cells import Cells, L, seeds_of

PAPERS = "balanced_accuracy"


@pytest.fixture
def store(monkeypatch, tmp_path):
    """Two lines on both splits; the second line lacks a seed on one of them."""
    monkeypatch.setattr(rhythms, "settings_of", lambda name: SimpleNamespace(draw=(1,) * L))
    made = Cells(6)
    for fold, seeds in ((1, 3), (2, 2)):
        seeds_of(made, 0.6, method="random-calibrated", fold=fold)
        seeds_of(made, 0.9, seeds, method="infonce", fold=fold)
    made.add(0.5, seed=1, method="emargin", fold=1)
    return made.store(tmp_path)


def of(table, line, split):
    (found,) = table[(table.line == line) & (table.split == split)].itertuples()
    return found


def test_a_split_is_read_as_the_rule_for_splits_reads_it(store):
    table, rule = reads(store, "harth-sim", PAPERS), readable(store, [PAPERS])
    for split, fold in (("first", 1), ("second", 2)):
        own = of(table, "Random, calibrated", split)
        (theirs,) = rule[rule.fold == fold].itertuples()
        assert (own.value, own.low, own.chance) == pytest.approx((theirs.value, theirs.low, theirs.chance))
        assert (own.people, own.seeds) == (6, 3)


def test_both_splits_count_all_people_and_the_seeds_of_both(store):
    table = reads(store, "harth-sim", PAPERS)
    own = of(table, "InfoNCE, released", "both")
    assert (own.people, own.seeds) == (12, 2) and of(table, "InfoNCE, released", "first").seeds == 3
    assert own.low < own.value < own.high and own.low > own.chance


def test_one_seed_has_no_interval_and_one_split_is_not_both(store):
    table = reads(store, "harth-sim", PAPERS)
    own = table[table.line.str.startswith("eMargin")]
    assert list(own.split) == ["first"] and np.isnan(own[["low", "high"]]).all(axis=None)
