"""The benchmark of training steps: its baseline, its turns, its figures."""

import json
import re

import pytest
import torch

from companion.bench import steps, surroundings
from companion.bench.baselines import dense_info_nce
from emargin.config import FIDELITIES
from emargin.losses import info_nce

FRAMES = torch.randn(12, 10, 6, generator=torch.Generator().manual_seed(0))


def test_the_baseline_is_the_papers_loss_over_the_flattened_batch():
    embedding = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    dense = dense_info_nce(embedding, temperature=0.3)
    blocked = info_nce(embedding, temperature=0.3, sides=1, scope="flattened")
    assert dense.item() == pytest.approx(blocked.item(), rel=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(value, embedding)[0] for value in (dense, blocked)))


def test_method_and_baseline_take_turns(monkeypatch):
    """On a clock that a method's step moves by 3 and a step of the baseline by 2."""
    clock, done = [0.0], []

    def dense_step():
        done.append("dense")
        clock[0] += 2

    monkeypatch.setattr(steps.time, "perf_counter", lambda: clock[0])
    turns = steps.Turns(dense_step)
    for _ in range(steps.WARM_UP + 3 * steps.TURN + 1):
        turns.step_begins()
        done.append("own")
        clock[0] += 3
    assert turns.own == [3, 3, 3] and turns.dense == [2, 2, 2]
    order = ["own"] * steps.WARM_UP + (["dense"] * steps.TURN + ["own"] * steps.TURN) * 3 + ["dense"] * steps.TURN
    assert done[:-1] == order


@pytest.mark.parametrize("method", ["infonce", "mfclr"])
def test_figures_of_one_method(small, monkeypatch, method):
    monkeypatch.setattr(steps, "TURNS", 2)
    experiment = small(method=method, iterations=steps.WARM_UP + 2 * steps.TURN + 1)
    figure = steps.of_one(experiment, FRAMES.numpy(), 1)
    assert (figure["method"], figure["fidelity"]) == (method, "released")
    assert figure["step_ms"] > 0 and figure["dense_ms"] > 0 and figure["ratio"] > 0 and figure["peak_mb"] >= 0


def test_peak_memory_counts_what_was_held_for_a_while():
    before = surroundings.peak_memory()
    held = torch.ones(int(before * 1e6 / 4) + 50_000_000 // 4)
    assert surroundings.peak_memory() - before > 45
    del held
    assert surroundings.peak_memory() - before > 45


def test_the_command_measures_both_fidelities_and_writes_a_file(small_dataset, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(steps, "load", lambda experiment: small_dataset)
    assert steps.main(["--methods", "infonce", "--threads", "1", "--out", str(tmp_path / "steps.json")]) == 0
    figures = json.loads((tmp_path / "steps.json").read_text())
    assert [(f["method"], f["fidelity"]) for f in figures["steps"]] == [("infonce", f) for f in FIDELITIES]
    assert (figures["batch_size"], figures["sequence_length"], figures["features"]) == (8, 10, 6)
    assert (figures["dataset"], figures["source"], figures["threads"]) == ("harth-sim", "simulated", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["steps.json"]
    assert capsys.readouterr().out.count("infonce") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "ts2vek"], "unknown method.*ts2vec"),
        (["--methods", "random"], "not trained.*random"),
        (["--dataset", "hart-sim"], "unknown dataset"),
        (["--threads", "0"], "threads.*0.*1 or more"),
        (["--out", "nowhere/steps.json"], "nowhere"),
    ],
)
def test_bad_arguments_are_told_before_the_first_step(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(steps, "load", lambda experiment: pytest.fail("too late"))
    assert steps.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)
