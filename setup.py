"""Puts the committed rows into a wheel, as `companion/results`; all else about the package is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROWS = ("rows.csv", "provenance.json", "arrays.npz", "cards.json")


class WithRows(build_py):
    """Copies the packages, and the rows beside them; an editable install reads those of the checkout."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "companion", "results")
        shutil.rmtree(target, ignore_errors=True)
        for path in sorted(Path("results").glob("*/*")):
            if path.name in ROWS:
                (target / path.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.parent.name / path.name)


setup(cmdclass={"build_py": WithRows})
