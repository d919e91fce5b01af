"""Values that cannot matter are said to have no effect, and no others are."""

import pytest

from companion.__main__ import main
from companion.effects import without_effect
from emargin.config import Experiment
from emargin.methods import METHODS, declaration

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


def test_the_command_line_says_so(tmp_path, capsys):
    words = ["run", "--quick", "--method", "random", "--iterations", "7", "--temperature", "0.1", "--out"]
    assert main([*words, str(tmp_path)]) == 0
    error = capsys.readouterr().err
    assert "emargin: iterations = 7 has no effect: random is not trained\n" in error
    assert "emargin: temperature = 0.1 has no effect" in error
