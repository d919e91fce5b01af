"""What the page on repairs says of the rows in `results/repairs` and `results/validation`."""

import math
from functools import cache

import pandas as pd

from companion.claims import claim, require
from companion.grid import choose
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics.crossed import Difference
from companion.statistics.readable import readable
from companion.statistics.tables import Differences
from companion.zeros import zeros_at_least
from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.paths import home

SPSW, SLEEP, ECG, SPORTS = SETS = ["spsw-har", "sleepedf-features", "mitbih", "dsads"]
BUT_SPORTS, WITH_SIGNAL = [SPSW, SLEEP, ECG], [SPSW, SLEEP]
INFONCE, TUNED, RELEASED = "InfoNCE", "InfoNCE, temperature chosen", "eMargin, released"
UNLABELLED = DISTANCE, COSINE, VICREG = ["distance-margin", "cosine-margin", "emargin-vicreg"]
LABELLED, SHARES = ["emargin-labels", "infonce-labels", "supervised"], [1, 5, 10]
PAPERS, CONVERGED, RANK = "balanced_accuracy", "converged_balanced_accuracy", "participation_ratio"
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def some(method: str, share: int) -> str:
    """Return the line of a method that sees a share of the labels."""
    return f"{method}, {share} %"


EVERY = [some(method, share) for method in LABELLED for share in SHARES]


def line_of(run) -> str:
    """Return the line of a run."""
    share = run.label_share
    if (run.method, run.fidelity) == ("infonce", "original"):
        return INFONCE if run.temperature == settings_of(run.dataset).temperature else TUNED
    if share and share < 1:
        return some(run.method, round(100 * share))
    return RELEASED if (run.method, run.fidelity) == ("emargin", "released") else run.method


@cache
def store() -> Store:
    """Return the store of the repairs."""
    return Store(home() / "results" / "repairs")


@cache
def runs() -> pd.DataFrame:
    """Return the scores of the planned cells with their lines."""
    planned = read_grid(home() / "workflow" / "repairs.json")
    cells = [cell for cell in planned if (cell.protocol, cell.fold, cell.surrogate) == ("original", 1, None)]
    lines = {cell.digest: line_of(cell) for cell in cells}
    found = store().scores(cells)
    return found.assign(line=found.digest.map(lines))


@cache
def mean(score: str) -> pd.DataFrame:
    """Return the means of a score over seeds: a row a line, a column a set."""
    return runs().groupby(["line", "dataset"])[score].mean().unstack("dataset")


def above(line: str, dataset: str) -> float:
    """Return by how much the converged probe of a line is above InfoNCE's."""
    return mean(CONVERGED)[dataset][line] - mean(CONVERGED)[dataset][INFONCE]


@cache
def differences() -> Differences:
    """Return what compares lines."""
    return Differences(store())


@cache
def between(line: str, other: str, dataset: str) -> Difference | None:
    """Return the difference of two lines in the converged probe, over the seeds that both have."""
    own = runs()[runs().dataset == dataset]
    first, second = (own[own.line == name].set_index("seed").digest for name in (line, other))
    seeds = first.index.intersection(second.index)
    return differences().between(list(first[seeds]), list(second[seeds]), CONVERGED) if len(seeds) else None


@cache
def verdicts(dataset: str, verdict: str) -> set[str]:
    """Return the lines of one set whose difference from InfoNCE has this verdict."""
    others = set(runs().line) - {INFONCE}
    found = {line: between(line, INFONCE, dataset) for line in others}
    return {line for line, one in found.items() if one is not None and one.verdict == verdict}


def listed(values: list[float]) -> str:
    """Return numbers with two digits as a range: "0.03 to 0.08"."""
    return f"{min(values):.2f} to {max(values):.2f}"


def ceil(value: float, digits: int = 2) -> str:
    """Return a bound from above."""
    return f"{math.ceil(round(value * 10**digits, 6)) / 10**digits:.{digits}f}"


@cache
def validation() -> tuple[pd.DataFrame, list[Experiment]]:
    """Return the scores of the choices on people held out, and their cells."""
    planned = read_grid(home() / "workflow" / "choices.json")
    return Store(home() / "results" / "validation").scores(planned), planned


@claim("No repair without labels reads more than InfoNCE by its interval on any of four sets;")
def none_works():
    for dataset in SETS:
        found = verdicts(dataset, "higher") & set(UNLABELLED)
        require(not found, f"on {dataset} {found} do")


@claim("none of the three is ahead of InfoNCE by more than {most} in the mean, and the choice of a temperature gives")
def few_people():
    best = {dataset: max(above(line, dataset) for line in UNLABELLED) for dataset in (SLEEP, SPORTS)}
    for dataset, value in best.items():
        require(above(TUNED, dataset) > value, f"on {dataset} a temperature gives {above(TUNED, dataset)}")
    return {"most": ceil(max(*best.values(), 0.001))}


@claim("two splits inform about this probe, SP-SW-HAR and Daily and Sports Activities:")
def two_sets_inform():
    own = readable(store(), [CONVERGED])
    require(set(own.dataset[own.informs]) == {SPSW, SPORTS}, f"they are {set(own.dataset[own.informs])}")


@claim(
    "equivalent to InfoNCE’s within 0.02, and both probes, NMI, ARI and silhouette are within {near} of InfoNCE's on"
    " all sets but Daily and Sports Activities."
)
def cosine_margin():
    require(COSINE in verdicts(SPSW, "equivalent within 0.02"), "it is not")
    scores = (CONVERGED, PAPERS, "nmi", "ari", "silhouette")
    away = max((mean(score).loc[COSINE] - mean(score).loc[INFONCE])[BUT_SPORTS].abs().max() for score in scores)
    return {"near": ceil(away)}


@claim("The **distance margin** has an effective rank below {rank} and a silhouette above {silhouette} on all sets but")
def distance_margin():
    own, infonce = mean("mean_cosine").loc[DISTANCE], mean("mean_cosine").loc[INFONCE]
    require((own < infonce + 0.02)[BUT_SPORTS].all(), f"its mean cosine is {own.to_dict()}")
    silhouette = math.floor(10 * mean("silhouette").loc[DISTANCE, BUT_SPORTS].min()) / 10
    return {"rank": ceil(mean(RANK).loc[DISTANCE, BUT_SPORTS].max(), 1), "silhouette": f"{silhouette:.1f}"}


def of_distance() -> pd.DataFrame:
    """Return the runs of the distance margin, without Daily and Sports Activities."""
    return runs()[(runs().line == DISTANCE) & runs().dataset.isin(BUT_SPORTS)]


@claim("have a rank of at least $(1-c)^2/c$, which is {least} or more in each of these runs.")
def lengths_went_apart():
    # Rows u of length 1 without negative entries: their covariance C has trace 1 - c, and tr C² ≤ E(uᵀv)² ≤ E uᵀv = c,
    # so its rank (tr C)² / tr C² is at least (1 - c)² / c.
    own = of_distance()
    bound = math.floor(((1 - own.mean_cosine) ** 2 / own.mean_cosine).min())
    require((own.participation_ratio < bound).all(), f"ranks are {own.participation_ratio.tolist()}")
    return {"least": str(bound)}


@claim("lie farther apart than InfoNCE's (alignment {body} against {infonce}, and {sleep} against {its}).")
def neighbours_apart():
    own, infonce = mean("alignment").loc[DISTANCE, WITH_SIGNAL], mean("alignment").loc[INFONCE, WITH_SIGNAL]
    require((own > infonce).all(), f"{own.to_dict()}, {infonce.to_dict()}")
    values = {"body": own[SPSW], "infonce": infonce[SPSW], "sleep": own[SLEEP], "its": infonce[SLEEP]}
    return {name: f"{value:.1f}" for name, value in values.items()}


@claim("mean cosine ({cosine}) and uniformity together need at least a third of the frames to be rows of zeros, by")
def zeros_on_ecg():
    own = of_distance()
    own = own[own.dataset == ECG]
    zeros = zeros_at_least(own.mean_cosine, own.uniformity)
    require(zeros.min() > 1 / 3, f"the bounds are {zeros.tolist()}")
    return {"cosine": f"{own.mean_cosine.mean():.2f}"}


@claim(
    "where the effective rank stays below {low}. Where it chooses the largest weight, on MIT-BIH, the rank is above"
    " {high}, NMI is no better for it, and the probe stays below chance:"
)
def vicreg():
    rank, nmi = mean(RANK).loc[VICREG], mean("nmi")[ECG]
    require(nmi[VICREG] <= nmi[INFONCE], f"NMI is {nmi[VICREG]}")
    require(mean(CONVERGED)[ECG][VICREG] < 0.25, f"the probe reads {mean(CONVERGED)[ECG][VICREG]}")
    return {"low": ceil(rank[WITH_SIGNAL].max(), 0), "high": str(10 * math.floor(rank[ECG] / 10))}


@claim("so is InfoNCE with the same labels.** Training with all labels is above it there and on SP-SW-HAR.")
def works_with_labels():
    found = {dataset: verdicts(dataset, "higher") for dataset in SETS}
    both = {some(method, share) for method in LABELLED[:2] for share in SHARES[1:]}
    told = {SPSW: {"supervised"}, SLEEP: set(), ECG: set(), SPORTS: both | {"supervised"}}
    require(found == told, f"above are {found}")


@claim("two of {lines} lines on that set would not be many by chance, were they alone; they are {above}, on one side.")
def not_by_chance():
    own = set(runs().line[runs().dataset == SPORTS]) - {INFONCE}
    require(not verdicts(SPORTS, "lower"), f"lower are {verdicts(SPORTS, 'lower')}")
    return {"lines": str(len(own)), "above": WORDS[len(verdicts(SPORTS, "higher"))]}


@claim("every method that sees labels is above InfoNCE by {least} or more, with one per cent of them already;")
def labels_on_sleep():
    gains = [above(line, SLEEP) for line in [*EVERY, "supervised", "random-calibrated"]]
    return {"least": f"{math.floor(100 * min(gains)) / 100:.2f}"}


@claim("On SP-SW-HAR {share} % of them bring eMargin about {gain}, a quarter of what all of them bring by themselves;")
def labels_on_the_body():
    gain, full = above(some("emargin-labels", 10), SPSW), above("supervised", SPSW)
    require(0.15 < gain / full < 0.35, f"it is {gain / full}")
    return {"share": "10", "gain": f"{gain:.2f}"}


@claim("on Daily and Sports Activities 1 to 10 % bring {gains}, and all of them {all}.")
def labels_on_sports():
    return {"gains": listed([above(line, SPORTS) for line in EVERY]), "all": f"{above('supervised', SPORTS):.2f}"}


@claim("On MIT-BIH nothing does much: all methods stay below chance (0.25), supervised training")
def labels_on_ecg():
    require(mean(CONVERGED)[ECG].max() < 0.25, f"one reads {mean(CONVERGED)[ECG].max()}")


@cache
def controls(control: str, dataset: str) -> dict[int, Difference]:
    """Return the differences of eMargin with labels from a control with the same labels, by their share."""
    return {share: between(some("emargin-labels", share), some(control, share), dataset) for share in SHARES}


@claim(
    "Between eMargin and InfoNCE with the same labels no difference is there by its interval; with 5 % of the labels"
    " the two are equivalent within 0.02 on SP-SW-HAR, with 10 % on MIT-BIH, where all are below chance, and else it"
    " is not decided."
)
def against_infonce_with_labels():
    found = {(dataset, share): one.verdict for dataset in SETS for share, one in controls(LABELLED[1], dataset).items()}
    equivalent = {place for place, verdict in found.items() if verdict == "equivalent within 0.02"}
    require(equivalent == {(SPSW, 5), (ECG, 10)}, f"equivalent are {equivalent}")
    decided = [place for place, verdict in found.items() if verdict in ("higher", "lower")]
    require(not decided, f"decided are {decided}")


@claim(
    "Against the labels alone eMargin is ahead by {gains} on SP-SW-HAR and on Daily and Sports Activities, within the"
    " intervals; by less than {less} elsewhere."
)
def against_labels_alone():
    found = {dataset: controls("supervised", dataset).values() for dataset in SETS}
    decided = [one for values in found.values() for one in values if one.verdict in ("higher", "lower")]
    require(not decided, f"decided are {decided}")
    gains = [one.value for dataset in (SPSW, SPORTS) for one in found[dataset]]
    require(min(gains) > 0, f"the gains are {gains}")
    less = max(one.value for dataset in (SLEEP, ECG) for one in found[dataset])
    return {"gains": listed(gains), "less": ceil(less)}


@claim("higher silhouette than InfoNCE with labels, and an NMI that is no higher, but on MIT-BIH.")
def more_compact():
    for share in SHARES:
        own, other = some(LABELLED[0], share), some(LABELLED[1], share)
        silhouette, nmi = (mean(score).loc[own] - mean(score).loc[other] for score in ("silhouette", "nmi"))
        require((silhouette > 0).all(), f"with {share} %: {silhouette.to_dict()}")
        require((nmi.drop(ECG) <= 0).all(), f"with {share} %: {nmi.to_dict()}")


@claim("with 5 or 10 % of them eMargin's is at least {least} below the released one's on SP-SW-HAR, on MIT-BIH and")
def labels_lower_the_silhouette():
    lines = [some(LABELLED[0], share) for share in SHARES[1:]]
    falls = mean("silhouette").loc[RELEASED, BUT_SPORTS] - mean("silhouette").loc[lines, BUT_SPORTS]
    return {"least": f"{math.floor(100 * falls.min(axis=None)) / 100:.2f}"}


@claim(
    "the released one's is no more than {silhouette}, and with any share of the labels eMargin stays within 0.1 of it"
    " while its converged probe is {gains} above InfoNCE's."
)
def compact_and_read_better():
    lines = [some(LABELLED[0], share) for share in SHARES]
    silhouette = mean("silhouette")[SPORTS]
    require((silhouette[RELEASED] - silhouette[lines] < 0.1).all(), f"silhouettes are {silhouette[lines].to_dict()}")
    gains = [above(line, SPORTS) for line in lines]
    require(min(gains) > 0, f"the gains are {gains}")
    return {"silhouette": ceil(silhouette[RELEASED]), "gains": listed(gains)}


@claim("(the weight of the labels is {largest} in {times} of {all}).")
def choices_at_the_end():
    scores, cells = validation()
    weighted = scores[scores.method.isin(LABELLED[:2])]
    places = weighted.groupby(["dataset", "method"])[choose.DECIDES].idxmax()
    chosen = weighted.loc[places].weight
    require({cell.label_share for cell in cells} <= {None, 0.05}, "other shares chose, too")
    largest = weighted.weight.max()
    return {"largest": f"{largest:g}", "times": WORDS[(chosen == largest).sum()], "all": WORDS[len(chosen)]}


@claim("it reads no more with all labels than with 5 %.")
def all_labels():
    for dataset in (SLEEP, SPORTS):
        full, five = above("supervised", dataset), above(some("supervised", 5), dataset)
        require(full <= five, f"on {dataset} it reads {full - five} more")
