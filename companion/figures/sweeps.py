"""Figures of the page on threshold and margin: scores over one setting, over two, and against each other."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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
    axes = axes.ravel()
    for axis, (score, name) in zip(axes, SCORES.items(), strict=True):
        for number, loss in enumerate(losses):
            spread = runs[runs.loss == loss].groupby(setting)[score].agg(["mean", "min", "max"])
            look = {"color": PALETTE[number], "linewidth": 1.3}
            axis.plot(spread.index, spread["mean"], marker=MARKERS[number], markersize=4, label=loss, **look)
            axis.vlines(spread.index, spread["min"], spread["max"], **look)
        if mark is not None:
            axis.axvline(mark, color=MUTED, linestyle=":", linewidth=0.9)
        if beside is not None:
            axis.axhline(beside[score], color=MUTED, linestyle="--", linewidth=0.9, label=beside.name)
        axis.set_title(name)
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
    fig.supxlabel(title)
    legend(fig, *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    mark_source(fig, source)
    return fig


def over_both(runs: pd.DataFrame, losses: list[str], scores: list[str], source: str) -> Figure:
    """Scores over threshold and margin: a row a score, a column a loss, a field a pair of settings; grey: not run.

    runs: a row a cell, columns "loss", "threshold", "margin" and the scores, of those in SCORES. Colours span a row.
    """
    thresholds, margins = sorted(runs.threshold.unique()), sorted(runs.margin.unique())
    fig, axes = figure(len(scores), len(losses), height=2.5, squeeze=False, sharex=True, sharey=True)
    for line, score in zip(axes, scores, strict=True):
        low, high = runs[score].min(), runs[score].max()
        for axis, loss in zip(line, losses, strict=True):
            table = runs[runs.loss == loss].pivot_table(index="margin", columns="threshold", values=score)
            table = table.reindex(index=margins, columns=thresholds)
            axis.set_facecolor("#dddddd")
            axis.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto", origin="lower")
            for (row, column), value in np.ndenumerate(table.to_numpy()):
                if not np.isnan(value):
                    dark = value < (low + high) / 2
                    axis.text(
                        column,
                        row,
                        f"{value:.2f}",
                        ha="center",
                        va="center",
                        color="white" if dark else "black",
                    )
            axis.set_xticks(range(len(thresholds)), [f"{value:g}" for value in thresholds])
            axis.set_yticks(range(len(margins)), [f"{value:g}" for value in margins])
            axis.tick_params(length=0)
        line[0].set_ylabel(f"{SCORES[score].split(', ')[-1]}\nmargin m")
    for axis, loss in zip(axes[0], losses, strict=True):
        axis.set_title(loss)
    for axis in axes[-1]:
        axis.set_xlabel("threshold θ")
    mark_source(fig, source)
    return fig


def trade_off(runs: pd.DataFrame, losses: list[str], probe: str, source: str) -> Figure:
    """Silhouette against a probe: a mark a cell, a shape a loss, coloured by the effective rank."""
    fig, axis = figure(height=3.6)
    highest = max(1, np.log10(runs.participation_ratio.max()))
    for number, loss in enumerate(losses):
        of_loss = runs[runs.loss == loss]
        dots = axis.scatter(
            of_loss.silhouette,
            of_loss[probe],
            c=np.log10(of_loss.participation_ratio),
            cmap="viridis",
            vmin=0,
            vmax=highest,
            marker=MARKERS[number],
            s=30,
            linewidths=0.4,
            edgecolors="#555555",
            label=loss,
        )
    axis.set(xlabel="silhouette", title=SCORES[probe])
    legend(fig, loc="outside upper left", ncols=len(losses), handletextpad=0.3)
    ticks = [value for value in (1, 2, 5, 10, 20, 50) if np.log10(value) <= highest]
    bar = plt.colorbar(dots, ax=axis, ticks=np.log10(ticks))
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
