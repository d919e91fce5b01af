"""The repairs against slow versions of their formulas, and what their labels may see."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from emargin.config import Experiment
from emargin.data.dataset import Sequences
from emargin.errors import InputError
from emargin.losses import emargin_released, info_nce
from emargin.methods import COMPARED, METHODS, REPAIRS
from emargin.methods.repair import variance_covariance
from emargin.pseudo_labels import pseudo_labels
from emargin.resolve import resolve
from emargin.training import build, train
from tests.conftest import make_dataset

BATCH = torch.randn(3, 10, 6, generator=torch.Generator().manual_seed(0)).cumsum(1)  # neighbours alike, some not
TAU = 0.5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def of(small, method, **fields):
    return small(method=method, fidelity="original", **fields)


def loss_of(experiment):
    """The loss on BATCH in float64, what it measured, and the embedding that it saw."""
    method = build(experiment, 6).double().train()
    value, measured = method.loss(BATCH.double(), generator())
    return value.item(), measured, build(experiment, 6).double().train().encoder(BATCH.double()).detach()


def cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


def slow(z, term):
    """Mean over anchors of a term of its positive's cosine, label and the sum over its negatives."""
    terms = []
    for frames, sequence in zip(BATCH.double(), z, strict=True):
        for t in range(len(sequence) - 1):
            negatives = sum(
                math.exp(cosine(sequence[t], sequence[k]) / TAU) for k in range(len(sequence)) if k not in (t, t + 1)
            )
            similar = cosine(frames[t], frames[t + 1]) > 0.4
            terms.append(term(cosine(sequence[t], sequence[t + 1]), 0 if similar else 1, negatives))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.0])
def test_distance_margin(small, margin):
    value, measured, z = loss_of(of(small, "distance-margin", margin=margin))
    assert value == pytest.approx(
        slow(
            z,
            lambda s, y, negatives: (
                (1 - y) * -s / TAU + y * max(0, margin - (1 - s)) ** 2 / (2 * TAU) + math.log(negatives)
            ),
        ),
        rel=1e-9,
    )
    assert 0 < measured["label_share"] < 1
    assert measured["hinge_share"] == pytest.approx(slow(z, lambda s, y, _: float(y == 1 and margin - (1 - s) > 0)))


def test_the_hinge_of_the_distance_margin_acts_within_the_margin_and_rests_beyond_it(small):
    shares = [loss_of(of(small, "distance-margin", margin=margin))[1]["hinge_share"] for margin in (1e-6, 0.5, 1.0)]
    assert shares[0] == 0 and shares[0] <= shares[1] <= shares[2] and shares[2] > 0


@pytest.mark.parametrize("margin", [0.1, 0.4])
def test_cosine_margin(small, margin):
    value, _, z = loss_of(of(small, "cosine-margin", margin=margin))

    def term(s, y, negatives):
        positive = math.exp((s - margin * (1 - y)) / TAU)
        return -math.log(positive / (positive + negatives))

    assert value == pytest.approx(slow(z, term), rel=1e-9)


def test_the_cosine_margin_reaches_the_gradient(small):
    """As it would not without the positive in the denominator, where m is a constant of the loss."""
    grads = []
    for margin in (0.1, 0.4):
        method = build(of(small, "cosine-margin", margin=margin), 6).double().train()
        method.loss(BATCH.double(), generator())[0].backward()
        grads.append(method.encoder.blocks[0].weight.grad)
    assert not torch.allclose(*grads, rtol=1e-3)


def test_variance_and_covariance_against_sums():
    rows = torch.randn(7, 4, dtype=torch.float64, generator=generator()) * torch.tensor([0.1, 0.5, 1, 2])
    mean = [sum(rows[:, c]).item() / 7 for c in range(4)]
    cov = [
        [sum((row[c] - mean[c]) * (row[d] - mean[d]) for row in rows.tolist()) / 6 for d in range(4)] for c in range(4)
    ]
    variance, covariance = variance_covariance(rows)
    assert variance.item() == pytest.approx(sum(max(0, 1 - math.sqrt(cov[c][c] + 1e-4)) for c in range(4)) / 4)
    assert covariance.item() == pytest.approx(sum(cov[c][d] ** 2 for c in range(4) for d in range(4) if c != d) / 4)


def test_variance_and_covariance_of_a_whitened_and_of_a_collapsed_embedding():
    whitened = torch.linalg.qr(torch.randn(500, 8, dtype=torch.float64, generator=generator()))[0]
    whitened = (whitened - whitened.mean(0)) / whitened.std(0)
    collapsed = torch.ones(500, 8, dtype=torch.float64)
    assert all(value.item() < 0.02 for value in variance_covariance(whitened))
    assert variance_covariance(collapsed)[0].item() == pytest.approx(0.99)


@pytest.mark.parametrize("weight", [0.1, 3.0])
def test_emargin_vicreg(small, weight):
    value, _, z = loss_of(of(small, "emargin-vicreg", weight=weight))
    labels = pseudo_labels(BATCH.flatten(0, 1).double(), threshold=0.4, rule="released")
    released, _ = emargin_released(z, labels, temperature=TAU, margin=5.0)
    rows = z.flatten(0, 1)
    rows = rows / rows.norm(dim=1, keepdim=True) * math.sqrt(320)
    assert value == pytest.approx((released + weight * sum(variance_covariance(rows))).item(), rel=1e-9)


# --- labels


def labelled(small, method, dataset=None, **fields):
    dataset = dataset or make_dataset(n_train=40)
    built = build(of(small, method, **fields), 6)
    built.prepare(dataset.train, generator(1))
    return built, dataset


@pytest.mark.parametrize("method", ["emargin-labels", "infonce-labels", "supervised"])
def test_labelled_losses(small, method):
    built, _ = labelled(small, method, **({} if method == "supervised" else {"weight": 3.0}))
    built.double().train()
    built.table = built.table.double()
    value, _ = built.loss(BATCH.double(), generator(5))
    frames, classes = built.drawn(30, generator(5))
    rows = BATCH.flatten(0, 1).double()
    embedding = built.encoder(frames if method == "supervised" else torch.cat([rows, frames]))
    expected = cross_entropy(built.head(embedding[-30:]), classes)
    if method != "supervised":
        z = embedding[:30].view(3, 10, -1)
        labels = pseudo_labels(rows, threshold=0.4, rule="released")
        expected = 3 * expected + (
            info_nce(z, temperature=TAU, sides=2, scope="flattened")
            if method == "infonce-labels"
            else emargin_released(z, labels, temperature=TAU, margin=5.0)[0]
        )
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_the_share_of_labelled_frames_is_that_of_each_class(small, share):
    built, dataset = labelled(small, "infonce-labels", label_share=share)
    for label, rows in zip(built.classes, built.rows, strict=True):
        there = torch.nonzero(dataset.train.labels == label).flatten()
        assert len(rows) == max(1, round(share * len(there))) == len(set(rows.tolist()))
        assert set(rows.tolist()) <= set(there.tolist())


def test_frames_are_drawn_from_every_class_alike_and_from_the_labelled_ones_alone(small):
    dataset = make_dataset(n_train=40)
    dataset.train.labels[:350] = 0  # most of one class
    built, _ = labelled(small, "infonce-labels", dataset, label_share=0.1)
    frames, classes = built.drawn(4000, generator())
    assert torch.bincount(classes, minlength=4).min() > 850
    allowed = {tuple(dataset.train.frames[row].tolist()) for rows in built.rows for row in rows}
    assert {tuple(frame.tolist()) for frame in frames} == allowed
    own = {
        tuple(dataset.train.frames[row].tolist()): label
        for label, rows in zip(built.classes, built.rows, strict=True)
        for row in rows
    }
    assert all(own[tuple(frame.tolist())] == label for frame, label in zip(frames, classes, strict=True))


def test_no_label_of_the_test_side_is_seen(small):
    """Under protocol released both sides are windows on one table of frames."""
    whole = make_dataset(n_train=40).train
    train_side = Sequences(whole.frames, whole.labels, whole.starts[:20], whole.length)
    built = build(of(small, "supervised"), 6)
    built.prepare(train_side, generator())
    assert torch.cat(built.rows).max() < 200


def test_unlabelled_frames_stay_out_and_a_set_without_labels_is_refused(small):
    dataset = make_dataset(n_train=40)
    dataset.train.labels[::2] = -1
    built, _ = labelled(small, "supervised", dataset)
    assert (torch.cat(built.rows) % 2 == 1).all()
    dataset.train.labels[:] = -1
    with pytest.raises(InputError, match="Supervised needs labelled training frames"):
        labelled(small, "supervised", dataset)
    dataset.train.labels[:] = 7
    with pytest.raises(InputError, match="labels from 0 to 3"):
        labelled(small, "supervised", dataset)


def test_supervised_training_learns_the_classes(small):
    dataset = make_dataset(n_train=40, n_test=20)
    method, curve = train(of(small, "supervised", iterations=60), dataset, progress=False)
    assert curve[-1]["loss"] < 0.7 * curve[0]["loss"]
    test = dataset.test
    predicted = method.head(method.encode(test.frames)).argmax(-1)
    assert (predicted == test.labels).float().mean() > 0.6


# --- configuration


def test_names():
    assert set(METHODS) >= {*COMPARED, *REPAIRS}
    assert not set(COMPARED) & set(REPAIRS)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("distance-margin", {"margin": 0.5, "threshold": 0.4, "labels": "paper"}),
        ("cosine-margin", {"margin": 0.2, "threshold": 0.4, "labels": "paper"}),
        ("emargin-vicreg", {"margin": 5.0, "threshold": 0.4, "labels": "released", "weight": 1.0}),
        (
            "emargin-labels",
            {"margin": 5.0, "threshold": 0.4, "labels": "released", "weight": 1.0, "label_share": 0.05},
        ),
        ("infonce-labels", {"weight": 1.0, "label_share": 0.05}),
        ("supervised", {"label_share": 1.0}),
    ],
)
def test_a_repair_has_one_fidelity_and_its_own_settings(name, settings):
    with pytest.raises(InputError, match=f"{name} has no such fidelity.*choose fidelity original"):
        resolve(Experiment(method=name))
    experiment = resolve(Experiment(method=name, fidelity="original"))
    assert experiment.settings == settings
    for field in {"margin", "threshold", "labels", "weight", "label_share"} - set(settings):
        assert getattr(experiment, field) is None
        with pytest.raises(InputError, match=f"{field} has no meaning for {name}"):
            resolve(Experiment(method=name, fidelity="original", **{field: "paper" if field == "labels" else 0.5}))


def test_settings_out_of_range():
    for fields in ({"label_share": 0.0}, {"label_share": 1.5}, {"weight": 0.0}, {"weight": float("nan")}):
        with pytest.raises(InputError, match=f"{next(iter(fields))} is out of range"):
            resolve(Experiment(method="infonce-labels", fidelity="original", **fields))
    with pytest.raises(InputError, match="weight has no meaning for emargin"):
        resolve(Experiment(weight=1.0))


def test_two_frames_are_refused(small):
    for name in ("distance-margin", "cosine-margin"):
        with pytest.raises(InputError, match="2 frames a sequence. wanted: at least 3"):
            build(of(small, name), 6).loss(BATCH[:, :2], generator())
