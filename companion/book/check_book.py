"""Check a built book: every page of _toc.yml is there, whole, with its figures, and leads nowhere that does not exist.

    python -m companion.book.check_book _build/html

Prints one line a problem, `page: problem`, and exits 1 where there is any.
"""

import re
import sys
from collections.abc import Collection
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat

from companion.book.notebooks import ROOT, pages

FEWEST_LINKED = 3_500  # numbers of tables that lead to their cell: a heading by another name loses a column of them
TRACEBACK = "Traceback (most recent call last)"
# What MyST leaves in the text of a page when it could not resolve a role, a citation or a glued value.
UNRESOLVED = re.compile(r"\{(?:numref|ref|eq|cite(?::\w+)?|glue(?::\w+)?|doc)\}`|\[\?\]")


class Page(HTMLParser):
    """The text of an HTML page, its identifiers, its figures that hold an image, and what it links to."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.identifiers: set[str] = set()
        self.figures: list[str] = []
        self.links: list[str] = []
        self.images_without_alt: list[str] = []
        self.article = ""
        self._skipping = 0
        self._figure: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._skipping += tag in ("script", "style")
        self.identifiers.update(value for key in ("id", "name") if (value := attributes.get(key)))
        if tag == "figure":
            self._figure = attributes.get("id") or ""
        if tag in ("img", "svg") and self._figure is not None:
            self.figures.append(self._figure)
        if tag == "img" and not (attributes.get("alt") or "").strip():
            self.images_without_alt.append(attributes.get("src", ""))
        self.links += [value for key in ("href", "src") if (value := attributes.get(key))]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self._skipping -= tag in ("script", "style")

    def handle_endtag(self, tag):
        if tag == "figure":
            self._figure = None
        self._skipping -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._skipping:
            self.article += data


def article(html: str) -> str:
    """Return the part of a page that its author wrote, without the theme's bars; empty where there is none."""
    match = re.search(r"<article\b.*?</article>", html, re.DOTALL)
    return match.group() if match else ""


def figures_of(notebook: Path) -> list[str]:
    """Return the names of the figures that the cells of a notebook declare, in their order."""
    cells = nbformat.read(notebook, as_version=4).cells
    declared = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells]
    return [figure["name"] for figure in declared if "name" in figure]


def problems_of(path: Path, book: Path, figures: Collection[str] = ()) -> list[str]:
    """Return what is wrong with one page of the book, a line each; figures: the names of those that it should show."""
    if not path.is_file():
        return ["is not in the built book"]
    html = path.read_text(encoding="utf8")
    text = Page(article(html)).article
    if len(text.split()) < 3:
        return ["is empty"]
    problems = ["holds a traceback"] if TRACEBACK in text else []
    problems += [f"holds an unresolved reference: {match}" for match in UNRESOLVED.findall(text)]
    page = Page(html)
    if missing := [name for name in figures if name not in page.figures]:
        shown = len(figures) - len(missing)
        problems.append(f"shows {shown} of the {len(figures)} figures of its notebook, not {', '.join(missing)}")
    problems += [f"has an image without alt text: {source[:80]}" for source in page.images_without_alt]
    return problems + [f"links to nothing: {link}" for link in page.links if not leads_somewhere(link, path, book)]


def leads_somewhere(link: str, path: Path, book: Path) -> bool:
    """Return whether a link of the page at `path` leads outside the book, or to a file and place within it."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file() or not target.is_relative_to(book.resolve()):
        return False
    if not parts.fragment or target.suffix != ".html":
        return True
    if chosen := parse_qs(parts.fragment):  # of a chart, which keeps what is chosen in its address
        data = book / "_static" / "charts" / f"{chosen.get('chart', [''])[0]}.js"
        return data.is_file() and all(f'"{cell}"' in text_of(data) for cell in chosen.get("cell", ()))
    return unquote(parts.fragment) in identifiers_of(target, target.stat().st_mtime_ns)


def linked(html: str) -> int:
    """Return how many numbers of a page lead to their cell in the explorer."""
    return sum(urlsplit(link).fragment.startswith("chart=cells&cell=") for link in Page(html).links)


@cache
def text_of(path: Path) -> str:
    """Return the text of a file, read once."""
    return path.read_text(encoding="utf8")


@cache
def identifiers_of(path: Path, changed: int) -> set[str]:
    """Return the identifiers in a page, read once for each change because hundreds of links may lead there."""
    return Page(path.read_text(encoding="utf8")).identifiers


def main(book: Path) -> int:
    """Check the book in the folder `book`; return 1 where a page has a problem."""
    names, problems = [], []
    for page in pages():
        notebook, name = ROOT / f"{page}.ipynb", f"{page}.html"
        declared = figures_of(notebook) if notebook.is_file() else []
        names.append(name)
        problems += [f"{name}: {problem}" for problem in problems_of(book / name, book, declared)]
    if not (book / "index.html").is_file():
        problems.append("index.html: is not in the built book")
    numbers = sum(linked((book / name).read_text(encoding="utf8")) for name in names if (book / name).is_file())
    if numbers < FEWEST_LINKED:
        problems.append(f"all pages: {numbers:,} numbers lead to their cell, wanted at least {FEWEST_LINKED:,}")
    print(
        "\n".join(problems)
        if problems
        else f"{len(names)} pages in {book}, each whole; {numbers:,} numbers with a link"
    )
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
