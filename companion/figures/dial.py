"""Figures of the page on the dial."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source

SCORES = {"silhouette": "silhouette (high is good)", "davies_bouldin": "Davies-Bouldin (low is good)"}
PROBES = {
    "probe": "the paper’s probe",
    "longer": "the same, four times the epochs",
    "whitened": "the same, whitened features",
    "certified": "logistic regression at its optimum",
}
COLOURS = dict(zip((*SCORES, *PROBES), PALETTE, strict=False))
FRACTIONS = {0.25: "¼", 0.5: "½"}


def dial(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """Scores of clusters above, probes below, against the size of what lies beside the leading direction.

    table: of one line, as `companion.dial.table_of` gives it, with a column chance. sets: data set -> its title.
    """
    fig, axes = figure(2, len(sets), height=2.05, sharex=True, sharey="row", squeeze=False)
    for (above, below), (dataset, title) in zip(axes.T, sets.items(), strict=True):
        of_set = table[(table.dataset == dataset) & (table.turned == "beside") & table.factor.between(1e-9, 1)]
        for axis, names in ((above, SCORES), (below, PROBES)):
            for name in names:
                _curve(axis, of_set[of_set.score == name], name, names[name])
        below.axhline(of_set.chance.iloc[0], color=MUTED, linewidth=1, linestyle="dashed", label="chance")
        above.set_title(title)
        below.set_xscale("log", base=2)
        ticks = sorted(of_set.factor.unique())[::-2]
        below.set_xticks(ticks, labels=[fraction(tick) for tick in ticks])
        below.set_xlabel("size of all other directions, c")
        for axis in (above, below):
            axis.grid(axis="y", color="#dddddd", linewidth=0.6)
            axis.set_axisbelow(True)
    axes[0, 0].set_ylabel("scores of clusters")
    axes[1, 0].set_ylabel("balanced accuracy")
    axes[1, 0].set_xlim(1.2, table.factor[table.factor > 0].min() / 1.2)  # shared: from 1 at the left
    axes[0, 0].set_ylim(bottom=0)
    axes[1, 0].set_ylim(0, 1)
    of_scores, (*of_probes, chance) = (axis.get_legend_handles_labels()[0] for axis in axes[:, 0])
    blank = Line2D([], [], linestyle="none", label=" ")
    legend(fig, handles=[*of_scores, chance, blank, *of_probes], ncols=2)  # scores to the left, probes to the right
    mark_source(fig, source)
    return fig


def raised(table: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """The same four quantities where what lies beside the leading direction of an embedding is made larger."""
    fig, axes = figure(1, len(sets), height=2.5, sharey=True, squeeze=False)
    names = {"silhouette": "silhouette", "probe": PROBES["probe"], "certified": PROBES["certified"]}
    for axis, (dataset, title) in zip(axes.flat, sets.items(), strict=True):
        of_set = table[(table.dataset == dataset) & (table.turned == "beside") & (table.factor >= 1)]
        for name, words in names.items():
            _curve(axis, of_set[of_set.score == name], name, words)
        axis.axhline(of_set.chance.iloc[0], color=MUTED, linewidth=1, linestyle="dashed", label="chance")
        axis.set_xscale("log", base=2)
        axis.set_xticks([1, 4, 16, 64], labels=["1", "4", "16", "64"])
        axis.set(title=title, xlabel="size of all other directions, c", ylim=(0, 1))
    axes[0, 0].set_ylabel("silhouette, balanced accuracy")
    legend(fig, *axes.flat[0].get_legend_handles_labels(), ncols=2)
    mark_source(fig, source)
    return fig


def reach(half: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """Where the paper’s probe has lost half of what it reads, against where its training can reach one logit.

    half: dataset, predicted (1 / `dial_reach`) and half_way, one line a cell.
    """
    fig, axis = figure(width=4.6, height=3.0)
    for number, (dataset, title) in enumerate(sets.items()):
        of_set = half[half.dataset == dataset]
        axis.plot(
            of_set.predicted,
            of_set.half_way,
            linestyle="none",
            marker=MARKERS[number],
            color=PALETTE[number],
            label=title,
        )
    ends = [half.predicted.min() / 1.5, half.half_way.max() * 1.5]
    axis.plot(ends, ends, color=INK, linewidth=1, label="the bound")
    axis.set(xscale="log", yscale="log", xlabel="c at which the bound is one logit", ylabel="c at which half is lost")
    legend(fig, ncols=3)
    mark_source(fig, source)
    return fig


def fraction(factor: float) -> str:
    """A factor as the book prints it: 1, ½, ¼, 1/8, ..."""
    return FRACTIONS.get(factor, f"{factor:g}" if factor >= 1 else f"1/{1 / factor:g}")


def _curve(axis: Axes, values: pd.DataFrame, name: str, words: str) -> None:
    """The mean over seeds, and a band from the least to the most of them."""
    by_factor = values.groupby("factor").value
    mean, least, most = by_factor.mean(), by_factor.min(), by_factor.max()
    number = list(COLOURS).index(name)
    axis.plot(mean.index, mean, color=COLOURS[name], marker=MARKERS[number], markersize=4, linewidth=1.5, label=words)
    axis.fill_between(mean.index, least, most, color=COLOURS[name], alpha=0.2, linewidth=0)
