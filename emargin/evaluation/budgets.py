"""Label budgets: what can be read from frozen features with 1, 3, 10, ... labels a class, up to all.

A budget takes so many labelled training frames of each class at random, of whichever people they are, or all that the
class has; a larger budget of the same draw holds the smaller. The probe is logistic regression on features that are
standardised by the frames it learns from. Its penalty is chosen on people held out, where a class has labels of two or
more; else on an equal share of each class, where a class has two labels; else C = 1. With all labels it is the probe of
the metric "chosen".
"""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import GroupKFold

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.evaluation import chosen, frames, probing, series
from emargin.evaluation.features import Features, Scored

BUDGETS = (1, 3, 10, 30, 100, 300, 1000)  # labels a class
DRAWS = 5
ALL = "all"


def score_frames(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the probe at each budget, for frames.

    Parameters
    ----------
    experiment : Experiment
        Its seed is that of the draws: methods of equal seed learn from the same frames.
    dataset : Dataset
    train, test : Features
        Of the two sides of the data set.

    Returns
    -------
    rows : dict of str to tuple
        Value, n (test frames) and note. "budget_B_balanced_accuracy", for each B of `BUDGETS` below the size of the
        largest class, and for "all": the mean over `DRAWS` draws; its note says what chose the penalty, and log10 C
        of each draw. "budget_B_deviation": the standard deviation over draws, of divisor `DRAWS` - 1; all labels have
        none. "budget_B_labels": how many labels there are. All are at most `probing.PROBE_ROWS` frames a class.
    arrays : dict
        None.
    """
    x, y, folds, note = frames._learnt_from(experiment, dataset, train)
    if dataset.train.subjects is None:
        people = np.zeros(len(y), int)
    else:
        subjects = dataset.train.subjects[train.frame.flatten()[train.rows()]]
        people, _ = probing.balanced_rows(subjects, train.flat()[1], frames.rows_a_class(experiment))
    everything = chosen.chosen(x, y, folds, chosen.standardising, seed=experiment.seed)
    return _curve(x, y, people, (everything, note), test, experiment.seed), {}


def score_series(experiment: Experiment, dataset: Dataset, train: Features, test: Features) -> Scored:
    """Score the probe at each budget, for series, which are of no people. As for `score_frames`."""
    x, y = series._learnt_from(train)
    everything = series._chosen(experiment, train, chosen.standardising)
    return _curve(x, y, np.zeros(len(y), int), (everything, series.HELD_OUT), test, experiment.seed), {}


def draws_of(labels: np.ndarray, seed: int, draw: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each budget that leaves a label out, and the rows that it takes, ascending.

    Parameters
    ----------
    labels : ndarray
        Classes, int `(n,)`.
    seed, draw : int
        Each pair gives an order of its own of the rows of a class, of which a budget takes the first.
    """
    generator, kinds = np.random.default_rng([seed, draw]), np.unique(labels)
    orders = [generator.permutation(np.flatnonzero(labels == label)) for label in kinds]
    for budget in BUDGETS:
        if budget < max(map(len, orders)):
            yield budget, np.sort(np.concatenate([order[:budget] for order in orders]))


def fitted(embedding: np.ndarray, labels: np.ndarray, people: np.ndarray, *, seed: int) -> tuple[chosen.Probe, str]:
    """Fit the probe to a few labels.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels, people : ndarray
        Class and person of each row, int `(n,)`.
    seed : int
        Of the folds that are no people.

    Returns
    -------
    probe : chosen.Probe
    note : str
        "people", "shares" or "nothing": what chose the penalty.
    """
    groups = [people[labels == label] for label in np.unique(labels)]
    if max(len(np.unique(group)) for group in groups) > 1:
        # folds that spread the classes, as for all labels, would need as many labels of a class as there are folds
        splitter = GroupKFold(min(chosen.FOLDS, len(np.unique(people))))
        folds, note = np.empty(len(labels), int), "people"
        for number, (_, tested) in enumerate(splitter.split(labels, labels, people)):
            folds[tested] = number
    elif max(map(len, groups)) > 1:
        folds, note = chosen.folds_of_series(labels, seed), "shares"
    else:
        return chosen.fixed(embedding, labels, seed=seed), "nothing"
    return chosen.chosen(embedding, labels, folds, chosen.standardising, seed=seed), note


def _curve(
    x: np.ndarray, y: np.ndarray, people: np.ndarray, everything: tuple[chosen.Probe, str], test: Features, seed: int
) -> dict[str, tuple]:
    """Return the rows of all budgets, from training rows, and the probe of all labels with its note."""
    embedding, truth = (part.numpy() for part in test.flat())
    values: dict[int, list[float]] = {}
    notes: dict[int, list[str]] = {}
    labels: dict[int, int] = {}
    for draw in range(DRAWS):
        for budget, rows in draws_of(y, seed, draw):
            probe, note = fitted(x[rows], y[rows], people[rows], seed=seed)
            values.setdefault(budget, []).append(_balanced_accuracy(probe, embedding, truth))
            notes.setdefault(budget, []).append(f"{probe.log_c:g} {note}")
            labels[budget] = len(rows)
    curve: dict[str, tuple] = {}
    for budget, reached in values.items():
        note = f"{DRAWS} draws; log10 C, and what chose it: {', '.join(notes[budget])}"
        curve[f"budget_{budget}_balanced_accuracy"] = float(np.mean(reached)), len(truth), note
        curve[f"budget_{budget}_deviation"] = float(np.std(reached, ddof=1)), len(truth)
        curve[f"budget_{budget}_labels"] = float(labels[budget]), len(truth)
    probe, note = everything
    curve[f"budget_{ALL}_balanced_accuracy"] = (
        _balanced_accuracy(probe, embedding, truth),
        len(truth),
        f"{note}; log10 C: {probe.log_c:g}",
    )
    curve[f"budget_{ALL}_labels"] = float(len(y)), len(truth)
    return curve


def _balanced_accuracy(probe: chosen.Probe, embedding: np.ndarray, truth: np.ndarray) -> float:
    return probing.scores(truth, probe.predict(embedding))["balanced_accuracy"]
