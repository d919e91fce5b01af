"""Make the folder of a data set from its unpacked archive, where that takes more than to pick files.

DSADS and SP-SW-HAR become the neutral npz format:

    convert_dsads("download/data", "data/dsads")
    convert_spsw("download/DATA", "data/spsw-har")

Both write one npz file a person and `dataset.json`. The target folder appears when all of it is written, and not at all
if anything is wrong with the source; one that is there already is never touched.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from companion.fetch.archives import pick
from companion.fetch.folder import new_folder
from emargin.data.readers.text import read_numbers
from emargin.data.readers.ucr import SIDES
from emargin.errors import InputError, MissingData

DSADS_PEOPLE, DSADS_ACTIVITIES, DSADS_SEGMENTS = 8, 19, 60
DSADS_ROWS, DSADS_COLUMNS = 125, 45  # of a file: five seconds at 25 Hz, nine channels of each of five sensors
DSADS_USED = [0, 1, 2, 27, 28, 29]  # acceleration of the torso and of the right leg
DSADS = {
    "classes": [
        "sitting",
        "standing",
        "lying on back",
        "lying on right side",
        "ascending stairs",
        "descending stairs",
        "standing in an elevator still",
        "moving around in an elevator",
        "walking in a parking lot",
        "walking on a treadmill flat",
        "walking on a treadmill 15 deg inclined",
        "running on a treadmill",
        "exercising on a stepper",
        "exercising on a cross trainer",
        "cycling horizontal",
        "cycling vertical",
        "rowing",
        "jumping",
        "playing basketball",
    ],
    "channels": ["torso acc x", "torso acc y", "torso acc z", "right leg acc x", "right leg acc y", "right leg acc z"],
    "sampling_rate": 25,
    "unit": "m/s^2",
}

SPSW_EXECUTIONS = {f"s{person:02d}": 10 for person in range(1, 24)} | {
    "s01": 6,
    "s02": 9,
    "s07": 11,
    "s08": 9,
    "s22": 9,
    "s23": 9,
}
SPSW_HEADER = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label"]
SPSW = {
    "classes": ["SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"],
    "channels": ["acc x", "acc y", "acc z", "gyro x", "gyro y", "gyro z"],
    "sampling_rate": 50,
    "unit": "m/s^2, rad/s",
}
SPSW_LONGEST = 3600  # seconds of an execution, which takes 9 to 15
UNPACK_AGAIN = "unpack the public archive again, under its own names"


def convert_dsads(source: Path | str, target: Path | str, people: Iterable[int] = range(1, DSADS_PEOPLE + 1)) -> None:
    """Convert Daily and Sports Activities (Barshan and Altun 2014), or some of its people.

    source: the folder with `a01/p1/s01.txt` to `a19/p8/s60.txt`, 125 rows of 45 numbers each.
    Writes p1.npz to p8.npz: `signal` float32 `(142500, 6)` in m/s^2, acceleration of the torso and of the right leg at
    25 Hz, and `labels` int8, the activity less one. A person's 19 activities come in the order of
    `numpy.random.default_rng(person).permutation(19)`, each as its 60 segments in order, so that not all people have
    the same neighbours; a change of activity is a cut, not a movement.
    Raises InputError for files that are missing, renamed, too many, or no such table, and for a target that exists.
    """
    source, people = Path(source), [int(person) for person in people]
    names = {
        person: {
            f"a{activity:02d}/p{person}/s{segment:02d}.txt"
            for activity in range(1, DSADS_ACTIVITIES + 1)
            for segment in range(1, DSADS_SEGMENTS + 1)
        }
        for person in range(1, DSADS_PEOPLE + 1)
    }
    _check_people(people, names)
    _check_files(
        source,
        _visible(source, "*"),
        wanted=set().union(*(names[person] for person in people)),
        known=set().union(*names.values()),
    )
    with new_folder(Path(target)) as folder:
        for person in people:
            order = np.random.default_rng(person).permutation(DSADS_ACTIVITIES)
            signal = [
                _read_segment(source / f"a{activity + 1:02d}/p{person}/s{segment:02d}.txt")
                for activity in order
                for segment in range(1, DSADS_SEGMENTS + 1)
            ]
            labels = np.repeat(order, DSADS_SEGMENTS * DSADS_ROWS).astype(np.int8)
            np.savez_compressed(
                folder / f"p{person}.npz",
                signal=np.concatenate(signal),
                labels=labels,
                sampling_rate=np.float32(DSADS["sampling_rate"]),
            )
        _describe(folder, DSADS)


def convert_spsw(source: Path | str, target: Path | str, people: Iterable[str] = tuple(SPSW_EXECUTIONS)) -> None:
    """Convert the smartphone part of SP-SW-HAR (Matey-Sanz, Casteleyn and Granell 2023), or some of its people.

    source: the folder with `s01/s01_01_sp.csv` to `s23/s23_09_sp.csv`, one file an execution of seated, standing up,
    walking, turning, sitting down; the files of the watch (`_sw.csv`) and others beside them are left alone.
    Writes s01.npz to s23.npz with `signal_00`, `labels_00` and so on: float32 `(samples, 6)`, acceleration in m/s^2 and
    angular velocity in rad/s, interpolated linearly at 50 Hz from the first time stamp (milliseconds, about 100 Hz, not
    always in order) to before the last; int8 labels, each that of the first row not before its sample.
    Raises InputError for files that are missing, renamed, too many, no such table or cut off before the sitting down,
    and for a target that exists.
    """
    source, people = Path(source), list(people)
    names = {
        person: [f"{person}/{person}_{execution:02d}_sp.csv" for execution in range(1, count + 1)]
        for person, count in SPSW_EXECUTIONS.items()
    }
    _check_people(people, names)
    _check_files(
        source,
        _visible(source, "*_sp.csv"),
        wanted={name for person in people for name in names[person]},
        known=set().union(*names.values()),
    )
    with new_folder(Path(target)) as folder:
        for person in people:
            arrays = {}
            for number, name in enumerate(names[person]):
                arrays[f"signal_{number:02d}"], arrays[f"labels_{number:02d}"] = _resampled(source / name)
            np.savez_compressed(folder / f"{person}.npz", sampling_rate=np.float32(SPSW["sampling_rate"]), **arrays)
        _describe(folder, SPSW)


def _check_people(people: list, names: dict) -> None:
    unknown = [person for person in people if person not in names]
    if unknown or not people:
        raise InputError("no such person in the set", found=unknown or "nobody", wanted=", ".join(map(str, names)))


def _visible(source: Path, pattern: str) -> set[str]:
    """Return files at any depth, relative to the source, without hidden ones, which macOS leaves about."""
    paths = (path.relative_to(source) for path in source.rglob(pattern) if path.is_file())
    return {path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)}


def _check_files(source: Path, present: set[str], wanted: set[str], known: set[str]) -> None:
    missing, unknown = sorted(wanted - present), sorted(present - known)
    if not present & known:
        raise MissingData(
            f"{source}: none of the public files",
            wanted=f"{min(wanted)} to {max(wanted)}",
            todo="name the folder that the archive was unpacked to, one level above these",
        )
    if missing or unknown:
        counts = [
            f"{len(names)} {what}, such as {names[0]}"
            for names, what in ((missing, "missing"), (unknown, "of another name"))
            if names
        ]
        raise InputError(
            f"{source}: not the files of the public archive",
            found="; ".join(counts),
            wanted=f"{len(wanted)} files, {min(wanted)} to {max(wanted)}",
            todo=UNPACK_AGAIN,
        )


def _read_segment(path: Path) -> np.ndarray:
    """Return the six channels of one file, float32 `(125, 6)`."""
    table = read_numbers(
        path, ",", wanted=f"{DSADS_ROWS} rows of {DSADS_COLUMNS} numbers separated by commas", todo=UNPACK_AGAIN
    )
    if table.shape != (DSADS_ROWS, DSADS_COLUMNS) or not np.isfinite(table).all():
        raise InputError(
            f"{path}: truncated, or not a file of the set",
            found=f"{table.shape[0]} rows of "
            f"{table.shape[1]} numbers, {(~np.isfinite(table)).sum()} of them not finite",
            wanted=f"{DSADS_ROWS} rows of {DSADS_COLUMNS} finite numbers",
            todo=UNPACK_AGAIN,
        )
    return table[:, DSADS_USED].astype(np.float32)


def _resampled(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return an execution at 50 Hz: signal float32 `(samples, 6)` and labels int8 `(samples,)`."""
    values, stamps, labels = _read_execution(path)
    order = np.argsort(stamps, kind="stable")
    seconds, values, labels = stamps[order] / 1000, values[order], labels[order]
    if seconds[-1] - seconds[0] > SPSW_LONGEST:
        raise InputError(
            f"{path}: too long",
            found=f"time stamps over {seconds[-1] - seconds[0]:g} s",
            wanted=f"at most {SPSW_LONGEST} s",
            todo=UNPACK_AGAIN,
        )
    grid = np.arange(seconds[0], seconds[-1], 1 / SPSW["sampling_rate"])
    if len(grid) < 2:
        raise InputError(
            f"{path}: too short", found=f"{seconds[-1] - seconds[0]:g} s", wanted="some seconds", todo=UNPACK_AGAIN
        )
    signal = np.stack([np.interp(grid, seconds, column) for column in values.T], axis=1).astype(np.float32)
    # The grid ends before the last time stamp, but for rounding.
    return signal, labels[np.minimum(np.searchsorted(seconds, grid), len(labels) - 1)]


def _read_execution(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values float64 `(rows, 6)`, time stamps int64 (ms) and labels int8 of a file, in the order of its rows."""
    values, stamps, labels = [], [], []
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        rows = csv.reader(stream)
        header = _next_row(rows) or []
        if header != SPSW_HEADER:
            raise InputError(
                f"{path}: other columns",
                found=", ".join(header)[:200] or "an empty file",
                wanted=", ".join(SPSW_HEADER),
                todo=UNPACK_AGAIN,
            )
        while (row := _next_row(rows)) is not None:
            try:
                *numbers, stamp, label = row
                values.append([float(number) for number in numbers])
                stamps.append(int(stamp))
                labels.append(SPSW["classes"].index(label))
                usable = len(numbers) == 6 and np.isfinite(values[-1]).all() and abs(stamps[-1]) < 1 << 53
            except ValueError:  # too few columns, no number, or no such label
                usable = False
            if not usable:
                raise InputError(
                    f"{path}: line {rows.line_num} cannot be read",
                    found=",".join(row)[:200],
                    wanted=f"six finite numbers, a time stamp in ms and one of {', '.join(SPSW['classes'])}",
                    todo=UNPACK_AGAIN,
                )
    if SPSW["classes"].index("SITTING_DOWN") not in labels:
        raise InputError(
            f"{path}: truncated",
            found=f"{len(labels)} rows without SITTING_DOWN",
            wanted="a whole execution, which ends with it",
            todo=UNPACK_AGAIN,
        )
    return np.array(values), np.array(stamps), np.array(labels, dtype=np.int8)


def _next_row(rows: Iterator[list[str]]) -> list[str] | None:
    """Return the next row, None at the end; one that csv cannot read, such as a field without end, as its message."""
    try:
        return next(rows, None)
    except csv.Error as error:
        return [str(error)]


def _describe(folder: Path, description: dict) -> None:
    (folder / "dataset.json").write_text(json.dumps(description, indent=1), encoding="utf-8")


def install_dsads(unpacked: Path, made: Path) -> None:
    """Convert DSADS from wherever it lies in its archive."""
    convert_dsads(_parent_of(unpacked, "a01/p1/s01.txt"), made)


def install_spsw(unpacked: Path, made: Path) -> None:
    """Convert SP-SW-HAR from wherever it lies in its archive."""
    convert_spsw(_parent_of(unpacked, "s01/s01_01_sp.csv"), made)


def install_ucr(unpacked: Path, made: Path) -> None:
    """Take the archive's .tsv files as they are, or else its .ts files in their form; `made` has the set's name."""
    name = made.name
    if any(unpacked.rglob(f"{name}_TRAIN.tsv")):
        pick(unpacked, made, *(f"{name}_{side}.tsv" for side in SIDES))
        return
    pick(unpacked, made, *(f"{name}_{side}.ts" for side in SIDES))
    for side in SIDES:
        path = made / f"{name}_{side}.ts"
        path.with_suffix(".tsv").write_text(_tsv(path), encoding="utf-8")
        path.unlink()


def _parent_of(unpacked: Path, first: str) -> Path:
    """Return the folder that holds the set's first file."""
    parents = [
        path.parents[first.count("/")]
        for path in sorted(unpacked.rglob(PurePosixPath(first).name))
        if path.as_posix().endswith(f"/{first}")
    ]
    if len(parents) != 1:
        raise InputError(
            "the archive does not hold the set",
            found=f"{len(parents)} files {first}",
            wanted="one",
            todo="look at what the archive's page says",
        )
    return parents[0]


def _tsv(path: Path) -> str:
    """Return the series of a .ts file, `value,value,...:class` after `@data`, class first and digits as they are."""
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#@":
            continue
        values, *rest = line.split(":")
        if len(rest) != 1 or "(" in values:
            raise InputError(
                f"{path.name}, line {number}: not a series of one channel with a class",
                found=repr(line[:80]),
                wanted="value,value,...:class",
                todo="choose another set",
            )
        lines.append("\t".join([rest[0], *values.split(",")]).replace("?", "NaN"))
    return "\n".join(lines) + "\n"
