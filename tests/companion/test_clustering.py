"""The scores of an encoder whose embedding is known: a line, and the classes themselves."""

import pytest
import torch

from companion.clustering import cluster_scores
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.resolve import resolve


class Known:
    """In place of a method: gives embeddings by a function of the frames."""

    def __init__(self, encode):
        self.encode = encode

    def eval(self):
        return self


@pytest.fixture(scope="module")
def data():
    return load(resolve(Experiment(dataset="sleepeeg-sim", quick=True, sequence_length=50)))


def test_a_line_has_good_scores_and_one_direction(data):
    places = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    line = Known(lambda frames: places[: frames.shape[0] * frames.shape[1]].view(*frames.shape[:2], 1) * torch.ones(8))
    scores = cluster_scores(line, data)
    assert scores["participation_ratio"] == pytest.approx(1, abs=1e-6) and scores["mean_cosine"] == pytest.approx(1)
    assert scores["davies_bouldin"] == pytest.approx(0.5, abs=0.06) and scores["silhouette"] > 0.5
    assert scores["nmi"] < 0.1


def test_frames_are_drawn_once_or_as_often_as_sequences_hold_them():
    overlapping = load(resolve(Experiment(dataset="harth-sim", quick=True)))
    encoder = Known(lambda frames: frames.abs()[..., :8])
    assert cluster_scores(encoder, overlapping) != cluster_scores(encoder, overlapping, repeats=True)
