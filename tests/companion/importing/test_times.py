"""Times from text: what a column is taken for, and what may be meant in two ways."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from companion.importing.tables import Table
from companion.importing.times import parse_times
from emargin.errors import InputError

START = pd.Timestamp("2026-03-01 10:00:00")
MOMENTS = START + pd.to_timedelta([0.0, 0.02, 0.04], unit="s")
NANOSECONDS = [number * 20_000_000 for number in range(3)]


def parse(texts, **keywords):
    cells = pd.DataFrame({"time": [str(text) for text in texts]})
    table = Table(Path("anna.csv"), ["x"], np.zeros((len(texts), 1)), cells, np.arange(len(texts)) + 2)
    return parse_times(table, "t", **keywords)


def counts(unit):
    return MOMENTS.as_unit("ns").astype(np.int64) // {"ms": 10**6, "us": 10**3, "ns": 1}[unit]


@pytest.mark.parametrize(
    "texts, what, dated",
    [
        (["0", "0.02", "0.04"], "seconds", False),
        (["-1.02", "-1.0", "-0.98"], "seconds", False),
        (["0", "0,02", "0,04"], "seconds", False),
        (["86400.5", "86400.52", "86400.54"], "seconds", False),
        (["1772359200.00", "1772359200.02", "1772359200.04"], "seconds since 1970", True),
        (counts("ms"), "milliseconds since 1970", True),
        (counts("us"), "microseconds since 1970", True),
        (counts("ns"), "nanoseconds since 1970", True),
        (MOMENTS.strftime("%Y-%m-%dT%H:%M:%S.%f"), "dates without a zone", True),
        (MOMENTS.strftime("%Y-%m-%d %H:%M:%S,%f").str[:-3], "dates without a zone", True),
        (MOMENTS.strftime("%Y%m%dT%H%M%S.%f"), "dates without a zone", True),
        (MOMENTS.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "dates with a zone", True),
        (MOMENTS.strftime("%Y-%m-%d %H:%M:%S.%f+01:00"), "dates with a zone", True),
        (MOMENTS.strftime("%Y-%m-%d %H:%M:%S.%f-0530"), "dates with a zone", True),
        (MOMENTS.strftime("%Y-%m-%d %H:%M:%S.%f UTC"), "dates with a zone", True),
        (MOMENTS.strftime("%H:%M:%S.%f"), "times of a clock", False),
    ],
)
def test_times_are_recognised(texts, what, dated):
    times = parse(texts)
    np.testing.assert_allclose(times.nanoseconds - times.nanoseconds[0], NANOSECONDS, atol=300)
    assert (times.what, times.dated) == (what, dated)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_counts_and_dates_are_the_same_moments_to_the_nanosecond(unit):
    np.testing.assert_array_equal(parse(counts(unit)).nanoseconds, parse(MOMENTS).nanoseconds)


def test_counts_of_nanoseconds_are_exact():
    assert parse(["1772359200000000001", "1772359200000000003"]).nanoseconds.tolist() == [
        START.value + 1,
        START.value + 3,
    ]


def test_zones_count_across_the_end_of_summer_time():
    utc = pd.date_range("2026-10-25 00:59:59", periods=4, freq="1s", tz="UTC")
    local = [moment.isoformat() for moment in utc.tz_convert("Europe/Berlin")]
    assert local[0].endswith("02:59:59+02:00") and local[1].endswith("02:00:00+01:00")
    np.testing.assert_array_equal(np.diff(parse(local).nanoseconds), 10**9)
    with pytest.raises(InputError, match="anna.csv, line 3, column t: times go back by an hour, as where summer time"):
        parse([text[:-6] for text in local])


def test_the_unit_and_the_form_of_times_can_be_named():
    assert parse(["0", "20", "40"], unit="ms").nanoseconds.tolist() == NANOSECONDS
    dates = parse(["01.03.2026 10:00", "01.03.2026 10:01"], pattern="%d.%m.%Y %H:%M")
    assert dates.nanoseconds.tolist() == [START.value, START.value + 60 * 10**9]
    with pytest.raises(InputError, match="line 3, column t: no time of the given form. found: '2026-03-01'"):
        parse(["01.03.2026", "2026-03-01"], pattern="%d.%m.%Y")


@pytest.mark.parametrize(
    "texts, message",
    [
        (["0", "", "2"], "anna.csv, line 3, column t: no time. found: ''; 1 such row"),
        (["0", "noon", "2"], "anna.csv, line 3, column t: no number, as the times before are. found: 'noon'"),
        (["0", "nan", "2"], "anna.csv, line 3, column t: no number"),
        (["0", "inf", "2"], "anna.csv, line 3, column t: no number"),
        (["2026-03-01", "noon"], "anna.csv, line 3, column t: not a time. found: 'noon'"),
        (["01.03.2026 10:00:00"], "line 2, column t: not a time. .* --time-format"),
        (["2026-02-30T10:00:00"], "line 2, column t: not a time. found: '2026-02-30T10:00:00'"),
        (["2026-03-01T10:00:00Z", "2026-03-01T10:00:01"], "line 3, column t: a zone in some times alone"),
        (["1772359200", "1772359200020", "1772359200040"], "line 2, column t: a number in another unit than most"),
        (["20260301100000", "20260301100001"], "line 3, column t: a number that is no time since 1970 in any unit"),
        (["9" * 40, "1"], r"line 2, column t: a number that is no time since 1970 in any unit. found: 9{40}"),
        (["23:59:59", "00:00:00"], "line 3, column t: the clock goes back by half a day or more, as at midnight"),
        (["9999-12-31T00:00:00"], "anna.csv, column t: out of bounds|line 2, column t: not a time"),
    ],
)
def test_what_is_no_time_is_refused_with_its_line(texts, message):
    with pytest.raises(InputError, match=message):
        parse(texts)


def test_a_number_beyond_all_times_of_its_unit_is_refused():
    with pytest.raises(InputError, match="line 2, column t: beyond all times in seconds"):
        parse(["1e300"], unit="s")
