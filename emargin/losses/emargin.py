"""InfoNCE and eMargin (the paper's equation 1 and section 3), as defined and as released.

Embeddings are `(B, T, C)`. `scope` says what an anchor is contrasted with: "sequence", the T frames of its own
sequence, as the paper writes it, or "flattened", all N = B * T frames of the batch in row-major order, as the released
code does; there the last frame of a sequence and the first of the next count as adjacent.

Notation: S is the matrix of cosines, tau the temperature, m the margin, y_j the pseudo-label of the pair (j, j + 1).
All sums are kept as logarithms. Section numbers refer to the method specification behind the companion's ledger.
"""

import torch
from torch import Tensor

from emargin.errors import InputError
from emargin.losses.cosines import PairLabels, log_sums
from emargin.losses.exponent import Exponent

SCOPES = ("sequence", "flattened")
READINGS = ("anchor", "pair", "all-pairs")
RELEASED_SCALE = 0.05  # the factor on the margin term of the released two-sided loss; the paper has none


def info_nce(embedding: Tensor, *, temperature: float, sides: int = 1, scope: str = "sequence") -> Tensor:
    """InfoNCE over adjacent frames; the positive is not in the denominator, so the value can be negative.

    One side (the paper's equation 1), anchors j = 0 .. N-2:

        l_j = -S_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(S_jk/tau)

    Two sides (the released class behind the tables), anchors j = 1 .. N-2:

        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau))
              + log(sum_{k not in {j-1, j, j+1}} exp(S_jk/tau) + sum_{k not in {j-1, j}} exp(S_{j-1,k}/tau))

    Returns the mean over anchors and groups, a scalar. Raises InputError for fewer than 3 frames a group.
    """
    if sides not in (1, 2):
        raise InputError("sides of InfoNCE", found=sides, wanted="1 or 2")
    rows = _groups(embedding, scope, temperature)
    exponent = Exponent(1 / temperature)
    negatives, _, cosines = log_sums(rows, exponent, exclude=(0, 1) if sides == 1 else (-1, 0, 1))
    positive = exponent(cosines, None)
    if sides == 1:
        return (negatives[:, :-1] - positive).mean()
    outer = negatives[:, 1:-1]
    # the previous anchor's one-sided sum still holds its own other positive, S_{j-1,j-2}; anchor 0 has none
    beyond = torch.cat([positive.new_full((len(rows), 1), float("-inf")), positive[:, :-2]], dim=1)
    previous = torch.logaddexp(negatives[:, :-2], beyond)
    return (torch.logaddexp(outer, previous) - torch.logaddexp(positive[:, :-1], positive[:, 1:])).mean()


def emargin(
    embedding: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    margin: float,
    reading: str = "anchor",
    scope: str = "sequence",
    frames: Tensor | None = None,
    threshold: float | None = None,
) -> Tensor:
    """eMargin as the paper defines it: InfoNCE of one side with S replaced by M = phi(S, y) (equation 2).

        phi(s, y) = (1 - y) s^2 / 2 + y max(0, m - s)^2 / 2
        l_t = -M_{t,t+1}/tau + log sum_{k not in {t, t+1}} exp(M_tk/tau),   t = 0 .. N-2

    The paper labels adjacent pairs only. What M_tk is for the other pairs is the reading:
    "anchor": phi(S_tk, y_t), the label of the anchor for its whole row; "pair": S_tk, the margin acts on the adjacent
    pair alone (Algorithm 1 to the letter); "all-pairs": phi(S_tk, y_tk) with y_tk from cos(x_t, x_k).

    labels: bool, `(B, T - 1)` for scope "sequence", `(N - 1,)` or longer for "flattened". "all-pairs" needs the input
    `frames` `(B, T, D)` and the `threshold`. Returns a scalar. Raises InputError for an unknown reading or shapes that
    do not fit.
    """
    rows = _groups(embedding, scope, temperature, margin)
    y = _labels(labels, rows)
    exponent = Exponent(1 / temperature, margin)
    if reading == "pair":
        negatives, _, cosines = log_sums(rows, Exponent(1 / temperature), exclude=(0, 1))
        return (negatives[:, :-1] - exponent(cosines, y) - exponent.offset * y.to(rows.dtype)).mean()
    if reading == "anchor":
        row_labels = torch.cat([y, y[:, -1:]], dim=1)  # the last frame is no anchor: any label does
    elif reading == "all-pairs":
        if frames is None or threshold is None:
            raise InputError(
                "reading all-pairs labels every pair of frames", found="no frames or no threshold", wanted="both"
            )
        row_labels = PairLabels(frames.reshape(*rows.shape[:2], -1), threshold)
    else:
        raise InputError("unknown reading of eMargin", found=repr(reading), wanted=", ".join(READINGS))
    negatives, reference, cosines = log_sums(rows, exponent, exclude=(0, 1), labels=row_labels)
    constant = exponent.offset * (reference[:, :-1] - y.to(rows.dtype))
    return (negatives[:, :-1] - exponent(cosines, y) + constant).mean()


def emargin_released(
    embedding: Tensor, labels: Tensor, *, temperature: float, margin: float, sides: int = 2
) -> tuple[Tensor, Tensor]:
    """eMargin as the released code computes it, on the flattened batch. The margin is in the denominator alone.

    Two sides (all released configurations), anchors j = 1 .. N-2, with gamma = 0.05 and E_jj = 0:

        psi(s, y) = -(1 - y) s^2 / 2 + y max(0, m - s)^2 / 2,     E_jk = exp(gamma psi(S_jk, y_j) / tau)
        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau)) + log|sum_k E_jk + sum_k E_{j-1,k} - exp(S_{j,j-1}/tau)|

    One side, anchors j = 0 .. N-2; no temperature under the sum, and the self term is phi(0, y_j):

        l_j = -S_{j,j+1}/tau + log|sum_{k != j} exp phi(S_jk, y_j) + exp phi(0, y_j) - exp(S_{j,j+1}/tau)|

    The released code takes log(.), NaN where the argument is negative; log|.| has the same gradient and a value.

    labels: bool, `(N - 1,)` or longer. Returns (loss, share of anchors whose argument is not positive), both scalars.
    """
    rows = _groups(embedding, "flattened", temperature, margin)
    y = _labels(labels, rows)
    y = torch.cat([y, y[:, -1:]], dim=1)  # the last frame is no anchor; with this label, labels that agree stay uniform
    exponent = Exponent(RELEASED_SCALE / temperature, margin, sign=-1.0) if sides == 2 else Exponent(1.0, margin)
    sums, reference, cosines = log_sums(rows, exponent, exclude=(0,), labels=y)
    plain = cosines / temperature
    constant = exponent.offset * reference
    if sides == 2:
        sums = sums + constant
        positive = torch.logaddexp(plain[:, :-1], plain[:, 1:])
        total, subtracted = torch.logaddexp(sums[:, 1:-1], sums[:, :-2]), plain[:, :-1]
    elif sides == 1:
        positive = plain
        total, subtracted = (torch.logaddexp(sums, torch.zeros_like(sums)) + constant)[:, :-1], plain
    else:
        raise InputError("sides of the released eMargin", found=sides, wanted="1 or 2")
    return (_log_difference(total, subtracted) - positive).mean(), (total <= subtracted).to(rows.dtype).mean()


def _log_difference(a: Tensor, b: Tensor) -> Tensor:
    """log|exp(a) - exp(b)|, elementwise.

    Where a and b are equal, they differ by less than their last digit, and by that digit is how they are taken to
    differ: a thousand anchors a step meet such ties by chance, and a logarithm of 0 would end the training.
    """
    difference = a - b
    digit = torch.finfo(a.dtype).eps * a.detach().abs().clamp(min=1)
    apart = torch.where(difference == 0, digit, difference.abs())
    return torch.maximum(a, b) + torch.log(-torch.expm1(-apart))


def _groups(embedding: Tensor, scope: str, temperature: float, margin: float = 1.0) -> Tensor:
    """`(B, T, C)` -> `(G, N, C)`: sequences apart, or one group of all frames."""
    if embedding.ndim != 3:
        raise InputError("embedding", found=f"shape {tuple(embedding.shape)}", wanted="(sequences, frames, channels)")
    if scope not in SCOPES:
        raise InputError("unknown scope of a loss", found=repr(scope), wanted=" or ".join(SCOPES))
    if not temperature > 0:
        raise InputError("temperature", found=temperature, wanted="a positive number")
    if not margin > 0:
        raise InputError("margin", found=margin, wanted="a positive number")
    rows = embedding if scope == "sequence" else embedding.reshape(1, -1, embedding.shape[-1])
    if rows.shape[1] < 3:
        raise InputError(
            "a contrast needs a positive and a negative",
            found=f"{rows.shape[1]} frames",
            wanted="at least 3 in a group",
            todo="use longer sequences, or scope flattened",
        )
    return rows


def _labels(labels: Tensor, rows: Tensor) -> Tensor:
    """Labels as bool `(G, N - 1)`."""
    groups, n, _ = rows.shape
    y = labels.reshape(groups, -1) if labels.numel() else labels.reshape(groups, 0)
    if y.shape[1] not in (n - 1, n):
        raise InputError(
            "pseudo-labels do not fit the embedding",
            found=f"{tuple(labels.shape)}",
            wanted=f"{groups} group(s) of {n - 1} pairs",
        )
    return y[:, : n - 1].to(torch.bool)
