"""What the page on the UCR archive says of the rows in `results/ucr` and `results/encoders`."""

from functools import cache

import pandas as pd

from companion.claims import claim, require, signed
from companion.grid.store import Store
from companion.statistics import archive, encoders
from companion.statistics.conclusions import configurations_of_series, lead, places_of, read_claims, standing
from companion.statistics.correlations import with_control
from emargin.config import FIDELITIES
from emargin.paths import home

CLUSTERING = ["davies_bouldin", "silhouette"]
PAPERS, CONVERGED, NEIGHBOURS = "balanced_accuracy", "converged_balanced_accuracy", "knn_balanced_accuracy"
WORDS = ["no", "one", "two", "three", "four", "five", "six"]


@cache
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return configurations of whole series, and which sets inform."""
    return archive.read(Store(home() / "results" / "ucr"))


@cache
def better(metric: str, fidelity: str = "released") -> pd.DataFrame:
    """Return by how much eMargin is better than each other method on each set."""
    return standing(rows()[0], metric, fidelity)


def places(metric: str, fidelity: str = "released") -> pd.Series:
    """Return eMargin's place on each set, among thirteen."""
    found = places_of(better(metric, fidelity)).set_index("set")
    require(len(found) == 6 and (found.of == 13).all(), f"places on {len(found)} sets of {set(found.of)}")
    return found.place


def bounds(one: dict, digits: int = 3) -> dict[str, str]:
    """Return a value and its interval as the page prints them."""
    return {name: signed(one[name], digits) for name in ("value", "low", "high")}


@claim(
    "On each of the six sets the released eMargin is first in both clustering scores and last in the converged probe**"
)
def first_and_last():
    for metric in CLUSTERING:
        require((places(metric) == 1).all(), f"in {metric} it has {places(metric).to_dict()}")
    require((places(CONVERGED) == 13).all(), f"in the converged probe it has {places(CONVERGED).to_dict()}")


@claim(
    "it is not decided whether the released eMargin is behind**: {value} ({low} to {high}); it has places {best} to"
    " {worst} on five sets and the {other} on one."
)
def lead_in_the_papers_probe():
    found = lead(better(PAPERS))
    require(found["low"] < 0 < found["high"], "it is decided")
    first, *others = places(PAPERS).sort_values()
    told = {"best": str(others[0]), "worst": str(others[-1]), "other": {7: "seventh"}.get(first, f"{first}th")}
    return bounds(found) | told


@claim("In the converged probe it is behind, {value} ({low} to {high}).")
def lead_in_the_converged_probe():
    found = lead(better(CONVERGED))
    require(found["high"] < 0, "it is not decided")
    return bounds(found)


@claim(
    "in the converged probe, within 0.03; whether a little more than they do in the paper's is not decided, "
    "{value} ({low} to {high})."
)
def lead_of_the_original():
    converged, papers = (lead(better(metric, "original")) for metric in (CONVERGED, PAPERS))
    require(max(-converged["low"], converged["high"]) < 0.03, f"it is {converged}")
    require(papers["low"] < 0 < papers["high"], f"it is {papers}")
    return bounds(papers)


@cache
def with_penalties() -> pd.DataFrame:
    """Return the configurations whose penalty was chosen."""
    return configurations_of_series(Store(home() / "results" / "encoders")).query("fidelity == 'released'")


@cache
def gaps() -> pd.DataFrame:
    """Return how far eMargin is behind InfoNCE on each set, with both penalties."""
    fixed, chosen = archive.PENALTIES.values()
    read = archive.by_penalty(with_penalties())
    found = pd.DataFrame({"fixed": read[fixed, "behind"], "chosen": read[chosen, "behind"]})
    require(len(found) == 6, f"{len(found)} sets have both encoders")
    return found


def of_the_claim(by: str) -> dict[str, str]:
    """Return by how much eMargin is behind InfoNCE by a probe, over the sets, as a distance."""
    where = "of == 'released' and against == 'InfoNCE, released' and where == 'UCR archive'"
    (one,) = read_claims().query(where).query("by == @by").itertuples()
    return {"value": f"{-one.value:.3f}", "low": f"{-one.high:.2f}".replace("-", "−"), "high": f"{-one.low:.2f}"}


@claim(
    "behind in the probes; about {share} tenths of its distance to InfoNCE is the fixed penalty of the converged probe."
)
def share_of_the_penalty():
    mean = gaps().mean()
    return {"share": WORDS[round(10 * (1 - mean.chosen / mean.fixed))]}


@claim("the released eMargin is {fixed} behind InfoNCE at $C=1$ and {value} ({low} to {high} over sets) where each")
def penalty():
    require((gaps() > 0).all(axis=None), f"it is ahead on a set: {gaps().to_dict()}")
    told = of_the_claim("C chosen on people held out")
    require(told["value"] == f"{gaps().chosen.mean():.3f}", f"the claim has {told['value']}")
    return {"fixed": f"{gaps().fixed.mean():.3f}"} | told


@claim("The gap shrinks on {sets} sets, most on Adiac, from {first} to {last}, and stays at {stays} on FiftyWords;")
def gap_by_set():
    shrinks = (gaps().fixed - gaps().chosen).round(3)
    require(shrinks.idxmax() == "ucr-Adiac", f"most on {shrinks.idxmax()}")
    require(shrinks["ucr-FiftyWords"] == 0, f"on FiftyWords it shrinks by {shrinks['ucr-FiftyWords']}")
    adiac, words = gaps().loc["ucr-Adiac"], gaps().loc["ucr-FiftyWords"]
    numbers = {"first": adiac.fixed, "last": adiac.chosen, "stays": words.chosen}
    return {"sets": WORDS[(shrinks > 0).sum()]} | {name: f"{value:.3f}" for name, value in numbers.items()}


@claim("on FiftyWords; on {weak} of six sets eMargin chooses a penalty a thousand times weaker or more.")
def chosen_penalties():
    own = with_penalties()
    return {"weak": WORDS[(own[own.method == "emargin"].chosen_C >= 3).sum()]}  # log10 C


@claim("it is not decided: {value} behind ({low} to {high}), but with as many directions")
def whitened():
    found = of_the_claim("whitened, C chosen")
    require(found["low"].startswith("−"), f"it is {found}")
    return found


@claim(
    "Among the {lines} lines of methods that ran with a chosen penalty on the paper's encoder, the others as their "
    "papers define them, one seed, the released eMargin is still last on {last} of six sets, "
    "{behind} ({low} to {high}) below no training in the mean."
)
def last_with_a_chosen_penalty():
    found = encoders.gains(Store(home() / "results" / "encoders"))
    found = found[found.dataset.str.startswith(f"{encoders.ARCHIVE}-") & (found.encoder == encoders.FRAME)]
    found = found[~found.line.str.startswith("eMargin, original")]
    wide = found.pivot(index="dataset", columns="line", values="value")
    require(wide.shape[0] == 6 and wide.notna().all(axis=None), f"not all lines ran on all sets: {wide.count()}")
    together = encoders.with_archive(found).set_index("line").loc["eMargin, released"]
    require(together.high < 0, f"its gain is {together.gain}, at most {together.high}")
    return {"lines": str(wide.shape[1]), "last": str((wide.idxmin(axis=1) == "eMargin, released").sum())} | {
        name: f"{-value:.2f}"
        for name, value in zip(("behind", "low", "high"), together[["gain", "high", "low"]], strict=True)
    }


@cache
def pooled(score: str, probe: str, fidelity: str) -> dict[str, dict]:
    """Return the pooled rank correlations of a score and of NMI with a probe, by metric."""
    both = archive.pooled(*rows(), score, probe, fidelity)
    require({one["sets"] for one in both.values()} == {6}, "not all sets inform")
    return both


def two_fidelities(score: str) -> dict[str, str]:
    """Return the correlation of a score with the converged probe in both fidelities."""
    released, original = (pooled("silhouette", CONVERGED, fidelity)[score] for fidelity in FIDELITIES)
    return bounds(released, 2) | {f"{name}_original": value for name, value in bounds(original, 2).items()}


@claim(
    "with the converged probe the silhouette has $\\rho={value}$ ({low} to {high}) in `released` and {value_original}"
    " ({low_original} to {high_original}) in `original`, both *not decided*, and so it is for Davies-Bouldin and for"
    " k nearest neighbours."
)
def scores_and_probe():
    for fidelity in FIDELITIES:
        for probe in (CONVERGED, NEIGHBOURS):
            verdicts = {pooled(score, probe, fidelity)[score]["verdict"] for score in CLUSTERING}
            require(verdicts == {"not decided"}, f"with {probe}, {fidelity}: {verdicts}")
    return two_fidelities("silhouette") | {
        "value": f"{pooled('silhouette', CONVERGED, 'released')['silhouette']['value']:.2f}"
    }


@claim("With the paper's probe the control shows nothing, so there it stays open.")
def open_with_the_papers_probe():
    for fidelity in FIDELITIES:
        verdicts = {pooled(score, PAPERS, fidelity)[score]["verdict"] for score in CLUSTERING}
        require(verdicts == {"open: the control shows nothing"}, f"{fidelity}: {verdicts}")


@claim(
    "NMI goes along with the converged probe, {value} ({low} to {high}) and {value_original} ({low_original} to"
    " {high_original}), so"
)
def nmi_and_probe():
    for fidelity in FIDELITIES:
        verdict = pooled("silhouette", CONVERGED, fidelity)["nmi"]["verdict"]
        require(verdict == "goes along", f"{fidelity}: {verdict}")
    return two_fidelities("nmi")


@claim("Without eMargin the silhouette decides nothing about the converged probe in either direction:")
def without_emargin():
    found, _ = rows()
    for fidelity in FIDELITIES:
        inside = archive.of_fidelity(found[found.method != "emargin"], fidelity)
        one, _ = with_control(inside, "silhouette", CONVERGED).to_dict("records")
        require(one["low"] < 0 < one["high"], f"{fidelity}: {one['low']} to {one['high']}")
