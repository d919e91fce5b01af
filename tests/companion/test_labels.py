"""What a printed table says; and the committed results are those of the present code."""

import pytest

from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.labels import comparison, label
from emargin import rows as results
from tests.test_setup import ROOT

FOLDERS = sorted(path.parent.name for path in (ROOT / "results").glob("*/provenance.json"))
GRIDS = {name: ROOT / "workflow" / f"{'choices' if name == 'validation' else name}.json" for name in FOLDERS}


def test_every_folder_of_rows_has_its_grid():
    assert {"grid", "repairs", "noise", "harth-sim", "validation"} <= set(FOLDERS)
    assert all(grid.exists() for grid in GRIDS.values())


@pytest.mark.parametrize("name", FOLDERS)
def test_no_row_was_made_by_other_code(name):
    store = Store(ROOT / "results" / name)
    stale = [str(cell) for cell in read_grid(GRIDS[name]) if store.state(cell, None) == "stale"]
    assert not stale, f"run them again: make reproduce GRID={GRIDS[name].relative_to(ROOT)} OUT=results/{name}"


def test_an_encoder_that_is_not_the_methods_own_is_in_the_name(small):
    cells = [small(method=method, encoder=encoder) for method in ("random", "infonce") for encoder in (None, "context")]
    names = ["Random Init", "Random Init, encoder context", "InfoNCE, released", "InfoNCE, released, encoder context"]
    assert [label(cell) for cell in cells] == names
    rows = results.table([results.tidy(cell, "nmi", 0.5, 9) for cell in cells])
    assert comparison(rows, {"nmi": "NMI"}).index.tolist() == names


def test_the_printed_table_is_mean_and_sample_deviation_over_seeds(small):
    rows = [results.tidy(small(seed=seed), "accuracy", value, 10) for seed, value in ((1, 0.5), (2, 0.7), (3, 0.6))]
    rows.append(results.tidy(small(method="random"), "failed", float("nan"), None, "reason"))
    rows.append(results.tidy(small(fidelity="original", reading="pair"), "ari", 0.1, 10))
    table = comparison(results.table(rows), {"accuracy": "Accuracy"})
    assert table.Accuracy.to_dict() == {
        "eMargin, released": "0.60 ± 0.10",
        "Random Init": "failed",
        "eMargin, original, pair": "not run",
    }
