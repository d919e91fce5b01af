"""Compare stores with their checksums, `emargin results verify`; give checksums to those without, `... stamp`."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from companion import committed
from companion.grid import files
from companion.grid.store import read_cell
from emargin import rows as results
from emargin.errors import InputError
from emargin.files import named_once


def folders_of(named: list[Path]) -> list[Path]:
    """Return the folders that are named; all that are committed where none is."""
    root = committed.results()
    folders = named or sorted({path.parent for name in files.NAMES for path in root.glob(f"*/{name}")})
    if not folders:
        wanted, todo = "folders of results", "name them, or run it in a checkout, or with the installed package"
        raise InputError("no results to look at", found=f"nothing in {root}", wanted=wanted, todo=todo)
    return folders


def verify(folders: list[Path]) -> Iterator[str | InputError]:
    """Read all of each store or folder of a run; yield a sentence on what is as it was written, or is damaged."""
    for folder in folders:
        try:
            if _is_of_one_run(folder):
                rows, _, arrays = read_cell(folder)
                yield f"{folder}: one cell, {len(rows)} rows, {len(arrays)} arrays, as written"
                continue
            rows, contents = files.read(folder)
            if not contents.records:
                raise InputError(f"no results in {folder}", wanted=", ".join(files.NAMES), todo="name another folder")
            members = files.read_members(folder, lambda digest, name: True)
            yield f"{folder}: {len(contents.records)} cells, {len(rows)} rows, {len(members)} arrays, as written"
        except InputError as error:
            yield error


def stamp(folder: Path, *, anew: bool = False) -> int:
    """Give checksums to a store without; return of how many cells.

    Parameters
    ----------
    folder : Path
    anew : bool
        Make the checksums of a store that has such anew: its files were changed on purpose.

    Raises
    ------
    InputError
        For a file that cannot be read; for a store with checksums of some cells, or others than those of its files,
        unless `anew`.
    """
    if missing := [name for name in (files.ROWS, files.RECORDS) if not (folder / name).is_file()]:
        raise InputError(f"no results in {folder}", found=f"no {', '.join(missing)}", wanted="a folder of results")
    with files.locked(folder):
        contents = {name: path.read_bytes() for name in files.NAMES if (path := folder / name).is_file()}
        path = folder / files.RECORDS
        records = _records(path, files.text_of(path, contents[files.RECORDS]))
        if any("checksums" in record for record in records.values()) and not anew:
            files.read(folder)
            return 0
        path = folder / files.ROWS
        text = files.text_of(path, contents[files.ROWS])
        results.read_rows(path, io.StringIO(text, newline=""))
        lines = files.without_numbers(files.placed_rows(text, path))
        if different := sorted(lines.keys() ^ records.keys()):
            raise InputError(
                f"{folder} cannot get checksums",
                found=f"cell {different[0]} in one of {files.ROWS} and {files.RECORDS} alone",
                wanted="rows and a record of each cell",
                todo=files.BACK,
            )
        archive = contents.get(files.ARRAYS)
        if archive is not None:
            files.members_of(folder / files.ARRAYS, archive, lambda digest, name: True)
            archive = files.with_checksum(archive)
        files.write(folder, files.Contents(text[: text.index("\n") + 1], lines, records), archive)
        files.read(folder)
        return len(records)


def _is_of_one_run(folder: Path) -> bool:
    """Return whether a record by itself lies there, in the layout of `emargin.rows.write_cell`."""
    record = folder / files.RECORDS
    return record.is_file() and record.read_bytes().startswith(b'{\n "experiment": ')


def _records(path: Path, text: str) -> dict[str, dict]:
    """Return records, with checksums or without, in whatever layout."""
    try:
        records = json.loads(text, object_pairs_hook=named_once, parse_constant=files.no_number)
        if not isinstance(records, dict) or not all(isinstance(record, dict) for record in records.values()):
            raise ValueError("no object of objects")
    except (ValueError, RecursionError) as error:
        raise files.not_ours(path, f"{type(error).__name__}: {error}") from error
    return records
