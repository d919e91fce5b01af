"""The two protocols: what may meet what."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.data import protocols
from emargin.data.catalogue import settings_of
from emargin.data.protocols import build, within_recordings
from emargin.data.recordings import Recording, RecordingSet, joined_by_person
from emargin.errors import InputError
from emargin.resolve import resolve

GEOMETRY = {"dataset": "ecg-sim", "n_fft": 8, "hop": 4, "sequence_length": 5, "stride": 5}


def recordings(n_subjects=5, each=2, samples=200, folds=(), scale=1.0):
    generator = np.random.default_rng(0)
    return RecordingSet(
        "test",
        "real",
        ("a", "b", "c", "d"),
        250.0,
        tuple(
            Recording(
                f"s{s}r{r}",
                f"s{s}",
                generator.standard_normal((samples, 2)).astype(np.float32) * scale,
                generator.integers(0, 4, samples),
            )
            for s in range(n_subjects)
            for r in range(each)
        ),
        test_subjects=folds,
    )


def built(data, **fields):
    experiment = resolve(Experiment(**GEOMETRY | fields))
    return build(data, settings_of(experiment.dataset), experiment, "checksum")


def mark(data, subject, value=1e4):
    """The same recordings with every sample of one subject replaced by a marker signal."""
    marked = tuple(
        Recording(r.name, r.subject, r.values * 0 + value * (1 + np.arange(len(r.values))[:, None] % 2), r.labels)
        if r.subject == subject
        else r
        for r in data.recordings
    )
    return RecordingSet(
        data.name, data.source, data.classes, data.sampling_rate, marked, data.framed, data.test_subjects
    )


def test_original_keeps_subjects_apart_and_test_recordings_out_of_training():
    data = recordings(folds=(frozenset({"s1"}),))
    plain, marked = built(data), built(mark(data, "s1"))
    assert torch.equal(plain.train.frames, marked.train.frames)  # neither frames nor statistics of s1
    assert not torch.equal(plain.test.frames, marked.test.frames)
    assert len(plain.test) == len(plain.train) / 4


def test_original_standardises_with_the_training_side_alone():
    data = recordings(folds=(frozenset({"s1"}),))
    train = built(data).train.frames
    torch.testing.assert_close(train.mean(0), torch.zeros(train.shape[1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0, correction=0), torch.ones(train.shape[1]), atol=1e-4, rtol=0)
    assert built(data).test.frames.mean(0).abs().max() > 0.01


def test_a_recording_whose_frames_overflow_is_refused():
    signs = np.where(np.arange(200) % 2, -3e38, 3e38).astype(np.float32)[:, None].repeat(2, 1)
    (first, *others) = recordings().recordings
    large = Recording(first.name, first.subject, signs, first.labels)
    with pytest.raises(InputError, match="recording s0r0: its frames overflow"):
        built(replace(recordings(), recordings=(large, *others)))


def test_original_sequences_stay_within_a_recording():
    data = recordings()
    train = built(data).train
    frames_each = (200 - 8) // 4 + 1
    assert torch.equal(train.starts // frames_each, (train.starts + train.length - 1) // frames_each)


def test_frames_carry_the_number_of_their_person():
    """Two recordings a person, so both have one number; people are not told apart where recordings are joined."""
    data = recordings(folds=(frozenset({"s1", "s3"}),))
    frames_each = (200 - 8) // 4 + 1
    assert built(data).test.subjects.tolist() == [0] * 2 * frames_each + [1] * 2 * frames_each
    assert built(data).train.subjects.unique().tolist() == [0, 1, 2]
    assert built(data, protocol="released").test.subjects is None


def test_released_joins_recordings_and_splits_by_position():
    data = recordings()
    dataset = built(data, protocol="released")
    joined = 10 * 200
    n_frames = (joined - 8) // 4 + 1
    assert len(dataset.train.frames) == n_frames
    assert len(dataset.train) == int(0.8 * ((n_frames - 5) // 5 + 1))
    assert dataset.train.starts.max() < dataset.test.starts.min()


def test_released_joins_what_the_loader_of_the_set_joins():
    """HARTH's files hold a person each and are framed one by one: no frame and no sequence has samples of two."""
    whole, by_person = (built(recordings(), protocol="released", dataset=name) for name in ("ecg-sim", "harth-sim"))
    frames_of = {"ecg-sim": (10 * 200 - 8) // 4 + 1, "harth-sim": (2 * 200 - 8) // 4 + 1}  # of a joined piece
    assert len(whole.train.frames) == frames_of["ecg-sim"]
    assert len(by_person.train.frames) == 5 * frames_of["harth-sim"]
    starts = torch.cat([by_person.train.starts, by_person.test.starts])
    person = starts // frames_of["harth-sim"]
    assert torch.equal(person, (starts + by_person.train.length - 1) // frames_of["harth-sim"])
    assert len(starts) == 5 * ((frames_of["harth-sim"] - 5) // 5 + 1)
    assert len(by_person.train) == int(0.5 * len(starts))


def test_the_person_counts_where_a_cache_has_framed_the_set():
    data = joined_by_person(recordings())
    assert [(r.name, r.subject, len(r.values)) for r in data.recordings] == [
        (f"s{s}r0", f"s{s}", 400) for s in range(5)
    ]
    again = joined_by_person(data)
    assert all((one.values == two.values).all() for one, two in zip(data.recordings, again.recordings, strict=True))


def test_released_leaves_ecg_as_it_is_and_standardises_harth_over_everything():
    raw = built(recordings(), protocol="released").train.frames
    assert raw.min() >= 0  # magnitudes
    harth = built(recordings(), protocol="released", dataset="harth-sim").train.frames
    torch.testing.assert_close(harth.mean(0), torch.zeros(harth.shape[1]), atol=1e-5, rtol=0)


def test_a_data_set_keeps_what_its_frames_were_standardised_with():
    data = recordings(scale=7.0)
    experiment = resolve(Experiment(**GEOMETRY))
    split = build(data, settings_of("ecg-sim"), experiment, "checksum")
    mean, std = split.standardisation
    tested = protocols.test_subjects_of(data, settings_of("ecg-sim"), 1)
    for side, whether in ((split.train, False), (split.test, True)):
        raw = within_recordings([r for r in data.recordings if (r.subject in tested) == whether], data, experiment)
        torch.testing.assert_close(side.frames * std + mean, raw.frames)
    whole = built(data, dataset="harth-sim", protocol="released")
    raw = within_recordings(joined_by_person(data).recordings, data, experiment)
    mean, std = whole.standardisation
    torch.testing.assert_close(whole.train.frames * std + mean, raw.frames)
    assert built(data, protocol="released").standardisation is None


def test_the_split_by_subject_does_not_depend_on_the_seed():
    first, second = built(recordings(), seed=1), built(recordings(), seed=2)
    assert torch.equal(first.test.frames, second.test.frames)


def test_folds_are_the_sets_own():
    data = recordings(folds=(frozenset({"s1"}), frozenset({"s2", "s3"})))
    assert len(built(data, fold=2).test) == 2 * len(built(data, fold=1).test)
    with pytest.raises(InputError, match="no such fold.*3.*1 to 2"):
        built(data, fold=3)
    with pytest.raises(InputError, match="one split"):
        built(data, fold=2, protocol="released")


def test_overlapping_sequences_share_the_table_of_frames():
    train = built(recordings(), stride=2).train
    batch = train.batch(torch.tensor([0, 1]))
    assert batch.shape == (2, 5, 10)
    assert torch.equal(batch[0, 2:], batch[1, :3])


def test_ready_made_features_are_taken_as_frames():
    generator = np.random.default_rng(0)
    data = RecordingSet(
        "f",
        "real",
        ("a", "b"),
        None,
        tuple(
            Recording(
                f"n{i}", f"n{i}", generator.standard_normal((30, 7)).astype(np.float32), generator.integers(0, 2, 30)
            )
            for i in range(4)
        ),
        framed=True,
    )
    dataset = built(data)
    assert dataset.n_features == 7
    assert len(dataset.train) + len(dataset.test) == 4 * 6


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sequence_length": 50}, "longer than any recording.*50 frames.*200 samples"),
        ({"n_fft": 300}, "longer than any recording"),
    ],
)
def test_a_geometry_that_fits_no_recording_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        built(recordings(), **fields)


def test_one_subject_cannot_be_split_by_subject():
    with pytest.raises(InputError, match="two subjects.*protocol released"):
        built(recordings(n_subjects=1))


def test_the_quick_profile_draws_fewer_frames_for_clustering():
    assert built(recordings()).draw == (1577, 972, 459, 1467)
    assert built(recordings(), quick=True).draw == (150,) * 4
