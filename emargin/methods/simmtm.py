"""SimMTM: masked copies of a series attract one another and rebuild it together."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from emargin.augmentations.masks import markov_mask
from emargin.config import Experiment
from emargin.encoders import EMBEDDING
from emargin.losses.cosines import unit_rows
from emargin.losses.triangle import Blocks, Triangle
from emargin.losses.triangle_sums import LOG2_E
from emargin.methods.base import Method

# Values of the official code, which the released code keeps.
COPIES = 3  # masked copies of a series, M
MASKED_SHARE = 0.5  # r
MEAN_RUN = 3.0  # frames
TEMPERATURE = 0.2
SCALE = LOG2_E / TEMPERATURE  # as a power of 2, see `Power`
PROJECTION = 128  # channels of a series embedding


class SimMTM(Method):
    """Versions of a series, the original and three masked copies, attract one another and rebuild it by an average.

        L = L_con / (2 a_1^2) + log(1 + a_1^2) + L_rec / (2 a_2^2) + log(1 + a_2^2)

    L_con is the constraint loss of `contrast_and_average`; L_rec is the mean squared error of the decoded averages; a_1
    and a_2 are weights that can learn. Masks run along time within each feature: with many features hardly a frame is
    ever wholly masked.

    Fidelity "original": a series is a sequence, and its embedding a projection of the mean over frames of the encoder's
    output. Frames are averaged with the weights of their series. The error is that of the originals alone, against the
    unmasked frames as they are, without the normalisation of each series. Projector, decoder and a learn, too.

    Fidelity "released": each frame is a series, and its encoding the embedding. All versions are rebuilt and compared
    with their inputs, masked as these are. Only the encoder learns.

    References
    ----------
    Dong et al., "SimMTM: A Simple Pre-Training Framework for Masked Time-Series Modeling", NeurIPS 2023
    (arXiv 2302.00861).
    """

    title = "SimMTM"
    summary = "masked copies of a series attract one another and rebuild it by a weighted average"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.decoder = nn.Linear(EMBEDDING, n_features)
        self.loss_weights = nn.Parameter(torch.ones(2))  # a_1, a_2
        if experiment.fidelity == "released":
            self.decoder.requires_grad_(False)
            self.loss_weights.requires_grad_(False)
        else:
            self.projector = nn.Sequential(
                nn.Linear(EMBEDDING, EMBEDDING), nn.BatchNorm1d(EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, PROJECTION)
            )

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = versions(batch, generator)  # (4B, T, D), the originals first
        frames = self.encoder(inputs)  # (4B, T, C)
        if self.experiment.fidelity == "released":
            series = frames.flatten(0, 1)
            # Weights sum to 1 and the decoder is linear, so averages of decoded frames are decoded averages; with fewer
            # features than channels it is cheaper to decode first.
            decode_first = batch.shape[2] < EMBEDDING
            contrast, average = contrast_and_average(series, self.decoder(series) if decode_first else series)
            rebuilt, target = average if decode_first else self.decoder(average), inputs.flatten(0, 1)
        else:
            contrast, average = contrast_and_average(self.projector(frames.mean(1)), frames.flatten(1))
            rebuilt, target = self.decoder(average[: len(batch)].unflatten(1, frames.shape[1:])), batch
        reconstruction = functional.mse_loss(rebuilt, target)
        value = uncertainty_weighted(torch.stack([contrast, reconstruction]), self.loss_weights)
        return value, {"contrast": contrast.detach(), "reconstruction": reconstruction.detach()}

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return (parameter for parameter in self.parameters() if parameter.requires_grad)


def versions(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Return the batch, then its masked copies, a whole copy at a time: `(B, T, D)` -> `(4B, T, D)`.

    Masked entries are zero.
    """
    n, frames, features = batch.shape
    kept = markov_mask((COPIES * n, features, frames), generator, share=MASKED_SHARE, mean_run=MEAN_RUN)
    return torch.cat([batch, batch.repeat(COPIES, 1, 1) * kept.mT.to(batch)])


def contrast_and_average(series: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the constraint loss of N = 4n series embeddings, and average points over similar series.

        w_uv  = softmax over v != u of cos(s_u, s_v) / T
        L_con = -1/N sum over u and the three v that are versions of u's series of log w_uv
        p~_u  = sum_v w_uv p_v

    Weights are formed a block at a time and formed again for the gradient, so that memory grows with N and not with
    N^2: the released code has N = 4BT.

    Parameters
    ----------
    series : Tensor
        s, `(N, K)`, as `versions` orders them: u and v are versions of the same series iff u = v modulo n.
    points : Tensor
        p, `(N, P)`.

    Returns
    -------
    contrast : Tensor
        L_con, a scalar.
    average : Tensor
        p~, `(N, P)`.
    """
    unit = unit_rows(series)
    log_sums, average = _WeightedAverage.apply(unit, points)
    groups = unit.unflatten(0, (COPIES + 1, -1))
    positives = (groups * (groups.sum(0) - groups)).sum(-1).flatten()  # a row's cosines with its three versions, summed
    return (COPIES * log_sums - positives / TEMPERATURE).mean(), average


class _WeightedAverage(torch.autograd.Function):
    """Log-sums l_u = log sum_{v != u} exp(e_uv), e_uv = cos(s_u, s_v) / T, and p~_u = sum_v exp(e_uv - l_u) p_v.

    Cosines are symmetric and bounded, so that exp(e_uv) needs no maximum and a block of it serves its rows and its
    columns: only blocks on and above the diagonal are formed. With g and a the gradients on l and p~, that on e_uv as
    an entry of row u is exp(e_uv) (g_u - a_u . p~_u + a_u . p_v) / exp(l_u); on p_v it is sum_u exp(e_uv - l_u) a_u.
    """

    @staticmethod
    def forward(ctx, unit, points):
        ctx.triangle = Triangle(unit[None], keep=any(ctx.needs_input_grad), spares=1)
        padded_unit, padded_points = (ctx.triangle.padded(rows[None]) for rows in (unit, points))
        sums, average = padded_unit.new_zeros(*padded_unit.shape[:2], 1), torch.zeros_like(padded_points)
        for blocks, _, s, _ in ctx.triangle.blocks(padded_unit, SCALE):
            powers = ctx.triangle.without_padding(blocks, _powers(blocks, s))
            row_sums, column_sums = blocks.of(sums)
            row_points, column_points = blocks.of(padded_points)
            row_average, column_average = blocks.of(average)
            row_sums += powers.sum(2, keepdim=True)
            row_average.baddbmm_(powers, column_points)
            if not blocks.diagonal:
                column_sums += powers.sum(1)[..., None]
                column_average.baddbmm_(powers.mT, row_points)
        sums, average = sums[0, : len(unit)], average[0, : len(unit)]
        average = average / sums
        ctx.save_for_backward(unit, points, sums, average)
        return sums.log()[:, 0], average

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_log_sums, grad_average):
        unit, points, sums, average = ctx.saved_tensors
        scaled = grad_average / sums
        offset = (grad_log_sums[:, None] - (grad_average * average).sum(1, keepdim=True)) / sums
        unit, points, scaled, offset = (ctx.triangle.padded(rows[None]) for rows in (unit, points, scaled, offset))
        grad_unit, grad_points = torch.zeros_like(unit), torch.zeros_like(points)
        for blocks, stayed, s, spare in ctx.triangle.again(unit, SCALE):
            powers = s if stayed else _powers(blocks, s)
            row_points, column_points = blocks.of(points)
            row_scaled, column_scaled = blocks.of(scaled)
            row_offset, column_offset = blocks.of(offset)
            row_unit, column_unit = blocks.of(unit)
            on_row_unit, on_column_unit = blocks.of(grad_unit)
            on_row_points, on_column_points = blocks.of(grad_points)
            on_column_points.baddbmm_(powers.mT, row_scaled)
            on_cosines = torch.bmm(row_scaled, column_points.mT, out=spare).add_(row_offset)
            if blocks.diagonal:
                on_cosines = on_cosines + on_cosines.mT
            else:
                on_row_points.baddbmm_(powers, column_scaled)
                on_cosines.baddbmm_(row_points, column_scaled.mT).add_(column_offset.mT)
            on_cosines *= powers
            on_row_unit.baddbmm_(on_cosines, column_unit)
            if not blocks.diagonal:
                on_column_unit.baddbmm_(on_cosines.mT, row_unit)
        return grad_unit[0, : len(average)] / TEMPERATURE, grad_points[0, : len(average)]


def _powers(blocks: Blocks, s: Tensor) -> Tensor:
    """Return exp(cosine / T) from SCALE * cosine, in its memory; zero on the diagonal of the matrix."""
    s.exp2_()
    if blocks.diagonal:
        s.diagonal(dim1=1, dim2=2).zero_()
    return s


def uncertainty_weighted(losses: Tensor, a: Tensor) -> Tensor:
    """Return the sum over i of L_i / (2 a_i^2) + log(1 + a_i^2); both `(n,)`."""
    return (losses / (2 * a.square()) + torch.log1p(a.square())).sum()
