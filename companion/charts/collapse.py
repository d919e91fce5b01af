"""The collapse: embeddings of real recordings over training, under InfoNCE and under the released eMargin."""

import altair as alt
import pandas as pd

from companion.charts import training
from companion.charts.cells import SHAPES
from companion.charts.chart import COLOURS, Chart, axis, heading, legend_with_values, slider
from companion.charts.training import LOSSES, STEPS
from companion.figures.style import INK, MUTED

PANELS = {  # title, bottom and top of the panel, ticks
    "silhouette": ("Silhouette", [-0.05, 1.2], [0, 0.5, 1]),
    "davies_bouldin": ("Davies-Bouldin", [0, 4.4], [0, 1, 2, 3]),
    "participation_ratio": ("Effective rank", [0, 26], [0, 5, 10, 15, 20]),
    "balanced_accuracy": ("The paper’s probe", [0, 1], [0, 0.2, 0.4, 0.6]),
    "chosen_balanced_accuracy": ("Probe, penalty chosen", [0, 1], [0, 0.2, 0.4, 0.6]),
    "nmi": ("NMI with the classes", [0, 0.7], [0, 0.2, 0.4]),
}
REACH = 3.2  # of the picture, in spreads of the leading component
OPENS = len(STEPS) - 1


def lines() -> pd.DataFrame:
    """Return a line a loss, checkpoint and score: its value, and the least and most of the committed seeds."""
    table = pd.read_csv(training.TABLE)
    rows = {(loss, steps): training.known(loss, steps) for loss in LOSSES for steps in STEPS}
    for name in ("min", "max"):
        ends = {key: getattr(found, name)() for key, found in rows.items()}
        table[name] = [ends[row.loss, row.steps].get(row.score) for row in table.itertuples()]
    table["checkpoint"] = table.steps.map(STEPS.index)
    return table.assign(loss=table.loss.map(LOSSES)).drop(columns="steps")


def chart() -> Chart:
    """Return the chart of the collapse."""
    parameters = [
        slider("checkpoint", "Checkpoint", (0, len(STEPS) - 1, 1), OPENS),
        alt.param("steps", value=[*STEPS]),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    clouds = alt.concat(*map(_cloud, LOSSES), columns=2, spacing=30).resolve_scale(color="shared", shape="shared")
    scores = alt.concat(*map(_score, PANELS), columns=3, spacing=20)
    drawing = alt.vconcat(clouds, scores, spacing=20).resolve_scale(color="independent", shape="independent")
    tables = {"frames": pd.read_csv(training.CLOUD), "scores": lines()}
    return Chart("collapse", drawing.add_params(*parameters), tables)


def _cloud(loss: str) -> alt.Chart:
    column = f"datum['{loss}_' + steps[checkpoint] + '_%s']"
    scale = alt.Scale(domain=[-REACH, REACH], nice=False)
    legend = alt.Legend(title=None, orient="bottom", symbolOpacity=1)
    classes = pd.read_csv(training.CLOUD, usecols=["class"])["class"].unique()
    look = {"domain": sorted(classes), "range": COLOURS[2 : 2 + len(classes)]}
    return (
        alt.Chart(alt.NamedData("frames"), name=f"cloud_{loss}")
        .transform_calculate(x=column % "x", y=column % "y")
        .transform_filter(f"abs(datum.x) <= {REACH} && abs(datum.y) <= {REACH}")
        .mark_point(filled=True, size=26, opacity=0.75, aria=False)
        .encode(
            alt.X("x:Q", scale=scale, axis=axis("leading component")),
            alt.Y("y:Q", scale=scale, axis=axis("second component")),
            color=alt.Color("class:N", scale=alt.Scale(**look), legend=legend),
            shape=alt.Shape(
                "class:N",
                scale=alt.Scale(domain=look["domain"], range=list(SHAPES[: len(classes)])),
                legend=legend,
            ),
        )
        .properties(
            width=290,
            height=290,
            title=heading(alt.expr(f"'{LOSSES[loss]}, ' + steps[checkpoint] + ' steps'")),
        )
    )


def _score(score: str) -> alt.LayerChart:
    title, domain, ticks = PANELS[score]
    base = alt.Chart(alt.NamedData("scores")).transform_filter(f"datum.score == '{score}'")
    labels = alt.Axis(values=list(range(len(STEPS))), labelExpr="steps[datum.value]", labelOverlap="greedy")
    x = alt.X("checkpoint:Q", scale=alt.Scale(nice=False), axis=axis("steps", labels))
    y = {"scale": alt.Scale(domain=domain, nice=False), "axis": axis(None, alt.Axis(values=ticks))}
    names = [*LOSSES.values()]
    colour = alt.Color("loss:N", scale=alt.Scale(domain=names, range=COLOURS[: len(names)]), legend=None)
    dash = alt.StrokeDash("loss:N", scale=alt.Scale(domain=names, range=[[6, 3], [1, 0]]), legend=None)
    here = base.transform_filter("datum.checkpoint == checkpoint")
    seeds = base.transform_filter("isValid(datum.min)").mark_area(opacity=0.18, aria=False)
    return alt.layer(
        seeds.encode(x, alt.Y("min:Q", **y), alt.Y2("max:Q"), colour),
        base.mark_line(strokeWidth=2, aria=False).encode(x, alt.Y("value:Q", **y), colour, dash),
        here.mark_rule(aria=False, color=alt.expr("muted")).encode(x),
        here.mark_point(filled=True, size=50, opacity=1, aria=False).encode(x, alt.Y("value:Q", **y), colour),
        *legend_with_values(here, "loss", names, colour),
    ).properties(width=165, height=140, title=heading(title))
