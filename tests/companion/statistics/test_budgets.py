"""Curves over label budgets: gaps, and labels for the same accuracy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from companion.figures import budgets as figures
from companion.statistics.budgets import EMARGIN, INFONCE, curves, gaps, means, needed, times
from tests.companion.statistics.cells import Cells


def table(values: dict[str, list[list[float]]], labels=(4, 40, 400), dataset="set") -> pd.DataFrame:
    """A line's accuracy by seed and budget; the last budget is all labels."""
    budgets = [1.0, 10.0, float("inf")]
    return pd.DataFrame(
        [
            (dataset, line, seed, budget, value, 0.0, count)
            for line, seeds in values.items()
            for seed, of_seed in enumerate(seeds, start=1)
            for budget, value, count in zip(budgets, of_seed, labels, strict=True)
        ],
        columns=["dataset", "line", "seed", "budget", "balanced_accuracy", "deviation", "labels"],
    )


def test_rows_become_curves(tmp_path):
    cells = Cells(2)
    digest = cells.add(0.5, method="infonce")
    (known, *_) = [row for row in cells.rows if row["digest"] == digest]
    for name, value in {"10_balanced_accuracy": 0.4, "10_labels": 30, "10_deviation": 0.02, "all_labels": 99}.items():
        cells.rows.append(known | {"metric": f"budget_{name}", "value": value})
    cells.rows.append(known | {"metric": "series_budget_3_balanced_accuracy", "value": 0.3})
    found = curves(cells.store(tmp_path)).set_index("budget")
    assert set(found.line) == {INFONCE} and list(found.index) == [3, 10, np.inf]
    assert found.loc[10, ["balanced_accuracy", "deviation", "labels"]].tolist() == [0.4, 0.02, 30]
    assert found.labels[np.inf] == 99 and found.balanced_accuracy[3] == 0.3


def test_a_gap_is_over_the_seeds_that_both_lines_have():
    own = table(
        {INFONCE: [[0.4, 0.6, 0.8], [0.5, 0.6, 0.7], [0.9, 0.9, 0.9]], EMARGIN: [[0.3, 0.5, 0.8], [0.2, 0.5, 0.7]]}
    )
    found = gaps(own).set_index("budget")
    half = student.ppf(0.975, 1) * np.std([0.1, 0.3], ddof=1) / 2**0.5
    assert found.loc[1, ["value", "low", "high", "seeds"]].tolist() == pytest.approx([0.2, 0.2 - half, 0.2 + half, 2])
    assert found.value[np.inf] == pytest.approx(0)
    assert gaps(own[own.seed == 1]).low.isna().all() and gaps(own[own.line == INFONCE]).empty
    assert means(own).set_index(["line", "budget"]).value[INFONCE, 10] == pytest.approx(0.7)


def test_labels_for_the_same_accuracy_are_read_from_the_curve():
    labels, accuracy = np.array([4, 40, 400]), np.array([0.3, 0.5, 0.7])
    assert needed(labels, accuracy, 0.6) == pytest.approx(40 * 10**0.5)
    assert needed(labels, accuracy, 0.2) == 4 and needed(labels, accuracy, 0.71) == np.inf
    assert needed(labels, np.array([0.3, 0.7, 0.5]), 0.6) == pytest.approx(4 * 10**0.75)  # where it is reached first


def test_times_are_of_the_means_and_of_single_seeds():
    own = table({INFONCE: [[0.5, 0.6, 0.71], [0.5, 0.7, 0.7]], EMARGIN: [[0.3, 0.5, 0.7], [0.3, 0.7, 0.8]]})
    found = times(own).set_index("budget")
    assert found.loc[1, ["labels", "value"]].tolist() == [4, 0.5]
    assert found.least[1] == pytest.approx(10**0.5) and found.most[1] == pytest.approx(10)
    assert found.times[1] == pytest.approx(10 ** (2 / 3)) and (found.seeds == 2).all()
    assert found.most[np.inf] == np.inf and found.times[np.inf] < 1
    assert times(own[own.line == INFONCE]).empty


def test_the_figure_has_a_curve_a_line_and_a_mark_a_gap():
    own = table({INFONCE: [[0.4, 0.6, 0.8], [0.5, 0.6, 0.7]], EMARGIN: [[0.3, 0.5, 0.8], [0.2, 0.5, 0.7]]})
    fig = figures.curves(means(own), gaps(own), {"set": "A set"}, "made")
    above, below = fig.axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in above.lines if len(line.get_ydata())}
    assert drawn == {INFONCE: pytest.approx([0.45, 0.6, 0.75]), EMARGIN: pytest.approx([0.25, 0.5, 0.75])}
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["1", "10", "all"]
    assert list(below.lines[-1].get_ydata()) == pytest.approx([0.2, 0.1, 0.0])


def test_a_factor_in_words():
    assert figures.factor(4.84) == "4.8 times as many" and figures.factor(28.6) == "29 times as many"
    assert figures.factor(0.333) == "0.33 times as many" and figures.factor(np.inf) == "more than there are"
