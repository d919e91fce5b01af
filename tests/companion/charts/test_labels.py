"""The chart of the labels: its counts are those of the labels themselves, and what its slider and menus do."""

import json

import numpy as np
import pytest
import torch

from companion.charts import labels
from companion.data_cards import read_cards
from companion.detection import detection
from emargin.losses.cosines import adjacent_cosines
from emargin.pseudo_labels import pseudo_labels
from tests.browser import browser, needs_a_browser, page


@pytest.fixture(scope="module")
def chart():
    return labels.chart()


@pytest.fixture(scope="module")
def committed():
    return json.loads(labels.FILE.read_text(encoding="utf8"))


@pytest.mark.parametrize("number", [20, 50, 70, 99])
def test_counts_up_to_a_border_are_those_of_the_labels_at_this_threshold(number):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(300, 3, generator=generator)
    classes = torch.randint(-1, 3, (300,), generator=generator)
    parts = slice(0, 180), slice(180, 300)  # recordings of different lengths
    counted = labels.counts([adjacent_cosines(frames[part]) for part in parts], [classes[part] for part in parts])
    ones, hits = (sum(counted[name][: number + 1]) for name in ("pairs", "changes"))
    threshold, found = float(labels.BORDERS[number + 1]), []
    for part in parts:
        marks = pseudo_labels(frames[part], threshold=threshold)
        found.append(detection(marks[None], classes[part][None]))
    assert ones == sum(score["ones"] for score in found) > 0
    assert hits == round(sum(score["precision"] * score["ones"] for score in found))
    assert sum(counted["changes"]) < sum(counted["pairs"]) < 298


def test_a_cosine_on_a_border_counts_as_not_above_it():
    counted = labels.counts([torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)], [torch.zeros(4, dtype=torch.int64)])
    assert [number for number, count in enumerate(counted["pairs"]) if count] == [0, 74, 99]
    assert float(labels.BORDERS[75]) == 0.5


def test_the_stretch_is_where_the_class_changes_most_often():
    calm, restless = torch.arange(400) // 200, torch.arange(300) // 40
    restless[150:200] = torch.arange(50) % 2
    restless[170] = -1  # a change from or to no class does not count
    number, frames = labels.stretch([calm, restless])
    assert number == 1 and frames.stop - frames.start == labels.STRETCH
    assert frames.start <= 150 and frames.stop >= 200
    number, frames = labels.stretch([calm])
    assert (frames.start + frames.stop) / 2 == pytest.approx(200, abs=1)  # the one change stands in the middle


@pytest.mark.parametrize("name", labels.SETS)
def test_the_committed_counts_are_those_of_the_cards(committed, name):
    card, there = read_cards()[name], committed[name]
    assert there["checksum"] == card["checksum"]
    below = int(torch.searchsorted(labels.BORDERS, labels.PAPER + 0.001)) - 1
    for scaling in ("raw", "standardised"):
        pairs, changes = there[scaling]["pairs"], there[scaling]["changes"]
        assert [sum(pairs), sum(changes)] == [card["transitions"][key] for key in ("pairs", "changes")]
        expected = card["pseudo_label"][scaling]
        ones, hits = sum(pairs[:below]), sum(changes[:below])
        assert ones / sum(pairs) == pytest.approx(expected["share"], rel=1e-4)
        assert hits / sum(changes) == pytest.approx(expected["tolerance 0"]["recall"], rel=1e-4)
        if ones:
            assert hits / ones == pytest.approx(expected["tolerance 0"]["precision"], rel=1e-4)


def test_the_file_is_small_and_has_no_recording(committed):
    assert labels.FILE.stat().st_size < 50_000
    for there in committed.values():
        part = there["stretch"]
        assert set(part) == {"classes", "raw", "standardised"}
        assert len(part["raw"]) == len(part["standardised"]) == len(part["classes"]) - 1 < labels.STRETCH


def test_the_still_picture_is_the_same_each_time_and_has_the_labels(chart, committed):
    picture = chart.still()
    assert picture == chart.still()
    pairs = len(committed["spsw-har"]["stretch"]["standardised"])
    assert picture.split(" labels_1_marks")[1].split("</g>")[0].count("<path") == pairs


def choose(opened, title: str, value: str) -> None:
    """Let the reader move the slider or open the menu of this title."""
    shown = "document.querySelector('.drawing svg').textContent"
    before = opened.run(shown)
    opened.run(
        "(() => { const control = [...document.querySelectorAll('.controls label')].find(label => "
        f"label.textContent.startsWith({json.dumps(title)})).querySelector('input, select');"
        f"control.value = {json.dumps(value)};"
        "control.dispatchEvent(new Event(control.tagName === 'SELECT' ? 'change' : 'input', {bubbles: true})) })()"
    )
    opened.until(f"{shown} !== {json.dumps(before)}")


@needs_a_browser
def test_the_slider_labels_pairs_and_counts_what_they_find(chart, committed, tmp_path):
    address = page(tmp_path, chart)
    view = "document.querySelector('.live').view"
    with browser(tmp_path / "profile") as opened:
        opened.open(address, "document.querySelector('.drawn')")
        for setting in (
            ("Threshold", "0.1"),
            ("Set", "MIT-BIH Arrhythmia"),
            ("Input", "raw"),
            ("Threshold", "0.8"),
        ):
            choose(opened, *setting)
        there, theta = committed["mitbih"], 0.8
        below = int(torch.searchsorted(labels.BORDERS, theta + 0.001)) - 1
        pairs, changes = (np.array(there["raw"][key]) for key in ("pairs", "changes"))
        ones, hits = pairs[:below].sum(), changes[:below].sum()
        words = opened.run("document.querySelector('.drawing svg').textContent")
        for name, value in {
            "labelled 1": ones / pairs.sum(),
            "precision": hits / ones,
            "recall": hits / changes.sum(),
            "precision by chance": changes.sum() / pairs.sum(),
        }.items():
            assert f"{name} {value:.3f}" in words
        classes, cosines = np.array(there["stretch"]["classes"]), np.array(there["stretch"]["raw"])
        marked, changed = cosines <= theta, classes[1:] != classes[:-1]
        assert 0 < marked.sum() < len(marked)
        triangles = f"itemsOf({view}, 'labels_1').filter(({{shape}}) => shape == 'triangle-down').length"
        assert opened.run(triangles) == marked.sum()
        assert f"{(marked & changed).sum()} of {changed.sum()} changes found" in words
        assert f"{(marked & ~changed).sum()} other labels" in words
        solid = f"itemsOf({view}, 'changes_1').filter(({{strokeDash}}) => strokeDash[1] == 0).length"
        assert opened.run(solid) == (marked & changed).sum()
        orange = f"itemsOf({view}, 'histogram_0').filter(({{datum}}) => datum.label == 'label 1, apart')"
        assert opened.run(f"{orange}.reduce((sum, {{datum}}) => sum + datum.pairs, 0)") == ones
        assert "a frame each 0.5 s" in words and "theta=0.8" in opened.run("location.hash")


@needs_a_browser
def test_on_a_phone_nothing_is_wider_than_the_page(chart, tmp_path):
    address = page(tmp_path, chart)
    with browser(tmp_path / "profile") as opened:
        opened.ask("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
        opened.open(address, "document.querySelector('.drawn')")
        room = "document.querySelector('.drawing').clientWidth"
        for name in ("Daily and Sports Activities", "MIT-BIH Arrhythmia"):
            choose(opened, "Set", name)
            assert opened.run("document.querySelector('.drawing svg').getBoundingClientRect().width") <= opened.run(
                room
            )
