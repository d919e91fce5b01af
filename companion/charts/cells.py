"""Every cell: any metric of all committed cells against any other."""

import json
from collections.abc import Iterable
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from companion.charts.chart import ALL, COLOURS, Chart, axis, menu
from companion.figures.style import INK, MUTED
from companion.grid.store import Store
from companion.labels import short
from companion.statistics.encoders import CONTROLS, FRAME
from companion.statistics.tables import NEAREST, PAPER_METRICS, PAPER_NAMES, PAPER_SETS, SET_TITLES
from emargin.config import Experiment
from emargin.data.catalogue import UCR
from emargin.methods import METHODS
from emargin.paths import home
from emargin.resolve import Resolved, resolve

FIRST = ("source", "dataset", "quick", "method", "fidelity", "protocol", "fold")  # what the command of any cell names
GAIN = "_gain"
NAME, PAGE = "cells", "book/cells"  # of the explorer, and where it is in the book
WITH_GAIN = ("balanced_accuracy", "converged_balanced_accuracy", "chosen_balanced_accuracy")
PAPERS = {ours: theirs for ours, theirs in PAPER_METRICS.items()} | {
    name: name for name in ("davies_bouldin", "silhouette")
}

CLUSTERS = {
    "silhouette": "Silhouette",
    "davies_bouldin": "Davies-Bouldin index",
    "calinski_harabasz": "Calinski-Harabasz index",
    "nmi": "NMI of clusters and classes",
    "ari": "ARI of clusters and classes",
    "participation_ratio": "Effective rank",
    "mean_cosine": "Mean cosine of two frames",
    "uniformity": "Uniformity",
    "alignment": "Alignment",
}
PROBES = {
    "": "Paper’s probe",
    "converged_": "Converged probe",
    "certified_": "Probe at its optimum, C = 1",
    "chosen_": "Probe at its optimum, C chosen",
    "whitened_": "Probe at its optimum, whitened",
    "knn_": "k nearest neighbours",
    "mlp_": "Network with one hidden layer",
}
SCORES = {
    "balanced_accuracy": "balanced accuracy",
    "balanced_accuracy_gain": "above the untrained control",
    "accuracy": "accuracy",
    "weighted_f1": "F1 (weighted)",
    "macro_f1": "F1 (macro)",
    "macro_precision": "precision (macro)",
    "macro_recall": "recall (macro)",
    "gradient": "gradient left",
    "C": "C",
    "dimensions": "directions",
}
UNKNOWN = "not recorded"
SERIES = "series_"  # of sets in which a whole series is scored, not its frames
GROUPS = {  # how a set is drawn
    "SP-SW-HAR": "spsw-har",
    "Daily and Sports Activities": "dsads",
    "features of Sleep-EDF": "sleepedf-features",
    "MIT-BIH Arrhythmia": "mitbih",
    "UCR archive": UCR,
    "simulated": "-sim",
    "white noise": "-noise",
}
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")


def title(metric: str) -> str:
    """Return how a metric is called in the menus."""
    if metric in CLUSTERS:
        return CLUSTERS[metric]
    prefix = max((prefix for prefix in PROBES if metric.startswith(prefix)), key=len)
    score = metric.removeprefix(prefix)
    return f"{PROBES[prefix]}, {SCORES.get(score, score)}"


def flags(experiment: Resolved) -> str:
    """Return the flags of `emargin run` that ask for this experiment, without its seed: what defaults leave open."""
    values = {name: value for name, value in vars(experiment).items() if value not in (None, False)}
    named = {name: values[name] for name in FIRST if name in values}
    usual = vars(resolve(Experiment.from_dict(named | {"seed": experiment.seed})))
    named |= {name: value for name, value in values.items() if usual.get(name) != value and name != "seed"}
    # flags for what is so by default are noise
    named = {
        name: value for name, value in named.items() if (name, value) not in (("protocol", "original"), ("fold", 1))
    }
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in named.items())


def cells(folders: Iterable[Path]) -> pd.DataFrame:
    """Return a line a cell of these stores that did not fail: what sets it apart, and its metrics but the dial's.

    A configuration that two stores have is one where the metrics of both agree, and otherwise each store's own: on
    another processor a cell comes out like another seed. The grid's, which the tables show, goes by the bare digest.
    """
    found: dict[str, dict[str, dict[str, dict]]] = {}  # flags, store, digest -> line
    for folder in sorted(folders, key=lambda folder: folder.name != "grid"):
        for words, own in _lines(Store(folder)).items():
            stores = found.setdefault(words, {})
            same = next((lines for lines in stores.values() if _agree(own, lines)), None)
            if same is None:
                taken = {digest for lines in stores.values() for digest in lines}
                for digest in own.keys() & taken:
                    own[digest]["cell"] = f"{digest}-{folder.name}"
                stores[folder.name] = own
                continue
            for digest, line in own.items():
                rows = same[digest]["rows"] + ", " if digest in same else ""
                same[digest] = line | same.get(digest, {}) | {"rows": rows + folder.name}
    together = [
        line | {"store": store}
        for stores in found.values()
        for store, lines in stores.items()
        for line in lines.values()
    ]
    return _with_gains(pd.DataFrame(together))


def _lines(store: Store) -> dict[str, dict[str, dict]]:
    """Return the cells of a store that did not fail, by their flags and digests."""
    rows = store.rows[(store.rows.metric != "failed") & ~store.rows.metric.str.startswith("dial_")]
    found: dict[str, dict[str, dict]] = {}
    for digest, of_cell in rows.groupby("digest", sort=False):
        about = _about(Resolved.settled(json.dumps(store.records[digest]["experiment"])))
        about |= {"rows": store.folder.name, "cell": digest, **_provenance(store.records[digest])}
        values = dict(zip(of_cell.metric.str.removeprefix(SERIES), of_cell.value, strict=True))
        found.setdefault(about["flags"], {})[digest] = about | values
    return found


def _agree(own: dict[str, dict], others: dict[str, dict]) -> bool:
    """Return whether two stores have cells in common, with equal metrics."""
    both = own.keys() & others.keys()
    pairs = [
        (own[digest][name], others[digest][name])
        for digest in both
        for name in own[digest].keys() & others[digest].keys()
        if isinstance(own[digest][name], float)
    ]
    return bool(both) and np.allclose(*np.transpose(pairs), rtol=1e-6, equal_nan=True)


def link(cell: str, metric: str) -> str:
    """Return what follows the explorer's address for it to open with a cell, and a metric of it."""
    along = "across" if metric == "silhouette" else "up"  # it is across by itself
    return f"#chart={NAME}&cell={cell}&{along}={metric}"


def paper() -> pd.DataFrame:
    """Return the values of the paper's tables, a line a set of ours and method, with our names of metrics."""
    titles = {theirs: ours for names in PAPER_NAMES.values() for ours, theirs in names.items()}
    rows = pd.read_csv(home() / "results" / "paper" / "tables.csv")
    rows["metric"] = rows.metric.replace({theirs: ours for ours, theirs in PAPERS.items()})
    rows["mean"] = rows["mean"].where(rows.metric != "accuracy", rows["mean"] / 100)
    rows["method"] = [short(titles.get(name, name)) for name in rows.method]
    wide = rows.pivot(index=["dataset", "method"], columns="metric", values="mean").reset_index()
    ours = [wide[wide.dataset == theirs].assign(set=_set(name)) for name, theirs in NEAREST.items()]
    table = pd.concat(ours, ignore_index=True)
    table["dataset"] = table.dataset.map(PAPER_SETS)
    return table[[*(name for name in table if name not in PAPERS), *PAPERS]]


def chart(folders: Iterable[Path] | None = None) -> Chart:
    """Return the explorer of all committed cells."""
    if folders is None:
        folders = [path.parent for path in sorted((home() / "results").glob("*/rows.csv"))]
    table, theirs = cells(folders), paper()
    metrics = [name for name in table if name in _ORDER]
    titles = {name: title(name) for name in sorted(metrics, key=_ORDER.index)}
    table["symbol"] = table["set"].map(_group)
    filters = {
        name: menu(f"only_{name}", words, {ALL: "all"} | {value: value for value in table[name].unique()}, first)
        for name, words, first in (
            ("set", "Set", ALL),
            ("material", "Material", "recordings"),
            ("method", "Method", ALL),
            ("fidelity", "Fidelity", ALL),
            ("reading", "Reading", ALL),
            ("encoder", "Encoder", ALL),
            ("protocol", "Protocol", ALL),
        )
    }
    marked = menu("marked", "Mark a method", {"": "none"} | {name: name for name in table["method"].unique()}, "")
    parameters = [
        menu("across", "Across", titles, "silhouette"),
        menu("up", "Up", titles, "converged_balanced_accuracy"),
        *filters.values(),
        marked,
        alt.param("cell", value=""),
        alt.param("ink", value=INK),
        alt.param("muted", value=MUTED),
        alt.param("titles", value=titles),
        alt.param("nearest", value={_set(name): paper_set for name, paper_set in NEAREST.items()}),
        alt.param("noise_of", expr="marked == '' ? 'eMargin' : marked"),
    ]
    kept = " && ".join(f"(only_{name} == 'all' || datum.{name} == only_{name})" for name in filters)
    kept = f"(datum.cell == cell || {kept})"  # a cell that a link names is shown whatever the menus say
    return Chart(NAME, _drawing(kept).add_params(*parameters), {"cells": table, "paper": theirs}, _META)


def _drawing(kept: str) -> alt.LayerChart:
    placed = {"x": "datum[across]", "y": "datum[up]"}
    both = "isValid(datum.x) && isValid(datum.y)"
    ticks = alt.Axis(tickCount=alt.expr("width / 80"))
    x = alt.X("x:Q", scale=alt.Scale(zero=False), axis=axis(None, ticks))
    y = alt.Y("y:Q", scale=alt.Scale(zero=False), axis=axis(None))
    colours = [*COLOURS[: len(GROUPS) - 1], MUTED]
    legend = alt.Legend(title=None, orient="bottom", offset=34, symbolSize=80)
    dots = (
        alt.Chart(alt.NamedData("cells"), name="dots")
        .transform_calculate(**placed)
        .transform_filter(f"{both} && {kept}")
        .transform_calculate(command="'emargin run ' + datum.flags + ' --seed ' + datum.seed")
        .mark_point(filled=True, aria=False, cursor="pointer", strokeWidth=0)
        .encode(
            x,
            y,
            color=alt.Color("symbol:N", scale=alt.Scale(domain=list(GROUPS), range=colours), legend=legend),
            shape=alt.Shape("symbol:N", scale=alt.Scale(domain=list(GROUPS), range=list(SHAPES))),
            size=alt.condition("datum.cell == cell", alt.value(220), alt.value(42)),
            opacity=alt.condition("marked == '' || datum.method == marked", alt.value(0.8), alt.value(0.1)),
            tooltip=[
                alt.Tooltip("method:N", title="Method"),
                alt.Tooltip("set:N", title="Set"),
                alt.Tooltip("protocol:N", title="Protocol"),
                alt.Tooltip("seed:Q", title="Seed"),
                alt.Tooltip("x:Q", title="Across", format=".3f"),
                alt.Tooltip("y:Q", title="Up", format=".3f"),
                alt.Tooltip("command:N", title="Command"),
            ],
        )
    )
    ring = (
        alt.Chart(alt.NamedData("cells"), name="ring")
        .transform_calculate(**placed)
        .transform_filter(f"datum.cell == cell && {both}")
        .mark_point(filled=False, aria=False, size=300, strokeWidth=2, stroke=alt.expr("ink"))
        .encode(x, y)
    )
    named = f"(only_set == 'all' || datum.set == only_set) && {both} && only_material == 'recordings'"
    diamonds = (
        alt.Chart(alt.NamedData("paper"), name="paper")
        .transform_calculate(**placed)
        .transform_filter(named)
        .mark_point(filled=False, aria=False, shape="diamond", size=110, strokeWidth=1.6, stroke=alt.expr("ink"))
        .encode(
            x,
            y,
            opacity=alt.condition("marked == '' || datum.method == marked", alt.value(0.9), alt.value(0.12)),
            tooltip=[
                alt.Tooltip("method:N", title="The paper’s"),
                alt.Tooltip("dataset:N", title="Set of the paper"),
                alt.Tooltip("x:Q", title="Across", format=".2f"),
                alt.Tooltip("y:Q", title="Up", format=".2f"),
            ],
        )
    )
    words = [_words("titles[across] + ' →'", x="width", y="height + 38", align="right")]
    return (
        alt.layer(_band("x"), _band("y"), _rule("x", x), _rule("y", y), dots, diamonds, ring, *words)
        .properties(
            width="container",
            height=460,
            title=alt.TitleParams(
                alt.expr("'↑ ' + titles[up]"), anchor="start", fontSize=12, fontWeight="normal", color=alt.expr("ink")
            ),
            description="Dots for cells, one metric across and another up; menus choose both, and the cells.",
        )
        .resolve_scale(color="shared", shape="shared")
    )


def _band(channel: str) -> alt.Chart:
    """From the least to the most that white noise has: in the geometry of the set's nearest, of the marked method, or
    else of eMargin, where no fidelity is chosen as released.
    """
    metric = {"x": "across", "y": "up"}[channel]
    noise = "datum.material == 'white noise' && datum.method == noise_of"
    fidelity = (
        "datum.fidelity == 'untrained' || datum.fidelity == (only_fidelity == 'all' ? 'released' : only_fidelity)"
    )
    near = "!isValid(nearest[only_set]) || datum.set == nearest[only_set] + '-noise'"
    ends = {
        "x": {"x": alt.X("least:Q"), "x2": alt.X2("most:Q"), "y": alt.value(0), "y2": alt.value("height")},
        "y": {"y": alt.Y("least:Q"), "y2": alt.Y2("most:Q"), "x": alt.value(0), "x2": alt.value("width")},
    }[channel]
    return (
        alt.Chart(alt.NamedData("cells"), name=f"noise_{channel}")
        .transform_filter(f"{noise} && ({fidelity}) && ({near})")
        .transform_calculate(value=f"datum[{metric}]")
        .transform_filter("isValid(datum.value)")
        .transform_aggregate(least="min(value)", most="max(value)")
        .mark_rect(fill=MUTED, fillOpacity=0.16, stroke=MUTED, strokeOpacity=0.5, aria=False)
        .encode(**ends)
    )


def _rule(channel: str, position) -> alt.Chart:
    """The paper's value of the marked method, where the paper has no value for the other axis."""
    metric, other = {"x": ("across", "up"), "y": ("up", "across")}[channel]
    return (
        alt.Chart(alt.NamedData("paper"), name=f"paper_{channel}")
        .transform_calculate(**{channel: f"datum[{metric}]"})
        .transform_filter(
            f"datum.method == noise_of && (only_set == 'all' || datum.set == only_set) && isValid(datum.{channel})"
            f" && !isValid(datum[{other}]) && only_material == 'recordings'"
        )
        .mark_rule(strokeDash=[5, 4], color=alt.expr("ink"), opacity=0.6, aria=False)
        .encode(
            position,
            tooltip=[
                alt.Tooltip("method:N", title="The paper’s"),
                alt.Tooltip("dataset:N", title="Set of the paper"),
                alt.Tooltip(f"{channel}:Q", title="Value", format=".2f"),
            ],
        )
    )


def _words(text: str, *, x: str, y: str, align: str) -> alt.Chart:
    mark = {"text": alt.expr(text), "x": alt.expr(x), "y": alt.expr(y), "align": align, "aria": False}
    return alt.Chart(alt.InlineData([{}])).mark_text(fontSize=12, color=alt.expr("ink"), **mark)


def _about(experiment: Resolved) -> dict:
    fold = f", fold {experiment.fold}"
    split = f", {experiment.split}" if experiment.split else ""
    simulated = "white noise" if experiment.dataset.endswith("-noise") else "simulated"
    surrogate = {"phase": "phases at random", "frames": "frames in random order"}.get(experiment.surrogate)
    return {
        "set": _set(experiment.dataset),
        "material": surrogate or ("recordings" if experiment.source == "real" else simulated),
        "method": short(METHODS[experiment.method].title),
        "fidelity": "untrained" if METHODS[experiment.method].untrained else experiment.fidelity,
        "reading": experiment.reading or "none",
        "encoder": experiment.encoder or FRAME,
        "protocol": experiment.protocol + fold + split,
        "seed": experiment.seed,
        "flags": flags(experiment),
    }


def _provenance(record: dict) -> dict:
    """What a record says of how its cell came about; "not recorded" where it is of before that was kept."""
    versions = ", ".join(f"{name} {number}" for name, number in record.get("versions", {}).items())
    machine = record.get("processor") or record.get("device")
    return {
        "commit": record.get("commit", UNKNOWN),
        "machine": machine or UNKNOWN,
        "versions": versions or UNKNOWN,
        "data": record["data"],
    }


def _set(dataset: str) -> str:
    return SET_TITLES.get(dataset, dataset.replace(UCR, "UCR "))


def _group(name: str) -> str:
    """Return which of `GROUPS` a set belongs to."""
    if name in GROUPS:
        return name
    return "white noise" if name.endswith("-noise") else "simulated" if name.endswith("-sim") else "UCR archive"


def _with_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Add what a probe reads above the untrained control of the same data, encoder and seed, where there is one."""
    data = ["set", "material", "encoder", "protocol", "seed"]
    is_control = table["method"] == table["encoder"].map(lambda name: METHODS[CONTROLS[name]].title)
    paired = table[data].merge(table[is_control].drop_duplicates(data), on=data, how="left")
    for metric in WITH_GAIN:
        if metric in table:
            gain = table[metric].to_numpy() - paired[metric].to_numpy()
            table[metric + GAIN] = np.where(is_control, np.nan, gain)
    return table


_ORDER = [*CLUSTERS, *(prefix + score for prefix in PROBES for score in SCORES)]
_META = {
    "click": {"marked": "method", "cell": "cell"},  # parameter -> column of the dot that is clicked
    "among": ["marked", "method"],  # what the arrow keys go through
    "marks": "dots",
    "table": "cells",
    "alike": ["flags", "store"],  # the seeds of one configuration have them alike
    "details": {
        "Method": "method",
        "Fidelity": "fidelity",
        "Reading": "reading",
        "Set": "set",
        "Material": "material",
        "Protocol": "protocol",
        "Encoder": "encoder",
    },
    "metrics": ["across", "up"],
    "provenance": {
        "Seed": "seed",
        "Cell (digest)": "cell",
        "Rows in results/": "rows",
        "Commit": "commit",
        "Processor": "machine",
        "Versions": "versions",
        "Checksum of the data": "data",
    },
    "command": ["emargin run ", "flags", " --seed ", "seed"],  # words, a column, words, a column
    "hint": "Click a dot to mark its method and to read its settings and its command; a second click takes the mark "
    "back. With the keyboard, step from dot to dot with the arrow keys.",
    "keys": "Dots of the chart: the left and right arrow keys step from one to the next",
}
