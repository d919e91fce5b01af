"""The page of all tables: counts of verdicts, the splits that a probe counts on, and what a page without rows says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from companion.figures import all_tables
from companion.figures.all_tables import AGAINST, EQUIVALENT, AllTables, over_splits, verdicts, who_was_tested
from companion.page import Page

PROBE, SILHOUETTE = "balanced_accuracy", "silhouette"


def lines(*verdicts, metric=PROBE, line="InfoNCE + eMargin", sets="abcdefgh"):
    """Differences of one line to InfoNCE, one on each set."""
    found = [
        {"dataset": name, "fold": 1, "against": AGAINST["infonce"], "line": line, "fidelity": "released"}
        | {"metric": metric, "interval": SimpleNamespace(flaw="", verdict=verdict), "verdict": verdict}
        for name, verdict in zip(sets, verdicts, strict=False)
    ]
    return pd.DataFrame(found)


def inform(**sets):
    return pd.DataFrame([{"dataset": k, "fold": 1, "probe": PROBE, "informs": v} for k, v in sets.items()])


def test_verdicts_are_counted_a_row_a_metric():
    table = verdicts(pd.concat([lines("higher", "lower", "higher"), lines("no interval", metric=SILHOUETTE)]))
    assert table.Metric.tolist() == ["Paper’s probe ↑", "Silhouette ↑"]
    assert table[["higher", "lower", EQUIVALENT, "not decided", "no interval"]].values.tolist() == [
        [2, 1, 0, 0, 0],
        [0, 0, 0, 0, 1],
    ]


def test_a_probe_counts_on_splits_that_inform_and_a_score_on_all():
    found = pd.concat(
        [
            lines("higher", "lower", EQUIVALENT, "lower", "no interval"),
            lines("higher", "not decided", metric=SILHOUETTE),
            lines("lower", line="TNC"),
        ]
    )
    (line,) = over_splits(found, inform(a=True, b=True, c=True, d=False, e=True)).to_dict("records")
    assert line == {
        "Line": "eMargin, released",
        "Difference": "minus InfoNCE",
        "Davies-Bouldin ↓": "",
        "Silhouette ↑": "▲1 ▼0 ≈0 of 2",
        "Paper’s probe ↑": "▲1 ▼1 ≈1 of 3",
        "Converged probe ↑": "",
    }


def test_who_was_tested_is_said_with_what_a_constant_answer_scores():
    same = who_was_tested(4, np.array([4, 4]), np.array([30, 10]))
    assert same.startswith("4 people are tested, 4 of them with frames of each class.")
    assert same.endswith("accuracy of 75.00 % and a macro recall of 0.50.")
    assert "4 people are tested, by class 3, 1." in who_was_tested(4, np.array([3, 1]), np.array([30, 10]))


def test_rows_of_the_reader_are_drawn_where_the_page_has_no_section(tmp_path):
    page = Page.from_notebook({"folder": None, "grid": None}, "results/harth-sim", "workflow/harth-sim.json")
    every = AllTables(page, "original")
    assert every.further([("harth-sim", 1)]).data == ""
    drawn = every.further([]).data
    assert drawn == f"{every.of('harth-sim').data}\n{every.differences('harth-sim').data}" and "Table 2" in drawn
    assert "Not planned under protocol original." in every.of("spsw-har").data
    assert "No two cells that can be compared" in every.differences("spsw-har").data
    found = all_tables.status(page)
    assert found.sum(axis=1).tolist() == [len(page.cells)] and found.run.sum() > 0
