"""Frames and their labels against direct computations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emargin.data.framing import check_frames, frame_labels, stft_frames
from emargin.errors import InputError


@pytest.mark.parametrize(("n_fft", "hop", "channels"), [(50, 25, 6), (178, 178, 1), (8, 3, 2)])
def test_frames_equal_a_direct_fourier_transform(n_fft, hop, channels):
    signal = np.random.default_rng(0).standard_normal((4 * n_fft + 5, channels)).astype(np.float32)
    frames = stft_frames(signal, n_fft, hop).numpy()
    n_frames, bins = (len(signal) - n_fft) // hop + 1, n_fft // 2 + 1
    assert frames.shape == (n_frames, channels * bins)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)  # periodic Hann
    for q in range(n_frames):
        for c in range(channels):
            piece = signal[q * hop : q * hop + n_fft, c].astype(np.float64) * window
            for k in range(bins):
                direct = abs(np.sum(piece * np.exp(-2j * np.pi * k * np.arange(n_fft) / n_fft)))
                assert frames[q, c * bins + k] == pytest.approx(direct, rel=1e-4, abs=1e-4)


def test_the_papers_geometries():
    def features(n_fft, channels):
        return stft_frames(np.random.default_rng(0).standard_normal((2 * n_fft, channels)), n_fft, n_fft).shape[1]

    assert (features(50, 6), features(178, 1), features(250, 2)) == (156, 90, 252)


def test_a_recording_shorter_than_a_frame_is_refused():
    with pytest.raises(InputError, match="49 samples.*n_fft = 50"):
        stft_frames(np.zeros((49, 1)), 50, 25)


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_a_frame_carries_its_most_frequent_label(labels, n_fft, hop):
    labels = np.array(labels)
    framed = frame_labels(labels, n_fft, hop, 4)
    assert len(framed) == max(0, (len(labels) - n_fft) // hop + 1)
    for q, label in enumerate(framed):
        inside = labels[q * hop : q * hop + n_fft].tolist()
        most = max(inside.count(candidate) for candidate in range(4))
        if inside.count(-1) > most:
            assert label == -1
        else:  # the smallest class among the most frequent
            assert label == min(c for c in range(4) if inside.count(c) == most)


@st.composite
def framings(draw):
    """A signal `(samples, channels)` of at least one frame, its labels, n_fft and hop."""
    n_fft, hop = draw(st.integers(1, 40)), draw(st.integers(1, 50))
    samples, channels = draw(st.integers(n_fft, 200)), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    runs = generator.integers(-1, 3, samples // 10 + 1)  # labels in runs of ten samples
    return generator.standard_normal((samples, channels)), np.repeat(runs, 10)[:samples], n_fft, hop


@settings(max_examples=50, deadline=None)
@given(framings())
def test_each_frame_is_the_fourier_transform_of_its_samples_and_has_their_label(framing):
    signal, labels, n_fft, hop = framing
    frames, labelled = stft_frames(signal, n_fft, hop).numpy(), frame_labels(labels, n_fft, hop, 3)
    starts = range(0, len(signal) - n_fft + 1, hop)
    assert len(frames) == len(labelled) == len(starts)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft) if n_fft > 1 else np.ones(1)
    samples = np.arange(n_fft)
    matrix = np.exp(-2j * np.pi * np.outer(np.arange(n_fft // 2 + 1), samples) / n_fft)
    for start, frame, label in zip(starts, frames, labelled, strict=True):
        piece = signal[start : start + n_fft] * window[:, None]
        np.testing.assert_allclose(frame, np.abs(matrix @ piece).T.ravel(), rtol=1e-4, atol=1e-4)
        counts = {
            candidate: np.count_nonzero(labels[start : start + n_fft] == candidate) for candidate in (0, 1, 2, -1)
        }
        assert label == max(counts, key=counts.get), "the first of the most frequent; unlabelled comes last"


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_frames_that_are_not_finite_are_named(value):
    frames = torch.ones(4, 3)
    frames[2, 1] = value
    with pytest.raises(InputError, match=f"anna: its frames overflow. found: {value} in feature 1 of frame 2"):
        check_frames("anna", frames)
    check_frames("anna", frames[:2])
    check_frames("anna", frames[:0])
