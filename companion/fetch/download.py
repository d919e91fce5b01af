"""Download one file, and unpack an archive, so that nothing half-written, wrong or hostile is left behind.

download("https://.../harth.zip", Path("harth.zip"), "get it by hand", checksum="sha256:...")
unpack(Path("harth.zip"), Path("unpacked"), "get it by hand")
"""

import errno
import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from companion.fetch.sources import MOST_FILES, Limits
from emargin.errors import InputError, unreadable

DIRECTORY = 1 << 25  # bytes of the table of an archive, which is read as a whole
# What zipfile raises on damaged archives and on those it cannot read (encrypted, unknown compression).
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError),
    IndexError,  # an entry without a name
)


def download(
    address: str,
    path: Path,
    manual: str,
    *,
    checksum: str | None = None,
    title: str | None = None,
    limits: Limits | None = None,
    origin: str | None = None,
) -> None:
    """Get one file, unless it is there with the right checksum; it takes its name when it is whole and right.

    manual: what to do by hand, for the message. checksum: such as "sha256:...". limits: what the server may ask of us.
    origin: the address that named this one, if another did, whose host it must keep to. Raises InputError.
    """
    try:
        import pooch
        import requests

        from companion.fetch.transfer import Refused, transfer
    except ImportError as error:
        raise InputError(
            "fetching data needs the package pooch", found="not installed", todo='pip install "emargin[data]"'
        ) from error
    pooch.get_logger().setLevel("ERROR")  # the progress bar says enough
    part = path.with_name(f"{path.name}.part")
    for there in (path, part):
        check_place(there)

    def get(address: str, target: str, _: object) -> None:
        transfer(address, part, title or path.name, limits or Limits(), origin or address)
        os.replace(part, target)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(address, checksum, fname=path.name, path=path.parent, downloader=get)
    except Refused as error:
        raise InputError(
            f"{_plain(address)}: refused", found=_plain(error), wanted="what is known of the file", todo=manual
        ) from error
    except requests.RequestException as error:
        size = part.stat().st_size if part.exists() else 0
        kept = f"; {size} bytes are kept, and the same command goes on from there" if size else ""
        raise InputError(
            f"{_plain(address)}: cannot be downloaded{kept}",
            found=_plain(error),
            wanted="an answer with the file",
            todo=manual,
        ) from error
    except ValueError as error:  # pooch's way to say so; it has deleted what came
        raise InputError(f"{address}: not the published file", found=error, wanted=checksum, todo=manual) from error
    except OSError as error:
        raise unwritten(path, error) from error


def _plain(what: object) -> str:
    """Return text of a server's making without what a terminal would obey, and shortened."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(what)[:300])


def check_place(path: Path, root: Path | None = None) -> None:
    """Refuse to write through a link, or over what is neither a file nor a folder.

    root: a folder above `path`; what lies between the two must be no link either.
    """
    between = [] if root is None else [parent for parent in path.parents if root in parent.parents]
    for place in (path, *between):
        kind = "a link" if place.is_symlink() else "neither a file nor a folder"
        if place.is_symlink() or place.exists() and not (place.is_file() or place.is_dir()):
            raise InputError(
                f"{place}: nothing is fetched to there",
                found=kind,
                wanted="a folder or file, or nothing yet",
                todo="remove it, or name the folder that holds the data with EMARGIN_DATA",
            )


def unwritten(path: Path, error: OSError) -> InputError:
    """Return the error for a file or folder that the disk does not take."""
    return InputError(
        f"{path}: cannot be written",
        found=error,
        wanted="a writable folder with enough space",
        todo="make space, or name another folder with EMARGIN_DATA",
    )


class _Archive(io.FileIO):
    """An archive's file that has no places before its start, and no table of contents that would fill the memory.

    zipfile reads the table as a whole, and wherever it says that an entry lies.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise zipfile.BadZipFile(f"an entry at byte {offset}") from error

    def read(self, size: int = -1, /) -> bytes:
        if size > DIRECTORY:
            raise zipfile.BadZipFile(f"a table of {size} bytes")
        return super().read(size)


def unpack(archive: Path, folder: Path, manual: str, *, most: int = Limits.unpacked) -> None:
    """Unpack a zip archive into a folder.

    Raises InputError, and deletes the archive so that it can be fetched again, if it is damaged, if an entry would lie
    outside the folder or is no plain file (a link, a device), or if all would take more than `most` bytes. Raises
    OSError if the disk has no space for it.
    """
    try:
        with _Archive(archive) as file, zipfile.ZipFile(file) as contents:
            entries = [entry for entry in contents.infolist() if not entry.is_dir()]
            _check_entries(entries)
            size = sum(entry.file_size for entry in entries)
            if size > most:
                raise zipfile.BadZipFile(f"{size} bytes unpacked, more than {most}")
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < size:
                raise OSError(errno.ENOSPC, f"no space for {size} bytes")
            contents.extractall(folder, entries)  # never more of an entry than the size that it declares
    except DAMAGE as error:
        archive.unlink()
        raise unreadable(
            f"{archive}: not a usable archive, and deleted", error, "a zip archive of plain files", manual
        ) from error


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES:
        raise zipfile.BadZipFile(f"{len(entries)} entries, more than {MOST_FILES}")
    for entry in entries:
        _check_entry(entry)
    # Some systems take names that differ in case alone for the same.
    paths = [PurePosixPath(entry.filename.casefold()) for entry in entries]
    if len(set(paths)) < len(paths):
        raise zipfile.BadZipFile("two entries of one name")
    folders = {parent for path in paths for parent in path.parents}
    if both := folders.intersection(paths):
        raise zipfile.BadZipFile(f"the entry {str(min(both))!r} is a file and a folder")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise zipfile.BadZipFile(f"the entry {name[:200]!r} leaves the folder")
    if not path.parts or not name.isprintable() or max(len(part.encode()) for part in path.parts) > 255:
        raise zipfile.BadZipFile(f"the entry {name[:200]!r} has no name that a file can have")
    if kind not in (0, stat.S_IFREG):  # 0 from systems that store no kind
        raise zipfile.BadZipFile(f"the entry {name[:200]!r} is no plain file")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"the entry {name[:200]!r} is compressed in another way than by deflate")
