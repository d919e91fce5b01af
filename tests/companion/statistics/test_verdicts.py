"""Equivalence is two one-sided tests: noise cannot earn it."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from companion.statistics.verdicts import test_of as both_tests
from companion.statistics.verdicts import with_verdicts, words_of
from emargin.errors import InputError


def test_p_values_are_those_of_three_t_tests():
    values = np.random.default_rng(1).normal(0.01, 0.02, 9)
    found = both_tests(values.mean(), values.std(ddof=1) / 3, 8, 0.03)
    assert found.p_differs == pytest.approx(ttest_1samp(values, 0).pvalue)
    sides = [ttest_1samp(values, -0.03, alternative="greater"), ttest_1samp(values, 0.03, alternative="less")]
    assert found.p_equivalent == pytest.approx(max(side.pvalue for side in sides))


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (0.1, 0.01, "differs"),
        (-0.1, 0.01, "differs"),
        (0.0, 0.1, "not decided"),
        (0.0, 0.005, "equivalent within 0.02"),
        (0.01, 0.002, "equivalent within 0.02"),
        (0.03, 0.03, "not decided"),
        (0.0, 0.0, "equivalent within 0.02"),
        (0.02, 0.0, "differs"),
        (0.0, np.nan, "not decided"),
    ],
)
def test_verdict_follows_both_tests(value, error, verdict):
    assert both_tests(value, error, 10).verdict == verdict


def test_noise_earns_no_equivalence():
    """Where two lines differ by the margin itself, equivalence is said once in twenty times at most."""
    draws = np.random.default_rng(2).normal(0.02, 0.03, (2000, 8))
    table = pd.DataFrame({"value": draws.mean(1), "error": draws.std(1, ddof=1) / 8**0.5, "freedom": 7})
    said = with_verdicts(table).verdict.str.startswith("equivalent").mean()
    assert said < 0.06


def test_a_table_gets_its_margin_beside_its_verdicts():
    table = with_verdicts(pd.DataFrame({"value": [0.1], "error": [0.01], "freedom": [7.0]}), margin=0.3)
    assert table[["margin", "verdict"]].iloc[0].tolist() == [0.3, "equivalent within 0.3"]
    with pytest.raises(InputError, match="no margin"):
        both_tests(0.0, 0.1, 3, margin=0)


def test_words_have_the_direction_and_need_a_margin_for_equivalence():
    assert words_of(-0.1, both_tests(-0.1, 0.01, 9)) == "lower" and words_of(0.1, both_tests(0.1, 0.01, 9)) == "higher"
    close = both_tests(0.001, 0.002, 9)
    assert words_of(0.001, close) == "equivalent within 0.02"
    assert words_of(0.001, close, may_be_equivalent=False) == "not decided"
    assert words_of(0.1, both_tests(0.1, np.nan, np.nan)) == ""
