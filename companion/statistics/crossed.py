"""Intervals over people and seeds, both drawn, with a correction for few of them.

A table has a value for every person and seed: of one line, or the difference of two. People are tested once each; those
of a fold share its trained encoders, one a seed. With d[p, s] the value of person p of fold f(p) in seed s, n people in
all, n_f of fold f, and S seeds,

    d[p, s] = mean + person[p] + encoder[f(p), s] + rest[p, s]

    var(mean) = people + seeds
    people = sum_p (m[p] - m)^2 / ((n - 1) n),                  m[p] the mean of a person over seeds, m of everything
    seeds  = sum_f (n_f / n)^2 var_s(mean of fold f) / S

The first part has n - 1 degrees of freedom, each of the second S - 1; the sum has those of Satterthwaite's formula
(Biometrics Bulletin 2, 1946, 110-114), n - 1 at most, and the interval is that of Student's t. Without that bound two
people who happen to agree would lend their interval the seeds' degrees of freedom. The rest is in both parts, so the
interval is wide where the rest is most of the spread. `companion.statistics.coverage` simulates how often such
intervals hold the truth.

What is estimated is the mean for new people and new seeds, with the training people of each fold held. The interval
`over="folds"` draws the training people too: t on the folds' means, with as many degrees of freedom as folds less one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from companion.grid.store import Store
from companion.statistics.resampling import RESAMPLED, TABLES, probing_scores, scores_of
from companion.statistics.verdicts import test_of, words_of
from emargin.errors import InputError
from emargin.evaluation.per_subject import PROBES

LEVEL = 0.95
NO_INTERVAL = "no interval"
FEWEST_PEOPLE, FEWEST_SEEDS, FEWEST_FOLDS = 2, 2, 3  # below these the spread cannot be estimated


@dataclass(frozen=True)
class Difference:
    """A difference of two lines with its 95 % interval and what it says (`verdicts.words_of`).

    low, high: NaN where `flaw` says why there is no interval; `verdict` is "no interval" then.
    """

    value: float
    low: float
    high: float
    people: int
    seeds: int
    folds: int
    flaw: str
    verdict: str

    def __str__(self) -> str:
        return in_words(self.value, self.low, self.high)


def in_words(value: float, low: float, high: float, digits: int = 3) -> str:
    """Return a number with its interval, if it has one: "+0.100 [−0.020, +0.220]"."""
    ends_of = "" if np.isnan([low, high]).any() else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{value:+.{digits}f}{ends_of}".replace("-", "−")


def compared(found: dict, metric: str) -> Difference:
    """Return what `estimate` gave for a difference, with its verdict.

    Only of a probe can lines be equivalent: for clustering scores no margin was stated.
    """
    test = test_of(found["value"], found["error"], found["freedom"])
    verdict = words_of(found["value"], test, may_be_equivalent=metric.endswith("balanced_accuracy"))
    numbers = (found[name] for name in ("value", "low", "high", "people", "seeds", "folds", "flaw"))
    return Difference(*numbers, verdict or NO_INTERVAL)


def moments(values: np.ndarray, folds: np.ndarray, over: str = "people") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the mean, its standard error and the degrees of freedom.

    values: `(..., n, S)`, people and seeds; leading axes are separate tables. folds: of each person, `(n,)`.
    over: "people", for new people and seeds, or "folds", for new training people as well. There are at most as many
    degrees of freedom as people, or folds, less one.
    """
    n, seeds = values.shape[-2:]
    of_person = values.mean(-1)
    mean = of_person.mean(-1)
    kinds, sizes = np.unique(folds, return_counts=True)
    shares = sizes / n
    of_fold = np.stack([values[..., folds == fold, :].mean(-2) for fold in kinds], -2)  # (..., F, S)
    if over == "folds":
        apart = (shares * (of_fold.mean(-1) - mean[..., None])) ** 2
        parts = apart.sum(-1, keepdims=True) * len(kinds) / (len(kinds) - 1)
        freedom = np.array([len(kinds) - 1])
    else:
        people = of_person.var(-1, ddof=1, keepdims=True) / n
        parts = np.concatenate([people, shares**2 * of_fold.var(-1, ddof=1) / seeds], -1)
        freedom = np.array([n - 1, *[seeds - 1] * len(kinds)])
    variance, squares = parts.sum(-1), (parts**2 / freedom).sum(-1)
    freedoms = np.divide(variance**2, squares, out=np.full(squares.shape, np.inf), where=squares > 0)
    return mean, np.sqrt(variance), np.minimum(freedoms, freedom[0])


def ends(mean, error, freedom, level: float = LEVEL):
    """Return both ends of the t interval."""
    half = student.ppf((1 + level) / 2, freedom) * error
    return mean - half, mean + half


def estimate(table: pd.DataFrame, over: str = "people") -> dict:
    """Estimate the mean of a tidy table with the columns "fold", "person", "seed", "value", one line each of them.

    Returns "value", "error" (standard), "freedom", "low", "high", "people", "seeds", "folds" and "flaw", which says why
    there is no interval; its ends are NaN then. The attribute "value" of the table (`people_values`), if there is one,
    takes the place of the mean: the score of all people together.
    Raises InputError for an empty table, and where a person lacks a seed or has one twice.
    """
    wide = table.pivot_table(index=["fold", "person"], columns="seed", values="value", aggfunc="mean", dropna=False)
    wide = wide.dropna(how="all")
    if not table.empty and table.value.isna().any():
        undefined = {"value": np.nan, "error": np.nan, "freedom": np.nan, "low": np.nan, "high": np.nan}
        counts = {"people": wide.shape[0], "seeds": wide.shape[1], "folds": table.fold.nunique()}
        return undefined | counts | {"value": table.attrs.get("value", np.nan), "flaw": "undefined without one of them"}
    if table.empty or table.duplicated(["fold", "person", "seed"]).any() or wide.isna().to_numpy().any():
        raise InputError(
            "no table of people and seeds",
            found=f"{len(table)} values of {wide.shape[0]} people and {wide.shape[1]} seeds",
            wanted="one value for each person and seed",
        )
    values, folds = wide.to_numpy(), wide.index.get_level_values("fold").to_numpy()
    (people, seeds), n_folds = values.shape, len(np.unique(folds))
    result = {"value": table.attrs.get("value", float(values.mean())), "error": np.nan, "freedom": np.nan}
    result |= {"low": np.nan, "high": np.nan, "people": people, "seeds": seeds, "folds": n_folds, "flaw": ""}
    if over == "people" and (people < FEWEST_PEOPLE or seeds < FEWEST_SEEDS):
        return result | {"flaw": f"{people} people, {seeds} seeds: no interval"}
    if over == "folds" and n_folds < FEWEST_FOLDS:
        return result | {"flaw": f"{n_folds} folds: no interval over training people"}
    _, error, freedom = (float(number) for number in moments(values, folds, over))
    low, high = ends(result["value"], error, freedom)
    return result | {"error": error, "freedom": freedom, "low": float(low), "high": float(high)}


def people_values(
    store: Store, digests: Sequence[str], metric: str, *, tables: dict | None = None, above_chance: bool = False
) -> pd.DataFrame:
    """Return what each person adds to a metric of one line: columns "fold", "person", "seed", "value".

    digests: of a line's cells, one a fold and seed. The value of person p is the jackknife's pseudo-value
    n theta - (n - 1) theta[-p], theta[-p] the metric without p's frames; where a metric is a mean over people, it is
    p's share of it, and for the others their spread estimates that of theta (Efron and Stein, Annals of Statistics 9,
    1981, 586-596). Probes are tested on the people of all folds together; clusters differ from fold to fold, and theta
    is the mean over folds, weighted by their people. The attribute "value" is theta, the mean over seeds.
    tables: of `tables_of`, for who asks often. above_chance: of a balanced accuracy take that of a guess, one over the
    number of classes that occur; so where a class is one person's alone, theta[-p] is not higher by its absence.
    Raises InputError for a cell without tables of the metric, and for two of a fold and seed.
    """
    kept = tables_of(store) if tables is None else tables
    rows = store.rows[store.rows.digest.isin(digests)]
    cells = rows.drop_duplicates("digest").set_index("digest").reindex(digests)
    missing = [digest for digest in digests if not any(metric in RESAMPLED.get(t, ()) for t in kept.get(digest, {}))]
    if missing or cells.duplicated(["fold", "seed"]).any():
        raise InputError(
            f"no values of people for {metric}",
            found=f"no tables of cell {missing[0]}" if missing else "two cells of a fold and seed",
            wanted="cells of one line, one a fold and seed, with counts of people",
        )
    parts, wholes = [], []
    for seed, of_seed in cells.groupby("seed"):
        folds = [(fold, kept[digest]) for digest, fold in zip(of_seed.index, of_seed.fold, strict=True)]
        of_clusters = metric in RESAMPLED["clusters"]
        pseudo, whole = _by_fold(folds, metric) if of_clusters else _pooled(folds, metric, above_chance)
        parts.append(pseudo.assign(seed=seed))
        wholes.append(whole)
    table = pd.concat(parts, ignore_index=True)[["fold", "person", "seed", "value"]]
    table.attrs["value"] = float(np.mean(wholes))
    return table


def fold_values(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric of a line's cells as a table whose people are whole folds: for `estimate` over folds.

    rows: tidy, of the line alone.
    """
    of_metric = rows[rows.metric == metric]
    return of_metric.assign(person=0)[["fold", "person", "seed", "value"]].reset_index(drop=True)


def difference(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of two tables of `people_values`, person by person and seed by seed.

    Raises InputError where they have not the same people and seeds.
    """
    keys = ["fold", "person", "seed"]
    both = first.merge(second, on=keys, how="outer", suffixes=("", "_second"), indicator=True)
    if (both._merge != "both").any():
        raise InputError(
            "two lines that cannot be compared",
            found=f"{int((both._merge != 'both').sum())} people and seeds of one line alone",
            wanted="the same people and seeds in both",
        )
    table = both.assign(value=both.value - both.value_second)[[*keys, "value"]]
    if "value" in first.attrs and "value" in second.attrs:
        table.attrs["value"] = first.attrs["value"] - second.attrs["value"]
    return table


def tables_of(store: Store) -> dict[str, dict[str, np.ndarray]]:
    """Return the tables of all cells of a store that `people_values` rests on, by digest."""
    return store.arrays_of_cells(TABLES)


def _pooled(folds: list[tuple], metric: str, above_chance: bool) -> tuple[pd.DataFrame, float]:
    """Pseudo-values and whole of a probe that is scored on all people together."""
    table, prefix = next((name, PROBES[name]) for name, metrics in RESAMPLED.items() if metric in metrics)
    counts = np.concatenate([tables[table] for _, tables in folds])
    names = [(fold, person) for fold, tables in folds for person in range(len(tables[table]))]
    present = counts.sum((1, 2)) > 0
    counts, names = counts[present], [name for name, there in zip(names, present, strict=True) if there]
    score = metric.removeprefix(prefix)
    everybody = np.concatenate([counts.sum(0)[None], counts.sum(0) - counts])
    scores = probing_scores(everybody)[score]
    if above_chance:
        scores = scores - 1 / (everybody.sum(-1) > 0).sum(-1)
    return _pseudo(names, float(scores[0]), scores[1:]), float(scores[0])


def _by_fold(folds: list[tuple], metric: str) -> tuple[pd.DataFrame, float]:
    """Pseudo-values and whole of a score of clusters."""
    parts, wholes = [], []
    for fold, tables in folds:
        present = np.flatnonzero(tables["clusters"].sum((1, 2)) > 0)
        weights = np.zeros((len(present) + 1, len(tables["clusters"])), int)
        weights[:, present] = 1
        weights[np.arange(len(present)), present] = 0
        scores = scores_of(tables, weights)[metric]
        wholes.append((float(scores[-1]), len(present)))
        parts.append(_pseudo([(fold, person) for person in present], wholes[-1][0], scores[:-1]))
    values, people = np.array(wholes).T
    return pd.concat(parts), float(np.average(values, weights=people))


def _pseudo(names: list[tuple], whole: float, without: np.ndarray) -> pd.DataFrame:
    n = len(names)
    return pd.DataFrame(names, columns=["fold", "person"]).assign(value=n * whole - (n - 1) * without)
