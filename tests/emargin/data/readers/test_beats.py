"""Beats of MIT-BIH Arrhythmia: on small records in their exact format and, if at hand, on the real ones."""

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.framing import stft_frames
from emargin.data.loading import load
from emargin.data.readers.beats import CLASSES, DS1, DS2, NOTES, PACED, load_beats
from emargin.data.readers.rhythms import load_mitbih
from emargin.errors import InputError

wfdb = pytest.importorskip("wfdb")
# wfdb.wrann, which writes the records here, calls pandas in a way that pandas 3 announces to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
FRAMES = {"n_fft": 50, "hop": 25}


def write(folder: Path, beats, name="100", rate=250, samples=500, rhythm="(N"):
    """One record of two sines with a rhythm, and its beats: (sample, symbol) each."""
    time = np.arange(samples)[:, None] / rate
    digital = np.round(np.sin(2 * np.pi * time * np.array([1, 2])) * 200).astype(np.int64) + 1024
    wfdb.wrsamp(
        name,
        fs=rate,
        units=["mV"] * 2,
        sig_name=["MLII", "V1"],
        d_signal=digital,
        fmt=["212"] * 2,
        adc_gain=[200.0] * 2,
        baseline=[1024] * 2,
        write_dir=str(folder),
    )
    samples, symbols = zip(*sorted([(0, "+"), *beats], key=lambda beat: beat[0]), strict=True)
    notes = [rhythm if symbol == "+" else "" for symbol in symbols]
    wfdb.wrann(name, "atr", np.array(samples), write_dir=str(folder), symbol=list(symbols), aux_note=notes)


def labels_of(folder, beats, **named):
    write(folder, beats, **named)
    return load_beats(folder, **FRAMES).recordings[0].labels.tolist()


def test_frames_are_those_of_the_rhythms_signal(tmp_path):
    write(tmp_path, [(30, "N")], rate=360)
    beats, rhythms = load_beats(tmp_path, **FRAMES), load_mitbih(tmp_path)
    assert beats.framed and beats.sampling_rate is None and beats.classes == CLASSES == ("N", "S", "V", "F")
    (framed,), (signal,) = beats.recordings, rhythms.recordings
    np.testing.assert_array_equal(framed.values, stft_frames(signal.values, 50, 25).numpy())
    assert framed.labels.dtype == np.int64 and framed.labels.shape == framed.values.shape[:1]


def test_a_beat_is_in_every_frame_that_covers_it_and_others_have_none(tmp_path):
    assert labels_of(tmp_path, [(49, "N"), (50, "V")], samples=150) == [0, 2, 2, -1, -1]
    # frames start at 0, 25, 50, 75, 100: sample 49 lies in the first two, sample 50 in the second and the third
    assert labels_of(tmp_path, [(74, "N")], samples=150) == [-1, 0, 0, -1, -1]
    assert labels_of(tmp_path, [(75, "N")], samples=150) == [-1, -1, 0, 0, -1]


@pytest.mark.parametrize(
    "symbols, label", [("NSVF", 3), ("VSN", 2), ("NNAN", 1), ("NN", 0), ("/Q", -1), ("QN", 0), ("fV", 2), ("", -1)]
)
def test_the_rarest_beat_names_the_frame_and_class_q_names_none(tmp_path, symbols, label):
    beats = [(5 + 5 * place, symbol) for place, symbol in enumerate(symbols)]
    assert labels_of(tmp_path, beats, samples=60) == [label]


@pytest.mark.parametrize("symbols, label", [("NLRej", 0), ("AaJS", 1), ("VE", 2), ("F", 3), ('/fQ~|x!"[]+', -1)])
def test_every_note_has_its_class_and_what_is_no_beat_has_none(tmp_path, symbols, label):
    for symbol in symbols:
        assert labels_of(tmp_path, [(20, symbol)], samples=60) == [label], symbol
    assert sum(map(len, NOTES.values())) == len("NLRej" + "AaJS" + "VE" + "F")


def test_a_beat_of_360_hz_lies_at_its_own_time(tmp_path):
    # sample 72 of 360 Hz is at 0.2 s, sample 50 of 250 Hz; 71 is a little before, in sample 49
    assert labels_of(tmp_path, [(72, "V")], rate=360, samples=216) == [-1, 2, 2, -1, -1]
    assert labels_of(tmp_path, [(71, "V")], rate=360, samples=216) == [2, 2, -1, -1, -1]


def test_paced_records_are_left_out_and_both_records_of_a_patient_are_on_one_side(tmp_path):
    for name in ("100", *PACED, "201", "202"):
        write(tmp_path, [(30, "N")], name=name)
    recordings = load_beats(tmp_path, **FRAMES)
    assert [(one.name, one.subject) for one in recordings.recordings] == [
        ("100", "100"),
        ("201", "201"),
        ("202", "201"),
    ]
    first, second = recordings.test_subjects
    assert "201" in second and not {"201", "202"} & first and "100" in first


def test_each_side_of_the_usual_split_is_tested_once():
    assert len(DS1) == len(DS2) == 22 and not DS1 & DS2 and not (DS1 | DS2) & set(PACED)


def test_rhythms_are_nothing_to_warn_of(tmp_path):
    write(tmp_path, [(30, "N")], rhythm="(VT")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        load_beats(tmp_path, **FRAMES)


def test_beats_beyond_the_end_and_a_damaged_file_are_refused(tmp_path):
    write(tmp_path, [(30, "N"), (700, "V")])
    with pytest.raises(InputError, match="100.atr: beats out of order or beyond.*found: samples 30 to 700.*0 to 499"):
        load_beats(tmp_path, **FRAMES)
    (tmp_path / "100.atr").write_bytes(b"\1")
    with pytest.raises(InputError, match="100.atr"):
        load_beats(tmp_path, **FRAMES)


def test_the_set_is_loaded_by_its_name_from_the_folder_of_the_rhythms(tmp_path, monkeypatch):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    (tmp_path / "mitbih").mkdir()
    for name in ("100", "101"):
        write(tmp_path / "mitbih", [(place, "NV"[place % 2]) for place in range(30, 990, 51)], name=name, samples=1000)
    fields = {"dataset": "mitbih-beats", "n_fft": 50, "hop": 25, "sequence_length": 10, "stride": 10}
    for fold in (1, 2):
        dataset = load(Experiment(**fields, fold=fold))
        assert dataset.classes == CLASSES and dataset.n_features == 52 and len(dataset.train) == len(dataset.test) == 3
    assert entry_of("mitbih-beats").paths == entry_of("mitbih").paths


@pytest.fixture(scope="module")
def real():
    if "EMARGIN_DATA" not in os.environ:
        pytest.skip("EMARGIN_DATA is unset: no real MIT-BIH Arrhythmia Database")
    return load_beats(Path(os.environ["EMARGIN_DATA"]) / "mitbih")


@pytest.mark.long
def test_the_real_records_hold_the_stated_frames(real):
    assert len(real.recordings) == 44 and len({recording.subject for recording in real.recordings}) == 43
    tested, counts = set(), []
    for people in real.test_subjects:
        recordings = [recording for recording in real.recordings if recording.subject in people]
        tested |= {recording.subject for recording in recordings}
        labels = np.concatenate([recording.labels for recording in recordings])
        counts.append((len(recordings), np.bincount(labels + 1, minlength=5).tolist()))
    assert tested == {recording.subject for recording in real.recordings}
    assert counts == [(21, [3288, 62656, 2874, 6221, 771]), (23, [2437, 71700, 1472, 6592, 829])]


@pytest.mark.long
def test_the_real_notes_are_the_known_ones(real):
    folder, known = Path(os.environ["EMARGIN_DATA"]) / "mitbih", set("NLRejAaJSVEF/fQ" + '+~!"x|[]')
    notes = Counter()
    for recording in real.recordings:
        notes.update(wfdb.rdann(str(folder / recording.name), "atr").symbol)
    assert set(notes) <= known and not notes["/"]
