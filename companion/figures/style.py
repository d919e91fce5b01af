"""One look: opaque white, a colour-blind-safe palette, a marker beside each colour."""

import os
import sys

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends import BackendFilter, backend_registry
from matplotlib.figure import Figure

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
INK, MUTED = "#222222", "#777777"

plt.rcParams.update(
    {
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.transparent": False,
        "figure.dpi": 110,
        "savefig.dpi": 110,
        "figure.constrained_layout.use": True,
        "font.size": 10,
        "axes.titlesize": 10.5,
        "axes.labelsize": 10,
        "legend.fontsize": 9,
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
    InlineBackend.instance().print_figure_kwargs = {"bbox_inches": None}


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 2.6, **keywords
) -> tuple[Figure, Axes]:
    """`plt.subplots` at the width of the book's column (inches); height is that of one row."""
    return plt.subplots(rows, columns, figsize=(width, height * rows), **keywords)


def mark_source(fig: Figure, text: str) -> None:
    """Write on the figure what data it shows: real or simulated, and the profile."""
    fig.text(0.995, 0.002, text, ha="right", va="bottom", fontsize=7.5, color=MUTED)
    fig.get_layout_engine().set(rect=(0, 0.035, 1, 0.965))
