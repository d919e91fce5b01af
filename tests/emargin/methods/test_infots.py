"""InfoTS: its two losses against slow loops and the released code, its mixture, and what learns in either fidelity."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.encoders import DilatedEncoder, MaskedEncoder
from emargin.errors import InputError
from emargin.methods import infots
from emargin.methods.infots import ORIGINAL_POOL, POOL, LearnedMixture, Mixture, global_loss, local_loss
from emargin.training import build, train

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
BATCH = torch.randn(3, 19, 6, generator=torch.Generator().manual_seed(0))
FIDELITIES = ["released", "original"]


def tensor(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "case",
    [case for case in GOLDEN if case["loss"].startswith("InfoTS global")],
    ids=lambda case: f"seed {case['seed_view1']}",
)
def test_global_loss_has_the_value_of_the_released_code(case):
    views = [tensor(case["shape"], case[f"seed_view{i}"]) for i in (1, 2)]
    value = global_loss(*views)
    value.backward()
    assert value.item() == pytest.approx(case["value"], rel=1e-9)
    for view, norm in zip(views, case["grad_norm"], strict=True):
        assert view.grad.norm().item() == pytest.approx(norm, rel=1e-9)


def slow_local(view, k):
    n, frames, channels = view.shape
    length, total = frames // k, []
    for b in range(n):
        s = [[max(view[b, i * length + t, c] for t in range(length)) for c in range(channels)] for i in range(k)]
        for i in range(k):
            positive = i + 1 if i < k - 1 else k - 2
            away = {i - 1, i, i + 1} | ({2} if i == 0 else set()) | ({k - 3} if i == k - 1 else set())
            negatives = [j for j in range(k) if j not in away]
            assert len(negatives) == k - 3
            dots = {j: sum(x * y for x, y in zip(s[i], s[j], strict=True)) for j in (positive, *negatives)}
            total.append(-dots[positive] + math.log(sum(math.exp(dot) for dot in dots.values())))
    return sum(total) / len(total)


@pytest.mark.parametrize(("shape", "k"), [((1, 8, 3), 8), ((3, 16, 2), 8), ((2, 15, 4), 5)])
def test_local_loss_equals_its_definition(shape, k):
    view = tensor(shape)
    assert local_loss(view, k).item() == pytest.approx(slow_local(view.detach().numpy(), k), rel=1e-12)


def test_gradients():
    assert torch.autograd.gradcheck(local_loss, tensor((2, 16, 3)))
    assert torch.autograd.gradcheck(global_loss, (tensor((3, 4, 2)), tensor((3, 4, 2), seed=1)))


def test_losses_of_constant_features():
    ones = torch.ones(8, 16, 3).double()
    assert global_loss(ones, ones).item() == pytest.approx(math.log(15), abs=1e-12)
    assert global_loss(ones, ones).item() == pytest.approx(2.708050, abs=1e-6)
    assert local_loss(ones).item() == pytest.approx(math.log(6), abs=1e-12)
    assert local_loss(ones).item() == pytest.approx(1.791759, abs=1e-6)
    assert global_loss(ones[:1], ones[:1]).item() == 0


@pytest.mark.parametrize("augment", POOL + ORIGINAL_POOL[1:2] + ORIGINAL_POOL[5:])
def test_every_augmentation_keeps_the_shape_and_changes_something(augment):
    changed = augment(BATCH, draws())
    assert changed.shape == BATCH.shape and not torch.equal(changed, BATCH)


@pytest.mark.parametrize(("kind", "pool"), [(Mixture, POOL), (LearnedMixture, ORIGINAL_POOL)])
def test_mixture_is_the_weighted_sum_of_seven(kind, pool):
    mixture, generator = kind(), draws()
    weights = mixture.weights(generator)
    expected = torch.zeros_like(BATCH)
    for weight, augment in zip(weights, pool, strict=True):
        expected += weight * augment(BATCH, generator)
    torch.testing.assert_close(mixture(BATCH, draws()), expected)
    assert len(weights) == 7 and weights.sum().item() == pytest.approx(1, abs=1e-6)


def test_weights_are_the_softmax_of_logistic_noise_and_logits():
    mixture = Mixture()
    torch.nn.init.constant_(mixture.logits, 0)
    mixture.logits.data[2] = 3.0
    epsilon = 1e-4 + (1 - 2e-4) * torch.rand(7, generator=draws())
    odds = epsilon / (1 - epsilon) * mixture.logits.detach().exp()
    torch.testing.assert_close(mixture.weights(draws()).detach(), odds / odds.sum())


def test_mixture_starts_near_even():
    torch.manual_seed(0)
    logits = torch.stack([Mixture().logits.detach() for _ in range(100)])
    assert logits.std().item() == pytest.approx(0.01, rel=0.1)


def seen_views(monkeypatch, method, steps=1):
    """What the encoder is given for view 1 and view 2: frames and masks."""
    seen, encoder = [], method.encoder.forward
    monkeypatch.setattr(method.encoder, "forward", lambda x, mask=None: seen.append((x, mask)) or encoder(x, mask))
    for seed in range(steps):
        method.loss(BATCH, draws(seed))
    return seen[::2], seen[1::2]


def test_view_one_is_augmented_in_a_fifth_of_steps_and_view_two_never(monkeypatch, small):
    method = build(small(method="infots", fidelity="original"), 6).train()
    one, two = seen_views(monkeypatch, method, steps=80)
    assert np.mean([not torch.equal(x, BATCH) for x, _ in one]) == pytest.approx(0.2, abs=0.09)
    assert all(torch.equal(x, BATCH) for x, _ in two)
    assert all(not torch.equal(a, b) for (_, a), (_, b) in zip(one, two, strict=True))  # masks of their own


def test_without_augmentation_both_views_are_the_batch(monkeypatch, small):
    monkeypatch.setattr(infots, "AUGMENTED", 0.0)
    one, two = seen_views(monkeypatch, build(small(method="infots"), 6).train(), steps=5)
    assert all(torch.equal(x, BATCH) for x, _ in one + two)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_the_loss_is_global_plus_local_on_the_views(monkeypatch, small, fidelity):
    method = build(small(method="infots", fidelity=fidelity), 6).eval()  # no dropout
    outputs, encoder = [], method.encoder.forward

    def keep(*inputs):
        outputs.append(encoder(*inputs))
        return outputs[-1]

    monkeypatch.setattr(method.encoder, "forward", keep)
    value, measured = method.loss(BATCH, draws(2))
    one, two = (view.double() for view in outputs)
    counted = one[:1] if fidelity == "released" else one
    spans = [local_loss(counted[:, start : start + 16]).item() for start in range(4)]  # 19 = 8 * 2 + 3
    assert measured["global"].item() == pytest.approx(global_loss(one, two).item(), rel=1e-5)
    assert any(measured["local"].item() == pytest.approx(span, rel=1e-5) for span in spans)
    assert value.item() == pytest.approx((measured["global"] + measured["local"]).item(), rel=1e-6)


@pytest.mark.parametrize(("fidelity", "independent"), [("released", True), ("original", False)])
def test_local_loss_of_the_released_code_ignores_all_but_the_first_sequence(monkeypatch, small, fidelity, independent):
    monkeypatch.setattr(infots, "AUGMENTED", 0.0)
    method = build(small(method="infots", fidelity=fidelity), 6).eval()
    others = BATCH.clone()
    others[1:] = 7.0
    one, two = (method.loss(x, draws())[1]["local"].item() for x in (BATCH, others))
    assert (one == pytest.approx(two, rel=1e-6)) == independent


def test_encoders_and_parameter_counts(small):
    released, original = (build(small(method="infots", fidelity=f), 156) for f in FIDELITIES)
    assert isinstance(released.encoder, DilatedEncoder) and isinstance(original.encoder, MaskedEncoder)
    assert sum(p.numel() for p in released.trained_parameters()) == 647_168
    assert sum(p.numel() for p in original.trained_parameters()) == 48_448
    assert sum(p.numel() for p in original.meta.parameters()) == 320 * 3 + 3


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_what_learns_in_one_step(small, small_dataset, fidelity):
    experiment = small(method="infots", fidelity=fidelity, iterations=1, weight_decay=0.0)
    method = build(experiment, 6).train()
    method.loss(BATCH, draws())[0].backward()
    before = dict(build(experiment, 6).named_parameters())
    after, _ = train(experiment, small_dataset, progress=False)
    for name, parameter in method.named_parameters():
        learns = name.startswith("encoder.")
        if name.startswith("encoder.frames.blocks.") and name.endswith("bias") and name.split(".")[-2] in "036":
            continue  # a bias before BatchNorm is subtracted again: its gradient is round-off
        assert (parameter.grad is not None and bool(parameter.grad.any())) == learns, name
        changes = learns or name.startswith("average.")
        assert torch.equal(before[name], dict(after.named_parameters())[name]) != changes, name


def test_mixture_learns_in_every_second_step_of_the_original_alone(monkeypatch, small):
    monkeypatch.setattr(infots, "AUGMENTED", 1.0)
    method = build(small(method="infots", fidelity="original"), 6).train()
    generator, logits, classifier = draws(), [], []
    for _ in range(4):
        method.loss(BATCH, generator)
        encoder = [p.detach().clone() for p in method.encoder.parameters()]
        method.after_step()
        logits.append(method.mixture.logits.detach().clone())
        classifier.append(method.meta.classify.weight.detach().clone())
        for weight, kept in zip(method.encoder.parameters(), encoder, strict=True):
            assert torch.equal(weight, kept) and weight.grad is None
    for values in (logits, classifier):
        assert torch.equal(values[1], values[2])
        assert not torch.equal(values[0], values[1]) and not torch.equal(values[2], values[3])
    assert (logits[1] - logits[0]).abs().max().item() == pytest.approx(1e-2, rel=0.05)  # AdamW's first step, rate 1e-2
    assert (classifier[1] - classifier[0]).abs().max().item() == pytest.approx(1e-2, rel=0.05)

    released = build(small(method="infots"), 6).train()
    start = released.mixture.logits.clone()
    for _ in range(2):
        released.loss(BATCH, generator)
        released.after_step()
    assert torch.equal(released.mixture.logits, start) and not released.mixture.logits.requires_grad
    assert not hasattr(released, "meta")


def test_a_meta_step_mixes_in_a_fifth_of_cases_and_else_leaves_the_mixture_alone(small):
    method, mixed = build(small(method="infots", fidelity="original"), 6).train(), 0
    method.meta.steps = 1
    for seed in range(80):
        logits, classifier = method.mixture.logits.clone(), method.meta.classify.weight.clone()
        method.meta.step(BATCH, draws(seed), method.mixture, method.encoder)
        method.meta.steps = 1
        mixed += not torch.equal(method.mixture.logits, logits)
        assert not torch.equal(method.meta.classify.weight, classifier)
    assert mixed / 80 == pytest.approx(0.2, abs=0.09)


def test_a_meta_step_sees_the_encoder_in_evaluation_mode(monkeypatch, small):
    method, seen = build(small(method="infots", fidelity="original"), 6).train(), []
    forward = method.encoder.forward

    def noted(*inputs):
        seen.append((method.encoder.training, len(inputs)))
        return forward(*inputs)

    monkeypatch.setattr(method.encoder, "forward", noted)
    method.meta.steps, before = 1, {name: value.clone() for name, value in method.encoder.state_dict().items()}
    method.meta.step(BATCH, draws(), method.mixture, method.encoder)
    assert seen == [(False, 1)] * 2  # neither dropout nor a mask
    assert method.encoder.training
    assert all(torch.equal(value, before[name]) for name, value in method.encoder.state_dict().items())


def test_the_original_is_the_mean_of_all_iterates_and_the_released_the_last(small):
    for fidelity in FIDELITIES:
        method = build(small(method="infots", fidelity=fidelity, iterations=3), 6).train()
        weight = next(method.encoder.parameters())
        start = weight.detach().clone()
        for step in range(1, 4):
            method.loss(BATCH, draws(step))
            with torch.no_grad():
                weight.copy_(start + step)
            method.after_step()
            wanted = step if fidelity == "released" or step < 3 else (0 + 1 + 2 + 3) / 4
            torch.testing.assert_close(weight.detach(), start + wanted)


def test_the_statistics_of_the_mean_are_collected_under_the_mean(small, small_dataset):
    method, _ = train(small(method="infots", fidelity="original", iterations=5), small_dataset, progress=False)
    for name, value in method.average.module.state_dict().items():
        assert torch.equal(value, method.encoder.state_dict()[name]), name
    assert method.encoder.frames.blocks[1].num_batches_tracked == 5  # one a step, not one a view


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_same_seed_same_bits_and_finite(small, small_dataset, fidelity):
    experiment = small(method="infots", fidelity=fidelity, iterations=5)
    (one, curve), (two, again) = (train(experiment, small_dataset, progress=False) for _ in range(2))
    assert curve == again
    for (name, value), other in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.equal(value, other) and torch.isfinite(value).all(), name
    assert one.encode(BATCH).shape == (3, 19, 320)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_one_sequence_is_enough_and_has_no_global_loss(small, fidelity):
    method = build(small(method="infots", fidelity=fidelity), 6).train()
    value, measured = method.loss(BATCH[:1, :9], draws())
    value.backward()
    method.after_step()
    assert measured["global"] == 0 and torch.isfinite(value)


@pytest.mark.parametrize("frames", [1, 7])
def test_sequences_shorter_than_eight_segments_are_refused(small, frames):
    with pytest.raises(InputError, match=f"InfoTS.*{frames} frames.*at least 8"):
        build(small(method="infots"), 6).loss(BATCH[:, :frames], draws())


def test_long_sequences_are_cropped(monkeypatch, small):
    monkeypatch.setitem(infots.LONGEST, "original", 9)
    one, two = seen_views(monkeypatch, build(small(method="infots", fidelity="original"), 6).train(), steps=30)
    starts = set()
    for x, _ in two:
        starts |= {start for start in range(11) if torch.equal(x, BATCH[:, start : start + 9])}
    assert {0, 10} <= starts and len(starts) > 5
