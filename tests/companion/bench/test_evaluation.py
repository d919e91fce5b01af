"""The probe beside scikit-learn's solvers: all find the same optimum, and the command says what it measured."""

import json

import numpy as np
import pytest

from companion.bench import evaluation
from companion.bench.evaluation import OURS, SOLVERS, compared, main
from emargin.evaluation.logistic import TOLERANCE


@pytest.fixture
def frames():
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], (50, 80, 30))
    x = generator.normal(size=(len(y), 5)) + 0.7 * np.eye(5)[y]
    return x, y, generator.normal(size=(200, 5))


def test_all_solvers_are_certified_and_predict_alike(frames):
    fits = {fit["solver"]: fit for fit in compared(*frames, turns=2)}
    assert list(fits) == [OURS, *SOLVERS]
    assert all(fit["gradient"] <= TOLERANCE and fit["unlike"] <= 0.01 for fit in fits.values())
    assert fits[OURS]["ratio"] == 1 and fits[OURS]["unlike"] == 0


def test_a_solver_that_does_not_get_there_is_left_out(frames, monkeypatch):
    monkeypatch.setattr(evaluation, "TOLERANCES", (10.0,))
    assert [fit["solver"] for fit in compared(*frames, turns=1)] == [OURS]


def test_the_command_writes_its_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "TOLERANCES", (1e-2,))  # fits of so few frames take long to end
    out = tmp_path / "evaluation.json"
    assert main(["--quick", "--turns", "1", "--rows", "20", "--out", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert {fit["solver"] for fit in figures["fits"]} <= {OURS, *SOLVERS} and "harth-sim" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--turns", "0"], ["--datasets", "no-such-set"], ["--out", "nowhere/f.json"]])
def test_bad_input_is_one_line(wrong, capsys):
    assert main(wrong) == 2
    assert capsys.readouterr().err.startswith("companion.bench.evaluation: ")
