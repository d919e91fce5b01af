"""Joining, splitting and standardising: the two protocols."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.data.catalogue import Settings
from emargin.data.dataset import Dataset, Sequences
from emargin.data.framing import check_frames, frame_labels, stft_frames
from emargin.data.recordings import Recording, RecordingSet, joined_by_person
from emargin.data.surrogates import order_of_frames
from emargin.errors import InputError

HELD_OUT = 0.25  # of the training people, at least one, whom the split "validation" scores
FOLDS = {"sleepedf-features": 5}  # of the split "everyone", two people each; other sets have USUAL_FOLDS
USUAL_FOLDS = 4
SPLIT_SEED = 0  # the split by subject is one and the same for all seeds of an experiment
QUICK_DRAW = 150  # frames a class at most that the quick profile clusters

Standardised = tuple[Sequences, Sequences, tuple[Tensor, Tensor] | None]  # both sides, and what they lost


def build(data: RecordingSet, settings: Settings, experiment: Experiment, checksum: str) -> Dataset:
    """Frame, split and standardise a set of recordings under the experiment's protocol.

    Parameters
    ----------
    data : RecordingSet
        Samples, or frames already.
    settings : Settings
        Of the data set in the catalogue.
    experiment : Experiment
        Resolved.
    checksum : str
        Of the recordings; handed on.

    Returns
    -------
    Dataset
        Float32 frames `(F, D)`.

    Raises
    ------
    InputError
        Where T frames do not fit any recording, or a side of the split would be empty.
    """
    split = _by_subject if experiment.protocol == "original" else _by_position
    train, test, standardisation = split(data, settings, experiment)
    for side, sequences in (("train", train), ("test", test)):
        if len(sequences) == 0:
            raise InputError(
                f"data set {data.name}: no complete sequence on the {side} side",
                wanted=f"{experiment.sequence_length} consecutive frames in one recording",
                todo="lower sequence_length or add recordings",
            )
    most = QUICK_DRAW if experiment.quick else max(settings.draw)
    draw = tuple(min(nominal, most) for nominal in settings.draw)
    return Dataset(data.name, data.source, data.classes, train, test, draw, checksum, standardisation, data.left_out)


def _by_subject(data: RecordingSet, settings: Settings, experiment: Experiment) -> Standardised:
    """Split by protocol `original`: sequences within a recording, whole subjects on a side, statistics of training."""
    if experiment.split == "everyone":
        tested = dealt_in_turn(data, experiment.fold)
    else:
        tested = test_subjects_of(data, settings, experiment.fold)
    sides = [
        [recording for recording in data.recordings if (recording.subject in tested) == side] for side in (False, True)
    ]
    longest = max(len(recording.values) for recording in data.recordings)
    train, test = (within_recordings(recordings, data, experiment) for recordings in sides)
    if len(train) == len(test) == 0:
        raise InputError(
            f"data set {data.name}: a sequence is longer than any recording",
            found=f"sequence_length {experiment.sequence_length} frames; longest recording {longest} "
            f"{'frames' if data.framed else 'samples'}",
            wanted="a sequence_length that fits",
            todo="lower sequence_length, n_fft or hop",
        )
    if len(train) == 0:
        return train, test, None
    mean, std = statistics_of(train.frames)
    for side in (train, test):
        side.frames.sub_(mean).div_(std)
    return train, test, (mean, std)


def _by_position(data: RecordingSet, settings: Settings, experiment: Experiment) -> Standardised:
    """Split by protocol `released`: recordings joined in file order, sequences across them, the first part to train on.

    What is joined is the set's own, too: all recordings, or those of a person, so that no sequence holds two people.
    The border is the set's own, where its files are the two sides, or else a share of the sequences.

    Standardised with the statistics of everything, test side included, or not at all, as the released code does for
    the set.
    """
    if experiment.fold != 1:
        raise InputError("protocol released has one split", found=f"fold {experiment.fold}", wanted=1)
    joined = data.joined() if settings.joined == "all" else joined_by_person(data)
    everything = within_recordings(joined.recordings, data, experiment)
    standardisation = None
    if settings.standardise == "all":
        mean, std = statistics_of(everything.frames)
        everything.frames.sub_(mean).div_(std)
        standardisation = mean, std
    if data.test_from is None:
        cut = int(settings.train_share * len(everything))
    else:
        samples = len(joined.recordings[0].values)
        frames = (
            samples if data.framed else max(0, (samples - cast(int, experiment.n_fft)) // cast(int, experiment.hop) + 1)
        )
        cut = int((everything.starts < frames).sum())
    train, test = (
        Sequences(everything.frames, everything.labels, starts, everything.length)
        for starts in (everything.starts[:cut], everything.starts[cut:])
    )
    return train, test, standardisation


def test_subjects_of(data: RecordingSet, settings: Settings, fold: int) -> frozenset[str]:
    """Return the set's own fold, or the last subjects of one seeded shuffle."""
    folds = data.test_subjects
    if not folds:
        subjects = sorted({recording.subject for recording in data.recordings})
        if len(subjects) < 2:
            raise InputError(
                f"data set {data.name}: a split by subject needs two subjects",
                found=len(subjects),
                wanted="recordings of at least two people",
                todo="use protocol released",
            )
        order = np.random.default_rng(SPLIT_SEED).permutation(subjects)
        n_train = min(max(1, round(settings.train_share * len(subjects))), len(subjects) - 1)
        folds = (frozenset(order[n_train:]),)
    if fold > len(folds):
        raise InputError(f"data set {data.name} has no such fold", found=fold, wanted=f"1 to {len(folds)}")
    return folds[fold - 1]


def dealt_in_turn(data: RecordingSet, fold: int) -> frozenset[str]:
    """Return the people whom a fold of the split "everyone" tests: all of them are tested once over the folds.

    Their names, in order, are dealt to the folds in turn, as cards are: of n folds, fold k has the people k, k + n,
    k + 2n, ... Neither classes nor seeds have a say.

    Parameters
    ----------
    data : RecordingSet
    fold : int
        From 1 to the number of folds, which `FOLDS` has.

    Raises
    ------
    InputError
        For fewer people than folds, and for a fold that is not there.
    """
    people = sorted({recording.subject for recording in data.recordings})
    folds = FOLDS.get(data.name, USUAL_FOLDS)
    if len(people) < folds:
        raise InputError(
            f'data set {data.name}: split "everyone" tests each person in one of {folds} folds',
            found=f"{len(people)} people",
            wanted=f"at least {folds}",
            todo="leave split out",
        )
    if fold > folds:
        what = f'data set {data.name} has no such fold in split "everyone"'
        raise InputError(what, found=fold, wanted=f"1 to {folds}")
    return frozenset(people[fold - 1 :: folds])


def within_recordings(recordings: Sequence[Recording], data: RecordingSet, experiment: Experiment) -> Sequences:
    """Return frames of all recordings in one table, and the starts of the sequences that lie within one."""
    frames, labels, starts, subjects, offset = [], [], [], [], 0
    numbers = {name: number for number, name in enumerate(dict.fromkeys(recording.subject for recording in recordings))}
    length = cast(int, experiment.sequence_length)
    labelled: Any  # an array, then a tensor
    for recording in recordings:
        if data.framed:
            framed, labelled = torch.from_numpy(recording.values.copy()), recording.labels
        else:
            assert experiment.n_fft and experiment.hop, "signals have both"
            if len(recording.values) < experiment.n_fft:
                continue  # too short for a frame, so for a sequence
            framed = stft_frames(recording.values, experiment.n_fft, experiment.hop)
            labelled = frame_labels(recording.labels, experiment.n_fft, experiment.hop, len(data.classes))
        check_frames(recording.name, framed)
        labelled = torch.from_numpy(labelled)
        if experiment.surrogate == "frames":
            order = order_of_frames(recording.name, len(framed))
            framed, labelled = framed[order], labelled[order]
        frames.append(framed)
        labels.append(labelled)
        subjects.append(torch.full((len(framed),), numbers[recording.subject]))
        starts.append(
            torch.arange(offset, offset + len(framed) - length + 1, cast(int, experiment.stride))
            if len(framed) >= length
            else torch.empty(0, dtype=torch.int64)
        )
        offset += len(framed)
    if not frames:
        nothing = torch.empty(0, dtype=torch.int64)
        return Sequences(torch.empty(0, 0), nothing, nothing, length)
    return Sequences(torch.cat(frames), torch.cat(labels), torch.cat(starts), length, torch.cat(subjects))


def statistics_of(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each feature, `(D,)`; a constant feature keeps 1. Summed in float64."""
    wide = frames.double()
    mean, std = wide.mean(0), wide.std(0, correction=0)
    std = torch.where(std > 1e-8 * mean.abs().clamp(min=1e-8), std, torch.ones_like(std))
    return mean.float(), std.float()


def hold_out(dataset: Dataset) -> Dataset:
    """Return the training side alone, split by people: a quarter of them take the test side's place.

    It is what an experiment with `split="validation"` is trained and scored on; the test side is never looked at.
    Frames are standardised again with statistics of the people who are left to train on.

    Raises
    ------
    InputError
        Where people are not told apart, or there is only one.
    """
    whole = dataset.train
    people: list | np.ndarray = [] if whole.subjects is None else np.unique(whole.subjects)
    if len(people) < 2:
        raise InputError(
            f"data set {dataset.name}: no people to hold out of its training side",
            found=f"{len(people)} people told apart",
            wanted="at least 2",
            todo="use protocol original",
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(people)
    assert whole.subjects is not None
    held = torch.isin(whole.subjects, torch.from_numpy(order[: max(1, round(HELD_OUT * len(people)))]))
    train_side, held_side = _only(whole, ~held), _only(whole, held)
    mean, std = statistics_of(train_side.frames)
    for side in (train_side, held_side):
        side.frames.sub_(mean).div_(std)
    return Dataset(
        dataset.name,
        dataset.source,
        dataset.classes,
        train_side,
        held_side,
        dataset.draw,
        f"{dataset.checksum}, validation",
        _after(dataset.standardisation, mean, std),
        dataset.left_out,
    )


def _after(before: tuple[Tensor, Tensor] | None, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Return the one standardisation that two, one after the other, come to."""
    return (mean, std) if before is None else (before[0] + before[1] * mean, before[1] * std)


def _only(sequences: Sequences, kept: Tensor) -> Sequences:
    """Return the sequences of the kept people, whose frames are copied; kept: `(F,)`, whole recordings."""
    assert sequences.subjects is not None
    place = kept.cumsum(0) - 1
    return Sequences(
        sequences.frames[kept],
        sequences.labels[kept],
        place[sequences.starts[kept[sequences.starts]]],
        sequences.length,
        sequences.subjects[kept],
    )
