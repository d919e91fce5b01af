"""The straightforward formulations that the figures are ratios against.

Plain: each term of a formula is an N x N tensor of its own under autograd. Lean: as few N x N tensors as possible, in
place, with a hand-written gradient. The limit: the matrix products alone. All work on the flattened batch, N = B T.

Notation as in `emargin.losses`: S is the matrix of cosines, tau the temperature, m the margin, y_j the pseudo-label of
the pair (j, j + 1). Labels are bool, `(N - 1,)`.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from emargin.losses import RELEASED_SCALE, phi, psi, reference
from emargin.losses.margin import Parabolas
from emargin.losses.triangle_sums import LOG2_E


def dense_info_nce(embedding: Tensor, *, temperature: float) -> Tensor:
    """The paper's equation 1 over the flattened batch, with the whole N x N matrix of cosines under autograd.

        l_j = -S_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(S_jk/tau),   j = 0 .. N-2, the mean over j

    embedding: `(B, T, C)`, N = B T. Scalar. The value of `emargin.losses.info_nce` with sides 1, scope "flattened".
    """
    return reference.info_nce(reference.cosine_matrix(embedding.flatten(0, 1)), temperature).mean()


def plain_pseudo_labels(frames: Tensor, *, threshold: float, rule: str) -> Tensor:
    """Labels of adjacent frames, read off the full matrix of their cosines.

        paper: y_j = not cos(x_j, x_{j+1}) > threshold;   released: values >= threshold become 0, then <= it become 1

    frames: `(N, D)`. Bool, `(N - 1,)`. The value of `emargin.pseudo_labels.pseudo_labels`.
    """
    unit = normalize(frames, dim=-1)
    values = (unit @ unit.T).diagonal(1).clone()  # (N, N) for N - 1 of its entries
    if rule == "paper":
        return ~(values > threshold)
    values[values >= threshold] = 0
    values[values <= threshold] = 1
    return values.bool()


def plain_emargin_released(embedding: Tensor, labels: Tensor, *, temperature: float, margin: float) -> Tensor:
    """eMargin of the released code, two sides, term for term; labels act down the columns, the anchors are columns.

        psi(s, y) = -(1 - y) s^2 / 2 + y max(0, m - s)^2 / 2
        E_ij = exp(gamma psi(S_ij, y_j) / tau) for i != j,  E_jj = 0,  gamma = 0.05,    A_j = sum_i E_ij + sum_i E_i,j-1
        l_j = -log(exp(S_{j-1,j}/tau) + exp(S_{j+1,j}/tau)) + log|A_j - exp(S_{j,j-1}/tau)|,   j = 1 .. N-2, the mean

    embedding: `(B, T, C)`. Scalar. The value of the loss of `emargin.losses.emargin_released` with sides 2.
    """
    similarity = reference.cosine_matrix(embedding.flatten(0, 1))  # (N, N), and so is each term below
    terms = torch.exp(RELEASED_SCALE * psi(similarity, _for_every_row(labels), margin) / temperature)
    terms = terms * (1 - torch.eye(len(similarity), dtype=similarity.dtype, device=similarity.device))
    plain = torch.exp(similarity / temperature)
    before, after = plain.diagonal(1)[:-1], plain.diagonal(-1)[1:]
    sums = terms.sum(dim=0)
    return ((sums[1:-1] + sums[:-2] - before).abs().log() - (before + after).log()).mean()


def plain_emargin_anchor(embedding: Tensor, labels: Tensor, *, temperature: float, margin: float) -> Tensor:
    """eMargin of the paper over the flattened batch, the label of an anchor for its whole row.

        M_jk = (1 - y_j) S_jk^2 / 2 + y_j max(0, m - S_jk)^2 / 2
        l_j = -M_{j,j+1}/tau + log sum_{k not in {j, j+1}} exp(M_jk/tau),   j = 0 .. N-2, the mean over j

    embedding: `(B, T, C)`. Scalar. The value of `emargin.losses.emargin_loss` with reading "anchor", scope "flattened".
    """
    s = reference.cosine_matrix(embedding.flatten(0, 1))
    return reference.info_nce(phi(s, _for_every_row(labels)[:, None], margin), temperature).mean()


def lean_info_nce(embedding: Tensor, *, temperature: float, scratch: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """InfoNCE of `dense_info_nce` with two N x N tensors: (loss, gradient `(B, T, C)`). scratch: see `_lean`."""

    def contrast(sums: Tensor, cosines: Tensor) -> Tensor:
        return (sums[:-1].log() - cosines / temperature).mean()

    return _lean(embedding, 1 / temperature, None, 1, contrast, scratch)


def lean_emargin_anchor(
    embedding: Tensor, labels: Tensor, *, temperature: float, margin: float, scratch: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """eMargin of `plain_emargin_anchor`, for m >= 1, with two N x N tensors: (loss, gradient `(B, T, C)`).

    The constant y_j m^2 / 2 of phi is left out on both sides of an anchor, where it cancels. scratch: see `_lean`.
    """
    linear, quadratic = _coefficients(Parabolas(1.0), labels, embedding, margin, 1 / temperature)

    def contrast(sums: Tensor, cosines: Tensor) -> Tensor:
        return (sums[:-1].log() - (linear[:-1] + quadratic[:-1] * cosines) * cosines).mean()

    return _lean(embedding, linear, quadratic, 1, contrast, scratch)


def lean_emargin_released(
    embedding: Tensor, labels: Tensor, *, temperature: float, margin: float, scratch: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """eMargin of `plain_emargin_released`, for m >= 1, with two N x N tensors: (loss, gradient `(B, T, C)`).

    scratch: see `_lean`.
    """
    scale = RELEASED_SCALE / temperature
    parabolas = Parabolas(-1.0)
    linear, quadratic = _coefficients(parabolas, labels, embedding, margin, scale)
    constant = torch.exp(parabolas.constant(margin) * scale * _for_every_row(labels).to(embedding.dtype))

    def contrast(sums: Tensor, cosines: Tensor) -> Tensor:
        column, plain = sums * constant, torch.exp(cosines / temperature)
        argument = column[1:-1] + column[:-2] - plain[:-1]
        return (argument.abs().log() - (plain[:-1] + plain[1:]).log()).mean()

    return _lean(embedding, linear, quadratic, 0, contrast, scratch)


def _lean(
    embedding: Tensor,
    linear: Tensor | float,
    quadratic: Tensor | None,
    reach: int,
    contrast: Callable[[Tensor, Tensor], Tensor],
    scratch: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """A loss of row sums and adjacent cosines, and its gradient, written out.

        sums_j = sum over k, k - j not in {0 .. reach}, of exp e_jk,   e_jk = linear_j S_jk + quadratic_j S_jk^2
        L = contrast(sums, cosines),   cosines_j = S_{j,j+1},   W_jk = dL/dsums_j exp(e_jk) de_jk/dS_jk
        dL/dU = (W + W^T) U with dL/dcosines_j added to W_{j,j+1},   U the unit rows, then through the normalisation

    linear: `(N,)`, or a number with quadratic None for e = linear S. scratch: `(2, N, N)`, where a caller keeps the
    two tensors from step to step; otherwise a step allocates them.
    """
    rows = embedding.detach().flatten(0, 1)
    norms = rows.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    unit = rows / norms
    similarity, terms = rows.new_empty(2, len(rows), len(rows)) if scratch is None else scratch
    torch.mm(unit, unit.T, out=similarity)
    cosines = similarity.diagonal(1).clone().requires_grad_()
    if quadratic is None:
        torch.mul(similarity, LOG2_E * linear, out=terms).exp2_()
    else:
        torch.addcmul(LOG2_E * linear[:, None], similarity, LOG2_E * quadratic[:, None], out=terms)
        terms.mul_(similarity).exp2_()
    for lag in range(reach + 1):
        terms.diagonal(lag).zero_()
    sums = terms.sum(dim=1).requires_grad_()
    loss = contrast(sums, cosines)
    share, along = torch.autograd.grad(loss, (sums, cosines))
    if quadratic is None:
        weight, free = terms.mul_(linear), similarity
    else:
        slope = torch.addcmul(linear[:, None], similarity, quadratic[:, None], value=2, out=similarity)
        weight, free = slope.mul_(terms), terms
    if quadratic is None or ((linear == linear[0]).all() and (quadratic == quadratic[0]).all()):
        # One label for all rows: W_jk / share_j is symmetric but for what `reach` leaves out, so one product is enough
        band = weight.diagonal(1) * share[:-1] + weight.diagonal(-1) * share[1:] + along
        both = torch.add(share[:, None], share, out=free).mul_(weight)
        both.diagonal(1).copy_(band)
        both.diagonal(-1).copy_(band)
        gradient = both @ unit
    else:  # two products: adding the transpose takes longer than a product
        weight.mul_(share[:, None]).diagonal(1).add_(along)
        gradient = (weight @ unit).addmm_(weight.T, unit)
    gradient -= unit * (unit * gradient).sum(dim=-1, keepdim=True)
    return loss.detach(), gradient.div_(norms).view_as(embedding)


def matrix_products(unit: Tensor, scratch: Tensor) -> Tensor:
    """The limit: S = U U^T, and of the backward pass S U + S^T U, into tensors that are there already.

    unit: `(N, C)`. scratch: `(N, N)`, for S. Returns `(N, C)`.
    """
    torch.mm(unit, unit.T, out=scratch)
    return (scratch @ unit).addmm_(scratch.T, unit)


def _for_every_row(labels: Tensor) -> Tensor:
    """`(N - 1,)` -> `(N,)`: the last frame is no anchor, any label does."""
    return torch.cat([labels, labels[-1:]])


def _coefficients(
    parabolas: Parabolas, labels: Tensor, embedding: Tensor, margin: float, scale: float
) -> tuple[Tensor, Tensor]:
    """Linear and quadratic coefficient of scale phi(s, y, m) - y scale m^2 / 2 in s, for m >= 1, `(N,)` each."""
    (a_0, _), (a_1, b_1) = parabolas.coefficients(margin)
    y = _for_every_row(labels)
    return b_1 * scale * y.to(embedding.dtype), scale * torch.where(y, a_1, a_0).to(embedding.dtype)
