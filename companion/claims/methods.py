"""What the page on the methods says of the rows of its simulator, and of the paper's tables."""

from functools import cache

import pandas as pd

from companion.claims import claim, ends, require
from companion.committed import results
from emargin.rows import read_rows

RIVALS = ("cpc", "tnc", "infots", "cost", "simmtm", "ts2vec", "softclt", "mfclr")
CONTROL = "random-calibrated released"


@cache
def rows(folder: str = "harth-sim") -> pd.DataFrame:
    """Return the rows of a folder with the name of each line: method, fidelity and reading."""
    found = read_rows(results() / folder / "rows.csv")
    return found.assign(line=(found.method + " " + found.fidelity + " " + found.reading.fillna("")).str.strip())


@cache
def means(metric: str, folder: str = "harth-sim") -> pd.Series:
    """Return a metric's mean over seeds by line."""
    found = rows(folder)
    return found[found.metric == metric].groupby("line").value.mean()


def probe() -> pd.Series:
    """Return the converged probe's balanced accuracy by line."""
    return means("converged_balanced_accuracy")


def gain() -> pd.Series:
    """Return it less the control's."""
    return probe() - probe()[CONTROL]


@claim("InfoNCE without the margin and CPC have no row there, and *Random, calibrated* is a control of this book.")
def rows_of_the_paper():
    paper = pd.read_csv(results() / "paper" / "tables.csv")
    counts = paper.groupby("table").method.nunique().to_dict()
    require(counts == {1: 9, 2: 10}, f"the tables have {counts} rows")
    require(not paper.method.isin(["InfoNCE", "CPC", "Random, calibrated"]).any(), "one of them has a row")


@claim("the calibrated random encoder's converged probe was to lie between 50 and 85 %")
def task():
    require(0.5 < probe()[CONTROL] < 0.85, f"it lies at {probe()[CONTROL]:.2f}")


@claim("end above the control by {low} to {high}, far outside the spread of seeds")
def rivals_learn():
    each = rows()[rows().metric == "converged_balanced_accuracy"].groupby("line").value
    names = [f"{name} original" for name in RIVALS if name != "cost"]
    require(each.min()[names].min() > each.max()[CONTROL], "a rival has a seed that is not above the control's")
    return ends(gain()[names])


@claim("CoST, scored on the trend and the season that it makes of a frame, ends {gain} above it, which three seeds")
def cost_is_near_the_control():
    each = rows()[rows().metric == "converged_balanced_accuracy"].groupby("line").value
    require(each.min()["cost original"] < each.max()[CONTROL], "each seed of CoST is above those of the control")
    return {"gain": f"{gain()['cost original']:.2f}"}


@claim("So does InfoNCE,\n   the simplest of all: by {gain}, more than all but MF-CLR.")
def infonce_learns():
    beyond = [name for name in RIVALS if probe()[f"{name} original"] > probe()["infonce original"]]
    require(beyond == ["mfclr"], f"above InfoNCE lie {beyond}")
    return {"gain": f"{gain()['infonce original']:.2f}"}


@claim("takes the balanced accuracy of a random encoder from {random} to {path}; training lifts it to {trained}. In")
def timedrl_starts_lower():
    path = means("converged_balanced_accuracy", "timedrl-path")["timedrl original"]
    return {"random": f"{probe()[CONTROL]:.2f}", "path": f"{path:.2f}", "trained": f"{probe()['timedrl original']:.2f}"}


@claim("which evaluates raw frames instead, training adds {added}.")
def timedrl_released():
    path = means("converged_balanced_accuracy", "timedrl-path")["timedrl released"]
    return {"added": f"{probe()['timedrl released'] - path:.2f}"}


@claim("In `original` they gain {cost} and {mfclr}.")
def two_rows_are_the_control():
    released = gain()[["cost released", "mfclr released"]]
    require(released.max() < 0.02, f"they gain {released.to_dict()}")
    return {name: f"{gain()[f'{name} original']:.2f}" for name in ("cost", "mfclr")}


@claim("SimMTM, TS2Vec, SoftCLT and InfoNCE score a little higher than in `original`, by {low} to {high}; TimeDRL")
def released_is_not_always_worse():
    require(probe().idxmax() == "infots released", f"the highest score is that of {probe().idxmax()}")
    names = ("simmtm", "ts2vec", "softclt", "infonce")
    return ends(probe()[f"{name} released"] - probe()[f"{name} original"] for name in names)


@claim("and gains {gain} in the third.")
def readings_of_emargin():
    anchor, pair, third = (gain()[f"emargin original {reading}"] for reading in ("anchor", "pair", "all-pairs"))
    require(max(anchor, pair) < 0, f"anchor gains {anchor:.2f}, pair {pair:.2f}")
    return {"gain": f"{third:.2f}"}


@claim("In `released` it scores like InfoNCE, with an effective rank of {emargin} instead of {infonce}.")
def released_emargin():
    apart = probe()["emargin released"] - probe()["infonce released"]
    require(abs(apart) < 0.05, f"the scores are {apart:+.2f} apart")
    return {name: f"{means('participation_ratio')[f'{name} released']:.1f}" for name in ("emargin", "infonce")}


@claim(
    "Its silhouette is higher than that of InfoNCE in each of these cases but the anchor's, which is about the same."
)
def silhouettes_of_emargin():
    silhouette = means("silhouette")
    off = silhouette["emargin original anchor"] - silhouette["infonce original"]
    require(abs(off) < 0.02, f"the anchor's is {off:+.2f} off")
    for reading in ("pair", "all-pairs"):
        name = f"emargin original {reading}"
        require(silhouette[name] > silhouette["infonce original"], f"that of {name} is not higher")
    require(silhouette["emargin released"] > silhouette["infonce released"], "the released one is not higher")


@claim("SimMTM `released` has a rank below 1.5 and the second-highest silhouette")
def collapsed_simmtm():
    second, rank = means("silhouette").sort_values().index[-2], means("participation_ratio")["simmtm released"]
    require(second == "simmtm released" and rank < 1.5, f"second is {second}, and its rank {rank:.1f}")


@claim("`released` have ranks of {low} to {high} and silhouettes below 0.2.")
def collapsed_without_silhouette():
    names = ["tnc released", "infots released"]
    require(means("silhouette")[names].max() < 0.2, "one has a silhouette of 0.2 or more")
    ranks = means("participation_ratio")[names]
    return {"low": f"{ranks.min():.1f}", "high": f"{ranks.max():.1f}"}
