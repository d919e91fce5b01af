"""The ledger's page: it shows what the file says, is whole without a script, and a reader can filter it."""

import re
import shutil
from html import unescape

import nbformat
import pytest

from companion.audit.differences import differences
from companion.audit.effects import effects
from companion.audit.ledger import read_ledger
from companion.book.notebooks import ROOT
from companion.figures.ledger import ledger_html
from tests.browser import browser, needs_a_browser

LEDGER = read_ledger()
ITEMS = LEDGER["items"]
MEASURED = {item["id"]: effects(item) for item in ITEMS}


@pytest.fixture(scope="module")
def html() -> str:
    return ledger_html(LEDGER, MEASURED, differences())


def line_of(html: str, number: int) -> str:
    (line,) = re.findall(rf'<tr id="d{number}".*?</tr>', html, re.DOTALL)
    return line


def text(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", markup)).split())


def test_the_page_is_what_the_file_says(html):
    page = nbformat.read(ROOT / "notebooks" / "ledger.ipynb", as_version=4)
    (cell,) = [cell for cell in page.cells if cell.id == "items"]
    assert cell.outputs[0].data["text/html"] == html


def test_every_item_has_a_line_with_all_of_its_texts(html):
    assert html.count("<tr id=") == len(ITEMS)
    for item in ITEMS:
        line = text(line_of(html, item["id"]))
        for field in ("title", "paper", "released", "effect", "status", "reason", "note"):
            assert " ".join(item.get(field, "").replace("`", "").split()) in line, f"D{item['id']}: {field}"
        assert ("not measured" in line) == (not MEASURED[item["id"]]), f"D{item['id']}"
        assert all(name in line for name in item["rows"] if name != "all")
    targets = set(re.findall(r'href="#(\w+)"', html))
    assert targets == {f"d{item['id']}" for item in ITEMS}


def test_an_effect_names_what_is_measured_with_it(html):
    line = text(line_of(html, 17))
    assert "with D18, D19" in line and "less tnc original" in line
    assert "silhouette +0.01 to +0.54" in text(line_of(html, 1))


def test_nothing_is_hidden_where_no_script_runs(html):
    assert " hidden" not in html and "<form" not in html and "display:" not in html


@pytest.fixture(scope="module")
def opened(html, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name in ("ledger.js", "ledger.css"):
        shutil.copy(ROOT / "book" / "_static" / name, folder)
    style = "<style>:root {--pst-color-text-muted: #555; --pst-color-border: #ccc}</style>"
    body = html.replace("../_static/", "")
    (folder / "page.html").write_text(
        f'<!doctype html><html><head><meta charset="utf8">{style}</head><body>{body}</body></html>'
    )
    with browser(tmp_path_factory.mktemp("profile")) as shown:
        shown.address = (folder / "page.html").as_uri()
        yield shown


READY = "document.querySelector('.ledger form output')?.textContent"
SHOWN = (
    "[...document.querySelectorAll('.ledger tbody tr')].filter(line => line.offsetParent).map(line => line.id).join()"
)


def ids(chosen) -> str:
    return ",".join(f"d{item['id']}" for item in chosen)


def choose(shown, name: str, value: str) -> None:
    shown.run(
        f"(() => {{ const one = document.querySelector('.ledger [name={name}]'); one.value = {value!r};"
        "one.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )


@needs_a_browser
def test_a_table_and_a_row_and_a_status_keep_their_items(opened):
    opened.open(opened.address, READY)
    assert opened.run(SHOWN) == ids(ITEMS)
    choose(opened, "row", "TNC")
    own = [item for item in ITEMS if {"TNC", "all"} & set(item["rows"])]
    assert opened.run(SHOWN) == ids(own) and len(own) < len(ITEMS)
    choose(opened, "table", "1")
    choose(opened, "status", "unconfirmed")
    both = [item for item in own if 1 in item["tables"] and item["status"] == "unconfirmed"]
    assert opened.run(SHOWN) == ids(both) != ""
    assert opened.run(READY) == f"{len(both)} of {len(ITEMS)} items"


@needs_a_browser
def test_text_is_searched_in_closed_folds_too_and_cleared_by_the_keyboard(opened):
    opened.open(opened.address, READY)
    opened.run("document.querySelector('.ledger [name=text]').focus()")
    for letter in "no heap":  # typed: no item has both words
        opened.ask("Input.insertText", text=letter)
    opened.until("document.querySelector('.ledger output').textContent.startsWith('0 of')")
    opened.run("document.querySelector('.ledger form').reset()")
    opened.until("document.querySelector('.ledger output').textContent.startsWith('49 of')")
    choose(opened, "text", "Discriminator frozen")
    assert opened.run(SHOWN).split(",")[0] == "d17"
    opened.run("document.querySelector('.ledger [type=reset]').focus()")
    opened.ask("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r", windowsVirtualKeyCode=13)
    opened.until("document.querySelector('.ledger output').textContent.startsWith('49 of')")


@needs_a_browser
def test_a_link_to_an_item_opens_it_whatever_is_chosen(opened):
    opened.open(opened.address, READY)
    choose(opened, "row", "CoST")
    opened.run("location.hash = '#d17'")
    opened.until("document.querySelector('#d17 details').open && document.querySelector('#d17').offsetParent")
    opened.open("about:blank", "true")
    opened.open(f"{opened.address}#d45", READY)
    assert opened.run("document.querySelector('#d45 details').open")


@needs_a_browser
def test_a_phone_shows_cards_that_are_no_wider_than_it(opened):
    opened.ask("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=1, mobile=False)
    opened.open(opened.address, READY)
    opened.run("document.querySelectorAll('.ledger details').forEach(one => one.open = true)")
    assert opened.run("document.documentElement.scrollWidth") <= 420
    heads = "getComputedStyle(document.querySelector('#d1 td'), '::before').content"
    assert "Rows of the tables" in opened.run(heads)
    opened.ask("Emulation.clearDeviceMetricsOverride")


@needs_a_browser
def test_nothing_is_asked_of_the_network(opened):
    opened.ask("Network.enable")
    opened.open(opened.address, READY)
    asked = [e["params"]["request"]["url"] for e in opened.events if e["method"] == "Network.requestWillBeSent"]
    assert len(asked) >= 3 and [address for address in asked if not address.startswith(("file:", "about:"))] == []
