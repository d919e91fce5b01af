"""What there is of each data set, and whether it is what was published.

problems = verify("harth")    # emargin data verify harth
print(overview())             # emargin data list
"""

import hashlib
import re
import string
from importlib import resources
from pathlib import Path

import numpy as np

from emargin.data.catalogue import DATASETS, UCR, data_root, real_folder, recordings_of
from emargin.data.recordings import RecordingSet
from emargin.errors import InputError, MissingData

NIGHTS = "sleepedf"  # Sleep-EDF's own files, which the set sleepeeg can be read from, too
PHYSIONET = ("ecg", "mitbih")
SUMS = "SHA256SUMS.txt"  # PhysioNet's own list, kept beside the files that it is about
LICENCES = {
    "harth": "CC BY 4.0",
    "sleepeeg": "ODC-By 1.0 (Sleep-EDF)",
    "ecg": "ODC-By 1.0",
    "mitbih": "ODC-By 1.0",
    "dsads": "CC BY 4.0",
    "spsw-har": "CC BY 4.0",
    "sleepedf-features": "ODC-By 1.0 (Sleep-EDF)",
}
UCR_LICENCE = "for research (UCR archive)"
WHERE = {"sleepedf-features": "cannot be fetched: made from Sleep-EDF by a third party"}


def known_name(name: str) -> str:
    """The name of the recordings: that of a set, without its geometry, `sleepedf`, or `ucr-NAME`. Or InputError."""
    recordings = recordings_of(name)
    usable = re.fullmatch(r"[\w-]+", name.removeprefix(UCR)) if name.startswith(UCR) else recordings in LICENCES
    if not usable and name != NIGHTS:
        raise InputError(
            "no public data set of this name", found=repr(name), wanted=f"{', '.join(LICENCES)}, {NIGHTS} or {UCR}NAME"
        )
    return recordings


def folder_of(name: str) -> Path:
    """Where the files of a set lie; Sleep-EDF's nights are where the reader of sleepeeg looks for them."""
    return real_folder("sleepeeg" if name == NIGHTS else name)


def verify(name: str) -> list[str]:
    """Compare the files of a set with the published checksums and print what was found.

    HARTH is compared by git blob id, Sleep-EDF by SHA-256 and PhysioNet's `ecg` and `mitbih` by the archive's own list
    beside the files. Where nothing was published, that is said, and the set is read and described instead.

    Returns a line a problem: the file, what was found, what is wanted and what to do; none if all is well.
    Raises MissingData for a set that is not there, InputError for an unknown name and for a set that cannot be read.
    """
    name = known_name(name)
    folder = folder_of(name)
    if not folder.is_dir():
        raise MissingData(
            f"{name} is not here", found=f"no folder {folder}", wanted="its files", todo=f"emargin data fetch {name}"
        )
    if name == "sleepeeg" and any(folder.glob("[!.]*.edf")):
        name = NIGHTS
    if name == "harth" or name == NIGHTS or name in PHYSIONET:
        wanted = published(name, folder)
        problems = differences(name, folder, wanted)
        there = sum((folder / file).is_file() for file in wanted)
        print(f"{name}: {there} of {len(wanted)} published files in {folder}, {len(problems)} problems")
    else:
        print(f"{name}: no checksums were published; read instead, from {folder}")
        print(description(*_read(name)))
        problems = []
    for problem in problems:
        print(problem)
    return problems


def published(name: str, folder: Path) -> dict[str, str]:
    """File name to checksum, for the sets with published checksums: all files that the set is made of."""
    if name not in PHYSIONET:
        kind = "git-blobs" if name == "harth" else "sha256"
        table = resources.files("emargin.data.fetch") / "published" / f"{name}.{kind}.txt"
        return _parse(table.read_text(encoding="ascii"), Path(str(table)))
    path = folder / SUMS
    if not path.is_file():
        raise MissingData(
            f"{path}: missing",
            wanted="PhysioNet's list of checksums, beside the files",
            todo=f"emargin data fetch {name} gets it, and files that are missing",
        )
    everything = _parse(path.read_text(encoding="utf-8", errors="replace"), path)
    records = {file.removesuffix(".hea") for file in everything if file.endswith(".hea") and "/" not in file}
    names = {"RECORDS"} | {f"{record}.{kind}" for record in records for kind in ("hea", "dat", "atr")}
    return {file: digest for file, digest in everything.items() if file in names}


def differences(name: str, folder: Path, wanted: dict[str, str]) -> list[str]:
    """A line for each file that is missing, of other content, or not one of the set.

    Of Sleep-EDF there may be some nights only, each with both its files.
    """
    digest = git_blob if name == "harth" else sha256
    # What came as an archive is fetched as a whole or not at all; other files are replaced one by one.
    again = f"delete {folder} and run emargin data fetch harth" if name == "harth" else f"emargin data fetch {name}"
    found = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    missing = set(wanted) - found
    if name == NIGHTS:
        nights = {file[:7] for file in found & set(wanted)}
        missing = {file for file in missing if file[:7] in nights}
        if not nights:
            return [f"{folder}: no night of Sleep-EDF. What to do: emargin data fetch {NIGHTS}."]
    problems = []
    for file in sorted(found & set(wanted)):
        content = digest(folder / file)
        if content != wanted[file]:
            problems.append(
                f"{folder / file}: not the published file. Found: {content}. Wanted: {wanted[file]}. "
                f"What to do: {again}."
            )
    problems += [f"{folder / file}: missing. Wanted: {wanted[file]}. What to do: {again}." for file in sorted(missing)]
    return problems + [
        f"{folder / file}: not a file of the set. What to do: move it to another folder."
        for file in sorted(found - set(wanted) - {SUMS})
    ]


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob(path: Path) -> str:
    """What git calls the content: SHA-1 of "blob", the size in bytes, a zero byte and the content."""
    with path.open("rb") as stream:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        return hashlib.file_digest(stream, lambda: digest).hexdigest()


def description(recordings: RecordingSet, checksum: str) -> str:
    """What a set holds, in a few lines."""
    lengths = np.array([len(recording.values) for recording in recordings.recordings])
    counts = sum(
        np.bincount(recording.labels + 1, minlength=len(recordings.classes) + 1) for recording in recordings.recordings
    )
    unit = "frames" if recordings.framed else "samples"
    rate = "" if recordings.sampling_rate is None else f" at {recordings.sampling_rate:g} Hz"
    labels = [f"{label} {count}" for label, count in zip(recordings.classes, counts[1:], strict=True)]
    return "\n".join(
        [
            f"  recordings  {len(lengths)} of {len({recording.subject for recording in recordings.recordings})} subjects",
            f"  length      {lengths.min()} to {lengths.max()} {unit}{rate}, {lengths.sum()} in all",
            f"  width       {recordings.recordings[0].values.shape[1]} {'features' if recordings.framed else 'channels'}",
            f"  labels      {', '.join(labels)}, unlabelled {counts[0]}",
            f"  digest      {checksum}",
        ]
    )


def overview() -> str:
    """A table of all sets: name, what a run would use, where, size and licence. Reads no file's content."""
    sets = [*LICENCES, *(f"{UCR}{path.name}" for path in sorted((data_root() / "ucr").glob("[!.]*")) if path.is_dir())]
    rows = [("name", "data", "size", "licence", "where")]
    for name in sets:
        folder = real_folder(name)
        there = folder.is_dir()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if there else 0
        kind = "real" if there else "simulated" if f"{name}-sim" in DATASETS else "missing"
        rows.append(
            (
                name,
                kind,
                f"{size / 1e6:.1f} MB" if there else "",
                LICENCES.get(name, UCR_LICENCE),
                str(folder) if there else WHERE.get(name, f"emargin data fetch {name}"),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def _parse(text: str, path: Path) -> dict[str, str]:
    """The lines `CHECKSUM  NAME` that sha256sum writes."""
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
