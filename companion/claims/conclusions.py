"""What the page of conclusions says of the lines in `results/statistics/claims.csv`."""

from functools import cache

import pandas as pd

from companion.claims import claim, require, told
from companion.figures import maps
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics import conclusions
from companion.statistics.conclusions import ARCHIVE, PROBES, one_line
from emargin.paths import home

FIDELITIES = ("released", "original")
CONVERGED, CHOSEN = PROBES["converged_"], PROBES["chosen_"]
BODY = "spsw-har, everyone tested"
SLEEP = "sleepedf-features, everyone tested"
SETS = ("spsw-har", "sleepedf-features")
BODY_DIAL = "spsw-har, fold 1"


@cache
def lines() -> pd.DataFrame:
    """Return the lines of all claims."""
    return conclusions.read_claims()


def line(*names, **more):
    """Return one of them."""
    return one_line(*names, lines=lines(), **more)


def verdict(one, wanted: str) -> None:
    """Require the verdict of a line."""
    require(one.verdict == wanted, f"{one.of}, {one.by}, {one.where}: {one.verdict}")


def on(one) -> str:
    """Return on how many of the sets a claim holds."""
    return f"{one.holds} of {one.sets}"


def _first(fidelity: str, wanted: str) -> dict[str, str]:
    scores = [line(fidelity, score, claim="1") for score in ("Davies-Bouldin", "silhouette")]
    archive = [line(fidelity, score, where=ARCHIVE, claim="1") for score in ("Davies-Bouldin", "silhouette")]
    for one in [*scores, *archive]:
        verdict(one, wanted)
    return {"davies_bouldin": on(scores[0]), "silhouette": on(scores[1]), "archive": on(archive[1])}


@claim(
    "| stands: first on {davies_bouldin} recorded sets, on {silhouette} by the silhouette, "
    "on {archive} of the archive |"
)
def best_scores_released():
    return _first("released", "stands")


@claim("| does not stand: first on {davies_bouldin}, {silhouette}, {archive} |")
def best_scores_original():
    return _first("original", "does not stand")


def _probing(fidelity: str, probe: str, wanted: str) -> dict[str, str]:
    one = line(fidelity, probe, where=ARCHIVE, claim="2")
    verdict(one, wanted)
    return {"number": told(one)}


@claim("| converged probe: stands, {number} |")
def archive_converged_released():
    return _probing("released", CONVERGED, "stands")


@claim("| converged probe: not decided, {number} |")
def archive_converged_original():
    return _probing("original", CONVERGED, "not decided")


@claim("| the paper's probe: not decided, {released} | the paper's probe: not decided, {original} |")
def archive_papers():
    found = {fidelity: _probing(fidelity, PROBES[""], "not decided") for fidelity in FIDELITIES}
    return {fidelity: each["number"] for fidelity, each in found.items()}


def _core(where: str, against: str, **verdicts: str) -> dict[str, str]:
    """Return what is told with a chosen penalty of each fidelity; `against` may name it."""
    found = {of: line(of, CHOSEN, against.format(of), where, claim="2") for of in verdicts}
    for fidelity, wanted in verdicts.items():
        verdict(found[fidelity], wanted)
    return {fidelity: told(one) for fidelity, one in found.items()}


@claim(
    "| 2. On the features of Sleep-EDF, everyone tested, penalty chosen | stands, {released} beside the released "
    "InfoNCE | not decided, {original} beside the original InfoNCE |"
)
def less_infonce_on_sleep():
    return _core(SLEEP, "InfoNCE, {}", released="lower", original="not decided")


@claim("| 2. On the features of Sleep-EDF, less no training | lower, {released} | lower, {original} |")
def less_untrained_on_sleep():
    return _core(SLEEP, "Random, calibrated", released="lower", original="lower")


@claim(
    "| 2. On SP-SW-HAR, less no training | equivalent within 0.02, {released} | equivalent within 0.02, {original} |"
)
def less_untrained():
    return _core(BODY, "Random, calibrated", released="equivalent within 0.02", original="equivalent within 0.02")


@claim(
    "| 2. On SP-SW-HAR, everyone tested, penalty chosen | stands, {released} beside the released InfoNCE "
    "| stands, {original} beside the original InfoNCE |"
)
def less_infonce():
    return _core(BODY, "InfoNCE, {}", released="lower", original="lower")


def _order(fidelity: str, wanted: str) -> dict[str, str]:
    one = line(fidelity, "silhouette", PROBES[""], claim="3")
    verdict(one, wanted)
    return {"number": told(one)}


@claim("| stands, the better the score, the worse the probe, by a hair: ρ = {number} |")
def order_released():
    return _order("released", "stands")


@claim("| not decided, ρ = {number} |")
def order_original():
    return _order("original", "not decided")


def _rank(fidelity: str, wanted: str) -> dict[str, str]:
    one = line(fidelity, "effective rank", "InfoNCE", claim="4")
    verdict(one, wanted)
    return {"sets": on(one), "mean": f"{abs(one.value):.1f}"}


@claim("| does not stand: a higher rank than InfoNCE's on {sets} sets, {mean} directions fewer in the mean |")
def rank_released():
    require(line("released", "effective rank", "InfoNCE", claim="4").value < 0, "the rank is higher in the mean")
    return _rank("released", "does not stand")


@claim("| stands: higher on {sets}, {mean} more in the mean |")
def rank_original():
    require(line("original", "effective rank", "InfoNCE", claim="4").value > 0, "the rank is lower in the mean")
    return _rank("original", "stands")


@cache
def thin() -> pd.DataFrame:
    """Count the maps that are no area."""
    planned = read_grid(home() / "workflow" / "grid.json")
    drawn = [cell for cell in planned if (cell.protocol, cell.seed, cell.fold) == ("original", 1, 1)]
    return maps.drawn_out(maps.shapes(maps.maps_of(Store(home() / "results" / "grid"), drawn)))


def _maps(fidelity: str, wanted: str) -> dict[str, str]:
    own = thin().loc[fidelity]
    ours, theirs = own.emargin / own.of_emargin, own.others / own.of_others
    enough = own.of_emargin >= conclusions.FEWEST
    word = (
        "stands" if ours >= conclusions.MOST and theirs <= conclusions.FEW
        else "does not stand" if ours <= theirs
        else "in part"
    )  # fmt: skip
    require(enough and word == wanted, f"{fidelity}: {word}, of {own.of_emargin} maps")
    return {"ours": f"{own.emargin} of {own.of_emargin}", "theirs": f"{own.others} of {own.of_others}"}


@claim("| stands: {ours} maps are, of others {theirs} |")
def maps_released():
    return _maps("released", "stands")


@claim("| does not stand: {ours}, of others {theirs} |")
def maps_original():
    return _maps("original", "does not stand")


def _clusters(fidelity: str, ts2vec: str, tnc: str) -> dict[str, str]:
    found = [line(fidelity, "NMI with the classes", name, claim="6") for name in ("TS2Vec", "TNC")]
    for one, wanted in zip(found, (ts2vec, tnc), strict=True):
        verdict(one, wanted)
    return {"ts2vec": on(found[0]), "tnc": on(found[1])}


@claim("| TS2Vec stands, {ts2vec}; TNC does not, {tnc} |")
def clusters_released():
    return _clusters("released", "stands", "does not stand")


@claim("| TS2Vec stands, {ts2vec}; TNC in part, {tnc} |")
def clusters_original():
    return _clusters("original", "stands", "in part")


@claim("| does not stand: it acts on every pair |")
def margin_released():
    verdict(line("released", "share of pairs with pseudo-label 1", "", "any frames", claim="7"), "does not stand")


@claim("| stands: which pairs depends on the data |")
def margin_original():
    verdict(line("original", "share of pairs with pseudo-label 1", "", "any frames", claim="7"), "stands")


def turned(by: str, where: str = BODY_DIAL):
    """Return a line of the dial."""
    return line("untrained", by, "the other directions at 1/64, less as they are", where, claim="8")


@claim("shown: silhouette {silhouette}, the paper's probe {probe}, the same whitened {whitened} |")
def sizes_alone():
    silhouette, probe, whitened = map(turned, ("silhouette", PROBES[""], "the paper’s probe, whitened"))
    for where in set(lines()["where"][lines().claim == "8"]):
        verdict(turned("silhouette", where), "higher")
        verdict(turned(PROBES[""], where), "lower")
        verdict(turned("the paper’s probe, whitened", where), "equivalent within 0.02")
    return {"silhouette": told(silhouette), "probe": told(probe), "whitened": told(whitened)}


@claim(
    "Where everyone is tested, a probe whose penalty is chosen on people held out reads less from the released loss "
    "than from InfoNCE on both sets, from the paper's formula on one; neither beats the untrained encoder on either."
)
def behind_infonce_and_not_above_no_training():
    own = conclusions.everyone(lines())
    own = own[own.by.isin([CHOSEN, PROBES["whitened_"], PROBES["mlp_"]])]
    infonce = own.against.str.startswith("InfoNCE")
    found = own[infonce].groupby(["of", "set"]).verdict.agg(set).to_dict()
    released = [found["released", name] for name in SETS]
    require(released == [{"lower"}, {"lower"}], f"of the released loss against InfoNCE: {released}")
    original = [found["original", name] for name in SETS]
    require(original[0] == {"lower"} and "lower" not in original[1], f"of the formula against InfoNCE: {original}")
    require("higher" not in set(own.verdict[~infonce]), "a probe reads more than without training")


@claim(
    "The paper's probe makes the released loss's gap to InfoNCE on SP-SW-HAR {paper}, a chosen penalty {chosen}, "
    "and a fixed one {fixed}, which is not decided."
)
def a_part_is_the_probes():
    found = [
        line("released", PROBES[name], "InfoNCE, released", BODY, claim="2") for name in ("", "chosen_", "certified_")
    ]
    paper, chosen, fixed = found
    require(paper.value < 2 * chosen.value, "the paper's probe does not double the gap")
    verdict(fixed, "not decided")
    return {"paper": told(paper), "chosen": told(chosen), "fixed": told(fixed)}


@claim(
    "Every person is tested once, on SP-SW-HAR in {body} folds and {body_seeds} seeds, "
    "on the features of Sleep-EDF in {sleep} folds and {sleep_seeds},"
)
def folds():
    own = conclusions.everyone(lines())
    drawn = {name: set(one.drawn) for name, one in own.groupby("set")}
    require(set(drawn) == set(SETS), f"the sets are {set(drawn)}")
    require(all(len(one) == 1 for one in drawn.values()), f"intervals draw {drawn}")
    cells = Store(home() / "results" / "core").rows.drop_duplicates("digest")
    by_line = cells.groupby(["dataset", "fold", "method", "fidelity", "reading", "labels"]).seed.nunique()
    seeds = by_line.groupby("dataset").min()  # that every line and fold has
    words = {1: "one", 2: "two", 3: "three"}
    found = [drawn[name].pop().removesuffix(" folds") for name in SETS]
    return dict(zip(("body", "sleep"), found, strict=True)) | {
        key: words[seeds[name]] for key, name in zip(("body_seeds", "sleep_seeds"), SETS, strict=True)
    }


def _with(encoder: str, by: str, claim: str):
    """Return the line of the released loss on the archive, on one of both encoders."""
    return line("released", by, where=f"{ARCHIVE}, {encoder} encoder", claim=claim)


@claim("On the six sets of the archive the released loss has the best scores on both.")
def best_on_both():
    for encoder in ("frame", "context"):
        for score in ("Davies-Bouldin", "silhouette"):
            one = _with(encoder, score, "1")
            require((one.holds, one.sets, one.verdict) == (6, 6, "stands"), f"{score}, {encoder}: {one.verdict}")


@claim(
    "That it is not competitive in probing, less the mean of the other methods, stands on the frame encoder, {frame}, "
    "and is not decided on the other, {context};"
)
def behind_on_one_encoder():
    frame, context = (_with(encoder, CHOSEN, "2") for encoder in ("frame", "context"))
    verdict(frame, "stands")
    verdict(context, "not decided")
    return {"frame": told(frame), "context": told(context)}


@claim(
    "On the four recorded sets, too, the released loss has the best scores on both, its rank is below InfoNCE's on "
    "all, and that of the formula above on three. Of probing one informs, too few for a verdict."
)
def recorded_on_both():
    for encoder in ("frame", "context"):
        own = lines()[lines()["where"] == f"recordings, {encoder} encoder"].set_index(["claim", "of"])
        best, rank = own.loc["1", "released"], own.loc["4"]
        require((best.holds == 4).all() and (best.sets == 4).all(), f"{encoder}: first on {best.holds.tolist()}")
        require([*rank.holds] == [0, 3] and [*rank.index] == ["released", "original"], f"{encoder}: {rank.holds}")
        require((rank.sets == 4).all(), f"{encoder}: ranks of {rank.sets.tolist()} sets")
        probes = own.loc["2"].set_index("by")
        linear = probes[~probes.index.isin(["k nearest neighbours", "MLP"])]
        require(
            (linear.sets == 1).all() and set(own.loc["2"].verdict) == {"open"}, f"{encoder}: {linear.sets.tolist()}"
        )


@claim("Two of four recorded sets inform about the linear probes, on one split each.")
def few_sets_inform():
    found = {line(fidelity, probe, claim="2").sets for fidelity in FIDELITIES for probe in (PROBES[""], CONVERGED)}
    require(found == {2}, f"{found} sets inform")
    recorded = {line(fidelity, "silhouette", claim="1").sets for fidelity in FIDELITIES}
    require(recorded == {4}, f"there are {recorded} recorded sets")


@claim("The dial is of two sets, one split of people each, and {seeds} seeds.")
def of_the_dial():
    own = lines()[lines().claim == "8"]
    require(own["where"].nunique() == 2 and own.drawn.nunique() == 1, f"{set(own['where'])}, {set(own.drawn)}")
    return {"seeds": own.drawn.iloc[0].removesuffix(" seeds")}
