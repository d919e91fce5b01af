"""The ledger of differences as one table in HTML: a line an item, which a script of the book's lets a reader filter."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from companion.audit.differences import Difference
from companion.audit.effects import Effect
from companion.claims import signed

GRADES = {"A": "changes what a row of a table means", "B": "affects numbers", "C": "documentation only"}
STATUSES = ("confirmed", "unconfirmed", "dropped")
COLUMNS = ("Item", "Rows of the tables", "Effect where measured", "Verified")
FILES = '<link rel="stylesheet" href="../_static/ledger.css">\n<script src="../_static/ledger.js" defer></script>'


def counts(items: list[dict]) -> pd.DataFrame:
    """Number of items by grade (rows) and status (columns), with sums."""
    table = pd.crosstab(
        pd.Series([item["grade"] for item in items], name="grade"),
        pd.Series([item["status"] for item in items], name="status"),
    )
    table = table.reindex(index=list(GRADES), columns=list(STATUSES), fill_value=0)
    table["all"] = table.sum(axis=1)
    table.loc["all"] = table.sum()
    return table


def place_link(ledger: dict, place: dict) -> str:
    """A link to the cited lines at the ledger's commit."""
    first, last = place["lines"]
    url = f"{ledger['repository']}/blob/{ledger['commit']}/{place['file']}#L{first}-L{last}"
    name = f" ({escape(place['function'])})" if place["function"] else ""
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return f'<a href="{escape(url)}">{escape(place["file"])}, {lines}</a>{name}'


def evidence(entry: str) -> str:
    """One entry of `confirmed_by`, with a link where it is a page."""
    kind, _, what = entry.partition(":")
    if kind == "page":
        page, _, cell = what.partition("/")
        return f'page <a href="{escape(page)}.html">{escape(page)}</a>, cell {escape(cell)}'
    return {"test": "test ", "audit": "computed here, "}[kind] + f"<code>{escape(what)}</code>"


def touched(item: Mapping) -> str:
    """Say which rows of the paper's tables an item touches."""
    if not item["tables"]:
        return escape(item.get("also", "none"))
    tables = "both tables" if len(item["tables"]) == 2 else f"Table {item['tables'][0]}"
    sets = f", {escape(' and '.join(item['sets']))}" if "sets" in item else ""
    rows = "all rows" if item["rows"] == ["all"] else escape(", ".join(item["rows"]))
    return f"{rows}; {tables}{sets}"


def size(item: Mapping, effects: Sequence[Effect]) -> str:
    """Say how large the measured effects of an item are, and what else is in them."""
    if not effects:
        return '<span class="open">not measured</span>'
    lines = [f"{effect.metric} <span>{_change(effect.least)} to {_change(effect.most)}</span>" for effect in effects]
    others = [f"D{number}" for number in item["measured"].get("with", ())]
    together = f'<span class="open">with {_prose(", ".join(others))}</span>' if others else ""
    return "<br>".join(filter(None, [*lines, together]))


def verified(item: Mapping) -> str:
    """Say an item's status, and by what it was verified."""
    kinds = [entry.partition(":")[0] for entry in item["confirmed_by"]]
    pages = dict.fromkeys(
        entry.partition(":")[2].partition("/")[0] for entry in item["confirmed_by"] if entry.startswith("page:")
    )
    by = [f'page <a href="{escape(page)}.html">{escape(page.replace("_", " "))}</a>' for page in pages]
    by += ["test"] * ("test" in kinds) + ["computed here"] * ("audit" in kinds)
    lines = "lines read" if item["where"] else "no code"
    return f"<b>{escape(item['status'])}</b><br>" + ", ".join([lines, *by])


def ledger_html(
    ledger: dict, measured: Mapping[int, Sequence[Effect]], numbers: Iterable[Difference] = (), files: str = FILES
) -> str:
    """Return the table; item 1 has the identifier `d1`, and so on.

    measured: item -> its effects in the rows. numbers: of items, those that are computed. files: loads the script.
    """
    computed: dict[int, list[Difference]] = {}
    for number in numbers:
        computed.setdefault(int(number.item[1:]), []).append(number)
    heads = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    lines = [
        _line(ledger, item, measured.get(item["id"], ()), computed.get(item["id"], ())) for item in ledger["items"]
    ]
    table = f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table>"
    return f'{files}\n<div class="ledger">\n{table}\n</div>'


def _line(ledger: dict, item: dict, effects: Sequence[Effect], numbers: Sequence[Difference]) -> str:
    rows = {
        "Paper": _prose(item["paper"]),
        "Released code": _prose(item["released"]),
        "Where": "<br>".join(place_link(ledger, place) for place in item["where"]),
        "Consequence": _prose(item["effect"]),
        "In numbers": "<br>".join(
            f"{escape(n.quantity)}: {_number(n.paper)}, released {_number(n.released)}" for n in numbers
        ),
        "Note": _prose(item.get("note", "")),
        "Measured on": _measured_on(item, effects),
        "Status": escape(item["status"]) + (f": {_prose(item['reason'])}" if "reason" in item else ""),
        "Seen in": "<br>".join(evidence(entry) for entry in item["confirmed_by"]),
    }
    terms = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows.items() if text)
    number, grade = item["id"], item["grade"]
    data = {
        "grade": grade,
        "table": " ".join(map(str, item["tables"])) or "none",
        "row": "|".join(item["rows"]) or "none",
        "status": item["status"],
        "effect": "measured" if effects else "not measured",
    }
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    head = (
        f'<th scope="row"><a href="#d{number}">D{number}</a> <span class="grade" title="{GRADES[grade]}">{grade}</span>'
        f"<details><summary>{escape(item['title'])}</summary><dl>{terms}</dl></details></th>"
    )
    cells = zip(COLUMNS[1:], (touched(item), size(item, effects), verified(item)), strict=True)
    return (
        f'<tr id="d{number}"{attributes}>{head}'
        + "".join(f'<td data-head="{name}">{text}</td>' for name, text in cells)
        + "</tr>"
    )


def _measured_on(item: Mapping, effects: Sequence[Effect]) -> str:
    if not effects:
        return ""
    measured, (effect, *_) = item["measured"], effects
    what = (
        f"{_named(measured['line'])}: {measured['metrics'][1]} less {measured['metrics'][0]}"
        if "line" in measured
        else f"{_named(measured['after'])}, less {_named(measured['before'])}"
    )
    return escape(f"{what}; {', '.join(effect.sets)}; {effect.seeds} seeds; rows of results/{measured['rows']}")


def _named(line: Mapping[str, str]) -> str:
    return " ".join(value if name != "protocol" else f"protocol {value}" for name, value in line.items())


def _change(value: float) -> str:
    return signed(0.0 if round(value, 2) == 0 else value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 and float(value).is_integer() else f"{value:.4g}"


def _prose(text: str) -> str:
    """Text with `code` marked, and D12 made a link to the item of that number."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\bD(\d+)\b", r'<a href="#d\1">D\1</a>', marked)
