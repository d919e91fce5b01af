"""Sentences of the pages, and the rows that they rest on."""

from types import SimpleNamespace

import nbformat
import pytest

from companion.claims import Claim, Fallen, claims, ends, fill, page_of, printed, prose, require, signed, told
from companion.claims.__main__ import main
from emargin.errors import InputError


@pytest.mark.parametrize("one", claims(), ids=str)
def test_a_sentence_says_what_the_rows_say(one):
    there = one.found(prose(page_of(one.page))).groups()
    assert list(there) == one.now()


def test_each_module_of_claims_has_its_page_and_a_claim():
    assert {one.page for one in claims()} == {path.stem for path in page_folder() if not path.stem.startswith("__")}
    assert all(page_of(one.page).exists() for one in claims())


def page_folder():
    return list((page_of("dial").parents[1] / "companion" / "claims").glob("*.py"))


def of(text, values):
    return Claim("page", text, lambda: values)


def test_numbers_are_filled_in_and_the_rest_of_the_page_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Before 1.\nIt falls from 0.50 to\n−0.10 [−0.20, +0.05], as said. After 2.")
    assert fill(page, of("falls from {a} to {b}, as", {"a": "0.40", "b": signed(-0.125, 3)}))
    assert page.read_text() == "Before 1.\nIt falls from 0.40 to\n−0.125, as said. After 2."
    assert not fill(page, of("falls from {a} to {b}, as", {"a": "0.40", "b": "−0.125"}))


def test_a_notebook_keeps_its_code_and_outputs(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("It is 3 times."), nbformat.v4.new_code_cell("'It is 3 times.'")]
    nbformat.write(notebook, tmp_path / "page.ipynb")
    assert fill(tmp_path / "page.ipynb", of("is {n} times", {"n": "4"}))
    sources = [cell.source for cell in nbformat.read(tmp_path / "page.ipynb", as_version=4).cells]
    assert sources == ["It is 4 times.", "'It is 3 times.'"]


@pytest.mark.parametrize(("text", "times"), [("It was {n} times.", 0), ("a {n} b", 2)])
def test_a_sentence_that_is_not_there_once_is_an_error(text, times):
    with pytest.raises(InputError, match=f"{times} times"):
        of(text, {"n": "1"}).found("It is 3 times. a 1 b, a 2 b")


def test_a_field_needs_words_around_it_and_a_value():
    with pytest.raises(InputError, match="field at an end"):
        of("ends with {n}", {})
    with pytest.raises(InputError, match="fields and values differ"):
        of("a {n} b", {"m": "1"}).now()


def test_the_command_says_what_no_longer_holds(tmp_path, monkeypatch, capsys):
    (tmp_path / "page.md").write_text("It is 3 times. It holds.")
    wrong = Claim("page", "is {n} times", lambda: {"n": "4"})
    fallen = Claim("page", "It holds.", lambda: require(False, "it is 0"))
    monkeypatch.setattr("companion.claims.__main__.claims", lambda: [wrong, fallen])
    monkeypatch.setattr("companion.claims.__main__.page_of", lambda name: tmp_path / "page.md")
    assert main([]) == 1
    said = capsys.readouterr().out
    assert "the page has ['3'], the rows have ['4']" in said and "does not hold: it is 0" in said
    assert main(["--fill"]) == 1 and (tmp_path / "page.md").read_text() == "It is 4 times. It holds."
    with pytest.raises(Fallen):
        fallen.now()


def test_numbers_are_told_alike_on_all_pages():
    one = {"value": -0.125, "low": -0.5, "high": 0.25}
    assert told(one, 3) == "−0.125 (−0.500 to +0.250)" == told(SimpleNamespace(**one), 3)
    assert printed(1, a=-0.25, b=2) == {"a": "−0.2", "b": "2.0"}
    assert ends(value / 4 for value in (3, 1, 2)) == {"low": "0.25", "high": "0.75"}
