"""A score's correlation with a probe has a positive control beside it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from scipy.stats import t as student

from companion.grid.store import Store
from companion.statistics.configurations import configurations
from companion.statistics.correlations import MARGIN, correlation, value_of, with_control
from emargin.errors import InputError
from emargin.methods import METHODS
from emargin.paths import home

PROBE = "converged_balanced_accuracy"


def synthetic(seed, sets=3, methods=13, nmi=0.9, score=0.0) -> pd.DataFrame:
    """Scores of methods on sets; nmi, score: how much of the probe is in each."""
    generator = np.random.default_rng(seed)
    names = pd.DataFrame(list(itertools.product(range(methods), range(sets))), columns=["method", "set"])
    probe, *noise = generator.standard_normal((3, len(names)))
    mixed = {
        name: share * probe + (1 - share**2) ** 0.5 * own
        for name, share, own in (("nmi", nmi, noise[0]), ("silhouette", score, noise[1]))
    }
    return names.assign(**{PROBE: probe}, **mixed)


def test_interval_is_that_of_methods_left_out_one_by_one():
    frame = synthetic(1, sets=1, score=0.6)
    value = spearmanr(frame.silhouette, frame[PROBE]).statistic
    without = [spearmanr(frame.silhouette.drop(row), frame[PROBE].drop(row)).statistic for row in frame.index]
    without = np.arctanh(without)
    error = np.sqrt(12 / 13 * ((without - without.mean()) ** 2).sum())
    half = student.ppf(0.975, 12) * error
    found = correlation(frame, "silhouette", PROBE)
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (value, np.tanh(np.arctanh(value) - half), np.tanh(np.arctanh(value) + half))
    )
    assert (found["drawn"], found["methods"], found["sets"]) == ("methods", 13, 1)


def test_score_and_control_are_of_the_same_rows():
    frame = synthetic(2)
    frame.loc[0, "nmi"], frame.loc[1, "silhouette"] = np.nan, np.nan
    found = with_control(frame, "silhouette", PROBE)
    assert found.role.tolist() == ["score", "control"] and found.metric.tolist() == ["silhouette", "nmi"]
    assert found.configurations.tolist() == [37, 37] and found.verdict[1] == "goes along"


def test_without_a_control_that_works_a_score_stays_open():
    found = with_control(synthetic(3, nmi=0.0), "silhouette", PROBE)
    assert found.verdict.tolist() == ["open: the control shows nothing", "not decided"]
    found = with_control(synthetic(3, nmi=0.0, score=0.95), "silhouette", PROBE)
    assert found.verdict[0] == "goes along"


def test_noise_earns_no_equivalence_and_many_rows_do():
    few = with_control(synthetic(4), "silhouette", PROBE)
    many = with_control(synthetic(4, methods=200), "silhouette", PROBE)
    assert few.verdict[0] == "not decided" and many.verdict[0] == f"equivalent within {MARGIN:g} to none"


def test_from_six_sets_on_they_are_drawn_too():
    generator = np.random.default_rng(5)
    frame = synthetic(5, sets=6)
    frame["silhouette"] = frame[PROBE] * generator.choice([-1, 1], 6)[frame["set"]]  # sets contradict each other
    found = correlation(frame, "silhouette", PROBE)
    assert found["drawn"] == "methods and sets" and found["high"] - found["low"] > 0.8
    fewer = correlation(frame[frame["set"] < 5], "silhouette", PROBE)
    assert fewer["drawn"] == "methods"


def test_one_metric_a_probe_and_no_interval_of_four_methods():
    with pytest.raises(InputError, match="one metric a probe"):
        with_control(synthetic(6), "silhouette", "converged_macro_f1")
    few = with_control(synthetic(6, methods=4), "silhouette", PROBE)
    assert few.low.isna().all() and set(few.verdict) == {"no interval"}


def test_control_works_on_the_committed_rows_without_the_rhythms():
    rows = Store(home() / "results" / "grid").rows
    found = configurations(rows[(rows.protocol == "original") & (rows.dataset != "mitbih")])
    untrained = found.method.map({name: method.untrained for name, method in METHODS.items()})
    of_original = found[(found.fidelity == "original") | untrained]
    score, control = with_control(of_original, "silhouette", "balanced_accuracy").itertuples()
    assert (control.verdict, score.verdict) == ("goes along", "not decided")
    assert control.value == pytest.approx(0.53, abs=0.005) and 0 < control.low < control.high < 0.85


def test_within_one_set_it_is_spearmans_correlation_with_ties():
    frame = synthetic(7, sets=1, methods=30, score=0.4).round(0)
    assert frame.silhouette.duplicated().any() and frame[PROBE].duplicated().any()
    assert value_of(frame, "silhouette", PROBE) == pytest.approx(spearmanr(frame.silhouette, frame[PROBE]).statistic)


def test_pooling_compares_within_sets_alone():
    """Within each set y falls as x rises; the sets differ so much that all points together rise."""
    frame = pd.DataFrame(
        [
            {"set": name, "method": f"m{number}", "x": 10 * shift + number, "y": 10 * shift - number}
            for name, shift in (("a", 0), ("b", 1))
            for number in range(6)
        ]
    )
    assert spearmanr(frame.x, frame.y).statistic > 0.4
    found = correlation(frame, "x", "y")
    assert found["value"] == pytest.approx(-1) and found["verdict"] == "goes against"


def test_higher_is_better_for_every_metric():
    frame = synthetic(8).rename(columns={"silhouette": "davies_bouldin"})
    assert value_of(frame.assign(y=-frame.davies_bouldin), "davies_bouldin", "y") == pytest.approx(1)


def test_rows_without_a_value_take_no_part():
    frame = synthetic(9, sets=1)
    whole = correlation(frame[2:], "silhouette", PROBE)
    frame.loc[0, "silhouette"], frame.loc[1, PROBE] = np.nan, np.nan
    assert correlation(frame, "silhouette", PROBE) == whole and whole["configurations"] == 11


def test_no_spread_has_no_value():
    flat = correlation(synthetic(10).assign(flat=1.0), "silhouette", "flat")
    assert np.isnan([flat["value"], flat["low"], flat["high"]]).all() and flat["verdict"] == "no interval"
