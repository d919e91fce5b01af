"""Figures of the page on repairs: what is drawn where."""

import numpy as np
import pandas as pd
import pytest

from companion.figures import repairs


@pytest.fixture
def runs():
    """Two sets, three methods, two seeds; one method has run on one set only, and has three shares of labels."""
    rows = [
        {
            "dataset": dataset,
            "name": name,
            "seed": seed,
            "label_share": share,
            "silhouette": 0.2 * number + 0.02 * seed,
            "converged_balanced_accuracy": 0.5 + 0.1 * number + share / 2,
        }
        for number, name in enumerate(("a", "b", "c"))
        for dataset in ("one", "two")
        for seed in (1, 2)
        for share in ((0.01, 0.05, 0.1) if name == "c" else (0.0,))
        if (dataset, name) != ("two", "c")
    ]
    return pd.DataFrame(rows)


def test_a_mark_is_at_the_means_with_a_bar_of_one_deviation(runs):
    fig = repairs.against(
        runs[runs.name != "c"],
        {"one": "Set 1", "two": "Set 2"},
        ["a", "b"],
        "silhouette",
        "converged_balanced_accuracy",
        ("x", "y"),
        "real data",
        baseline="b",
    )
    first, second = fig.axes
    assert [axis.get_title(loc="left") for axis in fig.axes] == ["Set 1", "Set 2"]
    across, up, *marks = first.lines[:2] + [one[0] for one in first.containers]
    assert across.get_xdata()[0] == pytest.approx(0.23) and up.get_ydata()[0] == pytest.approx(0.6)
    np.testing.assert_allclose([mark.get_xydata()[0] for mark in marks], [[0.03, 0.5], [0.23, 0.6]])
    (bar,) = first.containers[0][2][0].get_segments()
    np.testing.assert_allclose(np.ptp(bar[:, 0]), 2 * np.std([0.02, 0.04], ddof=1))
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]
    assert len(second.containers) == 2


def test_what_has_not_run_on_a_set_is_left_out_there_and_a_panel_too_many_is_hidden(runs):
    three = {"one": "Set 1", "two": "Set 2", "three": "Set 3"}
    fig = repairs.against(
        runs, three, ["a", "b", "c"], "silhouette", "converged_balanced_accuracy", ("x", "y"), "s", baseline="a"
    )
    assert [len(axis.containers) for axis in fig.axes] == [3, 2, 0, 0]
    assert [axis.get_visible() for axis in fig.axes] == [True, True, True, False]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b", "c"]


def test_shares_of_labels_are_percentages_and_levels_are_level(runs):
    fig = repairs.over_labels(runs, {"one": "Set 1"}, ["c"], ["a", "b"], "real data")
    probe, silhouette = fig.axes
    line, first, second = probe.lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.705], [5, 0.725], [10, 0.75]])
    assert [one.get_ydata()[0] for one in (first, second)] == pytest.approx([0.5, 0.6])
    np.testing.assert_allclose(silhouette.collections[0].get_segments()[0], [[1, 0.42], [1, 0.44]])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["c", "a", "b"]
