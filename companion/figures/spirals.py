"""Figures of the page on spirals: K-means on a curve, the collapse over training, the curve's coordinate, its maps."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.figures.tsne import Panel
from companion.statistics.curves import thick_cuts, thickness_of_rank

SCORES = (("davies_bouldin", "Davies-Bouldin (lower: better)"), ("silhouette", "silhouette (higher: better)"))


def cuts(measured: pd.DataFrame, source: str) -> Figure:
    """Both scores of cuts of a thick segment against its effective rank: lines from `thick_cuts`, marks as measured.

    measured: columns k, rank, davies_bouldin, silhouette.
    """
    fig, axes = figure(1, 2, height=2.9)
    ranks = 1 + (measured["rank"].max() - 1) * np.linspace(0, 1, 40) ** 2  # the scores change fastest near 1
    for number, (k, group) in enumerate(measured.groupby("k")):
        line = pd.DataFrame([thick_cuts(k, thickness_of_rank(rank)) for rank in ranks])
        for axis, (column, _) in zip(axes, SCORES, strict=True):
            axis.plot(ranks, line[column], color=PALETTE[number], linewidth=1.3)
            axis.plot(group["rank"], group[column], MARKERS[number], color=PALETTE[number], markersize=6)
    handles = [
        Line2D([], [], color=PALETTE[number], marker=MARKERS[number], linewidth=1.3, label=f"k = {k}")
        for number, k in enumerate(sorted(measured["k"].unique()))
    ]
    for axis, (_, title) in zip(axes, SCORES, strict=True):
        axis.set(title=title, xlabel="effective rank of the segment")
        axis.set_ylim(bottom=0)
    axes[1].legend(handles=handles)
    mark_source(fig, source)
    return fig


def training(curves: dict[str, pd.DataFrame], source: str) -> Figure:
    """Effective rank, bounds on the share of the leading direction, and mean cosine over steps.

    curves: name -> curve of `train`. The share lies between 1 / r and 1 / sqrt(r), where r is the effective rank.
    """
    fig, axes = figure(1, 3, height=2.5)
    for number, (name, curve) in enumerate(curves.items()):
        look = {"color": PALETTE[number], "marker": MARKERS[number], "markersize": 4, "linewidth": 1.3}
        step, rank = curve["step"], curve["participation_ratio"]
        axes[0].plot(step, rank, label=name, **look)
        axes[1].fill_between(step, 1 / rank, 1 / np.sqrt(rank), color=look["color"], alpha=0.4, linewidth=0)
        axes[2].plot(step, curve["mean_cosine"], **look)
    for axis, title in zip(axes, ("effective rank", "leading share, bounds", "mean pairwise cosine"), strict=True):
        axis.set(title=title, xlabel="step")
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1.03)
    axes[2].set_ylim(0, 1.03)
    legend(fig, loc="outside upper left", ncols=len(curves))
    mark_source(fig, source)
    return fig


def coordinate(
    position: np.ndarray, properties: dict[str, np.ndarray], labels: np.ndarray, classes: tuple[str, ...], source: str
) -> Figure:
    """Position along the leading direction against properties of the input frame, a panel each, coloured by class.

    position, labels: `(n,)`. properties: name -> values `(n,)`.
    """
    fig, axes = figure(1, len(properties), height=3.3, sharey=True)
    for axis, (name, values) in zip(axes, properties.items(), strict=True):
        for label, title in enumerate(classes):
            chosen = labels == label
            axis.plot(
                values[chosen],
                position[chosen],
                MARKERS[label],
                color=PALETTE[label],
                markersize=2.6,
                markeredgewidth=0,
                alpha=0.75,
                label=title,
            )
        axis.set_xlabel(name)
    axes[0].set_ylabel("position on the leading direction")
    handles, names = axes[0].get_legend_handles_labels()
    legend(
        fig,
        handles,
        names,
        loc="outside upper left",
        ncols=6 if max(map(len, names)) < 6 else 3,
        markerscale=2.4,
        handletextpad=0.3,
    )
    mark_source(fig, source)
    return fig


def maps(panels: list[Panel], source: str) -> Figure:
    """t-SNE maps of a line side by side, coloured by the position from 0 to 1."""
    fig, axes = figure(1, len(panels), height=3.3)
    for axis, panel in zip(axes, panels, strict=True):
        dots = axis.scatter(*panel.points.T, c=panel.values, cmap="viridis", vmin=0, vmax=1, s=11, linewidths=0)
        axis.set(xticks=[], yticks=[], title=panel.title, xlabel=panel.note)
        axis.set_aspect("equal", adjustable="datalim")
        for spine in axis.spines.values():
            spine.set(visible=True, color="#cccccc")
    bar = fig.colorbar(dots, ax=list(axes), orientation="horizontal", shrink=0.5, aspect=30, ticks=[0, 0.5, 1])
    bar.set_label("position on the line")
    bar.outline.set_visible(False)
    mark_source(fig, source)
    return fig


def against_rank(runs: pd.DataFrame, names: list[str], source: str) -> Figure:
    """Silhouette against the effective rank, one mark a run.

    runs: columns name, silhouette, participation_ratio. names: in the order of the legend.
    """
    fig, axis = figure(height=2.9)
    for number, name in enumerate(names):
        group = runs[runs["name"] == name]
        axis.plot(
            group["participation_ratio"],
            group["silhouette"],
            MARKERS[number],
            color=PALETTE[number],
            markersize=6.5,
            alpha=0.85,
            label=name,
        )
    axis.set(xlabel="effective rank (log)", title="silhouette", xscale="log", ylim=(0, 1))
    axis.set_xticks([1, 2, 5, 10, 20], labels=["1", "2", "5", "10", "20"])
    axis.minorticks_off()
    legend(fig, ncols=3, handletextpad=0.3)
    mark_source(fig, source)
    return fig


def dots(table: pd.DataFrame, title: str, source: str, *, low: float = 0) -> Figure:
    """A line a row of the table, a mark a column, on an axis from `low` to 1."""
    fig, axis = figure(height=0.8 + 0.3 * len(table))
    places = np.arange(len(table))
    for number, (name, values) in enumerate(table.items()):
        axis.plot(values, places, MARKERS[number], color=PALETTE[number], markersize=6, alpha=0.85, label=name)
    axis.set(title=title, xlim=(low, 1.02))
    axis.set_yticks(places, table.index)
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    if low < 0:
        axis.axvline(0, color=MUTED, linewidth=0.8)
    legend(fig, loc="outside upper left", ncols=len(table.columns), handletextpad=0.3)
    mark_source(fig, source)
    return fig
