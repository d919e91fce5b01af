"""The rules that every notebook of the book keeps. Whether its outputs still come out is `pytest --nbval`'s to say."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import nbformat
import papermill
import pytest
import vl_convert
from nbval.plugin import comment_markers

from companion.book import notebooks as tool
from companion.page import OWN

FOLDER = tool.ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LEFT_OUT = {"nbval-ignore-output", "nbval-skip"}

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def figures(cell: nbformat.NotebookNode) -> int:
    return sum(mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {}))


def parameters(path: Path) -> dict[str, object]:
    """Names and default values of the cell tagged `parameters`."""
    (cell,) = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
    values = {}
    for line in ast.parse(cell.source).body:
        target = line.targets[0] if isinstance(line, ast.Assign) else line.target
        values[target.id] = ast.literal_eval(line.value)
    return values


def test_the_book_shows_every_notebook():
    assert {path.stem for path in NOTEBOOKS} == {path.stem for path in tool.notebooks()}


@each_notebook
def test_parameters_are_fields_of_experiment(path):
    from emargin.config import Experiment
    from emargin.resolve import resolve

    values = parameters(path)
    assert values, "the parameters cell sets nothing"
    assert {values.pop(name) for name in OWN if name in values} <= {None}, "the committed rows are the default"
    resolve(Experiment(**values))


@each_notebook
def test_parameters_are_checked_before_anything_else_is_set(path):
    """A name that is no field or setting is refused: papermill injects a misspelt one and only warns."""
    cells = code_cells(path)
    (position,) = [number for number, cell in enumerate(cells) if "parameters" in tags(cell)]
    assert position == 0
    statements = [line for line in ast.parse(cells[1].source).body if not isinstance(line, ast.Import | ast.ImportFrom)]
    opens = (
        "= Page.from_notebook(globals()," if set(OWN) & set(parameters(path)) else "Experiment.from_notebook(globals())"
    )
    assert opens in ast.unparse(statements[0])


@each_notebook
def test_no_cell_ends_in_a_semicolon(path):
    assert [cell.source for cell in code_cells(path) if cell.source.rstrip().endswith(";")] == []


@each_notebook
def test_every_figure_has_a_label_a_caption_and_alt_text(path):
    for cell in code_cells(path):
        if figures(cell):
            metadata = cell.metadata.get("mystnb", {})
            assert figures(cell) == 1, f"a caption and a label serve one figure: split the cell {cell.source!r}"
            assert metadata.get("image", {}).get("alt", "").strip(), f"no mystnb.image.alt: {cell.source!r}"
            for key in ("name", "caption"):
                assert metadata.get("figure", {}).get(key, "").strip(), f"no mystnb.figure.{key}: {cell.source!r}"


def drawings(path: Path) -> Iterator[tuple[str, str]]:
    """Names and SVG of the figures of a notebook."""
    for cell in code_cells(path):
        for output in cell.outputs:
            if svg := output.get("data", {}).get("image/svg+xml"):
                yield cell.metadata["mystnb"]["figure"]["name"], svg


@each_notebook
def test_no_figure_is_cut_off_at_its_border(path):
    """Figures are shown as laid out, not cropped: a mark in the outermost pixels is a mark that continues outside."""
    for name, svg in drawings(path):
        pixels = matplotlib.image.imread(io.BytesIO(vl_convert.svg_to_png(svg)))[..., :3]
        border = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
        assert all((side > 0.98).all() for side in border), name


@each_notebook
def test_the_type_of_a_figure_is_legible_on_a_phone(path):
    """Nine pixels where the text is 388 wide, on a phone of 420; matplotlib draws letters of 100 units, scaled."""
    for name, svg in drawings(path):
        width = float(re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ', svg)[1])
        sizes = [float(scale) * 100 * 388 / max(width, 388) for scale in re.findall(r"scale\(([\d.]+) -[\d.]+\)", svg)]
        assert sizes and min(sizes) > 8.8, name


@each_notebook
def test_no_figure_is_heavy(path):
    sizes = {name: len(svg) for name, svg in drawings(path)}
    assert {name: size for name, size in sizes.items() if size > 400_000} == {}


@each_notebook
def test_committed_outputs_are_whole_and_normalised(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run `make notebooks`"
    assert [output for cell in cells for output in cell.outputs if output.output_type == "error"] == []
    assert read(path) == tool.normalise(read(path)), "run `make notebooks`"


def test_every_cell_left_out_of_the_comparison_says_why(capsys):
    left_out = [(path, cell) for path in NOTEBOOKS for cell in code_cells(path) if tags(cell) & LEFT_OUT]
    with capsys.disabled():
        print(f"\n{len(left_out)} notebook cells are left out of the comparison with the committed outputs")
        for path, cell in left_out:
            print(f"  {path.name}: {cell.metadata.get('reason')}: {cell.source.splitlines()[0][:60]}")
    assert [cell.source for _, cell in left_out if not cell.metadata.get("reason", "").strip()] == []


@each_notebook
def test_cells_are_left_out_by_tag_not_by_comment(path):
    for cell in code_cells(path):
        found = [marker for marker in comment_markers if f"# {marker}" in cell.source]
        assert found == [], f"use a tag and a reason in the cell's metadata: {cell.source!r}"


@pytest.mark.long
@pytest.mark.parametrize("split", [{"protocol": "released"}, {"fold": 2}], ids=["protocol released", "fold 2"])
@pytest.mark.parametrize(
    "name", ["results_tables", "results_all", "results_claim", "results_maps", "results_mitbih", "conclusions"]
)
def test_a_page_of_results_shows_another_split(name, split, tmp_path):
    """The sentences are about the committed parameters; with others the tables and figures come out all the same."""
    path = FOLDER / f"{name}.ipynb"
    chosen = {key: value for key, value in split.items() if key in parameters(path)}
    if not chosen:
        pytest.skip("the page has no such parameter")
    papermill.execute_notebook(path, tmp_path / path.name, chosen, cwd=tool.ROOT, progress_bar=False)
