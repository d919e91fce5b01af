"""TS2Vec + SoftCLT: the contrast of TS2Vec with soft positives."""

import torch
from torch import Tensor

from emargin.losses.hierarchical import _hierarchical as hierarchical
from emargin.methods.ts2vec import TS2Vec, shared

INSTANCE_SHARPNESS = 5.0  # tau_I: median of SoftCLT's 128 shipped choices, which are made per data set
TEMPORAL_SHARPNESS = 1.0  # tau_T: likewise
ALPHA = 0.5  # weight of two sequences at the smallest distance, SoftCLT's default
NEGLIGIBLE = 1e-6  # temporal weights below this are 0, SoftCLT's code


class SoftCLT(TS2Vec):
    """TS2Vec in which frames near in time, and sequences alike in input space, count as positives by degree.

    The loss is `emargin.losses.hierarchical.hierarchical`, with `instance_weights` and `temporal_weights`.

    Fidelity "original": both kinds of soft weights; crops, overlap and averaged iterates as in TS2Vec. SoftCLT compares
    all training sequences once, by dynamic time warping, and scales each column of the distances. That is quadratic in
    the number of sequences. Here the sequences of a batch are compared among themselves, and the whole matrix is scaled
    at once, so it stays symmetric. The closest two of a batch get the weight 1/2; in a batch of two that is the only
    pair.

    Fidelity "released": both switches are off, so this is TS2Vec with hard positives. Unlike the released TS2Vec, it
    does compare the frames that both crops have. The last iterate is used.

    References
    ----------
    Lee, Park and Lee, "Soft Contrastive Learning for Time Series", ICLR 2024 (arXiv 2312.16424).
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
    """Compute how much frames t and t' count as positives of each other.

        w_T(t, t') = 2 sigma(-tau_T 2^level |t - t'|),   below 1e-6 set to 0

    Parameters
    ----------
    length : int
        Number of frames.
    level : int
        How often the frames were pooled.
    sharpness : float
        tau_T.

    Returns
    -------
    Tensor
        `(length, length)`, float64.
    """
    t = torch.arange(length, dtype=torch.float64)
    weights = 2 * torch.sigmoid(-sharpness * 2**level * (t - t[:, None]).abs())
    return weights.where(weights >= NEGLIGIBLE, 0.0)


def instance_weights(distances: Tensor, sharpness: float = INSTANCE_SHARPNESS) -> Tensor:
    """Compute how much sequences i and j count as positives of each other.

        w_I(i, j) = 2 alpha sigma(-tau_I d_ij) + (1 - alpha) [i = j]

    Parameters
    ----------
    distances : Tensor
        `(B, B)`. d is these, scaled so that the smallest distance of two sequences is 0 and the largest 1; equal
        distances become 0, and so does the diagonal.
    sharpness : float
        tau_I.

    Returns
    -------
    Tensor
        `(B, B)`.
    """
    itself = torch.eye(len(distances), dtype=torch.bool, device=distances.device)
    low = distances.masked_fill(itself, float("inf")).min()
    scaled = (distances - low).masked_fill(itself, 0)
    scaled = scaled / scaled.max().clamp(min=torch.finfo(scaled.dtype).tiny)
    return 2 * ALPHA * torch.sigmoid(-sharpness * scaled) + (1 - ALPHA) * itself


@torch.no_grad()
def time_warp_distances(sequences: Tensor) -> Tensor:
    """Compute the dynamic time warping distance between all pairs of sequences.

        c_ij = |x_i - y_j|^2,   D_ij = c_ij + min(D_{i-1,j}, D_{i-1,j-1}, D_{i,j-1}),   distance = sqrt(D_{T-1,T-1})

    D is computed row by row, for all pairs at once: with the row's running cost s_j = c_i0 + .. + c_ij the step along
    the row is a running minimum, D_ij = s_j + min_{k <= j} (min(D_{i-1,k}, D_{i-1,k-1}) - s_{k-1}).

    Parameters
    ----------
    sequences : Tensor
        `(B, T, D)`.

    Returns
    -------
    Tensor
        `(B, B)`, float64, symmetric, zero on the diagonal.
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
