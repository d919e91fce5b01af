"""Method: the class that every method extends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from emargin.encoders import ENCODERS, FrameEncoder
from emargin.fields import Field

if TYPE_CHECKING:
    from emargin.config import Experiment
    from emargin.data.dataset import Sequences


class Method(nn.Module):
    """What a method does: it is built for an experiment, gives a loss on a batch, and encodes sequences.

    A subclass needs a title and a loss; all else has a default. What it declares are its class attributes, written out
    as literals, so that they can be read without running the class. Encoding is by the shared frame encoder, or by the
    encoder that the experiment names, unless a method replaces `encoder` or `encode`.

    Parameters
    ----------
    experiment : Experiment
        Resolved. The method reads its settings from `self.experiment`.
    n_features : int
        D, of a frame.

    Attributes
    ----------
    title : str
        The name in tables, as in the paper's.
    summary : str
        A line for `emargin methods`.
    untrained : bool
        The method takes no optimiser step.
    fidelities : tuple of str
        Those in which the method exists.
    encoders : tuple of str
        Those that an experiment may name in the place of the method's own.
    clustered_alone : tuple of str
        The fidelities in which frames are clustered as they are encoded one at a time, without their sequence.
    fields : dict of str to Field
        The settings, by name.
    """

    title: str
    summary: str
    untrained = False
    fidelities: tuple[str, ...] = ("released", "original")
    encoders: tuple[str, ...] = ("context", "context-small")
    clustered_alone: tuple[str, ...] = ()
    fields: dict[str, Field] = {}

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__()
        self.experiment = experiment
        # a method may put another in the place of the frame encoder
        self.encoder: Any = (
            FrameEncoder(n_features) if experiment.encoder is None else ENCODERS[experiment.encoder](n_features)
        )

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of a batch.

        Parameters
        ----------
        batch : Tensor
            `(B, T, D)`.
        generator : torch.Generator
            On the CPU; for every draw that the loss makes.

        Returns
        -------
        value : Tensor
            The scalar to minimise.
        measurements : dict of str to Tensor
            Scalars for the training curve.

        Raises
        ------
        NotImplementedError
            For a method that is not trained.
        """
        raise NotImplementedError(f"{self.title} is not trained")

    def encode(self, sequences: Tensor) -> Tensor:
        """Encode sequences frame by frame; called in evaluation mode.

        Parameters
        ----------
        sequences : Tensor
            `(B, T, D)`.

        Returns
        -------
        Tensor
            `(B, T, C)`.
        """
        return self.encoder(sequences)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that the optimiser changes.

        Returns
        -------
        iterable of nn.Parameter
            By default all that the method has.
        """
        return self.parameters()

    def prepare(self, train: Sequences, generator: torch.Generator) -> None:
        """Prepare for training; called once, before the first step, in training mode.

        Parameters
        ----------
        train : Sequences
            The training side.
        generator : torch.Generator
            As for `loss`.
        """

    def after_step(self) -> None:
        """Do what follows an optimiser step; called after each."""
