"""What the page on real ECG says of the rows: the grid's first fold, and both folds and encoders beside it."""

from functools import cache

import pandas as pd
from scipy.stats import spearmanr

from companion.claims import claim, require, signed
from companion.grid.store import Store
from companion.labels import label
from companion.statistics import encoders, rhythms
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


@claim(
    "Over all {runs} runs the silhouette follows the effective rank ($\\rho={rank}$) far more closely than NMI ({nmi}) "
    "or a probe"
)
def what_the_silhouette_follows():
    own = scores(ECG)
    rho = {name: spearmanr(own.silhouette, own[name]).statistic for name in ("participation_ratio", "nmi")}
    require(rho["participation_ratio"] < -0.8 and abs(rho["nmi"]) < 0.3, f"{rho}")
    return {"runs": str(len(own)), "rank": signed(rho["participation_ratio"]), "nmi": signed(rho["nmi"])}


@claim("or a probe ({papers} for the paper's, {other} for the other).")
def it_follows_no_probe():
    own = scores(ECG)
    names = {"papers": "balanced_accuracy", "other": "converged_balanced_accuracy"}
    return {key: signed(spearmanr(own.silhouette, own[name]).statistic) for key, name in names.items()}


@cache
def reads(metric: str) -> pd.DataFrame:
    """Return what a probe reads of each line, by split."""
    return rhythms.reads(Store(home() / "results" / "core"), ECG, metric)


@claim(
    "Nine lines have run on both splits, three seeds each. Of both together, {people} people are tested, and no "
    "interval of a linear probe lies above chance, whichever its penalty."
)
def both_splits():
    for prefix in ("", "certified_", "chosen_", "whitened_"):
        table = reads(f"{prefix}balanced_accuracy")
        require(len(table) == 27 and set(table.seeds) == {3}, f"{len(table)} lines, seeds {set(table.seeds)}")
        require((table.low <= 0.25).all(), f"{prefix}: {table[table.low > 0.25].line.tolist()}")
    (people,) = set(table[table["split"] == "both"].people)
    return {"people": str(people)}


@claim("The reading `pair` has the highest value, {read}, and its interval says how little {people} people can")
def the_most():
    table = reads("chosen_balanced_accuracy")
    both = table[table["split"] == "both"].set_index("line")
    best = both.loc[both.value.idxmax()]
    require(best.name == "eMargin, original, pair", f"it is that of {best.name}")
    return {"read": f"{best.value:.2f} ({best.low:.2f} to {best.high:.2f})", "people": str(best.people)}


@cache
def in_context() -> pd.DataFrame:
    """Return the scores on the encoder that sees the sequence, a row a line."""
    rows = Store(home() / "results" / "encoders").rows
    rows = rows[(rows.dataset == ECG) & (rows.encoder == encoders.CONTEXT)]
    rows = rows.assign(line=[label(row._replace(encoder="")) for row in rows.itertuples()])
    return rows.pivot(index=["line", "seed"], columns="metric", values="value").reset_index("seed")


@claim("the first split, one seed) the probe with C = 1 reads at most {most}, of {lines} lines.")
def most_in_context():
    own = in_context()
    read = own.certified_balanced_accuracy
    require(set(own.seed) == {1} and read.max() < 0.25, f"seeds {set(own.seed)}, it reads {read.max()}")
    return {"most": f"{read.max():.2f}", "lines": str(len(own))}


@claim("it reads {emargin} from the released eMargin, whose embedding there is a line too;")
def emargin_in_context():
    own = in_context()
    one = own.loc["eMargin, released"]
    require(one.participation_ratio < 1.1, f"its rank is {one.participation_ratio}")
    require(own.chosen_balanced_accuracy.idxmax() == one.name, "another line is read better")
    return {"emargin": f"{one.chosen_balanced_accuracy:.2f}"}
