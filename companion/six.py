"""What the page on the six differences that decide shows of the committed rows."""

from collections.abc import Sequence

import pandas as pd

from companion.committed import results
from companion.statistics.tables import SET_TITLES
from emargin.rows import read_rows

GEOMETRIES = {"harth-noise": "HARTH", "sleepeeg-noise": "SleepEEG", "ecg-noise": "ECG"}
LINES = {  # method, fidelity, reading and labels of its cells
    "eMargin, released": ("emargin", "released", "", "released"),
    "InfoNCE, released": ("infonce", "released", "", ""),
    "untrained, calibrated": ("random-calibrated", "released", "", ""),
    "InfoNCE, original": ("infonce", "original", "", ""),
    "eMargin, anchor": ("emargin", "original", "anchor", "paper"),
    "eMargin, pair": ("emargin", "original", "pair", "paper"),
}
ON_NOISE = list(LINES)[:3]
WITH_CONTROL = [line for line in LINES if line != "untrained, calibrated"]


def on_noise(metric: str) -> dict[str, pd.Series]:
    """Return a metric on white noise: line -> values, a seed each, indexed by geometry."""
    rows = read_rows(results() / "noise" / "rows.csv")
    return _by_line(rows, metric, ON_NOISE, GEOMETRIES)


def with_control(metric: str) -> dict[str, pd.Series]:
    """Return a metric on recordings, protocol original, fold 1: line -> values, a seed each, indexed by data set."""
    rows = read_rows(results() / "grid" / "rows.csv")
    return _by_line(rows[(rows.protocol == "original") & (rows.fold == 1)], metric, WITH_CONTROL, SET_TITLES)


def paper_silhouettes() -> dict[str, float]:
    """Return the silhouette of the paper's eMargin row by data set."""
    rows = pd.read_csv(results() / "paper" / "tables.csv")
    rows = rows[(rows.table == 1) & (rows.method == "InfoNCE + eMargin") & (rows.metric == "silhouette")]
    titles = {name.removesuffix("-noise"): title for name, title in GEOMETRIES.items()}
    return dict(zip(rows.dataset.map(titles), rows["mean"], strict=True))


def _by_line(rows: pd.DataFrame, metric: str, lines: Sequence[str], titles: dict[str, str]) -> dict[str, pd.Series]:
    rows = rows[rows.metric == metric]
    found = {}
    for line in lines:
        keys = zip(["method", "fidelity", "reading", "labels"], LINES[line], strict=True)
        own = rows.loc[pd.concat([rows[name] == value for name, value in keys], axis=1).all(axis=1)]
        found[line] = own.assign(set=own.dataset.map(titles)).dropna(subset="set").set_index("set").value
    return found
