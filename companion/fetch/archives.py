"""Fetch a public data set: download, check, unpack, convert, and only then put its folder in place.

    fetch("harth")    # emargin data fetch harth

Archives are kept in `.downloads/` under the data folder until they are unpacked. PhysioNet's files go straight to the
set's folder, each when its checksum is right. An interrupted download goes on where it stopped.
"""

import json
import os
import re
import shutil
from pathlib import Path
from pkgutil import resolve_name

from companion.fetch.download import download, unpack, unwritten
from companion.fetch.sources import NIGHTS, public_of
from companion.fetch.verify import SUMS, digest_of, published
from emargin.data.catalogue import Entry, data_root
from emargin.errors import InputError, unreadable


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
        With the manual steps, where a server does not answer, a file is not the published one, or an archive cannot be
        used; nothing half-written takes a set's place then.
    """
    entry = public_of(name)
    folder = entry.folder
    if entry.download is None:
        raise InputError(f"{entry.name} cannot be fetched: {entry.unfetched}", todo=entry.instructions)
    if entry.download.kind == "files":
        _fetch_files(entry)
    elif folder.is_dir() and any(folder.iterdir()):
        print(f"{entry.name}: {folder} is there already; emargin data verify {entry.name} looks at it")
        return folder
    else:
        _fetch_archive(entry)
    print(f"{entry.name}: complete in {folder}")
    return folder


def by_hand(entry: Entry) -> str:
    """Return the manual steps."""
    steps = entry.download.by_hand.format(folder=entry.folder)
    return (
        f"try again later; or by hand: get {entry.download.address}, {steps}, and run emargin data verify {entry.name}"
    )


def _fetch_files(entry: Entry) -> None:
    """Get single files, each checked by its SHA-256."""
    folder, address, manual = entry.folder, entry.download.address, by_hand(entry)
    if entry is NIGHTS and any(folder.glob("[!.]*.pt")):
        raise InputError(
            f"{folder}: holds SleepEEG as TF-C prepared it",
            found="*.pt",
            wanted="one kind of files",
            todo="move them to another folder first",
        )
    if entry.download.checksums == SUMS:
        download(address + SUMS, folder / SUMS, manual)
    wanted = published(entry)
    for number, (file, checksum) in enumerate(sorted(wanted.items()), 1):
        title = f"{file} ({number} of {len(wanted)})"
        download(address + file, folder / file, manual, checksum=f"sha256:{checksum}", title=title)


def _fetch_archive(entry: Entry) -> None:
    folder, manual, downloads = entry.folder, by_hand(entry), data_root() / ".downloads"
    if entry.download.kind == "zenodo":
        archives = _zenodo_archives(entry, downloads, manual)
    else:
        archives = [downloads / f"{entry.name}.zip"]
        download(entry.download.address, archives[0], manual)
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        (beside / "unpacked").mkdir(parents=True)
        for archive in archives:
            unpack(archive, beside / "unpacked", manual)
        # A folder of the set's own name, because that is where some readers take names from.
        made = beside / folder.name
        if entry.download.install:
            resolve_name(entry.download.install)(beside / "unpacked", made)
        else:
            pick(beside / "unpacked", made, *entry.download.files)
        _check(entry, made)
        made.rename(folder)
    except OSError as error:
        raise unwritten(folder, error) from error
    finally:
        if beside.exists():
            shutil.rmtree(beside)
    for archive in archives:
        archive.unlink()


def _zenodo_archives(entry: Entry, downloads: Path, manual: str) -> list[Path]:
    """Return the zip archives of a Zenodo record, downloaded and checked by the MD5 that the record gives."""
    address, record = entry.download.address, downloads / "zenodo.json"
    record.unlink(missing_ok=True)  # cheap to get again, and what Zenodo says may change
    download(address, record, manual)
    try:
        listed = [
            (file["key"], file["checksum"], file["links"]["self"])
            for file in json.loads(record.read_text(encoding="utf-8"))["files"]
        ]
        usable = all(
            re.fullmatch(r"md5:[0-9a-f]{32}", checksum) and isinstance(link, str) for _, checksum, link in listed
        )
        archives = [(checksum, link) for key, checksum, link in listed if key.lower().endswith(".zip")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(
            f"{address}: not a record of Zenodo", error, "a JSON object that lists files", manual
        ) from error
    finally:
        record.unlink()
    if not usable or not archives:
        raise InputError(f"{address}: no zip archive with an MD5", found=[key for key, *_ in listed], todo=manual)
    paths = []
    for number, (checksum, link) in enumerate(archives):
        paths.append(downloads / f"{entry.name}-{number}.zip")
        download(link, paths[-1], manual, checksum=checksum)
    return paths


def _check(entry: Entry, made: Path) -> None:
    """Compare the files of an archive with the published checksums or, where there are none, read the set."""
    if entry.download.checksums is None:
        resolve_name(entry.reader_for("real"))(made)
        return
    wanted, digest = published(entry), digest_of(entry)
    wrong = [file for file in wanted if not (made / file).is_file() or digest(made / file) != wanted[file]]
    if wrong:
        raise InputError(
            f"the archive of {entry.name} does not hold the published files, and was kept",
            found=f"other or missing: {', '.join(wrong)}",
            wanted="the published checksums",
            todo=f"delete {data_root() / '.downloads' / f'{entry.name}.zip'} to get it again; to use it all the same, "
            f"unpack its files into {entry.folder}",
        )


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
