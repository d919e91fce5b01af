"""The page of all tables: for each split both tables, who was tested, eMargin's place, and what can be told apart."""

from functools import cached_property

import numpy as np
import pandas as pd
from IPython.display import HTML

from companion.figures import tables as html
from companion.page import Page
from companion.statistics import tables
from companion.statistics.crossed import NO_INTERVAL
from companion.statistics.readable import readable
from emargin.paths import home

DIFFERENCES = {
    "davies_bouldin": "Davies-Bouldin ↓",
    "silhouette": "Silhouette ↑",
    "balanced_accuracy": "Paper’s probe ↑",
    "converged_balanced_accuracy": "Converged probe ↑",
}
AGAINST = {
    "infonce": "minus InfoNCE",
    "random-calibrated": "minus the calibrated random encoder",
    "original": "released minus original",
}
BRIEF = {AGAINST["random-calibrated"]: "minus random", AGAINST["original"]: "minus original"}
EQUIVALENT = "equivalent within 0.02"
VERDICTS = ["higher", "lower", EQUIVALENT, "not decided", NO_INTERVAL]
PLACES = {"index": "Metric", "paper": "in the paper", "released": "here, released", "original": "here, original"}
PROTOCOLS = {
    "dataset": "Set",
    "metric": "Metric",
    "methods": "Methods",
    "original": "Mean, original",
    "released": "Mean, released",
    "emargin_original": "eMargin, original",
    "emargin_released": "eMargin, released",
    "correlation": "ρ of the orders",
}


class AllTables:
    """Draws the tables of a page's cells, those of one protocol first.

    Parameters
    ----------
    page : Page
    protocol : str
        Whose tables are not folded, and whose lines are compared.
    """

    def __init__(self, page: Page, protocol: str):
        self.page, self.protocol = page, protocol
        self.paper = pd.read_csv(home() / "results" / "paper" / "tables.csv")
        self.compared = tables.Differences(page.store)

    def status(self) -> HTML:
        """How many cells of each split have run."""
        found = status(self.page)
        run, failed = int(found[["run", "failed"]].sum().sum()), int(found.failed.sum())
        taken = [sum(one["seconds"].values()) for one in self.page.store.records.values() if "seconds" in one]
        words = f"{run} of {len(self.page.cells)} planned cells have run, {failed} of them failed."
        if taken:
            words += (
                f" They took {sum(taken) / 3600:.1f} hours of one core, {np.median(taken):.0f} s each in the median."
            )
        return _shown(_paragraph(words), html.frame_table(found.rename_axis("Split").reset_index(), "What has run"))

    def of(self, dataset: str, fold: int = 1) -> HTML:
        """Tables 1 and 2 of a split, the other protocol's folded; who was tested; and eMargin's place in both."""
        splits, parts = self.page.splits, []
        planned = {name: own for (data, name, number), own in splits.items() if (data, number) == (dataset, fold)}
        for name in sorted(planned, key=lambda name: name != self.protocol):
            grid = next(grid for grid, own in self.page.grids.items() if planned[name][0] in own)
            drawn = html.tables(self.page.store, planned[name], self.paper, grid)
            parts.append(drawn if name == self.protocol else _folded(f"Under protocol {name}", drawn))
        if self.protocol not in planned:
            return _shown(*parts, _paragraph(f"Not planned under protocol {self.protocol}."))
        own = planned[self.protocol]
        if side := self.compared.test_side([cell.digest for cell in own]):
            parts.append(_paragraph(who_was_tested(*side)))
        place = tables.places_of_split(self.page.store, own, self.paper).reset_index()
        name = "eMargin's place among the methods that the paper has and that have run, 1 is best"
        return _shown(*parts, html.frame_table(place[list(PLACES)].rename(columns=PLACES), name))

    def differences(self, dataset: str, fold: int = 1) -> HTML:
        """How many differences of a split have which verdict; all of them folded."""
        own = self.lines[(self.lines.dataset == dataset) & (self.lines.fold == fold)]
        if own.empty:
            return _shown(_paragraph("No two cells that can be compared have run."))
        parts, title = [], tables.SET_TITLES.get(dataset, dataset)
        if (own.verdict != NO_INTERVAL).any():
            parts.append(html.frame_table(verdicts(own), "How many lines have which verdict"))
        flaws = pd.Series([interval.flaw for interval in own.interval if interval.flaw], dtype=object).value_counts()
        parts += [_paragraph(f"{flaw} ({count} of {len(own)} differences)") for flaw, count in flaws.items()]
        drawn = [
            html.difference_table(found, DIFFERENCES, f"{title}, fold {fold}: {name}")
            for name, found in own.groupby("against", sort=False)
        ]
        return _shown(*parts, _folded("All differences with their intervals", "".join(drawn)))

    def further(self, shown: list[tuple[str, int]]) -> HTML:
        """All of the splits that a page has no section for: none of the committed rows."""
        planned = [(dataset, fold) for dataset, name, fold in self.page.splits if name == self.protocol]
        left = [one for one in planned if one not in shown]
        return _shown(*(part.data for one in left for part in (self.of(*one), self.differences(*one))))

    def together(self) -> HTML:
        """What eMargin's differences are on all splits, of probes on those alone that inform."""
        inform = readable(self.page.store)
        counts = over_splits(self.lines, inform[inform.protocol == self.protocol])
        if counts.empty:
            return _shown(_paragraph("No difference has an interval yet."))
        return _shown(html.frame_table(counts, "eMargin on all splits"))

    def protocols(self) -> HTML:
        """What the methods that have run under both protocols score under each."""
        changes = tables.under_both_protocols(self.page.store, list(DIFFERENCES))
        if changes.empty:
            return _shown(_paragraph("No method here has run under both protocols."))
        named = changes.replace({"dataset": tables.SET_TITLES, "metric": DIFFERENCES}).rename(columns=PROTOCOLS)
        words = named.map(lambda value: f"{value:.2f}" if isinstance(value, float) else value)
        return _shown(html.frame_table(words, "The same methods under both protocols"))

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Every difference: dataset, fold, against, line, fidelity, metric, interval and its verdict."""
        found = []
        for (dataset, name, fold), own in self.page.splits.items():
            for against, title in AGAINST.items() if name == self.protocol else ():
                lines = self.compared.lines(own, list(DIFFERENCES), against)
                found.append(lines.assign(dataset=dataset, fold=fold, against=title))
        columns = ["line", "fidelity", "metric", "interval", "dataset", "fold", "against"]
        whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
        return whole.assign(verdict=[interval.verdict for interval in whole.interval])


def status(page: Page) -> pd.DataFrame:
    """Return how many cells of each split have run, failed, and not run."""
    store, found = page.store, {}
    for (dataset, name, fold), own in page.splits.items():
        states = pd.Series([_state(store, cell.digest) for cell in own])
        found[f"{tables.SET_TITLES.get(dataset, dataset)}, protocol {name}, fold {fold}"] = states.value_counts()
    return pd.DataFrame(found).reindex(["run", "failed", "not run"]).fillna(0).astype(int).T


def who_was_tested(people: int, holders: np.ndarray, frames: np.ndarray) -> str:
    """Return who was tested, as `tables.Differences.test_side` gives it, and what a constant answer scores."""
    alike = len(set(holders)) == 1
    each = f"{holders[0]} of them with frames of each class" if alike else f"by class {', '.join(map(str, holders))}"
    frequent, recall = 100 * frames.max() / frames.sum(), 1 / (frames > 0).sum()
    return (
        f"{people} people are tested, {each}. An answer that is always the most frequent class has an accuracy of "
        f"{frequent:.2f} % and a macro recall of {recall:.2f}."
    )


def verdicts(lines: pd.DataFrame) -> pd.DataFrame:
    """Return how many lines have which verdict, a row a kind of difference and metric."""
    named = lines.assign(Difference=lines.against, Metric=lines.metric.map(DIFFERENCES))
    counts = named.groupby(["Difference", "Metric"], sort=False).verdict.value_counts().unstack(fill_value=0)
    return counts.reindex(columns=VERDICTS, fill_value=0).reset_index()


def over_splits(lines: pd.DataFrame, inform: pd.DataFrame) -> pd.DataFrame:
    """Return on how many splits each line of eMargin is higher, lower and equivalent, of those that have an interval.

    Parameters
    ----------
    lines : DataFrame
        As `AllTables.lines`.
    inform : DataFrame
        Of their protocol, as `readable.readable` gives it: a probe counts on the splits on which it informs alone.
    """
    silent = set(inform[~inform.informs][["dataset", "fold", "probe"]].itertuples(index=False, name=None))
    keys = lines[["dataset", "fold", "metric"]].itertuples(index=False, name=None)
    heard = np.array([key not in silent for key in keys], dtype=bool)
    own = lines[(lines.verdict != NO_INTERVAL) & heard & lines.line.str.contains("eMargin")]
    counts = own.groupby(["against", "line", "fidelity", "metric"], sort=False).verdict.agg(_arrows)
    wide = counts.unstack("metric").reindex(columns=list(DIFFERENCES)).astype(object).fillna("").reset_index()
    wide["line"] = wide.line.map(html.short) + ", " + wide.fidelity
    names = {"line": "Line", "against": "Difference"} | DIFFERENCES
    return wide[list(names)].replace(BRIEF).rename(columns=names)


def _arrows(verdicts: pd.Series) -> str:
    signs = {"▲": "higher", "▼": "lower", "≈": EQUIVALENT}
    counted = " ".join(f"{sign}{(verdicts == verdict).sum()}" for sign, verdict in signs.items())
    return f"{counted} of {len(verdicts)}"


def _state(store, digest: str) -> str:
    return "failed" if digest in store.failed else "run" if digest in store.known else "not run"


def _paragraph(words: str) -> str:
    return f"<p>{words}</p>"


def _folded(summary: str, inner: str) -> str:
    return f'<div class="results"><details><summary>{summary}</summary>{inner}</details></div>'


def _shown(*parts: str) -> HTML:
    return HTML("\n".join(parts))
