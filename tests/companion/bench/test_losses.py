"""The benchmark of losses and cells: its baselines compute the same thing, and its figures have their shape."""

import json
import re

import pytest
import torch

from companion.bench import baselines, cell, losses
from emargin.encoders import EMBEDDING
from emargin.evaluation.features import encode_both
from emargin.evaluation.probing import EPOCHS, linear_probe
from emargin.losses import emargin_loss, emargin_released, info_nce
from emargin.pseudo_labels import pseudo_labels
from emargin.training import train

N = 30
SETTINGS = {"temperature": 0.3, "margin": 5.0}
LABELS = {"mixed": torch.arange(N - 1) % 3 == 0, "zeros": torch.zeros(N - 1).bool(), "ones": torch.ones(N - 1).bool()}
EMARGIN = {
    "released": (
        lambda z, y: emargin_released(z, y, **SETTINGS)[0],
        baselines.plain_emargin_released,
        baselines.lean_emargin_released,
    ),
    "anchor": (
        lambda z, y: emargin_loss(z, y, **SETTINGS, scope="flattened"),
        baselines.plain_emargin_anchor,
        baselines.lean_emargin_anchor,
    ),
}


@pytest.fixture
def embedding():
    return torch.randn(3, N // 3, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(losses, "alone", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(cell, "alone", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_gradient(value, embedding):
    return value.detach(), torch.autograd.grad(value, embedding)[0]


def assert_equal(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("form", EMARGIN)
def test_plain_and_lean_emargin_are_emargin(embedding, form, labels):
    ours, plain, lean = EMARGIN[form]
    y = LABELS[labels]
    wanted = with_gradient(ours(embedding, y), embedding)
    assert_equal(with_gradient(plain(embedding, y, **SETTINGS), embedding), wanted)
    assert_equal(lean(embedding, y, **SETTINGS), wanted)


def test_plain_and_lean_infonce_are_infonce(embedding):
    wanted = with_gradient(info_nce(embedding, temperature=0.3, scope="flattened"), embedding)
    assert_equal(with_gradient(baselines.dense_info_nce(embedding, temperature=0.3), embedding), wanted)
    assert_equal(baselines.lean_info_nce(embedding, temperature=0.3), wanted)


def test_released_baselines_go_on_where_the_argument_is_negative(embedding):
    """Rows nearly equal to their neighbours at a low temperature: log|.| has a value, as ours has."""
    close = (embedding.detach().abs() + 3).requires_grad_()
    settings = {"temperature": 0.05, "margin": 1.5}
    value, share = emargin_released(close, LABELS["mixed"], **settings)
    assert share > 0
    wanted = with_gradient(value, close)
    assert_equal(with_gradient(baselines.plain_emargin_released(close, LABELS["mixed"], **settings), close), wanted)
    assert_equal(baselines.lean_emargin_released(close, LABELS["mixed"], **settings), wanted)


def test_a_lean_step_is_the_same_in_memory_that_was_used_before(embedding):
    scratch = torch.full((2, N, N), float("nan"), dtype=torch.float64)
    for _, _, lean in EMARGIN.values():
        fresh = lean(embedding, LABELS["mixed"], **SETTINGS)
        assert_equal(lean(embedding, LABELS["mixed"], **SETTINGS, scratch=scratch), fresh)
    assert_equal(
        baselines.lean_info_nce(embedding, temperature=0.3, scratch=scratch),
        baselines.lean_info_nce(embedding, temperature=0.3),
    )


@pytest.mark.parametrize("rule", ["paper", "released"])
def test_labels_by_the_full_product_are_the_labels(rule):
    frames, _ = losses.batch(N)
    ours = pseudo_labels(frames, threshold=losses.THRESHOLD, rule=rule)
    assert torch.equal(baselines.plain_pseudo_labels(frames, threshold=losses.THRESHOLD, rule=rule), ours)
    assert ours.all() == (rule == "released") and ours.any()


def test_the_limit_is_three_products():
    unit = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scratch = torch.empty(5, 5, dtype=torch.float64)
    torch.testing.assert_close(baselines.matrix_products(unit, scratch), 2 * unit @ unit.T @ unit)
    torch.testing.assert_close(scratch, unit @ unit.T)


def test_forms_take_turns():
    done = []
    seconds = losses._in_turns({name: lambda name=name: done.append(name) for name in "ab"}, 3)
    assert "".join(done) == "ab" * 4 and [len(times) for times in seconds.values()] == [3, 3]


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    assert losses._ratio([2.0, 90.0, 8.0], [1.0, 30.0, 2.0]) == 3.0


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_every_form_of_a_step_has_the_same_loss_and_gradient(loss):
    value, gradient = losses.step_of(loss, "ours", N)()
    assert gradient.shape == (1, N, EMBEDDING) and gradient.any()
    for form in ("plain", "lean", "lean_kept"):
        found, found_gradient = losses.step_of(loss, form, N)()
        torch.testing.assert_close(found, value, rtol=1e-5, atol=0)
        torch.testing.assert_close(found_gradient, gradient, rtol=1e-3, atol=1e-7)


def test_the_command_measures_every_loss_and_writes_a_file(in_this_process, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(losses, "LABELLED", 50)
    monkeypatch.setattr(losses, "ACCURATE", 40)
    out = tmp_path / "losses.json"
    options = ["--sizes", "15,33", "--large", "70", "--threads", "1", "--rounds", "2", "--out", str(out)]
    assert losses.main(options) == 0
    figures = json.loads(out.read_text())
    assert [(step["loss"], step["n"]) for step in figures["steps"]] == [
        (loss, n) for loss in losses.LOSSES for n in (15, 33)
    ]
    assert {step["n"]: step["rounds"] for step in figures["steps"]} == {15: 8, 33: 2}
    assert all(step[f"{form}_ms"] > 0 and step[f"{form}_mb"] >= 0 for step in figures["steps"] for form in losses.FORMS)
    assert (figures["threads"], figures["rounds"], figures["large"]["n"], figures["labels"]["n"]) == (1, 2, 70, 50)
    assert figures["gpu"] is None
    assert all(row["gradient_error"] < 1e-5 for row in figures["accuracy"])
    printed = capsys.readouterr().out
    assert all(row["what"] in printed for row in figures["targets"])
    assert {row["met"] for row in figures["targets"] if row["at"] == "N 4,000"} == {None}


def test_a_share_of_the_rate_counts_the_products_of_the_triangle(monkeypatch):
    """On a clock where a step takes 3 ms and the square product 2 ms; 70 rows in blocks of 32 at most are six of
    24 x 24, of which one stays.
    """
    clock = [0.0]
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 32)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", 24**2)
    monkeypatch.setattr(losses.time, "perf_counter", lambda: clock[0])
    step_of, mm = losses.step_of, torch.mm

    def timed(function, seconds):
        def run(*arguments, **keywords):
            clock[0] += seconds
            return function(*arguments, **keywords)

        return run

    monkeypatch.setattr(losses, "step_of", lambda *arguments, **keywords: timed(step_of(*arguments, **keywords), 3e-3))
    monkeypatch.setattr(torch, "mm", timed(mm, 2e-3))
    figure = losses.share_of_rate(70, "cpu", 3)
    operations = 2 * EMBEDDING * ((6 + 5) * 24**2 + 70**2)
    assert figure["share"] == pytest.approx(operations / 3e-3 / (2 * 70**3 / 2e-3))
    assert (figure["n"], figure["ms"]) == (70, pytest.approx(3.0))
    assert figure["mb"] >= 0 and figure["gradient_error"] < 1e-5
    assert torch.get_float32_matmul_precision() == "highest"


def test_figures_of_a_gpu_are_judged(monkeypatch):
    figures = {
        "steps": [],
        "large": {"n": 70, "mb": 1.0},
        "labels": {"plain_over_ours": 50.0},
        "accuracy": [{"loss_error": 1e-7, "gradient_error": 1e-7}],
    }
    for gpu, verdicts in ((None, [None, None]), ({"large": {"mb": 1500.0, "share": 0.3}}, [True, False])):
        rows = losses.targets_of(figures | {"gpu": gpu})
        assert [row["met"] for row in rows if row["what"].startswith("one GPU")] == verdicts


def test_targets_are_judged_both_ways():
    assert losses.target("", "", "≥", 4, "×", 4.1)["met"] is True
    assert losses.target("", "", "≥", 4, "×", 3.9)["met"] is False
    assert losses.target("", "", "≤", 4, "×", 3.9)["met"] is True
    assert losses.target("", "", "≤", 4, "×", 4.1)["met"] is False
    assert losses.target("", "", "≤", 4, "×", None)["met"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "952,many"], "number of frames.*952,many"),
        (["--sizes", "2"], "number of frames.*2.*at least 3"),
        (["--large", "0"], "number of frames.*0"),
        (["--rounds", "0"], "rounds.*0.*1 or more"),
        (["--threads", "0"], "threads.*0.*1 or more"),
        (["--out", "nowhere/losses.json"], "nowhere"),
    ],
)
def test_bad_arguments_are_told_before_the_first_step(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(losses, "alone", lambda *_: pytest.fail("too late"))
    assert losses.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)


def test_plain_training_is_training(small, small_dataset):
    experiment = small(iterations=4)
    method, seconds = cell.plain_training(experiment, small_dataset, 4)
    ours, _ = train(experiment, small_dataset, progress=False)
    assert len(seconds) == 4
    for found, wanted in zip(method.parameters(), ours.parameters(), strict=True):
        if found.ndim == 2:  # a bias before BatchNorm has no gradient but rounding, and Adam steps along that
            torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("protocol", ["original", "released"])
def test_the_plain_probe_is_the_probe(small, small_dataset, protocol):
    experiment = small(protocol=protocol)
    method, _ = train(experiment, small_dataset, progress=False)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    found, seconds, _ = cell.plain_probe(experiment, small_dataset, method, EPOCHS)
    assert len(seconds) == EPOCHS
    assert all(torch.equal(*pair) for pair in zip(before, method.parameters(), strict=True))
    wanted = linear_probe(
        *encode_both(method, small_dataset),
        len(small_dataset.classes),
        batch_size=experiment.batch_size,
        seed=experiment.seed,
        drop_last=protocol == "released",
    )
    assert found == pytest.approx(wanted)


def test_the_command_measures_a_cell_and_writes_a_file(in_this_process, small_dataset, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cell, "load", lambda experiment: small_dataset)
    out = tmp_path / "cell.json"
    assert cell.main(["--dataset", "harth-sim", "--quick", "--threads", "1", "--out", str(out)]) == 0
    figures = json.loads(out.read_text())
    (measured,) = figures["cells"]
    assert figures["scaled"] is True
    assert [row["stage"] for row in measured["stages"]] == list(cell.STAGES)
    assert [row["stage"] for row in measured["stages"] if row["scaled"]] == ["training", "probe"]
    for form in ("ours_s", "plain_s"):
        assert measured[form] == pytest.approx(sum(row[form] for row in measured["stages"]))
    assert measured["cell_ratio"] == pytest.approx(measured["plain_s"] / measured["ours_s"])
    assert [row["met"] for row in figures["targets"]] == [None, None], "the quick profile is no measurement"
    assert "scaled" in capsys.readouterr().out


def test_the_plain_form_is_scaled_to_the_whole_cell(in_this_process, small, small_dataset, monkeypatch):
    monkeypatch.setattr(cell, "load", lambda experiment: small_dataset)
    monkeypatch.setattr(cell, "plain_training", lambda *_: (None, [50.0] * cell.WARM_UP + [2.0, 1.0, 9.0]))
    monkeypatch.setattr(cell, "plain_probe", lambda *_: ({}, [3.0], 0.5))
    monkeypatch.setattr(cell, "ROUNDS", 1)  # medians and ratios of one round agree
    measured = cell.of_cell(small(iterations=4), 1)
    plain = {row["stage"]: row["plain_s"] for row in measured["stages"]}
    ours = {row["stage"]: row["ours_s"] for row in measured["stages"]}
    assert (plain["training"], plain["probe"]) == (4 * 2.0, 10 * 3.0 + 0.5)
    assert plain["frames"] == ours["frames"] and plain["clustering"] == ours["clustering"]
    assert 0 < plain["features"] < ours["features"]
    assert measured["probe_ratio"] == pytest.approx(30.5 / (ours["features"] + ours["probe"]))


def test_targets_of_a_cell_are_those_of_its_data_set():
    harth = {"device": "CPU", "dataset": "harth-sim", "quick": False, "probe_ratio": 7.0, "cell_ratio": 2.0}
    assert [row["met"] for row in cell.targets_of([harth])] == [True, None]
    assert [row["met"] for row in cell.targets_of([harth | {"device": "a GPU"}])] == [None, None]
    assert [row["met"] for row in cell.targets_of([harth, harth | {"dataset": "mitbih"}])] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "hart-sim"], "unknown dataset"),
        (["--threads", "0"], "threads.*0.*1 or more"),
        (["--out", "nowhere/cell.json"], "nowhere"),
    ],
)
def test_a_cell_that_cannot_be_measured_is_told_first(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(cell, "alone", lambda *_: pytest.fail("too late"))
    assert cell.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)
