"""What the page on beats says of the rows in `results/beats`."""

from functools import cache

import numpy as np
import pandas as pd

from companion import dial
from companion.claims import claim, ends, printed, require, signed
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.labels import label
from companion.statistics import beats
from companion.statistics.beats import ALL, COMMON, EMARGIN, INFONCE, READ, UNTRAINED
from companion.statistics.readable import ABOVE
from emargin.paths import home

PAPERS, CHOSEN = READ["balanced_accuracy"], READ["chosen_balanced_accuracy"]
OPTIMUM = READ["certified_balanced_accuracy"]
SIDES = ("DS2", "DS1")
CONTROL, FORMULA = "Random, calibrated", "eMargin, original, anchor"


@cache
def store() -> Store:
    """Return the store of the grid of beats."""
    return Store(home() / "results" / "beats")


@cache
def controls() -> pd.DataFrame:
    """Return what is read without training, by side, probe and classes."""
    return beats.controls(store()).set_index(["tested", "by", "scored"])


@cache
def apart(second: str) -> pd.DataFrame:
    """Return eMargin less another line, by side, probe and classes."""
    return beats.differences(store(), EMARGIN, second).set_index(["tested", "by", "scored"])


def both(table: pd.DataFrame, by: str, column: str, scored: str = ALL) -> list[float]:
    """Return a column of one score on DS2 and on DS1."""
    return [float(table.loc[(side, by, scored), column]) for side in SIDES]


@claim("eMargin leads in silhouette by far on both sides, in each seed, and the paper's probe")
def leads_in_each_seed():
    rows = store().rows[(store().rows.metric == "silhouette") & (store().rows.fidelity == "released")]
    wide = rows[rows.labels != "paper"].pivot_table("value", ["fold", "seed"], "method").dropna()
    require(len(wide) == 4 and ((wide.emargin - wide.infonce) > 0.2).all(), f"{wide.to_dict()}")


@claim("a silhouette of {emargin_2} and {emargin_1}, InfoNCE of {infonce_2} and {infonce_1}.")
def silhouettes():
    table = apart(INFONCE)
    ours, theirs = (both(table, "silhouette", name, "") for name in ("first", "second"))
    require(all(one - two > 0.3 for one, two in zip(ours, theirs, strict=True)), f"{ours} and {theirs}")
    values = dict(zip(("emargin_2", "emargin_1", "infonce_2", "infonce_1"), ours + theirs, strict=True))
    return {name: f"{value:.2f}" for name, value in values.items()}


@claim(
    "The paper's probe reads {emargin} from eMargin and {infonce} from InfoNCE on either side, where chance is 0.25,"
)
def papers_probe_is_at_chance():
    table, found = apart(INFONCE), {}
    for name, column in (("emargin", "first"), ("infonce", "second")):
        values = both(table, PAPERS, column)
        require(max(values) < 0.26, f"{name}: {values}")
        (told,) = {f"{value:.2f}" for value in values}
        found[name] = told
    return found


@claim("A linear probe gets {two} on DS2 and {one} on DS1 from calibrated random weights at its optimum, chance 0.25,")
def untrained():
    values = both(controls(), OPTIMUM, "value")
    for column in ("first", "second"):  # eMargin and InfoNCE
        trained = both(apart(INFONCE), OPTIMUM, column)
        require(all(one > two for one, two in zip(values, trained, strict=True)), f"trained: {trained}")
    return {"two": f"{values[0]:.2f}", "one": f"{values[1]:.2f}"}


@cache
def at_optimum() -> pd.DataFrame:
    """Return what the probe at its optimum reads, the mean over seeds: a row a line, a column a fold."""
    rows = store().rows
    rows = rows[rows.metric == "certified_balanced_accuracy"]
    rows = rows.assign(line=[label(row) for row in rows.itertuples()])
    return rows.pivot_table(index="line", columns="fold", values="value")


@claim("`reading` `anchor`, reads more after it on both.")
def only_the_formula():
    trained = at_optimum().drop(index=CONTROL)
    more = (trained > at_optimum().loc[CONTROL]).all(axis=1)
    require(
        len(trained) == 8 and list(more.index[more]) == [FORMULA], f"of {len(trained)} lines {list(more.index[more])}"
    )


@claim("from the formula {two} and {one}. The released eMargin has")
def from_the_formula():
    two, one = at_optimum().loc[FORMULA, [1, 2]]
    return {"two": f"{two:.2f}", "one": f"{one:.2f}"}


@claim("sees more, but from seven of the eight trained lines less than without training, on one side at least.")
def less_than_without_training():
    trained = at_optimum().drop(index=CONTROL)
    less = (trained < at_optimum().loc[CONTROL]).any(axis=1)
    require((less.sum(), len(less)) == (7, 8), f"{less.to_dict()}")


@claim("have run: two seeds of all nine lines, three of the control.")
def seeds():
    rows = store().rows.assign(line=[label(row) for row in store().rows.itertuples()])
    counted = rows.groupby(["line", "fold"]).seed.nunique().unstack()
    require(counted.shape == (9, 2), f"lines and sides: {counted.shape}")
    require((counted.loc[CONTROL] == 3).all() and (counted.drop(CONTROL) == 2).all(axis=None), f"{counted.to_dict()}")


@claim("21 people on DS2, 22 on DS1. {cells} of the 54 cells of `workflow/beats.json` have run:")
def what_has_run():
    planned = read_grid(home() / "workflow" / "beats.json")
    run = [cell for cell in planned if cell.digest in store().known]
    require(len(planned) == 54 and len(run) == len(store().known), f"{len(run)} of {len(planned)}")
    people = controls()["people"]
    require([int(people[side].iloc[0]) for side in SIDES] == [21, 22], f"people: {people.unique()}")
    return {"cells": str(len(run))}


@claim("On DS2 {most} of the {every} frames of F are one man's")
def fusion_beats():
    own = beats.Beats(store())
    counts = own.tables[ALL][own.digests(UNTRAINED, "DS2")[0]]["probe"][:, beats.F].sum(1)
    require(counts.max() > 0.9 * counts.sum(), f"{sorted(counts)}")
    return {"most": str(counts.max()), "every": str(counts.sum())}


@claim("in the paper eMargin has a silhouette of {silhouette} on ECG and a recall of {recall}.")
def in_the_paper():
    table = pd.read_csv(home() / "results" / "paper" / "tables.csv")
    own = table[(table.dataset == "ecg") & (table.method == "InfoNCE + eMargin")].set_index("metric")
    return {"silhouette": f"{own['mean'].silhouette:.2f}", "recall": f"{own['mean'].recall:.2f}"}


@claim(
    "None of the {all} pairs of a side and a linear probe informs: the highest lower end is {low}, where {asked} is "
    "asked for."
)
def what_informs():
    own = controls().reset_index()
    own = own[own.tested.isin(SIDES) & (own.scored == ALL)]
    require((own.seeds == 3).all() and not own.informs.any(), f"{own[['tested', 'by', 'informs']].to_numpy().tolist()}")
    return {"all": str(len(own))} | printed(low=own.low.max(), asked=own.chance.iloc[0] + ABOVE)


@claim("With a chosen penalty eMargin less InfoNCE is {two} on DS2 and {one} on DS1, which decides nothing")
def content_is_open():
    table = apart(INFONCE)
    verdicts = {table.loc[(side, CHOSEN, ALL), "verdict"] for side in SIDES}
    require(verdicts == {"not decided"}, f"verdicts {verdicts}")
    ends_of = [[signed(table.loc[(side, CHOSEN, ALL), name]) for name in ("value", "low", "high")] for side in SIDES]
    return {
        name: f"{value} ({low} to {high})" for name, (value, low, high) in zip(("two", "one"), ends_of, strict=True)
    }


@claim("Over N, S and V alone {two} is read on DS2 and {one} on DS1 at the optimum")
def common_classes():
    values = both(controls(), OPTIMUM, "value", COMMON)
    return {"two": f"{values[0]:.2f}", "one": f"{values[1]:.2f}"}


def turned(score: str, factor: float) -> pd.Series:
    """Return a score of the untrained encoder at one size of the other directions, by side and seed."""
    table = dial.by_side(dial.read(Store(home() / "results" / "dial")), "mitbih-beats", {"DS2": 1, "DS1": 2})
    return dial.values(table, score, "beside", factor).loc[CONTROL]


@claim("the paper's probe reads at most {above} above chance from the start, so it has next to nothing to lose:")
def nothing_to_lose():
    above = turned("probe", 1) - 1 / 4
    require(len(above) == 6, f"there are {len(above)} cells")
    return printed(above=above.max())


@claim(
    "The silhouette rises from {low} to {high} up to {least} or more on both sides, in each seed, while NMI, low as it "
    "is, falls; the probe at its optimum keeps its {two} and {one}."
)
def the_dial():
    before, after = turned("silhouette", 1), turned("silhouette", dial.SMALLEST)
    require((turned("nmi", dial.SMALLEST) < turned("nmi", 1)).all(), "NMI rises in a seed")
    first, last = (turned("certified", factor).groupby("dataset").mean() for factor in (1, dial.SMALLEST))
    require((last - first > -0.005).all(), f"it goes from {first.to_dict()} to {last.to_dict()}")
    kept = dict(zip(("two", "one"), (first[f"mitbih-beats, {side}"] for side in SIDES), strict=True))
    return ends(before) | {"least": f"{np.floor(100 * after.min()) / 100:.2f}"} | printed(**kept)
