"""Pages of results with a reader's own rows: what is opened, what is said, and every page filled with them."""

import json
import sys
import types

import matplotlib.pyplot as plt
import nbformat
import pytest

from companion.book.notebooks import ROOT
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.page import Page
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.rows import IDENTITY, OPTIONAL, writable_folder, write_cell
from emargin.stages import code_versions

OURS = {"dataset": "harth-sim", "quick": True}
GRID = [
    OURS | {"method": ["random", "random-calibrated", "infonce", "emargin"], "seed": [1, 2]},
    OURS | {"method": ["infonce", "emargin"], "fidelity": "original", "seed": [1, 2]},
    OURS | {"method": "emargin", "fidelity": ["released", "original"], "threshold": [0.2, 0.8], "seed": 1},
    OURS | {"method": ["infonce", "emargin"], "surrogate": ["frames", "phase"], "seed": 1},
    OURS | {"method": ["infonce", "emargin"], "iterations": [5, 20], "seed": 1},
    OURS | {"method": "nearer:Nearer", "mu": [0.25, 0.5], "seed": 1},
]
METHOD = """
from emargin.methods import Field, Method


class Nearer(Method):
    title, fields = "Nearer", {"mu": Field(float, default=0.5)}

    def loss(self, batch, generator):
        z = self.encoder(batch)
        return (z[:, 1:] - z[:, :-1]).square().mean() * self.experiment.mu, {}
"""
LATER = [OURS | {"method": ["ts2vec", "tnc"], "seed": 1}]  # cells that have not run


def donor(cell: Experiment, store: Store) -> str:
    """The digest of a committed cell of the same method and fidelity: its scores stand in for those of a run."""
    method = "infonce" if ":" in cell.method else cell.method
    rows = store.rows[(store.rows.dataset == "spsw-har") & (store.rows.method == method)]
    rows = rows[(rows.protocol == "original") & (rows.seed == cell.seed)]
    same = rows[(rows.fidelity == cell.fidelity) & rows.reading.isin(["", "anchor"])]
    return same.digest.iloc[0]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A folder of rows and its grid file, which also has two cells that have not run."""
    place = tmp_path_factory.mktemp("mine")
    (place / "nearer.py").write_text(METHOD)
    sys.path.append(str(place))
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
    yield store.folder, grid
    sys.path.remove(str(place))


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


def opened(folder=None, grid=None, **parameters) -> Page:
    return Page.from_notebook({"folder": folder, "grid": grid} | parameters, "results/dial", "workflow/dial.json")


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
        plt.close("all")
    return names


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("results_tables", {}),
        ("results_all", {}),
        ("results_claim", {}),
        ("results_maps", {}),
        ("results_mitbih", {"dataset": "harth-sim"}),
        ("controls", {}),
        ("course", {}),
        ("conclusions", {}),
        ("evidence", {}),
        ("repairs", {}),
    ],
)
def test_a_page_is_filled_with_a_readers_rows(name, parameters, mine, capsys):
    folder, grid = mine
    names = run_page(name, folder=str(folder), grid=str(grid), **parameters)
    text = capsys.readouterr().out
    assert f"{folder}: 26 of 28 cells have run, 0 of them failed\nnot run, so empty below: 2" in text
    assert "harth-sim" in text and not names["page"].committed


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "folder", "fields"),
    [
        ("ucr", "ucr", {"dataset": "ucr-SwedishLeaf"}),
        ("dial", "dial", {"dataset": "spsw-har"}),
        ("sweeps", "sweeps", {"dataset": "spsw-har"}),
        ("course", "training", {"dataset": "spsw-har"}),
    ],
)
def test_a_page_is_filled_with_a_part_of_its_cells(name, folder, fields, part, capsys):
    names = run_page(name, folder=str(part(folder, **fields)))
    assert "cells have run, 0 of them failed" in capsys.readouterr().out and not names["page"].committed


def test_without_parameters_the_committed_rows_of_the_pages_grid_are_shown(capsys):
    page = opened()
    assert page.committed and page.cells == read_grid(home() / "workflow" / "dial.json")
    assert set(page.rows.digest) <= {cell.digest for cell in page.cells} and capsys.readouterr().out == ""
    assert page.beside("results/ucr", "workflow/ucr.json").store.folder == home() / "results" / "ucr"


def test_without_a_grid_all_cells_of_a_readers_folder_are_shown_and_nothing_beside(mine, capsys):
    page = opened(mine[0])
    assert {cell.digest for cell in page.cells} == page.store.known and "26 of 26 cells" in capsys.readouterr().out
    assert page.beside("results/ucr", "workflow/ucr.json").cells == []
    assert [key for key in page.splits if "frames" in key[0]] == [("harth-sim, surrogate frames", "original", 1)]
    assert page.source_of("harth-sim") == "harth-sim, simulated data"


def test_rows_that_another_version_of_the_code_made_are_counted(mine, tmp_path, capsys):
    given, store = Store(mine[0]), Store(tmp_path)
    digest = given.rows.digest.iloc[0]
    record = given.records[digest] | {"code": given.records[digest]["code"] | {"train": "0123456789abcdef"}}
    store.take([(given.rows[given.rows.digest == digest], record, given.arrays(digest))])
    opened(tmp_path)
    assert "made by another version of the code: 1, the first harth-sim" in capsys.readouterr().out


def test_what_cannot_be_shown_is_named(mine, tmp_path):
    write_cell(writable_folder(tmp_path / "run"), *cell_of(mine))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(LATER))
    for parameters, message in (
        ({"folder": tmp_path / "none"}, "no rows in .*no such folder.*wanted.*what to do"),
        ({"folder": tmp_path}, "no rows in .*no rows.csv"),
        ({"folder": tmp_path / "run"}, "folder of a single run.*emargin show"),
        ({"folder": mine[0], "grid": other}, "no cell of .*other.json is in .*26 other cells.*some of its 2"),
        ({"folder": mine[0], "grid": tmp_path / "gone.json"}, "gone.json cannot be read"),
        ({"folder": 3}, "parameter folder. found: 3"),
        ({"treshold": 0.2}, "treshold"),
    ):
        with pytest.raises(InputError, match=f"(?s){message}"):
            opened(**parameters)


def cell_of(mine) -> tuple:
    store = Store(mine[0])
    digest = store.rows.digest.iloc[0]
    return store.rows[store.rows.digest == digest], store.records[digest], store.arrays(digest)
