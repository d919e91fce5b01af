"""The log-sums of every anchor, the last included, against all pairs at once: in whole rows and by the triangle."""

import math

import pytest
import torch

from emargin.losses.cosines import unit_rows
from emargin.losses.emargin import _log_difference
from emargin.losses.exponent import Exponent
from emargin.losses.log_sums import PairLabels, log_sums
from emargin.losses.triangle_sums import power_of

GROUPS, N = 2, 7


@pytest.fixture
def rows():
    return torch.randn(GROUPS, N, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


def labels_of(kind):
    generator = torch.Generator().manual_seed(2)
    if kind == "pairs":
        return PairLabels(torch.randn(GROUPS, N, 3, dtype=torch.float64, generator=generator), 0.5)
    return None if kind == "none" else torch.rand(GROUPS, N, generator=generator) < 0.5


def dense(rows, exponent, exclude, labels):
    """Each anchor's sum, the constant of label 1 included, from the matrix of all pairs."""
    unit = unit_rows(rows)
    y = labels.of(slice(None)) if isinstance(labels, PairLabels) else None if labels is None else labels[..., None]
    e = exponent(unit @ unit.mT, y)
    if y is not None:
        e = e + exponent.offset * y.to(e.dtype)
    lag = torch.arange(N) - torch.arange(N)[:, None]
    return e.masked_fill((lag >= min(exclude)) & (lag <= max(exclude)), float("-inf")).logsumexp(-1)


@pytest.mark.parametrize("block", [1, 5, 6, 800])
@pytest.mark.parametrize("exclude", [(0,), (0, 1), (-1, 0, 1)])
@pytest.mark.parametrize("kind", ["none", "rows", "pairs"])
@pytest.mark.parametrize("temperature", [0.01, 0.5])  # too steep to be summed as they are, and not
def test_sums_and_gradients_of_every_anchor_are_those_of_all_pairs(
    rows, monkeypatch, block, exclude, kind, temperature
):
    for module in ("log_sums", "triangle"):
        monkeypatch.setattr(f"emargin.losses.{module}.BLOCK", block)
    labels, exponent = labels_of(kind), Exponent(1 / temperature, None if kind == "none" else 0.7)
    sums, reference, cosines = log_sums(rows, exponent, exclude=exclude, labels=labels)
    found, wanted = sums + exponent.offset * reference, dense(rows, exponent, exclude, labels)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    unit = unit_rows(rows)
    torch.testing.assert_close(cosines, (unit[:, :-1] * unit[:, 1:]).sum(-1))
    weights = torch.linspace(-1, 2, GROUPS * N).view(GROUPS, N).double()
    (gradient,) = torch.autograd.grad((weights * found).sum(), rows)
    (expected,) = torch.autograd.grad((weights * wanted).sum(), rows)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_a_pairs_only_label_may_be_the_one_that_is_left_out(rows, temperature):
    """Then the constant is not added to the row, for no entry of its sum has it."""
    frames = torch.eye(N, dtype=torch.float64)[torch.tensor([[0, 1, 1, 1, 1, 1, 1]] * GROUPS)]
    labels, exponent = PairLabels(frames, 0.5), Exponent(1 / temperature, 5.0)
    sums, reference, _ = log_sums(rows, exponent, exclude=(0, 1), labels=labels)
    assert reference.tolist() == [[1.0] * N] * GROUPS  # frame 0 differs from all, and so does each from frame 0
    other = PairLabels(frames.flip(1), 0.5)
    _, reference, _ = log_sums(rows, exponent, exclude=(0, 1), labels=other)
    assert reference.tolist() == [[1.0] * (N - 2) + [0.0, 1.0]] * GROUPS  # the last pair is excluded


def test_labels_that_agree_are_summed_by_a_single_power():
    """It takes half the time; the sums are the same."""
    exponent = Exponent(2.0, 5.0)
    ones = torch.ones(2, 4, dtype=torch.bool)
    assert power_of(exponent, ones) is not None and power_of(exponent, ~ones) is not None
    assert power_of(exponent, ones) != power_of(exponent, ~ones)
    assert power_of(exponent, torch.tensor([[True, False]])) is None
    assert power_of(Exponent(2.0), None) is not None


@pytest.mark.parametrize(("a", "digits"), [(0.0, 1), (1.0, 1), (-1.0, 1), (0.3, 1), (4.0, 4), (-50.0, 50)])
def test_equal_logarithms_differ_by_their_last_digit(a, digits):
    a = torch.tensor(a, dtype=torch.float64)
    expected = a.item() + math.log(digits * torch.finfo(torch.float64).eps)
    assert _log_difference(a, a.clone()).item() == pytest.approx(expected, rel=1e-9)
