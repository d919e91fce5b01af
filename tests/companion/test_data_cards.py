"""Cards of data sets: numbers by hand on a small set, and the file that they are kept in."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion import data_cards as cards
from companion.detection import detection
from companion.fetch.folder import save_folder
from companion.figures import data as plots
from emargin.config import Experiment
from emargin.data.catalogue import SETS, entry_of, settings_of
from emargin.data.loading import load_recordings
from emargin.data.protocols import build
from emargin.errors import InputError
from emargin.losses.cosines import adjacent_cosines
from emargin.resolve import resolve

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("EMARGIN_DATA") or "data").resolve()
RATE, SECONDS = 10, 30


def labels_of(person: int) -> np.ndarray:
    """Twelve seconds of rest, nine of walking, three without label, six of walking, turned round by 3 s a person."""
    labels = np.repeat([0, 1, -1, 1], np.array([12, 9, 3, 6]) * RATE)
    return np.roll(labels, person * 3 * RATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three people; channel x is noise in every class, channel y only in walking; p0's last two seconds are zeros."""
    generator = np.random.default_rng(0)
    recordings = {}
    for person in range(3):
        labels = labels_of(person)
        values = generator.normal(size=(SECONDS * RATE, 2)) * np.stack([np.ones(len(labels)), labels == 1], axis=1)
        if person == 0:
            values[-2 * RATE :] = 0
        recordings[f"p{person}"] = (values, labels)
    path = tmp_path_factory.mktemp("cards") / "mine"
    save_folder(path, recordings, classes=["rest", "walk", "never"], sampling_rate=RATE)
    return path


@pytest.fixture(scope="module")
def facts(folder) -> dict:
    return cards.card(str(folder))


def test_size_and_geometry(facts):
    assert (facts["source"], facts["people"], facts["recordings"]) == ("real", 3, 3)
    assert (facts["channels"], facts["sampling_rate"], facts["hours"]) == (2, 10.0, 0.025)
    assert facts["geometry"] == {
        "n_fft": 10,
        "hop": 5,
        "sequence_length": 100,
        "stride": 100,
        "n_features": 12,
        "frame_seconds": 1.0,
        "step_seconds": 0.5,
    }
    assert facts["frames"] == 3 * 59


def test_shares_are_of_the_labelled_frames(facts):
    classes = facts["classes"]
    assert list(classes) == ["rest", "walk", "never"] and classes["never"] == {
        "frames": 0,
        "share": 0.0,
        "mean_run": None,
    }
    labelled = sum(numbers["frames"] for numbers in classes.values())
    assert classes["rest"]["share"] == pytest.approx(classes["rest"]["frames"] / labelled, rel=1e-5)
    assert facts["unlabelled"] == pytest.approx(1 - labelled / facts["frames"], rel=1e-5) and facts["unlabelled"] > 0.05


def frames_and_labels(folder) -> list:
    """The class of every frame of each person, counted slowly from the samples."""
    experiment = resolve(Experiment(dataset=str(folder)))
    recordings, _ = load_recordings(experiment)
    classes = []
    for recording in recordings.recordings:
        labels = []
        for start in range(0, len(recording.labels) - 9, 5):
            window = recording.labels[start : start + 10].tolist()
            labels.append(max([0, 1, 2, -1], key=window.count))
        classes.append(labels)
    return classes


def test_runs_and_transitions_counted_slowly(folder, facts):
    runs, pairs, changes = {0: [], 1: []}, 0, 0
    for labels in frames_and_labels(folder):
        length = 1
        for label, following in zip(labels, labels[1:] + [None], strict=True):
            if following == label:
                length += 1
            else:
                if label >= 0:
                    runs[label].append(length)
                length = 1
            if following is not None and label >= 0 and following >= 0:
                pairs += 1
                changes += label != following
    for label, name in enumerate(("rest", "walk")):
        assert facts["classes"][name]["frames"] == sum(runs[label])
        assert facts["classes"][name]["mean_run"] == pytest.approx(np.mean(runs[label]), rel=1e-5)
    assert facts["transitions"] == {
        "pairs": pairs,
        "changes": changes,
        "share": pytest.approx(changes / pairs, rel=1e-5),
    }


def test_standardised_cosines_are_those_of_protocol_original(folder, facts):
    """From what `build` gives a run: sequences of two frames, a step of one, are all adjacent pairs."""
    experiment = resolve(Experiment(dataset=str(folder), sequence_length=2, stride=1))
    recordings, checksum = load_recordings(experiment)
    data = build(recordings, settings_of(str(folder)), experiment, checksum)
    pairs = torch.cat([side.batch(slice(None)) for side in (data.train, data.test)])
    cosines = adjacent_cosines(pairs).flatten().numpy()
    assert len(cosines) == 3 * 58
    for quantile, value in facts["cosines"]["standardised"].items():
        assert value == pytest.approx(np.quantile(cosines, float(quantile)), abs=1e-5)
    labels = torch.cat([side.labels[side.indices()] for side in (data.train, data.test)])
    expected = detection(torch.from_numpy(cosines <= 0.4)[:, None], labels)
    scores = facts["pseudo_label"]["standardised"]
    assert scores["share"] == pytest.approx(expected["share"], rel=1e-5)
    for key in ("precision", "recall", "base"):
        assert scores["tolerance 0"][key] == pytest.approx(expected[key], rel=1e-5)


def test_raw_magnitudes_of_silence_have_cosine_zero(facts):
    assert facts["zero_frames"] == 3 and facts["cosines"]["raw"]["0"] == 0
    assert facts["cosines"]["raw"]["1"] <= 1.000001 and facts["cosines"]["standardised"]["0"] < 0


def test_tolerance_does_not_reach_into_the_next_recording():
    """A change at the end of one recording, label 1 at the start of the next: neither is near the other."""
    classes = [torch.tensor([0, 0, 0, 1]), torch.tensor([1, 1, 1, 1])]
    cosines = [torch.tensor([0.9, 0.9, 0.9]), torch.tensor([0.1, 0.9, 0.9])]
    scores = cards._detection(cosines, classes, 0.4, changes=True)
    assert scores["share"] == 1 / 6
    assert scores["tolerance 1"] == {"precision": 0.0, "recall": 0.0, "base": 2 / 6}
    near = cards._detection([torch.tensor([0.9, 0.4, 0.9]), cosines[1]], classes, 0.4, changes=True)
    assert near["tolerance 1"] == {"precision": 1 / 2, "recall": 1.0, "base": 2 / 6}


def test_a_set_whose_classes_never_change_has_no_transitions(tmp_path):
    generator = np.random.default_rng(1)
    save_folder(
        tmp_path / "mine",
        {f"p{label}": (generator.normal(size=(60, 2)), np.full(60, label)) for label in range(2)},
        classes=["a", "b"],
        sampling_rate=RATE,
    )
    facts = cards.card(str(tmp_path / "mine"))
    assert facts["transitions"] is None
    assert set(facts["pseudo_label"]["standardised"]) == {"share"}


def test_a_set_of_the_archive_has_neither_people_nor_seconds_and_comes_last(tmp_path, monkeypatch, facts):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    folder, generator = tmp_path / "ucr" / "Waves", np.random.default_rng(3)
    folder.mkdir(parents=True)
    for side in ("TRAIN", "TEST"):
        series = [[label, *generator.normal(size=64)] for label in (1, 2, 1)]
        np.savetxt(folder / f"Waves_{side}.tsv", series, delimiter="\t")
    waves = cards.card("ucr-Waves")
    assert (waves["people"], waves["hours"], waves["sampling_rate"], waves["recordings"]) == (None, None, None, 6)
    assert waves["split"]["train"] == {"people": None, "recordings": 3, "sequences": 3}
    assert (waves["licence"], waves["citation"]) == ("for research (UCR archive)", "dau2019ucr")
    simulated = facts | {"source": "simulated"}
    names = sorted({"a-ucr": waves, "b-sim": simulated, "c-real": facts}.items(), key=cards._order)
    assert [name for name, _ in names] == ["c-real", "b-sim", "a-ucr"]
    assert cards.names_there() == ["ucr-Waves", "harth-sim", "sleepeeg-sim", "ecg-sim"]


def test_split_counts_people_recordings_and_sequences(tmp_path):
    generator = np.random.default_rng(2)
    recording = (generator.normal(size=(1040, 2)), np.arange(1040) // 52 % 2)  # 207 frames: two sequences of 100
    save_folder(
        tmp_path / "mine",
        {f"p{person}": [recording, recording] for person in range(5)},
        classes=["a", "b"],
        sampling_rate=RATE,
    )
    split = cards.card(str(tmp_path / "mine"))["split"]
    assert split == {
        "folds": 1,
        "train": {"people": 4, "recordings": 8, "sequences": 16},
        "test": {"people": 1, "recordings": 2, "sequences": 4},
    }


def test_numbers_have_six_digits_and_nothing_is_nan():
    assert cards._rounded({"a": 0.123456789, "b": {"c": float("nan"), "d": np.float64(2 / 3)}, "e": 1234567}) == {
        "a": 0.123457,
        "b": {"c": None, "d": 0.666667},
        "e": 1234567,
    }


def test_the_command_keeps_cards_of_sets_that_are_not_there(tmp_path, monkeypatch, capsys, facts):
    path = tmp_path / "out" / "cards.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"harth": facts}))
    monkeypatch.setattr(cards, "card", lambda name: facts | {"source": name.partition("-")[2] and "simulated"})
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "empty"))
    assert cards.main(["--out", str(path)]) == 0
    assert list(cards.read_cards(path)) == ["harth", "ecg-sim", "harth-sim", "sleepeeg-sim"]
    assert cards.read_cards(path)["harth"] == facts
    assert [file.name for file in path.parent.iterdir()] == ["cards.json"]
    assert "ecg-sim: simulated" in capsys.readouterr().out


def test_the_command_goes_on_after_a_set_that_cannot_be_read(tmp_path, capsys, folder, facts):
    path = tmp_path / "cards.json"
    assert cards.main([str(tmp_path / "no-such"), str(folder), "--out", str(path)]) == 2
    assert cards.read_cards(path) == {str(folder): facts}
    assert "the folder of recordings is not there" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"harth": 1}', '{"harth": {}}'])
def test_a_file_that_holds_no_cards_is_refused_and_kept(tmp_path, capsys, text):
    path = tmp_path / "cards.json"
    path.write_text(text)
    with pytest.raises(InputError, match="cards"):
        cards.read_cards(path)
    assert cards.main(["harth-sim", "--out", str(path)]) == 2 and path.read_text() == text
    assert "what to do: make it again" in capsys.readouterr().err


def test_committed_cards_are_those_of_the_catalogue_as_it_is():
    """A changed framing makes the committed cards stale; so does a set of the page that has none."""
    committed = cards.read_cards()
    wanted = {"mitbih", "dsads", "spsw-har", "sleepedf-features", "harth-sim", "sleepeeg-sim", "ecg-sim"}
    assert wanted <= set(committed)
    for name in wanted:
        settings, geometry = settings_of(name), committed[name]["geometry"]
        for field in ("n_fft", "hop", "sequence_length", "stride"):
            assert geometry[field] == getattr(settings, field), (name, field)
    features, seconds = committed["sleepedf-features"], entry_of("sleepedf-features").frame_seconds
    assert features["geometry"]["frame_seconds"] == seconds
    assert features["hours"] == pytest.approx(features["frames"] * seconds / 3600, rel=1e-5)
    assert {name for name, facts in committed.items() if facts["transitions"] is None} == {
        name for name in committed if entry_of(name).has_series
    }


def test_the_card_of_beats_has_the_frames_of_both_sides():
    """What the reader counts on DS1, with 202, and on DS2: `tests/emargin/data/readers/test_beats.py`."""
    facts = cards.read_cards()["mitbih-beats"]
    counts = {name: of_class["frames"] for name, of_class in facts["classes"].items()}
    assert counts == {"N": 71700 + 62656, "S": 1472 + 2874, "V": 6592 + 6221, "F": 829 + 771}
    assert facts["unlabelled"] == pytest.approx((2437 + 3288) / facts["frames"], rel=1e-5)
    sides = {side: (facts["split"][side]["people"], facts["split"][side]["recordings"]) for side in ("train", "test")}
    assert sides == {"train": (22, 23), "test": (21, 21)} and facts["split"]["folds"] == 2
    assert (facts["geometry"]["frame_seconds"], facts["geometry"]["step_seconds"]) == (1, 0.5)


def test_frames_that_a_reader_cuts_overlap():
    experiment = resolve(Experiment(dataset="mitbih-beats"))
    framed = SimpleNamespace(framed=True)
    sequences = [SimpleNamespace(frames=torch.zeros(1, 252))]
    geometry = cards._geometry(entry_of("mitbih-beats"), experiment, framed, sequences, 0.5)
    assert (geometry["frame_seconds"], geometry["step_seconds"], geometry["n_features"]) == (1, 0.5, 252)
    geometry = cards._geometry(entry_of("sleepedf-features"), experiment, framed, sequences, 30)
    assert geometry["frame_seconds"] == geometry["step_seconds"] == 30


def test_every_real_set_has_an_origin_that_the_bibliography_knows():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    entries = (*SETS, entry_of("ucr-Adiac"))
    assert all(entry.origin for entry in entries)
    assert {entry.citation for entry in entries if entry.citation} <= keys


def test_tables_have_a_line_a_set_and_dashes_for_what_is_not_known(facts):
    table = plots.overview({"mine": facts, "other": facts | {"people": None, "hours": None}})
    assert list(table.index) == ["mine", "other"]
    assert table.loc["mine", "hours"] == "0.025" and table.loc["other", "hours"] == table.loc["other", "people"] == "–"
    assert plots.geometries({"mine": facts}).loc["mine", "T (s)"] == "50.5"  # 99 steps of 0.5 s, and 1 s
    assert plots.class_table(facts).loc["never"].tolist() == ["0", "0.0%", "–", "–"]
    assert list(plots.detection_table({"mine": facts}).index) == [("mine", "raw"), ("mine", "standardised")]


def test_the_text_of_a_card_and_the_line_of_a_set_of_series():
    committed = cards.read_cards()
    text = plots.card_text("mitbih", committed["mitbih"])
    assert "152 changes of class in 144,098 adjacent labelled pairs: 0.105%, one in 948" in text
    table = plots.series(committed)
    assert set(table.index) == {name for name in committed if name.startswith("ucr-")}
    assert table.loc["ucr-Adiac", "series (train / test)"] == "390 / 391" and table.loc["ucr-Adiac", "classes"] == 37


def test_geometries_of_the_paper_have_its_numbers():
    table = plots.paper_geometries(["ecg", "ecg-released", "sleepeeg-paper"])
    assert table.D.tolist() == [252, 1502, 178] and table["T"].tolist()[:2] == [500, 200]
    assert table.loc["ecg", "T (s)"] == "250.5"  # 499 steps of half a second, and one second


@pytest.mark.skipif(not (REAL / "sleepedf-features").is_dir(), reason="the recordings are not there")
def test_features_of_sleep_edf_hold_the_epochs_before_and_after(monkeypatch):
    """The page on data says so: of 72 features 18 are of the epoch, the others of it and its neighbours."""
    monkeypatch.setenv("EMARGIN_DATA", str(REAL))
    nights, _ = load_recordings(Experiment(dataset="sleepedf-features", source="real"))
    kept = []
    for night in nights.recordings:
        epoch, change, mean, deviation = np.split(night.values.astype(float), 4, axis=1)  # 18 each
        around = np.stack([epoch[:-2], epoch[1:-1], epoch[2:]])
        wanted = (change, epoch[1:-1] - epoch[:-2]), (mean, around.mean(0)), (deviation, around.std(0))
        kept.append([np.abs(there[1:-1] - made).max(1) < 1e-4 for there, made in wanted])
    assert np.concatenate(kept, axis=1).mean(1).min() > 0.998  # the rest: epochs beside one that was left out


def test_an_example_is_the_middle_of_the_longest_run(folder):
    recordings, _ = load_recordings(Experiment(dataset=str(folder)))
    run = plots.longest_run(recordings, 0, span=20)
    first = recordings.recordings[0]  # rest from second 0 to 12: the middle two seconds
    np.testing.assert_array_equal(run, first.values[50:70])
    assert plots.longest_run(recordings, 2, span=20) is None
    assert len(plots.longest_run(recordings, 0, span=None)) == 120
    later = replace(recordings, recordings=recordings.recordings[1:])
    np.testing.assert_array_equal(plots.longest_run(later, 0, span=20), recordings.recordings[1].values[80:100])
