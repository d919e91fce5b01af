"""Write recordings as a folder in the neutral npz format, which `emargin.data.readers.npz.load_folder` reads.

    save_folder("data/mine", {"anna": (values, labels)}, classes=["rest", "walk"], sampling_rate=50)

Of CSV files, `emargin data import` makes such a folder in one command.
The folder's path is then the name of a data set: `Experiment(dataset="data/mine")`, `emargin run --dataset data/mine`.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from emargin.data.readers.npz import (
    MOST_CHARACTERS,
    UNPRINTABLE,
    check_names,
    check_times,
    labels_of,
    sampling_rate_of,
    values_of,
)
from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError
from emargin.files import clear, unfinished


def save_folder(
    folder: Path | str,
    recordings: Mapping[str, tuple[ArrayLike, ...] | list],
    *,
    classes: Sequence[str],
    sampling_rate: float | None = None,
    channels: Sequence[str] | None = None,
    report: str | None = None,
) -> None:
    """Write recordings in the neutral npz format, one file a subject, for `load_folder` to read.

    The folder appears when all of it is written, and not at all if anything is wrong.

    Parameters
    ----------
    folder : Path or str
        Where to, a folder that is not there yet.
    recordings : mapping
        Subject -> (values, labels) or (values, labels, times), or a list of these where a subject has several
        recordings. Values: `(samples, channels)` or, without a sampling rate, feature frames `(frames, D)`; stored as
        float32. Labels: one a row, a name out of `classes` or its index; unlabelled is -1, an empty name, None, NaN, NA
        or masked. Times: one a row, in seconds or as dates; by default the index of a table, where that holds dates.
        They are checked, and stored.
    classes : sequence of str
        Names in the order of the labels.
    sampling_rate : float, optional
        In Hz. None where the values are feature frames.
    channels : sequence of str, optional
        A name for each column. By default those of the tables, if values are pandas tables with names.
    report : str, optional
        How the recordings were made, written beside them as `report.txt`.

    Raises
    ------
    InputError
        For what `load_folder` would refuse, labels that are no class, masked values, tables whose columns differ, a
        subject that cannot name a file, and a folder that is there already, which is left as it is.
    """
    folder = Path(folder)
    kind = "features" if sampling_rate is None else "signal"
    for subject, several in recordings.items():
        _check_subject(subject)
        _check_recordings(subject, several)
    columns_of = _columns_of(recordings)
    if channels is None and columns_of and all(isinstance(name, str) for name in columns_of):
        channels = columns_of
    description: dict[str, Any] = {"classes": list(classes)}
    description |= {} if channels is None else {"channels": list(channels)}
    check_names(folder, description)
    rate = None
    if sampling_rate is not None:
        rate = sampling_rate.item() if isinstance(sampling_rate, np.generic) else sampling_rate
        rate = description["sampling_rate"] = sampling_rate_of(folder, {"sampling_rate": rate}, {})
    files: dict[str, dict[str, Any]] = {}
    checked = []
    for subject, several in recordings.items():
        several = several if isinstance(several, list) else [several]
        width = max(2, len(str(len(several) - 1)))  # read in the order of the suffixes, as text
        files[subject] = {}
        for number, (values, labels, *times) in enumerate(several):
            suffix = f"_{number:0{width}d}" if len(several) > 1 else ""
            where = f"recording {subject}{suffix}"
            arrays = {
                kind + suffix: _numbers(where, values),
                "labels" + suffix: _as_numbers(where, labels, description["classes"]),
            }
            arrays[kind + suffix] = values_of(subject, kind + suffix, arrays)
            arrays["labels" + suffix] = labels_of(subject, "labels" + suffix, arrays)
            checked.append(Recording(subject + suffix, subject, *arrays.values()))
            if (moments := _times(values, *times)) is not None:
                check_times(where, moments, len(checked[-1].values), rate)
                arrays["time" + suffix] = moments
            files[subject] |= arrays
    data = RecordingSet(folder.name, "real", tuple(classes), None, tuple(checked), framed=sampling_rate is None)
    columns = data.recordings[0].values.shape[1]
    if channels is not None and len(channels) != columns:
        raise InputError(
            f"{folder}: channels do not match the recordings",
            found=f"{len(channels)} names",
            wanted=f"{columns}, one a column",
        )
    with new_folder(folder) as beside:
        (beside / "dataset.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
        for subject, held in files.items():
            np.savez_compressed(beside / f"{subject}.npz", **held)
        if report is not None:
            (beside / "report.txt").write_text(report, encoding="utf-8")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, which takes the target's name at the end and is gone if anything fails.

    Raises
    ------
    InputError
        For a target that exists, or a place where no folder can be made.
    """
    if target.exists():
        raise InputError(
            f"{target}: there already",
            wanted="a folder that does not exist yet",
            todo="delete it first, or name another one",
        )
    with ExitStack() as made:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            clear(target.parent)
            beside = made.enter_context(unfinished(target, make=Path.mkdir))
        except OSError as error:
            what, found = f"{target} cannot be written", error.strerror or error
            wanted, todo = "a folder that may be made there", "choose another one"
            raise InputError(what, found=found, wanted=wanted, todo=todo) from error
        yield beside
        beside.rename(target)


def _check_subject(subject: object) -> None:
    """Raise InputError for a subject that cannot name a file."""
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= MOST_CHARACTERS
        or subject.startswith(".")
        or set(subject) & set("/\\")
        or UNPRINTABLE.search(subject)
    ):
        text = ascii(subject)
        raise InputError(
            "a subject cannot name a file",
            found=text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}...",
            wanted=f"a name of at most {MOST_CHARACTERS} characters without / and \\ that does not start with a dot",
        )


def _check_recordings(subject: str, several: object) -> None:
    """Raise InputError for what is neither values with labels nor a list of these."""
    for recording in several if isinstance(several, list) else [several]:
        if not isinstance(recording, tuple | list) or len(recording) not in (2, 3):
            found = f"{type(recording).__name__}" + (
                f" of {len(recording)}" if isinstance(recording, tuple | list) else ""
            )
            wanted = "(values, labels) or (values, labels, times), or a list of these"
            raise InputError(f"{subject}: no recording", found=found, wanted=wanted)


def _columns_of(recordings: Mapping[str, tuple[ArrayLike, ...] | list]) -> list:
    """Return the columns of the values that are tables, in their order. Raises InputError where they differ."""
    first: tuple[str, list] | None = None
    for subject, several in recordings.items():
        for values, *_ in several if isinstance(several, list) else [several]:
            if isinstance(values, pd.DataFrame):
                columns = list(values.columns)
                if first and columns != first[1]:
                    raise InputError(
                        "the tables have different columns",
                        found=f"{columns} of {subject}, {first[1]} of {first[0]}",
                        wanted="the same channels in the same order",
                        todo="choose the columns by name, as table[channels]",
                    )
                first = first or (subject, columns)
    return first[1] if first else []


def _numbers(where: str, values: ArrayLike) -> np.ndarray:
    """Return values as an array. Raises InputError for masked ones, and for columns of a table that are no numbers."""
    if isinstance(values, pd.DataFrame):
        for name, column in values.items():
            if not pd.api.types.is_numeric_dtype(column):
                raise InputError(
                    f"{where}: column {name} cannot be used", found=f"dtype {column.dtype}", wanted="numbers"
                )
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    masked = np.ma.getmaskarray(np.ma.asarray(values))
    if masked.any():
        raise InputError(
            f"{where}: {int(masked.sum())} values are masked",
            found=f"the first at sample {int(np.argwhere(masked)[0][0])}",
            wanted="measured values",
            todo="cut the recording there, or fill short stretches by interpolation",
        )
    return np.asarray(values)


def _times(values: ArrayLike, times: ArrayLike | None = None) -> np.ndarray | None:
    """Return the times of a recording, dates without their zone; None where none are given."""
    if times is None and isinstance(values, pd.DataFrame | pd.Series):
        times = values.index if isinstance(values.index, pd.DatetimeIndex | pd.TimedeltaIndex) else None
    if times is None:
        return None
    moments = pd.Index(times) if not isinstance(times, np.ndarray) else times
    if isinstance(moments, pd.DatetimeIndex) and moments.tz is not None:
        moments = moments.tz_convert("UTC").tz_localize(None)
    return np.asarray(moments)


def _as_numbers(where: str, labels: ArrayLike, classes: list[str]) -> np.ndarray:
    """Return class names as their indices, numbers as they are, and what is missing or masked as unlabelled.

    Raises InputError for labels that are no class, all of which it counts and lists.
    """
    listed = np.asarray(labels)
    masked = np.ma.getmaskarray(np.ma.asarray(labels))
    if listed.dtype.kind not in "OUT" or listed.ndim != 1:
        return np.where(masked, np.int64(UNLABELLED), listed) if masked.any() else listed
    missing = masked | pd.isna(listed.astype(object))
    numbers: dict = {name: number for number, name in enumerate(classes)}
    numbers |= {number: number for number in range(UNLABELLED, len(classes))}
    named = [UNLABELLED if gap or label == "" else label for label, gap in zip(listed.tolist(), missing, strict=True)]
    # True is equal to 1, but no class.
    wrong = [
        at
        for at, label in enumerate(named)
        if isinstance(label, bool) or not isinstance(label, Hashable) or label not in numbers
    ]
    if wrong:
        counts = Counter(repr(named[at]) for at in wrong).most_common(8)
        raise InputError(
            f"{where}: {len(wrong)} labels are no class",
            found=f"{', '.join(f'{label} ({number})' for label, number in counts)}, first at sample {wrong[0]}",
            wanted=f"{', '.join(classes[:20])}, or nothing for unlabelled",
            todo="correct the labels, or add them to classes",
        )
    return np.array([numbers[label] for label in named], dtype=np.int64)
