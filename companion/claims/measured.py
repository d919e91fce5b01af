"""What the page on measuring says of the simulated coverage of the intervals."""

from companion.claims import claim, require
from companion.statistics.coverage import LAWS, read_coverage

TRAINING = "training people too"


def held(method: str, training: bool) -> dict[str, str]:
    """Return the least and the most coverage of a method, where training people vary, or where they do not."""
    lines = read_coverage()
    found = lines.coverage[(lines.method == method) & ((lines.law == TRAINING) == training)]
    return {"low": f"{found.min():.2f}", "high": f"{found.max():.2f}"}


@claim("In simulations of eight laws they hold the truth in {low} to {high} of the draws.")
def intervals_hold():
    laws = set(LAWS) - {TRAINING}
    require(len(laws) == 8, f"there are {len(laws)} laws")
    return held("t", training=False)


@claim("where those vary too, coverage falls to {low} to {high}, and")
def training_people_are_missed():
    require(float(held("t", training=True)["low"]) < 0.9, "intervals over people keep 0.9 there, too")
    return held("t", training=True)


@claim("with t over the folds, keep {low} to {high}.")
def folds_meet_them():
    require(float(held("t of folds", training=True)["low"]) > 0.93, "intervals over folds fall below 0.93")
    return held("t of folds", training=True)
