"""Losses in the training loops of others: half precision, autocast, rows of no length, and input that is wrong."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.detection import detection
from emargin.errors import InputError
from emargin.losses import READINGS, emargin_loss, emargin_released, guards, info_nce, phi, phi_slope, psi, psi_slope
from emargin.losses import emargin as module
from emargin.losses.hierarchical import hierarchical, instance_contrast, temporal_contrast
from emargin.losses.reference import adjusted, cosine_matrix, label_matrix
from emargin.losses.reference import emargin as dense_emargin
from emargin.losses.reference import info_nce as dense_info_nce
from emargin.losses.reference import released as dense_released
from emargin.pseudo_labels import pseudo_labels
from tests.emargin.losses.test_reference import softplus_margin

HALF = [torch.float16, torch.bfloat16]
THRESHOLD = 0.2
SCALE = 2.0**16  # of a GradScaler: half precision holds no number below 6e-8
# The same values in float64 differ by float32's rounding of sums, the gradient by its rounding to the embedding's type.
VALUE = {"rtol": 2e-6, "atol": 2e-5}
GRADIENT = {torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.float32: 1e-4}  # of the largest entry


def close_rows(shape, seed=0):
    """Embeddings that are close to one another, as a trained encoder's are."""
    rng = np.random.default_rng(seed)
    return torch.tensor(0.1 * rng.standard_normal(shape) + rng.standard_normal((1, 1, shape[2])))


def frames_of(shape):
    return torch.tensor(np.random.default_rng(9).standard_normal((*shape[:2], 3)))


def labels_of(x):
    return ~(torch.cosine_similarity(x[:, :-1], x[:, 1:], dim=-1) > THRESHOLD)


def losses_of(tau, m=5.0):
    """Name -> (fast, dense): functions of an embedding; the dense one is the definition, for float64."""

    def emargin(z, x, reading, **further):
        settings = {"temperature": tau, "margin": m, "reading": reading, "threshold": THRESHOLD}
        return emargin_loss(z, labels_of(x), **settings, frames=x, **further)

    def dense(z, x, reading, function=phi):
        pairs = ~(cosine_matrix(x) > THRESHOLD)
        return dense_emargin(cosine_matrix(z), labels_of(x), tau, m, reading, pairs, function).mean()

    def released(z, x, sides):
        y = labels_of(x.reshape(1, -1, 3))
        return emargin_released(z, y, temperature=tau, margin=m, sides=sides)[0]

    def dense_of_released(z, x, sides):
        y = labels_of(x.reshape(1, -1, 3))
        return dense_released(cosine_matrix(z, "flattened"), y, tau, m, sides)[0].mean()

    table = {
        f"info_nce {sides} {scope}": (
            lambda z, x, sides=sides, scope=scope: info_nce(z, temperature=tau, sides=sides, scope=scope),
            lambda z, x, sides=sides, scope=scope: dense_info_nce(cosine_matrix(z, scope), tau, sides).mean(),
        )
        for sides in (1, 2)
        for scope in ("sequence", "flattened")
    }
    for reading in READINGS:
        table[f"emargin {reading}"] = (
            lambda z, x, reading=reading: emargin(z, x, reading),
            lambda z, x, reading=reading: dense(z, x, reading),
        )
    table["emargin softplus"] = (
        lambda z, x: emargin(z, x, "anchor", phi=softplus_margin),
        lambda z, x: dense(z, x, "anchor", softplus_margin),
    )
    for sides in (1, 2):
        table[f"released {sides}"] = (
            lambda z, x, sides=sides: released(z, x, sides),
            lambda z, x, sides=sides: dense_of_released(z, x, sides),
        )
    table["dense info_nce"] = (
        lambda z, x: dense_info_nce(cosine_matrix(z), tau).mean(),
        table["info_nce 1 sequence"][1],
    )
    table["hierarchical"] = (lambda z, x: hierarchical(z, z.flip(1)), lambda z, x: hierarchical(z, z.flip(1)))
    table["instance"] = (lambda z, x: instance_contrast(z, z.flip(1)), lambda z, x: instance_contrast(z, z.flip(1)))
    table["temporal"] = (lambda z, x: temporal_contrast(z, z.flip(1)), lambda z, x: temporal_contrast(z, z.flip(1)))
    return table


NAMES = sorted(losses_of(0.1))
WITH_WEIGHTS = {"emargin softplus", "dense info_nce"}  # or no scalar: their gradient comes with the backward pass


def value_and_gradient(loss, z, x, scale=1.0):
    leaf = z.detach().clone().requires_grad_()
    value = loss(leaf, x)
    (scale * value).backward()
    return value.detach(), leaf.grad


def assert_as_in_float64(loss, dense, z, x):
    """`z` is what the loss is given; the definition gets the same numbers in float64."""
    value, gradient = value_and_gradient(loss, z, x, SCALE)
    expected, wanted = value_and_gradient(dense, z.double(), x.double(), SCALE)
    assert value.dtype == torch.float32 and gradient.dtype == z.dtype
    torch.testing.assert_close(value.double(), expected, **VALUE)
    tolerance = GRADIENT[z.dtype] * wanted.abs().max().item()
    torch.testing.assert_close(gradient.double(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("tau", [0.05, 0.1])
@pytest.mark.parametrize("kind", HALF)
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_summed_in_float32(name, kind, tau):
    z, x = close_rows((2, 40, 16)).to(kind), frames_of((2, 40))
    assert_as_in_float64(*losses_of(tau)[name], z, x)


@pytest.mark.parametrize("kind", HALF)
@pytest.mark.parametrize("type_of_z", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "inside"), [(name, inside) for name in NAMES for inside in (False, True)[: 1 + (name not in WITH_WEIGHTS)]]
)
def test_autocast_reaches_no_sum(name, inside, type_of_z, kind):
    """Neither in the loss nor in a backward pass, wherever that is called."""
    z, x = close_rows((2, 40, 16)).to(type_of_z), frames_of((2, 40))
    loss, dense = losses_of(0.01)[name]  # so low that exponents are not summed as they are, but whole rows
    leaf = z.clone().requires_grad_()
    with torch.autocast("cpu", dtype=kind):
        assert (leaf.float()[0] @ leaf.float()[0].T).dtype == kind
        value = loss(leaf, x)
        if inside:
            (SCALE * value).backward()
    if not inside:
        (SCALE * value).backward()
    expected, wanted = value_and_gradient(dense, z.double(), x, SCALE)
    assert value.dtype == torch.float32 and leaf.grad.dtype == type_of_z
    torch.testing.assert_close(value.detach().double(), expected, rtol=2e-6, atol=2e-4)
    tolerance = (2e-3 if type_of_z == torch.float32 else 2 * GRADIENT[type_of_z]) * wanted.abs().max().item()
    torch.testing.assert_close(leaf.grad.double(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("tau", [0.05, 0.1])
@pytest.mark.parametrize("kind", HALF)
def test_four_thousand_frames_in_half_precision(kind, tau):
    """Float16 holds neither the sum of 4,000 exponentials nor, without a scale, the gradient of one."""
    z = close_rows((1, 4000, 16)).to(kind)
    for name in ("info_nce 1 sequence", "released 2"):
        loss, _ = losses_of(tau)[name]
        value, gradient = value_and_gradient(loss, z, frames_of((1, 4000)), SCALE)
        expected, wanted = value_and_gradient(loss, z.double(), frames_of((1, 4000)), SCALE)
        assert value.item() == pytest.approx(expected.item(), abs=1e-4)
        tolerance = GRADIENT[kind] * wanted.abs().max().item()
        torch.testing.assert_close(gradient.double(), wanted, rtol=0, atol=tolerance)


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 3), st.integers(3, 12), st.integers(1, 9)),
    spread=st.floats(0.01, 3),
    tau=st.floats(0.05, 2),
    kind=st.sampled_from(HALF),
    name=st.sampled_from(NAMES),
)
@settings(max_examples=80, deadline=None)
def test_any_half_precision_embedding_has_the_loss_of_its_values(seed, sizes, spread, tau, kind, name):
    rng = np.random.default_rng(seed)
    z = torch.tensor(spread * rng.standard_normal(sizes) + rng.standard_normal((1, 1, sizes[2]))).to(kind)
    x = frames_of(sizes)
    loss, dense = losses_of(tau)[name]
    value, _ = value_and_gradient(loss, z, x)
    expected, _ = value_and_gradient(dense, z.double(), x)
    if "released" in name and not math.isfinite(expected.item()):
        return  # a tie of the two sums: its logarithm is the last digit's
    tolerance = 5e-2 if "released" in name else 1e-4  # near such a tie
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-4, abs=tolerance)


def test_pseudo_labels_of_half_precision_are_those_of_their_values():
    for kind in HALF:
        x = torch.randn(4, 2000, 6, generator=torch.Generator().manual_seed(1)).to(kind)
        with torch.autocast("cpu", dtype=kind):
            found = pseudo_labels(x, threshold=0.4)
        assert torch.equal(found, pseudo_labels(x.float(), threshold=0.4))


@pytest.mark.parametrize("name", NAMES)
def test_float64_stays_float64_and_float32_float32(name):
    loss, _ = losses_of(0.1)[name]
    for kind in (torch.float64, torch.float32):
        z = close_rows((2, 9, 4)).to(kind)
        assert loss(z, frames_of((2, 9))).dtype == kind
        assert value_and_gradient(loss, z, frames_of((2, 9)))[1].dtype == kind
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert loss(z, frames_of((2, 9))).dtype == kind


def test_without_autocast_float32_has_the_bits_of_the_losses_that_methods_call():
    z, x = close_rows((2, 9, 4)).float(), frames_of((2, 9))
    fast = losses_of(0.1)
    for name, unguarded in {
        "info_nce 1 sequence": lambda z, x: module._info_nce(z, temperature=0.1),
        "info_nce 2 flattened": lambda z, x: module._info_nce(z, temperature=0.1, sides=2, scope="flattened"),
        "emargin anchor": lambda z, x: module._emargin_loss(z, labels_of(x), temperature=0.1, margin=5.0),
    }.items():
        found, expected = value_and_gradient(fast[name][0], z, x), value_and_gradient(unguarded, z, x)
        assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])


def test_frames_of_half_precision_label_pairs_as_their_values_do():
    z, x = close_rows((2, 30, 4)).float(), frames_of((2, 30)).half()
    settings = {"temperature": 0.1, "margin": 5.0, "reading": "all-pairs", "threshold": THRESHOLD}
    y = labels_of(x.double())
    assert torch.equal(emargin_loss(z, y, **settings, frames=x), emargin_loss(z, y, **settings, frames=x.float()))


def test_a_loss_under_autocast_may_be_scaled_and_asked_for_its_gradient_twice():
    z = close_rows((2, 9, 4)).float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = info_nce(z, temperature=0.1)
        first, second = hierarchical(z, z.detach()), hierarchical(z.detach(), z)
        with torch.no_grad():
            assert not info_nce(z, temperature=0.1).requires_grad
    assert not emargin_released(z, torch.ones(17).bool(), temperature=0.1, margin=5.0)[1].requires_grad
    once, thrice = (torch.autograd.grad(n * value, z, retain_graph=True)[0] for n in (1, 3))
    torch.testing.assert_close(3 * once, thrice)
    one, other = torch.autograd.grad(first, z)[0], torch.autograd.grad(second, z)[0]
    both = torch.autograd.grad(hierarchical(z, z), z)[0]
    torch.testing.assert_close(one + other, both)


def test_weights_of_a_map_get_their_gradient_under_autocast():
    z, y = close_rows((2, 9, 4)).float().requires_grad_(), torch.arange(16).reshape(2, 8) % 3 == 0

    def loss(weight):
        return emargin_loss(z, y, temperature=0.1, margin=5.0, phi=lambda s, y, m: weight * phi(s, y, m))

    weight = torch.tensor(1.0, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(weight)
    value.backward()
    slope = (loss(1.01) - loss(0.99)).item() / 0.02
    assert abs(slope) > 0.01 and weight.grad.item() == pytest.approx(slope, rel=0.02)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("length", [0.0, 1e-38, 1e-13, 1e-9, 1e-6, 1e-4, 1e-3])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("hierarchical", "instance", "temporal")])
def test_a_row_of_next_to_no_length_has_a_bounded_gradient(name, length, scale):
    """Bounded by a thousand times what the row's direction gets at the lesser of 1 and the mean length."""
    z, x = torch.tensor(np.random.default_rng(2).standard_normal((2, 12, 8))).float(), frames_of((2, 12))
    z /= z.norm(dim=-1, keepdim=True)
    loss = losses_of(0.1)[name][0]
    at_length_1 = value_and_gradient(loss, z, x)[1].norm(dim=-1).max().item()
    z[0, 3] *= length
    value, gradient = value_and_gradient(loss, scale * z, x)
    short, others = gradient[0, 3].norm().item(), gradient.norm(dim=-1)
    bound = 1e3 * at_length_1 / min(scale, 1.0)
    assert math.isfinite(value.item()) and torch.isfinite(gradient).all()
    assert short <= 2 * bound * min(
        1.0, length / 1e-3 * max(scale, 1.0)
    )  # 2: at the short row others weigh differently
    if length == 0:
        assert short == 0
    elif scale == 1 and length == 1e-3:
        assert short > 100 * others.median().item()  # of a row that is no shorter than the bound's, nothing is taken


def test_rows_that_are_long_enough_keep_their_gradient_beside_a_short_row_and_small_batches_keep_it_all():
    z, x = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0)).double(), frames_of((2, 12))
    z[0, 3] *= 1e-6
    z[1, 4] *= 2e-3 * z.norm(dim=-1).mean() / z[1, 4].norm()
    kept = torch.ones(2, 12).bool()
    kept[0, 3] = False
    for name in ("info_nce 1 sequence", "released 2", "emargin softplus"):
        fast, _ = losses_of(0.1)[name]
        gradient = value_and_gradient(fast, z, x)[1]
        unit = torch.nn.functional.normalize
        leaf = z.clone().requires_grad_()
        rows = unit(leaf, dim=-1)
        rows.retain_grad()
        fast(rows, x).backward()  # rows of length 1, which nothing is taken from
        torch.testing.assert_close(gradient[kept], leaf.grad[kept], rtol=1e-9, atol=1e-12)
        shortest = 1e-3 * min(1.0, z.norm(dim=-1).mean().item())
        share = (z[0, 3].norm() / shortest).item() ** 2
        torch.testing.assert_close(gradient[0, 3], share * leaf.grad[0, 3], rtol=1e-9, atol=1e-12)
        z_kept = z[kept][:12].reshape(1, 12, 8)
        of_small = value_and_gradient(fast, 1e-6 * z_kept, x[:1])[1]
        torch.testing.assert_close(1e-6 * of_small, value_and_gradient(fast, z_kept, x[:1])[1], rtol=1e-7, atol=1e-12)


def test_a_batch_of_zeros_has_the_gradient_zero():
    for name in NAMES:
        if name in ("hierarchical", "instance", "temporal"):
            continue
        value, gradient = value_and_gradient(losses_of(0.1)[name][0], torch.zeros(2, 5, 4), frames_of((2, 5)))
        assert math.isfinite(value.item()) and not gradient.any()


@pytest.mark.parametrize("kind", HALF)
def test_a_training_loop_with_autocast_and_a_gradient_scaler_lowers_the_loss(kind):
    torch.manual_seed(0)
    x = torch.randn(4, 30, 6).cumsum(1)
    y = pseudo_labels(x, threshold=0.9)
    encoder = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16))
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    curves = {"info_nce": [], "emargin": [], "released": [], "hierarchical": []}
    start = [parameter.detach().clone() for parameter in encoder.parameters()]
    for name, curve in curves.items():
        with torch.no_grad():
            for parameter, first in zip(encoder.parameters(), start, strict=True):
                parameter.copy_(first)
        for _ in range(40):
            optimiser.zero_grad()
            with torch.autocast("cpu", dtype=kind):
                z = encoder(x)
                assert z.dtype == kind
                if name == "info_nce":
                    loss = info_nce(z, temperature=0.1)
                elif name == "emargin":
                    loss = emargin_loss(z, y, temperature=0.1, margin=0.5)
                elif name == "released":
                    loss, _ = emargin_released(z, torch.ones(119).bool(), temperature=0.5, margin=5.0)
                else:
                    loss = hierarchical(z, z + 0.1)
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()
            curve.append(loss.item())
        assert all(map(math.isfinite, curve)) and curve[-1] < curve[0] - 0.1, (name, curve[0], curve[-1])
    assert scaler.get_scale() >= 2.0**10  # next to no step was skipped for a gradient beyond half precision


Z, X, Y = close_rows((2, 5, 4)).float(), frames_of((2, 5)), torch.ones(2, 4).bool()
E = {"temperature": 0.1, "margin": 5.0}
ALL = E | {"reading": "all-pairs", "threshold": 0.2}
S = cosine_matrix(Z)
META = torch.device("meta")


def with_value(z, value):
    z = z.clone()
    z[1, 2, 0] = value
    return z


EMBEDDING_LOSSES = {
    "info_nce": lambda z: info_nce(z, temperature=0.1),
    "emargin": lambda z: emargin_loss(z, Y, **E),
    "released": lambda z: emargin_released(z, torch.ones(9).bool(), **E),
    "hierarchical": lambda z: hierarchical(z, Z),
    "second view": lambda z: temporal_contrast(Z, z),
    "instance": lambda z: instance_contrast(z, z),
    "cosine_matrix": cosine_matrix,
    "pseudo_labels": lambda z: pseudo_labels(z, threshold=0.4),
    "frames": lambda z: emargin_loss(Z, Y, **ALL, frames=z),
}
WRONG = {
    "integers": (Z.long(), r"found: torch.int64.*wanted: a dense tensor of float16.*\.float\(\)"),
    "complex": (Z + 0j, "found: torch.complex64"),
    "numpy": (Z.numpy(), "found: a ndarray.*as_tensor"),
    "list": (Z.tolist(), "found: a list"),
    "none": (None, "found: a NoneType|found: no frames"),
    "meta": (Z.to(META), "on meta"),
    "sparse": (Z.to_sparse(), "sparse"),
    "no sequences": (Z[:0], r"found: shape \(0, 5, 4\)"),
    "no frames": (Z[:, :0], r"found: shape \(2, 0, 4\)"),
    "no channels": (Z[..., :0], r"found: shape \(2, 5, 0\)"),
    "a number": (Z.sum(), r"found: shape \(\)"),
    "NaN": (with_value(Z, math.nan), r"in 1 of 10 rows, the first at \(1, 2\)"),
    "infinity": (with_value(Z, -math.inf), r"in 1 of 10 rows, the first at \(1, 2\)"),
    "NaN in half": (with_value(Z.half(), math.nan), "1 of 10 rows"),
    "too large": (with_value(Z, 1e30), "squares beyond them in 1 of 10 rows"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("loss", EMBEDDING_LOSSES)
def test_an_embedding_that_cannot_be_used_is_named(loss, kind):
    given, message = WRONG[kind]
    with pytest.raises(InputError, match=message):
        EMBEDDING_LOSSES[loss](given)


@pytest.mark.parametrize(
    "loss", ["info_nce", "emargin", "released", "hierarchical", "second view", "instance", "frames"]
)
@pytest.mark.parametrize("z", [Z[0], Z[None], Z[0, 0]], ids=["two axes", "four axes", "one axis"])
def test_a_wrong_number_of_axes_is_named(loss, z):
    with pytest.raises(InputError, match=r"found: .*\(.*4.*\)"):
        EMBEDDING_LOSSES[loss](z)


LABELLED = {
    "emargin": lambda y: emargin_loss(Z, y, **E),
    "emargin flattened": lambda y: emargin_loss(Z[:1], y[:1].flatten(), **E, scope="flattened"),
    "own map": lambda y: emargin_loss(Z, y, **E, phi=softplus_margin),
    "released": lambda y: emargin_released(Z[:1], y[:1], **E),
    "dense emargin": lambda y: dense_emargin(S, y, 0.1, 5.0),
    "dense released": lambda y: dense_released(S, y, 0.1, 5.0),
    "label_matrix": lambda y: label_matrix(y, "anchor"),
    "phi": lambda y: phi(S[:, 0, :4], y, 5.0),
    "psi": lambda y: psi(S[:, 0, :4], y, 5.0),
    "phi_slope": lambda y: phi_slope(S[:, 0, :4], y, 5.0),
    "psi_slope": lambda y: psi_slope(S[:, 0, :4], y, 5.0),
    "detection": lambda y: detection(y, torch.arange(10).reshape(2, 5)),
}


@pytest.mark.parametrize("loss", LABELLED)
@pytest.mark.parametrize("value", [0.5, 2, -1, math.nan, math.inf])
def test_pseudo_labels_other_than_0_and_1_are_refused(loss, value):
    y = torch.zeros(2, 4)
    y[0, 1] = value
    with pytest.raises(
        InputError, match=f"pseudo-labels. found: torch.float32 with {float(value)}. wanted: bool, or 0"
    ):
        LABELLED[loss](y)
    if value in (2, -1):
        with pytest.raises(InputError, match=f"torch.int64 with {value}"):
            LABELLED[loss](y.long())


@pytest.mark.parametrize("loss", LABELLED)
def test_pseudo_labels_that_are_0_and_1_count_as_bool(loss):
    y = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0]])
    found = [LABELLED[loss](kind) for kind in (y.bool(), y, y.float(), y.half(), y.to(torch.uint8))]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: emargin_loss(Z, Y.T, **E), r"do not fit. found: shape \(4, 2\).*\(2, 4\) or \(2, 5\)"),
        (lambda: emargin_loss(Z, Y.flatten(), **E), r"shape \(8,\)"),
        (lambda: emargin_loss(Z, Y[:, :3], **E), r"shape \(2, 3\)"),
        (lambda: emargin_loss(Z, Y.flatten()[:7], **E), r"shape \(7,\)"),
        (lambda: emargin_loss(Z, None, **E), "pseudo-labels. found: a NoneType"),
        (lambda: emargin_loss(Z, Y.tolist(), **E), "pseudo-labels. found: a list"),
        (lambda: emargin_loss(Z, Y.to(META), **E), "pseudo-labels on another device. found: meta and cpu"),
        (lambda: emargin_released(Z, Y, **E), r"shape \(2, 4\).*\(1, 9\) or .*\(10,\)"),
        (lambda: emargin_loss(Z, Y, **ALL, frames=X[:, :4]), r"frames do not fit.*\(2, 4, 3\).*\(2, 5, 'features'\)"),
        (lambda: emargin_loss(Z, Y, **ALL, frames=X[0]), r"frames do not fit.*\(5, 3\)"),
        (lambda: emargin_loss(Z, Y, **ALL | {"threshold": 1.5}, frames=X), "threshold is a cosine. found: 1.5"),
        (lambda: emargin_loss(Z, Y, **ALL | {"threshold": "0.5"}, frames=X), "threshold is a cosine. found: '0.5'"),
        (lambda: emargin_loss(Z, Y, **E, phi=lambda s, y, m: 0.0), "values of a margin map. found: a float"),
        (lambda: hierarchical(Z, Z[:1]), "two views"),
        (lambda: hierarchical(Z, Z, instance_weights=torch.full((2, 2), math.nan)), "soft weights. found: NaN"),
        (lambda: hierarchical(Z, Z, temporal_weights=lambda n, level: np.eye(n)), "soft weights. found: a ndarray"),
        (
            lambda: instance_contrast(Z, Z, torch.eye(2, requires_grad=True)),
            "soft weights. found: a Tensor that requires a gradient. wanted.*no gradient",
        ),
        (lambda: temporal_contrast(Z, Z, torch.eye(5) + 0j), "soft weights"),
        (lambda: cosine_matrix(Z[0], "flattened"), r"found: shape \(5, 4\)"),
        (lambda: cosine_matrix(Z, "batch"), "unknown scope of a loss. found: 'batch'. wanted: sequence or flattened"),
        (lambda: dense_info_nce(S.half(), 0.1), "three digits. wanted: float32.*cosine_matrix"),
        (lambda: dense_info_nce(S[:, :4], 0.1), r"matrix of cosines. found: shape \(2, 4, 5\)"),
        (lambda: dense_info_nce(S[:, :2, :2], 0.1), "N at least 3"),
        (lambda: dense_info_nce(S[:0], 0.1), r"found: shape \(0, 5, 5\)"),
        (lambda: dense_info_nce(S[0, 0], 0.1), r"found: shape \(5,\)"),
        (lambda: dense_info_nce(S * math.nan, 0.1), "NaN or infinity"),
        (lambda: dense_info_nce(S.long(), 0.1), "torch.int64"),
        (lambda: dense_info_nce(S, 0.0), "temperature. found: 0.0"),
        (lambda: dense_info_nce(S, 0.1, 3), "number of sides of a loss. found: 3. wanted: 1 or 2"),
        (
            lambda: dense_emargin(S, Y[:, :3], 0.1, 5.0),
            r"pseudo-labels do not fit. found: shape \(2, 3\). wanted: \(2, 4\)",
        ),
        (lambda: dense_emargin(S, Y, 0.1, -5.0), "margin. found: -5.0"),
        (lambda: dense_emargin(S, Y.to(META), 0.1, 5.0), "another device"),
        (lambda: dense_emargin(S, Y, 0.1, 5.0, "row"), "unknown reading of a loss. found: 'row'"),
        (lambda: dense_released(S, Y[:, :3], 0.1, 5.0), "pseudo-labels do not fit"),
        (lambda: dense_released(S, Y, -0.1, 5.0), "temperature. found: -0.1"),
        (lambda: dense_released(S, Y, 0.1, 0.0), "margin. found: 0.0"),
        (lambda: dense_released(S, Y, 0.1, 5.0, 0), "number of sides"),
        (lambda: adjusted(S, Y, 5.0, lambda s, y, m: None), "values of a margin map. found: a NoneType"),
        (lambda: phi(S.long(), 1, 5.0), "cosines. found: torch.int64"),
        (lambda: phi(S, "1", 5.0), "pseudo-labels. found: a str"),
        (lambda: phi(S, 2, 5.0), "torch.int64 with 2"),
        (lambda: detection(Y, torch.arange(8).reshape(2, 4)), r"do not fit. found: shape \(2, 4\). wanted: \(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_matrices_may_be_stacked_in_any_number_of_dimensions():
    for form in (dense_emargin, lambda *given: torch.stack(dense_released(*given))):
        alone = form(S, Y, 0.1, 5.0)
        assert torch.equal(form(S[None], Y[None], 0.1, 5.0).reshape(alone.shape), alone)


@pytest.mark.parametrize("name", ["temperature", "margin"])
@pytest.mark.parametrize(
    "value", [0.0, -1.0, math.nan, math.inf, 1e300, 1e-300, None, "0.1", [0.1], torch.tensor(0.1), torch.ones(2)]
)
def test_a_temperature_or_margin_that_is_no_number_of_use_is_refused(name, value):
    """A tensor among them: it would get a part of its gradient."""
    for loss in (lambda **given: emargin_loss(Z, Y, **given), lambda **given: emargin_released(Z[:1], Y[:1], **given)):
        with pytest.raises(InputError, match=f"{name}. found: .*wanted: a number from 1e-09 to 1e\\+09, not a tensor"):
            loss(**E | {name: value})
    if name == "temperature":
        with pytest.raises(InputError, match="temperature"):
            info_nce(Z, temperature=value)


def test_numbers_of_numpy_and_whole_numbers_are_numbers():
    assert torch.equal(
        emargin_loss(Z, Y, temperature=np.float64(1), margin=np.int64(5)), emargin_loss(Z, Y, temperature=1, margin=5)
    )


@pytest.mark.parametrize("threshold", [-1, -0.2, 0, 1.0])
def test_every_cosine_may_be_the_threshold(threshold):
    assert emargin_loss(Z, Y, **ALL | {"threshold": threshold}, frames=X).isfinite()
    for beyond in (-1.01, 1.01):
        with pytest.raises(InputError, match=f"threshold is a cosine. found: {beyond}. wanted: a number from -1 to 1"):
            emargin_loss(Z, Y, **ALL | {"threshold": beyond}, frames=X)


def test_a_cuda_device_is_not_asked_for_values(monkeypatch):
    """Here a tensor that says it is on CUDA: what is not finite passes, and makes the loss NaN."""
    rows = with_value(Z, math.nan).requires_grad_()
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda self: True))
    asked = []
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: asked.append(self))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda self: asked.append(self))
    guards.usable("embedding", rows, damped=True)
    assert not asked
    monkeypatch.undo()
    assert module._info_nce(rows, temperature=0.1).isnan()
