"""Cells with frames of people, made for a store: what tests of several modules share."""

import json

import numpy as np

from companion.grid.integrity import stamp
from companion.grid.store import Store
from emargin import rows as results
from emargin.config import Experiment
from emargin.evaluation import per_subject, probing
from emargin.resolve import resolve

N, L = 60, 3  # frames a person, classes


class Cells:
    """Frames of `people`, true and predicted, for cells that are put into a store."""

    def __init__(self, people: int):
        self.generator = np.random.default_rng(5)
        self.subjects = np.repeat(np.arange(people), N)
        self.truth = self.generator.integers(0, L, people * N)
        self.predicted, self.rows, self.arrays = {}, [], {}

    def add(self, right, *, tables=True, **fields) -> str:
        """A cell whose predictions are right with the given chance, one for everybody or one a person."""
        cell = resolve(Experiment(dataset="harth-sim", **fields))
        hit = self.generator.random(len(self.truth)) < np.broadcast_to(right, self.subjects.max() + 1)[self.subjects]
        predicted = np.where(hit, self.truth, (self.truth + 1) % L)
        self.predicted[cell.digest] = predicted
        self.rows += [
            results.tidy(cell, name, value, len(predicted))
            for name, value in probing.scores(self.truth, predicted).items()
        ]
        self.rows.append(results.tidy(cell, "knn_accuracy", 0.5, len(predicted)))
        if tables:
            self.arrays[f"{cell.digest}/probe"] = per_subject.counts(
                (self.subjects, self.truth, predicted), (self.subjects.max() + 1, L, L)
            )
        return cell.digest

    def fail(self, **fields) -> str:
        cell = resolve(Experiment(dataset="harth-sim", **fields))
        self.rows.append(results.tidy(cell, "failed", float("nan"), None, "why"))
        return cell.digest

    def store(self, folder) -> Store:
        results.write_text(folder / "rows.csv", results.rows_to_csv(results.table(self.rows)))
        results.write_text(folder / "provenance.json", json.dumps({row["digest"]: {} for row in self.rows}))
        results.write_arrays(folder / "arrays.npz", self.arrays)
        stamp(folder, anew=True)
        return Store(folder)


def seeds_of(cells: Cells, right, n=3, **fields) -> list[str]:
    return [cells.add(right, seed=seed, **fields) for seed in range(1, n + 1)]
