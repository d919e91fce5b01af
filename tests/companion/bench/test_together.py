"""The benchmark of training together: its turns, its errors, its figures."""

import json
import re

import pytest
import torch

from companion.bench import together
from companion.gpu.together import train_together
from emargin.training import train


@pytest.fixture
def in_this_process(monkeypatch, small_dataset):
    monkeypatch.setattr(together, "alone", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(together, "load", lambda experiment: small_dataset)


def test_the_command_measures_both_forms_and_writes_a_file(in_this_process, tmp_path, capsys):
    out = tmp_path / "together.json"
    options = ["--quick", "--seeds", "2", "--steps", "3", "--rounds", "2", "--threads", "1", "--out", str(out)]
    assert together.main(options) == 0
    figures = json.loads(out.read_text())
    (cpu,) = figures["devices"]
    assert (figures["configurations"], figures["steps"], figures["rounds"], figures["threads"]) == (4, 3, 2, 1)
    assert (cpu["device"], cpu["features"], cpu["train_sequences"]) == ("cpu", 6, 12)
    assert cpu["in_turn_s"] > 0 and cpu["together_s"] > 0
    assert [row["variant"] for row in cpu["errors"]] == ["float32", "bf16"]
    assert figures["targets"][0]["met"] is None
    assert "not measured" in capsys.readouterr().out


def test_forms_take_turns_and_the_first_is_not_counted(in_this_process, small, monkeypatch):
    """On a clock that 4 experiments in turn move by 12, then 16, and together by 3, then 2."""
    clock, done = [0.0], []

    def form(name, steps):
        def run(*arguments, **keywords):
            done.append(name)
            clock[0] += steps[done.count(name) - 1]
            return []

        return run

    monkeypatch.setattr(together, "in_turn", form("in turn", [99, 12, 16]))
    monkeypatch.setattr(together, "train_together", form("together", [99, 3, 2]))
    monkeypatch.setattr(together, "errors", lambda *arguments: [])
    monkeypatch.setattr(together.time, "perf_counter", lambda: clock[0])
    figure = together.of_device([small()], "cpu", 2, 1)
    assert done == ["in turn", "together"] * 3
    assert (figure["in_turn_s"], figure["together_s"], figure["ratio"]) == (14, 2.5, 6.0)


def test_errors_are_those_of_the_worst_experiment(small, small_dataset, monkeypatch):
    cells = [small(), small(seed=2)]
    changed = train_together(cells, small_dataset, progress=False)
    changed[1][1][0]["loss"] += 0.5
    with torch.no_grad():
        changed[0][0].encoder.blocks[7].weight *= 1.5  # the last BatchNorm's scale and shift: the embedding's scale
        changed[0][0].encoder.blocks[7].bias *= 1.5
    monkeypatch.setattr(together, "train_together", lambda *arguments, **keywords: changed)
    row, _ = together.errors(cells, small_dataset, "cpu")
    points = [point["loss"] for point in train(cells[1], small_dataset, progress=False)[1]]
    assert row["losses"] == pytest.approx(0.5 * len(points) / sum(map(abs, points)), rel=1e-3)
    assert row["embedding"] == pytest.approx(0.5, rel=1e-3)


def test_the_target_is_measured_by_24_configurations_on_a_gpu():
    figures = {
        "configurations": 24,
        "dataset": "harth-sim",
        "quick": False,
        "devices": [{"device": "cpu", "ratio": 9.0}, {"device": "cuda", "ratio": 5.0, "captured_ratio": 7.0}],
    }
    assert together.targets_of(figures)[0]["measured"] == 7.0
    for change in ({"configurations": 4}, {"quick": True}, {"dataset": "mitbih"}, {"devices": figures["devices"][:1]}):
        assert together.targets_of(figures | change)[0]["met"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "hart-sim"], "unknown dataset"),
        (["--seeds", "0"], "number of seeds.*0.*1 or more"),
        (["--steps", "0"], "number of steps"),
        (["--rounds", "0"], "number of rounds"),
        (["--threads", "0"], "threads.*0.*1 or more"),
        (["--out", "nowhere/together.json"], "nowhere"),
    ],
)
def test_bad_arguments_are_told_before_the_first_step(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(together, "alone", lambda *_: pytest.fail("too late"))
    assert together.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)
