"""K-means on a curve: the closed forms against quadrature and simulation, and what is read off a leading direction."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import quad

from companion.figures.spirals import dots
from companion.statistics.curves import (
    bend,
    cuts,
    equal_cuts,
    explained_share,
    leading_direction,
    positions,
    rank_of_davies_bouldin,
    thick_cuts,
    thick_segment,
    thickness_of_rank,
    whole_and_line,
)
from emargin.evaluation.clustering import cluster
from emargin.evaluation.collapse import participation_ratio


def silhouette_by_quadrature(k, thickness):
    """Over all k cells and to every other cell, by adaptive quadrature: no symmetry and no nearest cell assumed."""
    w = 1 / k

    def mean_distance(x, cell):
        return (
            quad(
                lambda y: np.hypot(x - y, np.sqrt(2) * thickness),
                cell * w,
                (cell + 1) * w,
                points=[x] if cell * w < x < (cell + 1) * w else None,
            )[0]
            / w
        )

    def value(x, own):
        a = mean_distance(x, own)
        b = min(mean_distance(x, cell) for cell in range(k) if cell != own)
        return (b - a) / max(a, b)

    return sum(
        quad(value, own * w, (own + 1) * w, args=(own,), points=[(own + 0.5) * w], epsabs=1e-7)[0] for own in range(k)
    )


def davies_bouldin_by_quadrature(k, thickness):
    w = 1 / k
    spread = quad(lambda u: np.hypot(u, thickness), -w / 2, w / 2, points=[0])[0] / w
    return np.mean([max(2 * spread / (abs(i - j) * w) for j in range(k) if j != i) for i in range(k)])


@pytest.mark.parametrize("thickness", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_cuts_of_a_thick_segment_agree_with_quadrature(k, thickness):
    found = thick_cuts(k, thickness)
    assert found["silhouette"] == pytest.approx(silhouette_by_quadrature(k, thickness), abs=1e-6)
    assert found["davies_bouldin"] == pytest.approx(davies_bouldin_by_quadrature(k, thickness), abs=1e-9)


@pytest.mark.parametrize("k", [2, 4, 5, 12])
def test_equal_cuts_are_the_limit_without_thickness(k):
    assert equal_cuts(k) == pytest.approx(thick_cuts(k, 0.0), abs=1e-6)


@pytest.mark.parametrize("k", [2, 4, 5])
def test_kmeans_on_many_even_points_comes_to_the_closed_form(k):
    """With n / k points in a cell, the distance of a point to itself is missing from a: an error of order k / n."""
    points = np.linspace(0, 1, 1500)[:, None]
    found = cluster(points, np.zeros(1500), k)
    for name, wanted in equal_cuts(k).items():
        assert found[name] == pytest.approx(wanted, abs=2 * k / 1500)


@pytest.mark.parametrize(("k", "rank"), [(4, 1.1), (5, 1.02), (12, 1.02)])
def test_kmeans_on_a_thick_segment_agrees_with_the_formula(k, rank):
    points = thick_segment(600, thickness_of_rank(rank), 300, np.random.default_rng(0))
    found, wanted = cluster(points, np.zeros(600), k), thick_cuts(k, thickness_of_rank(rank))
    assert found["silhouette"] == pytest.approx(wanted["silhouette"], abs=0.015)
    assert found["davies_bouldin"] == pytest.approx(wanted["davies_bouldin"], rel=0.02)


def test_thickness_and_rank_are_inverse_and_hold_for_points():
    assert (1 + 12 * thickness_of_rank(1.7) ** 2) ** 2 == pytest.approx(1.7)
    assert thickness_of_rank(1) == 0
    points = thick_segment(2000, thickness_of_rank(1.3), 1000, np.random.default_rng(0))
    assert participation_ratio(torch.from_numpy(points)) == pytest.approx(1.3, rel=0.02)


def test_leading_direction_of_a_known_cloud():
    """Orthogonal coordinates with variances 9 : 4 : 0, turned by 30 degrees in the first plane and moved."""
    circle = 2 * np.pi * np.arange(100) / 100
    plane = np.column_stack([3 * np.cos(circle), 2 * np.sin(circle), np.zeros(100)])
    turn = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6), 0], [-np.sin(np.pi / 6), np.cos(np.pi / 6), 0], [0, 0, 1]])
    cloud = plane @ turn + [5, -1, 2]
    mean, direction, shares = leading_direction(cloud)
    np.testing.assert_allclose(mean, [5, -1, 2], atol=1e-12)
    np.testing.assert_allclose(direction * np.sign(direction[0]), [np.cos(np.pi / 6), 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(shares, [9 / 13, 4 / 13, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(positions(cloud)), np.abs(plane[:, 0]), atol=1e-12)


def test_a_line_is_cut_as_the_embedding_and_a_cloud_is_not():
    generator = np.random.default_rng(0)
    line = thick_segment(300, 0.01, 50, generator)
    whole, alone = whole_and_line(line, np.arange(300) // 75, 4)
    assert whole["ari"] > 0.95 and alone["nmi"] > 0.9
    assert whole["silhouette"] == pytest.approx(alone["silhouette"], abs=0.1)
    whole, alone = whole_and_line(generator.standard_normal((300, 50)), np.zeros(300), 4)
    assert whole["ari"] < 0.5 and whole["silhouette"] < 0.1 < 0.5 < alone["silhouette"]


def test_cuts_are_intervals():
    position = np.random.default_rng(0).lognormal(size=200)
    in_order = cuts(position, 5)[np.argsort(position)]
    assert (np.diff(in_order) != 0).sum() == 4


def test_explained_share_by_hand():
    """Ranks 1 2 | 3 4: group means 1.5 and 3.5, variance 1 between, 1.25 in all."""
    assert explained_share(np.array([0.1, 5, 70, 900]), np.array([0, 0, 1, 1])) == pytest.approx(1 / 1.25)


def test_explained_share_weighs_groups_by_size():
    """Ranks 1 | 2 3 4: means 1 and 3, deviations -1.5 once and 0.5 three times."""
    assert explained_share(np.arange(4.0), np.array([0, 1, 1, 1])) == pytest.approx((1.5**2 + 3 * 0.5**2) / 4 / 1.25)


def test_explained_share_of_one_group_is_nothing():
    assert explained_share(np.arange(5.0), np.zeros(5)) == 0


def test_bend_of_a_line_and_of_half_a_circle():
    order = np.random.default_rng(0).permutation(3000)
    position = (order + 0.5) / 3000
    angle = np.pi * position
    assert bend(np.column_stack([position, 2 * position]), position) == pytest.approx(1)
    half = bend(np.column_stack([np.cos(angle), np.sin(angle)]), position, pieces=300)
    assert half == pytest.approx(np.pi / 2, rel=1e-2)


@pytest.mark.parametrize("k", [4, 12])
def test_the_rank_of_a_davies_bouldin_index_has_it(k):
    rank = rank_of_davies_bouldin(k, 0.8)
    assert rank > 1 and thick_cuts(k, thickness_of_rank(rank))["davies_bouldin"] == pytest.approx(0.8)
    assert rank_of_davies_bouldin(k, 0.5) == pytest.approx(1)


def test_dots_stand_at_the_values_of_their_rows_and_columns():
    table = pd.DataFrame({"a": [0.2, -0.1], "b": [0.5, 1.0]}, index=["first", "second"])
    (axis,) = dots(table, "a title", "made up", low=-0.25).axes
    for line, name in zip(axis.lines, table, strict=False):
        assert line.get_label() == name and line.get_xdata().tolist() == table[name].tolist()
        assert line.get_ydata().tolist() == [0, 1]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["first", "second"] and axis.yaxis_inverted()
    assert axis.get_xlim()[0] == -0.25
