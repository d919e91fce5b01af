"""The figures of the pages on the methods: what they mark is what the losses of the module compare."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from companion.figures import methods, methods_masks, methods_prediction, methods_views
from companion.figures.methods import (
    ABSENT,
    ANCHOR,
    FIXED,
    FOLLOWS,
    LEARNS,
    MARKS,
    NEGATIVE,
    POSITIVE,
    READ,
    UNUSED,
    ZERO,
)
from emargin.config import Experiment
from emargin.losses.hierarchical import instance_contrast, temporal_contrast
from emargin.methods import METHODS
from emargin.methods.cost import moco_loss
from emargin.methods.cpc import HORIZONS, cpc, released_cpc
from emargin.methods.infots import local_loss
from emargin.methods.simmtm import TEMPERATURE, contrast_and_average
from emargin.methods.ts2vec import padded, shared
from emargin.resolve import resolve

FIDELITIES = ("original", "released")


def normal(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def method(name, fidelity, length, features=6):
    torch.manual_seed(1)
    experiment = resolve(
        Experiment(dataset="harth-sim", method=name, fidelity=fidelity, sequence_length=length, n_fft=10)
    )
    return METHODS[name](experiment, features)


def pick(scores, roles):
    """Minus the logarithm of the positive's share among itself and the negatives, from scores and roles, flattened."""
    positive, negative = scores[roles == POSITIVE], scores[roles == NEGATIVE]
    return -(positive - torch.cat([positive, negative]).logsumexp(0)).sum()


def signs(gradient):
    """What descent does to each vector of `(..., C)` that the loss holds against the anchor e_0."""
    pull = gradient[..., 0]
    return torch.where(pull < 0, POSITIVE, torch.where(pull > 0, NEGATIVE, UNUSED))


def test_cpc_roles_give_the_loss():
    n, length, t = 3, 12, 4
    predicted, z = normal(n, HORIZONS, 5), normal(n, length, 5, seed=1)
    roles, terms = methods_prediction.cpc_roles(n, length, t), []
    for b in range(n):
        own = roles.roll(b, 0)
        for k in range(HORIZONS):
            one_positive = own.masked_fill(own == POSITIVE, UNUSED)
            one_positive[b, t + 1 + k] = own[b, t + 1 + k]
            terms.append(pick(z @ predicted[b, k], one_positive))
    loss, _ = cpc(predicted, z, torch.full((n,), t))
    torch.testing.assert_close(torch.stack(terms).mean(), loss)


@pytest.mark.parametrize("length", [9, 16])
def test_released_cpc_roles_are_the_frames_that_the_method_scores(length, monkeypatch):
    released = method("cpc", "released", length).eval()
    context = released.released_context
    monkeypatch.setattr(released, "released_context", lambda z: context(z).detach())  # gradients by the scores alone
    scored = torch.zeros(2, length).bool()
    for seed in range(12):
        batch = normal(2, length, 6).float().requires_grad_()
        released.loss(batch, torch.Generator().manual_seed(seed))[0].backward()
        scored |= batch.grad.abs().sum(-1) > 0
    roles = methods_prediction.released_cpc_roles(2, length)
    assert torch.equal(scored[0], roles[0] != UNUSED)  # sequence 1 is drawn as what sequence 0 does not meet
    assert (roles[1] == UNUSED).all()
    z = torch.zeros(1, length, 1, requires_grad=True)
    released_cpc(torch.ones(1, 1), z, (roles[0] == NEGATIVE).nonzero().flatten())[0].backward()
    assert torch.equal(signs(z.grad), roles[:1])


@pytest.mark.parametrize("released", [False, True])
def test_the_boxed_context_of_cpc_is_what_the_method_reads(released):
    length, fidelity = 16, FIDELITIES[released]
    z = normal(1, length, 320).float().requires_grad_()
    chosen = method("cpc", fidelity, length)
    context = chosen.released_context(z) if released else chosen.context(z, torch.tensor([5]))
    context.sum().backward()
    read = (z.grad[0].abs().sum(-1) > 0).nonzero().flatten()
    fig = methods_prediction.cpc_pairs(length=length, t=5)
    (box,) = fig.axes[released].patches
    assert [round(box.get_x() + 0.42), round(box.get_x() + box.get_width() - 0.42)] == [read.min(), read.max()]
    plt.close(fig)


def test_tnc_windows_of_an_anchor():
    near, distant = methods_prediction.tnc_centres(70, 119, 8, seed=1)
    assert len(near) == len(distant) == 20 and (distant >= 4).all() and (distant <= 30).all()
    assert (near - 70).abs().float().mean() < 12 and len(near.unique()) > 5
    near, distant = methods_prediction.tnc_centres(70, 119, 20, seed=1)
    assert (distant == 10).all() and (near >= 11).all() and (near <= 109).all()


def test_distant_windows_of_tnc_that_are_nearer_than_far_and_first():
    assert methods_prediction.tnc_distant(range(70, 73), 119, 20) == (1.0, 1.0)  # far would be frame -30
    near, first = methods_prediction.tnc_distant([70], 119, 8)
    distant = methods_prediction.tnc_centres(70, 119, 8, seed=70)[1]
    assert near == 0 and first == pytest.approx((distant == 4).float().mean())


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_timedrl_roles_are_what_the_instance_depends_on(fidelity):
    length = 24
    roles = methods_prediction.timedrl_roles(length, fidelity == "released")
    timedrl = method("timedrl", fidelity, length).eval()
    batch = normal(2, length, 6).float().requires_grad_()
    instance, tokens = timedrl.embed(batch)
    weights = normal(*instance.shape, seed=1).float()
    (gradient,) = torch.autograd.grad((instance * weights).sum(), batch, retain_graph=True)
    assert torch.equal((gradient[0].abs().sum(-1) > 0), roles[0, 1:] == READ)
    assert (roles[1:, 1:] != ABSENT).sum(1).tolist() == [tokens.shape[1]] * 2
    mean = torch.allclose(instance, tokens.mean(1))
    assert mean == bool((roles[1, 1:] == ANCHOR).any()) == (fidelity == "original")
    assert ((roles[1] == ANCHOR) == (roles[2] == POSITIVE)).all() and (roles[:, 0] == ABSENT).all() == mean


def test_the_boxed_patch_of_timedrl():
    frames = {released: methods_prediction._token_frames(24, released)[5].tolist() for released in (False, True)}
    assert frames == {False: list(range(5, 21)), True: list(range(5, 15))}


def test_instance_roles_give_the_contrast():
    n = 4
    views = normal(2, n, 3)
    roles, terms = methods_views.instance_roles(n), []
    for v in range(2):
        for b in range(n):
            terms.append(pick(views @ views[v, b], roles.roll((v, b), (0, 1))))
    torch.testing.assert_close(torch.stack(terms).mean(), instance_contrast(views[0][:, None], views[1][:, None]))


@pytest.mark.parametrize("k", [4, 8])
def test_segment_roles_give_the_local_loss(k):
    s, roles = normal(1, k, 3), methods_views.segment_roles(k)
    terms = torch.stack([pick(s[0] @ s[0, i], roles[i]) for i in range(k)])
    torch.testing.assert_close(terms.mean(), local_loss(s, k))
    assert (roles == NEGATIVE).sum(1).tolist() == [k - 3] * k and (roles.diagonal() == ANCHOR).all()


def test_trend_roles_are_those_of_momentum_contrast():
    n, keys = 3, 5
    query = torch.zeros(n, 1)
    query[0] = 1  # the others are no anchors here
    key, queue = torch.zeros(n, 1, requires_grad=True), torch.zeros(keys, 1, requires_grad=True)
    moco_loss(query, key, queue).backward()
    roles = methods_views.trend_roles(n, keys)
    assert torch.equal(signs(key.grad), roles[1, :n]) and torch.equal(signs(queue.grad), roles[2])
    assert roles[0].tolist() == [ANCHOR, UNUSED, UNUSED, ABSENT, ABSENT]


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_parts_of_cost_that_learn(fidelity):
    cost, found = method("cost", fidelity, 8), {}
    trained = {id(weight) for weight in cost.trained_parameters()}
    generator = torch.Generator().manual_seed(1)
    for name in ("encoder", "key_encoder", "head", "key_head"):
        weights = list(getattr(cost, name).parameters())
        before = [weight.clone() for weight in weights]
        cost.loss(normal(4, 8, 6).float(), generator)
        with torch.no_grad():
            for weight in trained_weights(cost, trained):
                weight += 0.1
        cost.after_step()
        moved = any((weight != old).any() for weight, old in zip(weights, before, strict=True))
        learns = all(id(weight) in trained for weight in weights)
        found[name.replace("_", " ")] = LEARNS if learns else FOLLOWS if moved else FIXED
    column = FIDELITIES.index(fidelity)
    assert found == {part: roles[column] for part, roles in methods_views.COST_PARTS.items()}


def trained_weights(module, trained):
    return [weight for weight in module.parameters() if id(weight) in trained]


@pytest.mark.parametrize("frames", [1, 3])
def test_series_roles_give_the_constraint_loss(frames):
    n = 2
    roles = methods_views.series_roles(n, frames)
    unit = torch.nn.functional.normalize(normal(*roles.shape, 5), dim=-1)  # (4, n * frames, C)
    terms = []
    for version in range(4):
        for series in range(n * frames):
            own = roles.roll((version, series), (0, 1))
            scores = unit @ unit[version, series] / TEMPERATURE
            log_sum = scores[(own == POSITIVE) | (own == NEGATIVE)].logsumexp(0)
            terms.append((log_sum - scores[own == POSITIVE]).sum())
    loss, _ = contrast_and_average(unit.flatten(0, 1), unit.flatten(0, 1))
    torch.testing.assert_close(torch.stack(terms).mean(), loss)


@pytest.mark.parametrize("anchor", [8, 10, 14])
@pytest.mark.parametrize("released", [False, True])
def test_ts2vec_roles_are_the_forces_of_its_loss(released, anchor):
    left, start, end, right = methods_masks.CROPS
    one = torch.zeros(2, end - left, 2)
    one[0, anchor - left, 0] = 1
    two = torch.zeros(2, right - start, 2)
    views = [view.requires_grad_() for view in (one, two)]
    compared = padded(*views) if released else shared(*views, end - start)
    (instance_contrast(*compared) + temporal_contrast(*compared)).backward()
    expected = torch.full((4, methods_masks.LENGTH), ABSENT)
    for view, first in enumerate((left, start)):
        force = signs(views[view].grad)
        for sequence in range(2):
            expected[view + 2 * sequence, first : first + force.shape[1]] = force[sequence]
    expected[0, anchor] = ANCHOR
    zeros = [18, 19] if released else []
    if start + anchor - left in zeros:
        zeros.remove(start + anchor - left)
        expected[1, start + anchor - left] = POSITIVE
    expected[1, zeros] = ZERO
    expected[3, [18, 19] if released else []] = ZERO
    roles = methods_masks.ts2vec_roles(released, anchor)
    assert torch.equal(roles, expected)


def test_soft_weights_by_hand():
    distances = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    soft = methods_masks.soft_weights(5, 1, distances, hard=False)
    in_time = torch.tensor([2 / (1 + np.exp(lag)) for lag in (1, 0, 1, 2, 3)]).float()
    torch.testing.assert_close(soft[3], in_time)
    torch.testing.assert_close(soft[[1, 2, 4, 5], 1], torch.tensor([0.5, 1 / (1 + np.exp(5))] * 2).float())
    assert soft[0, 1].isnan() and soft[[1, 2, 4, 5]][:, [0, 2, 3, 4]].isnan().all()
    hard = methods_masks.soft_weights(5, 1, distances, hard=True)
    assert (hard > 0).nonzero().tolist() == [[3, 1]] and torch.equal(hard.isnan(), soft.isnan())


@pytest.mark.parametrize("released", [False, True])
def test_mfclr_roles_are_the_forces_of_its_contrast(released):
    n, frames, channels, at = 3, 5, 4, 2
    views = torch.zeros(2, n, frames, channels)
    if released:
        views[0, 0, :, at] = 1
    else:
        views[0, 0, at] = 1
    views.requires_grad_()
    instance_contrast(*(view.mT if released else view for view in views)).backward()
    roles = methods_masks.mfclr_roles(released, n, frames, channels, at)
    for v, b, t, c in np.ndindex(2, n, frames, channels):
        force = signs(views.grad[v, b, t, c][None])
        if views[v, b, t, c] == 1:
            force = ANCHOR
        assert roles[v * (channels + 1) + c, b * (frames + 1) + t] == force
    assert roles.shape == (2 * channels + 1, n * (frames + 1) - 1)


def test_roles_differ_in_shape_and_in_colour():
    for group in (
        (ANCHOR, POSITIVE, NEGATIVE, UNUSED, ZERO),
        (ANCHOR, POSITIVE, READ, UNUSED),
        (LEARNS, FOLLOWS, FIXED),
    ):
        for part in range(2):
            assert len({MARKS[role][part] for role in group}) == len(group)


def test_a_grid_draws_each_cell_once_where_it_is():
    _, axis = plt.subplots()
    methods.role_grid(axis, torch.tensor([[ANCHOR, ABSENT, POSITIVE], [NEGATIVE, UNUSED, NEGATIVE]]), "title")
    drawn = {line.get_marker(): line.get_xydata().tolist() for line in axis.lines if len(line.get_xydata())}
    assert drawn == {"o": [[0, 0]], "^": [[2, 0]], "s": [[0, 1], [2, 1]], ".": [[1, 1]]}
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # the first row is on top
    plt.close("all")


@pytest.mark.parametrize(
    "draw",
    [
        methods_prediction.cpc_pairs,
        lambda: methods_prediction.tnc_windows(119, 1),
        methods_prediction.timedrl_pairs,
        methods_views.infots_pairs,
        methods_views.cost_pairs,
        methods_views.simmtm_pairs,
        methods_masks.ts2vec_pairs,
        methods_masks.softclt_pairs,
        methods_masks.mfclr_pairs,
    ],
)
def test_each_figure_names_what_it_marks(draw):
    fig = draw()
    named = {(line.get_marker(), line.get_color()) for line in fig.legends[0].get_lines()}
    drawn = {
        (line.get_marker(), line.get_color())
        for axis in fig.axes
        for line in axis.lines
        if len(line.get_xydata()) and line.get_marker() not in ("None", None)
    }
    assert drawn <= named
    plt.close(fig)


def test_largest_changes_of_a_method_with_a_frozen_part():
    batch = normal(5, 30, 6).float()
    start, by_hand, trained = (method("tnc", "released", 30) for _ in range(3))
    optimiser = torch.optim.AdamW(by_hand.encoder.parameters(), lr=1e-3, weight_decay=0.01)
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    for _ in range(3):
        for weight in by_hand.parameters():
            weight.grad = None
        by_hand.loss(batch, generator)[0].backward()
        optimiser.step()
    pairs = zip(by_hand.encoder.parameters(), start.encoder.parameters(), strict=True)
    expected = max((after - before).abs().max().item() for after, before in pairs)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert methods.largest_changes(trained, batch, steps=3) == {"encoder": expected, "discriminator": 0.0}
    assert torch.equal(torch.get_rng_state(), state)


def test_sizes():
    assert [methods.size(change) for change in (0.0, 1e-9, 0.01)] == ["0", "< 0.001", "> 0.001"]
