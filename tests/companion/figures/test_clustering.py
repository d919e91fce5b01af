"""The figure of the page on the noise control: which mark stands where."""

import numpy as np
import pandas as pd

from companion.figures.clustering import noise_beside_paper


def test_marks_are_means_on_noise_and_stars_are_the_papers():
    runs = pd.DataFrame(
        [
            {"set": place, "name": name, "davies_bouldin": value + seed, "silhouette": value / 10}
            for place, name, value in (("A", "one", 1), ("B", "one", 2), ("B", "two", 3))
            for seed in (0, 1)
        ]
    )
    paper = pd.DataFrame({"davies_bouldin": [0.5, 4.0], "silhouette": [0.6, 0.7]}, index=["B", "A"])
    fig = noise_beside_paper(runs, ["one", "two"], paper, "noise")
    davies_bouldin, silhouette = fig.axes
    one, two, star = davies_bouldin.lines
    np.testing.assert_allclose(one.get_xdata(), [2.5, 1.5])
    np.testing.assert_allclose(two.get_xdata(), [3.5, np.nan])
    np.testing.assert_allclose(davies_bouldin.collections[0].get_segments()[0][:, 0], [2, 3])
    assert star.get_xdata().tolist() == [0.5, 4.0] and star.get_ydata().tolist() == [0, 1]
    np.testing.assert_allclose(silhouette.lines[0].get_xdata(), [0.2, 0.1])
    assert silhouette.lines[2].get_xdata().tolist() == [0.6, 0.7] and one.get_label() == "one, noise"
    assert [text.get_text() for text in davies_bouldin.get_yticklabels()] == ["B", "A"]
    assert davies_bouldin.yaxis_inverted() and davies_bouldin.get_xlim()[1] >= 4
