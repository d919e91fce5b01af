"""The penalty is chosen on people who are nowhere in the fits that they judge, the same way for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from emargin.evaluation import chosen as module
from emargin.evaluation import frames
from emargin.evaluation.chosen import CANDIDATES, chosen, folds_of_people, folds_of_series, standardising, whitening
from emargin.evaluation.features import Features
from tests.conftest import make_dataset


def people(n_people=4, each=60, n_features=6, shares=(0.7, 0.2, 0.1), seed=0):
    """Float32 frames whose classes overlap, with an offset of each person's; classes, and persons."""
    draws = np.random.default_rng(seed)
    person = np.repeat(np.arange(n_people), each)
    y = draws.choice(len(shares), len(person), p=shares)
    x = draws.standard_normal((len(y), n_features)) + 1.5 * np.eye(len(shares), n_features)[y]
    return (x + draws.standard_normal((n_people, n_features))[person]).astype(np.float32), y, person


def test_held_out_scores_are_those_of_a_plain_search():
    x, y, person = people()
    folds = folds_of_people(person, y, seed=1)
    found = module.held_out_scores(x, y, folds, standardising, len(y))
    for log_c, value in zip(CANDIDATES, found, strict=False):
        predicted = np.empty_like(y)
        for fold in range(4):
            fitted = folds != fold
            scaler = StandardScaler().fit(x[fitted].astype(float))
            c = 10**log_c * len(y) / fitted.sum()  # the same penalty a frame
            plain = LogisticRegression(C=c, class_weight="balanced", tol=1e-10, solver="newton-cholesky")
            plain.fit(scaler.transform(x[fitted].astype(float)), y[fitted])
            predicted[~fitted] = plain.predict(scaler.transform(x[~fitted].astype(float)))
        assert value == pytest.approx(balanced_accuracy_score(y, predicted), abs=0.02)  # a frame or two at a border
    probe = chosen(x, y, folds, standardising, seed=1)
    assert probe.log_c == CANDIDATES[int(found.argmax())] and probe.fit.gradient <= module.TOLERANCE


@pytest.mark.parametrize("n_people", [2, 5, 12])
def test_a_person_is_in_one_fold_and_every_fold_has_somebody(n_people):
    _, y, person = people(n_people)
    folds = folds_of_people(person, y, seed=1)
    assert sorted(set(folds)) == list(range(min(n_people, 5)))
    assert all(len(set(folds[person == one])) == 1 for one in range(n_people))
    assert (folds == folds_of_people(person, y, seed=1)).all()


@pytest.mark.parametrize("view", [standardising, whitening])
def test_who_is_held_out_is_in_no_fit(monkeypatch, view):
    """Every row says who it is of: no fit and no mean and spread sees it where the person is held out."""
    x, y, person = people()
    x[:, 0] = person
    seen, path = [], module.path

    def mapped(embedding):
        seen.append(("mapped", set(embedding[:, 0])))
        return lambda rows: rows

    def fitted(rows, *arguments, **keywords):
        seen.append(("fitted", set(rows[:, 0])))
        return path(rows, *arguments, **keywords)

    monkeypatch.setattr(module, "path", fitted)
    module.held_out_scores(x, y, person, mapped, len(y))
    assert seen == [(kind, {0, 1, 2, 3} - {one}) for one in range(4) for kind in ("mapped", "fitted")]


def test_a_person_s_frames_do_not_move_the_fit_that_judges_them(monkeypatch):
    x, y, person = people()
    fits, path = [], module.path
    monkeypatch.setattr(module, "path", lambda *a, **k: (fits.append(fit) or fit for fit in path(*a, **k)))
    module.held_out_scores(x, y, person, whitening, len(y))
    moved = x.copy()
    moved[person == 0] *= 100
    before, fits[:] = [fit for fit in fits[::4]], []
    module.held_out_scores(moved, y, person, whitening, len(y))
    after = fits[::4]  # of the first person's fold
    assert all(torch.equal(a.weights, b.weights) for a, b in zip(before, after, strict=False)) and before and after


@pytest.mark.parametrize("view", [standardising, whitening])
def test_the_same_seed_gives_the_same_bits(view):
    x, y, person = people(7)
    one, two = (chosen(x, y, folds_of_people(person, y, 3), view, seed=3) for _ in range(2))
    assert torch.equal(one.fit.weights, two.fit.weights) and one.log_c == two.log_c
    assert (one.held_out == two.held_out).all()


def test_whitened_features_have_the_identity_as_covariance_whatever_the_scale():
    x, _, _ = people(8, each=200)
    x = x * np.float32([1, 1e-3, 1e3, 1, 1, 1])
    x = np.column_stack([x, x[:, 0] + x[:, 3]])  # a direction without variance
    z = whitening(x)(x)
    assert z.shape == (1600, 6)
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(6), atol=1e-3)


def test_a_class_that_a_fold_lacks_and_folds_of_one_class_spoil_nothing():
    x, y, person = people()
    y[(y == 2) & (person != 0)] = 0  # the last class is the first person's alone
    probe = chosen(x, y, person, standardising, seed=1)
    assert np.isfinite(probe.held_out).all() and list(probe.fit.classes) == [0, 1, 2]
    apart = np.where(person < 2, 0, 1)  # who is held out has a class that nobody else has
    probe = chosen(x, apart, apart, standardising, seed=1)
    assert (probe.held_out == 0).all() and set(probe.predict(x)) == {0, 1}


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    x, y, person = people(4, each=400, shares=(0.95, 0.05))
    probe = chosen(x, y, person, standardising, seed=1)
    plain = LogisticRegression().fit(x, y)
    rare, unweighted = (np.mean(found[y == 1] == 1) for found in (probe.predict(x), plain.predict(x)))
    assert rare > 0.6 > 0.3 > unweighted


def test_series_of_each_class_are_spread_over_the_folds():
    y = np.repeat([0, 1, 2], [50, 11, 3])
    folds = folds_of_series(y, seed=1)
    for label in range(3):
        counts = np.bincount(folds[y == label], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_frames_of_overlapping_sequences_keep_their_person():
    """Most frames are in two sequences, some sequences have frames of two people, and some frames have no label."""
    dataset = make_dataset()
    starts = torch.arange(0, 111, 5)
    labels = dataset.train.labels.clone()
    labels[::7] = -1
    subjects = torch.arange(120) // 40
    side = replace(dataset.train, starts=starts, subjects=subjects, labels=labels)
    frame = side.indices()
    embedding = torch.stack([subjects[frame].float(), torch.rand(frame.shape)], -1)
    experiment = type("E", (), {"quick": False, "seed": 1})
    x, y, folds, note = frames._learnt_from(
        experiment, replace(dataset, train=side), Features(embedding, labels[frame], frame)
    )
    assert (x[:, 0] == folds).all() and len(y) == int((labels >= 0).sum()) and "3 people in 3 folds" in note
