"""The paper's tables with ours beside them: which values stand where, what is missing, and what the HTML carries."""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from companion.figures import tables as html
from companion.grid.integrity import stamp
from companion.grid.store import Store
from companion.labels import short
from companion.statistics import tables
from companion.statistics.crossed import Difference
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.resolve import resolve
from emargin.stages import code_versions

PAPER = pd.read_csv(home() / "results" / "paper" / "tables.csv")
METRICS = [metric for titles in tables.METRICS.values() for metric in titles]


def cell(method, seed=1, **fields) -> Experiment:
    return resolve(Experiment(**{"dataset": "ecg-sim", "method": method, "seed": seed} | fields))


class Written:
    """A store in the making."""

    def __init__(self, folder):
        self.folder, self.rows, self.records, self.arrays = folder, [], {}, {}

    def add(self, one: Experiment, value: float, code=None):
        """All metrics of a cell have one value."""
        self.rows += [results.tidy(one, metric, value, 9) for metric in METRICS]
        self.records[one.digest] = {"code": code or code_versions(one)}
        counts = np.zeros((6, 2, 2))
        counts[:, 0, 0], counts[:, 0, 1] = 100 * np.nan_to_num(value), 100 - 100 * np.nan_to_num(value)
        self.arrays[f"{one.digest}/probe"] = counts

    def fail(self, one: Experiment, reason: str):
        self.rows.append(results.tidy(one, "failed", float("nan"), None, reason))
        self.records[one.digest] = {"code": code_versions(one)}

    def store(self) -> Store:
        results.write_text(self.folder / "rows.csv", results.rows_to_csv(results.table(self.rows)))
        results.write_text(self.folder / "provenance.json", json.dumps(self.records))
        results.write_arrays(self.folder / "arrays.npz", self.arrays)
        stamp(self.folder, anew=True)
        return Store(self.folder)


@pytest.fixture
def written(tmp_path) -> Written:
    return Written(tmp_path)


def at(table: pd.DataFrame, line: str, metric: str, column: str) -> pd.Series:
    (found,) = [
        row for _, row in table[(table.line == line) & (table.metric == metric) & (table.column == column)].iterrows()
    ]
    return found


def test_a_table_is_of_one_encoder_and_by_default_of_the_methods_own(written):
    cells = [cell("tnc"), cell("tnc", encoder="context"), cell("random", encoder="context")]
    for one, value in zip(cells, (0.2, 0.4, 0.3), strict=True):
        written.add(one, value)
    store = written.store()
    assert {line for line, _ in tables.runs_of(store, cells)} == {"TNC"}
    assert tables.runs_of(store, cells)["TNC", "released"].done == {1: cells[0].digest}
    context = tables.runs_of(store, cells, "context")
    assert {line for line, _ in context} == {"Random Init, encoder context", "TNC, encoder context"}
    assert context["TNC, encoder context", "released"].done == {1: cells[1].digest}


def test_a_value_is_mean_and_sample_deviation_over_seeds_beside_the_papers(written):
    cells = [cell("tnc", seed) for seed in (1, 2, 3)]
    for one, value in zip(cells, (0.2, 0.4, 0.9), strict=True):
        written.add(one, value)
    store = written.store()
    ours = at(tables.entries(store, cells, PAPER, 1), "TNC", "silhouette", "released")
    assert (ours["mean"], ours["std"], ours.n, ours.state) == (0.5, pytest.approx(np.sqrt(0.13)), 3, "done")
    theirs = at(tables.entries(store, cells, PAPER, 1), "TNC", "silhouette", "paper")
    assert (theirs["mean"], theirs["std"], theirs.n) == (0.44, 0.05, 3)  # Table 1, Ecg
    accuracy = tables.entries(store, cells, PAPER, 2)
    assert at(accuracy, "TNC", "accuracy", "paper")["mean"] == 75.86
    assert at(accuracy, "TNC", "accuracy", "released")["mean"] == pytest.approx(50)
    assert at(accuracy, "TNC", "macro_recall", "paper")["mean"] == 0.38


@pytest.mark.parametrize(
    ("dataset", "accuracy"),
    [
        ("mitbih", 75.86),
        ("ecg-sim", 75.86),
        ("dsads", 89.03),
        ("spsw-har", 89.03),
        ("harth", 89.03),
        ("sleepedf-features", 55.13),
        ("sleepeeg-paper", 55.13),
        ("ecg-released", 75.86),
    ],
)
def test_the_papers_value_is_that_of_the_nearest_of_its_sets(written, dataset, accuracy):
    table = tables.entries(written.store(), [cell("tnc", dataset=dataset)], PAPER, 2)
    assert at(table, "TNC", "accuracy", "paper")["mean"] == accuracy


def test_beside_a_set_near_none_of_the_papers_no_value_stands(written):
    assert tables.nearest("ucr-Adiac") == tables.nearest("/my/recordings") == ""
    table = tables.entries(written.store(), [cell("tnc", dataset="ucr-Adiac")], PAPER, 2)
    assert at(table, "TNC", "accuracy", "paper")["state"] == "" and table["mean"].isna().all()


def test_names_that_the_paper_spells_otherwise_are_found(written):
    cells = [cell("softclt"), cell("random"), cell("emargin")]
    first, second = (tables.entries(written.store(), cells, PAPER, number) for number in (1, 2))
    assert at(first, "TS2Vec + SoftCLT", "silhouette", "paper")["mean"] == 0.39
    assert at(second, "TS2Vec + SoftCLT", "accuracy", "paper")["mean"] == 76.37
    assert at(second, "Random Init", "accuracy", "paper")["mean"] == 65.48
    assert at(first, "Random Init", "silhouette", "paper").state == ""
    assert at(first, "InfoNCE + eMargin", "silhouette", "paper")["mean"] == 0.80


def test_every_value_of_the_paper_has_its_place(written):
    """All methods of both tables, on each of its sets: nothing is lost through a name."""
    names = ("random", "tnc", "infots", "cost", "simmtm", "timedrl", "ts2vec", "softclt", "mfclr", "emargin")
    shown = 0
    for dataset in tables.PAPER_SETS:
        for number in tables.METRICS:
            table = tables.entries(written.store(), [cell(name, dataset=dataset) for name in names], PAPER, number)
            shown += (table[table.column == "paper"].state == "done").sum()
    assert shown == len(PAPER)


def test_the_papers_methods_that_both_of_its_tables_have():
    found = tables.paper_configurations(PAPER)
    assert len(found) == 3 * 9 and found.set_index(["set", "method"]).index.is_unique
    soft = found.set_index(["set", "method"]).loc["sleepeeg", "TS2Vec + SoftCLT"]
    assert (soft.davies_bouldin, soft.silhouette, soft.macro_recall, soft.accuracy) == (1.46, 0.24, 0.37, 53.60)


def test_lines_are_in_the_papers_order_with_the_variants_of_emargin_below_it(written):
    cells = [
        cell("emargin", fidelity="original", reading="pair"),
        cell("mfclr"),
        cell("random-calibrated"),
        cell("emargin", labels="paper"),
        cell("emargin", fidelity="original"),
        cell("infonce"),
        cell("random"),
        cell("emargin"),
        cell("tnc"),
    ]
    table = tables.entries(written.store(), cells, PAPER, 1)
    assert list(table.line.unique()) == [
        "Random Init",
        "Random, calibrated",
        "InfoNCE",
        "TNC",
        "MF-CLR",
        "InfoNCE + eMargin",
        "eMargin, pair",
        "eMargin, the paper’s labels",
    ]
    runs = tables.runs_of(written.store(), cells)
    assert runs["InfoNCE + eMargin", "original"].planned == {1: cells[4].digest}
    assert runs["InfoNCE + eMargin", "released"].planned == {1: cells[7].digest}
    assert runs["Random Init", "released"] == runs["Random Init", "original"]
    assert runs["TNC", "original"].state == "" and runs["TNC", "original"].seeds == ""


def test_what_is_not_done_says_so(written):
    cells = [cell("tnc", seed) for seed in (1, 2, 3)] + [cell("infots"), cell("cost"), cell("ts2vec")]
    written.add(cells[0], 0.4)
    written.fail(cells[1], "no gradient <here>")
    written.fail(cells[3], "out of memory")
    written.add(cells[5], float("nan"))
    store = written.store()
    table = tables.entries(store, cells, PAPER, 1)
    states = {line: at(table, line, "silhouette", "released").state for line in table.line.unique()}
    assert states == {"TNC": "done", "InfoTS": "failed", "CoST": "not run", "TS2Vec": "undefined"}
    one = at(table, "TNC", "silhouette", "released")
    assert (one["mean"], one.n) == (0.4, 1) and np.isnan(one["std"])
    runs = tables.runs_of(store, cells)
    assert (runs["TNC", "released"].seeds, runs["InfoTS", "released"].seeds) == ("1 of 3", "0 of 1")
    page = html.tables(store, cells, PAPER, "grid.json")
    assert "failed, seed 2: no gradient &lt;here&gt;" in page and 'title="out of memory">failed</a>' in page
    assert ">not run</a>" in page and ">0.40</a>" in page and ">1 of 3</td>" in page


def test_values_of_another_version_of_the_code_are_marked(written):
    cells = [cell("tnc", seed) for seed in (1, 2)] + [cell("infots")]
    written.add(cells[0], 0.4)
    written.add(cells[2], 0.3)
    assert "†" not in html.tables(written.store(), cells, PAPER, "grid.json")
    written.add(cells[1], 0.5, code={"data": "other"})
    runs = tables.runs_of(written.store(), cells)
    assert (runs["TNC", "released"].other_code, runs["InfoTS", "released"].other_code) == (True, False)
    page = html.tables(written.store(), cells, PAPER, "grid.json")
    assert re.search(r">0.45 ± 0.07</a><sup[^>]*>†", page) and not re.search(r">0.30</a><sup", page)


def test_cells_of_two_splits_do_not_share_a_table_nor_two_of_one_seed_a_line(written):
    with pytest.raises(InputError, match="one split"):
        tables.runs_of(written.store(), [cell("tnc"), cell("tnc", protocol="released")])
    with pytest.raises(InputError, match="same seed"):
        tables.runs_of(written.store(), [cell("tnc"), cell("tnc")])


def test_a_setting_that_varies_gives_a_line_of_its_own_and_the_default_keeps_the_plain_name(written):
    cells = [cell("tnc"), cell("tnc", temperature=0.3), cell("emargin", margin=2.0), cell("emargin", margin=3.0)]
    lines = dict.fromkeys(line for line, _ in tables.runs_of(written.store(), cells))
    assert list(lines) == [
        "TNC",
        "TNC, temperature 0.3",
        "InfoNCE + eMargin, margin 2.0",
        "InfoNCE + eMargin, margin 3.0",
    ]


def test_every_value_leads_to_the_command_of_its_cells(written):
    cells = [cell("tnc", seed) for seed in (1, 2)] + [cell("random"), cell("tnc", fidelity="original")]
    for one in cells:
        written.add(one, 0.4)
    page = html.tables(written.store(), cells, PAPER, "workflow/grid.json")
    links, places = re.findall(r'href="#(\w+)"', page), re.findall(r'<li id="(\w+)"', page)
    assert set(links) == set(places) and len(places) == len(set(places)) == 3
    assert f"<code>emargin grid cell workflow/grid.json {cells[0].digest} {cells[1].digest}</code>" in page
    assert "Table 1: ecg-sim, simulated data, protocol original, fold 1" in page and ">paper, ECG</th>" in page


def test_a_fidelity_in_which_nothing_is_planned_has_no_column(written):
    page = html.tables(written.store(), [cell("random"), cell("tnc")], PAPER, "grid.json")
    assert ">released</th>" in page and ">original</th>" not in page
    assert ">original</th>" in html.tables(written.store(), [cell("random")], PAPER, "grid.json")


def test_the_columns_of_a_line_are_those_of_the_head(written):
    page = html.tables(written.store(), [cell("random"), cell("tnc"), cell("cost", fidelity="original")], PAPER, "g")
    for number, table in enumerate(page.split("<table")[1:], 1):
        columns = [int(found) for found in re.findall(r'data-column="(\d+)"', table)]
        assert columns == list(range(1 + 3 * len(tables.METRICS[number]) + 2))
        for line in re.findall(r'<tr><th scope="row">.*?</tr>', table):
            assert line.count("<td") + 1 == len(columns)


def test_the_page_carries_the_numbers_as_csv(written):
    cells = [cell("tnc", seed) for seed in (1, 2)]
    written.add(cells[0], 0.25)
    written.add(cells[1], 0.75)
    page = html.tables(written.store(), cells, PAPER, "grid.json")
    links = re.findall(r'download="table-(\d)-ecg-sim-original-fold-1.csv" href="data:text/csv;base64,([^"]+)"', page)
    assert [number for number, _ in links] == ["1", "2"]
    table = pd.read_csv(io.StringIO(base64.b64decode(links[1][1]).decode()), index_col="line")
    assert table.loc["TNC", "accuracy paper mean"] == 75.86 and table.loc["TNC", "accuracy released mean"] == 50
    assert table.loc["TNC", "macro_recall released std"] == pytest.approx(np.sqrt(0.125), rel=1e-5)
    assert table.loc["TNC", "macro_recall released n"] == 2 and len(table.columns) == 4 * 3 * 3


def test_ranks_are_among_the_lines_that_the_paper_has(written):
    cells = [cell("infonce"), cell("tnc"), cell("cost"), cell("emargin")]
    for one, value in zip(cells, (0.1, 0.5, 0.3, 0.4), strict=True):
        written.add(one, value)
    found = tables.ranks(tables.entries(written.store(), cells, PAPER, 1), "InfoNCE + eMargin")
    assert found.loc["silhouette"].tolist() == ["1 of 3", "2 of 3", ""]  # the paper: 0.80 beside 0.44 and 0.33
    assert found.loc["davies_bouldin"].tolist() == ["1 of 3", "2 of 3", ""]
    worst = tables.ranks(tables.entries(written.store(), cells, PAPER, 1), "CoST")
    assert worst.loc["davies_bouldin", "released"] == "1 of 3" and worst.loc["silhouette", "released"] == "3 of 3"


def test_differences_are_taken_over_the_seeds_that_both_have(written):
    cells = [
        *(cell("infonce", seed) for seed in (1, 2, 3)),
        *(cell("tnc", seed) for seed in (1, 2)),
        cell("tnc", fidelity="original"),
        cell("random-calibrated"),
        cell("random"),
        cell("cost"),
    ]
    for one, value in zip(cells, (0.2, 0.4, 0.9, 0.5, 0.5, 0.8, 0.1, 0.3), strict=False):
        written.add(one, value)
    store = written.store()
    compared = tables.Differences(store)

    def found(against):
        table = compared.lines(cells, ["accuracy"], against)
        return {
            (row.line, row.fidelity): (round(row.interval.value, 3), row.interval.seeds) for row in table.itertuples()
        }

    assert found("infonce") == {
        ("Random, calibrated", "released"): (-0.1, 1),
        ("TNC", "released"): (0.2, 2),
        ("Random Init", "released"): (0.1, 1),
    }
    assert found("random-calibrated") == {
        ("Random Init", "released"): (0.2, 1),
        ("InfoNCE", "released"): (0.1, 1),
        ("TNC", "released"): (0.4, 1),
        ("TNC", "original"): (0.7, 1),
    }
    assert found("original") == {("TNC", "released"): (-0.3, 1)}


def test_the_table_of_differences_shows_a_verdict_where_there_is_one(written):
    cells = [cell("infonce", seed) for seed in (1, 2)] + [cell("tnc", seed) for seed in (1, 2)] + [cell("cost")]
    for one, value in zip(cells, (0.2, 0.2, 0.5, 0.5, 0.6), strict=True):
        written.add(one, value)
    store = written.store()
    found = tables.Differences(store).lines(cells, ["accuracy"], "infonce")
    page = html.difference_table(found, {"accuracy": "Accuracy"}, "Minus InfoNCE")
    assert "<td>+0.300 [+0.300, +0.300]<br>higher</td>" in page
    assert '<td class="open">+0.400</td>' in page  # one seed


def test_differences_without_counts_of_people_have_no_interval(written):
    cells = [cell(method, seed) for method in ("infonce", "tnc") for seed in (1, 2)]
    for one, value in zip(cells, (0.2, 0.4, 0.5, 0.7), strict=True):
        written.add(one, value)
    written.arrays = {}
    found = tables.Differences(written.store()).between(
        *([one.digest for one in cells[i : i + 2]] for i in (2, 0)), "accuracy"
    )
    assert found.value == pytest.approx(0.3) and np.isnan(found.low)
    assert (found.verdict, found.flaw) == ("no interval", "no counts of people: no interval")


def test_a_cell_that_failed_is_refused(written):
    written.add(cell("infonce"), 0.3)
    written.fail(cell("tnc"), "why")
    with pytest.raises(InputError, match="no value of accuracy"):
        tables.Differences(written.store()).between([cell("tnc").digest], [cell("infonce").digest], "accuracy")


def test_who_is_on_the_test_side(written):
    written.add(cell("infonce"), 0.75)
    compared = tables.Differences(written.store())
    people, holders, frames = compared.test_side(["not run", cell("infonce").digest])
    assert people == 6 and holders.tolist() == [6, 0] and frames.tolist() == [600, 0]
    assert compared.test_side(["not run"]) is None


def test_any_frame_becomes_a_table_that_sorts():
    frame = pd.DataFrame(
        {"Metric": ["a & b"], "Value": [Difference(-0.1, -0.2, -0.05, 8, 3, 1, "", "lower")], "Seeds": [3]}
    )
    page = html.frame_table(frame, "A name")
    assert '<th scope="row">a &amp; b</th><td>−0.100 [−0.200, −0.050]</td><td>3</td>' in page
    assert re.findall(r'data-column="(\d)">(\w+)<', page) == [("0", "Metric"), ("1", "Value"), ("2", "Seeds")]


def test_sets_and_emargin_are_printed_by_their_short_names(written):
    cells = [cell(method, dataset="mitbih", source="real") for method in ("emargin", "tnc")]
    page = html.tables(written.store(), cells, PAPER, "grid.json")
    assert "Table 1: MIT-BIH Arrhythmia, real data, " in page and '<th scope="row">eMargin</th>' in page
    assert "InfoNCE + eMargin" not in page and short("TS2Vec + SoftCLT") == "TS2Vec + SoftCLT"


def test_tables_beside_ours_are_narrow_and_lead_to_the_commands_of_another_page(written):
    cells = [cell("random-calibrated"), cell("tnc"), cell("tnc", fidelity="original"), cell("infonce")]
    for one in cells:
        written.add(one, 0.4)
    page = html.side_by_side(written.store(), cells, PAPER, "all.html")
    names = re.findall(r'<p class="name">(Table \d, [^<]*?) ?</p>', page)
    assert names == [f"Table {number}, {title}" for number, of in tables.METRICS.items() for title in of.values()]
    assert {table.count('<th scope="col"') for table in page.split("<table")[1:]} == {4}
    assert 'href="all.html#c' in page and ">TNC</th>" in page and "InfoNCE" not in page  # which the paper has not


def test_places_of_a_split_are_words_for_every_metric_of_both_tables(written):
    cells = [cell(method) for method in ("tnc", "cost", "infots", "emargin")]
    for value, one in zip((0.1, 0.2, 0.3, 0.4), cells, strict=True):
        written.add(one, value)
    found = tables.places_of_split(written.store(), cells, PAPER)
    assert list(found.index) == [title for of in tables.METRICS.values() for title in of.values()]
    assert found.released["Davies-Bouldin ↓"] == "4 of 4" and found.released["Silhouette ↑"] == "1 of 4"
    assert set(found.original) == {"not run"} and found.paper["Silhouette ↑"] != "not run"
