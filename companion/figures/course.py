"""The figure of the page on training: where a loss goes, in two scores, from few steps to all."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, PALETTE, figure, legend, mark_source


def path(runs: pd.DataFrame, losses: list[str], probe: str, source: str) -> Figure:
    """Davies-Bouldin against a probe: a path a loss through the means over seeds.

    Marks are larger with more steps, and the last one is filled.
    runs: a row a cell, columns "loss", "iterations", "davies_bouldin" and the probe.
    """
    fig, axis = figure(height=3.8)
    for number, loss in enumerate(losses):
        points = runs[runs.loss == loss].groupby("iterations")[["davies_bouldin", probe]].mean()
        if points.empty:
            continue
        axis.plot(points.davies_bouldin, points[probe], color=PALETTE[number], linewidth=1, alpha=0.7)
        for place, (first, second) in enumerate(points.to_numpy()):
            last = place == len(points) - 1
            axis.plot(
                first,
                second,
                MARKERS[number],
                color=PALETTE[number],
                markersize=3 + place,
                markerfacecolor=PALETTE[number] if last else "white",
                label=loss if last else None,
            )
    axis.set(xlabel="Davies-Bouldin", title=probe.replace("_", " "))
    legend(fig, ncols=2, handletextpad=0.3)
    mark_source(fig, source)
    return fig
