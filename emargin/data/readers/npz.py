"""The neutral npz format: the reader's own recordings, and the data sets converted to it.

    recordings = load_folder(Path("data/dsads"))

A folder holds `dataset.json` with `classes` (names in label order) and, for signals, `sampling_rate` (Hz), optionally
`channels` (one name a column), and one `*.npz` a subject: `signal` `(samples, channels)` and `labels` `(samples,)`, or
`features` `(frames, D)` and `labels` `(frames,)`. Several recordings in one file carry a suffix: `signal_00` and
`labels_00`, `signal_01` and `labels_01`, and so on; they come in the order of the files' names and of the suffixes.
`time` `(samples,)`, in seconds or as datetime64, may stand beside a recording: it is checked for gaps and for its rate.
`companion.fetch.folder.save_folder` writes such a folder, and `emargin data import` makes it of CSV files.
"""

import json
import re
import stat
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError, MissingData, unreadable
from emargin.files import named_once

# What numpy and zipfile raise on a damaged archive: broken zip, broken stream, broken array header, absurd shape.
DAMAGE: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, KeyError)
DAMAGE += (NotImplementedError, RuntimeError, OverflowError, MemoryError)
ARRAY_NAME = re.compile(r"(signal|features|labels|time)(_\w+)?")
LAYOUT = "signal and labels, or features and labels, with the same suffix where there are several"
UNPRINTABLE = re.compile("[\0-\x1f\x7f\ud800-\udfff]")  # the last are bytes that were no UTF-8
RATE_TOLERANCE = 0.01  # of the usual step
FEW = 100  # samples that may be lost in a step that still says how long each is
LOST = 1.6  # usual steps: where two samples are farther apart, one is lost
MOST_CLASSES = 1000  # nothing here could score more: clustering takes as many clusters, and frames of each
MOST_CHARACTERS = 200  # of a name: file systems end at 255 bytes
HIGHEST_RATE = 1e9  # Hz
LARGEST_DESCRIPTION = 2**24  # bytes
# Recordings shrink to a tenth when they are compressed, and zeros to a thousandth.
LARGEST_EXPANSION, ALWAYS_UNPACKED = 200, 2**28  # times, bytes
KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def load_folder(folder: Path) -> RecordingSet:
    """Read a folder in the neutral npz format; the set is called like the folder and a subject like its file.

    Parameters
    ----------
    folder : Path
        Holds dataset.json and the npz files.

    Returns
    -------
    RecordingSet
        Float32 signals `(samples, channels)` at `sampling_rate` Hz, or feature frames `(frames, D)` with `framed` set
        and no sampling rate, in the unit of the files; labels int64, -1 for unlabelled, which NaN becomes.

    Raises
    ------
    MissingData
        For a folder without recordings or dataset.json.
    InputError
        For a description or an archive that cannot be used, and for times with gaps or of another rate. Pickled arrays
        are refused, because reading them would run code from the file.
    """
    folder = Path(folder)
    check_files(folder)
    description = read_description(folder / "dataset.json")
    # Hidden files are not the reader's: macOS leaves a "._p1.npz" beside every p1.npz on foreign disks.
    paths = sorted(folder.glob("[!.]*.npz"))
    if not paths:
        todo = f"write them with save_folder of companion.fetch.folder, or with numpy.savez, each with {LAYOUT}"
        raise MissingData(f"{folder}: no recordings", found="no *.npz", wanted="one *.npz a subject", todo=todo)
    kinds, recordings, file_rates, times = set(), [], {}, {}
    for path in paths:
        check_archive(path)
        arrays = _read_arrays(path)
        if "sampling_rate" in arrays:
            file_rates[path] = arrays.pop("sampling_rate")
        for kind, suffix in _recordings_in(path, arrays):
            kinds.add(kind)
            if "time" + suffix in arrays:
                times[f"{path}: time{suffix}"] = arrays["time" + suffix], len(arrays["labels" + suffix])
            recordings.append(
                Recording(
                    path.stem + suffix,
                    path.stem,
                    values_of(path, kind + suffix, arrays),
                    labels_of(path, "labels" + suffix, arrays),
                )
            )
    if len(kinds) > 1:
        raise InputError(f"{folder}: some recordings are signals and some features", wanted="one kind in a folder")
    framed = kinds == {"features"}
    rate = None if framed else sampling_rate_of(folder / "dataset.json", description, file_rates)
    for where, (moments, samples) in times.items():
        check_times(where, moments, samples, rate)
    columns, channels = recordings[0].values.shape[1], description.get("channels")
    if channels is not None and len(channels) != columns:
        what, wanted = f"{folder / 'dataset.json'}: channels do not match the recordings", f"{columns}, one a column"
        raise InputError(what, found=f"{len(channels)} names", wanted=wanted)
    return RecordingSet(
        folder.resolve().name, "real", tuple(description["classes"]), rate, tuple(recordings), framed=framed
    )


def check_files(folder: Path) -> None:
    """Raise InputError for recordings that are no files, and for names that no result could be written under.

    Other files that look like recordings are named in a warning.
    """
    others = []
    for path in sorted(folder.glob("[!.]*")):
        if path.suffix == ".npz" or path.name == "dataset.json":
            check_file(path)
        elif path.suffix not in ("", ".md", ".txt", ".part"):
            others.append(ascii(path.name)[1:-1])
    if others:
        warnings.warn(f"{folder}: not read, since they are no *.npz: {', '.join(others[:8])}", stacklevel=3)


def check_file(path: Path) -> None:
    """Raise InputError for what is no regular file, which may never end, and for a name that is not UTF-8."""
    what, todo = ascii(str(path))[1:-1], "move it out of the folder, or give it another name"
    if UNPRINTABLE.search(str(path)):
        raise InputError(f"{what}: a name that cannot be printed", wanted="a name in UTF-8", todo=todo)
    try:
        found = path.stat()
    except OSError as error:  # a link to nothing, or to itself
        raise unreadable(f"{what}: cannot be read", error, "a file", todo) from error
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise InputError(f"{what}: no file", found=kind, wanted="a file", todo=todo)
    if path.suffix == ".json" and found.st_size > LARGEST_DESCRIPTION:
        wanted = f"a JSON object of at most {LARGEST_DESCRIPTION} bytes"
        raise InputError(f"{what}: too large", found=f"{found.st_size} bytes", wanted=wanted)


def read_description(path: Path) -> dict:
    """Return the content of dataset.json, with `classes` and `channels` checked."""
    if not path.is_file():
        wanted = 'a description such as {"classes": ["rest", "walk"], "sampling_rate": 50}'
        raise MissingData(f"{path}: missing", wanted=wanted, todo="write it beside the *.npz files")
    check_file(path)
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON", found=error, wanted="a JSON object in UTF-8") from error
    if not isinstance(description, dict) or "classes" not in description:
        content = sorted(description)[:20] if isinstance(description, dict) else type(description).__name__
        raise InputError(f"{path}: no classes", found=content, wanted='an object with "classes"')
    check_keys(path)
    check_names(path, description)
    return description


def check_keys(path: Path) -> None:
    """Raise InputError for a name that stands twice in an object of dataset.json, of which the last would count."""
    try:
        json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=named_once)
    except ValueError as error:
        raise InputError(f"{path}: a name twice", found=error, wanted="each name once") from error


def check_names(path: Path, description: dict) -> None:
    """Raise InputError for names of classes or channels that are no list of different names."""
    for key in ("classes", "channels"):
        names = description.get(key, ["unnamed"])
        what, wanted = f"{path}: {key} cannot be used", f"a list of names of 1 to {MOST_CHARACTERS} characters"
        if not isinstance(names, list) or not names:
            raise InputError(what, found=_short(names), wanted=wanted)
        for number, name in enumerate(names):
            if not isinstance(name, str) or UNPRINTABLE.search(name) or not 0 < len(name) <= MOST_CHARACTERS:
                raise InputError(what, found=f"{_short(name)}, number {number}", wanted=wanted)
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise InputError(f"{path}: {key} named twice", found=_short(twice), wanted="different names")
    if (classes := len(description["classes"])) > MOST_CLASSES:
        todo = "check that the labels are classes, not measurements"
        raise InputError(f"{path}: too many classes", found=classes, wanted=f"{MOST_CLASSES} or fewer", todo=todo)


def _short(value: object) -> str:
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}... ({len(text)} characters)"


def sampling_rate_of(path: Path, description: dict, file_rates: dict[Path, np.ndarray]) -> float:
    """Return the sampling rate (Hz) of dataset.json, which a file that holds one too must agree with."""
    rate: Any = description.get("sampling_rate")
    # To Python true is a number, and its json reads NaN and Infinity.
    if type(rate) not in (int, float) or not 0 < rate <= HIGHEST_RATE:
        what, wanted = (
            "sampling_rate is missing or cannot be used",
            f"samples a second, above 0, at most {HIGHEST_RATE:g}",
        )
        raise InputError(f"{path}: {what}", found=_short(rate), wanted=wanted, todo="add the rate of the signals")
    for file, file_rate in file_rates.items():
        if file_rate.dtype.kind not in "iuf" or not np.isclose(file_rate, rate).all():
            what, todo = (
                "sampling_rate differs from dataset.json",
                "resample the recording, or correct the wrong number",
            )
            raise InputError(f"{file}: {what}", found=file_rate, wanted=rate, todo=todo)
    return float(rate)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield a file as numpy opens it. Raises InputError for what numpy and zipfile raise on a damaged one."""
    try:
        with path.open("rb") as stream:  # opened here, because numpy leaves a damaged file open
            if not zipfile.is_zipfile(stream):  # numpy would take it for a pickle and say so
                raise zipfile.BadZipFile("not a zip archive, or cut off")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                yield archive
    except InputError:
        raise
    except DAMAGE as error:
        wanted, todo = "an .npz as numpy.savez writes it", "write or copy the file again"
        raise unreadable(f"{path}: cannot be read", error, wanted, todo) from error


def check_archive(path: Path) -> None:
    """Raise InputError for an archive that unpacks to far more than recordings do; warn of arrays that are not read."""
    with _opened(path) as archive:
        unpacked, packed = sum(member.file_size for member in archive.zip.infolist()), path.stat().st_size
        if unpacked > max(ALWAYS_UNPACKED, LARGEST_EXPANSION * packed):
            what, todo = (
                "unpacks to far more than recordings do",
                "write it with numpy.savez, uncompressed, if it is right",
            )
            found, wanted = f"{unpacked} bytes from {packed}", f"at most {LARGEST_EXPANSION} times its size"
            raise InputError(f"{path}: {what}", found=found, wanted=wanted, todo=todo)
        unread = [name for name in archive.files if not ARRAY_NAME.fullmatch(name) and name != "sampling_rate"]
    if unread:
        names = ", ".join(map(_short, unread[:8]))
        warnings.warn(f"{path}: arrays with no meaning here are not read: {names}", stacklevel=3)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one file that have a name of the format; others are left unread."""
    arrays = {}
    with _opened(path) as archive:
        for name in archive.files:
            if ARRAY_NAME.fullmatch(name) or name == "sampling_rate":
                try:
                    arrays[name] = np.asarray(archive[name])
                except ValueError as error:
                    check_unpickled(path, name, error)
                    raise
    return arrays


def check_unpickled(path: Path, name: str, error: ValueError) -> None:
    """Raise InputError where numpy's error is about an array that only unpickling could read."""
    if "Object arrays" in str(error):
        what = f"{path}: {name} is a pickled object array, and pickled arrays are refused"
        todo = "save it as float32 or int; recordings of different lengths go into arrays with a suffix each"
        raise InputError(what, found="dtype object", wanted="numbers", todo=todo) from error


def _recordings_in(path: Path, arrays: dict) -> list[tuple[str, str]]:
    """Return what each recording of a file holds, signal or features, and its suffix, in the order of the suffixes."""
    held: dict[str, set[str]] = {}
    for name in arrays:
        kind, suffix = cast(re.Match[str], ARRAY_NAME.fullmatch(name)).groups("")
        held.setdefault(suffix, set()).add(kind)
    for suffix, kinds in held.items():
        if len(kinds - {"time"}) != 2 or "labels" not in kinds:
            what, held_here = "incomplete or ambiguous recording", ", ".join(sorted(kind + suffix for kind in kinds))
            todo = "label what is not labelled with -1"
            raise InputError(f"{path}: {what}", found=held_here, wanted=LAYOUT, todo=todo)
    if not held:
        raise InputError(f"{path}: neither signal nor features", wanted=LAYOUT)
    return [((held[suffix] - {"labels", "time"}).pop(), suffix) for suffix in sorted(held)]


def check_times(where: str, times: np.ndarray, samples: int, rate: float | None) -> None:
    """Raise InputError for times of samples that do not follow each other at one rate.

    Parameters
    ----------
    where : str
        What errors call them.
    times : ndarray
        `(samples,)`, numbers of seconds, or datetime64.
    samples : int
        How many there should be.
    rate : float or None
        In Hz; None where any will do.
    """
    if times.dtype.kind not in "iufMm" or times.shape != (samples,):
        found, wanted = f"{times.dtype} of shape {times.shape}", f"seconds or datetime64, shape ({samples},)"
        raise InputError(f"{where} cannot be used", found=found, wanted=wanted)
    if samples < 2:
        return
    dated = times.dtype.kind in "Mm"
    steps = np.diff(times) / np.timedelta64(1, "s") if dated else np.diff(times.astype(np.float64))
    todo = "of CSV files, emargin data import sorts, resamples and cuts them"
    if not (steps > 0).all():
        at = int(np.argmin(steps > 0))
        found = f"{times[at + 1]} after {times[at]}, at sample {at + 1}"
        raise InputError(f"{where}: times do not rise", found=found, wanted="each after the one before", todo=todo)
    usual = usual_step(np.concatenate([[0.0], np.cumsum(steps)]))
    if rate is not None and abs(usual * rate - 1) > RATE_TOLERANCE:
        found, wanted = f"{1 / usual:g} Hz, one every {usual:g} s", f"{rate:g} Hz, the sampling_rate of the set"
        raise InputError(f"{where}: samples are of another rate", found=found, wanted=wanted, todo=todo)
    if gaps := int((steps > LOST * usual).sum()):
        at = int(np.argmax(steps))
        found = f"{steps[at]:g} s after sample {at}, where {usual:g} s are usual"
        wanted = "recordings without a gap, each piece with a suffix of its own"
        raise InputError(f"{where}: {gaps} gaps in time", found=found, wanted=wanted, todo=todo)


def usual_step(times: np.ndarray) -> float:
    """Return the seconds between two samples, of rising times `(samples,)`, whatever a few gaps and jitter add."""
    few = max(1, min(20, len(times) // 4))  # steps of whole milliseconds differ, their sums hardly do
    rough = float(np.median(times[few:] - times[:-few])) / few
    steps = np.diff(times)
    samples = np.rint(steps / rough)  # of a step, where some are lost
    near = samples <= FEW
    return float(steps[near].sum() / samples[near].sum()) if samples[near].any() else rough


def values_of(path: Path | str, name: str, arrays: dict) -> np.ndarray:
    """Return an array as float32 `(samples, channels)` or `(frames, D)`. Raises InputError for anything else."""
    values = arrays[name]
    if values.dtype.kind not in "iuf" or values.ndim != 2 or values.shape[1] == 0:
        found, wanted = f"{values.dtype} of shape {values.shape}", "numbers, (samples, channels) or (frames, D)"
        raise InputError(f"{path}: {name} cannot be used", found=found, wanted=wanted)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and Recording refuses that
        return np.ascontiguousarray(values, dtype=np.float32)


def labels_of(path: Path | str, name: str, arrays: dict) -> np.ndarray:
    """Return an array as int64, with NaN as unlabelled. Raises InputError for what is no whole number."""
    labels = arrays[name]
    if labels.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} are not numbers", found=labels.dtype, wanted="integers")
    labels = np.where(np.isnan(labels), UNLABELLED, labels) if labels.dtype.kind == "f" else labels
    with np.errstate(invalid="ignore"):  # what does not fit comes out different, which the next lines see
        integers = labels.astype(np.int64)
    if not (integers == labels).all():
        wanted = "an index into classes, or -1 or NaN for unlabelled"
        raise InputError(f"{path}: {name} are not integers", found=labels[integers != labels][0], wanted=wanted)
    return integers
