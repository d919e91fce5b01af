"""Figures of the page on encoders: each method on one that sees a frame, and on one that sees the sequence."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.statistics.encoders import CONTEXT, FRAME, SMALL

LOOKS = {FRAME: (PALETTE[1], MARKERS[1]), CONTEXT: (PALETTE[0], MARKERS[0]), SMALL: (PALETTE[2], MARKERS[2])}


def values(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """A panel a set, a line a method: its balanced accuracy on each encoder; dashed, the untrained control of each.

    Lines that do not say "released" are of fidelity "original".

    table: of `statistics.encoders.gains`. sets: name -> title, in the order they are shown. Methods are in the order of
    their values on the context encoder, on the first set that has them. The control is that of most seeds.
    """
    fig, axes, order = _panels(table, sets)
    for axis, name in zip(axes, sets, strict=True):
        inside = table[(table.dataset == name) & table.line.isin(order)]
        for encoder, of_encoder in inside.groupby("encoder"):
            colour, marker = LOOKS[encoder]
            control = of_encoder.loc[of_encoder.seeds.idxmax(), "control"]
            axis.axvline(control, color=colour, linestyle="--", linewidth=1)
            places = [order.index(line) for line in of_encoder.line]
            axis.scatter(of_encoder.value, places, color=colour, marker=marker, s=26, zorder=3)
        wide = inside.pivot_table("value", "line", "encoder").reindex(columns=[FRAME, CONTEXT]).dropna()
        for line, ends in wide.iterrows():
            axis.plot(ends, [order.index(line)] * 2, color=MUTED, linewidth=1, zorder=1)
    fig.supxlabel("balanced accuracy of the probe with a chosen penalty")
    _legend(fig, [encoder for encoder in LOOKS if (table.encoder == encoder).any()], untrained=True)
    mark_source(fig, source)
    return fig


def added(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """A panel a set, a line a method: its gain over the untrained control of each encoder, with its interval.

    Where two people are tested an interval is wider than the panel, which shows the gains.
    """
    table = table[table.encoder.isin([FRAME, CONTEXT])]
    fig, axes, order = _panels(table, sets)
    for axis, name in zip(axes, sets, strict=True):
        axis.axvline(0, color=INK, linewidth=0.9)
        inside = table[(table.dataset == name) & table.line.isin(order)]
        for encoder, of_encoder in inside.groupby("encoder"):
            colour, marker = LOOKS[encoder]
            places = [order.index(line) + {FRAME: -0.15, CONTEXT: 0.15}[encoder] for line in of_encoder.line]
            axis.hlines(places, of_encoder.low, of_encoder.high, color=colour, linewidth=1.2)
            axis.scatter(of_encoder.gain, places, color=colour, marker=marker, s=20, zorder=3)
        reach = 1.3 * inside.gain.abs().max()
        axis.set_xlim(-reach, reach)
    fig.supxlabel("balanced accuracy above the untrained control of the same encoder")
    _legend(fig, [encoder for encoder in (FRAME, CONTEXT) if (table.encoder == encoder).any()])
    mark_source(fig, source)
    return fig


def _panels(table: pd.DataFrame, sets: dict[str, str]) -> tuple[Figure, list[Axes], list[str]]:
    """A panel a set, and the methods in the order they are shown."""
    shown = table[table.dataset.isin(sets)]
    ranked = shown.assign(
        elsewhere=shown.encoder != CONTEXT, later=shown.dataset.map({name: place for place, name in enumerate(sets)})
    ).sort_values(["later", "elsewhere", "value"], ascending=[True, True, False])
    order = list(ranked.line.drop_duplicates())
    fig, axes = figure(1, len(sets), height=0.9 + 0.24 * len(order), sharey=True, squeeze=False)
    for axis, title in zip(axes[0], sets.values(), strict=True):
        _look(axis, title, order)
    return fig, list(axes[0]), order


def _legend(fig: Figure, encoders: list[str], untrained: bool = False) -> None:
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=encoder)
        for encoder, (colour, marker) in LOOKS.items()
        if encoder in encoders
    ]
    if untrained:
        marks.append(Line2D([], [], color=MUTED, linestyle="--", linewidth=1, label="untrained"))
    legend(fig, handles=marks, loc="outside upper center", ncols=len(marks))


def _look(axis: Axes, title: str, order: list[str]) -> None:
    axis.set_title(textwrap.fill(title, 14))
    axis.set_yticks(range(len(order)), [line.removesuffix(", original").replace(", original,", ",") for line in order])
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
