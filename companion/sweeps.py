"""What the page on threshold and margin reads of its rows."""

import pandas as pd
from scipy.optimize import brentq
from scipy.stats import spearmanr

from companion.audit.forces import critical_cosine
from emargin.config import Experiment
from emargin.data.catalogue import settings_of

RELEASED, PAPER_LABELS, ANCHOR = "released", "released loss, paper’s labels", "original, anchor"
LOSSES = [RELEASED, PAPER_LABELS, ANCHOR]
INFONCE = "InfoNCE, released"
THRESHOLDS = (-1, 0.2, 0.4, 0.6, 0.8, 1)  # the fixed ones, without the quantiles of the data
PROBES = {"balanced_accuracy": "the paper’s probe", "converged_balanced_accuracy": "converged probe"}


def with_losses(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs with a column "loss", as the page calls them."""
    return runs.assign(loss=[_loss_of(run) for run in runs.itertuples()])


def _loss_of(run) -> str:
    """Return the loss of a run."""
    if run.method == "infonce":
        return INFONCE
    return ANCHOR if run.fidelity == "original" else PAPER_LABELS if run.labels == "paper" else RELEASED


def of_the_page(cells: list[Experiment], sets: list[str]) -> list[Experiment]:
    """Return the cells of the grid that have the paper's settings and a loss of the page."""
    return [
        cell
        for cell in cells
        if (cell.protocol, cell.fold) == ("original", 1)
        and cell.dataset in sets
        and cell.method in ("infonce", "emargin")
        and cell.reading in (None, "anchor")
        and (cell.method, cell.fidelity) != ("infonce", "original")
    ]


def at_default(runs: pd.DataFrame, name: str, *free: str) -> pd.DataFrame:
    """Return runs of one set with the paper's value of all settings but those that are free; without InfoNCE."""
    own = runs[(runs.dataset == name) & runs.loss.isin(LOSSES) & runs.threshold.isin(THRESHOLDS)]
    fixed = {"threshold": 0.4, "margin": 5.0, "temperature": settings_of(name).temperature}
    for setting, value in fixed.items():
        if setting not in free:
            own = own[own[setting] == value]
    return own


def negative_above(own: Experiment, temperature: float, margin: float) -> float | None:
    """Return above which cosine of all frames, label 1, the argument of the released logarithm is negative, if any."""
    frames = own.batch_size * own.sequence_length

    def beyond(cosine: float) -> float:  # grows with the cosine: the hinge does not
        return cosine - critical_cosine(cosine, n=frames, temperature=temperature, margin=margin)

    return brentq(beyond, 0, 1) if beyond(1) > 0 else None


def along_settings(runs: pd.DataFrame, sets: dict[str, str]) -> pd.DataFrame:
    """Return the rank correlation of the silhouette with each probe: a row a set, setting and loss."""
    found = {}
    for name, title in sets.items():
        for setting in ("threshold", "margin", "temperature"):
            for loss, group in at_default(runs, name, setting).groupby("loss"):
                if group[setting].nunique() > 3:
                    found[title, setting, loss] = {"cells": len(group)} | {
                        probe: spearmanr(group.silhouette, group[score]).statistic for score, probe in PROBES.items()
                    }
    return pd.DataFrame(found).T.rename_axis(["set", "along", "loss"]) if found else pd.DataFrame()
