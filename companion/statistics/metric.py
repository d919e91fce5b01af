"""Is it the law or the metric? Clusters found otherwise, spectra, likeness and people, of embeddings that were kept.

The rows are those of `companion.measures`. Seeds of a fold are averaged; an interval is Student's t over folds, which
draws the people that are trained on and tested, and needs three folds.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from companion.labels import label
from companion.statistics.crossed import FEWEST_FOLDS, ends
from emargin.errors import InputError
from emargin.rows import read_csv

EMARGIN, INFONCE = "eMargin, released", "InfoNCE, released"
WAYS = {  # how clusters are found -> how the page calls it; {k} of the number of classes
    ("kmeans", "raw", 1.0): "K-means, as in the paper",
    ("kmeans", "raw", 0.5): "half as many clusters",
    ("kmeans", "raw", 2.0): "twice as many clusters",
    ("kmeans", "unit", 1.0): "rows of length one",
    ("kmeans", "standardised", 1.0): "standardised",
    ("kmeans", "whitened", 1.0): "whitened",
    ("mixture", "leading", 1.0): "mixture of Gaussians",
    ("hdbscan", "leading", None): "HDBSCAN",
}
SPECTRA = {"participation_ratio": "participation ratio", "rankme": "RankMe", "alpha_req": "alpha-ReQ"}
WHERE = ["dataset", "protocol", "fold"]


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows and likeness of a folder that `companion.measures` wrote, both with the names of lines.

    Rows gain "line"; the pairs of likeness "line" and "other_line". Raises InputError where there are none.
    """
    if not (folder / "measures.csv").exists() or not (folder / "likeness.csv").exists():
        raise InputError(
            f"no measures in {folder}", found="no measures.csv with likeness.csv", todo="companion.measures"
        )
    rows, pairs = (
        read_csv(folder / name, keep_default_na=False, na_values={"value": [""]})
        for name in ("measures.csv", "likeness.csv")
    )
    rows["line"] = [label(row) for row in rows.itertuples()]
    line = rows.drop_duplicates("digest").set_index("digest").line
    return rows, pairs.assign(line=pairs.digest.map(line), other_line=pairs.other.map(line))


def clusters(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of clusterings alone, with "way", one of the values of `WAYS`."""
    found = rows[rows.measure.isin([measure for measure, *_ in WAYS])].copy()
    found["k"] = pd.to_numeric(found.k)
    of_classes = found[(found.measure == "kmeans") & (found.features == "unit")].groupby("digest").k.first()
    share = found.k / found.digest.map(of_classes)
    share = np.where(share < 1, 0.5, np.where(share > 1, 2.0, 1.0))
    keys = zip(found.measure, found.features, share, strict=True)
    found["way"] = [WAYS[one[0], one[1], None if one[0] == "hdbscan" else one[2]] for one in keys]
    return found


def advantages(rows: pd.DataFrame, score: str, first: str = EMARGIN, second: str = INFONCE) -> pd.DataFrame:
    """Return a line a set and way of clustering: a score of two lines, and their difference with its interval.

    Columns: "dataset", "way", "first", "second" (means over folds), "value" (first less second), "low", "high" (NaN
    below three folds), "folds". Only folds and seeds that both lines have count.
    """
    found = clusters(rows)
    found = found[(found.score == score) & found.line.isin([first, second])]
    wide = found.pivot_table("value", [*WHERE, "seed", "way"], "line").dropna()
    of_fold = wide.groupby([*WHERE, "way"]).mean()
    result = []
    for (dataset, way), inside in of_fold.groupby(["dataset", "way"]):
        low, high = interval((inside[first] - inside[second]).to_numpy())
        means = {"first": inside[first].mean(), "second": inside[second].mean()}
        ended = {"value": means["first"] - means["second"], "low": low, "high": high, "folds": len(inside)}
        result.append({"dataset": dataset, "way": way} | means | ended)
    table = pd.DataFrame(result, columns=["dataset", "way", "first", "second", "value", "low", "high", "folds"])
    return table.sort_values(["dataset", "way"], key=_in_order, ignore_index=True)


def spectra(rows: pd.DataFrame, probe: pd.Series) -> pd.DataFrame:
    """Return how each reading of the spectrum orders lines as a probe does: a line a set and reading.

    probe: what is read from a cell, by digest. Columns: "dataset", "spectrum", "value" (Spearman's rank correlation
    over lines, mean over folds), "low", "high", "folds", "lines". Of alpha-ReQ the distance from 1 is taken, negated:
    its authors find exponents near 1 best. A fold counts with five lines or more.
    """
    found = rows[(rows.measure == "spectrum") & rows.score.isin(SPECTRA)]
    wide = found.pivot_table("value", [*WHERE, "line", "digest"], "score").reset_index()
    wide = wide.assign(alpha_req=-(wide.alpha_req - 1).abs(), probe=wide.digest.map(probe)).dropna(subset="probe")
    wide = wide.groupby([*WHERE, "line"])[[*SPECTRA, "probe"]].mean()
    result = []
    for dataset, inside in wide.groupby("dataset"):
        folds = [fold.corr("spearman").probe for _, fold in inside.groupby(WHERE) if len(fold) >= 5]
        for name in SPECTRA if folds else ():
            values = np.array([fold[name] for fold in folds])
            low, high = interval(values)
            counts = {"folds": len(values), "lines": inside.index.get_level_values("line").nunique()}
            result.append(
                {"dataset": dataset, "spectrum": name, "value": values.mean(), "low": low, "high": high} | counts
            )
    return pd.DataFrame(result, columns=["dataset", "spectrum", "value", "low", "high", "folds", "lines"])


def alike(pairs: pd.DataFrame, lines: list[str]) -> pd.DataFrame:
    """Return the linear CKA of each two of these lines, mean over folds and seeds: lines and columns are lines.

    On the diagonal that of two seeds of a line; NaN where one seed alone has run. Between lines, pairs of one seed.
    """
    table = pd.DataFrame(np.nan, index=lines, columns=lines)
    for (one, other), inside in pairs.groupby(["line", "other_line"]):
        if one in lines and other in lines:
            inside = inside[(inside.seed == inside.other_seed) == (one != other)]
            table.loc[one, other] = table.loc[other, one] = inside.value.mean()
    return table


def leakage(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how well people are recognised, mean over folds and seeds: a line a set, protocol and line.

    Columns: "dataset", "protocol", "line", "balanced_accuracy", "chance", "leakage", "cells".
    """
    found = rows[rows.measure == "people"]
    wide = found.pivot_table("value", ["dataset", "protocol", "line", "digest"], "score")
    means = wide.groupby(["dataset", "protocol", "line"])[["balanced_accuracy", "chance", "leakage"]].mean()
    return means.assign(cells=wide.groupby(["dataset", "protocol", "line"]).size()).reset_index()


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return both ends of the 95 % interval of a mean over folds; NaN below three."""
    if len(values) < FEWEST_FOLDS:
        return np.nan, np.nan
    low, high = ends(values.mean(), values.std(ddof=1) / len(values) ** 0.5, len(values) - 1)
    return float(low), float(high)


def _in_order(column: pd.Series) -> pd.Series:
    return column.map(list(WAYS.values()).index) if column.name == "way" else column
