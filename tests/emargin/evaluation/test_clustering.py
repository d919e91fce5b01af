"""The draw, and the scores of the K-means labels against their formulas."""

import math

import numpy as np
import pytest
import torch

from emargin.errors import InputError
from emargin.evaluation.clustering import cluster, draw
from emargin.evaluation.features import Features

CLASSES = ("rest", "walk", "run")


def blobs(seed=0, per_blob=6):
    """Three well-separated groups in the plane, so that K-means has one answer: points and groups."""
    generator = np.random.default_rng(seed)
    centres = np.repeat([[0.0, 0.0], [9.0, 1.0], [2.0, 8.0]], per_blob, axis=0)
    return centres + generator.standard_normal(centres.shape), np.repeat([0, 1, 2], per_blob)


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def slow_davies_bouldin(points, groups):
    members = [[p for p, g in zip(points, groups, strict=True) if g == k] for k in sorted(set(groups))]
    centroids = [[sum(axis) / len(group) for axis in zip(*group, strict=True)] for group in members]
    spread = [sum(distance(p, c) for p in group) / len(group) for group, c in zip(members, centroids, strict=True)]
    k = len(members)
    worst = [
        max((spread[i] + spread[j]) / distance(centroids[i], centroids[j]) for j in range(k) if j != i)
        for i in range(k)
    ]
    return sum(worst) / k


def slow_silhouette(points, groups):
    total = 0.0
    for i, (p, own) in enumerate(zip(points, groups, strict=True)):
        mean = {
            g: [
                distance(p, q) for j, (q, other) in enumerate(zip(points, groups, strict=True)) if other == g and j != i
            ]
            for g in set(groups)
        }
        mean = {g: sum(values) / len(values) for g, values in mean.items()}
        a, b = mean[own], min(value for g, value in mean.items() if g != own)
        total += (b - a) / max(a, b)
    return total / len(points)


def features(labels, *, frame=None, width=4):
    """Every frame's embedding starts with its own number, so that drawn frames can be told apart."""
    labels = torch.tensor(labels)
    frame = torch.arange(labels.numel()).reshape(labels.shape) if frame is None else torch.tensor(frame)
    embedding = torch.zeros(*labels.shape, width)
    embedding[..., 0] = frame.float()
    return Features(embedding, labels, frame)


def test_scores_follow_their_formulas():
    points, groups = blobs()
    scores = cluster(points, groups, 3)
    assert scores["nmi"] == pytest.approx(1) and scores["ari"] == pytest.approx(1)  # K-means found the groups
    assert scores["davies_bouldin"] == pytest.approx(slow_davies_bouldin(points.tolist(), groups.tolist()), rel=1e-9)
    assert scores["silhouette"] == pytest.approx(slow_silhouette(points.tolist(), groups.tolist()), rel=1e-9)


def test_scores_are_those_of_the_kmeans_labels_and_ignore_the_classes():
    points, groups = blobs()
    shuffled = np.random.default_rng(1).permutation(groups)
    true, other = cluster(points, groups, 3), cluster(points, shuffled, 3)
    for metric in ("davies_bouldin", "silhouette", "calinski_harabasz"):
        assert true[metric] == other[metric]
    assert other["nmi"] < 0.5 and other["ari"] < 0.5


def test_kmeans_sees_raw_features():
    """Stretching one axis changes the score; a standardising step would hide it."""
    points, groups = blobs()
    assert cluster(points * [1, 20], groups, 3)["silhouette"] != pytest.approx(
        cluster(points, groups, 3)["silhouette"], abs=1e-3
    )


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_a_collapsed_embedding_gives_nan_not_zero():
    scores = cluster(np.ones((30, 4)), np.repeat([0, 1, 2], 10), 3)
    for metric in ("davies_bouldin", "silhouette", "calinski_harabasz"):
        assert math.isnan(scores[metric])
    assert scores["ari"] == 0 and scores["nmi"] == 0


def test_same_input_same_bits():
    points, groups = np.random.default_rng(4).standard_normal((60, 5)), np.repeat([0, 1, 2], 20)
    assert cluster(points, groups, 3) == cluster(points, groups, 3)


def test_the_draw_takes_the_nominal_number_or_all_there_are():
    test = features([[0, 0, 0, 0, 1, 1], [0, 0, 2, 2, 2, -1]])
    embedding, labels = draw(test, (4, 5, 2), CLASSES)
    assert labels.tolist() == [0] * 4 + [1] * 2 + [2] * 2
    frames = embedding[:, 0].astype(int)
    assert len(set(frames)) == len(frames) and 11 not in frames  # without replacement, no unlabelled frame
    assert (test.labels.flatten().numpy()[frames] == labels).all()


def test_the_draw_is_the_same_for_every_method():
    labels = np.random.default_rng(0).integers(0, 3, (5, 40)).tolist()
    first = draw(features(labels), (10, 10, 10), CLASSES)
    again = draw(features(labels), (10, 10, 10), CLASSES)
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()


def test_the_draw_is_that_of_seed_0_which_the_committed_rows_rest_on():
    labels = np.arange(400) % 2
    drawn = draw(features([labels.tolist()]), (20, 30), CLASSES[:2])[0][:, 0].astype(int)
    generator = np.random.default_rng(0)
    wanted = [np.sort(generator.permutation(np.flatnonzero(labels == k))[:n]) for k, n in enumerate((20, 30))]
    assert drawn.tolist() == np.concatenate(wanted).tolist()


def test_the_draw_from_overlapping_sequences():
    """Frames 2 and 3 lie in both sequences: there once, or with repeats twice."""
    test = features([[0, 1, 2, 2], [2, 2, 1, 0]], frame=[[0, 1, 2, 3], [2, 3, 4, 5]])
    assert draw(test, (9, 9, 9), CLASSES)[1].tolist() == [0, 0, 1, 1, 2, 2]
    assert draw(test, (9, 9, 9), CLASSES, repeats=True)[1].tolist() == [0, 0, 1, 1, 2, 2, 2, 2]


def test_an_absent_class_is_named():
    with pytest.raises(InputError, match="class walk is absent.*nominally 7"):
        draw(features([[0, 0, 2, -1]]), (5, 7, 5), CLASSES)
