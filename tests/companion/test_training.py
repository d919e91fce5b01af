"""What a batch looks like before training."""

import torch

from companion.training import untrained_batch
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.evaluation import collapse
from emargin.resolve import resolve
from emargin.training import train


def test_the_batch_is_drawn_with_the_seed_and_encoded_without_a_step():
    experiment = resolve(Experiment(dataset="ecg-sim", quick=True, seed=2))
    data = load(experiment)
    measured = untrained_batch(experiment, data)
    calibrated, curve = train(experiment.for_method("random-calibrated"), data, progress=False)
    drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(2))[:8]
    with torch.no_grad():
        rows = calibrated.encode(data.train.batch(drawn)).reshape(-1, 320)
    assert not curve and len(rows) == 8 * experiment.sequence_length
    assert measured["participation_ratio"] == collapse.participation_ratio(rows) > 5
    assert measured["mean_cosine"] == collapse.mean_cosine(rows)
    assert measured != untrained_batch(resolve(Experiment(dataset="ecg-sim", quick=True, seed=3)), data)
