"""TimeDRL: its patches, its two losses, what the two fidelities embed and train."""

import math

import numpy as np
import pytest
import torch

from emargin.config import Experiment
from emargin.errors import InputError
from emargin.methods.timedrl import (
    TimeDRL,
    bins_of,
    contrastive_loss,
    normalised,
    normalised_channels,
    patches,
    positions,
)
from emargin.resolve import resolve
from emargin.training import build, train

FIDELITIES = ["released", "original"]


def array(shape, seed=0, dtype=torch.float32):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


BATCH = array((3, 10, 6))


def method_for(small, fidelity):
    return build(small(method="timedrl", fidelity=fidelity), 6)


def test_patches_go_feature_by_feature():
    ramp = torch.arange(18.0).reshape(1, 6, 3)
    found = patches(ramp, length=4, padding=2)
    assert found.shape == (1, 5, 12)
    assert found[0, 0].tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    assert found[0, 4].tolist() == [12, 15, 15, 15, 13, 16, 16, 16, 14, 17, 17, 17]


@pytest.mark.parametrize(
    ("fidelity", "length", "tokens"),
    [("released", 119, 118), ("released", 2, 1), ("original", 119, 119), ("original", 2, 2)],
)
def test_number_of_tokens(small, fidelity, length, tokens):
    instance, embedded = method_for(small, fidelity).eval().embed(array((2, length, 6)))
    assert instance.shape == (2, 320)
    assert embedded.shape == (2, tokens, 320)


def test_normalisation_equals_its_definition():
    x = array((2, 5, 3), dtype=torch.float64) * 4 + 2
    found = normalised(x)
    for b in range(2):
        for d in range(3):
            values = x[b, :, d].tolist()
            mean = sum(values) / 5
            deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 5 + 1e-5)
            assert found[b, :, d].tolist() == pytest.approx([(v - mean) / deviation for v in values], rel=1e-12)
    assert (normalised(torch.ones(1, 4, 2)) == 0).all()


def test_a_channel_of_the_original_has_one_mean_and_one_spread():
    x = array((2, 5, 6), dtype=torch.float64) * 4 + 2
    found = normalised_channels(x, 3)
    for b in range(2):
        for bins in (slice(0, 3), slice(3, 6)):  # a channel's bins lie side by side
            values = x[b, :, bins]
            deviation = math.sqrt(((values - values.mean()) ** 2).mean().item() + 1e-5)
            torch.testing.assert_close(found[b, :, bins], (values - values.mean()) / deviation)
    torch.testing.assert_close(normalised_channels(x, 1), normalised(x))


def test_the_shape_of_a_spectrum_is_kept_and_the_level_of_a_channel_is_not():
    x = array((1, 8, 6), dtype=torch.float64) + torch.tensor([9.0, 1, 1, 1, 1, 9])  # a low and a high tone
    louder = x * torch.tensor([5.0] * 3 + [1] * 3)
    tones = normalised_channels(x, 3).mean(1)[0]
    assert tones[0] > 1 > tones[1:3].max() and tones[5] > 1 > tones[3:5].max()
    torch.testing.assert_close(normalised_channels(louder, 3), normalised_channels(x, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("dataset", "features", "bins"),
    [("harth-sim", 156, 26), ("sleepedf-features", 75, 1), ("sleepeeg-paper-sim", 178, 178), ("harth-sim", 6, 6)],
)
def test_features_of_a_channel(dataset, features, bins):
    assert bins_of(resolve(Experiment(dataset=dataset)), features) == bins


@pytest.mark.parametrize("width", [4, 7])
def test_positions_equal_their_definition(width):
    found = positions(6, width)
    assert found.shape == (6, width)
    for t in range(6):
        for j in range(width):
            angle = t / 10000 ** ((j - j % 2) / width)
            assert found[t, j].item() == pytest.approx(math.cos(angle) if j % 2 else math.sin(angle), abs=1e-6)


def test_contrastive_loss_equals_its_definition():
    i_1, i_2, p_1, p_2 = (array((4, 5), seed, torch.float64) for seed in range(4))

    def cosine(a, b):
        norms = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
        return sum(x * y for x, y in zip(a, b, strict=True)) / norms

    expected = (
        -sum(cosine(i_1[b].tolist(), p_2[b].tolist()) + cosine(i_2[b].tolist(), p_1[b].tolist()) for b in range(4)) / 8
    )
    assert contrastive_loss(i_1, i_2, p_1, p_2).item() == pytest.approx(expected, rel=1e-12)
    assert contrastive_loss(i_1, i_1, i_1, i_1).item() == pytest.approx(-1)


def test_contrastive_loss_sends_no_gradient_into_its_targets():
    i_1, i_2, p_1, p_2 = (array((4, 5), seed, torch.float64).requires_grad_() for seed in range(4))
    contrastive_loss(i_1, i_2, p_1, p_2).backward()
    assert i_1.grad is None and i_2.grad is None
    assert p_1.grad.norm() > 0 and p_2.grad.norm() > 0


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_the_two_passes_have_dropout_of_their_own(small, fidelity, monkeypatch):
    passes, method = [], method_for(small, fidelity).train()
    monkeypatch.setattr(method.encoder, "forward", lambda tokens: passes.append(tokens) or tokens.new_ones(3, 10, 320))
    method.loss(BATCH, None)
    one, two = passes
    kept = (one != 0) & (two != 0)
    assert torch.equal(one[kept], two[kept])
    assert ((one == 0) != (two == 0)).any()


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_loss_is_the_error_on_raw_patches_and_a_tenth_of_the_contrast(small, fidelity):
    method, batch = method_for(small, fidelity).eval(), 3 * BATCH + 1
    value, measured = method.loss(batch, torch.Generator())
    instance, tokens = method.embed(batch)
    length, padding = {"released": (10, 8), "original": (16, 15)}[fidelity]
    padded = torch.cat([batch, *[batch[:, -1:]] * padding], 1)
    raw = torch.stack([padded[:, t : t + length].mT.flatten(1) for t in range(10 + padding - length + 1)], 1)
    predictive = ((method.to_frames(tokens) - raw) ** 2).mean()
    predicted = method.predictor(instance)
    contrastive = -torch.nn.functional.cosine_similarity(instance, predicted).mean()
    assert measured["predictive"].item() == pytest.approx(predictive.item(), rel=1e-5)
    assert measured["contrastive"].item() == pytest.approx(contrastive.item(), rel=1e-5)
    assert value.item() == pytest.approx((predictive + 0.1 * contrastive).item(), rel=1e-5)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_two_passes_differ_by_dropout_alone(small, fidelity):
    method = method_for(small, fidelity).train()
    assert not torch.equal(method.embed(BATCH)[1], method.embed(BATCH)[1])
    rates = {layer.p for layer in method.modules() if isinstance(layer, torch.nn.Dropout)}
    assert rates == {0.2 if fidelity == "released" else 0.1}
    method.eval()
    assert torch.equal(method.embed(BATCH)[1], method.embed(BATCH)[1])


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_only_the_original_instance_embedding_knows_the_series(small, fidelity):
    instance, tokens = method_for(small, fidelity).eval().embed(BATCH)
    assert not torch.allclose(tokens[0], tokens[1])
    assert torch.equal(instance[0], instance[1]) == (fidelity == "released")
    if fidelity == "original":
        torch.testing.assert_close(instance, tokens.mean(1))


def test_released_evaluates_the_encoder_on_raw_frames_and_original_on_tokens(small):
    released, original = (method_for(small, fidelity).eval() for fidelity in FIDELITIES)
    assert torch.equal(released.encode(BATCH), released.encoder(BATCH))
    tokens = original.to_tokens(patches(normalised_channels(BATCH, original.bins), 16, 15)) + positions(10, 6)
    assert torch.equal(original.encode(BATCH), original.encoder(tokens))
    torch.testing.assert_close(original.encode(2 * BATCH + 5), original.encode(BATCH), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("fidelity", "features", "parameters"),
    [
        ("released", 156, 846_330),
        ("released", 90, 441_783),
        ("released", 1502, 28_102_157),
        ("original", 156, 16 * 156 * 156 + 50_176 + 321 * 16 * 156 + 321 * 160 + 320 + 161 * 320),
    ],
)
def test_number_of_parameters(small, fidelity, features, parameters):
    with torch.device("meta"):
        method = TimeDRL(small(method="timedrl", fidelity=fidelity), features)
    assert sum(p.numel() for p in method.trained_parameters()) == parameters


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_everything_learns(small, small_dataset, fidelity):
    experiment = small(method="timedrl", fidelity=fidelity, iterations=1)
    method = build(experiment, 6).train()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    method.loss(BATCH, torch.Generator())[0].backward()
    for name, p in method.named_parameters():
        assert p.ndim == 1 or p.grad.abs().max() > 0, name
    trained, _ = train(experiment, small_dataset, progress=False)
    unchanged = [name for name, p in trained.named_parameters() if torch.equal(p, before[name])]
    assert unchanged == []


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_five_steps_are_finite_and_repeat_bit_for_bit(small, small_dataset, fidelity):
    experiment = small(method="timedrl", fidelity=fidelity, iterations=5)
    (one, curve), (two, again) = (train(experiment, small_dataset, progress=False) for _ in range(2))
    assert curve == again and math.isfinite(curve[-1]["loss"])
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_shapes(small, fidelity):
    method = method_for(small, fidelity).train()
    for length in (2, 7):
        assert torch.isfinite(method.loss(BATCH[:2, :length], torch.Generator())[0])
    with pytest.raises(InputError, match="TimeDRL.*found: 1 sequence.*at least 2"):
        method.loss(BATCH[:1], torch.Generator())
    if fidelity == "released":
        with pytest.raises(InputError, match="TimeDRL.*found: 1 frame.*at least 2"):
            method.loss(BATCH[:, :1], torch.Generator())
    method.eval()
    assert method.encode(BATCH[:1, :1]).shape == (1, 1, 320)
    if fidelity == "original":
        method.bins = 1
        with pytest.raises(InputError, match="one frame alone becomes zero"):
            method.encode(BATCH[:1, :1])
