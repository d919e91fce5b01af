"""Frames of real data, kept between runs: recordings are read and framed once, and then mapped from the disk.

    recordings, checksum = framed("harth", files, read, n_fft=50, hop=25, joined=False)

Each set and framing has one folder under `runs/cache` in the checkout, or under $EMARGIN_CACHE. It holds `frames.npy`,
`labels.npy` and `header.json`, with the checksums of both, and can be deleted at any time. Results are the same with
and without it.
"""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from emargin.data.checksums import files_digest, state_of
from emargin.data.framing import frame_labels, stft_frames
from emargin.data.recordings import Recording, RecordingSet, joined_by_person
from emargin.files import clear, names_to_disk, short, to_disk, unfinished, write_bytes
from emargin.paths import home

FORMAT = 2  # of a cache
ARRAYS = ("frames.npy", "labels.npy")
SMALLEST = 32_000_000  # bytes of files; smaller sets are read and framed in a second or two
Checked = tuple[RecordingSet, str]  # recordings, and the checksum of the files that they were read from
COMPUTING = ("numpy", "scipy", "torch")  # packages whose versions may change the last bits of a frame


_verified: set[object] = set()  # arrays that this process has read as a whole and found as they were written


class Frames(Recording):
    """The frames of a recording: values float32 `(frames, D)`, labels int64 `(frames,)`. There may be none."""

    def __post_init__(self):
        """Check nothing: samples were checked, and frames may be constant where samples may not."""


class _Unusable(Exception):
    """A cache that must be built again; the message says why."""


def framed(
    name: str, files: list[Path], read: Callable[[], Checked], *, n_fft: int | None, hop: int | None, joined: bool | str
) -> Checked:
    """Return a set of recordings as frames, and its checksum: from the cache, or else read, framed and put there.

    Files count as unchanged while their names, sizes and times are; with other times, the content decides. What is in
    the cache is compared with its checksums once a process. A cache that is out of date or damaged is built again, and
    one line on stderr says so. Small sets are not cached, and one that cannot be written only gives a warning: the
    recordings are returned as they were read then. What a killed process left beside the caches is removed.

    Parameters
    ----------
    name : str
        Of the data set in the catalogue.
    files : list of Path
        What the set is read from, all in one folder.
    read : callable
        Returns the recordings and `files_digest(files)`.
    n_fft, hop : int or None
        STFT window and step in samples; None where `read` returns frames.
    joined : bool or "person"
        Frame the recordings as one, end to end, as protocol `released` does, or as one a person.
    """
    if sum(path.stat().st_size for path in files) < SMALLEST:
        return read()
    folder = files[0].parent.resolve()
    framing = {"dataset": name, "folder": str(folder), "n_fft": n_fft, "hop": hop, "joined": joined}
    place = cache_root() / f"{short(folder.name)}-{_digest(framing)[:12]}"
    clear(place.parent)
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
        "format": FORMAT,
        "code": code(),
        "files": times,
        "checksum": checksum,
        "name": recordings.name,
        "classes": recordings.classes,
        "test_subjects": [sorted(fold) for fold in recordings.test_subjects],
        "test_from": recordings.test_from,
        "left_out": recordings.left_out,
        "warnings": [str(warning.message) for warning in caught if warning.category is UserWarning],
    }
    try:
        _save(place, header, _pieces(recordings, n_fft, hop, joined))
        return _load(place, files, warn=False)
    except (OSError, _Unusable) as error:
        what = f"the frames of {recordings.name} could not be cached in {place}: {error}"
        warnings.warn(f"{what}; the run goes on without. Another place: set EMARGIN_CACHE", stacklevel=2)
        return recordings, checksum


def cache_root() -> Path:
    """Return the folder of all caches: $EMARGIN_CACHE, or `runs/cache` in the checkout."""
    return Path(os.path.expanduser(os.environ.get("EMARGIN_CACHE") or home() / "runs" / "cache"))


@cache
def code() -> str:
    """Return a version of what makes the frames: a digest of the modules beside this one, and the packages they use."""
    modules = files_digest(Path(__file__).parent.rglob("*.py"))[:16]
    return " ".join([modules, *(f"{package}-{version(package)}" for package in COMPUTING)])


def _pieces(recordings: RecordingSet, n_fft: int | None, hop: int | None, joined: bool | str) -> Iterator[Frames]:
    """Yield what protocols frame: each recording, or those that are joined as one."""
    if joined:
        recordings = joined_by_person(recordings) if joined == "person" else recordings.joined()
    for recording in recordings.recordings:
        values, labels = recording.values, recording.labels
        if not recordings.framed:
            assert n_fft and hop, "signals have both"
            if len(values) < n_fft:
                values, labels = np.empty((0, values.shape[1] * (n_fft // 2 + 1)), np.float32), labels[:0]
            else:
                labels = frame_labels(labels, n_fft, hop, len(recordings.classes))
                values = stft_frames(values, n_fft, hop).numpy()
        yield Frames(recording.name, recording.subject, values, labels)


def _save(place: Path, header: dict[str, Any], pieces: Iterator[Frames]) -> None:
    """Write a cache beside its place, then rename it. Raises OSError and leaves nothing of it then."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(place, Path.mkdir) as beside:
        listed: list[tuple[str, str, int]] = []
        labels = []
        with (beside / "frames.npy").open("wb") as file:
            # Written one by one, not mapped: a full disk is an error here, and would kill the process there.
            for piece in pieces:
                if not listed:
                    _write_npy_header(file, 0, piece.values.shape[1])
                file.write(np.ascontiguousarray(piece.values).data)
                listed.append((piece.name, piece.subject, len(piece.values)))
                labels.append(piece.labels)
            file.seek(0)  # the header takes the same space for any number of rows
            _write_npy_header(file, sum(frames for _, _, frames in listed), piece.values.shape[1])
            to_disk(file)
        with (beside / "labels.npy").open("wb") as file:
            np.save(file, np.concatenate(labels))
            to_disk(file)
        _write_header(beside, header | {"pieces": listed, "content": _content(beside)})
        if place.exists():
            with unfinished(place, Path.mkdir) as old:
                place.rename(old)
        beside.rename(place)
    names_to_disk(place.parent)


def _load(place: Path, files: list[Path], *, warn: bool = True) -> Checked:
    """Read a cache; the frames stay on the disk. Raises _Unusable."""
    try:
        content = json.loads((place / "header.json").read_text(encoding="utf-8"))
        header = content["header"]
        if content["digest"] != _digest(header):
            raise ValueError("header.json has another digest than its own")
        if header.get("format") != FORMAT or header["code"] != code():
            raise _Unusable("made by another version")
        checksum, read_at = header["checksum"], header["files"]
        arrays = header["content"], *(state_of(place / name) for name in ARRAYS)
        if arrays not in _verified and _content(place) != header["content"]:
            raise ValueError("frames.npy or labels.npy has another checksum than header.json says")
        _verified.add(arrays)
        values = np.asarray(np.load(place / "frames.npy", mmap_mode="r", allow_pickle=False))
        labels = np.load(place / "labels.npy", allow_pickle=False)
        pieces, start = [], 0
        for name, subject, frames in header["pieces"]:
            rows = slice(start, start + frames)
            pieces.append(Frames(name, subject, values[rows], labels[rows]))
            start += frames
        if not start == len(values) == len(labels):
            raise ValueError(f"{len(values)} frames and {len(labels)} labels, not {start}")
        classes, test_subjects = tuple(header["classes"]), tuple(map(frozenset, header["test_subjects"]))
        split = {"test_subjects": test_subjects, "test_from": header["test_from"], "left_out": header["left_out"]}
        recordings = RecordingSet(header["name"], "real", classes, None, tuple(pieces), framed=True, **split)
        messages = header["warnings"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise _Unusable(f"damaged: {error}") from error
    if (times := _times(files)) != read_at:
        if files_digest(files) != checksum:
            raise _Unusable("the files of the set have changed")
        with suppress(OSError):  # the frames are right; only the times are read again next time
            _write_header(place, header | {"files": times})
    for message in messages if warn else ():
        warnings.warn(message, stacklevel=3)
    return recordings, checksum


def _write_header(folder: Path, header: dict[str, Any]) -> None:
    write_bytes(folder / "header.json", json.dumps({"digest": _digest(header), "header": header}).encode())


def _content(folder: Path) -> str:
    """Return the checksum of the arrays of a cache."""
    return files_digest(folder / name for name in ARRAYS)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _times(files: list[Path]) -> list[list[Any]]:
    """Return name, size in bytes and times in ns of each file, by name."""
    return sorted([path.name, *state_of(path)[1:]] for path in files)


def _write_npy_header(file: BinaryIO, rows: int, columns: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)})
