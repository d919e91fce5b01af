"""The ledger of differences as HTML: a section an item, with an identifier that other pages can link to."""

import re
from html import escape

import pandas as pd

GRADES = {"A": "changes what a row of a table means", "B": "affects numbers", "C": "documentation only"}
STATUSES = ("confirmed", "unconfirmed", "dropped")
# Radio buttons filter without a script; where styles are not applied, everything is shown.
STYLE = "\n".join(
    [
        ".ledger section { border-top: 1px solid currentColor; padding: 0.6rem 0; }",
        ".ledger dl { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: 0.2rem 0.8rem; margin: 0; }",
        ".ledger dt { font-weight: 600; } .ledger dd { margin: 0; overflow-wrap: anywhere; }",
        ".ledger h3 { margin: 0.2rem 0; font-size: 1.1rem; }",
        ".ledger .grade { border: 1px solid currentColor; border-radius: 0.3rem; padding: 0 0.4rem;"
        " font-weight: 600; }",
        ".ledger .choice { margin-right: 1rem; white-space: nowrap; }",
        *(f".ledger:has(#ledger-{grade}:checked) section:not(.grade-{grade}) {{ display: none; }}" for grade in "abc"),
    ]
)


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
    return {"test": "test ", "audit": "the table above, "}[kind] + f"<code>{escape(what)}</code>"


def ledger_html(ledger: dict) -> str:
    """All items, with buttons that show the items of one grade; item 1 has the identifier `d1`, and so on."""
    buttons = [_button("all", "all", checked=True)]
    buttons += [_button(grade.lower(), f"{grade}: {meaning}") for grade, meaning in GRADES.items()]
    sections = [_section(ledger, item) for item in ledger["items"]]
    return "\n".join([f"<style>\n{STYLE}\n</style>", '<div class="ledger">', *buttons, *sections, "</div>"])


def _button(name: str, text: str, checked: bool = False) -> str:
    state = " checked" if checked else ""
    return (
        f'<span class="choice"><input type="radio" name="ledger-grade" id="ledger-{name}"{state}> '
        f'<label for="ledger-{name}">{escape(text)}</label></span>'
    )


def _section(ledger: dict, item: dict) -> str:
    rows = {
        "Paper": _prose(item["paper"]),
        "Released code": _prose(item["released"]),
        "Where": "<br>".join(place_link(ledger, place) for place in item["where"]),
        "Effect": _prose(item["effect"]),
        "Status": escape(item["status"]) + (f": {_prose(item['reason'])}" if "reason" in item else ""),
        "Seen in": "<br>".join(evidence(entry) for entry in item["confirmed_by"]),
    }
    terms = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows.items() if text)
    number, grade = f"d{item['id']}", item["grade"]
    return (
        f'<section id="{number}" class="grade-{grade.lower()}"><h3><a href="#{number}">D{item["id"]}</a> '
        f'<span class="grade" title="{GRADES[grade]}">{grade}</span> {escape(item["title"])}</h3>'
        f"<dl>{terms}</dl></section>"
    )


def _prose(text: str) -> str:
    """Text with `code` marked, and D12 made a link to the item of that number."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\bD(\d+)\b", r'<a href="#d\1">D\1</a>', marked)
