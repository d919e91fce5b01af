"""Embeddings of whole sequences, computed once and used by every metric."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from emargin.data.dataset import Dataset, Sequences
from emargin.methods import Method

Scored = tuple[dict[str, tuple], dict[str, np.ndarray]]  # rows, by name value, n and perhaps a note; and arrays
ENCODE_FRAMES = 2**12  # in a batch: for larger outputs the system would map new memory each time


@dataclass(frozen=True, eq=False)
class Features:
    """Embeddings of S sequences of T frames, on the CPU.

    Parameters
    ----------
    embedding : Tensor
        float32 `(S, T, C)`.
    labels : Tensor
        Classes, int `(S, T)`; -1 where a frame has none.
    frame : Tensor
        The number of each frame, int64 `(S, T)`. Where sequences overlap, a frame is in several of them and has the
        same number in each.
    """

    embedding: Tensor
    labels: Tensor
    frame: Tensor

    def flat(self, *, repeats: bool = False) -> tuple[Tensor, Tensor]:
        """Return labelled frames without their sequences: embeddings `(n, C)` and labels `(n,)`.

        Every frame once, in the order of the recordings; with `repeats` as often as the sequences hold it.
        """
        rows = self.rows(repeats=repeats)
        return self.embedding.flatten(0, 1)[rows], self.labels.flatten()[rows]

    def rows(self, *, repeats: bool = False) -> Tensor:
        """Return which of the `S T` frames `flat` takes, int64 `(n,)`."""
        rows = torch.arange(self.frame.numel())
        if not repeats:
            rows = torch.from_numpy(np.unique(self.frame.flatten().numpy(), return_index=True)[1])
        return rows[self.labels.flatten()[rows] >= 0]


@torch.no_grad()
def encode(method: Method, sequences: Sequences, device: torch.device | str = "cpu") -> Features:
    """Embed sequences in evaluation mode, without gradients.

    Parameters
    ----------
    method : Method
        Trained or not. It stays in evaluation mode.
    sequences : Sequences
        Each is embedded as a whole, so that a frame sees the context that the encoder gives it.
    device : torch.device or str
        Where the method is.

    Returns
    -------
    Features
        On the CPU.
    """
    method.eval()
    frame, embedding, done = sequences.indices(), None, 0
    for batch in sequences.in_order(max(1, ENCODE_FRAMES // frame.shape[1])):
        encoded = method.encode(batch.to(device))
        if embedding is None:  # written in place: to join the batches would take as long as to encode them
            # numpy asks Linux for large pages; torch does not, and mapping many small ones takes as long as encoding.
            embedding = torch.from_numpy(np.empty((*frame.shape, encoded.shape[-1]), np.float32))
        embedding[done : done + len(batch)] = encoded
        done += len(batch)
    return Features(cast(Tensor, embedding), sequences.labels[frame], frame)


def encode_both(method: Method, dataset: Dataset, device: torch.device | str = "cpu") -> tuple[Features, Features]:
    """Embed the train and the test side of a data set, each by `encode`.

    Parameters
    ----------
    method : Method
    dataset : Dataset
    device : torch.device or str
        Where the method is.

    Returns
    -------
    train, test : Features
    """
    return encode(method, dataset.train, device), encode(method, dataset.test, device)


def encode_alone(
    method: Method, sequences: Sequences, features: Features, device: torch.device | str = "cpu"
) -> Features:
    """Embed frames as sequences of one frame, without the context that `encode` gives them.

    Parameters
    ----------
    method : Method
    sequences : Sequences
    features : Features
        What `encode` gives for them; all but the embedding stays.
    device : torch.device or str
        Where the method is.
    """
    frames = features.frame.unique()
    alone = encode(method, replace(sequences, starts=frames, length=1), device)
    return replace(features, embedding=alone.embedding[torch.searchsorted(frames, features.frame), 0])
