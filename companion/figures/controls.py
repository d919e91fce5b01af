"""The figure of the page on controls: every encoder's scores on the recordings and on what was made of them."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.statistics.controls import Controls, cuts_of

SCORES = {"silhouette": "silhouette", "converged_balanced_accuracy": "balanced accuracy, converged probe"}


def of_set(controls: Controls, dataset: str) -> None:
    """Draw `scores` for a data set, or print that it was not run."""
    if dataset not in controls.there:
        print(f"{controls.sets[dataset]}: not run")
        return
    source = f"{controls.page.source_of(dataset)}, {controls.split}"
    runs = controls.runs[controls.runs.dataset == dataset]
    scores(runs, controls.lines, controls.of(dataset), 1 / cuts_of(dataset), source)


def scores(runs: pd.DataFrame, names: list[str], controls: list[str], chance: float, source: str) -> Figure:
    """A panel a score, a line an encoder, a mark a control at the mean over seeds, a bar from least to most.

    runs: a row a cell, columns "name", "control" and those of SCORES. chance: of the probe, a dotted line.
    """
    fig, axes = figure(1, 2, height=0.7 + 0.36 * len(names), sharey=True)
    for axis, (score, title) in zip(axes, SCORES.items(), strict=True):
        for number, control in enumerate(controls):
            by_name = runs[runs.control == control].groupby("name")[score].agg(["mean", "min", "max"]).reindex(names)
            places = [line + 0.22 * (number - (len(controls) - 1) / 2) for line in range(len(names))]
            axis.hlines(places, by_name["min"], by_name["max"], color=PALETTE[number], linewidth=1.3)
            axis.plot(by_name["mean"], places, MARKERS[number], color=PALETTE[number], markersize=5.5, label=control)
        axis.set_title(title)
        axis.grid(axis="x", linewidth=0.4, alpha=0.5)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    axes[1].axvline(chance, color=MUTED, linestyle=":", linewidth=0.9)
    legend(fig, *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=len(controls), handletextpad=0.3)
    mark_source(fig, source)
    return fig
