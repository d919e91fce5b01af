"""What the page of the paper's two tables says of the rows in `results/grid`."""

from functools import cache

import pandas as pd

from companion.claims import claim, require
from companion.grid.plan import read_chapter
from companion.grid.store import Store
from companion.statistics import tables
from companion.statistics.configurations import configurations
from companion.statistics.readable import PROBE_METRICS, readable
from companion.statistics.untrained import against_untrained, below_untrained
from emargin.paths import home

CONVERGED = "converged_balanced_accuracy"
ORDER = ("spsw-har", "dsads", "sleepedf-features", "mitbih")


@cache
def store() -> Store:
    """Return the store of the results chapter."""
    return Store(home() / "results" / "grid")


@cache
def splits() -> dict[tuple[str, str, int], list]:
    """Return the planned cells by data set, protocol and fold."""
    found: dict = {}
    for cell in (cell for own in read_chapter(store()).values() for cell in own):
        if not (cell.surrogate or cell.split):
            found.setdefault((cell.dataset, cell.protocol, cell.fold), []).append(cell)
    return found


@cache
def places() -> pd.DataFrame:
    """Return eMargin's places on the first folds: a row a set and metric, columns by fidelity."""
    paper = pd.read_csv(home() / "results" / "paper" / "tables.csv")
    return pd.concat({name: tables.places_of_split(store(), splits()[name, "original", 1], paper) for name in ORDER})


def place(metric: str, fidelity: str) -> pd.DataFrame:
    """Return places of one metric: a row a set, columns "place" and "of"."""
    words = places().xs(metric, level=1)[fidelity].str.split(" of ", expand=True)
    return words.astype(int).set_axis(["place", "of"], axis=1)


@claim(
    "first in Davies-Bouldin on {davies_bouldin} of four sets, first or second in silhouette, and in the "
    "lower half in recall on {recall}."
)
def the_papers_pattern():
    scores = place("Davies-Bouldin ↓", "released"), place("Silhouette ↑", "released")
    require(len(scores[0]) == 4 and scores[1].place.max() <= 2, f"silhouette: {scores[1].place.to_dict()}")
    recall = place("Recall (macro) ↑", "released")
    words = {4: "all four", 3: "three", 2: "two"}
    first, lower = (scores[0].place == 1).sum(), (recall.place > (recall.of + 1) / 2).sum()
    return {"davies_bouldin": "four" if first == 4 else words[first], "recall": words[lower]}


@claim("The loss of the formulas (`original`, reading `anchor`) is first in Davies-Bouldin on none.")
def the_formulas_pattern():
    found = place("Davies-Bouldin ↓", "original")
    require(found.place.min() > 1, f"places {found.place.to_dict()}")


@cache
def below() -> pd.DataFrame:
    """Count, by split and probe, the trained configurations that read less than calibrated random weights."""
    trained = configurations(store().rows[store().rows.protocol == "original"])
    found = below_untrained(against_untrained(trained))
    names = trained.drop_duplicates("set").set_index("set")
    return found.assign(dataset=found["set"].map(names.dataset), fold=found["set"].map(names.fold))


@claim(
    "In the converged probe {low} to {high} % of the trained configurations of a split lie below "
    "calibrated random weights;"
)
def training_reads_less():
    share = 100 * below()[below().probe == CONVERGED].share
    return {"low": f"{share.min():.0f}", "high": f"{share.max():.0f}"}


def counted(probe: str, dataset: str) -> str:
    """Return how many configurations of a first fold read less."""
    own = below()[(below().probe == probe) & (below().dataset == dataset) & (below().fold == 1)]
    return f"{own.below.item()} of {own.of.item()}"


@claim("where the split informs, {body} on SP-SW-HAR and {sports} on Daily and Sports Activities;")
def where_it_informs():
    inform = readable(store(), PROBE_METRICS)
    own = inform[(inform.protocol == "original") & (inform.probe == CONVERGED) & inform.informs]
    require(set(own.dataset) == {"spsw-har", "dsads"}, f"{set(own.dataset)} inform")
    return {"body": counted(CONVERGED, "spsw-har"), "sports": counted(CONVERGED, "dsads")}


@claim("in the paper's probe {body} and {sports} there.")
def in_the_papers_probe():
    return {"body": counted("balanced_accuracy", "spsw-har"), "sports": counted("balanced_accuracy", "dsads")}


@claim("With k nearest neighbours it is more than half on every split.")
def neighbours():
    share = below()[below().probe == "knn_balanced_accuracy"].share
    require((share > 0.5).all(), f"the least is {share.min()}")
