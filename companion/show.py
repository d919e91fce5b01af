"""Any folder of rows as the paper's Tables 1 and 2, chance and controls beside: `emargin show FOLDER`.

The controls are the untrained encoders. Where a folder lacks those of a split, the committed ones stand there, which
are of the same data, framing and encoder. Chance is what the answer scores that is always the test side's most frequent
class; for clusters, NMI and ARI are 0 then. Settings are those of the records beside the rows.
Of whole series, as in the UCR archive, the scores of the series stand in the tables.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from companion import committed
from companion.grid import files
from companion.grid.store import SETTINGS, Store, existing, is_run, read_cell, with_settings
from companion.labels import short
from companion.statistics.resampling import probing_scores
from companion.statistics.tables import METRICS
from emargin.__main__ import MAIN
from emargin.evaluation.per_subject import PROBES
from emargin.methods import METHODS
from emargin.rows import rows_to_csv

SPLIT = ("dataset", "source", "surrogate", "protocol", "fold", "split")
DATA = (*SPLIT, "encoder", "quick", "n_fft", "hop", "sequence_length", "stride")  # what an untrained encoder depends on
CHANCE, CONTROL, RUN = "chance", "control", "run"
BRIEF = {
    "davies_bouldin": "Davies-Bouldin ↓",
    "silhouette": "Silhouette ↑",
    "accuracy": "Accuracy, % ↑",
    "balanced_accuracy": "Balanced ↑",
}
MOST_BRIEF = 40  # lines that a grid run ends with at most
PERCENT = "accuracy"


@dataclass(frozen=True)
class Cell:
    """A cell that ran: its experiment's fields, values by metric, and why it failed, if it did.

    frames: of each true class on the test side, `(L,)`, where the cell left them. place: the store of a committed
    control; empty for the folder itself.
    """

    fields: dict
    values: dict[str, float]
    failed: str
    frames: np.ndarray | None
    place: str = ""

    def values_of(self, names: Iterable[str]) -> tuple:
        """Return the values of these fields, in their order."""
        return tuple(self.fields.get(name) for name in names)

    @property
    def is_control(self) -> bool:
        """Whether the encoder is an untrained one."""
        name = self.fields["method"]
        return ":" not in name and METHODS[name].untrained


@dataclass(frozen=True)
class Line:
    """A line of a table: a configuration over its seeds, a control, or chance.

    values: metric -> over seeds, NaN where a seed has none. extra: further settings by which it differs from others.
    """

    kind: str
    name: str
    fields: dict
    values: dict[str, list[float]]
    seeds: int
    extra: dict


def show(folder: Path, style: str = "text", *, everything: bool = False) -> str:
    """Return the tables of a folder of rows: a store's, or that of a single run.

    Parameters
    ----------
    folder : Path
    style : {"text", "markdown", "csv", "rows"}
        "csv": the lines of the tables, means over seeds. "rows": the rows themselves, one a cell and metric, as CSV.
    everything : bool
        All metrics of the rows, in place of those of the paper's tables.

    Raises
    ------
    InputError
        For a folder without rows, or with files that are not as this program wrote them.
    """
    if style == "rows":
        return _rows(_place(folder))
    cells = read(folder)
    splits = {split: _lines(own) for split, own in _by_split(cells).items()}
    names = dict.fromkeys(name for cell in cells for name in cell.values)
    if style == "csv":
        return _csv(splits, list(names) if everything else [name for titles in METRICS.values() for name in titles])
    groups = {f"Table {number}": titles for number, titles in METRICS.items()}
    if everything:
        shown = {name for titles in METRICS.values() for name in titles}
        groups |= {f"Further: {name}": {name: name} for name in names if name not in shown}
    parts = [
        _table(f"{title}: {_title(split)}", lines, titles, style)
        for split, lines in splits.items()
        for title, titles in groups.items()
    ]
    return "\n\n".join([*parts, *_failures(cells)])


def brief(folder: Path, digests: set[str]) -> str:
    """Return four scores of some cells of a store, chance and controls beside: what a run of a grid ends with."""
    cells = read(folder, digests)
    parts, left = [], MOST_BRIEF
    for split, own in _by_split(cells).items():
        lines = _lines(own)
        if len(lines) <= left:
            parts.append(_table(_title(split), lines, BRIEF, "text"))
            left -= len(lines)
    more = "all tables, also as Markdown and CSV" if parts else "the tables"
    return "\n\n".join([*parts, f"emargin show {folder} prints {more}"])


def show_run(folder: Path, *, everything: bool = False) -> str:
    """Return the main numbers of a single run, with chance and the committed controls of the same data beside.

    everything: all its numbers. A number that is not there gives way to the reason.
    """
    rows, record, arrays = read_cell(folder)
    run = _cell(rows, record, arrays.get("probe"))
    names = [name for name in rows.metric if everything or name.removeprefix("series_") in MAIN]
    lines = _lines([run])
    columns = {_called(line): line for line in lines if line.kind != RUN}
    counts, notes = dict(zip(rows.metric, rows.n, strict=True)), dict(zip(rows.metric, rows.note, strict=True))
    table = [["", "this run", *columns, "frames"]]
    for name in names:
        value = run.values[name]
        others = [_value(line, name, digits=4, percent=False) for line in columns.values()]
        known = not np.isnan(value)
        table.append([name, f"{value:.4f}" if known else "-", *others, str(counts[name]) if known else notes[name]])
    remarks = [] if any(line.kind == CONTROL for line in lines) or run.is_control else [_without_control()]
    if len(names) < len(rows):
        remarks.append(f"{len(rows) - len(names)} more numbers: --all, or emargin show {folder} --all")
    return "\n".join([_aligned(table, "text"), *remarks])


def _without_control() -> str:
    if committed.results().is_dir():
        return "no committed control of these data"
    return f"no committed controls: nothing in {committed.results()}"


def read(folder: Path, digests: set[str] | None = None) -> list[Cell]:
    """Read the cells of a folder of rows; digests: of those wanted, if not all. Raises InputError as `show` does.

    `results/NAME` is the committed one, also where there is no checkout.
    """
    folder = _place(folder)
    if is_run(folder):
        rows, record, arrays = read_cell(folder)
        return [_cell(rows, record, arrays.get("probe"))]
    store = existing(folder)
    return _cells(store, store.known if digests is None else store.known & digests)


def _place(folder: Path) -> Path:
    if not folder.exists() and folder.parent == Path("results"):
        return committed.results() / folder.name
    return folder


def _rows(folder: Path) -> str:
    """Return the rows of a folder as CSV, with the settings of each cell."""
    if is_run(folder):
        rows, record, _ = read_cell(folder)
        rows = with_settings(rows, {rows.digest.iloc[0]: record})
    else:
        rows = existing(folder).rows
    return rows_to_csv(rows).rstrip("\n")


def _cells(store: Store, digests: set[str], place: str = "") -> list[Cell]:
    """Return cells of a store, in the order of its rows."""
    kept = files.read_members(store.folder, lambda cell, name: name == "probe" and cell in digests)
    probes = {key.partition("/")[0]: files.array_of(content) for key, content in kept.items()}
    rows = store.rows[store.rows.digest.isin(digests)]
    return [
        _cell(own, store.records.get(digest, {}), probes.get(digest), place)
        for digest, own in rows.groupby("digest", sort=False)
    ]


def _cell(rows: pd.DataFrame, record: dict, probe: np.ndarray | None, place: str = "") -> Cell:
    first = rows.iloc[0]
    words = {name: first[name] for name in ("dataset", "source", "surrogate", "protocol", "method", "fidelity")}
    fields = {name: value or None for name, value in words.items()} | {"fold": int(first.fold), "seed": int(first.seed)}
    fields |= record.get("experiment", {})
    values = {row.metric: row.value for row in rows.itertuples() if row.metric != "failed"}
    failed = "".join(rows.note[rows.metric == "failed"])
    return Cell(fields, values, failed, None if probe is None else probe.sum((0, 2)), place)


def _by_split(cells: Sequence[Cell]) -> dict[tuple, list[Cell]]:
    splits: dict[tuple, list[Cell]] = {}
    for cell in cells:
        splits.setdefault(cell.values_of(SPLIT), []).append(cell)
    return splits


def _lines(own: list[Cell]) -> list[Line]:
    """Return the lines of a split: chance, the controls, and each configuration by method and settings."""
    together = [*own, *_committed_controls(own)]
    configurations: dict[str, list[Cell]] = {}
    for cell in together:
        fields = {name: value for name, value in cell.fields.items() if name != "seed" and value is not None}
        configurations.setdefault(f"{cell.place} {json.dumps(fields, sort_keys=True)}", []).append(cell)
    groups = list(configurations.values())
    lines = [_line(group, _differing(group[0], groups)) for group in groups]
    order = list(dict.fromkeys((line.fields["method"], line.fields["fidelity"]) for line in lines))

    def place(line: Line) -> tuple:
        settings = [-np.inf if (value := line.fields.get(name)) is None else value for name in SETTINGS]
        method = order.index((line.fields["method"], line.fields["fidelity"]))
        return line.kind != CONTROL, method, *settings, str(line.extra)

    lines.sort(key=place)
    return [*_chance(together), *lines]


def _line(group: list[Cell], extra: dict) -> Line:
    first = group[0]
    names = dict.fromkeys(name for cell in group for name in cell.values)
    values = {name: [cell.values.get(name, np.nan) for cell in group if not cell.failed] for name in names}
    method = first.fields["method"]
    title = method.rpartition(":")[2] if ":" in method else short(METHODS[method].title)
    title += f" ({first.place})" if first.place else ""
    kind = CONTROL if first.is_control else RUN
    return Line(kind, title, first.fields, values, sum(not cell.failed for cell in group), extra)


def _differing(cell: Cell, groups: list[list[Cell]]) -> dict:
    """Return the fields by which a cell differs from others of its method and fidelity, but for those with columns."""
    alike = [
        group[0].fields
        for group in groups
        if group[0].values_of(["method", "fidelity"]) == cell.values_of(["method", "fidelity"])
    ]
    names = dict.fromkeys(name for fields in alike for name in fields if name not in (*SETTINGS, "seed"))
    varied = [name for name in names if len({json.dumps(fields.get(name)) for fields in alike}) > 1]
    return {name: cell.fields[name] for name in varied if cell.fields.get(name) is not None}


def _chance(cells: list[Cell]) -> list[Line]:
    """Return the line of the answer that is always the test side's most frequent class; none without its counts."""
    frames = next((cell.frames for cell in cells if cell.frames is not None), None)
    if frames is None or not frames.sum():
        return []
    answers = np.zeros((len(frames), len(frames)))
    answers[:, frames.argmax()] = frames
    scores = {name: float(value) for name, value in probing_scores(answers).items()}
    values = {f"{prefix}{name}": value for prefix in PROBES.values() for name, value in scores.items()}
    values |= {"nmi": 0.0, "ari": 0.0}
    return [
        Line(CHANCE, "always the most frequent class", {}, {name: [value] for name, value in values.items()}, 0, {})
    ]


def _committed_controls(own: list[Cell]) -> list[Cell]:
    """Return the committed untrained encoders of a split's data, unless the folder has some of its own."""
    wanted = {cell.values_of(DATA) for cell in own}
    wanted -= {cell.values_of(DATA) for cell in own if cell.is_control}
    found: list[Cell] = []
    for cell in _controls_of(own[0].fields["dataset"]):
        data = cell.values_of(DATA)
        first = next((known.place for known in found if known.values_of(DATA) == data), cell.place)
        if data in wanted and cell.place == first:
            found.append(cell)
    return found


@cache
def _controls_of(dataset: str) -> list[Cell]:
    """Return all committed cells of untrained encoders of a data set."""
    found = []
    for path in sorted(committed.results().glob("*/rows.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            if not any(row.get("dataset") == dataset for row in csv.DictReader(file)):
                continue
        store = Store(path.parent)
        is_control = store.rows.method.isin([name for name in METHODS if METHODS[name].untrained])
        digests = set(store.rows.digest[is_control & (store.rows.dataset == dataset)]) - store.failed
        found += _cells(store, digests, f"results/{path.parent.name}")
    return found


def _failures(cells: list[Cell]) -> list[str]:
    lines = [
        f"failed: {_title(cell.values_of(SPLIT))}, {cell.fields['method']} {cell.fields['fidelity']} "
        f"seed {cell.fields['seed']}: {cell.failed}"
        for cell in cells
        if cell.failed
    ]
    return ["\n".join(lines)] if lines else []


def _title(split: tuple) -> str:
    dataset, source, surrogate, protocol, fold, unseen = split
    more = [f"surrogate {surrogate}"] * bool(surrogate) + [f"split {unseen}"] * bool(unseen)
    return ", ".join([dataset, *[f"{source} data"] * bool(source), f"protocol {protocol}", f"fold {fold}", *more])


def _called(line: Line) -> str:
    return CHANCE if line.kind == CHANCE else line.name


def _table(title: str, lines: list[Line], titles: dict[str, str], style: str) -> str:
    """Return a table with its title above it. Columns of settings that no line has are left out."""
    settings = [
        name for name in SETTINGS if any(line.kind == RUN and line.fields.get(name) is not None for line in lines)
    ]
    others = any(line.extra for line in lines)
    head = ["Method", "Fidelity", *settings, *["other settings"] * others, *titles.values(), "Seeds"]
    body = []
    for line in lines:
        own = line.fields if line.kind == RUN else {}
        extra = ", ".join(f"{name} {value}" for name, value in line.extra.items())
        values = [_value(line, name) for name in titles]
        texts = ["" if own.get(name) is None else f"{own[name]:g}" for name in settings]
        seeds = str(line.seeds) if line.kind != CHANCE else ""
        body.append([_called(line), own.get("fidelity", ""), *texts, *[extra] * others, *values, seeds])
    return f"{title}\n\n{_aligned([head, *body], style, left=2)}"


def _value(line: Line, name: str, digits: int = 2, percent: bool = True) -> str:
    """Return "mean ± standard deviation" over seeds; accuracy in percent, as in the paper's tables."""
    mean, deviation, number = _over_seeds(line, name, percent)
    if not number:
        return "-"
    return f"{mean:.{digits}f}" + ("" if np.isnan(deviation) else f" ± {deviation:.{digits}f}")


def _over_seeds(line: Line, name: str, percent: bool = True) -> tuple[float, float, int]:
    values = np.array(line.values.get(name, line.values.get(f"series_{name}", [])), dtype=float)
    values = values[~np.isnan(values)] * (100 if percent and name == PERCENT else 1)
    if not len(values):
        return np.nan, np.nan, 0
    return values.mean(), values.std(ddof=1) if len(values) > 1 else np.nan, len(values)


def _aligned(table: list[list[str]], style: str, left: int = 1) -> str:
    """Return rows of texts as a table, the first of them its head; the first `left` columns begin at the left."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rows = [
        [
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in table
    ]
    if style == "text":
        return "\n".join("  ".join(row).rstrip() for row in rows)
    rule = ["-" * width if place < left else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def _csv(splits: dict[tuple, list[Line]], names: list[str]) -> str:
    """Return all splits in one table, a line each of theirs; means and deviations have nine digits."""
    records = []
    for split, lines in splits.items():
        for line in lines:
            own = line.fields if line.kind != CHANCE else {}
            extra = "; ".join(f"{name} {value}" for name, value in line.extra.items())
            record = dict(zip(SPLIT, split, strict=True)) | {"kind": line.kind, "line": line.name}
            record |= {name: own.get(name) for name in ("method", "fidelity", *SETTINGS)} | {"other": extra}
            for name in names:
                values = _over_seeds(line, name, percent=False)
                record |= {f"{name} {part}": value for part, value in zip(("mean", "std", "n"), values, strict=True)}
            records.append(record)
    text = io.StringIO()
    pd.DataFrame(records).to_csv(text, index=False, float_format="%.9g", lineterminator="\n")
    return text.getvalue().rstrip("\n")
