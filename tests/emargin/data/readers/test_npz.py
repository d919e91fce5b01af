"""The neutral npz format, and the checksum of the files that a set was read from."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from emargin.data.checksums import files_digest
from emargin.data.readers.npz import load_folder
from emargin.errors import InputError

DESCRIPTION = {"classes": ["rest", "walk"], "sampling_rate": 50}
SIGNAL = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
LABELS = np.arange(30, dtype=np.int8) % 3 - 1


def write(folder: Path, description=DESCRIPTION, **files):
    """dataset.json and one npz for each keyword, with the arrays of its dictionary."""
    folder.mkdir(exist_ok=True)
    if description is not None:
        (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    for name, arrays in files.items():
        np.savez(folder / f"{name}.npz", **arrays)
    return folder


def test_signals_are_read_as_they_were_written(tmp_path):
    folder = write(tmp_path / "mine", p1={"signal": SIGNAL, "labels": LABELS})
    recordings = load_folder(folder)
    assert (recordings.name, recordings.source, recordings.classes) == ("mine", "real", ("rest", "walk"))
    assert (recordings.sampling_rate, recordings.framed, recordings.test_subjects) == (50.0, False, ())
    (recording,) = recordings.recordings
    assert (recording.name, recording.subject) == ("p1", "p1")
    assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64
    np.testing.assert_array_equal(recording.values, SIGNAL)
    np.testing.assert_array_equal(recording.labels, LABELS)


def test_several_recordings_of_one_file_share_its_subject_and_come_in_order(tmp_path):
    write(
        tmp_path,
        b={"signal": SIGNAL, "labels": LABELS},
        a={"labels_01": LABELS[:9], "signal_01": SIGNAL[:9], "signal_00": SIGNAL, "labels_00": LABELS},
    )
    recordings = load_folder(tmp_path).recordings
    assert [(r.name, r.subject, len(r.values)) for r in recordings] == [
        ("a_00", "a", 30),
        ("a_01", "a", 9),
        ("b", "b", 30),
    ]


def test_features_make_a_framed_set_without_sampling_rate(tmp_path):
    write(tmp_path, {"classes": ["W", "N1"]}, night={"features": SIGNAL.astype(np.float64), "labels": LABELS})
    recordings = load_folder(tmp_path)
    assert recordings.framed and recordings.sampling_rate is None
    assert recordings.recordings[0].values.dtype == np.float32


def test_whole_numbers_stored_as_floats_are_labels(tmp_path):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS.astype(np.float32)})
    np.testing.assert_array_equal(load_folder(tmp_path).recordings[0].labels, LABELS)


def test_hidden_files_and_arrays_with_other_names_are_left_alone(tmp_path):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS, "time": np.array([object()])})
    (tmp_path / "._p1.npz").write_bytes(b"what macOS leaves on foreign disks")
    assert [recording.name for recording in load_folder(tmp_path).recordings] == ["p1"]


@pytest.mark.parametrize("rate", [50, 50.0, np.float32(50)])
def test_a_file_may_repeat_the_sampling_rate(tmp_path, rate):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS, "sampling_rate": rate})
    assert load_folder(tmp_path).sampling_rate == 50.0


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "dataset.json: missing"),
        ('{"classes": ', "dataset.json: not valid JSON"),
        (b"\xff\xfe", "dataset.json: not valid JSON"),
        ("[" * 100_000, "dataset.json: not valid JSON"),
        ('["rest"]', "dataset.json: no classes. found: list"),
        ('{"sampling_rate": 50}', r"dataset.json: no classes. found: \['sampling_rate'\]"),
        ('{"classes": []}', "dataset.json: classes cannot be used"),
        ('{"classes": "rest"}', "dataset.json: classes cannot be used"),
        ('{"classes": ["rest", 2]}', "dataset.json: classes cannot be used"),
        ('{"classes": ["rest", ""]}', "dataset.json: classes cannot be used"),
        ('{"classes": ["rest", "walk", "rest"]}', r"dataset.json: classes named twice. found: \['rest'\]"),
        ('{"classes": ["rest", "walk"]}', "dataset.json: sampling_rate is missing"),
        ('{"classes": ["rest", "walk"], "sampling_rate": 0}', "dataset.json: sampling_rate .* found: 0"),
        ('{"classes": ["rest", "walk"], "sampling_rate": -5}', "dataset.json: sampling_rate .* found: -5"),
        ('{"classes": ["rest", "walk"], "sampling_rate": "50"}', "dataset.json: sampling_rate"),
        ('{"classes": ["rest", "walk"], "sampling_rate": true}', "dataset.json: sampling_rate"),
        ('{"classes": ["rest", "walk"], "sampling_rate": NaN}', "dataset.json: sampling_rate"),
        ('{"classes": ["rest", "walk"], "sampling_rate": Infinity}', "dataset.json: sampling_rate"),
        (
            '{"classes": ["rest", "walk"], "sampling_rate": 50, "channels": ["x", "y"]}',
            "dataset.json: channels do not match .* found: 2 names. wanted: 3",
        ),
        ('{"classes": ["rest", "walk"], "sampling_rate": 50, "channels": 3}', "dataset.json: channels cannot be used"),
    ],
)
def test_a_bad_description_is_refused(tmp_path, text, message):
    write(tmp_path, None, p1={"signal": SIGNAL, "labels": LABELS})
    if text is not None:
        (tmp_path / "dataset.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"labels": LABELS}, "p1.npz: incomplete .* found: labels"),
        ({"signal": SIGNAL}, "p1.npz: incomplete .* found: signal. wanted"),
        ({"signal_00": SIGNAL, "labels_00": LABELS, "signal_01": SIGNAL}, "p1.npz: incomplete .* found: signal_01"),
        ({"signal": SIGNAL, "features": SIGNAL, "labels": LABELS}, "p1.npz: .* found: features, labels, signal"),
        ({"signal": SIGNAL, "features": SIGNAL}, "p1.npz: .* found: features, signal"),
        ({"other": SIGNAL}, "p1.npz: neither signal nor features"),
        ({"signal": SIGNAL, "labels": LABELS[:-1]}, r"recording p1: labels do not match .* \(29,\)"),
        ({"signal": SIGNAL[:, 0], "labels": LABELS}, r"p1.npz: signal cannot be used. found: float32 of shape \(30,\)"),
        ({"signal": SIGNAL.astype(str), "labels": LABELS}, "p1.npz: signal cannot be used. found: <U"),
        ({"signal": SIGNAL.astype(complex), "labels": LABELS}, "p1.npz: signal cannot be used. found: complex128"),
        ({"signal": SIGNAL, "labels": LABELS.astype(str)}, "p1.npz: labels are not numbers. found: <U"),
        ({"signal": SIGNAL, "labels": LABELS > 0}, "p1.npz: labels are not numbers. found: bool"),
        ({"signal": SIGNAL, "labels": LABELS / 2}, "p1.npz: labels are not integers. found: -0.5"),
        (
            {"signal": SIGNAL, "labels": np.where(LABELS < 0, np.nan, LABELS)},
            "p1.npz: labels are not integers. found: nan",
        ),
        (
            {"signal": SIGNAL, "labels": np.full(30, 2**64 - 1, np.uint64)},
            "p1.npz: labels are not integers. found: 18446",
        ),
        ({"signal": SIGNAL, "labels": LABELS + 1}, "recording p1: label outside the classes. found: 2"),
        ({"signal": np.where(SIGNAL > 2, np.nan, SIGNAL), "labels": LABELS}, "recording p1: .* not finite"),
        ({"signal": SIGNAL * np.float64(1e39), "labels": LABELS}, "recording p1: .* not finite"),
        ({"signal": SIGNAL * [1, 0, 1], "labels": LABELS}, "recording p1: channel 1 is constant"),
        ({"signal": SIGNAL[:0], "labels": LABELS[:0]}, "recording p1: no samples"),
        ({"signal": SIGNAL, "labels": LABELS, "sampling_rate": 25}, "p1.npz: sampling_rate differs .* 25. wanted: 50"),
        ({"signal": SIGNAL, "labels": LABELS, "sampling_rate": "50"}, "p1.npz: sampling_rate differs"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, message):
    write(tmp_path, p1=arrays)
    with pytest.raises(InputError, match=message):
        load_folder(tmp_path)


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="dataset.json: missing"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no recordings. found: no \*.npz"):
        load_folder(write(tmp_path / "empty"))


def test_signals_and_features_do_not_mix(tmp_path):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS}, p2={"features": SIGNAL, "labels": LABELS})
    with pytest.raises(InputError, match="some recordings are signals and some features"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: b"", "not a zip archive"),
        (lambda data: b"not an archive", "not a zip archive"),
        (lambda data: data[: len(data) // 2], "not a zip archive"),
        (lambda data: pickle.dumps(SIGNAL), "not a zip archive"),
        (lambda data: data.replace(SIGNAL.tobytes()[:8], b"\0" * 8), "Bad CRC-32"),
        (lambda data: data.replace(b"\x93NUMPY", b"\x93NUMPI"), "Bad CRC-32"),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path, damage, message):
    path = write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS}) / "p1.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=f"p1.npz: cannot be read. found: BadZipFile: {message}"):
        load_folder(tmp_path)


def test_a_member_that_is_no_array_is_refused(tmp_path):
    path = write(tmp_path, p1={"labels": LABELS}) / "p1.npz"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("signal.npy", "text")
    with pytest.raises(InputError, match="p1.npz: signal cannot be used"):
        load_folder(tmp_path)


class Trap:
    """Unpickling it makes the directory `path`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["signal", "labels"])
def test_pickled_arrays_are_refused_and_never_run(tmp_path, name):
    sprung = tmp_path / "sprung"
    arrays = {"signal": SIGNAL, "labels": LABELS} | {name: np.array([Trap(sprung)], dtype=object)}
    write(tmp_path, p1=arrays)
    with pytest.raises(InputError, match=f"p1.npz: {name} is a pickled object array, and pickled arrays are refused"):
        load_folder(tmp_path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap works, so its absence above means something"


def test_the_digest_depends_on_names_and_contents_only(tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a").write_bytes(b"first")
        (folder / "b").write_bytes(b"second")
    digest = files_digest([first / "a", first / "b"])
    assert len(digest) == 64 and digest == files_digest([second / "b", second / "a"])
    (second / "b").rename(second / "c")
    assert files_digest([second / "a", second / "c"]) != digest, "another name"
    (first / "b").write_bytes(b"secondly")
    assert files_digest([first / "a", first / "b"]) != digest, "another content"
    assert files_digest([first / "a"]) != digest, "a file less"


@pytest.mark.long
@pytest.mark.skipif("EMARGIN_DATA" not in os.environ, reason="EMARGIN_DATA is unset: no real data")
@pytest.mark.parametrize(
    "name, recordings, subjects, columns, framed",
    [("dsads", 8, 8, 6, False), ("spsw-har", 223, 23, 6, False), ("sleepedf-features", 20, 20, 72, True)],
)
def test_the_converted_sets_are_read_whole(name, recordings, subjects, columns, framed):
    loaded = load_folder(Path(os.environ["EMARGIN_DATA"]) / name)
    assert (loaded.name, loaded.framed, len(loaded.recordings)) == (name, framed, recordings)
    assert len({recording.subject for recording in loaded.recordings}) == subjects
    assert {recording.values.shape[1] for recording in loaded.recordings} == {columns}
