"""CSV files as people have them: what is read, and the line and column of what is not."""

import os

import numpy as np
import pytest

from companion.importing.tables import read_table
from emargin.errors import InputError

NAMES = {"time": "t", "label": "what"}
ROWS = [["0.0", "1.5", "-2", "rest"], ["0.1", "2.25", "3e-1", "walk"], ["0.2", "-4", "7", ""]]
VALUES = [[1.5, -2.0], [2.25, 0.3], [-4.0, 7.0]]


def text(rows=ROWS, separator=",", header=("t", "x", "y", "what")):
    return "".join(separator.join(row) + "\n" for row in [header, *rows])


def read(tmp_path, content, **columns):
    """The table of a file with this content."""
    path = tmp_path / "anna.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, **NAMES | columns)


def commas(content, separator=";"):
    """A table with decimal commas."""
    return content.replace(",", separator).replace(".", ",")


@pytest.mark.parametrize(
    "content, said",
    [
        (text(), "UTF-8, separated by commas, decimal points"),
        (text().rstrip("\n"), "UTF-8, separated by commas, decimal points"),
        (text().replace("\n", "\r\n"), "UTF-8, separated by commas, decimal points"),
        (text().replace("\n", "\r"), "UTF-8, separated by commas, decimal points"),
        (text().encode("utf-8-sig"), "UTF-8 with a byte order mark, separated by commas"),
        (text(separator="\t").encode("utf-16"), "UTF-16, separated by tabs, decimal points"),
        (text().encode("utf-32"), "UTF-32, separated by commas, decimal points"),
        (commas(text()).replace("\n", "\r\n").encode("utf-8-sig"), "separated by semicolons, decimal commas"),
        (commas(text(), "\t"), "separated by tabs, decimal commas"),
        (commas(text(), "|"), "separated by bars, decimal commas"),
        (text(separator=";"), "separated by semicolons, decimal points"),
        (text().replace("rest", '"rest"').replace("x,", '"x",'), "separated by commas"),
        (text().replace(",", ", "), "separated by commas"),
        ("sep=;\r\n" + commas(text()), "separated by semicolons, decimal commas"),
        ("# made by a device\n\n" + text(), "separated by commas"),
        (text() + "\n\n", "separated by commas"),
    ],
)
def test_encodings_separators_and_decimal_signs_are_recognised(tmp_path, content, said):
    table = read(tmp_path, content)
    np.testing.assert_array_equal(table.values, VALUES)
    assert table.channels == ["x", "y"]
    assert table.cells["label"].tolist() == ["rest", "walk", ""]
    assert [float(cell.replace(",", ".")) for cell in table.cells["time"]] == [0.0, 0.1, 0.2]
    assert said in table.notes[0]


def test_a_file_in_another_encoding_is_read_once_it_is_named(tmp_path):
    content = text().replace("rest", "gähn").encode("cp1252")
    with pytest.raises(InputError, match="anna.csv, line 2: not encoded in UTF-8. found: byte 0xe4 at place 13"):
        read(tmp_path, content)
    assert read(tmp_path, content, encoding="cp1252").cells["label"][0] == "gähn"
    with pytest.raises(InputError, match="no such encoding. found: klingon"):
        read(tmp_path, content, encoding="klingon")


def test_lines_are_those_of_the_file(tmp_path):
    content = "# one\n# two\n" + text(ROWS[:1]) + "\n" + text(ROWS[1:]).partition("\n")[2]
    table = read(tmp_path, content)
    assert table.lines.tolist() == [4, 6, 7]
    assert table.notes[2:] == ["2 lines before the header left out", "1 empty line left out"]
    broken = text([["0.0", "1", "2", '"sit\ndown"'], *ROWS[1:]])
    assert read(tmp_path, broken).lines.tolist() == [3, 4, 5], "a cell with a line break ends in the line below"


def test_columns_that_are_left_out_are_said(tmp_path):
    indexed = "\n".join(f"{number},{line}" for number, line in zip(["", 0, 1, 2], text().splitlines(), strict=True))
    table = read(tmp_path, indexed, channels=["y"])
    assert table.channels == ["y"] and table.unused == ["", "x"]
    assert "columns left out: (without a name), x" in table.notes
    assert read(tmp_path, indexed).channels == ["x", "y"]


def test_nothing_in_a_cell_is_not_measured_and_text_labels_stay(tmp_path):
    rows = [[*row] for row in ROWS * 2]
    rows[0][1], rows[1][1], rows[2][2] = "", "NaN", "n/a"
    rows[0][3], rows[1][3] = "null", "None"
    table = read(tmp_path, text(rows))
    np.testing.assert_array_equal(np.isnan(table.values[:3]), [[True, False], [True, False], [False, True]])
    assert table.cells["label"][:2].tolist() == ["null", "None"], "names of classes, as good as any"


def changed(row, column, cell):
    rows = [[*cells] for cells in ROWS * 20]
    rows[row][column] = cell
    return text(rows)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "anna.csv: empty. found: 0 bytes"),
        (b" \r\n\r\n", "anna.csv: empty. found: 5 bytes"),
        (text([]), "anna.csv: no rows. found: a header alone"),
        (text([]).strip(), "anna.csv: no rows. found: a header alone"),
        (text().replace("what", "What"), "anna.csv: no column what. found: columns t, x, y, What. .*did you mean What"),
        (text().partition("\n")[2], "anna.csv: no column t, what. found: columns 0.0, 1.5, -2, rest"),
        (text(header=("t", "x", "x", "what")), "anna.csv, line 1: columns named twice. found: x"),
        (text().replace("x,y,", "").replace("1.5,-2,", ""), "anna.csv: no channels. found: columns t, what"),
        (changed(7, 1, "abc"), "anna.csv, line 9, column x: not a number. found: 'abc'; 1 such cell. .*--channels"),
        (changed(7, 2, "True"), "anna.csv, line 9, column y: not a number. found: 'True'"),
        (text([[row[0], "False" if row[3] else "True", *row[2:]] for row in ROWS]), "line 2, column x: not a.*False"),
        (changed(7, 2, "1_000"), "anna.csv, line 9, column y: not a number. found: '1_000'"),
        (changed(7, 2, "a" * 5000), r"line 9, column y: not a number. found: 'a{60}... \(5000 characters\)'"),
        (changed(7, 2, "0x1f"), "anna.csv, line 9, column y: not a number. found: '0x1f'"),
        (changed(7, 2, "inf"), "anna.csv, line 9, column y: too large a number. found: inf"),
        (changed(7, 2, "1e39"), "anna.csv, line 9, column y: too large a number. found: 1e.39"),
        (changed(7, 2, "9" * 40), "anna.csv, line 9, column y: too large a number. found: 1e.40"),
        (changed(7, 2, "7,1"), "line 9: another number of cells .* found: 5 cells, separated by commas. wanted: 4"),
        (text([*ROWS, ["0.3", "1"]]), "anna.csv, line 5: another number of cells .* found: 2 cells"),
        (text([[*row, "7"] for row in ROWS]), "anna.csv, line 2: another number of cells .* found: 5 cells"),
        (text(ROWS * 9).replace("walk", '"walk', 1), "anna.csv, line [23]: cannot be read.* quotation mark"),
        (text([[row[0], "4", *row[2:]] for row in ROWS]), "anna.csv, column x: constant. found: 4 in all 3 rows"),
        (text([[row[0], "0", "0", row[3]] for row in ROWS]), "anna.csv, column x: constant. found: 0 in all 3 rows"),
        (text([[*row[:2], "", row[3]] for row in ROWS]), "anna.csv, column y: no number at all"),
        (text().encode("utf-16-le"), "anna.csv, line 1: no text. found: a byte of zero. .*--encoding utf-16-le"),
        (b"PK\x03\x04" + bytes(99), "anna.csv: no text. found: a zip archive or a spreadsheet"),
        (b"\x1f\x8b" + bytes(99), "anna.csv: no text. found: a gzip archive"),
        (bytes(range(128, 256)) * 9, "anna.csv, line 1: not encoded in UTF-8. found: byte 0x80 at place 1 of the line"),
        ("a" * 10**6, r"anna.csv: no column t, what. found: columns a{60}... \(1000000 characters\)"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_line_and_column(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


def test_decimal_points_among_decimal_commas_are_refused(tmp_path):
    rows = [["0", "1,5", "2", "rest"], ["1", "2.5", "3", "rest"], ["2", "3,5", "4", "rest"]]
    with pytest.raises(
        InputError, match="anna.csv, line 2, column x: not a number. found: '1,5'; 2 .* both commas and"
    ):
        read(tmp_path, text(rows, ";"))


@pytest.mark.parametrize(
    "columns", [{"label": "t"}, {"channels": ["t"]}, {"channels": ["x", "x"]}, {"subject": "what"}]
)
def test_a_column_has_one_purpose(tmp_path, columns):
    with pytest.raises(InputError, match="a column is named for two purposes. found: (t|x|what)"):
        read(tmp_path, text(), **columns)


def test_a_pipe_is_refused_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="pipe.csv: no file. found: a pipe"):
        read_table(tmp_path / "pipe.csv", **NAMES)
