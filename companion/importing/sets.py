"""Make a data set of CSV files.

print(import_tables([Path("walks")], Path("walks-set"), rate=50, time="t", label="activity"))
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from companion.fetch.folder import save_folder
from companion.importing.resampling import Resampled, Rows, resampled
from companion.importing.tables import Table, counted, listed, read_table, shown
from companion.importing.times import UNITS, Times, parse_times
from emargin.data.checksums import files_digest
from emargin.data.readers.npz import HIGHEST_RATE, MOST_CHARACTERS, UNPRINTABLE, check_file
from emargin.data.recordings import UNLABELLED
from emargin.errors import InputError

ENDINGS = (".csv", ".tsv", ".txt")  # of the files of a folder that are read
NO_LABEL = ["", "nan", "NaN", "<NA>"]
SHOWN = 5  # of a list in the report


def import_tables(
    paths: Sequence[Path],
    out: Path,
    *,
    rate: float,
    label: str,
    time: str | None = None,
    subject: str | None = None,
    channels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    gap: float | None = None,
    unit: str | None = None,
    pattern: str | None = None,
    encoding: str | None = None,
    repeated: str = "refuse",
) -> str:
    """Write a data set of CSV files, or of those in folders, and return a report of what was done for each.

    Each file makes at least one recording of each of its people. All of it is written, or nothing.

    Parameters
    ----------
    paths : sequence of Path
        Files, and folders with files.
    out : Path
        The folder to write. It is left as it is where it holds the same data set already.
    rate : float
        Of the data set, in Hz.
    label, time, subject : str
        Names of columns. Without `time` the rows are taken for samples at the rate; without `subject` a file's name
        is the person's.
    channels : sequence of str, optional
        Names of the columns with measurements; by default all others.
    classes : sequence of str, optional
        The labels that are classes; all others become unlabelled, and are counted. By default all that there are.
    gap : float, optional
        Seconds without a row that end a recording, as `resampled` has it.
    unit, pattern : str, optional
        Of times, as `parse_times` has it.
    encoding : str, optional
        As `read_table` has it.
    repeated : {"refuse", "first"}
        What to do with rows of one time that differ: `first` takes the first.

    Raises
    ------
    InputError
        For a file that cannot be used, with its line and column, and a folder that is there with other content.
    """
    _check_numbers(rate, gap, unit)
    rate = int(rate) if rate == int(rate) else rate
    if time is None and (gap is not None or unit or pattern):
        raise InputError("without times there are no gaps", wanted="--time and the column of the times")
    files, notes = _files(paths)
    recordings: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    spans: dict[str, list[tuple[int, int, Path]]] = {}
    report, first = [*notes], None
    for path in files:
        table = read_table(
            path, label=label, time=time, subject=subject, channels=first.channels if first else channels,
            encoding=encoding,
        )  # fmt: skip
        first = first or table
        _check_no_more_channels(table, first, channels)
        times = parse_times(table, str(time), unit=unit, pattern=pattern) if time else _evenly(table, rate)
        lines = [str(path), *table.notes, f"times: {times.what}"]
        for person, rows in _people(table, subject):
            done = _recordings(table, times, person, rows, rate, gap, repeated, lines)
            recordings.setdefault(person, []).extend(done.recordings)
            if times.dated:
                spans.setdefault(person, []).append(
                    (times.nanoseconds[rows].min(), times.nanoseconds[rows].max(), path)
                )
        report.append("\n  ".join(lines))
    _check_apart(spans)
    names, counts, others = _classes(recordings, classes)
    report.append(_summary(recordings, names, counts, others, rate, out))
    text = "\n".join(report) + "\n"
    numbers = {name: number for number, spelt in enumerate(names) for name in names[spelt]}
    numbered = {
        person: [(values, np.array([numbers.get(name, UNLABELLED) for name in labels])) for values, labels in several]
        for person, several in recordings.items()
    }
    there = os.path.exists(out)
    _save(out, numbered, list(names), rate, first.channels if first else [], text)
    return text + (f"{out}: there already, with the same content\n" if there else f"{out}: written\n")


def _check_numbers(rate: float, gap: float | None, unit: str | None) -> None:
    if not 0 < rate <= HIGHEST_RATE:
        raise InputError("the rate is out of range", found=rate, wanted="samples a second, above 0")
    if gap is not None and not 0 < gap < 1e9:
        raise InputError("the gap is out of range", found=gap, wanted="seconds, above 0")
    if unit is not None and unit not in UNITS:
        raise InputError("no such unit", found=unit, wanted=", ".join(UNITS))


def _files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files to read, each content once, and what is said of the others."""
    files: list[Path] = []
    notes = []
    for path in paths:
        if not os.path.isdir(path):
            files.append(path)
            continue
        inside = sorted(path.glob("[!.]*"), key=lambda file: file.name)
        tables = [file for file in inside if file.suffix.lower() in ENDINGS]
        if not tables:
            found = ", ".join(ascii(file.name) for file in inside[:SHOWN]) or "nothing"
            raise InputError(f"{path}: no tables", found=found, wanted=f"files that end in {', '.join(ENDINGS)}")
        if others := [ascii(file.name)[1:-1] for file in inside if file not in tables]:
            notes.append(f"{path}: not read, since they are no tables: {_some(others)}")
        files += tables
    contents: dict[str, Path] = {}
    for path in files:
        if not os.path.lexists(path):
            raise InputError("no such file", found=shown(path), wanted="a CSV file, or a folder of them")
        check_file(path)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        if content in contents:
            todo = "leave one of them out"
            raise InputError(
                f"{path}: the same content as {contents[content]}", wanted="each recording once", todo=todo
            )
        contents[content] = path
    return files, notes


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more


def _check_no_more_channels(table: Table, first: Table, channels: Sequence[str] | None) -> None:
    """Raise InputError for a file that has columns which the first file has not, where all are to be taken."""
    unnamed = [name for name in table.unused if name]
    if channels is None and table is not first and unnamed:
        raise InputError(
            f"{table.path}: other channels than {first.path} has",
            found=f"besides them: {listed(unnamed)}",
            wanted=listed(first.channels),
            todo="name the channels with --channels",
        )


def _evenly(table: Table, rate: float) -> Times:
    """Return the times of rows that are samples at the rate."""
    times = np.rint(np.arange(len(table.lines)) * (1e9 / rate)).astype(np.int64)
    return Times(times, f"none given; rows taken for samples at {rate:g} Hz, so gaps cannot be seen", dated=False)


def _people(table: Table, subject: str | None) -> list[tuple[str, np.ndarray]]:
    """Return the people of a table and their rows, in the order of the names."""
    if subject is None:
        return [(table.path.name.rsplit(".", 1)[0], np.arange(len(table.lines)))]
    people = table.cells["subject"]
    wrong = people.eq("") | people.str.startswith(".") | people.str.contains(r"[/\\]|" + UNPRINTABLE.pattern)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{table.place(row, subject)}: no name of a person",
            found=f"{shown(people.iloc[row])!r}; {counted(int(wrong.sum()), 'such row')}",
            wanted="a name without / and \\ that does not start with a dot, since it names a file",
        )
    return [(str(name), rows) for name, rows in sorted(people.groupby(people).indices.items())]


def _recordings(
    table: Table, times: Times, person: str, rows: np.ndarray, rate: float, gap: float | None, repeated: str,
    report: list[str],
) -> Resampled:  # fmt: skip
    """Return a person's recordings in a file; add to the report what was done."""
    said = [f"subject {person}: {counted(len(rows), 'row')}"]
    moments = times.nanoseconds[rows]
    if (late := np.flatnonzero(moments < np.maximum.accumulate(moments))).size:
        said.append(
            f"sorted by time, since {late.size} were out of order (the first in line {table.lines[rows[late[0]]]})"
        )
        rows = rows[np.argsort(moments, kind="stable")]
    rows, without = _without_repeated(table, times, rows, repeated)
    said += without
    complete = ~np.isnan(table.values[rows]).any(axis=1)
    if lacking := int((~complete).sum()):
        first = table.lines[rows[~complete]].min()
        said.append(f"{lacking} with an empty cell taken as missing (the first in line {first})")
    rows = rows[complete]
    where = f"{table.path}, subject {person}"
    labels = table.cells["label"].to_numpy(dtype=object)[rows]
    done = resampled(Rows(where, times.nanoseconds[rows], table.values[rows], labels, table.lines[rows]), rate, gap)
    samples = sum(len(values) for values, _ in done.recordings)
    report.append("; ".join(said))
    report.append(f"  rate found {done.found:.6g} Hz, made {rate:g} Hz {done.method}")
    if done.gaps:
        report.append(f"  cut at {counted(len(done.gaps), 'gap')}: {_some(done.gaps)}")
    if done.left_out:
        report.append(f"  {counted(len(done.left_out), 'piece')} left out: {_some(done.left_out)}")
    unlabelled = sum(int(np.isin(labels.astype(str), NO_LABEL).sum()) for _, labels in done.recordings)
    report.append(
        f"  {counted(len(done.recordings), 'recording')}, {samples} samples, {samples / rate:.6g} s; "
        f"{done.interpolated} interpolated; {unlabelled} without a label"
    )
    return done


def _without_repeated(table: Table, times: Times, rows: np.ndarray, repeated: str) -> tuple[np.ndarray, list[str]]:
    """Return rows, by time, without those that repeat an earlier one, and what is said of that."""
    moments = times.nanoseconds[rows]
    again = np.flatnonzero(np.diff(moments) == 0) + 1
    if not again.size:
        return rows, []
    whole = pd.DataFrame(table.values).assign(time=times.nanoseconds, label=table.cells["label"]).iloc[rows]
    differs = ~whole.duplicated().to_numpy() & np.isin(np.arange(len(rows)), again)
    if differs.any() and repeated == "refuse":
        place = int(np.argmax(differs))
        coarse = len(again) > len(rows) / 2
        raise InputError(
            f"{table.path}: {counted(int(differs.sum()), 'row')} of the same time as an earlier one, with other values",
            found=f"{table.cells['time'].iloc[rows[place]]} in lines {table.lines[rows[place - 1]]} "
            f"and {table.lines[rows[place]]}",
            wanted="a time of its own for each row of a person",
            todo="the times are too coarse: give finer ones, or leave --time out if rows follow each other evenly"
            if coarse
            else "correct the times, name the column of the people with --subject, or take the first row of each time "
            "with --repeated first",
        )
    exact, later = len(again) - int(differs.sum()), int(differs.sum())
    said = [f"{counted(exact, 'exact repeat')} left out"] if exact else []
    said += [f"{counted(later, 'later row')} of the same time left out"] if later else []
    return np.delete(rows, again), said


def _check_apart(spans: dict[str, list[tuple[int, int, Path]]]) -> None:
    """Raise InputError for files with the same time of one person."""
    for person, held in spans.items():
        held = sorted(held, key=lambda span: span[:2])
        for (_, end, before), (start, _, after) in zip(held, held[1:], strict=False):
            if start <= end:
                raise InputError(
                    f"subject {person}: two files cover the same time",
                    found=f"{before} and {after}, both at {pd.Timestamp(start)}",
                    wanted="each recording once",
                    todo="leave one out, or name the column of the people with --subject",
                )


def _classes(
    recordings: dict[str, list[tuple[np.ndarray, np.ndarray]]], chosen: Sequence[str] | None
) -> tuple[dict[str, list[str]], Counter, Counter]:
    """Return classes with their spellings, samples of each, and samples of labels that are none."""
    found = Counter(name for several in recordings.values() for _, labels in several for name in labels)
    for name in NO_LABEL:
        found.pop(name, None)
    if not found:
        raise InputError(
            "no labels", found="empty cells in all rows", wanted="a class in some rows of the column --label"
        )
    spelt: dict[str, list[str]] = {}
    if all(re.fullmatch(r"[+-]?\d+(\.0*)?", name) for name in found):  # 1 and 1.0 are one class
        for name in sorted(found, key=float):
            spelt.setdefault(str(int(float(name))), []).append(name)
        spelt.pop(str(UNLABELLED), None)
    else:
        spelt = {name: [name] for name in sorted(found)}
    if chosen is not None:
        if unknown := [name for name in chosen if name not in spelt]:
            raise InputError(
                "no such labels", found=_some(unknown), wanted=f"labels of the files: {_some(list(spelt))}"
            )
        spelt = {name: spelt[name] for name in chosen}
    counts = Counter({name: sum(found[text] for text in texts) for name, texts in spelt.items()})
    taken = {text for texts in spelt.values() for text in texts}
    return spelt, counts, Counter({name: number for name, number in found.items() if name not in taken})


def _summary(
    recordings: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    classes: dict[str, list[str]],
    counts: Counter,
    others: Counter,
    rate: float,
    out: Path,
) -> str:
    """Return the last lines of the report: people, classes, and what to know of them."""
    number = sum(map(len, recordings.values()))
    lines = [
        f"{counted(len(recordings), 'subject')}, {counted(number, 'recording')} at {rate:g} Hz",
        f"classes: {listed([f'{name} {counts[name]}' for name in classes])}",
    ]
    if others:
        counted_others = [f"{name} {number}" for name, number in others.most_common()]
        lines.append(f"labels that are no class, now unlabelled: {listed(counted_others)}")
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(name.casefold(), []).append(name)
    if twice := [" and ".join(names) for names in alike.values() if len(names) > 1]:
        lines.append(f"take care: classes that differ in capitals alone: {', '.join(twice)}")
    if len(recordings) == 1:
        lines.append("take care: one person alone can be scored with --protocol released only")
    return "\n".join(lines)


def _save(
    out: Path,
    recordings: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    classes: list[str],
    rate: float,
    channels: list[str],
    report: str,
) -> None:
    """Write the folder, or leave it where it holds the same recordings."""
    if len(os.fsencode(out.name)) > MOST_CHARACTERS:
        raise InputError("too long a name", found=shown(out.name), wanted=f"at most {MOST_CHARACTERS} characters")
    several: dict[str, list] = dict(sorted(recordings.items()))
    rest: dict[str, Any] = {"classes": classes, "sampling_rate": rate, "channels": channels, "report": report}
    if not out.exists():
        save_folder(out, several, **rest)
        return
    with TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as beside:
        again = Path(beside) / "again"
        save_folder(again, several, **rest)
        if not out.is_dir() or _content(again) != _content(out):
            raise InputError(
                f"{out}: there already, with other content",
                wanted="a folder that does not exist yet, or holds the same data set",
                todo="name another one with --out, or delete it",
            )


def _content(folder: Path) -> str:
    """Return the checksum of the files that the reader reads."""
    return files_digest([*folder.glob("[!.]*.npz"), *folder.glob("dataset.json")])
