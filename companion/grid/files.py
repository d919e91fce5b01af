"""The three files of a store: read so that damage is named, written so that a kill or a power cut loses nothing.

Each record has checksums of what belongs to its cell, under "checksums", last: "rows", of the lines that the cell has
in `rows.csv`, and "lines", two digits for each of these, which tell the line that differs; "arrays", of what the cell
has in `arrays.npz`; "record", of the record itself. `arrays.npz` ends with a checksum of the whole file, in the place
that a zip archive has for a comment.

New files come to lie in a folder `.ahead` inside the store's, which gets this name once all of them are on the disk;
then they take the places of the old ones. So a reader meets either all old or all new files, whenever the writer
stopped.
"""

import csv
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from emargin import rows as results
from emargin.errors import InputError

ROWS, ARRAYS, RECORDS = NAMES = ("rows.csv", "arrays.npz", "provenance.json")
AHEAD = ".ahead"
DIGEST = re.compile("[0-9a-f]{16}", re.ASCII)
PREFIX = b"sha256 "
COMMENT = len(PREFIX) + 64
BACK = "get the file back from the repository"
STAMP = "emargin results stamp gives checksums to results of an earlier version"


@dataclass(frozen=True)
class Contents:
    """What the files of a store hold.

    Parameters
    ----------
    header : str
        The first line of `rows.csv`.
    lines : dict of list of str
        digest -> the lines that are rows of the cell, as they are written.
    records : dict of dict
        digest -> record, with the checksums of rows and arrays.
    """

    header: str
    lines: dict[str, list[str]]
    records: dict[str, dict]


# --- reading


def read(folder: Path) -> tuple[pd.DataFrame, Contents]:
    """Read a store and compare rows, records and arrays with their checksums.

    Raises
    ------
    InputError
        For a file that is not what was written: it names the file and, but for arrays, the line.
    """
    files = _files(folder)
    if not files:
        return results.table([]), Contents("", {}, {})
    for name in (ROWS, RECORDS):
        if name not in files:
            raise InputError(f"{folder / name} is not there", found=", ".join(files), wanted="both", todo=BACK)
    path, text = files[ROWS][0], text_of(*files[ROWS])
    records, placed = _records(*files[RECORDS]), placed_rows(text, path)
    _compare_rows(folder, path, records, placed)
    _compare_arrays(folder, files.get(ARRAYS), records)
    rows = results.read_rows(path, io.StringIO(text, newline=""))
    return rows, Contents(text[: text.index("\n") + 1], without_numbers(placed), records)


def read_members(folder: Path, wanted: Callable[[str, str], bool]) -> dict[str, bytes]:
    """Read the arrays whose digest and name are wanted, in numpy's format, by `DIGEST/NAME`."""
    files = _files(folder, (ARRAYS,))
    if not files:
        return {}
    path, archive = files[ARRAYS]
    _check_archive(path, archive)
    return members_of(path, archive, wanted)


def has_arrays(folder: Path) -> bool:
    """Return whether a store has a file of arrays."""
    return _place(folder, ARRAYS).exists()


def array_of(content: bytes) -> np.ndarray:
    """Return the array of a member."""
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _files(folder: Path, names: tuple[str, ...] = NAMES) -> dict[str, tuple[Path, bytes]]:
    """Return path and content of the files that are there, all of one writing: a writer may be at work."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder of results", found="a file", wanted="a folder")
    for _ in range(100):
        before = _states(folder)
        try:
            files = {name: (path, _content(path)) for name in names if (path := _place(folder, name)).exists()}
        except FileNotFoundError:  # its writer has just moved it
            continue
        if _states(folder) == before:
            return files
        time.sleep(0.02)
    raise InputError(f"{folder} changes while it is read", wanted="a writer at a time", todo="try again")


def _place(folder: Path, name: str) -> Path:
    ahead = folder / AHEAD / name
    return ahead if ahead.exists() else folder / name


def _content(path: Path) -> bytes:
    if not path.is_file() and path.exists():
        raise InputError(f"{path} cannot be read", found="no regular file", wanted="a file", todo=BACK)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read", found=error.strerror or error, wanted="a file", todo=BACK) from error


def _states(folder: Path) -> list[tuple[int, int, int] | None]:
    """Return what tells whether a file has been replaced."""
    states: list[tuple[int, int, int] | None] = []
    for place in (folder / AHEAD, folder):
        for name in NAMES:
            try:
                found = (place / name).stat()
                states.append((found.st_ino, found.st_size, found.st_mtime_ns))
            except OSError:
                states.append(None)
    return states


def text_of(path: Path, content: bytes) -> str:
    """Return the text of a file. Raises InputError, with the line, for bytes that are none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        _damaged(path, content.count(b"\n", 0, error.start) + 1, f"byte {error.object[error.start]:#x}", "UTF-8")


def _damaged(path: Path, line: int, found: object, wanted: str) -> NoReturn:
    shortened = str(found)
    shortened = shortened if len(shortened) <= 200 else f"{shortened[:200]} [...]"
    raise InputError(f"{path} is damaged, line {line}", found=shortened, wanted=wanted, todo=BACK)


# --- records


def record_line(digest: str, record: dict) -> str:
    """Return the line of a record that has checksums of rows and arrays, with its own checksum."""
    text = json.dumps(record, allow_nan=False)
    return f'"{digest}": {text[:-2]}, "record": "{_sha(f"{digest} {text}")}"}}}}'


def records_text(records: Mapping[str, dict]) -> str:
    """Return the content of `provenance.json`."""
    lines = [record_line(digest, record) for digest, record in sorted(records.items())]
    return "\n".join(["{", *[f"{line}," for line in lines[:-1]], *lines[-1:], "}", ""])


def read_records(path: Path) -> dict[str, dict]:
    """Return the records of a `provenance.json` by digest. Raises InputError for a line that is not as it was."""
    return _records(path, _content(path))


def _records(path: Path, content: bytes) -> dict[str, dict]:
    text = text_of(path, content)
    lines, has_checksums = text.split("\n"), '"checksums": {"rows": ' in text
    if lines[0] != "{":
        _damaged(path, 1, lines[0], "{ alone, then a record a line")
    if lines[-2:] != ["}", ""]:
        number = len(lines) if lines[-1] else len(lines) - 1
        _damaged(path, number, f"the end {lines[number - 1]}", "} alone on the last line")
    records: dict[str, dict] = {}
    last = ""
    for number, line in enumerate(lines[1:-2], 2):
        digest, record = _record(path, number, line, has_checksums)
        if digest <= last:
            _damaged(path, number, f"a record of {digest} after one of {last}", "one of each cell, in order")
        if record_line(digest, record) + "," * (number < len(lines) - 2) != line:
            _damaged(path, number, f"record of {digest}", 'what its checksum "record" is of')
        records[digest], last = record, digest
    return records


def _record(path: Path, number: int, line: str, has_checksums: bool) -> tuple[str, dict]:
    """Return digest and record of a line, without the checksum of the record.

    has_checksums: whether any record of the file has.
    """
    wanted = "a record as this program writes it"
    try:
        ((digest, record),) = json.loads(f"{{{line.removesuffix(',')}}}", parse_constant=no_number).items()
    except (ValueError, RecursionError) as error:
        reason = "JSON too deep" if isinstance(error, RecursionError) else error
        _damaged(path, number, f"{reason} in {line}", wanted)
    if not DIGEST.fullmatch(digest):
        _damaged(path, number, digest, "the digest of a cell")
    if not isinstance(record, dict):
        _damaged(path, number, f"a {type(record).__name__} as record of {digest}", "an object")
    sums = record.get("checksums")
    if sums is None and not has_checksums:
        raise InputError(f"{path} has no checksums, line {number}", found=f"cell {digest}", wanted=wanted, todo=STAMP)
    if not isinstance(sums, dict) or not {"rows", "lines", "record"} <= sums.keys():
        _damaged(path, number, f"checksums {sums}", wanted)
    del sums["record"]
    return digest, record


def no_number(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's reader of JSON takes."""
    raise ValueError(f"{word}, which is no number")


# --- rows


def checksums_of(lines: list[str]) -> dict[str, str]:
    """Return the checksums of the lines of a cell."""
    return {"rows": _sha("".join(lines)), "lines": "".join(map(_digits, lines))}


def placed_rows(text: str, path: Path = Path(ROWS)) -> dict[str, list[tuple[int, str]]]:
    """Return the rows of each cell: the number of the line that each begins in, and its text.

    Raises InputError, with the line, for one that is no row.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    header = lines[0].rstrip("\n")
    columns, order = header.split(","), (*results.IDENTITY, *results.OPTIONAL, *results.MEASURED)
    if columns != [name for name in order if name in {*results.COLUMNS, *columns}]:
        _damaged(path, 1, header, f"the columns {','.join(results.COLUMNS)}, as this version writes them")
    if lines[-1]:
        _damaged(path, len(lines), lines[-1], "a whole line")
    placed: dict[str, list[tuple[int, str]]] = {}
    place, number = columns.index("digest"), 2
    reader = csv.reader(lines[1:-1], strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            _damaged(path, number, f"{error} in {lines[number - 1]}", "a row")
        if fields is None:
            return placed
        if len(fields) != len(columns) or not DIGEST.fullmatch(fields[place]):
            _damaged(path, number, lines[number - 1].rstrip("\n"), f"a row of {len(columns)} fields, with a digest")
        after = reader.line_num + 2
        placed.setdefault(fields[place], []).append((number, "".join(lines[number - 1 : after - 1])))
        number = after


def without_numbers(placed: dict[str, list[tuple[int, str]]]) -> dict[str, list[str]]:
    """Return the rows of each cell, without the numbers of their lines."""
    return {digest: [text for _, text in lines] for digest, lines in placed.items()}


def _compare_rows(folder: Path, path: Path, records: dict[str, dict], placed: dict[str, list[tuple[int, str]]]) -> None:
    unknown = [digest for digest in placed if digest not in records]
    end = max((lines[-1][0] for lines in placed.values()), default=1)
    differing = []
    for digest, record in records.items():
        lines = placed.get(digest, [])
        sums, texts = record["checksums"], [text for _, text in lines]
        if checksums_of(texts) != {"rows": sums["rows"], "lines": sums["lines"]}:
            differing.append((*_first_difference(sums["lines"], lines, end), digest))
    if differing:
        number, found, digest = min(differing)
        if unknown:  # a row whose digest was changed is lacking elsewhere
            number, found = placed[unknown[0]][0][0], f"a row of {unknown[0]}, of which there is no record"
        _damaged(path, number, found, f"the rows of cell {digest} that its record has the checksum of")
    if unknown:
        number = 2 + sum(digest < unknown[0] for digest in records)
        found = f"none of {unknown[0]}, which has rows (line {placed[unknown[0]][0][0]} of {ROWS})"
        _damaged(_place(folder, RECORDS), number, found, "a record of each cell")
    for digest, lines in placed.items():
        if lines[-1][0] != lines[0][0] + sum(text.count("\n") for _, text in lines[:-1]):
            _damaged(path, lines[-1][0], f"a row of {digest} away from the others", "all rows of a cell together")


def _first_difference(known: str, lines: list[tuple[int, str]], end: int) -> tuple[int, str]:
    """Return the number of the first line that is not as it was, and what stands there."""
    digits = [known[start : start + 2] for start in range(0, len(known), 2)]
    for old, (number, text) in zip(digits, lines, strict=False):
        if _digits(text) != old:
            return number, text.rstrip("\n")
    if len(lines) > len(digits):
        return lines[len(digits)][0], f"a row too many: {lines[len(digits)][1].rstrip()}"
    last = lines[-1][0] if lines else end
    if len(lines) < len(digits):
        return last + 1, f"{len(lines)} of {len(digits)} rows"
    return lines[0][0], f"lines {lines[0][0]} to {last}, one of which is not as it was"


def _digits(line: str) -> str:
    return _sha(line)[:2]


# --- arrays


def archive_of(members: Mapping[str, bytes]) -> bytes:
    """Return the content of `arrays.npz` with its checksum."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), members[name], zipfile.ZIP_DEFLATED)
    return with_checksum(stream.getvalue())


def member_of(array: np.ndarray) -> bytes:
    """Return an array in numpy's format, in single precision at most."""
    stream = io.BytesIO()
    single = array.astype(np.float32) if array.dtype == np.float64 else array
    np.lib.format.write_array(stream, np.asanyarray(single), allow_pickle=False)
    return stream.getvalue()


def with_checksum(archive: bytes) -> bytes:
    """Return a zip archive with its checksum as its comment, in the place of another checksum."""
    archive = archive[:-COMMENT] if archive[-COMMENT:].startswith(PREFIX) else archive
    body = archive[:-2] + COMMENT.to_bytes(2, "little")
    return body + PREFIX + hashlib.sha256(body).hexdigest().encode()


def checksums_of_arrays(path: Path, archive: bytes) -> dict[str, str]:
    """Return the checksum of each cell's arrays: of the names, lengths and CRC-32 that the archive's list has."""
    entries: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as kept:
            for info in kept.infolist():
                entry = f"{info.filename} {info.file_size} {info.CRC:08x}\n"
                entries.setdefault(info.filename.partition("/")[0], []).append(entry)
    except Exception as error:  # a flipped bit meets every layer of the format
        raise _unreadable(path, error) from error
    return {digest: _sha("".join(sorted(cell))) for digest, cell in entries.items()}


def members_of(path: Path, archive: bytes, wanted: Callable[[str, str], bool]) -> dict[str, bytes]:
    """Return the members whose digest and name are wanted; zipfile compares each with its CRC-32."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as kept:
            names = [name.removesuffix(".npy") for name in kept.namelist()]
            return {name: kept.read(f"{name}.npy") for name in names if wanted(*name.partition("/")[::2])}
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def _check_archive(path: Path, archive: bytes) -> None:
    """Raise InputError where the archive's bytes are not those of its checksum."""
    body, comment = archive[:-COMMENT], archive[-COMMENT:]
    if comment == PREFIX + hashlib.sha256(body).hexdigest().encode():
        return
    if not comment.startswith(PREFIX) and archive[-22:-18] == b"PK\5\6":
        raise InputError(f"{path} has no checksum", wanted="an archive of this program", todo=STAMP)
    members_of(path, archive, lambda digest, name: True)  # which names the member, where it is to blame
    raise not_ours(path, "other bytes than those that its checksum is of")


def _compare_arrays(folder: Path, file: tuple[Path, bytes] | None, records: dict[str, dict]) -> None:
    path, sums = folder / ARRAYS, {}
    if file is not None:
        path, archive = file
        _check_archive(path, archive)
        sums = checksums_of_arrays(path, archive)
    for digest in records.keys() | sums.keys():
        known = records.get(digest, {}).get("checksums", {}).get("arrays")
        if sums.get(digest) != known:
            raise InputError(
                f"{path} is of other results than its neighbours" if file else f"{path} is not there",
                found=f"arrays of cell {digest} with checksum {sums.get(digest)}",
                wanted=f"{known}, as its record says",
                todo=BACK,
            )


def _unreadable(path: Path, error: Exception) -> InputError:
    return not_ours(path, f"{type(error).__name__}: {error}")


def not_ours(path: Path, found: str) -> InputError:
    """Return the error for a file that is not as this program wrote it."""
    return InputError(f"{path} is damaged", found=found, wanted="a file as this program wrote it", todo=BACK)


# --- writing


def write(folder: Path, contents: Contents, archive: bytes | None) -> None:
    """Write the files of a store in place of those that are there. They are on the disk when this returns.

    Parameters
    ----------
    folder : Path
    contents : Contents
        Header, lines in their order, and records, whose checksums are made here.
    archive : bytes, optional
        Of `arrays.npz`, with its checksum; the store has none without it.
    """
    settle(folder)
    arrays = {} if archive is None else checksums_of_arrays(folder / ARRAYS, archive)
    records = {}
    for digest, lines in contents.lines.items():
        sums = checksums_of(lines) | ({"arrays": arrays[digest]} if digest in arrays else {})
        record = {name: value for name, value in contents.records[digest].items() if name != "checksums"}
        records[digest] = record | {"checksums": sums}
    text = contents.header + "".join(itertools.chain.from_iterable(contents.lines.values()))
    files = {ARRAYS: archive, ROWS: text.encode(), RECORDS: records_text(records).encode()}
    part = Path(tempfile.mkdtemp(prefix=f"{AHEAD}.", suffix=".part", dir=folder))
    try:
        for name, content in files.items():
            if content is not None:
                results.write_bytes(part / name, content)
        _sync(part)
        part.rename(folder / AHEAD)
        _sync(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    settle(folder)


def settle(folder: Path) -> None:
    """Put files that a writer left ahead in their places."""
    ahead = folder / AHEAD
    if ahead.is_dir():
        for name in NAMES:
            if (ahead / name).exists():
                _put(ahead / name, folder / name)
        _sync(folder)
        shutil.rmtree(ahead)


def _put(path: Path, place: Path) -> None:
    os.replace(path, place)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a store, and clear what a writer that was killed left.

    Raises InputError where another process holds the lock.
    """
    results.writable_folder(folder)
    try:
        with FileLock(folder / ".lock", timeout=0):
            settle(folder)
            for part in folder.glob(f"{AHEAD}.*.part"):
                shutil.rmtree(part, ignore_errors=True)
            yield
    except Timeout as error:
        raise InputError(
            f"another run is writing to {folder}",
            wanted="one run a folder",
            todo="wait for it, or name another folder with --out",
        ) from error


def _sync(folder: Path) -> None:
    """Put a folder's list of names on the disk."""
    if os.name == "posix":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
