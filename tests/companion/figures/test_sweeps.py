"""Figures of the page on threshold and margin: what is drawn where."""

import numpy as np
import pandas as pd
import pytest

from companion.figures import sweeps


@pytest.fixture
def runs():
    """Two losses, three thresholds, two margins, two seeds; the scores tell the cells apart."""
    rows = [
        {
            "loss": loss,
            "threshold": threshold,
            "margin": margin,
            "seed": seed,
            "silhouette": 0.1 + 0.2 * number + 0.1 * threshold + 0.01 * seed,
            "participation_ratio": 1 + 9 * threshold,
            "balanced_accuracy": 0.3,
            "converged_balanced_accuracy": 0.4 + margin / 20,
        }
        for number, loss in enumerate(("a", "b"))
        for threshold in (0.2, 0.4, 0.8)
        for margin in (1.0, 5.0)
        for seed in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_a_line_goes_through_the_means_and_a_bar_from_least_to_most(runs):
    beside = pd.Series({name: 0.5 for name in sweeps.SCORES} | {"balanced_accuracy": 0.25}, name="random")
    fig = sweeps.over_setting(
        runs[runs.margin == 5], "threshold", "theta", ["a", "b"], "real data", mark=0.4, beside=beside
    )
    silhouette, *others = fig.axes
    first, second, mark, random = silhouette.lines
    np.testing.assert_allclose(first.get_xdata(), [0.2, 0.4, 0.8])
    np.testing.assert_allclose(first.get_ydata(), [0.135, 0.155, 0.195])
    np.testing.assert_allclose(second.get_ydata() - first.get_ydata(), 0.2)
    assert mark.get_xdata()[0] == 0.4 and random.get_ydata()[0] == 0.5 and random.get_label() == "random"
    bars = silhouette.collections[0].get_segments()
    np.testing.assert_allclose(bars[0], [[0.2, 0.13], [0.2, 0.14]])
    assert [axis.get_title(loc="left").split(",")[0] for axis in fig.axes] == [
        "silhouette",
        "effective rank (log)",
        "balanced accuracy",
        "balanced accuracy",
    ]
    np.testing.assert_allclose(others[0].lines[0].get_ydata(), [2.8, 4.6, 8.2])
    limits = [axis.get_ylim() for axis in others[1:]]
    np.testing.assert_allclose(limits, [(0.2, 0.7), (0.2, 0.7)])  # with the dashed line


def test_a_field_holds_the_value_of_its_settings_and_gaps_stay_grey(runs):
    gap = runs[(runs.threshold != 0.8) | (runs.margin != 5)]
    fig = sweeps.over_both({"one": gap}, ["b"], ["silhouette", "converged_balanced_accuracy"], "real data")
    left, right = ({text.get_position(): text.get_text() for text in axis.texts} for axis in fig.axes)
    assert left == {(0, 0): "0.34", (1, 0): "0.36", (2, 0): "0.40", (0, 1): "0.34", (1, 1): "0.36"}
    assert right == {(0, 0): "0.45", (1, 0): "0.45", (2, 0): "0.45", (0, 1): "0.65", (1, 1): "0.65"}
    assert [axis.get_title(loc="left") for axis in fig.axes] == ["silhouette\nb", "converged probe\nb"]
    assert fig.axes[0].get_ylabel().startswith("one\n")
    assert [label.get_text() for label in fig.axes[1].get_xticklabels()] == ["0.2", "0.4", "0.8"]
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["1", "5"]


def test_every_cell_is_a_mark_coloured_by_its_rank(runs):
    other = runs.assign(silhouette=0.9)
    fig = sweeps.trade_off({"one": runs, "other": other}, ["a", "b"], "converged_balanced_accuracy", "real data")
    marks = [dots.get_offsets() for dots in fig.axes[0].collections]
    assert [len(own) for own in marks] == [12, 12]
    np.testing.assert_allclose(marks[0][0], [0.13, 0.45])
    np.testing.assert_allclose(fig.axes[0].collections[0].get_array()[:2], np.log10([2.8, 2.8]))
    assert [axis.get_title(loc="left") for axis in fig.axes[:2]] == ["one", "other"]
    assert set(fig.axes[1].collections[0].get_offsets()[:, 0]) == {0.9}


def test_each_set_is_a_column_and_each_score_a_row(runs):
    by_set = {"one": runs, "other": runs.assign(silhouette=0.9)}
    fig = sweeps.over_sets(by_set, "threshold", "theta", ["a", "b"], "real data", mark=0.4)
    axes = np.array(fig.axes).reshape(len(sweeps.SCORES), 2)
    assert [axis.get_title(loc="left") for axis in axes[0]] == ["one", "other"]
    np.testing.assert_allclose(axes[0, 1].lines[0].get_ydata(), 0.9)
    np.testing.assert_allclose(axes[1, 0].lines[0].get_ydata(), [2.8, 4.6, 8.2])
    assert axes[3, 0].lines[2].get_xdata()[0] == 0.4


def test_flips_are_drawn_from_clean_to_noisy():
    found = pd.DataFrame(
        {
            "flipped": [0.1, 0.6],
            "label 1": [0.3, 0.9],
            "label 1 without noise": 0.2,
            "precision": [0.5, 0.4],
            "base": 0.3,
        },
        index=[30.0, 0.0],
    )
    left, right = sweeps.flips(found, "simulated data").axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[30, 0.1], [0, 0.6]])
    assert left.get_xlim()[0] > left.get_xlim()[1]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.5, 0.4])
