"""Figures of the page that asks whether a finding is one of the embedding or of the metric."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.statistics.metric import EMARGIN, INFONCE, WAYS

PLACES = {"silhouette": "silhouette", "davies_bouldin": "Davies-Bouldin", "nmi": "NMI with the classes"}


def ways(tables: dict[str, pd.DataFrame], sets: dict[str, str], source: str) -> Figure:
    """A row of panels a set, a panel a score: two lines of the core, however the clusters are found.

    tables: score -> `statistics.metric.advantages`. sets: data set -> title.
    """
    order = list(WAYS.values())[::-1]
    fig, axes = figure(len(sets), len(tables), height=2.4, sharey=True, sharex="col", squeeze=False)
    for row, (dataset, title) in zip(axes, sets.items(), strict=True):
        for axis, table in zip(row, tables.values(), strict=True):
            inside = table[table.dataset == dataset]
            places = [order.index(way) for way in inside.way]
            axis.hlines(places, inside["first"], inside["second"], color=MUTED, linewidth=1)
            for number, (name, column) in enumerate({EMARGIN: "first", INFONCE: "second"}.items()):
                axis.scatter(inside[column], places, color=PALETTE[number], marker=MARKERS[number], s=26, label=name)
            axis.grid(axis="x", color="#dddddd", linewidth=0.6)
            axis.set_axisbelow(True)
        row[0].set_ylabel(title)
        row[0].set_yticks(range(len(order)), labels=order)
    for axis, score in zip(axes[0], tables, strict=True):
        axis.set_title(PLACES[score])
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    mark_source(fig, source)
    return fig
