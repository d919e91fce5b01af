"""Copy single figures out of executed notebooks, for pages that show what another page has made.

    python -m companion.book.pictures _build/source

A page in `book/` names a picture as `_static/figures/NAME.png`; NAME is the figure's name in its notebook.
"""

import base64
import re
import sys
from pathlib import Path

import nbformat

from emargin.errors import InputError

PICTURE = re.compile(r"_static/figures/([\w-]+)\.png")


def pictures_of(notebook: Path) -> dict[str, bytes]:
    """Return the PNG of each figure that a notebook's cells declare, by its name."""
    found = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            if name and "image/png" in output.get("data", {}):
                found[name] = base64.b64decode(output["data"]["image/png"])
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
        (folder / f"{name}.png").write_bytes(content)
    return sorted(there)


if __name__ == "__main__":
    try:
        copy(Path(sys.argv[1]))
    except InputError as error:
        sys.exit(f"pictures: {error}")
