"""The figure of the page on controls: which mark stands where."""

import numpy as np
import pandas as pd

from companion.figures import controls


def test_a_mark_is_the_mean_of_an_encoder_on_a_control_and_a_gap_stays_empty():
    runs = pd.DataFrame(
        [
            {
                "name": name,
                "control": control,
                "silhouette": value + 0.1 * seed,
                "converged_balanced_accuracy": value / 2,
            }
            for name, control, value in (("a", "plain", 0.2), ("b", "plain", 0.4), ("b", "shuffled", 0.6))
            for seed in (0, 1)
        ]
    )
    fig = controls.scores(runs, ["a", "b"], ["plain", "shuffled"], 0.25, "real data")
    silhouette, probe = fig.axes
    plain, shuffled = silhouette.lines
    np.testing.assert_allclose(plain.get_xdata(), [0.25, 0.45])
    np.testing.assert_allclose(shuffled.get_xdata(), [np.nan, 0.65])
    np.testing.assert_allclose(plain.get_ydata(), [-0.11, 0.89])
    np.testing.assert_allclose(silhouette.collections[0].get_segments()[1], [[0.4, 0.89], [0.5, 0.89]])
    np.testing.assert_allclose(probe.lines[0].get_xdata(), [0.1, 0.2])
    assert probe.lines[-1].get_xdata()[0] == 0.25
    assert [label.get_text() for label in silhouette.get_yticklabels()] == ["a", "b"] and silhouette.yaxis_inverted()
