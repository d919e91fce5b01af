"""What the page on encoders says of the rows in `results/encoders`."""

from functools import cache

import pandas as pd

from companion.claims import claim, ends, interval, printed, require, signed
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics import encoders
from companion.statistics.encoders import ARCHIVE, CONTEXT, FRAME, PROBE, SMALL
from emargin.paths import home

BODY, SLEEP, SPORTS = "spsw-har", "sleepedf-features", "dsads"
FIRST = (BODY, SLEEP, ARCHIVE)
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
    """Return a line a set, encoder and method; the sets of the archive are one."""
    return encoders.with_archive(encoders.gains(store()))


def untrained(dataset: str, encoder: str) -> pd.Series:
    """Return what the control of an encoder reads, by seed; of the archive the mean over its sets."""
    within = cells().dataset.str.startswith(f"{ARCHIVE}-") if dataset == ARCHIVE else cells().dataset == dataset
    own = cells()[within & (cells().encoder == encoder)]
    own = own[own.method == encoders.CONTROLS[encoder]]
    return own.groupby("seed")[PROBE].mean()


def of(dataset: str, encoder: str, line: str):
    """Return one line of the gains."""
    own = gains()
    (one,) = own[(own.dataset == dataset) & (own.encoder == encoder) & (own.line == line)].itertuples()
    return one


def collapsed() -> pd.DataFrame:
    """Return the cells of the released eMargin on the dilated network, of the sets that the page shows first."""
    own = cells()[(cells().encoder == CONTEXT) & (cells().line == EMARGIN)]
    return own[own.dataset.isin([BODY, SLEEP]) | own.dataset.str.startswith(f"{ARCHIVE}-")]


def recorded(own: pd.DataFrame) -> pd.Series:
    """Return which cells are of recordings, not of the archive."""
    return own.dataset.isin([BODY, SLEEP])


@claim("On SP-SW-HAR a probe reaches {untrained} on TS2Vec's dilated network, which sees the sequence, *without any")
def without_training():
    return {"untrained": f"{untrained(BODY, CONTEXT).mean():.2f}"}


@claim(
    "which sees one frame, only CoST gets there, whose own layers look across time; all other losses give {low} to "
    "{high}."
)
def every_loss_on_a_frame():
    own = gains()[(gains().dataset == BODY) & (gains().encoder == FRAME)].set_index("line").value
    there = untrained(BODY, CONTEXT).mean()
    require(own.pop("CoST, original") > there - 0.02, "CoST reads less")
    require(own.max() < there - 0.02, f"another reads {own.max()}")
    return ends(own)


@claim(
    "On Daily and Sports Activities, one seed, it is {untrained} untrained; on the paper's encoder CoST reads {cost}, "
    "and no other of {losses} losses more than {best}."
)
def the_other_set_of_movements():
    own = gains()[(gains().dataset == SPORTS) & (gains().encoder == FRAME)].set_index("line").value
    losses, cost, there = len(own), own.pop("CoST, original"), untrained(SPORTS, CONTEXT)[1]
    require(cost < there and own.max() < there - 0.02, f"CoST reads {cost}, the best other {own.max()}, not {there}")
    return {"losses": str(losses)} | printed(2, untrained=there, cost=cost, best=own.max())


@claim(
    "On Daily and Sports Activities, one run, it is as on the others: rank {rank}, silhouette {silhouette}, the "
    "paper's probe at {paper} where chance is 0.05, the chosen one {below} below no training."
)
def collapsed_on_the_other_set_of_movements():
    (one,) = cells()[
        (cells().dataset == SPORTS) & (cells().encoder == CONTEXT) & (cells().line == EMARGIN)
    ].itertuples()
    below = -of(SPORTS, CONTEXT, EMARGIN).gain
    require(one.participation_ratio < 1.2 and one.silhouette > 0.4 and 0 < below < 0.03, f"{one}, {below} below")
    return printed(1, rank=one.participation_ratio) | printed(
        2, silhouette=one.silhouette, paper=one.balanced_accuracy, below=below
    )


@claim(
    "On the features of Sleep-EDF, whose frames already hold their neighbours, the two untrained encoders are {sleep} "
    "apart, on the archive {archive}."
)
def small_steps():
    sleep, archive = ((untrained(name, CONTEXT) - untrained(name, FRAME)).mean() for name in (SLEEP, ARCHIVE))
    require(0 < sleep < 0.06 and 0 < archive < 0.06, f"they are {sleep} and {archive} apart")
    return printed(2, sleep=sleep, archive=archive)


@claim("On the archive it goes from {least} on Adiac to {most} on FiftyWords.")
def steps_on_the_archive():
    own = cells()[cells().dataset.str.startswith(f"{ARCHIVE}-")]
    own = own[own.method == own.encoder.map(encoders.CONTROLS)]
    own = own.pivot_table(index="dataset", columns="encoder", values=PROBE)
    step = (own[CONTEXT] - own[FRAME]).dropna()
    require((step.idxmin(), step.idxmax(), len(step)) == ("ucr-Adiac", "ucr-FiftyWords", 6), f"steps {step.to_dict()}")
    return {"least": signed(step.min()), "most": signed(step.max())}


@claim("ends on a line in each of {runs} runs: effective rank {low} to {high}, silhouette")
def on_a_line():
    require(collapsed().participation_ratio.max() < 1.2, f"the rank is {collapsed().participation_ratio.max()}")
    require(len(collapsed()[recorded(collapsed())]) == 6, "recordings have other than six runs")
    return {"runs": str(len(collapsed()))} | ends(collapsed().participation_ratio, 1)


@claim("silhouette {low} to {high}, the paper's probe")
def its_silhouette():
    require(collapsed().silhouette.min() > 0.4, f"the least is {collapsed().silhouette.min()}")
    return ends(collapsed().silhouette)


@claim("the paper's probe at chance in {failed} of the six on recordings, at {low} to {high} on the archive.")
def its_papers_probe():
    own = collapsed()[PAPERS]
    failed = int((own[recorded(collapsed())] < CHANCE + 0.005).sum())
    require(failed > 3, f"in {failed} alone")
    require(own[~recorded(collapsed())].max() < 0.1, f"it reads {own.max()} on the archive")
    return {"failed": str(failed)} | ends(own[~recorded(collapsed())])


@claim(
    "A probe whose penalty is chosen finds almost what it finds without training: {body} on SP-SW-HAR, training people "
    "held fixed, {sleep}, which decides nothing, on the features of Sleep-EDF, and {archive} over the six sets of the "
    "archive."
)
def less_no_training():
    body, sleep, archive = (of(dataset, CONTEXT, EMARGIN) for dataset in FIRST)
    require(body.low > 0, f"on SP-SW-HAR the interval starts at {body.low}")
    for one in (sleep, archive):
        require(one.low < 0 < one.high, f"on {one.dataset} it is {one.low} to {one.high}")
    require(min(body.gain, sleep.gain, archive.gain) > -0.03, "a gain is further below")
    return {
        "body": interval(body.gain, body.low, body.high, 3),
        "sleep": signed(sleep.gain, 3),
        "archive": interval(archive.gain, archive.low, archive.high),
    }


@claim("There the frame encoder loses {value} ({low} to {high}) by the same loss.")
def on_a_frame_it_loses():
    one = of(ARCHIVE, FRAME, EMARGIN)
    require(one.high < 0, f"the interval ends at {one.high}")
    return {"value": f"{-one.gain:.2f}", "low": f"{-one.high:.2f}", "high": f"{-one.low:.2f}"}


@claim("One split a set; {run} of the {planned} cells of `workflow/encoders.json` have run:")
def what_has_run():
    planned = {cell.digest for cell in read_grid(home() / "workflow" / "encoders.json")}
    return {"run": str(len(planned & store().known)), "planned": str(len(planned))}


@claim(
    "three seeds of the released eMargin, the released InfoNCE and the control on *frame* and *context* for the first "
    "two sets, one of all else."
)
def seeds():
    trained = gains()[gains().encoder != SMALL]
    main = trained.line.isin([EMARGIN, INFONCE]) & trained.dataset.isin([BODY, SLEEP])
    require(set(trained.seeds[main]) == {3}, f"those lines have {set(trained.seeds[main])} seeds")
    for name in (BODY, SLEEP):
        require(all(len(untrained(name, encoder)) >= 3 for encoder in (FRAME, CONTEXT)), f"controls of {name}")
    require(set(trained.seeds[~main]) == {1}, f"the others have {set(trained.seeds[~main])} seeds")
    of_sports = trained[trained.dataset == SPORTS].groupby("encoder").line.nunique()
    require(of_sports[CONTEXT] == of_sports[FRAME], f"of Daily and Sports Activities {dict(of_sports)}")


@claim("What is large is the step from one untrained encoder to the other on SP-SW-HAR: {low} to {high} in each seed.")
def the_step():
    step = (untrained(BODY, CONTEXT) - untrained(BODY, FRAME)).dropna()
    require(len(step) >= 3 and step.min() > 0.1, f"steps {step.to_dict()}")
    return ends(step)


@claim(
    "Untrained, seed 1, SP-SW-HAR: {frame} *frame*, {small} *context-small*, {context} *context*, so context alone "
    "makes less than half of the step."
)
def sizes():
    frame, small, context = found = [untrained(BODY, encoder)[1] for encoder in (FRAME, SMALL, CONTEXT)]
    require(0 < small - frame < (context - frame) / 2, f"they read {found}")
    return dict(zip(("frame", "small", "context"), (f"{one:.2f}" for one in found), strict=True))


@claim(
    "Trained by InfoNCE `original` the small network reads as much as the large one, {infonce} and {infonce_large}; by "
    "TS2Vec it does not, {ts2vec} and {ts2vec_large}."
)
def trained_sizes():
    found = {
        (name, encoder): of(BODY, encoder, f"{title}, original").value
        for name, title in (("infonce", "InfoNCE"), ("ts2vec", "TS2Vec"))
        for encoder in (SMALL, CONTEXT)
    }
    require(abs(found["infonce", SMALL] - found["infonce", CONTEXT]) < 0.01, f"InfoNCE reads {found}")
    require(found["ts2vec", CONTEXT] - found["ts2vec", SMALL] > 0.05, f"TS2Vec reads {found}")
    return {f"{name}{'_large' * (encoder == CONTEXT)}": f"{value:.2f}" for (name, encoder), value in found.items()}


@cache
def agreement() -> pd.DataFrame:
    """Return the rank correlation of both orders, by set."""
    return encoders.agreement(gains()).set_index("dataset")


@claim(
    "The rank correlation is {body} over {body_lines} lines on SP-SW-HAR, {sports} over {sports_lines} on Daily and "
    "Sports Activities, {sleep} over {sleep_lines} on the features of Sleep-EDF and {archive} over {archive_lines} on "
    "the archive, mostly of one seed: on none of these is the same method best on both encoders."
)
def order_of_methods():
    sets = {BODY: "body", SPORTS: "sports", SLEEP: "sleep", ARCHIVE: "archive"}
    found = agreement().loc[list(sets)]
    require((found.first_frame != found.first_context).all(), f"one is first on both: {found}")
    return {sets[one.Index]: signed(one.correlation) for one in found.itertuples()} | {
        f"{sets[one.Index]}_lines": str(one.methods) for one in found.itertuples()
    }


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


@claim("On *context-small* one set of the archive has run,")
def small_on_the_archive():
    own = cells()[(cells().encoder == SMALL) & cells().dataset.str.startswith(f"{ARCHIVE}-")]
    require(own.dataset.nunique() == 1, f"{own.dataset.nunique()} sets")
