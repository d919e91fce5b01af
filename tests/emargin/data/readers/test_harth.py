"""HARTH: on small files in its exact format."""

import tracemalloc

import numpy as np
import pytest

from emargin.data.framing import frame_labels
from emargin.data.readers.harth import SUBJECTS, load_harth
from emargin.errors import InputError, MissingData

CODES = [1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 130, 140]
COLUMNS = "timestamp,back_x,back_y,back_z,thigh_x,thigh_y,thigh_z,label"
# S006 is always read with this remark; most tests look at other subjects.
pytestmark = pytest.mark.filterwarnings("ignore:HARTH, time stamps. S006. 10 ms apart, read at 50 Hz all the same$")


def stamps(milliseconds, digits=3):
    """Time stamps as in the files: 2019-01-12 00:00:00.020."""
    times = np.datetime64("2019-01-12T00:00:00", "ns") + np.asarray(milliseconds) * np.timedelta64(1_000_000, "ns")
    return [str(time).replace("T", " ")[: 20 + digits] for time in times]


def write(folder, subject="S008", rows=60, times=None, labels=None, header=COLUMNS):
    """One file, every axis a sine of its own; returns its values `(rows, 6)` with six digits, as they are written."""
    if times is None:
        times = stamps(np.arange(rows) * (10 if subject == "S006" else 20))
    labels = np.full(len(times), 1) if labels is None else labels
    row = np.arange(len(times))[:, None]
    values = np.round(np.sin(0.1 * row + np.arange(6)) + int(subject[1:]) / 100, 6)
    lines = [header]
    for number, (time, sample, label) in enumerate(zip(times, values, labels, strict=True)):
        fields = {"timestamp": time, "index": 7 + 2 * number, "": number, "label": label}
        fields |= dict(zip(COLUMNS.split(",")[1:7], (f"{value:.6f}" for value in sample), strict=True))
        lines.append(",".join(str(fields[column]) for column in header.split(",")))
    (folder / f"{subject}.csv").write_text("\n".join(lines) + "\n")
    return values


@pytest.fixture
def folder(tmp_path):
    for subject in SUBJECTS:
        write(tmp_path, subject)
    return tmp_path


def only(folder, subject="S008"):
    return [recording for recording in load_harth(folder).recordings if recording.subject == subject]


def test_the_set_holds_22_people_in_number_order_in_g_at_50_hz(folder):
    harth = load_harth(folder)
    assert (harth.name, harth.source, harth.sampling_rate, harth.framed) == ("harth", "real", 50.0, False)
    assert [r.name for r in harth.recordings] == [r.subject for r in harth.recordings] == list(SUBJECTS)
    assert len(SUBJECTS) == 22 and (SUBJECTS[3], SUBJECTS[4], SUBJECTS[-1]) == ("S010", "S012", "S029")
    recording = harth.recordings[1]
    assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64
    np.testing.assert_allclose(recording.values, write(folder, "S008"), atol=1e-7)


def test_codes_become_twelve_classes_in_their_order_with_the_rarest_last(folder):
    write(folder, times=stamps(np.arange(60) * 20), labels=np.repeat(CODES[::-1], 5))
    (recording,) = only(folder)
    np.testing.assert_array_equal(recording.labels, np.repeat(np.arange(12)[::-1], 5))
    assert load_harth(folder).classes == (
        "walking",
        "running",
        "shuffling",
        "stairs (ascending)",
        "stairs (descending)",
        "standing",
        "sitting",
        "lying",
        "cycling (sit)",
        "cycling (stand)",
        "cycling (sit, inactive)",
        "cycling (stand, inactive)",
    )


@pytest.mark.parametrize("header", [COLUMNS, COLUMNS.replace(",", ",index,", 1), "," + COLUMNS])
def test_row_numbers_that_some_files_carry_do_not_shift_the_columns(folder, header):
    values = write(folder, "S023", labels=np.repeat([1, 8], 30), header=header)
    (recording,) = only(folder, "S023")
    np.testing.assert_allclose(recording.values, values, atol=1e-7)
    np.testing.assert_array_equal(recording.labels, np.repeat([0, 7], 30))


@pytest.mark.parametrize("digits", [3, 6, 9])
def test_stamps_may_have_milliseconds_to_nanoseconds_and_jitter(folder, digits):
    jitter = np.tile([0, 1, -1], 20)
    write(folder, times=stamps(np.arange(60) * 20 + jitter, digits))
    assert [len(recording.values) for recording in only(folder)] == [60]


def test_a_whole_second_may_be_written_without_a_fraction(folder):
    times = stamps(np.arange(60) * 20)
    times[0], times[50] = "2019-01-12 00:00:00", "2019-01-12 00:00:01"
    write(folder, times=times)
    assert len(only(folder)[0].values) == 60


def test_a_gap_of_a_second_starts_a_new_recording_of_the_same_subject(folder):
    rows = np.concatenate([np.arange(100), np.arange(150, 260), np.arange(1000, 1060)])  # 50 rows missing, then 740
    labels = np.where(rows < 150, 6, 8)
    values = write(folder, times=stamps(rows * 20), labels=labels)
    with pytest.warns(UserWarning, match="S008: 2 gaps of a second or more cut it"):
        pieces = only(folder)
    assert [(piece.name, piece.subject, len(piece.values)) for piece in pieces] == [
        ("S008-01", "S008", 100),
        ("S008-02", "S008", 110),
        ("S008-03", "S008", 60),
    ]
    np.testing.assert_allclose(np.concatenate([piece.values for piece in pieces]), values, atol=1e-7)
    assert [set(piece.labels) for piece in pieces] == [{5}, {7}, {7}]


def test_49_missing_rows_are_joined_and_counted_and_labels_stay_with_their_samples(folder):
    rows = np.concatenate([np.arange(60), np.arange(109, 150), np.arange(151, 200)])  # 49 rows missing, then 1
    write(folder, times=stamps(rows * 20), labels=np.where(rows < 109, 1, 2))
    with pytest.warns(UserWarning, match="S008: 2 shorter holes are joined"):
        (recording,) = only(folder)
    np.testing.assert_array_equal(recording.labels, np.repeat([0, 1], [60, 90]))


def test_a_piece_too_short_for_a_frame_is_left_out(folder):
    rows = np.concatenate([np.arange(60), np.arange(200, 249), np.arange(400, 450)])  # the middle one has 49 rows
    write(folder, times=stamps(rows * 20))
    with pytest.warns(UserWarning, match="S008: 2 gaps.*; S008: 1 pieces of less than a second are left out"):
        assert [(piece.name, len(piece.values)) for piece in only(folder)] == [("S008-01", 60), ("S008-02", 50)]
    write(folder, times=stamps(np.arange(49) * 20))
    with pytest.raises(InputError, match=r"S008\.csv: no second without a gap. found: 0 gaps in 49 rows"):
        load_harth(folder)


@pytest.mark.filterwarnings("default")
def test_the_stamps_of_s006_are_10_ms_apart_and_its_rows_are_read_like_all_others(folder):
    with pytest.warns(UserWarning, match="S006: 10 ms apart, read at 50 Hz all the same") as caught:
        assert len(only(folder, "S006")[0].values) == 60
    assert len(caught) == 1 and caught[0].filename == __file__
    write(folder, "S006", times=stamps(np.concatenate([np.arange(60), np.arange(109, 160)]) * 10))
    with pytest.warns(UserWarning, match="S006: 1 shorter holes are joined; S006: 10 ms apart"):
        assert len(only(folder, "S006")[0].values) == 111


@pytest.mark.parametrize("subject, step", [("S008", 10), ("S008", 40), ("S006", 20), ("S029", 22)])
def test_another_rate_is_refused(folder, subject, step):
    write(folder, subject, times=stamps(np.arange(60) * step))
    with pytest.raises(InputError, match=rf"{subject}\.csv: wrong sampling rate. found: time stamps {step} ms apart"):
        load_harth(folder)


@pytest.mark.parametrize("milliseconds, message", [(80, "found: 0 ms after"), (60, "found: -20 ms after")])
def test_a_stamp_that_repeats_or_goes_back_is_refused_by_its_line(folder, milliseconds, message):
    times = np.arange(60) * 20
    times[5] = milliseconds  # the sixth row, on line 7
    write(folder, times=stamps(times))
    with pytest.raises(InputError, match=rf"S008\.csv, line 7: the time stamp repeats or goes back. {message}"):
        load_harth(folder)


@pytest.mark.parametrize("code", [0, 9, 18, 141, -1])
def test_an_unknown_code_is_refused_by_its_line(folder, code):
    labels = np.full(60, 6)
    labels[40:] = code
    write(folder, labels=labels)
    with pytest.raises(InputError, match=rf"S008\.csv, line 42: unknown activity. found: {code}. wanted: one of \[1, "):
        load_harth(folder)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a,b",
        COLUMNS.replace("back_x", "back_w"),
        COLUMNS + ",note",
        COLUMNS.replace("back_x,back_y", "back_y,back_x"),
        COLUMNS.replace(",", ";"),
        COLUMNS.replace("label", "label,label"),
    ],
)
def test_unexpected_columns_are_refused(folder, header):
    path = folder / "S008.csv"
    path.write_text(path.read_text().replace(COLUMNS, header))
    with pytest.raises(InputError, match=r"S008\.csv: unexpected columns"):
        load_harth(folder)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda text: "", "unexpected columns. found: none"),
        (lambda text: COLUMNS + "\n", "no samples. found: 0 rows"),
        (lambda text: text[:-2], "truncated. found: the last line has no end"),  # 13 would have become 1
        (lambda text: text[:-20] + "\n", "cannot be read"),
        (lambda text: text.replace("00.100,", "00.100,1,"), "cannot be read"),  # a field too many
        (lambda text: text.replace(",1\n", ",1,1\n"), "line 2: more fields than columns"),  # in every row
        (lambda text: text.replace("00.100", "bad"), "cannot be read"),
        (lambda text: text.replace("2019-01-12 00:00:00.100", ""), "line 7: no time stamp"),
        (lambda text: text.replace(",1\n", ",walking\n"), "cannot be read"),
        (lambda text: text.replace(",1\n", ",1.5\n"), "cannot be read"),
        (lambda text: text.replace(",1\n", ",99999999999999999999\n"), "cannot be read"),
        (lambda text: text.replace("00.100,", "00.100,x"), "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused_by_name(folder, damage, message):
    path = folder / "S008.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=rf"S008\.csv(: |, ){message}"):
        load_harth(folder)


@pytest.mark.parametrize("value", ["", "nan", "inf", "1e60"])
def test_a_value_that_is_not_finite_is_refused_by_its_sample(folder, value):
    path = folder / "S008.csv"
    lines = path.read_text().split("\n")
    fields = lines[6].split(",")
    fields[3] = value
    lines[6] = ",".join(fields)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="recording S008: 1 samples are not finite.* at sample 5, channel 2"):
        load_harth(folder)


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / "S008.csv").write_bytes(COLUMNS.encode() + b"\n" + bytes(range(128, 256)) * 20 + b"\n")
    with pytest.raises(InputError, match=r"S008\.csv: "):
        load_harth(folder)


def test_a_missing_person_is_named_and_so_is_one_of_the_larger_release(folder):
    (folder / "S015.csv").unlink()
    write(folder, "S031")
    (folder / "._S008.csv").write_bytes(b"what macOS leaves on foreign disks")
    with pytest.raises(InputError, match=r"found: no S015.csv; S031.csv of another release"):
        load_harth(folder)


@pytest.mark.parametrize("name", [None, "readme.txt", "501.csv"])
def test_a_folder_without_its_files_is_missing_data(tmp_path, name):
    if name:
        (tmp_path / name).write_text("")
    with pytest.raises(MissingData, match=f"{tmp_path.name}: no HARTH files.*UCI archive, number 779"):
        load_harth(tmp_path)


def test_frames_of_the_paper_take_the_label_that_most_of_their_samples_have(folder):
    write(folder, times=stamps(np.arange(100) * 20), labels=np.repeat([7, 130], [60, 40]))
    (recording,) = only(folder)
    # Frames of samples 0-49, 25-74 and 50-99: the second has 35 samples sitting, the third 40 cycling.
    np.testing.assert_array_equal(frame_labels(recording.labels, 50, 25, 12), [6, 6, 10])


def test_a_file_as_long_as_the_real_ones_takes_little_memory(folder):
    rows = 100_000  # a real one has 137,646 to 418,989
    write(folder, times=stamps(np.arange(rows) * 20))
    tracemalloc.start()
    try:
        load_harth(folder)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 40 * rows, "24 bytes of values and 8 of label a row, and nothing of the text"
    assert peak < 400 * rows
