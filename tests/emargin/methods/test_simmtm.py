"""SimMTM: its loss against four slow loops and the released code, and what learns in either fidelity."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from emargin.methods.simmtm import contrast_and_average, uncertainty_weighted, versions
from emargin.training import build, train

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]


def tensor(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def slow(series, points, temperature=0.2):
    """The constraint loss and the averages, term by term."""
    n, k = series.shape
    unit = series / np.sqrt((series**2).sum(1, keepdims=True))
    loss, averages = 0.0, np.zeros_like(points)
    for u in range(n):
        exponentials = {
            v: math.exp(sum(unit[u, c] * unit[v, c] for c in range(k)) / temperature) for v in range(n) if v != u
        }
        total = sum(exponentials.values())
        for v, exponential in exponentials.items():
            averages[u] += exponential / total * points[v]
            if v % (n // 4) == u % (n // 4):
                loss -= math.log(exponential / total) / n
    return loss, averages


@pytest.mark.parametrize("block", [512, 5, 1])
@pytest.mark.parametrize("shape", [(4, 3, 2), (8, 3, 3), (12, 5, 4)])
def test_contrast_and_average_equal_their_definition_in_blocks_of_any_size(monkeypatch, shape, block):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", block)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 2)
    series, points = tensor(shape[:2]), tensor((shape[0], shape[2]), seed=1)
    loss, average = contrast_and_average(series, points)
    expected, averages = slow(series.detach().numpy(), points.detach().numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(average.detach(), averages, rtol=1e-11)


@pytest.mark.parametrize("block", [512, 3])
@pytest.mark.parametrize(
    "case", [case for case in GOLDEN if case["loss"].startswith("SimMTM")], ids=lambda case: f"seed {case['seed']}"
)
def test_values_of_the_released_code(monkeypatch, case, block):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", block)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 2)
    series = tensor(case["shape"], case["seed"])
    loss, _ = contrast_and_average(series, series.detach())
    loss.backward()
    assert loss.item() == pytest.approx(case["value"], rel=1e-9)
    assert series.grad.norm().item() == pytest.approx(case["grad_norm"][0], rel=1e-9)


def test_no_matrix_of_all_pairs_is_kept_for_the_gradient(monkeypatch):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 10)
    series, kept = tensor((80, 3)), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        contrast_and_average(series, series)
    assert max(kept) == 80 * 3


def test_no_matrix_of_all_pairs_is_ever_formed(monkeypatch):
    class Sizes(TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, torch.Tensor):
                self.largest = max(self.largest, result.numel())
            return result

    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 10)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", 2 * 10 * 10)
    series = tensor((80, 3))
    with Sizes() as sizes:
        loss, average = contrast_and_average(series, series)
        (loss + average.square().sum()).backward()
    assert sizes.largest == (2 + 1) * 10 * 10  # the memory of two blocks that stay and of one to work in


def test_gradient(monkeypatch):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 3)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 1)
    assert torch.autograd.gradcheck(contrast_and_average, (tensor((8, 3)), tensor((8, 2), seed=1)))


def test_collapsed_embeddings():
    loss, _ = contrast_and_average(torch.ones(16, 3).double(), torch.ones(16, 1).double())
    assert loss.item() == pytest.approx(3 * math.log(15), abs=1e-12)
    assert loss.item() == pytest.approx(8.124151, abs=1e-6)


def test_weights_sum_to_one_without_the_series_itself():
    _, weights = contrast_and_average(tensor((12, 5)), torch.eye(12).double())  # averages of unit vectors
    torch.testing.assert_close(weights.sum(1), torch.ones(12).double())
    assert (weights.diagonal() == 0).all() and (weights + torch.eye(12) > 0).all()


def test_uncertainty_weights():
    losses, a = torch.tensor([3.0, 0.4]).double(), torch.tensor([0.7, -1.3], requires_grad=True, dtype=torch.float64)
    at_one = uncertainty_weighted(losses, torch.ones(2).double())
    assert at_one.item() == pytest.approx(3.4 / 2 + 1.386294, abs=1e-6)
    value = uncertainty_weighted(losses, a)
    assert value.item() == pytest.approx(3 / (2 * 0.49) + 0.4 / (2 * 1.69) + math.log(1.49) + math.log(2.69))
    value.backward()
    torch.testing.assert_close(a.grad, (-losses / a**3 + 2 * a / (1 + a**2)).detach())


def test_versions_are_the_batch_and_three_masked_copies():
    batch = torch.randn(4, 50, 30, generator=torch.Generator().manual_seed(0))
    rows = versions(batch, torch.Generator().manual_seed(1))
    assert torch.equal(rows[:4], batch)
    copies = rows[4:].unflatten(0, (3, 4))
    kept = copies != 0
    assert torch.equal(copies, batch * kept)
    assert kept.float().mean().item() == pytest.approx(0.5, abs=0.02)
    along_time = (kept[:, :, 1:] != kept[:, :, :-1]).float().mean().item()
    across_features = (kept[..., 1:] != kept[..., :-1]).float().mean().item()
    assert along_time == pytest.approx(1 / 3, abs=0.02)  # runs of mean length 3 along time
    assert across_features == pytest.approx(1 / 2, abs=0.02)  # features do not know of one another
    assert not torch.equal(kept[0], kept[1])
    assert kept.any(-1).all()  # no frame is wholly masked


BATCH = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(0))


def step(experiment, batch=BATCH):
    """A method, its loss on a batch, and the inputs that it drew."""
    method = build(experiment, batch.shape[-1]).train()
    value, measured = method.loss(batch, torch.Generator().manual_seed(5))
    return method, value, measured, versions(batch, torch.Generator().manual_seed(5))


def test_released_takes_every_frame_as_a_series_and_rebuilds_masked_inputs(small):
    method, value, measured, inputs = step(small(method="simmtm"))
    frames = method.encoder(inputs).flatten(0, 1).double().detach().numpy()
    contrast, average = slow(frames, frames)
    rebuilt = method.decoder(torch.tensor(average).float())
    error = (rebuilt - inputs.flatten(0, 1)).square().mean().item()
    assert measured["contrast"].item() == pytest.approx(contrast, rel=1e-4)
    assert measured["reconstruction"].item() == pytest.approx(error, rel=1e-4)
    assert value.item() == pytest.approx((contrast + error) / 2 + 2 * math.log(2), rel=1e-4)


def test_released_with_more_features_than_channels(small):
    batch = torch.randn(1, 3, 330, generator=torch.Generator().manual_seed(0))
    method, _, measured, inputs = step(small(method="simmtm"), batch)
    frames = method.encoder(inputs).flatten(0, 1).double().detach().numpy()
    rebuilt = method.decoder(torch.tensor(slow(frames, frames)[1]).float())
    error = (rebuilt - inputs.flatten(0, 1)).square().mean().item()
    assert measured["reconstruction"].item() == pytest.approx(error, rel=1e-4)


def test_original_takes_every_sequence_as_a_series_and_rebuilds_the_originals(small):
    method, value, measured, inputs = step(small(method="simmtm", fidelity="original"))
    frames = method.encoder(inputs)
    series = method.projector(frames.mean(1)).detach().double().numpy()
    contrast, average = slow(series, frames.detach().double().flatten(1).numpy())
    rebuilt = method.decoder(torch.tensor(average[:2]).float().unflatten(1, (7, 320)))
    error = (rebuilt - BATCH).square().mean().item()
    assert measured["contrast"].item() == pytest.approx(contrast, rel=1e-4)
    assert measured["reconstruction"].item() == pytest.approx(error, rel=1e-4)
    assert value.item() == pytest.approx((contrast + error) / 2 + 2 * math.log(2), rel=1e-4)


def test_parameter_counts(small):
    released, original = (build(small(method="simmtm", fidelity=f), 156) for f in ("released", "original"))
    assert sum(p.numel() for p in released.trained_parameters()) == 50_176
    assert sum(p.numel() for p in released.decoder.parameters()) == 50_076
    assert sum(p.numel() for p in original.trained_parameters()) == 50_176 + 50_076 + 2 + 144_448


def silent(name):
    """A bias before BatchNorm is subtracted again: its gradient is round-off."""
    return name in ("encoder.blocks.0.bias", "encoder.blocks.3.bias", "encoder.blocks.6.bias", "projector.0.bias")


@pytest.mark.parametrize(
    ("fidelity", "learning"),
    [("released", {"encoder"}), ("original", {"encoder", "projector", "decoder", "loss_weights"})],
)
def test_what_learns(small, small_dataset, fidelity, learning):
    experiment = small(method="simmtm", fidelity=fidelity, iterations=1, weight_decay=0.0)
    method, value, _, _ = step(experiment)
    value.backward()
    before = dict(build(experiment, 6).named_parameters())
    after, _ = train(experiment, small_dataset, progress=False)
    for name, parameter in method.named_parameters():
        learns = name.split(".")[0] in learning
        assert parameter.requires_grad == learns, name
        if not silent(name):
            assert (parameter.grad is not None and bool(parameter.grad.any())) == learns, name
            assert torch.equal(before[name], dict(after.named_parameters())[name]) != learns, name


@pytest.mark.parametrize("fidelity", ["released", "original"])
def test_same_seed_same_bits_and_finite(small, small_dataset, fidelity):
    experiment = small(method="simmtm", fidelity=fidelity, iterations=5)
    (one, curve), (two, again) = (train(experiment, small_dataset, progress=False) for _ in range(2))
    assert curve == again
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]) and torch.isfinite(value).all(), name
    assert one.encode(BATCH).shape == (2, 7, 320)


@pytest.mark.parametrize("fidelity", ["released", "original"])
@pytest.mark.parametrize("shape", [(1, 7, 6), (2, 1, 6), (1, 1, 6)])
def test_one_sequence_or_one_frame_is_enough(small, fidelity, shape):
    method, value, _, _ = step(small(method="simmtm", fidelity=fidelity), BATCH[: shape[0], : shape[1]])
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in method.trained_parameters())
