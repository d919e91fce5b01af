"""InfoNCE and eMargin of several experiments side by side: `emargin.losses`, with all pairs of a batch in memory.

On a GPU this takes as many operations as the loss of one experiment. On a CPU `emargin.losses` is faster: it forms
half the pairs, in the cache.
"""

import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.losses import RELEASED_SCALE
from emargin.losses.cosines import adjacent_products, unit_rows
from emargin.losses.emargin import _log_difference


def stacked_losses(
    embedding: Tensor, labels: Tensor | None, *, form: Experiment, temperature: Tensor, margin: Tensor | None = None
) -> dict[str, Tensor]:
    """The losses of G experiments of one form: `emargin.losses`, with all pairs of a batch in memory.

    embedding: `(G, B, T, C)`. labels: bool, `(G, B, T - 1)` for scope "sequence", `(G, B T - 1)` for "flattened"; None
    for InfoNCE. form: gives method, fidelity, reading ("anchor" or "pair"), sides and scope. temperature, margin:
    `(G, 1, 1)`. Returns "loss" and what the method measures with it ("label_share", "nonpositive_share"), each `(G,)`.
    """
    unit = unit_rows(embedding if form.scope == "sequence" else embedding.flatten(1, 2)[:, None])
    s, cosines = unit @ unit.mT, adjacent_products(unit)  # (G, groups, n, n) and (G, groups, n - 1)
    plain = cosines / temperature
    if form.method == "infonce":
        return {"loss": _info_nce(s / temperature[..., None], plain, form.sides).mean((-2, -1))}
    y = labels.reshape(cosines.shape)
    measured = {"label_share": y.to(torch.float32).mean((-2, -1))}
    rows = torch.cat([y, y[..., -1:]], dim=-1)  # the last frame is no anchor
    if form.fidelity == "released":
        anchors, total, subtracted = _released(s, plain, rows, temperature, margin, form.sides)
        measured["nonpositive_share"] = (total <= subtracted).to(s.dtype).mean((-2, -1))
    else:
        anchors = _original(s, cosines, rows, temperature, margin, form.reading)
    return {"loss": anchors.mean((-2, -1))} | measured


def _info_nce(exponents: Tensor, positive: Tensor, sides: int) -> Tensor:
    if sides == 1:
        return _log_sums(exponents, (0, 1))[..., :-1] - positive
    negatives = _log_sums(exponents, (-1, 0, 1))
    beyond = torch.cat([torch.full_like(positive[..., :1], float("-inf")), positive[..., :-2]], dim=-1)
    previous = torch.logaddexp(negatives[..., :-2], beyond)
    return torch.logaddexp(negatives[..., 1:-1], previous) - torch.logaddexp(positive[..., :-1], positive[..., 1:])


def _original(s: Tensor, cosines: Tensor, rows: Tensor, temperature: Tensor, margin: Tensor, reading: str) -> Tensor:
    scale, y = 1 / temperature, rows[..., :-1]
    positive = _margin_map(cosines, y, scale, margin)
    if reading == "pair":
        return _log_sums(s / temperature[..., None], (0, 1))[..., :-1] - positive - 0.5 * margin**2 * scale * y
    exponents = _margin_map(s, rows[..., None], scale[..., None], margin[..., None])
    return _log_sums(exponents, (0, 1))[..., :-1] - positive


def _released(
    s: Tensor, plain: Tensor, rows: Tensor, temperature: Tensor, margin: Tensor, sides: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors' losses, and the logarithms of the two sums whose difference is the argument of their logarithm."""
    scale, sign = (RELEASED_SCALE / temperature, -1.0) if sides == 2 else (torch.ones_like(temperature), 1.0)
    sums = _log_sums(_margin_map(s, rows[..., None], scale[..., None], margin[..., None], sign), (0,))
    constant = 0.5 * margin**2 * scale * rows
    if sides == 2:
        sums = sums + constant
        total, subtracted = torch.logaddexp(sums[..., 1:-1], sums[..., :-2]), plain[..., :-1]
        positive = torch.logaddexp(plain[..., :-1], plain[..., 1:])
    else:
        total, subtracted = (torch.logaddexp(sums, torch.zeros_like(sums)) + constant)[..., :-1], plain
        positive = plain
    return _log_difference(total, subtracted) - positive, total, subtracted


def _margin_map(s: Tensor, y: Tensor, scale: Tensor, margin: Tensor, sign: float = 1.0) -> Tensor:
    """`emargin.losses.cosines.Exponent`, where scale and margin are tensors: the constant is left out here, too."""
    d = torch.where(y, torch.minimum(s, margin), s)
    return (d * (0.5 * scale * torch.where(y, 1.0, sign)) - margin * scale * y) * d


def _log_sums(exponents: Tensor, exclude: tuple[int, ...]) -> Tensor:
    """For each row of `(..., n, n)` the logarithm of the sum of exp, without entries whose column - row is excluded."""
    ones = torch.ones(exponents.shape[-2:], dtype=torch.bool, device=exponents.device)
    return exponents.masked_fill(ones.triu(min(exclude)) & ones.tril(max(exclude)), float("-inf")).logsumexp(-1)
