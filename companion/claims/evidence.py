"""What the page of evidence says of the lines in `results/statistics/claims.csv` and of the rows of recordings."""

from functools import cache

import pandas as pd

from companion.claims import claim, require, signed
from companion.claims.conclusions import CONVERGED, line, lines, on, told, turned, verdict
from companion.claims.results_claim import found, store
from companion.grid.plan import read_grid
from companion.statistics import conclusions
from companion.statistics.conclusions import ARCHIVE, PROBES
from companion.statistics.order import follows_rank
from emargin.config import FIDELITIES
from emargin.paths import home

SCORES = ("Davies-Bouldin", "silhouette")
PAPERS = PROBES[""]


@cache
def ranks() -> pd.DataFrame:
    """Return effective ranks, a line a split and fidelity, a column a method."""
    splits: dict = {}
    for cell in read_grid(home() / "workflow" / "grid.json"):
        if cell.protocol == "original":
            splits.setdefault((cell.dataset, cell.fold), []).append(cell)
    return conclusions.means(store(), list(splits.values()), "participation_ratio")


@claim("the silhouette rises by {silhouette}, NMI falls, the paper's probe falls by {probe} to chance, and")
def the_dial():
    sets = ("spsw-har, fold 1", "sleepedf-features, fold 1")
    require(set(sets) == set(lines()["where"][lines().claim == "8"]), "the dial has other sets")
    for where in sets:
        for by, wanted in (("silhouette", "higher"), ("NMI with the classes", "lower"), (PAPERS, "lower")):
            verdict(turned(by, where), wanted)
        require(turned(PROBES["certified_"], where).value > 0, "a probe at its optimum falls")
    silhouette, probe = ([turned(by, where).value for where in sets] for by in ("silhouette", PAPERS))
    return {
        "silhouette": " and ".join(f"{one:.2f}" for one in silhouette),
        "probe": " and ".join(f"{-one:.2f}" for one in probe),
    }


@claim("both scores follow the effective rank, ρ from {high} to {low}, NMI")
def scores_follow_the_rank():
    follows = follows_rank(found()).values()
    require({one["verdict"] for one in follows} == {"goes against"}, f"verdicts {[one['verdict'] for one in follows]}")
    values = [one["value"] for one in follows]
    return {"high": signed(max(values)), "low": signed(min(values))}


@claim("NMI with a probe at most {nmi} (")
def nmi_follows_probes_less():
    nmi = lines()[(lines().claim == "3") & lines().by.str.startswith("NMI") & (lines()["where"] == "recordings")]
    return {"nmi": signed(nmi[nmi.against.isin([PAPERS, CONVERGED])].value.max())}


@claim(
    "On {first} sets the released eMargin is first in both scores, and in a converged probe {behind} behind the mean"
)
def many_classes():
    first = {on(line("released", score, where=ARCHIVE, claim="1")) for score in SCORES}
    require(first == {"6 of 6"}, f"first on {first}")
    behind = line("released", CONVERGED, where=ARCHIVE, claim="2")
    require(behind.value < 0, "it is ahead")
    verdict(behind, "stands")
    return {"first": first.pop(), "behind": told(behind).lstrip("−").replace("(−", "(").replace("to −", "to ")}


@claim("a chosen penalty takes its distance to InfoNCE from {fixed} to {chosen} (")
def a_chosen_penalty():
    fixed, chosen = (
        line("released", PROBES[name], "InfoNCE, released", ARCHIVE, claim="2") for name in ("certified_", "chosen_")
    )
    verdict(chosen, "lower")
    require(fixed.value < chosen.value, "the distance grows")
    return {"fixed": f"{-fixed.value:.2f}", "chosen": f"{-chosen.value:.2f}"}


@claim("its effective rank stays above {least} on every split, the released loss's below {most}, and")
def the_formulas_do_not_collapse():
    own = {fidelity: ranks().xs(fidelity, level="fidelity")[conclusions.EMARGIN].dropna() for fidelity in FIDELITIES}
    least, most = own["original"].min(), own["released"].max()
    require(most < 3 < least, f"{most}, {least}")
    for score in SCORES:
        verdict(line("original", score, claim="1"), "does not stand")
    return {"least": f"{int(least)}", "most": f"{int(most) + 1}"}


@claim("the reading `pair` collapses on every split, and so does the released TNC, to at most {most} directions")
def others_collapse():
    pair = ranks().xs("original", level="fidelity")["eMargin, pair"].dropna()
    require((pair < 2).all(), f"`pair` keeps up to {pair.max()}")
    tnc = ranks().xs("released", level="fidelity")["TNC"].dropna().max()
    require(tnc < 3.5, f"TNC keeps up to {tnc}")
    return {"most": f"{tnc:.1f}"}


@claim(
    "There {holding} of the {number} intervals of a score with a linear probe hold zero; "
    "the other, {other}, of the silhouette with the paper's probe in `released`, is *for* the warning, by a hair"
)
def no_order():
    third = lines()[(lines().claim == "3") & (lines().of != "paper") & (lines()["where"] == "recordings")]
    third = third[third.against.isin([PAPERS, CONVERGED]) & ~third.by.str.startswith("NMI")]
    off = third[(third.low > 0) | (third.high < 0)]
    require(len(off) == 1 and -0.1 < off.high.iloc[0] < 0, f"{len(off)} leave zero out")
    (one,) = off.itertuples()
    require((one.of, one.by, one.against) == ("released", "silhouette", PAPERS), str(one))
    return {"holding": str(len(third) - 1), "number": str(len(third)), "other": told(one)}


@claim("On the six sets of the archive, where NMI goes along with the converged probe, no interval leaves zero out")
def no_order_on_the_archive():
    third = lines()[(lines().claim == "3") & (lines()["where"] == ARCHIVE)]
    nmi = third[third.by.str.startswith("NMI") & (third.against == CONVERGED)]
    require(set(nmi.verdict) == {"goes along"} and set(nmi.sets) == {6}, f"NMI: {set(nmi.verdict)}")
    scores = third[third.against.isin([PAPERS, CONVERGED]) & ~third.by.str.startswith("NMI")]
    require(((scores.low < 0) & (scores.high > 0)).all(), "one leaves zero out")
    require(not (third.verdict == "stands").any(), "claim 3 stands in a line")


@claim("its probe reads nothing from any method on MIT-BIH")
def nothing_on_the_heart():
    most = found().balanced_accuracy[found().dataset == "mitbih"].max()
    require(most < 0.2525, f"it reads up to {most}")
