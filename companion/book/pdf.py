"""Print the pages that are read in order as one PDF, from the book built as a single page.

    python -m companion.book.pdf _build/single/_build/singlehtml _build/emargin.pdf
    python -m companion.book.pdf _build/single/_build/singlehtml _build/report.pdf book/report

The second prints a page alone. The appendices and the reference are left out, the bibliography is kept. What is folded
on a page is open in print, but for code; the cells with a page's parameters are left out.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from bs4 import BeautifulSoup

from companion.book.audit_book import browser, spine
from emargin.errors import InputError

KEPT = "book/bibliography"
STYLE = """
@page { size: A4; margin: 18mm 16mm }
html { font-size: 12px }
body, article { background: white; color: black }
article { max-width: none; margin: 0; overflow: visible }
.sd-row { margin-inline: 0 !important }
h1, h2, h3, .caption-text { break-after: avoid }
figure, table, pre, .math, .admonition, .sd-card, .cell_input { break-inside: avoid }
section.page { break-before: page }
pre, .cell { overflow: visible !important; white-space: pre-wrap; overflow-wrap: anywhere }
.cell :is(.cell_input, .cell_output, .output, figure, .highlight) { margin: 0 !important; padding: 0 }
.cell { margin: 0.7rem 0 !important; white-space: normal }
.cell pre, .cell table { margin: 0.3rem 0 !important; padding: 0.3rem 0.6rem }
figcaption, figcaption p { margin: 0.3rem 0 }
.sd-row { display: block }
.headerlink, .live, .sd-stretched-link, .sd-summary-state-marker, script { display: none !important }
.cell_input, .name { break-after: avoid }
.metrics { display: grid !important; grid-template-columns: 1fr 1fr !important; gap: 0 1rem }
.metrics > div { break-inside: avoid }
.metrics table { font-size: 8px !important }
.metrics td { white-space: nowrap }
img { max-width: 100%; max-height: 120mm; width: auto; height: auto }
.sd-card img { max-height: 62mm }
figure.chart img { max-height: 150mm }
table { font-size: 9px; max-width: 100%; overflow-wrap: normal }
th button::after { content: none !important }
"""


def cut(text: str, pages: list[str], *, first: bool = True) -> str:
    """Return the single page with these pages of the book alone, in order; links to others become their words.

    first: with the book's first page before them. Raises InputError where one of the pages is not in it.
    """
    soup = BeautifulSoup(text, "html.parser")
    article = soup.select_one("article")
    there = {span["id"].removeprefix("document-"): span for span in article.select("span[id^=document-]")}
    if missing := [page for page in pages if page not in there]:
        raise InputError(
            "the book as a single page", found=f"no {missing[0]}", wanted="a page for each of the contents"
        )
    for name, span in there.items():
        section = span.find_next_sibling("section")
        if name in pages:
            section["class"] = [*section.get("class", []), "page"]
        else:
            section.decompose()
            span.decompose()
    if not first:
        kept = article.select("section.page")
        article.clear()
        article.extend(kept)
    names = {element["id"] for element in article.select("[id]")}
    for link in article.select("a[href]:not([href*=':'])"):
        place = str(link["href"]).partition("#")[2]
        if place in names:
            link["href"] = f"#{place}"  # also where the builder names the file that is this one
        else:
            link.unwrap()
    for code in article.select(".tag_parameters > .cell_input"):
        code.decompose()  # for a run anew
    for code in article.select("details.hide"):
        code.replace_with(*code.select(".cell_output"))
    for cell in article.select(".cell, .cell_input"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.decompose()
    for fold in article.select("details"):
        fold["open"] = ""
    for fold in article.select(".toggle, .dropdown"):
        fold["class"] = [one for one in fold["class"] if one not in ("toggle", "dropdown")]
    for picture in article.select("img[loading]"):
        del picture["loading"]  # a browser that prints does not scroll
    soup.body.clear()
    soup.body.append(article)
    style = soup.new_tag("style")
    style.string = STYLE
    soup.head.append(style)
    return str(soup)


def main(book: Path, target: Path, *alone: str) -> int:
    """Write the PDF, of the pages that are read in order or of these alone; return 2 where that cannot be done."""
    first, *others = spine()
    try:
        whole = (book / f"{first}.html").read_text(encoding="utf8")
        text = cut(whole, list(alone) or [*others, KEPT], first=not alone)
        with tempfile.TemporaryDirectory() as folder:
            page, printed = book / "print.html", Path(folder) / target.name
            page.write_text(text, encoding="utf8")  # where the paths of its pictures and styles start
            command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
            command += ["--virtual-time-budget=120000", f"--print-to-pdf={printed}", page.resolve().as_uri()]
            subprocess.run(command, check=True, capture_output=True, text=True)
            target.write_bytes(printed.read_bytes())
    except (InputError, OSError, subprocess.CalledProcessError) as error:
        print(getattr(error, "stderr", None) or error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
