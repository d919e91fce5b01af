"""Surrogates: what they keep, what they destroy, and that nothing else changes."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emargin.config import Experiment
from emargin.data import cache
from emargin.data.loading import load
from emargin.data.protocols import within_recordings
from emargin.data.recordings import Recording, RecordingSet
from emargin.data.surrogates import order_of_frames, random_phases
from emargin.errors import InputError
from emargin.resolve import resolve


def one_recording(samples, channels=2, name="r"):
    values = np.random.default_rng(3).standard_normal((samples, channels)).cumsum(0).astype(np.float32)
    values += np.arange(channels, dtype=np.float32)
    return RecordingSet("own", "real", ("a",), 1.0, (Recording(name, "s", values, np.zeros(samples, np.int64)),))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 300), st.integers(1, 3))
def test_random_phases_keep_mean_and_all_spectra(samples, channels):
    before = one_recording(samples, channels).recordings[0].values.astype(np.float64)
    after = random_phases(one_recording(samples, channels)).recordings[0].values.astype(np.float64)
    spectrum, changed = np.fft.fft(before, axis=0), np.fft.fft(after, axis=0)
    scale = np.abs(spectrum).max() ** 2
    np.testing.assert_allclose(after.mean(0), before.mean(0), atol=1e-4 * np.abs(before).max())
    for a in range(channels):
        for b in range(channels):  # a = b: the power spectrum
            np.testing.assert_allclose(
                changed[:, a] * changed[:, b].conj(), spectrum[:, a] * spectrum[:, b].conj(), atol=1e-5 * scale
            )


def test_random_phases_leave_no_trace_of_an_event():
    values = np.random.default_rng(0).standard_normal((4000, 1)).astype(np.float32)
    values[1000:1050] += 20
    recordings = RecordingSet("own", "real", ("a",), 1.0, (Recording("r", "s", values, np.zeros(4000, np.int64)),))
    after = random_phases(recordings).recordings[0].values
    assert values[1000:1050].std() < 2 and np.abs(after).max() < 0.6 * values.max()
    assert not np.array_equal(values, after)


def test_each_recording_has_phases_of_its_own_and_always_the_same_ones():
    first, second = (random_phases(one_recording(64, name=name)).recordings[0].values for name in ("r1", "r2"))
    assert not np.allclose(first, second)
    assert np.array_equal(first, random_phases(one_recording(64, name="r1")).recordings[0].values)


def test_frames_have_no_phases():
    framed = RecordingSet("own", "real", ("a",), None, one_recording(20).recordings, framed=True)
    with pytest.raises(InputError, match="frames have no phases.*surrogate frames, or a set of signals"):
        random_phases(framed)


def test_an_unknown_surrogate_is_refused():
    with pytest.raises(InputError, match="unknown surrogate.*'phases'.*phase, frames.*did you mean 'phase'"):
        resolve(Experiment(surrogate="phases"))


def test_an_experiment_without_a_surrogate_keeps_its_digest():
    assert resolve(Experiment(dataset="harth-sim", quick=True)).digest == "b49564fc3d5b24da"


@pytest.mark.parametrize("protocol", ["original", "released"])
def test_shuffled_frames_are_the_same_frames_with_their_labels(protocol):
    plain, shuffled = (
        load(Experiment(dataset="ecg-sim", quick=True, protocol=protocol, surrogate=surrogate))
        for surrogate in (None, "frames")
    )
    assert shuffled.checksum == f"{plain.checksum}, surrogate frames"

    def rows(side):  # each frame with its label, in an order that does not depend on time
        table = torch.cat([side.frames, side.labels[:, None].float()], dim=1).round(decimals=3)
        return table[np.lexsort(table.numpy().T)]

    for before, after in ((plain.train, shuffled.train), (plain.test, shuffled.test)):
        assert torch.equal(before.starts, after.starts)
        assert not torch.equal(before.frames, after.frames)
        torch.testing.assert_close(rows(before), rows(after), atol=2e-3, rtol=0)


def test_frames_move_within_their_recording_only():
    order = order_of_frames("r", 50)
    assert sorted(order) == list(range(50)) and list(order) != list(range(50))
    assert list(order) != list(order_of_frames("another", 50))
    numbered = np.arange(80, dtype=np.float32)[:, None]  # two recordings of 50 and 30 frames
    recordings = [
        Recording("r", "s", numbered[:50], np.zeros(50, np.int64)),
        Recording("another", "s", numbered[50:], np.ones(30, np.int64)),
    ]
    framed = RecordingSet("own", "real", ("a", "b"), None, tuple(recordings), framed=True)
    sequences = within_recordings(recordings, framed, resolve(Experiment(sequence_length=5, surrogate="frames")))
    assert sorted(sequences.frames[:50, 0].tolist()) == list(range(50)) == sorted(order)
    assert sequences.frames[:50, 0].tolist() == list(order)
    assert sequences.labels.tolist() == [0] * 50 + [1] * 30


@pytest.mark.parametrize("surrogate", ["phase", "frames"])
def test_a_surrogate_of_real_recordings_is_not_taken_from_the_others_cache(tmp_path, monkeypatch, surrogate):
    generator, folder = np.random.default_rng(0), tmp_path / "own"
    folder.mkdir()
    (folder / "dataset.json").write_text(json.dumps({"classes": ["a", "b"], "sampling_rate": 8}))
    for person in range(4):
        np.savez(
            folder / f"p{person}.npz",
            signal=generator.standard_normal((900, 3)).astype(np.float32),
            labels=generator.integers(0, 2, 900),
        )
    monkeypatch.setenv("EMARGIN_CACHE", str(tmp_path / "cache"))

    def frames(surrogate):
        data = load(Experiment(dataset=str(folder), sequence_length=5, surrogate=surrogate))
        return data.train.frames.clone(), data.test.frames.clone()

    uncached = frames(None), frames(surrogate)
    monkeypatch.setattr(cache, "SMALLEST", 0)
    for _ in range(2):  # written, then read
        for wanted, name in zip(uncached, (None, surrogate), strict=True):
            for expected, loaded in zip(wanted, frames(name), strict=True):
                assert torch.equal(expected, loaded)
    assert not torch.equal(uncached[0][0], uncached[1][0])
