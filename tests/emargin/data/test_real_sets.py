"""The further real sets as they come out of `load`, where EMARGIN_DATA has them."""

import numpy as np
import pytest

from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.loading import load, load_recordings
from emargin.resolve import resolve


def experiment(name, **fields) -> Experiment:
    if not entry_of(name).folder.is_dir():
        pytest.skip(f"needs the real {name} under EMARGIN_DATA")
    return resolve(Experiment(dataset=name, source="real", **fields))


def counts(dataset) -> list[np.ndarray]:
    """Labelled frames a class within sequences, each frame once, train and test."""
    sides = []
    for side in (dataset.train, dataset.test):
        labels = side.labels[np.unique(side.indices())].numpy()
        sides.append(np.bincount(labels[labels >= 0], minlength=len(dataset.classes)))
    return sides


@pytest.mark.parametrize(
    ("name", "sequences", "length", "n_features", "n_classes", "fewest"),
    [
        ("dsads", (1960, 1960), 119, 78, 19, (2481, 2480)),
        ("spsw-har", (1309, 1283), 24, 78, 5, (538, 443)),
        ("sleepedf-features", (355, 74), 120, 72, 5, (1381, 248)),
        ("ucr-SwedishLeaf", (500, 625), 29, 9, 15, (754, 957)),
        ("ucr-FiftyWords", (450, 455), 64, 9, 50, (64, 64)),
        ("ucr-Adiac", (390, 391), 41, 9, 37, (164, 246)),
        ("ucr-CricketX", (390, 390), 72, 9, 12, (1800, 1872)),
        ("ucr-FacesUCR", (200, 2050), 29, 9, 14, (116, 1276)),
        ("ucr-WordSynonyms", (267, 638), 64, 9, 25, (128, 512)),
        pytest.param("mitbih-released", (114, 30), 200, 1502, 4, (18, 79), marks=pytest.mark.long),
    ],
)
def test_batches_and_all_classes_on_both_sides(name, sequences, length, n_features, n_classes, fewest):
    cell = experiment(name)
    dataset = load(cell)
    assert (len(dataset.train), len(dataset.test)) == sequences and min(sequences) >= cell.batch_size
    assert (dataset.train.length, dataset.n_features, len(dataset.classes)) == (length, n_features, n_classes)
    assert len(dataset.draw) == n_classes
    assert tuple(int(side.min()) for side in counts(dataset)) == fewest


@pytest.mark.parametrize(
    ("name", "n_subjects", "n_recordings"), [("dsads", 8, 8), ("spsw-har", 23, 223), ("sleepedf-features", 10, 20)]
)
def test_people_and_their_recordings(name, n_subjects, n_recordings):
    recordings, _ = load_recordings(experiment(name))
    assert recordings.name == name
    assert len(recordings.recordings) == n_recordings
    assert len({recording.subject for recording in recordings.recordings}) == n_subjects


def test_two_subjects_of_sleep_are_tested_on_both_their_nights():
    dataset = load(experiment("sleepedf-features"))
    recordings, _ = load_recordings(experiment("sleepedf-features"))
    tested = [night for night in recordings.recordings if night.subject in ("SC401", "SC408")]
    assert [night.name for night in tested] == ["SC4011E0", "SC4012E0", "SC4081E0", "SC4082E0"]
    np.testing.assert_array_equal(dataset.test.labels, np.concatenate([night.labels for night in tested]))


def test_the_stride_of_executions_leaves_out_one_frame_at_most():
    dataset = load(experiment("spsw-har"))
    for side in (dataset.train, dataset.test):
        assert len(side.frames) - len(np.unique(side.indices())) <= 223


@pytest.mark.parametrize("name", ["dsads", "spsw-har", "sleepedf-features"])
def test_protocol_released_joins_these_sets_and_all_classes_are_on_both_sides(name):
    dataset = load(experiment(name, protocol="released"))
    share = {"sleepedf-features": 0.8}.get(name, 0.5)
    assert len(dataset.train) == int(share * (len(dataset.train) + len(dataset.test)))
    assert all(side.min() >= 200 for side in counts(dataset))
