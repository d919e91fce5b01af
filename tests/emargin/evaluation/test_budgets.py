"""A budget is what it says: so many labels of a class, the smaller in the larger, and a probe that saw no other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from emargin.config import Experiment
from emargin.evaluation import budgets as module
from emargin.evaluation import chosen
from emargin.evaluation.budgets import BUDGETS, DRAWS, draws_of, fitted
from emargin.evaluation.features import Features
from emargin.experiment import run
from tests.conftest import make_dataset

COUNTS = (120, 45, 5)


def frames(n_people=6, counts=COUNTS, seed=0, n_features=5):
    """Float32 frames of classes that overlap, each class's spread over people with offsets; classes, and people."""
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    people = generator.integers(0, n_people, len(y))
    x = generator.standard_normal((len(y), n_features)) + 1.5 * np.eye(len(counts), n_features)[y]
    return (x + 0.5 * generator.standard_normal((n_people, n_features))[people]).astype(np.float32), y, people


def sides(**given):
    """A data set of six training people, and the features of its two sides, a frame a sequence."""
    parts = []
    for seed in (0, 1):
        x, y, people = frames(**given, seed=seed)
        table = torch.from_numpy(x), torch.from_numpy(y), torch.arange(len(y))
        parts.append((Features(*(part[:, None] for part in table)), torch.from_numpy(people)))
    (train, of_train), (test, of_test) = parts
    dataset = make_dataset()
    dataset = replace(
        dataset, train=replace(dataset.train, subjects=of_train), test=replace(dataset.test, subjects=of_test)
    )
    return dataset, train, test


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Two draws: each fits a probe for every budget, which takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DRAWS", 2)
        yield


@pytest.fixture(scope="module")
def curve(few_draws):
    dataset, train, test = sides()
    experiment = type("E", (), {"quick": False, "seed": 1})
    return module.score_frames(experiment, dataset, train, test)[0]


def test_a_larger_budget_of_a_draw_contains_the_smaller():
    _, y, _ = frames()
    for draw in range(DRAWS):
        taken = [set(rows) for _, rows in draws_of(y, 1, draw)]
        assert len(taken) == 5 and all(small < large for small, large in zip(taken, taken[1:], strict=False))


def test_a_budget_takes_so_many_of_a_class_or_all_that_there_are():
    _, y, _ = frames()
    for budget, rows in draws_of(y, 1, 0):
        assert np.bincount(y[rows]).tolist() == [min(budget, count) for count in COUNTS]
        assert (np.diff(rows) > 0).all()
    assert [budget for budget, _ in draws_of(y, 1, 0)] == [1, 3, 10, 30, 100]  # 300 are all
    assert [budget for budget, _ in draws_of(y[:30], 1, 0)] == [
        budget for budget in BUDGETS if budget < sum(y[:30] == 0)
    ]


def test_draws_differ_from_each_other_and_with_the_seed_and_are_the_same_again():
    _, y, _ = frames()
    rows = {(seed, draw): dict(draws_of(y, seed, draw))[30].tolist() for seed in (1, 2) for draw in range(DRAWS)}
    assert len({tuple(taken) for taken in rows.values()}) == 2 * DRAWS
    assert rows[2, 3] == dict(draws_of(y, 2, 3))[30].tolist()


def test_rows_are_the_mean_and_the_deviation_of_plain_regressions(curve):
    """Scikit-learn's, on the frames of each draw, at the penalty that the row's note names."""
    _, train, test = sides()
    (x, y), (x_test, y_test) = ([part.numpy() for part in side.flat()] for side in (train, test))
    for budget in (1, 3, 10, 30, 100):
        mean, n, note = curve[f"budget_{budget}_balanced_accuracy"]
        exponents = [float(part.split()[0]) for part in note.partition(": ")[2].split(", ")]
        values = []
        for draw, log_c in enumerate(exponents):
            rows = dict(draws_of(y, 1, draw))[budget]
            scaler = StandardScaler().fit(x[rows].astype(float))
            plain = LogisticRegression(C=10**log_c, class_weight="balanced", tol=1e-7, solver="newton-cholesky")
            predicted = plain.fit(scaler.transform(x[rows]), y[rows]).predict(scaler.transform(x_test))
            values.append(balanced_accuracy_score(y_test, predicted))
        assert len(values) == 2 and n == len(y_test)
        assert mean == pytest.approx(np.mean(values), abs=2e-3)  # a frame at a border
        assert curve[f"budget_{budget}_deviation"][0] == pytest.approx(np.std(values, ddof=1), abs=2e-3)
        assert curve[f"budget_{budget}_labels"][0] == sum(min(budget, count) for count in COUNTS)


def test_the_penalty_is_as_good_on_people_held_out_as_that_of_a_plain_search():
    x, y, people = frames(counts=(80, 70, 60))
    probe, note = fitted(x, y, people, seed=1)
    kept = probe.held_out
    assert note == "people" and probe.log_c == chosen.CANDIDATES[int(kept.argmax())]
    seen, inner = [], chosen.held_out_scores
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen, "held_out_scores", lambda *a: seen.append(a[2]) or inner(*a))
        fitted(x, y, people, seed=1)
    (folds,) = seen
    assert len(set(folds)) == 5 and all(len(set(folds[people == person])) == 1 for person in range(6))
    for log_c, value in zip(chosen.CANDIDATES, kept, strict=False):
        predicted = np.empty_like(y)
        for fold in range(5):
            ours = folds != fold
            scaler = StandardScaler().fit(x[ours].astype(float))
            c = 10**log_c * len(y) / ours.sum()
            plain = LogisticRegression(C=c, class_weight="balanced", tol=1e-7, solver="newton-cholesky")
            plain.fit(scaler.transform(x[ours].astype(float)), y[ours])
            predicted[~ours] = plain.predict(scaler.transform(x[~ours].astype(float)))
        assert value == pytest.approx(balanced_accuracy_score(y, predicted), abs=0.02)


@pytest.mark.parametrize(
    ("labels", "people", "note"),
    [
        ([0, 0, 1, 1], [0, 1, 0, 1], "people"),
        ([0, 0, 1, 2], [0, 1, 0, 0], "people"),
        ([0, 0, 1, 1], [0, 0, 1, 1], "shares"),  # who is held out has a class of their own
        ([0, 0, 1, 1], [0, 0, 0, 0], "shares"),
        ([0, 1, 2, 3], [0, 1, 2, 3], "nothing"),
    ],
)
def test_what_chooses_the_penalty(labels, people, note):
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    probe, said = fitted(x, np.array(labels), np.array(people), seed=1)
    assert said == note and (note != "nothing" or probe.log_c == 0)
    assert set(probe.fit.classes) == set(labels) and np.isfinite(probe.held_out).all()


def test_a_class_with_fewer_frames_than_the_budget_is_still_predicted():
    x, y, people = frames(counts=(110, 110, 2))
    rows = dict(draws_of(y, 1, 0))[100]
    probe, _ = fitted(x[rows], y[rows], people[rows], seed=1)
    assert (y[rows] == 2).sum() == 2 and 2 in probe.predict(x)


def test_the_same_seed_gives_the_same_rows(curve):
    dataset, train, test = sides()
    again, other = (
        module.score_frames(type("E", (), {"quick": False, "seed": seed}), dataset, train, test)[0] for seed in (1, 2)
    )
    assert again == curve and other["budget_10_balanced_accuracy"] != curve["budget_10_balanced_accuracy"]


def test_all_labels_read_as_the_chosen_probe_does(small, small_dataset):
    people = torch.arange(120) // 40
    data = replace(small_dataset, train=replace(small_dataset.train, subjects=people))
    rows = run(
        small(method="random"), dataset=data, device="cpu", progress=False, metrics=["chosen", "budgets"]
    ).rows.set_index("metric")
    assert rows.value["budget_all_balanced_accuracy"] == rows.value["chosen_balanced_accuracy"]
    assert rows.value["budget_all_labels"] == rows.n["chosen_C"] == 120
    assert rows.note["budget_all_balanced_accuracy"].endswith(f"log10 C: {rows.value['chosen_C']:g}")
    assert "people" in rows.note["budget_10_balanced_accuracy"]


def test_frames_whose_people_are_not_told_apart_have_shares_of_the_classes_held_out(small, small_dataset):
    rows = run(small(method="random"), dataset=small_dataset, device="cpu", progress=False, metrics=["budgets"]).rows
    notes = rows.set_index("metric").note
    assert "shares" in notes["budget_10_balanced_accuracy"] and "people" not in notes["budget_10_balanced_accuracy"]
    assert notes["budget_1_balanced_accuracy"].count("0 nothing") == 2
    assert "stretches of time" in notes["budget_all_balanced_accuracy"] and rows.value.notna().all()


def test_series_have_the_same_rows(ucr):
    experiment = Experiment(dataset=ucr, method="random")
    rows = run(experiment, device="cpu", progress=False, metrics=["chosen", "budgets"]).rows.set_index("metric")
    labels = [f"series_budget_{budget}_labels" for budget in (1, 3, 10, "all")]
    assert rows.value[labels].tolist() == [2, 6, 20, 24]
    assert rows.value["series_budget_all_balanced_accuracy"] == rows.value["series_chosen_balanced_accuracy"]
    assert rows.value["series_budget_10_balanced_accuracy"] > 0.8  # a sine and noise
    assert rows.loc["series_budget_10_deviation"].n == 24


def test_more_labels_read_more():
    dataset, train, test = sides(counts=(120, 120, 120))
    rows = module.score_frames(type("E", (), {"quick": False, "seed": 1}), dataset, train, test)[0]
    few, more, most = (rows[f"budget_{budget}_balanced_accuracy"][0] for budget in (1, 10, "all"))
    assert few + 0.05 < more < most
