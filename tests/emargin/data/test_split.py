"""A cell's split: "validation" scores people held out of the training side, "everyone" tests each person once."""

import dataclasses

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data.cache import Frames
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Sequences
from emargin.data.loading import checksum_of, load, load_recordings
from emargin.data.protocols import FOLDS, USUAL_FOLDS, build, dealt_in_turn, hold_out
from emargin.data.recordings import RecordingSet
from emargin.errors import InputError
from emargin.resolve import resolve
from tests.conftest import make_dataset

ASKED = {"dataset": "harth-sim", "quick": True}


def test_the_people_who_are_left_are_trained_on_and_the_held_out_are_scored():
    whole, split = load(Experiment(**ASKED)), load(Experiment(**ASKED, split="validation"))
    expected = hold_out(load(Experiment(**ASKED)))
    for side, wanted in ((split.train, expected.train), (split.test, expected.test)):
        assert torch.equal(side.frames, wanted.frames) and torch.equal(side.starts, wanted.starts)
    people, left, held = (set(side.subjects.tolist()) for side in (whole.train, split.train, split.test))
    assert left | held == people and not left & held and len(held) == max(1, round(len(people) / 4))
    assert split.train.frames.mean(0).abs().max() < 1e-4 < split.test.frames.mean(0).abs().max()


@pytest.mark.parametrize("surrogate", [None, "frames"])
def test_the_checksum_is_known_without_loading_and_is_not_that_of_the_whole(surrogate):
    asked = Experiment(**ASKED, surrogate=surrogate, split="validation")
    whole = Experiment(**ASKED, surrogate=surrogate)
    assert load(asked).checksum == checksum_of(asked) == f"{checksum_of(whole)}, validation"


def test_where_people_are_not_told_apart_nobody_can_be_held_out():
    with pytest.raises(InputError, match="no people to hold out.*use protocol original"):
        load(Experiment(**ASKED, protocol="released", split="validation"))


def with_people(dataset, people):
    """People of two sequences each, as far as there are any."""
    frames = len(dataset.train.frames)
    subjects = torch.arange(frames) // (2 * dataset.train.length) % people
    return dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, subjects=subjects))


@pytest.fixture
def dataset():
    return with_people(make_dataset(n_train=24), 12)


def frames_of(sequences):
    return sequences.batch(slice(None))


def test_people_are_held_out_whole(dataset):
    split = hold_out(dataset)
    people = [set(side.subjects.tolist()) for side in (split.train, split.test)]
    assert len(people[1]) == 3 and not people[0] & people[1] and len(people[0] | people[1]) == 12
    assert len(split.train) == 18 and len(split.test) == 6
    for side in (split.train, split.test):
        whole = dataset.train
        kept = [start for start in whole.starts if whole.subjects[start].item() in set(side.subjects.tolist())]
        labels = whole.labels[torch.stack(kept)[:, None] + torch.arange(10)]
        assert torch.equal(side.labels[side.indices()], labels)
        moved = side.indices()
        assert (side.subjects[moved] == side.subjects[moved[:, :1]]).all()


def test_frames_are_standardised_by_those_who_are_trained_on(dataset):
    split, whole = hold_out(dataset), dataset.train
    assert split.train.frames.mean(0).abs().max() < 1e-5
    assert (split.train.frames.std(0, correction=0) - 1).abs().max() < 1e-5
    trained_on = torch.isin(whole.subjects, split.train.subjects)
    mean, std = whole.frames[trained_on].mean(0), whole.frames[trained_on].std(0, correction=0)
    torch.testing.assert_close(split.test.frames, (whole.frames[~trained_on] - mean) / std, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("before", [None, (torch.linspace(-3, 3, 6), torch.linspace(0.5, 4, 6))])
def test_what_frames_were_standardised_with_is_kept_of_both_times(dataset, before):
    mean, std = (torch.zeros(6), torch.ones(6)) if before is None else before
    split = hold_out(dataclasses.replace(dataset, standardisation=before))
    kept = torch.isin(dataset.train.subjects, split.train.subjects.unique())
    raw = dataset.train.frames[kept] * std + mean
    again = split.standardisation
    torch.testing.assert_close(split.train.frames * again[1] + again[0], raw)


def test_the_data_set_itself_and_its_test_side_are_left_alone(dataset):
    before = dataset.train.frames.clone()
    split = hold_out(dataset)
    assert torch.equal(dataset.train.frames, before)
    spoiled = dataclasses.replace(
        dataset, test=Sequences(torch.full((40, 6), torch.nan), dataset.test.labels, dataset.test.starts, 10)
    )
    again = hold_out(spoiled)
    assert torch.equal(frames_of(split.test), frames_of(again.test))
    assert split.checksum == f"{dataset.checksum}, validation"


def test_without_people_there_is_nothing_to_hold_out(dataset):
    with pytest.raises(InputError, match="0 people told apart.*protocol original"):
        hold_out(make_dataset())
    with pytest.raises(InputError, match="1 people told apart"):
        hold_out(with_people(make_dataset(), 1))
    assert len(hold_out(with_people(make_dataset(), 2)).test.subjects.unique()) == 1


def people_of(name, number):
    """Frames of a set whose every frame says whose it is: person p has the value p throughout, and two recordings."""
    recordings = [
        Frames(f"s{person:02}{part}", f"s{person:02}", np.full((24, 3), person, np.float32), np.zeros(24, np.int64))
        for person in reversed(range(number))
        for part in "ab"
    ]
    return RecordingSet(name, "real", ("only",), None, tuple(recordings), framed=True)


def sides(data, fold, **fields):
    """Return the people of the training and of the test side of a fold of the split "everyone"."""
    experiment = resolve(Experiment(dataset="harth-sim", sequence_length=8, split="everyone", fold=fold, **fields))
    built = build(data, settings_of(experiment.dataset), experiment, "checksum")
    mean, std = built.standardisation
    return [
        set((side.frames * std + mean)[side.indices(), 0].unique().round().int().tolist())
        for side in (built.train, built.test)
    ]


SIZES = [("dsads", 8, [2, 2, 2, 2]), ("sleepedf-features", 10, [2] * 5), ("spsw-har", 23, [6, 6, 6, 5])]


@pytest.mark.parametrize("name,number,sizes", [*SIZES, ("mine", 4, [1, 1, 1, 1])])
def test_over_the_folds_every_person_is_tested_once_and_nobody_is_on_both_sides(name, number, sizes):
    data, tested = people_of(name, number), []
    for fold, size in enumerate(sizes, 1):
        trained_on, scored = sides(data, fold)
        assert not trained_on & scored and trained_on | scored == set(range(number)) and len(scored) == size
        tested += sorted(scored)
    assert sorted(tested) == list(range(number))


def test_names_are_dealt_in_order_whatever_the_order_of_the_recordings():
    assert [sorted(dealt_in_turn(people_of("spsw-har", 6), fold)) for fold in (1, 2, 3, 4)] == [
        ["s00", "s04"],
        ["s01", "s05"],
        ["s02"],
        ["s03"],
    ]


def test_the_folds_of_everyone_are_not_those_of_the_set():
    data = dataclasses.replace(people_of("mine", 4), test_subjects=(frozenset({"s03"}),))
    assert sides(data, 1) == [{1, 2, 3}, {0}]


def test_everyone_needs_people_a_fold_and_a_protocol_that_tells_them_apart():
    with pytest.raises(InputError, match="found: 3 people. wanted: at least 4"):
        sides(people_of("mine", 3), 1)
    with pytest.raises(InputError, match="no such fold.*found: 6. wanted: 1 to 5"):
        sides(people_of("sleepedf-features", 10), 6)
    with pytest.raises(InputError, match="found: harth-sim, protocol released"):
        load(Experiment(**ASKED, protocol="released", split="everyone"))


def test_series_are_no_people(ucr):
    with pytest.raises(InputError, match="protocol original.*leave split out"):
        load(Experiment(dataset=ucr, split="everyone"))


def test_the_checksum_of_everyone_is_that_of_the_files():
    asked = Experiment(**ASKED, split="everyone", fold=USUAL_FOLDS)
    assert load(asked).checksum == checksum_of(asked) == checksum_of(Experiment(**ASKED))


@pytest.mark.long
@pytest.mark.parametrize("name,number,sizes", SIZES)
def test_over_the_folds_of_real_recordings_every_person_is_tested_once(name, number, sizes):
    recordings, _ = load_recordings(Experiment(dataset=name, source="real"))
    folds = [dealt_in_turn(recordings, fold) for fold in range(1, FOLDS.get(name, USUAL_FOLDS) + 1)]
    assert [len(fold) for fold in folds] == sizes and len(frozenset().union(*folds)) == number == sum(sizes)
    for fold in folds:
        scored = [recording.labels for recording in recordings.recordings if recording.subject in fold]
        left = [recording.labels for recording in recordings.recordings if recording.subject not in fold]
        for labels in (scored, left):
            assert set(np.unique(np.concatenate(labels))) >= set(range(len(recordings.classes)))
