"""From CSV files to a data set in one command."""

import os

import numpy as np
import pandas as pd
import pytest

from companion.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.data.readers.npz import load_folder
from emargin.errors import InputError
from emargin.resolve import resolve

RNG = np.random.default_rng(0)
RATE = 25


def walk(seconds=40, rate=RATE, start="2026-03-01 10:00:00", labels=("rest", "walk", "")):
    """A table of a person: times, two channels, a label."""
    rows = seconds * rate
    return pd.DataFrame(
        {
            "time": pd.Timestamp(start) + pd.to_timedelta(np.arange(rows) / rate, unit="s"),
            "x": RNG.normal(size=rows).round(3),
            "y": RNG.normal(size=rows).round(3),
            "label": np.repeat(labels, rows // len(labels) + 1)[:rows],
        }
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def do(*words, time="time", label="label", rate=RATE):
    """Run the command; return its exit status."""
    named = ["--label", label, "--rate", str(rate), *(["--time", time] if time else [])]
    return main(["data", "import", *words, *named])


def refused(capsys, *words, **named):
    """The error of a command, which leaves nothing behind."""
    before = sorted(os.listdir())
    assert do(*words, **named) == 2
    assert sorted(os.listdir()) == before
    return capsys.readouterr().err


def test_files_of_many_kinds_become_one_set(here, capsys):
    """German Excel; tabs, counts since 1970 and a shuffle; zones, a gap and holes; a higher rate below other lines."""
    tables = {name: walk() for name in ("excel", "shuffled", "zoned")}
    (here / "csv").mkdir()
    tables["excel"].to_csv(
        "csv/excel.csv", sep=";", decimal=",", index=False, encoding="utf-8-sig", lineterminator="\r\n"
    )
    shuffled = tables["shuffled"].assign(time=tables["shuffled"].time.astype("datetime64[ms]").astype(np.int64))
    shuffled.sample(frac=1, random_state=0).to_csv("csv/shuffled.tsv", sep="\t", index=False)
    zoned = tables["zoned"].assign(time=tables["zoned"].time.dt.tz_localize("Europe/Berlin"))
    zoned.drop([7, *range(400, 600)]).to_csv("csv/zoned.csv", index=False)
    fast = walk(rate=100)
    (here / "csv/fast.csv").write_text("# device 7\n" + fast.assign(time=np.arange(4000) / 100).to_csv(index=False))
    (here / "csv/notes.pdf").write_bytes(b"%PDF")

    assert do("csv") == 0
    said = capsys.readouterr().out
    data = load_folder(here / "csv-set")
    assert (data.classes, data.sampling_rate) == (("rest", "walk"), 25.0)
    recordings = {recording.name: recording for recording in data.recordings}
    assert list(recordings) == ["excel", "fast", "shuffled", "zoned_00", "zoned_01"]
    numbers = {"rest": 0, "walk": 1, "": -1}
    for name in ("excel", "shuffled"):
        np.testing.assert_array_equal(recordings[name].values, tables[name][["x", "y"]].astype(np.float32))
        np.testing.assert_array_equal(recordings[name].labels, tables[name].label.map(numbers))
    np.testing.assert_array_equal(recordings["zoned_01"].values, tables["zoned"][["x", "y"]][600:].astype(np.float32))
    assert len(recordings["zoned_00"].values) == 400 and len(recordings["fast"].values) == 1000
    for part in (
        "csv: not read, since they are no tables: notes.pdf",
        "1000 rows; UTF-8 with a byte order mark, separated by semicolons, decimal commas",
        "channels x, y",
        "sorted by time, since 99",
        "cut at 1 gap: 8.04 s before line 401",
        "2 recordings, 800 samples, 32 s; 1 interpolated; 332 without a label",
        "rate found 100 Hz, made 25 Hz by a low-pass filter and one sample in 4",
        "4 subjects, 5 recordings at 25 Hz",
        "classes: rest ",
        "next: emargin run --dataset ./csv-set",
    ):
        assert part in said, part
    assert (here / "csv-set/report.txt").read_text() in said
    experiment = Experiment(dataset="./csv-set", sequence_length=10)
    assert len(load(resolve(experiment)).train) > 0


def test_the_same_again_changes_nothing_and_other_content_is_refused(here, capsys):
    walk().to_csv("anna.csv", index=False)
    assert do("anna.csv") == 0 and "anna-set: written" in capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in (here / "anna-set").iterdir()}
    assert do("anna.csv") == 0 and "anna-set: there already, with the same content" in capsys.readouterr().out
    walk().to_csv("anna.csv", index=False)
    assert "anna-set: there already, with other content" in refused(capsys, "anna.csv")
    assert {path: path.stat().st_mtime_ns for path in (here / "anna-set").iterdir()} == before


def test_people_come_from_a_column_and_keep_their_own_times(here, capsys):
    both = pd.concat([walk().assign(who=who) for who in ("01", "ben")]).sort_values("time")
    both.to_csv("both.csv", index=False)
    assert do("both.csv", "--subject", "who", "--out", "mine") == 0
    data = load_folder(here / "mine")
    assert [recording.subject for recording in data.recordings] == ["01", "ben"]
    ours = both[both.who == "ben"][["x", "y"]].astype(np.float32)
    np.testing.assert_array_equal(data.recordings[1].values, ours)
    assert "both.csv: 1000 rows of the same time as an earlier one, with other values" in refused(
        capsys, "both.csv", "--out", "other", "--channels", "x", "y"
    )


def test_several_files_of_a_person_stay_together(here):
    for number in (1, 2):
        walk(start=f"2026-03-0{number}").assign(who="anna").to_csv(f"day{number}.csv", index=False)
    assert do("day1.csv", "day2.csv", "--subject", "who", "--out", "mine") == 0
    assert [recording.name for recording in load_folder(here / "mine").recordings] == ["anna_00", "anna_01"]


def test_without_times_rows_are_samples(here, capsys):
    table = walk().drop(columns="time")
    table.to_csv("anna.csv", index=False)
    assert do("anna.csv", time=None) == 0
    np.testing.assert_array_equal(load_folder(here / "anna-set").recordings[0].values, table[["x", "y"]].astype("f4"))
    assert "times: none given; rows taken for samples at 25 Hz, so gaps cannot be seen" in capsys.readouterr().out
    assert "without times there are no gaps" in refused(capsys, "anna.csv", "--gap", "3", time=None)


def test_repeated_rows_are_left_out_where_they_are_the_same_or_the_first_is_wanted(here, capsys):
    table = walk()
    pd.concat([table[:50], table[49:]]).to_csv("same.csv", index=False)
    assert do("same.csv") == 0 and "1 exact repeat left out" in capsys.readouterr().out
    np.testing.assert_array_equal(load_folder(here / "same-set").recordings[0].values, table[["x", "y"]].astype("f4"))
    table.loc[50, "time"] = table.loc[49, "time"]
    table.to_csv("other.csv", index=False)
    assert "found: 2026-03-01 10:00:01.960 in lines 51 and 52" in refused(capsys, "other.csv")
    assert do("other.csv", "--repeated", "first") == 0
    assert "1 later row of the same time left out" in capsys.readouterr().out


def test_rows_with_an_empty_cell_are_missing(here, capsys):
    table = walk()
    table.loc[[30, 31], "y"] = np.nan
    table.to_csv("anna.csv", index=False)
    assert do("anna.csv") == 0
    said = capsys.readouterr().out
    assert "2 with an empty cell taken as missing (the first in line 32)" in said and "; 2 interpolated" in said


@pytest.mark.parametrize(
    "labels, options, classes, said",
    [
        (["b", "a", ""], [], ("a", "b"), "classes: a 334, b 334"),
        (["10", "9", "1"], [], ("1", "9", "10"), "classes: 1 332, 9 334, 10 334"),
        (["1", "1.0", "0"], [], ("0", "1"), "classes: 0 332, 1 668"),
        (["-1", "0", "1"], [], ("0", "1"), "labels that are no class, now unlabelled: -1 334"),
        (["walk", "rest", "?"], ["--classes", "walk", "rest"], ("walk", "rest"), "now unlabelled: ? 332"),
        (["Walk", "walk", "rest"], [], ("Walk", "rest", "walk"), "differ in capitals alone: Walk and walk"),
        (["a", "NaN", " b "], [], ("a", "b"), "334 without a label"),
    ],
)
def test_labels_become_classes_or_are_counted(here, capsys, labels, options, classes, said):
    walk(labels=labels).to_csv("anna.csv", index=False)
    assert do("anna.csv", *options) == 0
    assert said in capsys.readouterr().out
    assert load_folder(here / "anna-set").classes == classes


def test_a_counter_among_the_channels_is_pointed_out(here, capsys):
    walk().assign(number=np.arange(1000)).to_csv("anna.csv", index=False)
    assert do("anna.csv") == 0
    assert "take care: number rises in every row, as a counter does" in capsys.readouterr().out
    assert do("anna.csv", "--channels", "x", "y", "--out", "chosen") == 0
    said = capsys.readouterr().out
    assert "columns left out: number" in said and "take care: number" not in said


def test_what_cannot_be_imported_is_refused_and_leaves_nothing(here, capsys):
    walk().to_csv("anna.csv", index=False)
    walk().assign(z=1.5 * RNG.normal(size=1000)).to_csv("more.csv", index=False)
    walk(labels=[""]).to_csv("unlabelled.csv", index=False)
    walk(labels=[str(number) for number in range(2000)], seconds=160).to_csv("many.csv", index=False)
    walk().assign(who="../a").to_csv("outside.csv", index=False)
    walk(seconds=1)[:20].to_csv("short.csv", index=False)
    os.mkdir("twice")
    for name in ("a", "b"):
        (here / f"twice/{name}.csv").write_bytes((here / "anna.csv").read_bytes())
    os.mkdir("empty")
    os.mkdir("odd")
    (here / "odd" / os.fsdecode(b"m\xfcller.csv")).write_bytes((here / "anna.csv").read_bytes())
    os.mkdir("anna")
    walk(start="2026-03-01 10:00:20").to_csv("anna/anna.csv", index=False)
    for words, message in (
        (["gone.csv"], "no such file. found: gone.csv"),
        (["x" * 5000], "no such file. found: xxx"),
        (["anna.csv", "--out", "o" * 5000], "too long a name. found: ooo"),
        (["empty"], "empty: no tables. found: nothing"),
        (["twice"], "twice/b.csv: the same content as twice/a.csv"),
        (["odd"], "a name that cannot be printed. wanted: a name in UTF-8"),
        (["anna.csv", "more.csv"], "more.csv: other channels than anna.csv has. found: besides them: z"),
        (["more.csv", "anna.csv"], "anna.csv: no column z. found: columns time, x, y, label"),
        (["unlabelled.csv"], "no labels. found: empty cells in all rows"),
        (["many.csv"], "too many classes. found: 1334"),
        (["outside.csv", "--subject", "who"], "outside.csv, line 2, column who: no name of a person. found: '../a'"),
        (["short.csv"], "short.csv, subject short: too few samples"),
        (["anna.csv", "anna"], "subject anna: two files cover the same time. found: anna.csv and anna/anna.csv"),
        (["anna.csv", "--classes", "wlak"], "no such labels. found: wlak. wanted: labels of the files: rest, walk"),
        (["anna.csv", "--gap", "-1"], "the gap is out of range. found: -1"),
        (["anna.csv", "--rate", "nan"], "the rate is out of range. found: nan"),
        (["anna.csv", "--rate", "1e40"], "the rate is out of range. found: 1e+40"),
    ):
        rate = {"rate": words[-1]} if "--rate" in words else {}
        error = refused(capsys, *(words[:1] if rate else words), **rate)
        assert message in error and len(error) < 1000, words


def test_a_path_of_tables_names_the_command(here):
    os.mkdir("csv")
    walk().to_csv("csv/anna.csv", index=False)
    for path in ("csv/anna.csv", "csv", "gone.csv", "./gone.TSV"):
        with pytest.raises(
            InputError, match=f"tables are imported first. found: {path}.*emargin data import {path} --time"
        ):
            resolve(Experiment(dataset=path))


def test_an_interrupted_write_leaves_nothing(here, monkeypatch):
    def full_disk(*_, **__):
        raise OSError("No space left on device")

    walk().to_csv("anna.csv", index=False)
    monkeypatch.setattr(np, "savez_compressed", full_disk)
    assert do("anna.csv") == 2
    assert os.listdir() == ["anna.csv"]
