"""Where things lie by default."""

from pathlib import Path


def home() -> Path:
    """The checkout that the module is imported from, or the current folder where it is installed without one.

    Notebooks run from the root or from their own folder; data and runs must be found from both.
    """
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").exists() else Path.cwd()
