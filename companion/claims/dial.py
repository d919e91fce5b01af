"""What the page on the dial says of the rows in `results/dial`."""

from functools import cache

import numpy as np
import pandas as pd

from companion.claims import claim, require
from companion.dial import table_of
from companion.grid.store import Store
from emargin.paths import home

UNTRAINED, EMARGIN, SLEEP = "Random, calibrated", "eMargin, released", "sleepedf-features"
SMALLEST = 1 / 64


@cache
def rows() -> pd.DataFrame:
    """Return the rows, a line a setting, score and cell."""
    return table_of(Store(home() / "results" / "dial").rows)


def values(score: str, turned: str, factor: float, line: str = UNTRAINED) -> pd.Series:
    """Return a score of one encoder at one setting, by data set and seed."""
    table = rows()
    chosen = table[(table.score == score) & (table.turned == turned) & (table.line == line)]
    return chosen[np.isclose(chosen.factor, factor)].set_index(["dataset", "seed"]).value


def mean(*setting) -> pd.Series:
    """Return the same, its mean over seeds."""
    return values(*setting).groupby("dataset").mean()


def ends(lowest: float, highest: float) -> dict[str, str]:
    """Return two ends as the page prints them."""
    return {"low": f"{lowest:.2f}", "high": f"{highest:.2f}"}


@claim("a logistic regression run to its optimum reads as much as before, and so does the paper's own probe")
def nothing_is_lost():
    optimum = mean("certified", "beside", SMALLEST) - mean("certified", "beside", 1)
    whitened = mean("whitened", "beside", SMALLEST) - mean("whitened", "beside", 1)
    require((optimum > 0).all(), f"the optimum changes by {optimum.to_dict()}")
    require((whitened.abs() < 0.01).all(), f"whitened, it changes by {whitened.to_dict()}")


@claim("K-means, silhouette and Davies-Bouldin know no scale, so their values are the same.")
def scores_see_shape():
    for score in ("silhouette", "davies_bouldin"):
        off = (mean(score, "beside", 1 / 16) - mean(score, "along", 16)).abs()
        require((off < 1e-3).all(), f"{score} differs by {off.to_dict()}")


@claim("On whitened features, where the penalty\nsees no sizes, no encoder changes by more than 0.01 on either set.")
def whitening_undoes_the_dial():
    for line in rows().line.unique():
        change = mean("whitened", "beside", SMALLEST, line) - mean("whitened", "beside", 1, line)
        require((change.abs() <= 0.0105).all(), f"{line} changes by {change.to_dict()}")


@claim("**B** did not come: NMI falls while the scores rise.")
def nmi_falls():
    change = mean("nmi", "beside", SMALLEST) - mean("nmi", "beside", 1)
    require((change < -0.1).all(), f"NMI changes by {change.to_dict()}")


@claim("where stretching costs the paper's probe {stretched}; shrinking costs it {shrunk}.")
def stretching_costs_less():
    before = mean("probe", "beside", 1)[SLEEP]
    return {
        "stretched": f"{before - mean('probe', 'along', 16)[SLEEP]:.2f}",
        "shrunk": f"{before - mean('probe', 'beside', SMALLEST)[SLEEP]:.1f}",
    }


@claim("takes the paper's probe from {low} to {high} up to")
def emargin_as_it_is():
    each = values("probe", "beside", 1, EMARGIN)[SLEEP]
    return ends(each.min(), each.max())


@claim("up to {low} to {high}, in every seed;")
def emargin_whitened():
    each = values("whitened", "beside", 1, EMARGIN)[SLEEP]
    return ends(each.min(), each.max())


@claim("the untrained encoder, whitened, has {low} to {high}. So")
def untrained_whitened():
    each = values("whitened", "beside", 1)[SLEEP]
    return ends(each.min(), each.max())
