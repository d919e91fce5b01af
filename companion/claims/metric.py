"""What the page "Is it the law or the metric?" says of the rows in `results/measures` and `results/core`."""

from functools import cache

import pandas as pd

from companion.claims import claim, interval, require
from companion.grid.store import Store
from companion.statistics import encoders, metric
from emargin.paths import home

BODY, SLEEP = "spsw-har", "sleepedf-features"
UNTRAINED, TS2VEC = "Random, calibrated", "TS2Vec, original"


@cache
def measured() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows and likeness under protocol original."""
    return tuple(table[table.protocol == "original"] for table in metric.read(home() / "results" / "measures"))


@cache
def advantages(score: str) -> pd.DataFrame:
    """Return eMargin less InfoNCE, a line a set and way of clustering."""
    return metric.advantages(measured()[0], score).set_index(["dataset", "way"])


def ended(one, sign: bool = True) -> str:
    """Return a difference with both ends of its interval, as the page prints them."""
    told = interval(one.value, one.low, one.high)
    return told if sign else told.replace("+", "")


@claim("its silhouette is above that of the released InfoNCE by {body} and {sleep}. On whitened")
def lead_as_in_the_paper():
    body, sleep = (advantages("silhouette").loc[name, "K-means, as in the paper"] for name in (BODY, SLEEP))
    require(min(body.low, sleep.low) > 0, f"the leads are {ended(body)} and {ended(sleep)}")
    return {"body": ended(body, sign=False), "sleep": ended(sleep, sign=False)}


@claim("the difference on SP-SW-HAR is {body}, which decides nothing; on the features of Sleep-EDF {sleep} are left.")
def lead_whitened():
    body, sleep = (advantages("silhouette").loc[name, "whitened"] for name in (BODY, SLEEP))
    require(body.low < 0 < body.high and sleep.low > 0, f"whitened, {ended(body)} and {ended(sleep)}")
    return {"body": ended(body), "sleep": ended(sleep)}


@claim("It is kept there, though eMargin's clusters agree no better with the classes.")
def whitened_clusters_are_not_the_classes():
    one = advantages("nmi").loc[SLEEP, "whitened"]
    require(one.low < 0 < one.high, f"in NMI it is {ended(one)}")


@claim("in eMargin clusters that agree with the classes by {nmi} more.")
def agreement_leads_once():
    table = advantages("nmi")
    led = list(table[table.low > 0].index)
    require(led == [(SLEEP, "HDBSCAN")] and len(table) == 16, f"eMargin leads in NMI by {led} of {len(table)}")
    one = table.loc[led[0]]
    require(one.second < 0.05, f"HDBSCAN's clusters of InfoNCE have an NMI of {one.second:.2f}")
    return {"nmi": f"{one.value:.2f}"}


@claim("In no embedding of the core, and on no features, is it above 0.1.")
def classes_are_no_clusters():
    rows = measured()[0]
    means = rows[rows.measure == "classes"].pivot_table("value", ["dataset", "line"], "features")
    require(means.max(axis=None) < 0.1, f"the highest silhouette of the classes is {means.max(axis=None):.2f}")


@claim("On both sets a high rank goes along with every probe, and most with the paper's,")
def rank_goes_along():
    scored, found = Store(home() / "results" / "core").rows, {}
    for name in ("balanced_accuracy", "chosen_balanced_accuracy", "knn_balanced_accuracy"):
        table = metric.spectra(measured()[0], scored[scored.metric == name].set_index("digest").value)
        found[name] = table.set_index(["dataset", "spectrum"]).xs("participation_ratio", level="spectrum")
        require(set(found[name].index) == {BODY, SLEEP}, f"the sets are {set(found[name].index)}")
        require((found[name].low > 0).all(), f"of {name} an interval holds zero")
    papers, chosen, _ = (each.value for each in found.values())
    require((papers > chosen).all(), "the rank goes along more with the chosen penalty")


def likeness(dataset: str) -> pd.DataFrame:
    """Return the likeness of four lines on one set."""
    pairs = measured()[1]
    return metric.alike(pairs[pairs.dataset == dataset], [UNTRAINED, metric.INFONCE, metric.EMARGIN, TS2VEC])


@claim("On SP-SW-HAR these are more alike, {least} to {most}, than the released eMargin and InfoNCE, {apart}. On the")
def seeds_are_more_alike_than_losses():
    table = likeness(BODY)
    own = [table.loc[line, line] for line in (UNTRAINED, metric.INFONCE, metric.EMARGIN)]
    apart = table.loc[metric.EMARGIN, metric.INFONCE]
    require(min(own) > apart, f"two seeds {own}, two losses {apart}")
    return {"least": f"{min(own):.2f}", "most": f"{max(own):.2f}", "apart": f"{apart:.2f}"}


@claim("the two have {apart}, while InfoNCE and the untrained encoder have {near}. So")
def likeness_on_sleep():
    table = likeness(SLEEP)
    apart, near = table.loc[metric.EMARGIN, metric.INFONCE], table.loc[UNTRAINED, metric.INFONCE]
    require(apart < near, f"{apart} and {near}")
    return {"apart": f"{apart:.2f}", "near": f"{near:.2f}"}


@claim("most in that of the released InfoNCE on SP-SW-HAR, {infonce}; the released eMargin has {emargin} there.")
def people_are_recognised():
    table = metric.leakage(measured()[0]).set_index(["dataset", "line"]).leakage
    require(table.min() > 0.05, f"least: {table.idxmin()}, {table.min():.2f}")
    require(table.idxmax() == (BODY, metric.INFONCE), f"most: {table.idxmax()}")
    return {"infonce": f"{table[BODY, metric.INFONCE]:.2f}", "emargin": f"{table[BODY, metric.EMARGIN]:.2f}"}


@claim("has been trained on all of them, it is {infonce} and {emargin}, one fold and one seed: no large step.")
def people_under_the_released_protocol():
    table = metric.leakage(metric.read(home() / "results" / "measures")[0])
    own = table[(table.protocol == "released") & (table.dataset == BODY)].set_index("line")
    require((own.cells == 1).all(), f"cells: {own.cells.tolist()}")
    return {"infonce": f"{own.leakage[metric.INFONCE]:.2f}", "emargin": f"{own.leakage[metric.EMARGIN]:.2f}"}


@claim(
    "there the released eMargin, of rank {low}, is read better than the released InfoNCE, of rank {high}, on SP-SW-HAR"
)
def rank_fails_with_context():
    cells = encoders.lines(Store(home() / "results" / "encoders"))
    cells = cells[(cells.encoder == encoders.CONTEXT) & (cells.dataset == BODY)]
    means = cells.groupby("line")[["participation_ratio", encoders.PROBE]].mean()
    rank, read = means.participation_ratio, means[encoders.PROBE]
    require(read[metric.EMARGIN] > read[metric.INFONCE], f"{read.to_dict()}")
    return {"low": f"{rank[metric.EMARGIN]:.1f}", "high": f"{rank[metric.INFONCE]:.1f}"}
