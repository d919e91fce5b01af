"""The files of a store: what is damaged is named, by file and line; nothing is silent, and nothing is lost."""

import json
import random
import re
import shutil

import numpy as np
import pytest

from companion import committed
from companion.__main__ import main
from companion.grid import files, integrity
from companion.grid.integrity import stamp
from companion.grid.plan import plan
from companion.grid.store import Store, read_cell
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.resolve import resolve

CELLS = [
    resolve(Experiment(dataset="ecg-sim", method=method, seed=seed))
    for seed in (1, 2)
    for method in ("random", "infonce", "emargin")
]
METRICS = ("silhouette", "davies_bouldin", "accuracy", "mlp_accuracy", "nmi")
ROWS, ARRAYS, RECORDS = files.NAMES


def made(number):
    """Rows, record and arrays of a cell."""
    cell, draws = CELLS[number], np.random.default_rng(number)
    note = 'apnoea 20, "none" 20\nand a line, too' if number == 1 else "apnoea 20, none 20"
    rows = results.table([results.tidy(cell, metric, draws.random(), 40, note) for metric in METRICS])
    record = {"experiment": json.loads(cell.to_json()), "data": "é", "seconds": {"train": 1.5}}
    return rows, record, {"map": draws.random((9, 2)), "map_labels": np.arange(9, dtype=np.int8)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "out"
    Store(folder).take(map(made, range(5)))
    return folder


@pytest.fixture
def out(written, tmp_path):
    return shutil.copytree(written, tmp_path / "out")


def said(folder):
    """What a look at a store says, of all its kinds the same."""
    with pytest.raises(InputError) as error:
        Store(folder)
    (verified,) = integrity.verify([folder])
    assert str(verified) == str(error.value)
    return str(error.value)


def changed(folder, name, change):
    """Write other lines in the place of a file's."""
    lines = (folder / name).read_text(encoding="utf-8").split("\n")
    (folder / name).write_bytes("\n".join(change(lines)).encode("utf-8", "surrogatepass"))


def put(place, line):
    return lambda lines: [*lines[:place], line, *lines[place:]]


def repeat(place, at):
    return lambda lines: [*lines[:at], lines[place], *lines[at:]]


def drop(place):
    return lambda lines: lines[:place] + lines[place + 1 :]


def edit(place, pattern, new):
    """Replace the first match in a line."""
    return lambda lines: [*lines[:place], re.sub(pattern, new, lines[place], count=1), *lines[place + 1 :]]


VALUE, WHOLE = r",0\.\d+,", "(?s)^.*$"


def test_what_is_written_is_read_again_and_verified(out):
    store = Store(out)
    assert store.known == set(store.records) == {cell.digest for cell in CELLS[:5]}
    assert [str(line) for line in integrity.verify([out])] == [f"{out}: 5 cells, 25 rows, 10 arrays, as written"]
    for number in range(5):
        rows, record, arrays = made(number)
        there = store.rows[store.rows.digest == CELLS[number].digest]
        np.testing.assert_allclose(there.value, rows.value, rtol=1e-8)
        assert there.note.iloc[0] == rows.note[0] and set(there.note[1:]) == {""}
        assert {key: store.records[CELLS[number].digest][key] for key in record} == record
        np.testing.assert_array_equal(store.arrays(CELLS[number].digest)["map"], arrays["map"].astype(np.float32))


@pytest.mark.parametrize("name", files.NAMES)
def test_no_flipped_bit_is_silent_and_each_is_named(out, name):
    content, draws, exact = (out / name).read_bytes(), random.Random(1), 0
    for _ in range(60):
        place, flipped = draws.randrange(len(content)), bytearray(content)
        flipped[place] ^= 1 << draws.randrange(8)
        (out / name).write_bytes(flipped)
        message = said(out)
        assert message.startswith(str(out / name)) and " is damaged" in message
        line = content.count(b"\n", 0, place) + 1
        exact += name == ARRAYS or f"is damaged, line {line}." in message
    assert exact >= 57  # of a row that has two lines, the first is named; of 256 changes of a row, one its cell's block
    (out / name).write_bytes(content)
    Store(out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(7, "<<<<<<< HEAD"), r"line 8\. found: <<<<<<< HEAD\. wanted: a row of 15 fields"),
        (put(9, "======="), r"line 10\. found: =======\. wanted: a row"),
        (repeat(3, 3), r"line 5\. found: "),
        (repeat(5, 6), r"line 7\. found: a row too many: ecg-sim"),
        (drop(3), r"line 4\. found: ecg-sim.*wanted: the rows of cell"),
        (edit(2, VALUE, ",0.999,"), r"line 3\. found: ecg.*,0.999,"),
        (edit(2, VALUE, ",NaN,"), r"line 3\. found: ecg.*,NaN,"),
        (edit(4, "$", "\r"), r"line 5\. found: "),
        (edit(4, "(?<=^.{40}).*", ""), r"line 5\. found: .*wanted: a row of 15 fields"),
        (edit(4, "(?<=^.{40}).*", '"'), r"line 5\. found: "),
        (edit(4, "^", '"'), r"line 5\. found: "),
        (edit(4, "$", "x" * 200_000), r"line 5\. found: field larger than .* \[\.\.\.\]\."),
        (edit(0, "value", "valve"), r"line 1\. found: .*valve"),
        (edit(0, "value,n", "n,value"), r"line 1\. found: .*n,value"),
        (put(0, ""), r"line 1\. found: \. wanted: the columns dataset,source"),
        (put(5, ""), r"line 6\. found: \. wanted: a row"),
        (lambda lines: lines[:12] + [lines[12][:30]], r"line 13\. found: .*wanted: a whole line"),
        (lambda lines: [*lines[:10], ""], r"line 11\. found: [0-4] of 5 rows"),
        (lambda lines: [*lines[:1], ""], r"line 2\. found: 0 of 5 rows"),
        (lambda lines: [""], r"line 1\. found: \. wanted: the columns"),
    ],
)
def test_a_row_that_is_not_as_it_was_is_named_by_its_line(out, change, message):
    changed(out, ROWS, change)
    assert re.search(rf"^{out / ROWS} is damaged, {message}", said(out), re.DOTALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(2, "<<<<<<< HEAD"), r"line 3\. found: .*<<<<<<< HEAD"),
        (
            edit(2, "1.5", "1.6"),
            'line 3.*what its checksum "record" is of',
        ),
        (edit(2, "1.5", "NaN"), "line 3. found: NaN, which is no number"),
        (edit(2, "1.5", "1.50"), "line 3. found: record of"),
        (edit(2, ": .*", ": " + "[" * 100_000), r"line 3\. found: JSON too deep in .* \[\.\.\.\]\."),
        (
            edit(2, WHOLE, '"0123456789abcdef": 7,'),
            "line 3. found: a int as record of",
        ),
        (edit(2, WHOLE, '"0123456789abcdef": [],'), "line 3. found: a list as record of"),
        (edit(2, WHOLE, '"x": {},'), "line 3. found: x. wanted: the digest of a cell"),
        (
            edit(2, WHOLE, '"0123456789abcdef": {"checksums": []},'),
            r"line 3. found: checksums \[\]",
        ),
        (repeat(2, 2), "line 4. found: a record of .* after one of"),
        (lambda lines: repeat(2, 5)(lines)[:2] + repeat(2, 5)(lines)[3:], "line 5. found: a record of .* after one of"),
        (
            drop(3),
            r"line 4. found: none of \w+, which has rows \(line \d+ of rows.csv\)",
        ),
        (lambda lines: lines[:3], "line 3. found: the end"),
        (lambda lines: [*lines[:3], ""], "line 3. found: the end"),
        (lambda lines: [json.dumps(json.loads("\n".join(lines)))], "line 1. found: .*wanted: { alone"),
        (lambda lines: ["[]"], r"line 1. found: \[\]. wanted: { alone"),
        (lambda lines: [""], r"line 1. found: \. wanted: { alone"),
    ],
)
def test_a_record_that_is_not_as_it_was_is_named_by_its_line(out, change, message):
    changed(out, RECORDS, change)
    assert re.search(rf"^{out / RECORDS} is damaged, {message}", said(out), re.DOTALL)


def test_bytes_that_are_no_text_are_named_by_their_line(out):
    for name in (ROWS, RECORDS):
        content = (out / name).read_bytes()
        (out / name).write_bytes(content.replace(b"\n", b"\n\xff", 3))
        assert f"{out / name} is damaged, line 2. found: byte 0xff. wanted: UTF-8" in said(out)
        (out / name).write_bytes(content)


@pytest.mark.parametrize("name", files.NAMES)
def test_a_file_that_is_gone_or_no_file_is_named(out, name):
    (out / name).rename(out / "aside")
    assert f"{out / name} is not there" in said(out)
    (out / name).mkdir()
    assert f"{out / name} cannot be read. found: no regular file" in said(out)


@pytest.mark.parametrize("name", files.NAMES)
def test_a_file_of_another_time_is_no_part_of_a_store(out, tmp_path, name):
    """Half of what a version control was asked for: one file is that of an earlier commit."""
    shutil.copy(out / name, tmp_path / "earlier")
    rows, record, arrays = made(2)
    Store(out).take([(rows.assign(value=rows.value + 1), record | {"commit": "b"}, {"map": arrays["map"] + 1})])
    shutil.copy(tmp_path / "earlier", out / name)
    message = said(out)
    assert CELLS[2].digest in message and (name in message or name == RECORDS)


def test_arrays_of_another_cell_are_not_taken_for_its_own(out):
    members = files.read_members(out, lambda digest, name: True)
    first, second = CELLS[0].digest, CELLS[1].digest
    members[f"{first}/map"], members[f"{second}/map"] = members[f"{second}/map"], members[f"{first}/map"]
    (out / ARRAYS).write_bytes(files.archive_of(members))
    assert f"{out / ARRAYS} is of other results than its neighbours. found: arrays of cell" in said(out)
    (out / ARRAYS).write_bytes(files.archive_of(members | {"0123456789abcdef/map": members[f"{first}/map"]}))
    assert "is of other results than its neighbours" in said(out)


@pytest.mark.parametrize("words", [["grid", "plan"], ["grid", "collect"], ["score"], ["run", "--grid"]])
def test_a_command_on_a_damaged_store_says_so_and_leaves_it(out, tmp_path, capsys, words):
    (tmp_path / "grid.json").write_text('[{"dataset": "ecg-sim", "method": "random"}]')
    changed(out, ROWS, edit(2, VALUE, ",0.999,"))
    before = (out / ROWS).read_bytes()
    assert main([*words, str(tmp_path / "grid.json"), "--out", str(out)]) == 2
    assert f"emargin: {out / ROWS} is damaged, line 3. found: " in capsys.readouterr().err
    assert (out / ROWS).read_bytes() == before


def test_verify_reads_all_folders_and_fails_for_one_that_is_damaged(out, written, tmp_path, capsys, monkeypatch):
    assert main(["results", "verify", str(written)]) == 0
    assert capsys.readouterr().out == f"{written}: 5 cells, 25 rows, 10 arrays, as written\n"
    changed(out, ROWS, drop(2))
    assert main(["results", "verify", str(out), str(tmp_path / "none"), str(written)]) == 2
    output = capsys.readouterr()
    assert output.out.startswith(str(written)) and f"{out / ROWS} is damaged" in output.err
    assert f"no results in {tmp_path / 'none'}" in output.err
    monkeypatch.setattr(committed, "home", lambda: tmp_path)
    (tmp_path / "results").mkdir()
    shutil.copytree(written, tmp_path / "results" / "one")
    assert main(["results", "verify"]) == 0 and "one: 5 cells" in capsys.readouterr().out


def test_the_folder_of_a_run_is_verified_too(tmp_path, capsys):
    results.write_cell(tmp_path, *made(0))
    assert main(["results", "verify", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: one cell, 5 rows, 2 arrays, as written\n"
    changed(tmp_path, ROWS, edit(2, VALUE, ",0.999,"))
    assert main(["results", "verify", str(tmp_path)]) == 2
    assert f"{tmp_path / ROWS} is damaged. found: another checksum" in capsys.readouterr().err


def unstamped(folder):
    """What an earlier version wrote: no checksums."""
    records = {digest: record for digest, record in Store(folder).records.items()}
    for record in records.values():
        del record["checksums"]
    archive = (folder / ARRAYS).read_bytes()[: -files.COMMENT]
    (folder / ARRAYS).write_bytes(archive[:-2] + b"\0\0")
    lines = ",\n".join(f'"{digest}": {json.dumps(record)}' for digest, record in sorted(records.items()))
    (folder / RECORDS).write_text(f"{{\n{lines}\n}}\n")


def test_a_store_without_checksums_gets_them_once(out, written, capsys):
    unstamped(out)
    assert f"{out / RECORDS} has no checksums, line 2" in said(out) and "emargin results stamp" in said(out)
    assert main(["results", "stamp", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: checksums for 5 cells\n"
    for name in files.NAMES:
        assert (out / name).read_bytes() == (written / name).read_bytes()
    assert main(["results", "stamp", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: checksums for 0 cells\n"


def test_a_stamp_hides_no_damage(out):
    changed(out, ROWS, edit(2, VALUE, ",0.999,"))
    with pytest.raises(InputError, match="rows.csv is damaged, line 3"):
        stamp(out)
    assert stamp(out, anew=True) == 5
    assert Store(out).rows.value[1] == 0.999


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (ROWS, put(7, "<<<<<<< HEAD"), "line 8"),
        (
            ROWS,
            edit(2, VALUE, ",word,"),
            "line 3. found: value word",
        ),
        (ROWS, edit(2, ",40,", ",4.5,"), "line 3. found: n 4.5"),
        (ROWS, lambda lines: lines[:1] + [""], "found: cell .* in one of rows.csv and provenance.json alone"),
        (ROWS, edit(2, "ecg", "\ud800"), "rows.csv is damaged, line 3. found: byte 0xed. wanted: UTF-8"),
        (RECORDS, edit(2, "1.5", "NaN"), "NaN, which is no number"),
        (RECORDS, repeat(2, 2), "twice in one object"),
        (RECORDS, lambda lines: ["["] * 100_000, "RecursionError"),
        (RECORDS, lambda lines: ["[]"], "no object of objects"),
        (RECORDS, lambda lines: ['{"a": 1}'], "no object of objects"),
    ],
)
def test_a_store_that_cannot_be_read_gets_no_checksums(out, name, change, message):
    unstamped(out)
    changed(out, name, change)
    before = {name: (out / name).read_bytes() for name in files.NAMES}
    with pytest.raises(InputError, match=message):
        stamp(out)
    assert before == {name: (out / name).read_bytes() for name in files.NAMES}


def test_no_folder_is_made_by_a_stamp(tmp_path, capsys):
    assert main(["results", "stamp", str(tmp_path / "misspelt")]) == 2
    assert "no results in" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_arrays_that_cannot_be_read_get_no_checksum(out):
    unstamped(out)
    content = bytearray((out / ARRAYS).read_bytes())
    content[200] ^= 1
    (out / ARRAYS).write_bytes(content)
    with pytest.raises(InputError, match="arrays.npz is damaged"):
        stamp(out)


def test_rows_of_a_cell_that_is_not_replaced_stay_as_they_are(out):
    """To the letter: another version of a library may print numbers otherwise."""
    before = (out / ROWS).read_text().splitlines()
    changed(out, ROWS, edit(3, r",(0\.\d+),", r",\g<1>0,"))
    odd = (out / ROWS).read_text().splitlines()
    assert odd != before
    stamp(out, anew=True)
    digest = odd[3].split(",")[-2]
    other = next(number for number in range(5) if CELLS[number].digest != digest)
    Store(out).take([made(other), made(5)])
    assert set(odd) <= set((out / ROWS).read_text().splitlines())


def test_a_column_more_is_one_of_all_rows(out):
    held_out = resolve(Experiment(dataset="dsads", source="real", method="random", split="validation"))
    rows = results.table([results.tidy(held_out, "silhouette", 0.5, 9)])
    Store(out).take([(rows, {"experiment": json.loads(held_out.to_json())}, {})])
    assert Store(out).rows.split.tolist().count("validation") == 1 and len(Store(out).rows) == 26


def test_what_is_written_is_on_the_disk_before_it_counts(out, monkeypatch):
    """The folder that holds the new files, and then the store's, which has its name."""
    steps = []
    sync, write = files._sync, results.write_bytes
    monkeypatch.setattr(files, "_sync", lambda folder: (sync(folder), steps.append(sorted(folder.iterdir()))))
    monkeypatch.setattr(results, "write_bytes", lambda path, content: (write(path, content), steps.append(path.name)))
    Store(out).take([made(5)])
    assert steps[:3] == [ARRAYS, ROWS, RECORDS]
    assert [path.name for path in steps[3]] == sorted(files.NAMES)
    assert files.AHEAD in [path.name for path in steps[4]]
    assert {path.name for path in out.iterdir()} == set(files.NAMES)


def test_a_reader_beside_a_writer_meets_one_generation(out, monkeypatch):
    """The writer moves its files while they are read."""
    reads, content = [], files._content

    def moving(path):
        reads.append(path)
        found = content(path)
        if len(reads) == 1:
            Store(out).take([made(5)])
        return found

    monkeypatch.setattr(files, "_content", moving)
    assert len(Store(out).known) == 6


def test_a_reader_reads_what_lies_ahead(out, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "settle", lambda folder: None)
        Store(out).take([made(5)])
    assert len(Store(out).known) == 6 and (out / files.AHEAD).is_dir()
    before = (out / ROWS).read_bytes()
    assert (out / ROWS).read_bytes() == before, "reading writes nothing"
    with Store(out).locked():
        assert not (out / files.AHEAD).exists()
    assert len(Store(out).known) == 6


# --- the folder that a cell ran in


@pytest.mark.parametrize("name", files.NAMES)
def test_no_flipped_bit_in_the_folder_of_a_cell_is_silent(tmp_path, name):
    rows, record, arrays = made(1)
    results.write_cell(tmp_path, rows, record, arrays)
    read, kept, _ = read_cell(tmp_path)
    assert kept == record and len(read) == len(rows)
    content, draws = (tmp_path / name).read_bytes(), random.Random(2)
    for _ in range(60):
        flipped = bytearray(content)
        flipped[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
        (tmp_path / name).write_bytes(flipped)
        with pytest.raises(InputError, match=f"{tmp_path}.* is damaged"):
            read_cell(tmp_path)


def test_the_folder_of_a_cell_without_checksums_says_so(tmp_path):
    rows, record, _ = made(1)
    results.write_cell(tmp_path, rows, record)
    (tmp_path / RECORDS).write_text(json.dumps(record))
    with pytest.raises(InputError, match="is damaged. found: ValueError: no checksums, as of an earlier"):
        read_cell(tmp_path)


def test_the_plan_of_a_store_that_is_whole_is_as_ever(out):
    assert str(plan(CELLS, Store(out))).startswith("6 cells: 0 done")
