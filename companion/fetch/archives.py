"""Fetch a public data set: download, check, unpack, convert, and only then put its folder in place.

    fetch("harth")    # emargin data fetch harth

Everything is downloaded and unpacked in `.downloads/` under the data folder, and the set's folder takes its place when
it is whole: every file is right by the checksum that is known here or, where none was published, by the one first seen
(`companion.fetch.seen`), and then the output says "not verified". An interrupted download goes on where it stopped.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

from filelock import FileLock, Timeout

from companion.fetch.download import check_place, download, unpack, unwritten
from companion.fetch.seen import check_seen, digests, seen
from companion.fetch.sources import LIST_BYTES, NIGHTS, limits_of, public_of
from companion.fetch.verify import SUMS, check_series, digest_of, listed, published
from emargin.data.catalogue import Entry, data_root, place_of_data
from emargin.errors import InputError, unreadable

MOST_ARCHIVES = 9  # of a record of Zenodo


def fetch(name: str) -> Path:
    """Get a public set and put its folder in place.

    A set that came as an archive and is there already is left alone. Of the sets that come file by file (`ecg`,
    `mitbih`, `sleepedf`) what is missing or damaged is fetched.

    Parameters
    ----------
    name : str
        Of a real set; `sleepedf`, the nights behind sleepeeg; or `ucr-NAME`.

    Returns
    -------
    Path
        The set's folder.

    Raises
    ------
    InputError
        With the manual steps, where a server does not answer, a file is not the published one or, where none was
        published, not the one first fetched, or an archive cannot be used; nothing half-written takes a set's place
        then. Also where the set's folder is a link, and where the set is being fetched already.
    """
    entry = public_of(name)
    try:
        if not os.path.lexists(place_of_data()):  # for what is fetched now, or put there by hand
            place_of_data().mkdir(parents=True)
    except OSError as error:
        raise unwritten(place_of_data(), error) from error
    folder = entry.folder
    if entry.download is None:
        raise InputError(f"{entry.name} cannot be fetched: {entry.unfetched}", todo=entry.instructions)
    for place in (folder, _downloads() / entry.name):
        check_place(place, data_root())
    if folder.is_file():
        raise InputError(f"{folder}: a file", wanted="a folder, or nothing yet", todo="move it away")
    seen(entry.name)  # so that one that cannot be read is refused before anything is downloaded
    with _alone(entry):
        if entry.download.kind == "files":
            how = _fetch_files(entry)
        elif folder.is_dir() and any(folder.iterdir()):
            print(f"{entry.name}: {folder} is there already; emargin data verify {entry.name} looks at it")
            return folder
        else:
            how = _fetch_archive(entry)
    print(f"{entry.name}: complete in {folder}; {how}")
    return folder


def by_hand(entry: Entry) -> str:
    """Return the manual steps."""
    steps = entry.download.by_hand.format(folder=entry.folder)
    return (
        f"try again later; or by hand: get {entry.download.address}, {steps}, and run emargin data verify {entry.name}"
    )


def _downloads() -> Path:
    return data_root() / ".downloads"


@contextmanager
def _alone(entry: Entry) -> Iterator[None]:
    """Let no other process fetch the same set, whose bytes would end up in the same files."""
    lock = FileLock(_downloads() / f"{entry.name}.lock")
    try:
        _downloads().mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{entry.name} is being fetched already", found=lock.lock_file, todo="wait until that is over"
        ) from error
    except OSError as error:
        raise unwritten(_downloads(), error) from error
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: who waits for it looks whether it is there
        lock.release()


def _fetch_files(entry: Entry) -> str:
    """Get single files, each checked by its SHA-256, and put them in place when all are there."""
    folder, manual, limits, staged = entry.folder, by_hand(entry), limits_of(entry), _downloads() / entry.name
    if entry is NIGHTS and any(folder.glob("[!.]*.pt")):
        raise InputError(
            f"{folder}: holds SleepEEG as TF-C prepared it",
            found="*.pt",
            wanted="one kind of files",
            todo="move them to another folder first",
        )
    known = entry.download.checksums != SUMS
    wanted = published(entry) if known else _list_of_the_server(entry, staged)
    digest = digest_of(entry)
    for file in wanted:
        check_place(folder / file, data_root())
    missing = [
        file
        for file, checksum in sorted(wanted.items())
        if not (folder / file).is_file() or digest(folder / file) != checksum
    ]
    for number, file in enumerate(missing, 1):
        title = f"{file} ({number} of {len(missing)})"
        checksum = f"sha256:{wanted[file]}"
        download(entry.download.address + file, staged / file, manual, checksum=checksum, title=title, limits=limits)
    how = f"{len(wanted)} files, each with its published checksum"
    try:
        if not known:
            files = {file: f"sha256:{checksum}" for file, checksum in wanted.items()}
            how = f"not verified, since {SUMS} comes from the same server as the files: {check_seen(entry.name, files)}"
        if folder.is_dir() and any(folder.iterdir()):
            for file in [*missing, SUMS]:
                if (staged / file).is_file():
                    os.replace(staged / file, folder / file)
            if staged.is_dir():
                shutil.rmtree(staged)
        else:  # all at once, so that a fetch that is killed leaves no half of a set
            for path in staged.iterdir():
                if path.name not in (*wanted, SUMS):
                    path.unlink()
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged.rename(folder)
    except OSError as error:
        raise unwritten(folder, error) from error
    return how


def _list_of_the_server(entry: Entry, staged: Path) -> dict[str, str]:
    """Return PhysioNet's checksums, from the list beside the files or, if that is none, from the server."""
    path = entry.folder / SUMS
    check_place(path, data_root())
    if path.is_file():
        try:
            return listed(entry, path)
        except InputError as error:
            print(f"{error} It is downloaded again.")
    path = staged / SUMS
    limits = replace(limits_of(entry), largest=LIST_BYTES)
    try:
        path.unlink(missing_ok=True)  # cheap to get again
    except OSError as error:
        raise unwritten(path, error) from error
    download(entry.download.address + SUMS, path, by_hand(entry), limits=limits)
    return listed(entry, path)


def _fetch_archive(entry: Entry) -> str:
    """Get the archives of a set and install it; once more from the server if what an earlier fetch left is no good."""
    kept = {*_downloads().glob(f"{entry.name}.zip"), *_downloads().glob(f"{entry.name}-[0-9]*.zip")}
    while True:
        archives = _archives(entry)
        try:
            return _install(entry, archives)
        except OSError as error:  # the disk's fault and not the archive's
            raise unwritten(entry.folder, error) from error
        except InputError as error:
            for archive in archives:
                archive.unlink(missing_ok=True)
            if not kept.intersection(archives):
                raise
            print(f"{error} The archive was left by an earlier fetch, and is downloaded again.")
            kept = set()


def _archives(entry: Entry) -> list[Path]:
    """Return the archives of a set, downloaded unless they are there."""
    if entry.download.kind == "zenodo":
        return _zenodo_archives(entry)
    path = _downloads() / f"{entry.name}.zip"
    download(entry.download.address, path, by_hand(entry), limits=limits_of(entry))
    return [path]


def _install(entry: Entry, archives: list[Path]) -> str:
    """Unpack, check and convert the archives, and put the set in place, or nothing if anything is wrong with them."""
    folder, beside = entry.folder, _downloads() / entry.name
    try:
        if beside.exists():  # of a fetch that was killed
            shutil.rmtree(beside)
        (beside / "unpacked").mkdir(parents=True)
        for archive in archives:
            unpack(archive, beside / "unpacked", by_hand(entry), most=limits_of(entry).unpacked)
        # A folder of the set's own name, because that is where some readers take names from.
        made = beside / folder.name
        if entry.download.install:
            resolve_name(entry.download.install)(beside / "unpacked", made)
        else:
            pick(beside / "unpacked", made, *entry.download.files)
        how = _check(entry, made)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        for archive in archives:
            archive.unlink()
    finally:
        if beside.exists():
            shutil.rmtree(beside)
    return how


def _zenodo_archives(entry: Entry) -> list[Path]:
    """Return the zip archives of a Zenodo record, downloaded and checked by the MD5 that the record gives."""
    address, manual, limits = entry.download.address, by_hand(entry), limits_of(entry)
    record = _downloads() / f"{entry.name}.json"
    try:
        record.unlink(missing_ok=True)  # cheap to get again, and what Zenodo says may change
    except OSError as error:
        raise unwritten(record, error) from error
    download(address, record, manual, limits=replace(limits, largest=LIST_BYTES))
    try:
        listed = [
            (file["key"], file["checksum"], file["links"]["self"])
            for file in json.loads(record.read_text(encoding="utf-8"))["files"]
        ]
        usable = all(
            re.fullmatch(r"md5:[0-9a-f]{32}", checksum) and isinstance(link, str) for _, checksum, link in listed
        )
        archives = [(checksum, link) for key, checksum, link in listed if key.lower().endswith(".zip")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(
            f"{address}: not a record of Zenodo", error, "a JSON object that lists files", manual
        ) from error
    finally:
        record.unlink()
    if not usable or not 0 < len(archives) <= MOST_ARCHIVES:
        raise InputError(
            f"{address}: no zip archive with an MD5, or more than {MOST_ARCHIVES}",
            found=repr([key for key, *_ in listed])[:200],
            todo=manual,
        )
    paths = []
    for number, (checksum, link) in enumerate(archives):
        paths.append(_downloads() / f"{entry.name}-{number}.zip")
        download(link, paths[-1], manual, checksum=checksum, limits=limits, origin=address)
        # Together they may be no larger than a single archive.
        limits = replace(limits, largest=max(0, limits.largest - paths[-1].stat().st_size))
    return paths


def _check(entry: Entry, made: Path) -> str:
    """Compare the files of an archive with the published checksums or, where there are none, with the first seen."""
    if entry.download.checksums is None:
        resolve_name(entry.reader_for("real"))(made)
        check_series(entry, made)
        return f"not verified, since no checksums were published: {check_seen(entry.name, digests(made))}"
    wanted, digest = published(entry), digest_of(entry)
    present = {path.name for path in made.iterdir()}
    wrong = [file for file in sorted(present | set(wanted)) if file not in wanted or file not in present]
    wrong += [file for file in sorted(present & set(wanted)) if digest(made / file) != wanted[file]]
    if wrong:
        raise InputError(
            f"the archive of {entry.name} does not hold the published files, and was deleted",
            found=f"other, missing or too many: {', '.join(wrong)}",
            wanted="the published checksums",
            todo=f"fetch it again; to use it all the same, {by_hand(entry)}",
        )
    return f"{len(wanted)} files, each with its published checksum"


def pick(unpacked: Path, made: Path, *patterns: str) -> None:
    """Move the files of these names, which may lie at any depth, to the new folder."""
    made.mkdir()
    for pattern in patterns:
        paths = sorted(path for path in unpacked.rglob(pattern) if path.is_file())
        names = [path.name for path in paths]
        if not paths or len(set(names)) < len(names):
            raise InputError(
                "the archive does not hold the set",
                found=f"{len(paths)} files {pattern}",
                wanted="each of the set's files, once",
                todo="look at what the archive's page says",
            )
        for path in paths:
            path.rename(made / path.name)
