"""What the page on InfoNCE and eMargin over training reads of its rows."""

from collections.abc import Iterable

import pandas as pd

from emargin.config import Experiment

RELEASED, ORIGINAL = "eMargin, released", "eMargin, original"
INFONCE = ["InfoNCE, released", "InfoNCE, original"]
LOSSES = [INFONCE[0], RELEASED, INFONCE[1], ORIGINAL]
COLLAPSES = 0.1  # the share of its effective rank that a run loses in a stretch that is called a collapse


def two_methods(cells: Iterable[Experiment], protocol: str = "original", fold: int = 1) -> list[Experiment]:
    """Return the cells of InfoNCE and eMargin with the defaults of each fidelity, of one split."""
    return [
        cell
        for cell in cells
        if cell.method in ("infonce", "emargin")
        and cell.reading in (None, "anchor")
        and (cell.protocol, cell.fold) == (protocol, fold)
        and cell.labels in (None, "released" if cell.fidelity == "released" else "paper")
    ]


def with_losses(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs with a column "loss", as the page calls them."""
    titles = runs.method.map({"infonce": "InfoNCE", "emargin": "eMargin"})
    return runs.assign(loss=titles + ", " + runs.fidelity)


def stretches(runs: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """Return what changes from one number of steps to the next in the runs of one set: a row a stretch.

    The first stretch of a run starts from the untrained encoder of its seed. "rank" is a ratio less one, "collapses"
    says whether it fell by COLLAPSES or more.
    """
    found = []
    for (loss, seed), run in runs.groupby(["loss", "seed"]):
        both = pd.concat([untrained[untrained.seed == seed], run.sort_values("iterations")])
        changes = {
            "rank": both.participation_ratio.pct_change(),
            "silhouette": both.silhouette.diff(),
            "paper": both.balanced_accuracy.diff(),
            "converged": both.converged_balanced_accuracy.diff(),
        }
        found.append(pd.DataFrame(changes).iloc[1:].assign(loss=loss, seed=seed))
    together = pd.concat(found, ignore_index=True)
    return together.assign(collapses=together["rank"] <= -COLLAPSES)


def outcomes(runs: pd.DataFrame, untrained: pd.DataFrame) -> dict[str, dict[str, int | str]]:
    """Return by loss what the runs of one set do, in the order of LOSSES.

    Counted are silhouettes of 0.5 or more, those of them at an effective rank of 3 or more, and the stretches in
    which the silhouette rises or a probe gains, among those that collapse and the others.
    """

    def share(rises: pd.Series) -> str:
        return f"{int((rises > 0).sum())} of {len(rises)}"

    changes = stretches(runs, untrained)
    found: dict[str, dict[str, int | str]] = {}
    for loss in (loss for loss in LOSSES if loss in set(runs.loss)):
        group, pieces = runs[runs.loss == loss], changes[changes.loss == loss]
        high, falling, other = group[group.silhouette >= 0.5], pieces[pieces.collapses], pieces[~pieces.collapses]
        found[loss] = {
            "cells": len(group),
            "silhouette ≥ 0.5": len(high),
            "of these, rank ≥ 3": int((high.participation_ratio >= 3).sum()),
            "stretches that collapse": f"{len(falling)} of {len(pieces)}",
            "silhouette rises there": share(falling.silhouette),
            "and elsewhere": share(other.silhouette),
            "the paper’s probe gains there": share(falling.paper),
            "the converged one": share(falling.converged),
        }
    return found
