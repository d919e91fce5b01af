"""What the page on controls reads of its rows: scores without order or events, and lines that K-means cuts."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from scipy.optimize import brentq

from companion.labels import label, names
from companion.page import Page
from companion.statistics.curves import thick_cuts, thickness_of_rank
from companion.statistics.tables import PAPER_SETS, nearest
from emargin.data.catalogue import settings_of
from emargin.errors import InputError
from emargin.evaluation.collapse import participation_ratio
from emargin.paths import home

EMARGIN = "eMargin, released"
CONTROLS = {"": "as recorded", "frames": "frames in random order", "phase": "random phases"}
SCORES = {
    "silhouette": "silhouette",
    "davies_bouldin": "Davies-Bouldin",
    "participation_ratio": "effective rank",
    "nmi": "NMI",
    "converged_balanced_accuracy": "converged probe",
}
LINE = {
    "participation_ratio": ("effective rank", "{:.1f}"),
    "even": ("silhouette of such a line, evenly filled", "{:.2f}"),
    "silhouette": ("silhouette found", "{:.2f}"),
}


class Controls:
    """The runs of one split on recordings and on their controls: a row a cell, with columns "name" and "control".

    Raises InputError where no cell of the page is of the split.
    """

    def __init__(self, page: Page, protocol: str, fold: int):
        self.page, self.split = page, f"protocol {protocol}, fold {fold}"
        self.sets = page.sets(("spsw-har", "sleepedf-features", "mitbih", "dsads"))
        self.cells = [cell for cell in page.cells if (cell.protocol, cell.fold) == (protocol, fold)]
        if not self.cells:
            raise InputError(
                f"no cell of {', '.join(page.grids)} is of this split",
                found=self.split,
                wanted="protocol original, fold 1",
                todo="leave both as they are, or plan and run such cells",
            )
        titles = names(self.cells)
        self.lines = list(dict.fromkeys(titles.values()))
        whole = page.beside("results/grid", "workflow/grid.json")
        recorded = [
            cell for cell in whole.cells if (cell.protocol, cell.fold) == (protocol, fold) and label(cell) in self.lines
        ]
        self.surrogates = page.scores(self.cells)
        found = pd.concat([whole.scores(recorded), self.surrogates], ignore_index=True)
        found = found.assign(name=found.digest.map(titles | names(recorded)))
        self.runs = found.assign(control=found.surrogate.fillna("").map(CONTROLS))
        self.there = [name for name in self.sets if name in set(self.surrogates.dataset)]

    def __str__(self) -> str:
        """How many cells have run, set by set."""
        run = [f"{self.sets[name]} {(self.surrogates.dataset == name).sum()}" for name in self.there]
        return f"{len(self.surrogates)} of {len(self.cells)} cells have run: {', '.join(run)}"

    def of(self, dataset: str) -> list[str]:
        """Return what a set is shown as: as recorded, and the controls that are planned for it."""
        planned = {cell.surrogate for cell in self.cells if cell.dataset == dataset}
        return [title for control, title in CONTROLS.items() if not control or control in planned]

    def compared(self, dataset: str) -> pd.DataFrame:
        """Return `compared` for a set, beside the paper's eMargin on its set that is nearest."""
        paper = pd.read_csv(home() / "results" / "paper" / "tables.csv")
        theirs = nearest(dataset)
        own = paper[(paper.table == 1) & (paper.method == "InfoNCE + eMargin") & (paper.dataset == theirs)]
        beside = {row.metric: f"{row.mean:.2f} ± {row.std:.2f}" for row in own.itertuples()}
        runs = self.runs[self.runs.dataset == dataset]
        return compared(
            runs, self.lines, self.of(dataset), f"the paper, {PAPER_SETS.get(theirs, 'no set near')}", beside
        )

    def as_lines(self) -> pd.DataFrame:
        """Return, for each set and control, what `beside_a_line` says of the released eMargin, seeds in order."""
        runs = beside_a_line(self.runs[self.runs.name == EMARGIN]).sort_values("seed")
        lists = {}
        for dataset, title in self.sets.items():
            for control in self.of(dataset):
                own = runs[(runs.dataset == dataset) & (runs.control == control)]
                if len(own):
                    lists[f"{title}, {cuts_of(dataset)} classes", control] = {
                        words: ", ".join(map(form.format, own[score])) for score, (words, form) in LINE.items()
                    }
        return pd.DataFrame(lists).T

    def ranks_without_the_farthest(self, dataset: str, surrogate: str) -> dict[int, tuple[float, float]]:
        """Return `without_the_farthest` by seed, of the released eMargin's cells that keep frames."""
        kept = self.page.store.arrays_of_cells({"components"})
        wanted = (dataset, surrogate, EMARGIN)
        return {
            cell.seed: without_the_farthest(torch.from_numpy(kept[cell.digest]["components"]).double())
            for cell in self.cells
            if (cell.dataset, cell.surrogate, label(cell)) == wanted and cell.digest in kept
        }


def compared(
    runs: pd.DataFrame, lines: Sequence[str], controls: Sequence[str], paper: str, printed: Mapping[str, str]
) -> pd.DataFrame:
    """Return mean and standard deviation over seeds: a line a score and encoder, a column a control.

    A single seed has no ±. The last column, named `paper`, has what the paper prints, by score, in the line of the
    released eMargin.
    """
    parts = {}
    for score, title in SCORES.items():
        cells = runs.groupby(["name", "control"])[score].agg(["mean", "std", "count"])
        words = [
            f"{one.mean:.2f} ± {one.std:.2f}" if one.count > 1 else f"{one.mean:.2f}"
            for one in cells.itertuples(index=False)
        ]
        table = pd.Series(words, index=cells.index).unstack("control")
        parts[title] = table.reindex(index=list(lines), columns=list(controls)).fillna("not run")
        parts[title][paper] = "–"
        if score in printed:
            parts[title].loc[EMARGIN, paper] = printed[score]
    return pd.concat(parts).astype(object).rename_axis(index=["", ""], columns=None)


def cuts_of(dataset: str) -> int:
    """Return into how many clusters K-means cuts the embedding of a set: its classes."""
    return len(settings_of(dataset).draw)


def silhouette_of_line(rank: float, cuts: int) -> float:
    """Return the silhouette that an evenly filled line of an effective rank has in so many cuts."""
    return thick_cuts(cuts, thickness_of_rank(rank))["silhouette"]


def rank_for(silhouette: float, cuts: int) -> float:
    """Return the effective rank at which an evenly filled line has a silhouette in so many cuts."""
    return brentq(lambda rank: silhouette - silhouette_of_line(rank, cuts), 1 + 1e-9, 4)


def beside_a_line(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs with a column "even": `silhouette_of_line` for their effective rank and their set's classes."""
    even = [silhouette_of_line(row.participation_ratio, cuts_of(row.dataset)) for row in runs.itertuples()]
    return runs.assign(even=even)


def without_the_farthest(rows: torch.Tensor) -> tuple[float, float]:
    """Return the effective rank of `(n, C)`, and without the twentieth of rows that lies farthest from the mean."""
    distance = (rows - rows.mean(0)).norm(dim=1)
    return participation_ratio(rows), participation_ratio(rows[distance <= distance.quantile(0.95)])
