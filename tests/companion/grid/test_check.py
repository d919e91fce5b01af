"""`emargin check`: a run beside the committed cell of the same digest."""

import json

import numpy as np
import pytest

from companion.__main__ import main
from companion.grid.check import check
from companion.grid.plan import read_grid
from companion.grid.store import Store
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.experiment import run
from emargin.paths import home
from emargin.resolve import resolve

VALUES = {1: {"nmi": 0.1, "ari": 0.5, "silhouette": 0.3}, 2: {"nmi": 0.2, "ari": 0.5}, 3: {"nmi": 0.3, "ari": 0.5}}
# of three seeds with mean 0.2 and deviation 0.1: 0.2 ± 4.302653 * 0.1 * sqrt(4 / 3)
LOW, HIGH = 0.2 - 0.4968275, 0.2 + 0.4968275


def cell(seed=1, **fields):
    return resolve(Experiment(**{"dataset": "harth-sim", "quick": True, "method": "infonce", "seed": seed} | fields))


def rows_and_record(experiment, values, **more):
    rows = results.table([results.tidy(experiment, name, value, 9) for name, value in values.items()])
    record = {
        "experiment": json.loads(experiment.to_json()),
        "code": {"data": "d", "train": "t", "clustering": "c"},
        "commit": "abc",
        "data": "files",
        "versions": {"python": "3.11", "torch": "2"},
        "device": "CPU",
        "threads": 1,
    }
    return rows, record | more, {}


@pytest.fixture
def committed(tmp_path):
    """A folder of stores: three seeds, and cells beside them that are no seeds of theirs."""
    store = Store(tmp_path / "results" / "grid")
    others = [rows_and_record(cell(seed, margin=2.0, method="emargin"), {"nmi": 9.0}) for seed in (1, 2, 3)]
    store.take([*(rows_and_record(cell(seed), values) for seed, values in VALUES.items()), *others])
    return tmp_path / "results"


@pytest.fixture
def ran(tmp_path):
    """Writes a run with these values, and returns its folder."""

    def write(values, experiment=None, **more):
        rows, record, _ = rows_and_record(experiment or cell(), values, **more)
        folder = results.writable_folder(tmp_path / "run")
        results.write_cell(folder, rows, record)
        return folder

    return write


def verdicts(comparison):
    return comparison.lines.verdict.to_dict()


def test_a_value_is_equal_within_the_spread_of_seeds_or_outside(committed, ran):
    def of(nmi):
        (comparison,) = check(ran({"nmi": nmi}), committed)
        return verdicts(comparison)["nmi"], bool(comparison.outside)

    assert of(0.1) == ("equal", False) and of(0.1000001) == ("within", False)
    assert of(HIGH - 1e-4) == of(LOW + 1e-4) == ("within", False)
    assert of(HIGH + 1e-4) == of(LOW - 1e-4) == ("outside", True)


def test_fewer_than_three_seeds_have_no_spread_and_metrics_of_one_alone_are_left_out(committed, ran):
    (comparison,) = check(ran({"silhouette": 0.31, "ari": 0.6, "map": 1.0, "nmi": np.nan}), committed)
    assert verdicts(comparison) == {"silhouette": "alone", "ari": "outside"}
    assert comparison.lines.seeds.to_dict() == {"silhouette": 1, "ari": 3}


def test_both_surroundings_are_named_and_so_are_other_data_and_other_code(committed, ran):
    code = {"data": "d", "train": "new", "knn": "k"}
    folder = ran({"nmi": 0.1}, processor="A Processor", threads=2, data="others", code=code)
    (comparison,) = check(folder, committed)
    assert comparison.around.loc["processor"].tolist() == ["A Processor", "not recorded"]
    assert comparison.around.loc["threads"].tolist() == [2, 1]
    assert comparison.differences == ("data", "train")
    text = str(comparison)
    assert "1 equal" in text and "A Processor" in text and "not the same: data, train" in text


def test_every_store_that_has_the_cell_is_compared(committed, ran):
    Store(committed / "more").take([rows_and_record(cell(), {"nmi": 0.4})])
    comparisons = check(ran({"nmi": 0.4}), committed)
    found = [(comparison.store.name, *verdicts(comparison).values()) for comparison in comparisons]
    assert found == [("grid", "within"), ("more", "equal")]


def test_without_a_run_results_or_such_a_cell_it_says_so(committed, ran, tmp_path):
    with pytest.raises(InputError, match="no run in .*nowhere"):
        check(tmp_path / "nowhere", committed)
    with pytest.raises(InputError, match="no committed results.*run it in a checkout"):
        check(ran({"nmi": 0.1}), tmp_path / "nowhere")
    with pytest.raises(
        InputError, match="no committed cell is this run.*harth-sim, infonce, released, 7.*a cell of grid"
    ):
        check(ran({"nmi": 0.1}, cell(7)), committed)


def test_a_damaged_run_is_named(committed, ran):
    folder = ran({"nmi": 0.1})
    (folder / "rows.csv").write_text((folder / "rows.csv").read_text().replace("0.1", "0.2"))
    with pytest.raises(InputError, match="rows.csv.*another checksum"):
        check(folder, committed)


def test_the_command_fails_where_a_value_is_outside(committed, ran, monkeypatch, capsys):
    monkeypatch.setattr("companion.committed.home", lambda: committed.parent)
    assert main(["check", str(ran({"nmi": 0.15}))]) == 0
    assert "1 within" in capsys.readouterr().out
    assert main(["check", str(ran({"nmi": 5.0}))]) == 1
    assert "1 outside" in capsys.readouterr().out
    assert main(["check", str(committed)]) == 2
    assert "no run in" in capsys.readouterr().err


def test_a_committed_cell_that_is_trained_again_stays_within_the_spread_of_seeds(tmp_path):
    """Whatever the processor: where training has changed, scores move by more than from seed to seed."""
    cells = read_grid(home() / "workflow" / "harth-sim.json")
    asked = next(one for one in cells if (one.method, one.fidelity, one.seed) == ("infonce", "original", 1))
    fresh = run(asked, folder=tmp_path, device="cpu", progress=False, metrics=["clustering", "collapse"])
    (comparison,) = [found for found in check(tmp_path) if found.store.name == "harth-sim"]
    assert len(comparison.lines) == len(fresh.rows) >= 9 and (comparison.lines.seeds == 3).all()
    assert not comparison.outside, str(comparison)
    assert comparison.around.run["processor"] == fresh.provenance["processor"] != "not recorded"
