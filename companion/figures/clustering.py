"""Figures of the pages on clustering and on the noise control."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, PALETTE, figure, mark_source

# column of the table, title, where the axis starts and ends (None: where the values do): the same on both pages
PANELS = (
    ("davies_bouldin", "Davies-Bouldin (lower: better)", 0, 5.5),
    ("silhouette", "silhouette (higher: better)", -0.05, 1),
    ("nmi", "NMI with the classes", -0.05, 1),
    ("participation_ratio", "effective rank (log)", 0.8, 320),
)


def method_scores(scores: pd.DataFrame, source: str, *, noise: bool = False) -> Figure:
    """One panel a metric, one line a method: filled marks for data, open ones for noise.

    scores: index method, with the columns that PANELS names.
    """
    fig, axes = figure(2, 2, width=6.4, height=2.0, sharey=True)
    mark = (
        {"marker": "s", "markerfacecolor": "none", "markeredgewidth": 1.8, "color": PALETTE[1]}
        if noise
        else {"marker": "o", "color": PALETTE[0]}
    )
    for axis, (column, title, left, right) in zip(axes.flat, PANELS, strict=True):
        axis.plot(scores[column], range(len(scores)), linestyle="none", markersize=8, **mark)
        axis.set_title(title)
        if column == "participation_ratio":
            axis.set_xscale("log")
            axis.set_xticks([1, 10, 100], labels=["1", "10", "100"])
        axis.set_xlim(left, max(right, 1.05 * scores[column].max()))
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0, 0].set_yticks(range(len(scores)), scores.index)
    axes[0, 0].set_ylim(len(scores) - 0.5, -0.5)
    mark_source(fig, source)
    return fig


def rank_over_steps(curves: dict[str, pd.DataFrame], source: str) -> Figure:
    """Effective rank of the training batch's embedding over steps, on a logarithmic axis. curves: run -> its curve."""
    fig, axis = figure(width=6.4, height=2.6)
    for number, (name, curve) in enumerate(curves.items()):
        axis.plot(
            curve["step"],
            curve["participation_ratio"],
            color=PALETTE[number],
            marker=MARKERS[number],
            markersize=5,
            linewidth=1.4,
            label=name,
        )
    axis.set(xlabel="optimiser step", title="effective rank of the batch", yscale="log")
    axis.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.set_ylim(bottom=0.9)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    mark_source(fig, source)
    return fig
