"""The audit of the book in a browser goes red for each fault that is planted, and for no page without one."""

import shutil

import pytest

from companion.book import audit_book
from companion.book.audit_book import PHONE, SIZE, WIDE, findings, size_of, spine
from emargin.errors import InputError

PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title></head>'
    "<body><main><article>{}</article></main></body></html>"
)
WHOLE = (
    "<h1>Three words here</h1><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    "<table><thead><tr><th><mjx-container><mjx-math></mjx-math></mjx-container></th></tr></thead></table>"
    "<pre>not counted</pre> <details><summary>More</summary> of it</details>"
)
BOX = '<div tabindex="0" role="region" aria-label="wide" style="overflow-x: auto">{}</div>'
FAULTS = {
    "clipped": BOX.format('<table style="width: 1400px"><tr><td>a wide one</td></tr></table>'),
    "clipped code": BOX.format(f"<pre>{'x' * 400}</pre>"),
    "empty-table-header": "<table><thead><tr><th></th><th>a</th></tr></thead><tr><td>1</td><td>2</td></tr></table>",
    "image-alt": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "console": "<script>const twice = 1</script><script>const twice = 2</script>",
    "not loaded": '<img src="missing.png" alt="none">',
    "formula": "<mjx-merror>a tag that is not allowed</mjx-merror>",
    "sideways": '<div style="width: 500px">wider than a phone</div>',
    "equation": '<div class="math"><div class="eqno">(1)</div>'
    '<mjx-container><mjx-math style="display: block">x</mjx-math></mjx-container></div>',
}


def view_of(**parts) -> dict:
    whole = {
        "page": "a.html",
        "width": WIDE,
        "errors": [],
        "files": [],
        "axe": [],
        "clipped": [],
        "equations": [],
        "broken": [],
    }
    return whole | {"overflow": parts.get("width", WIDE)} | parts


def rules(view: dict, book) -> list[str]:
    return [finding.rule for finding in findings(view, book)]


def test_a_page_without_faults_has_no_finding(tmp_path):
    assert rules(view_of(), tmp_path) == rules(view_of(width=PHONE), tmp_path) == []


def test_each_fault_is_a_line_with_what_was_found_and_wanted(tmp_path):
    cut = {"element": 'table "a b"', "found": 1839, "wanted": 704}
    (finding,) = findings(view_of(clipped=[cut]), tmp_path)
    assert str(finding) == 'a.html: clipped: table "a b": found 1839 px, wanted 704 px'
    assert rules(view_of(width=PHONE, clipped=[cut]), tmp_path) == []  # a phone may scroll a table
    assert (
        rules(view_of(overflow=WIDE + 1), tmp_path)
        == rules(view_of(width=PHONE, overflow=PHONE + 1), tmp_path)
        == ["sideways"]
    )
    assert rules(view_of(width=PHONE, errors=["twice"]), tmp_path) == ["console"]
    assert rules(view_of(width=PHONE, files=["https://example.org/a.js", "data:,"]), tmp_path) == ["network"]


def test_of_axe_what_is_grave_counts_and_an_empty_head(tmp_path):
    faults = [
        ("region", "moderate"),
        ("image-alt", "critical"),
        ("color-contrast", "serious"),
        ("empty-table-header", "minor"),
    ]
    axe = [{"rule": rule, "impact": impact, "help": "", "element": "x"} for rule, impact in faults]
    assert [finding.found for finding in findings(view_of(axe=axe), tmp_path)] == [rule for rule, _ in faults[1:]]


def test_a_page_is_as_large_as_what_it_loads_without_what_pages_share(tmp_path):
    (tmp_path / "_static").mkdir()
    files = {"a.html": 100, "big picture.png": SIZE, "_static/mathjax.js": 5000}
    for name, size in files.items():
        (tmp_path / name).write_bytes(b"x" * size)
    view = view_of(width=PHONE, files=[(tmp_path / name).as_uri() + "?v=1" for name in files])
    assert size_of(view, tmp_path) == SIZE + 100
    assert rules(view, tmp_path) == ["size"]


def test_the_spine_is_the_first_page_and_the_parts_that_are_read_in_order(tmp_path):
    toc = tmp_path / "_toc.yml"
    toc.write_text(
        "root: a\nparts: [{caption: How sure is it, chapters: [{file: b}]}, {caption: Appendix, chapters: [{file: c}]}]"
    )
    assert spine(toc) == ["a", "b"]
    assert len(spine()) > 1


@pytest.mark.parametrize("tool", ["node", "npm"])
def test_a_missing_tool_is_named(tool, monkeypatch):
    monkeypatch.setattr(audit_book.shutil, "which", lambda name: None if name == tool else name)
    with pytest.raises(InputError, match=f"needs {tool}.*what to do: install"):
        audit_book.installed()


def test_a_missing_browser_is_named(monkeypatch):
    monkeypatch.setattr(audit_book.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="needs a browser.*CHROMIUM="):
        audit_book.browser()


def test_each_planted_fault_is_found_in_the_browser(tmp_path):
    if not (audit_book.ENVIRONMENT / "node_modules").is_dir() or not any(map(shutil.which, audit_book.BROWSERS)):
        pytest.skip("needs Chromium, and what `make audit-book` takes from npm")
    (tmp_path / "whole.html").write_text(PAGE.format(WHOLE))
    for name, fault in FAULTS.items():
        (tmp_path / f"{name}.html").write_text(PAGE.format(WHOLE + fault))
    found = {}
    for view in audit_book.measured(tmp_path, ["whole.html", *(f"{name}.html" for name in FAULTS)]):
        assert view["page"] != "whole.html" or (view["words"], view["folded"]) == (3, 3)
        found.setdefault(view["page"].removesuffix(".html"), []).extend(map(str, findings(view, tmp_path)))
    assert found.pop("whole") == []
    missed = [
        name for name, lines in found.items() if not any(name.split()[0] in line.partition(": ")[2] for line in lines)
    ]
    assert missed == []
