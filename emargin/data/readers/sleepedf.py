"""Sleep EEG from Sleep-EDF's own files: whole nights with their subjects, from which SleepEEG was cut.

    recordings = load_sleepedf(Path("data/sleepeeg"))

The sleep cassette study of Sleep-EDF Expanded (Kemp et al. 2000, Analysis of a Sleep-Dependent Neuronal Feedback Loop;
PhysioNet `sleep-edfx` 1.0.0): about a day and a night a file in EDF, scored in EDF+ annotations by the rules of
Rechtschaffen and Kales.
"""

import re
import warnings
from pathlib import Path
from typing import cast

import numpy as np

from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError, MissingData, unreadable

SAMPLING_RATE = 100  # Hz
CHANNEL = "EEG Fpz-Cz"
UNIT = "uV"
MARGIN = 30 * 60 * SAMPLING_RATE  # samples kept before falling asleep and after waking up
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
# SC4ssNE0: person ss, night N, recorder E, F or G; the hypnogram has the scorer's letter in the last place.
PSG_NAME = re.compile(r"(SC4\d\d)\d[A-Z]0-PSG\.edf")
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
    """Read the nights of Sleep-EDF's sleep cassette study from the folder with its PSG and Hypnogram files.

    Returns one recording a night that is there, named like SC4001E0, its subject SC400 (two nights of one person are
    one subject): values `(samples, 1)`, the EEG from Fpz to Cz in microvolt at 100 Hz, and labels 0 W, 1 N1, 2 N2,
    3 N3 (stages 3 and 4), 4 REM, and -1 for movement time and where nothing is scored. A stage holds from the sample
    nearest to its onset up to the one nearest to its end.

    The files hold about twenty hours, most of them awake by day. As is common (Supratak et al. 2017, DeepSleepNet),
    30 minutes before the first and after the last sample of sleep (N1, N2, N3, REM) are kept and the rest is cut off;
    wake in between stays. A scored stage that runs on past the end of the record is cut there with one warning that
    names the nights; the unscored rest often does. A sample takes 12 bytes: all 153 nights, about 1,600 hours of them
    kept, take 7 GB, but the folder may hold fewer.

    Raises MissingData where there are no nights; InputError for a file that is missing, damaged or of another format,
    a hypnogram of another night (by name or start time), stages that overlap or lie outside the record, another
    channel, unit or rate, a night without sleep, and if the package edfio is not installed.
    """
    folder = Path(folder)
    recordings, cut = [], []
    for psg, hypnogram in _nights(folder):
        signal, start = _read_signal(psg)
        labels, beyond = _sample_labels(hypnogram, start, len(signal))
        asleep = np.flatnonzero(labels > STAGES.index("W"))
        if not asleep.size:
            raise InputError(
                f"{hypnogram}: no sleep", found="neither N1, N2, N3 nor REM", wanted="a night", todo=DOWNLOAD_AGAIN
            )
        kept = slice(max(0, asleep[0] - MARGIN), asleep[-1] + 1 + MARGIN)
        name = psg.name.removesuffix("-PSG.edf")
        recordings.append(
            Recording(
                name,
                cast(re.Match[str], PSG_NAME.fullmatch(psg.name))[1],
                signal[kept, None].astype(np.float32),
                labels[kept].copy(),
            )
        )  # copies: a view would keep the whole day in memory
        if beyond:
            cut.append(name)
    if cut:
        warnings.warn(
            f"Sleep-EDF: scored past the end of the record in {len(cut)} nights, and cut there: {', '.join(cut)}",
            stacklevel=2,
        )
    return RecordingSet("sleepeeg", "real", STAGES, float(SAMPLING_RATE), tuple(recordings))


def _nights(folder: Path) -> list[tuple[Path, Path]]:
    """Return pairs of PSG and Hypnogram files of one night each, in the order of their names."""
    records = sorted(path for path in folder.glob("SC4*-PSG.edf") if PSG_NAME.fullmatch(path.name))
    hypnograms = sorted(folder.glob("SC4*-Hypnogram.edf"))
    if not records and not hypnograms:
        raise MissingData(
            f"{folder}: no nights of Sleep-EDF",
            found="no SC4*-PSG.edf",
            wanted="the files of the sleep cassette study, such as SC4001E0-PSG.edf",
            todo="download sleep-edfx 1.0.0 from physionet.org, or parts of it with "
            "mne.datasets.sleep_physionet.age.fetch_data",
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
    """Return the channel in microvolt, float64 `(samples,)`, and date and time of its first sample."""
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
        return signal.data, record.startdatetime
    except EDF_ERRORS as error:
        raise unreadable(f"{path}: the signal cannot be read", error, "an EDF file", DOWNLOAD_AGAIN) from error


def _sample_labels(path: Path, start, samples: int) -> tuple[np.ndarray, bool]:
    """Return labels int64 `(samples,)` from a hypnogram, and whether a scored stage runs past the end of the record.

    start: when the record that the hypnogram belongs to starts.
    """
    hypnogram = _read_edf(path)
    try:
        own_start, annotations = hypnogram.startdatetime, hypnogram.annotations
    except EDF_ERRORS as error:
        raise unreadable(f"{path}: the annotations cannot be read", error, "an EDF+ file", DOWNLOAD_AGAIN) from error
    if own_start != start:
        raise InputError(
            f"{path}: the hypnogram of another night",
            found=f"start {own_start}",
            wanted=f"{start}, the start of the record",
            todo=DOWNLOAD_AGAIN,
        )
    labels, end, beyond = np.full(samples, UNLABELLED, dtype=np.int64), 0, False
    for onset, duration, text in annotations:  # by ascending onset
        where = f"{path}: '{text}' at {onset:g} s"
        if text not in LABELS:
            raise InputError(f"{where}: not a sleep stage", wanted=", ".join(LABELS), todo=DOWNLOAD_AGAIN)
        if not duration:
            raise InputError(f"{where}: no duration", wanted="seconds that the stage lasts", todo=DOWNLOAD_AGAIN)
        first, last = round(onset * SAMPLING_RATE), round((onset + duration) * SAMPLING_RATE)
        if first < end:
            raise InputError(
                f"{where}: before the start of the record, or before the last stage has ended",
                found=f"sample {first}",
                wanted=f"{end} or later",
                todo=DOWNLOAD_AGAIN,
            )
        if LABELS[text] != UNLABELLED and first >= samples:
            raise InputError(
                f"{where}: outside the record", found=f"sample {first}", wanted=f"before {samples}", todo=DOWNLOAD_AGAIN
            )
        beyond |= LABELS[text] != UNLABELLED and last > samples
        labels[first:last] = LABELS[text]
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
