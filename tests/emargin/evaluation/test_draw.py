"""Which frames are drawn: the same for all methods and seeds, and in all rows that were ever published."""

import numpy as np
import pytest
import torch

from emargin.evaluation.clustering import draw, partition
from emargin.evaluation.features import Features

CLASSES = ("rest", "walk")


@pytest.fixture
def features():
    """Thirty frames of two classes in turn; each embedding is the number of its frame."""
    numbers = torch.arange(30).reshape(3, 10)
    return Features(numbers[..., None].float(), numbers % 2, numbers)


def test_the_frames_drawn_are_those_of_one_seed(features):
    """Another seed draws others, and what is compared with rows made before would be another sample."""
    embedding, labels = draw(features, (4, 5), CLASSES)
    assert embedding[:, 0].tolist() == [4, 6, 20, 22, 5, 11, 23, 25, 29] and labels.tolist() == [0] * 4 + [1] * 5


def test_a_draw_does_not_touch_numpys_global_generator(features):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draw(features, (4, 5), CLASSES)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize(("seed", "spread"), [(4, 328.83038), (13, 289.73177)])
def test_clusters_are_the_best_of_ten_starts_and_the_same_each_time(seed, spread):
    """Eight clouds have many partitions in which K-means rests: other numbers of starts or seeds end in another."""
    generator = np.random.default_rng(seed)
    centres = 4 * generator.standard_normal((8, 2))[np.repeat(np.arange(8), 25)]
    points = centres + generator.standard_normal((200, 2))
    clusters = partition(points, 8)
    assert np.array_equal(clusters, partition(points, 8))
    members = [points[clusters == cluster] for cluster in range(8)]
    assert sum(((one - one.mean(0)) ** 2).sum() for one in members) == pytest.approx(spread, rel=1e-7)
