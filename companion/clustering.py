"""The paper's clustering scores of one encoder, and beside them what they do not say."""

import torch

from emargin.data.dataset import Dataset
from emargin.evaluation import clustering, collapse
from emargin.evaluation.features import encode
from emargin.methods import Method


def cluster_scores(method: Method, data: Dataset, *, repeats: bool = False) -> dict[str, float]:
    """Return the scores of K-means on the test frames that are drawn, with the collapse diagnostics of these frames.

    repeats: draw as the released code does, see `emargin.evaluation.clustering.draw`.
    """
    embedding, labels = clustering.draw(encode(method, data.test), data.draw, data.classes, repeats=repeats)
    rows = torch.from_numpy(embedding)
    return clustering.cluster(embedding, labels, len(data.classes)) | {
        "mean_cosine": collapse.mean_cosine(rows),
        "participation_ratio": collapse.participation_ratio(rows),
    }
