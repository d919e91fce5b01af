"""What noise in the recordings does to the pseudo-labels."""

from dataclasses import replace

import numpy as np
import pytest

from companion.label_noise import after_training, flips, noisy_sets, with_noise
from emargin.config import Experiment
from emargin.data.loading import load_recordings
from emargin.resolve import resolve

EXPERIMENT = resolve(Experiment(dataset="harth-sim", quick=True, seed=1))


@pytest.fixture(scope="module")
def sets():
    return noisy_sets(EXPERIMENT, [np.inf, 10])


def test_noise_has_the_ratio_asked_for():
    clean, _ = load_recordings(EXPERIMENT)
    noisy = with_noise(clean, 10)
    before, after = clean.recordings[0].values, noisy.recordings[0].values
    ratio = before.var(0) / (after - before).var(0)
    np.testing.assert_allclose(10 * np.log10(ratio), 10, atol=0.2)
    assert with_noise(clean, np.inf) is clean


def test_sequences_lie_side_by_side_and_labels_are_compared_with_those_without_noise(sets):
    assert np.isfinite(sets[10].train.batch(slice(None)).numpy()).all()
    found = flips(sets, EXPERIMENT.threshold)
    assert found.flipped[np.inf] == 0 < found.flipped[10] <= 1
    assert found["label 1"][np.inf] == pytest.approx(found["label 1 without noise"][10], abs=0.02)
    assert found["label 1"][10] > found["label 1"][np.inf]
    assert found.base.nunique() == 1


def test_a_short_training_is_scored(sets):
    found = after_training(replace(EXPERIMENT, iterations=500), sets[np.inf], iterations=1)
    assert found["rank"] >= 1 and 0 < found["converged probe"] <= 1
