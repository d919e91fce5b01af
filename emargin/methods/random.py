"""Random Init: an encoder that is never trained, as initialised and with calibrated BatchNorm."""

import torch

from emargin.data.dataset import Sequences
from emargin.methods.base import Method

CALIBRATION_PASSES = 300  # running statistics move by a tenth a pass: what they start from keeps a weight of 0.9^300


class Random(Method):
    """The paper's "Random Init": BatchNorm keeps mean 0 and variance 1, and so changes nothing in evaluation."""

    title = "Random Init"
    summary = "the encoder as it is initialised; BatchNorm is an identity"
    untrained = True


class RandomCalibrated(Random):
    """The same weights, with BatchNorm statistics collected by forward passes over training batches.

    This is the fair control for trained methods: each of them calibrates BatchNorm on the way, whatever it learns.
    """

    title = "Random, calibrated"
    summary = "the same weights, with BatchNorm statistics collected from the training data"
    encoders = ()  # which have no BatchNorm

    @torch.no_grad()
    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        """Pass random training batches through the encoder, in training mode."""
        device = next(self.parameters()).device
        self.train()
        for _ in range(CALIBRATION_PASSES):
            picked = torch.randint(len(train), (self.experiment.batch_size,), generator=generator)
            self.encoder(train.batch(picked).to(device))
