"""Where the committed results are: in the checkout, or beside the installed package, whose wheel brings a copy."""

from pathlib import Path

from emargin.paths import home

INSTALLED = Path(__file__).parent / "results"  # written by setup.py into a wheel; a checkout has none


def results() -> Path:
    """Return the folder with a folder of rows for each grid, such as `grid`."""
    return INSTALLED if INSTALLED.is_dir() else home() / "results"
