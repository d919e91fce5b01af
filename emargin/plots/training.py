"""Figures of the page on training."""

import pandas as pd
from matplotlib.figure import Figure

from emargin.plots.style import MARKERS, PALETTE, figure, mark_source

PANELS = (("loss", "loss"), ("mean_cosine", "mean pairwise cosine"), ("participation_ratio", "effective rank"))


def training_curves(curves: dict[str, pd.DataFrame], source: str) -> Figure:
    """Loss, mean cosine and effective rank over steps, one line a run. curves: name of the run -> its curve."""
    fig, axes = figure(1, 3, height=2.5)
    for axis, (column, label) in zip(axes, PANELS, strict=True):
        for number, (name, curve) in enumerate(curves.items()):
            axis.plot(curve["step"], curve[column], color=PALETTE[number], marker=MARKERS[number], markersize=4,
                      linewidth=1.3, label=name)
        axis.set(xlabel="step", title=label)
    axes[1].set_ylim(0, 1.02)
    axes[2].set_ylim(bottom=0)
    if len(curves) > 1:
        axes[-1].legend()
    mark_source(fig, source)
    return fig
