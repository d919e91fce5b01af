"""Download one file, and unpack an archive, so that nothing half-written, wrong or hostile is left behind.

download("https://.../harth.zip", Path("harth.zip"), "get it by hand", checksum="sha256:...")
unpack(Path("harth.zip"), Path("unpacked"), "get it by hand")
"""

import functools
import lzma
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from emargin.errors import InputError, unreadable

TIMEOUT = 60  # seconds without an answer, or without a byte
BLOCK = 1 << 16  # bytes read at a time: what a cut connection may lose
MOST = 8 << 30  # bytes that an archive may unpack to, far more than any set here needs
# What zipfile raises on damaged archives and on those it cannot read (encrypted, unknown compression).
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)


def download(address: str, path: Path, manual: str, *, checksum: str | None = None, title: str | None = None) -> None:
    """Get one file, unless it is there with the right checksum; it takes its name when it is whole and right.

    manual: what to do by hand, for the message. checksum: such as "sha256:...". Raises InputError.
    """
    try:
        import pooch
        import requests
    except ImportError as error:
        raise InputError(
            "fetching data needs the package pooch", found="not installed", todo='pip install "emargin[data]"'
        ) from error
    pooch.get_logger().setLevel("ERROR")  # the progress bar says enough
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            address,
            checksum,
            fname=path.name,
            path=path.parent,
            downloader=functools.partial(_resume, part, title or path.name),
        )
    except requests.RequestException as error:
        size = part.stat().st_size if part.exists() else 0
        kept = f"; {size} bytes are kept, and the same command goes on from there" if size else ""
        raise InputError(
            f"{address}: cannot be downloaded{kept}", found=error, wanted="an answer with the file", todo=manual
        ) from error
    except ValueError as error:  # pooch's way to say so; it has deleted what came
        raise InputError(f"{address}: not the published file", found=error, wanted=checksum, todo=manual) from error
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> InputError:
    """Return the error for a file or folder that the disk does not take."""
    return InputError(
        f"{path}: cannot be written",
        found=error,
        wanted="a writable folder with enough space",
        todo="make space, or name another folder with EMARGIN_DATA",
    )


def _resume(part: Path, title: str, address: str, target: str, pooch: object) -> None:
    """Download to `part`, on from what is there if the server can, and rename it to the target: a pooch downloader.

    That the server's file is still the one that `part` started with shows in its checksum, or in those of the archive.
    """
    import requests
    from tqdm import tqdm

    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        answered = answer.headers.get("Content-Range", "")
        if start and (
            answer.status_code == 416 or answer.status_code == 206 and not answered.startswith(f"bytes {start}-")
        ):
            part.unlink()  # longer than the file, or another range than was asked for
            return _resume(part, title, address, target, pooch)
        answer.raise_for_status()
        resumed = answer.status_code == 206
        size = answer.headers.get("Content-Length", "")
        size = int(size) + resumed * start if size.isdigit() else None
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(
                total=size, initial=resumed * start, desc=title, unit="B", unit_scale=True, leave=False, disable=None
            ) as bar,
        ):
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if size is not None and part.stat().st_size != size:
        raise requests.ConnectionError(f"the connection was cut after {part.stat().st_size} of {size} bytes")
    os.replace(part, target)


def unpack(archive: Path, folder: Path, manual: str, *, most: int = MOST) -> None:
    """Unpack a zip archive into a folder.

    Raises InputError, and deletes the archive so that it can be fetched again, if it is damaged, if an entry would lie
    outside the folder or is no plain file (a link, a device), or if all would take more than `most` bytes.
    """
    try:
        with zipfile.ZipFile(archive) as contents:
            entries = [entry for entry in contents.infolist() if not entry.is_dir()]
            if len({entry.filename for entry in entries}) < len(entries):
                raise zipfile.BadZipFile("two entries of one name")
            for entry in entries:
                _check_entry(entry)
            size = sum(entry.file_size for entry in entries)
            if size > most:
                raise zipfile.BadZipFile(f"{size} bytes unpacked, more than {most}")
            contents.extractall(folder, entries)  # never more of an entry than the size that it declares
    except DAMAGE as error:
        archive.unlink()
        raise unreadable(
            f"{archive}: not a usable archive, and deleted", error, "a zip archive of plain files", manual
        ) from error


def _check_entry(entry: zipfile.ZipInfo) -> None:
    path, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
        raise zipfile.BadZipFile(f"the entry {entry.filename!r} leaves the folder")
    if kind not in (0, stat.S_IFREG):  # 0 from systems that store no kind
        raise zipfile.BadZipFile(f"the entry {entry.filename!r} is no plain file")
