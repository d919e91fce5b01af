"""Who meets whom in a contrastive loss: grids in which anchor, positives and negatives differ in shape and colour.

A grid is an int tensor of roles, one a cell: a frame, a sequence or a segment. The grids of each page on the methods
are in a module of their own: `methods_prediction`, `methods_views`, `methods_masks`. And what all pages measure: which
parts of a method a few steps of training change.
"""

from collections.abc import Iterable, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from companion.figures.style import PALETTE, legend
from emargin.methods.base import Method
from emargin.optimiser import AdamW

ABSENT = -1  # nothing is drawn
UNUSED, ANCHOR, POSITIVE, NEGATIVE, ZERO, READ, LEARNS, FOLLOWS, FIXED = range(9)

# role -> marker, colour, size in points, what the legend calls it
MARKS = {
    ANCHOR: ("o", PALETTE[0], 8.5, "anchor"),
    POSITIVE: ("^", PALETTE[2], 8.5, "positive"),
    NEGATIVE: ("s", PALETTE[1], 6.5, "negative"),
    ZERO: ("x", "#000000", 5.5, "zero vector"),
    READ: ("D", PALETTE[3], 6.0, "read"),
    LEARNS: ("*", PALETTE[4], 10.0, "learns"),
    FOLLOWS: ("D", PALETTE[3], 6.5, "follows"),
    FIXED: ("x", "#000000", 6.5, "fixed"),
    UNUSED: (".", "#C4C4C4", 5.0, "not used"),
}
BOX = "#CFE3F2"


def role_grid(
    axis: Axes,
    roles: Tensor,
    title: str,
    *,
    rows: Sequence[str] = (),
    xlabel: str = "",
    xticks: dict[int, str] | None = None,
) -> None:
    """Draw `(rows, columns)` roles, the first row on top. rows: a label each. xticks: column -> label."""
    n_rows, n_columns = roles.shape
    for role, (marker, colour, size, _) in MARKS.items():
        y, x = (roles == role).nonzero(as_tuple=True)
        axis.plot(x, y, linestyle="none", marker=marker, color=colour, markersize=size, markeredgewidth=1.3, zorder=3)
    axis.set(xlim=(-0.7, n_columns - 0.3), ylim=(n_rows - 0.3, -0.7), title=title, xlabel=xlabel)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(list(xticks or ()), list((xticks or {}).values()))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def box(axis: Axes, row: int, first: int, last: int) -> None:
    """Set the cells `first` .. `last` of a row in a blue box."""
    axis.add_patch(
        FancyBboxPatch(
            (first - 0.42, row - 0.4),
            last - first + 0.84,
            0.8,
            facecolor=BOX,
            edgecolor=PALETTE[0],
            linewidth=1.0,
            boxstyle="round,pad=0,rounding_size=0.2",
        )
    )


def role_legend(fig: Figure, roles: Iterable[int], names: dict[int, str] | None = None, extra: Sequence = ()) -> None:
    """One legend below all panels. names: role -> words that fit the figure better. extra: further handles."""
    axis, handles = fig.axes[0], list(extra)
    for role in roles:
        marker, colour, size, name = MARKS[role]
        handles += axis.plot(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=colour,
            markersize=size,
            markeredgewidth=1.3,
            label=(names or {}).get(role, name),
        )
    legend(fig, handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.3, columnspacing=1.4)


def largest_changes(method: Method, batch: Tensor, steps: int = 5) -> dict[str, float]:
    """Largest change of any weight in a few AdamW steps on one batch `(B, T, D)`, part by part; 0.0 is exactly zero.

    A part is an attribute of the method: a module or a parameter. The method is trained in place; its draws and dropout
    come from the seed of its experiment, and the caller's random state is left as it was.
    """
    settings = method.experiment
    before = {name: weight.detach().clone() for name, weight in method.named_parameters()}
    optimiser = AdamW(
        (weight for weight in method.trained_parameters() if weight.requires_grad),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    generator = torch.Generator().manual_seed(settings.seed)
    method.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        for _ in range(steps):
            loss, _ = method.loss(batch, generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            method.after_step()
    changes: dict[str, float] = {}
    for name, weight in method.named_parameters():
        part = name.split(".")[0]
        changes[part] = max(changes.get(part, 0.0), (weight.detach() - before[name]).abs().max().item())
    return changes


def size(change: float) -> str:
    """A change as text that is the same on every machine: "0" for exactly zero, else which side of 0.001 it is on."""
    return "0" if change == 0 else "> 0.001" if change > 1e-3 else "< 0.001"
