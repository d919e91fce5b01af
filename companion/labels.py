"""How the book names a method and prints a table of rows."""

import pandas as pd

from emargin.methods import METHODS


def label(row) -> str:
    """The name of a row's method in tables and figures: title, fidelity, and what sets it apart."""
    title, encoder = short(METHODS[row.method].title), getattr(row, "encoder", "")  # not every table has the column
    parts = [title]
    if not METHODS[row.method].untrained:
        parts += [row.fidelity, row.reading or ("the paper's labels" if row.labels == "paper" else "")]
    return ", ".join(filter(None, [*parts, f"encoder {encoder}" if encoder else ""]))


def short(name: str) -> str:
    """The name of a method or of a table's line as it is printed: eMargin without the loss that it is added to."""
    return name.replace("InfoNCE + eMargin", "eMargin")


def comparison(rows: pd.DataFrame, metrics: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """A table as the book prints it: a line a method, a column a metric, "mean ± std" over seeds (one seed has no std).

    metrics: metric -> column title. A cell that has not been run reads "not run"; one that failed, "failed".
    """
    lines = {}
    for (name,), group in rows.assign(name=[label(row) for row in rows.itertuples()]).groupby(["name"], sort=False):
        values = group.pivot_table(index="seed", columns="metric", values="value")
        empty = "failed" if (group.metric == "failed").any() else "not run"
        spread = {
            metric: f" ± {values[metric].std():.{digits}f}" if values[metric].count() > 1 else " (one seed)"
            for metric in values
        }
        lines[name] = {
            title: f"{values[metric].mean():.{digits}f}{spread[metric]}" if metric in values else empty
            for metric, title in metrics.items()
        }
    return pd.DataFrame(lines).T
