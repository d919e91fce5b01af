"""What a chart is: a Vega-Lite specification, the tables that it draws, and a picture of it as it opens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from companion.figures.style import PALETTE

COLOURS = [colour for colour in PALETTE if colour not in ("#000000", "#999999")]  # seen on white and on black
WIDTH = 720  # of a still picture, in pixels
ALL = "all"
VEGA_LITE = "6.4"  # the version that Altair writes for


@dataclass(frozen=True)
class Chart:
    """A chart of the book.

    name : of its files and in its links. drawing : as Altair builds it, with data named as in `tables`. tables : what
    it draws. meta : what `charts.js` is told beside the specification.
    """

    name: str
    drawing: alt.TopLevelMixin
    tables: Mapping[str, pd.DataFrame]
    meta: Mapping[str, object] = field(default_factory=dict)

    def script(self) -> str:
        """Return what hands specification and tables to the page: a script, as a page on disk may not fetch."""
        tables = {name: compact(table) for name, table in self.tables.items()}
        content = {"spec": self.drawing.to_dict(), "tables": tables, "meta": dict(self.meta)}
        return f"(window.charts ??= {{}})[{_json(self.name)}] = {_json(content)};\n"

    def still(self) -> str:
        """Return the chart as it opens, as SVG."""
        spec = self.drawing.to_dict()
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in self.tables.items()}
        spec["datasets"] = spec.get("datasets", {}) | rows
        if spec.get("width") == "container":
            spec["width"] = WIDTH
        config = {"background": "white", "font": "sans-serif", "style": {"cell": {"stroke": None}}}
        return vl_convert.vegalite_to_svg(spec | {"config": config | spec.get("config", {})}, vl_version=VEGA_LITE)


def compact(table: pd.DataFrame) -> dict:
    """Return a table column by column, numbers with six digits that count.

    Words are numbers of "levels". Columns that are mostly empty are "sparse": row -> number.
    """
    columns, levels, sparse = {}, {}, {}
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column):
            codes, words = pd.factorize(column)
            columns[name], levels[name] = codes.tolist(), list(words)
        elif column.notna().mean() < 0.3:
            sparse[name] = {row: _short(value) for row, value in enumerate(column) if np.isfinite(value)}
        else:
            columns[name] = [_short(value) for value in column]
    return {"rows": len(table), "columns": columns, "levels": levels, "sparse": sparse}


def axis(title: str | None, base: alt.Axis | None = None) -> alt.Axis:
    """Return an axis in the colours of the page."""
    look = {"gridOpacity": 0.35, "domainColor": alt.expr("muted"), "tickColor": alt.expr("muted"), "title": title}
    return alt.Axis(**(base.to_dict() if base else {}) | look)


def slider(name: str, title: str, values: tuple[float, float, float], value: float) -> alt.Parameter:
    """Return a parameter with a slider; values: least, most, step."""
    least, most, step = values
    return alt.param(name, value=value, bind=alt.binding_range(min=least, max=most, step=step, name=title))


def menu(name: str, title: str, options: Mapping[str, str], value: str) -> alt.Parameter:
    """Return a parameter with a menu; options: value -> what the menu says."""
    bind = alt.binding_select(options=list(options), labels=list(options.values()), name=title)
    return alt.param(name, value=value, bind=bind)


def heading(words: str | alt.ExprRef) -> alt.TitleParams:
    """Return the title of a panel, in the colour of the page's text."""
    return alt.TitleParams(words, color=alt.expr("ink"))


def legend_with_values(
    here: alt.Chart, column: str, names: Sequence[str], colour: alt.Color, digits: int = 2
) -> list[alt.Chart]:
    """Return the lines of a legend inside a panel, each with the value at the reader's setting.

    here : the rows at this setting, with `column` for the name and "value". names : from the top down.
    """
    lines = []
    for row, name in enumerate(names):
        own = here.transform_filter(f"datum.{column} == '{name}'").transform_calculate(
            words=f"datum.{column} + ' ' + (isValid(datum.value) ? format(datum.value, '.{digits}f') : '–')"
        )
        place = {"y": alt.value(10 + 17 * row)}
        text = own.mark_text(align="left", baseline="middle", fontSize=12, color=alt.expr("ink"), aria=False)
        lines += [
            own.mark_point(filled=True, size=70, opacity=1, aria=False).encode(colour, x=alt.value(12), **place),
            text.encode(x=alt.value(21), text="words:N", **place).properties(name=f"{name.replace(' ', '_')}_value"),
        ]
    return lines


def _short(value: float) -> float | int | None:
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
