"""CoST: its losses and layers against slow loops, queue and momentum, and what learns in either fidelity."""

import cmath
import math

import numpy as np
import pytest
import torch

from emargin.encoders import FrameEncoder
from emargin.errors import InputError
from emargin.losses.hierarchical import instance_contrast
from emargin.methods.cost import FrequencyLayer, TrendSeason, augmented, frequency_losses, moco_loss
from emargin.training import build, train

BATCH = torch.randn(3, 10, 6, generator=torch.Generator().manual_seed(0))
FIDELITIES = ["released", "original"]


def tensor(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def test_moco_loss_equals_its_definition():
    query, key, queue = tensor((3, 4)), tensor((3, 4), 1), tensor((5, 4), 2)
    expected = 0.0
    for b in range(3):
        terms = [math.exp(sum(query[b, c].item() * row[c].item() for c in range(4)) / 0.5) for row in (key[b], *queue)]
        expected -= math.log(terms[0] / sum(terms)) / 3
    assert moco_loss(query, key, queue, 0.5).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda *x: moco_loss(*x, 0.5), (query, key, queue))


def test_moco_loss_of_a_found_key_and_an_empty_queue():
    query = torch.nn.functional.normalize(tensor((8, 160)).detach(), dim=1)
    value = moco_loss(query, query, torch.zeros(256, 160).double()).item()
    assert value == pytest.approx(math.log(1 + 256 * math.exp(-1 / 0.07)), rel=1e-9)
    assert value == pytest.approx(1.5995e-4, rel=1e-4)


@pytest.mark.parametrize("shape", [(3, 7, 2), (2, 9, 3)])  # at frequency T / 2 round-off decides the phase's sign
def test_frequency_losses_equal_their_definition(shape):
    n, frames, channels = shape
    views = [tensor(shape, seed).detach() for seed in (0, 1)]
    amplitudes, phases = (torch.zeros(2, n, frames // 2 + 1, channels).double() for _ in range(2))
    for v, view in enumerate(views):
        for b in range(n):
            norms = [math.sqrt(sum(view[b, t, c].item() ** 2 for c in range(channels))) for t in range(frames)]
            for f in range(frames // 2 + 1):
                for c in range(channels):
                    z = sum(
                        view[b, t, c].item() / norms[t] * cmath.exp(-2j * math.pi * f * t / frames)
                        for t in range(frames)
                    )
                    amplitudes[v, b, f, c] = math.hypot(z.real + 1e-6, z.imag + 1e-6)
                    phases[v, b, f, c] = math.atan2(z.imag, z.real + 1e-6)
    amplitude, phase = frequency_losses(*views)
    assert amplitude.item() == pytest.approx(instance_contrast(*amplitudes).item(), rel=1e-9)
    assert phase.item() == pytest.approx(instance_contrast(*phases).item(), rel=1e-9)


def test_equal_views_are_nearer_than_independent_ones():
    view, other = (tensor((4, 9, 160), seed).detach() for seed in (0, 1))
    for same, independent in zip(frequency_losses(view, view), frequency_losses(view, other), strict=True):
        assert same < independent


@pytest.mark.parametrize("frames", [1, 7, 8])
def test_frequency_layer_maps_every_frequency_by_itself(frames):
    layer = FrequencyLayer(3, 2, frames).double()
    assert layer.weight.shape == (frames // 2 + 1, 3, 2, 2)
    x = tensor((2, frames, 3)).detach()
    spectrum = np.fft.rfft(x.numpy(), axis=1)
    weight, bias = (torch.view_as_complex(p.detach()).numpy() for p in (layer.weight, layer.bias))
    mapped = np.stack([spectrum[:, f] @ weight[f] + bias[f] for f in range(frames // 2 + 1)], axis=1)
    np.testing.assert_allclose(layer(x).detach(), np.fft.irfft(mapped, n=frames, axis=1), rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module")
def layers():
    torch.manual_seed(0)
    return TrendSeason(FrameEncoder(6), 6, 10, released=False).double()


def test_trend_is_the_average_of_causal_convolutions(layers):
    hidden = tensor((2, 10, 320)).detach()
    assert [layer.kernel_size[0] for layer in layers.trends] == [1, 2, 4, 8]
    expected = (
        sum(
            torch.nn.functional.pad(hidden.mT, (k - 1, 0)).unfold(2, k, 1).permute(0, 2, 1, 3).flatten(2)
            @ layer.weight.flatten(1).T
            + layer.bias
            for k, layer in zip((1, 2, 4, 8), layers.trends, strict=True)
        )
        / 4
    )
    for at in range(10):
        torch.testing.assert_close(layers.trend(hidden, at), expected[:, at])


def test_trend_does_not_see_the_future(layers):
    hidden = tensor((2, 10, 320)).detach()
    changed = hidden.clone()
    changed[:, 6:] = 7.0
    assert torch.equal(layers.trend(hidden, 5), layers.trend(changed, 5))
    assert not torch.equal(layers.trend(hidden, 6), layers.trend(changed, 6))


def test_augmentation_of_the_original_differs_between_sequences_and_of_the_released_does_not():
    x = torch.ones(200, 1, 3)
    alone = augmented(x, draws())
    assert (alone == 1).all(-1).float().mean().item() == pytest.approx(1 / 8, abs=0.07)  # three coins
    assert len(alone[:, 0, 0].unique()) > 100
    unchanged = [(augmented(0 * x[:4], draws(seed), shared=True) == 0).all().item() for seed in range(200)]
    assert np.mean(unchanged) == pytest.approx(0.25, abs=0.08)  # scaling leaves zero alone
    scaled = next(
        y
        for y in (augmented(x[:4], draws(seed), shared=True) for seed in range(50))
        if not torch.equal(y, x[:4]) and (y == y[:1]).all()
    )
    assert len(scaled[0, 0].unique()) == 3


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_views(small, fidelity):
    method = build(small(method="cost", fidelity=fidelity), 6)
    pairs = [method.views(BATCH, draws(seed)) for seed in range(4)]
    assert [torch.equal(one, BATCH) for one, _ in pairs] == [fidelity == "released"] * 4
    assert not all(torch.equal(two, BATCH) for _, two in pairs)


def test_keys_follow_queries_and_the_queue_wraps(small):
    method, generator = build(small(method="cost", fidelity="original"), 6).train(), draws()
    for parameter in method.trained_parameters():
        torch.nn.init.normal_(parameter)
    before = [p.clone() for p in (*method.key_encoder.parameters(), *method.key_head.parameters())]
    method.loss(BATCH, generator)
    method.after_step()
    queries = (*method.encoder.parameters(), *method.head.parameters())
    for old, query, new in zip(
        before, queries, (*method.key_encoder.parameters(), *method.key_head.parameters()), strict=True
    ):
        torch.testing.assert_close(new, 0.999 * old + 0.001 * query)
        assert not new.requires_grad
    assert method.pointer == 3
    torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(256))

    method.pointer.fill_(254)
    full = method.queue.clone()
    method.loss(BATCH, generator)
    method.after_step()
    assert method.pointer == 1
    assert torch.equal(method.queue[[254, 255, 0]], method.keys)
    assert torch.equal(method.queue[1:254], full[1:254])


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_the_loss_is_time_plus_half_alpha_of_the_frequencies(small, fidelity):
    value, parts = build(small(method="cost", fidelity=fidelity), 6).train().loss(BATCH, draws())
    alpha = {"released": 0.05, "original": 5e-4}[fidelity]
    assert value.item() == pytest.approx((parts["time"] + alpha / 2 * (parts["amplitude"] + parts["phase"])).item())


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_frequencies_of_the_query_view_meet_those_of_the_key_view(small, fidelity):
    method = build(small(method="cost", fidelity=fidelity), 6).train()
    method.encoder.season[1].p = 0.0
    _, parts = method.loss(BATCH, draws(2))
    seasons = [method.encoder.season(method.encoder(view)) for view in method.views(BATCH, draws(2))]
    for part, expected in zip(("amplitude", "phase"), frequency_losses(*seasons), strict=True):
        assert parts[part].item() == pytest.approx(expected.item(), rel=1e-4)


def test_released_encoder_is_its_own_copy_and_takes_no_gradient(small):
    method = build(small(method="cost", sequence_length=119), 156)
    assert method.key_encoder is method.encoder
    tensors = list(method.encoder.parameters())
    assert len(tensors) == 32 and not any(p.requires_grad for p in tensors)
    assert [layer.kernel_size[0] for layer in method.encoder.trends] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert method.encoder.season[0].weight.shape == (60, 320, 160, 2)
    assert sum(p.numel() for p in method.encoder.input.parameters()) == 24_492
    assert sum(p.numel() for p in method.trained_parameters()) == 51_520


def test_original_parameter_count(small):
    method = build(small(method="cost", fidelity="original"), 156)
    trend, season = 51_200 * (1 + 2 + 4 + 8) + 4 * 160, 2 * 6 * (51_200 + 160)
    trained = [p for p in method.trained_parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == 50_176 + trend + season + 51_520


def test_the_released_embedding_is_the_frame_encoder_on_raw_input(small):
    method = build(small(method="cost"), 6).eval()
    assert torch.equal(method.encode(BATCH), method.encoder.backbone(BATCH))
    assert not torch.equal(method.encode(BATCH), method.encoder(BATCH))
    assert method.encode(BATCH[:, :1]).shape == (3, 1, 320)


def test_the_original_embedding_is_trend_and_season_of_every_frame(small):
    method = build(small(method="cost", fidelity="original"), 6).eval()
    hidden = method.encoder(BATCH)
    embedding = method.encode(BATCH)
    for at in range(BATCH.shape[1]):
        torch.testing.assert_close(embedding[:, at, :160], method.encoder.trend(hidden, at))
    assert torch.equal(embedding[..., 160:], method.encoder.season(hidden))
    assert torch.equal(embedding, method.encode(BATCH))  # no dropout
    with pytest.raises(InputError, match="CoST.*1 frames.*6 frequencies"):
        method.encode(BATCH[:, :1])


def test_the_layer_over_frequencies_starts_as_in_the_code_of_the_method(small):
    """The bound counts inputs and outputs in `original`, inputs alone in `released`, where nothing reads the layer."""
    bounds = {"released": 320**-0.5, "original": (320 * 160) ** -0.5}
    for fidelity, bound in bounds.items():
        layer = build(small(method="cost", fidelity=fidelity), 6).encoder.season[0]
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
        assert layer.bias.abs().max().item() == pytest.approx(bound, rel=0.05)
        if fidelity == "original":
            key = build(small(method="cost", fidelity=fidelity), 6).key_encoder.season[0]
            assert torch.equal(key.weight, layer.weight)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_what_learns_in_one_step(small, small_dataset, fidelity):
    experiment = small(method="cost", fidelity=fidelity, iterations=1, weight_decay=0.0)
    method = build(experiment, 6).train()
    method.loss(BATCH, draws())[0].backward()
    before = build(experiment, 6)
    after, _ = train(experiment, small_dataset, progress=False)
    after_values = dict(after.named_parameters())
    learning = ("head.",) if fidelity == "released" else ("head.", "encoder.")
    for (name, parameter), old in zip(method.named_parameters(), before.parameters(), strict=True):
        learns = name.startswith(learning)
        assert parameter.requires_grad == learns, name
        if name.startswith("encoder.backbone.blocks.") and name.endswith("bias") and name.split(".")[-2] in "036":
            continue  # a bias before BatchNorm is subtracted again: its gradient is round-off
        assert (parameter.grad is not None and bool(parameter.grad.any())) == learns, name
        if not name.startswith("key_"):
            assert torch.equal(old, after_values[name]) != learns, name
    statistics = after.encoder.backbone.blocks[1].running_mean
    assert not torch.equal(statistics, before.encoder.backbone.blocks[1].running_mean)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_same_seed_same_bits_and_finite(small, small_dataset, fidelity):
    experiment = small(method="cost", fidelity=fidelity, iterations=5)
    (one, curve), (two, again) = (train(experiment, small_dataset, progress=False) for _ in range(2))
    assert curve == again
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]) and torch.isfinite(value).all(), name
    assert one.pointer == 15


@pytest.mark.parametrize("shape", [(1, 10), (2, 1), (2, 9)])
def test_one_sequence_one_frame_and_odd_lengths_are_enough(small, shape):
    n, frames = shape
    method = build(small(method="cost", fidelity="original", sequence_length=frames), 6).train()
    value, _ = method.loss(BATCH[:n, :frames], draws())
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.requires_grad)


def test_other_lengths_and_batches_beyond_the_queue_are_refused(small):
    method = build(small(method="cost", fidelity="original"), 6)
    with pytest.raises(InputError, match="CoST.*9 frames.*sequence_length = 10"):
        method.loss(BATCH[:, :9], draws())
    with pytest.raises(InputError, match="CoST.*257.*at most 256"):
        method.loss(torch.zeros(257, 10, 6), draws())
    with pytest.raises(InputError, match="CoST.*300.*at most 256"):
        build(small(method="cost", batch_size=300), 6)
