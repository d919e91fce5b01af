"""The chart of two maps: what it holds, and what its menus do."""

import numpy as np
import pytest

from companion.charts import maps
from tests.browser import browser, needs_a_browser, page


@pytest.fixture(scope="module")
def chart():
    return maps.chart()


def test_every_map_is_there_with_its_shape_and_its_scores(chart):
    _, committed = maps.committed()
    points = chart.tables["points"].groupby(["dataset", "method"])
    assert len(points) == len(committed) > 100
    assert len(chart.tables["scores"]) == len(maps.SCORES) * len(committed)
    for drawn in committed[::10]:
        own = points.get_group((drawn.cell.dataset, drawn.title))
        assert len(own) == min(maps.POINTS, len(drawn.points))
        chosen = np.linspace(0, len(drawn.points) - 1, len(own)).round().astype(int)
        for first, second in ((own.x, drawn.points[chosen, 0]), (own.y, drawn.points[chosen, 1])):
            assert np.corrcoef(first, second)[0, 1] > 0.999
        assert own[["x", "y"]].min().min() >= 0 and own[["x", "y"]].max().max() <= maps.SIZE


@needs_a_browser
def test_each_menu_chooses_a_map(chart, tmp_path):
    address = page(tmp_path, chart)
    shown = "document.querySelector('.drawing svg').textContent"
    choose = (
        "(() => {{ const menu = document.querySelectorAll('.controls select')[{}]; menu.value = {!r};"
        "menu.dispatchEvent(new Event('change', {{bubbles: true}})) }})()"
    )
    with browser(tmp_path / "profile") as opened:
        opened.open(address, "document.querySelector('.drawn')")
        for number, value in enumerate(("dsads", "TNC, original", "CPC, released")):
            before = opened.run(shown)
            opened.run(choose.format(number, value))
            opened.until(f"{shown} !== {before!r}")
        words = opened.run(shown)
        table = chart.tables["points"]
        scores = chart.tables["scores"]
        for side, method in (("left_0", "TNC, original"), ("right_1", "CPC, released")):
            points = f"itemsOf(document.querySelector('.live').view, 'map_{side}')"
            drawn = opened.run(f"{points}.map(({{datum}}) => [datum.x, datum.y])")
            own = table[(table.dataset == "dsads") & (table.method == method)]
            assert sorted(drawn) == sorted(own[["x", "y"]].to_numpy().tolist())
            for text in scores.words[(scores.dataset == "dsads") & (scores.method == method)]:
                assert text in words
