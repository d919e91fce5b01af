"""The committed results are those of the present code."""

import pytest

from companion.grid.plan import read_grid
from companion.grid.store import Store
from tests.test_setup import ROOT

FOLDERS = sorted(path.parent.name for path in (ROOT / "results").glob("*/provenance.json"))


def test_every_folder_of_rows_has_its_grid():
    assert {"grid", "repairs", "noise", "harth-sim"} <= set(FOLDERS)
    assert all((ROOT / "workflow" / f"{name}.json").exists() for name in FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_no_row_was_made_by_other_code(name):
    store = Store(ROOT / "results" / name)
    stale = [str(cell) for cell in read_grid(ROOT / "workflow" / f"{name}.json") if store.state(cell, None) == "stale"]
    assert not stale, f"run them again: make reproduce GRID=workflow/{name}.json OUT=results/{name}"
