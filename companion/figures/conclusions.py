"""Figures of the pages of claims: differences with their intervals, and places among the methods."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source

COLUMNS = {"paper": (INK, MARKERS[3]), "released": (PALETTE[1], MARKERS[1]), "original": (PALETTE[0], MARKERS[0])}


def differences(table: pd.DataFrame, titles: dict[str, str], source: str) -> Figure:
    """A line a probe, a mark and an interval a fidelity; a panel a comparison, and a row of panels a data set.

    table: as `conclusions.everyone` gives it. titles: data set -> its title.
    """
    probes, others = list(dict.fromkeys(table.by)), {"InfoNCE": "eMargin − InfoNCE", "Random": "eMargin − no training"}
    sets = [name for name in titles if name in set(table["set"])] + sorted(set(table["set"]) - set(titles))
    fig, axes = figure(len(sets), len(others), height=0.34 * len(probes) + 0.9, sharex=True, sharey=True, squeeze=False)
    for number_of_row, (row, dataset) in enumerate(zip(axes, sets, strict=True)):
        for axis, (start, title) in zip(row, others.items(), strict=True):
            axis.axvline(0, color=MUTED, linewidth=0.8)
            own = table[(table["set"] == dataset) & table.against.str.startswith(start)]
            for number, fidelity in enumerate(("released", "original")):
                colour, marker = COLUMNS[fidelity]
                inside = own[own.of == fidelity]
                height = inside.by.map(probes.index) + 0.3 * (number - 0.5)
                axis.hlines(height, inside.low, inside.high, color=colour, linewidth=1.4)
                axis.plot(
                    inside.value,
                    height,
                    marker,
                    color=colour,
                    markersize=5,
                    markerfacecolor="white" if fidelity == "released" else colour,
                    label=fidelity,
                )
            axis.set(title=title if number_of_row == 0 else "", ylim=(len(probes) - 0.5, -0.5))
            axis.set_yticks(range(len(probes)), probes)
            axis.tick_params(axis="y", length=0)
        row[0].set_ylabel(titles.get(dataset, dataset))
    fig.supxlabel("difference of balanced accuracy")
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    mark_source(fig, source)
    return fig


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
    legend(fig, loc="outside upper left", ncols=3, handletextpad=0.1)
    mark_source(fig, source)
    return fig
