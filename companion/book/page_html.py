"""Sphinx extension that mends the HTML of pages: heads of tables, names for screen readers, scripts that nothing uses.

A figure has a link to its own file, for readers who want to keep it.

Jupyter Book loads thebe, which runs code in the reader's browser, twice on every page, and this book does not use it.
pandas, MyST-NB and docutils write heads without text and labels that differ from what is shown.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

HEAD = re.compile(r"<thead>.*?</thead>", re.DOTALL)
ROWS = re.compile(r"<tbody>.*?</tbody>", re.DOTALL)
EMPTY_HEAD = re.compile(r"<th\b(?P<attributes>[^>]*)>\s*(?:<p>\s*</p>\s*)?</th>")
WITHOUT_SCOPE = re.compile(r"<th\b(?![^>]*\bscope=)(?P<attributes>[^>]*)>")
FIGURE = re.compile(
    r'<figure\b[^>]*\bid="(?P<name>[^"]+)"(?:(?!</figure>).)*?<img\b[^>]*\bsrc="(?P<file>[^"]+\.(?P<kind>svg|png))"'
    r"(?:(?!</figure>).)*?(?=<a class=\"headerlink\")",
    re.DOTALL,
)
THEBE = re.compile(
    r'<script type="text/x-thebe-config">.*?</script>\s*(?:<script>kernelName = [^<]*</script>)?', re.DOTALL
)
# The theme takes an empty mode, that of a reader's first page, for an error.
FIRST_MODE = 'document.documentElement.dataset.mode ||= "auto"'


def mended(body: str) -> str:
    """Return the HTML of a page's text with its faults mended."""
    body = THEBE.sub("", body)
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    body = body.replace(' role="doc-biblioentry"', ' role="listitem"')  # entries of a list, and no deprecated role
    body = EMPTY_HEAD.sub(r"<td\g<attributes>></td>", body)
    body = FIGURE.sub(_kept, body)
    body = HEAD.sub(lambda head: _scoped(head.group(), "col"), body)
    return ROWS.sub(lambda rows: _scoped(rows.group(), "row"), body)


def _kept(match: re.Match) -> str:
    """Add a link to the file of a figure after its caption; its words are in the style sheet, no part of the text."""
    name, kind = match["name"], match["kind"]
    label = f'aria-label="Save this figure as {kind.upper()}" data-kind="{kind.upper()}"'
    return f'{match.group()} <a class="save" download="{name}.{kind}" href="{match["file"]}" {label}></a>'


def _scoped(html: str, scope: str) -> str:
    """Say of each head whether it stands for a column or a row, or for several."""

    def head(match: re.Match) -> str:
        group = "group" if re.search(rf'\b{scope}span="(?!1")', match["attributes"]) else ""
        return f'<th scope="{scope}{group}"{match["attributes"]}>'

    return WITHOUT_SCOPE.sub(head, html)


def _of_thebe(file) -> bool:
    return "thebe" in str(getattr(file, "filename", None) or getattr(file, "attributes", {}).get("body", "")).lower()


def mend(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Mend a page before it is written."""
    for files in ("script_files", "css_files"):
        context[files] = [file for file in context[files] if not _of_thebe(file)]
    if "body" in context:
        context["body"] = mended(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book."""
    app.add_js_file(None, body=FIRST_MODE)
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
