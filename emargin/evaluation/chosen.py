"""Logistic regression whose penalty is chosen on people held out of the training side, and at a fixed penalty.

Features are standardised or whitened. C is that of scikit-learn, of all frames learnt from. Whoever is held out enters
neither a fit nor the mean and spread that its features are standardised by. Where people are not told apart, or there
is one, stretches of time are held out; of series, an equal share of each class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from emargin.evaluation.logistic import TOLERANCE, Fit, path

CANDIDATES = tuple(float(power) for power in range(-5, 5))  # log10 C, from the largest penalty to the smallest
FIXED = 0.0  # log10 C of the probe that is not chosen
FOLDS = 5  # at most; of fewer people each is held out alone
CHOOSING_ROWS = 10_000  # training frames at most that a penalty is chosen with, as many of each class as there are
ROUGH = 10 * TOLERANCE  # of a fit that only chooses, or is on the way to another
PATIENCE = 2  # penalties in a row that better neither loss nor accuracy, after which lighter ones are left out
DROPPED = 1e-10  # share of the largest variance below which a direction is not whitened but left out

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe, and what its penalty was chosen by.

    Parameters
    ----------
    fit : Fit
    features : callable
        What it sees of embeddings.
    log_c : float
        log10 C.
    n_frames : int
        Training frames that it learnt from.
    held_out : ndarray
        Balanced accuracy on those held out at each of the first `CANDIDATES`, `(m,)`; empty where nothing was chosen.
    """

    fit: Fit
    features: Map
    log_c: float
    n_frames: int
    held_out: np.ndarray

    def predict(self, embedding: np.ndarray) -> np.ndarray:
        """Return the class of each row of `(n, C)`."""
        return self.fit.predict(self.features(embedding))


def standardising(embedding: np.ndarray) -> Map:
    """Return the map that gives each feature of these embeddings a mean of 0 and a spread of 1."""
    return StandardScaler().fit(embedding).transform


def whitening(embedding: np.ndarray) -> Map:
    """Return the map that gives these embeddings, standardised, the identity as covariance.

    Directions with less than `DROPPED` of the largest variance are left out: rounding would be blown up.
    """
    mean, spread = embedding.mean(0, dtype=np.float64), embedding.std(0, dtype=np.float64)
    scaled = (embedding - mean) / np.where(spread > 0, spread, 1)
    variances, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    kept = variances > DROPPED * variances[-1]
    matrix = directions[:, kept] / np.sqrt(variances[kept]) / np.where(spread > 0, spread, 1)[:, None]
    return lambda rows: ((rows - mean) @ matrix).astype(rows.dtype)


def fixed(embedding: np.ndarray, labels: np.ndarray, *, seed: int) -> Probe:
    """Fit at C = 1 on standardised features.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        Classes, int `(n,)`.
    seed : int
        Of the rows that the way to the optimum starts with; the optimum does not depend on it.
    """
    return _refitted(embedding, labels, standardising, FIXED, np.empty(0), seed)


def chosen(embedding: np.ndarray, labels: np.ndarray, folds: np.ndarray, features: Callable, *, seed: int) -> Probe:
    """Choose C by balanced accuracy on what is held out, and fit on everything.

    Each fold is held out once, and the frames of all folds are scored together. Of equal values the largest penalty
    wins. Penalties are tried from the largest on, until two in a row better neither the loss nor the accuracy on what
    is held out.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    labels : ndarray
        Classes, int `(n,)`.
    folds : ndarray
        The number of each row's fold, `(n,)`.
    features : callable
        `standardising` or `whitening`: of embeddings, returns what maps them to features.
    seed : int
        Of the rows of a class that a penalty is chosen with.
    """
    rows = _drawn(labels, seed)
    held_out = held_out_scores(embedding[rows], labels[rows], folds[rows], features, len(labels))
    return _refitted(embedding, labels, features, CANDIDATES[int(held_out.argmax())], held_out, seed)


def held_out_scores(
    embedding: np.ndarray, labels: np.ndarray, folds: np.ndarray, features: Callable, n_frames: int
) -> np.ndarray:
    """Return the balanced accuracy on what is held out at each of the first candidates, until it gets no better.

    Parameters
    ----------
    embedding, labels, folds, features
        As for `chosen`.
    n_frames : int
        That C counts.

    Returns
    -------
    ndarray
        `(m,)`, of the first m of `CANDIDATES`.
    """
    walks, penalties = [], [_penalty(log_c, n_frames) for log_c in CANDIDATES]
    for fold in np.unique(folds):
        fitted, tested = folds != fold, folds == fold
        view = features(embedding[fitted])
        walks.append((tested, view(embedding[tested]), path(view(embedding[fitted]), labels[fitted], penalties, ROUGH)))
    accuracies, losses = [], []
    for _ in CANDIDATES:
        predicted, loss = np.empty_like(labels), np.zeros(len(labels))
        for tested, x, walk in walks:
            fit = next(walk)
            logs = fit.log_probabilities(x)
            predicted[tested] = fit.classes[logs.argmax(1)]
            place = np.minimum(np.searchsorted(fit.classes, labels[tested]), len(fit.classes) - 1)
            known = fit.classes[place] == labels[tested]  # of an unknown class nothing can be learnt at any penalty
            loss[tested] = -np.where(known, logs[np.arange(len(logs)), place], 0)
        accuracies.append(_mean_of_classes(predicted == labels, labels))
        losses.append(_mean_of_classes(loss, labels))
        best = max(int(np.argmin(losses)), int(np.argmax(accuracies)))
        if len(losses) - 1 - best >= PATIENCE:
            break
    return np.array(accuracies)


def rows_of(probe: Probe, name: str, note: str) -> dict[str, tuple]:
    """Return rows on how a probe was fitted: value, the number of training frames, and a note.

    Parameters
    ----------
    probe : Probe
    name : str
        What the names of its rows start with.
    note : str
        What was held out.
    """
    fit, n, tried = probe.fit, probe.n_frames, len(probe.held_out)
    short = "" if fit.gradient <= TOLERANCE else f", above {TOLERANCE:g}: stopped short of the optimum"
    rows = {f"{name}_gradient": (fit.gradient, n, f"{fit.iterations} steps{short}")}
    if tried:
        at_end = "; an end of the candidates" if probe.log_c in (CANDIDATES[0], CANDIDATES[-1]) else ""
        rows[f"{name}_C"] = probe.log_c, n, f"{note}; {tried} candidates{at_end}"
    return rows


def folds_of_people(people: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold that each person is held out in: each alone, or groups with the classes spread over them.

    Parameters
    ----------
    people : ndarray
        The person of each row, int `(n,)`, two at least.
    labels : ndarray
        Classes, int `(n,)`.
    seed : int
        Of the groups.

    Returns
    -------
    ndarray
        int `(n,)`.
    """
    few = len(np.unique(people)) <= FOLDS
    splitter = LeaveOneGroupOut() if few else StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    folds = np.empty(len(labels), int)
    for number, (_, tested) in enumerate(splitter.split(labels, labels, people)):
        folds[tested] = number
    return folds


def folds_of_time(labels: np.ndarray) -> np.ndarray:
    """Return the number of the stretch of rows, in their order, that each is in, int `(n,)`: stretches are equal."""
    return np.arange(len(labels)) * FOLDS // len(labels)


def folds_of_series(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each series, int `(n,)`: each fold has an equal share of each class, as far as they go."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), int)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def _refitted(
    embedding: np.ndarray, labels: np.ndarray, features: Callable, log_c: float, held_out: np.ndarray, seed: int
) -> Probe:
    """Fit on all rows; some of them, on a path of penalties that ends at C, say where to start."""
    view, rows = features(embedding), _drawn(labels, seed)
    x, steps = view(embedding), [candidate for candidate in CANDIDATES if candidate < log_c] + [log_c]
    *_, start = path(x[rows], labels[rows], [_penalty(step, len(labels)) for step in steps], ROUGH)
    (fit,) = path(x, labels, [_penalty(log_c, len(labels))], start=start)
    return Probe(fit, view, log_c, len(labels), held_out)


def _penalty(log_c: float, n_frames: int) -> float:
    return 1 / (10**log_c * n_frames)


def _drawn(labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw `CHOOSING_ROWS` rows at most, as many of each class as there are, in their order."""
    generator, kinds = np.random.default_rng(seed), np.unique(labels)
    most = max(1, CHOOSING_ROWS // len(kinds))
    drawn = [generator.permutation(np.flatnonzero(labels == label))[:most] for label in kinds]
    return np.sort(np.concatenate(drawn))


def _mean_of_classes(values: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over classes of the mean value in each."""
    return float(np.mean([values[labels == label].mean() for label in np.unique(labels)]))
