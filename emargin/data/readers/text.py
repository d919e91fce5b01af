"""Tables of numbers in text files."""

from pathlib import Path

import numpy as np

from emargin.errors import InputError


def read_numbers(path: Path, delimiter: str, *, wanted: str, todo: str) -> np.ndarray:
    """Return the numbers of a file without a header, float64 `(lines, columns)`; `(0, 0)` for an empty file.

    Raises
    ------
    InputError
        For text that is no table of numbers; it says what is `wanted` and what `todo`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return np.loadtxt(lines, delimiter=delimiter, ndmin=2) if lines else np.empty((0, 0))
    except ValueError as error:
        raise InputError(f"{path}: not a table of numbers", found=error, wanted=wanted, todo=todo) from error
