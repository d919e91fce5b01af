"""Score an encoder: the metrics of `emargin.stages.METRICS`, all or those that are asked for."""

import time
from collections.abc import Collection, Iterator
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
from emargin.evaluation.features import Features, encode_both
from emargin.methods import Method
from emargin.stages import FRAMES_CLUSTERING, FRAMES_PROBING, METRICS, SERIES, metrics_of


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
        Names of `emargin.stages.METRICS`; all unless named.
    maps : bool
        Draw a map of frames, too. Series have none.

    Raises
    ------
    InputError
        For an unknown metric, data that cannot be scored, or a row that the metric's entry does not name.
    """
    wanted = metrics_of() if metrics is None else tuple(metrics)
    if unknown := [name for name in wanted if name not in METRICS]:
        raise InputError("unknown metric", found=", ".join(unknown), wanted=", ".join(METRICS))
    has_series = entry_of(experiment.dataset).has_series
    scores = Scores()
    started = {root for name in wanted for root in METRICS[name].roots(has_series=has_series)}
    with timed(scores.seconds, "encode"):
        features = encode_both(method, dataset, device)
        if has_series:
            features = series.pooled(features[0]), series.pooled(features[1])
            embedding, labels = features[1].flat()
            scores.drawn = embedding.numpy(), labels.numpy()
    if SERIES in started:
        with timed(scores.seconds, "score"):
            scores.rows += series.scores(experiment, method, dataset, device)
    if FRAMES_CLUSTERING in started or (maps and not has_series):
        with timed(scores.seconds, "cluster"):
            scores.drawn, rows, arrays = frames.score_clusters(experiment, dataset, features[1])
            scores.rows += rows
            scores.arrays |= arrays
    if FRAMES_PROBING in started:
        with timed(scores.seconds, "probe"):
            rows, arrays = frames.score_probes(experiment, dataset, *features)
            scores.rows += rows
            scores.arrays |= arrays
    scores.rows = [row for row in scores.rows if any(METRICS[name].holds(row["metric"]) for name in wanted)]
    others = {array for name, metric in METRICS.items() if name not in wanted for array in metric.arrays}
    scores.arrays = {name: array for name, array in scores.arrays.items() if name not in others}
    if maps and not has_series:
        with timed(scores.seconds, "map"):
            assert scores.drawn is not None
            scores.arrays |= frames.maps_of(*scores.drawn)
    for name in wanted:
        if METRICS[name].function:
            with timed(scores.seconds, name):
                scores.rows += _rows_of(name, experiment, dataset, *features)
    return scores


def _rows_of(name: str, experiment: Experiment, dataset: Dataset, *features: Features) -> list[dict]:
    """Return the rows of a metric that has a function. features: of the two sides."""
    metric = METRICS[name]
    assert metric.function is not None
    values = resolve_name(metric.function)(experiment, dataset, *features)
    if strange := [row for row in values if not metric.holds(row)]:
        what, wanted = f"metric {name!r} gives rows that its entry does not name", " or ".join(metric.names)
        todo = "name them in emargin.stages.METRICS"
        raise InputError(what, found=", ".join(strange), wanted=f"names that start with {wanted}", todo=todo)
    prefix = series.PREFIX if entry_of(experiment.dataset).has_series else ""
    return [results.tidy(experiment, f"{prefix}{row}", value, n) for row, (value, n) in values.items()]


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long what runs inside takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
