"""Losses against slow references in float64, closed forms, and the values of the released code."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from emargin import losses
from emargin.errors import InputError
from emargin.losses import emargin, emargin_released, fused, info_nce
from emargin.losses.cosines import PairLabels, log_sums
from emargin.losses.emargin import _log_difference
from emargin.losses.exponent import Exponent
from emargin.losses.triangle import Triangle
from emargin.pseudo_labels import pseudo_labels

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "released_losses.json").read_text())["cases"]
SHAPES = [(1, 3, 2), (2, 5, 4), (3, 8, 6)]
TEMPERATURES = [0.05, 0.5]
MARGINS = [0.3, 5.0, 100.0]


def embedding(shape, seed=0, dtype=torch.float64):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype, requires_grad=True)


def cosines(rows):
    """The matrix of cosines by three loops."""
    rows = rows.detach().tolist()
    n = len(rows)
    s = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            dot = norm_i = norm_j = 0.0
            for c in range(len(rows[0])):
                dot += rows[i][c] * rows[j][c]
                norm_i += rows[i][c] ** 2
                norm_j += rows[j][c] ** 2
            s[i][j] = dot / math.sqrt(norm_i * norm_j)
    return s


def log_sum(exponents):
    if not exponents:
        return -math.inf
    top = max(exponents)
    return top + math.log(sum(math.exp(e - top) for e in exponents))


def phi(s, y, m):
    return 0.5 * max(0.0, m - s) ** 2 if y else 0.5 * s**2


def psi(s, y, m):
    return 0.5 * max(0.0, m - s) ** 2 if y else -0.5 * s**2


def log_difference(a, b):
    """log|e^a - e^b|."""
    return max(a, b) + math.log(abs(math.exp(a - max(a, b)) - math.exp(b - max(a, b))))


def slow_info_nce(s, tau, sides):
    n, total = len(s), []
    if sides == 1:
        for j in range(n - 1):
            total.append(-s[j + 1][j] / tau + log_sum([s[i][j] / tau for i in range(n) if i not in (j, j + 1)]))
    else:
        for j in range(1, n - 1):
            first = [s[i][j] / tau for i in range(n) if i not in (j - 1, j, j + 1)]
            second = [s[i][j - 1] / tau for i in range(n) if i not in (j - 1, j)]
            total.append(log_sum(first + second) - log_sum([s[j - 1][j] / tau, s[j + 1][j] / tau]))
    return sum(total) / len(total)


def slow_emargin(s, y, tau, m, reading, pair_y=None):
    n, total = len(s), []
    for t in range(n - 1):
        negatives = []
        for k in range(n):
            if k in (t, t + 1):
                continue
            if reading == "anchor":
                negatives.append(phi(s[t][k], y[t], m) / tau)
            elif reading == "pair":
                negatives.append(s[t][k] / tau)
            else:
                negatives.append(phi(s[t][k], pair_y[t][k], m) / tau)
        total.append(-phi(s[t][t + 1], y[t], m) / tau + log_sum(negatives))
    return sum(total) / len(total)


def slow_released(s, y, tau, m, sides):
    n, total, negative = len(s), [], 0
    if sides == 1:
        for j in range(n - 1):
            terms = [phi(0.0 if i == j else s[i][j], y[j], m) for i in range(n)]
            a, b = log_sum(terms), s[j + 1][j] / tau
            total.append(-s[j + 1][j] / tau + log_difference(a, b))
            negative += a <= b
    else:

        def column(j):
            return [0.05 * psi(s[i][j], y[j], m) / tau for i in range(n) if i != j]

        for j in range(1, n - 1):
            a, b = log_sum(column(j) + column(j - 1)), s[j][j - 1] / tau
            total.append(-log_sum([s[j - 1][j] / tau, s[j + 1][j] / tau]) + log_difference(a, b))
            negative += a <= b
    return sum(total) / len(total), negative / len(total)


def label_patterns(shape):
    mixed = np.random.default_rng(5).random(shape) < 0.5
    return [torch.zeros(shape, dtype=torch.bool), torch.ones(shape, dtype=torch.bool), torch.tensor(mixed)]


def per_sequence(z, slow):
    return sum(slow(cosines(rows), b) for b, rows in enumerate(z)) / len(z)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("sides", [1, 2])
def test_info_nce_equals_its_definition(shape, tau, sides):
    z = embedding(shape)
    expected = per_sequence(z, lambda s, b: slow_info_nce(s, tau, sides))
    assert info_nce(z, temperature=tau, sides=sides).item() == pytest.approx(expected, rel=1e-12)
    flat = slow_info_nce(cosines(z.flatten(0, 1)), tau, sides)
    assert info_nce(z, temperature=tau, sides=sides, scope="flattened").item() == pytest.approx(flat, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("reading", ["anchor", "pair", "all-pairs"])
def test_emargin_equals_its_definition(shape, tau, m, reading):
    b, t, _ = shape
    z, x = embedding(shape), torch.tensor(np.random.default_rng(9).standard_normal((b, t, 3)))
    x_cosines = [cosines(rows) for rows in x]
    pair_y = [[[not x_cosines[g][i][j] > 0.2 for j in range(t)] for i in range(t)] for g in range(b)]
    patterns = [pseudo_labels(x, threshold=0.2)] if reading == "all-pairs" else label_patterns((b, t - 1))
    for y in patterns:
        expected = per_sequence(z, lambda s, g, y=y: slow_emargin(s, y[g].tolist(), tau, m, reading, pair_y[g]))
        value = emargin(z, y, temperature=tau, margin=m, reading=reading, frames=x, threshold=0.2)
        assert value.item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("reading", ["anchor", "pair", "all-pairs"])
def test_emargin_flattened_crosses_sequences(reading):
    z, x = embedding((2, 4, 3)), torch.tensor(np.random.default_rng(9).standard_normal((2, 4, 3)))
    y = pseudo_labels(x.flatten(0, 1), threshold=0.2)
    x_cosines = cosines(x.flatten(0, 1))
    pair_y = [[not c > 0.2 for c in row] for row in x_cosines]
    expected = slow_emargin(cosines(z.flatten(0, 1)), y.tolist(), 0.1, 5.0, reading, pair_y)
    value = emargin(z, y, temperature=0.1, margin=5.0, reading=reading, scope="flattened", frames=x, threshold=0.2)
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", TEMPERATURES)
@pytest.mark.parametrize("m", MARGINS)
@pytest.mark.parametrize("sides", [1, 2])
def test_released_emargin_equals_its_closed_form(shape, tau, m, sides):
    z = embedding(shape, seed=3)
    s = cosines(z.flatten(0, 1))
    for y in label_patterns(len(s)):
        value, share = emargin_released(z, y, temperature=tau, margin=m, sides=sides)
        expected, expected_share = slow_released(s, y.tolist(), tau, m, sides)
        assert value.item() == pytest.approx(expected, rel=1e-11)
        assert share.item() == pytest.approx(expected_share, abs=1e-12)


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


@pytest.mark.parametrize("scope", ["sequence", "flattened"])
@pytest.mark.parametrize("sides", [1, 2])
def test_gradient_of_info_nce(scope, sides):
    assert torch.autograd.gradcheck(
        lambda z: info_nce(z, temperature=0.2, sides=sides, scope=scope), embedding((2, 4, 3))
    )


@pytest.mark.parametrize("m", [0.3, 5.0])
@pytest.mark.parametrize("reading", ["anchor", "pair", "all-pairs"])
def test_gradient_of_emargin(reading, m):
    x = torch.tensor(np.random.default_rng(9).standard_normal((2, 5, 3)))
    y = pseudo_labels(x, threshold=0.2)
    assert y.any() and not y.all()
    assert torch.autograd.gradcheck(
        lambda z: emargin(z, y, temperature=0.2, margin=m, reading=reading, frames=x, threshold=0.2),
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
        return emargin(rows, torch.full((1, t - 1), y), temperature=tau, margin=5.0, reading=reading).item()

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
            values.append(emargin(z, y, temperature=0.05, margin=m, reading=loss, frames=x, threshold=0.4).item())
    assert math.isfinite(values[1])
    assert values[1] == pytest.approx(values[0], rel=2e-6, abs=2e-4)


def test_all_pairs_without_a_dissimilar_pair_are_not_measured_from_the_margins_constant():
    """In float32 a constant of m^2 / (2 tau) = 10^5 would swallow the second decimal."""
    values = []
    for dtype in (torch.float64, torch.float32):
        z = torch.tensor(np.random.default_rng(1).random((1, 50, 16)), dtype=dtype)
        y = torch.zeros(1, 49, dtype=torch.bool)
        values.append(
            emargin(
                z, y, temperature=0.05, margin=100.0, reading="all-pairs", frames=torch.ones(1, 50, 3), threshold=0.4
            ).item()
        )
    assert values[1] == pytest.approx(values[0], rel=1e-6)


@pytest.mark.parametrize(
    ("path", "stay"), [("triangle", 0), ("triangle", 2), ("triangle", 10), ("rows", 0), ("fused", 0), ("fused", 2)]
)
@pytest.mark.parametrize("labels", ["none", "zero", "one", "mixed", "pairs"])
@pytest.mark.parametrize("exclude", [(0,), (0, 1), (-1, 0, 1), (-1, 0)])
@pytest.mark.parametrize("shape", [(1, 70, 4), (2, 64, 4), (3, 33, 4), (1, 5, 4)])
def test_blocks_give_the_sums_and_gradients_of_the_whole_matrix(monkeypatch, shape, exclude, labels, path, stay):
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", 32)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", 8)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", stay * 32**2)
    if path == "rows":
        monkeypatch.setattr("emargin.losses.cosines.SAFE_EXPONENT", 0.0)
    if path == "fused":
        monkeypatch.setattr("emargin.losses.cosines._is_fused", lambda unit: True)
        monkeypatch.setattr("emargin.losses.fused._compiled", lambda function: function)
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
    e = 2 * s if y is None else 2 * torch.where(full_y, 0.5 * (0.7 - s).clamp(min=0) ** 2, 0.5 * s**2)
    expected = torch.logsumexp(e.masked_fill(~kept, -math.inf), -1)
    torch.testing.assert_close(found + reference * exponent.offset, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.tensor(np.random.default_rng(4).standard_normal((groups, n)))
    beside = torch.tensor(np.random.default_rng(5).standard_normal((groups, n - 1)))
    torch.testing.assert_close(cosines, s.diagonal(1, dim1=1, dim2=2), rtol=1e-12, atol=1e-12)
    (wanted,) = torch.autograd.grad((expected * upstream).sum() + (s.diagonal(1, dim1=1, dim2=2) * beside).sum(), z)
    for _ in range(2):  # the second time no block is there any more
        (got,) = torch.autograd.grad((found * upstream).sum() + (cosines * beside).sum(), z, retain_graph=True)
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)


def test_no_block_stays_where_no_gradient_is_asked_for_nor_after_it(monkeypatch):
    made = []
    monkeypatch.setattr("emargin.losses.cosines.Triangle", lambda *a, **k: made.append(Triangle(*a, **k)) or made[-1])
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("block", [8192, 256])  # one block; several, which are compiled
@pytest.mark.parametrize("labels", ["none", "one", "mixed"])
def test_cuda_gives_the_sums_and_gradients_of_the_cpu(monkeypatch, labels, block):
    monkeypatch.setattr("emargin.losses.triangle.CUDA_BLOCK", block)
    z = torch.tensor(np.random.default_rng(2).standard_normal((1, 1000, 16)), dtype=torch.float32)
    y = {"none": None, "one": torch.ones(1, 1000).bool(), "mixed": torch.arange(1000)[None] % 3 == 0}[labels]
    exponent = Exponent(2.0) if y is None else Exponent(2.0, 0.7)
    outcomes = []
    for device in ("cpu", "cuda"):
        leaf = z.to(device).requires_grad_()
        found, _, cosines = log_sums(leaf, exponent, exclude=(0, 1), labels=None if y is None else y.to(device))
        (found.sum() + cosines.sum()).backward()
        outcomes.append((found.detach().cpu(), leaf.grad.cpu()))
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_compiled_blocks_give_what_the_same_lines_give():
    if shutil.which("g++") is None:
        pytest.skip("torch's compiler needs a C++ compiler on a CPU")
    draw = np.random.default_rng(3)

    def anchors(*shape):
        return tuple(torch.tensor(draw.standard_normal(shape), dtype=torch.float32) for _ in range(3))

    for rows, columns in ((33, 33), (33, 20), (70, 65)):
        s = torch.tensor(draw.uniform(-1, 1, (2, rows, columns)), dtype=torch.float32)
        numbers = torch.arange(rows)[:, None], torch.arange(columns) + (0 if rows == columns else rows)
        own, other, there = anchors(2, rows, 1), anchors(2, 1, columns), torch.arange(columns).expand(2, 1, -1) < 18
        for function, given in (
            (fused.block_sums, (s, own, other, there, *numbers, 0, 1)),
            (fused.block_weights, (s, own, other, own[0], other[0], *numbers, -1, 1)),
        ):
            torch.testing.assert_close(fused._compiled(function)(*given), function(*given), rtol=1e-5, atol=1e-5)


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
        lambda z: emargin(z, torch.ones(2, 4), temperature=0.2, margin=5.0),
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


@pytest.mark.parametrize("exponent", [Exponent(4.0), Exponent(2.0, 5.0), Exponent(2.0, 0.3, sign=-1.0)])
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
        (lambda z: emargin(z, torch.ones(2, 4), temperature=0.1, margin=0.0), "margin"),
        (lambda z: emargin(z, torch.ones(2, 2), temperature=0.1, margin=5.0), "pseudo-labels do not fit"),
        (lambda z: emargin(z, torch.ones(2, 4), temperature=0.1, margin=5.0, reading="row"), "reading.*'row'"),
        (lambda z: emargin(z, torch.ones(2, 4), temperature=0.1, margin=5.0, reading="all-pairs"), "no frames"),
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
