"""The page of maps: the paper's Figure 1 for every method and real set, from the committed results alone."""

import io
import itertools
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from companion.figures.fit import fit
from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source
from companion.grid.store import Store
from companion.labels import label
from companion.statistics.map_shape import local_dimension
from emargin.config import Experiment
from emargin.methods import METHODS

DPI = 150  # of a page full of maps: sharp on most screens, and under 2 MB
CURVE, AREA = 1.5, 1.75  # local dimension: a map is a curve up to the first, an area above the second
LINE, NO_LINE = 1.5, 3.0  # effective rank: an embedding is called a line up to the first, none from the second on
EVEN = {"s": 0.9, "D": 0.85, "^": 1.2, "v": 1.2, "<": 1.2, ">": 1.2, "P": 1.2, "X": 1.2, "*": 1.5}  # to equal area
SCORES = ("participation_ratio", "mean_cosine", "silhouette", "davies_bouldin", "nmi")

# Nineteen classes are more than colours can tell apart: a colour for each kind, a marker for each activity of a kind.
ACTIVITIES = {
    "at rest": ("sitting", "standing", "lying on back", "lying on right side", "standing in an elevator still"),
    "stairs and elevator": ("ascending stairs", "descending stairs", "moving around in an elevator"),
    "walking": ("walking in a parking lot", "walking on a treadmill flat", "walking on a treadmill 15 deg inclined"),
    "running, jumping": ("running on a treadmill", "jumping", "playing basketball"),
    "machines": (
        "exercising on a stepper",
        "exercising on a cross trainer",
        "cycling horizontal",
        "cycling vertical",
        "rowing",
    ),
}


@dataclass(frozen=True, eq=False)
class Map:
    """The t-SNE map of one cell, or the reason why there is none.

    points, labels: `(m, 2)` and `(m,)`. scores: those of SCORES, which are of the whole clustering draw, and
    "local_dimension", which is of the map. why_not: "not run", "failed" with the reason, or "no map kept", as of
    further seeds; then all else is empty.
    """

    cell: Experiment
    points: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    scores: dict[str, float] = field(default_factory=dict)
    why_not: str = ""

    @property
    def title(self) -> str:
        """The name of the method, short enough for a title."""
        return label(self.cell)


def maps_of(store: Store, cells: Sequence[Experiment]) -> list[Map]:
    """A map for each cell, in the order of the cells."""
    rows = store.rows.groupby("digest")
    arrays = store.arrays_of_cells(("map", "map_labels"))

    def map_of(cell: Experiment) -> Map:
        if cell.digest not in store.known:
            return Map(cell, why_not="not run")
        of_cell = rows.get_group(cell.digest)
        if cell.digest in store.failed:
            return Map(cell, why_not=f"failed: {of_cell.note.iloc[0]}")
        if cell.digest not in arrays:
            return Map(cell, why_not="no map kept")
        own_arrays = arrays[cell.digest]
        points, labels = own_arrays["map"].astype(float), own_arrays["map_labels"].astype(int)
        values = of_cell.set_index("metric").value
        scores = {name: float(values[name]) for name in SCORES} | {"local_dimension": local_dimension(points)}
        return Map(cell, points, labels, scores)

    return [map_of(cell) for cell in cells]


def pairs(maps: Sequence[Map]) -> list[tuple[Map | None, Map | None]]:
    """The maps of one set as rows of a figure, `released` left and `original` right, in the order of the paper's table.

    The two controls, which have no fidelity, stand side by side. eMargin comes last, with a row for each of its further
    readings; None where there is nothing on the other side.
    """
    controls = [drawn for drawn in maps if METHODS[drawn.cell.method].untrained]
    rows = list(itertools.zip_longest(controls[::2], controls[1::2]))
    for method in dict.fromkeys([*METHODS, *(drawn.cell.method for drawn in maps)]):
        of_method = [drawn for drawn in maps if drawn.cell.method == method and drawn not in controls]
        rows += itertools.zip_longest(
            *(
                [drawn for drawn in of_method if drawn.cell.fidelity == fidelity]
                for fidelity in ("released", "original")
            )
        )
    return rows


def class_names(store: Store, dataset: str, protocol: str) -> tuple[str, ...]:
    """Names of the classes, in the order of their labels, from the rows of any cell of the set; none if none has run.

    The note of the clustering scores counts the frames of each class: "AFIB 1577, AFL 732".
    """
    rows = store.rows[(store.rows.metric != "failed") & (store.rows.note != "")]
    notes = rows.note[(rows.dataset == dataset) & (rows.protocol == protocol)]
    return tuple(re.findall(r"(.+?) \d+(?:, |$)", notes.iloc[0])) if len(notes) else ()


def looks(classes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each class, no two alike, in the order of the legend."""
    if len(classes) <= len(PALETTE):
        return {name: (PALETTE[number], MARKERS[number]) for number, name in enumerate(classes)}
    kinds = {
        name: (PALETTE[kind], MARKERS[number])
        for kind, names in enumerate(ACTIVITIES.values())
        for number, name in enumerate(names)
    }
    if set(classes) <= set(kinds):
        return {name: look for name, look in kinds.items() if name in classes}
    return {
        name: (PALETTE[number % len(PALETTE)], MARKERS[(number + number // len(PALETTE)) % len(MARKERS)])
        for number, name in enumerate(classes)
    }


def map_grid(rows: Sequence[tuple[Map | None, Map | None]], classes: Sequence[str], source: str) -> Figure:
    """Maps two in a row, each with its scores below; an empty panel says why it is empty.

    classes: names in the order of the labels; without any there is no legend.
    """
    styles, longest = looks(classes), max(map(len, classes), default=0)
    columns = 5 if longest < 6 else 3 if longest < 16 else 2
    inches = 2.7 * len(rows) + 0.17 * -(-len(styles) // columns) + 0.3  # panels, lines of the legend, the source
    fig, axes = figure(len(rows), 2, height=inches / len(rows), squeeze=False)
    for axis, drawn in zip(axes.flat, itertools.chain.from_iterable(rows), strict=True):
        if drawn is None:
            axis.set_axis_off()
            continue
        for number, name in enumerate(classes):
            colour, marker = styles[name]
            axis.plot(
                *drawn.points[drawn.labels == number].T,
                marker,
                color=colour,
                alpha=0.8,
                markersize=2.3 * EVEN.get(marker, 1),
                markeredgewidth=0,
            )
        _frame(axis, drawn)
    handles = [
        Line2D([], [], linestyle="none", color=colour, marker=marker, markersize=5, label=name)
        for name, (colour, marker) in styles.items()
    ]
    if handles:
        legend(
            fig,
            handles=handles,
            loc="outside upper left",
            ncols=columns,
            handletextpad=0.2,
            columnspacing=1.0,
        )
    mark_source(fig, source)
    fig.get_layout_engine().set(rect=(0, 0.2 / inches, 1, 1 - 0.2 / inches))  # room for one line, however tall
    return fig


def png(fig: Figure) -> bytes:
    """The figure as a PNG file, closed. Its colours are cut down to grey and tints of those drawn: a third of the size.

    Markers that overlap take the nearest of these.
    """
    fit(fig)
    fig.set_dpi(DPI)
    drawn = {to_rgb(line.get_color()) for axis in fig.axes for line in axis.lines}
    shares = np.linspace(0.1, 1, 10)[:, None]
    tints = [1 - shares * (1 - np.array(colour)) for colour in sorted(drawn)]
    greys = np.linspace(0, 1, 16)[:, None] * np.ones(3)
    colours, stream = Image.new("P", (1, 1)), io.BytesIO()
    colours.putpalette((255 * np.vstack([greys, *tints])).round().astype(np.uint8).tobytes())
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    plt.close(fig)
    pixels.quantize(palette=colours, dither=Image.Dither.NONE).save(stream, "PNG")
    return stream.getvalue()


def shapes(maps: Sequence[Map]) -> pd.DataFrame:
    """A line a map that is there: data set, method, kind of method, scores, and what the map is called.

    shape: "piles" at a local dimension of 0, where most points lie on others, "curve" up to CURVE, "band" up to AREA,
    else "area".
    """
    return pd.DataFrame(
        [
            {"dataset": drawn.cell.dataset, "method": drawn.title, "kind": _kind(drawn.cell)}
            | drawn.scores
            | {"shape": _shape(drawn.scores["local_dimension"])}
            for drawn in maps
            if not drawn.why_not
        ],
        columns=["dataset", "method", "kind", *SCORES, "local_dimension", "shape"],
    )


def drawn_out(table: pd.DataFrame) -> pd.DataFrame:
    """Count the maps that are no area: a line a fidelity, columns "emargin", "of_emargin", "others", "of_others".

    table: from `shapes`. eMargin's are those with its defaults; the controls are left out.
    """
    kept = table[(table.kind != "control")]
    kept = kept[~((kept.kind == "eMargin") & kept.method.str.contains("pair|the paper's labels"))]
    thin, ours = kept["shape"] != "area", kept.kind == "eMargin"
    counted = pd.DataFrame({"emargin": thin & ours, "of_emargin": ours, "others": thin & ~ours, "of_others": ~ours})
    fidelity = np.where(kept.method.str.contains(", released"), "released", "original")
    return counted.groupby(fidelity).sum()


def shape_against_rank(table: pd.DataFrame, source: str) -> Figure:
    """Local dimension of the map against effective rank of the embedding: a colour a set, a marker a kind of method.

    table: from `shapes`. The frames hold the maps that speak against the page's explanation.
    """
    fig, axis = figure(height=4.0)
    highest = max(20.0, 1.15 * table.participation_ratio.max()) if len(table) else 20.0
    for name, corner, width, height in (
        ("thin map, no line", (NO_LINE, 0.03), highest - NO_LINE, AREA - 0.03),
        ("line,\nno curve", (0.93, AREA), LINE - 0.93, 2.05 - AREA),
    ):
        axis.add_patch(Rectangle(corner, width, height, facecolor="#eeeeee", edgecolor=MUTED, linestyle=":"))
        axis.text(corner[0] * 1.05, corner[1] + height - 0.03, name, va="top", color=INK)
    sets, kinds = list(dict.fromkeys(table.dataset)), ["control", "InfoNCE", "other method", "eMargin"]
    for (dataset, kind), group in table.groupby(["dataset", "kind"]):
        axis.plot(
            group.participation_ratio,
            group.local_dimension,
            MARKERS[kinds.index(kind)],
            color=PALETTE[sets.index(dataset)],
            markersize=6,
            alpha=0.85,
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
    axis.set(
        xscale="log",
        xlim=(0.93, highest),
        ylim=(-0.07, 2.05),
        xlabel="effective rank of the embedding (log)",
        title="local dimension of the map",
    )
    ticks = [rank for rank in (1, 1.5, 3, 5, 10, 20, 50, 100, 200) if rank <= highest]
    axis.set_xticks(ticks, labels=[f"{rank:g}" for rank in ticks])
    axis.minorticks_off()
    handles = [
        Line2D([], [], linestyle="none", marker="o", color=PALETTE[number], label=name)
        for number, name in enumerate(sets)
    ]
    handles += [
        Line2D([], [], linestyle="none", marker=MARKERS[number], color=INK, markerfacecolor="white", label=name)
        for number, name in enumerate(kinds)
    ]
    legend(fig, handles=handles, loc="outside upper left", ncols=4, handletextpad=0.2)
    mark_source(fig, source)
    return fig


def _frame(axis, drawn: Map) -> None:
    axis.set(xticks=[], yticks=[])
    axis.set_title(drawn.title)
    for spine in axis.spines.values():
        spine.set(visible=True, color="#cccccc")
    if drawn.why_not:
        reason = textwrap.fill(textwrap.shorten(drawn.why_not, 150, placeholder=" ..."), 28)
        axis.text(0.5, 0.5, reason, transform=axis.transAxes, ha="center", va="center", color=MUTED)
        axis.set_xlabel("\n")
        return
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel(
        "effective rank {participation_ratio:.1f}, local dimension {local_dimension:.1f}\n"
        "cosine {mean_cosine:.2f}, silhouette {silhouette:.2f}, DBI {davies_bouldin:.2f}".format_map(drawn.scores),
    )


def _kind(cell: Experiment) -> str:
    if METHODS[cell.method].untrained:
        return "control"
    return {"infonce": "InfoNCE", "emargin": "eMargin"}.get(cell.method, "other method")


def _shape(dimension: float) -> str:
    if dimension == 0:
        return "piles"
    return "curve" if dimension <= CURVE else "band" if dimension <= AREA else "area"
