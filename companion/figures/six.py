"""Figures of the page on the six differences that decide: small, one a story."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from companion.figures.margin import EXP_LIMIT
from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source
from emargin.losses import RELEASED_SCALE, psi

PAPER = {"marker": "D", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": INK, "markeredgewidth": 1.6}
SPREAD = 0.6  # of the methods of one row


def dots(
    values: Mapping[str, pd.Series], rows: Sequence[str], paper: Mapping[str, float], source: str, xlabel: str
) -> Figure:
    """Draw a dot a seed, a row a name, beside the paper's value.

    Parameters
    ----------
    values : mapping
        Method -> values of its seeds, indexed by the names of `rows`.
    rows : sequence of str
    paper : mapping
        Row -> the value that the paper prints there; rows without one have no diamond.
    source, xlabel : str
    """
    fig, axis = figure(height=0.52 * len(rows) + 1.0)
    for number, (method, series) in enumerate(values.items()):
        place = pd.Series(range(len(rows)), index=rows)[series.index] + SPREAD * ((number + 0.5) / len(values) - 0.5)
        style = {"marker": MARKERS[number], "color": PALETTE[number], "markersize": 6}
        axis.plot(series, place, linestyle="none", label=method, **style)
    if paper:
        known = [name for name in rows if name in paper]
        places = [rows.index(name) for name in known]
        axis.plot(
            [paper[name] for name in known], places, linestyle="none", label="the paper’s eMargin, on data", **PAPER
        )
    axis.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5), xlim=(-0.08, 1), xlabel=xlabel)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    legend(fig, loc="outside upper left", ncols=2, handletextpad=0.3, columnspacing=1.2)
    mark_source(fig, source)
    return fig


def denominator(temperature: float, margin: float) -> Figure:
    """Draw how one term of the denominator grows with its cosine: InfoNCE, and the released loss with label 1.

    The logarithm of the term, less its value at cosine 0.
    """
    s = torch.linspace(0, 1, 101, dtype=torch.float64)
    released = RELEASED_SCALE / temperature * psi(s, 1, margin)
    fig, axis = figure(height=2.3)
    lines = {
        "InfoNCE: a lower loss pushes apart": s / temperature,
        "released, label 1: it pulls together": released - released[0],
    }
    for number, (name, line) in enumerate(lines.items()):
        axis.plot(s, line, color=PALETTE[number], marker=MARKERS[number], markevery=20, markersize=5, label=name)
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.set(xlabel="cosine of a pair that is not adjacent", ylabel="log of its term", xlim=(0, 1))
    legend(fig, loc="outside upper left")
    return fig


def two_writes(steps: Mapping[str, Tensor], labels: Tensor, threshold: float, source: str) -> Figure:
    """Draw the values of pairs of frames after each step, a strip a step.

    steps: its name -> the values, `(pairs,)`. labels: the paper's, which give a pair its colour in all strips.
    """
    fig, axis = figure(height=0.62 * len(steps) + 0.9)
    height = np.random.default_rng(0).uniform(-0.24, 0.24, len(labels))
    for row, values in enumerate(steps.values()):
        for label in (0, 1):
            chosen = (labels == label).numpy()
            style = {"marker": MARKERS[label], "color": PALETTE[label], "markersize": 4, "alpha": 0.55}
            name = f"the paper’s label: {label}" if row == 0 else None
            axis.plot(values[chosen], row + height[chosen], linestyle="none", label=name, **style)
    axis.axvline(threshold, color=INK, linewidth=1.1, linestyle="--")
    axis.set(yticks=range(len(steps)), yticklabels=list(steps), ylim=(len(steps) - 0.5, -0.5), xlabel="value")
    legend(fig, loc="outside upper left", ncols=2)
    mark_source(fig, source)
    return fig


def forces(values: Mapping[str, float], xlabel: str) -> Figure:
    """Draw forces as bars from zero: to the left attracts, to the right repels."""
    fig, axis = figure(height=0.36 * len(values) + 0.9)
    for row, value in enumerate(values.values()):
        axis.barh(row, value, height=0.55, color=PALETTE[int(value > 0)], hatch="//" if value > 0 else "", alpha=0.85)
    axis.axvline(0, color=INK, linewidth=1)
    reach = 1.15 * max(map(abs, values.values()))
    axis.set(yticks=range(len(values)), yticklabels=list(values), ylim=(len(values) - 0.5, -0.9), xlim=(-reach, reach))
    axis.set_xlabel(xlabel)
    for side, word, align in ((-0.02, "← attracts", "right"), (0.02, "repels →", "left")):
        axis.annotate(word, (side * reach, -0.62), ha=align, va="center", color=MUTED)
    return fig


def overflow(temperature: float, marked: Mapping[float, str]) -> Figure:
    """Draw the largest exponent of the released loss with label 1 over the margin; marked: margin -> its name."""
    margins = np.geomspace(1, 200, 200)
    fig, axis = figure(height=2.3)
    axis.plot(margins, largest_exponent(margins, temperature), color=PALETTE[0])
    axis.axhline(EXP_LIMIT, color=INK, linewidth=1.2, linestyle="--")
    axis.annotate(
        f"exp is infinite above {EXP_LIMIT:.1f}",
        (1.1, EXP_LIMIT),
        (0, -5),
        textcoords="offset points",
        va="top",
    )
    for number, (margin, name) in enumerate(marked.items()):
        value = largest_exponent(margin, temperature)
        axis.plot(margin, value, marker=MARKERS[number], color=PALETTE[number], markersize=9)
        _beside(axis, f"{name}: {value:.3g}", (margin, value), left=number > 0)
    axis.set(xscale="log", yscale="log", xlabel="margin m", ylabel="largest exponent")
    axis.set_xticks([1, 5, 10, 100], labels=["1", "5", "10", "100"])
    axis.minorticks_off()
    return fig


def largest_exponent(margin, temperature: float):
    """Return gamma m^2 / (2 tau): the exponent of a cosine of 0."""
    return RELEASED_SCALE * np.square(margin) / (2 * temperature)


def _beside(axis: Axes, text: str, place: tuple[float, float], *, left: bool) -> None:
    at = {"xytext": (-9, 0), "ha": "right", "va": "bottom"} if left else {"xytext": (9, -3), "ha": "left", "va": "top"}
    axis.annotate(text, place, textcoords="offset points", **at)
