"""Sphinx extension that writes every table of a notebook's output as a CSV file, with a link to it below the table.

The files lie in the book's folder of static files, so that a page stays as light as it is.
"""

import csv
import io
import re
from pathlib import Path, PurePosixPath

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

FOLDER = "_static/tables"
# A table of a frame, and the end of the box in which that of `companion.figures.tables` scrolls.
TABLE = re.compile(r'<table\b[^>]*\bclass="[^"]*\bdataframe\b[^"]*"[^>]*>.*?</table>(?:</div>)?', re.DOTALL)
OWN_LINK = re.compile(r'<a download="[^"]*" href="data:text/csv[^>]*>CSV</a></p>\s*<div\b[^>]*>\s*$')


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a table line by line; what spans several lines or columns stands in each of them."""
    filled: dict[tuple[int, int], str] = {}
    for line, row in enumerate(BeautifulSoup(table, "html.parser").find_all("tr")):
        column = 0
        for cell in row.find_all(["th", "td"]):
            while (line, column) in filled:
                column += 1
            text = " ".join(cell.get_text(" ").split())
            for down in range(_span(cell, "rowspan")):
                for right in range(_span(cell, "colspan")):
                    filled[line + down, column + right] = text
    lines, columns = (1 + max((place[axis] for place in filled), default=-1) for axis in (0, 1))
    return [[filled.get((line, column), "") for column in range(columns)] for line in range(lines)]


def _span(cell: Tag, name: str) -> int:
    return int(str(cell.get(name, "1")))


def with_links(body: str, page: str, up: str) -> tuple[str, dict[str, str]]:
    """Return a page's text with a link below each table, and the files that the links lead to, by their names.

    up : from the page to the folder of the files. A table that has a link of its own keeps that.
    """
    files: dict[str, str] = {}

    def linked(match: re.Match) -> str:
        if OWN_LINK.search(body, max(0, match.start() - 100_000), match.start()):
            return match.group()
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows_of(match.group()))
        name = f"{PurePosixPath(page).name}-{len(files) + 1}.csv"
        files[name] = text.getvalue()
        return f'{match.group()}<p class="csv"><a download="{name}" href="{up}/{name}">Table as CSV</a></p>'

    return TABLE.sub(linked, body), files


def write(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the tables of a page."""
    if "body" not in context or 'class="' not in context["body"]:
        return
    context["body"], files = with_links(context["body"], page, context["pathto"](FOLDER, resource=True))
    folder = Path(app.outdir, FOLDER)
    for name, text in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book."""
    app.connect("html-page-context", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
