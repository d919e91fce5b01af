"""Sleep EEG from Sleep-EDF's own files: whole nights with their subjects, from which SleepEEG was cut.

    recordings = load_sleepedf(Path("data/sleepeeg"))

The two studies of Sleep-EDF Expanded (Kemp et al. 2000, Analysis of a Sleep-Dependent Neuronal Feedback Loop; PhysioNet
`sleep-edfx` 1.0.0) in EDF, scored in EDF+ annotations by the rules of Rechtschaffen and Kales: sleep cassette, about a
day and a night a file, and sleep telemetry, a night a file.
"""

import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np

from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError, MissingData, unreadable

SAMPLING_RATE = 100  # Hz
CHANNEL = "EEG Fpz-Cz"
UNIT = "uV"
MARGIN = 30 * 60 * SAMPLING_RATE  # samples kept before falling asleep and after waking up
MEET = SAMPLING_RATE // 10  # samples: onsets and durations may be rounded to tenths of a second
STAMP_ERROR = 0.5 / SAMPLING_RATE  # seconds: half a sample
STAGES = ("W", "N1", "N2", "N3", "REM")
# Stages 3 and 4 of the old rules are N3 of those in use since 2007.
LABELS = {
    "Sleep stage W": 0,
    "Sleep stage 1": 1,
    "Sleep stage 2": 2,
    "Sleep stage 3": 3,
    "Sleep stage 4": 3,
    "Sleep stage R": 4,
    "Movement time": UNLABELLED,
    "Sleep stage ?": UNLABELLED,
}
# SC4ssNE0: person ss, night N, recorder E, F or G; the hypnogram has the scorer's letter in the last place. ST7ssNJ0 of
# the telemetry study likewise.
PSG_NAME = re.compile(r"((?:SC4|ST7)\d\d)\d[A-Z]0-PSG\.edf")
HYPNOGRAM_NAME = re.compile(r"(?:SC4|ST7)\d\d\d[A-Z][A-Z]-Hypnogram\.edf")
RECORD_TIME = re.compile(rb"([+-]\d+(?:\.\d*)?)\x14\x14")
# What edfio raises on damaged files: its own checks are ValueErrors, the rest is its parser running off the data, and
# its warnings, which are made errors below.
EDF_ERRORS = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    NameError,
    OverflowError,
    ZeroDivisionError,
    OSError,
    UserWarning,
)
DOWNLOAD_AGAIN = "download the file again and compare it with the archive's SHA256SUMS.txt"


def load_sleepedf(folder: Path) -> RecordingSet:
    """Read the nights of Sleep-EDF from the folder with its PSG and Hypnogram files, of either study or of both.

    Returns one recording a night that is there, named like SC4001E0, its subject SC400 (two nights of one person are
    one subject): values `(samples, 1)`, the EEG from Fpz to Cz in microvolt at 100 Hz, and labels 0 W, 1 N1, 2 N2,
    3 N3 (stages 3 and 4), 4 REM, and -1 for movement time and where nothing is scored. A stage holds from the sample
    nearest to its onset up to the one nearest to its end; where the next one starts within a tenth of a second of that
    end, before or after, up to there.

    Time is that of the file. A night in EDF+D is cut at its gaps into recordings SC4001E0-01, SC4001E0-02 and so on,
    with a warning, and stages count by the clock.

    The files hold about twenty hours, most of them awake by day. As is common (Supratak et al. 2017, DeepSleepNet),
    30 minutes before the first and after the last sample of sleep (N1, N2, N3, REM) are kept and the rest is cut off;
    wake in between stays. A scored stage that runs on past the end of the record is cut there with one warning that
    names the nights; the unscored rest often does. A sample takes 12 bytes: all 153 nights, about 1,600 hours of them
    kept, take 7 GB, but the folder may hold fewer.

    Raises MissingData where there are no nights; InputError for a file that is missing, damaged, of another format or
    no night of Sleep-EDF, a hypnogram of another night (by name or start time), stages that overlap or lie outside the
    record, records whose times overlap or, in EDF+C, leave gaps, another channel, unit or rate, a night without sleep,
    and if the package edfio is not installed.
    """
    folder = Path(folder)
    recordings, cut, gaps = [], [], []
    for psg, hypnogram in _nights(folder):
        signal, times, start = _read_signal(psg)
        labels, beyond = _sample_labels(hypnogram, start, times[-1] + 1)
        labels = labels[times]
        asleep = np.flatnonzero(labels > STAGES.index("W"))
        if not asleep.size:
            raise InputError(
                f"{hypnogram}: no sleep", found="neither N1, N2, N3 nor REM", wanted="a night", todo=DOWNLOAD_AGAIN
            )
        kept = slice(*np.searchsorted(times, (times[asleep[0]] - MARGIN, times[asleep[-1]] + 1 + MARGIN)))
        signal, labels = signal[kept, None].astype(np.float32), labels[kept]
        name = psg.name.removesuffix("-PSG.edf")
        edges = [0, *(np.flatnonzero(np.diff(times[kept]) > 1) + 1), len(signal)]
        for number, (first, end) in enumerate(pairwise(edges), 1):
            recordings.append(
                Recording(
                    name if len(edges) == 2 else f"{name}-{number:02}",
                    cast(re.Match[str], PSG_NAME.fullmatch(psg.name))[1],
                    signal[first:end].copy(),
                    labels[first:end].copy(),
                )
            )  # copies: a view would keep the whole day in memory
        if beyond:
            cut.append(name)
        if edges[2:]:
            gaps.append(f"{name} ({len(edges) - 2})")
    if cut:
        warnings.warn(
            f"Sleep-EDF: scored past the end of the record in {len(cut)} nights, and cut there: {', '.join(cut)}",
            stacklevel=2,
        )
    if gaps:
        warnings.warn(f"Sleep-EDF: nights are cut at their gaps: {', '.join(gaps)}", stacklevel=2)
    return RecordingSet("sleepeeg", "real", STAGES, float(SAMPLING_RATE), tuple(recordings))


def _nights(folder: Path) -> list[tuple[Path, Path]]:
    """Return pairs of PSG and Hypnogram files of one night each, in the order of their names."""
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() == ".edf")
    if not files:
        raise MissingData(
            f"{folder}: no nights of Sleep-EDF",
            found="no *-PSG.edf",
            wanted="the files of its two studies, such as SC4001E0-PSG.edf and ST7011J0-PSG.edf",
            todo="download sleep-edfx 1.0.0 from physionet.org, or parts of it with "
            "mne.datasets.sleep_physionet.age.fetch_data",
        )
    records, hypnograms = ([path for path in files if kind.fullmatch(path.name)] for kind in (PSG_NAME, HYPNOGRAM_NAME))
    if others := [path.name for path in files if path not in records and path not in hypnograms]:
        raise InputError(
            f"{folder}: no nights of Sleep-EDF, by their names",
            found=", ".join(others[:5]) + (f" and {len(others) - 5} more" if others[5:] else ""),
            wanted="SC4ssNE0-PSG.edf or ST7ssNJ0-PSG.edf, and SC4ssNEC-Hypnogram.edf or ST7ssNJP-Hypnogram.edf",
            todo="give them the archive's names, or move them to another folder",
        )
    nights, unpaired = [], set(hypnograms)
    for psg in records:
        matching = [path for path in hypnograms if path.name[:7] == psg.name[:7]]
        if len(matching) != 1:
            raise InputError(
                f"{psg}: a night needs one hypnogram",
                found=[path.name for path in matching] or "none",
                wanted=f"{psg.name[:7]}?-Hypnogram.edf",
                todo="download the file from the archive",
            )
        nights.append((psg, matching[0]))
        unpaired.discard(matching[0])
    if unpaired:
        path = min(unpaired)
        raise InputError(
            f"{path}: a hypnogram of no night that is here",
            found=f"no {path.name[:7]}0-PSG.edf",
            wanted="both files of a night",
            todo="download the other file, or move this one away",
        )
    return nights


def _read_signal(path: Path):
    """Return the channel in microvolt, float64 `(samples,)`, when samples are, and date and time of the first.

    When samples are is int64 `(samples,)`, in samples since the first; behind a gap of EDF+D it goes on with the clock.
    """
    record = _read_edf(path)
    names = [signal.label for signal in record.signals]
    if names.count(CHANNEL) != 1:
        raise InputError(f"{path}: no channel {CHANNEL}, or several", found=names, wanted=CHANNEL, todo=DOWNLOAD_AGAIN)
    signal = record.signals[names.index(CHANNEL)]
    for what, given, wanted in (
        ("unit", signal.physical_dimension, UNIT),
        ("sampling rate", signal.sampling_frequency, SAMPLING_RATE),
    ):
        if given != wanted:
            raise InputError(f"{path}: wrong {what} of {CHANNEL}", found=given, wanted=wanted, todo=DOWNLOAD_AGAIN)
    try:
        starts, size = _record_starts(path, record.reserved), signal.samples_per_data_record
        times = (starts[:, None] + np.arange(size)).ravel() if len(starts) else np.arange(len(signal.data))
        return signal.data, times, record.startdatetime
    except InputError:
        raise
    except EDF_ERRORS as error:
        raise unreadable(f"{path}: the signal cannot be read", error, "an EDF file", DOWNLOAD_AGAIN) from error


def _record_starts(path: Path, kind: str) -> np.ndarray:
    """Return when the data records of an EDF+ file start, int64 `(records,)` in samples; `(0,)` for plain EDF.

    kind: what the header says, EDF+C for records without gaps, EDF+D for others.
    """
    if not kind.startswith("EDF+"):
        return np.empty(0, dtype=np.int64)
    content = path.read_bytes()
    records, seconds, signals = int(content[236:244]), float(content[244:252]), int(content[252:256])
    sizes = [2 * int(content[at : at + 8]) for at in range(256 + 216 * signals, 256 + 224 * signals, 8)]
    labels = [content[at : at + 16].strip() for at in range(256, 256 + 16 * signals, 16)]
    first = int(content[184:192]) + sum(sizes[: labels.index(b"EDF Annotations")])
    stamps = [RECORD_TIME.match(content, first + number * sum(sizes)) for number in range(records)]
    if not all(stamps):
        number = stamps.index(None)
        raise InputError(f"{path}: record {number} has no time", wanted="a time stamp in each record of EDF+")
    times = np.array([float(cast(re.Match[bytes], stamp)[1]) for stamp in stamps])
    steps = np.diff(times)
    # From the first record after a gap, so that small errors do not add up.
    behind_gap = np.maximum.accumulate(np.where(np.append(True, steps > seconds + STAMP_ERROR), np.arange(records), 0))
    if kind.startswith("EDF+C"):
        behind_gap[:] = 0
    since = np.arange(records) - behind_gap
    wrong = np.abs(times - times[behind_gap] - seconds * since) > STAMP_ERROR
    wrong[0] = not 0 <= times[0] < 1
    if wrong.any():
        number = int(wrong.argmax())
        raise InputError(
            f"{path}: record {number} starts at the wrong time for {kind}",
            found=f"{times[number]:g} s",
            wanted=f"{times[number - 1] + seconds:g} s{' or later' * kind.startswith('EDF+D')}" if number else "0 s",
            todo=DOWNLOAD_AGAIN,
        )
    first_times = np.round((times[behind_gap] - times[0]) * SAMPLING_RATE)
    return first_times.astype(np.int64) + round(seconds * SAMPLING_RATE) * since


def _sample_labels(path: Path, start, samples: int) -> tuple[np.ndarray, bool]:
    """Return labels int64 `(samples,)` from a hypnogram, and whether a scored stage runs past the end of the record.

    start: when the record that the hypnogram belongs to starts. samples: until when it lasts.
    """
    hypnogram = _read_edf(path)
    try:
        own_start, annotations = hypnogram.startdatetime, hypnogram.annotations
    except EDF_ERRORS as error:
        raise unreadable(f"{path}: the annotations cannot be read", error, "an EDF+ file", DOWNLOAD_AGAIN) from error
    shift = (own_start - start).total_seconds()
    if abs(shift) >= 1:
        raise InputError(
            f"{path}: the hypnogram of another night",
            found=f"start {own_start}",
            wanted=f"{start}, the start of the record",
            todo=DOWNLOAD_AGAIN,
        )
    labels, label, beyond = np.full(samples, UNLABELLED, dtype=np.int64), UNLABELLED, False
    end = min(0, round(shift * SAMPLING_RATE))  # scoring may start a part of a second before the record does
    for onset, duration, text in annotations:  # by ascending onset
        where = f"{path}: '{text}' at {onset:g} s"
        if text not in LABELS:
            raise InputError(f"{where}: not a sleep stage", wanted=", ".join(LABELS), todo=DOWNLOAD_AGAIN)
        if not duration:
            raise InputError(f"{where}: no duration", wanted="seconds that the stage lasts", todo=DOWNLOAD_AGAIN)
        first, last = (round((shift + time) * SAMPLING_RATE) for time in (onset, onset + duration))
        if first < end - MEET:
            raise InputError(
                f"{where}: before the start of the record, or before the last stage has ended",
                found=f"sample {first}",
                wanted=f"{end} or later, by {MEET} samples at most before",
                todo=DOWNLOAD_AGAIN,
            )
        if LABELS[text] != UNLABELLED and first >= samples:
            raise InputError(
                f"{where}: outside the record", found=f"sample {first}", wanted=f"before {samples}", todo=DOWNLOAD_AGAIN
            )
        beyond |= LABELS[text] != UNLABELLED and last > samples
        if first <= end + MEET:
            labels[max(end, 0) : max(first, 0)] = label
        label = LABELS[text]
        labels[max(first, 0) : last] = label
        end = last
    return labels, beyond


def _read_edf(path: Path):
    try:
        import edfio
    except ImportError as error:
        raise InputError(
            "reading EDF files needs the package edfio", found="not installed", todo='pip install "emargin[data]"'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # edfio reads a file that was cut off and only warns
            return edfio.read_edf(path)
    except EDF_ERRORS as error:
        raise unreadable(
            f"{path}: cannot be read", error, "an EDF file as long as its header says", DOWNLOAD_AGAIN
        ) from error
