"""From arrays in memory to a folder in the neutral npz format, and back."""

import json

import numpy as np
import pandas as pd
import pytest

from companion.fetch.folder import new_folder, save_folder
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
        ({"a": SIGNAL}, {}, "a: no recording. found: ndarray. wanted: (values, labels) or"),
        ({"a": [SIGNAL, LABELS]}, {}, "a: no recording. found: ndarray"),
        ({"a": (SIGNAL,)}, {}, "a: no recording. found: tuple of 1"),
        ({1: (SIGNAL, LABELS)}, {}, "a subject cannot name a file. found: 1"),
        ({"a": (SIGNAL, LABELS[:-1])}, {}, "recording a: labels do not match the samples"),
        ({"a": (SIGNAL[:, 0], LABELS)}, {}, "a: signal cannot be used. found: float64 of shape (30,)"),
        ({"a": (SIGNAL, LABELS + 1)}, {}, "recording a: label outside the classes. found: 2 at sample 2"),
        ({"a": (SIGNAL, ["walk"] * 29 + ["wlak"])}, {}, "recording a: 1 labels are no class. found: 'wlak' (1), first"),
        ({"a": (SIGNAL, ["wlak", "run"] * 15)}, {}, "30 labels are no class. found: 'wlak' (15), 'run' (15), first at"),
        ({"a": (SIGNAL, np.array([True] * 30, dtype=object))}, {}, "30 labels are no class. found: True (30)"),
        ({"a": (SIGNAL, LABELS / 2)}, {}, "a: labels are not integers. found: -0.5"),
        ({"a": (SIGNAL[:, :0], LABELS)}, {}, "signal cannot be used. found: float64 of shape (30, 0)"),
        ({"a" * 5000: (SIGNAL, LABELS)}, {}, "wanted: a name of at most 200 characters"),
        ({"a\udcff": (SIGNAL, LABELS)}, {}, "a subject cannot name a file. found: 'a\\udcff'"),
        ({"a": (SIGNAL, LABELS)}, {"sampling_rate": 10**40}, "sampling_rate is missing or cannot be used. found: 1000"),
        ({"a": (SIGNAL, LABELS)}, {"classes": [str(n) for n in range(100_000)]}, "too many classes. found: 100000"),
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


def test_masked_and_missing_labels_are_unlabelled(tmp_path):
    wanted = np.where(LABELS < 0, -1, LABELS)
    gaps = pd.Series(np.where(LABELS < 0, np.nan, LABELS))
    names = pd.Series([None if label < 0 else CLASSES[label] for label in LABELS])
    given = {
        "masked": np.ma.masked_array(np.abs(LABELS), mask=LABELS < 0),
        "masked uint8": np.ma.masked_array(np.abs(LABELS).astype(np.uint8), mask=LABELS < 0),
        "masked names": np.ma.masked_array(np.array(CLASSES)[np.abs(LABELS)], mask=LABELS < 0),
        "float": gaps,
        "Int64": gaps.astype("Int64"),
        "Float64": gaps.astype("Float64"),
        "string": names.astype("string"),
        "object": names.astype(object),
        "category": names.astype("category"),
        "StringDType": np.array(
            [name if isinstance(name, str) else None for name in names], dtype=np.dtypes.StringDType(na_object=None)
        ),
        "list": gaps.tolist(),
    }
    save_folder(
        tmp_path / "mine", {name: (SIGNAL, labels) for name, labels in given.items()}, classes=CLASSES, sampling_rate=50
    )
    for recording in load_folder(tmp_path / "mine").recordings:
        np.testing.assert_array_equal(recording.labels, wanted, err_msg=recording.name)


def test_masked_values_are_refused_and_an_empty_mask_is_not(tmp_path):
    masked = np.ma.masked_array(SIGNAL, mask=np.zeros_like(SIGNAL, dtype=bool))
    save_folder(tmp_path / "mine", {"a": (masked, LABELS)}, classes=CLASSES, sampling_rate=50)
    masked[12:15, 1] = np.ma.masked
    with pytest.raises(InputError, match="recording a: 3 values are masked. found: the first at sample 12"):
        save_folder(tmp_path / "other", {"a": (masked, LABELS)}, classes=CLASSES, sampling_rate=50)


def table(start="2026-01-01", rate=50, columns=("x", "y", "z"), **keywords):
    """A table of three channels whose index holds the times."""
    index = pd.date_range(start, periods=len(SIGNAL), freq=pd.Timedelta(seconds=1 / rate), **keywords)
    return pd.DataFrame(SIGNAL, index=index, columns=list(columns))


def test_tables_give_their_times_and_the_names_of_channels(tmp_path):
    save_folder(
        tmp_path / "mine",
        {"a": (table(tz="Europe/Berlin"), LABELS), "b": (table().reset_index(drop=True), LABELS)},
        classes=CLASSES,
        sampling_rate=50,
    )
    assert json.loads((tmp_path / "mine" / "dataset.json").read_text())["channels"] == ["x", "y", "z"]
    with np.load(tmp_path / "mine" / "a.npz") as archive:
        assert archive["time"][0] == np.datetime64("2025-12-31T23:00:00")
    assert len(load_folder(tmp_path / "mine").recordings) == 2


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (
            {"a": (table(), LABELS), "b": (table(rate=25), LABELS)},
            "recording b: samples are of another rate. found: 25 Hz, one every 0.04 s. wanted: 50 Hz",
        ),
        (
            {"a": (pd.concat([table()[:15], table("2026-01-01 00:00:20")[15:]]), LABELS)},
            "recording a: 1 gaps in time. found: 20.02 s after sample 14, where 0.02 s are usual",
        ),
        ({"a": (SIGNAL, LABELS, np.delete(np.arange(31) / 50, 7))}, "recording a: 1 gaps in time. found: 0.04 s after"),
        ({"a": (SIGNAL, LABELS, np.arange(30)[::-1] / 50)}, "recording a: times do not rise. found: 0.56 after 0.58"),
        ({"a": (SIGNAL, LABELS, np.zeros(30))}, "recording a: times do not rise"),
        ({"a": (SIGNAL, LABELS, np.full(30, np.nan))}, "recording a: times do not rise"),
        ({"a": (SIGNAL, LABELS, np.arange(29) / 50)}, "recording a cannot be used. found: float64 of shape (29,)"),
        ({"a": (SIGNAL, LABELS, ["noon"] * 30)}, "recording a cannot be used. found: "),
        (
            {"a": (table(), LABELS), "b": (table(columns="zyx"), LABELS)},
            "the tables have different columns. found: ['z', 'y', 'x'] of b, ['x', 'y', 'z'] of a",
        ),
        ({"a": (table().assign(y="high"), LABELS)}, "recording a: column y cannot be used. found: dtype str"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, recordings, message):
    with pytest.raises(InputError) as caught:
        save_folder(tmp_path / "mine", recordings, classes=CLASSES, sampling_rate=50)
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


def test_two_processes_of_one_number_write_side_by_side(tmp_path, monkeypatch):
    """As containers do that share a folder."""
    monkeypatch.setattr("os.getpid", lambda: 7)
    with new_folder(tmp_path / "set") as beside:
        (beside / "a").write_text("first")
        with pytest.raises(OSError), new_folder(tmp_path / "set") as other:
            assert other != beside
            (other / "a").write_text("second")
            (tmp_path / "set").mkdir()
            (tmp_path / "set" / "theirs").touch()
        assert (beside / "a").read_text() == "first"
        (tmp_path / "set" / "theirs").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (tmp_path / "set" / "a").read_text() == "first"


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".emargin-0123.part").mkdir()
    save_folder(tmp_path / "set", {"a": (np.random.default_rng(0).normal(size=(9, 2)), [0] * 9)}, classes=["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_place_where_no_folder_can_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/set cannot be written. found: .* what to do: choose another one"):
        with new_folder(tmp_path / "file" / "set"):
            pytest.fail("made")
