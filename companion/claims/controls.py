"""What the page on recordings without order or events says of the rows in `results/controls` and `results/grid`."""

import math
from functools import cache

import pandas as pd

from companion.claims import claim, printed, require
from companion.dial import chances
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.labels import label, names
from companion.statistics.controls import EMARGIN, beside_a_line, rank_for
from emargin.paths import home

SPSW, SLEEP, ECG, SPORTS = "spsw-har", "sleepedf-features", "mitbih", "dsads"
PAIR, ALL_PAIRS = "eMargin, original, pair", "eMargin, original, all-pairs"
ANCHOR, INFONCE = "eMargin, original, anchor", ["InfoNCE, released", "InfoNCE, original"]
PAPERS, CONVERGED, RANK = "balanced_accuracy", "converged_balanced_accuracy", "participation_ratio"
PLAIN, ORDER, PHASES = "", "frames", "phase"


@cache
def runs() -> pd.DataFrame:
    """Return the scores as recorded and of both controls, with the names of the encoders."""
    controls, grid = (
        [cell for cell in read_grid(home() / "workflow" / name) if (cell.protocol, cell.fold) == ("original", 1)]
        for name in ("controls.json", "grid.json")
    )
    titles = names(controls)
    recorded = [cell for cell in grid if label(cell) in set(titles.values())]
    stores = {"controls": controls, "grid": recorded}
    found = pd.concat([Store(home() / "results" / name).scores(cells) for name, cells in stores.items()])
    return found.assign(name=found.digest.map(titles | names(recorded)), control=found.surrogate.fillna(PLAIN))


@cache
def means(dataset: str, control: str = PLAIN) -> pd.DataFrame:
    """Return the means over seeds on one set, by encoder."""
    found = runs()
    chosen = found[(found.dataset == dataset) & (found.control == control)]
    return chosen.groupby("name").mean(numeric_only=True)


def seeds_of(dataset: str, control: str) -> pd.DataFrame:
    """Return the runs of the released eMargin on one set, in the order of seeds."""
    found = runs()
    chosen = (found.name == EMARGIN) & (found.dataset == dataset) & (found.control == control)
    return found[chosen].sort_values("seed")


def change(dataset: str, name: str, score: str, control: str = ORDER) -> tuple[float, float]:
    """Return a mean score as recorded and with a control."""
    return means(dataset)[score][name], means(dataset, control)[score][name]


@cache
def chance(dataset: str) -> float:
    """Return the balanced accuracy of a guess."""
    return chances(Store(home() / "results" / "controls"))[dataset]


def at_chance(dataset: str, control: str, within: float) -> None:
    """Require that no mean of either probe is farther than this from chance."""
    away = (means(dataset, control)[[PAPERS, CONVERGED]] - chance(dataset)).abs().max(axis=None)
    require(away < within, f"a probe is {away} from chance")


def listed(values: list[str]) -> str:
    """Return words as a list: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(values[:-1]), values[-1]]))


@claim("On the other three sets the score stays at {least} or more, the highest of all lines but `pair`.")
def what_came_of_it():
    least = math.inf
    for dataset, control in [(SPSW, ORDER), (SPSW, PHASES), (SLEEP, ORDER), (ECG, ORDER), (ECG, PHASES)]:
        silhouette = means(dataset, control).silhouette.drop(PAIR)
        require(silhouette.idxmax() == EMARGIN, f"on {dataset}, {control}, {silhouette.idxmax()} is higher")
        least = min(least, silhouette[EMARGIN])
    return printed(least=least)


@claim("(0.20 for five classes). The released eMargin keeps its silhouette all the same, {phases} beside {recorded}.")
def without_events_on_the_body():
    require(means(SPSW, PHASES).nmi.max() < 0.02, f"NMI is {means(SPSW, PHASES).nmi.to_dict()}")
    at_chance(SPSW, PHASES, 0.025)
    recorded, phases = change(SPSW, EMARGIN, "silhouette", PHASES)
    require(recorded - phases < 0.05, f"it falls from {recorded} to {phases}")
    return printed(recorded=recorded, phases=phases)


@claim("With shuffled frames its silhouette is no lower.")
def without_order_on_the_body():
    before, after = change(SPSW, EMARGIN, "silhouette")
    require(after >= before, f"it goes from {before} to {after}")


@claim("have low silhouettes in all three columns, apart from the reading `pair`, which collapses as well.")
def others_on_the_body():
    for control in (PLAIN, ORDER, PHASES):
        highest = means(SPSW, control).silhouette.drop([EMARGIN, PAIR]).max()
        require(highest < 0.3, f"in {control or 'the recordings'} one has {highest}")
        require(means(SPSW, control)[RANK][PAIR] < 2.5, f"the rank of pair is {means(SPSW, control)[RANK][PAIR]}")


@claim("InfoNCE's converged probe loses {loss} in either fidelity when the order goes: it does use that neighbours")
def order_helps_infonce():
    loses = [before - after for before, after in (change(SPSW, name, CONVERGED) for name in INFONCE)]
    require(min(loses) > 0.03 and max(loses) - min(loses) < 0.01, f"it loses {loses}")
    return printed(loss=sum(loses) / 2)


@claim("The loss of the formulas (`anchor`) *gains* when its neighbours are strangers: with the")
def order_costs_the_original_loss():
    before, after = change(SPSW, ANCHOR, CONVERGED)
    require(after > before + 0.02, f"it goes from {before} to {after}")


@claim(
    "silhouette goes from {silhouette} to {silhouette_after}. Its converged probe goes from {probe} to {probe_after},"
    " and NMI from {nmi} to {nmi_after}. The reading `pair` does the same."
)
def an_emptied_embedding_on_sleep():
    found = {}
    for score, title in (("silhouette", "silhouette"), (CONVERGED, "probe"), ("nmi", "nmi")):
        before, after = change(SLEEP, EMARGIN, score)
        pairs = change(SLEEP, PAIR, score)
        require((after > before) == (pairs[1] > pairs[0]) == (score == "silhouette"), f"{score}: pair has {pairs}")
        found |= printed(**{title: before, f"{title}_after": after})
    return found


@claim("by more than {fall} in both fidelities: without neighbours that belong together it keeps more directions.")
def infonce_on_sleep():
    silhouette = [before - after for before, after in (change(SLEEP, name, "silhouette") for name in INFONCE)]
    ranks = [change(SLEEP, name, RANK) for name in INFONCE]
    require(all(after > before for before, after in ranks), f"ranks are {ranks}")
    return {"fall": f"{math.floor(10 * min(silhouette)) / 10:.1f}"}


@claim("Its probe loses {loss} in fidelity `original` and nothing in `released`.")
def probe_of_infonce_on_sleep():
    released, original = (before - after for before, after in (change(SLEEP, name, CONVERGED) for name in INFONCE))
    require(abs(released) < 0.01, f"in released it loses {released}")
    return printed(loss=original)


@claim("gains here, too: a little with the probe ({probe} and {probe_after}), more in NMI ({nmi} and {nmi_after}).")
def original_loss_on_sleep():
    (probe, probe_after), (nmi, nmi_after) = (change(SLEEP, ANCHOR, score) for score in (CONVERGED, "nmi"))
    require(0 < probe_after - probe < nmi_after - nmi, f"the probe gains {probe_after - probe}")
    return printed(probe=probe, probe_after=probe_after, nmi=nmi, nmi_after=nmi_after)


@claim(
    "next to `pair`: {recorded} on the recordings, {order} in random order, {phases} with random phases; the reading"
    " `all-pairs` comes next, with {next} and {next_phases}."
)
def highest_on_ecg():
    found, following = [], []
    for control in (PLAIN, ORDER, PHASES):
        silhouette = means(ECG, control).silhouette.drop(PAIR).sort_values()
        require(list(silhouette.index[-2:]) == [ALL_PAIRS, EMARGIN], f"in {control} they are {silhouette.to_dict()}")
        found.append(silhouette[EMARGIN])
        following.append(f"{silhouette[ALL_PAIRS]:.2f}")
    recorded, order, phases = found
    after = {"next": ", ".join(following[:2]), "next_phases": following[2]}
    return printed(recorded=recorded, order=order, phases=phases) | after


@claim("In random order the three seeds have NMI {nmi}, and silhouettes of {low} to {high}.")
def emptied_on_ecg():
    own = seeds_of(ECG, ORDER)
    nmi = own.nmi.sort_values(ascending=False)
    require(len(own) == 3 and nmi.iloc[-1] < 0.1 < nmi.iloc[-2], f"NMI is {nmi.tolist()}")
    nmi = {"nmi": listed([f"{value:.2f}" for value in nmi])}
    return nmi | printed(low=own.silhouette.min(), high=own.silhouette.max())


@claim(
    "from {random} to {random_after} for the untrained encoder, from {infonce} to {infonce_after} for InfoNCE"
    " `released`, from {pairs} to {pairs_after} for `all-pairs`. (Exceptions are the released eMargin, {own} and"
    " {own_after}, InfoNCE `original`, {other} and {other_after}, and the reading `pair`, where it stays.)"
)
def nmi_without_events_on_ecg():
    nmi = means(ECG, PHASES).nmi - means(ECG).nmi
    rises = nmi.drop([EMARGIN, INFONCE[1], PAIR])
    require((rises > 0.1).all() and abs(nmi[PAIR]) < 0.01, f"NMI changes by {nmi.to_dict()}")
    require(nmi[EMARGIN] < 0 and nmi[INFONCE[1]] < 0, f"NMI changes by {nmi.to_dict()}")
    lines = {
        "random": "Random, calibrated",
        "infonce": INFONCE[0],
        "pairs": ALL_PAIRS,
        "own": EMARGIN,
        "other": INFONCE[1],
    }
    both = {title: change(ECG, name, "nmi", PHASES) for title, name in lines.items()}
    found = {title: before for title, (before, _) in both.items()}
    return printed(**found | {f"{title}_after": after for title, (_, after) in both.items()})


@claim(
    "its silhouette goes from {silhouette} to {silhouette_after}, its effective rank from {rank} to {rank_after}, as"
    " on the features of Sleep-EDF. InfoNCE `released` stays as it was."
)
def infonce_on_ecg():
    before, after = change(ECG, INFONCE[0], "silhouette")
    require(abs(after - before) < 0.05, f"released goes from {before} to {after}")
    before, after = change(ECG, INFONCE[1], "silhouette")
    rank, rank_after = change(ECG, INFONCE[1], RANK)
    ranks = printed(0, rank=rank, rank_after=rank_after)
    return ranks | printed(silhouette=before, silhouette_after=after)


@claim("**The probes say nothing here**: no mean is above chance.")
def nothing_to_read_on_ecg():
    highest = max(means(ECG, control)[[PAPERS, CONVERGED]].max(axis=None) for control in (PLAIN, ORDER, PHASES))
    require(highest < chance(ECG) + 1e-4, f"one is {highest}")


@claim(
    "silhouette falls from {recorded} to {low} in each seed, among the other encoders' {least} to {most} (`pair` has"
    " {pair}). Its effective rank is {ranks} there, {rank} as recorded:"
)
def without_events_on_sports():
    recorded, _ = change(SPORTS, EMARGIN, "silhouette", PHASES)
    own = seeds_of(SPORTS, PHASES)
    require(len(own) == 3 and own.silhouette.max() < 0.2, f"it is {own.silhouette.tolist()}")
    require(own.silhouette.max() - own.silhouette.min() < 0.01, f"it is {own.silhouette.tolist()}")
    silhouette = means(SPORTS, PHASES).silhouette
    others = silhouette.drop([EMARGIN, PAIR])
    ends = printed(recorded=recorded, low=own.silhouette.mean(), pair=silhouette[PAIR])
    ends |= {"least": f"{others.min():.2f}".replace("-", "−"), "most": f"{others.max():.2f}"}
    ranks = {"ranks": listed([f"{value:.1f}" for value in sorted(own[RANK])])}
    return ends | ranks | printed(1, rank=means(SPORTS)[RANK][EMARGIN])


@claim("it keeps {silhouette}, at a rank of {rank}, and its converged probe, {probe} of {recorded}.")
def without_order_on_sports():
    recorded, probe = change(SPORTS, EMARGIN, CONVERGED)
    order = means(SPORTS, ORDER).loc[EMARGIN]
    return printed(silhouette=order.silhouette, probe=probe, recorded=recorded) | printed(1, rank=order[RANK])


@claim(
    "its converged probe falls from {released} and {original} to {released_after} and {original_after}, and that of"
    " `original` collapses itself, to a silhouette of {silhouette} at a rank of {rank}, the opposite"
)
def infonce_on_sports():
    (released, released_after), (original, original_after) = (change(SPORTS, name, CONVERGED) for name in INFONCE)
    falls = means(SPORTS)[CONVERGED] - means(SPORTS, ORDER)[CONVERGED]
    require(set(falls.nlargest(2).index) == set(INFONCE), f"the probes fall by {falls.to_dict()}")
    order = means(SPORTS, ORDER).loc[INFONCE[1]]
    probes = printed(released=released, original=original, silhouette=order.silhouette)
    return probes | printed(released_after=released_after, original_after=original_after) | printed(1, rank=order[RANK])


@claim("The loss of the formulas (`anchor`) gains again, from {before} to {after}.")
def original_loss_on_sports():
    before, after = change(SPORTS, ANCHOR, CONVERGED)
    require(after > before, "it does not")
    return printed(before=before, after=after)


@claim("With random phases NMI is below {nmi} and every probe within {near} of chance (0.05 for nineteen classes).")
def nothing_to_read_on_sports():
    away = (means(SPORTS, PHASES)[[PAPERS, CONVERGED]] - chance(SPORTS)).abs().max(axis=None)
    return printed(near=math.ceil(100 * away) / 100) | {
        "nmi": f"{math.ceil(20 * means(SPORTS, PHASES).nmi.max()) / 20:.2f}"
    }


@cache
def lines() -> pd.DataFrame:
    """Return the runs of the released eMargin beside the silhouette of an evenly filled line of their rank."""
    return beside_a_line(runs()[runs().name == EMARGIN])


@claim(
    "Filled evenly it would have at most {even} at the ranks found as recorded and with random phases; for 0.4 it"
    " would need a rank of {rank}."
)
def nineteen_cuts():
    own = lines()
    own = own[(own.dataset == SPORTS) & (own.control != ORDER)]
    return printed(even=own.even.max()) | printed(3, rank=rank_for(0.4, 19))


@claim("the reading asks for a low score there, and {found} is above it.")
def above_the_line_on_sports():
    own = lines()
    own = own[(own.dataset == SPORTS) & (own.control == PHASES)]
    require((own.silhouette > own.even).all(), f"the line has {own.even.tolist()}")
    return printed(found=own.silhouette.mean())


@claim("**What needs another reason is the {silhouette} of the recordings**, at ranks of {least} to {most}.")
def recordings_of_sports():
    own = seeds_of(SPORTS, PLAIN)
    return printed(silhouette=own.silhouette.mean()) | printed(1, least=own[RANK].min(), most=own[RANK].max())


@claim("for each person (NMI {recorded}); with random phases it has not ({phases}).")
def groups_of_sports():
    recorded, phases = change(SPORTS, EMARGIN, "nmi", PHASES)
    require(recorded > 0.4 > 0.1 > phases, f"NMI is {recorded} and {phases}")
    return printed(recorded=recorded, phases=phases)


@claim("evenly filled line in every seed, too, with random phases by {low} to {high}.")
def above_the_line_elsewhere():
    own = lines()[lines().dataset != SPORTS]
    above = own.silhouette - own.even
    require((above > 0).all(), f"it is below by {above.min()}")
    phases = above[own.control == PHASES]
    return printed(low=phases.min(), high=phases.max())


@claim("With three seeds as recorded and with random phases, one in random order, and four test people:")
def seeds_of_sports():
    counts = [len(seeds_of(SPORTS, control)) for control in (PLAIN, PHASES, ORDER)]
    require(counts == [3, 3, 1], f"there are {counts}")
