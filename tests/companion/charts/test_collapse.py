"""The chart of the collapse: its frames and scores, and what the slider does."""

import numpy as np
import pandas as pd
import pytest

from companion.charts import collapse, training
from companion.charts.training import LOSSES, STEPS
from emargin.errors import InputError
from tests.browser import browser, needs_a_browser, page


@pytest.fixture(scope="module")
def chart():
    return collapse.chart()


@pytest.fixture(scope="module")
def scores():
    return pd.read_csv(training.TABLE).set_index(["loss", "steps", "score"]).value.sort_index()


@pytest.fixture(scope="module")
def cloud():
    return pd.read_csv(training.CLOUD)


def test_the_plane_has_the_two_directions_of_most_variance_in_units_of_the_first():
    generator = np.random.default_rng(0)
    turn, _ = np.linalg.qr(generator.standard_normal((5, 5)))
    straight = generator.standard_normal((2000, 5)) * [0.1, 3, 0.2, 6, 0.3]
    found = training.plane(straight @ turn.T + 7, None)
    assert found.std(0) == pytest.approx([1, 0.5], abs=0.03)
    assert np.abs(np.corrcoef(found.T, straight[:, [3, 1]].T)[:2, 2:].diagonal()) == pytest.approx([1, 1], abs=1e-3)


def test_the_plane_keeps_its_signs_from_checkpoint_to_checkpoint():
    rows = np.random.default_rng(0).standard_normal((300, 4)) * [1, 2, 3, 9]
    before = training.plane(rows, None)
    for signs in ([1, 1], [-1, 1], [-1, -1]):
        assert np.allclose(training.plane(rows, before * signs), before * signs)


def test_the_files_are_small_and_have_every_checkpoint(cloud, scores):
    assert training.CLOUD.stat().st_size < 300_000 and len(cloud) == training.POINTS
    assert set(cloud) == {"class"} | {f"{loss}_{steps}_{name}" for loss in LOSSES for steps in STEPS for name in "xy"}
    assert scores.notna().all() and scores.index.is_unique
    assert len(scores) == len(LOSSES) * len(STEPS) * len(training.SCORES)
    assert (cloud.infonce_0_x == cloud.emargin_0_x).all()  # one and the same untrained encoder


def test_the_untrained_encoder_scores_what_its_rows_say(scores):
    rows = training.known("infonce", 0).loc[training.SEED]
    assert len(rows) == len(training.SCORES) - 1
    for name, value in rows.items():
        assert scores["infonce", 0, name] == pytest.approx(
            value, abs=1e-3
        )  # K-means of another machine may cut elsewhere


@pytest.mark.parametrize("loss", LOSSES)
def test_trained_encoders_score_among_the_committed_seeds(scores, loss):
    """Training amplifies digits in which machines differ: a run anew is like one of another seed."""
    for steps in STEPS[1:]:
        assert len(training.known(loss, steps)) == len(training.SEEDS)
        training.check(scores[loss, steps], training.known(loss, steps), f"{loss}, {steps} steps")


def test_a_score_far_from_all_seeds_is_an_error(scores):
    values = dict(scores["emargin", 600])
    with pytest.raises(InputError, match="silhouette"):
        training.check(values | {"silhouette": values["silhouette"] - 0.4}, training.known("emargin", 600), "a cell")


def test_emargin_collapses_and_infonce_does_not(scores, cloud):
    rank = scores.unstack("score").participation_ratio
    assert rank["emargin"].loc[100:].max() < 2.5 and rank["infonce"].loc[100:].min() > 8
    spread = cloud.emargin_100_y.std() / cloud.infonce_100_y.std()
    assert spread < 0.7


def test_the_bands_go_from_the_least_to_the_most_of_the_seeds(chart):
    table = chart.tables["scores"].set_index(["loss", "checkpoint", "score"])
    rows = training.known("emargin", 25).silhouette
    band = table.loc[("eMargin", STEPS.index(25), "silhouette")]
    assert len(rows) == 3 and [band["min"], band["max"]] == [rows.min(), rows.max()]
    assert table.xs("chosen_balanced_accuracy", level="score")[["min", "max"]].isna().all(axis=None)


def test_the_still_picture_is_the_same_each_time(chart):
    assert chart.still() == chart.still()


@needs_a_browser
def test_the_slider_moves_both_clouds_and_all_scores(chart, cloud, scores, tmp_path):
    address = page(tmp_path, chart)
    shown = "document.querySelector('.drawing svg').textContent"
    with browser(tmp_path / "profile") as opened:
        opened.open(address, "document.querySelector('.drawn')")
        before = opened.run(shown)
        opened.run(
            "(() => { const slider = document.querySelector('.controls input[type=range]'); slider.value = 4;"
            "slider.dispatchEvent(new Event('input', {bubbles: true})) })()"
        )
        opened.until(f"{shown} !== {before!r}")
        words = opened.run(shown)
        for loss, title in LOSSES.items():
            points = f"itemsOf(document.querySelector('.live').view, 'cloud_{loss}')"
            drawn = opened.run(f"{points}.map(({{datum}}) => [datum.x, datum.y])")
            expected = cloud[[f"{loss}_25_x", f"{loss}_25_y"]].to_numpy()
            assert sorted(drawn) == sorted(expected[(np.abs(expected) <= collapse.REACH).all(1)].tolist())
            assert f"{title}, 25 steps" in words
            for name in training.SCORES:
                assert f"{title} {scores[loss, 25, name]:.2f}" in words
        assert "checkpoint=4" in opened.run("location.hash")
        width = "document.querySelector('.drawing svg').getBoundingClientRect().width"
        wide = opened.run(width)
        opened.ask("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
        opened.until(f"{width} < {wide}")
        assert opened.run(width) <= opened.run("document.querySelector('.drawing').clientWidth")
