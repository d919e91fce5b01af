"""The table of results of a grid: three files in one folder, made of the folders in which its cells ran."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from companion import committed
from companion.grid import files
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.methods import METHODS
from emargin.stages import differing

# The page on spirals looks at principal components of these methods' embeddings; those of the others would be most of
# what the arrays take.
WITH_COMPONENTS = ("random", "random-calibrated", "infonce", "emargin")
SETTINGS = ("margin", "threshold", "temperature")  # columns of rows as they are read, from the records


class Store:
    """`rows.csv`, tidy rows; `provenance.json`, one record a cell and line; `arrays.npz`, small arrays of each cell.

    `rows` has all columns, those too that the file leaves out as no row has a value there, and margin, threshold and
    temperature by the records. A note that rows of a cell share is with the first of them. The arrays of a cell go by
    `DIGEST/NAME`. Each record has checksums of its cell's rows and arrays, and of itself (`companion.grid.files`).
    Raises InputError for files that are not as this program wrote them; it names the file and the line. A folder
    without files can be written to; to read its rows is an InputError, too.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._read()

    def _read(self) -> None:
        rows, contents = files.read(self.folder)
        self.records, self._written = contents.records, contents
        self._rows = with_settings(rows, self.records)
        self.failed = set(self._rows.digest[self._rows.metric == "failed"])
        self.known = set(self._rows.digest)

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of all cells."""
        if not self._written.header:
            found = "no rows.csv" if self.folder.is_dir() else "no such folder"
            todo = "`emargin run --grid` makes rows; those of results/ are in a checkout and in the installed package"
            raise InputError(f"no rows in {self.folder}", found=found, wanted="a folder of rows", todo=todo)
        return self._rows

    def state(self, cell: Experiment, checksum: str | None) -> str:
        """ "done", "missing", "failed" for a reason outside code and data, or "stale".

        checksum: of the cell's data as they are now; None where they are not at hand.
        """
        if cell.digest not in self.known:
            return "missing"
        return state(cell, self.records.get(cell.digest, {}), failed=cell.digest in self.failed, checksum=checksum)

    def is_earlier(self, digest: str) -> bool:
        """Return whether an earlier text of the code made rows of a cell; they hold until it runs again."""
        return bool(self.records.get(digest, {}).get("earlier_text"))

    def scores(self, cells: Iterable[Experiment]) -> pd.DataFrame:
        """Return a line, fields, digest and metrics, for each of these cells that ran and did not fail, in their order.

        Unlike the rows it tells apart cells that differ in a setting, such as a margin.
        """
        wide = self.rows[self.rows.metric != "failed"].pivot(index="digest", columns="metric", values="value")
        finished = [cell for cell in cells if cell.digest in wide.index]
        names = dict.fromkeys(name for cell in (Experiment(), *finished) for name in vars(cell))
        fields = pd.DataFrame([vars(cell) for cell in finished], columns=list(names))
        return fields.join(wide.loc[[cell.digest for cell in finished]].reset_index())

    def arrays(self, digest: str) -> dict[str, np.ndarray]:
        """Return the arrays of one cell, by name."""
        kept = files.read_members(self.folder, lambda cell, name: cell == digest)
        return {name.partition("/")[2]: files.array_of(content) for name, content in kept.items()}

    def arrays_of_cells(self, names: Collection[str]) -> dict[str, dict[str, np.ndarray]]:
        """Return the arrays of these names, by digest and name; the file is opened once."""
        by_cell: dict[str, dict[str, np.ndarray]] = {}
        for key, content in files.read_members(self.folder, lambda cell, name: name in names).items():
            digest, _, name = key.partition("/")
            by_cell.setdefault(digest, {})[name] = files.array_of(content)
        return by_cell

    def add(self, folders: Iterable[Path]) -> None:
        """Take in finished cells, each from its folder, in place of what the store has of them.

        Adds to the files as they are now: a long run keeps what the repository brought in meanwhile.
        """
        self.take(map(read_cell, folders))

    def take(self, cells: Iterable[tuple[pd.DataFrame, dict, dict[str, np.ndarray]]]) -> None:
        """Take in rows, record and arrays of cells, in place of what the store has of them; see `add`."""
        cells = list(cells)
        if cells:
            self._read()
        rows, arrays, digests = [], {}, set()
        for cell_rows, record, kept in cells:
            digest = cell_rows.digest.iloc[0]
            digests.add(digest)
            rows.append(cell_rows)
            self.records[digest] = record
            if cell_rows.method.iloc[0] not in WITH_COMPONENTS:
                kept = {name: array for name, array in kept.items() if not name.startswith("component")}
            arrays |= {f"{digest}/{name}": files.member_of(array) for name, array in kept.items()}
        self._replace(digests, rows, arrays)

    def merge(self, incoming: "Store") -> None:
        """Take in the cells of another store, in place of what this one has; no failure in place of numbers."""
        digests = incoming.known - (incoming.failed & (self.known - self.failed))
        self.records |= {digest: incoming.records[digest] for digest in digests if digest in incoming.records}
        self._replace(
            digests,
            [incoming.rows[incoming.rows.digest.isin(digests)]],
            files.read_members(incoming.folder, lambda cell, name: cell in digests),
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Read the store anew and keep it locked. Raises InputError where another process holds the lock."""
        with files.locked(self.folder):
            self._read()
            yield

    def _replace(self, digests: set[str], rows: list[pd.DataFrame], arrays: dict[str, bytes]) -> None:
        """Put rows and arrays in the place of all that the store has of these cells; write everything."""
        if not digests:
            return
        results.writable_folder(self.folder)
        others = self.known - digests
        everything = files.read_members(self.folder, lambda cell, name: cell in others) | arrays
        together = [self._rows[~self._rows.digest.isin(digests)], *rows]
        rows_together = _in_order(results.table(pd.concat(together, ignore_index=True)))
        rows_together.loc[rows_together.duplicated(["digest", "note"]), "note"] = ""
        self._rows = with_settings(rows_together, self.records)
        self.failed = set(self._rows.digest[self._rows.metric == "failed"])
        self.known = set(self._rows.digest)
        archive = files.archive_of(everything) if everything or files.has_arrays(self.folder) else None
        self._written = files.Contents(*self._lines(rows_together, digests), self.records)
        files.write(self.folder, self._written, archive)

    def _lines(self, rows: pd.DataFrame, changed: set[str]) -> tuple[str, dict[str, list[str]]]:
        """Return the header and the lines of all cells in their order. Those of a cell that is as it was stay so."""
        text = results.rows_to_csv(rows[rows.digest.isin(changed)])
        header, old = text[: text.index("\n") + 1], self._written
        if header != old.header:
            text = results.rows_to_csv(rows)
        lines = old.lines | files.without_numbers(files.placed_rows(text))
        return header, {digest: lines[digest] for digest in rows.digest.unique()}


def with_settings(rows: pd.DataFrame, records: Mapping[str, dict]) -> pd.DataFrame:
    """Return rows with all columns, those of `SETTINGS` by the records of their cells: NaN where a method has none."""
    full = results.complete(rows)
    fields = {digest: record.get("experiment", {}) for digest, record in records.items()}
    settings = {
        name: full.digest.map({digest: own.get(name) for digest, own in fields.items()}).astype(float)
        for name in SETTINGS
    }
    return full.assign(**settings)[[*results.IDENTITY, *results.OPTIONAL, *SETTINGS, *results.MEASURED]]


def existing(folder: Path | str) -> Store:
    """Open the store of a folder that has rows. Raises InputError for one without, and for that of a single run."""
    folder = Path(folder)
    if is_run(folder):
        todo = "emargin show prints it; a grid file, even of one cell, makes such a folder: emargin run --grid"
        raise InputError(f"{folder} is the folder of a single run", wanted="rows of a grid", todo=todo)
    store = Store(folder)
    if not store.known:
        raise InputError(
            f"no rows in {folder}",
            found="no rows.csv" if folder.is_dir() else "no such folder",
            wanted="a folder of rows such as results/grid, or one that `emargin run` wrote to",
            todo=f"name a folder; the committed ones are in {committed.results()}",
        )
    return store


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a single run, whose record is one experiment's."""
    try:
        return "experiment" in json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, TypeError):
        return False  # the store's reader says what is wrong with it


def state(cell: Experiment, record: dict, *, failed: bool, checksum: str | None) -> str:
    """What rows are worth, by the record beside them: "done", "failed" for a reason outside code and data, or "stale".

    checksum: of the cell's data as they are now; None where they are not at hand.
    """
    if failed and "code" not in record:
        return "failed"
    if differing(cell, record.get("code", {})) or checksum not in (None, record.get("data")):
        return "stale"
    return "done"


def read_cell(folder: Path) -> tuple[pd.DataFrame, dict, dict[str, np.ndarray]]:
    """Read rows, record and arrays of the folder that a cell ran in, and compare them with the record's checksums."""
    file, arrays = folder / "provenance.json", {}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if "checksums" not in record:
            raise ValueError("no checksums, as of an earlier version")
        sums = record["checksums"]
        known = sums.pop("record")
        names = [name for name in files.NAMES if name in sums]
        differing = [name for name in names if results.checksum_of_file(folder / name) != sums[name]]
        differing += [file.name] * (known != results.checksum_of_record(record))
        del record["checksums"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise files.not_ours(file, f"{type(error).__name__}: {error}") from error
    if differing or "rows.csv" not in sums:
        raise files.not_ours(folder / (differing or ["rows.csv"])[0], "another checksum than its record says")
    if "arrays.npz" in sums:
        with (folder / "arrays.npz").open("rb") as stream, np.load(stream) as kept:
            arrays = dict(kept)
    return results.read_rows(folder / "rows.csv"), record, arrays


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort cells by data set, protocol, fold, method and so on, so that a new cell is a few new lines."""
    methods = {name: number for number, name in enumerate(METHODS)}
    optional = [name for name in results.OPTIONAL if name in rows]
    keys = rows[[*results.IDENTITY, *optional, "digest"]].assign(method=rows.method.map(methods))
    return rows.loc[keys.sort_values(list(keys.columns), kind="stable").index].reset_index(drop=True)
