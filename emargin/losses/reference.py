"""The losses of the paper's section 3 in the plainest dense form: the definitions that all else is tested against.

Each is a function of S, the matrix of cosines `(..., N, N)`, and gives the loss of every anchor; their mean is the loss
of the batch. So autograd gives its derivative by each cosine. All pairs are in memory, and sums are kept as logarithms.
S is float32 or float64: `cosine_matrix` converts an embedding of less, and a cosine of less is refused.
`emargin.losses.emargin` computes the same from embeddings without S. For example::

    s = cosine_matrix(embedding, scope="sequence")
    info_nce(s, temperature=0.5).mean()

Notation: tau is the temperature, m the margin, y_j the pseudo-label of the pair (j, j + 1), `(..., N - 1)`.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from emargin.errors import InputError
from emargin.losses.guards import (
    check_choice,
    check_floating,
    check_matrix,
    check_number,
    check_zero_or_one,
    outside_autocast,
    usable,
)
from emargin.losses.margin import RELEASED_SCALE, MarginMap, phi, psi

SCOPES = ("sequence", "flattened")
READINGS = ("anchor", "pair", "all-pairs")
PLAIN = -1  # label of an entry that keeps its cosine


def cosine_matrix(embedding: Tensor, scope: str = "sequence") -> Tensor:
    """Return S of an embedding `(B, T, C)`: `(B, T, T)` for scope "sequence", `(1, B T, B T)` for "flattened"."""
    rows = usable("embedding", embedding, damped=True)
    if rows.ndim != 3 and scope != "sequence":
        raise InputError("embedding", found=f"shape {tuple(rows.shape)}", wanted="(sequences, frames, channels)")
    check_choice("scope", scope, SCOPES)
    return outside_autocast(partial(_cosine_matrix, scope=scope), rows, at_once=False)


def _cosine_matrix(embedding: Tensor, scope: str = "sequence") -> Tensor:
    """Compute `cosine_matrix` of a float32 or float64 embedding, unguarded."""
    rows = embedding if scope == "sequence" else embedding.flatten(0, 1)[None]
    unit = normalize(rows, dim=-1)
    return unit @ unit.mT


def info_nce(s: Tensor, temperature: float, sides: int = 1) -> Tensor:
    """Compute InfoNCE for each anchor, `(..., N - sides)`.

    One side (the paper's equation 1), anchors j = 0 .. N-2::

        l_j = -S_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(S_jk/tau)

    Two sides (the released code), anchors j = 1 .. N-2::

        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau))
              + log(sum_{k not in {j-1, j, j+1}} exp(S_jk/tau) + sum_{k not in {j-1, j}} exp(S_{j-1,k}/tau))
    """
    check_matrix(s)
    check_number("temperature", temperature)
    check_choice("number of sides", sides, (1, 2))
    exponents = s / temperature
    after = exponents.diagonal(1, dim1=-2, dim2=-1)  # S_{j,j+1}/tau, j = 0 .. N-2
    one_sided = _log_sums(exponents, 0, 1)
    if sides == 1:
        return one_sided[..., :-1] - after
    two_sided = _log_sums(exponents, -1, 1)
    positive = torch.logaddexp(after[..., :-1], after[..., 1:])
    return torch.logaddexp(two_sided[..., 1:-1], one_sided[..., :-2]) - positive


def emargin(
    s: Tensor,
    y: Tensor,
    temperature: float,
    margin: float,
    reading: str = "anchor",
    pairs: Tensor | None = None,
    phi: MarginMap = phi,
) -> Tensor:
    """Compute eMargin as the paper defines it, `(..., N - 1)`: InfoNCE of one side with M in the place of S.

    The entries of M::

        M_jk = phi(S_jk, label_jk, m),   or S_jk where the entry has no label

    Which entry has which label is the reading: see `label_matrix`. phi: any map of cosines, labels and the margin.
    """
    check_matrix(s, y)
    check_number("margin", margin)
    return info_nce(adjusted(s, label_matrix(y, reading, pairs), margin, phi), temperature)


def label_matrix(y: Tensor, reading: str, pairs: Tensor | None = None) -> Tensor:
    """Say which label each entry of M has, int `(..., N, N)`: 0, 1, or PLAIN where it keeps its cosine.

    "anchor": y_j for all of row j; "pair": y_j for the entry (j, j + 1), all others plain; "all-pairs": y_j for the
    entry (j, j + 1), all others as in `pairs`, `(..., N, N)`.
    """
    check_zero_or_one(y)
    check_choice("reading", reading, READINGS)
    n = y.shape[-1] + 1
    if reading == "all-pairs":
        assert pairs is not None, "reading all-pairs needs the labels of all pairs"
        return pairs.long().diagonal_scatter(y.long(), offset=1, dim1=-2, dim2=-1)
    if reading == "anchor":
        return _of_rows(y).long()[..., None].expand(*y.shape[:-1], n, n)
    plain = torch.full((*y.shape[:-1], n, n), PLAIN, device=y.device)
    return plain.diagonal_scatter(y.long(), offset=1, dim1=-2, dim2=-1)


def adjusted(s: Tensor, labels: Tensor, margin: float, phi: MarginMap = phi) -> Tensor:
    """Return M, `(..., N, N)`: phi(S, label, m), or S where the label is PLAIN."""
    mapped = phi(s, labels == 1, margin)
    check_floating("the values of a margin map", mapped)
    if mapped.shape != s.shape:
        raise InputError(
            "a margin map gives a value for each cosine",
            found=f"shape {tuple(mapped.shape)}",
            wanted=f"{tuple(s.shape)}, as the cosines",
            todo="write the map element by element: phi(cosines, labels, margin)",
        )
    return torch.where(labels == PLAIN, s, mapped)


def released(s: Tensor, y: Tensor, temperature: float, margin: float, sides: int = 2) -> tuple[Tensor, Tensor]:
    """Compute eMargin as the released code does, `(..., N - sides)`, and how far its logarithm's argument is from zero.

    Two sides, anchors j = 1 .. N-2, with gamma = 0.05::

        E_jk = exp(gamma psi(S_jk, y_j, m)/tau) for k != j,   E_jj = 0
        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau)) + log|sum_k E_jk + sum_k E_{j-1,k} - exp(S_{j,j-1}/tau)|

    One side, anchors j = 0 .. N-2, with S_jj = 0::

        l_j = -S_{j,j+1}/tau + log|sum_k exp phi(S_jk, y_j, m) - exp(S_{j,j+1}/tau)|

    With the argument a - b, the second value is log a - log b: it has the argument's sign, and does not overflow.
    """
    check_matrix(s, y)
    check_number("temperature", temperature)
    check_number("margin", margin)
    check_choice("number of sides", sides, (1, 2))
    y = _of_rows(y)[..., None]
    after = s.diagonal(1, dim1=-2, dim2=-1) / temperature
    if sides == 1:
        itself = torch.eye(s.shape[-1], dtype=torch.bool, device=s.device)
        sums = phi(s.masked_fill(itself, 0.0), y, margin).logsumexp(-1)
        total, subtracted, positive = sums[..., :-1], after, after
    else:
        sums = _log_sums(RELEASED_SCALE * psi(s, y, margin) / temperature, 0, 0)
        total, subtracted = torch.logaddexp(sums[..., 1:-1], sums[..., :-2]), after[..., :-1]
        positive = torch.logaddexp(after[..., :-1], after[..., 1:])
    return _log_difference(total, subtracted) - positive, total - subtracted


def _log_sums(exponents: Tensor, first: int, last: int) -> Tensor:
    """Compute log sum_k exp(e_jk) for each row j, without first <= k - j <= last: `(..., N, N)` -> `(..., N)`."""
    excluded = torch.ones(exponents.shape[-2:], dtype=torch.bool, device=exponents.device).triu(first).tril(last)
    return exponents.masked_fill(excluded, float("-inf")).logsumexp(-1)


def _log_difference(a: Tensor, b: Tensor) -> Tensor:
    """Compute log|exp(a) - exp(b)| = max(a, b) + log(1 - exp(-|a - b|))."""
    return torch.maximum(a, b) + torch.log(-torch.expm1(-(a - b).abs()))


def _of_rows(y: Tensor) -> Tensor:
    """Give the last row a label, `(..., N - 1)` -> `(..., N)`: any does, as the last frame is no anchor; here 0."""
    return torch.cat([y, torch.zeros_like(y[..., :1])], dim=-1)
