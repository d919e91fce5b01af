"""The rows that a page of results shows: the committed ones, or a reader's own.

    papermill notebooks/results_tables.ipynb mine.ipynb -p folder runs/mine -p grid my.json

shows what `emargin run --grid my.json --out runs/mine` left. The sentences of a page are about the committed rows, and
so are the checks of its claims: `committed` says which rows are shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from companion.grid.plan import read_chapter, read_grid
from companion.grid.store import Store, existing
from companion.statistics.tables import SET_TITLES
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.resolve import Resolved, resolve
from emargin.stages import differing

OWN = ("folder", "grid")  # parameters of a page that are no fields of an experiment
CHAPTER = "results/grid"


@dataclass(frozen=True)
class Page:
    """What a page shows: its experiment, a store, and the planned cells by the name of their grid file.

    committed: the rows are those that the sentences of the page are about.
    """

    experiment: Resolved
    store: Store
    grids: dict[str, list[Experiment]]
    committed: bool

    @classmethod
    def from_notebook(cls, names: Mapping[str, Any], folder: str, grid: str | None = None) -> Self:
        """Open what the parameters of a notebook name, straight after its parameters cell.

        Parameters
        ----------
        names : mapping
            The notebook's `globals()`. `folder` and `grid` are the reader's, or None; all others are fields of
            `Experiment`.
        folder, grid : str
            The committed rows of the page, and their grid file in the checkout; without one, the cells that the
            results chapter shows, or in another folder all that it has.

        Raises
        ------
        InputError
            For a parameter that is not one, a folder without rows or with rows of another version of the program, and
            a grid none of whose cells is in the folder.
        """
        asked = {name: names.get(name) for name in OWN}
        for name, value in asked.items():
            if value is not None and not isinstance(value, str | Path):
                raise InputError(f"parameter {name}", found=value, wanted="a path, or None for the committed one")
        fields = {name: value for name, value in names.items() if name not in OWN}
        experiment = resolve(Experiment.from_notebook(fields))
        committed = not any(asked.values())
        place = _path(asked["folder"] or home() / folder)
        store = existing(place)
        if asked["grid"]:
            file = _path(asked["grid"])
            grids = {str(asked["grid"]): read_grid(file)}
        elif not committed:
            grids = {"": _cells_of(store)}
        elif grid is not None:
            grids = {grid: read_grid(home() / grid)}
        else:
            grids = read_chapter(store) if folder == CHAPTER else {"": _cells_of(store)}
        page = cls(experiment, store, grids, committed)
        if not committed:
            if not any(cell.digest in store.known for cell in page.cells):
                what, found = f"no cell of {asked['grid']} is in {place}", f"{len(store.known)} other cells there"
                todo = "name the grid file that the rows were made from, or none, for all cells of the folder"
                raise InputError(what, found=found, wanted=f"some of its {len(page.cells)}", todo=todo)
            print(page)
        return page

    @property
    def cells(self) -> list[Experiment]:
        """The planned cells, in order."""
        return [cell for own in self.grids.values() for cell in own]

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of the planned cells."""
        return self.store.rows[self.store.rows.digest.isin({cell.digest for cell in self.cells})]

    def title(self, dataset: str) -> str:
        """Return how a page calls a data set: one of the reader's own by its name."""
        return SET_TITLES.get(dataset, Path(dataset).name)

    def sets(self, names: Sequence[str]) -> dict[str, str]:
        """Return titles by data set: of those that a page has a section for, then of all others that are planned."""
        return {name: self.title(name) for name in dict.fromkeys([*names, *(cell.dataset for cell in self.cells)])}

    def beside(self, folder: str) -> Store:
        """Return another committed store that a page needs; the reader's own in its place, if that is shown."""
        return Store(home() / folder) if self.committed else self.store

    def __str__(self) -> str:
        known, failed = self.store.known, self.store.failed
        run = [cell for cell in self.cells if cell.digest in known]
        other = [cell for cell in run if differing(cell, self.store.records.get(cell.digest, {}).get("code", {}))]
        missing = [cell for cell in self.cells if cell.digest not in known]
        lines = [f"{self.store.folder}: {len(run)} of {len(self.cells)} cells have run"]
        lines[0] += f", {sum(cell.digest in failed for cell in run)} of them failed"
        lines += [f"not run, and empty below: {len(missing)}, the first {missing[0]}"] * bool(missing)
        lines += [f"of another version of the code: {len(other)}, the first {other[0]}"] * bool(other)
        lines += ["The sentences of this page are about the committed rows, not about these."]
        return "\n".join(lines)


def _cells_of(store: Store) -> list[Experiment]:
    """Return the cells that a store has, by their records, in the order of seeds, as in a grid."""
    texts = [json.dumps(store.records[digest]["experiment"]) for digest in store.rows.digest.unique()]
    return sorted(map(Resolved.settled, texts), key=lambda cell: cell.seed)


def _path(name: str | Path) -> Path:
    """Return a path as a page means it: from where it runs, or else from the checkout."""
    path = Path(name).expanduser()
    return path if path.exists() or path.is_absolute() else home() / path
