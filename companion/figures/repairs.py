"""Figures of the page on repairs: clustering against probing, and both over the share of labels."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source

SCORES = {"converged_balanced_accuracy": "converged probe", "silhouette": "silhouette"}


def against(
    runs: pd.DataFrame,
    sets: dict[str, str],
    names: list[str],
    first: str,
    second: str,
    titles: tuple[str, str],
    source: str,
    *,
    baseline: str,
) -> Figure:
    """Two scores against each other: a panel a data set, a mark a method at its means over seeds, bars of one standard
    deviation. The lines are those of the baseline.

    runs: a row a cell, columns "dataset", "name" and both scores. sets: data set -> title of its panel.
    """
    columns = min(2, len(sets))
    fig, axes = figure(-(-len(sets) // columns), columns, height=2.9, squeeze=False)
    for axis in axes.flat[len(sets) :]:
        axis.set_visible(False)
    for axis, (dataset, title) in zip(axes.flat, sets.items(), strict=False):
        statistics = runs[runs.dataset == dataset].groupby("name")[[first, second]].agg(["mean", "std"])
        if baseline in statistics.index:
            axis.axvline(statistics.loc[baseline, (first, "mean")], color=MUTED, linestyle=":", linewidth=0.9)
            axis.axhline(statistics.loc[baseline, (second, "mean")], color=MUTED, linestyle=":", linewidth=0.9)
        for number, name in enumerate(names):
            if name in statistics.index:
                x, y = statistics.loc[name, first], statistics.loc[name, second]
                axis.errorbar(
                    x["mean"],
                    y["mean"],
                    xerr=x["std"],
                    yerr=y["std"],
                    color=PALETTE[number % len(PALETTE)],
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=6,
                    linewidth=0.9,
                    linestyle="",
                    label=name,
                )
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel(titles[0])
    for axis in axes[:, 0]:
        axis.set_ylabel(titles[1])
    shown = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    order = [name for name in names if name in shown]
    legend(fig, [shown[name] for name in order], order, loc="outside upper left", ncols=3)
    mark_source(fig, source)
    return fig


def over_labels(runs: pd.DataFrame, sets: dict[str, str], names: list[str], levels: list[str], source: str) -> Figure:
    """The scores of SCORES over the share of labelled frames: a row a score, a column a data set; balanced accuracies
    have a range of their own in each panel.

    runs: a row a cell, columns "dataset", "name", "label_share" and the scores. names: methods drawn as lines through
    their means, with a bar from least to most. levels: methods drawn as one level line each.
    """
    fig, axes = figure(len(SCORES), len(sets), height=2.3, squeeze=False, sharex=True)
    for row, (score, title) in zip(axes, SCORES.items(), strict=True):
        for axis, (dataset, set_title) in zip(row, sets.items(), strict=True):
            of_set = runs[runs.dataset == dataset]
            for number, name in enumerate(names):
                spread = of_set[of_set.name == name].groupby("label_share")[score].agg(["mean", "min", "max"])
                look = {"color": PALETTE[number], "linewidth": 1.3}
                axis.plot(100 * spread.index, spread["mean"], marker=MARKERS[number], markersize=4, label=name, **look)
                axis.vlines(100 * spread.index, spread["min"], spread["max"], **look)
            for name, style in zip(levels, ("--", ":", "-."), strict=False):
                value = of_set[of_set.name == name][score].mean()
                axis.axhline(value, color=MUTED, linestyle=style, linewidth=1.1, label=name)
            axis.set_xscale("log")
            axis.set_xticks([1, 5, 10], ["1", "5", "10"])
            axis.minorticks_off()
            if score == next(iter(SCORES)):
                axis.set_title(set_title)
            else:
                axis.set(ylim=(0, 1), xlabel="labels, %")
        row[0].set_ylabel(title)
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    mark_source(fig, source)
    return fig
