"""What the page on clustering says of recordings, from `results/grid`, and of the paper's Table 1."""

from functools import cache

import pandas as pd

from companion.claims import claim, require
from companion.grid.store import Store
from companion.statistics.tables import SET_TITLES
from emargin.paths import home

EMARGIN, LOWER = "InfoNCE + eMargin", {"davies_bouldin": True, "silhouette": False}  # lower is better
NUMBERS = {0: "none", 1: "one", 2: "two", 3: "three", 4: "all four"}


@cache
def rows() -> pd.DataFrame:
    """Return the rows of fidelity `released` on recordings, protocol `original`, first split."""
    table = Store(home() / "results" / "grid").rows
    chosen = (table.protocol == "original") & (table.fold == 1) & (table.fidelity == "released")
    return table[chosen & ((table.method != "emargin") | (table.labels == "released")) & table.dataset.isin(SET_TITLES)]


def values(method: str, metric: str) -> pd.Series:
    """Return the values of a method by data set and seed; three seeds each of four sets."""
    own = rows()[(rows().method == method) & (rows().metric == metric)]
    found = own.set_index(["dataset", "seed"]).value
    seeds = found.groupby("dataset").size()
    require(list(seeds) == [3] * 4, f"{method} has these seeds: {seeds.to_dict()}")
    return found


def firsts(metric: str) -> int:
    """Return on how many recorded sets eMargin's mean over seeds is the best of all methods."""
    own = rows()[rows().metric == metric]
    table = own.groupby(["dataset", "method"]).value.mean().unstack()
    best = table.idxmin(axis=1) if LOWER[metric] else table.idxmax(axis=1)
    return int((best == "emargin").sum())


@cache
def paper(metric: str) -> pd.DataFrame:
    """Return the paper's Table 1, methods by data set."""
    table = pd.read_csv(home() / "results" / "paper" / "tables.csv").query("table == 1")
    return table[table.metric == metric].pivot(index="method", columns="dataset", values="mean")


@claim("lowest Davies-Bouldin index on {dbi} and the highest silhouette on {silhouette}, at an effective rank")
def places_on_recordings():
    return {"dbi": NUMBERS[firsts("davies_bouldin")], "silhouette": NUMBERS[firsts("silhouette")]}


@claim("at an effective rank of {low} to {high}; the calibrated random encoder has {least} to {most}.")
def rank_on_recordings():
    own, random = values("emargin", "participation_ratio"), values("random-calibrated", "participation_ratio")
    ends = {"low": own.min(), "high": own.max(), "least": random.min(), "most": random.max()}
    return {name: f"{value:.1f}" for name, value in ends.items()}


@claim("on {sets} of the four eMargin's NMI is above InfoNCE's.")
def nmi_on_recordings():
    own, other = values("emargin", "nmi").groupby("dataset"), values("infonce", "nmi").groupby("dataset")
    above = own.min() > other.max()
    below = own.max() < other.min()
    require((above | below).all(), f"seeds overlap on {list(above[~above & ~below].index)}")
    return {"sets": NUMBERS[int(above.sum())]}


@claim("eMargin leads in {columns} of six columns,")
def places_in_the_paper():
    leads = 0
    for metric, lower in LOWER.items():
        table = paper(metric)
        best = table.idxmin() if lower else table.idxmax()
        leads += int((best == EMARGIN).sum())
    return {"columns": {4: "four", 5: "five", 6: "six"}[leads]}


@claim("a Davies-Bouldin index of {sleepeeg} on SleepEEG and {ecg} on ECG, where a line has 0.50;")
def near_the_line():
    own = paper("davies_bouldin").loc[EMARGIN]
    return {name: f"{own[name]:.2f}" for name in ("sleepeeg", "ecg")}


@claim("on HARTH it has {harth}, and SimMTM and TNC have a higher silhouette.")
def on_harth():
    silhouettes = paper("silhouette").harth
    above = set(silhouettes.index[silhouettes > silhouettes[EMARGIN]])
    require(above == {"SimMTM", "TNC"}, f"above it are {above}")
    return {"harth": f"{paper('davies_bouldin').harth[EMARGIN]:.2f}"}
