"""Figures of the page on t-SNE."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, PALETTE, figure, legend, mark_source


@dataclass(frozen=True, eq=False)
class Panel:
    """One map: points `(n, 2)`, class labels or positions `(n,)`, and a note below."""

    title: str
    points: np.ndarray
    values: np.ndarray
    note: str


def class_maps(
    panels: list[Panel], classes: tuple[str, ...], source: str, *, columns: int = 2, marker_size: float = 3.2
) -> Figure:
    """Maps in rows of two, or `columns`, a colour and a marker for each class; two can be read on a phone."""
    fig, axes = figure(-(-len(panels) // columns), columns, width=2.6 * columns, height=2.9, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes.flat, panels, strict=False):
        for label, name in enumerate(classes):
            chosen = panel.points[panel.values == label]
            axis.plot(
                *chosen.T,
                MARKERS[label],
                color=PALETTE[label],
                markersize=marker_size,
                markeredgewidth=0,
                alpha=0.85,
                label=name,
            )
        _frame(axis, panel)
    handles, names = axes[0, 0].get_legend_handles_labels()
    across = 5 if max(map(len, names)) < 6 else 2
    legend(
        fig,
        handles,
        names,
        loc="outside upper left",
        ncols=across if columns > 1 else across // 2 + 1,
        markerscale=2,
        handletextpad=0.3,
    )
    mark_source(fig, source)
    return fig


def position_maps(panels: list[Panel], source: str) -> Figure:
    """Maps side by side, coloured by the position from 0 to 1 that each point was made from."""
    fig, axes = figure(1, len(panels), width=5.2, height=3.1)
    for axis, panel in zip(axes, panels, strict=True):
        dots = axis.scatter(*panel.points.T, c=panel.values, cmap="viridis", vmin=0, vmax=1, s=9, linewidths=0)
        _frame(axis, panel)
    bar = fig.colorbar(dots, ax=list(axes), orientation="horizontal", shrink=0.6, aspect=30, ticks=[0, 0.5, 1])
    bar.set_label("position of the point", color=INK)
    bar.outline.set_visible(False)
    mark_source(fig, source)
    return fig


def _frame(axis, panel):
    axis.set(xticks=[], yticks=[], title=panel.title, xlabel=panel.note)
    axis.set_aspect("equal", adjustable="datalim")
    for spine in axis.spines.values():
        spine.set(visible=True, color="#cccccc")
