"""Masks whose runs have a geometric length, from a two-state Markov chain."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emargin.errors import InputError


def markov_mask(shape: Sequence[int], generator: torch.Generator, *, share: float, mean_run: float) -> Tensor:
    """Draw a mask by a Markov chain that runs through the flattened array, last axis fastest.

    The chain starts masked with probability r = share, leaves "masked" with probability a = 1 / mean_run and "kept"
    with b = a r / (1 - r): a share r of entries is masked, in runs of that mean length. There is no loop: an entry gets
    the order "be masked" with probability b, "be kept" with a, or none, and obeys the last order. So either state is
    left with its probability, as long as a + b <= 1.

    Parameters
    ----------
    shape : sequence of int
    generator : torch.Generator
    share : float
        r, of the entries.
    mean_run : float
        In entries.

    Returns
    -------
    Tensor
        Bool of `shape`, True where an entry is kept.

    Raises
    ------
    InputError
        For runs too short for their share.
    """
    a = 1 / mean_run
    b = a * share / (1 - share)
    if a + b > 1:
        raise InputError(
            "mean length of masked runs",
            found=mean_run,
            wanted=f"at least {1 / (1 - share):g}",
            todo=f"lengthen the runs or mask a smaller share than {share}",
        )
    draws = torch.rand(math.prod(shape), generator=generator)
    masks, orders = draws < b, draws < a + b
    masks[:1], orders[:1] = draws[:1] < share, True
    last_order = torch.where(orders, torch.arange(len(draws)), 0).cummax(0).values
    return ~masks[last_order].reshape(shape)
