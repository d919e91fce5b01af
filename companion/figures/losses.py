"""One diagram of the twelve losses: what each pulls to what, and what it pushes apart. As HTML with drawings in SVG.

Rows are sequences or views, circles are frames in their order. Drawings take the colours of the page, so that they are
right in light and dark, and stand in as many columns as go, so that they can be read on a phone.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, FRAMES, LEFT, STEP, RADIUS = 200, 132, 7, 30, 26, 5
PULL, PUSH, REBUILD = "pull", "push", "rebuild"
KINDS = {PULL: "pulled together", PUSH: "pushed apart", REBUILD: "rebuilt or matched"}
STYLE = """
.losses { --pull: #0072B2; --push: #C04A00; }
html[data-theme="dark"] .losses { --pull: #6CC0F0; --push: #F0A030; }
.losses .panels { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(10.2rem, 1fr)); }
.losses .panel { border-top: 1px solid var(--pst-color-border); font-size: 0.8rem; line-height: 1.35; }
.losses .panel { text-align: start; }
.losses .panel b, .losses .panel span { display: block; }
.losses .panel span + span { color: var(--pst-color-text-muted); margin-top: 0.25rem; }
.losses svg { color: var(--pst-color-text-base); display: block; height: auto; width: 100%; }
.losses .key { display: flex; flex-wrap: wrap; font-size: 0.85rem; gap: 0.2rem 1.2rem; margin-bottom: 0.8rem; }
.losses .key span { align-items: center; display: inline-flex; gap: 0.4rem; }
.losses .key svg { width: 3.6rem; }
.losses .pull { --c: var(--pull); } .losses .push { --c: var(--push); } .losses .rebuild { --c: currentColor; }
.losses .line { fill: none; stroke: var(--c); stroke-width: 1.8; }
.losses .push .line { stroke-dasharray: 5 3; } .losses .rebuild .line { stroke-dasharray: 1.5 2.5; }
.losses .head { fill: var(--c); }
.losses .frame { fill: var(--pst-color-background); stroke: currentColor; stroke-width: 1.2; }
.losses .anchor { fill: currentColor; }
.losses .band { fill: currentColor; opacity: 0.07; }
.losses .box { fill: none; stroke: currentColor; stroke-width: 1; }
.losses text { fill: currentColor; font-size: 12px; }
"""
ITEM = re.compile(r"\bD(\d+)\b")

Point = tuple[float, float]


@dataclass(frozen=True)
class Link:
    """A force between two points, bent upwards by `bend`; strength from 0 to 1 is the width of its line."""

    start: Point
    end: Point
    kind: str
    bend: float = 0.0
    strength: float = 1.0


@dataclass(frozen=True)
class Loss:
    """A panel: rows with their names and heights, anchors, boxes round what has one embedding, and forces."""

    title: str
    words: str
    released: str
    rows: tuple[tuple[str, float], ...]
    anchors: tuple[Point, ...]
    links: tuple[Link, ...]
    boxes: tuple[tuple[float, float, float], ...] = ()  # row's height, first and last frame


def at(row: float, frame: float) -> Point:
    """Return the place of a frame in the row of that height; 2.5 is between two frames."""
    return LEFT + STEP * frame, row


def _to(row: float, anchor: int, kind: str, frames: tuple[int, ...], up: float = 1) -> tuple[Link, ...]:
    """Return forces from an anchor to frames of its own row, bent the more the further they are."""
    return tuple(Link(at(row, anchor), at(row, f), kind, up * (8 + 5 * abs(f - anchor))) for f in frames)


A, B, C = 26.0, 66.0, 106.0
TWO, THREE = (("i", 40.0), ("j", 92.0)), (("i", A), ("i′", B), ("j", C))
UPPER, LOWER = 40.0, 92.0

LOSSES = (
    Loss(
        "InfoNCE",
        "The next frame is pulled, all other frames of the sequence are pushed.",
        "Released: both neighbours are pulled, the whole batch is pushed (D10, D11).",
        TWO,
        (at(UPPER, 3),),
        _to(UPPER, 3, PULL, (4,)) + _to(UPPER, 3, PUSH, (0, 1, 6), -1),
    ),
    Loss(
        "eMargin, the paper’s",
        "Label 0: as InfoNCE. Label 1: the next frame is pushed, the others are pulled (reading anchor).",
        "The labels come from the input (section 3.1).",
        (("0", UPPER), ("1", LOWER)),
        (at(UPPER, 3), at(LOWER, 3)),
        _to(UPPER, 3, PULL, (4,))
        + _to(UPPER, 3, PUSH, (0, 1, 6), -1)
        + _to(LOWER, 3, PUSH, (4,))
        + _to(LOWER, 3, PULL, (0, 1, 6), -1),
    ),
    Loss(
        "eMargin, released",
        "Neighbours and all other frames of the batch are pulled; nothing is pushed.",
        "Every label is 1 (D1), and the denominator attracts (D8), while the logarithm’s argument is positive (D6).",
        TWO,
        (at(UPPER, 3),),
        _to(UPPER, 3, PULL, (2, 4))
        + _to(UPPER, 3, PULL, (0, 6), -1)
        + tuple(Link(at(UPPER, 3), at(LOWER, f), PULL) for f in (1, 3, 5)),
    ),
    Loss(
        "CPC",
        "A summary of the past is pulled to the next frames and pushed from other frames of the batch.",
        "Released: the frame to find is in the summary, which is never trained (D16).",
        TWO,
        (),
        (Link(at(UPPER, 1.5), at(UPPER, 4), PULL, 26), Link(at(UPPER, 1.5), at(UPPER, 5), PULL, 34))
        + tuple(Link(at(UPPER + 11, 1.5), at(LOWER, f), PUSH) for f in (1, 3, 5)),
        ((UPPER, 0, 3),),
    ),
    Loss(
        "TNC",
        "A window is pulled to one nearby. One far away is pushed, and with a small weight pulled.",
        "Released: the discriminator that compares them is never trained (D17).",
        TWO,
        (),
        (
            Link(at(UPPER, 0.5), at(UPPER, 2.5), PULL, 24),
            Link(at(UPPER + 11, 0.5), at(UPPER + 11, 5.5), PUSH, -26),
            Link(at(UPPER, 0.5), at(UPPER, 5.5), PULL, 33, 0.2),
        ),
        ((UPPER, 0, 1), (UPPER, 2, 3), (UPPER, 5, 6)),
    ),
    Loss(
        "InfoTS",
        "Views of a sequence are pulled, sequences are pushed; within a view, a segment is pulled to the next.",
        "Released: an encoder of its own (D20), views that are not learned (D21).",
        THREE,
        (),
        (
            Link((LEFT - 4, A + 9), (LEFT - 4, B - 9), PULL),
            Link((LEFT - 4, B + 9), (LEFT - 4, C - 9), PUSH),
            Link(at(A, 0.5), at(A, 2.5), PULL, 20),
            Link(at(A + 8, 0.5), at(A + 8, 5.5), PUSH, -18),
        ),
        ((A, 0, 1), (A, 2, 3), (A, 5, 6), (B, 0, 6), (C, 0, 6)),
    ),
    Loss(
        "CoST",
        "A frame’s trend is pulled to its key, pushed from a queue of earlier keys. Seasons: likewise, by frequency.",
        "Released: query and key are one module, so the encoder is never trained (D23).",
        (("q", A), ("k", B), ("", C)),
        (at(A, 3),),
        (Link(at(A, 3), at(B, 3), PULL), *(Link(at(A, 3), at(C, f), PUSH, 0) for f in (1, 5))),
        ((C, 0, 6),),
    ),
    Loss(
        "SimMTM",
        "Masked copies of a series are pulled to it, other series are pushed; it is rebuilt from all.",
        "Released: each frame is a series (D25).",
        THREE,
        (),
        (
            Link(at(A + 9, 1), at(B - 9, 1), PULL),
            Link(at(A + 9, 3), at(C - 9, 3), PUSH, -22),
            Link(at(B - 9, 5), at(A + 9, 5), REBUILD),
            Link(at(C - 9, 6), at(A + 9, 6), REBUILD),
        ),
        ((A, 0, 6), (B, 0, 6), (C, 0, 6)),
    ),
    Loss(
        "TimeDRL",
        "Two passes of a sequence are pulled; nothing is pushed. Each patch is rebuilt from its token.",
        "Released: evaluated on input that it was not trained on (D26).",
        (("i", UPPER), ("i′", LOWER)),
        (),
        (
            Link(at(UPPER + 9, 1), at(LOWER - 9, 1), PULL),
            Link(at(UPPER + 8, 4), (at(UPPER, 4)[0], UPPER + 26), REBUILD),
            Link(at(LOWER - 8, 4), (at(LOWER, 4)[0], LOWER - 26), REBUILD),
        ),
        ((UPPER, 0, 6), (LOWER, 0, 6)),
    ),
    Loss(
        "TS2Vec",
        "A frame in two crops is pulled together; other frames, and the same frame of other sequences, are pushed.",
        "Released: the crops do not line up (D27).",
        THREE,
        (at(A, 3),),
        (
            Link(at(A, 3), at(B, 3), PULL),
            *(Link(at(A, 3), at(B, f), PUSH) for f in (0, 6)),
            Link(at(A, 3), at(C, 3), PUSH, -24),
        ),
    ),
    Loss(
        "SoftCLT",
        "As TS2Vec, but near frames and similar sequences are pulled too, by degree.",
        "Released: the soft weights are off (D28).",
        THREE,
        (at(A, 3),),
        (
            Link(at(A, 3), at(B, 3), PULL),
            *(Link(at(A, 3), at(B, f), PULL, 0, 0.45) for f in (2, 4)),
            *(Link(at(A, 3), at(B, f), PUSH) for f in (0, 6)),
            Link(at(A, 3), at(C, 3), PULL, -26, 0.3),
        ),
    ),
    Loss(
        "MF-CLR",
        "A frame is pulled to that of a copy bent in time, pushed from other sequences; distances match coarse ones.",
        "Released: channels in the place of frames, and all sequences pulled (D30).",
        THREE,
        (at(A, 2),),
        (
            Link(at(A, 2), at(B, 2), PULL),
            Link(at(A, 2), at(C, 2), PUSH, -26),
            Link(at(A + 9, 5), at(C - 9, 5), REBUILD, -20),
        ),
    ),
)


def diagram(losses: tuple[Loss, ...] = LOSSES) -> str:
    """Return the panels of losses with their key, as HTML."""
    keys = "".join(f"<span>{_key(kind)}{words}</span>" for kind, words in KINDS.items())
    frames = (
        '<span><svg viewBox="0 0 40 14" aria-hidden="true" style="width: 2.4rem"><circle class="frame anchor" cx="10" '
        'cy="7" r="5"/><circle class="frame" cx="28" cy="7" r="5"/></svg>anchor, frame</span>'
    )
    panels = "\n".join(_panel(loss) for loss in losses)
    return (
        f'<div class="losses">\n<style>{STYLE}</style>\n<div class="key">{keys}{frames}</div>\n'
        f'<div class="panels">\n{panels}\n</div>\n</div>'
    )


def _panel(loss: Loss) -> str:
    released = ITEM.sub(r'<a href="ledger.html#d\1">D\1</a>', escape(loss.released))
    return (
        f'<div class="panel"><b>{escape(loss.title)}</b>{drawing(loss)}'
        f"<span>{escape(loss.words)}</span><span>{released}</span></div>"
    )


def drawing(loss: Loss) -> str:
    """Return the drawing of a loss as SVG, named by its words."""
    parts = [*_rows(loss), *(part for link in loss.links for part in _link(link))]
    parts += [_circle(place, "frame anchor", RADIUS + 1) for place in loss.anchors]
    name = escape(f"{loss.title}: {loss.words}", quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg>'


def _rows(loss: Loss) -> Iterator[str]:
    width = STEP * (FRAMES - 1) + 24
    for name, row in loss.rows:
        yield f'<rect class="band" x="{LEFT - 12}" y="{row - 12:g}" width="{width}" height="24" rx="5"/>'
        yield f'<text x="2" y="{row + 4:g}">{escape(name)}</text>'
        yield from (_circle(at(row, frame), "frame", RADIUS) for frame in range(FRAMES))
    for row, first, last in loss.boxes:
        (x, _), (end, _) = at(row, first), at(row, last)
        yield f'<rect class="box" x="{x - 9:g}" y="{row - 9:g}" width="{end - x + 18:g}" height="18" rx="4"/>'


def _link(link: Link) -> Iterator[str]:
    """Yield a force: arrowheads that meet in the middle pull, arrowheads at its ends push, one at its end rebuilds."""
    (x0, y0), (x1, y1) = link.start, link.end
    control = (x0 + x1) / 2 + (2 * link.bend if x0 == x1 else 0), (y0 + y1) / 2 - (0 if x0 == x1 else 2 * link.bend)
    width = f' style="stroke-width: {max(0.7, 1.8 * link.strength):g}"' if link.strength < 1 else ""
    curve = f"M{x0:g} {y0:g} Q{control[0]:g} {control[1]:g} {x1:g} {y1:g}"
    yield f'<g class="{link.kind}"><path class="line"{width} d="{curve}"/>'
    reach = 9 / max(1.0, math.hypot(x1 - x0, y1 - y0))
    heads = {
        PULL: ((0.5 - 0.1 * reach, 1), (0.5 + 0.1 * reach, -1)),
        PUSH: ((reach, -1), (1 - reach, 1)),
        REBUILD: ((1 - 0.2 * reach, 1),),
    }
    yield from (
        _head(link, control, place, way, 4.5 if link.strength > 0.4 else 3.2) for place, way in heads[link.kind]
    )
    yield "</g>"


def _head(link: Link, control: Point, t: float, way: int, size: float) -> str:
    """Return an arrowhead whose tip is at t on the curve, along it (way 1) or against it (-1)."""
    (x0, y0), (x1, y1) = link.start, link.end
    x, y = (
        (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last
        for first, middle, last in zip((x0, y0), control, (x1, y1), strict=True)
    )
    dx, dy = (
        way * ((1 - t) * (middle - first) + t * (last - middle))
        for first, middle, last in zip((x0, y0), control, (x1, y1), strict=True)
    )
    angle = math.atan2(dy, dx)
    back = [
        (x - size * 1.7 * math.cos(angle + turn), y - size * 1.7 * math.sin(angle + turn)) for turn in (-0.42, 0.42)
    ]
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in ((x, y), *back))
    return f'<polygon class="head" points="{points}"/>'


def _key(kind: str) -> str:
    link = Link((4, 8), (56, 8), kind)
    return f'<svg viewBox="0 0 60 16" aria-hidden="true">{"".join(_link(link))}</svg>'


def _circle(place: Point, kind: str, radius: float) -> str:
    return f'<circle class="{kind}" cx="{place[0]:g}" cy="{place[1]:g}" r="{radius:g}"/>'
