"""Sphinx extension that links the numbers of tables to what they were made of: rows, their command, their provenance.

A number becomes a link into the explorer where one configuration there, and no second one, goes by the words that head
the number's line, column and table, and has this value as its mean over seeds, to the digits that are printed. As the
value is compared, no link leads to rows that say otherwise. Where a table itself names the cell, that one is taken.
Differences, correlations and counts rest on many cells, and stay without a link.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import pandas as pd
from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

from companion.charts.cells import PAGE, cells, link
from companion.labels import short
from companion.statistics.encoders import FRAME
from companion.statistics.tables import PAPER_SETS, SET_TITLES
from emargin.config import FIDELITIES
from emargin.data.catalogue import UCR, UCR_SIZES
from emargin.methods import METHODS
from emargin.paths import home

TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
HEADING = re.compile(r"<h[1-4]>(.+?)</h[1-4]>", re.DOTALL)
NAME = re.compile(
    r'<p class="name">(.+?)</p>|<p><strong>(.+?)</strong></p>|class="output stream[^>]*>.{0,120}?<pre>(.+?)</pre>',
    re.DOTALL,
)
ANCHOR = re.compile(r"#c([0-9a-f]{7})$")  # the command of a cell
MEAN = re.compile(r"(?P<mean>[+−-]?\d+\.\d+)(?: ± (?P<std>\d+\.\d+)| \(one seed\))?(?: †)?")
MOST = 3 / 4  # of the numbers of a column without a deviation: fewer are equal by chance
SETTLED = ("source", "dataset", "quick", "method", "fidelity", "protocol", "fold", "reading", "encoder", "surrogate")
ABOUT = ("dataset", "method", "fidelity", "reading", "protocol", "material", "encoder")
USUAL = {"protocol": "original, fold 1", "material": "recordings", "encoder": FRAME}
NAMES = {  # how heads call what the explorer has, beside its own words; the longer name is looked for first
    "metric": {
        "davies-bouldin index": "davies_bouldin",
        "davies-bouldin": "davies_bouldin",
        "dbi": "davies_bouldin",
        "silhouette": "silhouette",
        "nmi with the classes": "nmi",
        "nmi": "nmi",
        "ari": "ari",
        "effective rank": "participation_ratio",
        "rank": "participation_ratio",
        "mean cosine": "mean_cosine",
        "uniformity": "uniformity",
        "alignment": "alignment",
        "paper's probe": "balanced_accuracy",
        "probe": "balanced_accuracy",
        "balanced acc., ten epochs": "balanced_accuracy",
        "balanced accuracy": "balanced_accuracy",
        "converged probe": "converged_balanced_accuracy",
        "converged linear": "converged_balanced_accuracy",
        "balanced acc., converged": "converged_balanced_accuracy",
        "converged": "converged_balanced_accuracy",
        "converged linear, accuracy": "converged_accuracy",
        "at its optimum": "certified_balanced_accuracy",
        "c = 1": "certified_balanced_accuracy",
        "chosen penalty": "chosen_balanced_accuracy",
        "c chosen": "chosen_balanced_accuracy",
        "whitened": "whitened_balanced_accuracy",
        "k-nn": "knn_balanced_accuracy",
        "k nearest neighbours": "knn_balanced_accuracy",
        "mlp": "mlp_balanced_accuracy",
        "accuracy": "accuracy",
        "f1 (weighted)": "weighted_f1",
        "precision (macro)": "macro_precision",
        "recall (macro)": "macro_recall",
    },
    "dataset": {title.lower(): name for name, title in SET_TITLES.items()}
    | {name: name for name in SET_TITLES}
    | {f"{name}-sim": f"{name}-sim" for name in PAPER_SETS}
    | {title.lower(): f"{name}-noise" for name, title in PAPER_SETS.items()}
    | {"sleep-edf": "sleepedf-features"}
    | {name.lower(): UCR + name for name in UCR_SIZES},
    "method": {short(method.title).lower(): name for name, method in METHODS.items()} | {"random": "random-calibrated"},
    "fidelity": {name: name for name in FIDELITIES},
    "reading": {name: name for name in ("all-pairs", "anchor", "pair")},
    "material": {"as recorded": "recordings", "frames in random order": "frames in random order"}
    | {"random phases": "phases at random"},
    "encoder": {"context-small": "context-small", "context": "context", "frame": FRAME},
}
Known = Mapping[tuple[str, str], Sequence["Configuration"]]
UNTRAINED = [name for name, method in METHODS.items() if method.untrained]


@dataclass(frozen=True)
class Configuration:
    """The seeds of one configuration, which the digest of the first one stands for.

    about: by the names of `NAMES`, and its protocol. settings: those that are not usual. values: mean and standard
    deviation over seeds by metric.
    """

    cells: tuple[str, ...]
    about: Mapping[str, str]
    settings: Mapping[str, str]
    values: Mapping[str, tuple[float, float]]

    def reads(self, metric: str, text: re.Match) -> bool:
        """Return whether this metric is printed so; accuracy is printed as a share, or in percent."""
        factors = (1, 100) if metric == "accuracy" else (1,)
        parts = [part for part in ("mean", "std") if text[part]]
        return any(
            all(_prints(text[part], factor * value) for part, value in zip(parts, self.values[metric], strict=False))
            for factor in factors
        )

    def nearness(self, words: str) -> tuple:
        """Return how near the words of a number's heads come, the more the nearer: by settings, then what is usual."""
        numbers = re.findall(r"[\d.]+", words)
        named = sum(
            f"{value}'s labels" in words if name == "labels" else _number(value) in map(_number, numbers)
            for name, value in self.settings.items()
        )
        usual = sum(self.about[name] == value for name, value in USUAL.items())
        return named - len(self.settings), named, usual, "-" not in self.cells[0]


def configurations(table: pd.DataFrame) -> dict[tuple[str, str], list[Configuration]]:
    """Return the configurations of the explorer's cells, by data set and method."""
    metrics = [name for name, kind in table.dtypes.items() if pd.api.types.is_float_dtype(kind)]
    found: dict[tuple[str, str], list[Configuration]] = {}
    for (flags, _), own in table.groupby(["flags", "store"], sort=False):
        words = str(flags).split()
        given = {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)}
        about = given | {name: own[name].iloc[0] for name in ("protocol", "material", "encoder", "reading", "fidelity")}
        settings = {name: value for name, value in given.items() if name not in SETTLED}
        mean, std = own[metrics].mean(), own[metrics].std()
        values = {name: (mean[name], std[name]) for name in metrics if pd.notna(mean[name])}
        one = Configuration(tuple(own.cell), about, settings, values)
        found.setdefault((about["dataset"], about["method"]), []).append(one)
    return found


def made_of(
    text: str, heads: Sequence[str], around: Sequence[str], known: Known, digest: str = ""
) -> tuple[Configuration, str] | None:
    """Return the configuration and the metric that a number of a table is the mean of; None where that is not clear.

    heads: of its line and its column. around: what the table is called, and the headings above it, the nearest first.
    digest: how that of a cell begins that the table names.
    """
    number = MEAN.fullmatch(text)
    if not number or any(head.startswith(("paper,", "the paper,")) for head in heads):
        return None
    groups = [tuple(_plain(head) for head in heads), *((_plain(name),) for name in around)]
    named = {kind: next(filter(None, (_named(kind, group) for group in groups)), frozenset()) for kind in NAMES}
    words = " ".join(word for group in groups for word in group)
    fold, protocol = re.search(r"fold (\d)", words), re.search(r"protocol (released|original)", words)
    settled = f"{protocol[1] if protocol else 'original'}, fold {fold[1] if fold else 1}"
    for datasets in filter(None, (_named("dataset", group) for group in groups)):
        fitting = [
            (one.nearness(" ".join(groups[0])), one, metric)
            for dataset, method in product(datasets, named["method"] or {"emargin"})
            for one in known.get((dataset, method), ())
            if one.about["protocol"] == settled and any(cell.startswith(digest) for cell in one.cells)
            if all(_agrees(one, kind, named[kind]) for kind in ("fidelity", "reading", "material", "encoder"))
            for metric in named["metric"] & one.values.keys()
            if one.reads(metric, number)
        ]
        if fitting:
            nearest = max(nearness for nearness, *_ in fitting)
            near = [(one, metric) for nearness, one, metric in fitting if nearness == nearest]
            return near[0] if len(near) == 1 else None
    return None


def _agrees(one: Configuration, kind: str, values: frozenset[str]) -> bool:
    if not values or (kind in ("fidelity", "reading") and one.about["method"] in UNTRAINED):
        return True
    return one.about[kind] in values


@cache
def _named(kind: str, heads: tuple[str, ...]) -> frozenset[str]:
    """Return what a kind of name stands for in these heads; a metric only where a head or a part of one is its name."""
    found = set()
    for head in heads:
        if kind == "metric":
            head = head.removeprefix("the ")
            parts = [head] if head in NAMES[kind] else head.split(", ")
            found |= {NAMES[kind][part] for part in parts if part in NAMES[kind]}
            continue
        for name in sorted(NAMES[kind], key=len, reverse=True):
            pattern = rf"(?<![\w+-]){re.escape(name)}(?![\w-])"
            if re.search(pattern, head):
                found.add(NAMES[kind][name])
                head = re.sub(pattern, "", head)
    return frozenset(found)


def _plain(head: str) -> str:
    return re.sub(r"[↑↓%†]|, %", "", head.replace("’", "'").replace("−", "-")).strip(" ,").lower()


def _prints(text: str, value: float) -> bool:
    """Return whether a value is printed so: half of the last digit may lie between."""
    return abs(_number(text) - value) <= 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-6


def _number(text: str) -> float:
    try:
        return float(text.replace("−", "-").strip("."))
    except ValueError:
        return float("nan")


def linked(body: str, page: str, address: str, known: Known) -> str:
    """Return a page's text with the numbers of its tables linked; address: of the explorer, from there."""
    name = page.replace("_", " ")

    def with_links(table: re.Match) -> str:
        if not re.search(r">\s*[+−-]?\d+\.\d", table.group()):
            return table.group()
        return _linked_table(table.group(), [*_around(body[: table.start()]), name], address, known)

    return TABLE.sub(with_links, body)


def _linked_table(table: str, around: Sequence[str], address: str, known: Known) -> str:
    soup = BeautifulSoup(table, "html.parser")
    grid = _grid(soup)
    top = len(soup.select("thead tr"))
    corner = [_text(grid[place]) for place in grid if place[0] < top and place[1] == 0]
    found: dict[tuple[int, int], tuple[Configuration, str] | None] = {}
    for (line, column), cell in grid.items():
        if line < top or cell.name == "th" or not MEAN.fullmatch(_text(cell)):
            continue
        before = [grid[line, at] for at in range(column) if (line, at) in grid]
        heads = [_text(other) for other in before if other.name == "th" or not MEAN.match(_text(other))]
        heads += [_text(grid[at, column]) for at in range(top) if (at, column) in grid]
        anchor = cell.find("a", href=ANCHOR)
        digest = ANCHOR.search(str(anchor["href"]))[1] if anchor else ""
        found[line, column] = made_of(_text(cell), heads, [*filter(None, corner), *around], known, digest)
    for (line, column), own in found.items():
        cell = grid[line, column]
        anchor = cell.find("a", href=ANCHOR)
        alike = [one for place, one in found.items() if place[1] == column and "±" not in _text(grid[place])]
        by_chance = anchor is None and "±" not in _text(cell) and len([*filter(None, alike)]) < MOST * len(alike)
        if own is None or by_chance:
            continue
        if anchor is None:
            anchor = soup.new_tag("a")
            anchor.extend(list(cell.contents))
            cell.append(anchor)
        anchor["href"] = address + link(own[0].cells[0], own[1])
    return str(soup)


def _grid(table: BeautifulSoup) -> dict[tuple[int, int], Tag]:
    """Return the cells of a table by line and column; what spans several stands in each of them."""
    grid: dict[tuple[int, int], Tag] = {}
    for line, row in enumerate(table.find_all("tr")):
        column = 0
        for cell in row.find_all(["th", "td"]):
            while (line, column) in grid:
                column += 1
            for down in range(int(str(cell.get("rowspan", "1")))):
                for right in range(int(str(cell.get("colspan", "1")))):
                    grid[line + down, column + right] = cell
    return grid


def _around(before: str) -> list[str]:
    """Return what stands above a table, the nearest first: its name, and three headings."""
    headings = list(HEADING.finditer(before))[-3:]
    names = list(NAME.finditer(before, headings[-1].end() if headings else 0))[-1:]
    found = [next(filter(None, match.groups())) for match in [*headings, *names]]
    return [BeautifulSoup(name, "html.parser").get_text() for name in reversed(found)]


def _text(cell: Tag) -> str:
    return " ".join(cell.get_text(" ").split())


@cache
def _known() -> Known:
    return configurations(cells(path.parent for path in sorted((home() / "results").glob("*/rows.csv"))))


def add_links(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Link the numbers of a page before it is written."""
    if "<table" in context.get("body", "") and page != PAGE and app.builder.name == "html":
        context["body"] = linked(context["body"], page, context["pathto"](PAGE), _known())


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book, before what makes files of the tables."""
    app.connect("html-page-context", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
