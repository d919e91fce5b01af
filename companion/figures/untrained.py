"""The figure of training against the untrained control: what each configuration reads more or less."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.claim import MARKS
from companion.figures.style import INK, MUTED, figure, legend, mark_source
from companion.statistics.untrained import below_untrained

PROBES = {
    "balanced_accuracy": "the paper’s probe",
    "converged_balanced_accuracy": "converged probe",
    "knn_balanced_accuracy": "k nearest neighbours",
    "mlp_balanced_accuracy": "MLP",
}
KINDS = [kind for kind in MARKS if kind != "random encoders"]


def against_untrained(differences: pd.DataFrame, names: dict[str, str], source: str) -> Figure:
    """A panel a probe, a line a set, a mark a configuration; the line at 0 is calibrated random weights.

    On the right of each line: how many of its configurations lie below 0. differences: as
    `statistics.untrained.against_untrained` gives them. names: set -> its title, in the order they are shown.
    """
    probes = [probe for probe in PROBES if (differences.probe == probe).any()]
    rows = -(-len(probes) // 2)
    height = 0.8 + 0.34 * len(names)
    fig, axes = figure(rows, min(2, len(probes)), height=height, sharex=True, sharey=True, squeeze=False)
    counted = below_untrained(differences).set_index(["set", "probe"])
    places = {name: place for place, name in enumerate(names)}
    for axis, probe in zip(axes.flat, probes, strict=False):
        axis.axvline(0, color=INK, linewidth=0.9)
        inside = differences[(differences.probe == probe) & differences["set"].isin(places)]
        kind = np.where(inside.method == "emargin", "eMargin, ", "") + inside.fidelity
        for number, shown in enumerate(KINDS):
            colour, marker, filled = MARKS[shown]
            group = inside[kind == shown]
            axis.scatter(
                group.value,
                group["set"].map(places) + 0.12 * (number - (len(KINDS) - 1) / 2),
                marker=marker,
                s=18,
                linewidth=0.9,
                edgecolors=colour,
                facecolors=colour if filled else "none",
                label=shown,
            )
        for name, place in places.items():
            if (name, probe) in counted.index:
                words = "{below:.0f} of {of:.0f}".format(**counted.loc[(name, probe)])
                axis.text(1.02, place, words, transform=axis.get_yaxis_transform(), va="center", color=MUTED)
        axis.set_title(PROBES[probe])
        axis.set_ylim(len(names) - 0.5, -0.5)
    for axis in axes.flat[len(probes) :]:
        axis.set_axis_off()
    axes[0, 0].set_yticks(range(len(names)), names.values())
    for axis in axes.flat:
        axis.tick_params(axis="y", length=0)
    fig.supxlabel("above calibrated random weights")
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(KINDS))
    mark_source(fig, source)
    return fig
