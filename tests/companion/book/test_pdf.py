"""The book as one PDF: which pages are in it, and what is left out."""

import shutil

import pytest
from bs4 import BeautifulSoup

from companion.book import pdf
from companion.book.audit_book import BROWSERS
from companion.book.pdf import cut
from emargin.errors import InputError

BOOK = """<html><head></head><body><nav>menu</nav><article><section id="first"><h1>First</h1>
<a href="#kept">to a kept page</a> <a href="#left-out">to one left out</a>
<a class="internal" href="../index.html#kept">again</a> <a href="../x.html#left-out">nor that</a>
<a href="https://example.org">away</a>
<div class="toctree-wrapper"><span id="document-a"></span><section id="kept"><h2>A page</h2>
<div class="cell"><div class="cell_input"><details class="hide"><pre>hidden()</pre></details></div></div>
<div class="cell tag_parameters"><div class="cell_input"><pre>seed = 1</pre></div></div>
<div class="cell tag_hide-cell"><details class="hide"><summary>Show</summary><pre>folded()</pre>
<div class="cell_output">a table</div></details></div>
<div class="cell"><pre>shown()</pre></div><details><summary>More</summary>an exception</details></section>
<span id="document-b"></span><section id="left-out"><h2>Another</h2></section></div></section>
</article></body></html>"""


def test_the_pages_asked_for_alone_are_left():
    page = BeautifulSoup(cut(BOOK, ["a"]), "html.parser")
    assert [title.text for title in page.select("h1, h2")] == ["First", "A page"] and page.find("nav") is None
    assert [link["href"] for link in page.select("a")] == ["#kept", "#kept", "https://example.org"]
    assert "to one left out" in page.text and "nor that" in page.text and page.find(id="kept")["class"] == ["page"]
    assert "hidden()" not in page.text and "shown()" in page.text
    assert "seed = 1" not in page.text and "folded()" not in page.text and "a table" in page.text
    assert len(page.select(".cell")) == 2
    assert page.find("details").has_attr("open")


def test_a_page_alone_comes_without_the_first_one():
    page = BeautifulSoup(cut(BOOK, ["a"], first=False), "html.parser")
    assert [title.text for title in page.select("h1, h2")] == ["A page"]


def test_a_page_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="no c"):
        cut(BOOK, ["a", "c"])


def test_a_pdf_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pdf, "spine", lambda: ["index", "a"])
    monkeypatch.setattr(pdf, "KEPT", "b")
    assert pdf.main(tmp_path, tmp_path / "book.pdf") == 2 and "index.html" in capsys.readouterr().err
    (tmp_path / "index.html").write_text(BOOK)
    if any(map(shutil.which, BROWSERS)):
        assert pdf.main(tmp_path, tmp_path / "book.pdf") == 0
        assert (tmp_path / "book.pdf").read_bytes().startswith(b"%PDF")
    else:
        assert pdf.main(tmp_path, tmp_path / "book.pdf") == 2 and not (tmp_path / "book.pdf").exists()
