"""What metrics need of the data: told from the labels, before anything is trained.

A metric that cannot be computed leaves rows without a value and the reason as their note; the others are computed.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pkgutil import resolve_name

import torch

from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset, Sequences
from emargin.evaluation.probing import NEIGHBOURS, PROBE_ROWS, QUICK_ROWS
from emargin.stages import MAP_NAME, METRICS

PERPLEXITY = 30  # of t-SNE: a map has more frames
HELD_OUT = 0.1  # of the training frames, by which the MLP stops early


@dataclass(frozen=True)
class Counts:
    """How many labelled frames, or series, each class has.

    Parameters
    ----------
    classes : tuple of str
    train, test : tuple of int
        Of each class on a side, every frame once.
    drawn : tuple of int
        Of each class in the draw that is clustered.
    fitted : tuple of int
        Of each class that the further probes learn from.
    """

    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    drawn: tuple[int, ...]
    fitted: tuple[int, ...]


def counts_of(experiment: Experiment, dataset: Dataset) -> Counts:
    """Count the labels of both sides.

    Parameters
    ----------
    experiment : Experiment
        Resolved.
    dataset : Dataset
    """
    has_series = entry_of(experiment.dataset).has_series
    train, test = (_counted(side, len(dataset.classes), has_series) for side in (dataset.train, dataset.test))
    drawn = test if has_series else tuple(map(min, test, dataset.draw))
    most = QUICK_ROWS if experiment.quick and not has_series else PROBE_ROWS
    return Counts(dataset.classes, train, test, drawn, tuple(min(count, most) for count in train))


def _counted(side: Sequences, n_classes: int, has_series: bool) -> tuple[int, ...]:
    labels = side.labels[side.starts if has_series else side.indices().unique()]
    return tuple(torch.bincount(labels[labels >= 0], minlength=n_classes).tolist())


def reasons_against(experiment: Experiment, dataset: Dataset) -> dict[str, str]:
    """Return why metrics, by name, and the map cannot be computed; nothing for those that can.

    Parameters
    ----------
    experiment : Experiment
        Resolved.
    dataset : Dataset
    """
    counts = counts_of(experiment, dataset)
    reasons = {name: resolve_name(metric.needs)(counts) for name, metric in METRICS.items() if metric.needs}
    if not entry_of(experiment.dataset).has_series:  # which have no map
        reasons[MAP_NAME] = of_map(counts)
    return {name: reason for name, reason in reasons.items() if reason}


def remarks_on(experiment: Experiment, dataset: Dataset, wanted: Collection[str]) -> list[str]:
    """Return sentences on what will not be computed, or not as usual, and on classes that probes cannot learn.

    Parameters
    ----------
    experiment : Experiment
        Resolved.
    dataset : Dataset
    wanted : collection of str
        Names of `emargin.stages.METRICS`, and "map".
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in reasons_against(experiment, dataset).items():
        if name in wanted:
            reasons.setdefault(reason, []).append(name)
    remarks = [f"{dataset.name}: no {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    counts = counts_of(experiment, dataset)
    if unknown := _absent(counts, counts.train):
        remarks.append(f"{dataset.name}: no training frame of {unknown}: no probe predicts it")
    choosing = [name for name in wanted if name in ("chosen", "whitened")]
    if choosing and not entry_of(experiment.dataset).has_series and _is_one_person(dataset.train):
        names = ", ".join(choosing)
        remarks.append(f"{dataset.name}: one training person: {names} take their penalty from stretches of their time")
    return remarks


def _is_one_person(side: Sequences) -> bool:
    if side.subjects is None:
        return False
    rows = side.indices().unique()
    return len(side.subjects[rows[side.labels[rows] >= 0]].unique()) == 1


def of_clusters(counts: Counts) -> str:
    """Return why K-means and its scores cannot be computed; "" if they can."""
    if len(counts.classes) < 2:
        return "one class: K-means has nothing to tell apart"
    if absent := _absent(counts, counts.test):
        return f"no test frame of {absent}: K-means looks for as many clusters as there are classes"
    if sum(counts.drawn) <= len(counts.classes):
        return f"{sum(counts.drawn)} test frames: scores of K clusters need more than K = {len(counts.classes)}"
    return ""


def of_collapse(counts: Counts) -> str:
    """Return why diagnostics of the collapse cannot be computed; "" if they can."""
    return "" if sum(counts.drawn) > 1 else f"{sum(counts.drawn)} labelled test frames: pairs of frames are compared"


def of_probe(counts: Counts) -> str:
    """Return why a classifier cannot be trained or scored; "" if it can."""
    if sum(counts.test) == 0:
        return "no labelled test frame"
    if (known := len(_there(counts.train))) < 2:
        return f"{known} class with labelled training frames: a probe tells two or more apart"
    return ""


def of_neighbours(counts: Counts) -> str:
    """Return why the nearest neighbours cannot be asked; "" if they can."""
    few = sum(counts.fitted) < NEIGHBOURS
    return of_probe(counts) or (f"fewer labelled training frames than {NEIGHBOURS} neighbours" if few else "")


def of_dial(counts: Counts) -> str:
    """Return why an embedding cannot be scored along the dial; "" if it can."""
    return of_clusters(counts) or of_probe(counts)


def of_mlp(counts: Counts) -> str:
    """Return why the MLP, which holds out a tenth of its training frames, cannot be trained; "" if it can."""
    if reason := of_probe(counts):
        return reason
    there = [(name, count) for name, count in zip(counts.classes, counts.fitted, strict=True) if count]
    total = sum(counts.fitted)
    if math.ceil(HELD_OUT * total) < 2:
        return f"{total} labelled training frames: the MLP holds out a tenth of them, two at least"
    if lonely := [name for name, count in there if count == 1 and len(there) == 2]:  # of more classes it may lack some
        return f"one training frame of {lonely[0]}: of two classes the MLP holds frames of both out"
    return ""


def of_map(counts: Counts) -> str:
    """Return why a t-SNE map cannot be drawn; "" if it can."""
    few = sum(counts.drawn) <= PERPLEXITY
    return f"{sum(counts.drawn)} frames: a t-SNE map of perplexity {PERPLEXITY} needs more" if few else ""


def _absent(counts: Counts, side: tuple[int, ...]) -> str:
    return ", ".join(name for name, count in zip(counts.classes, side, strict=True) if count == 0)


def _there(side: tuple[int, ...]) -> list[int]:
    return [count for count in side if count]
