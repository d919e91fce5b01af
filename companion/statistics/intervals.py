"""Intervals for the results chapter, from committed rows and tables: differences of methods, correlations of metrics.

Both are percentile bootstraps at 95 %. A difference resamples the test people and the seeds; encoders, clusters and
probes are held, so it says how sure a difference is for new people and seeds of the same training set, not for a new
training set. A correlation resamples methods. With few people, seeds or methods such intervals are too narrow rather
than too wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.statistics.resampling import CLUSTERING, PROBING, scores_of
from emargin.errors import InputError
from emargin.evaluation.per_subject import PROBES
from emargin.rows import complete

PERCENTILES = (2.5, 97.5)
FEWEST_PEOPLE, FEWEST_SEEDS, FEWEST_METHODS = 5, 2, 5  # below these an interval or a verdict would say nothing
MOST_UNDEFINED = 0.05  # share of the resamples in which a metric may be undefined
TABLES = ("clusters", "spread", "separation", "silhouette", *PROBES)
RESAMPLED = {"clusters": CLUSTERING} | {  # table -> the metrics that it gives
    table: tuple(f"{prefix}{name}" for name in PROBING) for table, prefix in PROBES.items()
}
SPLIT = ["dataset", "source", "surrogate", "protocol", "fold", "split"]
CONFIGURATION = [*SPLIT, "method", "fidelity", "reading", "labels", "encoder"]
LOWER_IS_BETTER = ("davies_bouldin",)
MODERATE = 0.5  # a rank correlation below which one metric says little about the order of the other


@dataclass(frozen=True)
class Interval:
    """A difference of means over seeds, with a 95 % interval.

    low, high: NaN where `flaw` says why there is no interval. people: in the resamples; 0 where tables are missing.
    flaw: also why an interval that is given supports no verdict (one seed).
    """

    value: float
    low: float
    high: float
    people: int
    seeds: int
    flaw: str = ""

    @property
    def verdict(self) -> str:
        """ "higher", "lower" or "cannot be told apart"; "no verdict" where there is a flaw."""
        if self.flaw:
            return "no verdict"
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "cannot be told apart"

    def __str__(self) -> str:
        return f"{self.value:+.3f}" + ("" if np.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]")


class Bootstrap:
    """Differences between cells of one store. A resample of the test people is the same for every cell of a split.

    draws: resamples. seed: of the resamples.
    """

    def __init__(self, store: Store, draws: int = 1000, seed: int = 0):
        self.draws, self.seed = draws, seed
        first = store.rows.drop_duplicates("digest")
        self.cells = {
            row[0]: (row[1:-1], row[-1])
            for row in zip(  # digest -> its split, its seed
                first.digest, *(first[name] for name in SPLIT), first.seed, strict=True
            )
        }
        self.values = dict(zip(zip(store.rows.digest, store.rows.metric, strict=True), store.rows.value, strict=True))
        self.tables = store.arrays_of_cells(TABLES)
        self.resampled: dict[str, dict[str, np.ndarray]] = {}

    def difference(self, first: Sequence[str], second: Sequence[str], metric: str) -> Interval:
        """Return the mean of `metric` over seeds of `first` minus that of `second`, on the same split.

        first, second: digests, one a seed. Both configurations see the same resampled people and seeds.
        Raises InputError where they differ in split or seeds, or where a cell has no such metric.
        """
        first, second = self._by_seed(first), self._by_seed(second)
        cells = [*first, *second]
        splits = {self.cells[digest][0] for digest in cells}
        seeds = [[self.cells[digest][1] for digest in configuration] for configuration in (first, second)]
        if len(splits) > 1 or seeds[0] != seeds[1] or not seeds[0]:
            raise InputError(
                "two configurations that cannot be compared",
                found=f"seeds {seeds[0]} and {seeds[1]}, {len(splits)} splits",
                wanted="the same seeds of one split",
            )
        missing = [digest for digest in cells if (digest, metric) not in self.values]
        if missing:
            raise InputError(
                f"no value of {metric}", found=f"none for cell {missing[0]}", wanted="cells that ran and did not fail"
            )
        value = float(
            np.mean(
                [
                    self.values[left, metric] - self.values[right, metric]
                    for left, right in zip(first, second, strict=True)
                ]
            )
        )
        people = min(self._people(digest, metric) for digest in cells)
        if people < FEWEST_PEOPLE:
            flaw = f"{people} people: no interval" if people else "no counts of people: no interval"
            return Interval(value, np.nan, np.nan, people, len(first), flaw)
        low, high, undefined = self._interval(first, second, metric)
        flaw = "one seed: no verdict" if len(first) < FEWEST_SEEDS else ""
        if undefined > MOST_UNDEFINED:
            low, high, flaw = np.nan, np.nan, f"undefined in {undefined:.0%} of the resamples: no interval"
        return Interval(value, low, high, people, len(first), flaw)

    def test_side(self, digests: Sequence[str]) -> tuple[int, np.ndarray, np.ndarray] | None:
        """How many people the probes of these cells of one split were tested on, how many of them have frames of each
        class `(L,)`, and how many frames of it there are `(L,)`; None where no cell has tables.
        """
        probes = [self.tables[digest]["probe"] for digest in digests if "probe" in self.tables.get(digest, {})]
        if not probes:
            return None
        frames = probes[0].sum(2)
        return int((frames.sum(1) > 0).sum()), (frames > 0).sum(0), frames.sum(0)

    def _interval(self, first, second, metric) -> tuple[float, float, float]:
        """Return both ends, and the share of resamples in which the difference is not defined."""
        differences = np.array(
            [
                self._resampled(left)[metric] - self._resampled(right)[metric]
                for left, right in zip(first, second, strict=True)
            ]
        )
        picked = np.random.default_rng([self.seed, 1]).integers(0, len(first), differences.shape)
        means = np.take_along_axis(differences, picked, 0).mean(0)
        undefined = float(np.isnan(means).mean())
        return (*_ends(means), undefined)

    def _by_seed(self, digests: Sequence[str]) -> list[str]:
        unknown = [digest for digest in digests if digest not in self.cells]
        if unknown:
            raise InputError("no such cell among the rows", found=unknown[0], wanted="cells that have been run")
        return sorted(digests, key=lambda digest: self.cells[digest][1])

    def _people(self, digest: str, metric: str) -> int:
        """Count the people that a cell's tables tell apart; 0 where they do not give the metric."""
        tables = self.tables.get(digest, {})
        if not any(metric in metrics for table, metrics in RESAMPLED.items() if table in tables):
            return 0
        return int(_present(tables).sum())

    def _resampled(self, digest: str) -> dict[str, np.ndarray]:
        """Return each metric of a cell in every resample of its people, `(B,)`."""
        if digest not in self.resampled:
            present = _present(self.tables[digest])
            weights = np.zeros((self.draws, len(present)), int)
            people = present.sum()
            weights[:, present] = np.random.default_rng([self.seed, 0]).multinomial(
                people, np.full(people, 1 / people), self.draws
            )
            self.resampled[digest] = scores_of(self.tables[digest], weights)
        return self.resampled[digest]


@dataclass(frozen=True)
class Correlation:
    """A rank correlation over configurations, with a 95 % interval from a bootstrap over methods.

    low, high: NaN below five methods. configurations, methods, sets: how many it rests on. left_out: configurations
    without one of both metrics, because they failed.
    """

    value: float
    low: float
    high: float
    configurations: int
    methods: int
    sets: int
    left_out: int

    @property
    def verdict(self) -> str:
        """ "goes along" (above 0), "goes against" (below 0), "says little" (holds 0, ends below 0.5), "open" (else)."""
        if np.isnan([self.low, self.high]).any():
            return "no interval"
        if self.low > 0 or self.high < 0:
            return "goes along" if self.low > 0 else "goes against"
        return "says little" if self.high < MODERATE else "open"

    def __str__(self) -> str:
        return f"{self.value:+.2f}" + ("" if np.isnan(self.low) else f" [{self.low:+.2f}, {self.high:+.2f}]")


def configurations(rows: pd.DataFrame, encoder: str = "") -> pd.DataFrame:
    """A line a configuration, a column a metric, means over the seeds that did not fail; "set" names data set, protocol
    and fold. A configuration of which all seeds failed has a line without values.

    rows: tidy results. encoder: whose rows are taken; by default those of the methods' own.
    """
    rows = complete(rows)
    rows = rows[rows.encoder == encoder]
    wide = rows.groupby([*CONFIGURATION, "metric"]).value.mean().unstack("metric").reset_index()
    names = [
        f"{row.dataset}{f' ({row.surrogate})' if row.surrogate else ''}, {row.source}, protocol {row.protocol}, "
        f"fold {row.fold}{f', split {row.split}' if row.split else ''}"
        for row in wide.itertuples()
    ]
    return wide.assign(set=names)


def rank_correlation(
    configurations: pd.DataFrame, first: str, second: str, *, draws: int = 1000, seed: int = 0
) -> Correlation:
    """Estimate Spearman's rank correlation of two metrics over configurations; higher ranks are better for both.

    Over several sets, ranks are taken within each set, as a share of its size, and then pooled: what differs between
    sets has no part in it. Ties have their mean rank. A resample draws methods: all configurations of a method, in all
    sets, are in it as often as the method is drawn, for they are not independent.

    configurations: a line each, with the columns "set", "method" and both metrics.
    """
    complete = configurations[[first, second]].notna().all(axis=1)
    chosen = configurations[complete]
    methods = sorted(chosen.method.unique())
    sets = chosen["set"].to_numpy()
    values = [(-1 if metric in LOWER_IS_BETTER else 1) * chosen[metric].to_numpy(float) for metric in (first, second)]
    (value,) = pooled(values, sets, np.ones((len(chosen), 1)))
    low, high = np.nan, np.nan
    if len(methods) >= FEWEST_METHODS and not np.isnan(value):
        drawn = np.random.default_rng(seed).multinomial(len(methods), [1 / len(methods)] * len(methods), draws)
        low, high = _ends(pooled(values, sets, drawn.T[np.searchsorted(methods, chosen.method)]))
    return Correlation(float(value), low, high, len(chosen), len(methods), len(np.unique(sets)), int((~complete).sum()))


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


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return percentiles of the values that are defined."""
    values = values[~np.isnan(values)]
    return tuple(np.percentile(values, PERCENTILES).tolist()) if len(values) else (np.nan, np.nan)


def _present(tables: dict[str, np.ndarray]) -> np.ndarray:
    """Return which people `(R,)` have frames in any table."""
    return np.any([tables[name].sum((1, 2)) > 0 for name in ("clusters", *PROBES) if name in tables], axis=0)
