"""Figures of the pages that show full runs, from committed rows alone."""

import pandas as pd
from matplotlib.figure import Figure

from emargin.plots.style import MARKERS, PALETTE, figure, mark_source
from emargin.results import label


def clustering_against_probing(rows: pd.DataFrame, source: str, *, clustering: str = "silhouette") -> Figure:
    """Each run's clustering score against balanced accuracy: the paper's probe left, the converged probe right.

    rows: tidy results of one data set and protocol. One colour and marker a method, one point a seed.
    """
    probes = {"balanced_accuracy": "the paper's probe", "converged_balanced_accuracy": "converged probe"}
    fig, axes = figure(1, 2, height=3.6, sharex=True)
    values = rows.assign(name=[label(row) for row in rows.itertuples()])
    for axis, (metric, title) in zip(axes, probes.items(), strict=True):
        for number, name in enumerate(values.name.unique()):
            runs = values[values.name == name].pivot_table(index="seed", columns="metric", values="value")
            axis.scatter(runs[clustering], runs[metric], color=PALETTE[number], marker=MARKERS[number], s=34,
                         label=name, linewidth=0.5, edgecolor="white")
        axis.set(title=title, xlabel=clustering.replace("_", " "))
    axes[0].set_ylabel("balanced accuracy")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8)
    mark_source(fig, source)
    return fig
