"""SVG figures in the colours of the dark page."""

import base64
import io
import re
from types import SimpleNamespace

import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from companion.book.dark_figures import darken, luminance, on_dark, with_dark
from companion.figures.style import INK, MUTED, PALETTE, figure, svg
from tests.browser import browser, needs_a_browser

PAGE = luminance(to_rgb("#121212"))
DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">'
    '<rect width="40" height="20" style="fill: #ffffff"/>'
    '<rect width="9" height="9" fill="#0072B2"/></svg>'
)


def contrast(colour: str) -> float:
    return (luminance(to_rgb(colour)) + 0.05) / (PAGE + 0.05)


@pytest.mark.parametrize("colour", [*PALETTE, INK, MUTED])
def test_lines_and_words_are_seen_on_the_dark_page(colour):
    assert contrast(on_dark(colour)) > 3


def test_white_is_the_page_and_a_tint_of_white_a_tint_of_it():
    assert on_dark("#ffffff") == "#121212"
    assert contrast(on_dark("#bfd9ea")) < 1.6 and contrast(on_dark(INK)) / contrast(on_dark("#f3b183")) > 4.5


def test_colours_that_are_seen_on_both_stay():
    assert [on_dark(colour) for colour in PALETTE[1:6]] == [colour.lower() for colour in PALETTE[1:6]]


def test_each_colour_of_a_figure_has_a_rule():
    fig, axis = figure()
    axis.plot([0, 1], color=PALETTE[0])
    drawn = svg(fig)
    style = re.search(r"<style>@media \(prefers-color-scheme: dark\){(.*?)}</style>", with_dark(drawn)).group(1)
    assert '[style*="stroke: #0072b2"]{stroke:#4497c6!important}' in style
    assert set(re.findall(r"#[0-9a-f]{6}", drawn)) <= set(re.findall(r'"\w+: (#[0-9a-f]{6})"', style))


@pytest.fixture
def page(tmp_path):
    """A page that shows one figure, light and dark."""
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "one.svg").write_text(DRAWN)
    darken(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)
    darken(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)  # as a second build does
    assert (tmp_path / "_images" / "one.svg").read_text().count("<style>") == 1
    shown = "".join(f'<img style="color-scheme: {scheme}" src="_images/one.svg">' for scheme in ("light", "dark"))
    (tmp_path / "page.html").write_text(f"<html><body style='margin: 0'>{shown}</body></html>")
    return tmp_path / "page.html"


@needs_a_browser
def test_a_figure_has_the_colours_of_the_element_that_shows_it(page, tmp_path):
    with browser(tmp_path / "profile") as opened:
        opened.open(page.as_uri(), "[...document.images].every((each) => each.complete)")
        png = opened.ask("Page.captureScreenshot", clip={"x": 0, "y": 0, "width": 90, "height": 20, "scale": 1})["data"]
    pixels = imread(io.BytesIO(base64.b64decode(png)))[..., :3]
    assert pixels[15, 20] == pytest.approx((1, 1, 1)) and pixels[4, 4] == pytest.approx(to_rgb("#0072B2"), abs=0.01)
    assert pixels[15, 64] == pytest.approx(to_rgb("#121212"), abs=0.01)
    assert pixels[4, 48] == pytest.approx(to_rgb("#4497c6"), abs=0.01)
