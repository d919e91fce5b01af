"""Break the titles and labels of a figure that are longer than their place, so that a narrow figure holds them."""

import textwrap
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

GAP = 5.0  # points between the words of neighbours
LEAST = 6  # letters a line


def fit(fig: Figure) -> None:
    """Break what is too long, in place: titles and labels of axes, labels of the figure."""
    while _broken(fig):  # what is broken takes room of its own, so that panels become smaller
        pass


def _broken(fig: Figure) -> bool:
    """Break what is too long in the layout as it is; return whether there was anything."""
    fig.draw_without_rendering()
    before = [text.get_text() for text in fig.findobj(Text)]
    axes = [axis for axis in fig.axes if axis.get_visible() and axis.axison]
    gap, width, height = GAP * fig.dpi / 72, fig.bbox.width, fig.bbox.height
    for axis in axes:
        box = axis.get_window_extent()
        others = [other.get_window_extent() for other in axes if other is not axis]
        beside = [other for other in others if other.y0 < box.y1 and box.y0 < other.y1]
        over = [other for other in others if other.x0 < box.x1 and box.x0 < other.x1]
        right = min((other.x0 for other in beside if other.x0 > box.x1), default=width)
        left = max((other.x1 for other in beside if other.x1 < box.x0), default=None)
        above = min((other.y0 for other in over if other.y0 > box.y1), default=height)
        below = max((other.y1 for other in over if other.y1 < box.y0), default=0)
        for title in _titles(axis):
            _break(title, right - gap - box.x0)
        ends = ((box.x1 + right) / 2 if right < width else width, (left + box.x0) / 2 if left else 0)
        _break(axis.xaxis.label, _around((box.x0 + box.x1) / 2, *ends) - gap)
        top = box.y1 if any(_titles(axis)) else (box.y1 + above) / 2 if above < height else height
        ends = (top, (below + box.y0) / 2 if below else 0)
        _break(axis.yaxis.label, _around((box.y0 + box.y1) / 2, *ends) - gap)
    for text in fig.texts:
        _break(text, (height if text.get_rotation() else width) - gap)
    return before != [text.get_text() for text in fig.findobj(Text)]


def _titles(axis: Axes) -> Iterable[Text]:
    words = {axis.get_title(place) for place in ("left", "center", "right")} - {""}
    return [child for child in axis.get_children() if isinstance(child, Text) and child.get_text() in words]


def _around(centre: float, end: float, start: float) -> float:
    return 2 * min(end - centre, centre - start)


def _break(text: Text, room: float) -> None:
    """Break the lines of a text, each into as few as it takes."""
    words = text.get_text()
    letters = max(map(len, words.split("\n")))
    while _length(text) > room and letters > LEAST:
        letters -= 1
        lines = [textwrap.fill(line, letters, break_long_words=False) for line in words.split("\n")]
        text.set_text("\n".join(lines))


def _length(text: Text) -> float:
    box = text.get_window_extent()
    return box.height if text.get_rotation() == 90 else box.width
