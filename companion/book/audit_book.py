"""Open every page of a built book in a browser, wide and on a phone, and report what a reader would stumble over.

    python -m companion.book.audit_book _build/html

Prints the words and the size of each page, then one line a finding, `page: rule: element: found …, wanted …`, and exits
1 where there is any. Needs Node.js, npm and Chromium; what it takes from npm goes to _build/audit-book.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import yaml

from companion.book.notebooks import ROOT, pages
from emargin.errors import InputError

SCRIPT = Path(__file__).with_suffix(".mjs")
ENVIRONMENT = ROOT / "_build" / "audit-book"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = 1300, 420
VIEWS = ({"width": WIDE, "height": 850, "scheme": "light"}, {"width": PHONE, "height": 800, "scheme": "dark"})
SIZE = 2_000_000  # bytes of a page, without what all pages share
SHARED = ("_static/", "searchindex.js")
SPINE = ("The finding", "The paper, section by section", "How sure is it", "Use it")  # parts of _toc.yml
WORDS = 12_000  # of the spine, outside tables, code, formulas and what is folded
GRAVE = ("serious", "critical")  # of axe
ALSO = ("empty-table-header",)  # what axe calls minor


class Finding(NamedTuple):
    """What is wrong at one place of a page."""

    page: str
    rule: str
    element: str
    found: object
    wanted: object

    def __str__(self) -> str:
        return f"{self.page}: {self.rule}: {self.element}: found {self.found}, wanted {self.wanted}"


def findings(view: dict, book: Path) -> Iterator[Finding]:
    """Yield what is wrong in one view of a page of the book, as `audit_book.mjs` measured it."""
    page, width = view["page"], view["width"]
    if width == WIDE:
        yield from (
            Finding(page, "clipped", cut["element"], f"{cut['found']} px", f"{cut['wanted']} px")
            for cut in view["clipped"]
        )
    if width == PHONE:  # after both views
        yield from (Finding(page, "console", "script", error, "no error") for error in view["errors"])
        outside = [file for file in view["files"] if urlsplit(file).scheme not in ("file", "data", "blob")]
        yield from (Finding(page, "network", "page", file, "no request to outside") for file in outside)
        if (size := size_of(view, book)) > SIZE:
            yield Finding(page, "size", "page", f"{size:,} bytes", f"at most {SIZE:,}")
    if view["overflow"] > width:
        yield Finding(page, "sideways", "page", f"{view['overflow']} px", f"{width} px")
    for formula in view["broken"]:
        yield Finding(page, "formula", "page", formula, "a formula that MathJax can set")
    for number in view["equations"]:
        yield Finding(page, f"equation at {width} px", number["element"], number["found"], number["wanted"])
    for fault in view["axe"]:
        if fault["impact"] in GRAVE or fault["rule"] in ALSO:
            yield Finding(page, f"axe at {width} px", fault["element"], fault["rule"], fault["help"])


def size_of(view: dict, book: Path) -> int:
    """Return the bytes of a page and of what it loads, without what all pages share."""
    paths = {Path(unquote(parts.path)) for file in view["files"] if (parts := urlsplit(file)).scheme == "file"}
    own = [path for path in paths if not path.relative_to(book.resolve()).as_posix().startswith(SHARED)]
    return sum(path.stat().st_size for path in own if path.is_file())


def spine(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """Return the pages that are read in order: the first one and those of the parts named in SPINE."""
    contents = yaml.safe_load(toc.read_text(encoding="utf8"))
    parts = [part for part in contents.get("parts", []) if part["caption"] in SPINE]
    return [contents["root"], *(chapter["file"] for part in parts for chapter in part["chapters"])]


def measured(book: Path, names: Sequence[str]) -> list[dict]:
    """Open pages of a book in a browser; return what each view of each showed."""
    environment = installed()
    command = ["node", str(environment / SCRIPT.name), browser(), f"{book.resolve().as_uri()}/"]
    given = json.dumps({"pages": list(names), "views": VIEWS})
    result = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def browser() -> str:
    """Return the path of Chromium, which the variable CHROMIUM may name."""
    for name in (os.environ.get("CHROMIUM", ""), *BROWSERS):
        if path := shutil.which(name):
            return path
    raise InputError(
        "the audit of the book needs a browser.",
        found="none of " + ", ".join(BROWSERS),
        wanted="Chromium",
        todo="install it (Debian: apt install chromium), or name it: CHROMIUM=/path/to/chrome make audit-book",
    )


def installed() -> Path:
    """Return the folder with what the audit takes from npm, as its lock says; install it where that is missing."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            raise InputError(
                f"the audit of the book needs {tool}.",
                found=f"no {tool}",
                wanted="Node.js 20 or newer, with npm",
                todo="install both (Debian: apt install nodejs npm)",
            )
    lock = ENVIRONMENT / "node_modules" / ".of-lock"
    wanted = SCRIPT.with_name("package-lock.json").read_text(encoding="utf8")
    ENVIRONMENT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", SCRIPT.name):
        shutil.copy(SCRIPT.with_name(name), ENVIRONMENT)
    if not lock.is_file() or lock.read_text(encoding="utf8") != wanted:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=ENVIRONMENT, check=True)
        lock.write_text(wanted, encoding="utf8")
    return ENVIRONMENT


def main(book: Path) -> int:
    """Audit the book in the folder `book`; return 1 where there is a finding."""
    try:
        views = measured(book, [f"{page}.html" for page in pages()])
    except (InputError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    words = {view["page"]: view["words"] for view in views}
    folded = {view["page"]: view["folded"] for view in views}
    sizes = {view["page"]: size_of(view, book) for view in views}
    for page, count in words.items():
        print(f"{page:40} {count:6,} words, {folded[page]:5,} folded {sizes[page] / 1e6:6.2f} MB")
    found = [finding for view in views for finding in findings(view, book)]
    if (total := sum(words[f"{page}.html"] for page in spine())) > WORDS:
        found.append(Finding("the spine", "words", "text", f"{total:,}", f"at most {WORDS:,}"))
    hidden = sum(folded[f"{page}.html"] for page in spine())
    print(f"{len(words)} pages, {sum(words.values()):,} words, and {sum(folded.values()):,} folded")
    print(f"the spine: {total:,} words, and {hidden:,} folded; findings: {len(found)}")
    print("\n".join(map(str, found)))
    return len(found) > 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
