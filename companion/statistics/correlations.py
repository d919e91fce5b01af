"""A score's rank correlation with a probe, and beside it that of a positive control on the same rows.

The control is NMI, which compares the same clusters with the true classes. Where even the control does not go along
with a probe, that probe and those rows cannot show that a score does, and a score's failure says nothing. An embedding
is one observation: a probe has one metric here, its balanced accuracy.
"""

import numpy as np
import pandas as pd

from companion.statistics.configurations import LOWER_IS_BETTER
from companion.statistics.crossed import NO_INTERVAL, ends
from companion.statistics.over_sets import FEWEST_SETS
from companion.statistics.verdicts import ALPHA, NOT_DECIDED
from emargin.errors import InputError

METRIC = "balanced_accuracy"  # of every probe: what the names of its metrics end with
CONTROL = "nmi"
FEWEST_METHODS = 5  # below these there is no interval
MARGIN = 0.3  # a rank correlation that is smaller orders few pairs rightly: 0.3 is three of five
ALONG, AGAINST = "goes along", "goes against"
LARGEST = 1 - 1e-6  # of a correlation whose Fisher transform is taken


def with_control(
    configurations: pd.DataFrame, score: str, probe: str, *, control: str = CONTROL, margin: float = MARGIN
) -> pd.DataFrame:
    """Return two lines, "score" and "control": what each correlates with a probe on the rows that have all three.

    configurations: as `configurations.configurations` gives them. Ranks are taken within each set and pooled, higher
    ranks better, so what differs between sets has no part. The interval is t on Fisher's transform of the jackknife's
    pseudo-values of methods; of sets too from six on, with the sum of both variances and Satterthwaite's degrees of
    freedom. "drawn" says which: below six sets it holds for these sets alone.
    "verdict": "goes along" or "goes against" where the interval leaves zero out, "equivalent within m to none" where
    two one-sided tests at 5 % say so, else "not decided". Where the control does not go along, neither of the last two
    can be said of the score: it is "open: the control shows nothing".
    Hand over the splits that `readable.readable` lets inform alone: noise of the others draws every correlation to 0.
    Raises InputError for another metric of a probe than its balanced accuracy.
    """
    if not probe.endswith(METRIC):
        raise InputError("another metric of a probe", found=probe, wanted=f"one metric a probe, its {METRIC}")
    chosen = configurations.dropna(subset=[score, probe, control])
    lines = [
        {"role": role, "metric": metric, "probe": probe, **correlation(chosen, metric, probe, margin)}
        for role, metric in (("score", score), ("control", control))
    ]
    silent = lines[0]["verdict"] not in (ALONG, AGAINST, NO_INTERVAL)
    if silent and lines[1]["verdict"] != ALONG:
        lines[0]["verdict"] = "open: the control shows nothing"
    return pd.DataFrame(lines)


def correlation(chosen: pd.DataFrame, first: str, second: str, margin: float = MARGIN) -> dict:
    """Return "value", "low", "high", "drawn", "configurations", "methods", "sets", "verdict" of rows that have both.

    No interval below five methods: its ends are NaN, and the verdict is "no interval".
    """
    chosen = chosen.dropna(subset=[first, second])
    values, sets, methods = _signed(chosen, first, second), chosen["set"].to_numpy(), chosen.method.to_numpy()
    n_methods, n_sets = len(np.unique(methods)), len(np.unique(sets))
    many = n_sets >= FEWEST_SETS
    result = {"value": value_of(chosen, first, second), "low": np.nan, "high": np.nan}
    result |= {"drawn": "methods and sets" if many else "methods"}
    result |= {"configurations": len(chosen), "methods": n_methods, "sets": n_sets, "verdict": NO_INTERVAL}
    if n_methods < FEWEST_METHODS or np.isnan(result["value"]):
        return result
    parts, freedom = [], []
    for names in (methods, sets) if many else (methods,):
        kinds = np.unique(names)
        without = (names[:, None] != kinds).astype(float)
        fewer = _fisher(pooled(values, sets, without))
        parts.append((len(kinds) - 1) / len(kinds) * np.nansum((fewer - np.nanmean(fewer)) ** 2))
        freedom.append(len(kinds) - 1)
    variance, squares = sum(parts), sum(part**2 / of for part, of in zip(parts, freedom, strict=True))
    error, degrees = np.sqrt(variance), variance**2 / squares if squares > 0 else freedom[0]
    place = _fisher(result["value"])
    low, high = (float(np.tanh(end)) for end in ends(place, error, degrees))
    inside = [float(np.tanh(end)) for end in ends(place, error, degrees, 1 - 2 * ALPHA)]
    verdict = ALONG if low > 0 else AGAINST if high < 0 else NOT_DECIDED
    if verdict == NOT_DECIDED and -margin < inside[0] and inside[1] < margin:
        verdict = f"equivalent within {margin:g} to none"
    return result | {"low": low, "high": high, "verdict": verdict}


def value_of(chosen: pd.DataFrame, first: str, second: str) -> float:
    """Return the rank correlation alone; NaN without spread."""
    return float(pooled(_signed(chosen, first, second), chosen["set"].to_numpy(), np.ones((len(chosen), 1)))[0])


def _signed(chosen: pd.DataFrame, *metrics: str) -> list[np.ndarray]:
    """Return the values of metrics, higher ones better."""
    return [(-1 if name in LOWER_IS_BETTER else 1) * chosen[name].to_numpy(float) for name in metrics]


def pooled(values: list[np.ndarray], sets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation of ranks `(B,)` of two lists `(n,)`, each element counted `weights` `(n, B)` times; NaN without
    spread.
    """
    across, squares = 0.0, [0.0, 0.0]
    for name in np.unique(sets):
        inside = sets == name
        ranks = [_centred_ranks(of_metric[inside], weights[inside]) for of_metric in values]
        across = across + (weights[inside] * ranks[0] * ranks[1]).sum(0)
        squares = [total + (weights[inside] * rank**2).sum(0) for total, rank in zip(squares, ranks, strict=True)]
    spread = np.sqrt(squares[0] * squares[1]) * np.ones(weights.shape[1])
    return np.divide(across, spread, out=np.full(len(spread), np.nan), where=spread > 0)


def _centred_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return mean ranks as a share of the number of elements, from -1/2 to 1/2, their mean zero; `(n, B)`."""
    below, equal = values[None, :] < values[:, None], values[None, :] == values[:, None]
    return (below + equal / 2) @ weights / np.maximum(weights.sum(0), 1) - 0.5


def _fisher(value):
    return np.arctanh(np.clip(value, -LARGEST, LARGEST))
