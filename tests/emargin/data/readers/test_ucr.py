"""The reader of the UCR archive on small sets in its format."""

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data.loading import load
from emargin.data.readers.ucr import classes_and_length, load_ucr
from emargin.errors import InputError, MissingData
from emargin.resolve import resolve

GENERATOR = np.random.default_rng(0)
TRAIN = [(label, GENERATOR.standard_normal(40)) for label in (3, -1, 1, 3, 1, -1, 1, 3, 3)]
TEST = [(label, GENERATOR.standard_normal(40)) for label in (1, -1, 3, 3)]


def write(folder, train=TRAIN, test=TEST, end="\n"):
    """A set called like its folder; a series is (class, values)."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, series in (("TRAIN", train), ("TEST", test)):
        lines = ["\t".join([str(label), *(format(value, ".8g") for value in values)]) + end for label, values in series]
        (folder / f"{folder.name}_{side}.tsv").write_text("".join(lines))
    return folder


@pytest.fixture
def archive(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    return tmp_path / "ucr"


def test_series_are_recordings_of_their_file_with_one_class(tmp_path):
    recordings = load_ucr(write(tmp_path / "Leaf"))
    assert (recordings.name, recordings.source, recordings.framed, recordings.sampling_rate) == (
        "ucr-Leaf",
        "real",
        False,
        1.0,
    )
    assert recordings.test_subjects == (frozenset({"TEST"}),)
    assert [r.subject for r in recordings.recordings] == ["TRAIN"] * 9 + ["TEST"] * 4
    assert recordings.recordings[9].name == "Leaf TEST 1"
    for recording, (_, values) in zip(recordings.recordings, TRAIN + TEST, strict=True):
        assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64
        np.testing.assert_allclose(recording.values, values[:, None], rtol=1e-6)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [((3, -1, 1), ("-1", "1", "3")), ((0, 2, 1), ("0", "1", "2")), (("1.0000e+00", "10", "2.0"), ("1", "2", "10"))],
)
def test_classes_are_numbered_in_ascending_order_wherever_they_start(tmp_path, numbers, names):
    series = [(number, np.arange(5.0)) for number in numbers]
    recordings = load_ucr(write(tmp_path / "Leaf", train=series[:2], test=series[2:]))
    assert recordings.classes == names
    for recording, number in zip(recordings.recordings, numbers, strict=True):
        np.testing.assert_array_equal(recording.labels, [names.index(str(int(float(number))))] * 5)
    assert classes_and_length(tmp_path / "Leaf") == (3, 5)


def test_windows_line_ends_are_read(tmp_path):
    recordings = load_ucr(write(tmp_path / "Leaf", end="\r\n"))
    assert len(recordings.recordings) == 13
    assert classes_and_length(tmp_path / "Leaf") == (3, 40)


def test_a_series_is_one_sequence_and_the_split_is_the_archives(archive):
    write(archive / "Leaf")
    experiment = resolve(Experiment(dataset="ucr-Leaf", source="real"))
    assert (experiment.n_fft, experiment.hop, experiment.sequence_length, experiment.stride) == (16, 4, 7, 7)
    assert (experiment.temperature, experiment.iterations) == (0.1, 200)
    dataset = load(experiment)
    assert (dataset.name, dataset.classes, dataset.draw) == ("ucr-Leaf", ("-1", "1", "3"), (1000,) * 3)
    assert (len(dataset.train), len(dataset.test), dataset.train.length, dataset.n_features) == (9, 4, 7, 9)
    assert dataset.train.labels[dataset.train.indices()].tolist() == [
        [label] * 7 for label in (2, 0, 1, 2, 1, 0, 1, 2, 2)
    ]
    assert dataset.test.labels[dataset.test.starts].tolist() == [1, 0, 2, 2]
    torch.testing.assert_close(dataset.train.frames.mean(0), torch.zeros(9), atol=1e-5, rtol=0)


def test_joining_series_is_refused(archive):
    write(archive / "Leaf")
    with pytest.raises(InputError, match="no pieces of one recording.*ucr-Leaf.*original"):
        load(Experiment(dataset="ucr-Leaf", protocol="released"))


def test_series_shorter_than_a_frame_are_refused(archive):
    write(archive / "Leaf", *([(label, values[:15]) for label, values in side] for side in (TRAIN, TEST)))
    with pytest.raises(InputError, match="longer than any recording.*15 samples"):
        load(Experiment(dataset="ucr-Leaf"))


def test_a_set_that_is_not_there_names_those_that_are(archive):
    write(archive / "Leaf")
    with pytest.raises(MissingData, match="UCR set Laef is not here.*wanted: .*ucr-Leaf.*EMARGIN_DATA"):
        resolve(Experiment(dataset="ucr-Laef"))


def test_there_is_no_simulator(archive):
    write(archive / "Leaf")
    with pytest.raises(InputError, match="no simulator.*ucr-Leaf"):
        resolve(Experiment(dataset="ucr-Leaf", source="simulated"))


@pytest.mark.parametrize(
    ("side", "change", "message"),
    [
        ("TRAIN", None, r"Leaf_TRAIN\.tsv: missing.*called like their folder"),
        ("TEST", None, r"Leaf_TEST\.tsv: missing"),
        ("TRAIN", "", r"TRAIN\.tsv: no series"),
        ("TRAIN", "1\n2\n", r"TRAIN\.tsv: no series.*2 lines of 1 columns"),
        ("TEST", "1\t2\t3\n1\t2\n", r"TEST\.tsv: not a table of numbers.*same number of values"),
        ("TRAIN", "1,2,3\n", r"TRAIN\.tsv: not a table of numbers"),
        ("TRAIN", "1.5\t2\t3\n", r"TRAIN\.tsv: classes are no whole numbers.*1\.5"),
        ("TRAIN", "NaN\t2\t3\n", r"TRAIN\.tsv: classes are no whole numbers.*nan"),
        ("TEST", "1\t2\t3\n1\t2\tNaN\n", r"TEST\.tsv: 1 series hold NaN.*padded.*1 NaN in series 2"),
        ("TEST", "1\t2\t3\n", "TRAIN and TEST differ in length.*40 and 2"),
        ("TEST", "1" + "\t7" * 40 + "\n", "Leaf TEST 1: channel 0 is constant"),
        ("TEST", "1" + "\tinf" * 40 + "\n", "Leaf TEST 1: 40 samples are not finite"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, side, change, message):
    folder = write(tmp_path / "Leaf")
    path = folder / f"Leaf_{side}.tsv"
    path.unlink() if change is None else path.write_text(change)
    with pytest.raises(InputError, match=message):
        load_ucr(folder)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    folder = write(tmp_path / "Leaf")
    (folder / "Leaf_TEST.tsv").write_bytes(b"\xff\xfe1\t2\n")
    with pytest.raises(InputError, match=r"TEST\.tsv: not a table of numbers"):
        load_ucr(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [("x\t1\n", "line 1 has no class.*'x'"), ("", "no series"), ("1\t2\n\n", "line 2 has no class")],
)
def test_settings_do_not_come_from_files_that_are_no_table(archive, text, message):
    folder = write(archive / "Leaf", test=[])
    (folder / "Leaf_TRAIN.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        resolve(Experiment(dataset="ucr-Leaf"))


def padded(series, pads):
    """Series with so many NaN at their ends."""
    return [
        (label, np.append(values[: len(values) - pad], [np.nan] * pad))
        for (label, values), pad in zip(series, pads, strict=True)
    ]


@pytest.mark.parametrize("quality", ["cut", "split"])
def test_a_padded_set_is_read_without_its_padding_and_with_the_archives_split(archive, quality):
    write(archive / "Leaf", padded(TRAIN, [0, 0, 10] * 3), padded(TEST, [0, 0, 0, 20]))
    with pytest.raises(InputError, match="3 series hold NaN.*take quality cut.*keeps the archive's split"):
        load(Experiment(dataset="ucr-Leaf"))
    with pytest.warns(UserWarning, match="ucr-Leaf: 50 of 520 samples left out, in 4 recordings; 4 of these have no"):
        dataset = load(Experiment(dataset="ucr-Leaf", quality=quality))
    assert (len(dataset.train), len(dataset.test)) == (6, 3), "a sequence is as long as a whole series"
    with pytest.warns(UserWarning, match="left out, in 4 recordings; 1 of these have no complete sequence left"):
        dataset = load(Experiment(dataset="ucr-Leaf", quality=quality, sequence_length=4))
    assert (len(dataset.train), len(dataset.test)) == (9, 3), "30 samples make 4 frames, and 20 make 2"
    assert torch.isfinite(dataset.train.frames).all()
    assert dataset.left_out["recordings"] == {f"Leaf TRAIN {n}": 10 for n in (3, 6, 9)} | {"Leaf TEST 4": 20}


@pytest.mark.parametrize("quality", ["cut", "split"])
def test_a_flat_series_costs_itself_alone(archive, quality):
    train = [(label, values * 0 + 2 if number == 5 else values) for number, (label, values) in enumerate(TRAIN)]
    write(archive / "Leaf", train)
    with pytest.raises(
        InputError, match="Leaf TRAIN 6: channel 0 is constant.*or leave the recording out: quality cut"
    ):
        load(Experiment(dataset="ucr-Leaf"))
    with pytest.warns(UserWarning, match="40 of 520 samples left out, in 1 recordings; 1 of these"):
        dataset = load(Experiment(dataset="ucr-Leaf", quality=quality))
    assert (len(dataset.train), len(dataset.test)) == (8, 4)
    assert dataset.left_out["kinds"] == {"constant": 40}
