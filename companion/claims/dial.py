"""What the page on the dial says of the rows in `results/dial`."""

import json
from functools import cache

import numpy as np
import pandas as pd

from companion import dial
from companion.claims import claim, ends, printed, require
from companion.dial import EMARGIN, RAISED, SMALLEST, UNTRAINED, WITH_CONTEXT
from companion.grid.plan import read_grid
from companion.grid.store import Store
from emargin.paths import home

SLEEP, BODY = "sleepedf-features", "spsw-har"


@cache
def store() -> Store:
    """Return the store of the dial."""
    return Store(home() / "results" / "dial")


@cache
def everything() -> pd.DataFrame:
    """Return all of them, of every encoder and set."""
    return dial.read(store())


@cache
def rows() -> pd.DataFrame:
    """Return the rows, a line a setting, score and cell, with the level of chance."""
    return dial.where_read(everything())


def values(score: str, turned: str, factor: float, line: str = UNTRAINED) -> pd.Series:
    """Return a score of one encoder at one setting, by data set and seed."""
    return dial.values(rows(), score, turned, factor).loc[line]


def mean(*setting) -> pd.Series:
    """Return the same, its mean over seeds."""
    return values(*setting).groupby("dataset").mean()


@claim("Recordings of two sets, one split each ({body} and {sleep} people tested), three seeds")
def what_was_run():
    found = rows().groupby(["dataset", "line"]).seed.nunique()
    require(set(found.index.get_level_values("dataset")) == {SLEEP, BODY}, f"the rows have {found.index.levels[0]}")
    require(set(found) == {3}, f"there are lines of {set(found)} seeds")
    cards = json.loads((home() / "results" / "data" / "cards.json").read_text())
    people = {name: str(cards[name]["split"]["test"]["people"]) for name in (BODY, SLEEP)}
    return {"body": people[BODY], "sleep": people[SLEEP]}


@claim("the silhouette rises by {rise} or more, and the paper's probe ends within {near} of chance.")
def in_each_seed():
    rise = values("silhouette", "beside", SMALLEST) - values("silhouette", "beside", 1)
    above = values("probe", "beside", SMALLEST) - rows().groupby("dataset").chance.first()
    require(above.abs().max() < 0.02, f"the probe ends at {above.abs().max()} from chance")
    return {
        "rise": f"{np.floor(100 * rise.min()) / 100:.2f}",
        "near": f"{np.ceil(1000 * above.abs().max()) / 1000:.3f}",
    }


@claim("a logistic regression run to its optimum reads as much as before, and so does the paper's own probe")
def nothing_is_lost():
    optimum = mean("certified", "beside", SMALLEST) - mean("certified", "beside", 1)
    whitened = mean("whitened", "beside", SMALLEST) - mean("whitened", "beside", 1)
    require((optimum > 0).all(), f"the optimum changes by {optimum.to_dict()}")
    require((whitened.abs() < 0.01).all(), f"whitened, it changes by {whitened.to_dict()}")


@claim("K-means, silhouette and Davies-Bouldin know no scale, so their values are the same.")
def scores_see_shape():
    for score in ("silhouette", "davies_bouldin"):
        off = (mean(score, "beside", 1 / 16) - mean(score, "along", 16)).abs()
        require((off < 1e-3).all(), f"{score} differs by {off.to_dict()}")


@claim(
    "On whitened features, where the penalty\nsees no sizes, no such encoder changes by more than 0.01 on either set."
)
def whitening_undoes_the_dial():
    for line in rows().line.unique():
        change = mean("whitened", "beside", SMALLEST, line) - mean("whitened", "beside", 1, line)
        require((change.abs() <= 0.0105).all(), f"{line} changes by {change.to_dict()}")


@claim("**NMI** does not rise: it falls while the scores rise.")
def nmi_falls():
    change = mean("nmi", "beside", SMALLEST) - mean("nmi", "beside", 1)
    require((change < -0.1).all(), f"NMI changes by {change.to_dict()}")


@claim("where it costs the paper's probe {stretched}; shrinking costs it {shrunk}.")
def stretching_costs_less():
    before = mean("probe", "beside", 1)[SLEEP]
    return {
        "stretched": f"{before - mean('probe', 'along', 16)[SLEEP]:.2f}",
        "shrunk": f"{before - mean('probe', 'beside', SMALLEST)[SLEEP]:.1f}",
    }


@claim("takes the paper's probe from {low} to {high} up to")
def emargin_as_it_is():
    each = values("probe", "beside", 1, EMARGIN)[SLEEP]
    return ends(each)


@claim("up to {low} to {high}, in every seed;")
def emargin_whitened():
    each = values("whitened", "beside", 1, EMARGIN)[SLEEP]
    return ends(each)


@claim("the untrained encoder, whitened, has {low} to {high}. So")
def untrained_whitened():
    each = values("whitened", "beside", 1)[SLEEP]
    return ends(each)


@claim("the probe at its optimum loses {loss}: its penalty is fixed")
def the_optimum_of_emargin():
    change = dial.change(rows(), "certified")
    require(change[EMARGIN, SLEEP] < -0.05, "it hardly falls")
    require(change.idxmin() == (EMARGIN, SLEEP), f"the largest loss is that of {change.idxmin()}")
    return {"loss": f"{-change[EMARGIN, SLEEP]:.2f}"}


def raised() -> pd.Series:
    """Return what raising adds to the paper's probe of the released eMargin, by data set and seed."""
    return values("probe", "beside", RAISED, EMARGIN) - values("probe", "beside", 1, EMARGIN)


@claim("gains {low} to {high} in the paper's probe in each seed on SP-SW-HAR")
def raised_on_the_body():
    return ends(raised()[BODY])


@claim("it gains {first} in the first seed and at most {most} in the other two")
def raised_on_sleep():
    first, *others = raised()[SLEEP].sort_index()
    require(len(others) == 2 and first > 0.1, f"the gains are {raised()[SLEEP].to_dict()}")
    return {"first": f"{first:.2f}", "most": f"{max(others):.2f}"}


@cache
def reached() -> pd.DataFrame:
    """Return where half is lost, beside the bound."""
    return dial.reached(rows(), store().rows)


@claim("The bound holds, and it is loose: half is lost at {low} to {high} times its c.")
def the_bound():
    require(reached().times.min() > 1, f"half is lost at {reached().times.min()} times the bound")
    return {"low": f"{reached().times.min():.0f}", "high": f"{reached().times.max():.0f}"}


@claim("Four times the epochs move the point by less than four")
def longer():
    require(reached().later.max() < 4, f"they move it by up to {reached().later.max()}")


@claim("With TNC and TS2Vec the paper's probe stays above chance down to 1/64 ({body} on SP-SW-HAR, {sleep} on")
def others_stay_above():
    left = dial.values(rows(), "probe", "beside", SMALLEST).groupby(["dataset", "line"]).mean()
    above = left - rows().groupby("dataset").chance.first()
    kept = set(above[above > 0.05].index)
    named = [(dataset, line) for dataset in (BODY, SLEEP) for line in ("TNC, original", "TS2Vec, original")]
    require(kept == set(named), f"those above chance are {kept}")
    body, sleep = (" and ".join(f"{left[one]:.2f}" for one in named if one[0] == dataset) for dataset in (BODY, SLEEP))
    return {"body": body, "sleep": sleep}


@claim("better and better clustering scores, and a linear probe that falls to chance.")
def better_and_better():
    for score, better in (("silhouette", 1), ("davies_bouldin", -1)):
        along_c = pd.DataFrame({power: mean(score, "beside", 2.0**-power) for power in range(7)})
        steps = better * along_c.diff(axis=1).iloc[:, 1:]
        require((steps > 0).all(axis=None), f"{score} is not better at each step: {steps.to_dict()}")
    require((mean("silhouette", "beside", SMALLEST) > 0.6).all(), "the silhouette ends below 0.6")


@claim("Daily and Sports Activities and MIT-BIH's rhythms are in `workflow/dial.json`, and have not been run.")
def not_run():
    planned = {cell.dataset for cell in read_grid(home() / "workflow" / "dial.json")}
    missing = planned - set(everything().dataset)
    require(missing == {"dsads", "mitbih"}, f"missing are {missing}")


def context(score: str, factor: float, line: str = WITH_CONTEXT) -> pd.Series:
    """Return a score on the encoder with context at one size of the other directions, by data set and seed."""
    return dial.values(everything(), score, "beside", factor).loc[line]


@claim(
    "The silhouette rises in each seed, from {low} to {high} up to {least} to {most}; the probe at its optimum loses "
    "at most {optimum}, and that on whitened features at most {whitened}."
)
def scores_with_context():
    before, after = context("silhouette", 1), context("silhouette", SMALLEST)
    require((after > before).all() and len(after) == 6, f"it goes from {before.to_dict()} to {after.to_dict()}")
    lost = {score: (context(score, 1) - context(score, SMALLEST)).max() for score in ("certified", "whitened")}
    return (
        ends(before)
        | printed(least=after.min(), most=after.max())
        | printed(optimum=lost["certified"], whitened=lost["whitened"])
    )


@claim(
    "The paper's probe falls from {first} to {last} on SP-SW-HAR and from {first_sleep} to {last_sleep} on the "
    "features of Sleep-EDF, and does not reach chance in any seed"
)
def probe_with_context():
    before, after = (context("probe", factor).groupby("dataset") for factor in (1, SMALLEST))
    chance = rows().groupby("dataset").chance.first()
    require((after.min() > chance + 0.02).all(), f"it ends at {after.min().to_dict()}")
    first, last = before.mean(), after.mean()
    return printed(first=first[BODY], last=last[BODY], first_sleep=first[SLEEP], last_sleep=last[SLEEP])


@claim(
    "the silhouette from {first} to {last} and from {first_sleep} to {last_sleep}, the paper's probe from {probe} to "
    "{left} and from {probe_sleep} to {left_sleep}."
)
def ts2vec_with_context():
    line, found = "TS2Vec, original, encoder context", {}
    for score, names in (("silhouette", ("first", "last")), ("probe", ("probe", "left"))):
        for name, factor in zip(names, (1, SMALLEST), strict=True):
            mean = context(score, factor, line).groupby("dataset").mean()
            found |= {name: mean[BODY], f"{name}_sleep": mean[SLEEP]}
    require(found["last"] > found["first"] + 0.3, f"the silhouette goes to {found['last']}")
    return printed(**found)
