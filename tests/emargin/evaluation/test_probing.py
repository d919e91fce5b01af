"""Probes: what is trained on, what is scored, and how averages relate."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from emargin.evaluation import probing
from emargin.evaluation.features import Features
from emargin.evaluation.probing import further_probes, linear_probe, scores
from emargin.optimiser import AdamW


def features(n_sequences, length=10, seed=0, separation=6.0, weights=(0.6, 0.3, 0.1), unlabelled=0.0):
    """Three classes around three axes of an 8-dimensional space."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, (n_sequences, length), p=weights)
    embedding = generator.standard_normal((n_sequences, length, 8)) + separation * np.eye(8)[labels]
    labels = np.where(generator.random(labels.shape) < unlabelled, -1, labels)
    frame = np.arange(labels.size).reshape(labels.shape)
    return Features(torch.tensor(embedding, dtype=torch.float32), torch.tensor(labels), torch.tensor(frame))


def probe(train, test, *, seed=1, drop_last=False, batch_size=4):
    return linear_probe(train, test, 3, batch_size=batch_size, seed=seed, drop_last=drop_last)


@pytest.fixture
def scored(monkeypatch):
    """What the probe hands to `scores`: a list of (truth, predicted)."""
    calls = []
    monkeypatch.setattr(probing, "scores", lambda truth, predicted: calls.append((truth, predicted)) or {})
    return calls


def test_the_linear_probe_learns_separable_classes():
    assert probe(features(800), features(40, seed=1))["accuracy"] > 0.99


def test_the_linear_probe_cannot_learn_labels_without_a_link():
    train = features(400, separation=0.0, weights=(1 / 3, 1 / 3, 1 / 3))
    assert probe(train, features(200, seed=1, separation=0.0, weights=(1 / 3,) * 3))["accuracy"] < 0.4


@pytest.mark.parametrize("unlabelled", [0.0, 0.3, 0.97])
def test_the_linear_probe_is_that_of_autograd(unlabelled):
    """Ten epochs in float64 with torch's own layer, loss and optimiser; at 0.97 whole batches have no label."""
    train, test = features(30, seed=2, separation=1.0, unlabelled=unlabelled), features(20, seed=3, separation=1.0)
    train, test = (Features(side.embedding.double(), side.labels, side.frame) for side in (train, test))
    torch.manual_seed(5)
    layer = nn.Linear(8, 3)
    optimiser = torch.optim.Adam(layer.double().parameters(), lr=probing.LEARNING_RATE)
    generator = torch.Generator().manual_seed(5)
    for _ in range(probing.EPOCHS):
        for picked in torch.randperm(30, generator=generator).split(4)[:7]:
            labels = train.labels[picked].flatten()
            if (labels >= 0).any():
                logits = layer(train.embedding[picked].flatten(0, 1))
                loss = nn.functional.cross_entropy(logits, labels, ignore_index=-1)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    found = []
    with pytest.MonkeyPatch.context() as patch:
        step = AdamW.step
        patch.setattr(AdamW, "step", lambda self: (step(self), found.append([p.clone() for p in self.parameters])))
        patch.setattr(nn.Linear, "__init__", _in_double(nn.Linear.__init__))
        probing.linear_predictions(train, test, 3, batch_size=4, seed=5, drop_last=False)
    for ours, theirs in zip(found[-1], layer.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-10, atol=1e-12)


def _in_double(initialise):
    def wrapped(self, *arguments, **keywords):
        initialise(self, *arguments, **keywords)
        self.double()

    return wrapped


@pytest.fixture
def steps(monkeypatch):
    """Learning rate and weight decay of each of the probe's optimiser steps."""
    seen = []
    original = AdamW.step

    def counted(self):
        seen.append((self.learning_rate, self.weight_decay))
        return original(self)

    monkeypatch.setattr(AdamW, "step", counted)
    return seen


def test_ten_epochs_of_adam_on_whole_batches(steps):
    """30 sequences in batches of 4: 7 steps an epoch, the incomplete eighth is dropped."""
    probe(features(30), features(5))
    assert len(steps) == 70 and set(steps) == {(1e-3, 0.0)}


def test_drop_last_leaves_the_incomplete_test_batch_unscored(scored):
    train, test = features(8), features(11, seed=2)
    probe(train, test)
    probe(train, test, drop_last=True)
    assert [len(truth) for truth, _ in scored] == [110, 80]
    assert scored[1][0].tolist() == test.labels[:8].flatten().tolist()


def test_unlabelled_frames_are_not_scored(scored):
    test = features(8, seed=2, unlabelled=0.3)
    probe(features(8), test)
    truth, predicted = scored[0]
    assert truth.tolist() == test.labels[test.labels >= 0].tolist() and len(predicted) == len(truth) < 80


def test_unlabelled_frames_are_not_trained_on(scored):
    train, test = features(24, unlabelled=0.4), features(20, seed=2, separation=1.0)
    altered = train.embedding.clone()
    altered[train.labels < 0] += 100
    probe(train, test)
    probe(Features(altered, train.labels, train.frame), test)
    assert (scored[0][1] == scored[1][1]).all()


def test_batches_without_any_label_take_no_step(steps):
    train = features(6)
    train.labels[:2] = -1
    probe(train, features(8, seed=2), batch_size=1)
    assert len(steps) == 10 * 4


def test_the_seed_decides_the_initial_weights(scored):
    for seed in (1, 1, 2):
        probe(features(3), features(40, seed=2, separation=0.0), seed=seed)
    assert (scored[0][1] == scored[1][1]).all() and (scored[0][1] != scored[2][1]).any()


def test_same_seed_same_bits_and_the_callers_generator_is_left_alone(scored):
    train, test = features(24, separation=0.5), features(40, seed=2, separation=0.5)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    for seed in (1, 1, 2):
        probe(train, test, seed=seed)
    assert (scored[0][1] == scored[1][1]).all() and (scored[0][1] != scored[2][1]).any()
    assert (torch.rand(3) == expected).all()


def test_scores_by_hand():
    """Confusion matrix [[3, 1], [2, 0]]: precision 3/5 and 0, recall 3/4 and 0, F1 2/3 and 0."""
    found = scores(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 0, 0]))
    assert found == pytest.approx(
        {
            "accuracy": 1 / 2,
            "balanced_accuracy": 3 / 8,
            "weighted_f1": 4 / 9,
            "macro_f1": 1 / 3,
            "macro_precision": 3 / 10,
            "macro_recall": 3 / 8,
        }
    )


def test_macro_f1_is_at_most_the_mean_of_macro_precision_and_recall_and_weighted_f1_is_not():
    exceeds = 0
    for seed in range(50):
        generator = np.random.default_rng(seed)
        truth = generator.choice(4, 200, p=[0.7, 0.2, 0.06, 0.04])
        found = scores(truth, np.where(generator.random(200) < 0.8, truth, 0))
        bound = (found["macro_precision"] + found["macro_recall"]) / 2
        assert found["macro_f1"] <= bound + 1e-12
        exceeds += found["weighted_f1"] > bound
    assert exceeds > 0


def test_always_the_largest_class_has_its_share_as_accuracy_and_chance_as_balanced_accuracy():
    found = scores(np.repeat([0, 1, 2], [70, 20, 10]), np.zeros(100, int))
    assert found["accuracy"] == pytest.approx(0.7) and found["balanced_accuracy"] == pytest.approx(1 / 3)


@pytest.mark.filterwarnings("error")
def test_a_class_predicted_but_never_true_is_no_recall():
    assert scores(np.array([0, 0, 1]), np.array([0, 2, 1]))["balanced_accuracy"] == pytest.approx(0.75)


def test_further_probes_learn_separable_classes_whatever_the_scale_of_the_features():
    train, test = features(60), features(30, seed=2)
    scale = torch.tensor([1e-3, 1e3, 1, 1, 1, 1, 1, 1])
    train, test = (Features(side.embedding * scale, side.labels, side.frame) for side in (train, test))
    found = further_probes(train, test, seed=1)
    assert set(found) == {"converged", "knn", "mlp"}
    for values in found.values():
        assert values["balanced_accuracy"] > 0.95


def test_the_converged_probe_is_fitted_with_one_thread_however_many_there_are(monkeypatch):
    used, fit = [], probing.LogisticRegression.fit

    def noting(self, *sides):
        used.append({pool["num_threads"] for pool in threadpool_info()})
        return fit(self, *sides)

    monkeypatch.setattr(probing.LogisticRegression, "fit", noting)
    with threadpool_limits(3):
        probing.converged(features(60), features(30, seed=2))
    assert used == [{1}]


def test_the_converged_probe_is_class_balanced():
    """On overlapping, unbalanced classes it gives up accuracy for balanced accuracy."""
    weights = (0.9, 0.08, 0.02)
    train, test = features(300, separation=1.0, weights=weights), features(300, seed=2, separation=1.0, weights=weights)
    ten_epochs, converged = probe(train, test), further_probes(train, test, seed=1)["converged"]
    assert converged["balanced_accuracy"] > ten_epochs["balanced_accuracy"] + 0.1
    assert converged["accuracy"] < ten_epochs["accuracy"]


def test_further_probes_take_a_limited_number_of_training_frames_a_class(monkeypatch):
    seen = []
    original = probing.LogisticRegression.fit
    monkeypatch.setattr(
        probing.LogisticRegression,
        "fit",
        lambda self, x, y: seen.append(np.bincount(y).tolist()) or original(self, x, y),
    )
    train = features(40, unlabelled=0.1)
    further_probes(train, features(10, seed=2), seed=1, rows=50)
    there = np.bincount(train.labels[train.labels >= 0].numpy())
    assert seen == [np.minimum(there, 50).tolist()]


def test_the_probe_is_one_linear_layer_with_bias(monkeypatch):
    made = []
    original = nn.Linear.__init__
    monkeypatch.setattr(nn.Linear, "__init__", lambda self, *a, **k: made.append((a, k)) or original(self, *a, **k))
    probe(features(8), features(4))
    assert made == [((8, 3), {})]
