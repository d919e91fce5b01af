"""Figures of the page on probing."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source

PANELS = (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"))


def f1_against_bound(table: pd.DataFrame, source: str) -> Figure:
    """The F1 of every row against (precision + recall) / 2, the most that a macro F1 can be.

    table: columns dataset, f1, bound; one row a line of the paper's Table 2.
    """
    fig, axis = figure(width=4.8, height=4.2)
    axis.plot([0, 1], [0, 1], color=INK, linewidth=1)
    axis.fill_between([0, 1], [0, 1], 0, color="#eeeeee", zorder=0)
    axis.text(0.97, 0.04, "where a macro F1\ncan be", ha="right", color=MUTED)
    for number, (name, rows) in enumerate(table.groupby("dataset", sort=False)):
        axis.plot(rows["bound"], rows["f1"], MARKERS[number], color=PALETTE[number], markersize=6, label=name)
    axis.set(xlabel="(precision + recall) / 2", title="F1", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.legend(loc="upper left", title="the paper's Table 2", alignment="left")
    mark_source(fig, source)
    return fig


def probe_scores(scores: pd.DataFrame, majority: float, n_classes: int, source: str) -> Figure:
    """Accuracy and balanced accuracy, one line a method, one mark a probe.

    scores: index (method, probe), columns accuracy and balanced_accuracy. majority: accuracy of always answering the
    largest class; its balanced accuracy is 1 / n_classes.
    """
    fig, axes = figure(1, 2, height=3.0, sharey=True)
    methods, probes = (list(dict.fromkeys(scores.index.get_level_values(level))) for level in (0, 1))
    for axis, (column, title), floor in zip(axes, PANELS, (majority, 1 / n_classes), strict=True):
        axis.axvline(floor, color=INK, linestyle="--", linewidth=1, label="always the largest class")
        for number, probe in enumerate(probes):
            rows = [row + 0.16 * (number - (len(probes) - 1) / 2) for row in range(len(methods))]
            axis.plot(
                [scores[column][method, probe] for method in methods],
                rows,
                MARKERS[number],
                color=PALETTE[number],
                markersize=6,
                label=probe,
            )
        axis.set(title=title, xlim=(0, 1))
        axis.set_yticks(range(len(methods)), methods)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    legend(fig, *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    mark_source(fig, source)
    return fig
