"""The converters, on trees in the public formats, and on the real arrays written as public files, bit for bit."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from companion.fetch import convert
from companion.fetch.convert import DSADS_USED, SPSW, SPSW_EXECUTIONS, SPSW_HEADER, convert_dsads, convert_spsw
from emargin.data.readers.npz import load_folder
from emargin.errors import InputError, MissingData

REAL = Path(os.environ.get("EMARGIN_DATA") or "data")


def real(name: str, file: str):
    path = REAL / name / file
    if not path.is_file():
        pytest.skip(f"needs the real {name}/{file} under EMARGIN_DATA")
    with np.load(path) as arrays:
        return dict(arrays)


def numbers(values) -> str:
    """The shortest decimals that give these float32 again."""
    return ",".join(str(value) for value in values)


def write_segment(folder: Path, activity: int, person: int, segment: int, six: np.ndarray):
    """One public file from its six used columns `(rows, 6)`; the 39 others hold numbers of their own."""
    path = folder / f"a{activity:02d}" / f"p{person}" / f"s{segment:02d}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{numbers(row[:3])}{',-77.5' * 24},{numbers(row[3:])}{',99' * 15}\n" for row in six))
    return path


@pytest.fixture
def small_dsads(monkeypatch, tmp_path):
    """Two people, three activities of two segments of four rows: value = 1000 person + 100 activity + 10 segment ..."""
    for name, value in (("PEOPLE", 2), ("ACTIVITIES", 3), ("SEGMENTS", 2), ("ROWS", 4)):
        monkeypatch.setattr(convert, f"DSADS_{name}", value)
    for person in (1, 2):
        for activity in (1, 2, 3):
            for segment in (1, 2):
                six = (
                    1000 * person + 100 * activity + 10 * segment + np.arange(4)[:, None] + np.arange(6) / 10
                ).astype(np.float32)
                write_segment(tmp_path / "source", activity, person, segment, six)
    return tmp_path / "source"


def test_dsads_joins_segments_in_order_and_activities_in_the_order_of_the_person(small_dsads, tmp_path):
    convert_dsads(small_dsads, tmp_path / "dsads", people=[1, 2])
    for person in (1, 2):
        order = np.random.default_rng(person).permutation(3)
        with np.load(tmp_path / "dsads" / f"p{person}.npz") as arrays:
            signal, labels, rate = arrays["signal"], arrays["labels"], arrays["sampling_rate"]
        assert (signal.dtype, labels.dtype, rate.dtype, rate.shape) == (np.float32, np.int8, np.float32, ())
        np.testing.assert_array_equal(labels, np.repeat(order, 8))
        first = [1000 * person + 100 * (activity + 1) + 10 * segment for activity in order for segment in (1, 2)]
        np.testing.assert_array_equal(signal[::4, 0], first)
        np.testing.assert_allclose(signal[1], first[0] + 1 + np.arange(6) / 10, rtol=1e-6)
    assert json.loads((tmp_path / "dsads" / "dataset.json").read_text()) == convert.DSADS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dsads", "source"]


def test_dsads_takes_acceleration_of_torso_and_right_leg():
    assert DSADS_USED == [0, 1, 2, 27, 28, 29]  # T, RA, LA, RL, LL have nine columns each: xyz of acc, gyro, mag
    assert len(convert.DSADS["classes"]) == 19


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"not the files of the public archive.*1 missing, such as a02/p1/s02\.txt"),
        (
            lambda path: path.rename(path.with_name("s3.txt")),
            r"1 missing.*s02\.txt; 1 of another name, such as.*s3\.txt",
        ),
        (lambda path: path.with_name("s03.txt").write_text(path.read_text()), r"1 of another name.*a02/p1/s03\.txt"),
        (lambda path: path.write_text(path.read_text()[:-1].rsplit("\n", 1)[0]), r"a02/p1/s02\.txt: truncated.*3 rows"),
        (lambda path: path.write_text(path.read_text()[:-20]), r"a02/p1/s02\.txt: not a table of numbers"),
        (lambda path: path.write_text(""), r"a02/p1/s02\.txt: truncated.*0 rows"),
        (lambda path: path.write_text(path.read_text().replace("99", "nan")), r"s02\.txt.*60 of them not finite"),
        (lambda path: path.write_bytes(b"\xff\xfe\0"), r"s02\.txt: not a table of numbers"),
    ],
)
def test_dsads_that_is_not_the_public_one_is_named_and_nothing_is_written(small_dsads, tmp_path, damage, message):
    damage(small_dsads / "a02" / "p1" / "s02.txt")
    with pytest.raises(InputError, match=message):
        convert_dsads(small_dsads, tmp_path / "dsads", people=[1])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_some_people_need_only_their_files_and_hidden_ones_do_not_count(small_dsads, tmp_path):
    (small_dsads / "a02" / "p2" / "s02.txt").unlink()
    (small_dsads / "a02" / "p1" / "._s02.txt").touch()
    convert_dsads(small_dsads, tmp_path / "dsads", people=[1])
    assert [path.name for path in sorted((tmp_path / "dsads").iterdir())] == ["dataset.json", "p1.npz"]


@pytest.mark.parametrize("converter", [convert_dsads, convert_spsw])
def test_an_empty_source_an_existing_target_and_an_unknown_person_are_refused(tmp_path, converter):
    with pytest.raises(MissingData, match="none of the public files.*one level above"):
        converter(tmp_path / "nowhere", tmp_path / "target")
    with pytest.raises(InputError, match="no such person.*found: .99"):
        converter(tmp_path, tmp_path / "target", people=[99])
    with pytest.raises(InputError, match="no such person.*nobody"):
        converter(tmp_path, tmp_path / "target", people=[])
    assert not list(tmp_path.iterdir())


def test_an_existing_target_is_never_touched(small_dsads, tmp_path):
    (tmp_path / "dsads").mkdir()
    with pytest.raises(InputError, match="there already.*delete it first"):
        convert_dsads(small_dsads, tmp_path / "dsads", people=[1])
    assert not list((tmp_path / "dsads").iterdir())


def test_dsads_written_as_public_files_comes_back_bit_for_bit(tmp_path):
    arrays = real("dsads", "p3.npz")
    segments = arrays["signal"].reshape(19, 60, 125, 6)
    for place, activity in enumerate(arrays["labels"][::7500]):
        for segment in range(60):
            write_segment(tmp_path / "source", activity + 1, 3, segment + 1, segments[place, segment])
    convert_dsads(tmp_path / "source", tmp_path / "dsads", people=[3])
    with np.load(tmp_path / "dsads" / "p3.npz") as converted:
        assert set(converted.files) == set(arrays)
        for name, wanted in arrays.items():
            assert converted[name].dtype == wanted.dtype and converted[name].tobytes() == wanted.tobytes()
    assert json.loads((tmp_path / "dsads" / "dataset.json").read_text()) == json.loads(
        (REAL / "dsads" / "dataset.json").read_text()
    )


# ---- SP-SW-HAR

ROWS = [  # (time stamp, x_acc, label), out of order and with a repeated stamp; the other columns follow from x_acc
    (1000, 0.0, "SEATED"),
    (1030, 3.0, "STANDING_UP"),
    (1010, 1.0, "WALKING"),
    (1030, 9.0, "WALKING"),
    (1050, 11.0, "TURNING"),
    (1065, 2.0, "SITTING_DOWN"),
]


def write_execution(path: Path, rows, header=SPSW_HEADER):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([*values, stamp, label] for stamp, values, label in rows)
    return path


def small(rows=ROWS):
    return [(stamp, [x + column for column in range(6)], label) for stamp, x, label in rows]


@pytest.fixture
def small_spsw(tmp_path):
    for execution in range(1, 7):
        write_execution(tmp_path / "source" / "s01" / f"s01_{execution:02d}_sp.csv", small())
        (tmp_path / "source" / "s01" / f"s01_{execution:02d}_sw.csv").write_text("the watch")
    (tmp_path / "source" / "subjects_info.csv").write_text("left alone")
    return tmp_path / "source"


def test_spsw_is_interpolated_at_50_hz_in_the_order_of_time(small_spsw, tmp_path):
    first = [(stamp, x + 100, label) for stamp, x, label in ROWS]
    write_execution(small_spsw / "s01" / "s01_01_sp.csv", small(first))
    convert_spsw(small_spsw, tmp_path / "spsw", people=["s01"])
    with np.load(tmp_path / "spsw" / "s01.npz") as arrays:
        assert set(arrays.files) == {"sampling_rate"} | {
            f"{kind}_{n:02d}" for kind in ("signal", "labels") for n in range(6)
        }
        assert (arrays["sampling_rate"], arrays["sampling_rate"].dtype) == (50, np.float32)
        signal, labels = arrays["signal_01"], arrays["labels_01"]
        assert (signal.dtype, labels.dtype) == (np.float32, np.int8)
        # Samples at 0, 20, 40 and 60 ms: a row; halfway from 1 to 3; halfway from 9 to 11; two thirds from 11 to 2.
        expected = np.array([0, 2, 10, 5])[:, None] + np.arange(6)
        np.testing.assert_allclose(signal, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(labels, [0, 1, 3, 4])  # at 20 ms the first of the two rows of 30 ms
        np.testing.assert_allclose(arrays["signal_00"], expected + 100, rtol=1e-6)
    assert json.loads((tmp_path / "spsw" / "dataset.json").read_text()) == SPSW


def test_rows_of_one_time_stamp_keep_the_order_of_the_file(small_spsw, tmp_path):
    rows = [(20 * (row % 20), 0.0, ("WALKING", "TURNING", "SITTING_DOWN")[row // 20]) for row in range(60)]
    write_execution(small_spsw / "s01" / "s01_01_sp.csv", small(rows))
    convert_spsw(small_spsw, tmp_path / "spsw", people=["s01"])
    with np.load(tmp_path / "spsw" / "s01.npz") as arrays:
        np.testing.assert_array_equal(arrays["labels_00"], [2] * 19)


def test_all_executions_of_all_people_are_converted_and_readable(tmp_path):
    assert len(SPSW_EXECUTIONS) == 23 and sum(SPSW_EXECUTIONS.values()) == 223
    for person, count in SPSW_EXECUTIONS.items():
        for execution in range(1, count + 1):
            write_execution(tmp_path / "source" / person / f"{person}_{execution:02d}_sp.csv", small())
    convert_spsw(tmp_path / "source", tmp_path / "spsw")
    recordings = load_folder(tmp_path / "spsw")
    assert len(recordings.recordings) == 223 and recordings.sampling_rate == 50
    assert len({recording.subject for recording in recordings.recordings}) == 23


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"1 missing, such as s01/s01_06_sp\.csv"),
        (lambda path: path.rename(path.with_name("s01_6_sp.csv")), r"1 missing.*1 of another name.*s01/s01_6_sp\.csv"),
        (lambda path: write_execution(path.with_name("s01_07_sp.csv"), small()), r"1 of another name.*s01_07_sp\.csv"),
        (
            lambda path: write_execution(path, small(ROWS[:-1])),
            r"s01_06_sp\.csv: truncated.*5 rows without SITTING_DOWN",
        ),
        (lambda path: path.write_text(path.read_text()[:-5]), r"s01_06_sp\.csv: line 7 cannot be read.*SITTING_"),
        (lambda path: path.write_text(path.read_text()[:-20]), "line 7 cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("16.0", "1e999")), "line 6 cannot be read"),
        (
            lambda path: path.write_text(path.read_text().replace("16.0,", "")),
            "line 6 cannot be read.*six finite numbers",
        ),
        (
            lambda path: write_execution(path, small(), SPSW_HEADER[::-1]),
            "other columns.*label, timestamp.*wanted: x_acc",
        ),
        (lambda path: path.write_text(""), "other columns.*an empty file"),
        (lambda path: write_execution(path, small(ROWS[-1:])), "too short.*0 s"),
        (lambda path: write_execution(path, small([*ROWS, (10**9, *ROWS[-1][1:])])), "too long.* at most 3600 s"),
        (lambda path: write_execution(path, small([*ROWS, (10**400, *ROWS[-1][1:])])), "line 8 cannot be read"),
        (lambda path: path.open("a").write("x" * 200_000), "line 8 cannot be read.* field larger than field limit"),
    ],
)
def test_spsw_that_is_not_the_public_one_is_named_and_nothing_is_written(small_spsw, tmp_path, damage, message):
    damage(small_spsw / "s01" / "s01_06_sp.csv")
    with pytest.raises(InputError, match=message):
        convert_spsw(small_spsw, tmp_path / "spsw", people=["s01"])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_spsw_written_as_public_files_comes_back_bit_for_bit(tmp_path):
    """A row at every sample of the 50 Hz grid, and one of the same label after it, so that rounding moves no label."""
    arrays = real("spsw-har", "s01.npz")
    for number in range(6):
        signal, labels = arrays[f"signal_{number:02d}"], arrays[f"labels_{number:02d}"]
        rows = [
            (20 * place + later, list(map(str, signal[place])), SPSW["classes"][labels[place]])
            for place in range(len(labels))
            for later in (0, 10)
        ]
        write_execution(tmp_path / "source" / "s01" / f"s01_{number + 1:02d}_sp.csv", rows)
    convert_spsw(tmp_path / "source", tmp_path / "spsw", people=["s01"])
    with np.load(tmp_path / "spsw" / "s01.npz") as converted:
        assert set(converted.files) == set(arrays)
        for name, wanted in arrays.items():
            assert converted[name].dtype == wanted.dtype and converted[name].tobytes() == wanted.tobytes()
    assert json.loads((tmp_path / "spsw" / "dataset.json").read_text()) == json.loads(
        (REAL / "spsw-har" / "dataset.json").read_text()
    )
