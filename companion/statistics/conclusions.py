"""What claims come to on the committed rows: in how many comparisons they hold, and a verdict by a fixed rule."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.statistics.intervals import LOWER_IS_BETTER
from companion.statistics.tables import METRICS, entries, nearest, places, runs_of
from emargin.config import Experiment
from emargin.methods import METHODS

EMARGIN = METHODS["emargin"].title  # the line of its defaults: the anchor reading, each fidelity's own labels
FEWEST_LINES = 5  # a place among fewer methods says little
FEWEST = 4  # comparisons below which there is no verdict
MOST, FEW = 3 / 4, 1 / 4


@dataclass(frozen=True)
class Count:
    """In how many comparisons a claim holds."""

    holds: int
    of: int

    @property
    def verdict(self) -> str:
        """ "stands" from three quarters of the comparisons on, "does not stand" up to a quarter, "in part" between;
        "open" with fewer than four.
        """
        if self.of < FEWEST:
            return "open"
        share = self.holds / self.of
        return "stands" if share >= MOST else "does not stand" if share <= FEW else "in part"

    def __str__(self) -> str:
        return f"{self.verdict} ({self.holds} of {self.of})" if self.of else "not run"


def count(holds: Sequence[bool]) -> Count:
    """Count the comparisons that there are."""
    return Count(int(np.sum(holds)), len(holds))


def emargin_places(
    store: Store, splits: Sequence[Sequence[Experiment]], paper: pd.DataFrame, fewest: int = FEWEST_LINES
) -> pd.DataFrame:
    """Return eMargin's place among the methods of the paper's tables: a line a data set, metric and column.

    splits: the planned cells of each, of one protocol. paper: its tables. Returns "table", "data" (our data set and
    fold, or the paper's data set), "metric", "column" ("paper", "released", "original"), "place" from 1, the best, and
    "of", how many methods have a value there; lines with fewer than `fewest` are left out.
    """
    of_splits = []
    for cells in splits:
        for number in METRICS:
            of_emargin = places(entries(store, cells, paper, number), EMARGIN)
            names = nearest(cells[0].dataset), f"{cells[0].dataset}, fold {cells[0].fold}"
            of_splits.append(of_emargin.assign(table=number, data=np.where(of_emargin.column == "paper", *names)))
    everything = pd.concat(of_splits)
    return everything[everything.of >= fewest].drop_duplicates(ignore_index=True)  # one set of the paper, two of ours


def means(store: Store, splits: Sequence[Sequence[Experiment]], metric: str) -> pd.DataFrame:
    """Return a metric's means over seeds: a line a split and fidelity, a column a line of the tables; NaN if none ran.

    The index has "split" (data set and fold) and "fidelity"; an untrained method is the same in both.
    """
    values = store.rows[store.rows.metric == metric].set_index("digest").value
    by_split = {}
    for cells in splits:
        for (line, fidelity), runs in runs_of(store, cells).items():
            split = (f"{cells[0].dataset}, fold {cells[0].fold}", fidelity)
            by_split.setdefault(split, {})[line] = values.reindex(list(runs.done.values())).mean()
    table = pd.DataFrame(by_split).T
    return table.rename_axis(["split", "fidelity"]) if by_split else table


def above(table: pd.DataFrame, first: str, second: str) -> Count:
    """Count the lines of `means` in which one column is above another, of those that have both."""
    if not {first, second} <= set(table.columns):
        return Count(0, 0)
    both = table[[first, second]].dropna()
    return count(both[first] > both[second])


def places_on_sets(configurations: pd.DataFrame, metrics: Sequence[str], fidelity: str) -> pd.DataFrame:
    """Return eMargin's place on each set among the untrained methods and those of one fidelity with defaults.

    configurations: as `intervals.configurations` gives them. Returns "set", "metric", "place" from 1, the best, "of".
    """
    labels = "released" if fidelity == "released" else "paper"
    chosen = configurations[
        ((configurations.fidelity == fidelity) | configurations.method.str.startswith("random"))
        & configurations.reading.isin(["", "anchor"])
        & configurations.labels.isin(["", labels])
    ]
    rows = []
    for (name, inside), metric in itertools.product(chosen.groupby("set"), metrics):
        order = inside[metric].dropna().rank(ascending=metric in LOWER_IS_BETTER, method="min")
        of_emargin = order[inside.method[order.index] == "emargin"]
        rows += [(name, metric, int(place), len(order)) for place in of_emargin]
    return pd.DataFrame(rows, columns=["set", "metric", "place", "of"])
