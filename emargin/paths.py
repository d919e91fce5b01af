"""The folder that data and runs lie in by default."""

from pathlib import Path


def home() -> Path:
    """Return the checkout that the module is imported from, or the current folder where there is no checkout.

    Notebooks run from the root or from the folder that they are in; data and runs must be the same for both.
    """
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").exists() else Path.cwd()
