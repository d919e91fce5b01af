"""How large the effect of an item of the ledger is in the committed rows, where it was measured.

The rows are those of recordings under protocol `original`, fold 1, unless an item says otherwise. An effect is a range
over data sets of a difference of means over seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from companion.committed import results
from emargin.errors import InputError
from emargin.rows import read_rows

METRICS = {1: "silhouette", 2: "balanced_accuracy"}  # of the paper's tables by number: what stands for them
USUAL = {"protocol": "original", "fold": 1, "surrogate": "", "split": "", "encoder": ""}
WORDS = {
    "silhouette": "silhouette",
    "balanced_accuracy": "probe",
    ("macro_f1", "weighted_f1"): "weighted less macro F1",
    ("balanced_accuracy", "converged_balanced_accuracy"): "converged less ten epochs",
}


@dataclass(frozen=True)
class Effect:
    """The least and the most change of a metric over data sets, which are named, and how many seeds each mean has."""

    metric: str
    least: float
    most: float
    sets: tuple[str, ...]
    seeds: int


def effects(item: Mapping) -> list[Effect]:
    """Return the measured effects of an item of the ledger, by metric; none where the ledger says how none is measured.

    Raises InputError where the rows do not have what the item names, or have it more than once a seed.
    """
    measured = item.get("measured")
    if measured is None:
        return []
    rows = measured["rows"]
    if "line" in measured:
        first, second = (values(rows, measured["line"], metric) for metric in measured["metrics"])
        return [_effect(WORDS[tuple(measured["metrics"])], first, second)]
    metrics = [METRICS[table] for table in item["tables"]] or list(METRICS.values())
    before, after = measured["before"], measured["after"]
    return [_effect(WORDS[metric], values(rows, before, metric), values(rows, after, metric)) for metric in metrics]


def values(folder: str, line: Mapping[str, str], metric: str) -> pd.Series:
    """Return a metric of one line's cells, indexed by data set and seed."""
    rows = _rows(folder)
    rows = rows[rows.metric == metric]
    for name, value in (USUAL | dict(line)).items():
        rows = rows[rows[name] == ("" if (name, value) == ("encoder", "frame") else value)]
    if rows.empty or rows.duplicated(["dataset", "seed"]).any():
        found = "no row" if rows.empty else f"{len(rows)} rows, some twice a seed"
        raise InputError(f"{metric} of {dict(line)} in results/{folder}", found=found, wanted="one row a set and seed")
    return rows.set_index(["dataset", "seed"]).value


def _effect(name: str, before: pd.Series, after: pd.Series) -> Effect:
    both = pd.concat([before, after], axis=1, keys=["before", "after"]).dropna()
    change = (both.after - both.before).groupby(level="dataset")
    means = change.mean()
    return Effect(name, means.min(), means.max(), tuple(means.index), int(change.size().min()))


@cache
def _rows(folder: str) -> pd.DataFrame:
    rows = read_rows(results() / folder / "rows.csv")
    absent = {name: "" for name in ("surrogate", "split", "encoder") if name not in rows}
    return rows.assign(**absent).fillna(dict.fromkeys(("surrogate", "split", "encoder", "reading", "labels"), ""))
