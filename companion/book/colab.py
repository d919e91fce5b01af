"""A first cell that sets up Colab, which has a notebook alone: the checkout with its rows, and what notebooks import.

    python -m companion.book.colab notebooks

puts it into the notebooks of a folder, where the environment names a repository by GITHUB_REPOSITORY. The workflow that
publishes the book does so on the branch that the book's launch buttons open; committed notebooks have no such cell.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

BRANCH = "launch"  # what the buttons open
NAME = "set-up-colab"
# A function, since names that a cell assigns before the experiment is made are taken for its parameters.
CELL = """\
def set_up_colab(folder={folder!r}):
    import os
    import subprocess

    folder = os.path.abspath(folder)
    if not os.path.isdir(folder):
        subprocess.run(["git", "clone", "--quiet", "--depth=1", "--branch={branch}", {url!r}, folder], check=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", folder + "[notebooks]"], check=True)
    sys.path.insert(0, folder)
    os.chdir(folder)


import sys

if "google.colab" in sys.modules:  # anywhere else this cell does nothing
    set_up_colab()
"""


def repository(environment: Mapping[str, str]) -> str:
    """Return the address of the repository that an environment names, empty where it names none."""
    name, server = environment.get("GITHUB_REPOSITORY"), environment.get("GITHUB_SERVER_URL")
    return f"{server}/{name}" if name and server else ""


def with_cell(notebook: dict, url: str) -> dict:
    """Return a notebook with the cell at its head, in place of one that is there."""
    source = CELL.format(url=url, branch=BRANCH, folder=url.rpartition("/")[2]).splitlines(keepends=True)
    metadata = {"tags": ["remove-cell"]}
    cell = {"cell_type": "code", "execution_count": None, "id": NAME, "metadata": metadata, "outputs": []}
    others = [other for other in notebook["cells"] if other.get("id") != NAME]
    return notebook | {"cells": [cell | {"source": source}, *others]}


def main(folder: Path) -> None:
    """Put the cell into all notebooks of a folder."""
    url = repository(os.environ)
    if not url:
        print("no notebook changed: GITHUB_REPOSITORY and GITHUB_SERVER_URL name no repository")
        return
    for path in sorted(folder.glob("*.ipynb")):
        changed = with_cell(json.loads(path.read_text(encoding="utf-8")), url)
        path.write_text(json.dumps(changed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
