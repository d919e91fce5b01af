"""Copy single figures out of executed notebooks, for pages that show what another page has made.

    python -m companion.book.pictures _build/source

A page in `book/` names a picture as `_static/figures/NAME.svg`; NAME is the figure's name in its notebook. The picture
of a link to the book is there as PNG, too, since sites that show such links take no SVG.
"""

import re
import sys
from pathlib import Path

import nbformat
import vl_convert

from companion.book.links import CARD
from emargin.errors import InputError

PICTURE = re.compile(r"_static/figures/([\w-]+)\.svg")
WIDE = 1200  # pixels of a card


def pictures_of(notebook: Path) -> dict[str, str]:
    """Return the SVG of each figure that a notebook's cells declare, by its name."""
    found = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            if name and "image/svg+xml" in output.get("data", {}):
                found[name] = output["data"]["image/svg+xml"]
    return found


def copy(source: Path) -> list[str]:
    """Write the pictures that the pages in `source/book` name, from the notebooks beside them; return their names.

    Raises InputError for a picture that no notebook has.
    """
    pages = sorted((source / "book").glob("*.md"))
    wanted = {name: page for page in pages for name in PICTURE.findall(page.read_text(encoding="utf8"))}
    there = {}
    for notebook in sorted((source / "notebooks").glob("*.ipynb")):
        there |= {name: content for name, content in pictures_of(notebook).items() if name in wanted}
    for name, page in wanted.items():
        if name not in there:
            raise InputError(f"{page.name} shows a figure that is not there", found=name, wanted="a figure's name")
    folder = source / "book" / "_static" / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in there.items():
        (folder / f"{name}.svg").write_text(content, encoding="utf8")
        if name == Path(CARD).stem:
            (folder / Path(CARD).name).write_bytes(card(content))
    return sorted(there)


def card(svg: str) -> bytes:
    """Return a figure as a PNG file, as wide as cards of links are."""
    width = float(re.search(r'\bwidth="([\d.]+)', svg)[1])
    return vl_convert.svg_to_png(svg, scale=WIDE / width)


if __name__ == "__main__":
    try:
        copy(Path(sys.argv[1]))
    except InputError as error:
        sys.exit(f"pictures: {error}")
