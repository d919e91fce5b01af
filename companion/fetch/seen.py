"""What files of a set were like when they were first fetched here, for the sets that have no published checksums.

    check_seen("dsads", digests(folder))    # raises InputError if they are others than the first time

Kept beside the sets, one file a set: `.checksums/dsads.json` in the data folder, `{"since": "2026-01-31", "files":
{"p1.npz": "npz-sha256:..."}}`. It stays when the set's folder is deleted. That files are the same as the first time
does not make them the published ones: a set that is compared with this alone is not verified.
"""

import datetime
import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from companion.fetch.download import check_place
from emargin.data.catalogue import data_root
from emargin.errors import InputError, unreadable
from emargin.rows import write_text

FOLDER = ".checksums"


@dataclass(frozen=True)
class Seen:
    """The checksums of a set's files as they were first fetched, and when that was."""

    since: str
    files: dict[str, str]


def record_of(name: str) -> Path:
    """Return the file that keeps the checksums of a set."""
    return data_root() / FOLDER / f"{name}.json"


def seen(name: str) -> Seen | None:
    """Return what was first fetched of a set, or None.

    Raises
    ------
    InputError
        For a file that cannot be read as such.
    """
    path = record_of(name)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        first = Seen(content["since"], content["files"])
        if not isinstance(first.since, str) or not first.files or not all(map(_is_digest, first.files.items())):
            raise ValueError("other entries")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(
            f"{path}: cannot be read",
            error,
            "the checksums of what was first fetched",
            "restore it, or remove it: what is fetched next counts as the first then",
        ) from error
    return first


def differences_to(first: Seen, files: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return what a file is and what it was at first, by name; "missing" where it is not there."""
    names = sorted(first.files.keys() | files.keys())
    pairs = {name: (files.get(name, "missing"), first.files.get(name, "missing")) for name in names}
    return {name: (now, before) for name, (now, before) in pairs.items() if now != before}


def check_seen(name: str, files: dict[str, str]) -> str:
    """Compare a set's files with those first fetched, or keep their checksums if these are the first.

    Returns
    -------
    str
        What was done, for the output.

    Raises
    ------
    InputError
        For a file that differs.
    OSError
        Where the checksums cannot be kept.
    """
    path, first = record_of(name), seen(name)
    if first is None:
        _keep(path, files)
        return f"the first that was fetched here; what is fetched later is compared with it by {path}"
    different = differences_to(first, files)
    if different:
        file, (now, before) = next(iter(different.items()))
        raise InputError(
            f"{name}: {len(different)} files are others than those first fetched on {first.since}, such as {file}",
            found=now,
            wanted=f"{before}, by {path}",
            todo="ask the publisher which of them are right; to take these all the same, remove that file",
        )
    return f"the same as first fetched on {first.since}, by {path}"


def digests(folder: Path) -> dict[str, str]:
    """Return the checksum of each file of a set that is not hidden, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path: path.relative_to(folder) for path in paths}
    return {
        name.as_posix(): _digest(path)
        for path, name in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; of an npz file that of its arrays, which differ in compression between machines."""
    if path.suffix != ".npz":
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    whole = hashlib.sha256()
    try:
        with zipfile.ZipFile(path) as arrays:
            for name in sorted(arrays.namelist()):
                with arrays.open(name) as stream:
                    whole.update(f"{hashlib.file_digest(stream, 'sha256').hexdigest()} {name}\0".encode())
    except (zipfile.BadZipFile, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
        return f"damaged: {error}"
    return f"npz-sha256:{whole.hexdigest()}"


def _is_digest(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], str) and "sha256:" in item[1]


def _keep(path: Path, files: dict[str, str]) -> None:
    check_place(path, data_root())
    content = {"since": datetime.date.today().isoformat(), "files": dict(sorted(files.items()))}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1))
