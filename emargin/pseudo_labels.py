"""Pseudo-labels: which steps between adjacent frames count as dissimilar.

References
----------
The paper's section 3.1 (arXiv 2507.14828).
"""

import torch
from torch import Tensor

from emargin.errors import InputError
from emargin.losses.cosines import adjacent_cosines
from emargin.losses.guards import usable

RULES = ("paper", "released")


def pseudo_labels(frames: Tensor, *, threshold: float, rule: str = "paper", wrap: bool = False) -> Tensor:
    """Label each adjacent pair of frames 1 (dissimilar, the margin acts) or 0 (similar).

    The rule of the paper is::

        y_t = 0 if cos(x_t, x_{t+1}) > threshold, else 1

    and that of the released code `released_rule`, which for a threshold >= 0 labels every pair 1 (discrepancy D1).

    Parameters
    ----------
    frames : Tensor
        `(..., T, D)`, input features, not embeddings. Cosines of float16 and bfloat16 are formed in float32.
    threshold : float
        theta, a cosine.
    rule : {"paper", "released"}
    wrap : bool
        Compare the last frame with the first, too, as the released code does on a flattened batch.

    Returns
    -------
    Tensor
        Bool `(..., T - 1)`; with `wrap` `(..., T)`.

    Raises
    ------
    InputError
        For a threshold outside [-1, 1], an unknown rule, frames that are empty or not finite floating-point numbers.
    """
    return _pseudo_labels(usable("frames", frames), threshold=threshold, rule=rule, wrap=wrap)


def _pseudo_labels(frames: Tensor, *, threshold: float, rule: str = "paper", wrap: bool = False) -> Tensor:
    """Compute `pseudo_labels` of float32 or float64 frames, unguarded."""
    if not -1 <= threshold <= 1:
        raise InputError("threshold is a cosine", found=threshold, wanted="a number from -1 to 1")
    if rule not in RULES:
        raise InputError("unknown rule for pseudo-labels", found=repr(rule), wanted=" or ".join(RULES))
    cosines = adjacent_cosines(frames, wrap=wrap)
    return ~(cosines > threshold) if rule == "paper" else released_rule(cosines, threshold)


def released_rule(cosines: Tensor, threshold: float) -> Tensor:
    """Label pairs by the released code's two masked writes: cosines >= threshold become 0, then values <= threshold 1.

    The second write also meets the zeros of the first, and 0 <= threshold: so all labels are 1 for a threshold >= 0.

    Parameters
    ----------
    cosines : Tensor
        Of adjacent frames, any shape. Left as they are.
    threshold : float

    Returns
    -------
    Tensor
        Bool, of the same shape.
    """
    values = cosines.clone()
    values[values >= threshold] = 0
    values[values <= threshold] = 1
    return values.to(torch.bool)
