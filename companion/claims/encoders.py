"""What the page on encoders says of the rows in `results/encoders`."""

from functools import cache

import pandas as pd

from companion.claims import claim, ends, interval, require, signed
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics import encoders
from companion.statistics.encoders import CONTEXT, FRAME, PROBE, SMALL
from emargin.paths import home

BODY, SLEEP = "spsw-har", "sleepedf-features"
EMARGIN, INFONCE = "eMargin, released", "InfoNCE, released"
CHANCE = 0.2  # of both sets: five classes
PAPERS = "balanced_accuracy"


@cache
def store() -> Store:
    """Return the store of the grid of encoders."""
    return Store(home() / "results" / "encoders")


@cache
def cells() -> pd.DataFrame:
    """Return a line a cell with its scores."""
    return encoders.lines(store())


@cache
def gains() -> pd.DataFrame:
    """Return a line a set, encoder and method."""
    return encoders.gains(store())


def untrained(dataset: str, encoder: str) -> pd.Series:
    """Return what the control of an encoder reads, by seed."""
    own = cells()[(cells().dataset == dataset) & (cells().encoder == encoder)]
    return own[own.method == encoders.CONTROLS[encoder]].set_index("seed")[PROBE]


def of(dataset: str, encoder: str, line: str):
    """Return one line of the gains."""
    own = gains()
    (one,) = own[(own.dataset == dataset) & (own.encoder == encoder) & (own.line == line)].itertuples()
    return one


def collapsed() -> pd.DataFrame:
    """Return the cells of the released eMargin on the dilated network."""
    return cells()[(cells().encoder == CONTEXT) & (cells().line == EMARGIN)]


@claim("reads {untrained} *without any training*.")
def without_training():
    return {"untrained": f"{untrained(BODY, CONTEXT).mean():.2f}"}


@claim("which sees one frame, reads {low} to {high} with every loss tried.")
def every_loss_on_a_frame():
    own = gains()[(gains().dataset == BODY) & (gains().encoder == FRAME)].value
    require(own.max() < untrained(BODY, CONTEXT).min() - 0.05, f"a loss reads {own.max()}")
    return ends(own)


@claim("ends on a line in each of {runs} runs: effective rank {low} to {high}, silhouette")
def on_a_line():
    require(collapsed().participation_ratio.max() < 1.2, f"the rank is {collapsed().participation_ratio.max()}")
    require(collapsed().groupby("dataset").seed.count().min() >= 3, "a set has fewer than three seeds")
    words = {6: "six", 9: "nine", 12: "twelve"}
    return {"runs": words.get(len(collapsed()), str(len(collapsed())))} | ends(collapsed().participation_ratio, 1)


@claim("silhouette {low} to {high}, the paper's probe")
def its_silhouette():
    require(collapsed().silhouette.min() > 0.4, f"the least is {collapsed().silhouette.min()}")
    return ends(collapsed().silhouette)


@claim("the paper's probe at chance in {failed} of them.")
def its_papers_probe():
    failed = int((collapsed()[PAPERS] < CHANCE + 0.005).sum())
    require(2 * failed > len(collapsed()), f"in {failed} alone")
    return {"failed": {4: "four", 5: "five", 6: "six"}.get(failed, str(failed))}


@claim("A probe whose penalty is chosen reads {low} to {high} there, in every run more than from the released InfoNCE,")
def its_chosen_probe():
    both = (
        cells()[cells().encoder == CONTEXT].pivot_table(PROBE, ["dataset", "seed"], "line")[[EMARGIN, INFONCE]].dropna()
    )
    require(
        len(both) >= 6 and (both[EMARGIN] > both[INFONCE]).all(), f"in {(both[EMARGIN] > both[INFONCE]).mean():.0%}"
    )
    return ends(collapsed()[PROBE])


@claim(
    "Less no training that is {body} on SP-SW-HAR, training people held fixed, and {sleep}, which "
    "decides nothing, on the features of Sleep-EDF."
)
def less_no_training():
    body, sleep = (of(dataset, CONTEXT, EMARGIN) for dataset in (BODY, SLEEP))
    require(body.low > 0, f"on SP-SW-HAR the interval starts at {body.low}")
    require(sleep.low < 0 < sleep.high, f"on Sleep-EDF it is {sleep.low} to {sleep.high}")
    return {"body": interval(body.gain, body.low, body.high, 3), "sleep": signed(sleep.gain, 3)}


@claim("One split a set; {run} of the {planned} cells of `workflow/encoders.json` have run, ")
def what_has_run():
    planned = {cell.digest for cell in read_grid(home() / "workflow" / "encoders.json")}
    require(set(gains().dataset) == {BODY, SLEEP}, f"the sets are {set(gains().dataset)}")
    return {"run": str(len(planned & store().known)), "planned": str(len(planned))}


@claim(
    "with three seeds of the released eMargin, the released InfoNCE and the control on *frame* and "
    "*context*, and {seeds} of all else;"
)
def seeds():
    trained = gains()[gains().encoder != SMALL]
    main = trained.line.isin([EMARGIN, INFONCE])
    require(set(trained.seeds[main]) == {3}, f"those lines have {set(trained.seeds[main])} seeds")
    require(
        all(len(untrained(name, encoder)) >= 3 for name in (BODY, SLEEP) for encoder in (FRAME, CONTEXT)), "controls"
    )
    rest = set(trained.seeds[~main])
    require(len(rest) == 1, f"the others have {rest} seeds")
    return {"seeds": {1: "one", 3: "three"}[rest.pop()]}


@claim("What is large is the step from one untrained encoder to the other on SP-SW-HAR: {low} to {high} in each seed.")
def the_step():
    step = (untrained(BODY, CONTEXT) - untrained(BODY, FRAME)).dropna()
    require(len(step) >= 3 and step.min() > 0.1, f"steps {step.to_dict()}")
    return ends(step)


@claim("on the features of Sleep-EDF, whose frames already hold their neighbours, the step is {step} in the mean.")
def the_step_of_sleep():
    step = (untrained(SLEEP, CONTEXT) - untrained(SLEEP, FRAME)).mean()
    require(step < 0.1, f"the step is {step}")
    return {"step": f"{step:.2f}"}


@claim("Untrained, seed 1, SP-SW-HAR: {frame} *frame*, {small} *context-small*, {context} *context*. That")
def sizes():
    found = [untrained(BODY, encoder)[1] for encoder in (FRAME, SMALL, CONTEXT)]
    require(found == sorted(found), f"they read {found}")
    return dict(zip(("frame", "small", "context"), (f"{one:.2f}" for one in found), strict=True))


@cache
def agreement() -> pd.DataFrame:
    """Return the rank correlation of both orders, by set."""
    return encoders.agreement(gains()).set_index("dataset")


@claim(
    "the rank correlation is {body} over {body_lines} lines on SP-SW-HAR and {sleep} over {sleep_lines} "
    "on the features of Sleep-EDF,"
)
def order_of_methods():
    body, sleep = (agreement().loc[name] for name in (BODY, SLEEP))
    require(max(abs(body.correlation), abs(sleep.correlation)) < 0.5, "an order carries over")
    return {
        "body": signed(body.correlation), "body_lines": str(body.methods),
        "sleep": signed(sleep.correlation), "sleep_lines": str(sleep.methods),
    }  # fmt: skip


def mean(dataset: str, line: str, column: str) -> float:
    """Return the mean of a score over the seeds of a line on the dilated network."""
    own = cells()[(cells().dataset == dataset) & (cells().line == line) & (cells().encoder == CONTEXT)]
    return float(own[column].mean())


@claim(
    "InfoNCE `original` does the same on SP-SW-HAR (rank {rank}) and is read as well; on the features of "
    "Sleep-EDF it keeps {kept} directions, and next to nothing is read from them ({read}, chance 0.20)."
)
def infonce_original():
    line = "InfoNCE, original"
    rank, kept = (mean(name, line, "participation_ratio") for name in (BODY, SLEEP))
    require(rank < 2 and mean(BODY, line, PROBE) > 0.75, f"rank {rank}, reads {mean(BODY, line, PROBE)}")
    require(kept > 10 and mean(SLEEP, line, PROBE) < 0.4, f"{kept} directions, reads {mean(SLEEP, line, PROBE)}")
    return {"rank": f"{rank:.1f}", "kept": f"{kept:.0f}", "read": f"{mean(SLEEP, line, PROBE):.2f}"}


@claim("The released InfoNCE keeps {body} and {sleep}, and is read no better than without training.")
def infonce_released():
    found = {name: mean(name, INFONCE, "participation_ratio") for name in (BODY, SLEEP)}
    for name, rank in found.items():
        require(rank > 10 and of(name, CONTEXT, INFONCE).gain < 0, f"{name}: rank {rank}")
    return {"body": f"{found[BODY]:.0f}", "sleep": f"{found[SLEEP]:.0f}"}


@claim("CoST, InfoTS and TimeDRL have no rows here")
def without_rows():
    there = {name.split(",")[0] for name in cells().line}
    require(not there & {"CoST", "InfoTS", "TimeDRL"}, f"there are {there}")
