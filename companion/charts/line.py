"""The line: points along a segment, thick or thin and evenly or unevenly filled, K-means' cuts, and their scores.

    python -m companion.charts.line

writes the cuts and scores of a grid of settings. Sideways the points are moved as in `companion.statistics.curves`, in
so many directions that two displacements are nearly orthogonal. The picture has room for one of these: there it shows
that of all.
"""

import itertools
import math

import altair as alt
import numpy as np
import pandas as pd
import torch

from companion.charts.chart import COLOURS, Chart, axis, heading, legend_with_values, slider
from companion.figures.style import INK, MUTED
from companion.statistics.curves import thick_segment
from emargin.evaluation import clustering
from emargin.evaluation.collapse import participation_ratio
from emargin.paths import home

FILE = home() / "results" / "charts" / "line.csv"
POINTS, DIRECTIONS, SEED = 150, 60, 0
THICKNESS = [step / 100 for step in range(11)]  # in lengths of the segment
CROWDING = [step / 2 for step in range(9)]
CUTS = range(2, 13)
LETTERS = "0123456789ab"  # of clusters, from one end of the line to the other
SCORES = {  # title, top of the panel, ticks
    "davies_bouldin": ("Davies-Bouldin (lower: better)", 3.6, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
    "silhouette": ("Silhouette (higher: better)", 1.2, [0, 0.2, 0.4, 0.6, 0.8, 1]),
}
OURS, THEIRS = "this line", "eMargin in the paper’s Table 1"
PAPER = {"harth": ("HARTH", 12), "sleepeeg": ("SleepEEG", 5), "ecg": ("ECG", 4)}  # name, number of classes
EMARGIN = "InfoNCE + eMargin"  # as the paper's tables call it


def points(thickness: float, crowding: float) -> np.ndarray:
    """Return points of a segment from 0 to 1, `(POINTS, 1 + DIRECTIONS)`.

    Parameters
    ----------
    thickness : float
        Root mean square of the distance sideways.
    crowding : float
        q: of evenly spread u, the positions u^(2^q). For q = 0 the segment is evenly filled; the larger q, the more
        points crowd at one end. The distribution has one peak and no gap.
    """
    rows = thick_segment(POINTS, thickness, DIRECTIONS, np.random.default_rng(SEED))
    rows[:, 0] **= 2**crowding
    return rows


def computed(thickness: float, crowding: float, cuts: int) -> dict[str, object]:
    """Return the scores of K-means at one setting, the effective rank, and a letter a point that says its cluster."""
    rows = points(thickness, crowding)
    assignment = clustering.partition(rows, cuts)
    scores = clustering.scores(rows, np.zeros(POINTS), assignment)
    along = np.argsort([rows[assignment == cluster, 0].mean() for cluster in range(cuts)])
    place = np.argsort(along)[assignment]
    return {
        "thickness": thickness,
        "crowding": crowding,
        "cuts": cuts,
        **{name: round(scores[name], 4) for name in SCORES},
        "rank": round(participation_ratio(torch.from_numpy(rows)), 3),
        "clusters": "".join(LETTERS[number] for number in place),
    }


def chart() -> Chart:
    """Return the chart of the line."""
    settings = pd.read_csv(FILE, dtype={"clusters": str})
    paper = pd.read_csv(home() / "results" / "paper" / "tables.csv").query("table == 1 and method == @EMARGIN")
    marks = pd.DataFrame(
        {
            "set": [PAPER[name][0] for name in paper.dataset],
            "cuts": [PAPER[name][1] for name in paper.dataset],
            "metric": paper.metric,
            "value": paper["mean"],
        }
    )
    sideways = points(math.sqrt(DIRECTIONS), 0)[:, 1]
    parameters = [
        slider("thickness", "Thickness", (THICKNESS[0], THICKNESS[-1], THICKNESS[1]), 0),
        slider("crowding", "Crowding at one end", (CROWDING[0], CROWDING[-1], CROWDING[1]), 0),
        slider("cuts", "Clusters of K-means", (CUTS[0], CUTS[-1], 1), 5),
        alt.param("sideways", value=[round(float(value), 3) for value in sideways]),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    panels = [_score(name, *look) for name, look in SCORES.items()]
    drawing = alt.vconcat(_segment(), alt.concat(*panels, columns=2, spacing=30), spacing=24)
    drawing = drawing.resolve_scale(color="independent").add_params(*parameters)
    return Chart("line", drawing, {"settings": settings, "paper": marks})


def _filled() -> str:
    """Which rows are those of this thickness and filling."""
    return "abs(datum.thickness - thickness) < 0.001 && abs(datum.crowding - crowding) < 0.001"


def _segment() -> alt.LayerChart:
    here = alt.Chart(alt.NamedData("settings")).transform_filter(f"{_filled()} && datum.cuts == cuts")
    dots = (
        here.transform_calculate(number=f"sequence({POINTS})")
        .transform_flatten(["number"])
        .transform_calculate(
            x=f"pow((datum.number + 0.5) / {POINTS}, pow(2, crowding))",
            y="thickness * sideways[datum.number]",
            cluster="substring(datum.clusters, datum.number, datum.number + 1)",
        )
        .mark_point(filled=True, size=42, opacity=0.8, aria=False)
        .encode(
            alt.X("x:Q", scale=alt.Scale(domain=[-0.02, 1.02], nice=False), axis=axis("along the line")),
            alt.Y("y:Q", scale=alt.Scale(domain=[-0.3, 0.3], nice=False), axis=axis("sideways")),
            color=alt.Color(
                "cluster:N",
                scale=alt.Scale(domain=list(LETTERS), range=list(itertools.islice(itertools.cycle(COLOURS), 12))),
                legend=None,
            ),
        )
        .properties(name="segment")
    )
    rank = (
        here.transform_calculate(words="'effective rank ' + format(datum.rank, '.2f')")
        .mark_text(align="right", fontSize=12, color=alt.expr("ink"), aria=False)
        .encode(x=alt.value("width"), y=alt.value(12), text="words:N")
    )
    title = heading(alt.expr("'A line, cut into ' + cuts + ' by K-means'"))
    return alt.layer(dots, rank).properties(width=620, height=170, title=title)


def _score(column: str, title: str, top: float, ticks: list[float]) -> alt.LayerChart:
    """A score over the number of clusters, with that of the reader's setting, and the paper's."""
    base = (
        alt.Chart(alt.NamedData("settings"))
        .transform_filter(_filled())
        .transform_calculate(value=f"datum.{column}", what=f"'{OURS}'")
    )
    x = alt.X(
        "cuts:Q", scale=alt.Scale(domain=[1.6, 12.4], nice=False), axis=axis("clusters", alt.Axis(values=list(CUTS)))
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, top], clamp=True, nice=False),
        axis=axis(None, alt.Axis(values=ticks, format="~g")),
    )
    colour = alt.Color("what:N", scale=alt.Scale(domain=[OURS], range=COLOURS[:1]), legend=None)
    here = base.transform_filter("datum.cuts == cuts")
    theirs = alt.Chart(alt.NamedData("paper")).transform_filter(f"datum.metric == '{column}'")
    label = {"dy": -13, "fontSize": 11, "color": alt.expr("ink"), "aria": False}
    outer, inner = (theirs.transform_filter(f"{not_} (datum.cuts == 5)") for not_ in ("!", ""))
    diamond = {"shape": "diamond", "strokeWidth": 1.6, "stroke": alt.expr("ink"), "aria": False}
    return alt.layer(
        base.mark_line(strokeWidth=2, aria=False).encode(x, y, colour),
        here.mark_rule(aria=False, color=alt.expr("muted")).encode(x),
        here.mark_point(filled=True, size=70, opacity=1, aria=False).encode(x, y, colour),
        theirs.mark_point(size=90, **diamond).encode(x, y),
        outer.mark_text(align="right", dx=3, **label).encode(x, y, text="set:N"),
        inner.mark_text(align="left", dx=-6, **label).encode(x, y, text="set:N"),
        *legend_with_values(here, "what", [OURS], colour),
        alt.Chart(alt.InlineData([{}])).mark_point(size=70, x=12, y=27, **diamond),
        alt.Chart(alt.InlineData([{}])).mark_text(
            text=THEIRS, x=21, y=27, align="left", baseline="middle", fontSize=12, color=alt.expr("ink"), aria=False
        ),
    ).properties(width=280, height=210, title=heading(title))


def main() -> None:
    """Write the file."""
    rows = [computed(*setting) for setting in itertools.product(THICKNESS, CROWDING, CUTS)]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
