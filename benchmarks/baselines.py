"""The straightforward formulations that the figures are ratios against."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def dense_info_nce(embedding: Tensor, *, temperature: float) -> Tensor:
    """The paper's equation 1 over the flattened batch, with the whole N x N matrix of cosines under autograd.

        l_j = -S_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(S_jk/tau),   j = 0 .. N-2, the mean over j

    embedding: `(B, T, C)`, N = B T. Scalar. The value of `emargin.losses.info_nce` with sides 1, scope "flattened".
    """
    unit = normalize(embedding.flatten(0, 1), dim=-1)
    logits = unit @ unit.T / temperature  # (N, N)
    left_out = torch.ones_like(logits, dtype=torch.bool).triu().tril(1)
    negatives = logits.masked_fill(left_out, float("-inf"))[:-1].logsumexp(dim=1)
    return (negatives - logits.diagonal(1)).mean()
