"""How the book names a method and prints a table of rows."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from emargin.config import Experiment
from emargin.errors import InputError
from emargin.methods import METHODS
from emargin.resolve import resolve

PLACE = ("dataset", "source", "surrogate", "protocol", "fold", "split", "seed", "quality")  # of a line's own cells, too
ALIKE = ("dataset", "source", "quick", "method", "fidelity", "encoder", "reading", "labels")  # of what is compared


def label(row) -> str:
    """The name of a row's method in tables and figures: title, fidelity, and what sets it apart."""
    title, encoder = short(METHODS[row.method].title), getattr(row, "encoder", "")  # not every table has the column
    parts = [title]
    if not METHODS[row.method].untrained:
        parts += [row.fidelity, row.reading or ("the paper's labels" if row.labels == "paper" else "")]
    return ", ".join(filter(None, [*parts, f"encoder {encoder}" if encoder else ""]))


def names(cells: Iterable[Experiment], name: Callable = label) -> dict[str, str]:
    """Return the names of cells by digest, with the settings by which cells of one name and data set differ.

    A setting at its default is not named. name: of a cell by itself.
    """
    alike: dict[tuple, list[Experiment]] = {}
    for cell in cells:
        alike.setdefault((cell.dataset, cell.fidelity, name(cell)), []).append(cell)
    together = [(cell, title, own) for (*_, title), own in alike.items() for cell in own]
    return {cell.digest: ", ".join([title, *_apart(cell, own)]) for cell, title, own in together}


def _apart(cell: Experiment, alike: Sequence[Experiment]) -> list[str]:
    values = {}
    for name in dict.fromkeys(name for other in alike for name in vars(other) if name not in PLACE):
        values[name] = {vars(other).get(name) for other in alike}
    varied = [name for name, found in values.items() if len(found) > 1]
    usual = _usual(*(vars(cell).get(name) for name in ALIKE)) if varied else {}
    return [f"{name} {vars(cell)[name]}" for name in varied if vars(cell).get(name) not in (None, usual.get(name))]


@functools.cache
def _usual(*values) -> dict:
    """Return the fields of the experiment in which all others have their defaults; none if its data are not there."""
    try:
        return vars(resolve(Experiment.from_dict(dict(zip(ALIKE, values, strict=True)))))
    except InputError:
        return {}


def short(name: str) -> str:
    """The name of a method or of a table's line as it is printed: eMargin without the loss that it is added to."""
    return name.replace("InfoNCE + eMargin", "eMargin")


def comparison(
    rows: pd.DataFrame, metrics: dict[str, str], named: Mapping[str, str] | None = None, digits: int = 2
) -> pd.DataFrame:
    """A table as the book prints it: a line a method, a column a metric, "mean ± std" over seeds (one seed has no std).

    metrics: metric -> column title. named: digest -> the name of its line, if not `label`.
    A cell that has not been run reads "not run"; one that failed, "failed".
    """
    lines, named = {}, named or {}
    titles = [named.get(row.digest) or label(row) for row in rows.itertuples()]
    for (name,), group in rows.assign(name=titles).groupby(["name"], sort=False):
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
