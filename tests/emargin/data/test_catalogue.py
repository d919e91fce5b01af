"""The catalogue: geometries by name, what they share, and that no earlier experiment changed under its digest."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data import loading
from emargin.data.catalogue import DATASETS, UCR, real_folder, recordings_of, settings_of
from emargin.data.framing import stft_frames
from emargin.data.loading import load, load_recordings, raw_windows
from emargin.data.readers.ucr import SIDES
from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/provenance.json")), ids=lambda path: path.parent.name)
def test_committed_results_keep_their_digests(path, data):
    records = json.loads(path.read_text())
    assert records
    for digest, record in records.items():
        values = record["experiment"]
        if values["dataset"].startswith(UCR):  # its settings come from its files; any will do, all values are recorded
            folder = data / "ucr" / values["dataset"].removeprefix(UCR)
            folder.mkdir(parents=True, exist_ok=True)
            for side in SIDES:
                (folder / f"{folder.name}_{side}.tsv").write_text("1\t0.5\n")
        assert Experiment.from_dict(values).digest == digest


def test_the_default_experiment_keeps_its_digest():
    assert Experiment().digest == "d6fd5cab8b9b4cc3"
    assert Experiment(dataset="sleepeeg-sim").digest == "84ba64b8c668655f"


@pytest.mark.parametrize(
    ("name", "n_fft", "hop", "length", "stride", "n_features"),
    [
        ("ecg", 250, 125, 500, 500, 252),
        ("ecg-released", 1500, 750, 200, 200, 1502),
        ("sleepeeg", 178, 178, 200, 200, 90),
        ("sleepeeg-paper", None, None, 300, 300, 178),
    ],
)
@pytest.mark.parametrize("kind", ["-sim", "-noise"])
def test_both_geometries_of_ecg_and_sleepeeg(name, n_fft, hop, length, stride, n_features, kind):
    for experiment in (Experiment(dataset=name, source="real"), Experiment(dataset=name + kind)):
        assert (experiment.n_fft, experiment.hop, experiment.sequence_length, experiment.stride) == (
            n_fft,
            hop,
            length,
            stride,
        )
    dataset = load(Experiment(dataset=name + kind, quick=True))
    assert dataset.n_features == n_features
    for side in (dataset.train, dataset.test):
        assert set(side.labels[side.indices()].flatten().tolist()) >= set(range(len(dataset.classes)))


def test_a_geometry_changes_frames_and_draw_alone():
    assert DATASETS["ecg-released"].draw == (1000, 162, 77, 800) and DATASETS["ecg"].draw == (1577, 972, 459, 1467)
    for name, base in (("ecg-released", "ecg"), ("sleepeeg-paper", "sleepeeg"), ("mitbih-released", "mitbih")):
        one, other = DATASETS[name], DATASETS[base]
        assert (one.temperature, one.iterations, one.train_share, one.standardise) == (
            other.temperature,
            other.iterations,
            other.train_share,
            other.standardise,
        )


def test_a_geometry_frames_the_recordings_of_its_set(data):
    assert recordings_of("ecg-released-sim") == "ecg-sim"
    assert real_folder("ecg-released") == real_folder("ecg") == data / "ecg"
    one, checksum = load_recordings(Experiment(dataset="ecg-released", source="simulated", quick=True))
    other, other_checksum = load_recordings(Experiment(dataset="ecg-sim", quick=True))
    assert checksum == other_checksum == "ecg-sim seed 0 quick"
    np.testing.assert_array_equal(one.recordings[3].values, other.recordings[3].values)


def test_raw_windows_are_the_signal_channel_by_channel():
    values = np.arange(2 * 11, dtype=np.float32).reshape(11, 2)
    labels = np.array([0, 0, 1, 1, 1, 1, -1, -1, 1, 0, 0])
    short = Recording("short", "b", values[:3], labels[:3])
    framed = raw_windows(
        RecordingSet("set", "real", ("x", "y"), 4.0, (Recording("long", "a", values, labels), short)), 4
    )
    assert framed.framed and framed.sampling_rate is None
    (recording,) = framed.recordings
    assert (recording.name, recording.subject) == ("long", "a")
    np.testing.assert_array_equal(recording.values, [[0, 2, 4, 6, 1, 3, 5, 7], [8, 10, 12, 14, 9, 11, 13, 15]])
    np.testing.assert_array_equal(recording.labels, [0, 1])  # ties go to the smallest class, unlabelled or not


def test_the_released_geometry_of_ecg_is_the_stft_of_six_seconds():
    experiment = Experiment(dataset="ecg-released-sim", quick=True, protocol="released")
    recordings, _ = load_recordings(experiment)
    expected = stft_frames(recordings.recordings[0].values[:1500], 1500, 750)
    torch.testing.assert_close(load(experiment).train.frames[:1], expected)


@pytest.mark.parametrize("name", ["sleepeeg-paper-sim", "sleepedf-features"])
def test_an_stft_has_no_meaning_where_frames_are_none(name):
    with pytest.raises(InputError, match=f"n_fft has no meaning for {name}.*no STFT.*64"):
        Experiment(dataset=name, n_fft=64)
    again = Experiment(dataset=name)
    assert Experiment.from_json(again.to_json()) == again


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dsads", (25, 12, 119, 24, 0.05, 600, 0.5, 19, "all")),
        ("spsw-har", (24, 12, 24, 2, 0.05, 600, 0.5, 5, "all")),
        ("sleepedf-features", (None, None, 120, 120, 0.1, 600, 0.8, 5, "none")),
    ],
)
def test_the_further_real_sets_have_the_hyperparameters_of_the_nearest(name, settings):
    own = settings_of(name)
    assert (
        own.n_fft,
        own.hop,
        own.sequence_length,
        own.stride,
        own.temperature,
        own.iterations,
        own.train_share,
        len(own.draw),
        own.standardise,
    ) == settings
    assert set(own.draw) == {1000}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("harth", "data fetch harth"),
        ("sleepeeg", "TF-C"),
        ("dsads", "data fetch dsads"),
        ("spsw-har", "data fetch spsw-har"),
        ("sleepedf-features", "npz"),
        ("ecg-released", "data fetch ecg"),
        ("mitbih-released", "data fetch mitbih"),
    ],
)
def test_sets_that_are_not_there_say_how_to_get_them(name, how, data):
    with pytest.raises(MissingData, match=f"recordings of {name} are not here.*{how}.*EMARGIN_DATA"):
        load(Experiment(dataset=name, source="real"))


def test_only_sets_with_a_simulator_are_offered_it():
    for name, offered in (("ecg-released", True), ("dsads", False)):
        with pytest.raises(MissingData) as caught:
            load(Experiment(dataset=name, source="real"))
        assert ("source simulated" in str(caught.value)) is offered


def test_a_name_of_the_paper_takes_its_real_files_where_its_folder_is(data):
    for folder, name in (("harth", "harth"), ("sleepeeg", "sleepeeg-paper"), ("ecg", "ecg-released")):
        assert Experiment(dataset=name).source == "simulated"
        (data / folder).mkdir()
        assert Experiment(dataset=name).source == "real"


def test_sleepeeg_is_read_by_what_its_folder_holds(data, monkeypatch):
    folder = data / "sleepeeg"
    folder.mkdir()
    read = pytest.importorskip("emargin.data.readers.sleepeeg"), pytest.importorskip("emargin.data.readers.sleepedf")
    values = np.arange(178 * 4, dtype=np.float32)[:, None]
    night = RecordingSet(
        "sleepeeg",
        "real",
        ("W", "N1", "N2", "N3", "REM"),
        100.0,
        (Recording("night", "1", values, np.zeros(178 * 4, dtype=np.int64)),),
    )
    asked = []
    monkeypatch.setattr(read[0], "load_sleepeeg", lambda folder, n_fft, hop: asked.append((n_fft, hop)) or night)
    monkeypatch.setattr(read[1], "load_sleepedf", lambda folder: asked.append("edf") or night)
    with pytest.raises(MissingData, match="neither .pt nor .edf"):
        load_recordings(Experiment(dataset="sleepeeg"))
    (folder / "train.pt").touch()
    load_recordings(Experiment(dataset="sleepeeg"))
    framed, _ = load_recordings(Experiment(dataset="sleepeeg-paper"))
    assert framed.framed and framed.recordings[0].values.shape == (4, 178)
    load_recordings(Experiment(dataset="sleepeeg", n_fft=200, hop=200))
    assert asked == [(178, 178), (178, 178), (200, 200)]
    (folder / "SC4001E0-PSG.edf").touch()
    with pytest.raises(InputError, match=r"two sources of SleepEEG.*\.pt and \*\.edf"):
        load_recordings(Experiment(dataset="sleepeeg"))
    (folder / "train.pt").unlink()
    load_recordings(Experiment(dataset="sleepeeg"))
    assert asked[-1] == "edf"


def test_harth_is_read_by_its_own_reader(data, monkeypatch):
    (data / "harth").mkdir()
    harth = pytest.importorskip("emargin.data.readers.harth")
    monkeypatch.setattr(harth, "load_harth", lambda folder: folder)
    assert loading.READERS["harth"](data / "harth") == data / "harth"


def test_two_nights_of_one_subject_stay_together_and_hidden_files_do_not_count(data):
    folder = data / "sleepedf-features"
    folder.mkdir()
    (folder / "dataset.json").write_text('{"classes": ["W", "N1", "N2", "N3", "REM"]}')
    generator = np.random.default_rng(0)
    for name in ("SC4001E0", "SC4002E0", "SC4011E0"):
        np.savez(folder / f"{name}.npz", features=generator.standard_normal((9, 3)), labels=np.arange(9) % 5)
    experiment = Experiment(dataset="sleepedf-features")
    recordings, checksum = load_recordings(experiment)
    assert [(night.name, night.subject) for night in recordings.recordings] == [
        ("SC4001E0", "SC400"),
        ("SC4002E0", "SC400"),
        ("SC4011E0", "SC401"),
    ]
    (folder / ".DS_Store").touch()
    assert load_recordings(experiment)[1] == checksum
