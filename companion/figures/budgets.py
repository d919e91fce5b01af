"""Figures of the page on label budgets."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, mark_source
from companion.statistics.budgets import EMARGIN, FORMULA, INFONCE, UNTRAINED

LOOKS = {
    INFONCE: (PALETTE[0], MARKERS[0], "solid"),
    EMARGIN: (PALETTE[1], MARKERS[1], "solid"),
    FORMULA: (PALETTE[2], MARKERS[2], "solid"),
    "TS2Vec, original": (PALETTE[3], MARKERS[3], "solid"),
    UNTRAINED: (MUTED, MARKERS[4], "dashed"),
}


def curves(means: pd.DataFrame, gaps: pd.DataFrame, sets: dict[str, str], source: str) -> Figure:
    """A column of panels a set: above, what is read with so many labels; below, InfoNCE less eMargin.

    means, gaps: of `statistics.budgets`. sets: data set -> title. All labels stand at the right end.
    """
    fig, axes = figure(2, len(sets), height=2.3, sharex="col", sharey="row", squeeze=False)
    for (above, below), (dataset, title) in zip(axes.T, sets.items(), strict=True):
        own = means[means.dataset == dataset]
        budgets = sorted(own.budget.unique())
        for line in [name for name in LOOKS if (means.line == name).any()]:
            (colour, marker, style), one = LOOKS[line], own[own.line == line]
            above.plot(
                [budgets.index(budget) for budget in one.budget],
                one.value,
                color=colour,
                marker=marker,
                markersize=4,
                linestyle=style,
                linewidth=1.5,
                label=line,
            )
        gap = gaps[gaps.dataset == dataset]
        places = np.array([budgets.index(budget) for budget in gap.budget])
        below.axhline(0, color=MUTED, linewidth=0.8)
        below.vlines(places, gap.low, gap.high, color=INK, linewidth=1.4)
        below.plot(places, gap.value, marker="o", color=INK, markersize=4, linestyle="none")
        below.set_xticks(range(len(budgets)), [f"{one:g}" if np.isfinite(one) else "all" for one in budgets])
        below.set_xlabel("labels a class")
        above.set_title(title)
        for axis in (above, below):
            axis.grid(axis="y", color="#dddddd", linewidth=0.6)
            axis.set_axisbelow(True)
    axes[0, 0].set_ylabel("balanced accuracy")
    axes[1, 0].set_ylabel("InfoNCE less eMargin")
    if len(gaps):
        reach = 1.6 * gaps.value.abs().max()  # an interval of two seeds may be longer, and is cut
        axes[1, 0].set_ylim(-reach, reach)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    mark_source(fig, source)
    return fig


def factor(times: float) -> str:
    """Return how many times more labels are needed, as a table prints it."""
    return f"{times:.2g} times as many" if np.isfinite(times) else "more than there are"
