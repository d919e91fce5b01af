"""Computations behind the page on section 3.1: detection scores, and frames as they are before standardising."""

import math

import numpy as np
import torch

from companion.detection import detection
from companion.figures.pseudo_labels import ENCODER, MAGNITUDES, magnitude_sequences, thresholds, two_scalings
from emargin.config import Experiment
from emargin.data.framing import stft_frames
from emargin.data.recordings import Recording, RecordingSet
from emargin.resolve import resolve

CLASSES = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2]])  # changes at pairs 2 and 6
LABELS = torch.tensor([[0, 1, 0, 0, 0, 0, 1, 1]]).bool()  # one near the first change, one on and one after the second


def test_detection_by_hand():
    assert detection(LABELS, CLASSES) == {"ones": 3, "share": 3 / 8, "precision": 1 / 3, "recall": 1 / 2, "base": 2 / 8}


def test_detection_with_tolerance_counts_neighbours():
    score = detection(LABELS, CLASSES, tolerance=1)
    assert score == {"ones": 3, "share": 3 / 8, "precision": 1.0, "recall": 1.0, "base": 6 / 8}


def test_detection_leaves_unlabelled_frames_out():
    classes = CLASSES.clone()
    classes[0, 7] = -1  # takes pairs 6 and 7 away
    assert detection(LABELS, classes) == {"ones": 1, "share": 1 / 6, "precision": 0.0, "recall": 0.0, "base": 1 / 6}


def test_detection_of_nothing_is_nan():
    score = detection(torch.zeros_like(LABELS), CLASSES)
    assert math.isnan(score["precision"]) and score["recall"] == 0
    assert math.isnan(detection(LABELS, torch.zeros_like(CLASSES))["recall"])


def test_precision_of_all_ones_is_the_base_rate():
    score = detection(torch.ones_like(LABELS), CLASSES, tolerance=1)
    assert score["precision"] == score["base"] and score["recall"] == 1


def recording(name, samples, seed):
    generator = np.random.default_rng(seed)
    return Recording(
        name,
        name,
        generator.standard_normal((samples, 2)).astype(np.float32),
        np.repeat(np.arange(samples // 10), 10) % 3,
    )


def test_magnitude_sequences_stay_within_recordings():
    experiment = resolve(Experiment(dataset="harth-sim", sequence_length=4, n_fft=10, hop=5))
    recordings = (recording("a", 60, 1), recording("b", 50, 2))  # 11 and 9 frames: two sequences each
    frames, classes = magnitude_sequences(RecordingSet("set", "real", ("x", "y", "z"), 10.0, recordings), experiment)
    expected = torch.cat([stft_frames(r.values, 10, 5)[:8] for r in recordings])
    assert frames.shape == (4, 4, 12) and classes.shape == (4, 4)
    torch.testing.assert_close(frames.flatten(0, 1), expected, rtol=0, atol=0)
    assert classes[0].tolist() == [0, 0, 1, 1] and (frames >= 0).all()


def test_magnitude_sequences_of_framed_recordings_are_the_values():
    experiment = resolve(Experiment(dataset="harth-sim", sequence_length=3))
    framed = Recording("a", "a", np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7))
    frames, classes = magnitude_sequences(
        RecordingSet("set", "real", tuple("abcdefg"), None, (framed,), framed=True), experiment
    )
    assert frames.flatten().tolist() == list(range(12)) and classes.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_both_scalings_hold_each_pair_of_the_same_frames_once():
    experiment = resolve(Experiment(dataset="harth-sim", quick=True))
    data, scalings = two_scalings(experiment)
    (frames, classes), (magnitudes, kinds) = scalings[ENCODER], scalings[MAGNITUDES]
    assert frames.shape == magnitudes.shape and torch.equal(classes.flatten().sort()[0], kinds.flatten().sort()[0])
    assert len(frames) == len(data.train) + len(data.test) and (magnitudes >= 0).all()
    assert len({tuple(x[:2].tolist()) for x in frames.flatten(0, 1)}) > 0.99 * frames[..., 0].numel()
    trained = frames[: len(data.train)].flatten(0, 1)
    assert trained.mean(0).abs().max() < 0.1 and (trained.std(0) - 1).abs().max() < 0.1


def test_thresholds_draw_the_jump_of_the_released_rule_upright():
    found = thresholds(0.43)
    assert found == sorted(found) and {0.43, 0, -0.5, 1} <= set(found) and any(-1e-6 < one < 0 for one in found)
