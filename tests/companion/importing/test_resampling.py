"""From rows with times to recordings at one rate: what is taken as it is, made up, filtered, cut."""

import numpy as np
import pytest

from companion.importing.resampling import Rows, resampled
from emargin.errors import InputError

RNG = np.random.default_rng(0)


def rows(times, values=None, labels=None):
    """Rows at these times (s), of noise in two channels and one label unless others are given."""
    times = np.asarray(times)
    values = RNG.normal(size=(len(times), 2)) if values is None else np.column_stack([values, values])
    labels = np.full(len(times), "rest", dtype=object) if labels is None else np.array(labels, dtype=object)
    nanoseconds = np.rint(times * 1e9).astype(np.int64)
    return Rows("anna.csv, subject anna", nanoseconds, values, labels, np.arange(len(times)) + 2)


def test_rows_on_the_grid_are_taken_as_they_are():
    given = rows(np.arange(300) / 50)
    done = resampled(given, 50, None)
    ((values, labels),) = done.recordings
    np.testing.assert_array_equal(values, given.values)
    assert (done.method, done.interpolated, done.gaps, len(labels)) == ("as they are", 0, [], 300)
    assert done.found == pytest.approx(50)


@pytest.mark.parametrize("rate", [64, 128, 256])
def test_times_in_whole_milliseconds_are_on_the_grid(rate):
    given = rows(np.floor(np.arange(2000) / rate * 1000) / 1000)
    done = resampled(given, rate, None)
    np.testing.assert_array_equal(done.recordings[0][0], given.values)
    assert done.found == pytest.approx(rate, rel=1e-3)


def test_a_gap_of_a_day_says_nothing_of_the_rate():
    """As many steps as go into it, each a little short, would outweigh all others."""
    times = np.round(np.arange(1280) / 128, 3)
    done = resampled(rows(np.where(times < 5, times, times + 86_400)), 128, 1.0)
    assert done.found == pytest.approx(128, rel=2e-4) and len(done.recordings) == 2


def test_rows_that_lack_are_interpolated_and_counted():
    times, line = np.arange(300) / 50, np.linspace(-1, 1, 300)
    kept = np.delete(np.arange(300), [40, 41, 42, 170])
    done = resampled(rows(times[kept], line[kept]), 50, None)
    np.testing.assert_allclose(done.recordings[0][0][:, 0], line, atol=1e-12)
    assert (done.interpolated, done.method) == (4, "as they are")


def test_a_lower_rate_is_raised_by_linear_interpolation():
    times = np.arange(100) / 10 + RNG.normal(0, 0.003, 100)
    times -= times[0]
    done = resampled(rows(times, 3 * times - 1), 25, None)
    values = done.recordings[0][0][:, 0]
    np.testing.assert_allclose(values, 3 * np.arange(len(values)) / 25 - 1, atol=1e-6)
    assert done.method == "by linear interpolation" and done.interpolated == len(values)
    assert done.found == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("found", [100, 128, 90])
def test_a_higher_rate_is_filtered_so_that_nothing_is_folded_down(found):
    """Of 25 Hz, 18 Hz would come out as 7; 2 Hz pass, without delay."""
    times = np.arange(20 * found) / found
    slow, fast = np.sin(2 * np.pi * 2 * times), np.sin(2 * np.pi * 18 * times)
    done = resampled(rows(times, slow + fast), 25, None)
    values = done.recordings[0][0][:, 0]
    assert len(values) == 500 and "a low-pass filter" in done.method
    np.testing.assert_allclose(values[25:-25], np.sin(2 * np.pi * 2 * np.arange(500) / 25)[25:-25], atol=0.05)


def test_neither_jitter_nor_lost_rows_change_the_rate_that_is_found():
    jitter = np.random.default_rng(1).normal(0, 0.1 / 25, 2000)  # a tenth of a step
    times = np.sort(np.arange(2000) / 25 + jitter)
    done = resampled(rows(np.delete(times, range(100, 2000, 100))), 25, None)
    assert done.found == pytest.approx(25, rel=0.005) and done.method == "by linear interpolation"


def test_labels_are_those_of_the_nearest_row_and_of_the_earlier_of_two():
    labels = ["a"] * 10 + ["b"] * 10
    ten = resampled(rows(np.arange(20) / 10, labels=labels), 20, None).recordings[0][1]
    assert ten.tolist() == ["a"] * 20 + ["b"] * 19, "0.95 s lies between both, so it is still a"
    fast = resampled(rows(np.arange(80) / 40, labels=["a"] * 41 + ["b"] * 39), 20, None).recordings[0][1]
    assert fast.tolist() == ["a"] * 21 + ["b"] * 19


def test_recordings_are_cut_at_gaps_and_nothing_reaches_across():
    times = np.concatenate([np.arange(100), 700 + np.arange(150)]) / 50
    labels = ["a"] * 100 + ["b"] * 150
    given = rows(times, labels=labels)
    done = resampled(given, 50, 2.0)
    (first, first_labels), (second, second_labels) = done.recordings
    np.testing.assert_array_equal(np.concatenate([first, second]), given.values)
    assert set(first_labels) == {"a"} and set(second_labels) == {"b"}
    assert done.gaps == ["12.02 s before line 102"] and done.interpolated == 0
    whole = resampled(given, 50, 20.0)
    assert len(whole.recordings) == 1 and whole.interpolated == 600


def test_a_gap_is_one_second_or_three_steps_by_default():
    times = np.arange(200) / 50
    assert len(resampled(rows(np.where(times < 2, times, times + 0.97)), 50, None).recordings) == 1
    assert len(resampled(rows(np.where(times < 2, times, times + 0.99)), 50, None).recordings) == 2
    slow = np.arange(40) * 10.0
    assert len(resampled(rows(np.where(slow < 200, slow, slow + 19)), 0.1, None).recordings) == 1
    assert len(resampled(rows(np.where(slow < 200, slow, slow + 21)), 0.1, None).recordings) == 2


def test_pieces_that_make_no_recording_are_said():
    times = np.concatenate([np.arange(100), 200 + np.arange(10), 400 + np.arange(60)]) / 50
    values = RNG.normal(size=170)
    values[110:] = 4
    done = resampled(rows(times, values), 50, None)
    assert len(done.recordings) == 1
    assert done.left_out == [
        "lines 102 to 111: 10 samples, less than a second",
        "lines 112 to 171: channel 1 does not vary",
    ]


@pytest.mark.parametrize(
    "times, rate, gap, message",
    [
        ([0.0], 50, None, "anna.csv, subject anna: too few samples. found: 1 complete row. wanted: 2"),
        (np.arange(9) / 50, 50, None, "anna.csv, subject anna: too few samples. found: lines 2 to 10: 9 samples, less"),
        (np.arange(300) * 20, 50, None, "wholly different rate. found: 0.05 Hz, a row every 20 s. .* --time-unit ms"),
        (np.arange(300) / 5e6, 50, None, "wholly different rate. found: 5e[+]06 Hz"),
        (np.arange(300) / 50, 50, 0.01, "a gap shorter than the usual step. found: 0.01 s. wanted: more than 0.02 s"),
        ([*np.arange(99) / 50, 1e6, 1e6 + 0.02], 50, 1e8, "lines 2 to 102: most would be made up"),
    ],
)
def test_what_cannot_be_resampled_is_refused(times, rate, gap, message):
    with pytest.raises(InputError, match=message):
        resampled(rows(times), rate, gap)
