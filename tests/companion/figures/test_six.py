"""The figures of the page on the six differences show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from companion.figures import six
from companion.figures.margin import EXP_LIMIT


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines(fig) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {line.get_label(): (np.array(line.get_xdata()), np.array(line.get_ydata())) for line in fig.axes[0].lines}


def test_dots_stand_in_their_row_and_the_papers_value_in_its_own():
    values = {"one": pd.Series([0.1, 0.2], index=["a", "b"]), "other": pd.Series([0.3], index=["b"])}
    drawn = lines(six.dots(values, ["a", "b"], {"b": 0.5}, "noise", "silhouette"))
    assert drawn["one"][0].tolist() == [0.1, 0.2] and drawn["one"][1].round().tolist() == [0, 1]
    assert drawn["other"][1].round().tolist() == [1] and drawn["other"][1][0] > drawn["one"][1][1]
    assert [part.tolist() for part in drawn["the paper’s eMargin, on data"]] == [[0.5], [1]]


def test_the_terms_of_infonce_rise_and_those_of_the_released_loss_fall():
    (_, infonce), (_, released) = list(lines(six.denominator(temperature=0.1, margin=5.0)).values())[:2]
    assert infonce[-1] == pytest.approx(10) and (np.diff(infonce) > 0).all()
    assert released[-1] == pytest.approx(0.05 * (8 - 12.5) / 0.1) and (np.diff(released) < 0).all()


def test_two_writes_keep_the_colour_of_the_papers_label_in_every_strip():
    labels = torch.tensor([False, True, True])
    steps = {"before": torch.tensor([0.9, 0.1, 0.2]), "after": torch.ones(3)}
    drawn = six.two_writes(steps, labels, 0.4, "simulated").axes[0].lines[:4]  # of labels 0 and 1, in each strip
    assert [line.get_xdata().tolist() for line in drawn] == [
        pytest.approx(values) for values in ([0.9], [0.1, 0.2], [1], [1, 1])
    ]
    assert drawn[0].get_color() == drawn[2].get_color() != drawn[1].get_color() == drawn[3].get_color()


def test_bars_go_to_the_side_of_their_sign():
    fig = six.forces({"pulls": -1.0, "pushes": 4.0}, "force")
    assert [bar.get_width() for bar in fig.axes[0].patches] == [-1, 4]
    assert fig.axes[0].patches[0].get_facecolor() != fig.axes[0].patches[1].get_facecolor()


def test_the_exponent_overflows_at_the_margin_of_the_configuration_alone():
    assert six.largest_exponent(100, 0.5) == pytest.approx(500) and six.largest_exponent(5, 0.5) < EXP_LIMIT < 500
    fig = six.overflow(0.5, {5: "paper", 100: "configuration"})
    assert [text.get_text() for text in fig.axes[0].texts][1:] == ["paper: 1.25", "configuration: 500"]
