"""What every data source returns: continuous recordings with a label at each sample."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from emargin.errors import InputError

UNLABELLED = -1  # trained on, never scored
REPAIR = "repair the file, or leave the bad samples out: quality cut, or quality split"
# What readers note of bad samples while these are let through; None while they are refused.
NOTES: ContextVar[list | None] = ContextVar("NOTES", default=None)


@contextmanager
def as_they_are() -> Iterator[list]:
    """Let recordings be made that hold bad samples; yields what readers note of them on the way."""
    notes: list = []
    token = NOTES.set(notes)
    try:
        yield notes
    finally:
        NOTES.reset(token)


def check_values(where: str, values: np.ndarray) -> None:
    """Raise InputError for values that are not finite and for constant channels, but not within `as_they_are`."""
    if NOTES.get() is not None:
        return
    finite = np.isfinite(values)
    if not finite.all():
        row, channel = np.argwhere(~finite)[0]
        raise InputError(
            f"{where}: {int((~finite).sum())} samples are not finite",
            found=f"{values[row, channel]} at sample {row}, channel {channel}",
            wanted="finite numbers",
            todo=REPAIR,
        )
    constant = np.flatnonzero(values.min(0) == values.max(0))
    if len(values) > 1 and constant.size:
        raise InputError(
            f"{where}: channel {constant[0]} is constant",
            found=f"{values[0, constant[0]]} in all {len(values)} samples",
            wanted="a varying signal",
            todo="drop the channel, or leave the recording out: quality cut, or quality split",
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """One continuous signal of one person, or its ready-made feature frames.

    Attributes
    ----------
    name : str
        The file or record it comes from.
    subject : str
        The person; a split by subject keeps all recordings of one subject on one side.
    values : ndarray
        Float32 `(samples, channels)` in the unit of the source, or `(frames, D)` when the set is framed already.
    labels : ndarray
        Int64 `(samples,)` or `(frames,)`: an index into the set's classes, or -1 for unlabelled.

    Raises
    ------
    InputError
        For no samples, labels of another number, values that are not finite, or a channel that is constant; the last
        two not within `as_they_are`.
    """

    name: str
    subject: str
    values: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        where = f"recording {self.name}"
        if self.values.ndim != 2 or len(self.values) == 0:
            raise InputError(f"{where}: no samples", found=f"shape {self.values.shape}", wanted="(samples, channels)")
        if self.labels.shape != self.values.shape[:1]:
            raise InputError(
                f"{where}: labels do not match the samples", found=self.labels.shape, wanted=self.values.shape[:1]
            )
        check_values(where, self.values)


@dataclass(frozen=True, eq=False)
class RecordingSet:
    """All recordings of one data set.

    Attributes
    ----------
    name : str
    source : {"real", "simulated"}
    classes : tuple of str
        Names in label order.
    sampling_rate : float or None
        Samples a second (Hz); None when `framed`.
    recordings : tuple of Recording
        All of the same number of channels or features.
    framed : bool
        The recordings hold feature frames, not samples.
    test_subjects : tuple of frozenset
        The subjects on the test side of each fold, where the set has a split of its own; otherwise empty.
    test_from : str or None
        Name of the first recording of the test side of protocol `released`, where the files have that border.
    left_out : dict or None
        What `quality.cleaned` left out of the recordings; None where nobody asked it to.

    Raises
    ------
    InputError
        For no recordings, for recordings that differ in width, and for a label outside the classes.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    sampling_rate: float | None
    recordings: tuple[Recording, ...]
    framed: bool = False
    test_subjects: tuple[frozenset[str], ...] = field(default=())
    test_from: str | None = None
    left_out: dict[str, Any] | None = None

    def __post_init__(self):
        if not self.recordings:
            raise InputError(f"data set {self.name}: no recordings", wanted="at least one")
        widths = {recording.values.shape[1] for recording in self.recordings}
        if len(widths) > 1:
            raise InputError(
                f"data set {self.name}: recordings differ in their number of channels",
                found=sorted(widths),
                wanted="one number for all",
            )
        for recording in self.recordings:
            wrong = (recording.labels < UNLABELLED) | (recording.labels >= len(self.classes))
            if wrong.any():
                at = int(np.argmax(wrong))
                raise InputError(
                    f"recording {recording.name}: label outside the classes",
                    found=f"{recording.labels[at]} at sample {at}",
                    wanted=f"0 to {len(self.classes) - 1}, or -1 for unlabelled",
                )

    def joined(self) -> "RecordingSet":
        """Return the set with its recordings end to end as a single one, or one a side where it has `test_from`."""
        border = [recording.name for recording in self.recordings].index(self.test_from) if self.test_from else 0
        sides = [self.recordings[:border], self.recordings[border:]] if border else [self.recordings]
        return replace(self, recordings=tuple(map(_end_to_end, sides)))


def joined_by_person(data: RecordingSet) -> RecordingSet:
    """Return the set with the recordings of a person that follow each other end to end as a single one."""
    people = [(person, tuple(pieces)) for person, pieces in groupby(data.recordings, key=lambda piece: piece.subject)]
    return replace(data, recordings=tuple(replace(_end_to_end(pieces), subject=person) for person, pieces in people))


def _end_to_end(recordings: tuple[Recording, ...]) -> Recording:
    """Return a recording of nobody in particular, which goes by the name of the first."""
    if len(recordings) == 1:
        return recordings[0]
    return Recording(
        recordings[0].name,
        "all",
        np.concatenate([recording.values for recording in recordings]),
        np.concatenate([recording.labels for recording in recordings]),
    )
