"""Figures of the pages that show full runs, from committed rows alone."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.labels import label
from emargin.methods import METHODS


def clustering_against_probing(rows: pd.DataFrame, source: str, *, chance: float) -> Figure:
    """Each run's silhouette against balanced accuracy: the paper's probe left, one with a fixed penalty right.

    rows: tidy results of one data set and protocol. One colour and marker a method, one point a seed. chance: of the
    probes, a dotted line.
    """
    probes = {"balanced_accuracy": "the paper's probe", "converged_balanced_accuracy": "logistic regression, C = 1"}
    fig, axes = figure(1, 2, height=3.6, sharex=True)
    values = rows.assign(name=[label(row) for row in rows.itertuples()])
    for axis, (metric, title) in zip(axes, probes.items(), strict=True):
        for number, name in enumerate(values.name.unique()):
            runs = values[values.name == name].pivot_table(index="seed", columns="metric", values="value")
            axis.scatter(
                runs.silhouette,
                runs[metric],
                color=PALETTE[number],
                marker=MARKERS[number],
                s=34,
                label=name,
                linewidth=0.5,
                edgecolor="white",
            )
        axis.axhline(chance, color=MUTED, linestyle=":", linewidth=0.9, zorder=0)
        axis.set(title=title, xlabel="silhouette")
    axes[0].set_ylabel("balanced accuracy")
    handles, names = axes[0].get_legend_handles_labels()
    legend(fig, handles, names, ncols=2)
    mark_source(fig, source)
    return fig


def scores_over_methods(rows: pd.DataFrame, metric: str, source: str) -> Figure:
    """One line a method, one mark a seed: filled circles for `original`, open squares for `released`.

    rows: tidy results of one data set and protocol. The band runs from the lowest to the highest seed of the calibrated
    random encoder: what is inside it, or left of it, training has not improved.
    """
    values = rows[rows.metric == metric]
    control = values[values.method == "random-calibrated"].value
    values = values[~values.method.isin(("random", "random-calibrated"))]
    values = values.assign(
        line=[METHODS[row.method].title + (f", {row.reading}" if row.reading else "") for row in values.itertuples()]
    )
    order = {method: number for number, method in enumerate(METHODS)}
    names = list(dict.fromkeys(values.sort_values("method", key=lambda method: method.map(order), kind="stable").line))
    fig, axis = figure(height=0.36 * len(names) + 1.0)
    axis.axvspan(control.min(), control.max(), color="#dddddd", linewidth=0, label="random, calibrated")
    marks = {
        "original": {"marker": "o", "color": PALETTE[0], "s": 34},
        "released": {"marker": "s", "facecolors": "none", "edgecolors": PALETTE[1], "s": 44, "linewidths": 1.4},
    }
    for fidelity, mark in marks.items():
        chosen = values[values.fidelity == fidelity]
        shift = 0.16 if fidelity == "released" else -0.16
        places = [names.index(line) + shift for line in chosen.line]
        axis.scatter(chosen.value, places, label=fidelity, zorder=3, **mark)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(metric.replace("_", " "))
    axis.grid(axis="y", color="#eeeeee")
    axis.set_axisbelow(True)
    legend(fig, loc="outside upper center", ncols=3)
    mark_source(fig, source)
    return fig
