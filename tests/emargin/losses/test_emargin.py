"""Losses against slow references in float64, closed forms, and the values of the released code."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin.errors import InputError
from emargin.losses import READINGS, SCOPES, emargin_loss, emargin_released, info_nce, phi, psi, reference
from emargin.losses.emargin import _log_difference
from emargin.losses.exponent import Exponent
from emargin.losses.log_sums import PairLabels, log_sums
from emargin.losses.margin import Parabolas, _agree
from emargin.losses.reference import cosine_matrix
from emargin.losses.triangle import Triangle
from emargin.pseudo_labels import pseudo_labels
from tests.emargin.losses.test_reference import softplus_margin

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
SHAPES = [(1, 3, 2), (2, 5, 4), (3, 8, 6)]
TEMPERATURES = [0.05, 0.5]
MARGINS = [0.3, 5.0, 100.0]
THRESHOLD = 0.2


def embedding(shape, seed=0, dtype=torch.float64):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype, requires_grad=True)


def frames(shape):
    return torch.tensor(np.random.default_rng(9).standard_normal((*shape[:2], 3)))


def dissimilar(x, scope):
    """Labels of all pairs of frames."""
    return ~(cosine_matrix(x, scope) > THRESHOLD)


def label_patterns(shape):
    """Of the pairs of groups of N frames, `shape` (G, N): alike, and mixed."""
    groups, n = shape
    mixed = torch.tensor(np.random.default_rng(5).random((groups, n - 1)) < 0.5)
    return [torch.zeros_like(mixed), torch.ones_like(mixed), mixed]


def assert_same_with_gradient(value, expected, leaf):
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-12)
    (found,), (wanted,) = (torch.autograd.grad(loss, leaf, retain_graph=True) for loss in (value, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, wanted.abs().max().item()))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("scope", SCOPES)
def test_info_nce_equals_its_definition(shape, tau, sides, scope):
    z = embedding(shape)
    expected = reference.info_nce(cosine_matrix(z, scope), tau, sides).mean()
    assert_same_with_gradient(info_nce(z, temperature=tau, sides=sides, scope=scope), expected, z)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("scope", SCOPES)
def test_emargin_equals_its_definition(shape, tau, m, reading, scope):
    z, x = embedding(shape), frames(shape)
    s, pairs = cosine_matrix(z, scope), dissimilar(x, scope)
    for y in label_patterns(s.shape[:2]):
        expected = reference.emargin(s, y, tau, m, reading, pairs).mean()
        settings = {"temperature": tau, "margin": m, "reading": reading, "scope": scope}
        value = emargin_loss(z, y, **settings, frames=x, threshold=THRESHOLD)
        assert_same_with_gradient(value, expected, z)


@pytest.mark.parametrize("reading", READINGS)
def test_emargin_flattened_crosses_sequences(reading):
    z, x = embedding((2, 4, 3)), frames((2, 4, 3))
    y = pseudo_labels(x.flatten(0, 1), threshold=THRESHOLD)
    settings = {"temperature": 0.1, "margin": 5.0, "reading": reading, "threshold": THRESHOLD}
    value = emargin_loss(z, y, **settings, scope="flattened", frames=x)
    one_sequence = emargin_loss(z.reshape(1, 8, 3), y[None], **settings, frames=x.reshape(1, 8, 3))
    apart = emargin_loss(z, torch.stack([y[:3], y[4:]]), **settings, frames=x)
    assert value.item() == pytest.approx(one_sequence.item(), rel=1e-12)
    assert abs(value.item() - apart.item()) > 0.1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("m", [0.3, 5.0])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("scope", SCOPES)
def test_another_margin_is_a_function_that_the_loss_is_given(shape, m, reading, scope):
    z, x = embedding(shape), frames(shape)
    s, pairs = cosine_matrix(z, scope), dissimilar(x, scope)
    settings = {"temperature": 0.2, "margin": m, "reading": reading, "scope": scope, "frames": x}
    for y in label_patterns(s.shape[:2]):
        expected = reference.emargin(s, y, 0.2, m, reading, pairs, softplus_margin).mean()
        value = emargin_loss(z, y, **settings, threshold=THRESHOLD, phi=softplus_margin)
        assert_same_with_gradient(value, expected, z)
        if y.any():
            assert abs(value.item() - emargin_loss(z, y, **settings, threshold=THRESHOLD).item()) > 1e-6


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("function", [phi, psi])
def test_a_map_of_the_paper_by_another_name_gives_what_the_fast_path_gives(reading, function):
    z, x, y = embedding((2, 9, 4)), frames((2, 9, 4)), label_patterns((2, 9))[2]
    settings = {"temperature": 0.1, "margin": 0.5, "reading": reading, "frames": x, "threshold": THRESHOLD}
    expected = emargin_loss(z, y, **settings, phi=lambda *arguments: function(*arguments))
    assert_same_with_gradient(emargin_loss(z, y, **settings, phi=function), expected, z)


@pytest.mark.parametrize("sides", [1, 2])
def test_losses_follow_a_map_that_is_rewritten_in_its_file(monkeypatch, request, sides):
    request.addfinalizer(_agree.cache_clear)  # other tests meet the map as it is

    def rewritten(s, y, margin):
        return 0.25 * s * s * (1 - y.to(s.dtype)) + 0.5 * y * (margin - s)

    z, y = embedding((2, 5, 4)), label_patterns((2, 5))[2]
    before = emargin_released(z, y.new_ones(9), temperature=0.2, margin=5.0, sides=sides)[0].item()
    for changed in (phi, psi):
        monkeypatch.setattr(changed, "__code__", rewritten.__code__)
    _agree.cache_clear()
    expected = reference.emargin(cosine_matrix(z), y, 0.2, 5.0, phi=rewritten).mean()
    assert_same_with_gradient(emargin_loss(z, y, temperature=0.2, margin=5.0), expected, z)
    losses, excess = reference.released(cosine_matrix(z, "flattened"), y.new_ones(1, 9), 0.2, 5.0, sides)
    value, share = emargin_released(z, y.new_ones(9), temperature=0.2, margin=5.0, sides=sides)
    assert_same_with_gradient(value, losses.mean(), z)
    assert share.item() == (excess <= 0).double().mean().item() and abs(value.item() - before) > 0.1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("sides", [1, 2])
def test_released_emargin_equals_its_closed_form(shape, tau, m, sides):
    z = embedding(shape, seed=3)
    s = cosine_matrix(z, "flattened")
    for y in label_patterns(s.shape[:2]):
        value, share = emargin_released(z, y, temperature=tau, margin=m, sides=sides)
        losses, excess = reference.released(s, y, tau, m, sides)
        assert_same_with_gradient(value, losses.mean(), z)
        assert share.item() == pytest.approx((excess <= 0).double().mean().item(), abs=1e-12)


@pytest.mark.parametrize(
    "case",
    [c for c in GOLDEN if "sided" in c["loss"]],
    ids=lambda c: f"{c['loss'][:20]} seed {c['seed']} {c.get('labels', '')[:8]}",
)
def test_values_of_the_released_code(case):
    n, tau = case["shape"][0], case["temperature"]
    sides = 1 if "one-sided" in case["loss"] else 2
    z = embedding((1, *case["shape"]), seed=case["seed"])
    if case["loss"].startswith("info_nce"):
        value, expected = info_nce(z, temperature=tau, sides=sides, scope="flattened"), case["value"]
    else:
        y = np.ones(n, bool) if "ones" in case["labels"] else np.random.default_rng(case["seed"] + 1000).random(n) < 0.5
        value, share = emargin_released(z, torch.tensor(y), temperature=tau, margin=case["margin"], sides=sides)
        expected = case["value_abs"]
        assert round(share.item() * (n - sides)) == case["n_nonpositive"]
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-9)
    assert z.grad.norm().item() == pytest.approx(case["grad_norm"][0], rel=1e-9)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("sides", [1, 2])
def test_gradient_of_info_nce(scope, sides):
    assert torch.autograd.gradcheck(
        lambda z: info_nce(z, temperature=0.2, sides=sides, scope=scope), embedding((2, 4, 3))
    )


@pytest.mark.parametrize("m", [0.3, 5.0])
@pytest.mark.parametrize("reading", READINGS)
def test_gradient_of_emargin(reading, m):
    x = torch.tensor(np.random.default_rng(9).standard_normal((2, 5, 3)))
    y = pseudo_labels(x, threshold=0.2)
    assert y.any() and not y.all()
    assert torch.autograd.gradcheck(
        lambda z: emargin_loss(z, y, temperature=0.2, margin=m, reading=reading, frames=x, threshold=0.2),
        embedding((2, 5, 3)),
    )


@pytest.mark.parametrize("m", [0.3, 5.0])
@pytest.mark.parametrize("sides", [1, 2])
def test_gradient_of_released_emargin(sides, m):
    y = torch.tensor([True, False, True, True, False, False, True, True])
    assert torch.autograd.gradcheck(
        lambda z: emargin_released(z, y, temperature=0.2, margin=m, sides=sides)[0], embedding((2, 4, 3))
    )


@pytest.mark.parametrize("tau", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("rows", [torch.ones(1, 6, 4), torch.eye(6)[None]], ids=["equal", "orthonormal"])
def test_info_nce_closed_forms(rows, tau):
    assert info_nce(rows.double(), temperature=tau).item() == pytest.approx(math.log(4), abs=1e-12)
    assert info_nce(rows.double(), temperature=tau, sides=2).item() == pytest.approx(math.log(7 / 2), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "tau", "y", "sides", "expected"),
    [
        (20, 0.5, True, 2, 1.653013),
        (20, 0.5, False, 2, 0.665757),
        (64, 1.0, True, 2, 3.528568),
        (64, 1.0, False, 2, 3.095766),
        (1600, 0.1, True, 2, 1.242287),
        (20, 0.5, True, 1, 10.691482),
        (20, 0.5, False, 1, 1.216339),
        (1600, 0.1, True, 1, 5.427518),
    ],
)
def test_released_emargin_on_equal_rows(n, tau, y, sides, expected):
    value, _ = emargin_released(
        torch.ones(1, n, 3).double(), torch.full((n,), y), temperature=tau, margin=5.0, sides=sides
    )
    assert value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "tau", "y", "expected"),
    [(20, 0.5, True, 4.186871), (20, 0.5, False, 2.917771), (64, 0.1, True, 10.393119), (64, 0.1, False, 4.135166)],
)
def test_released_emargin_on_orthonormal_rows(n, tau, y, expected):
    value, _ = emargin_released(torch.eye(n)[None].double(), torch.full((n,), y), temperature=tau, margin=5.0)
    assert value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("tau", [0.05, 0.5])
def test_emargin_on_equal_and_orthonormal_rows(tau):
    t = 7
    equal, orthonormal = torch.ones(1, t, 3).double(), torch.eye(t)[None].double()

    def value(rows, y, reading):
        return emargin_loss(rows, torch.full((1, t - 1), y), temperature=tau, margin=5.0, reading=reading).item()

    for y in (False, True):
        assert value(equal, y, "anchor") == pytest.approx(math.log(t - 2), abs=1e-12)
    assert value(equal, False, "pair") == pytest.approx(0.5 / tau + math.log(t - 2))
    assert value(equal, True, "pair") == pytest.approx(-7 / tau + math.log(t - 2))
    assert value(orthonormal, True, "pair") == pytest.approx(-12.5 / tau + math.log(t - 2))


@pytest.mark.parametrize("m", [5.0, 100.0])
@pytest.mark.parametrize("loss", ["anchor", "pair", "all-pairs", "released"])
def test_float32_is_correct_at_low_temperature_and_large_margin(loss, m):
    values = []
    for dtype in (torch.float64, torch.float32):
        z = torch.tensor(np.random.default_rng(1).random((2, 50, 16)), dtype=dtype)
        x = torch.tensor(np.random.default_rng(2).standard_normal((2, 50, 3)), dtype=dtype)
        y = pseudo_labels(x, threshold=0.4)
        if loss == "released":
            values.append(emargin_released(z, torch.ones(100, dtype=torch.bool), temperature=0.05, margin=m)[0].item())
        else:
            values.append(emargin_loss(z, y, temperature=0.05, margin=m, reading=loss, frames=x, threshold=0.4).item())
    assert math.isfinite(values[1])
    assert values[1] == pytest.approx(values[0], rel=2e-6, abs=2e-4)


@pytest.mark.parametrize("tau", [1 / 61, 1 / 89, 0.01, 1 / 590])
@pytest.mark.parametrize("direction", [1, -1], ids=["alike", "opposite"])
def test_exponents_that_float32_cannot_sum_as_they_are_lose_nothing(tau, direction):
    """exp(89) is beyond float32, exp(-104) is 0 there."""
    z = torch.tensor(0.1 * np.random.default_rng(1).standard_normal((1, 20, 8)) + 1.0)
    z[:, ::2] *= direction
    for loss in (
        lambda z: info_nce(z[:, [0, 1, 3]], temperature=tau),  # anchor 0 has an opposite alone as its negative
        lambda z: info_nce(z, temperature=tau, sides=2),
        lambda z: emargin_loss(z, torch.arange(19)[None] % 2 == 0, temperature=10 * tau, margin=10.0),
        lambda z: emargin_released(z, torch.ones(19), temperature=tau / 2, margin=5.0)[0],
    ):
        single, double = z.float().requires_grad_(), z.float().double().requires_grad_()
        value, expected = loss(single), loss(double)
        assert value.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-4)
        (found,), (wanted,) = torch.autograd.grad(value, single), torch.autograd.grad(expected, double)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())


def test_all_pairs_without_a_dissimilar_pair_are_not_measured_from_the_margins_constant():
    """In float32 a constant of m^2 / (2 tau) = 10^5 would swallow the second decimal."""
    values = []
    for dtype in (torch.float64, torch.float32):
        z = torch.tensor(np.random.default_rng(1).random((1, 50, 16)), dtype=dtype)
        y = torch.zeros(1, 49, dtype=torch.bool)
        values.append(
            emargin_loss(
                z, y, temperature=0.05, margin=100.0, reading="all-pairs", frames=torch.ones(1, 50, 3), threshold=0.4
            ).item()
        )
    assert values[1] == pytest.approx(values[0], rel=1e-6)


BLOCKS = {
    "labels": ["none", "zero", "one", "mixed", "pairs"],
    "exclude": [(0,), (0, 1), (-1, 0, 1), (-1, 0)],
    "shape": [(1, 70, 4), (2, 64, 4), (3, 33, 4), (1, 5, 4)],
}


def in_small_blocks(monkeypatch, stay):
    """Blocks of 32 rows, so that a small matrix has several; so many stay for the backward pass."""
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 32)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 8)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", stay * 32**2)


def assert_sums_are_those_of_the_whole_matrix(shape, exclude, labels):
    groups, n, _ = shape
    z, x = embedding(shape), torch.tensor(np.random.default_rng(9).standard_normal((groups, n, 3)))
    exponent = Exponent(2.0) if labels == "none" else Exponent(2.0, 0.7)
    y = {
        "none": None,
        "zero": torch.zeros(groups, n).bool(),
        "one": torch.ones(groups, n).bool(),
        "mixed": x[..., 0] > 0,
        "pairs": PairLabels(x, 0.2),
    }[labels]
    found, reference, cosines = log_sums(z, exponent, exclude=exclude, labels=y)
    unit = z / z.norm(dim=-1, keepdim=True)
    s = unit @ unit.mT
    lag = torch.arange(n) - torch.arange(n)[:, None]
    kept = ~torch.isin(lag, torch.tensor(exclude))
    full_y = torch.zeros_like(s).bool() if y is None else y.of(slice(None)) if labels == "pairs" else y[..., None]
    e = 2 * s if y is None else 2 * phi(s, full_y, 0.7)
    expected = torch.logsumexp(e.masked_fill(~kept, -math.inf), -1)
    torch.testing.assert_close(found + reference * exponent.offset, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.tensor(np.random.default_rng(4).standard_normal((groups, n)))
    beside = torch.tensor(np.random.default_rng(5).standard_normal((groups, n - 1)))
    torch.testing.assert_close(cosines, s.diagonal(1, dim1=1, dim2=2), rtol=1e-12, atol=1e-12)
    (wanted,) = torch.autograd.grad((expected * upstream).sum() + (s.diagonal(1, dim1=1, dim2=2) * beside).sum(), z)
    for _ in range(2):  # the second time no block is there any more
        (got,) = torch.autograd.grad((found * upstream).sum() + (cosines * beside).sum(), z, retain_graph=True)
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("path", "stay"), [("triangle", 0), ("triangle", 2), ("triangle", 10), ("rows", 0)])
@pytest.mark.parametrize("labels", BLOCKS["labels"])
@pytest.mark.parametrize("exclude", BLOCKS["exclude"])
@pytest.mark.parametrize("shape", BLOCKS["shape"])
def test_blocks_give_the_sums_and_gradients_of_the_whole_matrix(monkeypatch, shape, exclude, labels, path, stay):
    in_small_blocks(monkeypatch, stay)
    if path == "rows":
        monkeypatch.setattr("emargin.losses.log_sums.SAFE_EXPONENT", 0.0)
    assert_sums_are_those_of_the_whole_matrix(shape, exclude, labels)


def test_no_block_stays_where_no_gradient_is_asked_for_nor_after_it(monkeypatch):
    made = []
    monkeypatch.setattr("emargin.losses.log_sums.Triangle", lambda *a, **k: made.append(Triangle(*a, **k)) or made[-1])
    for leaf in (embedding((1, 61, 4)), embedding((1, 61, 4)).detach()):
        log_sum, _, _ = log_sums(leaf, Exponent(2.0), exclude=(0,))
        assert (made[-1].first_staying < len(made[-1].parts)) is leaf.requires_grad
        if leaf.requires_grad:
            log_sum.sum().backward()
            assert made[-1].memory is None  # although log_sum is there


@pytest.mark.parametrize("labels", [None, "one", "mixed"])
def test_no_memory_is_read_before_it_is_written(monkeypatch, labels):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 8)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 4)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", 3 * 8**2)
    y = {None: None, "one": torch.ones(2, 61).bool(), "mixed": torch.arange(61).expand(2, 61) % 3 == 0}[labels]
    outcomes = []
    for known in (False, True):
        monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", known)
        torch.use_deterministic_algorithms(known)  # then memory that is not written holds NaN
        try:
            leaf = embedding((2, 61, 4))
            log_sum, _, cosines = log_sums(
                leaf, Exponent(2.0) if y is None else Exponent(2.0, 0.7), exclude=(0, 1), labels=y
            )
            (log_sum.sum() + cosines.sum()).backward()
        finally:
            torch.use_deterministic_algorithms(False)
        outcomes.append((log_sum.detach(), cosines.detach(), leaf.grad))
    for one, other in zip(*outcomes, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("length", [0.0, 1e-13, 1e-11])
def test_rows_of_next_to_no_length_have_the_gradient_of_torchs_normalisation(length):
    z = embedding((1, 6, 4)).detach()
    z[0, 2] *= length / z[0, 2].norm()
    leaf, other = z.clone().requires_grad_(), z.clone().requires_grad_()
    found, _, cosines = log_sums(leaf, Exponent(2.0), exclude=(0,))
    (found.sum() + cosines.sum()).backward()
    unit = torch.nn.functional.normalize(other, dim=-1)
    s = unit @ unit.mT
    off = 2 * s.masked_fill(torch.eye(6, dtype=torch.bool), -math.inf)
    (torch.logsumexp(off, -1).sum() + s.diagonal(1, dim1=1, dim2=2).sum()).backward()
    torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: info_nce(z, temperature=0.2),
        lambda z: info_nce(z, temperature=0.2, sides=2, scope="flattened"),
        lambda z: emargin_loss(z, torch.ones(2, 4), temperature=0.2, margin=5.0),
        lambda z: emargin_released(z, torch.ones(10), temperature=0.2, margin=5.0)[0],
    ],
)
def test_losses_ignore_positive_row_scaling_and_rotation_but_not_order(loss):
    z = embedding((2, 5, 4)).detach()
    scale = torch.tensor(np.random.default_rng(3).random((2, 5, 1)) + 0.1)
    rotation, _ = torch.linalg.qr(torch.tensor(np.random.default_rng(4).standard_normal((4, 4))))
    assert loss(z * scale).item() == pytest.approx(loss(z).item(), rel=1e-10)
    assert loss(z @ rotation).item() == pytest.approx(loss(z).item(), rel=1e-10)
    assert abs(loss(z[:, [2, 0, 4, 1, 3]]).item() - loss(z).item()) > 1e-3


def test_one_sided_info_nce_is_not_symmetric_in_time():
    z = embedding((1, 8, 4)).detach()
    assert abs(info_nce(z, temperature=0.2).item() - info_nce(z.flip(1), temperature=0.2).item()) > 1e-3


def similarity_gradient(loss, n, adjacent=0.8, background=0.5):
    """dL/dS where all cosines are `background` and neighbours `adjacent`, from vectors that have those cosines."""
    s = torch.full((n, n), background).double().fill_diagonal_(1.0)
    steps = torch.arange(n - 1)
    s[steps, steps + 1] = s[steps + 1, steps] = adjacent
    values, vectors = torch.linalg.eigh(s)
    z = (vectors * values.clamp(min=0).sqrt()).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z[None]), z)
    far = torch.ones(n, n).triu(2).bool()
    far = far | far.mT
    # move one non-adjacent pair together along the tangent and see whether the loss rises
    toward = torch.zeros_like(z)
    for i, j in far.nonzero().tolist():
        toward[i] += z[j].detach() - s[i, j] * z[i].detach()
    return (gradient * toward).sum().item()


def test_denominator_repels_in_info_nce_and_attracts_in_released_emargin():
    ones = torch.ones(40, dtype=torch.bool)
    assert similarity_gradient(lambda z: info_nce(z, temperature=0.1), 40) > 0
    assert similarity_gradient(lambda z: emargin_released(z, ones, temperature=0.5, margin=5.0)[0], 40) < 0
    assert similarity_gradient(lambda z: emargin_released(z, ones, temperature=0.5, margin=5.0, sides=1)[0], 40) < 0


@pytest.mark.parametrize("exponent", [Exponent(4.0), Exponent(2.0, 5.0), Exponent(2.0, 0.3, Parabolas(-1.0))])
def test_no_exponent_exceeds_its_bound(exponent):
    s = torch.linspace(-1, 1, 201, dtype=torch.float64)
    largest = max(exponent(s, y).abs().max().item() for y in (False, True))
    assert largest <= exponent.bound == pytest.approx(largest)


def test_pairs_at_the_threshold_are_dissimilar():
    labels = PairLabels(torch.eye(3)[None], 0.0).of(slice(None))
    assert torch.equal(labels[0], ~torch.eye(3, dtype=torch.bool))


def test_zero_rows_and_groups_without_negatives_give_finite_gradients():
    z = torch.zeros(1, 3, 4, dtype=torch.float64, requires_grad=True)
    info_nce(z, temperature=0.1, sides=2).backward()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: info_nce(z, temperature=-0.1), "temperature.*-0.1"),
        (lambda z: info_nce(z, temperature=0.0), "temperature.*0.0"),
        (lambda z: info_nce(z, temperature=0.1, sides=3), "sides.*3"),
        (lambda z: info_nce(z, temperature=0.1, scope="batch"), "scope.*'batch'"),
        (lambda z: info_nce(z[:, :2], temperature=0.1), "2 frames.*at least 3"),
        (lambda z: info_nce(z[0], temperature=0.1), "embedding"),
        (lambda z: emargin_loss(z, torch.ones(2, 4), temperature=0.1, margin=0.0), "margin"),
        (lambda z: emargin_loss(z, torch.ones(2, 2), temperature=0.1, margin=5.0), "pseudo-labels do not fit"),
        (lambda z: emargin_loss(z, torch.ones(2, 4), temperature=0.1, margin=5.0, reading="row"), "reading.*'row'"),
        (lambda z: emargin_loss(z, torch.ones(2, 4), temperature=0.1, margin=5.0, reading="all-pairs"), "no frames"),
        (lambda z: emargin_released(z, torch.ones(10), temperature=0.1, margin=5.0, sides=3), "sides.*3"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call(embedding((2, 5, 4)))


def test_the_logarithm_of_a_difference_is_finite_at_a_tie():
    a = torch.tensor([5.0, -3.0, 0.0, 7.0, 60.0], dtype=torch.float32, requires_grad=True)
    b = torch.tensor([4.0, 2.0, 0.0, 7.0, 60.0])
    found = _log_difference(a, b)
    torch.testing.assert_close(found[:2], torch.log((a[:2].double().exp() - b[:2].double().exp()).abs()).float())
    nearest = torch.log((torch.nextafter(a[2:], torch.tensor(100.0)).double().exp() - b[2:].double().exp()).abs())
    assert torch.isfinite(found).all() and (found[3:] - nearest[1:].float()).abs().max() < 1
    found.sum().backward()
    assert torch.isfinite(a.grad).all() and a.grad[0] > 0 and a.grad[1] < 0


def test_four_frames_by_hand():
    angles = torch.deg2rad(torch.tensor([0.0, 0.0, 60.0, 60.0], dtype=torch.float64))
    z, y = torch.stack([angles.cos(), angles.sin()], dim=1)[None], torch.tensor([[0, 1, 0]])
    by_hand = (2 * math.log(2) - 2 + math.log(1 + math.e)) / 3
    assert info_nce(z, temperature=0.5).item() == pytest.approx(by_hand, rel=1e-12)
    by_hand = (2 * math.log(2) - 1.5 + math.log1p(math.exp(-4.25))) / 3
    assert emargin_loss(z, y, temperature=0.5, margin=5.0, reading="anchor").item() == pytest.approx(by_hand, rel=1e-12)
