"""Score an encoder: the metrics of `emargin.stages.METRICS`, all or those that are asked for."""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pkgutil import resolve_name

import numpy as np
import torch

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.evaluation import frames, series
from emargin.evaluation.features import Features, Scored, encode_alone
from emargin.evaluation.needs import reasons_against
from emargin.methods import Method
from emargin.stages import CLUSTERED, ENCODING, MAP_NAME, METRICS, clusters_alone, metrics_of


@dataclass(eq=False)
class Scores:
    """What scoring gives: rows, arrays by name, the draw that was clustered, and how long each part took."""

    rows: list[dict] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    drawn: tuple[np.ndarray, np.ndarray] | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def score(
    experiment: Experiment,
    method: Method,
    dataset: Dataset,
    device: torch.device | str = "cpu",
    *,
    metrics: Collection[str] | None = None,
    maps: bool = False,
) -> Scores:
    """Compute metrics of a trained method: frame by frame, or, for a set of the UCR archive, one embedding a series.

    Parameters
    ----------
    experiment : Experiment
        Resolved.
    method : Method
        Trained, on `device`.
    dataset : Dataset
    device : torch.device or str
    metrics : collection of str, optional
        Names of `emargin.stages.METRICS`; those that no grid has to itself unless named.
    maps : bool
        Draw a map of frames, too. Series have none.

    Raises
    ------
    InputError
        For an unknown metric, embeddings that are not finite, or a row that the metric's entry does not name.
    """
    wanted = metrics_of() if metrics is None else tuple(metrics)
    if unknown := [name for name in wanted if name not in METRICS]:
        raise InputError("unknown metric", found=", ".join(unknown), wanted=", ".join(METRICS))
    has_series, reasons = entry_of(experiment.dataset).has_series, reasons_against(experiment, dataset)
    scores = Scores()
    with timed(scores.seconds, "encode"):
        features = resolve_name(ENCODING[has_series])(method, dataset, device)
        clustered = features[1]
        if clusters_alone(experiment):
            clustered = encode_alone(method, dataset.test, clustered, device)
    _check_finite(*features, clustered)
    if has_series:
        embedding, labels = (part.numpy() for part in clustered.flat())
    else:
        embedding, labels, _ = frames.drawn(experiment, dataset, clustered)
    scores.drawn, prefix = (embedding, labels), series.PREFIX if has_series else ""
    for name in wanted:
        with timed(scores.seconds, name):
            if name in reasons:
                scored: Scored = dict.fromkeys(METRICS[name].names, (float("nan"), None, reasons[name])), {}
            else:
                function = METRICS[name].computed_by(has_series=has_series)
                test = clustered if name in CLUSTERED else features[1]
                scored = values_of(function, experiment, dataset, (features[0], test))
        rows, arrays = scored
        _check_names(name, rows)
        scores.rows += [results.tidy(experiment, f"{prefix}{row}", *value) for row, value in rows.items()]
        scores.arrays |= arrays
    if maps and not has_series and MAP_NAME not in reasons:
        with timed(scores.seconds, MAP_NAME):
            scores.arrays |= frames.maps_of(*scores.drawn)
    return scores


def values_of(function: str, experiment: Experiment, dataset: Dataset, features: tuple[Features, Features]) -> Scored:
    """Return what the function of a metric, named as "module:name", computes from the features of the two sides."""
    train, test = features
    return resolve_name(function)(experiment, dataset, train, test)


def _check_names(name: str, rows: Iterable[str]) -> None:
    """Raise InputError where a metric gives rows that its entry does not name."""
    metric = METRICS[name]
    if strange := [row for row in rows if not metric.holds(row)]:
        what, wanted = f"metric {name!r} gives rows that its entry does not name", " or ".join(metric.names)
        todo = "name them in emargin.stages.METRICS"
        raise InputError(what, found=", ".join(strange), wanted=f"names that start with {wanted}", todo=todo)


def _check_finite(*features: Features) -> None:
    """Raise InputError where a side has embeddings that are not finite: scores of the others would hide it."""
    for side, part in zip(("training", "test", "test"), features, strict=True):
        if bad := int((~part.embedding.isfinite()).any(-1).sum()):
            what, share = f"embeddings of the {side} side are not finite", f"{bad} of {part.labels.numel()} frames"
            todo = "look at the recordings with `emargin data list --quality`, or train with a lower learning_rate"
            raise InputError(what, found=share, wanted="finite numbers", todo=todo)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long what runs inside takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
