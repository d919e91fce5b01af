"""ECG with rhythm labels in WFDB format: MIT-BIH Arrhythmia (`mitbih`) and the paper's own MIT-BIH AFDB (`ecg`).

    recordings = load_mitbih(Path("data/mitbih"))

Both come as two leads in mV at the paper's 250 Hz with one of four rhythms, or none, at every sample.
"""

import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np

from emargin.data.quality import marked
from emargin.data.recordings import UNLABELLED, Recording, RecordingSet, check_values
from emargin.errors import InputError, MissingData, unreadable

SAMPLING_RATE = 250  # Hz, that of AFDB and the paper
LEADS = 2
RHYTHM_CHANGE = 28  # the number that WFDB stores for the annotation '+', whose note names the rhythm
SAME_PATIENT = {"202": "201"}  # MIT-BIH Arrhythmia: two records of one man

# Two folds, each with all four rhythms on both sides. The records without AFIB, AFL and NOD are 39; in number order,
# every fifth of them from the first goes to the test side of fold 1, and every fifth from the third to that of fold 2.
MITBIH_TEST_SUBJECTS = (
    frozenset(("222", "219", "100", "105", "111", "116", "122", "208", "215", "231")),
    frozenset(("203", "124", "102", "107", "113", "118", "200", "212", "223", "233")),
)
AFDB_WITHOUT_SIGNALS = ("00735", "03665")  # published as annotations only

# What wfdb raises on damaged files: its own checks are ValueErrors, the rest is its parser running off the data.
WFDB_ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, OSError)
DOWNLOAD_AGAIN = "download the file again and compare it with the archive's SHA256SUMS.txt"


def load_mitbih(folder: Path) -> RecordingSet:
    """Read the MIT-BIH Arrhythmia Database from the folder with its .hea, .dat and .atr files.

    Returns one recording a record: values `(samples, 2)` in mV at 250 Hz (resampled from 360 Hz), labels 0 AFIB,
    1 AFL, 2 NOD (nodal rhythm), 3 N, and -1 under any other rhythm and before the first rhythm annotation.
    The first lead is MLII (114 has its leads in reverse order and is turned round), except in 102 and 104,
    which have no MLII and keep V5 first; the second lead varies. Records 201 and 202 are one subject.
    `test_subjects` holds two folds. A warning counts the rhythm notes that are no class, by their names.
    Raises InputError for files that are missing or damaged, and for a lead with another checksum than its header says.
    """
    return _load(folder, "mitbih", ("AFIB", "AFL", "NOD", "N"), test_subjects=MITBIH_TEST_SUBJECTS)


def load_afdb(folder: Path) -> RecordingSet:
    """Read the MIT-BIH Atrial Fibrillation Database, the paper's ECG set, from the folder with its files.

    Returns one recording a record: values `(samples, 2)` in mV at 250 Hz, labels 0 AFIB, 1 AFL, 2 J (junctional
    rhythm), 3 N, and -1 before the first rhythm annotation. The headers leave the gain open, so mV are WFDB's
    default of 200 units/mV. Of its 25 records, 00735 and 03665 have no signals and are left out.
    Rhythm notes that are no class are warned of, and damaged files are refused, as in `load_mitbih`.
    """
    return _load(folder, "ecg", ("AFIB", "AFL", "J", "N"), leave_out=AFDB_WITHOUT_SIGNALS)


def _load(folder, name, classes, leave_out=(), test_subjects=()) -> RecordingSet:
    from scipy.signal import resample_poly  # slow to import, and simulators do not need it

    folder = Path(folder)
    recordings = []
    others: Counter[tuple[str, str]] = Counter()  # (rhythm, record) of the notes that are no class
    for record in _record_names(folder, leave_out):
        values, rate = _read_signal(folder, record)
        starts, rhythms = _read_rhythms(folder, record, samples=len(values), rate=rate)
        subject = SAME_PATIENT.get(record, record)
        ratio = Fraction(SAMPLING_RATE, rate)
        if ratio != 1:
            # Checked as they are first: resampling makes a flat line wavy and spreads a missing sample over many.
            check_values(f"recording {record}", values)
            values = marked(record, values, rate)
            # Padding with the edge values: the leads do not start at 0 mV, and zeros would make a step there.
            values = resample_poly(values, ratio.numerator, ratio.denominator, axis=0, padtype="edge")
        labels = _sample_labels(starts, rhythms, classes, len(values), ratio)
        recordings.append(Recording(record, subject, values.astype(np.float32), labels))
        others.update((rhythm or "no name", record) for rhythm in rhythms if rhythm not in classes)
    check_notes(name, others)
    return RecordingSet(name, "real", classes, float(SAMPLING_RATE), tuple(recordings), test_subjects=test_subjects)


def check_notes(name: str, others: Counter) -> None:
    """Warn of rhythm notes that are no class: which, how many, and in how many records; `others`: (rhythm, record)."""
    if others:
        records = Counter(rhythm for rhythm, _ in others)
        notes: Counter[str] = Counter()
        for (rhythm, _), count in others.items():
            notes[rhythm] += count
        listed = ", ".join(f"{rhythm} {count} (records: {records[rhythm]})" for rhythm, count in notes.most_common())
        warnings.warn(f"{name}: rhythm notes that are no class, unlabelled from there on: {listed}", stacklevel=4)


def _record_names(folder: Path, leave_out) -> list[str]:
    """Return the names in the file RECORDS, or of all headers where there is no such file."""
    listing = folder / "RECORDS"
    if listing.is_file():
        names = listing.read_text(encoding="utf-8", errors="replace").split()
    else:
        names = sorted(path.stem for path in folder.glob("[!.]*.hea"))
    names = [name for name in names if name not in leave_out]
    if not names:
        raise MissingData(
            f"{folder}: no WFDB records",
            found="neither RECORDS nor *.hea with a record to read",
            wanted="the .hea, .dat and .atr files of the database",
            todo="emargin data fetch gets it",
        )
    return names


def _read_signal(folder: Path, record: str) -> tuple[np.ndarray, int]:
    """Return the two leads in mV, float64 `(samples, 2)`, MLII first where there is one, and the rate in Hz."""
    wfdb = _import_wfdb()
    path = _existing(folder / f"{record}.hea")
    try:
        header = wfdb.rdheader(str(folder / record))
    except WFDB_ERRORS as error:
        raise unreadable(f"{path}: the header cannot be read", error, "a WFDB header", DOWNLOAD_AGAIN) from error
    units = getattr(header, "units", None) or []  # none in a header of segments or one cut off after its first line
    for what, usable, given, wanted in (
        (
            "number of leads",
            header.n_sig == len(units) == LEADS,
            f"{header.n_sig} declared, {len(units)} described",
            LEADS,
        ),
        ("unit", set(units) == {"mV"}, units, "mV"),
        ("number of samples", bool(header.sig_len), header.sig_len or 0, "at least 1"),
        (
            "sampling rate",
            0 < header.fs <= 10_000 and header.fs % 1 == 0,
            f"{header.fs} Hz",
            "a whole number of Hz, at most 10000",
        ),
    ):
        if not usable:
            raise InputError(f"{path}: wrong {what}", found=given, wanted=wanted, todo=DOWNLOAD_AGAIN)

    for name in set(header.file_name):
        data = _existing(folder / name)
        # Format 212 packs two samples into three bytes; wfdb itself checks what it reads in other formats.
        wanted = -(-header.file_name.count(name) * header.sig_len * 3 // 2) if set(header.fmt) == {"212"} else 1
        if data.stat().st_size < wanted:
            raise InputError(
                f"{data}: truncated",
                found=f"{data.stat().st_size} bytes",
                wanted=f"{wanted} bytes for {header.sig_len} samples",
                todo=DOWNLOAD_AGAIN,
            )
    try:
        values = wfdb.rdrecord(str(folder / record)).p_signal
    except WFDB_ERRORS as error:
        raise unreadable(
            f"{data}: the signal cannot be read", error, f"{header.sig_len} samples as {path.name} says", DOWNLOAD_AGAIN
        ) from error
    _check_sums(path, wfdb.rdrecord(str(folder / record), physical=False))
    return (values[:, ::-1] if header.sig_name[1] == "MLII" else values), int(header.fs)


def _check_sums(path: Path, record) -> None:
    """Raise InputError where a lead of a record in digital units has another checksum than its header `path` says."""
    for lead, (stated, samples) in enumerate(zip(record.checksum, record.d_signal.T, strict=True)):
        there = int(samples.sum(dtype=np.int64))
        if stated is not None and (there - stated) % 2**16:
            raise InputError(
                f"{path.with_name(record.file_name[lead])}: lead {lead} has another checksum than {path.name} says",
                found=there % 2**16,
                wanted=stated % 2**16,
                todo=DOWNLOAD_AGAIN,
            )


def _read_rhythms(folder: Path, record: str, samples: int, rate: int) -> tuple[np.ndarray, list[str]]:
    """Return first samples `(rhythms,)`, ascending int64 at the record's own rate, and codes of the rhythms."""
    path = _existing(folder / f"{record}.atr")
    try:
        annotation = _import_wfdb().rdann(str(folder / record), "atr", return_label_elements=["label_store"])
    except WFDB_ERRORS as error:
        raise unreadable(
            f"{path}: the annotations cannot be read", error, "a WFDB annotation file", DOWNLOAD_AGAIN
        ) from error
    # wfdb reads a file that was cut off without a word; every whole one ends with two zero bytes.
    if path.read_bytes()[-2:] != b"\0\0":
        raise InputError(
            f"{path}: truncated", found="no end mark", wanted="two zero bytes at the end", todo=DOWNLOAD_AGAIN
        )
    if annotation.fs != rate:
        raise InputError(
            f"{path}: annotations at another rate than the signal",
            found=f"{annotation.fs} Hz",
            wanted=f"{rate} Hz",
            todo=DOWNLOAD_AGAIN,
        )
    changes = np.flatnonzero(annotation.label_store == RHYTHM_CHANGE)
    if not changes.size:
        raise InputError(
            f"{path}: no rhythm annotation",
            found=f"{len(annotation.sample)} other annotations",
            wanted="annotations '+' with a rhythm such as (AFIB",
            todo="use the archive's .atr files",
        )
    starts = annotation.sample[changes]
    if starts[0] < 0 or (np.diff(starts) < 0).any() or starts[-1] >= samples:
        raise InputError(
            f"{path}: rhythm annotations out of order or beyond the record's end",
            found=f"samples {starts.min()} to {starts.max()}",
            wanted=f"ascending, 0 to {samples - 1}",
            todo=DOWNLOAD_AGAIN,
        )
    return starts, [annotation.aux_note[index].strip("\0 ").removeprefix("(") for index in changes]


def _sample_labels(starts, rhythms, classes, samples: int, ratio: Fraction) -> np.ndarray:
    """Return the label of every sample at 250 Hz, int64 `(samples,)`: sample i has the rhythm in force at time i / 250.

    A rhythm from sample s of the record's own rate on starts at i = ceil(s * ratio), in whole numbers.
    """
    first = -(-starts * ratio.numerator // ratio.denominator)
    labels = [UNLABELLED] + [classes.index(rhythm) if rhythm in classes else UNLABELLED for rhythm in rhythms]
    return np.repeat(np.array(labels, dtype=np.int64), np.diff([0, *first, samples]))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            f"{path}: missing", wanted="a file that RECORDS or a header lists", todo="download it from the archive"
        )
    return path


def _import_wfdb():
    """Import wfdb, which brings pandas along and takes a second, so that only reading these two data sets needs it."""
    try:
        with warnings.catch_warnings():
            # wfdb 4.3.1 calls pandas in ways that pandas 3 announces to drop; a reader can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            import wfdb
    except ImportError as error:
        raise InputError(
            "reading WFDB records needs the package wfdb", found="not installed", todo='pip install "emargin[data]"'
        ) from error
    return wfdb
