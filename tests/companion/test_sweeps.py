"""What the page on threshold and margin reads of its rows."""

import pandas as pd
import pytest

from companion.sweeps import ANCHOR, INFONCE, LOSSES, along_settings, at_default, negative_above, with_losses
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
