"""The plan of a grid: its cells, the folder each runs in, which are done, and how long the others may take."""

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from companion.grid.store import Store
from emargin.config import Experiment
from emargin.data.loading import checksum_of
from emargin.effects import without_effect
from emargin.errors import InputError
from emargin.files import named_once
from emargin.paths import home
from emargin.resolve import resolve
from emargin.stages import code_versions, lacking
from emargin.threads import THREADS

MOST = 100_000  # cells of a block: more would not run in a lifetime, and a product of long lists fills the memory
FRAMES_FIELDS = ("dataset", "source", "surrogate", "protocol", "quick", "n_fft", "hop")  # folds share their frames
FILES_FIELDS = ("dataset", "source", "surrogate", "quick", "split")  # what the checksum of the files depends on


def read_grid(path: Path) -> list[Experiment]:
    """Read the experiments of a grid file, in the order they run.

    The file is a JSON list of blocks; a block maps fields of Experiment to a value or a list of values and stands for
    their product. Cells are ordered by seed first, so that a first result of everything comes early.
    Raises InputError for a file that is no such list, an unknown field or value, a name twice in a block, an empty
    product or one beyond all use, naming the block; MissingData for a set of the UCR archive that is not there.
    """
    try:
        blocks = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=named_once)
    except (OSError, ValueError, RecursionError) as error:
        reason = "JSON too deep" if isinstance(error, RecursionError) else error
        todo = "name a file that is there; those in workflow/ are part of a checkout, not of the installed package"
        todo = todo if isinstance(error, FileNotFoundError) else None
        what, wanted = f"grid file {path} cannot be read", "a JSON list of blocks"
        raise InputError(what, found=reason, wanted=wanted, todo=todo) from error
    if not isinstance(blocks, list):
        raise InputError(f"grid file {path}", found="no list of objects", wanted="a JSON list of blocks")
    cells: list[Experiment] = []
    for number, block in enumerate(blocks, 1):
        where = f"grid file {path}, block {number}"
        if not isinstance(block, dict):
            raise InputError(where, found=f"no list of objects but a {type(block).__name__} in it", wanted="an object")
        lists = {name: value if isinstance(value, list) else [value] for name, value in block.items()}
        empty = [name for name, values in lists.items() if not values]
        if empty:
            raise InputError(f"{where} has no cells", found=f"no value for {empty[0]}", wanted="a value in every list")
        if (product := math.prod(map(len, lists.values()))) > MOST:
            raise InputError(f"{where} has too many cells", found=f"{product:,}", wanted=f"at most {MOST:,}")
        try:
            cells += [
                resolve(Experiment.from_dict(dict(zip(lists, values, strict=True))))
                for values in itertools.product(*lists.values())
            ]
        except InputError as error:
            raise type(error)(f"{where}: {error}") from error
    if not cells:
        raise InputError(f"grid file {path} has no cells", found="an empty list", wanted="at least one block")
    return sorted(dict.fromkeys(cells), key=lambda cell: cell.seed)


def read_chapter(store: Store) -> dict[str, list[Experiment]]:
    """Read the cells that the book's results chapter shows, by the name of the grid file.

    All cells of `workflow/grid.json` whose encoder is the method's own, run or not; those of `workflow/paper.json`, for
    which a reader needs the paper's own recordings, as soon as the store has rows of the data set.
    """
    datasets = set(store.rows.dataset) if store.known else set()
    return {
        "workflow/grid.json": [cell for cell in read_grid(home() / "workflow" / "grid.json") if cell.encoder is None],
        "workflow/paper.json": [
            cell for cell in read_grid(home() / "workflow" / "paper.json") if cell.dataset in datasets
        ],
    }


def cell_folder(cell: Experiment, root: Path | None = None) -> Path:
    """Return where a cell runs: `runs/cells/DIGEST-CODE`, so each version of the training code has its folder."""
    code = code_versions(cell)
    return (root or home() / "runs" / "cells") / f"{cell.digest}-{code['data'][:4]}{code['train'][:4]}"


@dataclass(frozen=True)
class Plan:
    """Cells by what is to be done: those whose rows are there and hold, and those to run, in order.

    why: for a cell that is not done, "missing", "failed", "stale" or, where its data are not on this machine and it
    could but fail, so that it is not ahead, "without data".
    """

    done: list[Experiment]
    ahead: list[Experiment]
    why: dict[str, str]
    absent: list[str]  # data sets, by name
    earlier: int = 0  # of those that are done: cells with rows that an earlier text of the code made
    lacking: dict[str, int] = field(default_factory=dict)  # metric -> how many of those that are done lack it
    threads: dict[int, int] = field(default_factory=dict)  # other than one -> how many of those that are done had them

    def __str__(self) -> str:
        kinds = list(self.why.values())
        ahead = "".join(f", {kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        absent = (
            f" (not on this machine: {', '.join(self.absent)}; emargin data list says where it looks)"
            if self.absent
            else ""
        )
        remarks = [f"{self.earlier} by an earlier text of the code"] * bool(self.earlier)
        remarks += [f"{count} without {metric}" for metric, count in self.lacking.items()]
        remarks += [f"{count} with {number} threads" for number, count in sorted(self.threads.items())]
        done = f"{len(self.done)} done" + (f" ({', '.join(remarks)})" if remarks else "")
        return f"{len(self.done) + len(self.why)} cells: {done}{ahead}{absent}"

    def to_json(self) -> str:
        """The cells that are ahead, in order: digest, the folder each runs in, why, its name, source, and frames, the
        digest of the first of those whose recordings are framed in the same way.
        """
        first = {}
        return json.dumps(
            [
                {
                    "digest": cell.digest,
                    "folder": str(cell_folder(cell)),
                    "why": self.why[cell.digest],
                    "cell": str(cell),
                    "source": cell.source,
                    "frames": first.setdefault(values_of(cell, FRAMES_FIELDS), cell.digest),
                }
                for cell in self.ahead
            ],
            indent=1,
        )


def plan(cells: list[Experiment], store: Store, grid: str | None = None) -> Plan:
    """What is to be done, by content: rows hold while the data's files and the code that made them are the same.

    grid: the name of the grid file without ".json", which says what metrics its cells have; all unless it is named.
    Where the data are not at hand, the rows of their cells hold if their code does. A cell that failed is run again
    when its code or data change, or if it failed for a reason outside both.
    """
    checksum = once(checksum_of)
    done, ahead, why, absent = [], [], {}, {}
    for cell in cells:
        state = store.state(cell, checksum(cell))
        if state == "done":
            done.append(cell)
        elif checksum(cell) is None:
            why[cell.digest] = "without data"
            absent[cell.dataset] = True
        else:
            ahead.append(cell)
            why[cell.digest] = state
    scored = [store.records[cell.digest]["code"] for cell in done if cell.digest not in store.failed]
    without = Counter(metric for made_by in scored for metric in lacking(made_by, grid))
    others = Counter(n for cell in done for n in threads_of(store.records.get(cell.digest, {})) - {THREADS})
    earlier = sum(store.is_earlier(cell.digest) for cell in done)
    return Plan(done, ahead, why, list(absent), earlier, dict(without), dict(others))


def threads_of(record: dict) -> set[int]:
    """Return the numbers of threads that a cell was run and later scored with, as far as its record says.

    Records of before there was a field for it have the number in the name of the device.
    """
    parts = [record, *record.get("scored", {}).values()]
    named = [re.search(r", (\d+) thread", str(part.get("device", ""))) for part in parts]
    return {part["threads"] for part in parts if "threads" in part} | {int(found[1]) for found in named if found}


def idle(cells: Iterable[Experiment]) -> Counter[str]:
    """Return what is asked of cells and has no effect, as sentences, and how many cells each is said of.

    Neither seed, fold nor split decides on it, so cells that differ in these alone are looked at once.
    """
    kinds: dict[frozenset, list[Experiment]] = {}
    for cell in cells:
        values = {name: value for name, value in vars(cell).items() if name not in ("seed", "fold", "split")}
        kinds.setdefault(frozenset(values.items()), []).append(cell)
    said: Counter[str] = Counter()
    for same in kinds.values():
        said.update(dict.fromkeys(without_effect(same[0]), len(same)))
    return said


def estimate(todo: Plan, store: Store) -> str:
    """Estimate the time ahead from the store's cells of the same data set, method, fidelity and iterations."""
    known: dict[tuple, list[float]] = {}
    for record in store.records.values():
        if "seconds" in record:
            known.setdefault(_kind(record["experiment"]), []).append(sum(record["seconds"].values()))
    durations = [known[_kind(vars(cell))] for cell in todo.ahead if _kind(vars(cell)) in known]
    if not durations:
        return f"{len(todo.ahead)} cells ahead; no record yet of how long any of their kind took"
    hours = sum(sum(seconds) / len(seconds) for seconds in durations) / 3600
    return f"{len(todo.ahead)} cells ahead; by earlier cells of their kind {hours:.1f} h one after the other" + (
        f", without the {len(todo.ahead) - len(durations)} of which there is no record yet"
        if len(durations) < len(todo.ahead)
        else ""
    )


def once(checksum: Callable[[Experiment], str | None]) -> Callable[[Experiment], str | None]:
    """Read the files of each data set once."""
    known = {}

    def remembered(cell):
        key = values_of(cell, FILES_FIELDS)
        if key not in known:
            known[key] = checksum(cell)
        return known[key]

    return remembered


def values_of(cell: Experiment, fields: tuple[str, ...]) -> tuple:
    return tuple(getattr(cell, name) for name in fields)


def _kind(experiment: dict) -> tuple:
    """Return what decides most of how long a cell takes."""
    names = ("dataset", "method", "fidelity", "iterations", "quick", "encoder")
    return tuple(experiment.get(name) for name in names)  # records have the fields of their time
