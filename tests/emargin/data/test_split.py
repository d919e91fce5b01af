"""A cell with the split "validation": people held out of the training side take the test side's place."""

import pytest
import torch

from emargin.config import Experiment
from emargin.data.loading import checksum_of, load
from emargin.data.protocols import hold_out
from emargin.errors import InputError

ASKED = {"dataset": "harth-sim", "quick": True}


def test_the_people_who_are_left_are_trained_on_and_the_held_out_are_scored():
    whole, split = load(Experiment(**ASKED)), load(Experiment(**ASKED, split="validation"))
    expected = hold_out(load(Experiment(**ASKED)))
    for side, wanted in ((split.train, expected.train), (split.test, expected.test)):
        assert torch.equal(side.frames, wanted.frames) and torch.equal(side.starts, wanted.starts)
    people, left, held = (set(side.subjects.tolist()) for side in (whole.train, split.train, split.test))
    assert left | held == people and not left & held and len(held) == max(1, round(len(people) / 4))
    assert split.train.frames.mean(0).abs().max() < 1e-4 < split.test.frames.mean(0).abs().max()


@pytest.mark.parametrize("surrogate", [None, "frames"])
def test_the_checksum_is_known_without_loading_and_is_not_that_of_the_whole(surrogate):
    asked = Experiment(**ASKED, surrogate=surrogate, split="validation")
    whole = Experiment(**ASKED, surrogate=surrogate)
    assert load(asked).checksum == checksum_of(asked) == f"{checksum_of(whole)}, validation"


def test_where_people_are_not_told_apart_nobody_can_be_held_out():
    with pytest.raises(InputError, match="no people to hold out.*use protocol original"):
        load(Experiment(**ASKED, protocol="released", split="validation"))
