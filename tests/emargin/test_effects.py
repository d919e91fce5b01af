"""Values that cannot matter are said to have no effect, and no others are."""

import pytest

from emargin import run
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.effects import without_effect
from emargin.methods import METHODS, declaration
from emargin.resolve import resolve

QUICK = {"dataset": "ecg-sim", "quick": True}


def idle(**fields) -> list[str]:
    return [sentence.split(" = ")[0] for sentence in without_effect(Experiment(**QUICK | fields))]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, []),
        ({"threshold": 0.2}, ["threshold"]),
        ({"threshold": 0.4}, ["threshold"]),  # its default
        ({"threshold": -0.5}, []),
        ({"threshold": 0.2, "labels": "paper", "margin": 3}, []),
        ({"threshold": 0.2, "fidelity": "original"}, []),
        ({"threshold": 0.2, "fidelity": "original", "labels": "released"}, ["threshold"]),
        ({"threshold": 0.2, "fidelity": "original", "labels": "released", "reading": "all-pairs"}, []),
        ({"margin": 3, "temperature": 0.2, "sides": 1}, []),
        ({"method": "cosine-margin", "fidelity": "original", "labels": "released", "margin": 0.5}, ["margin"]),
        ({"method": "cosine-margin", "fidelity": "original", "margin": 0.5}, []),
        ({"method": "emargin-labels", "fidelity": "original", "threshold": 0.1, "label_share": 0.1}, ["threshold"]),
        ({"method": "supervised", "fidelity": "original", "temperature": 0.2, "label_share": 0.5}, ["temperature"]),
        ({"method": "infonce", "temperature": 0.2, "sides": 1}, []),
        ({"method": "ts2vec", "temperature": 0.2, "iterations": 5}, ["temperature"]),
        ({"method": "random", "iterations": 5, "learning_rate": 1e-2, "seed": 2}, ["iterations", "learning_rate"]),
        ({"method": "random-calibrated", "fidelity": "original", "batch_size": 4}, ["fidelity"]),
    ],
)
def test_what_cannot_matter_is_found(fields, names):
    assert sorted(idle(**fields)) == sorted(names)


@pytest.mark.parametrize("method", METHODS)
def test_temperature_has_an_effect_where_the_loss_reads_it_and_nowhere_else(method):
    """By the text: in which class, or one that it extends, is the word."""
    words = {name for kind in METHODS[method].__mro__ for name in _names(kind)}
    for fidelity in declaration(method).fidelities:
        assert bool(idle(method=method, fidelity=fidelity, temperature=0.2)) == ("temperature" not in words)


def _names(kind: type) -> set[str]:
    codes = [value.__code__ for value in vars(kind).values() if hasattr(value, "__code__")]
    return {name for code in codes if kind.__module__.startswith("emargin") for name in code.co_names}


def test_the_quick_profile_has_none_on_real_data(tmp_path, monkeypatch):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    (tmp_path / "ecg").mkdir()
    assert idle(dataset="ecg") == ["quick"]


def test_the_stride_has_none_where_a_series_is_one_sequence(ucr):
    assert idle(dataset=ucr, quick=False, stride=3) == ["stride"]
    assert idle(dataset=ucr, quick=False, stride=3, sequence_length=5) == []


def test_the_command_line_says_so(tmp_path):
    words = ["run", "--quick", "--method", "random", "--iterations", "7", "--temperature", "0.1", "--out"]
    with pytest.warns(UserWarning, match="has no effect") as caught:
        assert main([*words, str(tmp_path)]) == 0
    said = [str(warning.message) for warning in caught]
    assert "iterations = 7 has no effect: random is not trained" in said
    assert [text.split(" has")[0] for text in said] == ["temperature = 0.1", "iterations = 7"]


@pytest.mark.parametrize("settle", [Experiment, resolve])
def test_a_run_warns_of_it_before_it_reads_data(settle, monkeypatch):
    monkeypatch.setattr("emargin.experiment.load", lambda cell: pytest.fail("said too late"))
    asked = {**QUICK, "iterations": 7, "threshold": 0.2}
    with pytest.warns(UserWarning, match="threshold = 0.2 has no effect: emargin computes") as caught:
        with pytest.raises(pytest.fail.Exception, match="said too late"):
            run(Experiment(**asked) if settle is Experiment else resolve(Experiment(**asked)))
    assert [warning.filename for warning in caught] == [__file__]


def test_what_a_resolved_experiment_has_by_default_was_not_asked_for():
    for method in METHODS:
        for fidelity in declaration(method).fidelities:
            assert without_effect(resolve(Experiment(**QUICK, method=method, fidelity=fidelity))) == []
    assert without_effect(METHODS["random"]) == []
