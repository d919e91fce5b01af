"""The UCR archive: series that have one class each, in the archive's .tsv files and its own split.

    recordings = load_ucr(Path("data/ucr/SwedishLeaf"))

A folder NAME holds `NAME_TRAIN.tsv` and `NAME_TEST.tsv`: a line a series, numbers separated by tabs, the class first.
"""

from pathlib import Path

import numpy as np

from emargin.data.readers.text import read_numbers
from emargin.data.recordings import NOTES, Recording, RecordingSet
from emargin.errors import InputError, MissingData

SIDES = ("TRAIN", "TEST")


def load_ucr(folder: Path) -> RecordingSet:
    """Read one set of the archive.

    Returns one recording a series: values `(samples, 1)` in the unit of the files (most sets are standardised series by
    series), labels all the series' class. `classes` are the class numbers of the files, which may start anywhere, in
    ascending order. The archive gives no sampling rate, so it is 1: time counts in samples. The subject of a series is
    its file, TRAIN or TEST, and the one fold tests on TEST, as the archive does.
    Raises InputError for files that are missing or no such table, for classes that are no whole numbers, and for
    missing values: sets whose series differ in length are padded with NaN. An experiment with quality "cut" or "split"
    leaves these out.
    """
    folder = Path(folder)
    tables = {side: _read_table(_path(folder, side)) for side in SIDES}
    lengths = {side: table.shape[1] - 1 for side, table in tables.items()}
    if lengths["TRAIN"] != lengths["TEST"]:
        raise InputError(
            f"{folder}: TRAIN and TEST differ in length",
            found=f"{lengths['TRAIN']} and {lengths['TEST']} values a series",
            wanted="one length",
        )
    numbers = np.unique(np.concatenate([table[:, 0] for table in tables.values()]))
    recordings = [
        Recording(
            f"{folder.name} {side} {number}",
            side,
            series[1:, None].astype(np.float32),
            np.full(len(series) - 1, np.searchsorted(numbers, series[0])),
        )
        for side, table in tables.items()
        for number, series in enumerate(table, 1)
    ]
    return RecordingSet(
        f"ucr-{folder.name}",
        "real",
        tuple(str(int(number)) for number in numbers),
        1.0,
        tuple(recordings),
        test_subjects=(frozenset({"TEST"}),),
    )


def classes_and_length(folder: Path) -> tuple[int, int]:
    """Return number of classes and values in a series, without reading the values: what settings depend on.

    Raises
    ------
    MissingData
        For files that are missing.
    InputError
        For files that do not start with a class in each line.
    """
    classes: set[float] = set()
    length = 0
    for side in SIDES:
        path = _path(Path(folder), side)
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                label, *values = line.split("\t", 1)
                length = length or (values[0].count("\t") + 1 if values else 0)
                try:
                    classes.add(float(label))
                except ValueError as error:
                    raise InputError(
                        f"{path}: line {number} has no class", found=repr(label[:20]), wanted="a class, a tab, values"
                    ) from error
    if not length:
        raise InputError(f"{folder}: no series", wanted="a class and values in each line, separated by tabs")
    return len(classes), length


def _path(folder: Path, side: str) -> Path:
    path = folder / f"{folder.name}_{side}.tsv"
    if not path.is_file():
        raise MissingData(
            f"{path}: missing",
            wanted="the .tsv files of the UCR archive, called like their folder",
            todo="unpack the set again, under the archive's own names",
        )
    return path


def _read_table(path: Path) -> np.ndarray:
    """Return class and values of every series, float64 `(series, 1 + samples)`."""
    table = read_numbers(
        path,
        "\t",
        wanted="a class and the same number of values in each line, separated by tabs",
        todo="unpack the set again",
    )
    if table.shape[0] == 0 or table.shape[1] < 2:
        raise InputError(
            f"{path}: no series",
            found=f"{table.shape[0]} lines of {table.shape[1]} columns",
            wanted="a class and at least one value in each line",
        )
    whole = np.isfinite(table[:, 0]) & (table[:, 0] == np.round(table[:, 0]))
    if not whole.all():
        raise InputError(
            f"{path}: classes are no whole numbers", found=table[~whole, 0][0], wanted="whole numbers in column 1"
        )
    _check_gaps(path, table)
    return table


def _check_gaps(path: Path, table: np.ndarray) -> None:
    """Raise InputError for missing values, but not within `as_they_are`."""
    gaps = np.isnan(table).sum(1)
    if gaps.any() and NOTES.get() is None:
        first = int(np.argmax(gaps > 0))
        raise InputError(
            f"{path}: {(gaps > 0).sum()} series hold NaN: values are missing, or the series differ in "
            "length and are padded",
            found=f"{gaps[first]} NaN in series {first + 1}",
            wanted="series of one length without gaps",
            todo="take quality cut, which leaves missing values out and keeps the archive's split; "
            "a series without a whole sequence has no part in a run, so lower sequence_length",
        )
