"""TS2Vec + SoftCLT: the contrast of TS2Vec with soft positives (section 11 of the specification)."""

import torch
from torch import Tensor

from emargin.losses.hierarchical import hierarchical
from emargin.methods.ts2vec import TS2Vec, shared

INSTANCE_SHARPNESS = 5.0  # tau_I: median of SoftCLT's 128 shipped choices, which are made per data set
TEMPORAL_SHARPNESS = 1.0  # tau_T: likewise
ALPHA = 0.5  # weight of two sequences at the smallest distance, SoftCLT's default
NEGLIGIBLE = 1e-6  # temporal weights below this are 0, SoftCLT's code


class SoftCLT(TS2Vec):
    """TS2Vec in which near frames, and sequences alike in input space, count as positives by degree.

    original: both kinds of soft weights; crops, overlap and averaged weights as in TS2Vec. SoftCLT compares all
    training sequences once, by dynamic time warping, and scales the distances over all of them, which is quadratic in
    their number; here the sequences of a batch are compared and scaled among themselves, symmetrically, where SoftCLT
    scales column by column. The closest two of a batch have the weight 1/2, and a batch of two has no others.
    released: both switches are off, so this is TS2Vec with hard positives. Unlike the released TS2Vec, it does compare
    the frames that both crops have. The last iterate is used.
    """

    title = "TS2Vec + SoftCLT"
    summary = "TS2Vec with soft positives: by distance in time and between sequences"

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        first, second, overlap = self.views(batch, generator)
        measurements = {"overlap": torch.tensor(overlap)}
        if self.released:
            return hierarchical(*shared(first, second, overlap)), measurements
        soft = instance_weights(time_warp_distances(batch))
        value = hierarchical(*shared(first, second, overlap), instance_weights=soft, temporal_weights=temporal_weights)
        return value, measurements | {"soft_instance": soft.mean()}


def temporal_weights(length: int, level: int = 0, sharpness: float = TEMPORAL_SHARPNESS) -> Tensor:
    """How much frames t and t' count as one, `(length, length)`:

    w_T(t, t') = 2 sigma(-tau_T 2^level |t - t'|),   below 1e-6 set to 0
    """
    t = torch.arange(length, dtype=torch.float64)
    weights = 2 * torch.sigmoid(-sharpness * 2**level * (t - t[:, None]).abs())
    return weights.where(weights >= NEGLIGIBLE, 0.0)


def instance_weights(distances: Tensor, sharpness: float = INSTANCE_SHARPNESS) -> Tensor:
    """How much sequences i and j count as one, from their distances `(B, B)`, as `(B, B)`:

        w_I(i, j) = 2 alpha sigma(-tau_I d_ij) + (1 - alpha) [i = j]

    with d scaled to 0 .. 1 between the smallest and the largest distance of two sequences, and d_ii = 0. Distances that
    are all equal are scaled to 0.
    """
    itself = torch.eye(len(distances), dtype=torch.bool, device=distances.device)
    low = distances.masked_fill(itself, float("inf")).min()
    scaled = (distances - low).masked_fill(itself, 0)
    scaled = scaled / scaled.max().clamp(min=torch.finfo(scaled.dtype).tiny)
    return 2 * ALPHA * torch.sigmoid(-sharpness * scaled) + (1 - ALPHA) * itself


@torch.no_grad()
def time_warp_distances(sequences: Tensor) -> Tensor:
    """Dynamic time warping between the sequences of `(B, T, D)`: a symmetric `(B, B)`, float64, zero on the diagonal.

        c_ij = |x_i - y_j|^2,   D_ij = c_ij + min(D_{i-1,j}, D_{i-1,j-1}, D_{i,j-1}),   distance = sqrt(D_{T-1,T-1})

    One row of D at a time, for all pairs at once: with the row's running cost s_j = c_i0 + .. + c_ij the step along the
    row is a running minimum, D_ij = s_j + min_{k <= j} (min(D_{i-1,k}, D_{i-1,k-1}) - s_{k-1}).
    """
    n = len(sequences)
    first, second = torch.triu_indices(n, n, 1)
    x = sequences.double()
    cost = torch.cdist(x[first], x[second]) ** 2  # (pairs, T, T)
    running = cost.cumsum(-1)
    before = running - cost
    row = running[:, 0]
    for i in range(1, x.shape[1]):
        diagonal = torch.cat([torch.full_like(row[:, :1], float("inf")), row[:, :-1]], dim=1)
        row = running[:, i] + (torch.minimum(row, diagonal) - before[:, i]).cummin(-1).values
    distances = x.new_zeros(n, n)
    distances[first, second] = distances[second, first] = row[:, -1].clamp(min=0).sqrt()
    return distances
