"""Frames of real data, kept between runs: recordings are read and framed once, and then mapped from the disk.

    recordings, checksum = framed("harth", files, read, n_fft=50, hop=25, joined=False)

Each set and framing has one folder under `runs/cache` in the checkout, or under $EMARGIN_CACHE. It holds `frames.npy`,
`labels.npy` and `header.json`, and can be deleted at any time. Results are the same with and without it.
"""

import hashlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from emargin.data.checksums import files_digest
from emargin.data.framing import frame_labels, stft_frames
from emargin.data.recordings import Recording, RecordingSet
from emargin.paths import home

SMALLEST = 32_000_000  # bytes of files; smaller sets are read and framed in a second or two
COMPUTING = ("numpy", "scipy", "torch")  # packages whose versions may change the last bits of a frame


class Frames(NamedTuple):
    """The frames of a recording. They were checked as samples, and frames may be constant where samples may not.

    values: float32 `(frames, D)`. labels: int64 `(frames,)`. There may be none.
    """

    name: str
    subject: str
    values: np.ndarray
    labels: np.ndarray


class _Unusable(Exception):
    """A cache that must be built again; the message says why."""


def framed(
    name: str,
    files: list[Path],
    read: Callable[[], tuple[RecordingSet, str]],
    *,
    n_fft: int | None,
    hop: int | None,
    joined: bool,
) -> tuple[RecordingSet, str]:
    """A set of recordings as frames, and its checksum: from the cache, or else read, framed and put there.

    name: of the data set in the catalogue. files: what the set is read from, all in one folder. read: returns the
    recordings and `files_digest(files)`. n_fft, hop: STFT window and step in samples, or None where `read` returns
    frames. joined: frame the recordings as one, end to end, as protocol `released` does.

    Files count as unchanged while their names, sizes and modification times are; with other times, the content decides.
    A cache that is out of date or damaged is built again, and one line on stderr says so. Small sets are not cached,
    and one that cannot be written only gives a warning: the recordings are returned as they were read then.
    """
    if sum(path.stat().st_size for path in files) < SMALLEST:
        return read()
    framing = {"dataset": name, "folder": str(files[0].parent.resolve()), "n_fft": n_fft, "hop": hop, "joined": joined}
    place = cache_root() / f"{files[0].parent.resolve().name}-{_digest(framing)[:12]}"
    if place.exists():
        try:
            return _load(place, files)
        except _Unusable as reason:
            print(f"frame cache {place}: {reason}; building it again", file=sys.stderr)
    times = _times(files)  # before reading: a file that changes meanwhile is noticed next time
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings, checksum = read()
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    header = {
        "code": code(),
        "files": times,
        "checksum": checksum,
        "name": recordings.name,
        "classes": recordings.classes,
        "test_subjects": [sorted(fold) for fold in recordings.test_subjects],
        "test_from": recordings.test_from,
        "warnings": [str(warning.message) for warning in caught if warning.category is UserWarning],
    }
    try:
        _save(place, header, recordings, n_fft, hop, joined)
        return _load(place, files, warn=False)
    except (OSError, _Unusable) as error:
        warnings.warn(
            f"the frames of {recordings.name} could not be cached in {place}: {error}; the run goes on "
            "without. Another place: set EMARGIN_CACHE",
            stacklevel=2,
        )
        return recordings, checksum


def cache_root() -> Path:
    """The folder of all caches: $EMARGIN_CACHE, or `runs/cache` in the checkout."""
    return Path(os.environ.get("EMARGIN_CACHE") or home() / "runs" / "cache")


@cache
def code() -> str:
    """Version of what makes the frames: a digest of the modules beside this one, and the packages they compute with."""
    return " ".join(
        [
            files_digest(Path(__file__).parent.rglob("*.py"))[:16],
            *(f"{package}-{version(package)}" for package in COMPUTING),
        ]
    )


def _save(
    place: Path, header: dict, recordings: RecordingSet, n_fft: int | None, hop: int | None, joined: bool
) -> None:
    """Write a cache beside its place, then rename it. Raises OSError and leaves nothing of it then."""
    beside = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        pieces, labels = [], []
        with (beside / "frames.npy").open("wb") as file:
            # Written one by one, not mapped: a full disk is an error here, and would kill the process there.
            for piece in _pieces(recordings, n_fft, hop, joined):
                if not pieces:
                    _write_npy_header(file, 0, piece.values.shape[1])
                file.write(np.ascontiguousarray(piece.values).data)
                pieces.append((piece.name, piece.subject, len(piece.values)))
                labels.append(piece.labels)
            file.seek(0)  # the header takes the same space for any number of rows
            _write_npy_header(file, sum(frames for _, _, frames in pieces), piece.values.shape[1])
            _to_disk(file)
        with (beside / "labels.npy").open("wb") as file:
            np.save(file, np.concatenate(labels))
            _to_disk(file)
        header = header | {"pieces": pieces, "bytes": _sizes(beside)}
        _write_header(beside, header)
        if place.exists():
            old = place.with_name(f"{place.name}.{os.getpid()}.old")
            place.rename(old)
            shutil.rmtree(old)
        beside.rename(place)
    finally:
        if beside.exists():
            shutil.rmtree(beside)


def _pieces(recordings: RecordingSet, n_fft: int | None, hop: int | None, joined: bool) -> Iterator[Frames]:
    """What protocols frame: each recording, or those that are joined as one."""
    for recording in (recordings.joined() if joined else recordings).recordings:
        if recordings.framed:
            yield Frames(recording.name, recording.subject, recording.values, recording.labels)
        else:
            yield _framed(recording, n_fft, hop, len(recordings.classes))


def _framed(recording: Recording, n_fft: int, hop: int, n_classes: int) -> Frames:
    if len(recording.values) < n_fft:
        columns = recording.values.shape[1] * (n_fft // 2 + 1)
        values, labels = np.empty((0, columns), np.float32), np.empty(0, np.int64)
    else:
        values = stft_frames(recording.values, n_fft, hop).numpy()
        labels = frame_labels(recording.labels, n_fft, hop, n_classes)
    return Frames(recording.name, recording.subject, values, labels)


def _load(place: Path, files: list[Path], *, warn: bool = True) -> tuple[RecordingSet, str]:
    """Read a cache; the frames stay on the disk. Raises _Unusable."""
    header = _read_header(place)
    if header["code"] != code():
        raise _Unusable("made by another version")
    sizes = _sizes(place)
    if sizes != header["bytes"]:
        raise _Unusable(f"damaged: {sizes} bytes, not {header['bytes']}")
    times = _times(files)
    if times != header["files"]:
        if files_digest(files) != header["checksum"]:
            raise _Unusable("the files of the set have changed")
        with suppress(OSError):  # the frames are right; only the times are read again next time
            _write_header(place, header | {"files": times})
    values = np.asarray(np.load(place / "frames.npy", mmap_mode="r", allow_pickle=False))
    labels = np.load(place / "labels.npy", allow_pickle=False)
    pieces, start = [], 0
    for name, subject, frames in header["pieces"]:
        pieces.append(Frames(name, subject, values[start : start + frames], labels[start : start + frames]))
        start += frames
    if warn:
        for message in header["warnings"]:
            warnings.warn(message, stacklevel=3)
    return RecordingSet(
        header["name"],
        "real",
        tuple(header["classes"]),
        None,
        tuple(pieces),
        framed=True,
        test_subjects=tuple(map(frozenset, header["test_subjects"])),
        test_from=header["test_from"],
    ), header["checksum"]


def _read_header(place: Path) -> dict:
    try:
        content = json.loads((place / "header.json").read_text(encoding="utf-8"))
        header = content["header"]
        if content["digest"] != _digest(header):
            raise ValueError("another digest than its own")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _Unusable(f"damaged: header.json: {error}") from error
    return header


def _write_header(folder: Path, header: dict) -> None:
    beside = folder / f"header.json.{os.getpid()}.part"
    beside.write_text(json.dumps({"digest": _digest(header), "header": header}), encoding="utf-8")
    os.replace(beside, folder / "header.json")


def _digest(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _times(files: list[Path]) -> list[list]:
    """Name, size in bytes and modification time in ns of each file, by name."""
    return sorted([path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files)


def _sizes(folder: Path) -> dict[str, int | None]:
    paths = [folder / "frames.npy", folder / "labels.npy"]
    return {path.name: path.stat().st_size if path.is_file() else None for path in paths}


def _write_npy_header(file: BinaryIO, rows: int, columns: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)})


def _to_disk(file: BinaryIO) -> None:
    """So that the file has its content before the folder has its name, even if the power fails between them."""
    file.flush()
    os.fsync(file.fileno())
