"""Random Init: an encoder that is never trained, as initialised and with calibrated BatchNorm."""

import torch

from emargin.data.dataset import Sequences
from emargin.methods.base import Method

CALIBRATION_PASSES = 300  # running statistics move by a tenth a pass: the initial ones weigh 0.9^300, nothing


class Random(Method):
    """Running mean 0 and variance 1, so BatchNorm is an identity in evaluation: the paper's "Random Init"."""

    title = "Random Init"
    summary = "the encoder as it is initialised; BatchNorm is an identity"
    untrained = True


class RandomCalibrated(Random):
    """The same weights, with BatchNorm statistics collected by forward passes over training batches.

    The fair control for trained methods, all of which calibrate BatchNorm on the way whatever they learn.
    """

    title = "Random, calibrated"
    summary = "the same weights, with BatchNorm statistics collected from the training data"

    @torch.no_grad()
    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        device = next(self.parameters()).device
        self.train()
        for _ in range(CALIBRATION_PASSES):
            picked = torch.randint(len(train), (self.experiment.batch_size,), generator=generator)
            self.encoder(train.batch(picked).to(device))
