"""The times of rows, from text: dates with or without a zone, seconds, or counts since 1970.

times = parse_times(table, unit=None, pattern=None)
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from companion.importing.tables import Table, counted, shown
from emargin.errors import InputError

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}  # in nanoseconds
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
FIRST, LAST = 1e8, 4.2e9  # seconds since 1970 that are taken for dates: 1973 to 2103; fewer are seconds of a clock
ZONE = r":\d{2}(?:\.\d+)?\s*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
CLOCK = r"\d{1,3}:\d{2}:\d{2}(?:\.\d+)?"
HOUR, HALF_DAY = 3600 * 10**9, 12 * 3600 * 10**9
ISO = "a date as 2026-01-31T13:45:00.02, with or without a zone, seconds, or a count since 1970 in s, ms, us or ns"


@dataclass(frozen=True)
class Times:
    """Times of the rows of a table.

    Attributes
    ----------
    nanoseconds : ndarray
        Int64 `(rows,)`, since 1970 where they are dates.
    what : str
        What the column was taken for.
    dated : bool
        They are dates, which files have in common; not seconds of a clock that starts anywhere.
    """

    nanoseconds: np.ndarray
    what: str
    dated: bool


def parse_times(table: Table, column: str, *, unit: str | None = None, pattern: str | None = None) -> Times:
    """Return the times of a table's rows.

    Parameters
    ----------
    table : Table
    column : str
        What the file calls it, for errors.
    unit : {"s", "ms", "us", "ns"}, optional
        Of numbers. By default seconds, or a count since 1970 whose unit follows from its size.
    pattern : str, optional
        Of dates that are not ISO 8601, as strptime has it.

    Raises
    ------
    InputError
        For the first cell that is no time, with its line, and for times that may be meant in two ways.
    """
    cells = table.cells["time"]
    _check(table, column, cells.eq("").to_numpy(), "no time", "a time in each row")
    # A decimal comma, as in Python's log files, too; ISO 8601 knows UTC as Z.
    dotted = cells.str.replace(",", ".", regex=False).str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    if pattern is not None:
        moments = pd.to_datetime(cells, format=pattern, errors="coerce", utc=True)
        _check(table, column, moments.isna().to_numpy(), "no time of the given form", pattern)
        return _dates(table, column, moments, f"dates of the form {pattern}", zoned="%z" in pattern)
    numbers = pd.to_numeric(dotted, errors="coerce").to_numpy(dtype=np.float64)
    if np.isfinite(numbers[0]):
        _check(table, column, ~np.isfinite(numbers), "no number, as the times before are", "a number")
        return _counted(table, column, dotted, numbers, unit)
    if dotted.str.fullmatch(CLOCK).all():
        times = pd.to_timedelta(dotted).dt.as_unit("ns").astype(np.int64).to_numpy()
        wrong = np.diff(times, prepend=times[:1]) < -HALF_DAY
        _check(
            table, column, wrong, "the clock goes back by half a day or more, as at midnight", "times with their date"
        )
        return Times(times, "times of a clock", dated=False)
    moments = pd.to_datetime(dotted, format="ISO8601", errors="coerce", utc=True)
    todo = "give the form of other dates, as --time-format '%d.%m.%Y %H:%M:%S.%f'"
    _check(table, column, moments.isna().to_numpy(), "not a time", ISO, todo)
    zoned = dotted.str.contains(ZONE).to_numpy()
    _check(table, column, zoned != zoned[0], "a zone in some times alone", "a zone in all times, or in none")
    what = "dates with a zone" if zoned[0] else "dates without a zone"
    return _dates(table, column, moments, what, zoned=bool(zoned[0]))


def _check(table: Table, column: str, wrong: np.ndarray, what: str, wanted: str, todo: str | None = None) -> None:
    """Raise InputError for the first row that is marked as wrong."""
    if wrong.any():
        row = int(np.argmax(wrong))
        found = f"{shown(table.cells['time'].iloc[row])!r}; {counted(int(wrong.sum()), 'such row')}"
        raise InputError(f"{table.place(row, column)}: {what}", found=found, wanted=wanted, todo=todo)


def _dates(table: Table, column: str, moments: pd.Series, what: str, *, zoned: bool) -> Times:
    try:
        times = moments.dt.as_unit("ns").astype(np.int64).to_numpy()
    except pd.errors.OutOfBoundsDatetime as error:
        raise InputError(f"{table.path}, column {column}: out of bounds", found=error, wanted="1678 to 2261") from error
    back = np.diff(times, prepend=times[:1])
    if not zoned:
        wrong = (back <= -HOUR + 60 * 10**9) & (back >= -HOUR - 10**9)
        wanted = "times in UTC, or with their zone, as 02:30:00+01:00"
        _check(table, column, wrong, "times go back by an hour, as where summer time ends", wanted)
    return Times(times, what, dated=True)


def _counted(table: Table, column: str, cells: pd.Series, numbers: np.ndarray, unit: str | None) -> Times:
    """Return numbers as times; whole ones exactly."""
    dated = False
    if unit is None:
        size = float(np.abs(numbers).max())
        unit = next((unit for unit in UNITS if FIRST <= size * UNITS[unit] / 1e9 <= LAST), None)
        if size < FIRST:
            unit = "s"
        elif unit is None:
            row = int(np.argmax(np.abs(numbers)))
            raise InputError(
                f"{table.place(row, column)}: a number that is no time since 1970 in any unit",
                found=shown(cells.iloc[row]),
                wanted=ISO,
                todo="name the unit of the numbers, as --time-unit us",
            )
        else:
            dated = True
            outside = np.abs(numbers) < FIRST * 1e9 / UNITS[unit]
            what = f"a number in another unit than most, which are {NAMES[unit]} since 1970"
            _check(table, column, outside, what, "times in one unit")
    # The size that is given could overflow: 2**63 ns are 292 years.
    _check(table, column, np.abs(numbers) > 9e18 / UNITS[unit], f"beyond all times in {NAMES[unit]}", ISO)
    if cells.str.fullmatch(r"[+-]?\d{1,19}").all():
        times = cells.astype(np.int64).to_numpy() * UNITS[unit]
    else:
        times = np.rint(numbers * UNITS[unit]).astype(np.int64)
    return Times(times, f"{NAMES[unit]} since 1970" if dated else NAMES[unit], dated)
