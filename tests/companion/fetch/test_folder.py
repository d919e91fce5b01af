"""From arrays in memory to a folder in the neutral npz format, and back."""

import json

import numpy as np
import pytest

from companion.fetch.folder import save_folder
from emargin.data.readers.npz import load_folder
from emargin.errors import InputError

CLASSES = ["rest", "walk"]
SIGNAL = np.random.default_rng(0).normal(size=(30, 3))
LABELS = np.arange(30) % 3 - 1


def test_what_is_saved_is_what_is_loaded(tmp_path):
    save_folder(
        tmp_path / "mine",
        {"b": (SIGNAL, LABELS), "a": [(SIGNAL[:9], LABELS[:9]), (SIGNAL[9:], LABELS[9:])]},
        classes=CLASSES,
        sampling_rate=np.float32(50),
        channels=["x", "y", "z"],
    )
    data = load_folder(tmp_path / "mine")
    assert (data.name, data.classes, data.sampling_rate, data.framed) == ("mine", ("rest", "walk"), 50.0, False)
    assert [(r.name, r.subject) for r in data.recordings] == [("a_00", "a"), ("a_01", "a"), ("b", "b")]
    for recording, rows in zip(data.recordings, (slice(9), slice(9, None), slice(None)), strict=True):
        np.testing.assert_array_equal(recording.values, SIGNAL[rows].astype(np.float32))
        np.testing.assert_array_equal(recording.labels, LABELS[rows])
    assert json.loads((tmp_path / "mine" / "dataset.json").read_text())["channels"] == ["x", "y", "z"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_a_rate_the_values_are_feature_frames(tmp_path):
    save_folder(tmp_path / "mine", {"a": (SIGNAL, LABELS)}, classes=CLASSES)
    data = load_folder(tmp_path / "mine")
    assert data.framed and data.sampling_rate is None


def test_names_stand_for_their_index_and_nothing_for_unlabelled(tmp_path):
    names = np.array(["walk", "rest", "", None, float("nan"), 1, -1] + ["walk"] * 23, dtype=object)
    save_folder(
        tmp_path / "mine",
        {"a": (SIGNAL, names), "b": (SIGNAL, np.where(LABELS > 0, "walk", "rest"))},
        classes=CLASSES,
        sampling_rate=50,
    )
    mixed, named = load_folder(tmp_path / "mine").recordings
    assert mixed.labels[:8].tolist() == [1, 0, -1, -1, -1, 1, -1, 1]
    np.testing.assert_array_equal(named.labels, LABELS > 0)


def test_a_hundred_recordings_of_one_subject_come_back_in_order(tmp_path):
    save_folder(
        tmp_path / "mine",
        {"a": [(SIGNAL[: 2 + number], LABELS[: 2 + number] * 0) for number in range(20)] * 6},
        classes=CLASSES,
        sampling_rate=50,
    )
    lengths = [len(recording.values) for recording in load_folder(tmp_path / "mine").recordings]
    assert lengths == list(range(2, 22)) * 6


@pytest.mark.parametrize(
    ("recordings", "fields", "message"),
    [
        ({}, {}, "no recordings"),
        ({"../a": (SIGNAL, LABELS)}, {}, "a subject cannot name a file. found: '../a'"),
        ({".a": (SIGNAL, LABELS)}, {}, "a subject cannot name a file"),
        ({1: (SIGNAL, LABELS)}, {}, "a subject cannot name a file. found: 1"),
        ({"a": (SIGNAL, LABELS[:-1])}, {}, "recording a: labels do not match the samples"),
        ({"a": (SIGNAL[:, 0], LABELS)}, {}, "a: signal cannot be used. found: float64 of shape (30,)"),
        ({"a": (SIGNAL, LABELS + 1)}, {}, "recording a: label outside the classes. found: 2 at sample 2"),
        ({"a": (SIGNAL, ["walk"] * 29 + ["wlak"])}, {}, "recording a: no such class. found: 'wlak' at sample 29"),
        ({"a": (np.where(LABELS[:, None] > 0, np.nan, SIGNAL), LABELS)}, {}, "30 samples are not finite"),
        ({"a": (SIGNAL, LABELS), "b": (SIGNAL[:, :2], LABELS)}, {}, "recordings differ in their number of channels"),
        ({"a": (SIGNAL, LABELS)}, {"sampling_rate": -1}, "sampling_rate is missing or cannot be used. found: -1"),
        ({"a": (SIGNAL, LABELS)}, {"classes": ["walk", "walk"]}, "classes named twice"),
        ({"a": (SIGNAL, LABELS)}, {"channels": ["x", "y"]}, "channels do not match the recordings. found: 2 names"),
    ],
)
def test_what_could_not_be_loaded_is_refused_and_leaves_nothing(tmp_path, recordings, fields, message):
    with pytest.raises(InputError) as caught:
        save_folder(tmp_path / "mine", recordings, **{"classes": CLASSES, "sampling_rate": 50} | fields)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_never_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="there already"):
        save_folder(tmp_path / "mine", {"a": (SIGNAL, LABELS)}, classes=CLASSES, sampling_rate=50)
    assert list((tmp_path / "mine").iterdir()) == []


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_folder(tmp_path / "mine", {"a": (SIGNAL, LABELS)}, classes=CLASSES, sampling_rate=50)
    assert list(tmp_path.iterdir()) == []
