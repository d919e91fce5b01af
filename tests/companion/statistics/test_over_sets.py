"""Statements over data sets: methods and sets are drawn, and few sets are listed."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from companion.statistics.over_sets import over_sets
from emargin.errors import InputError


def tidy(values: np.ndarray) -> pd.DataFrame:
    names = list(itertools.product(range(values.shape[0]), range(values.shape[1])))
    return pd.DataFrame(names, columns=["method", "set"]).assign(value=values.ravel())


def test_below_six_sets_they_are_listed_one_by_one():
    values = np.random.default_rng(1).standard_normal((4, 5))
    found, singly = over_sets(tidy(values))
    assert np.isnan([found["low"], found["high"]]).all() and found["flaw"] == "5 sets, 4 methods: listed one by one"
    assert singly.value.to_numpy() == pytest.approx(values.mean(0)) and (singly.of == 4).all()
    assert singly.above.tolist() == (values > 0).sum(0).tolist()
    assert over_sets(tidy(values[:1]))[0]["flaw"] == "5 sets, 1 methods: listed one by one"


def test_methods_that_agree_leave_the_t_interval_of_sets_and_the_reverse():
    drawn = np.random.default_rng(2).standard_normal(6)
    wanted = tuple(ttest_1samp(drawn, 0).confidence_interval(0.95))
    for values in (np.repeat(drawn[None], 7, 0), np.repeat(drawn[:, None], 7, 1)):
        found, _ = over_sets(tidy(values))
        assert (found["low"], found["high"]) == pytest.approx(wanted) and found["flaw"] == ""


def test_a_method_that_lacks_a_set_is_refused():
    with pytest.raises(InputError, match="one value for each method and set"):
        over_sets(tidy(np.ones((3, 6)))[1:])
