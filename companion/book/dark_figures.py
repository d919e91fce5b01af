"""Sphinx extension by which SVG figures follow the page into the dark: a style in each file recolours what is drawn.

A browser lets an image have the color scheme of the element that shows it, and `custom.css` says which. Greys change
places, so that ink is light; what is a tint of white becomes the same tint of the page; dark hues are lightened; all
other colours stay, so that a colour keeps its meaning.
"""

import re
from pathlib import Path

from matplotlib.colors import to_hex, to_rgb
from sphinx.application import Sphinx

PAGE, INK = 0x12 / 255, 0.92  # the theme's dark page, and what black becomes
GREY = 0.1  # between the strongest and the weakest channel
TINT, DARK, SEEN = 0.5, 0.2, 0.27  # luminances: above, a tint; below, lightened, to this one
DRAWN = re.compile(
    r"""\b(?P<what>fill|stroke)(?P<sets>: ?|=")(?P<colour>#[0-9a-f]{6}\b|#[0-9a-f]{3}\b|white\b|black\b)""", re.I
)
OPENS = re.compile(r"<svg\b[^>]*>")


def on_dark(colour: str) -> str:
    """Return what a colour that was chosen for a white page is on the dark one."""
    channels = to_rgb(colour)
    least, most = min(channels), max(channels)
    if most - least < GREY:
        return to_hex([PAGE + (1 - sum(channels) / 3) * (INK - PAGE)] * 3)
    light = luminance(channels)
    if light > TINT:
        return to_hex([channel - least * (1 - PAGE) for channel in channels])
    while luminance(channels) < SEEN and light < DARK:
        channels = [channel + 0.05 * (1 - channel) for channel in channels]
    return to_hex(channels)


def luminance(channels) -> float:
    """Return the relative luminance of sRGB, from 0 to 1."""
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def with_dark(svg: str) -> str:
    """Return an SVG file with the colours of the dark page beside its own."""
    rules = {}
    for one in DRAWN.finditer(svg):
        what, sets, colour = one["what"], one["sets"], one["colour"]
        chosen = f'[style*="{what}{sets}{colour}"]' if sets[0] == ":" else f'[{what}="{colour}"]'
        rules[chosen] = f"{chosen}{{{what}:{on_dark(colour.lower())}!important}}"
    if not rules:
        return svg
    style = f"<style>@media (prefers-color-scheme: dark){{{''.join(rules.values())}}}</style>"
    return OPENS.sub(lambda opens: opens.group() + style, svg, count=1)


def darken(app: Sphinx, exception: Exception | None) -> None:
    """Put the style into the figures of a book that is written."""
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_images").glob("*.svg"):
        svg = path.read_text(encoding="utf8")
        if "prefers-color-scheme" not in svg:
            path.write_text(with_dark(svg), encoding="utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book."""
    app.connect("build-finished", darken)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
