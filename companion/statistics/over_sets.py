"""A statement over data sets: methods and data sets are both drawn, and below six sets there is no interval."""

import numpy as np
import pandas as pd

from companion.statistics.crossed import ends, moments
from emargin.errors import InputError

FEWEST_SETS = 6


def over_sets(table: pd.DataFrame) -> tuple[dict, pd.DataFrame]:
    """Estimate the mean of a tidy table with the columns "set", "method", "value", one line each of them.

    Returns what `crossed.estimate` does, with "methods" and "sets", and the sets one by one: "set", the mean "value"
    over methods, "least", "most", "above", how many methods are above zero, and "of". Below six sets the ends are NaN
    and "flaw" says so: the list is then what there is to say.
    The interval draws methods as `crossed` draws people, and sets as it draws seeds.
    Raises InputError where a method lacks a set or has it twice.
    """
    wide = table.pivot_table(index="method", columns="set", values="value", aggfunc="mean", dropna=False)
    if table.empty or table.duplicated(["method", "set"]).any() or wide.isna().to_numpy().any():
        raise InputError(
            "no table of methods and sets", found=f"{len(table)} values", wanted="one value for each method and set"
        )
    by_set = table.groupby("set").value
    singly = by_set.agg(value="mean", least="min", most="max", above=lambda of: int((of > 0).sum()), of="size")
    methods, sets = wide.shape
    result = {"value": float(wide.to_numpy().mean()), "error": np.nan, "freedom": np.nan, "low": np.nan, "high": np.nan}
    result |= {"methods": methods, "sets": sets, "flaw": ""}
    if sets < FEWEST_SETS or methods < 2:
        return result | {"flaw": f"{sets} sets, {methods} methods: listed one by one"}, singly.reset_index()
    _, error, freedom = (float(number) for number in moments(wide.to_numpy(), np.zeros(methods)))
    low, high = ends(result["value"], error, freedom)
    result |= {"error": error, "freedom": freedom, "low": float(low), "high": float(high)}
    return result, singly.reset_index()
