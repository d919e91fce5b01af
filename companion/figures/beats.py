"""Figures of the page on beats."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.style import MARKERS, MUTED, PALETTE, figure, mark_source
from companion.statistics.beats import ALL, READ
from companion.statistics.readable import ABOVE

LOOKS = {"DS2": (PALETTE[0], MARKERS[0]), "DS1": (PALETTE[1], MARKERS[1])}


def sides(controls: pd.DataFrame, differences: dict[str, pd.DataFrame], source: str) -> Figure:
    """A line a probe, a mark a side of the split: what no training reads above chance, then differences of two lines.

    controls, differences: of `statistics.beats`; the latter by the title of their panel. Dotted: what the rule asks of
    a lower end.
    """
    everything = (controls, *differences.values())
    probes = [name for name in READ.values() if any((one.by == name).any() for one in everything)] or list(
        READ.values()
    )
    fig, axes = figure(1, 1 + len(differences), height=0.36 * len(probes) + 1.7, sharey=True, squeeze=False)
    above = controls[controls.scored == ALL]
    above = above.assign(**{name: above[name] - above.chance for name in ("value", "low", "high")})
    panels = {"no training above chance": above, **differences}
    for axis, (title, table) in zip(axes[0], panels.items(), strict=True):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for shift, (side, (colour, marker)) in zip((-0.15, 0.15), LOOKS.items(), strict=True):
            own = table[(table.tested == side) & table.scored.isin([ALL]) & table.by.isin(probes)]
            places = own.by.map(probes.index) + shift
            axis.hlines(places, own.low, own.high, color=colour, linewidth=1.4)
            axis.plot(own.value, places, marker, color=colour, markersize=5, label=f"tested on {side}")
        axis.set_title("\n".join(textwrap.wrap(title, 16)))
        axis.set_yticks(range(len(probes)), probes)
        axis.set_ylim(len(probes) - 0.5, -0.5)
        axis.tick_params(axis="y", length=0)
        _cut(axis, table)
    axes[0, 0].axvline(ABOVE, color=MUTED, linewidth=1, linestyle="dotted")
    fig.supxlabel("balanced accuracy\n", fontsize=10)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    mark_source(fig, source)
    return fig


def _cut(axis: Axes, table: pd.DataFrame) -> None:
    """Show all values; an interval of few seeds may be wider than the panel."""
    reach = max(0.12, 1.6 * table[table.scored == ALL].value.abs().max())
    axis.set_xlim(-reach, reach)
