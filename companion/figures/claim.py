"""Figures of the page on clustering and classification: rank correlations with intervals, and what they are of."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source

KINDS = {  # of configurations: colour, marker
    "released": (PALETTE[1], MARKERS[1]),
    "original": (PALETTE[0], MARKERS[0]),
    "the paper's tables": (INK, MARKERS[3]),
}
MARKS = {  # of single configurations: colour, marker, filled
    "random encoders": (INK, MARKERS[2], True),
    "released": (PALETTE[1], MARKERS[1], False),
    "original": (PALETTE[0], MARKERS[0], False),
    "eMargin, released": (PALETTE[1], MARKERS[1], True),
    "eMargin, original": (PALETTE[0], MARKERS[0], True),
}


def forest(correlations: dict[tuple[str, str, str], dict], clustering: str, source: str) -> Figure:
    """A line a data set, the last one pooled; a mark a kind of configurations, with its interval; a panel a probe.

    correlations: (probe, set, kind) -> "value", "low" and "high" of the clustering metric's correlation with that
    probe, as `correlations.correlation` gives them, in the order they are shown; kind is one of KINDS.
    A correlation without an interval is a mark alone. clustering: name of the metric.
    """
    probes = list(dict.fromkeys(probe for probe, _, _ in correlations))
    sets = list(dict.fromkeys(name for _, name, _ in correlations))
    fig, axes = figure(1, len(probes), height=0.42 * len(sets) + 1.5, sharex=True, sharey=True, squeeze=False)
    for axis, probe in zip(axes[0], probes, strict=True):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for (of_probe, name, kind), correlation in correlations.items():
            if of_probe != probe:
                continue
            colour, marker = KINDS[kind]
            place = sets.index(name) + {"released": 0.16, "original": -0.16}.get(kind, 0)
            axis.plot([correlation["low"], correlation["high"]], [place, place], color=colour, linewidth=1.4)
            axis.plot(
                correlation["value"],
                place,
                color=colour,
                marker=marker,
                markersize=5,
                linestyle="none",
                markerfacecolor="white" if kind == "released" else colour,
            )
        axis.set(title=probe, xlim=(-1.05, 1.05), ylim=(len(sets) - 0.5, -0.5))
        axis.set_yticks(range(len(sets)), sets)
        axis.tick_params(axis="y", length=0)
    fig.supxlabel(f"rank correlation with {clustering}")
    shown = [kind for kind in KINDS if any(key[2] == kind for key in correlations)]
    marks = [
        axes[0, 0].plot(
            [],
            [],
            color=KINDS[kind][0],
            marker=KINDS[kind][1],
            linestyle="none",
            label=kind,
            markerfacecolor="white" if kind == "released" else KINDS[kind][0],
        )[0]
        for kind in shown
    ]
    legend(fig, marks, shown, loc="outside upper center", ncols=len(shown))
    mark_source(fig, source)
    return fig


def scatter(configurations: pd.DataFrame, probe: str, names: dict[str, str], source: str, *, title: str) -> Figure:
    """Silhouette against a probe, a panel a set, a mark a configuration; eMargin's are filled, the controls black.

    configurations: as `configurations.configurations` gives them. probe: metric; title: of its axis. names: set ->
    title of its panel.
    """
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    fig, axes = figure(rows, columns, height=2.5, squeeze=False)
    for axis, (name, panel) in zip(axes.flat, names.items(), strict=False):
        inside = configurations[configurations["set"] == name].dropna(subset=["silhouette", probe])
        for kind, group in _kinds(inside).items():
            colour, marker, filled = MARKS[kind]
            axis.scatter(
                group.silhouette,
                group[probe],
                marker=marker,
                s=26,
                linewidth=1.1,
                edgecolors=colour,
                facecolors=colour if filled else "none",
                label=kind,
            )
        axis.set_title(panel)
        axis.set_xlabel("silhouette")
        axis.locator_params(nbins=4)
    for axis in axes[:, 0]:
        axis.set_ylabel(title)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    mark_source(fig, source)
    return fig


def _kinds(inside: pd.DataFrame) -> dict[str, pd.DataFrame]:
    control, emargin = inside.method.str.startswith("random"), inside.method == "emargin"
    kind = np.where(control, "random encoders", np.where(emargin, "eMargin, ", "") + inside.fidelity)
    return {name: inside[kind == name] for name in MARKS}
