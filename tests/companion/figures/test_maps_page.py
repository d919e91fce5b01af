"""The page of maps: what speaks against its explanation, correlations by hand, and a page without maps."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from companion.figures import maps_page
from companion.figures.maps import AREA, CURVE
from companion.figures.maps_page import MapsPage, against, by_rank, listed
from companion.page import Page


def shaped(*lines):
    columns = ["method", "kind", "shape", "participation_ratio", "local_dimension"]
    return pd.DataFrame(lines, columns=columns).assign(dataset="set")


TABLE = shaped(
    ("thin", "other method", "band", 3.0, 1.6),
    ("wide", "other method", "area", 1.5, 1.9),
    ("as said", "eMargin", "curve", 1.2, 1.1),
    ("as said, too", "InfoNCE", "area", 9.0, 1.9),
    ("untrained", "control", "curve", 1.1, 1.2),
    ("between", "other method", "area", 2.0, 1.8),
)


def test_what_speaks_against_the_explanation_is_taken_at_its_borders():
    found = against(TABLE)
    assert TABLE.method[found["no line"]].tolist() == ["thin"]
    assert TABLE.method[found["no curve"]].tolist() == ["wide"]
    assert TABLE.method[found["no training"]].tolist() == ["untrained"]


def test_the_list_has_what_is_no_area_or_speaks_against_it_the_thinnest_first():
    lines = listed(TABLE)
    assert lines.Map.tolist() == ["set: as said", "set: untrained", "set: thin", "set: wide"]
    assert lines["Speaks against it as"].tolist()[1:] == [
        "curves or bands without training",
        "curves or bands without a line",
        "lines without a curve",
    ]
    assert lines.Shape.tolist() == ["curve", "curve", "band", "area"]


def test_maps_are_counted_by_rank_and_shape():
    counts = by_rank(TABLE)
    assert counts.to_numpy().tolist() == [[0, 2, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]]


def test_a_correlation_is_of_ranks_and_needs_five_maps():
    ranks = [rankdata(TABLE[name]) for name in ("participation_ratio", "local_dimension")]
    assert maps_page.rank_correlation(TABLE) == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert np.isnan(maps_page.rank_correlation(TABLE[:4]))


def test_the_borders_of_the_names_follow_the_shapes():
    values = maps_page.examples().set_index("Shape")["Local dimension"].astype(float)
    assert values["band 20 times"] < CURVE < values["band 12 times"] <= AREA < values["five separate discs"]


def test_a_page_without_maps_says_so():
    page = Page.from_notebook({"folder": None, "grid": None}, "results/harth-sim", "workflow/harth-sim.json")
    drawn = MapsPage(page, "original", 1, 1)
    assert drawn.first("mitbih").startswith("not planned: MIT-BIH Arrhythmia, ")
    counts = drawn.counts().loc["harth-sim"]
    assert counts.planned == len(drawn.maps) > 0 and counts.drawn == 0  # its rows keep no map
    assert set(drawn.correlations().loc["all"]) == {len(drawn.table), "too few"}
