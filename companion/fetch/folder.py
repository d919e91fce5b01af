"""Write recordings as a folder in the neutral npz format, which `emargin.data.readers.npz.load_folder` reads.

    save_folder("data/mine", {"anna": (values, labels)}, classes=["rest", "walk"], sampling_rate=50)

The folder's path is then the name of a data set: `Experiment(dataset="data/mine")`, `emargin run --dataset data/mine`.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from emargin.data.readers.npz import check_names, labels_of, sampling_rate_of, values_of
from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError


def save_folder(
    folder: Path | str,
    recordings: Mapping[str, tuple[ArrayLike, ArrayLike] | list],
    *,
    classes: Sequence[str],
    sampling_rate: float | None = None,
    channels: Sequence[str] | None = None,
) -> None:
    """Write recordings in the neutral npz format, one file a subject, for `load_folder` to read.

    The folder appears when all of it is written, and not at all if anything is wrong.

    Parameters
    ----------
    folder : Path or str
        Where to, a folder that is not there yet.
    recordings : mapping
        Subject -> (values, labels), or a list of such pairs where a subject has several recordings. Values:
        `(samples, channels)` or, without a sampling rate, feature frames `(frames, D)`; stored as float32. Labels: one
        a row, a name out of `classes` or its index; unlabelled is -1, an empty name, None or NaN.
    classes : sequence of str
        Names in the order of the labels.
    sampling_rate : float, optional
        In Hz. None where the values are feature frames.
    channels : sequence of str, optional
        A name for each column.

    Raises
    ------
    InputError
        For what `load_folder` would refuse, a label that is no class, a subject that cannot name a file, and a folder
        that is there already, which is left as it is.
    """
    folder = Path(folder)
    kind = "features" if sampling_rate is None else "signal"
    description = {"classes": list(classes)} | ({} if channels is None else {"channels": list(channels)})
    check_names(folder, description)
    if sampling_rate is not None:
        rate = sampling_rate.item() if isinstance(sampling_rate, np.generic) else sampling_rate
        description["sampling_rate"] = sampling_rate_of(folder, {"sampling_rate": rate}, {})
    files, checked = {}, []
    for subject, pairs in recordings.items():
        if not isinstance(subject, str) or not subject or subject.startswith(".") or set(subject) & set("/\\"):
            raise InputError(
                "a subject cannot name a file",
                found=repr(subject),
                wanted="a name without / and \\ that does not start with a dot",
            )
        pairs = pairs if isinstance(pairs, list) else [pairs]
        width = max(2, len(str(len(pairs) - 1)))  # read in the order of the suffixes, as text
        files[subject] = {}
        for number, (values, labels) in enumerate(pairs):
            suffix = f"_{number:0{width}d}" if len(pairs) > 1 else ""
            arrays = {
                kind + suffix: np.asarray(values),
                "labels" + suffix: _as_numbers(f"{subject}{suffix}", np.asarray(labels), description["classes"]),
            }
            arrays[kind + suffix] = values_of(subject, kind + suffix, arrays)
            arrays["labels" + suffix] = labels_of(subject, "labels" + suffix, arrays)
            checked.append(Recording(subject + suffix, subject, *arrays.values()))
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
        for subject, arrays in files.items():
            np.savez_compressed(beside / f"{subject}.npz", **arrays)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, which takes the target's name at the end and is gone if anything fails.

    Raises
    ------
    InputError
        For a target that exists.
    """
    if target.exists():
        raise InputError(
            f"{target}: there already",
            wanted="a folder that does not exist yet",
            todo="delete it first, or name another one",
        )
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        yield beside
        beside.rename(target)
    finally:
        if beside.exists():
            shutil.rmtree(beside)


def _as_numbers(where: str, labels: np.ndarray, classes: list[str]) -> np.ndarray:
    """Return class names as their indices, and numbers as they are."""
    if labels.dtype.kind not in "OUT" or labels.ndim != 1:
        return labels
    # NaN, which is what a table has in an empty cell, is the one value that differs from itself.
    named = [UNLABELLED if label is None or label != label or label == "" else label for label in labels.tolist()]
    numbers = {name: number for number, name in enumerate(classes)}
    numbers |= {number: number for number in range(UNLABELLED, len(classes))}
    for sample, label in enumerate(named):
        if label not in numbers:
            raise InputError(
                f"recording {where}: no such class",
                found=f"{label!r} at sample {sample}",
                wanted=f"{', '.join(classes)}, or nothing for unlabelled",
                todo="correct the label, or add it to classes",
            )
    return np.array([numbers[label] for label in named], dtype=np.int64)
