"""Figures of the page on encoders: each method on one that sees a frame, and on one that sees the sequence."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, mark_source
from companion.statistics.encoders import CONTEXT, FRAME, SMALL

LOOKS = {FRAME: (PALETTE[1], MARKERS[1]), CONTEXT: (PALETTE[0], MARKERS[0]), SMALL: (PALETTE[2], MARKERS[2])}


def values(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """A panel a set, a line a method: its balanced accuracy on each encoder; dashed, the untrained control of each.

    table: of `statistics.encoders.gains`. sets: name -> title, in the order they are shown. Methods are in the order of
    their mean on the context encoder.
    """
    shown = table[table.dataset.isin(sets)]
    order = shown[shown.encoder == CONTEXT].groupby("line").value.mean().sort_values(ascending=False).index
    columns = min(len(sets), 3)
    rows = -(-len(sets) // columns)
    fig, axes = figure(
        rows, columns, height=0.9 + 0.24 * len(order), width=7.2, sharex=rows == 1, sharey=True, squeeze=False
    )
    for axis, (name, title) in zip(axes.flat, sets.items(), strict=False):
        for encoder, (colour, marker) in LOOKS.items():
            of_encoder = shown[(shown.dataset == name) & (shown.encoder == encoder) & shown.line.isin(order)]
            if of_encoder.empty:
                continue
            axis.axvline(of_encoder.control.mean(), color=colour, linestyle="--", linewidth=1)
            places = [order.get_loc(line) for line in of_encoder.line]
            axis.scatter(of_encoder.value, places, color=colour, marker=marker, s=26, zorder=3, label=encoder)
        wide = shown[shown.dataset == name].pivot_table(index="line", columns="encoder", values="value")
        if {FRAME, CONTEXT} <= set(wide):
            for line, ends in wide.reindex(order)[[FRAME, CONTEXT]].dropna().iterrows():
                axis.plot(ends, [order.get_loc(line)] * 2, color=MUTED, linewidth=1, zorder=1)
        _look(axis, title, list(order))
    for axis in axes.flat[len(sets) :]:
        axis.set_axis_off()
    fig.supxlabel("balanced accuracy of the probe with a chosen penalty\n", fontsize=10)
    _legend(fig, list(LOOKS))
    mark_source(fig, source)
    return fig


def added(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """A panel a set, a line a method: its gain over the untrained control of each encoder, with its interval."""
    shown = table[table.dataset.isin(sets) & table.encoder.isin([FRAME, CONTEXT])]
    order = shown[shown.encoder == CONTEXT].groupby("line").value.mean().sort_values(ascending=False).index
    columns = min(len(sets), 3)
    rows = -(-len(sets) // columns)
    fig, axes = figure(
        rows, columns, height=0.9 + 0.24 * len(order), width=7.2, sharex=rows == 1, sharey=True, squeeze=False
    )
    for axis, (name, title) in zip(axes.flat, sets.items(), strict=False):
        axis.axvline(0, color=INK, linewidth=0.9)
        for shift, encoder in ((-0.15, FRAME), (0.15, CONTEXT)):
            colour, marker = LOOKS[encoder]
            of_encoder = shown[(shown.dataset == name) & (shown.encoder == encoder) & shown.line.isin(order)]
            places = [order.get_loc(line) + shift for line in of_encoder.line]
            axis.hlines(places, of_encoder.low, of_encoder.high, color=colour, linewidth=1.2)
            axis.scatter(of_encoder.gain, places, color=colour, marker=marker, s=20, zorder=3, label=encoder)
        _look(axis, title, list(order))
    for axis in axes.flat[len(sets) :]:
        axis.set_axis_off()
    fig.supxlabel("balanced accuracy above the untrained control of the same encoder\n", fontsize=10)
    _legend(fig, [FRAME, CONTEXT])
    mark_source(fig, source)
    return fig


def _legend(fig: Figure, encoders: list[str]) -> None:
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=encoder)
        for encoder, (colour, marker) in LOOKS.items()
        if encoder in encoders
    ]
    fig.legend(handles=marks, loc="outside upper center", ncols=len(marks))


def _look(axis: Axes, title: str, order: list[str]) -> None:
    axis.set_title(title, fontsize=9.5)
    axis.set_yticks(range(len(order)), order)
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0, labelsize=8.5)
