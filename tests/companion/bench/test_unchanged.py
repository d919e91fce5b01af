"""The comparison of committed rows with cells run anew: what is chosen, what is compared, what goes on."""

import re

import pytest

from companion.bench import unchanged
from companion.grid.store import Store
from emargin import rows as results
from emargin.config import Experiment
from emargin.resolve import resolve


@pytest.fixture
def store(tmp_path):
    """Rows of two lines, three seeds each: accuracy 0.1, 0.2, 0.3 and every other metric 1."""
    kept = Store(tmp_path / "grid")
    for cell in cells():
        folder = results.writable_folder(tmp_path / cell.digest)
        values = dict.fromkeys(unchanged.METRICS, 1.0) | {"accuracy": cell.seed / 10}
        record = {"seconds": {"train": 700.0 if cell.method == "simmtm" else 1.0}, "code": {}, "data": ""}
        rows = [results.tidy(cell, metric, value, 10) for metric, value in values.items()]
        results.write_cell(folder, results.table(rows), record, {})
        kept.add([folder])
    return kept


def cells():
    return [
        resolve(Experiment(dataset="harth-sim", seed=seed, **fields))
        for seed in (1, 2, 3)
        for fields in ({"method": "infonce", "fidelity": "original"}, {"method": "simmtm", "fidelity": "original"})
    ]


def test_long_cells_and_lines_of_other_grids_are_left_out(store):
    assert [cell.method for cell in unchanged.chosen("grid", cells(), store)] == 3 * ["infonce"]
    assert unchanged.chosen("repairs", cells(), store) == []


def test_means_are_compared_in_deviations_over_seeds(store):
    infonce = [cell for cell in cells() if cell.method == "infonce"]
    again = {
        cell.digest: dict.fromkeys(unchanged.METRICS, 1.0) | {"accuracy": cell.seed / 10 + 0.05} for cell in infonce
    }
    lines = unchanged.compared(cells(), store, again)
    assert [row["metric"] for row in lines] == list(unchanged.METRICS)
    (accuracy,) = (row for row in lines if row["metric"] == "accuracy")
    assert accuracy["committed"] == pytest.approx(0.2) and accuracy["again"] == pytest.approx(0.25)
    assert accuracy["deviation"] == pytest.approx(0.1)
    found = unchanged.summary(lines)
    assert found["comparisons"] == len(unchanged.METRICS)
    assert (found["median"], found["largest"], found["above_one"]) == (0, pytest.approx(0.5), 0)
    assert found["undefined"] == 0


def test_a_difference_where_seeds_have_none_is_no_small_one(store):
    again = {cell.digest: dict.fromkeys(unchanged.METRICS, 1.1) for cell in cells()}
    found = unchanged.summary(unchanged.compared(cells(), store, again))
    assert found["undefined"] == 2 * (len(unchanged.METRICS) - 1), "of two lines, every metric but accuracy"
    assert found["above_one"] == found["comparisons"] == 2


def test_one_seed_is_not_compared(store):
    cell = cells()[0]
    assert unchanged.compared(cells(), store, {cell.digest: dict.fromkeys(unchanged.METRICS, 1.0)}) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "jobs.*0.*1 or more"),
        (["--out", "nowhere/unchanged.json"], "nowhere"),
        (["--datasets", "harth"], "harth"),
    ],
)
def test_what_cannot_be_compared_is_told_first(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(unchanged, "ProcessPoolExecutor", lambda *_, **__: pytest.fail("too late"))
    assert unchanged.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)
