"""The rows that the page on the six differences shows."""

import pytest

from companion.six import GEOMETRIES, ON_NOISE, WITH_CONTROL, on_noise, paper_silhouettes, with_control
from companion.statistics.tables import SET_TITLES


def test_every_line_has_three_seeds_in_every_row():
    for found, lines, rows in (
        (on_noise("silhouette"), ON_NOISE, GEOMETRIES),
        (with_control("silhouette"), WITH_CONTROL, SET_TITLES),
    ):
        assert list(found) == lines
        for values in found.values():
            counts = values.index.value_counts()
            assert set(counts) == {3} and set(counts.index) <= set(rows.values())
            assert values.between(-1, 1).all()
    assert set(on_noise("silhouette")["eMargin, released"].index) == set(GEOMETRIES.values())


def test_a_line_is_one_fidelity_reading_and_rule_of_labels():
    by_labels = with_control("silhouette")["eMargin, released"]["features of Sleep-EDF"]
    assert by_labels.min() > 0.7  # with the paper's labels the same loss has less than half of it
    assert with_control("silhouette")["eMargin, pair"].mean() > with_control("silhouette")["eMargin, anchor"].mean()


def test_the_papers_silhouettes():
    assert paper_silhouettes() == {
        "HARTH": pytest.approx(0.38),
        "SleepEEG": pytest.approx(0.83),
        "ECG": pytest.approx(0.8),
    }
