"""The rows that a page of results shows: the committed ones, or a reader's own.

    papermill notebooks/results_tables.ipynb mine.ipynb -p folder runs/mine -p grid my.json

shows what `emargin run --grid my.json --out runs/mine` left. The sentences of a page are about the committed rows, and
so are the checks of its claims: `committed` says which rows are shown.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
ANY = "GRID"  # in the place of a file, where none is named: as a command would name it


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
            grids = {ANY: _cells_of(store)}
        elif grid is not None:
            grids = {grid: read_grid(home() / grid)}
        else:
            grids = read_chapter(store) if folder == CHAPTER else {ANY: _cells_of(store)}
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
    def splits(self) -> dict[tuple[str, str, int], list[Experiment]]:
        """The planned cells by data set, protocol and fold; controls made of recordings and own splits apart."""
        splits: dict[tuple[str, str, int], list[Experiment]] = {}
        for cell in self.cells:
            apart = [f"{name} {getattr(cell, name)}" for name in ("surrogate", "split") if getattr(cell, name)]
            splits.setdefault((", ".join([cell.dataset, *apart]), cell.protocol, cell.fold), []).append(cell)
        return splits

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

    def source_of(self, dataset: str, name: str = "") -> str:
        """Return a data set as a figure names it, with the source of its recordings; name: in place of its own."""
        sources = dict.fromkeys(cell.source for cell in self.cells if cell.dataset == dataset)
        return f"{name or Path(dataset).name}, {' and '.join(sources) or 'real'} data"

    def scores(self, cells: Iterable[Experiment] | None = None) -> pd.DataFrame:
        """Return a line for each planned cell that ran and did not fail, or for each of these: `Store.scores`."""
        return self.store.scores(self.cells if cells is None else cells)

    def beside(self, folder: str, grid: str) -> Self:
        """Return other committed rows that the page needs; none beside a reader's, who has all in one place."""
        if not self.committed:
            return replace(self, grids={})
        return replace(self, store=Store(home() / folder), grids={grid: read_grid(home() / grid)})

    def __str__(self) -> str:
        known, records = self.store.known, self.store.records
        run = [cell for cell in self.cells if cell.digest in known]
        other = [cell for cell in run if differing(cell, records.get(cell.digest, {}).get("code", {}))]
        missing = [cell for cell in self.cells if cell.digest not in known]
        failed = sum(cell.digest in self.store.failed for cell in run)
        lines = [f"{self.store.folder}: {len(run)} of {len(self.cells)} cells have run, {failed} of them failed"]
        for what, cells in {"not run, so empty below": missing, "made by another version of the code": other}.items():
            if cells:
                lines.append(f"{what}: {len(cells)}, the first {cells[0]}")
        return "\n".join([*lines, "The sentences of this page are about the committed rows, not about these."])


def _cells_of(store: Store) -> list[Experiment]:
    """Return the cells that a store has, by their records, in the order of seeds, as in a grid."""
    texts = [json.dumps(store.records[digest]["experiment"]) for digest in store.rows.digest.unique()]
    return sorted(map(Resolved.settled, texts), key=lambda cell: cell.seed)


def _path(name: str | Path) -> Path:
    """Return a path as a page means it: from where it runs, or else from the checkout."""
    path = Path(name).expanduser()
    return path if path.exists() or path.is_absolute() else home() / path
