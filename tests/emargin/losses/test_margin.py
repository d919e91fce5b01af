"""The margin map by hand, its slopes, and the form of it that the fast path uses."""

import pytest
import torch

from emargin.losses import phi, phi_slope, psi, psi_slope
from emargin.losses.margin import Parabolas, _agree, parabolas_of

S = torch.linspace(-1, 1, 21, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _no_earlier_verdict():
    _agree.cache_clear()
    yield
    _agree.cache_clear()


@pytest.mark.parametrize(
    ("s", "y", "margin", "phi_there", "psi_there"),
    [
        (0.5, 0, 5.0, 0.125, -0.125),
        (-0.5, 0, 5.0, 0.125, -0.125),
        (1.0, 0, 5.0, 0.5, -0.5),
        (0.5, 1, 5.0, 10.125, 10.125),
        (1.0, 1, 5.0, 8.0, 8.0),
        (-1.0, 1, 5.0, 18.0, 18.0),
        (0.0, 1, 100.0, 5000.0, 5000.0),
        (0.25, 1, 0.5, 0.03125, 0.03125),
        (0.75, 1, 0.5, 0.0, 0.0),  # above the margin the hinge rests
        (0.75, 0, 0.5, 0.28125, -0.28125),
    ],
)
def test_the_map_by_hand(s, y, margin, phi_there, psi_there):
    s = torch.tensor([s], dtype=torch.float64)
    for label in (y, torch.tensor([y]), torch.tensor([bool(y)])):
        assert phi(s, label, margin).item() == phi_there
        assert psi(s, label, margin).item() == psi_there


def test_labels_stand_for_rows_where_their_shape_says_so():
    s, y = torch.tensor([[0.5, 1.0], [0.5, 1.0]]), torch.tensor([[False], [True]])
    assert phi(s, y, 5.0).tolist() == [[0.125, 0.5], [10.125, 8.0]]
    assert psi(s, y, 5.0).tolist() == [[-0.125, -0.5], [10.125, 8.0]]


@pytest.mark.parametrize(("function", "slope"), [(phi, phi_slope), (psi, psi_slope)])
@pytest.mark.parametrize("margin", [0.35, 5.0])
@pytest.mark.parametrize("y", [0, 1])
def test_slopes_are_the_derivatives(function, slope, margin, y):
    leaf = S.clone().requires_grad_()
    (expected,) = torch.autograd.grad(function(leaf, y, margin).sum(), leaf)
    for label in (y, torch.tensor([y]), torch.tensor([bool(y)])):
        torch.testing.assert_close(slope(S, label, margin), expected)
    assert expected.any()


@pytest.mark.parametrize(("function", "sign"), [(phi, 1.0), (psi, -1.0)])
@pytest.mark.parametrize("margin", [0.05, 0.35, 1.0, 5.0, 100.0])
def test_the_fast_path_serves_the_papers_and_the_released_map(function, sign, margin):
    assert parabolas_of(function, margin) == Parabolas(sign)


def test_the_fast_path_serves_no_other_map():
    assert parabolas_of(lambda s, y, margin: phi(s, y, margin), 5.0) is None


def square_of_another_height(s, y, margin):
    return torch.where(y, 0.5 * (margin - s).clamp(min=0) ** 2, (0.5 + 1e-6) * s**2)


def hinge_of_another_height(s, y, margin):
    return torch.where(y, (0.5 + 1e-6) * (margin - s).clamp(min=0) ** 2, 0.5 * s**2)


def no_hinge(s, y, margin):
    return torch.where(y, 0.5 * (margin - s) ** 2, 0.5 * s**2)


@pytest.mark.parametrize("rewritten", [square_of_another_height, hinge_of_another_height, no_hinge])
def test_the_fast_path_serves_no_map_that_was_rewritten(monkeypatch, rewritten):
    monkeypatch.setattr(phi, "__code__", rewritten.__code__)
    assert parabolas_of(phi, 0.35) is None
