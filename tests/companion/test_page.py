"""Pages of results with a reader's own rows: what is opened, what is said, and every page filled with them."""

import json
import types

import matplotlib
import nbformat
import pytest

from companion.book.notebooks import ROOT
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.page import Page
from emargin.config import Experiment
from emargin.paths import home
from emargin.rows import IDENTITY, OPTIONAL
from emargin.stages import code_versions

OURS = {"dataset": "harth-sim", "quick": True}
GRID = [
    OURS | {"method": ["random", "random-calibrated", "infonce", "emargin"], "seed": [1, 2]},
    OURS | {"method": ["infonce", "emargin"], "fidelity": "original", "seed": [1, 2]},
    OURS | {"method": "emargin", "fidelity": ["released", "original"], "threshold": [0.2, 0.8], "seed": 1},
    OURS | {"method": ["infonce", "emargin"], "surrogate": ["frames", "phase"], "seed": 1},
    OURS | {"method": ["infonce", "emargin"], "iterations": [5, 20], "seed": 1},
]
LATER = [OURS | {"method": ["ts2vec", "tnc"], "seed": 1}]  # cells that have not run


def donor(cell: Experiment, store: Store) -> str:
    """The digest of a committed cell of the same method and fidelity: its scores stand in for those of a run."""
    rows = store.rows[(store.rows.dataset == "spsw-har") & (store.rows.method == cell.method)]
    rows = rows[(rows.protocol == "original") & (rows.seed == cell.seed)]
    same = rows[(rows.fidelity == cell.fidelity) & rows.reading.isin(["", "anchor"])]
    return same.digest.iloc[0]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A folder of rows and its grid file, which also has two cells that have not run."""
    place = tmp_path_factory.mktemp("mine")
    grid = place / "my.json"
    grid.write_text(json.dumps(GRID))
    given, store, taken = Store(home() / "results" / "grid"), Store(place / "rows"), []
    for cell in read_grid(grid):
        digest = donor(cell, given)
        rows = given.rows[given.rows.digest == digest].assign(digest=cell.digest)
        rows = rows.assign(**{name: getattr(cell, name) or "" for name in (*IDENTITY, *OPTIONAL)})
        record = given.records[digest] | {"experiment": json.loads(cell.to_json()), "code": code_versions(cell)}
        taken.append((rows, record, given.arrays(digest)))
    store.take(taken)
    grid.write_text(json.dumps(GRID + LATER))
    return store.folder, grid


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """Half of the cells of a committed folder, as a reader's: a function of its name."""

    def taken(name: str, **fields):
        given, mine = Store(home() / "results" / name), Store(tmp_path_factory.mktemp(name) / "rows")
        cells = [cell for cell in read_grid(home() / "workflow" / f"{name}.json") if cell.digest in given.known]
        cells = [cell for cell in cells if all(getattr(cell, one) == value for one, value in fields.items())]
        mine.take(
            (given.rows[given.rows.digest == cell.digest], given.records[cell.digest], given.arrays(cell.digest))
            for cell in cells[::2]
        )
        return mine.folder

    return taken


def opened(folder="results/grid", committed_grid=None, **parameters):
    return Page.from_notebook({"folder": None, "grid": None} | parameters, folder, committed_grid)


def run_page(name: str, **parameters) -> dict:
    """Run the code of a page in this process, with other parameters, and return its names."""
    module = types.ModuleType("page")
    names = vars(module)
    names["display"] = lambda *shown: None  # which a kernel has
    for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{name}.ipynb, {cell.id}", "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                assert set(parameters) <= set(names), "a parameter that the page does not have"
                names.update(parameters)
        matplotlib.pyplot.close("all")
    return names


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("results_tables", {}),
        ("results_claim", {}),
        ("results_maps", {}),
        ("results_mitbih", {"dataset": "harth-sim"}),
        ("controls", {}),
        ("course", {}),
        ("conclusions", {}),
        ("repairs", {}),
    ],
)
def test_a_page_is_filled_with_a_readers_rows(name, parameters, mine, capsys):
    folder, grid = mine
    names = run_page(name, folder=str(folder), grid=str(grid), **parameters)
    text = capsys.readouterr().out
    assert f"{folder}: 24 of 26 cells have run, 0 of them failed\nnot run, so empty below: 2" in text
    assert "harth-sim" in text and not names["page"].committed
