"""The reference losses against loops over the paper's formulas, closed forms, and the values of the released code."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.errors import InputError
from emargin.losses import READINGS, phi, psi
from emargin.losses.reference import adjusted, cosine_matrix, emargin, info_nce, label_matrix, released

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
SHAPES = [(1, 3, 2), (2, 5, 4), (3, 8, 6)]
TEMPERATURES = [0.05, 0.5]
MARGINS = [0.3, 5.0, 100.0]


def embedding(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def labels(groups, n):
    """Of the pairs of N frames: alike, and mixed."""
    mixed = torch.tensor(np.random.default_rng(5).random((groups, n - 1)) < 0.5)
    return [torch.zeros_like(mixed), torch.ones_like(mixed), mixed]


def at(function, s, y, m):
    return function(torch.tensor(s, dtype=torch.float64), torch.tensor(y), m).item()


def log_sum(exponents):
    if not exponents:
        return -math.inf
    top = max(exponents)
    return top + math.log(sum(math.exp(e - top) for e in exponents))


def log_difference(a, b):
    """log|e^a - e^b|."""
    return max(a, b) + math.log(abs(math.exp(a - max(a, b)) - math.exp(b - max(a, b))))


def slow_info_nce(s, tau, sides):
    n, total = len(s), []
    if sides == 1:
        for j in range(n - 1):
            total.append(-s[j + 1][j] / tau + log_sum([s[i][j] / tau for i in range(n) if i not in (j, j + 1)]))
    else:
        for j in range(1, n - 1):
            first = [s[i][j] / tau for i in range(n) if i not in (j - 1, j, j + 1)]
            second = [s[i][j - 1] / tau for i in range(n) if i not in (j - 1, j)]
            total.append(log_sum(first + second) - log_sum([s[j - 1][j] / tau, s[j + 1][j] / tau]))
    return sum(total) / len(total)


def slow_emargin(s, y, tau, m, reading, pair_y=None, function=phi):
    def mapped(cosine, label):
        return at(function, cosine, label, m)

    n, total = len(s), []
    for t in range(n - 1):
        negatives = []
        for k in range(n):
            if k in (t, t + 1):
                continue
            if reading == "anchor":
                negatives.append(mapped(s[t][k], y[t]) / tau)
            elif reading == "pair":
                negatives.append(s[t][k] / tau)
            else:
                negatives.append(mapped(s[t][k], pair_y[t][k]) / tau)
        total.append(-mapped(s[t][t + 1], y[t]) / tau + log_sum(negatives))
    return sum(total) / len(total)


def slow_released(s, y, tau, m, sides):
    n, total, negative = len(s), [], 0
    if sides == 1:
        for j in range(n - 1):
            terms = [at(phi, 0.0 if i == j else s[i][j], y[j], m) for i in range(n)]
            a, b = log_sum(terms), s[j + 1][j] / tau
            total.append(-s[j + 1][j] / tau + log_difference(a, b))
            negative += a <= b
    else:

        def column(j):
            return [0.05 * at(psi, s[i][j], y[j], m) / tau for i in range(n) if i != j]

        for j in range(1, n - 1):
            a, b = log_sum(column(j) + column(j - 1)), s[j][j - 1] / tau
            total.append(-log_sum([s[j - 1][j] / tau, s[j + 1][j] / tau]) + log_difference(a, b))
            negative += a <= b
    return sum(total) / len(total), negative / len(total)


def softplus_margin(s, y, margin):
    return torch.where(y, torch.nn.functional.softplus(margin - s).square() / 2, s.square() / 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_cosines_by_loops(shape):
    z = embedding(shape)
    for scope, rows in (("sequence", z), ("flattened", z.reshape(1, -1, shape[2]))):
        s = cosine_matrix(z, scope)
        assert s.shape == (len(rows), rows.shape[1], rows.shape[1])
        for group, frames in zip(s.tolist(), rows.tolist(), strict=True):
            for row, one in zip(group, frames, strict=True):
                for cosine, other in zip(row, frames, strict=True):
                    assert cosine == pytest.approx(np.dot(one, other) / math.hypot(*one) / math.hypot(*other))


def test_a_row_of_zeros_has_cosine_zero():
    assert cosine_matrix(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])).tolist() == [[[0.0, 0.0], [0.0, 1.0]]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("sides", [1, 2])
def test_info_nce_by_loops(shape, tau, sides):
    s = cosine_matrix(embedding(shape))
    expected = [slow_info_nce(group, tau, sides) for group in s.tolist()]
    losses = info_nce(s, tau, sides)
    assert losses.shape == (shape[0], shape[1] - sides)
    assert losses.mean(-1).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("function", [phi, softplus_margin])
def test_emargin_by_loops(shape, tau, m, reading, function):
    s, pairs = cosine_matrix(embedding(shape)), ~(cosine_matrix(embedding(shape, seed=9)) > 0.2)
    for y in labels(*s.shape[:2]):
        arguments = zip(s.tolist(), y.tolist(), pairs.tolist(), strict=True)
        expected = [slow_emargin(*own, tau, m, reading, pair_y, function) for *own, pair_y in arguments]
        losses = emargin(s, y, tau, m, reading, pairs, function)
        assert losses.shape == y.shape
        assert losses.mean(-1).tolist() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("sides", [1, 2])
def test_released_loss_by_loops(shape, tau, m, sides):
    s = cosine_matrix(embedding(shape, seed=3), "flattened")
    for y in labels(*s.shape[:2]):
        losses, excess = released(s, y, tau, m, sides)
        expected, share = slow_released(s[0].tolist(), [*y[0].tolist(), True], tau, m, sides)
        assert losses.shape == excess.shape == (1, s.shape[1] - sides)
        assert losses.mean().item() == pytest.approx(expected, rel=1e-11)
        assert (excess <= 0).double().mean().item() == pytest.approx(share)


@pytest.mark.parametrize(
    "case",
    [c for c in GOLDEN if "sided" in c["loss"]],
    ids=lambda c: f"{c['loss'][:20]} seed {c['seed']} {c.get('labels', '')[:8]}",
)
def test_values_of_the_released_code(case):
    n, tau = case["shape"][0], case["temperature"]
    sides = 1 if "one-sided" in case["loss"] else 2
    z = embedding(case["shape"], seed=case["seed"]).requires_grad_()
    if case["loss"].startswith("info_nce"):
        value, expected = info_nce(cosine_matrix(z), tau, sides).mean(), case["value"]
    else:
        y = np.ones(n, bool) if "ones" in case["labels"] else np.random.default_rng(case["seed"] + 1000).random(n) < 0.5
        losses, excess = released(cosine_matrix(z), torch.tensor(y)[:-1], tau, case["margin"], sides)
        value, expected = losses.mean(), case["value_abs"]
        assert (excess <= 0).sum() == case["n_nonpositive"]
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-9)
    assert z.grad.norm().item() == pytest.approx(case["grad_norm"][0], rel=1e-9)


def test_the_excess_has_the_size_of_the_argument():
    """log a - log b, where a - b is the argument of the logarithm of anchor 1."""
    s = cosine_matrix(embedding((3, 2)))
    y, tau, m = torch.tensor([True, False]), 0.5, 5.0
    a = sum(math.exp(0.05 * at(psi, s[j, k].item(), bool(y[j]), m) / tau) for j in (0, 1) for k in range(3) if k != j)
    assert released(s, y, tau, m)[1].item() == pytest.approx(math.log(a) - s[1, 0].item() / tau, rel=1e-12)


def test_label_matrices_of_the_three_readings():
    y, pairs = torch.tensor([0, 1]), torch.tensor([[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    assert label_matrix(y, "anchor").tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert label_matrix(y, "pair").tolist() == [[-1, 0, -1], [-1, -1, 1], [-1, -1, -1]]
    assert label_matrix(y, "all-pairs", pairs).tolist() == pairs.tolist()
    assert label_matrix(1 - y, "all-pairs", pairs).tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 0]]
    for reading in READINGS:
        assert torch.equal(label_matrix(y[None], reading, pairs[None])[0], label_matrix(y, reading, pairs))


def test_a_plain_entry_keeps_its_cosine():
    s = torch.tensor([[0.5, 0.5, 0.5]])
    assert adjusted(s, torch.tensor([[-1, 0, 1]]), 5.0).tolist() == [[0.5, 0.125, 10.125]]


def test_a_map_that_is_not_element_by_element_is_named():
    with pytest.raises(InputError, match=r"margin map.*found: shape \(\)\. wanted: \(1, 3\)"):
        adjusted(torch.ones(1, 3), torch.ones(1, 3), 5.0, lambda s, y, margin: s.sum())
