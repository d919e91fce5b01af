"""What the page on threshold and margin reads of its rows."""

import pandas as pd
import pytest

from companion.sweeps import (
    ANCHOR,
    INFONCE,
    LOSSES,
    along_settings,
    at_default,
    at_quantiles,
    both_settings,
    by_temperature,
    by_threshold,
    high_silhouettes,
    negative_above,
    turns_round,
    with_losses,
)
from emargin.config import Experiment
from emargin.resolve import resolve


def runs(**columns):
    scores = {"silhouette": 0.5, "balanced_accuracy": 0.5, "converged_balanced_accuracy": 0.5}
    default = {"dataset": "spsw-har", "loss": ANCHOR, "threshold": 0.4, "margin": 5.0, "temperature": 0.05}
    return pd.DataFrame(default | scores | columns)


def test_losses_are_named_by_method_fidelity_and_labels():
    rows = [("emargin", "released", "released"), ("emargin", "released", "paper"), ("emargin", "original", "paper")]
    found = with_losses(pd.DataFrame([*rows, ("infonce", "released", None)], columns=["method", "fidelity", "labels"]))
    assert found.loss.tolist() == [*LOSSES, INFONCE]


def test_settings_that_are_not_free_have_the_value_of_the_paper():
    found = runs(margin=[5.0, 1.0, 5.0], threshold=[0.4, 0.4, 0.35])
    assert at_default(found, "spsw-har").index.tolist() == [0]
    assert at_default(found, "spsw-har", "margin").index.tolist() == [0, 1]


def test_the_correlation_along_a_setting_needs_four_values():
    rising = runs(margin=[0.5, 1.0, 2.0, 5.0], silhouette=[1, 2, 3, 4], balanced_accuracy=[4, 3, 2, 1])
    rising = rising.assign(converged_balanced_accuracy=[1, 3, 2, 4])
    found = along_settings(rising, {"spsw-har": "set"})
    assert found.index.tolist() == [("set", "margin", ANCHOR)]
    assert found["the paper’s probe"].item() == pytest.approx(-1)
    assert along_settings(rising[:3], {"spsw-har": "set"}).empty


def test_a_high_temperature_keeps_the_argument_positive():
    cell = resolve(Experiment(dataset="harth-sim"))
    assert 0 < negative_above(cell, 0.05, 5) < 1
    assert negative_above(cell, 1, 5) is None


def test_the_label_decides_where_the_argument_turns_negative():
    cell = resolve(Experiment(dataset="harth-sim"))
    assert negative_above(cell, 0.05, 5, y=0) < negative_above(cell, 0.05, 5, y=1)


def test_scores_by_threshold_have_a_spread_where_there_are_seeds():
    found = runs(threshold=[0.2, 0.2, 0.4], silhouette=[0.1, 0.3, 0.7], participation_ratio=2.0)
    table = by_threshold(found.assign(davies_bouldin=1.0, nmi=0.5), "spsw-har")
    assert table.silhouette.tolist() == ["0.20 ± 0.14", "0.70"]


def test_quantiles_are_looked_up_by_the_cosines_of_the_set():
    found = runs(threshold=[-0.24, 0.1, 0.9], silhouette=[0.1, 0.2, 0.3], seed=1)
    table = at_quantiles(found, "spsw-har", {"0.05": -0.238, "0.5": 0.1, "0.95": 0.95})
    assert table.index.tolist() == ["5%", "50%", "95%"]
    assert table["silhouette, original"].tolist()[:2] == [0.1, 0.2]
    assert table["silhouette, original"].isna().tolist() == [False, False, True]
    assert table["silhouette, released"].isna().all()


def test_high_silhouettes_without_a_line_are_counted():
    found = runs(silhouette=[0.4, 0.5, 0.6], participation_ratio=[9.0, 3.0, 1.0])
    (row,) = high_silhouettes(found, {"spsw-har": "set"}).to_dict("records")
    assert list(row.values()) == ["3", "2", "1", "-1.00"]


def test_temperatures_are_columns_and_what_varies_else_is_left_out():
    found = runs(temperature=[0.05, 0.1, 0.1], margin=[5, 5, 1], silhouette=[0.1, 0.2, 0.9], seed=1)
    table = by_temperature(found.assign(participation_ratio=2.0), "spsw-har")
    assert table.loc["silhouette", ANCHOR].to_dict() == {0.05: 0.1, 0.1: 0.2}


def test_where_the_force_turns_round():
    cell = resolve(Experiment(dataset="harth-sim"))
    found = turns_round(cell, [0.05, 1])
    assert found == {"0.05": f"{negative_above(cell, 0.05, 5):.3f}", "1": "never"}


def test_both_settings_vary_together_in_seed_1():
    found = runs(threshold=[0.2, 0.8, 0.8, 1.0], margin=[1, 2, 2, 2], seed=[1, 1, 2, 1])
    assert both_settings(found, "spsw-har").index.tolist() == [0, 1]
