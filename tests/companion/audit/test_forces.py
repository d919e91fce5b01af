"""The forces of the losses, in sign and size, and where the released logarithm's argument changes its sign."""

import math

import pytest
import torch

from companion.audit.forces import critical_cosine, effect, force_cases, forces, mean_forces, uniform_similarity
from emargin.losses import reference

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
    force = forces(lambda s: reference.info_nce(s, tau).mean(), uniform_similarity(n, a, b))
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
        s = uniform_similarity(40, critical + step, 0.6)
        _, excess = reference.released(s, torch.full((39,), y), 0.05, 5.0)
        assert ((excess[1:-1] < 0) == negative).all()
