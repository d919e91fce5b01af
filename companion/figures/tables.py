"""The results chapter's tables as HTML: plain tables that `book/_static/tables.js` makes sortable."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import short
from companion.statistics.crossed import NO_INTERVAL, Difference
from companion.statistics.tables import METRICS, PAPER_SETS, SET_TITLES, Runs, csv, entries, nearest, runs_of
from emargin.config import FIDELITIES, Experiment
from emargin.methods import METHODS

DAGGER = '<sup title="made by an earlier text of the code">†</sup>'


def tables(store: Store, cells: Sequence[Experiment], paper: pd.DataFrame, grid: str) -> str:
    """Draw Tables 1 and 2 of one split, with the commands of their cells; every value leads to its command.

    cells: what is planned of the split. paper: the paper's tables. grid: the grid file, as the commands name it.
    """
    runs = runs_of(store, cells)
    done = [line for line in runs.values() if line.done]
    earlier = [line for line in done if line.other_code]
    marked = len(earlier) < len(done)  # where a mark would stand at every value, one sentence says it
    parts = [_table(entries(store, cells, paper, number), number, runs, cells[0], marked) for number in METRICS]
    if earlier:
        parts.append(f"<p>† {'' if marked else 'All values: '}made by an earlier text of the code.</p>")
    items = [
        _command(line, fidelity, runs_of_line, grid)
        for (line, fidelity), runs_of_line in runs.items()
        if runs_of_line.planned and (fidelity == FIDELITIES[0] or not runs_of_line.untrained)
    ]
    parts.append(
        f'<details class="commands"><summary>The commands that make these cells</summary><ul>{"".join(items)}'
        "</ul></details>"
    )
    return _box("\n".join(parts))


def side_by_side(store: Store, cells: Sequence[Experiment], paper: pd.DataFrame, commands: str) -> str:
    """Draw the paper's Tables 1 and 2 of one split beside ours: a narrow table a metric, which stand in columns.

    The lines are the paper's methods and the calibrated random encoder. cells: what is planned of the split. paper: the
    paper's tables. commands: the page that has the commands of the cells; every value of ours leads to its own.
    """
    runs, parts = runs_of(store, cells), []
    theirs = PAPER_SETS.get(nearest(cells[0].dataset), "no set near")
    for number, titles in METRICS.items():
        table = entries(store, cells, paper, number)
        kept = [*table.line[(table.column == "paper") & (table.state == "done")], METHODS["random-calibrated"].title]
        for metric, title in titles.items():
            own = table[(table.metric == metric) & table.line.isin(kept)]
            head = _head(["Method", f"paper, {theirs}", *FIDELITIES])
            body = []
            for line, group in own.groupby("line", sort=False):
                values = "".join(
                    _value(entry, runs.get((line, entry.column)), False, commands) for entry in group.itertuples()
                )
                body.append(f'<tr><th scope="row">{escape(short(line))}</th>{values}</tr>')
            rows = f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
            parts.append(f"<div>{_frame(f'Table {number}, {title}', rows)}</div>")
    return _box(f'<div class="metrics">{"".join(parts)}</div>')


def difference_table(differences: pd.DataFrame, titles: dict[str, str], name: str) -> str:
    """Draw what `statistics.tables.Differences.lines` gives: a line a method and fidelity, a column a metric.

    titles: metric -> column title. name: of the table. A difference without an interval is grey.
    """
    head = _head(["Method", "Fidelity", *titles.values()])
    body = []
    for (line, fidelity), group in differences.groupby(["line", "fidelity"], sort=False):
        intervals = group.set_index("metric").interval
        body.append(
            f'<tr><th scope="row">{escape(short(line))}</th><td>{fidelity}</td>'
            f"{''.join(_difference(intervals[metric]) for metric in titles)}</tr>"
        )
    return _box(_frame(name, f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"))


def frame_table(frame: pd.DataFrame, name: str) -> str:
    """Any frame as such a table: the first column names its lines; numbers, words and differences."""
    body = []
    for first, *others in frame.itertuples(index=False):
        body.append(
            f'<tr><th scope="row">{escape(str(first))}</th>'
            f"{''.join(f'<td>{escape(str(value))}</td>' for value in others)}</tr>"
        )
    rows = f"<thead><tr>{_head(list(frame.columns))}</tr></thead><tbody>{''.join(body)}</tbody>"
    return _box(_frame(name, rows, kind="words"))


def place(cell: Experiment) -> str:
    """Return the split of a cell in words."""
    title = SET_TITLES.get(cell.dataset, cell.dataset)
    return f"{title}, {cell.source} data, protocol {cell.protocol}, fold {cell.fold}"


def _table(table: pd.DataFrame, number: int, runs: dict[tuple[str, str], Runs], cell: Experiment, marked: bool) -> str:
    """Draw a table. A fidelity without a planned trained method has no column."""
    titles = METRICS[number]
    shown = [
        fidelity
        for fidelity in FIDELITIES
        if any(line.planned and not line.untrained for (_, planned_in), line in runs.items() if planned_in == fidelity)
    ] or list(FIDELITIES)
    groups = "".join(_group(title, 1 + len(shown)) for title in titles.values()) + _group("Seeds", len(shown))
    leaves = [f"paper, {PAPER_SETS.get(nearest(cell.dataset), 'no set near')}", *shown] * len(titles) + shown
    head = f'<tr><th scope="col" rowspan="2" data-column="0">Method</th>{groups}</tr><tr>{_head(leaves, start=1)}</tr>'
    body = []
    for line, group in table[table.column.isin(["paper", *shown])].groupby("line", sort=False):
        values = "".join(_value(entry, runs.get((line, entry.column)), marked) for entry in group.itertuples())
        seeds = "".join(f"<td>{runs[line, fidelity].seeds or '–'}</td>" for fidelity in shown)
        body.append(f'<tr><th scope="row">{escape(short(line))}</th>{values}{seeds}</tr>')
    encoded = base64.b64encode(csv(table).encode()).decode()
    file = f"table-{number}-{cell.dataset}-{cell.protocol}-fold-{cell.fold}.csv"
    link = f'<a download="{file}" href="data:text/csv;base64,{encoded}">CSV</a>'
    return _frame(f"Table {number}: {place(cell)}", f"<thead>{head}</thead><tbody>{''.join(body)}</tbody>", link)


def _value(entry, runs: Runs | None, marked: bool, commands: str = "") -> str:
    """Draw a cell of a table; ours leads to the command that makes it, on the page `commands`, by default this one."""
    text = entry.state
    if entry.state == "done":
        text = f"{entry.mean:.2f}" + ("" if np.isnan(entry.std) else f" ± {entry.std:.2f}")
    if runs is None or not runs.planned:
        return f"<td>{text or '–'}</td>"
    link = f'<a href="{commands}#{_anchor(runs)}"{_reason(runs)}>{text}</a>'
    return f"<td>{link}{DAGGER if marked and runs.other_code and runs.done else ''}</td>"


def _reason(runs: Runs) -> str:
    if runs.done or not runs.failed:
        return ""
    return f' title="{escape(next(iter(runs.failed.values())))}"'


def _command(line: str, fidelity: str, runs: Runs, grid: str) -> str:
    failed = "".join(f"<br>failed, seed {seed}: {escape(reason)}" for seed, reason in runs.failed.items())
    digests = " ".join(runs.planned.values())
    return (
        f'<li id="{_anchor(runs)}">{escape(short(line))}, {fidelity}:<br>'
        f"<code>emargin grid cell {escape(grid)} {digests}</code>{failed}</li>"
    )


def _anchor(runs: Runs) -> str:
    return f"c{next(iter(runs.planned.values()))[:7]}"


def _difference(interval: Difference) -> str:
    """Draw a difference, with its verdict below it if it has one."""
    if interval.verdict == NO_INTERVAL:
        return f'<td class="open">{interval}</td>'
    return f"<td>{interval}<br>{interval.verdict}</td>"


def _group(title: str, columns: int) -> str:
    return f'<th scope="colgroup" colspan="{columns}">{escape(title)}</th>'


def _head(titles: Sequence[str], start: int = 0) -> str:
    """Draw header cells that the script sorts by; `data-column` counts the cells of a line."""
    return "".join(
        f'<th scope="col" data-column="{number}">{escape(title)}</th>' for number, title in enumerate(titles, start)
    )


def _frame(name: str, rows: str, link: str = "", kind: str = "numbers") -> str:
    """Draw a table that scrolls in a box of its own, which the keyboard reaches."""
    return (
        f'<p class="name">{escape(name)} {link}</p><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(name)}"><table class="dataframe sortable {kind}">{rows}</table></div>'
    )


def _box(inner: str) -> str:
    return f'<div class="results">{inner}</div>'
