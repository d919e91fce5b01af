"""What the page on the reference checks says of TS2Vec's accuracies: ours, the official code's and those published."""

import json
from functools import cache
from typing import Any

import pandas as pd
from scipy.stats import ttest_ind

from companion.audit import reference
from companion.claims import claim, require, signed, told
from companion.fetch.sources import SERIES
from emargin.paths import home

WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
FAR = "CricketX"  # the set that is not close


@cache
def kept() -> dict[str, Any]:
    """Return what the command wrote."""
    return json.loads((home() / "results" / "audit" / "reference.json").read_text(encoding="utf8"))


@cache
def table() -> pd.DataFrame:
    """Return ours beside what was published, a line a set."""
    return reference.against_published(kept()["rows"])


def accuracies(rows: list[dict[str, Any]], name: str = FAR) -> pd.Series:
    """Return the accuracies on a set, by seed."""
    return pd.DataFrame(rows).query("set == @name").set_index("seed").accuracy


@claim("comes within 0.03 of its published accuracy on {near} of {all} sets, the mean of {seeds} seeds.")
def close_sets():
    near, seeds = table().difference.abs() <= reference.CLOSE, sorted(set(table().seeds))
    require(not near[FAR], f"{FAR} is close, too")
    said = " or ".join(WORDS[seed] for seed in seeds)
    return {"near": WORDS[int(near.sum())], "all": WORDS[len(table())], "seeds": said}


@claim("On the sixth, CricketX, it is {lower} lower, and the authors' own code, run here, is {theirs} lower:")
def far_set():
    official = accuracies(kept()["official"]["rows"])
    theirs = reference.PUBLISHED["accuracy"][FAR] - official.mean()
    require(theirs > 0, f"the authors' code has {official.mean():.3f}")
    return {"lower": f"{-table().difference[FAR]:.3f}", "theirs": f"{theirs:.3f}"}


@claim("its own support vector machine reaches {theirs} there with {seeds}; ours has {low} to {high} over three seeds.")
def official_code():
    ours, theirs = accuracies(kept()["rows"]), accuracies(kept()["official"]["rows"])
    require(len(ours) == 3, f"{len(ours)} seeds of ours")
    published = reference.PUBLISHED["accuracy"][FAR]
    require(2 * (published - theirs.mean()) > published - ours.mean(), f"theirs has {theirs.mean():.3f}")
    span = f"{theirs.min():.3f}" if len(theirs) == 1 else f"{theirs.min():.3f} to {theirs.max():.3f}"
    seeds = f"seed {theirs.index[0]}" if len(theirs) == 1 else f"{WORDS[len(theirs)]} seeds"
    return {"theirs": span, "seeds": seeds, "low": f"{ours.min():.3f}", "high": f"{ours.max():.3f}"}


def less(name: str):
    """Return ours less theirs on a set: the difference of means and both ends of Welch's 95 % interval over seeds."""
    ours, theirs = (accuracies(rows, name) for rows in (kept()["rows"], kept()["official"]["rows"]))
    tested = ttest_ind(ours, theirs, equal_var=False)
    return {
        "value": ours.mean() - theirs.mean(),
        **dict(zip(("low", "high"), tested.confidence_interval(), strict=True)),
    }


@claim(
    "Whether ours is lower than theirs is not decided: {far} on CricketX and {near} on Adiac, by Welch's t over seeds."
)
def ours_less_theirs():
    found = {"far": less(FAR), "near": less("Adiac")}
    require(all(one["low"] < 0 < one["high"] for one in found.values()), f"{found}")
    return {name: told(one, 3) for name, one in found.items()}


@claim("The test side has {series} series: the standard error of one accuracy is {error}.")
def noise_of_the_test_side():
    share, (_, series) = reference.PUBLISHED["accuracy"][FAR], SERIES[FAR]
    return {"series": str(series), "error": f"{(share * (1 - share) / series) ** 0.5:.3f}"}


@claim("numbers are second-hand. The {all} differences have a mean of {mean}, and {below} are below zero.")
def all_differences():
    found = table().difference
    return {
        "all": WORDS[len(found)],
        "mean": signed(found.mean(), 3),
        "below": WORDS[int((found < 0).sum())],
    }


@claim("TNC has a column in the same table, from {low} on CricketX to {high} on SwedishLeaf.")
def published_of_tnc():
    found = pd.Series(reference.PUBLISHED["TNC"])
    require((found.idxmin(), found.idxmax()) == ("CricketX", "SwedishLeaf"), "other sets are the ends")
    return {"low": f"{found.min():.3f}", "high": f"{found.max():.3f}"}
