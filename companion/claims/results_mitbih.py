"""What the page on real ECG says of the rows in `results/grid`: protocol `original`, first fold."""

from functools import cache

import pandas as pd

from companion.claims import claim, require
from companion.grid.store import Store
from companion.zeros import most_alike, zeros_at_least
from emargin.paths import home

ECG, SPSW, PAIR = "mitbih", "spsw-har", "pair"
METHODS = ("random", "random-calibrated", "infonce", "emargin")
WORDS = {5: "five", 6: "six", 7: "seven"}
LINE = ["method", "fidelity", "reading", "labels"]


@cache
def store() -> Store:
    """Return the store of the grid."""
    return Store(home() / "results" / "grid")


@cache
def scores(dataset: str) -> pd.DataFrame:
    """Return the scores of the page's methods on one set, a line a run."""
    rows = store().rows
    rows = rows[(rows.dataset == dataset) & (rows.protocol == "original") & (rows.fold == 1) & (rows.surrogate == "")]
    rows = rows[rows.method.isin(METHODS)]
    wide = rows.pivot_table(index="digest", columns="metric", values="value")
    return wide.join(rows.drop_duplicates("digest").set_index("digest")[[*LINE, "seed"]])


def zeros(dataset: str) -> pd.Series:
    """Return the least shares of rows of zeros."""
    own = scores(dataset)
    return zeros_at_least(own.mean_cosine, own.uniformity)


def alike(name: str) -> float:
    """Return the share of the most frequent row in seed 1 of `pair` on the ECG, of the kept components or the map."""
    own = scores(ECG)
    (digest,) = own.index[(own.reading == PAIR) & (own.seed == 1)]
    return most_alike(store().arrays_of_cells((name,))[digest][name])


@cache
def means() -> pd.DataFrame:
    """Return the means over seeds, a row a line."""
    return scores(ECG).groupby(LINE).mean(numeric_only=True)


RELEASED, INFONCE = ("emargin", "released", "", "released"), ("infonce", "released", "", "")


@claim("On MIT-BIH Arrhythmia identical rows other than zeros would by themselves raise the mean cosine to {cosine}.")
def these_are_zeros():
    own = scores(ECG)
    share, cosine = alike("components"), own.mean_cosine[own.reading == PAIR].max()
    require(cosine < share**2 / 2, f"the mean cosine is {cosine}")
    return {"cosine": f"{share**2:.1f}"}


@claim("in each seed more than half of the draw is embedded as zeros, in seed 1 about {ten} frames in ten.")
def pair_embeds_zeros():
    least = zeros(ECG)[scores(ECG).reading == PAIR]
    require((least > 0.5).all(), f"the bounds are {least.tolist()}")
    require((zeros(ECG)[scores(ECG).reading != PAIR] < 0.01).all(), "other encoders do, too")
    shares = {round(10 * alike(name)) for name in ("components", "map")}
    require(len(shares) == 1, f"shares are {shares}")
    return {"ten": WORDS[shares.pop()]}


@claim("On SP-SW-HAR the same reading embeds about a third of the frames as zeros.")
def pair_on_the_body():
    least = zeros(SPSW)[scores(SPSW).reading == PAIR]
    require(least.between(0.28, 0.46).all(), f"the bounds are {least.tolist()}")


@claim("the released eMargin has the lowest Davies-Bouldin score\nand a silhouette above 0.8")
def the_papers_pattern():
    own = means()
    require(own.silhouette[RELEASED] > 0.8, f"its silhouette is {own.silhouette[RELEASED]}")
    require(own.davies_bouldin.idxmin() == RELEASED, f"the lowest is that of {own.davies_bouldin.idxmin()}")


@claim("`pair` has the best silhouette of all, and most of its frames are one point:")
def pair_has_the_best_silhouette():
    best = means().silhouette.idxmax()
    require(best[2] == PAIR, f"it is that of {best}")
    require(means().nmi[best] < 0.05, f"its NMI is {means().nmi[best]}")


@claim("NMI and ARI of the released eMargin are among the highest, above those of InfoNCE.")
def agreement():
    for score in ("nmi", "ari"):
        own = means()[score]
        require(own[RELEASED] > own.xs("infonce", level="method").max(), f"{score} is {own[RELEASED]}")
        require(own.rank(ascending=False)[RELEASED] <= 3, f"{score} has place {own.rank(ascending=False)[RELEASED]}")


@claim("No method's ten-epoch probe does better, in either.")
def papers_probe():
    accuracy, balanced = means().accuracy.max(), means().balanced_accuracy.max()
    require(accuracy < 0.8745 and balanced < 0.2505, f"one has {accuracy}, one {balanced}")


@claim("The converged, k-NN and MLP probes are *below*\n0.25 for every method in the mean over seeds, random encoders")
def other_probes():
    probes = [f"{name}_balanced_accuracy" for name in ("converged", "knn", "mlp")]
    require(means()[probes].max(axis=None) < 0.25, f"one reads {means()[probes].max().to_dict()}")
