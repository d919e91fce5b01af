"""Write the charts of the book: Vega, and of each chart its script and its still picture.

python -m companion.charts _build/source/book/_static/charts
"""

import sys
from pathlib import Path

import vl_convert

from companion.charts import cells, collapse, dial, labels, line, maps, margin
from companion.charts.chart import VEGA_LITE

CHARTS = (cells.chart, collapse.chart, dial.chart, labels.chart, line.chart, maps.chart, margin.chart)


def main(folder: Path) -> None:
    """Write everything into a folder, and say how large it is."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bundle(folder)
    for make in CHARTS:
        chart = make()
        _write(folder / f"{chart.name}.js", chart.script())
        _write(folder / f"{chart.name}.svg", chart.still())


def write_bundle(folder: Path) -> None:
    """Write Vega, Vega-Lite and Vega-Embed as one script, whose names stay its own but for `window.vegaEmbed`."""
    bundle = vl_convert.javascript_bundle(vl_version=VEGA_LITE)
    _write(folder / "vega.js", f"(() => {{{bundle}}})();\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf8")
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
