"""Read a CSV file as people have them: any usual encoding, separator and decimal sign; each error names its line.

table = read_table(Path("anna.csv"), time="t", label="activity", subject=None, channels=None)
"""

import csv
import difflib
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from emargin.data.readers.npz import check_file
from emargin.errors import InputError

MARKS = {  # byte order marks, the longer first
    b"\xef\xbb\xbf": ("utf-8-sig", "UTF-8 with a byte order mark"),
    b"\xff\xfe\x00\x00": ("utf-32", "UTF-32"),
    b"\x00\x00\xfe\xff": ("utf-32", "UTF-32"),
    b"\xff\xfe": ("utf-16", "UTF-16"),
    b"\xfe\xff": ("utf-16", "UTF-16"),
}
PACKED = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an .xls",
}
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LINES_BEFORE = 100  # that may stand before the header
EMPTY = ["", "NA", "N/A", "n/a", "NaN", "nan", "<NA>", "null", "NULL", "None", "-"]  # of a channel: not measured
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
SHOWN = 60  # characters of a cell
ENOUGH = 20  # rows that rise one after the other by no accident


@dataclass
class Table:
    """The rows of a file.

    Attributes
    ----------
    path : Path
    channels : list of str
    values : ndarray
        Float64 `(rows, channels)`, NaN where nothing was measured.
    cells : DataFrame
        The text of the columns `time`, `label` and `subject`, those that there are.
    lines : ndarray
        Int64 `(rows,)`, the line of each in the file, from 1.
    unused : list of str
        Columns that are left out.
    notes : list of str
        What the file was taken for, and what was left out.
    """

    path: Path
    channels: list[str]
    values: np.ndarray
    cells: pd.DataFrame
    lines: np.ndarray
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def place(self, row: int, column: str | None = None) -> str:
        """Return how errors name a row, and a cell of it."""
        return f"{self.path}, line {self.lines[row]}" + (f", column {column}" if column else "")


def read_table(
    path: Path,
    *,
    label: str,
    time: str | None = None,
    subject: str | None = None,
    channels: Sequence[str] | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a file.

    Parameters
    ----------
    path : Path
    label, time, subject : str
        Names of columns.
    channels : sequence of str, optional
        Names of the columns with measurements; by default all others.
    encoding : str, optional
        Of a file without a byte order mark; by default UTF-8.

    Raises
    ------
    InputError
        For a file that is no table, lacks a column, or has a cell that is no number, with the line and the column.
    """
    check_file(path)
    text, encoded = _decoded(path, encoding)
    named = {kind: name for kind, name in (("time", time), ("label", label), ("subject", subject)) if name is not None}
    twice = [name for name, times in Counter([*named.values(), *(channels or [])]).items() if times > 1]
    if twice:
        raise InputError("a column is named for two purposes", found=listed(twice), wanted="different columns")
    header_line, separator, header = _header(path, text, [*named.values(), *(channels or [])])
    chosen = list(channels) if channels else [name for name in header if name and name not in named.values()]
    if not chosen:
        raise InputError(f"{path}: no channels", found=f"columns {listed(header)}", wanted="a column of measurements")
    body = text.split("\n", header_line)[header_line] if text.count("\n") >= header_line else ""
    if not body.strip():
        raise InputError(f"{path}: no rows", found="a header alone", wanted="a row for each sample")
    frame, lines = _rows(path, body, header_line, separator, header, chosen, ".")
    decimal = "decimal points"
    if separator != "," and any(_has_decimal_commas(frame[name]) for name in chosen):
        frame, lines = _rows(path, body, header_line, separator, header, chosen, ",")
        decimal = "decimal commas"
    table = Table(path, chosen, np.empty(0), pd.DataFrame(), lines)
    table.values = np.column_stack([_numbers(table, name, frame[name]) for name in chosen])
    table.cells = pd.DataFrame({kind: frame[name].fillna("").astype(str).str.strip() for kind, name in named.items()})
    for name, column in zip(chosen, table.values.T, strict=True):
        _check_varies(path, name, column)
    table.notes.append(f"{counted(len(lines), 'row')}; {encoded}, separated by {SEPARATORS[separator]}, {decimal}")
    table.notes.append(f"channels {listed(chosen)}")
    rising = [name for name, column in zip(chosen, table.values.T, strict=True) if (np.diff(column) > 0).all()]
    if rising and len(lines) >= ENOUGH:
        table.notes.append(
            f"take care: {listed(rising)} rises in every row, as a counter does; --channels leaves it out"
        )
    if header_line > 1:
        table.notes.append(f"{counted(header_line - 1, 'line')} before the header left out")
    table.unused = [name for name in header if name not in {*chosen, *named.values()}]
    if table.unused:
        table.notes.append(f"columns left out: {listed([name or '(without a name)' for name in table.unused])}")
    if blank := body.rstrip("\n").count("\n") + 1 - len(lines):
        table.notes.append(f"{counted(blank, 'empty line')} left out")
    return table


def _decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file with line feeds alone, and what it is encoded in."""
    content = path.read_bytes()
    if not content.strip():
        raise InputError(f"{path}: empty", found=f"{len(content)} bytes", wanted="a header and a row for each sample")
    for start, what in PACKED.items():
        if content.startswith(start):
            raise InputError(f"{path}: no text", found=what, wanted="a CSV file", todo="unpack it, or save it as CSV")
    codec, encoded = next(
        (known for mark, known in MARKS.items() if content.startswith(mark)), (encoding or "utf-8", encoding or "UTF-8")
    )
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, place = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise InputError(
            f"{path}, line {line}: not encoded in {encoded}",
            found=f"byte {content[error.start]:#04x} at place {place} of the line",
            wanted="text in UTF-8",
            todo="name the encoding, as --encoding cp1252 (Windows, Western Europe), or save the file as UTF-8",
        ) from error
    except LookupError as error:
        raise InputError("no such encoding", found=encoding, wanted="a name such as utf-8, cp1252, utf-16") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        todo = "save it as CSV in UTF-8; or name its encoding, as --encoding utf-16-le"
        raise InputError(f"{path}, line {line}: no text", found="a byte of zero", wanted="a CSV file", todo=todo)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoded


def _header(path: Path, text: str, wanted: list[str]) -> tuple[int, str, list[str]]:
    """Return the line of the header, from 1, the separator, and the names of the columns."""
    best: list[str] = []
    for number, line in enumerate(text.split("\n", LINES_BEFORE)[:LINES_BEFORE], 1):
        for separator in SEPARATORS:
            names = [name.strip() for name in _cells(line, separator)]
            if set(wanted) <= set(names):
                twice = [name for name, times in Counter(names).items() if name and times > 1]
                if twice:
                    what = f"{path}, line {number}: columns named twice"
                    raise InputError(what, found=listed(twice), wanted="a name of its own for each column")
                return number, separator, names
            # The line that has most of the names is the one that was meant; without any, the first with many cells.
            if len(set(wanted) & set(names)) > len(set(wanted) & set(best)) or (
                not set(wanted) & set(best) and number == 1 and len(names) > len(best)
            ):
                best = names
    missing = [name for name in wanted if name not in best]
    close = {name: difflib.get_close_matches(name, best, n=1, cutoff=0.6) for name in missing}
    meant = [f"{match[0]} for {name}" for name, match in close.items() if match]
    raise InputError(
        f"{path}: no column {listed(missing)}",
        found=f"columns {listed(best)}",
        wanted="a header that names the columns as they are given",
        todo=f"did you mean {', '.join(meant)}?" if meant else "give the names as the file has them",
    )


def _cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # such as a cell of more than 100,000 characters
        return line.split(separator)


def listed(names: Sequence[str]) -> str:
    """Return names for an error or a report, shortened."""
    return ", ".join(map(shown, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(text: object) -> str:
    """Return a text that can be printed, shortened."""
    text = str(text).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _rows(
    path: Path, body: str, header_line: int, separator: str, header: list[str], channels: list[str], decimal: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows below the header that are not blank, and their lines; channels as numbers where they are."""
    names = [name or f"\0{number}" for number, name in enumerate(header)]  # no name of a column has this sign
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more cells than names: pandas would drop them
            frame = pd.read_csv(
                io.StringIO(body),
                sep=separator,
                header=None,
                names=names,
                dtype={name: str for name in names if name not in channels},
                decimal=decimal,
                keep_default_na=False,
                na_values={name: EMPTY for name in channels},
                index_col=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _refuse_widths(path, body, header_line, separator, header, error)
    lines = np.arange(len(frame)) + header_line + 1
    if len(frame) != body.rstrip("\n").count("\n") + 1 and '"' in body:  # a cell holds a line break
        reader = csv.reader(io.StringIO(body), delimiter=separator, skipinitialspace=True)
        lines = np.array([reader.line_num for _ in reader][: len(frame)]) + header_line
    filled = ~(frame.isna() | frame.eq("")).all(axis=1).to_numpy()
    frame, lines = frame[filled].reset_index(drop=True), lines[filled]
    last = frame[names[-1]]
    if (short := (last.isna() | last.eq("")).to_numpy()).any():
        texts = body.split("\n")
        for row in np.flatnonzero(short):
            cells = len(_cells(texts[lines[row] - header_line - 1], separator))
            if cells < len(header) and '"' not in texts[lines[row] - header_line - 1]:
                _refuse_width(path, int(lines[row]), cells, len(header), separator)
    return frame, lines


def _refuse_widths(
    path: Path, body: str, header_line: int, separator: str, header: list[str], error: Exception
) -> None:
    """Raise InputError for the first row that has more cells than the header, or else for what pandas says."""
    reader = csv.reader(io.StringIO(body), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if len(cells) > len(header):
                _refuse_width(path, reader.line_num + header_line, len(cells), len(header), separator)
    except csv.Error:
        pass  # pandas' error is the one to show
    row = re.search(r"row (\d+)", str(error))
    place = f"{path}, line {int(row[1]) + header_line + 1}" if row else str(path)
    todo = "look for a quotation mark that is not closed"
    raise InputError(f"{place}: cannot be read", found=error, wanted="a table", todo=todo) from error


def _refuse_width(path: Path, line: int, cells: int, columns: int, separator: str) -> None:
    raise InputError(
        f"{path}, line {line}: another number of cells than the header has",
        found=f"{cells} cells, separated by {SEPARATORS[separator]}",
        wanted=f"{columns}",
        todo="correct the line, or remove it: is the file cut off there, or a decimal comma among commas?",
    )


def _has_decimal_commas(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return False
    bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
    return bool(bad.any()) and DECIMAL_COMMA.fullmatch(str(column[bad].iloc[0]).strip()) is not None


def _numbers(table: Table, name: str, column: pd.Series) -> np.ndarray:
    """Return a channel as float64. Raises InputError for its first cell that is no number that float32 can hold."""
    if pd.api.types.is_bool_dtype(column):
        column = column.astype(str)
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64).to_numpy()
    wrong = np.isnan(numbers) & column.notna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        share = "every cell" if wrong.all() else counted(int(wrong.sum()), "such cell")
        raise InputError(
            f"{table.place(row, name)}: not a number",
            found=f"{shown(column.iloc[row])!r}; {share}",
            wanted="a number, or nothing where nothing was measured",
            todo=f"correct the cell, or name the channels without this column by --channels{_comma(column, row)}",
        )
    if (beyond := np.abs(numbers) > np.finfo(np.float32).max).any():
        row = int(np.argmax(beyond))
        what = f"{table.place(row, name)}: too large a number"
        raise InputError(
            what, found=f"{numbers[row]:g}; {counted(int(beyond.sum()), 'such cell')}", wanted="a measurement"
        )
    return numbers


def _comma(column: pd.Series, row: int) -> str:
    return "; decimals have both commas and points" if "," in str(column.iloc[row]) else ""


def _check_varies(path: Path, name: str, column: np.ndarray) -> None:
    """Raise InputError for a channel without a number, or with one alone in all rows."""
    measured = column[~np.isnan(column)]
    todo = "leave the column out by naming the others with --channels"
    if not measured.size:
        raise InputError(f"{path}, column {name}: no number at all", wanted="measurements", todo=todo)
    if len(column) > 1 and measured.min() == measured.max():
        found = f"{measured[0]:g} in all {len(measured)} rows"
        raise InputError(f"{path}, column {name}: constant", found=found, wanted="a varying signal", todo=todo)
