"""Run cells of a grid, each in its own folder, under its lock; who loops over them is the caller's affair.

`run_cells` is the one loop body: it waits for the cell's lock, takes what is there and holds, else runs the cell, and
leaves its rows, or one that says why it failed, in `runs/cells/DIGEST-CODE/`. `run_grid` loops over what a plan has
ahead and takes each cell into the store as it ends; `emargin grid cell` loops over the cells of one of Snakemake's jobs
(`companion.grid.reproduce`). So cells can run side by side, on one machine or many, and one that was killed goes on
where it was.
"""

import json
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock

from companion import gpu
from companion.gpu.together import groups, prepare_cells
from companion.grid.plan import cell_folder, once, plan, read_grid, values_of
from companion.grid.store import Store, read_cell, state
from emargin import rows as results
from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.data.loading import checksum_of, load
from emargin.errors import InputError, MissingData, NonFiniteGradient
from emargin.experiment import run
from emargin.resolve import resolve
from emargin.stages import code_versions, metrics_of
from emargin.state import check_experiment, read_state
from emargin.threads import THREADS, limited
from emargin.training import default_device, stops_call

DATA_FIELDS = (
    "dataset",
    "source",
    "surrogate",
    "quality",
    "protocol",
    "fold",
    "split",
    "quick",
    "n_fft",
    "hop",
    "sequence_length",
    "stride",
)


@dataclass(frozen=True)
class Outcome:
    """How a cell went.

    status: "done", "done already", or "failed", with the reason as its note. folder: where it ran.
    """

    cell: Experiment
    folder: Path
    status: str
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.cell}{f' ({self.note})' if self.note else ''}"


def run_grid(
    path: Path,
    folder: Path,
    *,
    device: torch.device | str | None = None,
    progress: bool = True,
    cells_folder: Path | None = None,
    together: int = 1,
    threads: int = THREADS,
) -> pd.DataFrame:
    """Run the cells of a grid file whose rows `folder` does not hold, in one process; returns all rows.

    A cell that has run before, in its own folder, is taken in as it is. Each cell's results are in `folder` soon after
    it is done (see `_Intake`), and in the end, however that comes. A cell that fails leaves one row, metric "failed",
    with the reason as its note, and the others go on.
    together, threads: as `run_cells` has them.
    Raises InputError where another run is writing to the folder.
    """
    cells, store = read_grid(path), Store(folder)
    with stops_call(signal.default_int_handler), store.locked():
        todo = plan(cells, store, path.stem)
        print(todo, file=sys.stderr)
        outcomes = run_cells(
            todo.ahead,
            device=device,
            progress=progress,
            root=cells_folder,
            together=together,
            grid=path.stem,
            threads=threads,
        )
        with Intake(store.add) as intake:
            for number, outcome in enumerate(outcomes, 1):
                if _is_news(outcome.cell, outcome.folder, None, store):
                    intake.take(outcome.folder)
                place = f"[{number}/{len(todo.ahead)}]"
                print(f"{place} {outcome.status} in {outcome.seconds:.0f} s: {outcome.cell}", file=sys.stderr)
    return store.rows


class Intake:
    """Takes finished cells into a store, the last of them on exit.

    To add a cell writes all files of the store anew, which takes seconds where it has thousands. So cells wait until
    that is a twentieth of the time at most. If this process is killed meanwhile, folders of cells are still there for
    the next run to take in, and cells that were scored again are scored once more.

    add: `Store.add`, for folders; or `Store.take`.
    """

    SHARE = 0.05

    def __init__(self, add: Callable[[list], None]):
        self.add, self.waiting, self.took, self.ended = add, [], 0.0, time.monotonic()

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *error) -> None:
        self._add()

    def take(self, cell: object) -> None:
        self.waiting.append(cell)
        if time.monotonic() - self.ended >= self.took / self.SHARE:
            self._add()

    def _add(self) -> None:
        start = time.monotonic()
        self.add(self.waiting)
        self.waiting, self.ended = [], time.monotonic()
        self.took = self.ended - start


def run_cells(
    cells: Sequence[Experiment],
    *,
    device: torch.device | str | None = None,
    progress: bool = False,
    root: Path | None = None,
    together: int = 1,
    grid: str | None = None,
    again: bool = False,
    threads: int = THREADS,
) -> Iterator[Outcome]:
    """Run cells, each in its own folder, unless its rows are there and hold; yields how each went, under its lock.

    Waits for another process that is running the same cell: where a scheduler was killed, its last jobs may go on.
    root: where the folders of cells lie, if not in `runs/cells`.
    together: how many cells at most train together, by `companion.gpu.together`, where their method allows it; their
    records say with how many. What trains together starts again if it is interrupted.
    grid: the name of their grid, which says what metrics they have (`emargin.stages.metrics_of`).
    again: whether a cell runs even though its rows are there.
    threads: how many to compute with.
    """
    loaded, checksum = LastOnly(load), once(checksum_of)
    company, trained = _company(cells, together), {}
    for cell in cells:
        start, folder, note = time.perf_counter(), cell_folder(cell, root), ""
        group = company.get(cell.digest, [cell])
        with _alone([cell_folder(member, root) for member in group]):
            if not again and _state(cell, folder, checksum(cell)) == "done":
                status = "done already"
            else:
                with limited(threads):
                    if len(group) > 1:
                        trained |= _train_together(group, loaded, root, device, progress)
                    status = run_cell(
                        cell, folder, dataset=loaded, device=device, progress=progress, grid=grid, threads=threads
                    )
                if status == "failed":
                    note = results.read_rows(folder / "rows.csv").note[0]
                elif cell in trained:
                    _add_to_record(folder, trained_together=trained[cell])
            yield Outcome(cell, folder, status, time.perf_counter() - start, note)


def _add_to_record(folder: Path, **facts) -> None:
    rows, record, arrays = read_cell(folder)
    results.write_cell(folder, rows, record | facts, arrays)


@contextmanager
def _alone(folders: list[Path]) -> Iterator[None]:
    """Wait for other processes that work in these folders. All lock them in one order, so none waits in a ring."""
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
    """Train cells together. Return those with an encoder in their folder, each with the number of all cells."""
    folders = [results.writable_folder(cell_folder(cell, cells_folder)) for cell in cells]
    try:
        trained = prepare_cells(cells, loaded(cells[0]), folders, device=device or default_device(), progress=progress)
    except Exception as error:  # each cell trains alone then; what stops it there, too, is in its row
        print(f"not trained together: {type(error).__name__}: {error}", file=sys.stderr)
        return {}
    return dict.fromkeys(trained, len(cells))


def run_cell(
    cell: Experiment,
    folder: Path,
    *,
    dataset: Callable[[Experiment], Dataset] | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    grid: str | None = None,
    threads: int = THREADS,
) -> str:
    """Run one cell in its folder, from what an earlier run left there; returns "done" or "failed".

    A failure leaves `rows.csv` with one row that says why. Bad input and a gradient that is not finite would fail again
    and hold as a result. Any other failure does not: missing data, or memory or disk, which print their traceback; the
    next plan runs the cell again.
    dataset: how the data set is loaded, where not by `load`. grid, threads: as `run_cells` has them.
    """
    results.writable_folder(folder)
    (folder / "rows.csv").unlink(missing_ok=True)  # a run that is killed leaves no old rows beside a new record
    _discard_damaged(folder / "resume.pt", cell)
    lasting = {}
    gpu.enable()
    try:
        data = (dataset or load)(cell)
        wanted = metrics_of(grid)
        how = {"device": device, "progress": progress, "threads": threads}
        run(cell, dataset=data, folder=folder, metrics=wanted, maps=is_drawn(cell), **how)
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
    results.write_cell(folder, failed, {"experiment": json.loads(cell.to_json())} | lasting)
    return "failed"


def is_drawn(cell: Experiment) -> bool:
    """Return whether the book shows a map of the cell: of one seed and protocol, with its default settings."""
    plain = resolve(Experiment.from_dict({name: getattr(cell, name) for name in (*results.IDENTITY, "quick")}))
    return (cell.protocol, cell.seed) == ("original", 1) and cell == plain


def finished(cells: Iterable[Experiment], store: Store, root: Path | None = None) -> list[Path]:
    """Folders of the cells that ran here, with the present code and on the present data, and that the store does not
    hold; failed ones, too. Damaged results are removed, so that their cell runs again.
    """
    checksum, folders = once(checksum_of), []
    for cell in cells:
        folder = cell_folder(cell, root)
        if store.state(cell, checksum(cell)) != "done" and _is_news(cell, folder, checksum(cell), store):
            folders.append(folder)
    return folders


def _is_news(cell: Experiment, folder: Path, checksum: str | None, store: Store) -> bool:
    """Return whether the store needs a folder: results, or a failure where the store has no numbers."""
    cell_state = _state(cell, folder, checksum)
    return cell_state == "done" or cell_state == "failed" and cell.digest not in store.known - store.failed


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
            check_experiment(f"checkpoint {checkpoint}", read_state("checkpoint", checkpoint), cell)
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
