"""The local dimension of maps of known shape: piles, lines, a spiral, bands, areas."""

import numpy as np
import pytest

from companion.statistics.map_shape import local_dimension
from emargin.errors import InputError


def disc(n=1000, seed=0):
    generator = np.random.default_rng(seed)
    radius, angle = np.sqrt(generator.random(n)), 2 * np.pi * generator.random(n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def spiral(n=1000, turns=2.0):
    angle = 2 * np.pi * turns * np.sqrt(np.linspace(0.1, 1, n))
    return angle[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def band(ratio, n=4000):
    generator = np.random.default_rng(0)
    return generator.random((n, 2)) * [ratio, 1]


def test_a_straight_line_has_one_dimension():
    line = np.linspace(0, 1, 50)[:, None] * [3, -2]
    assert local_dimension(line) == pytest.approx(1, abs=1e-9)


def test_a_spiral_is_a_line_and_a_disc_is_an_area():
    assert local_dimension(spiral()) < 1.1
    assert local_dimension(disc()) > 1.9


def test_separate_blobs_are_areas():
    blobs = np.concatenate([disc(200, seed) + [5 * seed, 0] for seed in range(5)])
    assert local_dimension(blobs) > 1.75


def test_points_that_coincide_in_piles_have_no_dimension():
    piles = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 40, axis=0)
    assert local_dimension(piles) == 0


def test_three_neighbours_by_hand():
    """Around each corner of a square of side 1 all four corners: l1 = l2, so 2; stretched, (1 + 9)^2 / (1 + 81)."""
    square = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert local_dimension(square) == pytest.approx(2)
    assert local_dimension(square * [3, 1]) == pytest.approx(100 / 82)


def test_it_depends_on_neither_scale_nor_place_nor_turn():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    assert local_dimension(1000 * band(15, 500) @ turn + 7) == pytest.approx(local_dimension(band(15, 500)), rel=1e-6)


def test_a_larger_share_sees_a_band_as_a_line():
    near, far = local_dimension(band(20), 0.01), local_dimension(band(20), 0.2)
    assert near > 1.85 and far < 1.2


def test_a_longer_band_is_more_of_a_line():
    measured = [local_dimension(band(ratio)) for ratio in (5, 10, 20, 40)]
    assert measured == sorted(measured, reverse=True) and measured[0] > 1.8 and measured[-1] < 1.2


def test_the_larger_part_of_a_map_decides():
    both = np.concatenate([np.column_stack([np.linspace(20, 60, 400), np.zeros(400)]), disc(600)])
    assert local_dimension(both[:400], 0.05) < 1.01 and local_dimension(both, 0.05) > 1.5


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.zeros((9, 3)), np.zeros(9), np.full((9, 2), np.nan)])
def test_what_is_no_map_is_refused(points):
    with pytest.raises(InputError, match="map cannot be measured"):
        local_dimension(points)


@pytest.mark.parametrize("share", [0, 1.2, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="share of neighbours"):
        local_dimension(disc(20), share)
