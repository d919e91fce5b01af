"""Figures of the pages on clustering and on the noise control."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, PALETTE, figure, legend, mark_source

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
    fig, axes = figure(2, 2, height=2.0, sharey=True)
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


def noise_beside_paper(runs: pd.DataFrame, names: list[str], paper: pd.DataFrame, source: str) -> Figure:
    """Both scores on noise in the settings of each set, and a star for those of the paper's eMargin on the set's data.

    runs: a row a cell, columns set, name, davies_bouldin and silhouette; a mark is the mean over seeds, a bar goes from
    the least to the most. names: in the order of the legend. paper: index set, the two scores.
    """
    fig, axes = figure(1, 2, height=3.6, sharey=True)
    sets = np.arange(len(paper))
    for axis, (column, title, left, right) in zip(axes, PANELS, strict=False):
        for number, name in enumerate(names):
            found = runs[runs.name == name].groupby("set")[column].agg(["mean", "min", "max"]).reindex(paper.index)
            places = sets + 0.11 * (number - (len(names) - 1) / 2)
            axis.hlines(places, found["min"], found["max"], color=PALETTE[number], linewidth=1.3)
            axis.plot(
                found["mean"], places, MARKERS[number], color=PALETTE[number], markersize=5.5, label=f"{name}, noise"
            )
        star = {"markersize": 12, "markeredgecolor": INK, "color": "white", "label": "the paper's eMargin, data"}
        axis.plot(paper[column], sets, "*", **star)
        axis.set(title=title, xlim=(left, max(right, 1.05 * runs[column].max())))
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0].set_yticks(sets, paper.index)
    axes[0].set_ylim(len(sets) - 0.5, -0.5)
    legend(fig, *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, handletextpad=0.3)
    mark_source(fig, source)
    return fig


def rank_over_steps(curves: dict[str, pd.DataFrame], source: str) -> Figure:
    """Effective rank of the training batch's embedding over steps, on a logarithmic axis. curves: run -> its curve."""
    fig, axis = figure(height=2.6)
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
    legend(fig, ncols=3)
    mark_source(fig, source)
    return fig
