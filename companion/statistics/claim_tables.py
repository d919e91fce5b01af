"""What the page on the paper's warning shows: correlations, splits that inform and the spread of probes, as tables."""

from functools import cached_property

import pandas as pd

from companion.page import Page
from companion.statistics import order, readable, tables
from companion.statistics.configurations import SPLIT, configurations
from companion.statistics.correlations import correlation
from companion.statistics.crossed import in_words
from companion.statistics.order import CLUSTERING, PROBES
from emargin.paths import home
from emargin.rows import complete

PAPERS = "balanced_accuracy"  # the paper's probe


class ClaimTables:
    """The configurations of a page's rows under one protocol.

    Parameters
    ----------
    page : Page
    protocol : str
    """

    def __init__(self, page: Page, protocol: str):
        self.page, self.protocol, rows = page, protocol, page.store.rows
        self.found = configurations(rows[rows.protocol == protocol])
        self.inform = readable.readable(page.store, list(PROBES))
        self.source = f"real data, protocol {protocol}" if page.committed else f"protocol {protocol}"

    @cached_property
    def names(self) -> dict[str, str]:
        """Titles of the splits, with the fold where a set has several."""
        folds = self.found.groupby("dataset").fold.nunique()
        return {
            row.set: tables.SET_TITLES.get(row.dataset, row.dataset)
            + (f", fold {row.fold}" if folds[row.dataset] > 1 else "")
            for row in self.found.itertuples()
        }

    @cached_property
    def papers(self) -> dict[str, dict]:
        """The same correlations in the paper's own tables, by clustering metric."""
        theirs = tables.paper_configurations(pd.read_csv(home() / "results" / "paper" / "tables.csv"))
        return {metric: correlation(theirs, metric, "macro_recall") for metric in order.SCORES}

    @cached_property
    def by_split(self) -> dict[tuple, dict]:
        """Correlations by metric, probe, split and fidelity, and pooled over the splits that inform."""
        return order.by_split(self.found, self.inform)

    def panels(self, metric: str) -> dict[tuple[str, str, str], dict]:
        """Return what the forest of one clustering metric shows, by probe, split and fidelity; the paper's own last."""
        shown = {
            (PROBES[probe], self.names.get(split, split), fidelity): one
            for (of_metric, probe, split, fidelity), one in self.by_split.items()
            if of_metric == metric
        }
        return shown | {(PROBES[PAPERS], "the paper", "the paper's tables"): self.papers[metric]}

    def with_papers_probe(self) -> pd.DataFrame:
        """Return the correlations with the paper's probe, by choice of splits, and those of the paper's tables."""
        own = order.with_probe(self.found, self.inform, PAPERS)
        lines = [line(one, metric, f"{fidelity}, {choice}") for (metric, choice, fidelity), one in own.items()]
        lines += [line(one, metric, "the paper's tables") for metric, one in self.papers.items()]
        return pd.DataFrame(lines)

    def untrained(self) -> pd.DataFrame:
        """Return which splits inform about which probe: the best untrained encoder against chance."""
        own = complete(self.inform[self.inform.protocol == self.protocol])
        shown = own.merge(self.found[[*SPLIT, "set"]].drop_duplicates())
        return pd.DataFrame(
            {
                "Split": shown["set"].map(self.names),
                "Probe": shown.probe.map(PROBES),
                "Best untrained": shown.control,
                "Reads": shown.value.map("{:.2f}".format),
                "Lower end": shown.low.map("{:.2f}".format),
                "Chance": shown.chance.map("{:.2f}".format),
                "People": shown.people,
                "Informs": shown.informs.map({True: "yes", False: "no"}),
            }
        )

    def pooled(self) -> pd.DataFrame:
        """Return every metric with every probe, over the splits that inform."""
        lines = [
            line(one, metric, f"{PROBES[probe]}, {fidelity}")
            for (metric, probe, split, fidelity), one in self.by_split.items()
            if split == order.POOLED
        ]
        return pd.DataFrame(lines).rename(columns={"Where": "Probe"})

    def with_rank(self) -> pd.DataFrame:
        """Return the correlations of the scores with the effective rank, over all splits."""
        found = order.follows_rank(self.found).items()
        return pd.DataFrame([line(one, metric, fidelity) for (metric, fidelity), one in found])

    def under_both(self) -> pd.DataFrame:
        """Return the correlations under each protocol, of methods that have run under both; empty where none has."""
        found = order.between_protocols(order.under_both(self.page.store), self.inform).items()
        lines = [line(one, metric, f"{PROBES[probe]}, protocol {name}") for (metric, probe, name), one in found]
        return pd.DataFrame(lines).rename(columns={"Where": "Probe"})

    def spread(self) -> pd.DataFrame:
        """Return the lowest and highest value of each probe on each split, and how many configurations are tied."""
        lines = []
        for name, title in self.names.items():
            for probe, probe_title in PROBES.items():
                values = self.found[self.found["set"] == name][probe].dropna()
                ends = {"Lowest": f"{values.min():.3f}", "Highest": f"{values.max():.3f}"}
                counts = {"Configurations": len(values), "Tied": values.duplicated(keep=False).sum()}
                lines.append({"Split": title, "Probe": probe_title} | ends | counts)
        return pd.DataFrame(lines)


def line(one: dict, metric: str, where: str) -> dict:
    """Return a correlation as a line of a table."""
    return {
        "Metric": CLUSTERING[metric],
        "ρ and its 95 % interval": in_words(one["value"], one["low"], one["high"], 2),
        "Where": where,
        "Reading": one["verdict"],
        "Configurations": one["configurations"],
        "Methods": one["methods"],
        "Splits": one["sets"],
    }
