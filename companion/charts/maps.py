"""Two maps side by side: any two methods' t-SNE maps of one set of recordings, out of all that the results keep."""

import altair as alt
import numpy as np
import pandas as pd

from companion.charts.cells import SHAPES
from companion.charts.chart import COLOURS, Chart, heading, menu
from companion.figures.maps import Map, class_names, maps_of
from companion.figures.style import INK, MUTED
from companion.grid.store import Store
from companion.page import Page
from companion.statistics.tables import SET_TITLES

POINTS = 400  # at most, of a map; the page's pictures have up to 1000
SIDES = {"left": "eMargin, released", "right": "InfoNCE, original"}  # as the chart opens
OPENS = "spsw-har"
MARGIN, SIZE = 0.04, 1000  # around a map, in its width; coordinates are whole numbers up to SIZE
SCORES = (
    "effective rank {participation_ratio:.1f}, local dimension {local_dimension:.1f}",
    "silhouette {silhouette:.2f}, Davies-Bouldin {davies_bouldin:.2f}",
)


def committed() -> tuple[Store, list[Map]]:
    """Return the store of the committed grid, and the maps of its sets with titles, at the page's settings."""
    page = Page.from_notebook({}, "results/grid")
    kept = [cell for cell in page.cells if (cell.protocol, cell.seed, cell.fold) == ("original", 1, 1)]
    maps = maps_of(page.store, [cell for cell in kept if cell.dataset in SET_TITLES])
    return page.store, [drawn for drawn in maps if not drawn.why_not]


def tables() -> dict[str, pd.DataFrame]:
    """Return "points", a line a point of a map, and "scores", two lines of words a map."""
    store, maps = committed()
    points, words = [], []
    for drawn in maps:
        classes = class_names(store, drawn.cell.dataset, "original")
        low, high = drawn.points.min(0), drawn.points.max(0)
        inside = (drawn.points - (low + high) / 2) / (high - low).max() * (1 - 2 * MARGIN) + 0.5
        chosen = np.linspace(0, len(inside) - 1, min(POINTS, len(inside))).round().astype(int)
        places = (SIZE * inside[chosen]).round().astype(int)
        own = {"dataset": drawn.cell.dataset, "method": drawn.title}
        names = [classes[label] for label in drawn.labels[chosen]]
        points.append(pd.DataFrame(own | {"class": names, "x": places[:, 0], "y": places[:, 1]}))
        words += [own | {"line": number, "words": text.format_map(drawn.scores)} for number, text in enumerate(SCORES)]
    return {"points": pd.concat(points, ignore_index=True), "scores": pd.DataFrame(words)}


def chart() -> Chart:
    """Return the chart of two maps."""
    data = tables()
    there = data["scores"]
    methods = {name: name for name in sorted(there.method.unique())}
    sets = {name: title for name, title in SET_TITLES.items() if name in set(there.dataset)}
    parameters = [
        menu("dataset", "Data set", sets, OPENS),
        *(menu(side, f"Map on the {side}", methods, opens) for side, opens in SIDES.items()),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    drawing = alt.concat(*map(_map, SIDES), columns=2, spacing=30).resolve_scale(color="shared", shape="shared")
    return Chart("maps", drawing.add_params(*parameters), data)


def _map(side: str) -> alt.LayerChart:
    chosen = f"datum.dataset == dataset && datum.method == {side}"
    place = {name: {"scale": alt.Scale(domain=[0, SIZE], nice=False), "axis": None} for name in ("x", "y")}
    legend = alt.Legend(title=None, orient="bottom", columns=4, symbolOpacity=1, labelLimit=150)
    points = (
        alt.Chart(alt.NamedData("points"), name=f"map_{side}")
        .transform_filter(chosen)
        .mark_point(filled=True, size=16, opacity=0.8, aria=False)
        .encode(
            alt.X("x:Q", **place["x"]),
            alt.Y("y:Q", **place["y"]),
            color=alt.Color("class:N", scale=alt.Scale(range=COLOURS), legend=legend),
            shape=alt.Shape("class:N", scale=alt.Scale(range=list(SHAPES)), legend=legend),
        )
    )
    words = (
        alt.Chart(alt.NamedData("scores"), name=f"scores_{side}")
        .transform_filter(chosen)
        .transform_calculate(y=f"-{SIZE} / 14 * (datum.line + 0.6)")
        .mark_text(align="left", fontSize=12, clip=False, color=alt.expr("ink"))
        .encode(alt.X(datum=0), alt.Y("y:Q"), text="words:N")
    )
    return alt.layer(points, words).properties(width=290, height=290, title=heading(alt.expr(side)))
