"""Figures of the page on threshold and margin: scores over one setting, over two, and against each other."""

from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, legend, mark_source

SCORES = {
    "silhouette": "silhouette",
    "participation_ratio": "effective rank (log)",
    "balanced_accuracy": "balanced accuracy, the paper's probe",
    "converged_balanced_accuracy": "balanced accuracy, converged probe",
}


def over_setting(
    runs: pd.DataFrame,
    setting: str,
    title: str,
    losses: list[str],
    source: str,
    *,
    mark: float | None = None,
    log: bool = False,
    beside: pd.Series | None = None,
) -> Figure:
    """Scores over one setting: a panel a score, a line a loss through the means over seeds, a bar from least to most.

    runs: a row a cell, columns "loss", the setting, and those of SCORES. mark: the paper's value. log: of the setting.
    beside: the scores of another encoder, each a dashed line across its panel; its name is the line's.
    """
    fig, axes = figure(2, 2, height=2.3)
    _lines(axes.ravel(), runs, setting, losses, mark=mark, log=log, beside=beside)
    for axis, name in zip(axes.ravel(), SCORES.values(), strict=True):
        axis.set_title(name)
    fig.supxlabel(title)
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    mark_source(fig, source)
    return fig


def over_sets(
    runs: dict[str, pd.DataFrame],
    setting: str,
    title: str,
    losses: list[str],
    source: str,
    *,
    mark: float,
    log: bool = False,
) -> Figure:
    """Draw the same a column a data set, a row a score; runs by the title of the set."""
    fig, axes = figure(len(SCORES), len(runs), height=1.7, squeeze=False, sharex="col")
    for column, (name, own) in zip(axes.T, runs.items(), strict=True):
        _lines(column, own, setting, losses, mark=mark, log=log)
        column[0].set_title(name)
        column[-1].set_xlabel(title)
    for axis, name in zip(axes[:, 0], SCORES.values(), strict=True):
        axis.set_ylabel(name.replace(", ", ",\n").replace(" (", "\n("))
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    mark_source(fig, source)
    return fig


def _lines(
    axes: Sequence[Axes],
    runs: pd.DataFrame,
    setting: str,
    losses: list[str],
    *,
    mark: float | None,
    log: bool,
    beside: pd.Series | None = None,
) -> None:
    """Draw the scores of one set over a setting into four panels."""
    for axis, score in zip(axes, SCORES, strict=True):
        for number, loss in enumerate(losses):
            spread = runs[runs.loss == loss].groupby(setting)[score].agg(["mean", "min", "max"])
            look = {"color": PALETTE[number], "linewidth": 1.3}
            axis.plot(spread.index, spread["mean"], marker=MARKERS[number], markersize=4, label=loss, **look)
            axis.vlines(spread.index, spread["min"], spread["max"], **look)
        if mark is not None:
            axis.axvline(mark, color=MUTED, linestyle=":", linewidth=0.9)
        if beside is not None:
            axis.axhline(beside[score], color=MUTED, linestyle="--", linewidth=0.9, label=beside.name)
        if log:
            values = sorted(runs[setting].unique())
            every = -(-len(values) // 5)  # labels that have room
            axis.set_xscale("log")
            axis.set_xticks(values[::every], [f"{value:g}" for value in values[::every]])
            axis.minorticks_off()
    axes[0].set_ylim(-0.02, 1)
    axes[1].set_yscale("log")
    axes[1].set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes[1].minorticks_off()
    probes = ["balanced_accuracy", "converged_balanced_accuracy"]
    shown = np.append(runs[probes], [] if beside is None else beside[probes])
    low, high = np.floor(10 * np.nanmin(shown)) / 10, np.ceil(10 * np.nanmax(shown)) / 10
    for axis in axes[2:]:
        axis.set_ylim(low, max(high, low + 0.1))


def over_both(runs: dict[str, pd.DataFrame], losses: list[str], scores: list[str], source: str) -> Figure:
    """Scores over threshold and margin: a row a set, a column a score and loss, a field a pair of settings.

    runs: by the title of the set a row a cell, columns "loss", "threshold", "margin" and the scores, of those in
    SCORES. Grey: not run. The colours of a score span a row.
    """
    fig, axes = figure(len(runs), len(scores) * len(losses), height=1.9, squeeze=False, sharex=True, sharey=True)
    for line, (name, own) in zip(axes, runs.items(), strict=True):
        thresholds, margins = sorted(own.threshold.unique()), sorted(own.margin.unique())
        for axis, (score, loss) in zip(line, product(scores, losses), strict=True):
            low, high = own[score].min(), own[score].max()
            table = own[own.loss == loss].pivot_table(index="margin", columns="threshold", values=score)
            table = table.reindex(index=margins, columns=thresholds)
            axis.set_facecolor("#dddddd")
            axis.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto", origin="lower")
            for (row, column), value in np.ndenumerate(table.to_numpy()):
                if not np.isnan(value):
                    ink = "white" if value < (low + high) / 2 else "black"
                    axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink)
            axis.set_xticks(range(len(thresholds)), [f"{value:g}" for value in thresholds])
            axis.set_yticks(range(len(margins)), [f"{value:g}" for value in margins])
            axis.tick_params(length=0)
        line[0].set_ylabel(f"{name}\nmargin m")
    for axis, (score, loss) in zip(axes[0], product(scores, losses), strict=True):
        axis.set_title(f"{SCORES[score].split(', ')[-1]}\n{loss.replace(' loss,', ',')}")
    for axis in axes[-1]:
        axis.set_xlabel("threshold θ")
    mark_source(fig, source)
    return fig


def trade_off(runs: dict[str, pd.DataFrame], losses: list[str], probe: str, source: str) -> Figure:
    """Silhouette against a probe: a panel a set, a mark a cell, a shape a loss, coloured by the effective rank."""
    fig, axes = figure(1, len(runs), height=3.1, squeeze=False)
    highest = max(1, *(np.log10(own.participation_ratio.max()) for own in runs.values()))
    for axis, (name, own) in zip(axes[0], runs.items(), strict=True):
        for number, loss in enumerate(losses):
            of_loss = own[own.loss == loss]
            dots = axis.scatter(
                of_loss.silhouette,
                of_loss[probe],
                c=np.log10(of_loss.participation_ratio),
                cmap="viridis",
                vmin=0,
                vmax=highest,
                marker=MARKERS[number],
                s=26,
                linewidths=0.4,
                edgecolors="#555555",
                label=loss,
            )
        axis.set(xlabel="silhouette", title=name)
    axes[0, 0].set_ylabel(SCORES[probe].replace(", ", ",\n"))
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=len(losses), handletextpad=0.3)
    ticks = [value for value in (1, 2, 5, 10, 20, 50) if np.log10(value) <= highest]
    bar = plt.colorbar(dots, ax=axes[0], ticks=np.log10(ticks))
    bar.ax.set_yticklabels([str(value) for value in ticks])
    bar.set_label("effective rank")
    bar.outline.set_visible(False)
    mark_source(fig, source)
    return fig


def flips(labels: pd.DataFrame, source: str) -> Figure:
    """Share of pseudo-labels that noise changes, and shares of label 1 on both sides, over the signal-to-noise ratio.

    labels: index "snr" in dB, columns "flipped", "label 1", "label 1 without noise", "precision", "base".
    """
    fig, axes = figure(1, 2, height=2.8)
    axes[0].plot(labels.index, labels.flipped, "o-", color=PALETTE[1], label="labels that flip")
    axes[0].plot(labels.index, labels["label 1"], "s-", color=PALETTE[0], label="label 1")
    axes[0].axhline(labels["label 1 without noise"].iloc[0], color=PALETTE[0], linestyle=":", label="without noise")
    axes[0].set(title="share of pairs", ylim=(0, 1))
    axes[1].plot(labels.index, labels.precision, "^-", color=PALETTE[2], label="label 1 at a change")
    axes[1].axhline(labels.base.iloc[0], color=MUTED, linestyle=":", label="any pair at a change")
    axes[1].set(title="precision", ylim=(0, 1.15 * labels.precision.max()))
    for axis in axes:
        axis.set(xlabel="signal-to-noise ratio, dB")
        axis.invert_xaxis()
    legend(fig, loc="outside upper left", ncols=5, columnspacing=1.2)
    mark_source(fig, source)
    return fig
