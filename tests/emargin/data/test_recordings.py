"""Recordings are checked when they are made."""

import numpy as np
import pytest

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError


def recording(values=None, labels=None):
    values = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32) if values is None else values
    return Recording("rec7", "p1", values, np.zeros(len(values), np.int64) if labels is None else labels)


def damaged(row, channel, value):
    values = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32)
    values[row, channel] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (damaged(13, 1, np.nan), "rec7.*not finite.*nan at sample 13, channel 1"),
        (damaged(4, 0, np.inf), "rec7.*inf at sample 4, channel 0"),
        (np.stack([np.arange(9.0), np.full(9, 3.0)], 1), "rec7.*channel 1 is constant.*3.0"),
        (np.empty((0, 2)), "rec7.*no samples"),
    ],
)
def test_a_damaged_signal_is_named(values, message):
    with pytest.raises(InputError, match=message):
        recording(values)


def test_labels_must_match():
    with pytest.raises(InputError, match="rec7.*19"):
        recording(labels=np.zeros(19, np.int64))
    with pytest.raises(InputError, match="rec7.*outside the classes.*4 at sample 2"):
        RecordingSet("x", "real", ("a", "b"), 1.0, (recording(labels=np.array([0, 1, 4] + [0] * 17)),))
