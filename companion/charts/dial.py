"""The dial: a cloud made thinner, the clusters that K-means cuts in it, the scores and the probes.

In the browser the cloud is turned by the formula of the dial itself: with t and u for a frame's coordinates along the
leading and the second principal direction, those of z' = mu + v v'(z - mu) + c (1 - v v')(z - mu) are t and c u.
"""

import altair as alt
import pandas as pd

from companion.charts.chart import COLOURS, Chart, axis, heading, legend_with_values, menu, slider
from companion.charts.cloud import FILE, METHOD, SETS
from companion.dial import table_of
from companion.figures.dial import COLOURS as OF_SCORES
from companion.figures.style import INK, MUTED, PALETTE
from companion.grid.store import Store
from companion.statistics.tables import SET_TITLES
from emargin.evaluation.dial import SHRUNK
from emargin.paths import home

SCORES = {
    "silhouette": ("clusters", "silhouette"),
    "davies_bouldin": ("clusters", "Davies-Bouldin"),
    "nmi": ("clusters", "NMI"),
    "probe": ("probes", "the paper’s probe"),
    "certified": ("probes", "probe at its optimum"),
    "whitened": ("probes", "paper’s probe, whitened"),
}
NMI = PALETTE[6]  # its colour; the others have those of the figure
LAST = len(SHRUNK) - 1
OUTSIDE = 0.02  # of the frames, so far along the leading direction that the others would be a dot


def lines() -> pd.DataFrame:
    """Return set, panel, score, power (c = 1/2^power) and the mean over seeds, of the untrained encoder."""
    rows = Store(home() / "results" / "dial").rows
    table = table_of(rows[(rows.method == METHOD) & rows.dataset.isin(SETS)])
    table = table[(table.turned == "beside") & table.score.isin(SCORES) & table.factor.between(1e-9, 1)]
    mean = table.groupby(["dataset", "score", "factor"], sort=False).value.mean().reset_index()
    panel, title = zip(*mean.score.map(SCORES), strict=True)
    powers = {float(factor): power for power, factor in enumerate(SHRUNK)}
    return pd.DataFrame(
        {
            "set": mean.dataset.map(SET_TITLES),
            "panel": panel,
            "score": title,
            "power": mean.factor.map(powers),
            "value": mean.value,
        }
    )


def points() -> pd.DataFrame:
    """Return the committed frames: set, class, t, u, and the cluster at each power."""
    table = pd.read_csv(FILE)
    table["set"] = table["set"].map(SET_TITLES)
    return table


def chart() -> Chart:
    """Return the chart of the dial."""
    titles = {name: name for name in map(SET_TITLES.__getitem__, SETS)}
    frames = points()
    parts = frames.groupby("set").t.agg(["min", lambda t: t.quantile(1 - OUTSIDE)])
    view = {name: {"least": least, "most": most} for name, least, most in parts.itertuples()}
    parameters = [
        slider("power", "Shrink by 2 to the power", (0, LAST, 1), 0),
        menu("shown_set", "Set", titles, next(iter(titles))),
        menu("colour", "Colour", {"cluster": "clusters of K-means", "class": "classes"}, "cluster"),
        alt.param("c", expr="pow(2, -power)"),
        alt.param("c_words", expr="power == 0 ? '1' : '1/' + pow(2, power)"),
        alt.param("view", value=view),
        alt.param("least", expr="view[shown_set].least"),
        alt.param("most", expr="view[shown_set].most"),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    panels = [
        _cloud(),
        _scores("clusters", "Scores of the clusters", [0, 3.2]),
        _scores("probes", "Balanced accuracy", [0, 1.1]),
    ]
    drawing = alt.concat(*panels, columns=3, spacing=24).resolve_scale(color="independent", shape="independent")
    return Chart("dial", drawing.add_params(*parameters), {"cloud": frames, "lines": lines()})


def _cloud() -> alt.Chart:
    legend = alt.Legend(title=None, orient="bottom", columns=2, symbolOpacity=1)
    along = alt.Scale(domainMin=alt.expr("least"), domainMax=alt.expr("most"), nice=False, zero=False)
    half = "(most - least) / 2"  # both axes have the same length
    beside = alt.Scale(domainMin=alt.expr(f"-{half}"), domainMax=alt.expr(half), nice=False)
    return (
        alt.Chart(alt.NamedData("cloud"), name="cloud")
        .transform_filter(f"datum.set == shown_set && datum.t <= most && abs(datum.u) <= {half}")
        .transform_calculate(
            x="datum.t",
            y="c * datum.u",
            name="colour == 'class' ? datum.class : 'cluster ' + (datum['cluster_' + power] + 1)",
        )
        .mark_point(filled=True, size=30, opacity=0.8, aria=False)
        .encode(
            alt.X("x:Q", scale=along, axis=axis("leading direction")),
            alt.Y("y:Q", scale=beside, axis=axis("second direction")),
            color=alt.Color("name:N", scale=alt.Scale(range=COLOURS), legend=legend),
        )
        .properties(width=220, height=260, title=heading(alt.expr("'Embedding, c = ' + c_words")))
    )


def _scores(panel: str, title: str, domain: list[float]) -> alt.LayerChart:
    inside = f"datum.set == shown_set && datum.panel == '{panel}'"
    base = alt.Chart(alt.NamedData("lines")).transform_filter(inside)
    ticks = alt.Axis(values=list(range(LAST + 1)), labelExpr="datum.value == 0 ? '1' : '1/' + pow(2, datum.value)")
    x = alt.X("power:Q", axis=axis("c", ticks))
    y = alt.Y("value:Q", scale=alt.Scale(domain=domain), axis=axis(None))
    names = {name: OF_SCORES.get(score, NMI) for score, (part, name) in SCORES.items() if part == panel}
    scale = alt.Scale(domain=list(names), range=list(names.values()))  # as in the figure of the dial
    colour = alt.Color("score:N", scale=scale, legend=None)
    here = base.transform_filter("datum.power == power")
    return alt.layer(
        base.mark_line(strokeWidth=2, aria=False).encode(x, y, colour),
        here.mark_rule(aria=False, color=alt.expr("muted")).encode(x),
        here.mark_point(filled=True, size=70, opacity=1, aria=False)
        .encode(x, y, colour)
        .properties(name=f"{panel}_now"),
        *legend_with_values(here, "score", list(names), colour),
    ).properties(width=200, height=260, title=heading(title))
