"""The paper's two result tables with ours beside them, and the differences between our lines, from committed rows.

A table belongs to one split: data set, source, protocol and fold. Its lines are the methods in the paper's order, the
controls first, and below eMargin what sets its variants apart.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import names, short
from companion.statistics.configurations import SPLIT, configurations
from companion.statistics.crossed import Difference, compared, difference, estimate, people_values, tables_of
from companion.statistics.resampling import RESAMPLED
from emargin.config import FIDELITIES, PROTOCOLS, Experiment
from emargin.data.catalogue import SETS
from emargin.errors import InputError
from emargin.methods import METHODS
from emargin.stages import differing

METRICS = {  # of the paper's tables by number: metric -> title
    1: {"davies_bouldin": "Davies-Bouldin ↓", "silhouette": "Silhouette ↑"},
    2: {
        "accuracy": "Accuracy, % ↑",
        "weighted_f1": "F1 (weighted) ↑",
        "macro_precision": "Precision (macro) ↑",
        "macro_recall": "Recall (macro) ↑",
    },
}
PAPER_METRICS = {
    "accuracy": "accuracy_percent",
    "weighted_f1": "f1",
    "macro_precision": "precision",
    "macro_recall": "recall",
}
PAPER_NAMES = {1: {"TS2Vec + SoftCLT": "SoftCLT"}, 2: {"Random Init": "Random Init."}}  # where a title is another
PAPER_SEEDS = 3
PAPER_SETS = {entry.name: entry.title for entry in SETS if entry.nearest == entry.name}
NEAREST = {entry.name: entry.nearest for entry in SETS if entry.name not in PAPER_SETS and entry.nearest}
GRID_OF_ITS_OWN = ("mitbih-beats",)  # no rows in the chapter's grid
SET_TITLES = {  # of those beside the paper's
    entry.name: entry.title for entry in SETS if entry.name not in (*PAPER_SETS, *GRID_OF_ITS_OWN)
}
COLUMNS = ("paper", *FIDELITIES)


@dataclass(frozen=True)
class Runs:
    """The cells of one line and fidelity, one a seed, and what the store has of them.

    planned, done: seed -> digest, of all cells and of those with values. failed: seed -> reason. untrained: the method
    is. other_code: values made by another text of the code than the present one.
    """

    planned: dict[int, str]
    done: dict[int, str]
    failed: dict[int, str]
    untrained: bool
    other_code: bool

    @property
    def state(self) -> str:
        """ "done" where any seed is, else "failed" or "not run"; "" where nothing is planned."""
        if not self.planned:
            return ""
        return "done" if self.done else "failed" if self.failed else "not run"

    @property
    def seeds(self) -> str:
        """How many seeds have values, "1 of 3" where others are planned."""
        planned, done = len(self.planned), len(self.done)
        return "" if not planned else str(done) if done == planned else f"{done} of {planned}"


def nearest(dataset: str) -> str:
    """Return the paper's data set to compare `dataset` with: itself, or the nearest one; "" where none is near."""
    name = NEAREST.get(dataset, dataset.removesuffix("-sim").removesuffix("-released").removesuffix("-paper"))
    return name if name in PAPER_SETS else ""


def split_of(cell: Experiment) -> tuple:
    """Return data set, source, surrogate, protocol, fold and split."""
    return tuple(getattr(cell, name) for name in SPLIT)


def line_of(cell: Experiment) -> str:
    """Return the name of a cell's line: its method's title, with settings other than its fidelity's defaults."""
    details = [cell.reading] if cell.reading not in (None, "anchor") else []
    details += (
        [f"the {'paper’s' if cell.labels == 'paper' else 'released'} labels"]
        if cell.labels not in (None, "released" if cell.fidelity == "released" else "paper")
        else []
    )
    details += [f"encoder {cell.encoder}"] if cell.encoder else []
    title = METHODS[cell.method].title
    return ", ".join([short(title), *details]) if details else title


def runs_of(store: Store, cells: Sequence[Experiment], encoder: str | None = None) -> dict[tuple[str, str], Runs]:
    """Return runs by line and fidelity, in the tables' order; an untrained method has the same in both.

    cells: what is planned of one split. encoder: whose cells are taken; by default those of the methods' own.
    Raises InputError where they are of several splits, or where two of a line have the same seed.
    """
    cells = [cell for cell in cells if cell.encoder == encoder]
    if len({split_of(cell) for cell in cells}) != 1:
        raise InputError(
            "a table belongs to one split",
            found=sorted({str(split_of(cell)) for cell in cells}),
            wanted="cells of one data set, source, protocol and fold",
        )
    order = [*METHODS, *(cell.method for cell in cells if cell.method not in METHODS)]
    titles = names(cells, line_of)
    reasons = dict(store.rows.loc[store.rows.metric == "failed", ["digest", "note"]].itertuples(index=False))
    lines: dict[str, dict[str, dict[int, Experiment]]] = {}
    for cell in sorted(cells, key=lambda cell: (order.index(cell.method), titles[cell.digest], cell.seed)):
        line = lines.setdefault(titles[cell.digest], {fidelity: {} for fidelity in FIDELITIES})
        for fidelity in FIDELITIES if METHODS[cell.method].untrained else (cell.fidelity,):
            if cell.seed in line[fidelity]:
                raise InputError(
                    "two cells of one line have the same seed", found=str(cell), wanted="one configuration a line"
                )
            line[fidelity][cell.seed] = cell
    runs = {}
    for name, line in lines.items():
        untrained = all(METHODS[cell.method].untrained for by_seed in line.values() for cell in by_seed.values())
        for fidelity, by_seed in line.items():
            planned = {seed: _digest(cell) for seed, cell in by_seed.items()}
            failed = {seed: reasons[digest] for seed, digest in planned.items() if digest in reasons}
            done = {seed: digest for seed, digest in planned.items() if digest in store.known and seed not in failed}
            other_code = any(
                store.is_earlier(digest) or differing(by_seed[seed], store.records.get(digest, {}).get("code", {}))
                for seed, digest in done.items()
            )
            runs[name, fidelity] = Runs(planned, done, failed, untrained, other_code)
    return runs


@cache
def _digest(cell: Experiment) -> str:
    """Return the digest of a cell, kept because tables ask for it many times."""
    return cell.digest


def entries(store: Store, cells: Sequence[Experiment], paper: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the paper's Table 1 or 2 in long form: "line", "metric", "column", "mean", "std", "n", "state".

    column: "paper", "released" or "original". std: over seeds, the sample's (n - 1); NaN for one seed. n: seeds.
    state: as `Runs.state`, and "undefined" where a metric has no value for any seed; "" where the paper has no such
    line. Accuracy is in percent, as in the paper.
    paper: its tables, with the columns of `results/paper/tables.csv`.
    """
    runs = runs_of(store, cells)
    known = dict(zip(zip(store.rows.digest, store.rows.metric, strict=True), store.rows.value, strict=True))
    of_set = paper[(paper.table == number) & (paper.dataset == nearest(cells[0].dataset))]
    theirs = {(row.method, row.metric): (row.mean, row.std) for row in of_set.itertuples()}
    rows = []
    for line in dict.fromkeys(name for name, _ in runs):
        for metric in METRICS[number]:
            key = (PAPER_NAMES[number].get(line, line), PAPER_METRICS.get(metric, metric))
            mean, std = theirs.get(key, (np.nan, np.nan))
            in_paper = key in theirs
            rows.append((line, metric, "paper", mean, std, PAPER_SEEDS if in_paper else 0, "done" if in_paper else ""))
            for fidelity in FIDELITIES:
                of_line = runs[line, fidelity]
                values = np.array([known[digest, metric] for digest in of_line.done.values()])
                values = values[~np.isnan(values)] * (100 if metric == "accuracy" else 1)
                mean = values.mean() if len(values) else np.nan
                std = values.std(ddof=1) if len(values) > 1 else np.nan
                state = "undefined" if of_line.done and not len(values) else of_line.state
                rows.append((line, metric, fidelity, mean, std, len(values), state))
    return pd.DataFrame(rows, columns=["line", "metric", "column", "mean", "std", "n", "state"])


def paper_configurations(paper: pd.DataFrame) -> pd.DataFrame:
    """Methods that both of the paper's tables have, a line each a data set, with the columns "set" and "method" and the
    metrics by our names: what `correlations.correlation` takes.
    """
    titles = {name: title for names in PAPER_NAMES.values() for title, name in names.items()}
    ours = {name: metric for metric, name in PAPER_METRICS.items()}
    wide = paper.assign(method=paper.method.replace(titles), metric=paper.metric.replace(ours)).pivot(
        index=["dataset", "method"], columns="metric", values="mean"
    )
    return wide.dropna().reset_index().rename(columns={"dataset": "set"})


def csv(table: pd.DataFrame) -> str:
    """Return entries as CSV, a line a method, with columns "METRIC COLUMN mean", "... std", "... n"."""
    wide = table.pivot(index="line", columns=["metric", "column"], values=["mean", "std", "n"])
    wide = wide.reindex(table.line.unique())
    order = [
        (value, metric, column)
        for metric in table.metric.unique()
        for column in COLUMNS
        for value in ("mean", "std", "n")
    ]
    text = io.StringIO()
    wide[order].set_axis([f"{metric} {column} {value}" for value, metric, column in order], axis=1).to_csv(
        text, float_format="%.6g", lineterminator="\n"
    )
    return text.getvalue()


def places(table: pd.DataFrame, line: str) -> pd.DataFrame:
    """Return the place of a line among the lines that the paper has too: "metric", "column", "place", "of".

    table: as `entries` gives it. 1 is best; lines with equal values share the better place. Without those metrics and
    columns where the line has no value.
    """
    rows = []
    inside = table[table.line.isin(table.line[(table.column == "paper") & (table.state == "done")])]
    for (metric, column), group in inside.groupby(["metric", "column"], sort=False):
        values = group.dropna(subset="mean").set_index("line")["mean"]
        if line in values.index:
            place = values.rank(ascending=metric == "davies_bouldin", method="min")[line]
            rows.append((metric, column, int(place), len(values)))
    return pd.DataFrame(rows, columns=["metric", "column", "place", "of"])


def ranks(table: pd.DataFrame, line: str) -> pd.DataFrame:
    """Return `places` as words, "2 of 9": a row a metric, a column a source; empty without a value."""
    ranked = places(table, line)
    words = ranked.assign(words=[f"{row.place} of {row.of}" for row in ranked.itertuples()])
    shown = words.pivot(index="metric", columns="column", values="words")
    return shown.reindex(index=table.metric.unique(), columns=table.column.unique()).astype(object).fillna("")


def places_of_split(store: Store, cells: Sequence[Experiment], paper: pd.DataFrame) -> pd.DataFrame:
    """Return eMargin's place in both tables as words: a row a metric, columns "paper", "released", "original"."""
    found = {}
    for number, titles in METRICS.items():
        words = ranks(entries(store, cells, paper, number), METHODS["emargin"].title)
        found |= words.rename(titles).replace("", "not run").T.to_dict()
    return pd.DataFrame(found).T


def under_both_protocols(store: Store, metrics: Sequence[str]) -> pd.DataFrame:
    """Return the `released` methods that have run under both protocols on the first fold: a row a set and metric.

    eMargin has its own labels. Columns: "dataset", "metric", "methods", "original" and "released" (the mean over the
    methods under each protocol), "emargin_original", "emargin_released", and "correlation", of ranks, of both orders.
    """
    rows = store.rows
    chosen = rows[(rows.fold == 1) & (rows.fidelity == "released") & (rows.labels != "paper")]
    of = {name: configurations(chosen[chosen.protocol == name]).set_index(["dataset", "method"]) for name in PROTOCOLS}
    found = []
    for dataset in dict.fromkeys(dataset for dataset, _ in of["released"].index):
        if dataset not in of["original"].index:
            continue
        ours, theirs = of["original"].loc[dataset].align(of["released"].loc[dataset], join="inner", axis=0)
        for metric in metrics:
            line = {"dataset": dataset, "metric": metric, "methods": len(ours)}
            line |= {"original": ours[metric].mean(), "released": theirs[metric].mean()}
            line |= {
                f"emargin_{name}": own[metric].get("emargin", np.nan)
                for name, own in (("original", ours), ("released", theirs))
            }
            found.append(line | {"correlation": ours[metric].corr(theirs[metric], method="spearman")})
    return pd.DataFrame(found)


class Differences:
    """Differences between lines of one split, over its test people and the seeds that both lines have.

    Values of people are kept: a line is compared several times.
    """

    def __init__(self, store: Store):
        self.store, self.tables = store, tables_of(store)
        self.values = dict(zip(zip(store.rows.digest, store.rows.metric, strict=True), store.rows.value, strict=True))
        self.people: dict[tuple, pd.DataFrame] = {}

    def between(self, first: Sequence[str], second: Sequence[str], metric: str) -> Difference:
        """Return the mean of a metric over seeds of `first` minus that of `second`.

        first, second: digests of one fold, one a seed. Raises InputError where they are not of the same people and
        seeds, or where a cell has no such metric.
        """
        for digest in (*first, *second):
            if (digest, metric) not in self.values:
                raise InputError(f"no value of {metric}", found=f"none for {digest}", wanted="cells that did not fail")
        counted = [any(metric in RESAMPLED[name] for name in self._tables(one)) for one in (*first, *second)]
        if not all(counted):
            mean = [np.mean([self.values[digest, metric] for digest in line]) for line in (first, second)]
            nothing = dict.fromkeys(("error", "freedom", "low", "high"), np.nan)
            flaw = "no counts of people: no interval"
            found = nothing | {"value": float(mean[0] - mean[1]), "people": 0, "seeds": len(first), "folds": 1}
            return compared(found | {"flaw": flaw}, metric)
        return compared(estimate(difference(self._people(first, metric), self._people(second, metric))), metric)

    def lines(self, cells: Sequence[Experiment], metrics: Sequence[str], against: str) -> pd.DataFrame:
        """Return differences of the lines of one split: "line", "fidelity", "metric", "interval".

        against: "infonce", each line minus InfoNCE of the same fidelity; "random-calibrated", minus the calibrated
        random encoder; or "original", `released` minus `original` of the same line. A pair without a common seed has no
        rows.
        """
        runs, rows = runs_of(self.store, cells), []
        for (line, fidelity), of_line in runs.items():
            if fidelity == "original" and (against == "original" or (of_line.untrained and METHODS[against].untrained)):
                continue  # compared once
            baseline = runs[line, "original"] if against == "original" else runs.get((METHODS[against].title, fidelity))
            if baseline is None or baseline.planned == of_line.planned:
                continue
            common = sorted(of_line.done.keys() & baseline.done.keys())
            for metric in metrics if common else ():
                pair = [[side.done[seed] for seed in common] for side in (of_line, baseline)]
                rows.append((line, fidelity, metric, self.between(*pair, metric)))
        return pd.DataFrame(rows, columns=["line", "fidelity", "metric", "interval"])

    def test_side(self, digests: Sequence[str]) -> tuple[int, np.ndarray, np.ndarray] | None:
        """Return how many people the probes of these cells of one split were tested on, how many of them have frames of
        each class `(L,)`, and how many frames of it there are `(L,)`; None where no cell has tables.
        """
        probes = [self.tables[digest]["probe"] for digest in digests if "probe" in self._tables(digest)]
        if not probes:
            return None
        frames = probes[0].sum(2)
        return int((frames.sum(1) > 0).sum()), (frames > 0).sum(0), frames.sum(0)

    def _tables(self, digest: str) -> list[str]:
        return [name for name in self.tables.get(digest, {}) if name in RESAMPLED]

    def _people(self, digests: Sequence[str], metric: str) -> pd.DataFrame:
        key = (*digests, metric)
        if key not in self.people:
            self.people[key] = people_values(self.store, digests, metric, tables=self.tables)
        return self.people[key]
