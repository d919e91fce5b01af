"""Figures of the page on speed, from committed figures alone."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

from companion.figures.style import MARKERS, PALETTE, figure, legend, mark_source

FORMS = {"ours": "blocks (ours)", "plain": "plain", "lean": "lean dense", "limit": "limit: products alone"}
STAGES = {
    "frames": PALETTE[5],
    "training": PALETTE[0],
    "features": PALETTE[2],
    "clustering": PALETTE[4],
    "probe": PALETTE[1],
}
TITLES = {"emargin released": "eMargin released", "emargin original": "eMargin original, anchor", "infonce": "InfoNCE"}


def by_line(lines: list[dict]) -> pd.DataFrame:
    """Sum up how far means over seeds moved when cells were run anew: a row a line of the tables, over its sets."""

    def largest(own: pd.DataFrame) -> str:
        row = own.loc[own.deviations.idxmax()]
        return f"{row.deviations:.1f}, {row.dataset}"

    found = {
        name: {
            "means": str(own.deviations.count()),
            "median": f"{own.deviations.median():.2f}",
            "above 1": f"{(own.deviations > 1).mean():.0%}",
            "largest": largest(own),
        }
        for name, own in pd.DataFrame(lines).groupby("line", sort=False)
    }
    return pd.DataFrame(found).T


def against_size(devices: dict[str, list[dict]], quantity: str, source: str) -> Figure:
    """Time ("ms") or extra memory ("mb") of a step against N on log axes, one panel a loss, one line a form.

    devices: by name, a row of panels each: figures of a loss at one N, with the keys "loss", "n" and "ours_ms" and so
    on.
    """
    losses = list(dict.fromkeys(step["loss"] for steps in devices.values() for step in steps))
    fig, axes = figure(len(devices), len(losses), height=3.0, sharex=True, sharey=True, squeeze=False)
    for row, (name, steps) in zip(axes, devices.items(), strict=True):
        for axis, loss in zip(row, losses, strict=True):
            _lines(axis, sorted((step for step in steps if step["loss"] == loss), key=lambda step: step["n"]), quantity)
            axis.set_title(TITLES[loss])
        quantities = {"ms": "milliseconds a step", "mb": "extra memory, MB"}
        row[0].set_ylabel(f"{name}\n{quantities[quantity]}" if len(devices) > 1 else quantities[quantity])
    for axis in axes[-1]:
        axis.set_xlabel("frames N")
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(FORMS))
    mark_source(fig, source)
    return fig


def _lines(axis: Axes, steps: list[dict], quantity: str) -> None:
    sizes = [step["n"] for step in steps]
    for number, (form, label) in enumerate(FORMS.items()):
        axis.plot(
            sizes,
            [step[f"{form}_{quantity}"] for step in steps],
            color=PALETTE[number],
            marker=MARKERS[number],
            markersize=5,
            linewidth=1.3,
            label=label,
            linestyle="--" if form == "limit" else "-",
        )
    axis.set(xscale="log", yscale="log")
    axis.set_xticks(sizes)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.1)


def stages_of_cells(cells: list[dict], source: str) -> Figure:
    """The seconds of each stage of a cell, as one bar for ours and one for the plain form, a panel a data set."""
    fig, axes = figure(len(cells), 1, height=1.9, squeeze=False)
    for axis, cell in zip(axes[:, 0], cells, strict=True):
        for row, form in enumerate(("ours_s", "plain_s")):
            start = 0.0
            for stage in cell["stages"]:
                axis.barh(
                    row,
                    stage[form],
                    left=start,
                    color=STAGES[stage["stage"]],
                    height=0.6,
                    edgecolor="white",
                    linewidth=0.5,
                    label=stage["stage"] if row == 0 else None,
                )
                start += stage[form]
            axis.annotate(f"{start:.0f} s", (start, row), xytext=(4, 0), textcoords="offset points", va="center")
        axis.set_yticks([0, 1], ["ours", "plain"])
        axis.set_ylim(1.5, -0.5)
        axis.margins(x=0.1)
        profile = ", quick profile" if cell["quick"] else ""
        axis.set(
            title=f"{cell['dataset']} ({cell['source']}{profile}), {cell['iterations']} steps, {cell['device']}",
            xlabel="seconds",
        )
    legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(STAGES))
    mark_source(fig, source)
    return fig
