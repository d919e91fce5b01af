"""SoftCLT: soft weights and what they are made of."""

import math

import numpy as np
import pytest
import torch

from emargin.augmentations.crops import overlapping_crops
from emargin.encoders import frame_mask
from emargin.errors import InputError
from emargin.losses.hierarchical import hierarchical
from emargin.methods.softclt import instance_weights, temporal_weights, time_warp_distances
from emargin.training import build, train

FIDELITIES = pytest.mark.parametrize("fidelity", ["released", "original"])
BATCH = torch.randn(4, 11, 6, generator=torch.Generator().manual_seed(0))
BEFORE_BATCHNORM = ("blocks.0.bias", "blocks.3.bias", "blocks.6.bias")  # subtracted again: the gradient is round-off


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_time_warp(x, y):
    n = len(x)
    total = [[math.inf] * (n + 1) for _ in range(n + 1)]
    total[0][0] = 0.0
    for i in range(n):
        for j in range(n):
            cost = sum((a - b) ** 2 for a, b in zip(x[i], y[j], strict=True))
            total[i + 1][j + 1] = cost + min(total[i][j + 1], total[i][j], total[i + 1][j])
    return math.sqrt(total[n][n])


def test_temporal_weights():
    assert temporal_weights(5, 0, 2.0)[0].tolist() == pytest.approx([1, 0.2384, 0.0360, 0.0049, 0.0007], abs=5e-5)
    assert torch.equal(temporal_weights(4, 1, 2.0), temporal_weights(4, 0, 4.0))  # doubled from level to level
    assert temporal_weights(4)[1].tolist() == pytest.approx([2 / (1 + math.e**lag) for lag in (1, 0, 1, 2)])
    tail = temporal_weights(30)[0]
    assert (tail[tail > 0] >= 1e-6).all() and (tail[15:] == 0).all() and tail[13] > 0


def test_limits_of_temporal_weights():
    assert torch.equal(temporal_weights(4, 0, 1e9), torch.eye(4).double())
    assert torch.equal(temporal_weights(4, 0, 0.0), torch.ones(4, 4).double())


def test_instance_weights():
    distances = torch.tensor([[0.0, 2.0, 4.0], [2.0, 0.0, 3.0], [4.0, 3.0, 0.0]]).double()
    scaled = {2.0: 0.0, 3.0: 0.5, 4.0: 1.0}
    expected = [
        [1.0 if i == j else 1 / (1 + math.exp(5 * scaled[distances[i, j].item()])) for j in range(3)] for i in range(3)
    ]
    torch.testing.assert_close(instance_weights(distances), torch.tensor(expected, dtype=torch.float64))
    flat = instance_weights(distances, sharpness=0.0)
    torch.testing.assert_close(flat, 0.5 + 0.5 * torch.eye(3).double())
    sharp = instance_weights(distances, sharpness=1e9)  # all but the closest pair, which keeps alpha
    assert sharp.tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_instance_weights_of_one_two_and_equally_far_sequences():
    assert instance_weights(torch.zeros(1, 1)).tolist() == [[1.0]]
    assert instance_weights(torch.tensor([[0.0, 3.0], [3.0, 0.0]])).tolist() == [[1.0, 0.5], [0.5, 1.0]]
    assert instance_weights(torch.zeros(2, 2)).tolist() == [[1.0, 0.5], [0.5, 1.0]]


@pytest.mark.parametrize("shape", [(1, 4, 2), (4, 1, 3), (3, 7, 2), (4, 6, 1)])
def test_time_warp_distances_equal_their_definition(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    found = time_warp_distances(torch.tensor(x))
    expected = [[slow_time_warp(a, b) for b in x.tolist()] for a in x.tolist()]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10)
    assert not found.requires_grad


def test_time_warping_forgives_a_delay():
    pulse = torch.zeros(2, 12, 1)
    pulse[0, 3] = pulse[1, 5] = 1
    assert time_warp_distances(pulse)[0, 1] == 0


@FIDELITIES
def test_loss(small, fidelity):
    method = build(small(method="softclt", fidelity=fidelity), 6).train()
    method.encoder.dropout.p = 0.0
    value, _ = method.loss(BATCH, generator(3))
    draws = generator(3)
    one, two, overlap = overlapping_crops(BATCH, draws)
    one, two = (method.encoder(crop, frame_mask(crop, draws)) for crop in (one, two))
    one, two = one[:, one.shape[1] - overlap :], two[:, :overlap]
    hard = hierarchical(one, two).item()
    if fidelity == "released":
        assert value.item() == pytest.approx(hard, rel=1e-6)
        return
    x, n = BATCH.tolist(), len(BATCH)
    d = {(i, j): slow_time_warp(x[i], x[j]) for i in range(n) for j in range(n) if i != j}
    low, high = min(d.values()), max(d.values())
    soft = [
        [1.0 if i == j else 1 / (1 + math.exp(5 * (d[i, j] - low) / (high - low))) for j in range(n)] for i in range(n)
    ]
    expected = hierarchical(
        one,
        two,
        instance_weights=torch.tensor(soft),
        temporal_weights=lambda length, level: torch.tensor(
            [[2 / (1 + math.exp(2**level * abs(t - s))) for s in range(length)] for t in range(length)]
        ),
    )
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert value.item() > 1.2 * hard


@FIDELITIES
def test_masked_encoder_is_what_is_trained(small, fidelity):
    method = build(small(method="softclt", fidelity=fidelity), 156).train()
    trained = dict(method.encoder.named_parameters())
    assert {id(p) for p in method.trained_parameters()} == {id(p) for p in trained.values()}
    assert sum(p.numel() for p in method.trained_parameters()) == 48_448
    assert (method.average is None) == (fidelity == "released")
    method.loss(torch.randn(3, 10, 156, generator=generator()), generator())[0].backward()
    largest = {name: p.grad.abs().max().item() for name, p in trained.items()}
    assert all(size > 1e-6 for name, size in largest.items() if not name.endswith(BEFORE_BATCHNORM)), largest


@FIDELITIES
def test_training_moves_every_weight(small, small_dataset, fidelity):
    experiment = small(method="softclt", fidelity=fidelity, iterations=5, weight_decay=0.0)
    fresh = build(experiment, 6).encoder.state_dict()
    one, _ = train(experiment, small_dataset, progress=False)
    for name, p in one.encoder.named_parameters():
        assert torch.isfinite(p).all()
        assert name.endswith(BEFORE_BATCHNORM) or not torch.equal(p, fresh[name]), name
    assert one.encode(BATCH).shape == (4, 11, 320)
    assert torch.equal(one.encode(BATCH), one.encoder(BATCH)) == (fidelity == "released")


@FIDELITIES
@pytest.mark.parametrize("shape", [(1, 8, 6), (2, 7, 6), (3, 2, 6)])
def test_one_sequence_odd_and_shortest_lengths(small, fidelity, shape):
    method = build(small(method="softclt", fidelity=fidelity), 6).train()
    value, _ = method.loss(torch.randn(shape, generator=generator()), generator())
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in method.trained_parameters())


@FIDELITIES
def test_one_frame_is_refused(small, fidelity):
    with pytest.raises(InputError, match="TS2Vec.*1 frame.*at least 2"):
        build(small(method="softclt", fidelity=fidelity), 6).loss(BATCH[:, :1], generator())
