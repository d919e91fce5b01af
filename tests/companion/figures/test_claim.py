"""Figures of rank correlations and of what they are of."""

import numpy as np
import pandas as pd
import pytest

from companion.figures import claim


def test_the_forest_draws_each_value_and_its_interval():
    found = {
        ("a probe", name, kind): {"value": value, "low": value - 0.2, "high": value + 0.1}
        for name, kind, value in (
            ("one", "released", 0.3),
            ("one", "original", -0.4),
            ("pooled", "the paper's tables", 0.0),
        )
    }
    found["another", "one", "released"] = {"value": 0.5, "low": np.nan, "high": np.nan}
    axes = claim.forest(found, "the silhouette", "source").axes
    assert [axis.get_title("left") for axis in axes] == ["a probe", "another"]
    drawn = [line.get_xydata() for line in axes[0].lines[1:]]  # the first one is zero
    for number, one in enumerate(list(found.values())[:3]):
        assert drawn[2 * number][:, 0].tolist() == [one["low"], one["high"]]
        assert drawn[2 * number + 1][0, 0] == one["value"]
    assert [round(line[0, 1]) for line in drawn[1:6:2]] == [0, 0, 1]


def test_the_scatter_draws_every_configuration_with_both_values():
    frame = pd.DataFrame(
        {
            "set": ["a"] * 5 + ["b"],
            "method": ["random", "emargin", "emargin", "tnc", "cpc", "tnc"],
            "fidelity": ["released", "released", "original", "original", "released", "released"],
            "silhouette": np.arange(6) / 10,
            "nmi": [0.1, 0.2, 0.3, 0.4, np.nan, 0.6],
        }
    )
    axes = claim.scatter(frame, "nmi", {"a": "A", "b": "B"}, "source", title="NMI").axes
    points = {marks.get_label(): marks.get_offsets().tolist() for marks in axes[0].collections}
    assert points == {
        "random encoders": [[0, 0.1]],
        "released": [],
        "original": [[pytest.approx(0.3), 0.4]],
        "eMargin, released": [[0.1, 0.2]],
        "eMargin, original": [[0.2, 0.3]],
    }
    assert sum(len(marks.get_offsets()) for marks in axes[1].collections) == 1
