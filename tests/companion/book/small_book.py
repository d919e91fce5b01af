"""A book of a few pages with one extension of ours, built for the tests of several modules."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def built(folder: Path, extension: str, pages: Mapping[str, str]) -> Path:
    """Build pages, Markdown by the name of its file, with an extension; return the folder of the HTML."""
    conf = f'extensions = ["myst_parser", "{extension}"]\nhtml_theme = "sphinx_book_theme"\n'
    for name, text in {"conf.py": conf, **pages}.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", str(folder), str(folder / "html")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "html"
