"""InfoNCE and eMargin of several experiments side by side: `emargin.losses`, with all pairs of a batch in memory.

On a GPU this takes as many operations as the loss of one experiment. On a CPU `emargin.losses` is faster: it forms
half the pairs, in the cache.
"""

import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.errors import InputError
from emargin.losses import RELEASED_SCALE, MarginMap, phi, psi
from emargin.losses.cosines import adjacent_products, unit_rows
from emargin.losses.emargin import _log_difference
from emargin.losses.margin import Parabolas, parabolas_of


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
    parabolas, scale, y = _parabolas(phi), 1 / temperature, rows[..., :-1]
    positive = _exponents(parabolas, cosines, y, scale, margin)
    if reading == "pair":
        constant = parabolas.constant(margin) * scale * y
        return _log_sums(s / temperature[..., None], (0, 1))[..., :-1] - positive - constant
    exponents = _exponents(parabolas, s, rows[..., None], scale[..., None], margin[..., None])
    return _log_sums(exponents, (0, 1))[..., :-1] - positive


def _released(
    s: Tensor, plain: Tensor, rows: Tensor, temperature: Tensor, margin: Tensor, sides: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors' losses, and the logarithms of the two sums whose difference is the argument of their logarithm."""
    scale, function = (RELEASED_SCALE / temperature, psi) if sides == 2 else (torch.ones_like(temperature), phi)
    parabolas = _parabolas(function)
    sums = _log_sums(_exponents(parabolas, s, rows[..., None], scale[..., None], margin[..., None]), (0,))
    constant = parabolas.constant(margin) * scale * rows
    if sides == 2:
        sums = sums + constant
        total, subtracted = torch.logaddexp(sums[..., 1:-1], sums[..., :-2]), plain[..., :-1]
        positive = torch.logaddexp(plain[..., :-1], plain[..., 1:])
    else:
        total, subtracted = (torch.logaddexp(sums, torch.zeros_like(sums)) + constant)[..., :-1], plain
        positive = plain
    return _log_difference(total, subtracted) - positive, total, subtracted


def _parabolas(function: MarginMap) -> Parabolas:
    """Those of phi or psi. Raises InputError where it was rewritten: then experiments have to train alone."""
    parabolas = parabolas_of(function, 1.0)
    if parabolas is None:
        raise InputError(
            "experiments side by side need the margin map as parabolas",
            found="another map in emargin.losses.margin",
            wanted="phi and psi as released",
            todo="train them one after another",
        )
    return parabolas


def _exponents(parabolas: Parabolas, s: Tensor, y: Tensor, scale: Tensor, margin: Tensor) -> Tensor:
    """`emargin.losses.exponent.Exponent`, where scale and margin are tensors: the constant is left out here, too."""
    (a_0, _), (a_1, b_1) = parabolas.coefficients(margin)
    d = torch.where(y, torch.minimum(s, margin), s)
    return (d * (scale * torch.where(y, a_1, a_0)) + b_1 * scale * y) * d


def _log_sums(exponents: Tensor, exclude: tuple[int, ...]) -> Tensor:
    """For each row of `(..., n, n)` the logarithm of the sum of exp, without entries whose column - row is excluded."""
    ones = torch.ones(exponents.shape[-2:], dtype=torch.bool, device=exponents.device)
    return exponents.masked_fill(ones.triu(min(exclude)) & ones.tril(max(exclude)), float("-inf")).logsumexp(-1)
