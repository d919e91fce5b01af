"""Numbers of tables that lead to their rows: which become links, where these lead, and what a reader finds there."""

import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from companion.book.number_links import configurations, linked, made_of
from companion.charts import cells
from companion.figures.tables import frame_table
from companion.grid.store import Store
from companion.labels import comparison, short
from emargin.methods import METHODS
from emargin.paths import home
from tests.browser import browser, needs_a_browser, page

FOLDERS = [home() / "results" / name for name in ("harth-sim", "noise")]
COLUMNS = {"silhouette": "Silhouette", "nmi": "NMI", "balanced_accuracy": "Balanced acc., ten epochs"}


@pytest.fixture(scope="module")
def table():
    return cells.cells(FOLDERS)


@pytest.fixture(scope="module")
def known(table):
    return configurations(table)


def core(dataset):
    rows = Store(FOLDERS[0]).rows
    rows = rows[rows.dataset == dataset]
    assert len(rows)
    return f"<h2>{dataset}</h2>{comparison(rows, COLUMNS).to_html()}"


def links_of(html):
    return BeautifulSoup(html, "html.parser").select("td a")


def test_every_mean_of_a_table_leads_to_the_cells_it_is_the_mean_of(table, known):
    dataset = "harth-sim"
    html = core(dataset)
    found = links_of(linked(html, "notebooks/page", "cells.html", known))
    assert len(found) == len(re.findall(r"<td>[^<]* ± ", html)) > 20
    lines = table.set_index("cell")
    for anchor in found:
        cell, metric = re.fullmatch(
            r"cells\.html#chart=cells&cell=([0-9a-f]{16})&(?:up|across)=(\w+)", anchor["href"]
        ).groups()
        own = table[(table["flags"] == lines.loc[cell, "flags"]) & (table["store"] == lines.loc[cell, "store"])]
        assert anchor.text == f"{own[metric].mean():.2f} ± {own[metric].std():.2f}"
        method = anchor.find_parent("tr").th.text.split(", ")[0]
        assert own["method"].iloc[0].startswith(method)


def test_what_is_not_the_value_of_the_row_of_that_name_stays_a_number(known):
    dataset = "harth-sim"
    html = core(dataset)
    for changed in (
        re.sub(r"(\d)\.(\d\d) ±", r"\1.\2 ± 7", html),  # another deviation
        re.sub(r"<td>(\d)\.", r"<td>8\1.", html),  # another mean
        html.replace(dataset, "SP-SW-HAR"),  # another set
        re.sub(r"<th>[^<]*(Silhouette|NMI|Balanced)[^<]*</th>", "<th>of the paper</th>", html),
    ):
        assert changed != html and links_of(linked(changed, "page", "cells.html", known)) == []
    paper = html.replace("<th>Silhouette</th>", "<th>paper, Silhouette</th>")
    assert 0 < len(links_of(linked(paper, "page", "", known))) < len(links_of(linked(html, "page", "", known)))


def test_bare_numbers_lead_somewhere_where_most_of_their_column_do(table, known):
    own = table[(table["set"] == "harth-noise") & (table["fidelity"] == "released")]
    means = own.groupby("method").silhouette.mean().map("{:.2f}".format)
    frame = pd.DataFrame({"Method": means.index + ", released", "Silhouette": means.to_numpy()})
    assert len(frame) >= 2
    body = f"<h2>HARTH</h2>{frame_table(frame, 'White noise')}"
    assert len(links_of(linked(body, "page", "", known))) == len(frame)
    more = pd.concat([frame, frame.assign(Silhouette="7.77")])
    assert links_of(linked(f"<h2>HARTH</h2>{frame_table(more, 'x')}", "page", "", known)) == []


def test_a_table_that_names_its_cell_is_believed(known):
    one = next(one for of_name in known.values() for one in of_name if "nmi" in one.values)
    mean, std = one.values["nmi"]
    text = f"{mean:.2f}" + (f" ± {std:.2f}" if np.isfinite(std) else "")
    heads = [short(METHODS[one.about["method"]].title), "NMI"]
    assert made_of(text, [*heads, one.about["fidelity"]], [one.about["dataset"]], known, one.cells[0][:7])[0] is one
    assert made_of(text, heads, [one.about["dataset"]], known, "0000000") is None


@needs_a_browser
def test_a_reader_who_follows_a_number_finds_rows_command_and_provenance(table, known, tmp_path):
    chart = cells.chart(FOLDERS)
    explorer = page(tmp_path, chart)
    dataset = "harth-sim"
    (tmp_path / "table.html").write_text(linked(core(dataset), "page", "page.html", known), encoding="utf8")
    with browser(tmp_path / "profile") as opened:
        opened.open(explorer.replace("page.html", "table.html"), "document.querySelectorAll('td a').length")
        number = opened.run("document.querySelectorAll('td a')[4].textContent")
        cell, metric = re.search("cell=(.*)&.*=(.*)", opened.run("document.querySelectorAll('td a')[4].href")).groups()
        opened.run("document.querySelectorAll('td a')[4].click()")
        opened.until("document.querySelector('.details table')")
        details = opened.run("document.querySelector('.details').textContent")
        words = "[...row.cells].map(cell => cell.textContent).join(' ')"
        shown = opened.run(f"[...document.querySelectorAll('.details tbody tr')].map(row => {words})")
        assert opened.run("document.querySelectorAll('.ring_marks path').length") == 1
    row = table.set_index("cell").loc[cell]
    record = Store(FOLDERS[0]).records[cell]
    own = table[table["flags"] == row["flags"]]
    assert f"emargin run {row['flags']} --seed {row['seed']}" in details
    for told in (cell, "harth-sim", record["commit"], f"torch {record['versions']['torch']}", record["data"]):
        assert told in details
    assert record.get("processor", record["device"]) in details
    assert cells.title(metric) in details
    assert len(shown) == len(own) + 1
    mean, deviation = (float(word) for word in number.split(" ± "))
    last = [float(word) for word in re.findall(r"\d+\.\d+", shown[-1])]
    assert any(abs(value - mean) <= 0.0051 for value in last)
    assert any(abs(value - deviation) <= 0.0051 for value in last)
