"""The dial changes sizes and nothing that a line can read, and a short training reaches as far as is said."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from emargin.evaluation import chosen, clustering, dial, probing
from emargin.evaluation.dial import Axis, axis_of, reach, score_dial, settings
from emargin.evaluation.features import Features
from emargin.experiment import run
from emargin.optimiser import AdamW
from tests.conftest import make_dataset

SETTINGS = [
    *[f"beside_{c}" for c in ("1", "1/2", "1/4", "1/8", "1/16", "1/32", "1/64", "4", "16", "64")],
    *[f"along_{a}" for a in ("4", "16")],
]
CLUSTERS = ("silhouette", "davies_bouldin", "nmi", "participation_ratio")
PROBES = ("probe", "longer", "whitened", "certified")


def features(seed=0, n_sequences=30, length=8, width=6, n_classes=3):
    """Embeddings with a long direction, a mean far from 0, and classes that lie beside the long direction."""
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, n_classes, (n_sequences, length))
    embedding = draws.standard_normal((n_sequences, length, width)) + 2.5 * np.eye(n_classes, width)[labels]
    long = np.linspace(1, 2, width) / np.linalg.norm(np.linspace(1, 2, width))
    embedding += 6 * draws.standard_normal((n_sequences, length, 1)) * long + 3
    frame = torch.arange(labels.size).view(labels.shape)
    return Features(torch.from_numpy(embedding.astype(np.float32)), torch.from_numpy(labels), frame)


@pytest.fixture(scope="module")
def side():
    return features()


@pytest.fixture(scope="module")
def axis(side):
    return axis_of(side)


def turned(axis, side, setting):
    ((along, beside),) = [(float(a), float(c)) for name, a, c in settings() if name == setting]
    return axis.turn(side, along, beside)


def test_the_axis_is_the_leading_principal_direction_of_the_labelled_frames(side):
    labels = side.labels.clone()
    labels[::3] = -1
    part = Features(side.embedding.clone(), labels, side.frame)
    part.embedding[::3] *= 100  # without a class: of no matter
    axis, rows = axis_of(part), side.embedding[labels >= 0].double().numpy()
    np.testing.assert_allclose(axis.mean, rows.mean(0), rtol=1e-12)
    leading = np.linalg.svd(rows - rows.mean(0))[2][0]
    np.testing.assert_allclose(axis.direction, leading * np.sign(leading.sum()), atol=1e-9)
    assert axis.direction.norm() == pytest.approx(1) and axis.direction.sum() > 0


def test_the_axis_points_to_where_its_coordinates_have_a_sum_above_zero():
    """An eigenvector has no sign: of these, those that are returned point either way."""
    raw = []
    for seed in range(12):
        part = Features(
            torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(seed)),
            torch.zeros(4, 5).long(),
            torch.arange(20).view(4, 5),
        )
        rows = part.embedding.flatten(0, 1).double()
        raw.append(torch.linalg.eigh((rows - rows.mean(0)).mT @ (rows - rows.mean(0)))[1][:, -1].sum().item())
        assert axis_of(part).direction.sum() > 0
    assert min(raw) < 0 < max(raw)


def test_settings_are_those_that_are_named_and_the_first_leaves_all_as_it_is(side, axis):
    assert [name for name, _, _ in settings()] == SETTINGS
    kept = turned(axis, side, "beside_1")
    assert next(settings()) == ("beside_1", 1, 1) and kept.embedding.dtype == torch.float32
    np.testing.assert_allclose(kept.embedding, side.embedding, rtol=1e-6, atol=1e-6)
    assert kept.labels is side.labels and kept.frame is side.frame


@pytest.mark.parametrize("name", SETTINGS)
def test_the_coordinate_along_the_axis_and_all_beside_it_are_scaled_by_what_the_setting_says(side, axis, name):
    kind, factor = name.split("_")
    along, beside = (1, float(Fraction(factor))) if kind == "beside" else (float(Fraction(factor)), 1)
    before, after = (part.embedding.flatten(0, 1).double() - axis.mean for part in (side, turned(axis, side, name)))
    size = max(along, beside)
    v = axis.direction
    torch.testing.assert_close(after @ v, along * (before @ v), atol=1e-5 * size, rtol=0)
    rest, moved = (part - torch.outer(part @ v, v) for part in (before, after))
    torch.testing.assert_close(moved, beside * rest, atol=1e-5 * size, rtol=0)
    assert rest.abs().mean() > 0.5  # there is something to scale
    torch.testing.assert_close(axis.beside(side.flat()[0]), rest)


def test_shrinking_by_16_and_stretching_by_16_give_the_same_shape(side, axis):
    shrunk, stretched, plain = (
        clustering.cluster(part.embedding.flatten(0, 1).numpy(), part.labels.flatten().numpy(), 3)
        for part in (turned(axis, side, "beside_1/16"), turned(axis, side, "along_16"), side)
    )
    for score in ("silhouette", "davies_bouldin"):
        assert shrunk[score] == pytest.approx(stretched[score], abs=1e-6)
    assert shrunk["silhouette"] > plain["silhouette"] + 0.05  # and another one than before


def linear(train, test):
    """Least squares on indicators of the classes, without a penalty: a linear classifier with a closed form."""
    x, y = train.flat()
    return LinearRegression().fit(x.double(), np.eye(3)[y]).predict(test.flat()[0].double())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_linear_classifier_without_penalty_reads_the_same(side, axis, name):
    test = features(seed=1)
    before, after = linear(side, test), linear(*(turned(axis, part, name) for part in (side, test)))
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert np.mean(before.argmax(1) == test.flat()[1].numpy()) > 0.7
    assert (before.argmax(1) == after.argmax(1)).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_whitened_features_lie_as_before_whatever_the_setting(side, axis, name):
    """Up to a rotation: which the certified probe does not see, and the paper's hardly."""
    x, y = (part.numpy() for part in turned(axis, side, name).flat())
    before, after = (chosen.whitening(rows)(rows) for rows in (side.flat()[0].numpy(), x))
    np.testing.assert_allclose(after @ after.T, before @ before.T, atol=5e-3)
    read, again = (chosen.fixed(rows, y, seed=1) for rows in (before, after))
    assert np.mean(read.predict(before) == again.predict(after)) > 0.99


@pytest.fixture(scope="module")
def asked():
    return type("E", (), {"batch_size": 8, "seed": 1, "protocol": "original", "quick": False})


def reads(asked, train, test, axis, name):
    """Balanced accuracy of each probe of the dial at a setting."""
    dataset = replace(make_dataset(), classes=("a", "b", "c"))
    sides = [turned(axis, part, name) for part in (train, test)]
    predictions = dial._predictions(asked, dataset, *sides)
    truth = test.labels.flatten().numpy()
    return {probe: probing.scores(truth[rows], y)["balanced_accuracy"] for probe, (rows, y) in predictions.items()}


def test_the_whitened_probe_reads_the_same_within_five_hundredths_where_the_paper_s_falls(asked):
    train, test = (features(seed, n_sequences=400) for seed in (0, 1))
    axis = axis_of(train)
    at = {name: reads(asked, train, test, axis, name) for name in ("beside_1", "beside_1/16", "beside_1/64")}
    for name in ("beside_1/16", "beside_1/64"):
        assert at[name]["whitened"] == pytest.approx(at["beside_1"]["whitened"], abs=0.05)
        assert at[name]["certified"] == pytest.approx(at["beside_1"]["certified"], abs=0.05)
    assert at["beside_1/64"]["probe"] < at["beside_1"]["probe"] - 0.2
    assert at["beside_1/16"]["longer"] > at["beside_1/16"]["probe"] + 0.02  # more steps reach further


class Watched(AdamW):
    """Keeps the first weights and counts steps."""

    latest = None

    def __init__(self, parameters, **keywords):
        super().__init__(parameters, **keywords)
        self.first, self.count, Watched.latest = self.parameters[0].detach().clone(), 0, self

    def step(self):
        super().step()
        self.count += 1


def most(steps):
    """How many rates Adam can move a weight in so many steps, whatever the gradients are.

    With m and v its means of gradients and of their squares, Cauchy and Schwarz give |m| / sqrt(v) at step t as at most

        (1 - beta_1) / sqrt(1 - beta_2) sqrt(sum_(k < t) (beta_1^2 / beta_2)^k) sqrt(1 - beta_2^t) / (1 - beta_1^t)

    from 1 at the first step to 7.27, for gradients that grow by beta_2 / beta_1 a step; 3.16 for a single one.
    """
    t = np.arange(1, steps + 1)
    ratio = 0.9**2 / 0.999
    bounds = 0.1 / np.sqrt(0.001) * np.sqrt((1 - ratio**t) / (1 - ratio))
    return float(np.sum(bounds * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)))


@pytest.mark.parametrize("name", ["beside_64", "beside_1", "beside_1/64", "along_16"])
def test_reach_is_the_formula_and_the_probe_s_logits_move_less(asked, side, name, monkeypatch):
    train = turned(axis_of(side), side, name)
    axis = axis_of(side) if name.startswith("beside_1") else axis_of(train)
    beside = axis.beside(train.flat()[0])
    monkeypatch.setattr(probing, "AdamW", Watched)
    probing.linear_predictions(train, train, 3, batch_size=8, seed=1, drop_last=False)
    watched = Watched.latest
    far = 1e-3 * watched.count * beside.abs().sum(1)
    assert watched.count == 10 * (30 // 8) and reach(asked, axis, train) == pytest.approx(far.mean().item())
    moved = (watched.parameters[0] - watched.first).double()
    assert 0 < moved.abs().max() < 1e-3 * most(watched.count)
    changes = (moved @ beside.T).abs()
    assert (changes < 1e-3 * most(watched.count) * beside.abs().sum(1)).all()
    assert (changes.mean(1) < reach(asked, axis, train)).all()  # gradients of a probe do not grow that fast


def test_gradients_that_grow_move_a_weight_further_than_its_rate_but_not_further_than_the_bound():
    weight, other = torch.zeros(1), torch.zeros(1)
    steps = 200
    optimiser = AdamW([weight, other], learning_rate=1e-3)
    for step in range(steps):
        weight.grad = torch.tensor([1e-6 * (0.999 / 0.9) ** min(step, 150)])
        other.grad = torch.ones(1)
        optimiser.step()
    assert 1e-3 * steps * 1.5 < -weight.item() < 1e-3 * most(steps)
    assert -other.item() == pytest.approx(1e-3 * steps, rel=1e-3)


def test_reach_is_in_proportion_to_what_lies_beside(asked, side, axis):
    half = axis.turn(side, 1.0, 0.5)
    assert reach(asked, axis, half) == pytest.approx(0.5 * reach(asked, axis, side), rel=1e-5)


@pytest.fixture(scope="module")
def scored():
    """Rows of a cell with three people on the test side."""
    dataset = make_dataset()
    people = torch.arange(len(dataset.test.frames)) % 3
    return replace(dataset, test=replace(dataset.test, subjects=people))


def test_rows_and_arrays_have_the_names_and_shapes_that_are_documented(small, scored, monkeypatch):
    monkeypatch.setattr(dial, "SHRUNK", dial.SHRUNK[:3])
    monkeypatch.setattr(dial, "RAISED", ())
    names = ["beside_1", "beside_1/2", "beside_1/4", "along_4", "along_16"]
    result = run(
        small(method="random", protocol="original"),
        dataset=scored,
        device="cpu",
        progress=False,
        metrics=["clustering", "collapse", "probe", "dial"],
    )
    rows = result.rows.set_index("metric")
    expected = [f"dial_{setting}_{score}" for setting in names for score in CLUSTERS + PROBES]
    expected += [f"dial_coordinate_{score}" for score in CLUSTERS] + ["dial_reach"]
    assert sorted(name for name in rows.index if name.startswith("dial_")) == sorted(expected)
    assert rows.value.notna().all()
    assert rows.n["dial_beside_1/4_silhouette"] == rows.n["silhouette"]
    assert {rows.n[f"dial_along_4_{probe}"] for probe in PROBES} == {40} and rows.n["dial_reach"] == 120
    for score in ("silhouette", "davies_bouldin", "nmi", "participation_ratio"):
        assert rows.value[f"dial_beside_1_{score}"] == pytest.approx(rows.value[score], abs=1e-4)
    assert rows.value["dial_beside_1_probe"] == pytest.approx(rows.value["balanced_accuracy"], abs=1e-6)
    assert rows.value["dial_coordinate_participation_ratio"] == pytest.approx(1, abs=1e-6)
    for probe in ("probe", "certified"):
        tables = result.arrays[f"dial_{probe}"]
        assert tables.shape == (len(names), 3, 4, 4) and tables.dtype.kind == "i"
        for setting, table in zip(names, tables.sum(1), strict=True):
            recalls = np.diag(table) / table.sum(1)
            assert recalls.mean() == pytest.approx(rows.value[f"dial_{setting}_{probe}"])
    assert set(result.arrays) >= {"dial_probe", "dial_certified"}


def test_there_are_no_tables_where_people_are_not_told_apart(asked, side, monkeypatch):
    monkeypatch.setattr(dial, "SHRUNK", dial.SHRUNK[:1])
    monkeypatch.setattr(dial, "RAISED", ())
    monkeypatch.setattr(dial, "STRETCHED", ())
    dataset = replace(make_dataset(), classes=("a", "b", "c"), draw=(20, 20, 20))
    rows, arrays = score_dial(asked, dataset, side, features(seed=1))
    assert arrays == {} and len(rows) == len(CLUSTERS + PROBES) + len(CLUSTERS) + 1


def test_a_point_on_the_axis_stays_where_it_is_when_all_beside_shrinks():
    axis = Axis(torch.tensor([1.0, 2.0]).double(), torch.tensor([0.6, 0.8]).double())
    point = Features(
        torch.tensor([[[1.6, 2.8], [0.2, 2.6]]]), torch.zeros(1, 2, dtype=torch.int64), torch.arange(2)[None]
    )
    after = axis.turn(point, 1.0, 0.0).embedding[0]
    torch.testing.assert_close(after, torch.tensor([[1.6, 2.8], [1.0, 2.0]]))
