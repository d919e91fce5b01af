"""Figure of the page on the data: signal, frames and labels of each real set, from committed samples."""

from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.style import INK, PALETTE, figure, mark_source

DEEP = 0.75  # of the height of a signal's panel: the frames below it
COLOURS = [colour for colour in PALETTE if colour != "#000000"]  # on which words are read


def strips(sets: dict[str, dict], titles: dict[str, str], source: str) -> Figure:
    """Draw a strip a data set: a few seconds of signal, and below it a bar a frame in the colour of its label.

    sets: from `companion.strips`. titles: of the sets to draw, in order. Bars that overlap in time stand in rows.
    """
    fig, axes = figure(2 * len(titles), 1, height=0.72, gridspec_kw={"height_ratios": [1, DEEP] * len(titles)})
    for above, below, (name, title) in zip(axes[::2], axes[1::2], titles.items(), strict=True):
        facts = sets[name]
        ends = _signal(above, facts)
        unit = "frames" if facts["framed"] else "seconds" if facts["sampling_rate"] > 1 else "samples"
        above.set_title(f"{title} ({unit})")
        _frames(below, facts)
        for axis in (above, below):
            axis.set(xlim=ends, yticks=[])
            axis.spines["left"].set_visible(False)
        above.set_xticks([])
        above.spines["bottom"].set_visible(False)
    mark_source(fig, source)
    fig.get_layout_engine().set(h_pad=0.01, hspace=0)
    return fig


def _signal(axis: Axes, facts: dict) -> tuple[float, float]:
    """Draw the signal, each channel above the next, or features as an image; return where it starts and ends."""
    values = np.array(facts["values"])
    if facts["framed"]:
        axis.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-2, vmax=2, interpolation="none", origin="lower")
        return -0.5, values.shape[1] - 0.5
    time = np.arange(values.shape[1]) * facts["step"] / facts["sampling_rate"]
    spread = np.ptp(values, axis=1).max()
    for number, channel in enumerate(values):
        axis.plot(time, channel - channel.mean() - 0.7 * spread * number, color=INK, linewidth=0.8)
    return 0.0, time[-1]


def _frames(axis: Axes, facts: dict) -> None:
    """Draw a bar a frame, and the name of the class where a run of it starts."""
    rate = facts["sampling_rate"] or 1
    shift = -0.5 if facts["framed"] else 0.0
    window, hop = facts["n_fft"] / rate, facts["hop"] / rate
    rows = max(1, round(window / hop))
    colours = {int(label): COLOURS[number] for number, label in enumerate(facts["classes"])}
    for number, label in enumerate(facts["labels"]):
        place = {"width": window, "left": shift + number * hop, "height": 0.8}
        axis.barh(number % rows, **place, color=colours[label], edgecolor="white", linewidth=1)
    number = 0
    for label, run in groupby(facts["labels"]):
        axis.text(shift + number * hop, rows - 0.4, facts["classes"][str(label)], va="top", ha="left")
        number += len(list(run))
    axis.set_ylim(rows + 1.2, -0.5)
