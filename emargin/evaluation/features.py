"""Embeddings of whole sequences, computed once and used by every metric."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emargin.data.dataset import Dataset, Sequences
from emargin.methods import Method

ENCODE_FRAMES = 2**12  # in a batch: the system would map the memory of larger outputs anew for each


@dataclass(frozen=True, eq=False)
class Features:
    """embedding: float32 `(S, T, C)` on the CPU. labels: `(S, T)`, -1 unlabelled. frame: `(S, T)`, number of the frame.

    Where sequences overlap, a frame occurs in several of them under one number.
    """

    embedding: Tensor
    labels: Tensor
    frame: Tensor

    def flat(self, *, repeats: bool = False) -> tuple[Tensor, Tensor]:
        """Labelled frames out of their sequences: embeddings `(n, C)` and labels `(n,)`.

        Every frame once, in the order of the recordings; with `repeats` as often as the sequences hold it.
        """
        rows = self.rows(repeats=repeats)
        return self.embedding.flatten(0, 1)[rows], self.labels.flatten()[rows]

    def rows(self, *, repeats: bool = False) -> Tensor:
        """Which of the `S T` frames `flat` takes: int64 `(n,)`."""
        rows = torch.arange(self.frame.numel())
        if not repeats:
            rows = torch.from_numpy(np.unique(self.frame.flatten().numpy(), return_index=True)[1])
        return rows[self.labels.flatten()[rows] >= 0]


@torch.no_grad()
def encode(method: Method, sequences: Sequences, device: torch.device | str = "cpu") -> Features:
    """Embed sequences in context, in evaluation mode, without gradients."""
    method.eval()
    frame, embedding, done = sequences.indices(), None, 0
    for batch in sequences.in_order(max(1, ENCODE_FRAMES // frame.shape[1])):
        encoded = method.encode(batch.to(device))
        if embedding is None:  # written in place: to join the batches would take as long as to encode them
            # numpy asks Linux for large pages, and torch does not: so many small ones take as long as what they hold.
            embedding = torch.from_numpy(np.empty((*frame.shape, encoded.shape[-1]), np.float32))
        embedding[done : done + len(batch)] = encoded
        done += len(batch)
    return Features(embedding, sequences.labels[frame], frame)


def encode_both(method: Method, dataset: Dataset, device: torch.device | str = "cpu") -> tuple[Features, Features]:
    """Features of the train and of the test side."""
    return encode(method, dataset.train, device), encode(method, dataset.test, device)
