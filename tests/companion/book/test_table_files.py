"""Tables of pages as CSV files: what is in them, and where the links stand."""

import csv
import io
from types import SimpleNamespace

import pandas as pd

from companion.book.table_files import rows_of, with_links, write
from companion.figures.tables import frame_table


def test_spanning_heads_stand_over_each_of_their_columns_and_lines():
    index = pd.MultiIndex.from_product([["ECG"], ["released", "original"]], names=["set", "fidelity"])
    columns = pd.MultiIndex.from_product([["score"], ["mean", "spread"]])
    rows = rows_of(pd.DataFrame([[1, 2], [3, 4]], index=index, columns=columns).to_html())
    assert rows == [
        ["", "", "score", "score"],
        ["", "", "mean", "spread"],
        ["set", "fidelity", "", ""],
        ["ECG", "released", "1", "2"],
        ["ECG", "original", "3", "4"],
    ]


def test_the_file_has_the_words_of_the_table():
    frame = pd.DataFrame({"Method": ["a, b", "c"], "Value": ["−0.1 [−0.2, 0.1]", "<2"]})
    body, files = with_links(f"x{frame_table(frame, 'A name')}y", "notebooks/page", "../_static/tables")
    (name,) = files
    assert list(csv.reader(io.StringIO(files[name]))) == [["Method", "Value"], *frame.to_numpy().tolist()]
    link = f'<p class="csv"><a download="{name}" href="../_static/tables/{name}">Table as CSV</a></p>'
    assert body.endswith(f"</table></div>{link}</div>y")  # below the box that scrolls, in that of the table


def test_each_table_has_a_file_of_its_own_and_one_with_its_own_link_keeps_that():
    frame = pd.DataFrame({"a": [1]})
    own = '<p class="name">T <a download="t.csv" href="data:text/csv;base64,YQ==">CSV</a></p><div class="scroll">'
    text = frame.to_html() + own + frame.to_html() + "</div>" + frame.to_html() + "<table class='other'></table>"
    body, files = with_links(text, "page", "t")
    assert list(files) == ["page-1.csv", "page-2.csv"]
    assert body.count("Table as CSV") == 2
    assert "Table as CSV" not in body.split('class="scroll"')[1].split("</div>")[0]


def test_files_lie_beside_the_static_files_and_the_page_leads_there(tmp_path):
    context = {
        "body": pd.DataFrame({"a": [1]}).to_html(),
        "pathto": lambda path, resource: f"../{path}",
    }
    write(SimpleNamespace(outdir=tmp_path), "notebooks/page", "page.html", context, None)
    (file,) = (tmp_path / "_static" / "tables").iterdir()
    assert f'href="../_static/tables/{file.name}"' in context["body"]
    assert file.read_text() == ",a\n0,1\n"
    write(SimpleNamespace(outdir=tmp_path), "genindex", "genindex.html", {}, None)
