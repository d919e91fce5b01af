"""What an interval says: of a difference, against a margin that was stated beforehand.

A difference is there where its 95 % interval leaves zero out. Two lines are equivalent within a margin m where two
one-sided tests at 5 % say so (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987, 657-680): the
difference is above -m, and it is below m. Where neither holds, nothing is decided: noise cannot earn an equivalence.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from emargin.errors import InputError

MARGIN = 0.02  # of balanced accuracy, that is two of a hundred frames, each class counted alike
ALPHA = 0.05
DIFFERS, NOT_DECIDED = "differs", "not decided"


@dataclass(frozen=True)
class Test:
    """Both tests of a difference.

    margin: m. p_differs: of the two-sided t test against zero. p_equivalent: the larger of both one-sided ones; NaN
    where there is no standard error.
    """

    __test__ = False  # pytest takes the name for a test

    margin: float
    p_differs: float
    p_equivalent: float

    @property
    def verdict(self) -> str:
        """ "differs", "equivalent within m", or "not decided".

        A difference that is not zero and still within the margin is "equivalent within m": the margin says what
        matters.
        """
        if self.p_equivalent < ALPHA:
            return f"equivalent within {self.margin:g}"
        return DIFFERS if self.p_differs < ALPHA else NOT_DECIDED


def test_of(value: float, error: float, freedom: float, margin: float = MARGIN) -> Test:
    """Test a difference with its standard error and degrees of freedom.

    Raises InputError for a margin that is not above zero.
    """
    if not margin > 0:
        raise InputError("no margin", found=margin, wanted="a number above 0, stated beforehand")
    if np.isnan(error):
        return Test(margin, np.nan, np.nan)
    if error == 0:
        return Test(margin, float(value == 0), float(abs(value) >= margin))
    differs = 2 * student.sf(abs(value) / error, freedom)
    equivalent = student.sf((margin - abs(value)) / error, freedom)
    return Test(margin, float(differs), float(equivalent))


def words_of(value: float, test: Test, *, may_be_equivalent: bool = True) -> str:
    """Return the verdict in words: "higher" or "lower" for a difference that is there.

    may_be_equivalent: False where no margin was stated, as for clustering scores. "" where there is no standard error.
    """
    if np.isnan(test.p_differs):
        return ""
    verdict = test.verdict if may_be_equivalent else DIFFERS if test.p_differs < ALPHA else NOT_DECIDED
    return ("higher" if value > 0 else "lower") if verdict == DIFFERS else verdict


def with_verdicts(table: pd.DataFrame, margin: float = MARGIN) -> pd.DataFrame:
    """Add "margin", "p_differs", "p_equivalent" and "verdict" to lines with "value", "error" and "freedom"."""
    tests = [test_of(row.value, row.error, row.freedom, margin) for row in table.itertuples()]
    return table.assign(
        margin=margin,
        p_differs=[test.p_differs for test in tests],
        p_equivalent=[test.p_equivalent for test in tests],
        verdict=[test.verdict for test in tests],
    )
