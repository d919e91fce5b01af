"""Figures of the page on views: what InfoTS, CoST and SimMTM compare with what."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.figures.methods import (
    ABSENT,
    ANCHOR,
    FIXED,
    FOLLOWS,
    LEARNS,
    NEGATIVE,
    POSITIVE,
    UNUSED,
    role_grid,
    role_legend,
)
from companion.figures.style import WIDTH, figure
from emargin.methods.infots import SEGMENTS
from emargin.methods.simmtm import COPIES

VERSIONS = ("original", *(f"masked {c}" for c in range(1, COPIES + 1)))

COST_PARTS = {
    "encoder": (LEARNS, FIXED),
    "key encoder": (FOLLOWS, FIXED),  # part -> original, released
    "head": (LEARNS, LEARNS),
    "key head": (FOLLOWS, FOLLOWS),
}


def instance_roles(n: int) -> Tensor:
    """What view 1 of sequence 0 meets among both views of n sequences: `(2, n)`."""
    roles = torch.full((2, n), NEGATIVE)
    roles[0, 0], roles[1, 0] = ANCHOR, POSITIVE
    return roles


def segment_roles(segments: int = SEGMENTS) -> Tensor:
    """InfoTS's local loss: what segment i (row) meets among the segments j (column) of its sequence, `(k, k)`."""
    roles = torch.full((segments, segments), NEGATIVE)
    for i in range(segments):
        middle = min(max(i, 1), segments - 2)
        roles[i, middle - 1 : middle + 2] = UNUSED
        roles[i, i + 1 if i < segments - 1 else i - 1] = POSITIVE
        roles[i, i] = ANCHOR
    return roles


def infots_pairs(n: int = 4) -> Figure:
    """The global loss between sequences, the local loss within one, and the sequences that the local loss uses."""
    fig, axes = plt.subplot_mosaic((("global", "local"), ("used", "local")), figsize=(WIDTH, 3.2), width_ratios=(n, 7))
    sequences = {b: str(b) for b in range(n)}
    role_grid(axes["global"], instance_roles(n), "global: sequences", rows=("view 1", "view 2"), xticks=sequences)
    role_grid(
        axes["local"],
        segment_roles(),
        "local: segments of one sequence, view 1",
        xlabel="segment",
        rows=[f"segment {i}" for i in range(SEGMENTS)],
        xticks={i: str(i) for i in range(SEGMENTS)},
    )
    roles = torch.full((2, n), ANCHOR)
    roles[1, 1:] = UNUSED
    role_grid(
        axes["used"], roles, "local: used sequences", rows=("original", "released"), xlabel="sequence", xticks=sequences
    )
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE, UNUSED))
    return fig


def trend_roles(n: int, keys: int) -> Tensor:
    """CoST: what the query of sequence 0 meets, `(3, keys)`: the queries, the keys of the batch, the queue."""
    roles = torch.full((3, keys), ABSENT)
    roles[:2, :n] = UNUSED
    roles[0, 0], roles[1, 0], roles[2] = ANCHOR, POSITIVE, NEGATIVE
    return roles


def cost_pairs(n: int = 4, keys: int = 7, frequencies: int = 6, at: int = 2) -> Figure:
    """The trend's query among keys, the season's frequencies among sequences, and which parts learn."""
    fig, (trend, season, parts) = figure(1, 3, height=2.9, gridspec_kw={"width_ratios": (keys, frequencies, 6)})
    role_grid(
        trend,
        trend_roles(n, keys),
        "trend, one frame",
        rows=("queries", "keys", "queue"),
        xlabel="sequence",
        xticks={b: str(b) for b in range(n)},
    )
    trend.text(keys - 0.3, 2, "…", va="center")
    roles = torch.full((2 * n, frequencies), UNUSED)
    roles[:, at] = instance_roles(n).flatten()
    role_grid(
        season,
        roles,
        "season",
        rows=[f"view {v}, seq. {b}" for v in (1, 2) for b in range(n)],
        xlabel="frequency",
        xticks={f: str(f) for f in range(frequencies)},
    )
    columns = torch.full((len(COST_PARTS), 3), ABSENT)
    columns[:, [0, 2]] = torch.tensor(list(COST_PARTS.values()))
    role_grid(parts, columns, "what learns", rows=list(COST_PARTS), xticks={0: "original", 2: "released"})
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE, UNUSED, LEARNS, FOLLOWS, FIXED))
    return fig


def series_roles(n: int, frames: int = 1) -> Tensor:
    """SimMTM: what the first original series meets, `(4, n * frames)`. frames: series a sequence, 1 or its frames."""
    roles = torch.full((COPIES + 1, n * frames), NEGATIVE)
    roles[0, 0], roles[1:, 0] = ANCHOR, POSITIVE
    return roles


def simmtm_pairs(n: int = 3, frames: int = 7) -> Figure:
    """Versions of series: sequences in the original, frames in the released computation."""
    fig, (left, right) = figure(1, 2, height=2.1, gridspec_kw={"width_ratios": (n, n * frames * 0.6)})
    role_grid(left, series_roles(n), "original", rows=VERSIONS, xlabel="sequence", xticks={b: str(b) for b in range(n)})
    role_grid(
        right,
        series_roles(n, frames),
        "released",
        xlabel="frames of sequence",
        xticks={b * frames + frames // 2: str(b) for b in range(n)},
    )
    for b in range(1, n):
        right.axvline(b * frames - 0.5, color="#C4C4C4", linewidth=1.0)
    role_legend(fig, (ANCHOR, POSITIVE, NEGATIVE))
    return fig
