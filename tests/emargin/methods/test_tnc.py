"""TNC: where its windows lie, its loss, what is trained."""

import math

import numpy as np
import pytest
import torch

from emargin.augmentations.windows import distant_centres, neighbour_centres, window_indices
from emargin.errors import InputError
from emargin.methods.tnc import Discriminator, pu_loss, window_width
from emargin.training import build, train
from tests.conftest import make_dataset


def array(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=torch.float32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


SHAPE = {"released": (5, 25), "original": (3, 10)}
RELEASED = {"width": 20, "far": 100}


def numbered(batch, length):
    """A batch whose frames hold their number in the flattened batch."""
    return torch.arange(batch * length, dtype=torch.float32).reshape(batch, length, 1)


def setting(small, fidelity, **fields):
    n, length = SHAPE[fidelity]
    experiment = small(method="tnc", fidelity=fidelity, batch_size=n, sequence_length=length, **fields)
    return experiment, make_dataset(n_train=n, length=length)


def test_windows_are_centred():
    assert window_indices(torch.tensor([10, 3]), 4).tolist() == [[8, 9, 10, 11], [1, 2, 3, 4]]
    assert window_indices(torch.tensor(3), 5).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("length", "width", "anchors"),
    [(119, 20, range(40, 120)), (200, 20, range(40, 120)), (119, 8, range(16, 103)), (10, 2, range(4, 6))],
)
def test_distant_windows_cover_exactly_the_defined_centres(length, width, anchors):
    far, half = 5 * width, width // 2
    drawn = distant_centres(torch.tensor(anchors), 2000, length=length, width=width, far=far, generator=generator())
    for t, centres in zip(anchors, drawn.tolist(), strict=True):
        if t > length / 2:
            expected = range(half, max(t - far + 1, half + 1))
        else:
            expected = range(min(t + far, length - width - 1), length - half)
        assert set(centres) == set(expected)


@pytest.mark.parametrize(("length", "at_ten", "nearest", "furthest"), [(119, 0.661, 39, 109), (200, 0.149, 79, 149)])
def test_released_distant_windows_crowd_at_frame_ten(length, at_ten, nearest, furthest):
    anchors = torch.arange(40, 120)
    drawn = distant_centres(anchors, 5000, length=length, **RELEASED, generator=generator())
    distance = (drawn - anchors[:, None]).abs()
    assert (drawn == 10).float().mean().item() == pytest.approx(at_ten, abs=0.004)
    assert (distance.min(), distance.max()) == (nearest, furthest)


def test_near_windows_are_normal_about_the_anchor_and_clipped():
    free = neighbour_centres(torch.tensor([5000]), 4000, length=10_000, width=20, deviation=20, generator=generator())
    assert free.float().mean().item() == pytest.approx(5000, abs=1.5)
    assert free.float().std().item() == pytest.approx(20, rel=0.05)
    clipped = neighbour_centres(torch.tensor([40, 80]), 4000, length=119, width=20, deviation=20, generator=generator())
    assert (clipped.min(), clipped.max()) == (11, 109)
    assert (clipped == torch.tensor([[11], [109]])).any(1).all()


@pytest.mark.parametrize(("length", "width"), [(9, 2), (56, 4), (100, 6), (119, 8), (200, 14), (300, 20), (500, 20)])
def test_width_of_the_original_window(length, width):
    assert window_width(length) == width


@pytest.mark.parametrize("weight", [0.05, 0.1, 0.7])
@pytest.mark.parametrize("a", [-3.0, 0.0, 2.0])
def test_loss_of_a_constant_logit(a, weight):
    logits = torch.full((4, 5), a, dtype=torch.float64)
    softplus = [math.log1p(math.exp(s)) for s in (-a, a)]
    expected = (softplus[0] + weight * softplus[0] + (1 - weight) * softplus[1]) / 2
    assert pu_loss(logits, logits, weight).item() == pytest.approx(expected, rel=1e-12)
    assert a != 0 or expected == pytest.approx(0.693147, abs=1e-6)


def test_loss_equals_its_definition():
    near, distant = (array(5, seed).double() for seed in (1, 2))

    def cross_entropy(logit, target):
        probability = 1 / (1 + math.exp(-logit))
        return -target * math.log(probability) - (1 - target) * math.log(1 - probability)

    expected = (
        sum(
            cross_entropy(p, 1) + 0.05 * cross_entropy(n, 1) + 0.95 * cross_entropy(n, 0)
            for p, n in zip(near.tolist(), distant.tolist(), strict=True)
        )
        / 10
    )
    assert pu_loss(near, distant, 0.05).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda n, d: pu_loss(n, d, 0.05), (near.requires_grad_(), distant.requires_grad_()))


@pytest.mark.parametrize(("fidelity", "weight"), [("original", 0.05), ("released", 0.1)])
def test_method_with_a_constant_discriminator(small, fidelity, weight):
    method = build(small(method="tnc", fidelity=fidelity), 6).train()
    torch.nn.init.zeros_(method.discriminator.layers[3].weight)
    torch.nn.init.constant_(method.discriminator.layers[3].bias, 2.0)
    value, measured = method.loss(array((*SHAPE[fidelity], 6)), generator())
    two = torch.tensor(2.0)
    assert value.item() == pytest.approx(pu_loss(two, two, weight).item(), rel=1e-6)
    assert measured["accuracy"] == 0.5


@pytest.mark.parametrize(("n", "length"), [(3, 119), (2, 9), (1, 70)])
def test_original_compares_means_of_windows_of_one_sequence(small, n, length):
    method, g, width = build(small(method="tnc", fidelity="original"), 1), generator(), window_width(length)
    method.encoder = torch.nn.Identity()
    anchors = []
    for _ in range(30):
        anchor, near, distant = method._original(numbered(n, length), g)
        assert anchor.shape == near.shape == distant.shape == (n, 20, 1)
        assert (anchor == anchor[:, :1]).all()
        centres = torch.cat([anchor, near, distant], 1)[..., 0] + 0.5 - length * torch.arange(n)[:, None]
        assert (centres == centres.round()).all()
        assert centres.min() >= width / 2 and centres.max() <= length - width / 2
        anchors += centres[:, 0].tolist()
    assert min(anchors) >= 2 * width and max(anchors) < length - 2 * width
    assert len(set(anchors)) > 10 or length == 9


@pytest.mark.parametrize(("n", "length"), [(8, 119), (8, 200), (5, 21)])
def test_released_compares_frames_of_windows_at_the_start_of_the_flattened_batch(small, n, length):
    method, g = build(small(method="tnc", fidelity="released"), 1), generator()
    method.encoder = torch.nn.Identity()
    anchors, steps = [], torch.arange(20)
    for _ in range(40):
        anchor, near, distant = (frames[..., 0] for frames in method._released(numbered(n, length), g))
        for frames in (anchor, near, distant):
            assert frames.shape == (20, 20)
            assert torch.equal(frames, frames[:, :1] + steps)
        assert (anchor == anchor[:1]).all()
        assert near.min() >= 1 and near.max() < length and distant.max() < length
        anchors.append(anchor[0, 0].item() + 10)
    assert min(anchors) >= 40 and max(anchors) < 20 * n - 40
    assert max(anchors) - min(anchors) > 10 * n - 40


def test_released_normalises_each_set_of_windows_apart(small):
    method = build(small(method="tnc", fidelity="released"), 6).train()
    method._released(array((5, 21, 6)), generator())
    assert method.encoder.blocks[1].num_batches_tracked == 3


@pytest.mark.parametrize(
    ("fidelity", "trained", "frozen"), [("released", 50_176, 821_761), ("original", 50_176 + 821_761, 0)]
)
def test_number_of_parameters(small, fidelity, trained, frozen):
    method = build(small(method="tnc", fidelity=fidelity), 156)
    assert sum(p.numel() for p in method.trained_parameters()) == trained
    assert sum(p.numel() for p in method.parameters()) == trained + frozen
    bound = math.sqrt(6 / (640 + 1280))  # Xavier
    assert method.discriminator.layers[0].weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert sum(p.numel() for p in Discriminator(3).parameters()) == 8 * 9 + 8 * 3 + 1


@pytest.mark.parametrize(
    ("fidelity", "learning"), [("released", {"encoder"}), ("original", {"encoder", "discriminator"})]
)
def test_what_learns(small, fidelity, learning):
    experiment, dataset = setting(small, fidelity, iterations=1)
    method = build(experiment, 6).train()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    method.loss(array((*SHAPE[fidelity], 6)), generator())[0].backward()
    for name, p in method.named_parameters():
        if name.split(".")[0] not in learning:
            assert p.grad is None
        elif p.ndim > 1:
            assert p.grad.abs().max() > 0, name
    trained, _ = train(experiment, dataset, progress=False)
    changed = {name.split(".")[0] for name, p in trained.named_parameters() if not torch.equal(p, before[name])}
    assert changed == learning


@pytest.mark.parametrize(
    ("fidelity", "good", "bad", "message"),
    [
        ("original", [(1, 9), (2, 11)], [(3, 1), (3, 8)], "original.*found: {1} frames.*at least 9"),
        (
            "released",
            [(5, 21), (6, 33)],
            [(5, 20), (4, 40), (1, 119)],
            "released.*{0} sequences of {1}.*at least 5 of 21",
        ),
    ],
)
def test_shapes(small, fidelity, good, bad, message):
    method = build(small(method="tnc", fidelity=fidelity), 6).train()
    for shape in good:
        assert torch.isfinite(method.loss(array((*shape, 6)), generator())[0])
    for shape in bad:
        with pytest.raises(InputError, match="TNC.*" + message.format(*shape)):
            method.loss(array((*shape, 6)), generator())
