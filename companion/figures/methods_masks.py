"""Figures of the page on masks and crops: what TS2Vec, SoftCLT and MF-CLR compare with what."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.figures.methods import ABSENT, ANCHOR, MARKS, NEGATIVE, POSITIVE, UNUSED, ZERO, role_grid, role_legend
from companion.figures.style import INK, figure
from emargin.methods.softclt import instance_weights, temporal_weights
from emargin.methods.ts2vec import padded, shared

CROPS = (2, 7, 15, 18)  # a', a, b, b' of the drawn example, in frames
LENGTH, SEQUENCES = 20, 2


def compared_frames(released: bool) -> tuple[Tensor, Tensor]:
    """The frames that stand at each position of the two compared views, `(positions,)`; -1 for a zero vector."""
    left, start, end, right = CROPS
    left_view, right_view = (
        torch.arange(first, beyond)[None, :, None] + 1 for first, beyond in ((left, end), (start, right))
    )
    views = padded(left_view, right_view) if released else shared(left_view, right_view, end - start)
    return tuple(view[0, :, 0] - 1 for view in views)


def ts2vec_roles(released: bool, anchor: int = 10) -> Tensor:
    """What frame `anchor` of view 1 of sequence 0 meets at full length: `(4, 20)`, views of sequence 0, then of 1.

    A zero vector has the place of the frame that would be there.
    """
    left, start, end, right = CROPS
    views = compared_frames(released)
    position = int((views[0] == anchor).nonzero())
    roles = torch.full((2 * SEQUENCES, LENGTH), ABSENT)
    for view, (first, beyond) in enumerate(((left, end), (start, right))):
        roles[view::2, first:beyond] = UNUSED
        places = int(views[view][0]) + torch.arange(len(views[view]))
        roles[view, places] = NEGATIVE
        roles[view + 2 :: 2, places[position]] = NEGATIVE
        roles[view::2, places[views[view] < 0]] = ZERO
        roles[view, places[position]] = (ANCHOR, POSITIVE)[view]
    return roles


def ts2vec_pairs() -> Figure:
    """One pair of crops on its frames, in both fidelities."""
    fig, axes = figure(2, 1, height=1.75)
    rows = [f"view {view}, sequence {b}" for b in range(SEQUENCES) for view in (1, 2)]
    for axis, released in zip(axes, (False, True), strict=True):
        title = "released: the same position" if released else "original: the same frame"
        role_grid(axis, ts2vec_roles(released), title, rows=rows, xticks={f: str(f) for f in range(0, LENGTH, 2)})
    axes[1].set_xlabel("frame")
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE, ZERO, UNUSED))
    return fig


def soft_weights(length: int, frame: int, distances: Tensor, hard: bool) -> Tensor:
    """Weight as a positive of every partner of (view 1, sequence 0, `frame`): `(2B, length)`, view 1 first; NaN: none.

    Partners in time have the temporal weight, partners at the same frame the instance weight, others none.
    """
    n = len(distances)
    in_time = torch.eye(length)[frame] if hard else temporal_weights(length)[frame]
    between = torch.eye(n)[0] if hard else instance_weights(distances)[0]
    weights = torch.full((2, n, length), float("nan"))
    weights[:, :, frame] = between.float()
    weights[:, 0] = in_time.float()
    weights[0, 0, frame] = float("nan")  # the anchor itself
    return weights.flatten(0, 1)


def softclt_pairs(length: int = 9, frame: int = 4) -> Figure:
    """How much each partner of one frame counts as a positive, in both fidelities."""
    distances = torch.tensor([[0.0, 1.0, 1.5], [1.0, 0.0, 2.0], [1.5, 2.0, 0.0]])
    n = len(distances)
    fig, axes = figure(1, 2, height=2.9, sharey=True)
    rows = [f"view {view}, seq. {b}" for view in (1, 2) for b in range(n)]
    for axis, hard in zip(axes, (False, True), strict=True):
        weights = soft_weights(length, frame, distances, hard)
        roles = torch.where(weights.isnan(), UNUSED, torch.where(weights == 0, NEGATIVE, ABSENT))
        roles[0, frame] = ANCHOR
        role_grid(
            axis,
            roles,
            "released: hard" if hard else "original: soft",
            rows=rows,
            xlabel="frame",
            xticks={t: str(t) for t in range(length)},
        )
        for row, column in (weights > 0).nonzero().tolist():
            weight = weights[row, column].item()
            marker, colour, size, _ = MARKS[POSITIVE]
            axis.plot(column, row - 0.1, marker=marker, color=colour, markersize=size * (0.35 + 0.65 * weight))
            axis.text(
                column,
                row + 0.42,
                f"{weight:.2f}".removeprefix("0").removesuffix(".00"),
                ha="center",
                va="center",
                color=INK,
            )
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE, UNUSED), {POSITIVE: "positive, with its weight"})
    return fig


def mfclr_roles(released: bool, n: int = 3, frames: int = 6, channels: int = 4, at: int = 2) -> Tensor:
    """The embeddings of n sequences (side by side) in two views (stacked), channels upwards, frames to the right.

    original: frame `at` of view 1 of sequence 0 is the anchor, a vector over channels. released: channel `at`, a vector
    over frames. `(2 * channels + 1, n * (frames + 1) - 1)`.
    """
    roles = torch.full((2, channels + 1, n, frames + 1), ABSENT)
    roles[:, :channels, :, :frames] = UNUSED
    vectors = roles[:, at, :, :frames] if released else roles[:, :channels, :, at].mT  # (2, n, length of a vector)
    vectors[:] = NEGATIVE
    vectors[0, 0], vectors[1, 0] = ANCHOR, POSITIVE
    return roles.flatten(2).flatten(0, 1)[:-1, :-1]


def mfclr_pairs(n: int = 3, frames: int = 6, channels: int = 4) -> Figure:
    """Which vectors of the embeddings are contrasted, in both fidelities."""
    fig, axes = figure(1, 2, height=2.7, sharey=True)
    names = {False: "original: frames are compared", True: "released: channels are compared"}
    for axis, (released, title) in zip(axes, names.items(), strict=True):
        role_grid(
            axis,
            mfclr_roles(released, n, frames, channels),
            title,
            xlabel="frames of sequence",
            xticks={b * (frames + 1) + frames // 2: str(b) for b in range(n)},
        )
    axes[0].set_yticks(
        [(channels - 1) / 2, channels + 1 + (channels - 1) / 2], ["channels\nof view 1", "channels\nof view 2"]
    )
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE, UNUSED))
    return fig
