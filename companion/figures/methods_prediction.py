"""Figures of the page on prediction: what CPC, TNC and TimeDRL compare with what."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from companion.figures.methods import (
    ABSENT,
    ANCHOR,
    BOX,
    MARKS,
    NEGATIVE,
    POSITIVE,
    READ,
    UNUSED,
    box,
    role_grid,
    role_legend,
)
from companion.figures.style import INK, PALETTE, figure
from emargin.augmentations.windows import distant_centres, neighbour_centres
from emargin.methods.cpc import HORIZONS, RELEASED_CONTEXT
from emargin.methods.timedrl import PATCH, RELEASED_PADDING, patches
from emargin.methods.tnc import EPSILON, FAR, SAMPLES, WIDTH, window_width


def cpc_roles(n: int, length: int, t: int) -> Tensor:
    """original: what sequence 0 meets when it predicts from frame t, `(n, length)`. Negatives: all but t .. t + K."""
    roles = torch.full((n, length), NEGATIVE)
    roles[0, t] = UNUSED
    roles[0, t + 1 : t + 1 + HORIZONS] = POSITIVE
    return roles


def released_cpc_roles(n: int, length: int) -> Tensor:
    """released: likewise, `(n, length)`. The negatives are those that can be drawn."""
    roles, centre = torch.full((n, length), UNUSED), length // 2
    roles[0, : centre - 2] = roles[0, centre + 3 :] = NEGATIVE
    roles[0, centre + 1] = POSITIVE
    return roles


def cpc_pairs(n: int = 3, length: int = 16, t: int = 5) -> Figure:
    """Context, positives and negatives of sequence 0, in both fidelities."""
    fig, axes = figure(2, 1, height=1.55)
    rows, centre = [f"sequence {b}" for b in range(n)], length // 2
    panels = (
        ("original: predicts the next four frames", cpc_roles(n, length, t), 0, t),
        (
            "released: picks a frame of its own context",
            released_cpc_roles(n, length),
            centre,
            centre + RELEASED_CONTEXT - 1,
        ),
    )
    for axis, (title, roles, first, last) in zip(axes, panels, strict=True):
        role_grid(axis, roles, title, rows=rows, xticks={f: str(f) for f in range(0, length, 2)})
        box(axis, 0, first, last)
    axes[1].set_xlabel("frame")
    role_legend(
        fig,
        (POSITIVE, NEGATIVE, UNUSED),
        extra=[Patch(facecolor=BOX, edgecolor=PALETTE[0], label="context, the anchor")],
    )
    return fig


def tnc_centres(anchor: int, length: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Centres of an anchor's near and distant windows, ascending, `(20,)` each; drawn by the module's rules."""
    generator, anchors = torch.Generator().manual_seed(seed), torch.tensor([anchor])
    near = neighbour_centres(
        anchors, SAMPLES, length=length, width=width, deviation=EPSILON * width, generator=generator
    )
    distant = distant_centres(anchors, SAMPLES, length=length, width=width, far=FAR * width, generator=generator)
    return near[0].sort().values, distant[0].sort().values


def tnc_distant(anchors: Sequence[int], length: int, width: int) -> tuple[float, float]:
    """Share of the distant windows of anchors that are nearer than far, and of those in the first place possible."""
    found = torch.stack([tnc_centres(anchor, length, width, seed=anchor)[1] - anchor for anchor in anchors])
    first = width // 2 - torch.tensor(list(anchors))[:, None]
    return (found.abs() < FAR * width).float().mean().item(), (found == first).float().mean().item()


def tnc_windows(length: int, seed: int) -> Figure:
    """The windows of an anchor behind the middle of a sequence, a line each, in both fidelities."""
    anchor = 3 * length // 5
    fig, axes = figure(1, 2, height=3.0, sharey=True)
    for axis, (name, width) in zip(axes, (("original", window_width(length)), ("released", WIDTH)), strict=True):
        near, distant = tnc_centres(anchor, length, width, seed)
        for row, centre in enumerate(near.tolist()):
            _window(axis, row + 2, centre, width, POSITIVE)
        for row, centre in enumerate(distant.tolist()):
            _window(axis, row + 4 + SAMPLES, centre, width, NEGATIVE)
        _window(axis, 0, anchor, width, ANCHOR)
        for limit in (anchor - FAR * width, anchor + FAR * width):
            axis.axvline(limit, color=INK, linewidth=1.0, linestyle="--")
        axis.set(
            title=f"{name}: w = {width}, far from {FAR * width} frames on",
            xlabel="frame",
            xlim=(0, length),
            ylim=(2 * SAMPLES + 5, -2),
        )
    axes[0].set_yticks([0, 1.5 + SAMPLES / 2, 3.5 + 1.5 * SAMPLES], ["anchor", "near", "distant"])
    for axis in axes:
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    role_legend(
        fig,
        (ANCHOR, POSITIVE, NEGATIVE),
        {ANCHOR: "anchor's window", POSITIVE: "neighbour", NEGATIVE: "distant, unlabelled"},
        extra=[Line2D([], [], color=INK, linewidth=1.0, linestyle="--", label="5 w from the anchor")],
    )
    return fig


def _window(axis: Axes, row: int, centre: int, width: int, role: int) -> None:
    marker, colour, _, _ = MARKS[role]
    axis.plot((centre - width // 2, centre + width // 2), (row, row), color=colour, linewidth=1.3)
    axis.plot(centre, row, marker=marker, color=colour, markersize=7 if role == ANCHOR else 4)


def timedrl_roles(length: int, released: bool) -> Tensor:
    """Rows: frames, tokens of pass 1, tokens of pass 2; column 0 is the [CLS] token's, the others those of frames."""
    tokens = _token_frames(length, released).shape[0]
    roles = torch.full((3, length + 1), ABSENT)
    roles[0, 1:] = UNUSED if released else READ
    for row, role in ((1, ANCHOR), (2, POSITIVE)):
        roles[row, 1 : 1 + tokens] = UNUSED if released else role
        if released:
            roles[row, 0] = role
    return roles


def timedrl_pairs(length: int = 24, token: int = 5) -> Figure:
    """What the two instance embeddings are made of, and the frames of one token's patch, in both fidelities."""
    fig, axes = figure(2, 1, height=1.55)
    for axis, released in zip(axes, (False, True), strict=True):
        name = "released: the instance is the [CLS] token" if released else "original: the instance is the mean token"
        role_grid(
            axis,
            timedrl_roles(length, released),
            name,
            rows=("frames", "pass 1", "pass 2"),
            xticks={0: "[CLS]"} if released else {},
        )
        patch = _token_frames(length, released)[token]
        box(axis, 0, 1 + int(patch.min()), 1 + int(patch.max()))
    role_legend(
        fig,
        (ANCHOR, POSITIVE, READ, UNUSED),
        {ANCHOR: "in the anchor", POSITIVE: "in its positive", READ: "read by both", UNUSED: "in neither"},
        extra=[Patch(facecolor=BOX, edgecolor=PALETTE[0], label=f"read by token {token}")],
    )
    return fig


def _token_frames(length: int, released: bool) -> Tensor:
    """The frames that each token reads, `(T', P)`."""
    patch = PATCH["released" if released else "original"]
    frames = torch.arange(length)[None, :, None]
    return patches(frames, patch, RELEASED_PADDING if released else patch - 1)[0]
