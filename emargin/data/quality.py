"""Bad stretches of recordings: find them, refuse them, or leave them out.

    Experiment(dataset="path/to/recordings", quality="split")

What is certainly no measurement is refused unless an experiment says otherwise: samples that are not finite, codes that
stand for missing values, and channels that never vary. What may be one is left alone: a signal that stays at its
largest or smallest value (saturated), that stands still (flat), or that is so large that its transform may overflow.
`emargin data list --quality` lists both. With `quality`, all that it lists is acted on:

- "refuse": an error.
- "cut": no frame holds a bad sample, and a recording goes on behind the gap: its sequences step over it. For dropouts
  that are short beside a sequence.
- "split": each stretch between bad samples is a recording of its own, so no sequence steps over a gap; what is shorter
  than a sequence is lost to it.

A sample that is bad in one channel is left out of all.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from emargin.config import Experiment
from emargin.data.framing import frame_labels, stft_frames
from emargin.data.recordings import NOTES, REPAIR, Recording, RecordingSet, as_they_are
from emargin.errors import InputError

NOT_FINITE, MISSING, CONSTANT = "not finite", "a missing-value code", "constant"
SATURATED, FLAT, OVERFLOW = "saturated", "flat", "so large that frames may overflow"
LEAVE_OUT = ("cut", "split")  # the qualities that go on without bad samples
CERTAIN = (NOT_FINITE, MISSING, CONSTANT)  # refused unless an experiment says what to do

# In what follows numbers are compared as text of seven digits, the precision of the values.
FILLS = (
    "9.96921e+36",
    "9.969210e+36",
    "3.402823e+38",
    "1.70141e+38",
    "1.701412e+38",
    "3.389531e+38",
    "65504",
    "999.25",
)
EXTREMES = tuple(f"{2.0**bits - less:.7g}" for bits in (7, 8, 15, 16, 31, 32, 63, 64) for less in (0, 1))
SMALL_CODE = 500  # in size; such codes are usual values, too, and have to be further away from all others
LARGE_CODE = 1e9
FAR, FAR_IF_SMALL = 0.5, 3.0  # distance of a code from all other values, in spreads of these
LARGEST = float(np.finfo(np.float32).max) / 1024  # in a frame of 1,000 samples sums may be beyond single precision
# Shortest runs of one value, in samples and in seconds, in a channel of so many different values.
SATURATED_RUN, FLAT_RUN, DIFFERENT = (10, 0.1), (20, 1.0), 16


@dataclass(frozen=True)
class Finding:
    """Samples of one channel of one recording that are bad for one reason."""

    recording: str
    channel: int
    kind: str
    value: float
    first: int
    count: int
    stretches: int
    rate: float | None

    def __str__(self) -> str:
        unit = "frame" if self.rate is None else "sample"
        seconds = f" ({self.first / self.rate:g} s)" if self.rate else ""
        what = f"{self.count} {unit}s at {self.value:.7g}, {self.kind}, from {unit} {self.first}{seconds} on"
        stretches = f", in {self.stretches} stretches" if self.stretches > 1 else ""
        return f"recording {self.recording}, channel {self.channel}: {what}{stretches}"


def bad_samples(values: np.ndarray, rate: float | None, kinds: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Yield channel, kind and mask `(samples,)` of what is bad in a recording.

    Parameters
    ----------
    values : ndarray
        `(samples, channels)`.
    rate : float or None
        Samples a second; None for ready-made frames, which are not looked at for runs of one value.
    kinds : tuple of str
        `CERTAIN`, to look for no more than that.
    """
    for channel, column in enumerate(values.T):
        good = np.isfinite(column)
        if not good.all():
            yield channel, NOT_FINITE, ~good
        codes = missing_value_codes(column[good])
        if codes:
            coded = np.isin(column, np.array(codes, column.dtype))
            yield channel, MISSING, coded
            good &= ~coded
        rest = column[good]
        if not len(rest):
            continue
        low, high = rest.min(), rest.max()
        if low == high and len(rest) > 1:
            yield channel, CONSTANT, np.ones(len(column), dtype=bool)
        elif kinds != CERTAIN:
            if max(-low, high) > LARGEST:
                yield channel, OVERFLOW, good & (np.abs(column) > LARGEST)
            if rate is not None:
                yield from _runs(channel, np.where(good, column, np.nan), low, high, rate)


def missing_value_codes(values: np.ndarray) -> list[float]:
    """Return those of finite values `(samples,)` that are a usual code for "missing", and far from all others."""
    suspects, rest = [], values
    while len(rest) and (_is_code(value := rest.max()) or _is_code(value := rest.min())):
        suspects.append(value)
        rest = rest[rest != value]
    if not suspects or not len(rest):
        return []
    low, high = float(rest.min()), float(rest.max())
    if low == high:  # two values may be all that a channel has; a large or negative one of the codes is no switch
        return [code for code in suspects if code < -SMALL_CODE or code > LARGE_CODE]
    return [
        code
        for code in suspects
        if max(code - high, low - code) > (high - low) * (FAR if abs(code) > SMALL_CODE else FAR_IF_SMALL)
    ]


def _is_code(value: np.floating) -> bool:
    """Return whether a number is 99, 999.9 and the like, 888, 1e10 or a greater power of ten, or in the tables."""
    size = abs(float(value))
    text = f"{size:.7g}"
    digits = text.partition("e")[0].replace(".", "").strip("0")
    nines = set(digits) in ({"9"}, {"8"}) and len(digits) > (1 if digits[0] == "9" else 2)
    return text in FILLS or text in EXTREMES or (size > 90 and nines) or (size > 9e9 and digits == "1")


def _runs(channel: int, column: np.ndarray, low: float, high: float, rate: float) -> Iterator[tuple]:
    """Yield runs of one value: saturated at the lowest or highest, else flat. NaN makes no run."""
    starts = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]]))
    lengths = np.diff(starts, append=len(column))
    held = column[starts]
    extreme = (held == low) | (held == high)
    saturated = extreme & (lengths >= _samples(SATURATED_RUN, rate))
    flat = ~extreme & (lengths >= _samples(FLAT_RUN, rate))
    if (saturated | flat).any() and len(np.unique(held)) > DIFFERENT:
        for kind, runs in ((SATURATED, saturated), (FLAT, flat)):
            if runs.any():
                yield channel, kind, np.repeat(runs, lengths)


def _samples(least: tuple[int, float], rate: float) -> int:
    return max(least[0], math.ceil(least[1] * rate))


def findings(name: str, values: np.ndarray, rate: float | None, kinds: tuple[str, ...] = ()) -> list[Finding]:
    """Return what is bad in a recording, an entry a channel and kind. Parameters as in `bad_samples`."""
    listed = []
    for channel, kind, mask in bad_samples(values, rate, kinds):
        first, stretches = int(mask.argmax()), int(np.diff(mask, prepend=False).sum() + 1) // 2
        value = float(values[first, channel])
        listed.append(Finding(name, channel, kind, value, first, int(mask.sum()), stretches, rate))
    return listed


def marked(name: str, values: np.ndarray, rate: float) -> np.ndarray:
    """Return values with NaN where they are bad, for readers that resample; as they are, outside of `as_they_are`.

    Resampling makes a flat line wavy and spreads a wrong sample over many. It spreads NaN, too, over all that it makes
    of such a sample. What it was is noted.
    """
    notes = NOTES.get()
    if notes is None:
        return values
    notes += findings(name, values, rate)
    good = values.copy()
    for channel, _, mask in bad_samples(values, rate):
        good[mask, channel] = np.nan
    return good


def all_findings(recordings: RecordingSet, notes: list[Finding], kinds: tuple[str, ...] = ()) -> list[Finding]:
    """Return what is bad in a set, with what its reader noted in place of the NaN that it made of it."""
    noted = {note.recording for note in notes}
    return notes + [
        finding
        for recording in recordings.recordings
        for finding in findings(recording.name, recording.values, recordings.sampling_rate, kinds)
        if finding.kind != NOT_FINITE or finding.recording not in noted
    ]


def check_quality(recordings: RecordingSet) -> None:
    """Raise InputError for samples that are certainly bad, but not within `as_they_are`."""
    if NOTES.get() is None:
        check_findings(recordings, all_findings(recordings, [], CERTAIN))


def check_findings(recordings: RecordingSet, bad: list[Finding]) -> None:
    """Raise InputError where something was found; it names the first, and counts the others."""
    if bad:
        others = len(bad) - 1
        raise InputError(
            f"data set {recordings.name}: bad samples",
            found=f"{bad[0]}{f'; and {others} further stretches, channels or recordings' if others else ''}",
            wanted="measurements alone",
            todo=f"{REPAIR} (emargin data list --quality lists all)",
        )


def cleaned(recordings: RecordingSet, notes: list[Finding], experiment: Experiment) -> RecordingSet:
    """Return a set without its bad samples; its `left_out`, and a warning, say how many these were.

    Parameters
    ----------
    recordings : RecordingSet
        As `as_they_are` let them be read.
    notes : list of Finding
        What the reader noted on the way.
    experiment : Experiment
        Resolved; its quality is "cut" or "split". With "cut", signals come as frames.

    Raises
    ------
    InputError
        Where nothing is left.
    """
    cut, frames_of = experiment.quality == "cut", _frames_of(recordings, experiment)
    kept: list[Recording] = []
    first_of, lost, idle = {}, {}, 0
    with as_they_are():
        for recording in recordings.recordings:
            good = np.ones(len(recording.values), dtype=bool)
            for _, _, mask in bad_samples(recording.values, recordings.sampling_rate):
                good &= ~mask
            edges = np.flatnonzero(np.diff(good.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
            pieces = [slice(start, end) for start, end in edges if frames_of(end - start)]
            first_of[recording.name] = len(kept)
            parts = [(recording.values[piece], recording.labels[piece]) for piece in pieces]
            if cut and parts:
                parts = [_frames_end_to_end(parts, recordings, experiment)]
            for number, part in enumerate(parts, 1):
                name = recording.name if len(parts) == 1 else f"{recording.name}-{number:02}"
                kept.append(Recording(name, recording.subject, *part))
            if gone := len(good) - sum(piece.stop - piece.start for piece in pieces):
                lost[recording.name] = int(gone)
                sizes = [frames_of(piece.stop - piece.start) for piece in pieces]
                idle += int(max([sum(sizes)] if cut else sizes, default=0) < experiment.sequence_length)
    if not kept:
        raise InputError(f"data set {recordings.name}: nothing is left", found="bad samples in every frame")
    kinds: dict[str, int] = {}
    for finding in all_findings(recordings, notes):
        kinds[finding.kind] = kinds.get(finding.kind, 0) + finding.count
    samples, of = sum(lost.values()), sum(len(recording.values) for recording in recordings.recordings)
    left_out = {"samples": samples, "of": of, "without_sequence": idle, "recordings": lost, "kinds": kinds}
    if lost:
        warnings.warn(
            f"{recordings.name}: {samples} of {of} samples left out, in {len(lost)} recordings; "
            f"{idle} of these have no complete sequence left",
            stacklevel=2,
        )
    border = recordings.test_from and kept[min(first_of[recordings.test_from], len(kept) - 1)].name
    signal = not recordings.framed and not cut
    return replace(
        recordings,
        recordings=tuple(kept),
        sampling_rate=recordings.sampling_rate if signal else None,
        framed=not signal,
        test_from=border,
        left_out=left_out,
    )


def _frames_of(recordings: RecordingSet, experiment: Experiment) -> Callable[[int], int]:
    """Return the function that says how many frames a number of samples makes."""
    size, step = (1, 1) if recordings.framed else (experiment.n_fft, experiment.hop)
    return lambda samples: max(0, (samples - size) // step + 1)


def _frames_end_to_end(
    parts: list[tuple[np.ndarray, np.ndarray]], recordings: RecordingSet, experiment: Experiment
) -> tuple[np.ndarray, np.ndarray]:
    """Return frames and labels of a recording's stretches one after the other: no frame runs across a gap."""
    if not recordings.framed:
        n_fft, hop, classes = experiment.n_fft, experiment.hop, len(recordings.classes)
        parts = [(stft_frames(x, n_fft, hop).numpy(), frame_labels(y, n_fft, hop, classes)) for x, y in parts]
    values, labels = zip(*parts, strict=True)
    return np.concatenate(values), np.concatenate(labels)
