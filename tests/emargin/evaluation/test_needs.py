"""What the labels do not allow is said before the training, leaves rows with the reason, and spoils nothing else."""

import math
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from emargin.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation import budgets, dial
from emargin.evaluation.needs import reasons_against
from emargin.evaluation.scoring import score
from emargin.experiment import run
from emargin.resolve import resolve
from emargin.stages import METRICS
from tests.conftest import make_dataset

PROBES = {"probe", "converged", "certified", "chosen", "whitened", "knn", "mlp", "budgets"}


def relabelled(train=None, test=None):
    """The small data set with other labels on its sides: a function of the labels."""
    dataset = make_dataset()
    change = {"train": train, "test": test}
    sides = {
        name: replace(getattr(dataset, name), labels=function(getattr(dataset, name).labels.clone()))
        for name, function in change.items()
        if function
    }
    return replace(dataset, **sides)


def without(*classes):
    """Labels in which frames of some classes have none."""

    def changed(labels):
        for label in classes:
            labels[labels == label] = -1
        return labels

    return changed


def keeping(count, label):
    """Labels in which a class has so many frames."""

    def changed(labels):
        labels[torch.nonzero(labels == label).flatten()[count:]] = -1
        return labels

    return changed


def few(count):
    """Labels of so many frames alone."""

    def changed(labels):
        labels[count:] = -1
        return labels

    return changed


CASES = {
    "a class that only the training side has": (relabelled(test=without(2)), {"clustering", "map"}),
    "a class that only the test side has": (relabelled(train=without(2)), {"map"}),
    "a class of one training frame": (relabelled(train=keeping(1, 3)), {"map"}),
    "one of two classes has one training frame": (
        relabelled(train=lambda labels: keeping(1, 3)(without(1, 2)(labels))),
        {"mlp", "map"},
    ),
    "a class of one test frame": (relabelled(test=keeping(1, 3)), {"map"}),
    "a single training class": (relabelled(train=without(1, 2, 3)), PROBES | {"map"}),
    "one class on both sides": (
        relabelled(train=without(1, 2, 3), test=without(1, 2, 3)),
        PROBES | {"clustering", "map"},
    ),
    "a data set of one class": (
        replace(relabelled(train=without(1, 2, 3), test=without(1, 2, 3)), classes=("a",), draw=(20,)),
        PROBES | {"clustering", "map"},
    ),
    "twenty-one test frames": (relabelled(test=few(21)), {"map"}),
    "as many test frames as classes": (relabelled(test=few(4)), {"clustering", "map"}),
    "ten training frames": (relabelled(train=few(10)), {"mlp", "map"}),
    "eleven training frames": (relabelled(train=few(11)), {"map"}),
    "fewer training frames than neighbours": (relabelled(train=few(4)), PROBES | {"map"}),
    "no labelled test frame": (relabelled(test=few(0)), {"clustering", "collapse", *PROBES, "map"}),
    "no labelled training frame": (relabelled(train=few(0)), PROBES | {"map"}),
}


@pytest.fixture
def short_curves(monkeypatch):
    """A setting of the dial, and a draw of two budgets: their metrics compute as many probes as there are points."""
    for name, few in (("SHRUNK", dial.SHRUNK[:1]), ("RAISED", ()), ("STRETCHED", ())):
        monkeypatch.setattr(dial, name, few)
    monkeypatch.setattr(budgets, "BUDGETS", (1, 3))
    monkeypatch.setattr(budgets, "DRAWS", 2)


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_computed_is_and_what_cannot_says_why(small, short_curves, case):
    dataset, impossible = CASES[case]
    impossible = {name for name in impossible if name != "map" or (dataset.test.labels >= 0).sum() <= 30}
    impossible |= {"dial"} if impossible & {"clustering", "probe"} else set()
    experiment = small(iterations=2)
    reasons = reasons_against(experiment, dataset)
    assert set(reasons) - {"map"} == impossible - {"map"}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = run(experiment, dataset=dataset, device="cpu", progress=False, maps=True, metrics=list(METRICS))
    values = result.rows.set_index("metric")
    for name, metric in METRICS.items():
        rows = values[[metric.holds(row) for row in values.index]]
        assert all(rows.index.str.startswith(start).any() for start in metric.names)
        if name in reasons:
            assert rows.value.isna().all() and (rows.note == reasons[name]).all()
            assert any(f"{name}" in str(warning.message) and reasons[name] in str(warning.message) for warning in said)
        else:
            assert rows.value.notna().all(), rows
    assert ("map" in result.arrays) == ("map" not in reasons)


def test_a_class_that_no_probe_can_learn_is_named_before_the_training(small, monkeypatch):
    def trained(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("emargin.experiment.train", trained)
    remark = pytest.warns(UserWarning, match="no training frame of c: no probe predicts it")
    with remark, pytest.raises(KeyboardInterrupt):
        run(small(), dataset=relabelled(train=without(2)), device="cpu", progress=False)


def test_only_what_was_asked_for_is_spoken_of(small):
    dataset = relabelled(test=without(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = run(small(iterations=2), dataset=dataset, device="cpu", progress=False, metrics=["probe"]).rows
    assert rows.value.notna().all()


def test_one_training_person_is_said_before_the_training(small):
    dataset = make_dataset()
    alone = replace(dataset, train=replace(dataset.train, subjects=torch.zeros(120, dtype=torch.int64)))
    with pytest.warns(UserWarning, match="one training person: chosen, whitened take their penalty from stretches"):
        rows = run(
            small(iterations=2), dataset=alone, device="cpu", progress=False, metrics=["chosen", "whitened"]
        ).rows
    notes = rows.set_index("metric").note
    assert "held out: 5 stretches of time" in notes["chosen_C"] and "held out: 5" in notes["whitened_C"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(small(iterations=2), dataset=alone, device="cpu", progress=False, metrics=["probe"])


def test_series_are_counted_by_series(ucr):
    experiment = resolve(Experiment(dataset=ucr, method="random"))
    dataset = load(experiment)
    lonely = torch.nonzero(dataset.train.labels[dataset.train.starts] == 1).flatten()[1:]
    labels = dataset.train.labels.clone()
    labels[dataset.train.indices(lonely)] = 0
    dataset = replace(dataset, train=replace(dataset.train, labels=labels))
    assert set(reasons_against(experiment, dataset)) == {"mlp"}
    with pytest.warns(UserWarning, match="no mlp: one training frame of 2"):
        rows = run(experiment, dataset=dataset, device="cpu", progress=False).rows.set_index("metric").value
    assert math.isnan(rows["series_mlp_accuracy"]) and rows.drop([m for m in rows.index if "mlp" in m]).notna().all()


def test_the_command_says_it_in_a_line_and_in_place_of_the_values(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("emargin.experiment.load", lambda cell: relabelled(test=without(2)))
    words = ["--sequence-length", "10", "--batch-size", "3", "--iterations", "2", "--device", "cpu"]
    # as Python shows a warning; the tests collect them
    monkeypatch.setattr(warnings, "showwarning", lambda *said: sys.stderr.write(warnings.formatwarning(*said[:4])))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["run", "--dataset", "ecg-sim", *words, "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr()
    assert "emargin: small: no clustering: no test frame of c: " in printed.err and "UserWarning" not in printed.err
    assert "nan   no test frame of c: " in printed.out


@pytest.mark.parametrize("side", ["training", "test"])
def test_embeddings_that_are_not_finite_are_counted(small, small_dataset, side):
    experiment = small(method="random")
    method = run(experiment, dataset=small_dataset, device="cpu", progress=False, metrics=["collapse"]).method
    frames = getattr(small_dataset, "train" if side == "training" else "test").frames
    frames[3, 2] = np.inf
    with pytest.raises(InputError, match=f"embeddings of the {side} side are not finite. found: 1 of"):
        score(experiment, method, small_dataset)
