"""Computations behind the pages on sections 3.1 to 3.3: detection scores, and the losses as functions of S."""

import math

import numpy as np
import pytest
import torch

from companion.figures.margin import (
    adjusted,
    contrast,
    critical_cosine,
    effect,
    force_cases,
    forces,
    label_matrix,
    mean_forces,
    released,
    uniform_similarity,
)
from companion.figures.pseudo_labels import magnitude_sequences
from emargin.config import Experiment
from emargin.data.framing import stft_frames
from emargin.data.recordings import Recording, RecordingSet
from emargin.losses import emargin, emargin_released, info_nce
from emargin.pseudo_labels import detection, pseudo_labels

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
    experiment = Experiment(dataset="harth-sim", sequence_length=4, n_fft=10, hop=5)
    recordings = (recording("a", 60, 1), recording("b", 50, 2))  # 11 and 9 frames: two sequences each
    frames, classes = magnitude_sequences(RecordingSet("set", "real", ("x", "y", "z"), 10.0, recordings), experiment)
    expected = torch.cat([stft_frames(r.values, 10, 5)[:8] for r in recordings])
    assert frames.shape == (4, 4, 12) and classes.shape == (4, 4)
    torch.testing.assert_close(frames.flatten(0, 1), expected, rtol=0, atol=0)
    assert classes[0].tolist() == [0, 0, 1, 1] and (frames >= 0).all()


def test_magnitude_sequences_of_framed_recordings_are_the_values():
    experiment = Experiment(dataset="harth-sim", sequence_length=3)
    framed = Recording("a", "a", np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7))
    frames, classes = magnitude_sequences(
        RecordingSet("set", "real", tuple("abcdefg"), None, (framed,), framed=True), experiment
    )
    assert frames.flatten().tolist() == list(range(12)) and classes.tolist() == [[0, 1, 2], [3, 4, 5]]


def unit_rows(n, seed=0):
    z = torch.tensor(np.random.default_rng(seed).standard_normal((n, 5)))
    return z / z.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("tau", [0.05, 0.5])
@pytest.mark.parametrize("n", [3, 8])
def test_dense_losses_are_those_of_the_module(n, tau):
    z, x = unit_rows(n), unit_rows(n, seed=1)
    s, pairs = z @ z.T, ~(x @ x.T > 0.2)
    assert contrast(s, tau).mean().item() == pytest.approx(info_nce(z[None], temperature=tau).item(), rel=1e-11)
    y = pseudo_labels(x, threshold=0.2)
    for m in (0.3, 5.0):
        for reading in ("anchor", "pair", "all-pairs"):
            dense = contrast(adjusted(s, label_matrix(y, reading, pairs), m), tau).mean().item()
            module = emargin(
                z[None], y[None], temperature=tau, margin=m, reading=reading, frames=x[None], threshold=0.2
            ).item()
            assert dense == pytest.approx(module, rel=1e-10)


@pytest.mark.parametrize("tau", [0.05, 0.5])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("y", [[0] * 7, [1] * 7, [1, 0, 0, 1, 1, 0, 1]])
def test_dense_released_loss_is_that_of_the_module(y, sides, tau):
    z, y = unit_rows(8), torch.tensor(y)
    loss, argument = released(z @ z.T, y, tau, 5.0, sides)
    module, share = emargin_released(z[None], y, temperature=tau, margin=5.0, sides=sides)
    assert loss.mean().item() == pytest.approx(module.item(), rel=1e-10)
    assert (argument <= 0).double().mean().item() == pytest.approx(share.item())


def test_label_matrices_of_the_three_readings():
    y, pairs = torch.tensor([0, 1]), torch.tensor([[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    assert label_matrix(y, "anchor").tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert label_matrix(y, "pair").tolist() == [[-1, 0, -1], [-1, -1, 1], [-1, -1, -1]]
    assert label_matrix(y, "all-pairs", pairs).tolist() == pairs.tolist()


SIGNS = {  # effect on adjacent pairs, effect on all others
    ("InfoNCE", ""): ("attracts", "repels"),
    ("original, anchor", "y = 0"): ("attracts", "repels"),
    ("original, anchor", "y = 1"): ("repels", "attracts"),
    ("original, pair", "y = 0"): ("attracts", "repels"),
    ("original, pair", "y = 1"): ("repels", "repels"),
    ("original, all-pairs", "y = 0"): ("attracts", "repels"),
    ("original, all-pairs", "y = 1"): ("repels", "attracts"),
    ("original, all-pairs", "adjacent 0, others 1"): ("attracts", "attracts"),
    ("original, all-pairs", "adjacent 1, others 0"): ("repels", "repels"),
    ("released, two-sided", "y = 0"): ("attracts", "attracts"),
    ("released, two-sided", "y = 1"): ("attracts", "attracts"),
    ("released, one-sided", "y = 0"): ("attracts", "repels"),
    ("released, one-sided", "y = 1"): ("attracts", "attracts"),
}


def test_signs_of_the_forces():
    s = uniform_similarity(40, 0.8, 0.5)
    measured = {case: tuple(map(effect, mean_forces(loss, s))) for case, loss in force_cases(40, 0.5, 5.0).items()}
    assert measured == SIGNS


@pytest.mark.parametrize(
    ("case", "tau", "expected"),
    [
        (("InfoNCE", ""), 0.1, 4.43e-3),
        (("InfoNCE", ""), 0.5, 1.29e-3),
        (("released, two-sided", "y = 1"), 0.1, -1.96e-3),
        (("released, two-sided", "y = 1"), 0.5, -2.97e-4),
        (("released, two-sided", "y = 0"), 0.5, -3.43e-5),
        (("released, one-sided", "y = 1"), 0.1, -2.33e-3),
        (("released, one-sided", "y = 1"), 0.5, -2.33e-3),
        (("released, one-sided", "y = 0"), 0.5, 3.48e-4),
    ],
)
def test_forces_on_negatives_are_those_measured_on_the_released_code(case, tau, expected):
    _, far = mean_forces(force_cases(40, tau, 5.0)[case], uniform_similarity(40, 0.8, 0.5))
    assert far == pytest.approx(expected, rel=2e-3)


def test_uniform_labels_make_all_pairs_the_anchor_reading():
    s, cases = uniform_similarity(9, 0.7, 0.2), force_cases(9, 0.5, 5.0)
    for y in ("y = 0", "y = 1"):
        torch.testing.assert_close(cases["original, all-pairs", y](s), cases["original, anchor", y](s))


def test_force_on_a_negative_of_infonce_in_closed_form():
    n, tau, a, b = 6, 0.5, 0.8, 0.5
    force = forces(lambda s: contrast(s, tau).mean(), uniform_similarity(n, a, b))
    row = math.exp(b / tau) / (math.exp(a / tau) + 3 * math.exp(b / tau))  # anchors 1 to 4: one neighbour, three others
    assert force[1, 4].item() == pytest.approx(row / tau / (n - 1), rel=1e-12)
    assert torch.equal(force, force.mT)


@pytest.mark.parametrize(
    ("background", "expected"), [(0.2, 0.954), (0.4, 0.907), (0.6, 0.862), (0.8, 0.819), (0.9, 0.798)]
)
def test_critical_cosine_at_harth_settings(background, expected):
    critical = critical_cosine(background, n=952, temperature=0.05, margin=5.0)
    assert math.ceil(1000 * critical) / 1000 == expected  # the first cosine of three digits that is negative
    formula = 0.05 * math.log(2 * 951) + 0.05 * 0.5 * (5 - background) ** 2
    assert critical == pytest.approx(formula, abs=2e-4)


@pytest.mark.parametrize("y", [0, 1])
def test_argument_changes_sign_at_the_critical_cosine(y):
    critical = critical_cosine(0.6, n=40, temperature=0.05, margin=5.0, y=y)
    for step, negative in ((-1e-6, False), (1e-6, True)):
        _, argument = released(uniform_similarity(40, critical + step, 0.6), torch.full((39,), y), 0.05, 5.0)
        assert ((argument[1:-1] < 0) == negative).all()


def test_four_frames_by_hand():
    angles = torch.deg2rad(torch.tensor([0.0, 0.0, 60.0, 60.0], dtype=torch.float64))
    z, y = torch.stack([angles.cos(), angles.sin()], dim=1)[None], torch.tensor([[0, 1, 0]])
    by_hand = (2 * math.log(2) - 2 + math.log(1 + math.e)) / 3
    assert info_nce(z, temperature=0.5).item() == pytest.approx(by_hand, rel=1e-12)
    by_hand = (2 * math.log(2) - 1.5 + math.log1p(math.exp(-4.25))) / 3
    assert emargin(z, y, temperature=0.5, margin=5.0, reading="anchor").item() == pytest.approx(by_hand, rel=1e-12)
