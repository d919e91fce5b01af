"""What the page on spirals in detail says of the rows in `results/grid` and `results/repairs`."""

from functools import cache

import pandas as pd
from scipy.stats import spearmanr

from companion.claims import claim, require, signed
from companion.claims.spirals import LINES, by_set, emargin, gaps, runs, two_sets_are_not
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.spirals import GOOD, good_without_a_line
from companion.statistics.curves import thick_cuts, thickness_of_rank
from emargin.paths import home

SLEEP = "sleepedf-features"


def chosen(dataset: str, method: str, fidelity: str) -> pd.DataFrame:
    """Return silhouette and rank of the good runs without a line of one method, by falling silhouette."""
    found = good_without_a_line(runs())
    found = found[(found.dataset == dataset) & (found.method == method) & (found.fidelity == fidelity)]
    return found.sort_values("silhouette")


def two(found: pd.DataFrame) -> dict[str, str]:
    """Return silhouettes and ranks of two runs as the page prints them."""
    require(len(found) == 2, f"there are {len(found)}")
    (low, first), (high, second) = found[["silhouette", "participation_ratio"]].to_numpy()
    return {"low": f"{low:.2f}", "high": f"{high:.2f}", "first": f"{first:.1f}", "second": f"{second:.1f}"}


@claim("| **yes, on two sets of four** |\n| silhouette and NMI rise together")
def good_scores_without_a_line():
    there = set(good_without_a_line(runs()).dataset)
    require(there == set(LINES), f"they are on {there}")


@claim("the scores say something about classes | no |")
def no_set_has_silhouette_and_nmi_rise_together():
    require(by_set()["ρ with NMI"].max() < 0.5, f"the correlations are {by_set()['ρ with NMI'].to_dict()}")


@claim("MIT-BIH and the features of Sleep-EDF; **yes on the two sets of activities** |")
def the_line_is_all_on_two_sets():
    require((gaps()[LINES] < 0.1).all() and (emargin().agreement[LINES] > 0.8).all(), f"gaps are {gaps().to_dict()}")
    two_sets_are_not.values()


@claim(
    "InfoNCE, `original`, has silhouettes of {low} and {high} at effective ranks of {first} and {second}, in two seeds;"
)
def infonce_on_sleep():
    return two(chosen(SLEEP, "infonce", "original"))


@claim("SimMTM, `released`, has {low} and {high} at {first} and {second}, in two (its third has {third} at {rank}).")
def simmtm_on_sleep():
    every = runs()
    every = every[(every.dataset == SLEEP) & (every.method == "simmtm") & (every.fidelity == "released")]
    (third,) = every[every.silhouette < GOOD].itertuples()
    own = {"third": f"{third.silhouette:.2f}", "rank": f"{third.participation_ratio:.1f}"}
    return two(chosen(SLEEP, "simmtm", "released")) | own


@claim("On MIT-BIH SimMTM has {low} to {high} at {least} to {most}, in all three.")
def simmtm_on_ecg():
    found = chosen("mitbih", "simmtm", "released")
    require(len(found) == 3, f"in {len(found)} seeds")
    silhouette, rank = found.silhouette, found.participation_ratio
    ends = {"low": f"{silhouette.min():.2f}", "high": f"{silhouette.max():.2f}"}
    return ends | {"least": f"{rank.min():.1f}", "most": f"{rank.max():.1f}"}


@claim("CoST, `original`, has {silhouette} at {rank} there, in one.")
def cost_on_ecg():
    (one,) = chosen("mitbih", "cost", "original").itertuples()
    return {"silhouette": f"{one.silhouette:.2f}", "rank": f"{one.participation_ratio:.1f}"}


@claim("penalty on lost directions has silhouettes of at least 0.85 at a rank above 3.")
def repairs():
    planned = read_grid(home() / "workflow" / "repairs.json")
    found = good_without_a_line(Store(home() / "results" / "repairs").scores(planned))
    require(set(found.dataset) == {SLEEP}, f"they are on {set(found.dataset)}")
    methods = set(found.method)
    require(methods == {"infonce", "cosine-margin", "emargin-vicreg"}, f"they are of {methods}")
    penalised = found[found.method == "emargin-vicreg"].silhouette.min()
    require(penalised > 0.85, f"the penalised loss has {penalised}")


@claim("has {silhouette} at a rank of {rank} in one seed, and silhouette and NMI go against each other ({rho}).")
def second_fold():
    (one,) = good_without_a_line(runs(2)).itertuples()
    require((one.method, one.fidelity) == ("infonce", "original"), f"it is {one.method} {one.fidelity}")
    rho = spearmanr(runs(2).silhouette, runs(2).nmi).statistic
    require(rho < 0, f"their correlation is {rho}")
    return {"silhouette": f"{one.silhouette:.2f}", "rank": f"{one.participation_ratio:.1f}", "rho": signed(rho)}


@cache
def ecg() -> pd.DataFrame:
    """Return the runs of the figure."""
    methods = ["random", "random-calibrated", "infonce", "emargin"]
    return runs()[(runs().dataset == "mitbih") & runs().method.isin(methods)]


@claim("The {good} of these {all} runs with a silhouette of 0.5 or more have ranks of")
def number_of_good_runs_on_ecg():
    return {"good": str((ecg().silhouette >= GOOD).sum()), "all": str(len(ecg()))}


@claim("have ranks of {least} to {most}, and any NMI from {low} to {high}.")
def good_runs_on_ecg():
    found = ecg()[ecg().silhouette >= GOOD]
    rank, nmi = found.participation_ratio, found.nmi
    ends = {"least": rank.min(), "most": rank.max(), "low": nmi.min(), "high": nmi.max()}
    return {name: f"{end:.2f}" for name, end in ends.items()}


@claim("At ranks below 1.5 the silhouette ranges from {low} to {high}.")
def thin_runs_on_ecg():
    thin = ecg()[ecg().participation_ratio < 1.5].silhouette
    return {"low": f"{thin.min():.2f}", "high": f"{thin.max():.2f}"}


@claim("thick line of rank 1.2 would have {silhouette}; these lines are neither.")
def an_even_line():
    return {"silhouette": f"{thick_cuts(4, thickness_of_rank(1.2))['silhouette']:.2f}"}


@claim("The reading with the highest silhouette of all, `pair`, has the lowest NMI too.")
def pair_has_both_ends():
    best, least = (ecg().reading[place] for place in (ecg().silhouette.idxmax(), ecg().nmi.idxmin()))
    require(best == least == "pair", f"the highest silhouette is of {best}, the lowest NMI of {least}")
