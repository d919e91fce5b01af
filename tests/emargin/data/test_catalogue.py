"""The catalogue: geometries by name, what they share, and that no earlier experiment changed under its digest."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data import catalogue
from emargin.data.catalogue import (
    DATASETS,
    UCR_SIZES,
    Entry,
    entry_of,
    series_there,
    settings_of,
)
from emargin.data.framing import stft_frames
from emargin.data.loading import checksum_of, load, load_recordings, raw_windows
from emargin.data.readers.ucr import SIDES, classes_and_length
from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData
from emargin.resolve import resolve

RESULTS = Path(__file__).parents[3] / "results"
REAL = Path(os.environ.get("EMARGIN_DATA") or "data").resolve()


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    return tmp_path


def test_the_folder_of_the_data_may_lie_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "recordings" / "harth").mkdir(parents=True)
    monkeypatch.setenv("EMARGIN_DATA", "~/recordings")
    assert entry_of("harth").folder == tmp_path / "recordings" / "harth"
    assert resolve(Experiment(dataset="harth")).source == "real"


@pytest.mark.parametrize("named", ["~/nowhere", "{}/nowhere", "{}/a-file"])
def test_a_named_folder_of_data_that_is_not_there_is_an_error_and_no_simulation(named, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("EMARGIN_DATA", named.format(tmp_path))
    for name in ("harth", "ucr-Coffee"):
        with pytest.raises(InputError, match="EMARGIN_DATA names is not there.*found.*wanted.*what to do"):
            resolve(Experiment(dataset=name))
    assert resolve(Experiment(dataset="harth-sim")).source == "simulated"
    assert resolve(Experiment(dataset="ecg-noise")).source == "simulated"


def test_without_a_named_folder_of_data_simulators_stand_in(monkeypatch):
    monkeypatch.delenv("EMARGIN_DATA")
    monkeypatch.setattr(catalogue, "home", lambda: Path("/nowhere"))
    assert resolve(Experiment(dataset="harth")).source == "simulated"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/provenance.json")), ids=lambda path: path.parent.name)
def test_committed_results_keep_their_digests(path, data):
    records = json.loads(path.read_text())
    assert records
    for digest, record in records.items():
        assert resolve(Experiment.from_dict(record["experiment"])).digest == digest


def test_the_default_experiment_keeps_its_digest():
    assert resolve(Experiment()).digest == "d6fd5cab8b9b4cc3"
    assert resolve(Experiment(dataset="sleepeeg-sim")).digest == "84ba64b8c668655f"


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
    for experiment in (resolve(Experiment(dataset=name, source="real")), resolve(Experiment(dataset=name + kind))):
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
    assert settings_of("ecg-released").draw == (1000, 162, 77, 800)
    assert settings_of("ecg").draw == (1577, 972, 459, 1467)
    for name, base in (("ecg-released", "ecg"), ("sleepeeg-paper", "sleepeeg"), ("mitbih-released", "mitbih")):
        geometry, original = settings_of(name), settings_of(base)
        assert (geometry.temperature, geometry.iterations, geometry.train_share, geometry.standardise) == (
            original.temperature,
            original.iterations,
            original.train_share,
            original.standardise,
        )


def test_a_geometry_frames_the_recordings_of_its_set(data):
    assert entry_of("ecg-released-sim").recordings == "ecg-sim"
    assert entry_of("ecg-released").folder == entry_of("ecg").folder == data / "ecg"
    released, checksum = load_recordings(Experiment(dataset="ecg-released", source="simulated", quick=True))
    original, original_checksum = load_recordings(Experiment(dataset="ecg-sim", quick=True))
    assert checksum == original_checksum == "ecg-sim seed 0 quick"
    np.testing.assert_array_equal(released.recordings[3].values, original.recordings[3].values)


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
    experiment = resolve(Experiment(dataset="ecg-released-sim", quick=True, protocol="released"))
    recordings, _ = load_recordings(experiment)
    expected = stft_frames(recordings.recordings[0].values[:1500], 1500, 750)
    torch.testing.assert_close(load(experiment).train.frames[:1], expected)


@pytest.mark.parametrize("name", ["sleepeeg-paper-sim", "sleepedf-features"])
def test_an_stft_has_no_meaning_where_frames_are_none(name):
    with pytest.raises(InputError, match=f"n_fft has no meaning for {name}.*no STFT.*64"):
        resolve(Experiment(dataset=name, n_fft=64))
    again = resolve(Experiment(dataset=name))
    assert resolve(Experiment.from_json(again.to_json())) == again


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dsads", (25, 12, 119, 24, 0.05, 600, 0.5, 19, "all")),
        ("spsw-har", (24, 12, 24, 2, 0.05, 600, 0.5, 5, "all")),
        ("sleepedf-features", (None, None, 120, 120, 0.1, 600, 0.8, 5, "none")),
    ],
)
def test_the_further_real_sets_have_the_hyperparameters_of_the_nearest(name, settings):
    values = settings_of(name)
    assert (
        values.n_fft,
        values.hop,
        values.sequence_length,
        values.stride,
        values.temperature,
        values.iterations,
        values.train_share,
        len(values.draw),
        values.standardise,
    ) == settings
    assert set(values.draw) == {1000}


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
        ("mitbih-beats", "data fetch mitbih"),
    ],
)
def test_sets_that_are_not_there_say_how_to_get_them(name, how, data):
    with pytest.raises(MissingData, match=f"recordings of {name} are not here.*{how}.*EMARGIN_DATA"):
        load(Experiment(dataset=name, source="real"))
    assert checksum_of(Experiment(dataset=name, source="real")) is None


def test_only_sets_with_a_simulator_are_offered_it():
    for name, offered in (("ecg-released", True), ("dsads", False)):
        with pytest.raises(MissingData) as caught:
            load(Experiment(dataset=name, source="real"))
        assert ("source simulated" in str(caught.value)) is offered


def test_a_name_of_the_paper_takes_its_real_files_where_its_folder_is(data):
    for folder, name in (("harth", "harth"), ("sleepeeg", "sleepeeg-paper"), ("ecg", "ecg-released")):
        assert resolve(Experiment(dataset=name)).source == "simulated"
        (data / folder).mkdir()
        assert resolve(Experiment(dataset=name)).source == "real"


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


def test_every_reader_is_a_function(data):
    for entry in (*DATASETS.values(), entry_of("ucr-Adiac"), entry_of(str(data))):
        for source in ("real", "simulated"):
            if source == "real" and entry.reader or source == "simulated" and entry.simulator:
                assert callable(resolve_name(entry.reader_for(source)))
        assert bool(entry.reader) or bool(entry.simulator)


def test_two_nights_of_one_subject_stay_together_and_hidden_files_do_not_count(data):
    folder = data / "sleepedf-features"
    folder.mkdir()
    (folder / "dataset.json").write_text('{"classes": ["W", "N1", "N2", "N3", "REM"]}')
    generator = np.random.default_rng(0)
    for name in ("SC4001E0", "SC4002E0", "SC4011E0"):
        np.savez(folder / f"{name}.npz", features=generator.standard_normal((9, 3)), labels=np.arange(9) % 5)
    experiment = resolve(Experiment(dataset="sleepedf-features"))
    recordings, checksum = load_recordings(experiment)
    assert [(night.name, night.subject) for night in recordings.recordings] == [
        ("SC4001E0", "SC400"),
        ("SC4002E0", "SC400"),
        ("SC4011E0", "SC401"),
    ]
    (folder / ".DS_Store").touch()
    assert load_recordings(experiment)[1] == checksum


@pytest.mark.parametrize("name", sorted(UCR_SIZES))
def test_sizes_of_the_archive_s_sets_are_those_of_their_files(name, data):
    assert settings_of(f"ucr-{name}").draw == (1000,) * UCR_SIZES[name][0]
    folder = REAL / "ucr" / name
    if not folder.is_dir():
        pytest.skip(f"needs the real ucr/{name} under EMARGIN_DATA")
    assert classes_and_length(folder) == UCR_SIZES[name]


def write_series(folder: Path, classes: int, length: int):
    """A set of the archive: each class once in TRAIN and once in TEST."""
    folder.mkdir(parents=True)
    for side in SIDES:
        lines = ("\t".join(map(str, [label, *np.sin(np.arange(length) + label)])) for label in range(classes))
        (folder / f"{folder.name}_{side}.tsv").write_text("\n".join(lines) + "\n")


def test_an_experiment_on_a_set_of_the_archive_is_the_same_without_its_files(data):
    here = resolve(Experiment(dataset="ucr-SwedishLeaf"))
    assert (here.source, here.sequence_length, here.stride, here.n_fft, here.hop) == ("real", 29, 29, 16, 4)
    write_series(data / "ucr" / "SwedishLeaf", *UCR_SIZES["SwedishLeaf"])
    assert resolve(Experiment(dataset="ucr-SwedishLeaf")).digest == here.digest
    assert len(load_recordings(here)[0].classes) == 15


def test_a_set_of_the_archive_that_is_not_here_says_how_to_get_it():
    with pytest.raises(
        MissingData, match="recordings of ucr-Adiac are not here.*data fetch ucr-Adiac.*holds ucr/Adiac/"
    ):
        load(Experiment(dataset="ucr-Adiac"))
    with pytest.raises(MissingData, match="UCR set Beef is not here.*ucr-Adiac.*data fetch ucr-Beef.*EMARGIN_DATA"):
        settings_of("ucr-Beef")


@pytest.mark.parametrize("size", [(14, 128), (15, 127)])
def test_files_of_another_size_than_the_catalogue_s_are_refused(data, size):
    write_series(data / "ucr" / "SwedishLeaf", *size)
    with pytest.raises(
        InputError, match=f"found: {size[0]} classes, {size[1]} samples.*wanted: 15 classes, 128 samples"
    ):
        load(Experiment(dataset="ucr-SwedishLeaf"))


def test_settings_of_another_set_of_the_archive_follow_from_its_files(data):
    write_series(data / "ucr" / "Waves", 3, 56)
    settings = settings_of("ucr-Waves")
    assert (settings.sequence_length, settings.draw) == (11, (1000,) * 3)
    assert series_there() == ["ucr-Waves"]


def test_a_folder_of_the_reader_s_own_is_an_entry_by_its_path(data):
    folder = data / "mine"
    folder.mkdir()
    (folder / "dataset.json").write_text('{"classes": ["a", "b"], "sampling_rate": 50}')
    (folder / "p.npz").touch()
    (folder / "notes.txt").touch()
    entry = entry_of(str(folder))
    assert entry.is_folder and not entry.has_series and entry.folder == folder
    assert [path.name for path in entry.paths] == ["p.npz", "dataset.json"]
    assert settings_of(str(folder)).n_fft == 50


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mitbhi", "unknown dataset. found: 'mitbhi'.*wanted: harth, .*ucr-NAME.*did you mean 'mitbih'"),
        ("no/such", "folder of recordings is not there. found: no/such"),
        ("ucr-../x", "no name of a set of the UCR archive"),
        ("ucr-", "no name of a set of the UCR archive"),
    ],
)
def test_another_name_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        entry_of(name)


READER = """
import numpy as np

from emargin.data.recordings import Recording, RecordingSet


def load_walks(folder):
    recordings = []
    for path in sorted(folder.glob("*.csv")):
        table = np.loadtxt(path, delimiter=",")
        recordings.append(Recording(path.stem, path.stem, table[:, 1:].astype(np.float32), table[:, 0].astype(int)))
    return RecordingSet("walks", "real", ("rest", "walk"), 20.0, tuple(recordings))
"""


def test_a_reader_and_an_entry_make_a_data_set(data, monkeypatch):
    (data / "walks_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(data)
    settings = replace(catalogue.HARTH, n_fft=20, hop=10, sequence_length=20, stride=20, draw=(100, 100))
    entry = Entry("walks", "Walks", "made up", settings=settings, reader="walks_reader:load_walks")
    monkeypatch.setitem(DATASETS, "walks", entry)
    with pytest.raises(MissingData, match=f"recordings of walks are not here.*put its files into {data / 'walks'}"):
        load(Experiment(dataset="walks"))
    (data / "walks").mkdir()
    for person in range(4):
        table = np.column_stack([np.arange(1000) // 100 % 2, np.sin(np.arange(1000) * (person + 1))])
        np.savetxt(data / "walks" / f"p{person}.csv", table, delimiter=",")
    dataset = load(Experiment(dataset="walks"))
    assert (dataset.source, dataset.classes, dataset.draw) == ("real", ("rest", "walk"), (100, 100))
    assert (len(dataset.train), len(dataset.test), dataset.n_features) == (8, 8, 11)


def test_the_catalogue_is_cheap_to_import_and_so_is_an_entry():
    """What reads, simulates and converts is imported at its first use."""
    code = (
        "import sys; from emargin.data.catalogue import entry_of, settings_of; "
        "settings_of('ucr-Adiac'), entry_of('ecg-sim').reader_for('simulated'), entry_of('dsads').paths; "
        "print(*{'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'pooch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=RESULTS.parent, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.reader] + ["ucr-Adiac"])
def test_files_that_no_reader_reads_are_none_of_a_set(name, tmp_path, monkeypatch):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    folder = entry_of(name).folder
    folder.mkdir(parents=True)
    names = "notes.txt README.md SHA256SUMS.txt ._S006.csv ._p1.npz .DS_Store S006.csv.part old.zip"
    for other in names.split():
        (folder / other).touch()
    assert entry_of(name).paths == []
