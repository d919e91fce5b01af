"""A notebook shows its figures whatever the machine's environment says of matplotlib."""

import nbformat
import pytest

from companion.book import notebooks as tool

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
    assert [sorted(output.data) for output in outputs] == [["image/png", "text/plain"]]
