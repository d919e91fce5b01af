"""What the page on InfoNCE and eMargin over training says of the rows in `results/training` and `results/grid`."""

from functools import cache

import pandas as pd

from companion.claims import claim, printed, require
from companion.course import INFONCE, LOSSES, ORIGINAL, RELEASED, stretches, two_methods, with_losses
from companion.dial import chances
from companion.grid.plan import read_grid
from companion.grid.store import Store
from emargin.paths import home

SPSW, SLEEP, ECG = SETS = ["spsw-har", "sleepedf-features", "mitbih"]
PAPERS, CONVERGED, RANK = "balanced_accuracy", "converged_balanced_accuracy", "participation_ratio"
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@cache
def scores(chapter: str, grid: str, *methods: str) -> pd.DataFrame:
    """Return the scores of the two methods in a chapter, or of these, of the page's split."""
    planned = read_grid(home() / "workflow" / grid)
    if methods:
        split = [cell for cell in planned if (cell.protocol, cell.fold) == ("original", 1)]
        chosen = [cell for cell in split if cell.method in methods]
    else:
        chosen = two_methods(planned)
    found = Store(home() / "results" / chapter).scores(chosen)
    return found[found.dataset.isin(SETS)]


@cache
def runs() -> pd.DataFrame:
    """Return the scores of all numbers of steps."""
    both = scores("training", "training.json"), scores("grid", "grid.json")
    return with_losses(pd.concat(both, ignore_index=True))


def untrained(name: str, method: str = "random") -> pd.DataFrame:
    """Return the scores of a random encoder on one set."""
    found = scores("grid", "grid.json", method)
    return found[found.dataset == name]


@cache
def means(name: str) -> pd.DataFrame:
    """Return the means over seeds on one set, by loss and steps."""
    return runs()[runs().dataset == name].groupby(["loss", "iterations"]).mean(numeric_only=True)


@cache
def parts(name: str, loss: str = RELEASED) -> pd.DataFrame:
    """Return the stretches of a loss on one set."""
    found = stretches(runs()[runs().dataset == name], untrained(name))
    return found[found.loss == loss]


def first_and_last(name: str, loss: str, score: str) -> tuple[float, float]:
    """Return the mean score of a loss at the fewest steps and at all of them."""
    own = means(name).loc[loss][score]
    return own.iloc[0], own.iloc[-1]


def without_a_line(name: str) -> pd.DataFrame:
    """Return the runs of one set that have a silhouette of 0.5 or more at an effective rank of 3 or more."""
    own = runs()
    return own[(own.dataset == name) & (own.silhouette >= 0.5) & (own[RANK] >= 3)]


def counts(rises: pd.Series) -> tuple[str, str]:
    """Return how many rise, of how many."""
    return str((rises > 0).sum()), str(len(rises))


@cache
def over_the_sets() -> dict[bool, tuple[str, str]]:
    """Return in how many stretches of all sets the silhouette rises, by whether they collapse."""
    every = pd.concat([parts(name) for name in SETS])
    return {collapses: counts(every.silhouette[every.collapses == collapses]) for collapses in (True, False)}


@claim("its silhouette rises in {rises} of the {all} stretches of training in which it loses a tenth or more of them;")
def finding():
    rises, every = over_the_sets()[True]
    require(int(rises) > 0.9 * int(every), f"it rises in {rises} of {every}")
    return {"rises": rises, "all": every}


@claim("rises in {rises} of the {all} stretches in which it loses directions, and in {other} of the {others} others.")
def over_three_sets():
    (rises, every), (other, others) = over_the_sets()[True], over_the_sets()[False]
    return {"rises": rises, "all": every, "other": other, "others": others}


@claim("On SP-SW-HAR both InfoNCE go up and to the right: the probe gains, Davies-Bouldin gets worse.")
def path_of_infonce():
    for loss in INFONCE:
        for score in (PAPERS, "davies_bouldin"):
            first, last = first_and_last(SPSW, loss, score)
            require(last > first, f"{loss}: {score} goes from {first} to {last}")


@claim("to the left for 25 steps, from {dbi} and {probe} to {later_dbi} and {later}, which looks like both improving;")
def path_of_emargin():
    own = means(SPSW).loc[RELEASED]
    first, later = own.iloc[0], own.loc[25]
    require(later.davies_bouldin < first.davies_bouldin and later[PAPERS] > first[PAPERS], "it goes elsewhere")
    start = printed(dbi=first.davies_bouldin, probe=first[PAPERS], later_dbi=later.davies_bouldin)
    return start | printed(3, later=later[PAPERS])


@claim("stays below 1 and the probe falls to {probe}, while the effective rank comes back from {rank} to {last}.")
def path_turns():
    own = means(SPSW).loc[RELEASED].loc[25:]
    require(own.davies_bouldin.max() < 1, f"Davies-Bouldin is {own.davies_bouldin.to_dict()}")
    require(own[PAPERS].iloc[-1] < own[PAPERS].iloc[0], "the probe does not fall")
    return printed(probe=own[PAPERS].iloc[-1]) | printed(1, rank=own[RANK].iloc[0], last=own[RANK].iloc[-1])


@claim("The original eMargin takes no such path; its probe gains least of the four.")
def original_gains_least():
    probe = means(SPSW)[PAPERS].groupby("loss")
    gain = probe.max() - probe.first()
    require(gain.idxmin() == ORIGINAL, f"gains are {gain.to_dict()}")


@claim("runs down and to the left, from {dbi} and {probe} to {last_dbi} and {last}.")
def path_on_sleep():
    own = means(SLEEP).loc[RELEASED].loc[25:]
    first, last = own.iloc[0], own.iloc[-1]
    return printed(dbi=first.davies_bouldin, probe=first[PAPERS], last_dbi=last.davies_bouldin, last=last[PAPERS])


@claim("There both InfoNCE turn, too, and improve in Davies-Bouldin while their probe falls, by less.")
def infonce_turns_on_sleep():
    fall = {
        loss: means(SLEEP).loc[loss][PAPERS].loc[25:].agg(lambda own: own.iloc[0] - own.iloc[-1]) for loss in LOSSES
    }
    for loss in INFONCE:
        own = means(SLEEP).loc[loss].davies_bouldin.loc[25:]
        require(own.iloc[-1] < own.iloc[0] and 0 < fall[loss] < fall[RELEASED], f"{loss}: the probe falls by {fall}")


@claim("InfoNCE gains directions, from about {few} after two steps to {low} and {high};")
def infonce_gains_directions():
    first, last = zip(*(first_and_last(SPSW, loss, RANK) for loss in INFONCE), strict=True)
    require(max(first) - min(first) < 1, f"the ranks are {first} after two steps")
    require(min(last) > max(first), f"they end at {last}")
    return printed(0, few=first[0], low=min(last), high=max(last))


@claim("the released eMargin loses them, down to {rank} after 25 steps. All but one of the stretches that collapse are")
def emargin_loses_directions():
    rank = means(SPSW).loc[RELEASED][RANK]
    require(rank.idxmin() == 25 or rank[25] - rank.min() < 0.05, f"it is lowest after {rank.idxmin()} steps")
    others = sum(parts(SPSW, loss).collapses.sum() for loss in LOSSES if loss != RELEASED)
    require(others == 1, f"{others} are another's")
    return printed(1, rank=rank[25])


@claim(
    "no encoder has a high silhouette at a rank of 3 or more, and in each of the {number} stretches in which the"
    " released eMargin collapses its silhouette rises."
)
def outcomes_a_and_b_on_the_body():
    require(without_a_line(SPSW).empty, f"{len(without_a_line(SPSW))} have")
    own = parts(SPSW)[parts(SPSW).collapses]
    require((own.silhouette > 0).all(), f"it rises in {(own.silhouette > 0).sum()} of {len(own)}")
    return {"number": WORDS[len(own)]}


@claim("its silhouette rises from {first} to {last} while its rank stays at {low} to {high}.")
def the_opposite_occurs_too():
    own = means(SPSW).loc[RELEASED].loc[25:100]
    require(own.silhouette.iloc[-1] > own.silhouette.iloc[0] and own[RANK].max() - own[RANK].min() < 0.2, "not so")
    silhouette = printed(first=own.silhouette.iloc[0], last=own.silhouette.iloc[-1])
    return silhouette | printed(1, low=own[RANK].min(), high=own[RANK].max())


@claim("In {gains} of these {all} stretches the paper's probe *gains*. They lie at the beginning, and there every loss")
def outcome_c_on_the_body():
    own = parts(SPSW)[parts(SPSW).collapses]
    early = means(SPSW)[PAPERS].unstack().diff(axis=1)[[5, 10, 25]]
    require((early > 0).all(axis=None), f"a loss does not gain: {early.to_dict()}")
    return {"gains": WORDS[(own.paper > 0).sum()], "all": WORDS[len(own)]}


@claim(
    "read {initial} with the initial statistics and {calibrated} with those of the data. The released eMargin comes"
    " to {after} at 25 steps, when the collapse is complete, and ends at {last}, below the random encoder."
)
def batchnorm_is_the_gain():
    initial, calibrated = (untrained(SPSW, method)[PAPERS].mean() for method in ("random", "random-calibrated"))
    probe = means(SPSW).loc[RELEASED][PAPERS]
    require(probe.iloc[-1] < calibrated, f"it ends at {probe.iloc[-1]}")
    return printed(3, initial=initial, calibrated=calibrated, after=probe[25], last=probe.iloc[-1])


@claim("The converged probe, which sees standardised features, stays near 0.62 all along.")
def converged_probe_on_the_body():
    probe = means(SPSW).loc[RELEASED][CONVERGED]
    require(probe.between(0.605, 0.635).all(), f"it reads {probe.to_dict()}")


@claim("**All four losses lose directions**, the released eMargin most: from {first} after two steps to {last}.")
def directions_on_sleep():
    both = {loss: first_and_last(SLEEP, loss, RANK) for loss in LOSSES}
    require(all(last < first for first, last in both.values()), f"ranks are {both}")
    kept = {loss: last / first for loss, (first, last) in both.items()}
    require(min(kept, key=kept.get) == RELEASED, f"what is left is {kept}")
    return printed(1, first=both[RELEASED][0], last=both[RELEASED][1])


@claim(
    "InfoNCE, `original`, has silhouettes of {low} to {high} at ranks of {least} to {most} from {steps} steps on."
    " **The score rises as the line forms** for the released eMargin in every stretch that collapses."
)
def scores_without_a_line_on_sleep():
    found = without_a_line(SLEEP)
    require(set(found.loss) == {INFONCE[1]}, f"they are of {set(found.loss)}")
    own = parts(SLEEP)[parts(SLEEP).collapses]
    require((own.silhouette > 0).all(), f"it rises in {(own.silhouette > 0).sum()} of {len(own)}")
    steps = {"steps": str(found.iterations.min())} | printed(1, least=found[RANK].min(), most=found[RANK].max())
    return steps | printed(low=found.silhouette.min(), high=found.silhouette.max())


@claim("The silhouette of the released eMargin rises all the way, from {first} to {last}.")
def silhouette_on_sleep():
    silhouette = means(SLEEP).loc[RELEASED].silhouette
    require(silhouette.is_monotonic_increasing, f"it goes as {silhouette.to_dict()}")
    return printed(first=silhouette.iloc[0], last=silhouette.iloc[-1])


def best(score: str) -> dict[str, str]:
    """Return after how many steps a score of the released eMargin is best on the features of Sleep-EDF, and both."""
    own = means(SLEEP).loc[RELEASED][score]
    return {"steps": str(own.idxmax())} | printed(best=own.max(), last=own.iloc[-1])


@claim(
    "The paper's probe is best after {steps} steps ({best}, random weights with calibrated BatchNorm {random}) and"
    " falls to {last};"
)
def papers_probe_on_sleep():
    return best(PAPERS) | printed(random=untrained(SLEEP, "random-calibrated")[PAPERS].mean())


@claim("the converged probe is best after 100 and 200 steps ({best}; InfoNCE at best {infonce}) and falls to {last};")
def converged_probe_on_sleep():
    own = means(SLEEP).loc[RELEASED][CONVERGED]
    two = own.nlargest(2)
    require(set(two.index) == {100, 200}, f"it is best after {list(two.index)}")
    infonce = means(SLEEP).loc[INFONCE][CONVERGED].max()
    require(two.max() - two.min() < 0.01, f"it is {two.to_dict()}")
    return printed(best=two.mean(), infonce=infonce, last=own.iloc[-1])


@claim("NMI is best after {steps} ({best}) and falls to {last}.")
def nmi_on_sleep():
    return best("nmi")


@claim(
    "At 100 and 200 steps the silhouette is {first} and {second}: the steps after that raise it, and lower all three."
)
def later_steps_on_sleep():
    own = means(SLEEP).loc[RELEASED]
    for score in (PAPERS, CONVERGED, "nmi"):
        require(own[score].iloc[-1] < own[score].loc[[100, 200]].min(), f"{score} is not lower")
    return printed(first=own.silhouette[100], second=own.silhouette[200])


@claim(
    "collapses all the way**: in {collapse} of its {all} stretches the effective rank falls by a tenth or more, from"
    " {rank} after two steps to {last_rank}, and in {rises} of these its silhouette rises, from {first} to {last}."
)
def collapse_on_ecg():
    own, (rank, last_rank) = parts(ECG), first_and_last(ECG, RELEASED, RANK)
    rises, collapse = counts(own.silhouette[own.collapses])
    first, last = first_and_last(ECG, RELEASED, "silhouette")
    ranks = printed(0, rank=rank) | printed(1, last_rank=last_rank)
    return {"collapse": collapse, "all": str(len(own)), "rises": rises} | ranks | printed(first=first, last=last)


@claim(
    "and end at a rank of {rank} and silhouettes of {first} and {second}; InfoNCE `original` first opens up to {most}"
    " of"
)
def infonce_on_ecg():
    ranks = [first_and_last(ECG, loss, RANK)[1] for loss in INFONCE]
    require(len({round(rank) for rank in ranks}) == 1, f"they end at {ranks}")
    first, second = (first_and_last(ECG, loss, "silhouette")[1] for loss in INFONCE)
    most = means(ECG).loc[INFONCE[1]][RANK].max()
    return printed(0, rank=ranks[0], most=most) | printed(first=first, second=second)


@claim("The original eMargin stays between {low} and {high}, and its silhouette ends at {last}.")
def original_on_ecg():
    rank = means(ECG).loc[ORIGINAL][RANK]
    return printed(0, low=rank.min(), high=rank.max()) | printed(last=first_and_last(ECG, ORIGINAL, "silhouette")[1])


@claim("on the way down: the released eMargin of seed {seed} after {steps} steps, {silhouette} at a rank of {rank}.")
def score_without_a_line_on_ecg():
    found = without_a_line(ECG)
    require(list(found.loss) == [RELEASED], f"they are {found.loss.tolist()}")
    (one,) = found.itertuples()
    at = {"seed": str(one.seed), "steps": str(one.iterations)}
    return at | printed(silhouette=one.silhouette) | printed(1, rank=one.participation_ratio)


@claim("**What the probe gains cannot be told**: no probe of any encoder is above chance.")
def nothing_to_read_on_ecg():
    highest = means(ECG)[[PAPERS, CONVERGED]].max(axis=None)
    chance = chances(Store(home() / "results" / "training"))[ECG]
    require(highest < chance + 1e-4, f"one reads {highest}, chance is {chance}")


@claim("for eMargin and InfoNCE `released` ({first} and {second}) and falls to {last} and {last_second};")
def nmi_on_ecg():
    nmi = [means(ECG).loc[loss].nmi for loss in (RELEASED, INFONCE[0])]
    require({one.idxmax() for one in nmi} == {25}, f"it is best after {[one.idxmax() for one in nmi]}")
    first, second = (one[25] for one in nmi)
    last, last_second = (one.iloc[-1] for one in nmi)
    return printed(first=first, second=second, last=last, last_second=last_second)


@claim(
    "The three embeddings of rank above 10 fill areas in which the classes overlap. That of the released eMargin, of"
    " rank {rank}, is"
)
def maps():
    own = runs()
    own = own[(own.dataset == SPSW) & (own.seed == 1)].sort_values("iterations").groupby("loss")[RANK].last()
    require(own.drop(RELEASED).min() > 10, f"ranks are {own.to_dict()}")
    return printed(1, rank=own[RELEASED])
