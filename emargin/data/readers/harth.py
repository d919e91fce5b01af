"""Acceleration of back and thigh with activity labels: HARTH, the paper's own set, from its public CSV files.

    recordings = load_harth(Path("data/harth"))

One file a person, one row a sample: a time stamp, three axes of the sensor on the lower back, three of the one on the
thigh, and the code of the activity (Logacjov et al. 2021, HARTH: A Human Activity Recognition Dataset for Machine
Learning).
"""

import re
import warnings
from pathlib import Path

import numpy as np

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData

SAMPLING_RATE = 50  # Hz
STEP = 1_000_000_000 // SAMPLING_RATE  # nanoseconds
STAMP_ERROR = 1_000_000  # nanoseconds: the stamps are rounded to milliseconds
FRAME = 50  # samples: one second, the paper's frame
# The release of 22 people that the paper uses; a later one holds 31.
SUBJECTS = ("S006", "S008", "S009", "S010", *(f"S{number:03}" for number in range(12, 30)))
# The stamps of this one file are 10 ms apart, although the set is published as sampled at 50 Hz.
STEP_OF_SUBJECT = {"S006": STEP // 2}

ACTIVITIES = {
    1: "walking",
    2: "running",
    3: "shuffling",
    4: "stairs (ascending)",
    5: "stairs (descending)",
    6: "standing",
    7: "sitting",
    8: "lying",
    13: "cycling (sit)",
    14: "cycling (stand)",
    130: "cycling (sit, inactive)",
    140: "cycling (stand, inactive)",
}
CODES = np.array(list(ACTIVITIES))  # ascending
AXES = ["back_x", "back_y", "back_z", "thigh_x", "thigh_y", "thigh_z"]
# Some files were published with the row numbers of the table that they were cut from: S015, S021 and S023.
HEADERS = (["timestamp", *AXES, "label"], ["timestamp", "index", *AXES, "label"], ["", "timestamp", *AXES, "label"])
DOWNLOAD_AGAIN = "download the set again from the UCI archive, number 779"


def load_harth(folder: Path) -> RecordingSet:
    """Read HARTH from the folder with its 22 files S006.csv to S029.csv.

    Returns values `(samples, 6)` in g at 50 Hz, three axes of the back and three of the thigh, and labels 0 to 11 for
    the codes 1 to 8, 13, 14, 130 and 140 in this order; the last, cycling (stand, inactive), is the paper's class 11.

    The rows of a file are taken as consecutive samples at 50 Hz, each with its own label; time stamps only tell where
    rows are missing. Where 50 or more are (one second), a new recording of the same subject starts (S006-01, S006-02
    and so on), because a sequence must not run across the cut; a piece of less than 50 rows, too short for a frame, is
    left out. Shorter holes are joined. One warning counts all that, and says that the stamps of S006 are 10 ms apart:
    its rows are read at the published 50 Hz like all others; if its stamps were right, it would be sampled at 100 Hz.

    Raises MissingData where there are no files; InputError for a file that is missing, cut off or not of this format,
    for time stamps that repeat or go back, for another rate, an unknown code, or a value that is not finite.
    """
    folder = Path(folder)
    _check_subjects(folder)
    recordings, repairs = [], []
    for subject in SUBJECTS:
        values, labels, stamps = _read_file(folder / f"{subject}.csv")
        pieces, repair = _pieces(folder / f"{subject}.csv", stamps)
        repairs += repair
        for number, piece in enumerate(pieces, start=1):
            name = subject if len(pieces) == 1 else f"{subject}-{number:02}"
            recordings.append(Recording(name, subject, values[piece], labels[piece]))
    if repairs:
        warnings.warn(f"HARTH, time stamps: {'; '.join(repairs)}", stacklevel=2)
    return RecordingSet("harth", "real", tuple(ACTIVITIES.values()), float(SAMPLING_RATE), tuple(recordings))


def _check_subjects(folder: Path):
    present = {path.stem for path in folder.glob("S*.csv") if re.fullmatch(r"S\d{3}", path.stem)}
    if not present:
        raise MissingData(
            f"{folder}: no HARTH files",
            found="no S006.csv or other",
            wanted="S006.csv to S029.csv",
            todo="download HARTH from the UCI archive, number 779, and unpack its CSV files here",
        )
    missing, unknown = sorted(set(SUBJECTS) - present), sorted(present - set(SUBJECTS))
    if missing or unknown:
        raise InputError(
            f"{folder}: not the 22 people of HARTH's first release",
            wanted=", ".join(SUBJECTS),
            found="; ".join(
                [f"no {name}.csv" for name in missing] + [f"{name}.csv of another release" for name in unknown]
            ),
            todo="unpack the files of the UCI archive, number 779, into a folder of their own",
        )


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values float32 `(samples, 6)` in g, labels int64 `(samples,)` and time stamps int64 `(samples,)` in ns."""
    import pandas  # slow to import, and simulators do not need it

    with path.open("rb") as stream:
        header, first_row = (
            stream.readline().decode("utf-8", errors="replace").rstrip("\r\n").split(",") for _ in range(2)
        )
        stream.seek(-min(path.stat().st_size, 1), 2)
        ends_in_newline = stream.read() == b"\n"
    if header not in HEADERS:
        raise InputError(
            f"{path}: unexpected columns",
            found=", ".join(header)[:200] or "none",
            wanted=", ".join(HEADERS[0]),
            todo=DOWNLOAD_AGAIN,
        )
    if not ends_in_newline:
        raise InputError(
            f"{path}: truncated", found="the last line has no end", wanted="whole lines", todo=DOWNLOAD_AGAIN
        )
    if len(first_row) > len(header):  # in a later row pandas refuses it; in all of them it would drop fields
        raise InputError(
            f"{path}, line 2: more fields than columns", found=len(first_row), wanted=len(header), todo=DOWNLOAD_AGAIN
        )
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and Recording refuses that
            table = pandas.read_csv(
                path,
                header=0,
                names=header,
                index_col=False,
                usecols=HEADERS[0],
                dtype=dict.fromkeys(AXES, np.float32) | {"timestamp": str, "label": np.int64},
            )
        time = pandas.to_datetime(table["timestamp"], format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{path}: cannot be read",
            found=error,
            todo=DOWNLOAD_AGAIN,
            wanted="a time stamp, six numbers and a whole number in every line",
        ) from error
    if len(table) < 2:
        raise InputError(f"{path}: no samples", found=f"{len(table)} rows", wanted="many", todo=DOWNLOAD_AGAIN)
    codes = table["label"].to_numpy()
    unknown = ~np.isin(codes, CODES)
    for what, wrong, column, wanted in (
        ("no time stamp", time.isna().to_numpy(), "timestamp", "a date and time"),
        ("unknown activity", unknown, "label", f"one of {CODES.tolist()}"),
    ):
        if wrong.any():
            raise InputError(
                f"{path}, line {wrong.argmax() + 2}: {what}",
                found=table[column].iloc[wrong.argmax()],
                wanted=wanted,
                todo=DOWNLOAD_AGAIN,
            )
    stamps = time.to_numpy("datetime64[ns]").astype(np.int64)
    return table[AXES].to_numpy(np.float32), np.searchsorted(CODES, codes), stamps


def _pieces(path: Path, stamps: np.ndarray) -> tuple[list[slice], list[str]]:
    """Return the stretches of rows without a gap of a second or more, and remarks about the time stamps."""
    steps, subject = np.diff(stamps), path.stem
    if (steps <= 0).any():
        row = int((steps <= 0).argmax()) + 1
        raise InputError(
            f"{path}, line {row + 2}: the time stamp repeats or goes back",
            found=f"{steps[row - 1] / 1e6:g} ms after the one before",
            wanted="ascending time stamps",
            todo=DOWNLOAD_AGAIN,
        )
    step, wanted = float(np.median(steps)), STEP_OF_SUBJECT.get(subject, STEP)
    if abs(step - wanted) > STAMP_ERROR:
        raise InputError(
            f"{path}: wrong sampling rate",
            found=f"time stamps {step / 1e6:g} ms apart",
            wanted=f"{wanted / 1e6:g} ms",
            todo=DOWNLOAD_AGAIN,
        )
    gaps = np.flatnonzero(steps > FRAME * wanted) + 1
    holes = int((steps > 1.5 * wanted).sum()) - len(gaps)
    edges = [0, *gaps.tolist(), len(stamps)]
    pieces = [slice(start, end) for start, end in zip(edges[:-1], edges[1:], strict=True) if end - start >= FRAME]
    if not pieces:
        raise InputError(
            f"{path}: no second without a gap",
            found=f"{len(gaps)} gaps in {len(stamps)} rows",
            wanted=f"{FRAME} consecutive samples",
            todo=DOWNLOAD_AGAIN,
        )
    left_out = len(edges) - 1 - len(pieces)
    counts = (
        (len(gaps), "gaps of a second or more cut it"),
        (holes, "shorter holes are joined"),
        (left_out, "pieces of less than a second are left out"),
    )
    repair = [f"{subject}: {count} {what}" for count, what in counts if count]
    if wanted != STEP:
        repair.append(f"{subject}: {wanted / 1e6:g} ms apart, read at {SAMPLING_RATE} Hz all the same")
    return pieces, repair
