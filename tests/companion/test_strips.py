"""Stretches of recordings for a figure: which one is taken, and what is kept of it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion import strips
from companion.figures import strips as plots
from emargin.data.framing import frame_labels
from emargin.data.recordings import Recording, RecordingSet


def test_the_stretch_with_most_classes_is_taken_and_of_these_the_most_even_one():
    labels = [np.array([0, 0, 0, 1, -1, 2]), np.array([0, 0, 1, 1, 0, 0, 2, 2])]
    assert strips.most_classes(labels, 2) == (0, 2)
    assert strips.most_classes(labels, 4) == (1, 3)
    assert strips.most_classes(labels, 6) == (1, 2)  # not 0, 1, 1, 0, 0, 2


@pytest.fixture
def framed():
    """One recording of 40 samples, in frames of 8 with a step of 4, whose class changes at sample 20."""
    values = np.arange(80.0).reshape(40, 2) % 7
    labels = np.repeat([0, 1], 20)
    recordings = RecordingSet("made up", "real", ("rest", "run"), 4.0, (Recording("one", "a", values, labels),))
    sequences = [SimpleNamespace(labels=torch.from_numpy(frame_labels(labels, 8, 4, 2)))]
    return SimpleNamespace(experiment=SimpleNamespace(n_fft=8, hop=4), recordings=recordings, sequences=sequences)


def test_a_strip_holds_the_samples_that_its_frames_cover(framed):
    taken = strips.strip(framed, 4)
    assert (taken["recording"], taken["start"], taken["labels"]) == ("one", 3, [0, 0, 1, 1])
    np.testing.assert_allclose(taken["values"], framed.recordings.recordings[0].values[12:32].T)
    assert taken["classes"] == {0: "rest", 1: "run"}


def test_the_bars_stand_where_their_frames_are_in_the_colours_of_their_labels(framed):
    taken = json.loads(json.dumps(strips.strip(framed, 4)))
    fig = plots.strips({"one": taken}, {"one": "a title"}, "made up")
    signal, below = fig.axes
    assert [line.get_xdata()[[0, -1]].tolist() for line in signal.lines] == [[0, 4.75], [0, 4.75]]
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + 0.4)) for bar in below.patches]
    assert bars == [(0, 2, 0), (1, 2, 1), (2, 2, 0), (3, 2, 1)]
    colours = [bar.get_facecolor() for bar in below.patches]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert [(text.get_position()[0], text.get_text()) for text in below.texts] == [(0, "rest"), (2, "run")]


def test_the_committed_strips_are_of_real_sets_and_of_a_few_hundred_samples():
    committed = strips.read_strips()
    assert list(committed) == list(strips.FRAMES)
    for name, facts in committed.items():
        assert len(facts["labels"]) == strips.FRAMES[name] and set(map(str, facts["labels"])) == set(facts["classes"])
        assert all(len(channel) <= strips.VALUES for channel in facts["values"])
        covered = (len(facts["labels"]) - 1) * facts["hop"] + facts["n_fft"]
        assert len(facts["values"][0]) == -(-covered // facts["step"])
        assert len(facts["classes"]) > 1 or name.startswith("ucr-")
