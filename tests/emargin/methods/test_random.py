"""The untrained encoders: what calibration forgets, and what it leaves as it was."""

import torch

from emargin.training import build

STATISTICS = ("running_mean", "running_var")


def calibrated(experiment, dataset, start):
    """The method after calibration, whose BatchNorm statistics were all `start` before."""
    method = build(experiment, dataset.n_features)
    for layer in method.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.fill_(start)
            layer.running_var.fill_(start)
    method.prepare(dataset.train, torch.Generator().manual_seed(0))
    return {name: value for name, value in method.state_dict().items() if name.endswith(STATISTICS)}


def test_calibrated_statistics_are_of_the_data_and_not_of_what_they_started_from(small, small_dataset):
    """Each pass moves them by a tenth: after 300 nothing of the start is left, after 3 it has most of the weight."""
    one, other = (calibrated(small(method="random-calibrated"), small_dataset, start) for start in (1.0, 1e6))
    assert len(one) == 6
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=1e-6)


def test_an_encoder_that_is_not_calibrated_keeps_its_statistics(small, small_dataset):
    for value in calibrated(small(method="random"), small_dataset, 3.0).values():
        assert (value == 3).all()
