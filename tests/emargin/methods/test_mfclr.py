"""MF-CLR: the twist, the feature term, the two levels."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.augmentations.warps import dual_twist, warping_paths
from emargin.errors import InputError
from emargin.losses.hierarchical import instance_contrast
from emargin.methods.mfclr import Grains, feature_contrast
from emargin.training import build, train

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
FIDELITIES = pytest.mark.parametrize("fidelity", ["released", "original"])
BATCH = torch.randn(3, 11, 6, generator=torch.Generator().manual_seed(0))
# a constant before BatchNorm is subtracted again: the gradient is round-off
BEFORE_BATCHNORM = ("blocks.0.bias", "blocks.3.bias", "blocks.6.bias", "input.bias", "projection.2.bias")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def cells(visited):
    """The path's (source, target) in order: a monotone path is sorted by both."""
    n = len(visited)
    return sorted(((q + k - 1, q) for q in range(n) for k in range(3) if visited[q][k]), key=sum)


def slow_path(n, rng):
    """One path by the rule, cell by cell: (cells, steps)."""
    moves = {"source": (1, 0), "both": (1, 1), "target": (0, 1)}
    p = q = 0
    path, steps = [(0, 0)], []
    while (p, q) != (n - 1, n - 1):
        if p == n - 1:
            step = "target"
        elif q == n - 1:
            step = "source"
        else:
            allowed = ["both"]
            if p != n - 2 and steps[-1:] != ["target"]:
                allowed.append("source")
            if q != n - 2 and steps[-1:] != ["source"]:
                allowed.append("target")
            d, weights = 2 * (q - p) ** 2, []
            for name in allowed:
                rise = 2 * (q + moves[name][1] - p - moves[name][0]) ** 2 - d
                weights.append(0 if rise >= 6 else math.floor(100 * math.exp(-0.5 * d * rise)))
            step = rng.choice(allowed, p=np.array(weights) / sum(weights))
        p, q = p + moves[step][0], q + moves[step][1]
        path.append((p, q))
        steps.append(str(step))
    return path, steps


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_paths_go_from_corner_to_corner_by_steps_of_one(n):
    for visited in warping_paths(200, n, generator()):
        path = cells(visited.tolist())
        assert path[0] == (0, 0) and path[-1] == (n - 1, n - 1)
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(path, path[1:], strict=False)]
        assert set(steps) <= {(1, 0), (1, 1), (0, 1)}
        for before, after in zip(steps, steps[1:], strict=False):
            assert {before, after} != {(1, 0), (0, 1)}
        for (p, q), step in zip(path, steps, strict=False):
            assert step != (1, 0) or p != n - 2 or q == n - 1
            assert step != (0, 1) or q != n - 2 or p == n - 1
    assert visited.any(-1).all()  # every target frame has a value


def test_paths_have_the_distribution_of_the_rule():
    """The frequency of every path, where there are few; the mean length, where there are many."""
    rng, n = np.random.default_rng(0), 5
    slow, fast = {}, {}
    for _ in range(3000):
        path = tuple(slow_path(n, rng)[0])
        slow[path] = slow.get(path, 0) + 1 / 3000
    for visited in warping_paths(20_000, n, generator()).tolist():
        path = tuple(cells(visited))
        fast[path] = fast.get(path, 0) + 1 / 20_000
    assert set(slow) <= set(fast)
    for path, share in fast.items():
        assert slow.get(path, 0) == pytest.approx(share, abs=4 * math.sqrt(share / 3000) + 1e-3)
    lengths = [len(slow_path(20, rng)[0]) for _ in range(300)]
    found = warping_paths(4000, 20, generator()).sum((1, 2)).double()
    assert found.mean().item() == pytest.approx(np.mean(lengths), abs=4 * np.std(lengths) / math.sqrt(300))


def test_paths_do_not_lean_as_those_of_the_code_of_the_method_do():
    """By the rule both sides of the diagonal are alike; the slip would give 0.31 and 0.19 of the cells at n = 119."""
    visited = warping_paths(2000, 119, generator()).sum((0, 1)).double()
    before, at, after = (visited / visited.sum()).tolist()
    assert before == pytest.approx(after, abs=0.005)
    assert before == pytest.approx(0.27, abs=0.01) and at == pytest.approx(0.46, abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 12])
def test_paths_take_the_step_that_their_chance_falls_on(n):
    """Every path again, cell by cell, from the same draws: weights in the order source, both, target."""
    draws, generated = generator(3), warping_paths(300, n, generator(3))
    chances = torch.rand(max(2 * n - 2, 0), 300, generator=draws, dtype=torch.float64)
    for series in range(300):
        p = q = last = k = 0
        path = [(0, 0)]
        while (p, q) != (n - 1, n - 1):
            off, weights = q - p, []
            for step in (-1, 0, 1):
                rise = 2 * (off + step) ** 2 - 2 * off**2
                forbidden = step != 0 and (step == -last or (p if step < 0 else q) == n - 2)
                weights.append(0 if forbidden or rise >= 6 else math.floor(100 * math.exp(-(off**2) * rise)))
            weights = [0, 0, 1] if p == n - 1 else [1, 0, 0] if q == n - 1 else weights
            reached = chances[k, series].item() * sum(weights)
            last = -1 if reached < weights[0] else 0 if reached < weights[0] + weights[1] else 1
            p, q, k = p + (last <= 0), q + (last >= 0), k + 1
            path.append((p, q))
        assert cells(generated[series].tolist()) == path


def test_twist_equals_its_definition_series_by_series():
    x = torch.tensor(np.random.default_rng(0).standard_normal((2, 7, 3)) + 1)
    found, draws = dual_twist(x, generator(5)), generator(5)
    paths = warping_paths(6, 7, draws).unflatten(0, (2, 3))
    draw = torch.empty(paths.shape).exponential_(generator=draws)
    minus = torch.rand(paths.shape[:-1], generator=draws) < 0.5
    for b in range(2):
        for f in range(3):
            path, series = cells(paths[b, f].tolist()), x[b, :, f].tolist()
            sizes = [draw[b, f, q, p - q + 1].item() for p, q in path]
            values = {}
            for (p, q), size in zip(path, sizes, strict=True):
                spacing = 0.05 * abs(sum(series) / 7) * size / sum(sizes)
                sign = -1 if q not in values and minus[b, f, q] else 1
                values.setdefault(q, []).append(series[p] + sign * spacing)
            expected = [sum(values[q]) / len(values[q]) for q in range(7)]
            assert found[b, :, f].tolist() == pytest.approx(expected, rel=1e-6)


def test_twist_of_constant_and_of_centred_series():
    constant = dual_twist(torch.full((40, 12, 5), -3.0), generator())
    changes = constant + 3
    assert constant.shape == (40, 12, 5)
    assert changes.mean(1).abs().max() <= 0.05 * 3
    assert 0 < changes.abs().sum(1).max() <= 0.05 * 3 * (1 + 1e-4)
    assert 0.2 < (changes < 0).float().mean() < 0.5  # a fair sign at the first cell, plus at others
    centred = torch.randn(3, 9, 2, generator=generator()).double()
    centred -= centred.mean(1, keepdim=True)
    twisted = dual_twist(centred, generator())
    around = torch.nn.functional.pad(centred.mT, (1, 1), mode="replicate").unfold(-1, 3, 1)
    assert (twisted.mT <= around.amax(-1) + 1e-12).all() and (twisted.mT >= around.amin(-1) - 1e-12).all()
    assert not torch.equal(twisted, centred)


def test_twist_repeats_with_its_generator_and_lets_gradients_through():
    assert torch.equal(dual_twist(BATCH, generator(1)), dual_twist(BATCH, generator(1)))
    assert not torch.equal(dual_twist(BATCH, generator(1)), dual_twist(BATCH, generator(2)))
    x = BATCH[:1, :4, :2].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dual_twist(x, generator(1)), x)
    assert torch.isfinite(dual_twist(BATCH[:, :1], generator())).all()


def slow_feature(one, two, f, g):
    b = len(one)

    def norm(u, v):
        return math.sqrt(sum((x - y) ** 2 for r, s in zip(u, v, strict=True) for x, y in zip(r, s, strict=True)))

    top = max([0.01] + [norm(f[i], g[j]) for i in range(b) for j in range(b)])
    return sum((norm(f[i], g[j]) / top - norm(one[i], two[j])) ** 2 for i in range(b) for j in range(b)) / b**2


@pytest.mark.parametrize("d", [0, 2])
def test_feature_term_equals_its_definition(d):
    one, two = (torch.tensor(np.random.default_rng(seed).standard_normal((3, 5, 4))) for seed in (1, 2))
    f, g = (torch.tensor(np.random.default_rng(seed).standard_normal((3, 5, d))) for seed in (3, 4))
    expected = slow_feature(*(x.tolist() for x in (one, two, f, g)))
    assert feature_contrast(one, two, f, g).item() == pytest.approx(expected, rel=1e-12)
    if d == 0:
        pairs = (one[:, None] - two[None]).square().sum((-2, -1))
        assert feature_contrast(one, two, f, g).item() == pytest.approx(pairs.mean().item(), rel=1e-12)


@pytest.mark.parametrize("case", [c for c in GOLDEN if "feature term" in c["loss"]], ids=lambda c: str(c["shape"]))
def test_feature_term_of_the_released_code(case):
    def draw(seed, shape, grad=False):
        return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=grad)

    seed, (b, t, _) = case["seed_view1"], case["shape"]
    one, two = draw(seed, case["shape"], True), draw(case["seed_view2"], case["shape"], True)
    value = feature_contrast(one, two, draw(seed + 2, (b, t, 3)), draw(seed + 3, (b, t, 3)))
    value.backward()
    assert value.item() == pytest.approx(case["value"], rel=1e-9)
    assert [one.grad.norm().item(), two.grad.norm().item()] == pytest.approx(case["grad_norm"], rel=1e-9)


def test_feature_term_is_zero_where_distances_match_and_its_gradient_is_finite():
    f = torch.randn(4, 5, 3, generator=generator()).double()
    one = (f / torch.cdist(f.flatten(1), f.flatten(1)).max()).requires_grad_()
    value = feature_contrast(one, one, f, f)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-15)
    assert torch.isfinite(one.grad).all()


def test_grains_are_the_halves_of_every_channels_bins(small):
    grains = Grains(10, bins=5)
    fine, coarse = grains.split(torch.arange(10.0)[None, None])
    assert fine.flatten().tolist() == [2, 3, 4, 7, 8, 9]
    assert coarse.flatten().tolist() == [0, 1, 5, 6]
    assert Grains(6, bins=4).low.tolist() == [True] * 3 + [False] * 3  # no whole number of channels
    assert build(small(method="mfclr", fidelity="original", n_fft=4), 6).encoder.low.sum() == 2
    with pytest.raises(InputError, match="MF-CLR.*1 frequency bin.*at least 2"):
        Grains(3, bins=1)


def without_dropout(experiment):
    method = build(experiment, 6).train()
    for layer in method.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    return method


def test_released_loss_contrasts_time_courses_of_channels_and_pulls(small):
    method = without_dropout(small(method="mfclr", fidelity="released"))
    value, measured = method.loss(BATCH, generator(2))
    one, two = method.encoder(BATCH), method.encoder(dual_twist(BATCH, generator(2)))
    total = 0.0
    for c in range(320):  # 2B courses of length T a channel
        courses = torch.cat([one[..., c], two[..., c]])
        scores = (courses @ courses.T).fill_diagonal_(-math.inf).log_softmax(-1)
        total -= (scores.diagonal(3).sum() + scores.diagonal(-3).sum()).item() / 6
    pull = (one[:, None] - two[None]).square().sum((-2, -1)).mean()
    assert measured["instance"].item() == pytest.approx(total / 320, rel=1e-4)
    assert measured["feature"].item() == pytest.approx(pull.item(), rel=1e-4)
    assert value.item() == pytest.approx((1 - 1e-5) * total / 320 + 1e-5 * pull.item(), rel=1e-4)


def test_original_loss_has_two_levels_that_learn_apart(small):
    method = without_dropout(small(method="mfclr", fidelity="original", n_fft=4))
    value, measured = method.loss(BATCH, generator(2))
    draws, grains = generator(2), method.encoder
    fine, coarse = BATCH[..., [1, 2, 4, 5]], BATCH[..., [0, 3]]
    one, two = grains.fine(fine), grains.fine(dual_twist(fine, draws))
    joined = torch.cat([one, grains.projection(coarse)], -1)
    above = instance_contrast(grains.coarse(joined), grains.coarse(dual_twist(joined, draws)))
    below, feature = instance_contrast(one, two), feature_contrast(one, two, coarse, coarse)
    expected = (1 - 1e-5) * (below + above) + 1e-5 * feature
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    lower = list(grains.fine.parameters())
    upper = [*grains.projection.parameters(), *grains.coarse.parameters()]
    for part, others in (("instance", upper), ("feature", upper), ("instance_above", lower)):
        assert all(
            g is None for g in torch.autograd.grad(measured[part], others, retain_graph=True, allow_unused=True)
        ), part


def test_contrast_on_constants():
    one = torch.ones(8, 5, 3)
    assert instance_contrast(one, one).item() == pytest.approx(2.708050, abs=1e-6)


@pytest.mark.parametrize(
    ("fidelity", "parameters"),
    [("released", 48_448), ("original", 64 * 78 + 38_464 + 79 * 160 + 161 * 320 + 64 * 640 + 38_464)],
)
def test_what_is_trained(small, fidelity, parameters):
    method = build(small(method="mfclr", fidelity=fidelity, n_fft=50), 156).train()
    trained = dict(method.encoder.named_parameters())
    assert {id(p) for p in method.trained_parameters()} == {id(p) for p in trained.values()}
    assert sum(p.numel() for p in method.trained_parameters()) == parameters
    method.loss(torch.randn(3, 10, 156, generator=generator()), generator())[0].backward()
    largest = {name: p.grad.abs().max().item() for name, p in trained.items()}
    assert all(size > 1e-6 for name, size in largest.items() if not name.endswith(BEFORE_BATCHNORM)), largest


@FIDELITIES
def test_training_moves_every_weight_and_repeats_bit_for_bit(small, small_dataset, fidelity):
    experiment = small(method="mfclr", fidelity=fidelity, iterations=5, weight_decay=0.0)
    fresh = build(experiment, 6).encoder.state_dict()
    one, curve = train(experiment, small_dataset, progress=False)
    two, again = train(experiment, small_dataset, progress=False)
    assert curve == again and np.isfinite(curve[-1]["loss"])
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name
    for name, p in one.encoder.named_parameters():
        assert torch.isfinite(p).all()
        assert name.endswith(BEFORE_BATCHNORM) or not torch.equal(p, fresh[name]), name
    assert one.encode(BATCH).shape == (3, 11, 320)
    assert torch.equal(one.encode(BATCH), one.average.module(BATCH))
    assert one.average.n_averaged == 6


@FIDELITIES
def test_features_come_from_the_mean_of_all_iterates(small, small_dataset, fidelity):
    method = build(small(method="mfclr", fidelity=fidelity, iterations=2, batch_size=5), 6).train()
    method.prepare(small_dataset.train, generator())
    last = method.encoder if fidelity == "released" else method.encoder.fine
    mean = method.average.module if fidelity == "released" else method.average.module.fine
    start = last.input.weight.detach().clone()
    for _ in range(2):
        with torch.no_grad():
            last.input.weight += 1
        method.loss(BATCH, generator())
        method.after_step()
    torch.testing.assert_close(mean.input.weight, start + 1)
    statistics = mean.frames.blocks[1]
    if fidelity == "released":
        assert torch.equal(statistics.running_mean, last.frames.blocks[1].running_mean)
    else:
        batches = [
            mean.frames.blocks[0](mean.input(method.encoder.split(batch)[0])).flatten(0, 1)
            for batch in small_dataset.train.in_order(5)
        ]
        torch.testing.assert_close(statistics.running_mean, sum(h.mean(0) for h in batches) / 3, rtol=1e-4, atol=1e-5)


@FIDELITIES
@pytest.mark.parametrize("shape", [(1, 8, 6), (2, 7, 6), (3, 1, 6), (3, 2, 6)])
def test_one_sequence_one_frame_and_odd_lengths(small, fidelity, shape):
    method = build(small(method="mfclr", fidelity=fidelity), 6).train()
    value, _ = method.loss(torch.randn(shape, generator=generator()), generator())
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in method.trained_parameters())


def test_frames_that_are_no_spectra_have_no_grains(small):
    with pytest.raises(InputError, match="grains of MF-CLR.*sleepeeg-paper-sim.*fidelity released"):
        build(small(method="mfclr", fidelity="original", dataset="sleepeeg-paper-sim"), 6)
    build(small(method="mfclr", fidelity="released", dataset="sleepeeg-paper-sim"), 6)
