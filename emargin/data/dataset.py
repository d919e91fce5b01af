"""Sequences of frames, ready to train on: what the rest of the module sees of any data set."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sequences:
    """S sequences of T frames, as windows on one table of frames that they may share.

    Attributes
    ----------
    frames : Tensor
        Float32 `(F, D)`.
    labels : Tensor
        Int64 `(F,)`, -1 for unlabelled.
    starts : Tensor
        Int64 `(S,)`, the first frame of each sequence.
    length : int
        T, in frames.
    subjects : Tensor or None
        Int64 `(F,)`, number of the person that a frame is of; None where persons are not told apart.
    """

    frames: Tensor
    labels: Tensor
    starts: Tensor
    length: int
    subjects: Tensor | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def indices(self, picked: Tensor | slice = slice(None)) -> Tensor:
        """Return rows of the table of frames that the picked sequences cover, `(B, T)`."""
        return self.starts[picked, None] + torch.arange(self.length)

    def batch(self, picked: Tensor | slice) -> Tensor:
        """Return the picked sequences, `(B, T, D)`."""
        return self.frames[self.indices(picked)]

    def in_order(self, batch_size: int) -> Iterator[Tensor]:
        """Yield all sequences in turn as batches `(B, T, D)`, the last perhaps smaller."""
        for start in range(0, len(self), batch_size):
            yield self.batch(slice(start, start + batch_size))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A framed, split and standardised data set.

    Attributes
    ----------
    name : str
        Of the set of recordings.
    source : {"real", "simulated"}
        Where the recordings are from.
    classes : tuple of str
        Names in label order.
    train, test : Sequences
        The two sides.
    draw : tuple of int
        Nominal number of test frames of each class for clustering.
    checksum : str
        Stands for the files read, or for the simulator's seed and profile.
    standardisation : tuple of Tensor or None
        Mean and standard deviation of each feature, `(D,)`, by which frames were standardised; None where they are as
        they were read.
    left_out : dict or None
        Of a set whose bad samples were left out: how many, of which recordings, and why.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    train: Sequences
    test: Sequences
    draw: tuple[int, ...]
    checksum: str
    standardisation: tuple[Tensor, Tensor] | None = None
    left_out: dict[str, Any] | None = None

    @property
    def n_features(self) -> int:
        """Return D."""
        return self.train.frames.shape[1]
