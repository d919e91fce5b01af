"""The figures of the page on the paper's sections 3.2 and 3.3."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend
from emargin.losses import phi, phi_slope
from emargin.losses.reference import PLAIN

EXP_LIMIT = math.log(torch.finfo(torch.float32).max)  # exp of more is infinite in float32
FIRST = (("InfoNCE", ""), ("original, anchor", "y = 1"), ("released, two-sided", "y = 1"), None)  # what decides
SHOWN = (  # those of all, in four columns
    ("InfoNCE", ""),
    ("original, anchor", "y = 0"),
    ("original, pair", "y = 0"),
    ("original, all-pairs", "adjacent 0, others 1"),
    None,
    ("original, anchor", "y = 1"),
    ("original, pair", "y = 1"),
    ("original, all-pairs", "adjacent 1, others 0"),
    ("released, two-sided", "y = 0"),
    ("released, two-sided", "y = 1"),
    ("released, one-sided", "y = 0"),
    ("released, one-sided", "y = 1"),
)
TINTS = ("#E4E4E4", "#BFD9EA", "#F3B183")  # no label, label 0 (or attracts), label 1 (or repels)


def margin_map(margins: tuple[float, ...]) -> Figure:
    """phi and its slope over the cosine for both labels, one column a margin."""
    s = torch.linspace(-1, 1, 401, dtype=torch.float64)
    fig, axes = figure(2, len(margins), height=2.2, sharex=True, squeeze=False)
    for column, margin in enumerate(margins):
        for label in (0, 1):
            lines = phi(s, label, margin), phi_slope(s, label, margin)
            for axis, line in zip(axes[:, column], lines, strict=True):
                axis.plot(
                    s,
                    line,
                    color=PALETTE[label],
                    marker=MARKERS[label],
                    markevery=50,
                    markersize=4.5,
                    label=f"y = {label}",
                )
        for axis in axes[:, column]:
            axis.axvspan(0, 1, color="#F1F1F1", zorder=0)
            axis.axhline(0, color=MUTED, linewidth=0.8)
            if margin < 1:
                axis.axvline(margin, color=INK, linewidth=1.0, linestyle="--")
        if margin < 1:
            axes[0, column].annotate(
                "s = m",
                (margin, 0.9),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                va="top",
            )
        axes[0, column].set_title(f"m = {margin:g}")
        axes[1, column].set(xlabel="cosine s", xlim=(-1, 1))
    axes[0, 0].set_ylabel("φ(s, y)")
    axes[1, 0].set_ylabel("dφ/ds")
    axes[0, 0].legend(loc="center left")
    return fig


def _cells(axis: Axes, codes: Tensor, colours: tuple[str, ...], title: str) -> None:
    """A small matrix of coloured cells; code -1 is left white."""
    n = len(codes)
    shown = np.ma.masked_equal(codes.numpy(), -1)
    look = {"cmap": ListedColormap(colours), "norm": BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))}
    edges = np.arange(n + 1) - 0.5
    axis.pcolormesh(edges, edges, shown, edgecolors="white", linewidth=1.2, **look)  # no image: marks lie on it
    axis.set(aspect="equal", xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(title)


def _outline_positives(axis: Axes, n: int) -> None:
    for t in range(n - 1):
        axis.add_patch(
            Rectangle((t + 0.5, t - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.4, zorder=4, clip_on=False)
        )


def reading_matrices(matrices: dict[str, Tensor]) -> Figure:
    """Which label each entry gets, one small matrix a reading; excluded entries are white, positives outlined."""
    fig, axes = figure(1, len(matrices), height=2.75)
    for axis, (name, labels) in zip(axes, matrices.items(), strict=True):
        n = len(labels)
        codes = (labels + 1).clone().fill_diagonal_(-1)
        codes[-1] = -1
        _cells(axis, codes, TINTS, name)
        _outline_positives(axis, n)
        for t, k in (codes >= 0).nonzero().tolist():
            axis.text(k, t, {PLAIN: "s", 0: "0", 1: "1"}[int(labels[t, k])], ha="center", va="center")
        axis.set(xticks=range(n), yticks=range(n), xlabel="frame k")
    axes[0].set_ylabel("anchor t")
    handles = [
        Patch(color=TINTS[1], label="φ(s, 0)"),
        Patch(color=TINTS[2], label="φ(s, 1)"),
        Patch(color=TINTS[0], label="the cosine s itself"),
        Patch(facecolor="white", edgecolor=INK, label="positive"),
    ]
    legend(fig, handles=handles, loc="outside lower center", ncols=4)
    fig.draw_without_rendering()  # square cells: the layout settles in its second pass
    return fig


def force_matrices(forces: dict[tuple[str, str], Tensor], shown: Sequence = SHOWN, columns: int = 4) -> Figure:
    """Sign of dL/dS, one small matrix a loss, row by row.

    forces: (loss, labels) -> `(N, N)`, as `companion.audit.forces.force_cases` names them. shown: which of them; the
    place of a None holds the legend.
    """
    columns = min(columns, len(shown))
    fig, axes = figure(-(-len(shown) // columns), columns, height=2.0, squeeze=False)
    handles = [Patch(color=TINTS[1], label="− attracts"), Patch(color=TINTS[2], label="+ repels")]
    for axis, case in zip(axes.flat, shown, strict=True):
        if case is None:
            axis.axis("off")
            axis.legend(handles=handles, loc="center")
            continue
        codes = torch.where(forces[case] > 0, 2, torch.where(forces[case] < 0, 1, 0)).fill_diagonal_(-1)
        _cells(axis, codes, TINTS, "\n".join(case).strip())
        for sign, marker in ((1, "_"), (2, "+")):
            axis.plot(
                *(codes == sign).nonzero().T.flip(0),
                linestyle="none",
                marker=marker,
                markersize=4.5,
                color=INK,
                markeredgewidth=0.9,
            )
        axis.set(xticks=[], yticks=[])
    return fig


def exponent_ranges(ranges: dict[str, tuple[float, float]]) -> Figure:
    """Range of the exponents over cosines 1 to 0, one bar a name, beside the limit of exp in float32."""
    fig, axis = figure(height=0.35 * len(ranges) + 0.9)
    for row, (low, high) in enumerate(ranges.values()):
        over = high > EXP_LIMIT
        axis.plot((low, high), (row, row), color=PALETTE[over], linewidth=5, marker=MARKERS[over], markersize=7)
        axis.annotate(
            f"{low:.3g} to {high:.3g}",
            (high if over else low, row),
            xytext=(9 if over else -9, 0),
            textcoords="offset points",
            va="center",
            ha="left" if over else "right",
        )
    axis.axvline(EXP_LIMIT, color=INK, linewidth=1.2, linestyle="--")
    axis.annotate(
        f"exp overflows in float32\nabove {EXP_LIMIT:.1f}",
        (EXP_LIMIT, len(ranges) - 2.5),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
    )
    axis.set(
        xscale="log",
        yticks=range(len(ranges)),
        yticklabels=list(ranges),
        xlabel="exponent (logarithmic scale)",
        xlim=(0.004, 3000),
        ylim=(len(ranges) - 0.4, -0.6),
        xticks=(1, 10, 100, 1000),
        xticklabels=("1", "10", "100", "1000"),
    )
    return fig


def negative_region(curves: dict[str, dict[int, list[float]]], background: list[float]) -> Figure:
    """Adjacent cosine above which the released logarithm has a negative argument, over the background cosine.

    curves: data set -> label -> critical cosine at each background. The label 1 region of the first is shaded.
    """
    fig, axis = figure(height=3.2)
    for number, (name, by_label) in enumerate(curves.items()):
        for y, critical in by_label.items():
            axis.plot(
                background,
                critical,
                color=PALETTE[number],
                marker=MARKERS[number],
                markersize=4.5,
                markevery=10,
                linestyle="-" if y else "--",
                label=f"{name}, y = {y}",
            )
    shaded = np.minimum(next(iter(curves.values()))[1], 1)
    axis.fill_between(background, shaded, 1, color=PALETTE[0], alpha=0.15, linewidth=0)
    axis.plot((0, 1), (0, 1), color=MUTED, linewidth=1.0, linestyle=":", label="a = b")
    axis.axhline(1, color=INK, linewidth=1.0)
    axis.annotate("no cosine is above 1", (0.02, 1.02), va="bottom", color=MUTED)
    axis.set(xlabel="background cosine b", ylabel="adjacent cosine a", xlim=(0, 1), ylim=(0, 1.5))
    legend(fig, ncols=3)
    return fig


def worked_example(z: Tensor, s: Tensor, m: Tensor, y: Tensor) -> Figure:
    """Unit vectors in the plane `(N, 2)`, their cosines S and the adjusted M; white entries enter no sum."""
    fig, axes = figure(1, 3, height=2.7, gridspec_kw={"width_ratios": (1.0, 1.15, 1.15)})
    directions: dict[tuple[float, float], list[int]] = {}
    for t, (x, w) in enumerate(z.tolist()):
        directions.setdefault((round(x, 9), round(w, 9)), []).append(t)
    arc = np.linspace(0, math.pi / 2, 60)
    axes[0].plot(np.cos(arc), np.sin(arc), color=MUTED, linewidth=0.8)
    for number, ((x, w), frames) in enumerate(directions.items()):
        axes[0].annotate(
            "",
            (x, w),
            (0, 0),
            arrowprops={"arrowstyle": "-|>", "color": PALETTE[number], "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0},
        )
        axes[0].annotate(", ".join(f"$z_{t}$" for t in frames), (1.1 * x, 1.12 * w), va="center")
    axes[0].set(xlim=(-0.05, 1.45), ylim=(-0.08, 1.2), aspect="equal", title="embeddings")
    axes[0].axis("off")
    n = len(s)
    for axis, matrix, title in ((axes[1], s, "cosines S"), (axes[2], m, "adjusted M (anchor)")):
        codes = torch.zeros(n, n, dtype=torch.long)
        if matrix is m:
            codes += 1 + torch.cat([y.long(), torch.zeros(1, dtype=torch.long)])[:, None]
        codes.fill_diagonal_(-1)[-1] = -1
        _cells(axis, codes, TINTS, title)
        _outline_positives(axis, n)
        for t, k in (codes >= 0).nonzero().tolist():
            axis.text(k, t, f"{matrix[t, k]:g}".removeprefix("0"), ha="center", va="center")
        axis.set(xticks=range(n), yticks=range(n), xlabel="frame k")
    axes[1].set_ylabel("anchor t")
    fig.draw_without_rendering()  # square cells: the layout settles in its second pass
    return fig
