"""One look: opaque white, a colour-blind-safe palette, a marker beside each colour; SVG whose type a phone can show."""

import io
import os
import re
import sys
import textwrap

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends import BackendFilter, backend_registry
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation

from companion.figures.fit import fit

# Okabe and Ito's palette, darker yellow; order chosen so that neighbours differ in lightness too
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A6D00",
    "#000000",
    "#999999",
    "#5D3A9B",
    "#B2182B",
    "#1B7837",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "d")
INK, MUTED = "#222222", "#6b6b6b"

# A phone 420 px wide shows figures at 388 px, so that there a point of a figure of full width is a pixel.
WIDTH, SMALL = 5.4, 9.0  # inches; points of the smallest type
SHOWN = 5 / 3  # pixels a point where there is room: 648 for a figure of full width
HEAVY = 150_000  # characters of an SVG; above, what has many points is drawn as an image, at twice the pixels shown
MANY = 100  # points
BORDER = 3.0  # points, white

plt.rcParams.update(
    {
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.transparent": False,
        "figure.dpi": 110,
        "savefig.dpi": 144 * SHOWN,
        "svg.hashsalt": "figure",  # names inside a file that are the same in every run
        "figure.constrained_layout.use": True,
        "font.size": 9.5,
        "axes.titlesize": 10,
        "axes.labelsize": 9.5,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "figure.labelsize": 9.5,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.titlelocation": "left",
        "axes.prop_cycle": plt.cycler(color=PALETTE),
    }
)


def _is_a_notebook() -> bool:
    """Whether the module is imported in the kernel of a notebook, which shows figures itself."""
    return {"ipykernel", "IPython"} <= sys.modules.keys() and hasattr(sys.modules["IPython"].get_ipython(), "kernel")


# Many machines of continuous integration and clusters set MPLBACKEND=agg, for programs that only write files; under it
# a notebook shows no figure.
NAMED = os.environ.get("MPLBACKEND", "").lower()
if NAMED in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE) and _is_a_notebook():
    plt.rcParams["backend"] = "module://matplotlib_inline.backend_inline"  # loaded below, which connects its hooks

if "inline" in (matplotlib.get_backend(auto_select=False) or ""):
    # A notebook draws each figure three times: when its cell ends, to crop it, and to show it. The last is enough: the
    # constrained layout leaves nothing to crop. The hook of the first is connected by the choice of the backend.
    from matplotlib_inline.config import InlineBackend

    plt.switch_backend(plt.get_backend())
    plt.uninstall_repl_displayhook()
    InlineBackend.instance().figure_formats = {"svg"}
    InlineBackend.instance().shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, lambda fig: svg(fig))


def figure(
    rows: int = 1, columns: int = 1, *, width: float = WIDTH, height: float = 2.6, **keywords
) -> tuple[Figure, Axes]:
    """`plt.subplots` at the width of the book's column (inches); height is that of one row."""
    return plt.subplots(rows, columns, figsize=(width, height * rows), **keywords)


def legend(fig: Figure, *entries, ncols: int = 1, **keywords) -> Legend:
    """`fig.legend`, above the panels, with as many of these columns as the figure is wide enough for."""
    made = fig.legend(*entries, ncols=ncols, **{"loc": "outside upper left"} | keywords)
    while ncols > 1 and made.get_window_extent().width > fig.bbox.width:
        made.remove()
        ncols -= 1
        made = fig.legend(*entries, ncols=ncols, **{"loc": "outside upper left"} | keywords)
    return made


def mark_source(fig: Figure, text: str) -> None:
    """Write on the figure what data it shows: real or simulated, and the profile."""
    width, height = 72 * fig.get_size_inches()
    lines = textwrap.wrap(text, int(width / (0.54 * SMALL)))  # the mean width of a letter
    fig.text(1 - 2 / width, 2 / height, "\n".join(lines), ha="right", va="bottom", fontsize=SMALL, color=MUTED)
    room = 1.2 * SMALL * len(lines) + 4
    fig.get_layout_engine().set(rect=(0, room / height, 1, 1 - room / height))
    if label := fig.get_supxlabel():  # the layout leaves room for it, but sets it at the border
        fig.supxlabel(label, transform=fig.transSubfigure + ScaledTranslation(0, room / 72, fig.dpi_scale_trans))


def svg(fig: Figure) -> str:
    """Return a figure as an SVG file, the same bytes in every run."""
    fit(fig)
    text = _written(fig)
    if len(text) > HEAVY:
        for axis in fig.axes:
            for line in axis.lines:
                line.set_rasterized(len(line.get_xdata()) > MANY)
            for collection in axis.collections:
                collection.set_rasterized(max(len(collection.get_offsets()), len(collection.get_paths())) > MANY)
        text = min(text, _written(fig), key=len)
    return text


def _written(fig: Figure) -> str:
    stream = io.StringIO()
    fig.savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    written = stream.getvalue()
    return _framed(written[written.index("<svg") :])


def _framed(svg: str) -> str:
    """Return the file with a white border, as letters may be wider than the layout takes them for, and its size."""
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    wide, high = width + 2 * BORDER, height + 2 * BORDER
    box = f'viewBox="{-BORDER:g} {-BORDER:g} {wide:g} {high:g}"'
    svg = re.sub(r'viewBox="[^"]*"', box, svg, count=1)
    svg = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', f'width="{wide * SHOWN:.0f}" height="{high * SHOWN:.0f}"', svg, count=1
    )
    paper = f'<rect x="{-9 * BORDER:g}" y="{-9 * BORDER:g}" width="200%" height="200%" fill="#ffffff"/>'  # and beyond
    return re.sub(r"<svg[^>]*>", lambda start: f"{start.group()}\n {paper}", svg, count=1)
