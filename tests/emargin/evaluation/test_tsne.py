"""t-SNE maps: the same bits from the same seed, and groups that stay apart."""

import numpy as np

from emargin.evaluation.tsne import tsne


def groups():
    generator = np.random.default_rng(0)
    return np.concatenate([generator.standard_normal((20, 6)) + 30 * np.eye(6)[k] for k in range(2)])


def test_same_seed_same_bits():
    first, again = tsne(groups(), perplexity=5), tsne(groups(), perplexity=5)
    assert first.shape == (40, 2) and (first == again).all()


def test_separate_groups_stay_apart():
    points = tsne(groups(), perplexity=5)
    inside = max(np.ptp(points[:20], axis=0).max(), np.ptp(points[20:], axis=0).max())
    assert np.linalg.norm(points[:20].mean(0) - points[20:].mean(0)) > inside / 2
    nearest = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(40)
    assert ((nearest.argmin(1) < 20) == (np.arange(40) < 20)).all()


def test_perplexity_is_handed_on():
    assert not np.allclose(tsne(groups(), perplexity=5), tsne(groups(), perplexity=12))
