"""The tables of the page on the paper's warning, against the committed rows and the statistics that they print."""

import pytest

from companion.page import Page
from companion.statistics import order
from companion.statistics.claim_tables import PAPERS, ClaimTables


@pytest.fixture(scope="module")
def shown():
    return ClaimTables(Page.from_notebook({"folder": None, "grid": None}, "results/grid"), "original")


def test_a_split_is_named_with_its_fold_where_a_set_has_several(shown):
    assert sorted(shown.names.values()) == [
        "Daily and Sports Activities",
        "MIT-BIH Arrhythmia, fold 1",
        "MIT-BIH Arrhythmia, fold 2",
        "SP-SW-HAR",
        "features of Sleep-EDF",
    ]


def test_the_spread_is_that_of_the_rows(shown):
    rows = shown.page.store.rows
    own = rows[(rows.protocol == "original") & (rows.dataset == "dsads") & (rows.metric == PAPERS)]
    settings = ["method", "fidelity", "reading", "labels"]
    means = own.groupby(settings, dropna=False).value.mean()
    lines = shown.spread().set_index(["Split", "Probe"])
    line = lines.loc["Daily and Sports Activities", order.PROBES[PAPERS]]
    assert (line.Lowest, line.Highest) == (f"{means.min():.3f}", f"{means.max():.3f}")
    assert line.Configurations == len(means) and len(lines) == 5 * len(order.PROBES)


def test_a_forest_has_one_metric_and_the_paper_last(shown):
    panels = shown.panels("silhouette")
    assert list(panels)[-1] == (order.PROBES[PAPERS], "the paper", "the paper's tables")
    assert list(panels.values())[-1] == shown.papers["silhouette"]
    split = next(name for name in shown.found["set"] if name in shown.names)
    one = shown.by_split["silhouette", PAPERS, split, "released"]
    assert panels[order.PROBES[PAPERS], shown.names[split], "released"] == one


def test_what_informs_is_listed_of_one_protocol(shown):
    table = shown.untrained()
    assert len(table) == 5 * len(order.PROBES)
    informing = set(table[table.Informs == "yes"].Split)
    assert informing == {"SP-SW-HAR", "Daily and Sports Activities"}


def test_pooled_lines_are_of_both_fidelities_and_every_probe(shown):
    lines = shown.pooled()
    assert not lines.duplicated(["Metric", "Probe"]).any()
    assert {name.split(", ")[-1] for name in lines.Probe} == {"released", "original"}
    assert lines.Splits.max() == 2
