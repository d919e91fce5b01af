"""How many people, sequences and frames are on a side, and where a side begins."""

import dataclasses

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data import protocols
from emargin.data.catalogue import settings_of
from emargin.data.protocols import build, hold_out, statistics_of, within_recordings
from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError
from emargin.resolve import resolve
from tests.conftest import make_dataset
from tests.emargin.data.test_protocols import GEOMETRY, built, recordings

FRAMES_EACH = (200 - 8) // 4 + 1


@pytest.mark.parametrize(
    ("share", "people", "trained"),
    [
        (0.8, 2, 1),
        (0.8, 3, 2),
        (0.8, 7, 6),
        (0.8, 12, 10),
        (0.7, 4, 3),
        (0.5, 5, 2),
        (0.5, 7, 4),
        (0.1, 3, 1),
        (1, 4, 3),
    ],
)
def test_the_nearest_number_of_people_is_trained_on_and_on_both_sides_there_is_one(share, people, trained):
    settings = dataclasses.replace(settings_of("ecg-sim"), train_share=share)
    tested = protocols.test_subjects_of(recordings(n_subjects=people), settings, 1)
    assert people - len(tested) == trained
    assert tested <= {f"s{number}" for number in range(people)}


def test_the_people_of_a_split_are_those_of_its_one_seed():
    """Whoever is tested is tested in all published rows: another shuffle would be another benchmark."""
    assert protocols.test_subjects_of(recordings(n_subjects=10), settings_of("ecg-sim"), 1) == {"s1", "s8"}
    assert sorted(hold_out(people(10)).test.subjects.unique().tolist()) == [4, 6]


@pytest.mark.parametrize(("number", "held"), [(2, 1), (3, 1), (5, 1), (6, 2), (7, 2), (9, 2), (11, 3), (14, 4)])
def test_the_nearest_number_to_a_quarter_of_the_people_is_held_out(number, held):
    assert len(hold_out(people(number)).test.subjects.unique()) == held


def people(number):
    """A data set of so many people, two sequences each."""
    dataset = make_dataset(n_train=2 * number)
    subjects = torch.arange(len(dataset.train.frames)) // (2 * dataset.train.length)
    return dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, subjects=subjects))


@pytest.mark.parametrize("length", [5, FRAMES_EACH - 1, FRAMES_EACH])
@pytest.mark.parametrize("stride", [1, 3])
def test_sequences_are_all_that_fit_in_a_recording_one_stride_apart(length, stride):
    data = recordings(n_subjects=3, each=2)
    experiment = resolve(Experiment(**GEOMETRY | {"sequence_length": length, "stride": stride}))
    starts = within_recordings(data.recordings, data, experiment).starts
    expected = [
        number * FRAMES_EACH + start for number in range(6) for start in range(0, FRAMES_EACH - length + 1, stride)
    ]
    assert starts.tolist() == expected


def test_a_recording_too_short_for_a_sequence_or_a_frame_shifts_no_other():
    data = recordings(n_subjects=3, each=1)
    short = tuple(
        dataclasses.replace(one, values=one.values[:size], labels=one.labels[:size])
        for one, size in zip(data.recordings, (20, 7, 200), strict=True)  # 4 frames, none, 49 of them
    )
    sequences = within_recordings(short, data, resolve(Experiment(**GEOMETRY)))
    assert len(sequences.frames) == len(sequences.labels) == len(sequences.subjects) == 4 + FRAMES_EACH
    assert sequences.starts.tolist() == list(range(4, 4 + FRAMES_EACH - 4, 5))
    assert sequences.subjects.tolist() == [0] * 4 + [2] * FRAMES_EACH
    one_frame = dataclasses.replace(short[0], values=short[0].values[:8], labels=short[0].labels[:8])
    assert len(within_recordings([one_frame], data, resolve(Experiment(**GEOMETRY))).frames) == 1


def test_nothing_long_enough_is_no_frame():
    data = recordings(samples=7)
    sequences = within_recordings(data.recordings, data, resolve(Experiment(**GEOMETRY)))
    assert sequences.frames.shape == (0, 0)
    assert len(sequences) == len(sequences.labels) == len(sequences.starts) == 0 and sequences.length == 5


@pytest.mark.parametrize(("framed", "frames"), [(False, (600 - 8) // 4 + 1), (True, 600)])
def test_where_the_files_are_the_sides_released_cuts_at_their_border(framed, frames):
    """Recordings of a side are joined, and no sequence has frames of both sides."""
    data = dataclasses.replace(recordings(n_subjects=4, each=1), test_from="s3r0", framed=framed)
    dataset = built(data, protocol="released")
    assert dataset.train.starts.tolist() == list(range(0, frames - 4, 5))
    assert dataset.test.starts.tolist() == list(range(frames, frames + (200 if framed else FRAMES_EACH) - 4, 5))


def test_a_side_shorter_than_a_frame_takes_none_of_the_other():
    data = recordings(n_subjects=2, each=1)
    short = dataclasses.replace(data.recordings[0], values=data.recordings[0].values[:3], labels=np.zeros(3, int))
    spoiled = dataclasses.replace(data, recordings=(short, data.recordings[1]), test_from="s1r0")
    with pytest.raises(InputError, match="no complete sequence on the train side"):
        built(spoiled, protocol="released")


def test_a_feature_without_spread_keeps_its_unit():
    frames = torch.tensor([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]])
    mean, std = statistics_of(frames)
    assert mean.tolist() == [2.0, 5.0, 0.0] and std.tolist() == [1.0, 1.0, 1.0]
    mean, std = statistics_of(torch.tensor([[1e-4], [3e-4]]))
    torch.testing.assert_close(std, torch.tensor([1e-4]))
    rounded = torch.full((3, 1), 1e6) + torch.tensor([[0.0], [0.0], [1e-3]])  # rounding of a constant is no spread
    assert statistics_of(rounded)[1].tolist() == [1.0]


def test_the_names_and_the_source_are_handed_on():
    dataset = built(recordings())
    assert (dataset.name, dataset.source, dataset.checksum) == ("test", "real", "checksum")
    assert dataset.classes == ("a", "b", "c", "d")


@pytest.mark.parametrize(("share", "side"), [(0.0, "train"), (1.0, "test")])
def test_a_side_without_a_sequence_is_named(share, side):
    data = recordings()
    experiment = resolve(Experiment(**GEOMETRY | {"protocol": "released"}))
    settings = dataclasses.replace(settings_of("ecg-sim"), train_share=share)
    with pytest.raises(InputError, match=f"no complete sequence on the {side} side"):
        build(data, settings, experiment, "checksum")


def test_a_training_side_whose_recordings_are_all_too_short_is_named():
    data = recordings(n_subjects=2, each=1, folds=(frozenset({"s1"}),))
    short = dataclasses.replace(data.recordings[0], values=data.recordings[0].values[:10], labels=np.zeros(10, int))
    with pytest.raises(InputError, match="no complete sequence on the train side"):
        built(dataclasses.replace(data, recordings=(short, data.recordings[1])))


def test_the_first_fold_is_there_and_none_before_it():
    data = recordings(folds=(frozenset({"s1"}), frozenset({"s2", "s3"})))
    assert protocols.test_subjects_of(data, settings_of("ecg-sim"), 2) == {"s2", "s3"}


def test_frames_in_another_order_keep_their_labels():
    data = RecordingSet(
        "f", "real", ("a", "b"), None,
        (Recording("n", "n", np.arange(30, dtype=np.float32)[:, None], np.arange(30) % 2),),
        framed=True,
    )  # fmt: skip
    experiment = resolve(Experiment(**GEOMETRY | {"surrogate": "frames"}))
    mixed = within_recordings(data.recordings, data, experiment)
    assert mixed.frames[:, 0].tolist() != list(range(30)) and sorted(mixed.frames[:, 0].tolist()) == list(range(30))
    assert torch.equal(mixed.labels, mixed.frames[:, 0].long() % 2)
