"""Collapse diagnostics against loops and against covariances whose effective rank is known."""

import math

import numpy as np
import pytest
import torch

from emargin.evaluation.collapse import alignment, mean_cosine, participation_ratio, uniformity


def rows(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape) + 0.5)


def slow_unit(row):
    norm = math.sqrt(sum(value**2 for value in row))
    return [value / norm for value in row]


def slow_cosine(a, b):
    return sum(x * y for x, y in zip(slow_unit(a), slow_unit(b), strict=True))


def slow_distance_squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(slow_unit(a), slow_unit(b), strict=True))


@pytest.mark.parametrize("shape", [(2, 3), (7, 4), (20, 2)])
def test_mean_cosine_is_the_mean_over_pairs_of_different_rows(shape):
    z = rows(*shape)
    n = len(z)
    total = sum(slow_cosine(z[i].tolist(), z[j].tolist()) for i in range(n) for j in range(n) if i != j)
    assert mean_cosine(z) == pytest.approx(total / (n * (n - 1)), rel=1e-12)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (torch.ones(5, 3) * torch.arange(1, 6)[:, None], 1.0),
        (torch.eye(4), 0.0),
        (torch.zeros(3, 2), 0.0),
        (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), -1.0),
    ],
    ids=["one direction", "orthogonal", "zero rows", "opposite"],
)
def test_mean_cosine_of_known_rows(z, expected):
    assert mean_cosine(z) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("c", [2, 5, 9])
def test_effective_rank_of_an_isotropic_cloud_is_its_dimension(c):
    crosses = torch.cat([torch.eye(c), -torch.eye(c)])  # covariance: a multiple of the identity
    assert participation_ratio(crosses + 3.0) == pytest.approx(c, rel=1e-12)


def test_effective_rank_of_a_line_is_one():
    position = torch.linspace(-1, 4, 50).double()
    line = torch.tensor([2.0, -1.0, 0.5]) + position[:, None] * torch.tensor([0.3, 0.1, -0.7])
    assert participation_ratio(line) == pytest.approx(1.0, rel=1e-6)


def test_effective_rank_follows_its_formula_for_unequal_variances():
    z = torch.diag(torch.tensor([1.0, 2.0, 4.0]))
    z = torch.cat([z, -z])  # variances in the ratio 1 : 4 : 16
    assert participation_ratio(z) == pytest.approx((1 + 4 + 16) ** 2 / (1 + 16 + 256), rel=1e-12)


def test_effective_rank_of_equal_rows_is_zero_not_nan():
    assert participation_ratio(torch.full((6, 4), 0.25)) == 0.0


def test_alignment_is_the_mean_squared_distance_of_neighbours_inside_each_sequence():
    z = rows(3, 5, 4)
    pairs = [slow_distance_squared(s[t].tolist(), s[t + 1].tolist()) for s in z for t in range(4)]
    assert len(pairs) == 12
    assert alignment(z) == pytest.approx(sum(pairs) / 12, rel=1e-12)


@pytest.mark.parametrize("n", [2, 11])
def test_uniformity_is_the_log_of_the_mean_gaussian_potential(n):
    z = rows(n, 3)
    pairs = [math.exp(-2 * slow_distance_squared(z[i].tolist(), z[j].tolist())) for i in range(n) for j in range(i)]
    assert uniformity(z) == pytest.approx(math.log(sum(pairs) / len(pairs)), rel=1e-10)


def test_uniformity_of_many_rows_is_that_of_evenly_chosen_ones(monkeypatch):
    monkeypatch.setattr("emargin.evaluation.collapse.UNIFORMITY_ROWS", 4)
    z = rows(10, 3)
    assert uniformity(z) == pytest.approx(uniformity(z[[0, 3, 6, 9]]), rel=1e-12)
    assert uniformity(z) != pytest.approx(uniformity(z[:4]), rel=1e-3)
