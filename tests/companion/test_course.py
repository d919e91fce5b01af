"""What the page on training over steps reads of its rows."""

import pandas as pd

from companion.course import LOSSES, outcomes, stretches, two_methods, with_losses
from emargin.config import Experiment
from emargin.resolve import resolve


def test_the_two_methods_of_the_page_have_the_defaults_of_their_fidelity():
    chosen = {"released": "released", "original": "paper"}
    cells = [
        resolve(Experiment(dataset="harth-sim", method="emargin", fidelity=fidelity, labels=labels))
        for fidelity in chosen
        for labels in chosen.values()
    ]
    kept = two_methods(cells, cells[0].protocol)
    assert {(cell.fidelity, cell.labels) for cell in kept} == set(chosen.items())
    assert two_methods(cells, cells[0].protocol, fold=2) == []


def test_a_run_collapses_where_it_loses_a_tenth_of_its_rank():
    def scores(**columns):
        rest = {name: 0.5 for name in ("silhouette", "balanced_accuracy", "converged_balanced_accuracy")}
        return pd.DataFrame({"seed": 1} | rest | columns)

    run = scores(method="emargin", fidelity="released", iterations=[5, 2], participation_ratio=[4.0, 9.5])
    found = stretches(with_losses(run), scores(participation_ratio=[10.0]))
    assert found.collapses.tolist() == [False, True] and set(found.loss) == {LOSSES[1]}


def test_outcomes_are_counted_in_the_stretches_that_collapse():
    columns = ["iterations", "participation_ratio", "silhouette", "balanced_accuracy", "converged_balanced_accuracy"]
    start = pd.DataFrame([[0, 8.0, 0.1, 0.5, 0.5]], columns=columns).assign(seed=1)
    steps = [[2, 4.0, 0.6, 0.6, 0.5], [5, 4.1, 0.5, 0.5, 0.5], [10, 2.0, 0.4, 0.4, 0.6]]
    runs = pd.DataFrame(steps, columns=columns).assign(seed=1, loss="eMargin, released")
    found = outcomes(runs, start)
    assert list(found) == ["eMargin, released"]
    assert list(found["eMargin, released"].values()) == [3, 2, 2, "2 of 3", "1 of 2", "0 of 1", "1 of 2", "1 of 2"]
