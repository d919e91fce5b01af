"""Rows of the dial (`emargin.evaluation.dial`) as a table, a line a setting and score."""

import re
from fractions import Fraction

import pandas as pd

from companion.grid.store import Store
from companion.labels import label

ROW = re.compile(r"dial_(?P<turned>beside|along)_(?P<factor>[\d/]+)_(?P<score>\w+)")
LIMIT = re.compile(r"dial_coordinate_(?P<score>\w+)")


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the dial, a line each.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows of cells that have the metric "dial".

    Returns
    -------
    DataFrame
        dataset, line (the method, as the book names it), seed, fold, digest, turned ("beside" or "along" the leading
        direction), factor (of the size there: 0 for the coordinate along it alone), score and value.
    """
    found = []
    for row in rows[rows.metric.str.startswith("dial_")].itertuples():
        if match := ROW.fullmatch(row.metric):
            turned, factor, score = match["turned"], float(Fraction(match["factor"])), match["score"]
        elif match := LIMIT.fullmatch(row.metric):
            turned, factor, score = "beside", 0.0, match["score"]
        else:  # how far the paper's probe reaches, which is of no setting
            continue
        found.append((row.dataset, label(row), row.seed, row.fold, row.digest, turned, factor, score, row.value))
    columns = ["dataset", "line", "seed", "fold", "digest", "turned", "factor", "score", "value"]
    return pd.DataFrame(found, columns=columns)


def chances(store: Store) -> dict[str, float]:
    """Return by data set the balanced accuracy of a guess: one over the number of classes that are tested."""
    tables = store.arrays_of_cells(["probe"])
    dataset = store.rows.drop_duplicates("digest").set_index("digest").dataset
    return {dataset[digest]: 1 / int((kept["probe"].sum((0, 2)) > 0).sum()) for digest, kept in tables.items()}


def half_way(table: pd.DataFrame, score: str = "probe") -> pd.DataFrame:
    """Return for each cell the c at which a probe has lost half of what it reads above chance.

    Parameters
    ----------
    table : DataFrame
        As `table_of` gives it, with a column `chance`.
    score : str
        A probe's.

    Returns
    -------
    DataFrame
        dataset, line, seed, fold, digest and half_way: by linear interpolation of the score over log c; NaN where the
        probe is not above chance at c = 1, or never falls so far.
    """
    chosen = table[(table.turned == "beside") & (table.score == score) & table.factor.between(1e-9, 1)]
    found = []
    for keys, cell in chosen.groupby(["dataset", "line", "seed", "fold", "digest"], sort=False):
        cell = cell.sort_values("factor", ascending=False)
        found.append((*keys, _crossing(cell.factor.tolist(), cell.value.tolist(), float(cell.chance.iloc[0]))))
    return pd.DataFrame(found, columns=["dataset", "line", "seed", "fold", "digest", "half_way"])


def _crossing(factors: list[float], values: list[float], chance: float) -> float:
    half = (values[0] + chance) / 2
    steps = zip(factors, factors[1:], values, values[1:], strict=False)
    for larger, smaller, before, after in steps:
        if values[0] > chance and after < half:
            return float(larger * (smaller / larger) ** ((before - half) / (before - after)))
    return float("nan")
