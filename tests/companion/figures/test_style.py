"""A notebook shows its figures whatever the machine's environment says of matplotlib."""

import itertools

import nbformat
import numpy as np
import pytest

from companion.book import notebooks as tool
from companion.figures import style

V4 = nbformat.v4


@pytest.mark.parametrize("before", ["", "import matplotlib.pyplot"], ids=["style first", "pyplot first"])
def test_a_notebook_shows_its_figures_where_the_environment_names_a_backend_that_shows_none(
    before, tmp_path, monkeypatch
):
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = [f"{before}\nfrom companion.figures.style import figure", "_ = figure()"]
    notebook = V4.new_notebook(cells=[V4.new_code_cell(source) for source in cells])
    nbformat.write(notebook, tmp_path / "page.ipynb")
    tool.execute(tmp_path / "page.ipynb", tmp_path / "out.ipynb")
    outputs = [output for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells for output in cell.outputs]
    assert [sorted(output.data) for output in outputs] == [["image/svg+xml", "text/plain"]]


def busy(words: str = "a title much longer than its panel is wide"):
    fig, axes = style.figure(1, 2, height=3.2)
    for axis in axes:
        axis.plot([0, 1])
        axis.set(title=words, xlabel=words, ylabel=words + ", or high")
    fig.supxlabel(words)
    style.mark_source(fig, "made up, " + 20 * "very " + "long")
    return fig


def test_a_figure_is_the_same_file_in_every_run():
    first, second = (style.svg(busy()) for _ in range(2))
    assert first == second and first.startswith("<svg") and "date" not in first and "Matplotlib" not in first
    assert f'width="{(72 * style.WIDTH + 2 * style.BORDER) * style.SHOWN:.0f}"' in first


def test_words_that_are_too_long_are_broken_and_keep_clear_of_each_other():
    fig = busy()
    style.svg(fig)
    fig.draw_without_rendering()  # places in the pixels of the figure, not of the file
    of_axes = [words for axis in fig.axes for words in (axis._left_title, axis.xaxis.label, axis.yaxis.label)]
    boxes = [words.get_window_extent() for words in [*fig.texts, *of_axes]]
    assert len(boxes) == 2 + 6
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)
    assert all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes)
    assert all(fig.bbox.y0 <= box.y0 and box.y1 <= fig.bbox.y1 for box in boxes)


def test_words_that_fit_stay_on_their_line():
    fig = busy("short")
    style.svg(fig)
    assert [axis.get_title(loc="left") for axis in fig.axes] == 2 * ["short"]


def test_a_legend_has_as_many_columns_as_fit():
    fig, axis = style.figure()
    for number in range(6):
        axis.plot([number], label=f"the line with the number {number}")
    made = style.legend(fig, ncols=6)
    assert made.get_window_extent().width <= fig.bbox.width and made._ncols == 2


def test_a_heavy_figure_becomes_an_image_with_type_as_it_was():
    fig, axis = style.figure()
    axis.plot(np.random.default_rng(1).normal(size=20_000), "o")
    axis.plot([0, 1], [0, 1])
    axis.set_title("many points")
    text = style.svg(fig)
    assert len(text) < 2 * style.HEAVY and text.count("<image") == 1 and "<use" in text
    assert not axis.lines[1].get_rasterized()
