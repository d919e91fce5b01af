"""The figure of the page on training: one path a loss, in the order of the steps."""

import numpy as np
import pandas as pd

from companion.figures.course import path


def test_a_path_goes_through_the_means_in_the_order_of_steps_and_ends_filled():
    runs = pd.DataFrame(
        [("a", 100, 2.0, 0.5), ("a", 10, 1.0, 0.2), ("a", 10, 3.0, 0.4), ("b", 10, 5.0, 0.6)],
        columns=["loss", "iterations", "davies_bouldin", "accuracy"],
    )
    axis = path(runs, ["a", "b", "not run"], "accuracy", "real data").axes[0]
    line, first, last, _, single = axis.lines
    np.testing.assert_allclose(line.get_xydata(), [[2, 0.3], [2, 0.5]])
    assert first.get_markersize() < last.get_markersize()
    assert first.get_markerfacecolor() == "white" and last.get_markerfacecolor() == last.get_color()
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["a", "b"]
    np.testing.assert_allclose(single.get_xydata(), [[5, 0.6]])
    assert axis.get_xlabel() == "Davies-Bouldin" and axis.get_title(loc="left") == "accuracy"
