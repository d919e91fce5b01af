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

from companion.fetch.sources import NIGHTS, public_of
from emargin.data.catalogue import SETS, Entry, entry_of, series_there
from emargin.data.recordings import RecordingSet
from emargin.errors import InputError, MissingData

SUMS = "SHA256SUMS.txt"  # PhysioNet's own list, kept beside the files that it is about


def verify(name: str) -> list[str]:
    """Compare the files of a set with the published checksums and print what was found.

    HARTH is compared by git blob id, Sleep-EDF by SHA-256 and PhysioNet's `ecg` and `mitbih` by the archive's own list
    beside the files. Where nothing was published, that is said, and the set is read and described instead.

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
    if entry.download and entry.download.checksums:
        wanted = published(entry)
        problems = differences(entry, wanted)
        present = sum((folder / file).is_file() for file in wanted)
        print(f"{name}: {present} of {len(wanted)} published files in {folder}, {len(problems)} problems")
    else:
        print(f"{name}: no checksums were published; read instead, from {folder}")
        print(description(*_read(name)))
        problems = []
    for problem in problems:
        print(problem)
    return problems


def published(entry: Entry) -> dict[str, str]:
    """Return the published checksum of each file that a set is made of, by name."""
    if entry.download.checksums != SUMS:
        table = resources.files("companion.fetch") / "published" / entry.download.checksums
        return _parse(table.read_text(encoding="ascii"), Path(str(table)))
    path = entry.folder / SUMS
    if not path.is_file():
        raise MissingData(
            f"{path}: missing",
            wanted="PhysioNet's list of checksums, beside the files",
            todo=f"emargin data fetch {entry.name} gets it, and files that are missing",
        )
    everything = _parse(path.read_text(encoding="utf-8", errors="replace"), path)
    records = {file.removesuffix(".hea") for file in everything if file.endswith(".hea") and "/" not in file}
    names = {"RECORDS"} | {f"{record}.{kind}" for record in records for kind in ("hea", "dat", "atr")}
    return {file: digest for file, digest in everything.items() if file in names}


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
        table[file.strip().removeprefix("*")] = digest.lower()
    return table


def _read(name: str) -> tuple[RecordingSet, str]:
    from emargin.config import Experiment  # imports torch, which comparing files does without
    from emargin.data.loading import load_recordings

    return load_recordings(Experiment(dataset=name, source="real"))
