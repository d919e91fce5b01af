"""The chart of the dial: its frames, its lines, and what the slider does."""

import numpy as np
import pandas as pd
import pytest
import torch

from companion.charts import cloud, dial
from companion.grid.store import Store
from emargin.evaluation.dial import SHRUNK, axis_of
from emargin.evaluation.features import Features
from emargin.paths import home
from tests.browser import browser, needs_a_browser, page


@pytest.fixture(scope="module")
def chart():
    return dial.chart()


def features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(4, 10, 6, generator=generator) * torch.tensor([5.0, 2, 1, 1, 1, 1])
    return Features(embedding, torch.zeros(4, 10, dtype=torch.int64), torch.arange(40).view(4, 10))


@pytest.mark.parametrize("c", [0.5, 1 / 64])
def test_the_dial_keeps_the_first_coordinate_and_scales_the_second(c):
    """What the browser draws, (t, c u), are the coordinates of the turned embedding."""
    train, test = features(0), features(1)
    axis, rows = axis_of(train), np.arange(0, 40, 3)
    t, u = cloud.cloud(axis, train, rows, test.flat()[0].numpy()).T
    turned = axis.turn(test, along=1.0, beside=c)
    expected = cloud.cloud(axis, train, rows, turned.flat()[0].numpy()).T
    assert np.allclose([t, c * u], expected, atol=1e-5)
    assert np.abs(u).max() > 1


def test_clusters_are_numbered_along_the_axis():
    assignment, along = np.array([7, 7, 2, 2, 5]), np.array([3.0, 4.0, -1.0, 0.0, 9.0])
    assert cloud.in_order(assignment, along).tolist() == [1, 1, 0, 0, 2]


def test_the_committed_frames_are_few_and_have_a_cluster_at_each_setting():
    table = pd.read_csv(cloud.FILE)
    assert cloud.FILE.stat().st_size < 200_000
    assert table["set"].value_counts().to_dict() == dict.fromkeys(cloud.SETS, cloud.POINTS)
    assert [name for name in table if name.startswith("cluster_")] == [
        f"cluster_{power}" for power in range(len(SHRUNK))
    ]
    assert table.groupby("set").cluster_0.nunique().min() > 2


def test_the_lines_are_means_of_the_rows():
    lines = dial.lines().set_index(["set", "score", "power"]).value
    rows = Store(home() / "results" / "dial").rows
    chosen = rows[(rows.dataset == "spsw-har") & (rows.method == "random-calibrated")]
    silhouette = chosen[chosen.metric == "dial_beside_1/16_silhouette"].value
    assert len(silhouette) == 3
    assert lines["SP-SW-HAR", "silhouette", 4] == pytest.approx(silhouette.mean())
    assert lines.notna().all() and len(lines) == 2 * 6 * len(SHRUNK)


def test_the_still_picture_is_the_same_each_time(chart):
    assert chart.still() == chart.still()


@needs_a_browser
def test_the_slider_thins_the_cloud_and_moves_the_scores(chart, tmp_path):
    address = page(tmp_path, chart)
    points = "itemsOf(document.querySelector('.live').view, 'cloud').map(({datum}) => [datum.x, datum.y, datum.name])"
    shown = "document.querySelector('.drawing svg').textContent"
    with browser(tmp_path / "profile") as opened:
        opened.open(address, "document.querySelector('.drawn')")
        before, words = opened.run(points), opened.run(shown)
        opened.run(
            "(() => { const slider = document.querySelector('.controls input[type=range]'); slider.value = 6;"
            "slider.dispatchEvent(new Event('input', {bubbles: true})) })()"
        )
        opened.until(f"{shown} !== {words!r}")
        after, words = opened.run(points), opened.run(shown)
        lines = chart.tables["lines"].set_index(["set", "score", "power"]).value
        assert f"silhouette {lines['SP-SW-HAR', 'silhouette', 6]:.2f}" in words and "c = 1/64" in words
        assert len(before) > 200
        assert [x for x, _, _ in after] == [x for x, _, _ in before]
        assert np.allclose([y for _, y, _ in after], [y / 64 for _, y, _ in before])
        assert [name for _, _, name in after] != [name for _, _, name in before]
        assert "power=6" in opened.run("location.hash")
