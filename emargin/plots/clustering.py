"""Figures of the page on clustering."""

import pandas as pd
from matplotlib.figure import Figure

from emargin.plots.style import MARKERS, MUTED, PALETTE, figure, mark_source

# column of the table, title, where the axis starts and ends (None: where the values do)
PANELS = (("davies_bouldin", "Davies-Bouldin (lower: better)", 0, None),
          ("silhouette", "silhouette (higher: better)", None, 1),
          ("nmi", "NMI with the classes", None, 1),
          ("participation_ratio", "effective rank (at most 320)", 0, None))


def data_against_noise(scores: pd.DataFrame, source: str) -> Figure:
    """One panel a metric, one line a method: filled mark for the data, open mark for noise of the same geometry.

    scores: index (method, "data" or "noise"), with the columns that PANELS names.
    """
    fig, axes = figure(2, 2, width=6.4, height=2.2, sharey=True)
    methods = list(dict.fromkeys(scores.index.get_level_values(0)))
    for axis, (column, title, left, right) in zip(axes.flat, PANELS, strict=True):
        for row, method in enumerate(methods):
            data, noise = scores[column][method, "data"], scores[column][method, "noise"]
            axis.plot([noise, data], [row, row], color=MUTED, linewidth=1, zorder=1)
            axis.plot(data, row, "o", color=PALETTE[0], markersize=6.5, label="data" if row == 0 else None)
            axis.plot(noise, row, "s", color=PALETTE[1], markerfacecolor="none", markersize=8, markeredgewidth=1.6,
                      label="white noise" if row == 0 else None)
        axis.set_title(title)
        axis.set_xlim(left, right)
        axis.set_yticks(range(len(methods)), methods)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    mark_source(fig, source)
    return fig


def rank_over_steps(curves: dict[str, pd.DataFrame], source: str) -> Figure:
    """Effective rank of the training batch's embedding over steps, on a logarithmic axis. curves: run -> its curve."""
    fig, axis = figure(width=6.4, height=2.8)
    for number, (name, curve) in enumerate(curves.items()):
        axis.plot(curve["step"], curve["participation_ratio"], color=PALETTE[number // 2], marker=MARKERS[number // 2],
                  linestyle=("-", "--")[number % 2], markerfacecolor=(PALETTE[number // 2], "white")[number % 2],
                  markersize=5, linewidth=1.4, label=name)
    axis.set(xlabel="optimiser step", title="effective rank of the batch", yscale="log")
    axis.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.set_ylim(bottom=0.9)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    mark_source(fig, source)
    return fig
