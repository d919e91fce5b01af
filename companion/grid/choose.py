"""Choose a method's settings by cells of `split="validation"`: people held out of the training side decide.

Such cells are run, planned and kept as all others are; the test side is never looked at.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from companion.grid.store import Store
from emargin.config import Experiment
from emargin.errors import InputError

DECIDES = "converged_balanced_accuracy"
SETTINGS = ("margin", "weight", "temperature", "label_share")  # fields that a choice may be between


def chosen(cells: Sequence[Experiment], store: Store) -> dict[tuple, Experiment]:
    """Return the best cell of each (data set, fold, method), by the mean of `DECIDES` over seeds.

    Parameters
    ----------
    cells
        All candidates. Those of a method differ in `SETTINGS` and seed alone.
    store
        Has a row of each: its score, or that its training failed for good. Such a setting is not chosen.

    Returns
    -------
    dict
        (data set, fold, method) -> the cell with the lowest seed. Of equals it is the cell that is named first.

    Raises
    ------
    InputError
        A cell is scored on the test side or has no score, those of a method differ in more, or every setting failed.
    """
    for cell in cells:
        if cell.split != "validation":
            raise _refused(
                f"{cell} on the test side", 'cells of split "validation"', "add it to the blocks of the grid"
            )
    values = dict(store.rows[store.rows.metric == DECIDES][["digest", "value"]].itertuples(index=False))
    values |= {digest: float("nan") for digest in store.failed if "code" in store.records.get(digest, {})}
    absent = [cell for cell in cells if cell.digest not in values]
    if absent:
        raise _refused(f"no score of {absent[0]}", "a row of each", "emargin choose")
    best = {}
    for key, settings in _candidates(cells).items():
        means = [np.mean([values[cell.digest] for cell in same]) for same in settings]
        if np.isnan(means).all():
            raise _refused(f"no training of {settings[0][0]} that ends", "one setting at least")
        best[key] = min(settings[np.nanargmax(means)], key=lambda cell: cell.seed)
    return best


def _candidates(cells: Sequence[Experiment]) -> dict[tuple, list[list[Experiment]]]:
    """By (data set, fold, method), the cells of each setting. Raises InputError where they differ in more."""
    groups: dict[tuple, dict[tuple, list[Experiment]]] = {}
    first: dict[tuple, Experiment] = {}
    for cell in cells:
        key, setting = (cell.dataset, cell.fold, cell.method), tuple(getattr(cell, name) for name in SETTINGS)
        like = first.setdefault(key, cell)
        if replace(cell, seed=like.seed, **{name: getattr(like, name) for name in SETTINGS}) != like:
            raise _refused(
                f"{cell} beside {like}", f"differences in {', '.join(SETTINGS)} and seed alone", "use two files"
            )
        groups.setdefault(key, {}).setdefault(setting, []).append(cell)
    return {key: list(settings.values()) for key, settings in groups.items()}


def _refused(problem: str, wanted: str, todo: str | None = None) -> InputError:
    return InputError("settings cannot be chosen", found=problem, wanted=wanted, todo=todo)
