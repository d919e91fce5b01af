"""What the page on the noise control says of the rows in `results/noise`, beside the paper's Table 1."""

from functools import cache

import pandas as pd

from companion.claims import claim, require
from companion.claims.spirals import of_the_paper
from companion.labels import label
from emargin.paths import home
from emargin.rows import read_rows

SCORES = ["davies_bouldin", "silhouette"]
PAIR = "eMargin, original, pair"


@cache
def runs() -> pd.DataFrame:
    """Return a line a run: data set in whose geometry the noise is, the line's name, and its scores."""
    rows = read_rows(home() / "results" / "noise" / "rows.csv")
    rows = rows.assign(set=rows.dataset.str.removesuffix("-noise"), name=[label(row) for row in rows.itertuples()])
    return rows.pivot_table(index=["set", "name", "seed"], columns="metric", values="value").reset_index()


@cache
def released() -> pd.DataFrame:
    """Return the released loss's means over seeds, by data set."""
    return runs()[runs().name == "eMargin, released"].groupby("set").mean(numeric_only=True)


@claim("within 0.15 of its Table 1, for HARTH and SleepEEG within 0.05.")
def noise_has_the_papers_scores():
    away = (released()[SCORES] - of_the_paper()[SCORES]).abs().max(axis=1)
    require(len(away) == 3 and away.max() < 0.15, f"the scores are {away.to_dict()} away")
    require(away[["harth", "sleepeeg"]].max() < 0.05, f"the scores are {away.to_dict()} away")


@claim("The clusters are compact, well separated and unrelated to the classes.")
def nothing_is_found():
    require(runs().nmi.max() < 0.01, f"an NMI is {runs().nmi.max()}")


@claim("The released loss ends with an effective rank below 1.5 and an NMI of zero with made-up classes.")
def the_released_loss_collapses():
    require(released().participation_ratio.max() < 1.5, f"the ranks are {released().participation_ratio.to_dict()}")
    require(released().nmi.max() < 0.005, f"the NMI is {released().nmi.to_dict()}")


@claim("the random encoders and the readings `anchor` and `all-pairs` have silhouettes of at most 0.05.")
def others_score_badly():
    others = runs()[~runs().name.isin(["eMargin, released", PAIR])].groupby("name").silhouette.max()
    require(len(others) == 6 and others.max() < 0.05, f"the silhouettes are {others.to_dict()}")


@claim("`pair` has high silhouettes, too; its embedding is one-dimensional as well.")
def pair_collapses():
    pair = runs()[runs().name == PAIR].groupby("set")[["silhouette", "participation_ratio"]].mean()
    require(pair.silhouette.min() > 0.7 and pair.participation_ratio.max() < 1.5, f"it has {pair.to_dict()}")
