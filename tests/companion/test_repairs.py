"""What the page on repairs reads of its rows."""

from types import SimpleNamespace

import pandas as pd
import pytest

from companion import repairs
from companion.grid import choose
from emargin.config import Experiment
from emargin.resolve import resolve


def run(method="emargin", fidelity="released", **fields):
    return SimpleNamespace(method=method, fidelity=fidelity, dataset="spsw-har", **{"temperature": 0.05} | fields)


def test_lines_are_named_by_method_labels_and_temperature():
    assert repairs.name_of(run()) == repairs.RELEASED
    assert repairs.name_of(run("infonce", "original")) == repairs.INFONCE
    assert repairs.name_of(run("infonce", "original", temperature=0.1)) == repairs.TUNED
    assert repairs.name_of(run("supervised", "original", label_share=0.05)).endswith(", 5 %")
    assert repairs.name_of(run("ts2vec", "original"), fidelities=True).endswith(", original")
    assert len(set(repairs.ORDER)) == len(repairs.ORDER)


def test_scores_have_a_spread_and_known_lines_come_first():
    values = {score: [0.1, 0.3, 0.5] for score in repairs.SCORES}
    names = ["another", repairs.INFONCE, repairs.INFONCE]
    found = repairs.scores(pd.DataFrame(values | {"name": names, "dataset": "a", "seed": [1, 1, 2]}), "a")
    assert found.index.tolist() == [repairs.INFONCE, "another"] and found.seeds.tolist() == [2, 1]
    assert found["NMI"].tolist() == ["0.40 ± 0.14", "0.10"]


def test_the_best_choice_is_marked_in_the_order_of_the_settings():
    lines = pd.DataFrame({"method": "infonce", "dataset": "a", "temperature": [0.2, 0.1], choose.DECIDES: [0.5, 0.7]})
    assert repairs.choices(lines, {"a": "A"}).A.tolist() == ["0.70 ✓, 0.50"]


def test_a_difference_is_over_the_seeds_that_both_lines_have():
    asked = []

    class Compared:
        def between(self, one, two, metric):
            asked.append((one, two, metric))
            return Told()

    class Told:
        verdict = "lower"

        def __str__(self):
            return "-0.10 [-0.20, -0.05]"

    rows = [("x", 1, "x1"), ("x", 2, "x2"), ("y", 2, "y2"), ("y", 3, "y3")]
    runs = pd.DataFrame(rows, columns=["name", "seed", "digest"]).assign(dataset="a")
    found = repairs.differences(Compared(), runs, {"first": ("x", "y"), "none": ("x", "z")}, {"a": "A"})
    assert asked == [(["x2"], ["y2"], "converged_balanced_accuracy")]
    assert found.A.to_dict() == {"first": "-0.10 ▼<br><small>[-0.20, -0.05]</small>"}


def test_lengths_of_a_method_with_a_margin_count_the_pairs_within_it():
    experiment = resolve(Experiment(dataset="sleepeeg-sim", quick=True, seed=1, iterations=2))
    found = repairs.lengths(experiment, ["infonce", "distance-margin"])
    assert found["pairs within the margin"].isna().tolist() == [True, False]
    assert (found["length, 95th over 5th percentile"] >= 1).all()
    assert found["variance of length that clusters tell"].between(-1e-6, 1).all()
    assert found.loc["infonce", "effective rank"] == pytest.approx(repairs.lengths(experiment, ["infonce"]).iloc[0, 0])
