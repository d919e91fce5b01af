"""Scores from per-person sums: equal to scikit-learn's on all frames, and on resampled people where that is defined."""

import numpy as np
import pytest

from companion.statistics import resampling
from emargin.evaluation import clustering, per_subject, probing

R, K, L, N = 4, 3, 3, 240


@pytest.fixture
def draw():
    generator = np.random.default_rng(0)
    found, labels, subjects = (generator.integers(0, n, N) for n in (K, L, R))
    return generator.standard_normal((N, 5)) + 2 * np.eye(K, 5)[found], labels, found, subjects


def tables_of(draw):
    return per_subject.cluster_tables(*draw, n_classes=L, n_subjects=R)


def test_everybody_once_gives_the_scores_of_all_frames(draw):
    embedding, labels, found, _ = draw
    wanted = clustering.scores(embedding, labels, found)
    scores = resampling.scores_of(tables_of(draw), np.ones(R))
    assert scores == pytest.approx({name: wanted[name] for name in resampling.CLUSTERING}, rel=1e-9)


@pytest.mark.parametrize("weights", [(2, 0, 1, 1), (0, 0, 3, 1)])
def test_agreement_with_the_truth_counts_people_as_often_as_drawn(draw, weights):
    """NMI and ARI of held clusters are those of a list in which each person's frames are repeated."""
    _, labels, found, subjects = draw
    repeated = np.repeat(np.arange(N), np.array(weights)[subjects])
    wanted = clustering.scores(
        np.zeros((len(repeated), 1)) + np.arange(len(repeated))[:, None], labels[repeated], found[repeated]
    )
    scores = resampling.scores_of(tables_of(draw), np.array(weights))
    assert (scores["nmi"], scores["ari"]) == pytest.approx((wanted["nmi"], wanted["ari"]))


def test_davies_bouldin_and_silhouette_hold_centroids_and_silhouettes(draw):
    """With the centroids of all frames, one person's mean distances make the index: a loop says the same."""
    embedding, _, found, subjects = draw
    centroids = np.array([embedding[found == kind].mean(0) for kind in range(K)])
    mine = subjects == 2
    spread = [np.linalg.norm(embedding[mine & (found == kind)] - centroids[kind], axis=1).mean() for kind in range(K)]
    wanted = np.mean(
        [
            max((spread[i] + spread[j]) / np.linalg.norm(centroids[i] - centroids[j]) for j in range(K) if j != i)
            for i in range(K)
        ]
    )
    scores = resampling.scores_of(tables_of(draw), np.array([0, 0, 1, 0]))
    assert scores["davies_bouldin"] == pytest.approx(wanted)
    from sklearn.metrics import silhouette_samples

    assert scores["silhouette"] == pytest.approx(silhouette_samples(embedding, found)[mine].mean())


@pytest.mark.parametrize("absent", [None, 1])
def test_probing_scores_are_those_of_the_predictions(absent):
    """Also where a class is never true, or never predicted."""
    generator = np.random.default_rng(1)
    truth, predicted = generator.integers(0, L, (2, N))
    if absent is not None:
        truth[truth == absent] = 0
    predicted[predicted == 2] = 0
    confusion = per_subject.counts((truth, predicted), (L, L))
    assert resampling.probing_scores(confusion) == pytest.approx(probing.scores(truth, predicted))


def test_probe_tables_are_summed_over_people():
    generator = np.random.default_rng(2)
    truth, predicted, subjects = generator.integers(0, 3, (3, N))
    tables = {"converged": per_subject.counts((subjects, truth, predicted), (3, L, L))}
    weights = np.array([1, 0, 2])
    repeated = np.repeat(np.arange(N), weights[subjects])
    wanted = probing.scores(truth[repeated], predicted[repeated])
    scores = resampling.scores_of(tables, weights)
    assert scores == pytest.approx({f"converged_{name}": value for name, value in wanted.items()})


def test_scores_that_are_not_defined_are_nan():
    one_cluster = per_subject.cluster_tables(
        np.ones((6, 2)), np.array([0, 1] * 3), np.zeros(6, int), np.array([0] * 6), n_classes=2, n_subjects=2
    )
    scores = resampling.scores_of(one_cluster, np.array([1, 1]))
    assert np.isnan([scores["davies_bouldin"], scores["silhouette"]]).all() and scores["ari"] == 0
    nobody = resampling.scores_of(one_cluster | {"probe": np.zeros((2, 2, 2))}, np.array([0, 1]))
    assert all(np.isnan(value) for value in nobody.values())


def test_many_resamples_at_once_give_what_each_gives_alone(draw):
    """Also a resample in which one cluster is left, and one without frames."""
    generator = np.random.default_rng(3)
    embedding, labels, found, subjects = draw
    found[subjects == 3] = 1
    truth, predicted = generator.integers(0, L, (2, N))
    tables = tables_of((embedding, labels, found, subjects)) | {
        "probe": per_subject.counts((subjects, truth, predicted), (R, L, L))
    }
    weights = np.vstack([np.ones(R), generator.multinomial(R, [1 / R] * R, 20), [0, 0, 0, 4], [0, 0, 0, 0]])
    together = resampling.scores_of(tables, weights)
    assert set(together) == {*resampling.CLUSTERING, *resampling.PROBING}
    for number, one in enumerate(weights):
        alone = resampling.scores_of(tables, one)
        assert all(isinstance(value, float) for value in alone.values())
        assert {name: values[number] for name, values in together.items()} == pytest.approx(alone, nan_ok=True)
    assert np.isnan(together["silhouette"][-2:]).all() and np.isfinite(together["nmi"][-2])


def test_a_cluster_without_drawn_people_has_no_part_in_davies_bouldin():
    """Its centroid is very near to another one, which would make the worst ratio."""
    tables = {
        "clusters": np.array([[[2], [2], [0]], [[0], [0], [4]]]),
        "spread": np.array([[2.0, 4, 0], [0, 0, 1]]),
        "separation": np.array([[0, 3, 0.01], [3, 0, 3], [0.01, 3, 0]]),
        "silhouette": np.array([1.0, 2]),
    }
    assert resampling.scores_of(tables, np.array([1, 0]))["davies_bouldin"] == pytest.approx((1 + 2) / 3)


def test_one_cluster_of_one_class_is_full_agreement():
    tables = per_subject.cluster_tables(
        np.eye(4), np.zeros(4, int), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), n_classes=2, n_subjects=2
    )
    scores = resampling.scores_of(tables, np.array([1, 0]))
    assert (scores["nmi"], scores["ari"]) == (1, 1)
