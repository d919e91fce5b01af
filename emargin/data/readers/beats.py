"""ECG with a class for each beat: the records of MIT-BIH Arrhythmia, their frames labelled by the beats in them.

    recordings = load_beats(Path("data/mitbih"))

The classes are those of AAMI's EC57, the two sides those of de Chazal, O'Dwyer and Reilly ("Automatic classification
of heartbeats using ECG morphology and heartbeat interval features", IEEE Transactions on Biomedical Engineering,
2004): DS1 and DS2, whole patients, without the four records of people with a pacemaker.
"""

import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from emargin.data.framing import stft_frames
from emargin.data.readers.rhythms import DOWNLOAD_AGAIN, SAME_PATIENT, SAMPLING_RATE, _import_wfdb, _load
from emargin.data.recordings import UNLABELLED, Recording, RecordingSet
from emargin.errors import InputError

# The numbers that WFDB stores for the beats of each class: of N those written N, L, R, e and j; of S those written A,
# a, J and S; of V those written V and E; of F, fusions, F. AAMI's fifth class, Q (/, f and Q), labels no frame.
NOTES = {"N": (1, 2, 3, 34, 11), "S": (8, 4, 7, 9), "V": (5, 10), "F": (6,)}
CLASSES = tuple(NOTES)  # from common to rare
PACED = ("102", "104", "107", "217")
DS1 = frozenset("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230".split())
DS2 = frozenset("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())
# Records 201 and 202 are of one man and lie on either side of the usual split: here both are of DS1.
TEST_SUBJECTS = (DS2 - SAME_PATIENT.keys(), DS1)


def load_beats(folder: Path, *, n_fft: int = 250, hop: int = 125) -> RecordingSet:
    """Read the beats of the MIT-BIH Arrhythmia Database from the folder with its .hea, .dat and .atr files.

    A beat lies in the frames that cover the moment of its note, which is near its R peak: in two, where frames overlap
    by half. A frame has the rarest class of the beats in it, F before V before S before N; without any of these it is
    unlabelled. Beats of class Q, and notes that are no beats, count as none.

    Parameters
    ----------
    folder : Path
        As `load_mitbih` takes it.
    n_fft, hop : int
        Window and step of the STFT in samples of 1/250 s.

    Returns
    -------
    RecordingSet
        Frames `(frames, D)` of both leads, in mV, a recording a record: 44 of 43 people. Labels 0 N, 1 S, 2 V, 3 F, or
        -1. `test_subjects` are those of DS2, without record 202, and those of DS1, with it.

    Raises
    ------
    InputError
        As `load_mitbih` does, and for notes of beats that are out of order or beyond the record's end.
    """
    folder = Path(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "mitbih-beats: rhythm notes", UserWarning)  # no rhythm is a class here
        signals = _load(folder, "mitbih-beats", (), PACED, TEST_SUBJECTS)
    framed = tuple(
        Recording(
            record.name,
            record.subject,
            stft_frames(record.values, n_fft, hop).numpy(),
            _frame_labels(*_read_beats(folder, record), n_fft, hop, len(record.values)),
        )
        for record in signals.recordings
    )
    return replace(signals, classes=CLASSES, sampling_rate=None, recordings=framed, framed=True)


def _read_beats(folder: Path, record: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples at 250 Hz in which beats lie, and the classes of the beats, both int64 `(beats,)`."""
    annotation = _import_wfdb().rdann(str(folder / record.name), "atr", return_label_elements=["label_store"])
    ratio = Fraction(SAMPLING_RATE, int(annotation.fs))
    label_of = {note: label for label, notes in enumerate(NOTES.values()) for note in notes}
    labels = np.array([label_of.get(int(note), UNLABELLED) for note in annotation.label_store], dtype=np.int64)
    places = annotation.sample[labels >= 0] * ratio.numerator // ratio.denominator
    if places.size and (places[0] < 0 or (np.diff(places) < 0).any() or places[-1] >= len(record.values)):
        raise InputError(
            f"{folder / record.name}.atr: beats out of order or beyond the record's end",
            found=f"samples {places.min()} to {places.max()} at {SAMPLING_RATE} Hz",
            wanted=f"ascending, 0 to {len(record.values) - 1}",
            todo=DOWNLOAD_AGAIN,
        )
    return places, labels[labels >= 0]


def _frame_labels(places: np.ndarray, classes: np.ndarray, n_fft: int, hop: int, samples: int) -> np.ndarray:
    """Return the rarest class of the beats in each frame, int64 `(F,)`; -1 without a beat."""
    starts = np.arange(0, samples - n_fft + 1, hop)
    labels = np.full(len(starts), UNLABELLED, dtype=np.int64)
    for label in range(len(CLASSES)):  # from common to rare: a rarer class takes the frame
        first, end = (np.searchsorted(places[classes == label], edges) for edges in (starts, starts + n_fft))
        labels[end > first] = label
    return labels
