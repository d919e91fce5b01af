"""Compute metrics of cells from the encoders that their training left, without training.

A metric is computed that the rows of a cell lack, or that other code made than the present: `emargin.stages.METRICS`
has them all. Rows of other metrics stay as they are. A cell whose rows do not come from the present training (it has
none; its code or data are others now; an earlier text of the code trained it) is scored as a whole, so that all rows of
a cell are of one encoder.
"""

import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion.grid.plan import cell_folder, once
from companion.grid.runner import Intake, LastOnly, is_drawn
from companion.grid.store import Store
from emargin import rows as results
from emargin.config import Experiment
from emargin.data.loading import checksum_of, load
from emargin.encoder_files import EXACT, load_trained
from emargin.errors import InputError
from emargin.evaluation.scoring import Scores, score
from emargin.stages import MAP_NAME, METRICS, NEEDED, differing, lacking, metrics_of
from emargin.training import default_device


@dataclass(frozen=True)
class Wanted:
    """What is to be computed of a cell.

    Parameters
    ----------
    cell : Experiment
    metrics : tuple of str
        By their names in `emargin.stages.METRICS`, and "map".
    whole : bool
        Whether they take the place of all rows that the cell has.
    """

    cell: Experiment
    metrics: tuple[str, ...]
    whole: bool


def score_cells(
    cells: Iterable[Experiment],
    store: Store,
    *,
    grid: str | None = None,
    metric: str | None = None,
    root: Path | None = None,
    device: torch.device | str | None = None,
    exact: bool = False,
) -> list[InputError]:
    """Compute what is missing or stale of cells, and put it into the store, whose lock the caller holds.

    Parameters
    ----------
    cells : iterable of Experiment
    store : Store
    grid : str, optional
        The name of their grid, which says what metrics they have; all unless it is named.
    metric : str, optional
        This one alone, where the rows of a cell come from the present training.
    root : Path, optional
        Where the folders with encoders are; `runs/cells` unless named.
    device : torch.device or str, optional
        CUDA where there is one, unless named.
    exact : bool
        Leave out encoders whose weights were rounded for an archive.

    Returns
    -------
    list of InputError
        Why cells were not scored, such as that their encoder is gone. The others are in the store.

    Raises
    ------
    InputError
        For an unknown metric.
    """
    if metric not in (None, *METRICS):
        raise InputError("unknown metric", found=metric, wanted=", ".join(METRICS))
    ahead, loaded, problems = list(wanted(cells, store, grid, metric)), LastOnly(load), []
    with Intake(store.take) as intake:
        for number, item in enumerate(ahead, 1):
            start, cell = time.monotonic(), item.cell
            try:
                scored = _scored(item, _encoder_of(cell, root), store, loaded, device or default_device(), exact)
            except InputError as error:
                problems.append(error)
                continue
            except Exception as error:
                traceback.print_exc()
                problems.append(InputError(f"{cell} could not be scored", found=f"{type(error).__name__}: {error}"))
                continue
            intake.take(scored)
            names = "all metrics" if item.whole else ", ".join(item.metrics)
            place, seconds = f"[{number}/{len(ahead)}]", time.monotonic() - start
            print(f"{place} scored in {seconds:.0f} s: {cell}: {names}", file=sys.stderr)
    return problems


def wanted(cells: Iterable[Experiment], store: Store, grid: str | None, metric: str | None) -> Iterator[Wanted]:
    """Yield what is to be computed of cells; nothing of one whose training failed."""
    checksum = once(checksum_of)
    for cell in cells:
        record = store.records.get(cell.digest, {})
        code = record.get("code", {})
        state, failed = store.state(cell, checksum(cell)), cell.digest in store.failed
        if failed and state == "done":
            continue
        stages = differing(cell, code)
        present = not (failed or state == "missing" or set(stages) & set(NEEDED))
        present = present and checksum(cell) in (None, record["data"])
        due = [*stages, *lacking(code, grid)] if present else []
        if metric is not None:
            due = [name for name in due if name == metric]
        if present and not due:
            continue
        if not present or set(record.get("earlier_text", ())) & set(NEEDED):
            drawn = (MAP_NAME,) if is_drawn(cell) else ()
            yield Wanted(cell, (*metrics_of(grid), *drawn), whole=True)
        else:
            yield Wanted(cell, tuple(due), whole=False)


def _encoder_of(cell: Experiment, root: Path | None) -> Path:
    file = cell_folder(cell, root) / "encoder.pt"
    if not file.exists():
        others = sorted(path.parent.name for path in file.parent.parent.glob(f"{cell.digest}-*/encoder.pt"))
        raise InputError(
            f"the encoder of {cell} is gone",
            found=f"no {file}" + (f"; by other code: {', '.join(others)}" if others else ""),
            wanted="what its training left there",
            todo=f"run it again: emargin grid cell GRID {cell.digest} --again",
        )
    return file


def _scored(
    item: Wanted, file: Path, store: Store, loaded: LastOnly, device: torch.device | str, exact: bool
) -> tuple[pd.DataFrame, dict, dict[str, np.ndarray]]:
    """Return rows, record and arrays of a cell with what was to be computed."""
    cell, dataset = item.cell, loaded(item.cell)
    method, weights = load_trained(file, cell, dataset, device)
    if exact and weights != EXACT:
        raise InputError(
            f"encoder {file} is rounded", found=weights, wanted=EXACT, todo="emargin score takes it, or run the cell"
        )
    names, maps = [name for name in item.metrics if name != MAP_NAME], MAP_NAME in item.metrics
    scores = score(cell, method, dataset, device, metrics=names, maps=maps)
    device = torch.device(device)
    fresh = results.provenance(cell, dataset, device, scores.seconds, metrics=names, maps=maps)
    rows = results.table(scores.rows)
    if item.whole:
        return rows, fresh | {"scored": {"all": {"weights": weights}}}, scores.arrays
    record = store.records[cell.digest]
    made = {name: fresh[name] for name in ("commit", "versions", "device", "processor", "threads")} | {
        "weights": weights
    }
    earlier = [stage for stage in record.get("earlier_text", ()) if stage not in item.metrics]
    merged = {name: value for name, value in record.items() if name != "earlier_text"} | {
        "code": record["code"] | {name: fresh["code"][name] for name in item.metrics},
        "scored": record.get("scored", {}) | dict.fromkeys(item.metrics, made),
        **({"earlier_text": earlier} if earlier else {}),
    }
    return _merged(store.rows[store.rows.digest == cell.digest], rows, names), merged, _arrays(store, item, scores)


def _merged(before: pd.DataFrame, fresh: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Return the rows of a cell, those of these metrics anew; each row stays in its place."""
    new = {row["metric"]: row for row in fresh.to_dict("records")}
    rows = {
        row["metric"]: row
        for row in before.to_dict("records")
        if row["metric"] in new or not any(METRICS[name].holds(row["metric"]) for name in metrics)
    }
    return results.table(list((rows | new).values()))


def _arrays(store: Store, item: Wanted, scores: Scores) -> dict[str, np.ndarray]:
    """Return the arrays of a cell, those of these metrics anew."""
    gone = {array for name in item.metrics if name in METRICS for array in METRICS[name].arrays}
    return {name: array for name, array in store.arrays(item.cell.digest).items() if name not in gone} | scores.arrays
