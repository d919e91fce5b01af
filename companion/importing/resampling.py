"""From rows with times to recordings at one rate, cut at gaps.

parts, notes = recordings_at(rows, rate=50, gap=1.0)
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import resample_poly

from companion.importing.tables import counted
from emargin.data.readers.npz import usual_step
from emargin.errors import InputError

SECOND = 10**9  # nanoseconds
ON_GRID, ON_COARSE_GRID = 0.1, 0.4  # samples: rows as near to the grid as this are taken as they are
SAME_RATE = 0.01  # rates that differ by less need no filter
MOST_MADE_UP = 20  # samples a row
MOST_REDUCED = 1000  # rows a sample


@dataclass(frozen=True)
class Rows:
    """Rows of one person in one file, by time.

    Attributes
    ----------
    where : str
        What errors call them.
    times : ndarray
        Int64 `(rows,)`, nanoseconds, each later than the one before.
    values : ndarray
        Float64 `(rows, channels)`, all finite.
    labels : ndarray
        Of text `(rows,)`.
    lines : ndarray
        Int64 `(rows,)`, for errors and the report.
    """

    where: str
    times: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    lines: np.ndarray


@dataclass
class Resampled:
    """Recordings at one rate, and what was done for them.

    Attributes
    ----------
    recordings : list of (ndarray, ndarray)
        Float64 values `(samples, channels)` and labels `(samples,)`.
    found : float
        The rate of the rows, in Hz.
    method : str
        How the samples were made.
    gaps : list of str
    interpolated : int
        Samples at which no row was near enough to be taken.
    left_out : list of str
        Pieces that make no recording, with the reason.
    """

    recordings: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    found: float = 0.0
    method: str = ""
    gaps: list[str] = field(default_factory=list)
    interpolated: int = 0
    left_out: list[str] = field(default_factory=list)


def resampled(rows: Rows, rate: float, gap: float | None) -> Resampled:
    """Return recordings at a rate.

    Rows that lie on the grid of the rate, as far as times in whole milliseconds can say, are taken as they are, and
    those that lack there are interpolated linearly. Other rows of about the rate, or of a lower one, are interpolated
    linearly. Rows of a higher rate go to a multiple of the rate first; then a low-pass filter without delay (scipy's
    `resample_poly`) takes out what the rate cannot hold. Each sample has the label of the nearest row, of the earlier
    one of two. Nothing reaches across a gap.

    Parameters
    ----------
    rows : Rows
    rate : float
        In Hz.
    gap : float or None
        Seconds without a row that end a recording. By default one second, or three usual steps if they are longer.

    Raises
    ------
    InputError
        For fewer than two rows, a rate that is far from that of the rows, and a gap shorter than the usual step.
    """
    if len(rows.times) < 2:
        found, wanted = counted(len(rows.times), "complete row"), "2 or more, with a number in each channel"
        raise InputError(f"{rows.where}: too few samples", found=found, wanted=wanted)
    steps = np.diff(rows.times) / SECOND
    usual = usual_step(np.concatenate([[0.0], np.cumsum(steps)]))
    longest = max(1.0, 3 * usual) if gap is None else gap
    done = Resampled(found=1 / usual)
    _check_rate(rows, done.found, rate)
    if longest < usual:
        what, wanted = f"{rows.where}: a gap shorter than the usual step", f"more than {usual:g} s"
        raise InputError(what, found=f"{gap:g} s", wanted=wanted, todo="state a longer one with --gap")
    cuts = np.flatnonzero(steps > longest) + 1
    done.gaps = [f"{steps[cut - 1]:.6g} s before line {rows.lines[cut]}" for cut in cuts]
    reduction = 1 if done.found <= rate * (1 + SAME_RATE) else math.ceil(done.found / rate - SAME_RATE)
    made = set()
    for start, end in zip([0, *cuts], [*cuts, len(rows.times)], strict=True):
        times = (rows.times[start:end] - rows.times[start]) / SECOND
        lines = f"lines {rows.lines[start:end].min()} to {rows.lines[start:end].max()}"
        samples = math.floor(times[-1] * rate + ON_COARSE_GRID) + 1
        if samples < max(2, round(rate)):
            done.left_out.append(f"{lines}: {counted(samples, 'sample')}, less than a second")
            continue
        if samples > MOST_MADE_UP * (end - start):
            found, wanted = f"{samples} samples for {end - start} rows", f"at most {MOST_MADE_UP} for each"
            todo = "state a shorter --gap, or a lower --rate"
            raise InputError(f"{rows.where}, {lines}: most would be made up", found=found, wanted=wanted, todo=todo)
        values, on_grid, lacking = _on_grid(times, rows.values[start:end], rate * reduction)
        if reduction > 1:
            values = resample_poly(values, 1, reduction, axis=0, padtype="line")
        values = values[:samples]
        if (constant := np.flatnonzero(values.min(0) == values.max(0))).size:
            done.left_out.append(f"{lines}: channel {constant[0] + 1} does not vary")
            continue
        labels = rows.labels[start:end][_nearest(times, np.arange(len(values)) / rate)]
        done.recordings.append((values, labels))
        made.add(on_grid)
        done.interpolated += lacking
    if not done.recordings:
        raise InputError(
            f"{rows.where}: too few samples",
            found="; ".join(done.left_out[:3]),
            wanted="a second of rows without a gap",
            todo=f"state a longer gap with --gap, which is {longest:g} s",
        )
    done.method = _method(made, reduction)
    return done


def _check_rate(rows: Rows, found: float, rate: float) -> None:
    """Raise InputError for rows of a wholly different rate, whose times are likely in another unit."""
    if rate > MOST_MADE_UP * found or found > MOST_REDUCED * rate:
        raise InputError(
            f"{rows.where}: the rows are of a wholly different rate",
            found=f"{found:.4g} Hz, a row every {1 / found:.4g} s",
            wanted=f"{rate:g} Hz, or between a {MOST_MADE_UP}th and {MOST_REDUCED} times that",
            todo="name the unit of the times, as --time-unit ms, or another --rate",
        )


def _on_grid(times: np.ndarray, values: np.ndarray, rate: float) -> tuple[np.ndarray, bool, int]:
    """Return values at multiples of 1 / rate, whether rows lie there themselves, and how many are interpolated."""
    places = np.rint(times * rate).astype(np.int64)
    in_milliseconds = np.abs(times * 1000 - np.rint(times * 1000)).max() < 1e-6
    tolerance = min(max(ON_GRID, 0.001 * rate), ON_COARSE_GRID) if in_milliseconds else ON_GRID
    if np.abs(times * rate - places).max() <= tolerance and (np.diff(places) > 0).all():
        grid = np.arange(places[-1] + 1)
        filled = np.column_stack([np.interp(grid, places, column) for column in values.T])
        return filled, True, len(grid) - len(places)
    grid = np.arange(math.floor(times[-1] * rate + ON_COARSE_GRID) + 1) / rate
    return np.column_stack([np.interp(grid, times, column) for column in values.T]), False, len(grid)


def _nearest(times: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return for each moment of the grid the row that is nearest, the earlier of two."""
    return np.searchsorted((times[1:] + times[:-1]) / 2, grid - 1e-9)


def _method(on_grid: set[bool], reduction: int) -> str:
    if reduction > 1:
        first = "" if on_grid == {True} else "linear interpolation, "
        return f"by {first}a low-pass filter and one sample in {reduction}"
    return "as they are" if on_grid == {True} else "by linear interpolation"
