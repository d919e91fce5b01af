"""SleepEEG as TF-C prepared it: on small files in its exact format."""

import os
import pickle

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data import protocols
from emargin.data.catalogue import SLEEPEEG
from emargin.data.framing import frame_labels, stft_frames
from emargin.data.readers.sleepeeg import load_sleepeeg
from emargin.errors import InputError, MissingData
from emargin.resolve import resolve


def content(n=6, length=178, seed=0, **replaced):
    generator = torch.Generator().manual_seed(seed)
    samples = 20 * torch.randn(n, 1, length, generator=generator, dtype=torch.float64)
    return {"samples": samples, "labels": torch.arange(n) % 5} | replaced


def write(folder, length=178, **replaced):
    """train.pt with what is replaced, and a good val.pt."""
    torch.save(content(6, length, **replaced), folder / "train.pt")
    torch.save(content(3, length, seed=1), folder / "val.pt")


def test_windows_come_end_to_end_in_file_order_with_their_stage_at_every_sample(tmp_path):
    write(tmp_path)
    (tmp_path / "test.pt").write_bytes(b"not read")
    sleepeeg = load_sleepeeg(tmp_path)
    assert (sleepeeg.name, sleepeeg.source, sleepeeg.sampling_rate, sleepeeg.framed) == ("sleepeeg", "real", 100, False)
    assert sleepeeg.classes == ("W", "N1", "N2", "N3", "REM")
    train, val = sleepeeg.recordings
    assert (train.name, val.name, train.values.shape, val.values.shape) == ("train", "val", (6 * 178, 1), (3 * 178, 1))
    assert train.values.dtype == np.float32 and train.labels.dtype == np.int64
    np.testing.assert_array_equal(train.values[:, 0], content()["samples"].numpy().astype(np.float32).ravel())
    np.testing.assert_array_equal(train.labels, np.repeat([0, 1, 2, 3, 4, 0], 178))


def test_every_frame_of_the_released_configuration_is_one_window(tmp_path):
    write(tmp_path)
    train = load_sleepeeg(tmp_path).recordings[0]
    frames = stft_frames(train.values, SLEEPEEG.n_fft, SLEEPEEG.hop)
    alone = stft_frames(content()["samples"][3].T.numpy(), 178, 178)
    assert frames.shape == (6, 90)
    torch.testing.assert_close(frames[3:4], alone)
    np.testing.assert_array_equal(frame_labels(train.labels, 178, 178, 5), content()["labels"])


@pytest.mark.parametrize("length, n_fft, hop", [(200, 178, 178), (178, 200, 200), (178, 178, 89), (200, 200, 100)])
def test_frames_that_are_not_the_windows_are_refused(tmp_path, length, n_fft, hop):
    write(tmp_path, length)
    message = f"train.pt: .* labels would shift. found: windows of {length} samples, n_fft {n_fft}, hop {hop}. .*"
    with pytest.raises(InputError, match=f"{message}what to do: set n_fft={length} and hop={length}"):
        load_sleepeeg(tmp_path, n_fft=n_fft, hop=hop)


def test_the_refused_combination_would_make_56_frames_of_50_windows():
    assert len(stft_frames(np.random.default_rng(0).standard_normal((50 * 200, 1)), 178, 178)) == 56


def test_windows_of_200_samples_are_read_with_frames_of_200(tmp_path):
    write(tmp_path, 200)
    train, val = load_sleepeeg(tmp_path, n_fft=200, hop=200).recordings
    assert (len(train.values), len(val.values)) == (1200, 600)


def test_files_of_different_windows_are_refused(tmp_path):
    write(tmp_path)
    torch.save(content(length=200), tmp_path / "val.pt")
    with pytest.raises(InputError, match="val.pt: .*labels would shift. found: windows of 200 samples"):
        load_sleepeeg(tmp_path)


def test_a_split_by_subject_is_refused_and_one_by_position_is_not(tmp_path):
    write(tmp_path)
    sleepeeg = load_sleepeeg(tmp_path)
    fields = {"dataset": "sleepeeg-sim", "sequence_length": 2, "stride": 2, "n_fft": 178, "hop": 178}
    with pytest.raises(InputError, match="a split by subject needs two subjects.*use protocol released"):
        protocols.build(sleepeeg, SLEEPEEG, resolve(Experiment(**fields, protocol="original")), "checksum")
    dataset = protocols.build(sleepeeg, SLEEPEEG, resolve(Experiment(**fields, protocol="released")), "checksum")
    assert (len(dataset.train), len(dataset.test), dataset.n_features) == (3, 1, 90)


def test_protocol_released_splits_at_the_border_of_the_files(tmp_path):
    """Six windows to train and three to test on; a sequence across them, or four fifths of all, would be others."""
    write(tmp_path)
    experiment = resolve(
        Experiment(dataset="sleepeeg-sim", sequence_length=2, stride=1, n_fft=178, hop=178, protocol="released")
    )
    dataset = protocols.build(load_sleepeeg(tmp_path), SLEEPEEG, experiment, "checksum")
    assert dataset.train.starts.tolist() == [0, 1, 2, 3, 4]
    assert dataset.test.starts.tolist() == [6, 7]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_any_floating_point_type_becomes_float32(tmp_path, dtype):
    write(tmp_path, samples=content()["samples"].to(dtype))
    assert load_sleepeeg(tmp_path).recordings[0].values.dtype == np.float32


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_labels_of_another_type_are_read_where_they_are_whole(tmp_path, dtype):
    write(tmp_path, labels=content()["labels"].to(dtype))
    np.testing.assert_array_equal(load_sleepeeg(tmp_path).recordings[0].labels[::178], [0, 1, 2, 3, 4, 0])


@pytest.mark.parametrize("label", [5, -1, 0.5, float("nan"), float("inf")])
def test_a_label_that_is_no_stage_is_refused_by_its_window(tmp_path, label):
    labels = content()["labels"].double()
    labels[4] = label
    write(tmp_path, labels=labels)
    with pytest.raises(InputError, match=rf"train\.pt: no sleep stage. found: label {label:.1f} at window 4"):
        load_sleepeeg(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e60])
def test_a_value_that_is_not_finite_is_refused_by_its_sample(tmp_path, value):
    samples = content()["samples"]
    samples[1, 0, 2] = value
    write(tmp_path, samples=samples)
    with pytest.raises(InputError, match="recording train: 1 samples are not finite.* at sample 180, channel 0"):
        load_sleepeeg(tmp_path)


@pytest.mark.parametrize(
    "replaced, message",
    [
        ({"samples": torch.zeros(6, 178)}, r"samples cannot be used. found: \(6, 178\). wanted: \(n, 1, 178\) or"),
        ({"samples": torch.zeros(6, 178, 1)}, r"samples cannot be used. found: \(6, 178, 1\)"),
        ({"samples": torch.zeros(6, 2, 178)}, r"samples cannot be used. found: \(6, 2, 178\)"),
        ({"samples": torch.zeros(6, 1, 206)}, r"samples cannot be used. found: \(6, 1, 206\)"),
        (
            {"samples": torch.zeros(0, 1, 178), "labels": torch.zeros(0)},
            r"samples cannot be used. found: \(0, 1, 178\)",
        ),
        ({"samples": torch.zeros(6, 1, 178, dtype=torch.int16)}, "samples cannot be used. found: torch.int16"),
        ({"samples": torch.zeros(6, 1, 178).to_sparse()}, "samples cannot be used. found: torch.float32, torch.sparse"),
        ({"labels": torch.zeros(5)}, r"labels cannot be used. found: \(5,\). wanted: \(6,\), one each"),
        ({"labels": torch.zeros(6, 1)}, r"labels cannot be used. found: \(6, 1\)"),
        ({"labels": torch.zeros(6, dtype=torch.complex64)}, "labels cannot be used. found: torch.complex64"),
        ({"labels": [0] * 6}, "not the two tensors of SleepEEG. found: samples: Tensor, labels: list"),
    ],
)
def test_tensors_of_another_shape_or_type_are_refused(tmp_path, replaced, message):
    write(tmp_path, **replaced)
    with pytest.raises(InputError, match=rf"train\.pt: {message}"):
        load_sleepeeg(tmp_path)


@pytest.mark.parametrize(
    "saved, named",
    [({}, "nothing"), (torch.zeros(3), "Tensor"), ([1], "list"), ({"labels": torch.zeros(3)}, "labels: Tensor")],
)
def test_a_file_without_the_two_tensors_is_refused(tmp_path, saved, named):
    write(tmp_path)
    torch.save(saved, tmp_path / "train.pt")
    with pytest.raises(InputError, match=rf"train\.pt: not the two tensors of SleepEEG. found: {named}. wanted"):
        load_sleepeeg(tmp_path)


class Trap:
    """Pickles into a call that leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "save",
    [
        lambda trap, path: torch.save(content(labels=trap), path),
        lambda trap, path: path.write_bytes(pickle.dumps(trap, protocol=2)),
    ],
)
def test_a_file_with_code_is_refused_and_the_code_does_not_run(tmp_path, save):
    write(tmp_path)
    save(Trap(tmp_path / "sprung"), tmp_path / "train.pt")
    with pytest.raises(InputError, match=r"train\.pt: not plain tensors.*found: (a call|no pickled)") as caught:
        load_sleepeeg(tmp_path)
    assert not (tmp_path / "sprung").exists()
    assert "weights_only" not in str(caught.value), "torch's advice to let the code run is not passed on"


def test_arrays_of_numpy_are_refused_by_the_name_of_their_constructor(tmp_path):
    write(tmp_path, labels=np.zeros(6))
    with pytest.raises(InputError, match=r"train\.pt: not plain tensors.*a call of numpy[\w.]*_reconstruct"):
        load_sleepeeg(tmp_path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"PK\x03\x04" + bytes(200),
        lambda data: bytes(range(256)) * 10,
        lambda data: data[:400] + bytes(100) + data[500:],
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    write(tmp_path)
    path = tmp_path / "train.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"train\.pt: (cannot be read|not plain tensors|not the two)"):
        load_sleepeeg(tmp_path)


@pytest.mark.parametrize("name", ["train.pt", "val.pt"])
def test_a_missing_file_is_named(tmp_path, name):
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"SleepEEG is not complete. found: no {name}. wanted: train.pt and val.pt"):
        load_sleepeeg(tmp_path)


def test_an_empty_folder_is_missing_data(tmp_path):
    with pytest.raises(MissingData, match="found: no train.pt and no val.pt.*figshare"):
        load_sleepeeg(tmp_path)
