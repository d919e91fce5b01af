"""The labels: a threshold on the cosines of adjacent frames of real recordings, and the changes of class it finds.

    python -m companion.charts.labels

needs the recordings of the sets, and writes how many pairs of frames, and how many changes of class, have a cosine in
each bin, and the cosines of one short stretch of a recording. The paper's rule labels a pair 1 whose cosine is not
above the threshold; thresholds are borders of bins, so that the counts are exact.
"""

import json

import altair as alt
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from companion.charts.chart import COLOURS, Chart, axis, heading, legend_with_values, menu, slider
from companion.data_cards import SCALINGS, Framed, frames_of, read_cards
from companion.figures.pseudo_labels import FEWEST
from companion.figures.style import INK, MUTED
from companion.statistics.tables import SET_TITLES
from emargin.data.recordings import UNLABELLED
from emargin.paths import home

FILE = home() / "results" / "charts" / "labels.json"
SETS = ("spsw-har", "dsads", "sleepedf-features", "mitbih")
INPUTS = {"standardised": "standardised frames", "raw": "frames as they are"}
BORDERS = torch.linspace(-1, 1, 101, dtype=torch.float64)  # of bins, a border belongs to the bin below it
STRETCH = 120  # frames at most
PAPER = 0.4
DETECTION = ("labelled 1", "precision", "recall", "precision by chance")
LABELS = ("label 1, apart", "label 0, alike")


def counts(cosines: list[Tensor], labels: list[Tensor]) -> dict[str, list[int]]:
    """Count pairs of labelled frames by bin of their cosine, and those among them whose class changes.

    Parameters
    ----------
    cosines : list of Tensor
        `(F - 1,)` for each recording.
    labels : list of Tensor
        Classes, int `(F,)`.
    """
    counted = [(classes[1:] != UNLABELLED) & (classes[:-1] != UNLABELLED) for classes in labels]
    changed = torch.cat([classes[1:] != classes[:-1] for classes in labels])[torch.cat(counted)]
    bins = torch.bucketize(torch.cat(cosines)[torch.cat(counted)].double(), BORDERS).clamp(1, len(BORDERS) - 1) - 1
    both = {"pairs": bins, "changes": bins[changed]}
    return {name: torch.bincount(there, minlength=len(BORDERS) - 1).tolist() for name, there in both.items()}


def stretch(labels: list[Tensor]) -> tuple[int, slice]:
    """Return recording and frames of the stretch in which the class changes most often.

    Of several such, that in the middle of the first that overlap.
    """

    def changes(classes: Tensor) -> Tensor:
        known = (classes[1:] != UNLABELLED) & (classes[:-1] != UNLABELLED)
        return ((classes[1:] != classes[:-1]) & known).double()

    lengths = [min(STRETCH, len(classes)) for classes in labels]
    sums = [
        changes(classes).unfold(0, length - 1, 1).sum(1).numpy()
        for classes, length in zip(labels, lengths, strict=True)
    ]
    number = int(np.argmax([there.max() for there in sums]))
    starts = np.flatnonzero(sums[number] == sums[number].max())
    together = starts[: np.argmax(np.diff(starts, append=np.inf) > 1) + 1]
    start = int(together[len(together) // 2])
    return number, slice(start, start + lengths[number])


def facts(framed: Framed) -> dict:
    """Return what the chart shows of a set."""
    labels = [part.labels for part in framed.sequences if len(part.labels)]
    number, frames = stretch(labels)
    names = (*framed.recordings.classes, "unlabelled")  # -1 is the last
    cosines, pairs = framed.cosines(), slice(frames.start, frames.stop - 1)
    return {
        "checksum": framed.checksum,
        **{scaling: counts(there, labels) for scaling, there in cosines.items()},
        "stretch": {
            "classes": [names[label] for label in labels[number][frames].tolist()],
            **{name: np.round(there[number][pairs].double().numpy(), 4).tolist() for name, there in cosines.items()},
        },
    }


def chart() -> Chart:
    """Return the chart of the labels."""
    there, cards = json.loads(FILE.read_text(encoding="utf8")), read_cards()
    titles = {SET_TITLES[name]: SET_TITLES[name] for name in SETS}
    step = {SET_TITLES[name]: cards[name]["geometry"]["step_seconds"] for name in SETS}
    parameters = [
        slider("theta", "Threshold θ", (-0.98, 1, 0.02), PAPER),
        menu("shown_set", "Set", titles, next(iter(titles))),
        menu("input", "Input", INPUTS, next(iter(INPUTS))),
        alt.param("step", value=step),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
    ]
    above = alt.concat(_histogram(), _detection(), columns=2, spacing=30).resolve_scale(color="independent")
    drawing = alt.vconcat(above, _time_line(), spacing=24).resolve_scale(color="independent").add_params(*parameters)
    return Chart("labels", drawing, {"bins": bins(there), "frames": frames(there)})


def bins(there: dict) -> pd.DataFrame:
    """Return a line a set, input and bin: its borders, its pairs and its changes."""
    borders = BORDERS.numpy().round(2)
    tables = [
        pd.DataFrame(
            {"set": SET_TITLES[name], "input": scaling, "lower": borders[:-1], "upper": borders[1:]}
            | there[name][scaling]
        )
        for name in SETS
        for scaling in SCALINGS
    ]
    return pd.concat(tables, ignore_index=True)


def frames(there: dict) -> pd.DataFrame:
    """Return a line a frame of the stretches: class, cosine with the next by input, and whether the class changes."""
    tables = []
    for name in SETS:
        part = there[name]["stretch"]
        classes = np.array(part["classes"])
        known = classes != "unlabelled"
        changed = (classes[1:] != classes[:-1]) & known[1:] & known[:-1]
        table = pd.DataFrame({"set": SET_TITLES[name], "frame": np.arange(len(classes)), "class": classes})
        table["changed"] = np.append(changed, False).astype(int)
        tables.append(table.assign(**{scaling: [*part[scaling], None] for scaling in SCALINGS}))
    return pd.concat(tables, ignore_index=True)


def _shown(table: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(table)).transform_filter("datum.set == shown_set")


def _bins() -> alt.Chart:
    return _shown("bins").transform_filter("datum.input == input")


def _threshold(channel: str, scale: alt.Scale) -> alt.Chart:
    rule = alt.Chart(alt.InlineData([{}])).transform_calculate(theta="theta")
    place = alt.X("theta:Q", scale=scale) if channel == "x" else alt.Y("theta:Q", scale=scale)
    return rule.mark_rule(strokeDash=[5, 4], strokeWidth=1.4, color=alt.expr("ink"), aria=False).encode(place)


def _histogram() -> alt.LayerChart:
    scale = alt.Scale(domain=[-1, 1], nice=False)
    shares = (
        _bins()
        .transform_joinaggregate(all_pairs="sum(pairs)", all_changes="sum(changes)")
        .transform_calculate(
            share="datum.pairs / datum.all_pairs",
            of_changes="datum.changes / datum.all_changes",
            none="0",
            label=f"datum.upper < theta + 0.001 ? '{LABELS[0]}' : '{LABELS[1]}'",
        )
    )
    x = alt.X("lower:Q", scale=scale, axis=axis("cosine of adjacent frames"))
    y = {"scale": alt.Scale(domainMin=0), "axis": axis("share")}
    colour = alt.Scale(domain=[*LABELS], range=[COLOURS[1], MUTED])
    bars = (
        shares.mark_rect(aria=False)
        .encode(
            x,
            x2="upper:Q",
            y=alt.Y("share:Q", **y),
            y2="none:Q",
            color=alt.Color("label:N", scale=colour, legend=alt.Legend(title=None, orient="bottom")),
        )
        .properties(name="histogram")
    )
    changes = shares.mark_line(interpolate="step-after", strokeWidth=1.4, color=alt.expr("ink"), aria=False).encode(
        x, alt.Y("of_changes:Q", **y)
    )
    title = heading("Pairs of frames; line: changes of class")
    return alt.layer(bars, changes, _threshold("x", scale)).properties(width=280, height=200, title=title)


def _detection() -> alt.LayerChart:
    base = (
        _bins()
        .transform_joinaggregate(all_pairs="sum(pairs)", all_changes="sum(changes)")
        .transform_window(ones="sum(pairs)", hits="sum(changes)", sort=[alt.SortField("upper")])
        .transform_calculate(
            **{
                DETECTION[0]: "datum.ones / datum.all_pairs",
                DETECTION[1]: f"datum.ones < {FEWEST} ? null : datum.hits / datum.ones",
                DETECTION[2]: "datum.hits / datum.all_changes",
                DETECTION[3]: "datum.all_changes / datum.all_pairs",
            }
        )
        .transform_fold([*DETECTION], as_=["what", "value"])
    )
    scale = alt.Scale(domain=[-1, 1], nice=False)
    x = alt.X("upper:Q", scale=scale, axis=axis("threshold θ"))
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, 1.35], nice=False), axis=axis(None, alt.Axis(values=[0, 0.5, 1])))
    colour = alt.Color("what:N", scale=alt.Scale(domain=[*DETECTION], range=[*COLOURS[1:4], MUTED]), legend=None)
    here = base.transform_filter("abs(datum.upper - theta) < 0.001")
    lines = base.mark_line(strokeWidth=2, aria=False, invalid="break-paths-filter-domains").encode(x, y, colour)
    return alt.layer(
        lines,
        _threshold("x", scale),
        here.mark_point(filled=True, size=60, opacity=1, aria=False).encode(x, y, colour),
        *legend_with_values(here, "what", DETECTION, colour, digits=3),
    ).properties(width=280, height=200, title=heading("What a threshold labels and finds"))


def _time_line() -> alt.LayerChart:
    pairs = (
        _shown("frames")
        .transform_calculate(cosine="datum[input]", at="datum.frame + 1")
        .transform_filter("isValid(datum.cosine)")
        .transform_calculate(
            label=f"datum.cosine <= theta ? '{LABELS[0]}' : '{LABELS[1]}'",
            found="datum.changed == 0 ? 'no change' : datum.cosine <= theta ? 'found' : 'missed'",
        )
    )
    heights = alt.Scale(domain=[-1, 1.3], nice=False)
    across = alt.Scale(nice=False, zero=False)
    x = alt.X("at:Q", scale=across, axis=axis("frame"))
    y = alt.Y("cosine:Q", scale=heights, axis=axis("cosine", alt.Axis(values=[-1, -0.5, 0, 0.5, 1])))
    classes = (
        _shown("frames")
        .transform_calculate(end="datum.frame + 1", low="1.12", high="1.3")
        .mark_rect(aria=False)
        .encode(
            alt.X("frame:Q", scale=across, axis=axis("frame")),
            alt.X2("end:Q"),
            alt.Y("low:Q", scale=heights),
            alt.Y2("high:Q"),
            alt.Color(
                "class:N",
                scale=alt.Scale(range=[COLOURS[0], *COLOURS[2:]]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
        )
        .properties(name="classes")
    )
    changes = pairs.transform_filter("datum.changed == 1").mark_rule(color=alt.expr("ink"), strokeWidth=1.4, aria=False)
    dots = pairs.mark_point(filled=True, opacity=1, aria=False).encode(
        x,
        y,
        shape=alt.condition("datum.cosine <= theta", alt.value("triangle-down"), alt.value("circle")),
        size=alt.condition("datum.cosine <= theta", alt.value(60), alt.value(16)),
        fill=alt.condition("datum.cosine <= theta", alt.value(COLOURS[1]), alt.value(MUTED)),
    )
    counted = (
        pairs.transform_calculate(hit="datum.found == 'found'", false="datum.changed == 0 && datum.cosine <= theta")
        .transform_aggregate(hits="sum(hit)", all="sum(changed)", others="sum(false)")
        .transform_calculate(
            words="datum.hits + ' of ' + datum.all + ' changes found, ' + datum.others + ' other labels'"
        )
    )
    return alt.layer(
        classes,
        changes.properties(name="changes").encode(
            x,
            strokeDash=alt.condition("datum.found == 'found'", alt.value([1, 0]), alt.value([2, 4])),
            opacity=alt.condition("datum.found == 'found'", alt.value(0.9), alt.value(0.6)),
        ),
        pairs.mark_line(strokeWidth=1, color=alt.expr("muted"), aria=False).encode(x, y),
        _threshold("y", heights),
        dots.properties(name="labels"),
        counted.mark_text(align="right", fontSize=12, color=alt.expr("ink"), aria=False).encode(
            x=alt.value("width"), y=alt.value(-8), text="words:N"
        ),
    ).properties(
        width=620, height=190, title=heading(alt.expr("'A stretch of time, a frame each ' + step[shown_set] + ' s'"))
    )


def main() -> None:
    """Write the file."""
    there = {name: facts(frames_of(name)) for name in SETS}
    lines = [f"{json.dumps(name)}: {json.dumps(of_set)}" for name, of_set in there.items()]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf8")


if __name__ == "__main__":
    main()
