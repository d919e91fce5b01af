"""The report on the quality of recordings: `emargin data list --quality`, and what the page on the data shows of it."""

import numpy as np
import pytest

from companion.__main__ import main
from companion.data_cards import card
from companion.fetch.folder import save_folder
from companion.figures import data as plots
from companion.quality import summary
from emargin.data.recordings import as_they_are


@pytest.fixture
def folder(tmp_path):
    """Two people, the first with a code in one channel, and a channel that stands still twice."""
    recordings = {}
    for person in ("a", "b"):
        values = np.random.default_rng(ord(person)).standard_normal((1000, 2)).astype(np.float32)
        recordings[person] = values, np.arange(1000) // 100 % 2
    values = recordings["a"][0]
    values[500:520, 0], values[100:160, 1], values[200:260, 1] = -9999, 0.5, 0.5
    with as_they_are():
        save_folder(tmp_path / "own", recordings, classes=["rest", "walk"], sampling_rate=50)
    return str(tmp_path / "own")


def test_the_report_has_a_line_a_finding_with_recording_channel_count_time_and_kind(folder, capsys):
    assert main(["data", "list", "--quality", folder]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}: 2 recordings (real), 1 with bad samples",
        "  recording a, channel 0: 20 samples at -9999, a missing-value code, from sample 500 (10 s) on",
        "  recording a, channel 1: 120 samples at 0.5, flat, from sample 100 (2 s) on, in 2 stretches",
    ]


def test_a_set_that_cannot_be_read_is_named_and_the_others_are_listed(folder, capsys):
    assert main(["data", "list", "--quality", "no/such/folder", folder]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("no/such/folder: the folder of recordings is not there") and len(lines) == 4


def test_all_sets_that_are_there_are_listed_unless_some_are_named(monkeypatch, tmp_path, capsys):
    leaf = tmp_path / "ucr" / "Leaf"
    leaf.mkdir(parents=True)
    for side in ("TRAIN", "TEST"):
        (leaf / f"Leaf_{side}.tsv").write_text("1\t0.5\t0.25\tNaN\n2\t0.5\t0.5\t0.5\n")
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    assert main(["data", "list", "--quality"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ucr-Leaf: 4 recordings (real), 4 with bad samples" and len(lines) == 5
    assert "recording Leaf TRAIN 1, channel 0: 1 samples at nan, not finite, from sample 2" in lines[1]
    assert "recording Leaf TRAIN 2, channel 0: 3 samples at 0.5, constant" in lines[2]


def test_names_without_quality_are_not_dropped(folder, capsys):
    assert main(["data", "list", folder]) == 2
    assert f"found: {folder}. what to do: add --quality" in capsys.readouterr().err


def test_a_card_has_recordings_and_values_by_kind(folder):
    assert summary(folder) == {
        "a missing-value code": {"recordings": 1, "values": 20},
        "flat": {"recordings": 1, "values": 120},
    }
    values = np.load(f"{folder}/a.npz")["signal"]
    values[500:520, 0] = 1
    np.savez(f"{folder}/a.npz", signal=values, labels=np.arange(1000) // 100 % 2)
    assert card(folder)["quality"] == {"flat": {"recordings": 1, "values": 120}}


def test_the_table_of_the_page_has_a_line_a_set_and_kind():
    cards = {
        "one": {"recordings": 8, "quality": {"flat": {"recordings": 2, "values": 41700}}},
        "two": {"recordings": 4, "quality": {}},
    }
    table = plots.quality(cards)
    assert table.index.tolist() == ["one", "two"]
    assert table.loc["one"].tolist() == ["flat", "2 of 8", "41,700"] and table.loc["two"].tolist() == ["none", "–", "–"]
