"""Figures of one page that another shows, and the numbers of the landing page."""

import json
import re

import matplotlib.image
import nbformat
import numpy as np
import pytest

from companion.book.links import CARD
from companion.book.pictures import WIDE, copy
from companion.dial import table_of
from companion.grid.store import Store
from emargin.errors import InputError
from emargin.paths import home

SVG = '<svg width="648" height="300" xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>'


def source(folder, page: str, name: str = "fig-a"):
    """A book of one page and a notebook with one figure."""
    (folder / "book").mkdir()
    (folder / "notebooks").mkdir()
    (folder / "book" / "index.md").write_text(page)
    cell = nbformat.v4.new_code_cell("draw()", metadata={"mystnb": {"figure": {"name": name}}})
    data = {"image/svg+xml": SVG, "text/plain": "<Figure>"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "notebooks" / "a.ipynb")
    return folder


def test_a_picture_that_a_page_names_is_copied_out_of_its_notebook(tmp_path):
    assert copy(source(tmp_path, "![words](_static/figures/fig-a.svg)")) == ["fig-a"]
    figures = tmp_path / "book" / "_static" / "figures"
    assert [path.name for path in figures.iterdir()] == ["fig-a.svg"] and (figures / "fig-a.svg").read_text() == SVG


def test_the_picture_of_a_link_to_the_book_is_there_as_png_too(tmp_path):
    copy(source(tmp_path, "![words](_static/figures/fig-dial.svg)", "fig-dial"))
    drawn = matplotlib.image.imread(tmp_path / "book" / CARD)
    assert drawn.shape[1] == WIDE and abs(drawn.shape[0] - WIDE * 300 / 648) <= 1


def test_a_picture_that_no_notebook_has_is_refused(tmp_path):
    with pytest.raises(InputError, match="index.md shows a figure that is not there.*fig-b"):
        copy(source(tmp_path, "![words](_static/figures/fig-b.svg)"))


def test_the_landing_page_says_what_the_rows_of_the_dial_say():
    """The words claim every seed of both sets: each bound is the least favourable seed, rounded to the weaker side."""
    table = table_of(Store(home() / "results" / "dial").rows)
    sets = ["sleepedf-features", "spsw-har"]
    table = table[(table.line == "Random, calibrated") & (table.turned == "beside") & table.dataset.isin(sets)]
    assert sorted(table.dataset.unique()) == sets and table.seed.nunique() == 3

    def values(score: str, factor: float) -> np.ndarray:
        chosen = table[(table.score == score) & (table.factor == factor)]
        return chosen.sort_values(["dataset", "seed"]).value.to_numpy()

    sure = re.search(r"\*\*In numbers\.\*\* (.*)", (home() / "book" / "index.md").read_text()).group(1)
    up, down = (lambda value: np.ceil(value * 100) / 100), (lambda value: np.floor(value * 100) / 100)
    moved = np.abs(values("whitened", 1 / 64) - values("whitened", 1)).max()
    assert f"rises from at most {up(values('silhouette', 1).max()):.2f}" in sure
    assert f"to at least {down(values('silhouette', 1 / 64).min()):.2f}," in sure
    assert f"falls from {down(values('probe', 1).min()):.2f} or more to chance (0.20)" in sure
    assert values("probe", 1 / 64) == pytest.approx(0.2, abs=1e-3)
    assert f"on whitened features, where all directions have one size, it moves by at most {up(moved):.2f}" in sure


def test_the_page_on_measuring_counts_people_as_the_cards_do():
    cards = json.loads((home() / "results" / "data" / "cards.json").read_text())
    text = (home() / "book" / "measured.md").read_text()
    for name, title in {
        "spsw-har": "SP-SW-HAR",
        "dsads": "Daily and Sports Activities",
        "sleepedf-features": "features of Sleep-EDF",
        "mitbih": "MIT-BIH Arrhythmia",
    }.items():
        card = cards[name]
        classes = len(card["classes"])
        wanted = f"| {card['people']} | {card['split']['test']['people']} | {classes} | {1 / classes:.2f} |"
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {title}"))
        assert line.endswith(wanted)
