"""What the page on clustering and classification says of the rows in `results/grid`."""

from functools import cache

import pandas as pd

from companion.claims import claim, require, signed, told
from companion.grid.store import Store
from companion.statistics import correlations, order, readable
from companion.statistics.configurations import configurations
from companion.statistics.correlations import AGAINST, ALONG, correlation
from companion.statistics.coverage import read_coverage
from companion.statistics.order import POOLED, PROBES, RULE, SCORES
from companion.statistics.tables import paper_configurations
from emargin.config import FIDELITIES, PROTOCOLS
from emargin.paths import home

PAPERS, CONVERGED = PROBES
OPEN, UNDECIDED = "open: the control shows nothing", "not decided"
BODY, SPORTS, SLEEP, HEART = "spsw-har", "dsads", "sleepedf-features", "mitbih"


@cache
def store() -> Store:
    """Return the store of the results chapter."""
    return Store(home() / "results" / "grid")


@cache
def found() -> pd.DataFrame:
    """Return its configurations under protocol original."""
    return configurations(store().rows[store().rows.protocol == "original"])


@cache
def inform() -> pd.DataFrame:
    """Return which splits inform."""
    return readable.readable(store(), list(PROBES))


@cache
def number(probe: str = PAPERS) -> dict:
    """Return the correlations with a probe."""
    return order.with_probe(found(), inform(), probe)


@cache
def by_split() -> dict:
    """Return every correlation."""
    return order.by_split(found(), inform())


@cache
def protocols() -> dict:
    """Return the correlations under both protocols."""
    return order.between_protocols(order.under_both(store()), inform())


def verdict(one: dict, *wanted: str) -> None:
    """Require the verdict of a correlation to be one of these."""
    require(one["verdict"] in wanted, f"it is {one['verdict']}, {told(one)}")


def held(size: str) -> str:
    """Return the simulated coverage of the interval of a correlation."""
    lines = read_coverage()
    return f"{lines.coverage[lines['size'] == size].item():.2f}"


@claim("With the paper's probe the silhouette has ρ = {released} in fidelity `released` and {original} in `original`;")
def silhouette():
    one, other = (number()["silhouette", RULE, fidelity] for fidelity in FIDELITIES)
    verdict(one, AGAINST)
    require(one["high"] > -0.1, f"its upper end is {one['high']}")
    verdict(other, UNDECIDED)
    return {"released": told(one), "original": told(other)}


@claim("Davies-Bouldin has {released} and {original}.")
def davies_bouldin():
    one, other = (number()["davies_bouldin", RULE, fidelity] for fidelity in FIDELITIES)
    verdict(one, OPEN)
    verdict(other, UNDECIDED)
    return {"released": told(one), "original": told(other)}


WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven"}


@claim(
    "Without eMargin's lines its interval holds zero, {without}, and so it does without any one of {others} other "
    "methods; on Daily and Sports Activities alone it is {sports}, on SP-SW-HAR {body}."
)
def by_a_hair():
    inside = readable.informing(order.by_fidelity(found())["released"], inform(), PAPERS)
    less = {name: correlation(inside[inside.method != name], "silhouette", PAPERS) for name in inside.method.unique()}
    zero = {name for name, one in less.items() if one["high"] > 0}
    alone = {name: correlation(inside[inside.dataset == name], "silhouette", PAPERS) for name in (SPORTS, BODY)}
    require("emargin" in zero and alone[SPORTS]["high"] < 0 < alone[BODY]["high"], f"{zero}, {alone}")
    said = {"without": less["emargin"], "sports": alone[SPORTS], "body": alone[BODY]}
    return {name: told(one) for name, one in said.items()} | {"others": WORDS[len(zero) - 1]}


@claim(
    "NMI does not go along with this probe in `released`, {released}, so there nothing can be said of Davies-Bouldin; "
    "in `original` it does, {original}, and what the scores do is not decided."
)
def control():
    one, other = (number()["nmi", RULE, fidelity] for fidelity in FIDELITIES)
    verdict(one, UNDECIDED)
    verdict(other, ALONG)
    return {"released": told(one), "original": told(other)}


@claim("The paper's own tables, nine methods on three sets, do not decide it either: {silhouette} for the silhouette.")
def the_papers_tables():
    theirs = paper_configurations(pd.read_csv(home() / "results" / "paper" / "tables.csv"))
    one = correlation(theirs, "silhouette", "macro_recall")
    verdict(one, UNDECIDED)
    require((one["methods"], one["sets"]) == (9, 3), f"{one['methods']} methods, {one['sets']} sets")
    return {"silhouette": told(one)}


@claim(
    "With the converged probe none of the four intervals leaves zero out; the silhouette in `released` has "
    "{silhouette}. So"
)
def converged():
    four = {(score, f): by_split()[score, CONVERGED, POOLED, f] for score in SCORES for f in FIDELITIES}
    require(all(one["low"] < 0 < one["high"] for one in four.values()), f"{four}")
    return {"silhouette": told(four["silhouette", "released"])}


@claim(
    "Over all five splits the silhouette in `released` goes against the probe, {all}; without MIT-BIH it does, too, "
    "{without}."
)
def other_choices():
    one, other = (number()["silhouette", choice, "released"] for choice in ("all splits", "without MIT-BIH"))
    verdict(one, AGAINST)
    verdict(other, AGAINST)
    require(found()["set"].nunique() == 5, f"there are {found()['set'].nunique()} splits")
    return {"all": told(one), "without": told(other)}


@claim(
    "NMI goes along with the probe in `original` without MIT-BIH, {without}, where over all splits it "
    "hides in the noise, {all}."
)
def control_in_noise():
    one, other = (number()["nmi", choice, "original"] for choice in ("without MIT-BIH", "all splits"))
    verdict(one, ALONG)
    require(other["low"] < 0 < other["high"], f"over all splits it is {told(other)}")
    return {"without": told(one), "all": told(other)}


@claim("Summed up, over all splits ρ is between {high} and {low}: the lower the rank, the better the score.")
def rank():
    follows = order.follows_rank(found()).values()
    for one in follows:
        verdict(one, AGAINST)
    values = [one["value"] for one in follows]
    return {"high": signed(max(values)), "low": signed(min(values))}


@claim(
    "Of {number} correlations of single splits {off} leave zero out, all in fidelity `released` and all below it: both "
    "scores with the paper's probe on Daily and Sports Activities, and both with the converged one on a split"
)
def single_splits():
    alone = {key: one for key, one in by_split().items() if key[0] in SCORES and key[2] != POOLED}
    off = {key: one["value"] for key, one in alone.items() if one["verdict"] in (ALONG, AGAINST)}
    require(all(value < 0 and key[3] == "released" for key, value in off.items()), f"{off}")
    pairs = {(key[1], key[2].split(",")[0]) for key in off}
    require(pairs == {(PAPERS, SPORTS), (CONVERGED, HEART)} and len(off) == 4, f"{off}")
    return {"number": str(len(alone)), "off": WORDS[len(off)]}


@claim("in a simulation of 13 methods on three sets it held the truth in {coverage} of the tables.")
def coverage():
    require(order.SCORES and correlations.MARGIN == 0.3 and readable.ABOVE == 0.05, "a margin has changed")
    return {"coverage": held("13 methods, 3 sets")}


@claim("Two of five splits inform about the linear probes: SP-SW-HAR and Daily and Sports Activities.")
def which_inform():
    of = {probe: set(readable.informing(found(), inform(), probe).dataset) for probe in PROBES}
    require(of == dict.fromkeys(PROBES, {BODY, SPORTS}), f"{of}")


@claim(
    "On the features of Sleep-EDF the untrained encoders do read, {read} with the converged probe, but "
    "from two people no lower end can be given"
)
def sleep_may_inform():
    lines = inform()
    (one,) = lines[(lines.dataset == SLEEP) & (lines.probe == CONVERGED) & (lines.protocol == "original")].itertuples()
    require(one.people == 2 and not one.informs, f"{one.people} people, informs {one.informs}")
    return {"read": f"{one.value:.2f}"}


@claim("the silhouette goes against the probe, {original} under `original` and {released} under `released`;")
def under_protocols():
    one, other = (protocols()["silhouette", PAPERS, name] for name in ("original", "released"))
    verdict(one, AGAINST)
    verdict(other, AGAINST)
    return {"original": told(one), "released": told(other)}


@claim("without Daily and Sports Activities the latter is {rest}.")
def rests_on_one_set():
    scores = readable.informing(order.under_both(store())["released"], inform(), PAPERS)
    rest = correlation(scores[scores.dataset != SPORTS], "silhouette", PAPERS)
    require(rest["low"] < 0 < rest["high"], f"it is {told(rest)}")
    return {"rest": told(rest)}


@claim(
    "With the converged probe all four intervals hold zero, and the control goes along with no probe in either "
    "protocol."
)
def converged_under_protocols():
    for name in PROTOCOLS:
        for score in SCORES:
            one = protocols()[score, CONVERGED, name]
            require(one["low"] < 0 < one["high"], f"{score}, {name}: {told(one)}")
        for probe in PROBES:
            require(protocols()["nmi", probe, name]["verdict"] != ALONG, f"NMI goes along with {probe}")


@claim("On MIT-BIH under `released` the two highest silhouettes, {silhouettes}, come with an NMI of {nmi}: ")
def clusters_of_the_heart():
    heart = order.under_both(store())["released"]
    first = heart[heart.dataset == HEART].nlargest(2, "silhouette")
    return {
        name: " and ".join(f"{value:.2f}" for value in first[column])
        for name, column in (("silhouettes", "silhouette"), ("nmi", "nmi"))
    }
