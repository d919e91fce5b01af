"""The neutral npz format: the reader's own recordings, and the data sets converted to it.

    recordings = load_folder(Path("data/dsads"))

A folder holds `dataset.json` with `classes` (names in label order) and, for signals, `sampling_rate` (Hz), optionally
`channels` (one name a column), and one `*.npz` a subject: `signal` `(samples, channels)` and `labels` `(samples,)`, or
`features` `(frames, D)` and `labels` `(frames,)`. Several recordings in one file carry a suffix: `signal_00` and
`labels_00`, `signal_01` and `labels_01`, and so on. `companion.fetch.folder.save_folder` writes such a folder.
"""

import json
import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData, unreadable

# What numpy and zipfile raise on a damaged archive: broken zip, broken stream, broken array header, absurd shape.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    OSError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    MemoryError,
)
ARRAY_NAME = re.compile(r"(signal|features|labels)(_\w+)?")
LAYOUT = "signal and labels, or features and labels, with the same suffix where there are several"


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
        and no sampling rate, in the unit of the files; labels int64, -1 for unlabelled.

    Raises
    ------
    MissingData
        For a folder without recordings or dataset.json.
    InputError
        For a description or an archive that cannot be used. Pickled arrays are refused, because reading them would run
        code from the file.
    """
    folder = Path(folder)
    description = read_description(folder / "dataset.json")
    # Hidden files are not the reader's: macOS leaves a "._p1.npz" beside every p1.npz on foreign disks.
    paths = sorted(folder.glob("[!.]*.npz"))
    if not paths:
        raise MissingData(
            f"{folder}: no recordings",
            found="no *.npz",
            wanted="one *.npz a subject",
            todo=f"write them with save_folder of companion.fetch.folder, or with numpy.savez, each with {LAYOUT}",
        )
    kinds, recordings, file_rates = set(), [], {}
    for path in paths:
        arrays = _read_arrays(path)
        if "sampling_rate" in arrays:
            file_rates[path] = arrays.pop("sampling_rate")
        for kind, suffix in _recordings_in(path, arrays):
            kinds.add(kind)
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
    columns, channels = recordings[0].values.shape[1], description.get("channels")
    if channels is not None and len(channels) != columns:
        raise InputError(
            f"{folder / 'dataset.json'}: channels do not match the recordings",
            found=f"{len(channels)} names",
            wanted=f"{columns}, one a column",
        )
    return RecordingSet(
        folder.resolve().name, "real", tuple(description["classes"]), rate, tuple(recordings), framed=framed
    )


def read_description(path: Path) -> dict:
    """Return the content of dataset.json, with `classes` and `channels` checked."""
    if not path.is_file():
        raise MissingData(
            f"{path}: missing",
            wanted='a description such as {"classes": ["rest", "walk"], "sampling_rate": 50}',
            todo="write it beside the *.npz files",
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON", found=error, wanted="a JSON object in UTF-8") from error
    if not isinstance(description, dict) or "classes" not in description:
        content = list(description) if isinstance(description, dict) else type(description).__name__
        raise InputError(f"{path}: no classes", found=content, wanted='an object with "classes"')
    check_names(path, description)
    return description


def check_names(path: Path, description: dict) -> None:
    """Raise InputError for names of classes or channels that are no list of different names."""
    for key in ("classes", "channels"):
        names = description.get(key, ["unnamed"])
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise InputError(f"{path}: {key} cannot be used", found=names, wanted="a list of names")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{path}: {key} named twice", found=twice, wanted="different names")


def sampling_rate_of(path: Path, description: dict, file_rates: dict[Path, np.ndarray]) -> float:
    """Return the sampling rate (Hz) of dataset.json, which a file that holds one too must agree with."""
    rate: Any = description.get("sampling_rate")
    # To Python true is a number, and its json reads NaN and Infinity.
    if type(rate) not in (int, float) or not (math.isfinite(rate) and rate > 0):
        raise InputError(
            f"{path}: sampling_rate is missing or cannot be used",
            found=rate,
            wanted="samples a second, above 0",
            todo="add the sampling_rate of the signals",
        )
    for file, file_rate in file_rates.items():
        if file_rate.dtype.kind not in "iuf" or not np.isclose(file_rate, rate).all():
            raise InputError(
                f"{file}: sampling_rate differs from dataset.json",
                found=file_rate,
                wanted=rate,
                todo="resample the recording, or correct the wrong number",
            )
    return float(rate)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one file that have a name of the format; others are left unread."""
    arrays = {}
    try:
        with path.open("rb") as stream:  # opened here, because numpy leaves a damaged file open
            if not zipfile.is_zipfile(stream):  # numpy would take it for a pickle and say so
                raise zipfile.BadZipFile("not a zip archive, or cut off")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                for name in archive.files:
                    if ARRAY_NAME.fullmatch(name) or name == "sampling_rate":
                        arrays[name] = np.asarray(archive[name])
    except DAMAGE as error:
        if "Object arrays" in str(error):
            raise InputError(
                f"{path}: {name} is a pickled object array, and pickled arrays are refused",
                found="dtype object",
                wanted="numbers",
                todo="save it as float32 or int; recordings of different lengths go into arrays of "
                "their own with a suffix each",
            ) from error
        raise unreadable(
            f"{path}: cannot be read", error, "an .npz as numpy.savez writes it", "write or copy the file again"
        ) from error
    return arrays


def _recordings_in(path: Path, arrays: dict) -> list[tuple[str, str]]:
    """Return what each recording of a file holds, signal or features, and its suffix, in the order of the suffixes."""
    held: dict[str, set[str]] = {}
    for name in arrays:
        kind, suffix = cast(re.Match[str], ARRAY_NAME.fullmatch(name)).groups("")
        held.setdefault(suffix, set()).add(kind)
    for suffix, kinds in held.items():
        if len(kinds) != 2 or "labels" not in kinds:
            raise InputError(
                f"{path}: incomplete or ambiguous recording",
                found=", ".join(sorted(kind + suffix for kind in kinds)),
                wanted=LAYOUT,
                todo="label what is not labelled with -1",
            )
    if not held:
        raise InputError(f"{path}: neither signal nor features", wanted=LAYOUT)
    return [((held[suffix] - {"labels"}).pop(), suffix) for suffix in sorted(held)]


def values_of(path: Path | str, name: str, arrays: dict) -> np.ndarray:
    """Return an array as float32 `(samples, channels)` or `(frames, D)`. Raises InputError for anything else."""
    values = arrays[name]
    if values.dtype.kind not in "iuf" or values.ndim != 2:
        raise InputError(
            f"{path}: {name} cannot be used",
            found=f"{values.dtype} of shape {values.shape}",
            wanted="numbers, two-dimensional: (samples, channels) or (frames, D)",
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and Recording refuses that
        return np.ascontiguousarray(values, dtype=np.float32)


def labels_of(path: Path | str, name: str, arrays: dict) -> np.ndarray:
    """Return an array as int64. Raises InputError for what is no whole number."""
    labels = arrays[name]
    if labels.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} are not numbers", found=labels.dtype, wanted="integers")
    with np.errstate(invalid="ignore"):  # NaN and what does not fit come out different, which the next lines see
        integers = labels.astype(np.int64)
    if not (integers == labels).all():
        raise InputError(
            f"{path}: {name} are not integers",
            found=labels[integers != labels][0],
            wanted="an index into classes, or -1 for unlabelled",
        )
    return integers
