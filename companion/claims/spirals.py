"""What the page on spirals says of the rows in `results/grid`, first fold, protocol `original`."""

import math
from functools import cache

import pandas as pd

from companion.claims import claim, require, signed
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.spirals import SCORES, counted, good_without_a_line, kept_beside_lines
from companion.statistics.curves import rank_of_davies_bouldin, thick_cuts, thickness_of_rank
from companion.statistics.tables import SET_TITLES
from emargin.config import Experiment
from emargin.paths import home

EMARGIN = "eMargin, released"
LINES, CLOUDS = ["mitbih", "sleepedf-features"], ["spsw-har", "dsads"]  # what the released eMargin makes of the sets


@cache
def cells(fold: int = 1) -> list[Experiment]:
    """Return the cells of the grid."""
    planned = read_grid(home() / "workflow" / "grid.json")
    return [cell for cell in planned if (cell.protocol, cell.fold) == ("original", fold)]


@cache
def runs(fold: int = 1) -> pd.DataFrame:
    """Return their scores, a line a run."""
    return Store(home() / "results" / "grid").scores(cells(fold))


@cache
def kept() -> pd.DataFrame:
    """Return the scores of kept components beside those of their lines."""
    first = [cell for cell in cells() if cell.seed == 1]
    names = ["Random, calibrated", "InfoNCE, released", EMARGIN]
    return kept_beside_lines(Store(home() / "results" / "grid"), first, names)


def emargin() -> pd.DataFrame:
    """Return those of the released eMargin, by data set."""
    return kept().xs(EMARGIN, level="name")


def gaps() -> pd.Series:
    """Return by data set how far its scores are from those of its line: the larger of the two differences."""
    found = emargin()
    return pd.DataFrame({title: (found[title] - found[f"{title}, line"]).abs() for title in SCORES.values()}).max(
        axis=1
    )


@claim("on which the untrained encoder has a silhouette of {silhouette} on SP-SW-HAR.")
def untrained_on_the_whole_draw():
    own = runs()[(runs().dataset == "spsw-har") & (runs().method == "random-calibrated")].silhouette
    require(len(own) == 3, f"{len(own)} runs")
    return {"silhouette": f"{own.mean():.2f}"}


@claim("the released eMargin scores within {gap} of its line, with nearly the same clusters.")
def two_sets_are_lines():
    agreement = emargin().agreement[LINES]
    require((agreement > 0.9).all(), f"the agreement is {agreement.to_dict()}")
    gap = gaps()[LINES].max()
    require(gap < 0.1, f"its scores are {gap} away")
    return {"gap": f"{math.ceil(100 * gap) / 100:.2f}"}


@claim("On the two sets of activities its rank is {spsw} and {dsads}, and it does not.")
def two_sets_are_not():
    found = emargin()
    require((gaps()[CLOUDS] > 0.1).all() and (found.agreement[CLOUDS] < 0.8).all(), f"gaps are {gaps().to_dict()}")
    return {"spsw": f"{found['rank']['spsw-har']:.1f}", "dsads": f"{found['rank']['dsads']:.1f}"}


@claim("the untrained one too: a silhouette above 0.55 and Davies-Bouldin near ½ or below.")
def every_line_scores_well():
    silhouette, davies_bouldin = kept()["silhouette, line"], kept()["Davies-Bouldin, line"]
    require(silhouette.min() > 0.55 and davies_bouldin.max() < 0.55, f"{silhouette.min()}, {davies_bouldin.max()}")
    require(len(kept()) == 3 * len(SET_TITLES), f"{len(kept())} embeddings")


@claim("What sets eMargin apart is how little lies beside its line.")
def emargin_has_the_lowest_rank():
    lowest = kept()["rank"].groupby("dataset").idxmin().map(lambda place: place[1])
    require((lowest == EMARGIN).all(), f"the lowest rank is that of {lowest.to_dict()}")


@cache
def by_set() -> pd.DataFrame:
    """Return the counts and correlations of each set."""
    return pd.DataFrame({name: counted(runs()[runs().dataset == name]) for name in SET_TITLES}).T


@claim("($\\rho$ from {least} to {most} on the four sets), and does not follow NMI (from {low} to {high}).")
def silhouette_follows_the_rank():
    rank, nmi = by_set()["ρ with rank"], by_set()["ρ with NMI"]
    require(rank.max() < -0.65 and nmi.max() < 0.5, f"with the rank {rank.to_dict()}, with NMI {nmi.to_dict()}")
    ends = {"least": rank.min(), "most": rank.max(), "low": nmi.min(), "high": nmi.max()}
    return {name: signed(value) for name, value in ends.items()}


@claim("occur in {few} of {all} runs, on MIT-BIH and the features of Sleep-EDF, of SimMTM, InfoNCE and CoST.")
def a_line_is_not_the_only_way():
    found = good_without_a_line(runs())
    require(set(found.dataset) == set(LINES), f"they are on {set(found.dataset)}")
    require(set(found.method) == {"simmtm", "infonce", "cost"}, f"they are of {set(found.method)}")
    return {"few": str(len(found)), "all": str(len(runs()))}


@cache
def of_the_paper() -> pd.DataFrame:
    """Return both scores of the paper's eMargin, by data set."""
    table = pd.read_csv(home() / "book" / "_static" / "paper_tables.csv")
    chosen = table[(table.table == 1) & (table.method == "InfoNCE + eMargin")]
    return chosen.pivot(index="dataset", columns="metric", values="mean")


@claim("on HARTH would have a lower silhouette, {line}, than the paper's {theirs};")
def harth_is_above_its_line():
    harth = of_the_paper().loc["harth"]
    line = thick_cuts(12, thickness_of_rank(rank_of_davies_bouldin(12, harth.davies_bouldin)))["silhouette"]
    require(line < harth.silhouette, f"the line has {line}")
    return {"line": f"{line:.2f}", "theirs": f"{harth.silhouette:.2f}"}


@claim("on SleepEEG and ECG the paper's are above every evenly filled line.")
def two_sets_of_the_paper_are_above_every_even_line():
    theirs = of_the_paper().silhouette[["sleepeeg", "ecg"]]
    require(theirs.min() > 0.627, f"the paper has {theirs.to_dict()}")


@claim("on MIT-BIH ranks below 1.5 have silhouettes from {low} to {high}.")
def filling_decides_the_height():
    found = runs()
    thin = found[(found.dataset == "mitbih") & (found.participation_ratio < 1.5)].silhouette
    return {"low": f"{thin.min():.2f}", "high": f"{thin.max():.2f}"}
