"""Counting claims: places, comparisons of lines, verdicts, the figure."""

import numpy as np
import pandas as pd
import pytest

from companion.figures import conclusions as plots
from companion.statistics import conclusions
from companion.statistics.conclusions import Count, above, emargin_places, means, places_on_sets
from companion.statistics.intervals import configurations
from tests.companion.statistics.test_tables import PAPER, Written, cell


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


@pytest.mark.parametrize(
    ("holds", "of", "verdict"),
    [
        (3, 4, "stands"),
        (1, 4, "does not stand"),
        (2, 4, "in part"),
        (5, 8, "in part"),
        (0, 9, "does not stand"),
        (3, 3, "open"),
        (0, 0, "open"),
    ],
)
def test_a_verdict_needs_three_quarters_of_four(holds, of, verdict):
    assert Count(holds, of).verdict == verdict


def test_a_count_says_what_it_counted():
    assert str(Count(3, 4)) == "stands (3 of 4)" and str(Count(0, 0)) == "not run"
    assert conclusions.count(pd.Series([True, False, True])) == Count(2, 3)
    assert conclusions.count(pd.Series([], dtype=bool)) == Count(0, 0)


def test_places_are_counted_for_the_paper_once_and_for_every_split(written):
    methods = ("tnc", "cost", "infots", "ts2vec", "emargin")
    first = [cell(method) for method in methods]
    second = [cell(method, dataset="ecg-released", source="simulated", sequence_length=50) for method in methods]
    for cells, values in ((first, (0.1, 0.2, 0.3, 0.4, 0.5)), (second, (0.6, 0.2, 0.3, 0.4, 0.5))):
        for one, value in zip(cells, values, strict=True):
            written.add(one, value)
    found = emargin_places(written.store(), [first, second], PAPER)
    assert set(found.data) == {"ecg", "ecg-sim, fold 1", "ecg-released, fold 1"}
    assert (found.column == "paper").sum() == 6  # two metrics of Table 1, four of Table 2: one line each
    place = found.set_index(["data", "column", "metric"]).place
    assert place["ecg-sim, fold 1", "released", "silhouette"] == 1
    assert place["ecg-sim, fold 1", "released", "davies_bouldin"] == 5
    assert place["ecg-released, fold 1", "released", "accuracy"] == 2
    assert set(found.of[found.column == "released"]) == {5}
    assert emargin_places(written.store(), [first[1:]], PAPER).empty  # a place among four


def test_lines_are_compared_where_both_have_values(written):
    splits = [
        [cell("infonce"), cell("infonce", 2), cell("emargin"), cell("random")],
        [cell("infonce", fold=2), cell("emargin", fold=2)],
    ]
    for one, value in zip([*splits[0], splits[1][0]], (0.2, 0.4, 0.25, 0.5, 0.9), strict=True):
        written.add(one, value)
    table = means(written.store(), splits, "silhouette")
    assert table.loc[("ecg-sim, fold 1", "released"), "InfoNCE"] == pytest.approx(0.3)
    assert table.loc[("ecg-sim, fold 1", "original"), "Random Init"] == 0.5
    assert np.isnan(table.loc[("ecg-sim, fold 2", "released"), conclusions.EMARGIN])
    released = table.xs("released", level="fidelity")
    assert above(released, "InfoNCE", conclusions.EMARGIN) == Count(1, 1)
    assert above(released, conclusions.EMARGIN, "InfoNCE") == Count(0, 1)
    assert above(released, "TNC", "InfoNCE") == Count(0, 0)


def test_places_on_a_set_are_among_the_defaults_of_one_fidelity_and_the_untrained(written):
    values = {
        cell("random"): 0.1,
        cell("infonce"): 0.2,
        cell("infonce", fidelity="original"): 0.9,
        cell("emargin"): 0.15,
        cell("emargin", labels="paper"): 0.95,
        cell("emargin", fidelity="original"): 0.3,
        cell("emargin", fidelity="original", reading="pair"): 0.99,
        cell("emargin", fold=2): 0.5,
    }
    for one, value in values.items():
        written.add(one, value)
    found = configurations(written.store().rows)
    released = places_on_sets(found, ("silhouette", "davies_bouldin"), "released")
    assert [tuple(row)[1:] for row in released.itertuples(index=False)] == [
        ("silhouette", 2, 3),
        ("davies_bouldin", 2, 3),
        ("silhouette", 1, 1),
        ("davies_bouldin", 1, 1),
    ]
    (original,) = places_on_sets(found, ("silhouette",), "original").itertuples(index=False)
    assert tuple(original)[1:] == ("silhouette", 2, 3)  # InfoNCE before it, the random encoder behind


def test_every_place_has_its_mark_on_its_line():
    found = pd.DataFrame(
        [
            ("silhouette", "paper", 1, 9),
            ("silhouette", "released", 5, 9),
            ("accuracy", "released", 3, 3),
            ("nmi", "released", 1, 3),
        ],
        columns=["metric", "column", "place", "of"],
    )
    fig = plots.places(found, {"silhouette": "Silhouette", "accuracy": "Accuracy"}, "real data")
    (axis,) = fig.axes
    marks = {
        line.get_label(): sorted(zip(line.get_xdata().round(2), np.round(line.get_ydata()), strict=True))
        for line in axis.lines
        if line.get_label() and not line.get_label().startswith("_")
    }
    assert marks["the paper, its sets"] == [(0, 0)]
    assert marks["here, released"] == [(0.5, 0), (1, 1)] and marks["here, original"] == []
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Silhouette", "Accuracy"]
