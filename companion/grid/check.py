"""Does my number agree? Set a run's metrics beside the committed cell of the same digest: `emargin check FOLDER`.

A value is **equal** where all digits of the file are. It is **within** the spread of seeds where it lies in the
interval in which one more seed falls with a chance of 95 %, if scores over seeds are normal:

    mean ± t(.975, n - 1) s sqrt(1 + 1 / n)

over the n committed cells that differ from it by the seed alone; mean and standard deviation s (n - 1) are theirs. Else
it is **outside**; fewer than three seeds have no spread, and a value that is not equal is **alone** then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from companion import committed
from companion.grid.files import NAMES
from companion.grid.store import Store, read_cell
from emargin.errors import InputError

CHANCE, FEWEST = 0.95, 3
EQUAL, WITHIN, OUTSIDE, ALONE = "equal", "within", "outside", "alone"
AROUND = ("processor", "device", "threads", "commit")
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Comparison:
    """A run and the committed cell of the same digest.

    Parameters
    ----------
    store : Path
        The folder of the committed cell.
    digest : str
    lines : DataFrame
        A line a metric: "run", "committed", "low" and "high" of the spread of seeds, its "seeds", and the "verdict".
    around : DataFrame
        What both ran on and with: columns "run" and "committed".
    differences : tuple of str
        What is not the same of both: "data", and stages of the code by name.
    """

    store: Path
    digest: str
    lines: pd.DataFrame
    around: pd.DataFrame
    differences: tuple[str, ...]

    @property
    def outside(self) -> list[str]:
        """Return the metrics outside the spread of seeds."""
        return list(self.lines.index[self.lines.verdict == OUTSIDE])

    def __str__(self) -> str:
        counts = self.lines.verdict.value_counts()
        found = ", ".join(
            f"{counts[verdict]} {verdict}" for verdict in (EQUAL, WITHIN, OUTSIDE, ALONE) if verdict in counts
        )
        notes = [f"not the same: {', '.join(self.differences)}"] * bool(self.differences)
        table = self.lines.to_string(float_format=lambda value: f"{value:.9g}", na_rep="-")
        return "\n".join([f"{self.store}, cell {self.digest}: {found}", self.around.to_string(), *notes, table])


def check(folder: Path, stores: Path | None = None) -> list[Comparison]:
    """Compare a run with the committed cells of its digest, one of each store that has it.

    Parameters
    ----------
    folder : Path
        Where the run wrote.
    stores : Path, optional
        The folder of the stores; by default the committed ones.

    Raises
    ------
    InputError
        For a folder without a run, or one that is not as it was written; where there are no committed results; for a
        cell that is not among them.
    """
    if not (folder / "rows.csv").is_file():
        raise InputError(f"no run in {folder}", found="no rows.csv", wanted="the folder that `emargin run` wrote to")
    rows, record, _ = read_cell(folder)
    root, digest = committed.results() if stores is None else stores, rows.digest.iloc[0]
    places = sorted(path.parent for path in root.glob(f"*/{NAMES[0]}"))
    if not places:
        wanted, todo = "the committed rows", "run it in a checkout, or with the installed package, which has them"
        raise InputError("no committed results to compare with", found=f"nothing in {root}", wanted=wanted, todo=todo)
    having = [store for store in map(Store, places) if digest in store.known - store.failed]
    if not having:
        experiment = record["experiment"]
        cell = ", ".join(str(experiment[name]) for name in ("dataset", "method", "fidelity", "seed"))
        wanted = f"a cell of {', '.join(place.name for place in places)}"
        raise InputError("no committed cell is this run", found=f"{digest} ({cell})", wanted=wanted)
    return [_compared(store, digest, _values(rows), record) for store in having]


def _compared(store: Store, digest: str, run: pd.Series, record: dict) -> Comparison:
    theirs = store.records[digest]
    seeds = pd.DataFrame({cell: _values(store.rows[store.rows.digest == cell]) for cell in _other_seeds(store, digest)})
    committed = seeds[digest].dropna()
    names = [name for name in run.dropna().index if name in committed]
    lines = pd.DataFrame([_line(run[name], committed[name], seeds.loc[name].dropna()) for name in names], index=names)
    around = pd.DataFrame({"run": _surroundings(record), "committed": _surroundings(theirs)})
    code, known = record["code"], theirs["code"]
    differing = [name for name in code if known.get(name, code[name]) != code[name]]
    data = ["data"] * (record["data"] != theirs["data"] and "data" not in differing)
    return Comparison(store.folder, digest, lines.rename_axis("metric"), around.fillna(UNKNOWN), (*data, *differing))


def _line(run: float, committed: float, seeds: pd.Series) -> dict:
    low = high = np.nan
    if (n := len(seeds)) >= FEWEST:
        half = t.ppf((1 + CHANCE) / 2, n - 1) * seeds.std() * np.sqrt(1 + 1 / n)
        low, high = seeds.mean() - half, seeds.mean() + half
    verdict = EQUAL if run == committed else ALONE if n < FEWEST else WITHIN if low <= run <= high else OUTSIDE
    return {"run": run, "committed": committed, "low": low, "high": high, "seeds": n, "verdict": verdict}


def _other_seeds(store: Store, digest: str) -> Iterator[str]:
    """Yield the digests of the cells that differ from one by the seed alone, its own among them."""
    wanted = _without_seed(store.records[digest])
    known = store.known - store.failed
    yield from (cell for cell, record in store.records.items() if cell in known and _without_seed(record) == wanted)


def _without_seed(record: dict) -> dict:
    return {name: value for name, value in record["experiment"].items() if name != "seed" and value is not None}


def _values(rows: pd.DataFrame) -> pd.Series:
    return rows.set_index("metric").value


def _surroundings(record: dict) -> pd.Series:
    """Return what a record says of its machine and packages, by name."""
    versions = {name: record["versions"][name] for name in sorted(record["versions"])}
    return pd.Series({name: record.get(name) for name in AROUND} | versions, dtype=object)
