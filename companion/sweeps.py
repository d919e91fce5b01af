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


def negative_above(own: Experiment, temperature: float, margin: float, y: int = 1) -> float | None:
    """Return above which cosine of all frames, of one label, the released logarithm's argument is negative, if any."""
    frames = own.batch_size * own.sequence_length

    def beyond(cosine: float) -> float:  # grows with the cosine: the hinge does not
        return cosine - critical_cosine(cosine, n=frames, temperature=temperature, margin=margin, y=y)

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


def both_settings(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the runs of one set in which threshold and margin vary together, seed 1."""
    own = at_default(runs, name, "threshold", "margin")
    return own[(own.seed == 1) & own.threshold.isin([0.2, 0.4, 0.6, 0.8])]


def by_threshold(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return scores of one set as text, mean ± standard deviation over seeds: a row a loss and threshold."""
    titles = {
        "converged_balanced_accuracy": "converged probe",
        "silhouette": "silhouette",
        "davies_bouldin": "DBI",
        "nmi": "NMI",
        "participation_ratio": "effective rank",
    }

    def spread(values: pd.Series) -> str:
        return f"{values.mean():.2f} ± {values.std():.2f}" if len(values) > 1 else f"{values.mean():.2f}"

    own = at_default(runs, name, "threshold").groupby(["loss", "threshold"])
    return own[list(titles)].agg(spread).rename(columns=titles)


def at_quantiles(runs: pd.DataFrame, name: str, cosines: dict[str, float]) -> pd.DataFrame:
    """Return scores at the thresholds at three quantiles of the cosines of adjacent frames, seed 1, by quantile."""
    found = {}
    for quantile in ("0.05", "0.5", "0.95"):
        theta = round(cosines[quantile], 2)
        own = runs[(runs.dataset == name) & (runs.threshold == theta) & (runs.margin == 5) & (runs.seed == 1)]
        own = own.drop_duplicates("loss").set_index("loss").reindex([PAPER_LABELS, ANCHOR])
        found[f"{float(quantile):.0%}"] = {
            "θ": theta,
            "silhouette, released": own.silhouette[PAPER_LABELS],
            "silhouette, original": own.silhouette[ANCHOR],
            "converged probe, released": own.converged_balanced_accuracy[PAPER_LABELS],
            "converged probe, original": own.converged_balanced_accuracy[ANCHOR],
        }
    return pd.DataFrame(found).T.round(2)


def high_silhouettes(runs: pd.DataFrame, sets: dict[str, str]) -> pd.DataFrame:
    """Count, by set and loss, the cells with a silhouette of 0.5 or more, and those of them of a rank of 3 or more."""
    found = {}
    for (name, loss), own in runs[runs.dataset.isin(list(sets)) & runs.loss.isin(LOSSES)].groupby(["dataset", "loss"]):
        high = own[own.silhouette >= 0.5]
        found[sets[name], loss] = {
            "cells": str(len(own)),
            "silhouette ≥ 0.5": str(len(high)),
            "of these, rank ≥ 3": str(int((high.participation_ratio >= 3).sum())),
            "ρ of silhouette and rank": f"{spearmanr(own.silhouette, own.participation_ratio).statistic:+.2f}",
        }
    return pd.DataFrame(found).T


def by_temperature(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return scores at the paper's threshold and margin, seed 1, by score and loss, a column a temperature."""
    titles = {"silhouette": "silhouette", "participation_ratio": "effective rank"} | PROBES
    own = runs[(runs.dataset == name) & (runs.seed == 1) & (runs.loss != PAPER_LABELS)]
    own = own[(own.threshold.isna() | (own.threshold == 0.4)) & (own.margin.isna() | (own.margin == 5))]
    tables = {
        title: own.pivot_table(index="loss", columns="temperature", values=metric).reindex([INFONCE, RELEASED, ANCHOR])
        for metric, title in titles.items()
    }
    return pd.concat(tables, names=["score", "loss"])


def turns_round(cell: Experiment, temperatures: list[float], margin: float = 5) -> dict[str, str]:
    """Say above which cosine of all frames the released denominator drives apart, by temperature; label 1."""
    found = {temperature: negative_above(cell, temperature, margin) for temperature in temperatures}
    return {f"{temperature:g}": f"{cosine:.3f}" if cosine else "never" for temperature, cosine in found.items()}
