"""The chart of the line: its committed cuts are those of K-means, and what its sliders do."""

import numpy as np
import pandas as pd
import pytest

from companion.charts import line
from companion.statistics.curves import equal_cuts, thick_cuts
from tests.browser import browser, needs_a_browser, page


@pytest.fixture(scope="module")
def chart():
    return line.chart()


@pytest.fixture(scope="module")
def settings(chart):
    return chart.tables["settings"].set_index(["thickness", "crowding", "cuts"])


@pytest.mark.parametrize("setting", [(0.0, 0.0, 5), (0.02, 4.0, 4), (0.1, 1.5, 12)])
def test_the_committed_scores_and_cuts_are_what_k_means_gives(settings, setting):
    computed, row = line.computed(*setting), settings.loc[setting]
    for name in ("davies_bouldin", "silhouette"):
        assert row[name] == pytest.approx(
            computed[name], abs=0.02
        )  # K-means of another machine may cut a bit elsewhere
    assert row["rank"] == computed["rank"]
    assert sum(ours != theirs for ours, theirs in zip(row.clusters, computed["clusters"], strict=True)) < 5


def test_every_setting_of_the_sliders_is_there_once(settings):
    assert settings.index.is_unique and line.FILE.stat().st_size < 250_000
    assert len(settings) == len(line.THICKNESS) * len(line.CROWDING) * len(line.CUTS)


@pytest.mark.parametrize("cuts", [2, 5, 12])
def test_an_evenly_filled_line_scores_as_the_formulas_say(settings, cuts):
    thin, exact = settings.loc[(0.0, 0.0, cuts)], equal_cuts(cuts)
    assert thin.davies_bouldin == pytest.approx(exact["davies_bouldin"], abs=0.01)
    assert 0 <= exact["silhouette"] - thin.silhouette < cuts / line.POINTS  # of few points in a cell one is itself
    thick = settings.loc[(0.03, 0.0, cuts)]
    assert thick.davies_bouldin == pytest.approx(thick_cuts(cuts, 0.03)["davies_bouldin"], rel=0.06)


def test_crowding_raises_the_silhouette_and_has_neither_gap_nor_second_peak():
    for crowding in line.CROWDING[1:]:
        gaps = np.diff(line.points(0, crowding)[:, 0])
        assert (np.diff(gaps) > -1e-12).all() and gaps[0] < gaps[-1]
    table = pd.read_csv(line.FILE)
    thin = table[(table.thickness == 0) & (table.cuts == 5)].set_index("crowding").silhouette
    assert thin.is_monotonic_increasing and thin[4] > 0.8


def test_the_papers_marks_are_its_table_1(chart):
    marks = chart.tables["paper"].set_index(["set", "metric"])
    assert marks.loc[("SleepEEG", "silhouette")].tolist() == [5, 0.83]
    assert marks.loc[("HARTH", "davies_bouldin")].tolist() == [12, 0.97]
    assert len(marks) == 6


def test_the_still_picture_is_the_same_each_time_and_has_the_points(chart):
    picture = chart.still()
    assert picture == chart.still()
    assert picture.split("segment_0_marks")[1].split("</g>")[0].count("<path") == line.POINTS


@needs_a_browser
def test_the_sliders_move_points_clusters_and_scores(chart, settings, tmp_path):
    address = page(tmp_path, chart)
    points = (
        "itemsOf(document.querySelector('.live').view, 'segment_0').map(({datum}) => [datum.x, datum.y, datum.cluster])"
    )
    shown = "document.querySelector('.drawing svg').textContent"
    with browser(tmp_path / "profile") as opened:
        opened.open(address, "document.querySelector('.drawn')")
        x, y, _ = zip(*opened.run(points), strict=True)
        assert np.allclose(x, line.points(0, 0)[:, 0]) and not any(y)
        for number, value in enumerate((0.05, 2, 12)):
            before = opened.run(shown)
            opened.run(
                f"(() => {{ const slider = document.querySelectorAll('.controls input[type=range]')[{number}];"
                f"slider.value = {value}; slider.dispatchEvent(new Event('input', {{bubbles: true}})) }})()"
            )
            opened.until(f"{shown} !== {before!r}")
        x, y, clusters = zip(*opened.run(points), strict=True)
        rows, row = line.points(0.05, 2), settings.loc[(0.05, 2.0, 12)]
        assert np.allclose(x, rows[:, 0])
        assert np.allclose(y, rows[:, 1] * line.DIRECTIONS**0.5, atol=1e-4)
        assert "".join(clusters) == row.clusters and len(set(clusters)) == 12
        words = opened.run(shown)
        assert words.count("this line") == 2
        for value in (row.davies_bouldin, row.silhouette):
            assert f"this line {value:.2f}" in words
        assert f"effective rank {row['rank']:.2f}" in words and "thickness=0.05" in opened.run("location.hash")
        width = "document.querySelector('.drawing svg').getBoundingClientRect().width"
        wide = opened.run(width)
        opened.ask("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
        opened.until(f"{width} < {wide}")
        assert opened.run(width) <= opened.run("document.querySelector('.drawing').clientWidth")
