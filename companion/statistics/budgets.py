"""How many labels a probe needs: curves over label budgets, gaps between two lines, and labels for the same accuracy.

Rows are those of `emargin.evaluation.budgets`. Intervals are Student's t over seeds, for the people of the split: a
budget keeps no counts of people.
"""

import re

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import label
from companion.statistics.crossed import FEWEST_SEEDS, ends
from emargin.evaluation.budgets import ALL

EMARGIN, INFONCE = "eMargin, released", "InfoNCE, released"
FORMULA, UNTRAINED = "eMargin, original, anchor", "Random, calibrated"
ROW = re.compile(r"(?:series_)?budget_(\d+|all)_(balanced_accuracy|deviation|labels)")
SCORES = ("balanced_accuracy", "deviation", "labels")


def curves(store: Store) -> pd.DataFrame:
    """Return a line a cell and budget: "dataset", "line", "seed", "budget", and `SCORES`.

    budget: labels a class, infinite for all. labels: how many there are. deviation: over draws; NaN for all labels.
    """
    rows = store.rows
    named = rows.assign(**rows.metric.str.extract(ROW).set_axis(["budget", "score"], axis=1)).dropna(subset="budget")
    named["line"] = [label(row) for row in named.itertuples()]
    named["budget"] = named.budget.replace(ALL, "inf").astype(float)
    keys = ["dataset", "line", "seed", "budget"]
    return named.pivot(index=keys, columns="score", values="value").reindex(columns=SCORES).reset_index()


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set, line and budget: "value", "low", "high" of the mean over seeds, "labels" and "seeds".

    table: of `curves`. low, high: NaN for one seed.
    """
    by = table.groupby(["dataset", "line", "budget"])
    found = [_mean(one.balanced_accuracy) | {"labels": one.labels.mean()} for _, one in by]
    return pd.DataFrame(found, index=by.size().index).reset_index()


def gaps(table: pd.DataFrame, first: str = INFONCE, second: str = EMARGIN) -> pd.DataFrame:
    """Return how much more is read from one line than from another: a line a set and budget.

    table: of `curves`. Columns: "dataset", "budget", "value" (first less second, mean over the seeds of both), "low",
    "high", "seeds".
    """
    wide = table.pivot_table("balanced_accuracy", ["dataset", "budget", "seed"], "line")
    wide = wide.reindex(columns=[first, second]).dropna()
    by = (wide[first] - wide[second]).groupby(["dataset", "budget"])
    found = [_mean(values) for _, values in by]
    return pd.DataFrame(found, columns=["value", "low", "high", "seeds"], index=by.size().index).reset_index()


def times(table: pd.DataFrame, first: str = INFONCE, second: str = EMARGIN) -> pd.DataFrame:
    """Return how many times more labels `second` needs to be read as well as `first`: a line a set and budget of first.

    table: of `curves`. Columns: "dataset", "budget", "labels" (of first), "value" (what is read from it), "times" (of
    the means over the seeds of both), "least" and "most" (of single seeds), "seeds". Infinite where all labels do not
    suffice.
    """
    found = []
    for dataset, inside in table[table.line.isin([first, second])].groupby("dataset"):
        sides = {name: own.set_index(["seed", "budget"]) for name, own in inside.groupby("line")}
        if len(sides) < 2:
            continue
        common = sorted(set(sides[first].index.unique("seed")) & set(sides[second].index.unique("seed")))
        single = [[sides[name].loc[seed] for name in (first, second)] for seed in common]
        whole = [sides[name].loc[common].groupby("budget")[list(SCORES)].mean() for name in (first, second)]
        for budget, one in whole[0].iterrows() if common else ():
            each = [_ratio(theirs.loc[budget], other) for theirs, other in single]
            ends_of = {"least": min(each), "most": max(each), "seeds": len(common)}
            own = {"dataset": dataset, "budget": budget, "labels": one.labels, "value": one.balanced_accuracy}
            found.append(own | {"times": _ratio(one, whole[1])} | ends_of)
    return pd.DataFrame(found, columns=["dataset", "budget", "labels", "value", "times", "least", "most", "seeds"])


def needed(labels: np.ndarray, accuracy: np.ndarray, wanted: float) -> float:
    """Return with how many labels a curve first reaches an accuracy, straight in their logarithm between budgets.

    labels, accuracy: `(n,)`, labels ascending. The first budget where it is reached there; infinite where it never is.
    """
    reached = np.flatnonzero(accuracy >= wanted)
    if not len(reached):
        return float("inf")
    place = int(reached[0])
    if place == 0:
        return float(labels[0])
    share = (wanted - accuracy[place - 1]) / (accuracy[place] - accuracy[place - 1])
    return float(np.exp(np.interp(share, [0, 1], np.log(labels[place - 1 : place + 1]))))


def _ratio(one: pd.Series, curve: pd.DataFrame) -> float:
    curve = curve.sort_values("labels")
    return needed(curve.labels.to_numpy(), curve.balanced_accuracy.to_numpy(), one.balanced_accuracy) / one.labels


def _mean(values: pd.Series) -> dict:
    """Return the mean over seeds and both ends of its interval, NaN below two seeds."""
    low, high = np.nan, np.nan
    if len(values) >= FEWEST_SEEDS:
        low, high = ends(values.mean(), values.std(ddof=1) / len(values) ** 0.5, len(values) - 1)
    return {"value": values.mean(), "low": float(low), "high": float(high), "seeds": len(values)}
