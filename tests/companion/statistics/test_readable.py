"""Which splits inform: one rule, on untrained encoders alone."""

import numpy as np
import pytest

from companion.statistics.configurations import configurations
from companion.statistics.readable import informing, readable
from tests.companion.statistics.cells import Cells, seeds_of

PROBE = ["balanced_accuracy"]


def test_a_split_informs_where_the_best_control_is_clearly_above_chance(tmp_path):
    cells = Cells(8)
    seeds_of(cells, 0.34, method="random")
    seeds_of(cells, 0.6, method="random-calibrated")
    seeds_of(cells, 0.2, method="infonce")
    (found,) = readable(cells.store(tmp_path), PROBE).itertuples()
    assert found.informs and found.control == "random-calibrated" and found.reason == ""
    assert found.chance == pytest.approx(1 / 3) and found.value == pytest.approx(0.6, abs=0.04)
    assert (found.drawn, found.people, found.seeds, found.probe) == ("people and seeds", 8, 3, *PROBE)
    assert 0.45 < found.low < found.value
    assert not readable(cells.store(tmp_path), PROBE, above=0.3).informs.any()


def test_trained_encoders_cannot_make_a_split_inform(tmp_path):
    cells = Cells(8)
    seeds_of(cells, 0.34, method="random")
    seeds_of(cells, 0.9, method="infonce")
    (found,) = readable(cells.store(tmp_path), PROBE).itertuples()
    assert not found.informs and found.reason.startswith("lower end 0.") and found.control == "random"


def test_without_a_control_no_split_informs(tmp_path):
    cells = Cells(4)
    seeds_of(cells, 0.9, method="infonce")
    store = cells.store(tmp_path)
    found = readable(store, PROBE)
    assert found.empty and informing(configurations(store.rows), found, *PROBE).empty


def test_people_who_disagree_leave_a_split_out(tmp_path):
    """The mean is far above chance, and rests on one person of four."""
    cells = Cells(4)
    seeds_of(cells, np.array([0.33, 0.33, 0.33, 1.0]), method="random")
    (found,) = readable(cells.store(tmp_path), PROBE).itertuples()
    assert found.value > found.chance + 0.1 and not found.informs


def test_where_no_table_tells_people_apart_seeds_are_drawn(tmp_path):
    cells = Cells(6)
    seeds_of(cells, 0.8, tables=False, method="random")
    (found,) = readable(cells.store(tmp_path), PROBE).itertuples()
    assert (found.drawn, found.people, found.informs) == ("seeds", 0, True)
    few = Cells(6)
    seeds_of(few, 0.8, 1, method="random")
    (found,) = readable(few.store(tmp_path), PROBE).itertuples()
    assert not found.informs and found.reason == "6 people, 1 seeds: no interval"
    bare = Cells(6)
    seeds_of(bare, 0.8, 1, tables=False, method="random")
    assert readable(bare.store(tmp_path), PROBE).reason.item() == "one seed: no interval"


def test_folds_can_be_one_split(tmp_path):
    cells = Cells(6)
    for fold in (1, 2):
        seeds_of(cells, 0.7, method="random", fold=fold)
    store = cells.store(tmp_path)
    assert readable(store, PROBE).people.tolist() == [6, 6]
    (found,) = readable(store, PROBE, folds_together=True).itertuples()
    assert found.people == 12 and not hasattr(found, "fold")


def test_three_folds_draw_training_people_with_one_seed_as_well(tmp_path):
    cells = Cells(6)
    digests = [cells.add(right, method="random", fold=fold) for fold, right in ((1, 0.7), (2, 0.8), (3, 0.75))]
    rows = cells.store(tmp_path).rows
    (found,) = readable(cells.store(tmp_path), PROBE, folds_together=True).itertuples()
    values = rows[rows.digest.isin(digests) & (rows.metric == PROBE[0])].value
    half = 4.302652729911275 * values.std(ddof=1) / 3**0.5  # Student's t, two degrees of freedom
    assert (found.value, found.low) == pytest.approx((values.mean(), values.mean() - half))
    assert found.drawn == "3 folds" and found.informs


def test_configurations_of_informing_splits_are_kept_probe_by_probe(tmp_path):
    cells = Cells(8)
    seeds_of(cells, 0.8, method="random")
    seeds_of(cells, 0.34, method="random", fold=2)
    for fold in (1, 2):
        seeds_of(cells, 0.9, method="infonce", fold=fold)
    store = cells.store(tmp_path)
    kept = informing(configurations(store.rows), readable(store, PROBE), PROBE[0])
    assert set(kept.fold) == {1} and set(kept.method) == {"random", "infonce"}
    assert informing(configurations(store.rows), readable(store, PROBE), "knn_balanced_accuracy").empty
