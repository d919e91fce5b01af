"""Beats of MIT-BIH, tested on either side of the usual split: what can be read, and from whom more.

Few people have fusion beats (F), so a probe is also scored over N, S and V alone: the mean recall of these classes,
whatever their frames are taken for. Intervals draw people and seeds (`crossed`); k-NN and MLP keep no counts of people
and have none.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import label
from companion.statistics.conclusions import PROBES as NAMES
from companion.statistics.correlations import METRIC
from companion.statistics.crossed import compared, difference, estimate, people_values, tables_of
from companion.statistics.readable import ABOVE
from companion.statistics.resampling import RESAMPLED
from emargin.evaluation.per_subject import PROBES

EMARGIN, INFONCE, UNTRAINED = "eMargin, released", "InfoNCE, released", "Random, calibrated"
SIDES = {"DS2": (1,), "DS1": (2,), "both": (1, 2)}  # who is tested -> folds
ALL, COMMON = "N, S, V, F", "N, S, V"
CHANCE = {ALL: 1 / 4, COMMON: 1 / 3}  # of a guess among the classes that are scored
F = 3  # the number of its class
READ = {f"{prefix}{METRIC}": NAMES[prefix] for prefix in ("", "certified_", "chosen_", "whitened_", "knn_", "mlp_")}
SCORES = ("silhouette", "davies_bouldin", "nmi")
COUNTED = tuple(metric for metrics in RESAMPLED.values() for metric in metrics)  # those with counts of people


class Beats:
    """Lines of the grid by name, with what each of their people adds to a score."""

    def __init__(self, store: Store):
        cells = store.rows.drop_duplicates("digest").set_index("digest")
        self.cells = cells.assign(line=[label(row) for row in cells.itertuples()])[["line", "fold", "seed"]]
        self.store, tables = store, tables_of(store)
        self.tables = {ALL: tables, COMMON: {digest: _without_f(own) for digest, own in tables.items()}}

    def digests(self, line: str, side: str, *beside: str) -> list[str]:
        """Return the cells of a line on a side, of the seeds that it has on all folds there, as have those beside it.

        side: one of `SIDES`.
        """
        folds = SIDES[side]
        of = self.cells[self.cells.line.isin([line, *beside]) & self.cells.fold.isin(folds)]
        counts = of.groupby("seed").size()
        seeds = counts.index[counts == len({line, *beside}) * len(folds)]
        return list(of.index[(of.line == line) & of.seed.isin(seeds)])

    def people(self, digests: list[str], metric: str, scored: str, *, above_chance: bool = False) -> pd.DataFrame:
        """Return `people_values` of a metric over the classes that are scored."""
        return people_values(self.store, digests, metric, tables=self.tables[scored], above_chance=above_chance)

    def there(self, names: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return those of these metrics that the rows have, with their names."""
        known = set(self.store.rows.metric)
        return [(metric, name) for metric, name in names.items() if metric in known]

    def mean(self, digests: list[str], metric: str) -> float:
        """Return the mean of a metric over cells."""
        rows = self.store.rows
        return float(rows.value[rows.digest.isin(digests) & (rows.metric == metric)].mean())


def controls(store: Store, line: str = UNTRAINED) -> pd.DataFrame:
    """Return what is read without training: a line a side, probe and classes that are scored.

    Columns: "tested", "by", "scored", "value", "low", "high", "chance", "people", "seeds", and "informs": whether the
    lower end is above chance by more than `readable.ABOVE`. Over all four classes it is `readable.readable`.
    """
    beats, found = Beats(store), []
    for side in SIDES:
        digests = beats.digests(line, side)
        for metric, by in beats.there(READ) if digests else ():
            for scored, chance in CHANCE.items() if metric in COUNTED else ():
                own = estimate(beats.people(digests, metric, scored, above_chance=True))
                own |= {end: own[end] + chance for end in ("value", "low", "high")}
                informs = bool(own["low"] > chance + ABOVE)
                found.append({"tested": side, "by": by, "scored": scored, "chance": chance, "informs": informs} | own)
    columns = ["tested", "by", "scored", "value", "low", "high", "chance", "people", "seeds", "informs"]
    return pd.DataFrame(found, columns=columns)


def differences(store: Store, first: str, second: str) -> pd.DataFrame:
    """Return the differences of two lines: a line a side, score and classes that are scored.

    Columns: "tested", "by" (a probe's name, or one of `SCORES`), "scored" ("" for clusters), "first", "second" (means),
    "value", "low", "high", "people", "seeds", "verdict". Only the seeds that both lines have count.
    """
    beats, found = Beats(store), []
    for side in SIDES:
        digests = beats.digests(first, side, second), beats.digests(second, side, first)
        for metric, by in beats.there(READ | dict(zip(SCORES, SCORES, strict=True))) if digests[0] else ():
            for scored in (ALL, COMMON) if metric in READ and metric in COUNTED else (ALL,):
                own = {"tested": side, "by": by, "scored": scored if metric in READ else ""}
                if metric in COUNTED:
                    both = [beats.people(one, metric, scored) for one in digests]
                    means = [one.attrs["value"] for one in both]
                    numbers = compared(estimate(difference(*both)), metric)
                    own |= {name: getattr(numbers, name) for name in ("value", "low", "high", "people", "verdict")}
                else:
                    means = [beats.mean(one, metric) for one in digests]
                    own |= {"value": means[0] - means[1], "low": np.nan, "high": np.nan, "people": 0, "verdict": ""}
                found.append(
                    own | {"first": means[0], "second": means[1], "seeds": len(digests[0]) // len(SIDES[side])}
                )
    columns = ["tested", "by", "scored", "first", "second", "value", "low", "high", "people", "seeds", "verdict"]
    return pd.DataFrame(found, columns=columns)


def _without_f(tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tables of a cell without the frames of F: nobody has any."""
    kept = dict(tables)
    for name in PROBES.keys() & tables.keys():
        kept[name] = tables[name].copy()
        kept[name][:, F] = 0
    return kept
