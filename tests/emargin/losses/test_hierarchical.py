"""The contrast of TS2Vec and SoftCLT against loops, closed forms and the values of the released code."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.errors import InputError
from emargin.losses.hierarchical import hierarchical, instance_contrast, temporal_contrast
from emargin.methods.softclt import temporal_weights

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
SHAPES = [(1, 1, 2), (1, 5, 3), (3, 1, 2), (2, 2, 4), (3, 7, 5)]


def view(shape, seed):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def cross_entropy(anchor, others, weights):
    """-sum of weights times log-softmax of the anchor's dot products with the others."""
    dots = [sum(a * b for a, b in zip(anchor, other, strict=True)) for other in others]
    top = max(dots)
    log_sum = top + math.log(sum(math.exp(d - top) for d in dots))
    return sum(w * (log_sum - d) for w, d in zip(weights, dots, strict=True))


def slow(one, two, w):
    """One group of n vectors in two views; weights w of an anchor are a row of the matrix, for both views."""
    n, total = len(one), 0.0
    for own, other in ((one, two), (two, one)):
        for i in range(n):
            rest = [j for j in range(n) if j != i]
            total += cross_entropy(own[i], [own[j] for j in rest] + other, [w[i][j] for j in rest] + list(w[i]))
    return total / (2 * n)


def slow_instance(one, two, w):
    by_time = [slow(a, b, w) for a, b in zip(one.transpose(0, 1).tolist(), two.transpose(0, 1).tolist(), strict=True)]
    return sum(by_time) / len(by_time)


def slow_temporal(one, two, w):
    return sum(slow(a, b, w) for a, b in zip(one.tolist(), two.tolist(), strict=True)) / len(one)


def slow_hierarchical(one, two, instance, temporal):
    one, two, values = one.detach(), two.detach(), []
    while True:
        length = one.shape[1]
        values.append(0.5 * slow_instance(one, two, instance))
        if length == 1:
            return sum(values) / len(values)
        values[-1] += 0.5 * slow_temporal(one, two, temporal(length, len(values) - 1))
        one, two = (
            torch.stack([torch.maximum(v[:, t], v[:, t + 1]) for t in range(0, length - 1, 2)], 1) for v in (one, two)
        )


def random_weights(n, level=0):
    return np.random.default_rng(n + 10 * level).random((n, n))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("soft", [False, True])
def test_contrasts_equal_their_definition(shape, soft):
    one, two = view(shape, 1), view(shape, 2)
    for contrast, reference, n in (
        (instance_contrast, slow_instance, shape[0]),
        (temporal_contrast, slow_temporal, shape[1]),
    ):
        w = random_weights(n) if soft else np.eye(n)
        value = contrast(one, two, torch.tensor(w)) if soft else contrast(one, two)
        assert value.item() == pytest.approx(reference(one, two, w), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("soft", [False, True])
def test_hierarchy_equals_its_definition(shape, soft):
    one, two = view(shape, 1), view(shape, 2)
    if soft:
        value = hierarchical(
            one,
            two,
            instance_weights=torch.tensor(random_weights(shape[0])),
            temporal_weights=lambda length, level: torch.tensor(random_weights(length, level)),
        )
        expected = slow_hierarchical(one, two, random_weights(shape[0]), random_weights)
    else:
        value = hierarchical(one, two)
        expected = slow_hierarchical(one, two, np.eye(shape[0]), lambda length, level: np.eye(length))
    assert value.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_order_of_soft_weights():
    """The matrix 0 .. 8: what each anchor's five partners weigh, own view first, then the other; for both views."""
    weights = torch.arange(9.0).reshape(3, 3).double()
    rows = [(1, 2, 0, 1, 2), (3, 5, 3, 4, 5), (6, 7, 6, 7, 8)]
    one, two = view((3, 1, 4), 1), view((3, 1, 4), 2)
    a, b = one[:, 0].tolist(), two[:, 0].tolist()
    expected = (
        sum(
            cross_entropy(own[i], [own[j] for j in range(3) if j != i] + other, rows[i])
            for own, other in ((a, b), (b, a))
            for i in range(3)
        )
        / 6
    )
    assert instance_contrast(one, two, weights).item() == pytest.approx(expected, rel=1e-12)


golden_temporal_weights = partial(temporal_weights, sharpness=2.0)


def golden_instance_weights(case):
    b = case["shape"][0]
    a = np.random.default_rng(case["seed_view1"] + 7).random((b, b))
    return torch.tensor(np.where(np.eye(b), 1, (a + a.T) / 2))


RELEASED = {
    "TS2Vec instance": lambda one, two, case: instance_contrast(one, two),
    "TS2Vec temporal": lambda one, two, case: temporal_contrast(one, two),
    "TS2Vec hierarchical": lambda one, two, case: hierarchical(one, two),
    "hard instance": lambda one, two, case: hierarchical(one, two, temporal_weights=golden_temporal_weights),
    "soft temporal and soft instance": lambda one, two, case: hierarchical(
        one, two, instance_weights=golden_instance_weights(case), temporal_weights=golden_temporal_weights
    ),
}


@pytest.mark.parametrize("kind", RELEASED)
def test_values_of_the_released_code(kind):
    cases = [case for case in GOLDEN if kind in case["loss"]]
    assert len(cases) == 2
    for case in cases:
        one, two = view(case["shape"], case["seed_view1"]), view(case["shape"], case["seed_view2"])
        value = RELEASED[kind](one, two, case)
        value.backward()
        assert value.item() == pytest.approx(case["value"], rel=1e-9)
        assert [one.grad.norm().item(), two.grad.norm().item()] == pytest.approx(case["grad_norm"], rel=1e-9)


@pytest.mark.parametrize(("b", "length"), [(8, 32), (8, 11), (1, 8), (4, 1)])
def test_constant_embeddings(b, length):
    one = torch.ones(b, length, 3).double()
    levels = [length // 2**i for i in range(length.bit_length())]
    expected = np.mean([0.5 * math.log(2 * b - 1) + 0.5 * math.log(2 * t - 1) for t in levels])
    assert hierarchical(one, one).item() == pytest.approx(expected, abs=1e-12)
    assert instance_contrast(one, one).item() == pytest.approx(math.log(2 * b - 1), abs=1e-12)
    if (b, length) == (8, 32):
        assert hierarchical(one, one).item() == pytest.approx(2.464833, abs=1e-6)
        assert instance_contrast(one, one).item() == pytest.approx(2.708050, abs=1e-6)


def test_one_sequence_has_no_instance_part_and_one_frame_no_temporal_part():
    one, two = view((1, 3, 4), 1), view((1, 3, 4), 2)
    assert instance_contrast(one, two).item() == 0
    assert hierarchical(one, two).item() == pytest.approx(temporal_contrast(one, two).item() / 4, rel=1e-12)
    one, two = view((3, 1, 4), 1), view((3, 1, 4), 2)
    assert temporal_contrast(one, two).item() == 0
    assert hierarchical(one, two).item() == pytest.approx(instance_contrast(one, two).item() / 2, rel=1e-12)


def test_views_may_be_exchanged_but_not_their_frames():
    one, two = view((3, 6, 4), 1), view((3, 6, 4), 2)
    assert hierarchical(one, two).item() == pytest.approx(hierarchical(two, one).item(), rel=1e-12)
    assert abs(hierarchical(one, two.flip(1)).item() - hierarchical(one, two).item()) > 1e-3


def test_gradients():
    views = view((2, 3, 2), 1), view((2, 3, 2), 2)
    assert torch.autograd.gradcheck(hierarchical, views)
    weights = torch.tensor(random_weights(2))
    assert torch.autograd.gradcheck(
        lambda a, b: hierarchical(a, b, instance_weights=weights, temporal_weights=golden_temporal_weights), views
    )


def test_large_dot_products_stay_finite_in_float32():
    one, two = (100 * view((3, 6, 4), seed).detach().float() for seed in (1, 2))
    one.requires_grad_()
    value = hierarchical(one, two)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(one.grad).all()


def test_far_pairs_count_in_full_and_leave_no_subnormal_numbers():
    """Dot products of up to some hundred: shares below the smallest normal float32, and positives among them."""
    one, two = (8 * view((3, 7, 5), seed).detach() for seed in (1, 2))
    expected = slow_temporal(one, two, np.eye(7))
    assert expected > 100
    assert temporal_contrast(one, two).item() == pytest.approx(expected, rel=1e-12)
    one, kept = one.float().requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.detach().clone()) or x, lambda x: x):
        value = temporal_contrast(one, two.float())
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-5)
    sizes = torch.cat([x.flatten() for x in kept if x.is_floating_point()] + [one.grad.flatten()]).abs()
    assert sizes[sizes > 0].min() > torch.finfo(torch.float32).tiny


def test_gradient_equals_that_of_the_formula_under_autograd():
    one, two = view((3, 4, 5), 1), view((3, 4, 5), 2)
    weights = torch.tensor(random_weights(4))
    value = temporal_contrast(one, two, weights)
    both = torch.cat([one, two], 1)
    itself = torch.eye(8, dtype=torch.bool)
    log_shares = (both @ both.mT).masked_fill(itself, -math.inf).log_softmax(-1).masked_fill(itself, 0)
    plain = -(log_shares * weights.repeat(2, 2)).sum(-1).mean()
    for found, expected in zip(
        torch.autograd.grad(3 * value, (one, two)), torch.autograd.grad(3 * plain, (one, two)), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: hierarchical(z, z[:, :3]), "two views.*one shape"),
        (lambda z: instance_contrast(z[0], z[0]), "two views"),
        (lambda z: hierarchical(z[:, :0], z[:, :0]), "two views"),
        (lambda z: instance_contrast(z, z, torch.eye(5)), "soft weights.*5, 5.*2, 2"),
        (lambda z: temporal_contrast(z, z, torch.eye(2)), "soft weights.*2, 2.*5, 5"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call(view((2, 5, 3), 1))
