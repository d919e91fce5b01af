"""CPC: its two losses against loops, what the context sees, what is trained."""

import math

import numpy as np
import pytest
import torch

from emargin.errors import InputError
from emargin.methods import cpc as module
from emargin.methods.cpc import HORIZONS, cpc, released_cpc
from emargin.training import build, train


def array(shape, seed=0, dtype=torch.float64):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


BATCH = array((3, 10, 6), dtype=torch.float32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_sum(exponents):
    return max(exponents) + math.log(sum(math.exp(e - max(exponents)) for e in exponents))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("shape", "t"), [((1, 6, 3), [1]), ((2, 7, 4), [2, 1]), ((3, 8, 2), [3, 1, 2])])
def test_original_equals_its_definition(shape, t):
    (n, length, channels), horizons = shape, 4
    predicted, z = array((n, horizons, channels), 1), array(shape, 2)
    total, hits = 0.0, 0
    for b in range(n):
        for k in range(1, horizons + 1):
            p = predicted[b, k - 1].tolist()
            positive = dot(p, z[b, t[b] + k].tolist())
            negatives = [
                dot(p, z[i, s].tolist())
                for i in range(n)
                for s in range(length)
                if not (i == b and t[b] <= s <= t[b] + horizons)
            ]
            total += log_sum([positive, *negatives]) - positive
            hits += positive > max(negatives)
    value, accuracy = cpc(predicted, z, torch.tensor(t))
    assert value.item() == pytest.approx(total / (n * horizons), rel=1e-12)
    assert accuracy.item() == pytest.approx(hits / (n * horizons))


@pytest.mark.parametrize("length", [6, 9, 12])
def test_released_equals_its_definition(length):
    predicted, z, negatives = array((3, 4), 1), array((3, length, 4), 2), [0, length - 1, 0]
    total = 0.0
    for b in range(3):
        scores = [dot(predicted[b].tolist(), z[b, s].tolist()) for s in [*negatives, length // 2 + 1]]
        total += log_sum(scores) - scores[-1]
    value, _ = released_cpc(predicted, z, torch.tensor(negatives))
    assert value.item() == pytest.approx(total / 3, rel=1e-12)


def test_losses_have_correct_gradients():
    z = array((2, 7, 3), 2).requires_grad_()
    predicted = array((2, 4, 3), 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, z: cpc(p, z, torch.tensor([1, 2]))[0], (predicted, z))
    assert torch.autograd.gradcheck(lambda p, z: released_cpc(p[:, 0], z, torch.tensor([0, 6]))[0], (predicted, z))


@pytest.mark.parametrize(
    ("fidelity", "length", "candidates"),
    [("original", 10, 3 * 10 - HORIZONS), ("released", 119, 60), ("released", 10, 6)],
)
def test_without_a_prediction_the_loss_is_the_log_of_the_number_of_candidates(small, fidelity, length, candidates):
    method = build(small(method="cpc", fidelity=fidelity), 6).train()
    torch.nn.init.zeros_(method.prediction.weight)
    if fidelity == "released":
        torch.nn.init.zeros_(method.prediction.bias)
    value, _ = method.loss(array((3, length, 6), dtype=torch.float32), generator())
    assert value.item() == pytest.approx(math.log(candidates), rel=1e-5)
    assert length != 119 or value.item() == pytest.approx(4.0943, abs=1e-4)


def test_original_context_ends_at_t_and_released_context_holds_the_positive(small):
    later = BATCH.clone()
    later[:, 6:] += 1.0
    for fidelity in ("original", "released"):
        method = build(small(method="cpc", fidelity=fidelity), 6).eval()
        z, changed = method.encoder(BATCH), method.encoder(later)
        if fidelity == "original":
            t = torch.tensor([5, 3, 1])
            assert torch.equal(method.context(z, t), method.context(changed, t))
            assert not torch.equal(method.context(z, t + 1)[0], method.context(changed, t + 1)[0])
            one_by_one = torch.stack([method.gru(z[b : b + 1, : t[b] + 1])[1][0, 0] for b in range(3)])
            torch.testing.assert_close(method.context(z, t), one_by_one)
        else:  # the positive is frame 10 // 2 + 1 = 6
            assert not torch.allclose(method.released_context(z), method.released_context(changed))


def test_original_draws_every_t_that_has_a_past_and_a_future(small, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "cpc", lambda p, z, t: (drawn.extend(t.tolist()) or p.sum(), p.sum()))
    method, g = build(small(method="cpc", fidelity="original"), 6), generator()
    for _ in range(20):
        method.loss(BATCH[:, :8], g)
    assert set(drawn) == {1, 2, 3}  # T - 1 - K = 3


@pytest.mark.parametrize(("length", "pool"), [(6, {0}), (7, {0, 6}), (12, {0, 1, 2, 3, 9, 10, 11})])
def test_released_negatives_leave_out_the_centre_alone(length, pool):
    g = generator()
    drawn = [module._released_negatives(length, g) for _ in range(50)]
    assert {i for d in drawn for i in d.tolist()} == pool
    assert {len(d) for d in drawn} == {length // 2}


@pytest.mark.parametrize(
    ("fidelity", "trained", "frozen"),
    [("released", 50_176, 719_040), ("original", 50_176 + 616_320 + HORIZONS * 320 * 320, 0)],
)
def test_number_of_parameters(small, fidelity, trained, frozen):
    method = build(small(method="cpc", fidelity=fidelity), 156)
    assert sum(p.numel() for p in method.trained_parameters()) == trained
    assert sum(p.numel() for p in method.parameters()) == trained + frozen


@pytest.mark.parametrize(
    ("fidelity", "learning"), [("released", {"encoder"}), ("original", {"encoder", "gru", "prediction"})]
)
def test_what_learns(small, small_dataset, fidelity, learning):
    experiment = small(method="cpc", fidelity=fidelity, iterations=1)
    method = build(experiment, 6).train()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    method.loss(BATCH, generator())[0].backward()
    for name, p in method.named_parameters():
        if name.split(".")[0] not in learning:
            assert p.grad is None
        elif p.ndim > 1:
            assert p.grad.abs().max() > 0, name
    trained, _ = train(experiment, small_dataset, progress=False)
    changed = {name.split(".")[0] for name, p in trained.named_parameters() if not torch.equal(p, before[name])}
    assert changed == learning


@pytest.mark.parametrize("fidelity", ["released", "original"])
def test_five_steps_are_finite_and_repeat_bit_for_bit(small, small_dataset, fidelity):
    experiment = small(method="cpc", fidelity=fidelity, iterations=5)
    (one, curve), (two, again) = (train(experiment, small_dataset, progress=False) for _ in range(2))
    assert curve == again and math.isfinite(curve[-1]["loss"])
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("fidelity", ["released", "original"])
def test_shapes(small, fidelity):
    method = build(small(method="cpc", fidelity=fidelity), 6).train()
    for shape in ((1, 6), (1, 7), (2, 11)):
        assert torch.isfinite(method.loss(array((*shape, 6), dtype=torch.float32), generator())[0])
    for length in (1, 5):
        with pytest.raises(InputError, match=f"CPC.*found: {length} frames.*at least 6"):
            method.loss(BATCH[:, :length], generator())
    assert method.eval().encode(BATCH[:1, :1]).shape == (1, 1, 320)
