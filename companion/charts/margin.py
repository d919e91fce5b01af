"""The margin: the map, its slope, what it does to a positive and to negatives, and the released logarithm's argument.

The forces are those on an anchor when all cosines are s: the derivative of its loss by the cosine of its positive (or
of its two, in the released loss), and by those of all its negatives together. With y the label, n the frames of a
batch, and f the slope of the map:

    InfoNCE                  positive  -1 / tau            negatives  1 / tau
    anchor                   positive  -f(s, y) / tau      negatives  f(s, y) / tau
    pair                     positive  -f(s, y) / tau      negatives  1 / tau
    all-pairs, others apart  positive  -f(s, y) / tau      negatives  f(s, 1) / tau
    released                 positive  -1 / tau - exp(s / tau) / (tau A)      negatives  gamma f(s, y) G / (tau A)

    with G = 2 (n - 1) exp(gamma psi(s, y) / tau), and A = G - exp(s / tau), the argument of the logarithm

In all-pairs one of the n - 2 negatives, the neighbour before, has the neighbours' label; here it counts as the others.
"""

import altair as alt

from companion.charts.chart import COLOURS, Chart, axis, heading, menu, slider
from companion.figures.style import INK, MUTED
from emargin.data.catalogue import HARTH
from emargin.losses.margin import RELEASED_SCALE

BATCH = 8
FRAMES = BATCH * HARTH.sequence_length
READINGS = {
    "released": "released, two sides",
    "anchor": "original, anchor",
    "pair": "original, pair",
    "all-pairs": "original, all-pairs, others apart",
    "infonce": "InfoNCE",
}
HEIGHT = 200


def chart() -> Chart:
    """Return the chart of the margin."""
    parameters = [
        slider("m", "Margin m", (0.1, 6, 0.1), 5),
        slider("tau", "Temperature τ", (0.05, 1, 0.05), 0.05),
        menu("reading", "Loss", READINGS, "released"),
        menu("label", "Label of the neighbours", {"1": "1, apart", "0": "0, alike"}, "1"),
        alt.param("y", expr="toNumber(label)"),
        alt.param("y_others", expr="reading == 'all-pairs' ? 1 : y"),
        alt.param("sign", expr="reading == 'released' ? -1 : 1"),
        alt.param("gamma", value=RELEASED_SCALE),
        alt.param("n", value=FRAMES),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    drawing = alt.concat(_map(), _slope(), _forces(), _argument(), columns=2, spacing=30)
    return Chart(
        "margin", drawing.resolve_scale(color="independent", strokeDash="independent").add_params(*parameters), {}
    )


def mapped(label: str) -> str:
    """Return the map of a label as an expression of the cosine datum.s."""
    plain = f"({label} == 0 ? sign * datum.s * datum.s / 2 : pow(max(0, m - datum.s), 2) / 2)"
    return f"(reading == 'infonce' ? datum.s : {plain})"


def slope(label: str) -> str:
    """Return the slope of the map as such an expression."""
    return f"(reading == 'infonce' ? 1 : {label} == 0 ? sign * datum.s : -max(0, m - datum.s))"


def _cosines() -> alt.Chart:
    return alt.Chart(alt.sequence(-1, 1.005, 0.01, as_="s"))


def _map() -> alt.LayerChart:
    return _by_label("map", "The map of a cosine", mapped)


def _slope() -> alt.LayerChart:
    return _by_label("slope", "Its slope", slope)


def _by_label(name: str, title: str, expression) -> alt.LayerChart:
    lines = (
        _cosines()
        .transform_calculate(similar=expression("0"), dissimilar=expression("1"))
        .transform_fold(["similar", "dissimilar"], as_=["key", "value"])
        .transform_calculate(Label="datum.key == 'similar' ? 'label 0, alike' : 'label 1, apart'")
        .properties(name=name)
    )
    return _panel(lines, title, "Label:N")


def _forces() -> alt.LayerChart:
    lines = (
        _cosines()
        .transform_calculate(G=f"2 * (n - 1) * exp(gamma * {mapped('y')} / tau)")
        .transform_calculate(A="datum.G - exp(datum.s / tau)")
        .transform_calculate(
            positive=f"reading == 'released' ? -1 / tau - exp(datum.s / tau) / (tau * datum.A) : -{slope('y')} / tau",
            negatives=f"reading == 'released' ? gamma * {slope('y')} * datum.G / (tau * datum.A)"
            f" : (reading == 'pair' ? 1 : {slope('y_others')}) / tau",
        )
        .transform_fold(["positive", "negatives"], as_=["key", "value"])
        .transform_calculate(
            value="abs(datum.value) * tau > 8 ? null : datum.value",
            Pair="datum.key == 'positive' ? 'on the positive' : 'on the negatives'",
        )
        .properties(name="forces")
    )
    return _panel(lines, "Force: below 0 draws together", "Pair:N")


def _panel(lines: alt.Chart, title: str, colour: str) -> alt.LayerChart:
    x, y = alt.X("s:Q", axis=axis("cosine s")), alt.Y("value:Q", axis=axis(None))
    scale = alt.Color(colour, scale=alt.Scale(range=COLOURS), legend=alt.Legend(title=None, orient="bottom"))
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(color=alt.expr("muted"), aria=False).encode(y="zero:Q")
    drawn = lines.mark_line(strokeWidth=2.5, aria=False, invalid="break-paths-filter-domains").encode(
        x, y, scale, strokeDash=alt.StrokeDash(colour, legend=None)
    )
    return alt.layer(zero, drawn).properties(width=300, height=HEIGHT, title=heading(title))


def _argument() -> alt.LayerChart:
    """Where the argument is negative: a > tau log(2 (n - 1)) + gamma psi(b, y), in the approximation of the page."""
    psi = "(y == 0 ? -datum.b * datum.b / 2 : pow(max(0, m - datum.b), 2) / 2)"
    base = (
        alt.Chart(alt.sequence(0, 1.005, 0.01, as_="b"))
        .transform_calculate(critical=f"tau * log(2 * (n - 1)) + gamma * {psi}")
        .transform_calculate(critical="clamp(datum.critical, 0, 1)", top="1")
        .properties(name="argument")
    )
    x = alt.X("b:Q", axis=axis("cosine of the others"))
    y = alt.Y("critical:Q", scale=alt.Scale(domain=[0, 1]), axis=axis("cosine of the neighbours"))
    diagonal = alt.Chart(alt.InlineData([{"b": 0}, {"b": 1}])).mark_line(
        strokeDash=[2, 3], color=alt.expr("muted"), aria=False
    )
    return alt.layer(
        base.mark_area(color=COLOURS[1], opacity=0.35, line={"color": COLOURS[1]}, aria=False).encode(x, y, y2="top:Q"),
        diagonal.encode(x, y=alt.Y("b:Q", axis=axis("cosine of the neighbours"))),
    ).properties(width=300, height=HEIGHT, title=heading("Where the released argument is < 0"))
