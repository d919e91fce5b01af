"""Run the cells of a grid: all in one process, or one by one, each in its own folder.

A cell runs in `runs/cells/DIGEST-CODE/`, so cells can run side by side, on one machine or many, and one that was killed
goes on where it was. `Store` collects finished cells into the tables that are committed.
"""

import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock

from companion import gpu
from companion.gpu.together import groups, origin_of, prepare_cells
from companion.grid.plan import cell_folder, once, plan, read_grid, values_of
from companion.grid.store import Store, read_cell, state
from emargin import rows as results
from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.data.loading import checksum_of, load
from emargin.errors import InputError, MissingData, NonFiniteGradient
from emargin.evaluation import series
from emargin.experiment import run
from emargin.resolve import resolve
from emargin.stages import code_versions
from emargin.training import default_device, load_checkpoint

DATA_FIELDS = (
    "dataset",
    "source",
    "surrogate",
    "protocol",
    "fold",
    "split",
    "quick",
    "n_fft",
    "hop",
    "sequence_length",
    "stride",
)


def run_grid(
    path: Path,
    folder: Path,
    *,
    device: torch.device | str | None = None,
    progress: bool = True,
    cells_folder: Path | None = None,
    together: int = 1,
) -> pd.DataFrame:
    """Run the cells of a grid file whose rows `folder` does not hold, in one process; returns all rows.

    A cell that has run before, in its own folder, is taken in as it is. Each cell's results are in `folder` as soon as
    it is done. A cell that fails leaves one row, metric "failed", with the reason as its note, and the others go on.
    together: how many cells at most train together, by `companion.gpu.together`, where their method allows it; their records
    say with how many. What trains together starts again if it is interrupted.
    Raises InputError where another run is writing to the folder.
    """
    cells, store = read_grid(path), Store(folder)
    with store.locked():
        todo = plan(cells, store)
        print(todo, file=sys.stderr)
        loaded, checksum = LastOnly(load), once(checksum_of)
        company, trained = _company(todo.ahead, together), {}
        for number, cell in enumerate(todo.ahead, 1):
            start = time.perf_counter()
            place = cell_folder(cell, cells_folder)
            group = company.get(cell.digest, [cell])
            with _alone([cell_folder(one, cells_folder) for one in group]):
                if _state(cell, place, checksum(cell)) == "done":
                    status = "done already"
                else:
                    if len(group) > 1:
                        trained |= _train_together(group, loaded, cells_folder, device, progress)
                    status = run_cell(cell, place, dataset=loaded, device=device, progress=progress)
                if status == "done" and cell in trained:
                    record = json.loads((place / "provenance.json").read_text()) | {"trained_together": trained[cell]}
                    results.write_text(place / "provenance.json", json.dumps(record, indent=1))
                if _is_news(cell, place, None, store):
                    store.add([place])
            print(
                f"[{number}/{len(todo.ahead)}] {status} in {time.perf_counter() - start:.0f} s: {cell}", file=sys.stderr
            )
    return store.rows


@contextmanager
def _alone(folders: list[Path]) -> Iterator[None]:
    """Waits for other processes that work in these folders. All lock them in one order, so none waits in a ring."""
    with ExitStack() as held:
        for folder in sorted(folders):
            held.enter_context(FileLock(results.writable_folder(folder) / ".lock"))
        yield


def _company(cells: list[Experiment], most: int) -> dict[str, list[Experiment]]:
    """The groups of cells that train together, at most so many in each, by the digest of the first of each to run.

    Those of the UCR archive are short and train alone.
    """
    longer = [cell for cell in cells if not entry_of(cell.dataset).has_series]
    pieces = [group[start : start + most] for group in groups(longer) for start in range(0, len(group), most)]
    return {piece[0].digest: piece for piece in pieces}


def _train_together(
    cells: list[Experiment],
    loaded: Callable[[Experiment], Dataset],
    cells_folder: Path | None,
    device: torch.device | str | None,
    progress: bool,
) -> dict[Experiment, int]:
    """Leaves encoders in the folders of those cells that it returns, with the number of all of them."""
    folders = [results.writable_folder(cell_folder(cell, cells_folder)) for cell in cells]
    try:
        there = prepare_cells(cells, loaded(cells[0]), folders, device=device or default_device(), progress=progress)
    except Exception as error:  # each cell trains alone then; what stops it there, too, is in its row
        print(f"not trained together: {type(error).__name__}: {error}", file=sys.stderr)
        return {}
    return dict.fromkeys(there, len(cells))


def run_cells(cells: Iterable[Experiment], *, device: torch.device | str | None = None) -> Iterator[str]:
    """Run cells, each in its own folder, unless its rows are there and hold; says of each how it went.

    Waits for another process that is running the same cell: where a scheduler was killed, its last jobs may go on.
    """
    loaded, checksum = LastOnly(load), once(checksum_of)
    for cell in cells:
        folder = cell_folder(cell)
        with _alone([folder]):
            if _state(cell, folder, checksum(cell)) == "done":
                yield f"done already: {cell}"
            else:
                status = run_cell(cell, folder, dataset=loaded, device=device, progress=False)
                why = f" ({results.read_rows(folder / 'rows.csv').note[0]})" if status == "failed" else ""
                yield f"{status}: {cell}{why}"


def run_cell(
    cell: Experiment,
    folder: Path,
    *,
    dataset: Callable[[Experiment], Dataset] | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> str:
    """Run one cell in its folder, from what an earlier run left there; returns "done" or "failed".

    A failure leaves `rows.csv` with one row that says why. Bad input and a gradient that is not finite would fail again
    and hold as a result. Any other failure does not: missing data, or memory or disk, which print their traceback; the
    next plan runs the cell again.
    dataset: how the data set is loaded, where not by `load`.
    """
    results.writable_folder(folder)
    (folder / "rows.csv").unlink(missing_ok=True)  # a run that is killed leaves no old rows beside a new record
    _discard_damaged(folder / "resume.pt", cell)
    lasting = {}
    gpu.enable()
    try:
        run_in(folder, cell, (dataset or load)(cell), device=device, progress=progress, maps=is_drawn(cell))
        return "done"
    except MissingData as error:  # holds on this machine alone
        note = str(error)
    except (InputError, NonFiniteGradient) as error:
        note, lasting = str(error), {"code": code_versions(cell), "data": checksum_of(cell)}
    except Exception as error:
        traceback.print_exc()
        note = f"{type(error).__name__}: {error}"
    failed = results.table([results.tidy(cell, "failed", float("nan"), None, note)])
    (folder / "arrays.npz").unlink(missing_ok=True)
    results.write_text(folder / "provenance.json", json.dumps({"experiment": json.loads(cell.to_json())} | lasting))
    results.write_text(folder / "rows.csv", results.rows_to_csv(failed))
    return "failed"


def run_in(
    folder: Path,
    cell: Experiment,
    data: Dataset,
    *,
    device: torch.device | str | None = None,
    progress: bool = True,
    maps: bool = False,
) -> None:
    """Run an experiment in a folder, on data that are loaded; its files are those of `emargin.experiment.run`.

    A set of the UCR archive is scored by series, by `emargin.evaluation.series`, and every other one by frames. A checkpoint that
    other data or other code left in the folder is removed, since what goes on from it would be neither's result.
    Raises InputError where a side of the data has fewer sequences than the batch that its probe takes, and what the
    training raises.
    """
    batch, sides = cell.batch_size, {"training": data.train}
    if cell.protocol == "released":  # which drops the last batch of the test side, too
        sides["test"] = data.test
    for name, side in sides.items():
        if len(side) < batch:
            raise InputError(
                f"data set {data.name}: fewer sequences than a batch",
                found=f"{len(side)} on the {name} side",
                wanted=f"at least {batch}",
                todo="shorten sequence_length, or lower batch_size",
            )
    origin, file = json.dumps(origin_of(cell, data)), folder / "origin.json"
    if not file.exists() or file.read_text() != origin:
        (folder / "resume.pt").unlink(missing_ok=True)
        results.write_text(file, origin)
    if entry_of(cell.dataset).has_series:
        series.run(cell, data, folder, device=device or default_device(), progress=progress)
    else:
        run(cell, dataset=data, device=device, folder=folder, progress=progress, maps=maps)


def is_drawn(cell: Experiment) -> bool:
    """Whether the book shows a map of the cell: one seed, one protocol, and no setting but those of its set and method."""
    plain = resolve(Experiment.from_dict({name: getattr(cell, name) for name in (*results.IDENTITY, "quick")}))
    return (cell.protocol, cell.seed) == ("original", 1) and cell == plain


def finished(cells: Iterable[Experiment], store: Store, root: Path | None = None) -> list[Path]:
    """Folders of the cells that ran here, with the present code and on the present data, and that the store does not
    hold; failed ones, too. Damaged results are removed, so that their cell runs again.
    """
    checksum, found = once(checksum_of), []
    for cell in cells:
        folder = cell_folder(cell, root)
        if store.state(cell, checksum(cell)) != "done" and _is_news(cell, folder, checksum(cell), store):
            found.append(folder)
    return found


def _is_news(cell: Experiment, folder: Path, checksum: str | None, store: Store) -> bool:
    """Whether a folder has something for the store: no failure that need not last where the store has numbers."""
    found = _state(cell, folder, checksum)
    return found == "done" or found == "failed" and cell.digest not in store.known - store.failed


def _state(cell: Experiment, folder: Path, checksum: str | None) -> str:
    """As `Store.state`, of the folder that a cell runs in. Results that are damaged are removed; its encoder stays."""
    if not (folder / "rows.csv").exists():
        return "missing"
    try:
        rows, record, _ = read_cell(folder)
    except MemoryError:
        raise
    except Exception as error:  # a flipped bit meets every layer: the archive, the compression, the array's header
        print(f"{folder}: damaged ({error}); its cell will run again", file=sys.stderr)
        for name in ("rows.csv", "arrays.npz", "provenance.json"):
            (folder / name).unlink(missing_ok=True)
        return "missing"
    return state(cell, record, failed="failed" in set(rows.metric), checksum=checksum)


def _discard_damaged(checkpoint: Path, cell: Experiment) -> None:
    """A checkpoint that cannot be read costs a cell its steps, not the grid a cell."""
    if checkpoint.exists():
        try:
            load_checkpoint(checkpoint, cell)
        except InputError as error:
            print(f"{error} Starting again.", file=sys.stderr)
            shutil.move(checkpoint, checkpoint.with_name("damaged.pt"))


class LastOnly:
    """Loads data sets and keeps the last one: neighbouring cells of a grid share theirs, and only one fits for sure."""

    def __init__(self, load: Callable[[Experiment], Dataset]):
        self.load, self.key, self.dataset = load, None, None

    def __call__(self, cell: Experiment) -> Dataset:
        key = values_of(cell, DATA_FIELDS)
        if key != self.key:
            self.dataset, self.key = None, None  # before the next one takes memory, too
            self.dataset, self.key = self.load(cell), key
        return self.dataset
