"""What there is of each data set, and whether it is what was published.

problems = verify("harth")    # emargin data verify harth
print(overview())             # emargin data list
"""

import hashlib
import string
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np

from companion.fetch.seen import differences_to, digests, record_of, seen
from companion.fetch.sources import FILES, NIGHTS, SERIES, public_of
from emargin.data.catalogue import SETS, Entry, entry_of, series_there
from emargin.data.readers.ucr import SIDES
from emargin.data.recordings import RecordingSet
from emargin.errors import InputError, MissingData

SUMS = "SHA256SUMS.txt"  # PhysioNet's own list, kept beside the files that it is about


def verify(name: str) -> list[str]:
    """Compare the files of a set with the published checksums and print what was found.

    HARTH is compared by git blob id, Sleep-EDF and `mitbih` by SHA-256, with what is known here; `ecg` by PhysioNet's
    own list beside the files, which must name all of them. Where nothing is known here, the output says "not verified":
    the set is compared with what was first fetched, and read and described.

    Returns
    -------
    list of str
        A line a problem: the file, what was found, what is wanted and what to do; none if all is well.

    Raises
    ------
    MissingData
        For a set that is not there.
    InputError
        For an unknown name, and for a set that cannot be read.
    """
    entry = public_of(name)
    name, folder = entry.name, entry.folder
    if not folder.is_dir():
        raise MissingData(
            f"{name} is not here", found=f"no folder {folder}", wanted="its files", todo=f"emargin data fetch {name}"
        )
    if entry.subfolder == NIGHTS.subfolder and any(folder.glob("[!.]*.edf")):
        entry, name = NIGHTS, NIGHTS.name
    checksums = entry.download.checksums if entry.download else None
    if checksums:
        wanted = published(entry)
        problems = differences(entry, wanted)
        present = sum((folder / file).is_file() for file in wanted)
        print(f"{name}: {present} of {len(wanted)} published files in {folder}, {len(problems)} problems")
    else:
        print(f"{name}: not verified, since no checksums were published; read instead, from {folder}")
        print(description(*_read(name)))
        check_series(entry, folder)
        problems = []
    if checksums in (None, SUMS):
        first = seen(name)
        since = "this set was not fetched here" if first is None else f"compared with what was fetched on {first.since}"
        print(f"{name}: not verified by anything but what came with it; {since}")
        if first is not None:
            files = {file: f"sha256:{digest}" for file, digest in wanted.items()} if checksums else digests(folder)
            problems += [
                f"{folder / file}: not the file first fetched. Found: {now}. Wanted: {before}, by {record_of(name)}. "
                f"What to do: move {folder} away and run emargin data fetch {name}."
                for file, (now, before) in differences_to(first, files).items()
            ]
    for problem in problems:
        print(problem)
    return problems


def published(entry: Entry) -> dict[str, str]:
    """Return the published checksum of each file that a set is made of, by name."""
    if entry.download.checksums != SUMS:
        table = resources.files("companion.fetch") / "published" / entry.download.checksums
        return _parse(table.read_text(encoding="ascii"), Path(str(table)))
    return listed(entry, entry.folder / SUMS)


def listed(entry: Entry, path: Path) -> dict[str, str]:
    """Return the checksums that a server's own list has of the files that a set is known to be made of.

    Raises
    ------
    MissingData
        Where the list is not there.
    InputError
        For a list that is none, or that does not name all files.
    """
    if not path.is_file():
        raise MissingData(
            f"{path}: missing",
            wanted="PhysioNet's list of checksums, beside the files",
            todo=f"emargin data fetch {entry.name} gets it, and files that are missing",
        )
    table, files = _parse(path.read_text(encoding="utf-8", errors="replace"), path), FILES[entry.name]
    missing = sorted(files - set(table))
    if missing:
        raise InputError(
            f"{path}: not the whole list of the set's checksums",
            found=f"{len(files) - len(missing)} files, {missing[0]} not among them",
            wanted=f"{len(files)} files",
            todo=f"delete it and run emargin data fetch {entry.name}",
        )
    return {file: table[file] for file in sorted(files)}


def check_series(entry: Entry, folder: Path) -> None:
    """Refuse a set of the UCR archive that has other numbers of series than is known of it."""
    series = folder.name
    if not entry.has_series or series not in SERIES:
        return
    lines = []
    for side in SIDES:
        with (folder / f"{series}_{side}.tsv").open("rb") as stream:
            lines.append(sum(bool(line.strip()) for line in stream))
    if tuple(lines) != SERIES[series]:
        raise InputError(
            f"{folder}: not the whole set",
            found=" and ".join(map(str, lines)) + " series for training and test",
            wanted=" and ".join(map(str, SERIES[series])),
            todo=f"move it away and run emargin data fetch {entry.name}",
        )


def differences(entry: Entry, wanted: dict[str, str]) -> list[str]:
    """Return a line for each file that is missing, of other content, or not one of the set.

    Of Sleep-EDF there may be some nights only, each with both its files.
    """
    folder, digest = entry.folder, digest_of(entry)
    # What came as an archive is fetched as a whole or not at all; other files are replaced one by one.
    again = f"emargin data fetch {entry.name}"
    if entry.download.kind != "files":
        again = f"delete {folder} and run {again}"
    present = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    missing = set(wanted) - present
    if entry is NIGHTS:
        nights = {file[:7] for file in present & set(wanted)}
        missing = {file for file in missing if file[:7] in nights}
        if not nights:
            return [f"{folder}: no night of Sleep-EDF. What to do: {again}."]
    problems = []
    for file in sorted(present & set(wanted)):
        content = digest(folder / file)
        if content != wanted[file]:
            problems.append(
                f"{folder / file}: not the published file. Found: {content}. Wanted: {wanted[file]}. "
                f"What to do: {again}."
            )
    problems += [f"{folder / file}: missing. Wanted: {wanted[file]}. What to do: {again}." for file in sorted(missing)]
    return problems + [
        f"{folder / file}: not a file of the set. What to do: move it to another folder."
        for file in sorted(present - set(wanted) - {SUMS})
    ]


def digest_of(entry: Entry) -> Callable[[Path], str]:
    """Return the function that makes the checksums of a set's table from files."""
    return git_blob if "git-blobs" in entry.download.checksums else sha256


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob(path: Path) -> str:
    """Return what git calls the content: SHA-1 of "blob", the size in bytes, a zero byte and the content."""
    with path.open("rb") as stream:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        return hashlib.file_digest(stream, lambda: digest).hexdigest()


def description(recordings: RecordingSet, checksum: str) -> str:
    """Return what a set holds, in a few lines."""
    lengths = np.array([len(recording.values) for recording in recordings.recordings])
    counts = sum(
        np.bincount(recording.labels + 1, minlength=len(recordings.classes) + 1) for recording in recordings.recordings
    )
    unit = "frames" if recordings.framed else "samples"
    rate = "" if recordings.sampling_rate is None else f" at {recordings.sampling_rate:g} Hz"
    subjects = {recording.subject for recording in recordings.recordings}
    width = f"{recordings.recordings[0].values.shape[1]} {'features' if recordings.framed else 'channels'}"
    labels = [f"{label} {count}" for label, count in zip(recordings.classes, counts[1:], strict=True)]
    return "\n".join(
        [
            f"  recordings  {len(lengths)} of {len(subjects)} subjects",
            f"  length      {lengths.min()} to {lengths.max()} {unit}{rate}, {lengths.sum()} in all",
            f"  width       {width}",
            f"  labels      {', '.join(labels)}, unlabelled {counts[0]}",
            f"  digest      {checksum}",
        ]
    )


def overview() -> str:
    """Return a table of all sets: name, what a run would use, where, size and licence. Reads no file's content."""
    rows = [("name", "data", "size", "licence", "where")]
    for entry in (*SETS, *map(entry_of, series_there())):
        is_here = entry.folder.is_dir()
        size = sum(path.stat().st_size for path in entry.folder.rglob("*") if path.is_file()) if is_here else 0
        kind = "real" if is_here else "simulated" if entry.simulator else "missing"
        where = f"emargin data fetch {entry.name}" if entry.download else f"cannot be fetched: {entry.unfetched}"
        size = f"{size / 1e6:.1f} MB" if is_here else ""
        rows.append((entry.name, kind, size, entry.licence or "", str(entry.folder) if is_here else where))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def _parse(text: str, path: Path) -> dict[str, str]:
    """Return the lines `CHECKSUM  NAME` that sha256sum writes."""
    table = {}
    for number, line in enumerate(text.splitlines(), 1):
        digest, _, file = line.partition(" ")
        if len(digest) not in (40, 64) or set(digest) - set(string.hexdigits) or not file.strip():
            raise InputError(
                f"{path}, line {number}: no checksum",
                found=repr(line[:80]),
                wanted="a checksum and the name of a file",
                todo="delete it and get it again",
            )
        name = file.strip().removeprefix("*")
        if table.setdefault(name, digest.lower()) != digest.lower():
            raise InputError(
                f"{path}, line {number}: a second checksum for {name}", wanted="a line a file", todo="get it again"
            )
    return table


def _read(name: str) -> tuple[RecordingSet, str]:
    from emargin.config import Experiment  # imports torch, which comparing files does without
    from emargin.data.loading import load_recordings

    return load_recordings(Experiment(dataset=name, source="real"))
