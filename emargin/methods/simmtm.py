"""SimMTM: masked copies of a series attract one another and rebuild it together (Dong et al. 2023; section 8)."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from emargin.augmentations.masks import markov_mask
from emargin.encoders import EMBEDDING
from emargin.methods.base import Method
from emargin.similarity import unit_rows

# Values of the official code, which the released code keeps.
COPIES = 3  # masked copies of a series, M
MASKED_SHARE = 0.5  # r
MEAN_RUN = 3.0  # frames
TEMPERATURE = 0.2
PROJECTION = 128  # channels of a series embedding
BLOCK = 512  # rows of the similarity matrix held at a time


class SimMTM(Method):
    """original: a series is a sequence. released: every frame is a series, and only the encoder learns.

    original: the series embedding is a projection of the mean over frames of the encoder's output, frames are averaged
    with the weights of their series, and the error is counted on the originals alone, against the unmasked frames as
    they are, without the normalisation of each series; projector, decoder and loss weights learn.
    released: encoded frames stand for themselves; every version is rebuilt and compared with its own, masked, input;
    decoder and loss weights stay as initialised.
    Masks run along time within each feature: with many features hardly a frame is ever wholly masked.
    """

    title = "SimMTM"
    summary = "masked copies of a series attract one another and rebuild it by a weighted average"

    def __init__(self, experiment, n_features):
        super().__init__(experiment, n_features)
        self.decoder = nn.Linear(EMBEDDING, n_features)
        self.loss_weights = nn.Parameter(torch.ones(2))  # a_1, a_2
        if experiment.fidelity == "released":
            self.decoder.requires_grad_(False)
            self.loss_weights.requires_grad_(False)
        else:
            self.projector = nn.Sequential(nn.Linear(EMBEDDING, EMBEDDING), nn.BatchNorm1d(EMBEDDING), nn.ReLU(),
                                           nn.Linear(EMBEDDING, PROJECTION))

    def loss(self, batch, generator):
        inputs = versions(batch, generator)  # (4B, T, D), the originals first
        frames = self.encoder(inputs)  # (4B, T, C)
        if self.experiment.fidelity == "released":
            series = frames.flatten(0, 1)
            contrast, average = contrast_and_average(series, series)
            target = inputs.flatten(0, 1)
        else:
            contrast, average = contrast_and_average(self.projector(frames.mean(1)), frames.flatten(1))
            average, target = average[:len(batch)].unflatten(1, frames.shape[1:]), batch
        reconstruction = functional.mse_loss(self.decoder(average), target)
        value = uncertainty_weighted(torch.stack([contrast, reconstruction]), self.loss_weights)
        return value, {"contrast": contrast.detach(), "reconstruction": reconstruction.detach()}

    def trained_parameters(self):
        return (parameter for parameter in self.parameters() if parameter.requires_grad)


def versions(batch: Tensor, generator: torch.Generator) -> Tensor:
    """The batch and its masked copies, copy-major: `(B, T, D)` -> `(4B, T, D)`, masked entries zero."""
    n, frames, features = batch.shape
    kept = markov_mask((COPIES * n, features, frames), generator, share=MASKED_SHARE, mean_run=MEAN_RUN)
    return torch.cat([batch, batch.repeat(COPIES, 1, 1) * kept.mT.to(batch)])


def contrast_and_average(series: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The constraint loss of N = 4n series embeddings, and points averaged over similar series.

    series: `(N, K)`, copy-major, so that u and v are versions of one series iff u = v modulo n. points: `(N, P)`.

        w_uv = softmax over v != u of cos(s_u, s_v) / T
        L    = -1/N sum over u and the three v that are versions of u's series of log w_uv
        p~_u = sum_v w_uv p_v

    Returns `(L, p~)`, p~ `(N, P)`. Weights are formed a block of rows at a time and formed again for the gradient, so
    that memory grows with N and not with N^2: the released code has N = 4BT.
    """
    unit = unit_rows(series)
    starts = range(0, len(unit), BLOCK)
    blocks = [checkpoint(_weigh, unit, points, start, use_reentrant=False, preserve_rng_state=False)
              for start in starts]
    log_sums, average = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    groups = unit.unflatten(0, (COPIES + 1, -1))
    positives = (groups * (groups.sum(0) - groups)).sum(-1).flatten()  # a row's cosines with its three versions, summed
    return (COPIES * log_sums - positives / TEMPERATURE).mean(), average


def _weigh(unit: Tensor, points: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """The logarithm of the weights' normaliser, and p~, for a block of rows."""
    rows = unit[start:start + BLOCK]
    itself = torch.arange(len(rows), device=unit.device)
    logits = rows @ unit.T / TEMPERATURE
    logits = logits.index_put((itself, itself + start), logits.new_tensor(float("-inf")))
    log_sum = logits.logsumexp(1)
    return log_sum, (logits - log_sum[:, None]).exp() @ points


def uncertainty_weighted(losses: Tensor, a: Tensor) -> Tensor:
    """Sum over i of L_i / (2 a_i^2) + log(1 + a_i^2); both `(n,)`."""
    return (losses / (2 * a.square()) + torch.log1p(a.square())).sum()
