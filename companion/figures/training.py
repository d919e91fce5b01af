"""Figures of the page on training."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, PALETTE, figure, mark_source

PANELS = (("loss", "loss"), ("mean_cosine", "mean pairwise cosine"), ("participation_ratio", "effective rank"))


def training_curves(curves: dict[str, pd.DataFrame], source: str, before: dict[str, float] | None = None) -> Figure:
    """Loss, mean cosine and effective rank over steps, one line a run. curves: name of the run -> its curve.

    before: what the untrained encoder measures, by column, drawn as an open mark at step 0.
    """
    fig, axes = figure(1, 3, height=2.5)
    for axis, (column, label) in zip(axes, PANELS, strict=True):
        for number, (name, curve) in enumerate(curves.items()):
            axis.plot(
                curve["step"],
                curve[column],
                color=PALETTE[number],
                marker=MARKERS[number],
                markersize=4,
                linewidth=1.3,
                label=name,
            )
        if column in (before or {}):
            axis.plot(
                0,
                before[column],
                color=INK,
                marker="o",
                markersize=6,
                markerfacecolor="white",
                linestyle="none",
                label="untrained",
            )
        axis.set(xlabel="step", title=label)
        axis.set_xlim(left=min(0, axis.get_xlim()[0]))
    axes[1].set_ylim(0, 1.02)
    axes[2].set_ylim(0, 1.1 * axes[2].dataLim.y1)
    if len(curves) > 1 or before:
        axes[-1].legend()
    mark_source(fig, source)
    return fig
