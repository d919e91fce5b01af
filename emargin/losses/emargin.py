"""InfoNCE and eMargin (the paper's equation 1 and section 3), as defined and as released.

`emargin.losses.reference` has the definitions in their plainest form; here they are computed from embeddings, without
the matrix of all pairs.

Embeddings are `(B, T, C)`. `scope` says what an anchor is contrasted with: "sequence", the T frames of its own
sequence, as the paper writes it, or "flattened", all N = B * T frames of the batch in row-major order, as the released
code does; there the last frame of a sequence and the first of the next count as adjacent.

Notation: S is the matrix of cosines, tau the temperature, m the margin, y_j the pseudo-label of the pair (j, j + 1).
All sums are kept as logarithms. Section numbers refer to the method specification behind the companion's ledger.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from emargin.errors import InputError
from emargin.losses import reference
from emargin.losses.exponent import Exponent
from emargin.losses.guards import check_device, check_labels, check_number, check_shape, outside_autocast, usable
from emargin.losses.log_sums import PairLabels, log_sums
from emargin.losses.margin import RELEASED_SCALE, MarginMap, parabolas_of, phi, psi
from emargin.losses.reference import READINGS, SCOPES


def info_nce(embedding: Tensor, *, temperature: float, sides: int = 1, scope: str = "sequence") -> Tensor:
    """Compute InfoNCE with adjacent frames as positives.

    The positive is not in the denominator, so the value can be negative.

    One side (the paper's equation 1), anchors j = 0 .. N-2::

        l_j = -S_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(S_jk/tau)

    Two sides (the released class behind the tables), anchors j = 1 .. N-2::

        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau))
              + log(sum_{k not in {j-1, j, j+1}} exp(S_jk/tau) + sum_{k not in {j-1, j}} exp(S_{j-1,k}/tau))

    Parameters
    ----------
    embedding : Tensor
        `(B, T, C)`.
    temperature : float
        tau, above 0.
    sides : int
        1 or 2.
    scope : str
        "sequence" or "flattened": what an anchor is contrasted with.

    Returns
    -------
    Tensor
        The mean over anchors and groups, a scalar.

    Raises
    ------
    InputError
        For fewer than 3 frames in a group, other sides or scopes, a temperature that is not a positive number, and for
        an embedding that is empty, not finite, or no tensor of floating-point numbers.

    Notes
    -----
    Fit for any training loop: float16 and bfloat16 are summed in float32, under autocast too; the loss is float32, and
    the gradient has the type of the embedding. Rows of zeros have gradient 0, rows of next to no length a bounded
    one: see `emargin.losses.guards`.

    Examples
    --------
    Orthonormal frames: log(N - 2), at any temperature.

    >>> info_nce(torch.eye(6)[None], temperature=0.1)
    tensor(1.3863)
    """
    rows = _checked(embedding, scope, temperature)
    loss = partial(_info_nce, temperature=float(temperature), sides=sides, scope=scope)
    return outside_autocast(loss, rows)


def _info_nce(embedding: Tensor, *, temperature: float, sides: int = 1, scope: str = "sequence") -> Tensor:
    """Compute `info_nce` of a float32 or float64 embedding, unguarded."""
    if sides not in (1, 2):
        raise InputError("sides of InfoNCE", found=sides, wanted="1 or 2")
    rows = _groups(embedding, scope, temperature)
    exponent = Exponent(1 / temperature)
    negatives, _, cosines = log_sums(rows, exponent, exclude=(0, 1) if sides == 1 else (-1, 0, 1))
    positive = exponent(cosines, None)
    if sides == 1:
        return (negatives[:, :-1] - positive).mean()
    outer = negatives[:, 1:-1]
    # the sum of anchor j - 1 includes S_{j-1,j-2}, which `negatives` leaves out; anchor 0 has no such pair
    beyond = torch.cat([positive.new_full((len(rows), 1), float("-inf")), positive[:, :-2]], dim=1)
    previous = torch.logaddexp(negatives[:, :-2], beyond)
    return (torch.logaddexp(outer, previous) - torch.logaddexp(positive[:, :-1], positive[:, 1:])).mean()


def emargin_loss(
    embedding: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    margin: float,
    reading: str = "anchor",
    scope: str = "sequence",
    frames: Tensor | None = None,
    threshold: float | None = None,
    phi: MarginMap = phi,
) -> Tensor:
    """Compute eMargin as the paper defines it: InfoNCE of one side with S replaced by M = phi(S, y, m) (equation 2).

    The map, and the loss of an anchor::

        phi(s, y, m) = (1 - y) s^2 / 2 + y max(0, m - s)^2 / 2
        l_t = -M_{t,t+1}/tau + log sum_{k not in {t, t+1}} exp(M_tk/tau),   t = 0 .. N-2

    The paper labels adjacent pairs only. What M_tk is for the other pairs is the reading.

    Parameters
    ----------
    embedding : Tensor
        `(B, T, C)`.
    labels : Tensor
        Pseudo-labels of adjacent frames, bool, `(B, T - 1)` for scope "sequence", `(N - 1,)` or longer for "flattened".
    temperature, margin : float
        tau and m, above 0.
    reading : str
        "anchor": M_tk = phi(S_tk, y_t, m), the label of the anchor for its whole row. "pair": M_tk = S_tk, the margin
        acts on the adjacent pair alone (Algorithm 1 to the letter). "all-pairs": M_tk = phi(S_tk, y_tk, m), where
        y_tk = 1 unless cos(x_t, x_k) > threshold.
    scope : str
        "sequence" or "flattened": what an anchor is contrasted with.
    frames, threshold : Tensor, float
        The input `(B, T, D)` and theta, which "all-pairs" needs.
    phi : callable
        Any map (cosines, labels, margin) -> values of the cosines' shape, where labels are bool and fit the cosines'
        shape. phi and psi are computed a block of pairs at a time; any other map needs all pairs in memory.

    Returns
    -------
    Tensor
        The mean over anchors and groups, a scalar.

    Raises
    ------
    InputError
        For an unknown reading or scope, for shapes or devices that do not fit, for a temperature or margin that is not
        a positive number, for labels other than bool, 0 and 1, and for an embedding as in `info_nce`.

    Notes
    -----
    Precision and short rows are as in `info_nce`, and `phi` gets cosines in float32. Only where `phi` is a map of your
    own, call `backward()` outside of autocast, as torch asks: the map may have weights, whose gradients come then.

    Examples
    --------
    Another margin, a hinge without its corner:

    >>> def softplus_margin(s, y, margin):
    ...     return torch.where(y, torch.nn.functional.softplus(margin - s).square() / 2, s.square() / 2)
    >>> embedding, labels = torch.eye(6)[None], torch.tensor([[0, 0, 1, 0, 0]])
    >>> emargin_loss(embedding, labels, temperature=0.5, margin=5.0, phi=softplus_margin)
    tensor(1.3863)
    """
    rows = _checked(embedding, scope, temperature, margin, labels)
    settings: dict[str, Any] = {"temperature": float(temperature), "margin": float(margin), "phi": phi}
    if reading == "all-pairs" and frames is not None:
        settings |= {"frames": usable("frames", frames), "threshold": threshold}
        check_shape("frames", frames, (*rows.shape[:2], "features"))
        check_device("frames", frames, rows)
        if threshold is not None:
            check_number("threshold is a cosine", threshold, -1, 1)
    loss = partial(_emargin_loss, labels=labels, reading=reading, scope=scope, **settings)
    maybe_weights = parabolas_of(phi, settings["margin"]) is None  # in a map of the caller, with gradients of their own
    return outside_autocast(loss, rows, at_once=not maybe_weights)


def _emargin_loss(
    embedding: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    margin: float,
    reading: str = "anchor",
    scope: str = "sequence",
    frames: Tensor | None = None,
    threshold: float | None = None,
    phi: MarginMap = phi,
) -> Tensor:
    """Compute `emargin_loss`, unguarded."""
    if reading not in READINGS:
        raise InputError("unknown reading of eMargin", found=repr(reading), wanted=", ".join(READINGS))
    rows = _groups(embedding, scope, temperature, margin)
    y = _labels(labels, rows)
    parabolas = parabolas_of(phi, margin)
    if parabolas is None:
        pairs = _pair_labels(frames, threshold, rows).of(slice(None)) if reading == "all-pairs" else None
        return reference.emargin(reference._cosine_matrix(rows), y, temperature, margin, reading, pairs, phi).mean()
    exponent = Exponent(1 / temperature, margin, parabolas)
    if reading == "pair":
        negatives, _, cosines = log_sums(rows, Exponent(1 / temperature), exclude=(0, 1))
        return (negatives[:, :-1] - exponent(cosines, y) - exponent.offset * y.to(rows.dtype)).mean()
    if reading == "anchor":
        row_labels: Tensor | PairLabels = torch.cat([y, y[:, -1:]], dim=1)  # the last frame is no anchor
    else:
        row_labels = _pair_labels(frames, threshold, rows)
    negatives, has_constant, cosines = log_sums(rows, exponent, exclude=(0, 1), labels=row_labels)
    constant = exponent.offset * (has_constant[:, :-1] - y.to(rows.dtype))
    return (negatives[:, :-1] - exponent(cosines, y) + constant).mean()


def emargin_released(
    embedding: Tensor, labels: Tensor, *, temperature: float, margin: float, sides: int = 2
) -> tuple[Tensor, Tensor]:
    """Compute eMargin as the released code does, on the flattened batch. The margin is in the denominator alone.

    Two sides (all released configurations), anchors j = 1 .. N-2, with gamma = 0.05 and E_jj = 0::

        psi(s, y, m) = -(1 - y) s^2 / 2 + y max(0, m - s)^2 / 2,     E_jk = exp(gamma psi(S_jk, y_j, m) / tau)
        l_j = -log(exp(S_{j,j-1}/tau) + exp(S_{j,j+1}/tau)) + log|sum_k E_jk + sum_k E_{j-1,k} - exp(S_{j,j-1}/tau)|

    One side, anchors j = 0 .. N-2; no temperature under the sum, and the self term is phi(0, y_j)::

        l_j = -S_{j,j+1}/tau + log|sum_{k != j} exp phi(S_jk, y_j, m) + exp phi(0, y_j, m) - exp(S_{j,j+1}/tau)|

    The released code takes log(.), NaN where the argument is negative; log|.| has the same gradient and a value.

    Parameters
    ----------
    embedding : Tensor
        `(B, T, C)`, N = B T frames.
    labels : Tensor
        Pseudo-labels of adjacent frames, bool, `(N - 1,)` or longer.
    temperature, margin : float
        tau and m, above 0.
    sides : int
        2, as in all released configurations, or 1.

    Returns
    -------
    loss : Tensor
        The mean over anchors, a scalar.
    share : Tensor
        The share of anchors whose logarithm has an argument that is not positive, a scalar.

    Raises
    ------
    InputError
        For other sides, and as in `emargin_loss`.

    Notes
    -----
    Precision and short rows are as in `info_nce`.
    """
    rows = _checked(embedding, "flattened", temperature, margin, labels)
    loss = partial(_emargin_released, labels=labels, temperature=float(temperature), margin=float(margin), sides=sides)
    return outside_autocast(loss, rows)


def _emargin_released(
    embedding: Tensor, labels: Tensor, *, temperature: float, margin: float, sides: int = 2
) -> tuple[Tensor, Tensor]:
    """Compute `emargin_released`, unguarded."""
    if sides not in (1, 2):
        raise InputError("sides of the released eMargin", found=sides, wanted="1 or 2")
    rows = _groups(embedding, "flattened", temperature, margin)
    y = _labels(labels, rows)
    parabolas = parabolas_of(psi if sides == 2 else phi, margin)
    if parabolas is None:
        losses, excess = reference.released(reference._cosine_matrix(rows), y, temperature, margin, sides)
        return losses.mean(), (excess <= 0).to(rows.dtype).mean()
    y = torch.cat([y, y[:, -1:]], dim=1)  # the last frame is no anchor; with this label, labels that agree stay uniform
    exponent = Exponent(RELEASED_SCALE / temperature if sides == 2 else 1.0, margin, parabolas)
    sums, has_constant, cosines = log_sums(rows, exponent, exclude=(0,), labels=y)
    plain = cosines / temperature
    constant = exponent.offset * has_constant
    if sides == 2:
        sums = sums + constant
        positive = torch.logaddexp(plain[:, :-1], plain[:, 1:])
        total, subtracted = torch.logaddexp(sums[:, 1:-1], sums[:, :-2]), plain[:, :-1]
    else:
        positive = plain
        total, subtracted = (torch.logaddexp(sums, torch.zeros_like(sums)) + constant)[:, :-1], plain
    return (_log_difference(total, subtracted) - positive).mean(), (total <= subtracted).to(rows.dtype).mean()


def _checked(embedding: Tensor, scope: str, temperature: float, margin: float = 1.0, *labels: Tensor) -> Tensor:
    """Return the embedding as it can be used, `(B, T, C)`, once everything fits it."""
    rows = usable("embedding", embedding, damped=True)
    check_number("temperature", temperature)
    check_number("margin", margin)
    groups = _groups(rows.detach(), scope, temperature, margin)
    g, n = groups.shape[:2]
    fitting = [(g, n - 1), (g, n)] + [(n - 1,), (n,)] * (g == 1)
    for y in labels:
        check_labels(y, rows, *fitting)
    return rows


def _log_difference(a: Tensor, b: Tensor) -> Tensor:
    """Compute log|exp(a) - exp(b)|, elementwise.

    Where a equals b after rounding, their difference is set to the last digit of a. With a thousand anchors a step,
    some are equal by chance, and the logarithm of 0 would end the training.
    """
    difference = a - b
    digit = torch.finfo(a.dtype).eps * a.detach().abs().clamp(min=1)
    apart = torch.where(difference == 0, digit, difference.abs())
    return torch.maximum(a, b) + torch.log(-torch.expm1(-apart))


def _groups(embedding: Tensor, scope: str, temperature: float, margin: float = 1.0) -> Tensor:
    """Return the groups that are contrasted, `(B, T, C)` -> `(G, N, C)`: each sequence, or all frames together."""
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
    """Return labels as bool `(G, N - 1)`."""
    groups, n, _ = rows.shape
    y = labels.reshape(groups, -1) if labels.numel() else labels.reshape(groups, 0)
    if y.shape[1] not in (n - 1, n):
        raise InputError(
            "pseudo-labels do not fit the embedding",
            found=f"{tuple(labels.shape)}",
            wanted=f"{groups} group(s) of {n - 1} pairs",
        )
    return y[:, : n - 1].to(torch.bool)


def _pair_labels(frames: Tensor | None, threshold: float | None, rows: Tensor) -> PairLabels:
    """Return labels of all pairs of frames, in the groups of the rows `(G, N, C)`."""
    if frames is None or threshold is None:
        raise InputError(
            "reading all-pairs labels every pair of frames", found="no frames or no threshold", wanted="both"
        )
    return PairLabels(frames.reshape(*rows.shape[:2], -1), threshold)
