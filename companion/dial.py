"""Rows of the dial (`emargin.evaluation.dial`) as a table, a line a setting and score."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import label

ROW = re.compile(r"dial_(?P<turned>beside|along)_(?P<factor>[\d/]+)_(?P<score>\w+)")
LIMIT = re.compile(r"dial_coordinate_(?P<score>\w+)")
UNTRAINED, EMARGIN = "Random, calibrated", "eMargin, released"  # lines
WITH_CONTEXT = "Random Init, encoder context"  # the untrained one: it has no BatchNorm that could be calibrated
SMALLEST, RAISED = 1 / 64, 16  # c, where the outcomes are read
SEEN = 0.1  # balanced accuracy


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the dial, a line each.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows of cells that have the metric "dial".

    Returns
    -------
    DataFrame
        dataset, line (the method, as the book names it), encoder ("" for the paper's), seed, fold, digest, turned
        ("beside" or "along" the leading direction), factor (of the size there: 0 for the coordinate along it alone),
        score and value.
    """
    found = []
    for row in rows[rows.metric.str.startswith("dial_")].itertuples():
        if match := ROW.fullmatch(row.metric):
            turned, factor, score = match["turned"], float(Fraction(match["factor"])), match["score"]
        elif match := LIMIT.fullmatch(row.metric):
            turned, factor, score = "beside", 0.0, match["score"]
        else:  # how far the paper's probe reaches, which is of no setting
            continue
        encoder = getattr(row, "encoder", "")  # not every table has the column
        own = row.dataset, label(row), encoder, row.seed, row.fold, row.digest
        found.append((*own, turned, factor, score, row.value))
    columns = ["dataset", "line", "encoder", "seed", "fold", "digest", "turned", "factor", "score", "value"]
    return pd.DataFrame(found, columns=columns)


def chances(store: Store) -> dict[str, float]:
    """Return by data set the balanced accuracy of a guess: one over the number of classes that are tested."""
    tables = store.arrays_of_cells(["probe"])
    dataset = store.rows.drop_duplicates("digest").set_index("digest").dataset
    return {dataset[digest]: 1 / int((kept["probe"].sum((0, 2)) > 0).sum()) for digest, kept in tables.items()}


def read(store: Store) -> pd.DataFrame:
    """Return `table_of` of a store's rows, with the column `chance`: the balanced accuracy of a guess."""
    table = table_of(store.rows)
    return table.assign(chance=table.dataset.map(chances(store)))


def where_read(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the paper's encoder on the sets on which a fall of the paper's probe can be seen.

    Parameters
    ----------
    table : DataFrame
        As `table_of` gives it, with a column `chance`.

    Returns
    -------
    DataFrame
        Its rows on sets on which the probe reads `SEEN` above chance or more from the untrained encoder as it is.
    """
    own = table[table.encoder == ""]
    start = own[(own.line == UNTRAINED) & (own.score == "probe") & (own.turned == "beside") & (own.factor == 1)]
    above = (start.value - start.chance).groupby(start.dataset).mean()
    return own[own.dataset.isin(above.index[above >= SEEN])]


def by_side(table: pd.DataFrame, dataset: str, sides: dict[str, int]) -> pd.DataFrame:
    """Return the untrained encoder's rows of a set that is tested both ways, each side as a data set of its own.

    Parameters
    ----------
    table : DataFrame
        As `table_of` gives it.
    dataset : str
    sides : dict
        Who is tested -> the fold.
    """
    own = table[(table.dataset == dataset) & (table.line == UNTRAINED)]
    named = {fold: f"{dataset}, {side}" for side, fold in sides.items()}
    return own[own.fold.isin(named)].assign(dataset=own.fold.map(named))


def values(table: pd.DataFrame, score: str, turned: str, factor: float) -> pd.Series:
    """Return a score at one setting, by line, data set and seed."""
    chosen = table[(table.score == score) & (table.turned == turned) & np.isclose(table.factor, factor)]
    return chosen.set_index(["line", "dataset", "seed"]).value


def change(table: pd.DataFrame, score: str, turned: str = "beside", factor: float = SMALLEST) -> pd.Series:
    """Return a score at one setting less the score as it is, the mean over seeds, by line and data set."""
    apart = values(table, score, turned, factor) - values(table, score, "beside", 1)
    return apart.groupby(["line", "dataset"]).mean()


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the changes that would have spoken against the page: a row each, a column a data set.

    The first four are of the untrained encoder, the last is of the released eMargin.
    """
    found = {
        "probe at its optimum, c = 1/64": (UNTRAINED, change(table, "certified")),
        "NMI, c = 1/64": (UNTRAINED, change(table, "nmi")),
        "paper’s probe, leading direction × 16": (UNTRAINED, change(table, "probe", "along", RAISED)),
        "paper’s probe, whitened, c = 1/64": (UNTRAINED, change(table, "whitened")),
        "paper’s probe, eMargin raised × 16": (EMARGIN, change(table, "probe", factor=RAISED)),
    }
    rows = {
        name: of_lines.xs(line) if line in of_lines.index else pd.Series(dtype=float)
        for name, (line, of_lines) in found.items()
    }
    return pd.DataFrame(rows).T


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


def reached(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return where the paper's probe has lost half, beside the bound of its training, for cells that have both.

    Parameters
    ----------
    table : DataFrame
        As `half_way` takes it.
    rows : DataFrame
        Tidy rows with the metric "dial_reach".

    Returns
    -------
    DataFrame
        What `half_way` gives, without the released eMargin, which at c = 1 is past that point already on most sets;
        predicted (the c below which the bound is less than one logit), times (half_way over predicted) and later (how
        many times smaller half_way is at four times the epochs).
    """
    found = half_way(table[table.line != EMARGIN])
    reach = rows[rows.metric == "dial_reach"].set_index("digest").value
    longer = half_way(table, "longer").set_index("digest").half_way
    found = found.assign(predicted=1 / found.digest.map(reach), later=found.half_way / found.digest.map(longer))
    return found.dropna(subset=["half_way", "predicted"]).assign(times=lambda both: both.half_way / both.predicted)


def _crossing(factors: list[float], values: list[float], chance: float) -> float:
    half = (values[0] + chance) / 2
    steps = zip(factors, factors[1:], values, values[1:], strict=False)
    for larger, smaller, before, after in steps:
        if values[0] > chance and after < half:
            return float(larger * (smaller / larger) ** ((before - half) / (before - after)))
    return float("nan")
