"""What the page on label budgets says of the rows in `results/budgets`, and of claim 2 where everyone is tested."""

from functools import cache

import numpy as np
import pandas as pd

from companion.claims import claim, interval, require
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics import budgets
from companion.statistics.budgets import EMARGIN, FORMULA, INFONCE, UNTRAINED
from companion.statistics.conclusions import PROBES, one_line
from companion.statistics.crossed import ends
from emargin.paths import home

BODY, SLEEP, ALL = "spsw-har", "sleepedf-features", np.inf


@cache
def store() -> Store:
    """Return the store of the grid of label budgets."""
    return Store(home() / "results" / "budgets")


@cache
def curves() -> pd.DataFrame:
    """Return a line a cell and budget."""
    return budgets.curves(store())


def read(dataset: str, line: str) -> pd.Series:
    """Return what is read from a line on average, by labels a class."""
    means = budgets.means(curves())
    return means[(means.dataset == dataset) & (means.line == line)].set_index("budget").value


def gaps(dataset: str, second: str = EMARGIN) -> pd.DataFrame:
    """Return what InfoNCE is read better by, by labels a class."""
    table = budgets.gaps(curves(), INFONCE, second)
    return table[table.dataset == dataset].set_index("budget")


def times(dataset: str, second: str = EMARGIN) -> pd.DataFrame:
    """Return how many times more labels a line needs than InfoNCE, by InfoNCE's labels a class."""
    table = budgets.times(curves(), INFONCE, second)
    return table[table.dataset == dataset].set_index("budget")


def papers(dataset: str) -> float:
    """Return the gap under the paper's probe, in the same cells."""
    rows = store().rows
    own = rows[(rows.dataset == dataset) & (rows.metric == "balanced_accuracy") & (rows.fidelity == "released")]
    wide = own.pivot_table("value", "seed", "method")[["infonce", "emargin"]].dropna()
    return float((wide.infonce - wide.emargin).mean())


@claim(
    "On SP-SW-HAR eMargin needs {ten} times as many labels to be read as well as InfoNCE with 10 a class ({least} and"
    " {most} in single seeds), and with all labels it is not read as well as InfoNCE with 30."
)
def labels_on_body():
    table = times(BODY)
    require((table.times.loc[30:] == ALL).all(), f"from 30 on: {table.times.loc[30:].to_dict()}")
    ten = table.loc[10]
    return {"ten": f"{ten.times:.1f}", "least": f"{ten.least:.1f}", "most": f"{ten.most:.1f}"}


@claim("The gap is {few} with 10 labels a class and {all} with all.")
def gap_does_not_close():
    few, everything = gaps(BODY).value[10], gaps(BODY).value[ALL]
    require(everything > 0.75 * few, f"with 10 it is {few:.3f}, with all {everything:.3f}")
    return {"few": f"{few:.2f}", "all": f"{everything:.2f}"}


@claim(
    "on the features of Sleep-EDF. {cells} of the 45 cells of `workflow/budgets.json` have run: {seeds} seeds of both"
)
def what_has_run():
    planned = read_grid(home() / "workflow" / "budgets.json")
    run = [cell for cell in planned if cell.digest in store().known]
    require(len(planned) == 45 and len(run) == len(store().known), f"{len(run)} of {len(planned)}")
    seeds = gaps(BODY).seeds.unique()
    require(len(seeds) == 1, f"seeds by budget: {seeds}")
    others = curves()[(curves().dataset == SLEEP) | ~curves().line.isin([INFONCE, EMARGIN])]
    require((others.groupby(["dataset", "line"]).seed.nunique() == 1).all(), "more than one seed of something else")
    return {"cells": str(len(run)), "seeds": {1: "one", 2: "two", 3: "three"}[int(seeds[0])]}


@claim("eMargin less InfoNCE is {body} on SP-SW-HAR and {sleep} on the features of Sleep-EDF there")
def everyone_tested():
    found = {}
    for name, dataset in (("body", BODY), ("sleep", SLEEP)):
        where = f"{dataset}, everyone tested"
        one = one_line("released", PROBES["chosen_"], INFONCE, where, claim="2")
        require(one.high < 0, f"on {dataset} it is {one.value} to {one.high}")
        found[name] = interval(one.value, one.low, one.high)
    return found


@claim("With all labels the gap on SP-SW-HAR is {body} over three seeds, on the features of Sleep-EDF {sleep}; its")
def gap_stays_on_body():
    rows = Store(home() / "results" / "encoders").rows
    rows = rows[(rows.metric == "chosen_balanced_accuracy") & (rows.fidelity == "released") & (rows.encoder == "")]
    found = {}
    for name, dataset in (("body", BODY), ("sleep", SLEEP)):
        wide = rows[rows.dataset == dataset].pivot_table("value", "seed", "method")[["infonce", "emargin"]].dropna()
        apart = (wide.infonce - wide.emargin).to_numpy()
        require(len(apart) == 3, f"{dataset}: {len(apart)} seeds")
        own = curves()[(curves().dataset == dataset) & (curves().budget == ALL)].set_index(["line", "seed"])
        same = own.balanced_accuracy[INFONCE, 1] - own.balanced_accuracy[EMARGIN, 1]
        require(abs(same - apart[list(wide.index).index(1)]) < 1e-3, f"{dataset}, seed 1: {same}, and {apart}")
        low, high = (float(end) for end in ends(apart.mean(), apart.std(ddof=1) / 3**0.5, 2))
        require((low > 0) == (dataset == BODY), f"{dataset}: {low} to {high}")
        found[name] = interval(apart.mean(), low, high)
    return found


@claim("the largest at any budget there is {largest}, with {budget} a class.")
def largest_on_body():
    table = gaps(BODY)
    most = table.value.idxmax()
    require(table.value[ALL] >= table.value[most] / 2, f"{table.value.to_dict()}")
    return {"budget": f"{most:g}", "largest": f"{table.value[most]:.2f}"}


@claim("On the features of Sleep-EDF, one seed, the largest gap is that with all labels, {all}.")
def largest_on_sleep():
    table = gaps(SLEEP)
    require(table.value.idxmax() == ALL and (table.seeds == 1).all(), f"{table.value.to_dict()}")
    return {"all": f"{table.value[ALL]:.2f}"}


@claim("the paper's probe, on all labels of the same cells, sees gaps of {body} and {sleep}; the probe of this page")
def part_is_hidden():
    found = {name: papers(dataset) for name, dataset in (("body", BODY), ("sleep", SLEEP))}
    for name, dataset in (("body", BODY), ("sleep", SLEEP)):
        require(0 < gaps(dataset).value[ALL] < 0.7 * found[name], f"{dataset}: {found[name]}")
    return {name: f"{value:.2f}" for name, value in found.items()}


@claim(
    "On SP-SW-HAR InfoNCE is read better at {count} of {budgets} budgets, in each seed that has run, and the interval"
    " of two seeds lies above zero at {sure}."
)
def there_is_a_gap():
    wide = curves()[curves().dataset == BODY].pivot_table("balanced_accuracy", ["budget", "seed"], "line")
    better = ((wide[INFONCE] - wide[EMARGIN]).dropna() > 0).groupby("budget").all()
    require(better.sum() >= 6, f"{better.to_dict()}")
    sure = int((gaps(BODY).low > 0).sum())
    require(sure > 0 and (gaps(BODY).seeds == 2).all(), "no interval lies above zero, or the seeds are not two")
    return {"count": str(int(better.sum())), "budgets": str(len(better)), "sure": str(sure)}


@claim("the gap of the formula to InfoNCE is {body} on SP-SW-HAR and {sleep} on the features of Sleep-EDF, with all")
def formula_has_it_on_body():
    formula = {name: gaps(dataset, FORMULA).value[ALL] for name, dataset in (("body", BODY), ("sleep", SLEEP))}
    require(formula["body"] > gaps(BODY).value[ALL] - 0.02, f"SP-SW-HAR: {formula['body']}")
    require(formula["sleep"] < gaps(SLEEP).value[ALL] / 2, f"Sleep-EDF: {formula['sleep']}")
    return {name: f"{value:.2f}" for name, value in formula.items()}


@claim("With all labels {body} is read from it on SP-SW-HAR, and from eMargin {released}: its")
def no_training_on_body():
    own = curves()[(curves().dataset == BODY) & (curves().budget == ALL) & (curves().seed == 1)]
    values = own.set_index("line").balanced_accuracy
    require(abs(values[UNTRAINED] - values[EMARGIN]) < 0.02, f"{values.to_dict()}")
    return {"body": f"{values[UNTRAINED]:.2f}", "released": f"{values[EMARGIN]:.2f}"}


@claim("on the features of Sleep-EDF {untrained} without training and {released} from eMargin, which")
def no_training_on_sleep():
    untrained, released = read(SLEEP, UNTRAINED), read(SLEEP, EMARGIN)
    require((untrained - released).loc[10:].min() > 0.04, f"{(untrained - released).to_dict()}")
    return {"untrained": f"{untrained[ALL]:.2f}", "released": f"{released[ALL]:.2f}"}
