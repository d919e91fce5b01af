"""Files that are written whole or not at all, and that neither a kill nor a power cut takes back."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from emargin.errors import Unwritable

try:
    import fcntl
except ImportError:  # Windows, where an open file can be neither renamed nor removed
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".emargin-{}.part"
FILE = partial(Path.touch, exist_ok=False)
DAY = 86400  # seconds; without locks, what is older belongs to no process that is alive


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write beside the target, then rename: a reader never meets half a file, and the old one stays until then.

    Raises
    ------
    Unwritable
        Where the disk is full, or nothing may be written there.
    """
    try:
        with unfinished(path) as part:
            with part.open("wb") as file:
                file.write(content)
                to_disk(file)
            os.replace(part, path)
        names_to_disk(path.parent)
    except OSError as error:
        reason, todo = error.strerror or error, "free some space, or choose another folder, and give the command again"
        wanted = "room on the disk, and permission to write (what was there is as it was)"
        raise Unwritable(f"{path} cannot be written", found=reason, wanted=wanted, todo=todo) from error


@contextmanager
def unfinished(path: Path, make: Callable[[Path], object] = FILE) -> Iterator[Path]:
    """Yield a new file beside a path, or a folder with `make=Path.mkdir`, to be renamed; it is removed otherwise.

    Its name is no other's, on any machine. A lock tells `clear` that this process is alive.
    """
    while True:
        part = path.with_name(UNFINISHED.format(uuid4().hex))
        make(part)
        descriptor = _opened(part)
        with suppress(OSError):  # a file system without locks
            if descriptor is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if part.exists():  # else `clear` met it before it was locked
            break
        _close(descriptor)
    try:
        yield part
    finally:
        remove(part)
        _close(descriptor)


def clear(folder: Path) -> None:
    """Remove what processes that were killed left unfinished in a folder."""
    for part in folder.glob(UNFINISHED.format("*")):
        with suppress(OSError):  # gone meanwhile, or another user's
            descriptor = _opened(part)
            try:
                if _is_free(part, descriptor):
                    remove(part)
            finally:
                _close(descriptor)


def _opened(part: Path) -> int | None:
    """Open a file or a folder to lock it. None where there are no locks."""
    return None if fcntl is None else os.open(part, os.O_RDONLY)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _is_free(part: Path, descriptor: int | None) -> bool:
    if descriptor is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            pass
    return time.time() - part.stat().st_mtime > DAY


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def to_disk(file: BinaryIO) -> None:
    """Let a file have its content before it has its name, even if the power fails between them."""
    file.flush()
    os.fsync(file.fileno())


def names_to_disk(folder: Path) -> None:
    """Let the names in a folder outlast a power cut."""
    if os.name == "nt":  # opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system that syncs no folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def short(name: str, length: int = 60) -> str:
    """Return the start of a name, of so many bytes at most, for a part of the name of a file."""
    return name.encode(errors="replace")[:length].decode(errors="ignore")


def named_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object, for `object_pairs_hook`. Of a name that stands in it twice, the first value would be lost.

    Raises
    ------
    ValueError
        For such a name.
    """
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} twice in one object")
    return dict(pairs)
