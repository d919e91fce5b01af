"""The page that sets the paper beside the code: what it includes is there, short, and lies where it leads."""

import re
from types import SimpleNamespace

import pytest
from sphinx.directives.code import LiteralIncludeReader

from companion.audit.ledger import read_ledger
from companion.book.notebooks import ROOT

PAGE = ROOT / "book" / "paper_and_code.md"
TEXT = PAGE.read_text(encoding="utf8")
BLOCK = re.compile(r"^```\{literalinclude\} (?P<file>\S+)\n(?P<options>(?::.*\n)+)```$", re.MULTILINE)
INCLUDED = [match.groupdict() for match in BLOCK.finditer(TEXT)]


def lines_of(block: dict[str, str]) -> list[str]:
    """Return the lines that the book shows for a block; the reader raises for an object or a line that is not there."""
    options = dict(line[1:].split(": ", 1) for line in block["options"].splitlines())
    options["dedent"] = int(options["dedent"])
    reader = LiteralIncludeReader(str(PAGE.parent / block["file"]), options, SimpleNamespace(source_encoding="utf8"))
    return reader.read()[0].splitlines()


def test_every_include_is_looked_at():
    assert len(INCLUDED) == TEXT.count("{literalinclude}") >= 14


@pytest.mark.parametrize("block", INCLUDED, ids=lambda block: f"{block['file']} {block['options'].split()[1]}")
def test_what_is_included_is_there_and_short(block):
    lines = lines_of(block)
    assert 1 <= len(lines) <= 15
    assert '"""' not in "\n".join(lines), "a docstring says it a second time"
    assert lines[0] == lines[0].lstrip(), "its first line is indented"


def test_every_gap_leads_to_an_item_of_the_ledger():
    items = {item["id"] for item in read_ledger()["items"]}
    gaps = re.findall(r"\*\*The gap:\*\*(.*)", TEXT)
    assert len(gaps) == TEXT.count("{grid} 1 1 2 2")
    for gap in gaps:
        linked = [(int(target), int(name)) for target, name in re.findall(r'ledger\.html#d(\d+)">D(\d+)</a>', gap)]
        assert linked, gap
        assert all(target == name and target in items for target, name in linked)


def test_a_formula_of_several_lines_has_no_number_of_its_own():
    """Sphinx wraps such a formula in `split`, where MathJax refuses a tag and shows an error in its place."""
    formulas = re.findall(r"\$\$(.*?)\$\$", TEXT, re.DOTALL)
    assert len(formulas) >= 13
    assert [formula for formula in formulas if r"\tag" in formula and r"\\" in formula] == []
