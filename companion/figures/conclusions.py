"""The figure of the page of conclusions: eMargin's place among the methods, metric by metric."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, PALETTE, figure, mark_source

COLUMNS = {"paper": (INK, MARKERS[3]), "released": (PALETTE[1], MARKERS[1]), "original": (PALETTE[0], MARKERS[0])}


def places(table: pd.DataFrame, titles: dict[str, str], source: str) -> Figure:
    """A line a metric, from first place (left) to last (right); a mark a data set.

    table: as `conclusions.emargin_places` gives it. titles: metric -> name, from above; the lines of one table follow
    each other.
    """
    fig, axis = figure(height=0.46 * len(titles) + 1.2)
    metrics = list(titles)
    for number, (column, (colour, marker)) in enumerate(COLUMNS.items()):
        of_column = table[(table.column == column) & table.metric.isin(metrics)]
        share = (of_column.place - 1) / (of_column.of - 1)
        height = of_column.metric.map(metrics.index) + 0.24 * (number - 1)
        spread = of_column.groupby(["metric", share.round(6)]).cumcount() * 0.014  # equal places side by side
        axis.plot(
            share + spread,
            height,
            marker,
            color=colour,
            markersize=5.5,
            linestyle="none",
            alpha=0.85,
            markerfacecolor="white" if column == "released" else colour,
            label={"paper": "the paper, its sets"}.get(column, f"here, {column}"),
        )
    for edge in np.arange(len(metrics) - 1) + 0.5:
        axis.axhline(edge, color="#dddddd", linewidth=0.8)
    axis.set(ylim=(len(metrics) - 0.5, -0.5), xlim=(-0.04, 1.06))
    axis.set_yticks(range(len(metrics)), list(titles.values()))
    axis.set_xticks([0, 0.5, 1], ["first", "middle", "last"])
    axis.tick_params(axis="y", length=0)
    fig.legend(loc="outside upper left", ncols=3, handletextpad=0.1)
    mark_source(fig, source)
    return fig
