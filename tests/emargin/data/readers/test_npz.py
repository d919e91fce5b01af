"""The neutral npz format, and the checksum of the files that a set was read from."""

import contextlib
import io
import json
import os
import pickle
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest

from emargin.config import Experiment
from emargin.data.checksums import files_digest
from emargin.data.readers import npz
from emargin.data.readers.npz import load_folder
from emargin.errors import InputError
from emargin.resolve import resolve

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
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS, "notes": np.array([object()])})
    (tmp_path / "._p1.npz").write_bytes(b"what macOS leaves on foreign disks")
    with pytest.warns(UserWarning, match="p1.npz: arrays with no meaning here are not read: 'notes'"):
        assert [recording.name for recording in load_folder(tmp_path).recordings] == ["p1"]


def test_missing_labels_of_a_table_are_unlabelled(tmp_path):
    write(tmp_path, p1={"signal": SIGNAL, "labels": np.where(LABELS < 0, np.nan, LABELS)})
    np.testing.assert_array_equal(load_folder(tmp_path).recordings[0].labels, LABELS)


@pytest.mark.parametrize("rate, resolution", [(50, None), (64, "ms"), (400, "ms"), (50, "ns")])
def test_times_may_stand_beside_a_recording(tmp_path, rate, resolution):
    """Times in whole milliseconds have steps that differ by one, which is no gap and no other rate."""
    times = np.arange(3000) / rate
    if resolution:
        per_second = {"ms": 1000, "ns": 10**9}[resolution]
        times = np.datetime64("2026-01-01", resolution) + np.floor(times * per_second).astype(f"m8[{resolution}]")
    signal = np.tile(SIGNAL, (100, 1))
    write(
        tmp_path,
        {**DESCRIPTION, "sampling_rate": rate},
        p1={"signal": signal, "labels": np.tile(LABELS, 100), "time": times},
    )
    assert len(load_folder(tmp_path).recordings[0].values) == 3000


def test_recordings_come_in_the_order_of_their_files_names(tmp_path, monkeypatch):
    names = ["b", "a10", "a2", "B"]
    write(tmp_path, **{name: {"signal": SIGNAL, "labels": LABELS} for name in names})
    order = Path.glob

    def backwards(folder, pattern):
        return reversed(sorted(order(folder, pattern)))

    monkeypatch.setattr(Path, "glob", backwards)
    assert [recording.name for recording in load_folder(tmp_path).recordings] == ["B", "a10", "a2", "b"]


def test_what_is_not_read_is_named(tmp_path):
    mask = np.zeros(30, dtype=bool)
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS, "mask": mask})
    (tmp_path / "p2.NPZ").write_bytes(b"")
    (tmp_path / "README.md").write_text("words are no recordings")
    with pytest.warns(UserWarning) as caught:
        load_folder(tmp_path)
    messages = [str(warning.message) for warning in caught]
    assert [message.partition(": ")[2] for message in messages] == [
        "not read, since they are no *.npz: p2.NPZ",
        "arrays with no meaning here are not read: 'mask'",
    ]


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
        (
            '{"classes": ["a"], "sampling_rate": 50, "sampling_rate": 25}',
            "a name twice. found: 'sampling_rate' twice in one object",
        ),
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
        (
            '{"classes": ["rest", "walk"], "sampling_rate": ' + "9" * 40 + "}",
            "dataset.json: sampling_rate .* found: 99",
        ),
        ('{"classes": ["rest", "walk"], "sampling_rate": ' + "9" * 400 + "}", "sampling_rate .* [(]400 characters[)]"),
        ('{"classes": ["rest", "walk"], "sampling_rate": ' + "9" * 5000 + "}", "dataset.json: not valid JSON"),
        ('{"classes": ["rest"], "notes": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "dataset.json: not valid JSON"),
        ('{"classes": ["rest", "' + "w" * 5000 + '"]}', r"dataset.json: classes .* \(5002 characters\), number 1"),
        ('{"classes": ["rest", "\\ud800"]}', "dataset.json: classes cannot be used"),
        ('{"classes": ["rest", "a\\nb"]}', "dataset.json: classes cannot be used"),
        (json.dumps({"classes": list(map(str, range(100_000)))}), "dataset.json: too many classes. found: 100000"),
        ('{"classes": ["rest"]}' + " " * 2**24, "dataset.json: too large. found: 16777237 bytes"),
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
        ({"signal": SIGNAL, "labels": np.where(LABELS < 0, np.inf, LABELS)}, "p1.npz: labels are not integers. .* inf"),
        ({"signal": SIGNAL[:, :0], "labels": LABELS}, r"p1.npz: signal cannot .* \(30, 0\). "),
        ({"signal": SIGNAL * 0, "labels": LABELS}, "recording p1: channel 0 is constant. found: 0.0 in all 30 samples"),
        ({"signal": SIGNAL, "labels": LABELS, "time": np.arange(30) / 25}, "p1.npz: time: .* rate. found: 25 Hz"),
        (
            {"signal_0": SIGNAL, "labels_0": LABELS, "time_0": np.arange(30) / 50 + 20 * (np.arange(30) > 4)},
            "p1.npz: time_0: 1 gaps in time. found: 20.02 s after sample 4, where 0.02 s are usual",
        ),
        ({"signal": SIGNAL, "labels": LABELS, "time": np.zeros(30)}, "p1.npz: time: times do not rise"),
        ({"signal": SIGNAL, "labels": LABELS, "time": np.zeros(29)}, r"p1.npz: time cannot be used. .*\(29,\)"),
        ({"signal": SIGNAL, "labels": LABELS, "time": np.full(30, "noon")}, "p1.npz: time cannot be used. found: <U4"),
        (
            {"signal": SIGNAL, "labels": LABELS, "time": np.datetime64("2026-01-01") + np.arange(30)},
            "p1.npz: time: samples are of another rate. found: 1.1574.*-05 Hz, one every 86400 s",
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


def put_pipe(path):
    os.mkfifo(path)


def put_socket(path):
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def put_device(path):
    path.symlink_to("/dev/zero")


def put_link_to_itself(path):
    path.symlink_to(path)


def put_link_to_nothing(path):
    path.symlink_to(path.parent / "gone")


def put_folder(path):
    path.mkdir()


@pytest.mark.parametrize("name", ["p2.npz", "dataset.json"])
@pytest.mark.parametrize(
    "put, message",
    [
        (put_pipe, "no file. found: a pipe"),
        (put_socket, "no file. found: a socket"),
        (put_device, "no file. found: a device"),
        (put_folder, "no file. found: a folder"),
        (put_link_to_itself, "cannot be read. found: OSError: .*Too many levels"),
        (put_link_to_nothing, "cannot be read. found: FileNotFoundError"),
    ],
)
def test_what_is_no_file_is_refused_and_never_opened(tmp_path, name, put, message):
    write(tmp_path, None if name == "dataset.json" else DESCRIPTION, p1={"signal": SIGNAL, "labels": LABELS})
    put(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        load_folder(tmp_path)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        resolve(Experiment(dataset=str(tmp_path)))


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS})
    (tmp_path / "p1.npz").rename(tmp_path / os.fsdecode(b"m\xfcller.npz"))
    with pytest.raises(InputError, match=r"m\\udcfcller.npz: a name that cannot be printed. wanted: a name in UTF-8"):
        resolve(Experiment(dataset=str(tmp_path)))


def test_a_folder_whose_path_is_not_utf_8_is_refused(tmp_path):
    folder = write(tmp_path / os.fsdecode(b"m\xfcller"), p1={"signal": SIGNAL, "labels": LABELS})
    with pytest.raises(InputError, match="a name that cannot be printed"):
        resolve(Experiment(dataset=str(folder)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_unpacks_to_far_more_is_not_unpacked(tmp_path, compression, monkeypatch):
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS})
    with zipfile.ZipFile(tmp_path / "p2.npz", "w", compression) as archive, archive.open("signal.npy", "w") as member:
        np.save(member, np.zeros((1000, 1000), dtype=np.float32))
    monkeypatch.setattr(npz, "ALWAYS_UNPACKED", 10**6)
    monkeypatch.setattr(npz, "_read_arrays", {tmp_path / "p1.npz": npz._read_arrays(tmp_path / "p1.npz")}.__getitem__)
    with pytest.raises(InputError, match="p2.npz: unpacks to far more than recordings do. found: 4000128 bytes from"):
        load_folder(tmp_path)


def test_few_bytes_and_what_hardly_shrinks_are_always_unpacked(tmp_path, monkeypatch):
    write(tmp_path)
    np.savez_compressed(tmp_path / "p1.npz", signal=np.tile(SIGNAL, (10_000, 1)), labels=np.tile(LABELS, 10_000))
    assert len(load_folder(tmp_path).recordings) == 1
    monkeypatch.setattr(npz, "ALWAYS_UNPACKED", 0)
    write(tmp_path, p1={"signal": SIGNAL, "labels": LABELS})
    assert len(load_folder(tmp_path).recordings) == 1


@pytest.mark.parametrize("shape", [(10**12, 3), (2**40, 2**40), (-1, 3), (10**40, 3), (31, 3)])
def test_a_header_that_promises_another_size_is_refused(tmp_path, shape):
    """No memory is taken for what the file does not hold."""
    header = io.BytesIO()
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + SIGNAL.tobytes())
    write(tmp_path, p1={"labels": LABELS})
    with zipfile.ZipFile(tmp_path / "p1.npz", "a") as archive:
        archive.writestr("signal.npy", header.getvalue())
    with pytest.raises(InputError, match="p1.npz: cannot be read"):
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
