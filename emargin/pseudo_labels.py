"""Pseudo-labels: which steps between adjacent frames count as dissimilar, and how well they mark changes of class.

References
----------
The paper's section 3.1 (arXiv 2507.14828).
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from emargin.errors import InputError
from emargin.losses.cosines import adjacent_cosines

RULES = ("paper", "released")


def pseudo_labels(frames: Tensor, *, threshold: float, rule: str = "paper", wrap: bool = False) -> Tensor:
    """Label each adjacent pair of frames 1 (dissimilar, the margin acts) or 0 (similar).

    The rule of the paper is::

        y_t = 0 if cos(x_t, x_{t+1}) > threshold, else 1

    and that of the released code `released_rule`, which for a threshold >= 0 labels every pair 1 (discrepancy D1).

    Parameters
    ----------
    frames : Tensor
        `(..., T, D)`, input features, not embeddings.
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
        For a threshold outside [-1, 1] or an unknown rule.
    """
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


def detection(labels: Tensor, classes: Tensor, *, tolerance: int = 0) -> dict[str, float]:
    """Measure how well label 1 marks a change of class between adjacent frames.

    A label is right that has a change within `tolerance` pairs, and a change is detected that has a label 1 there.

    Parameters
    ----------
    labels : Tensor
        Bool `(S, T - 1)`.
    classes : Tensor
        Int `(S, T)`; pairs with an unlabelled frame (-1) are not counted.
    tolerance : int
        In pairs.

    Returns
    -------
    dict of str to float
        `ones`, the number of pairs labelled 1; `share`, their share of all pairs; `precision`, the share of them that
        is right; `recall`, the share of changes that is detected; `base`, the share of all pairs that would be right:
        the precision of labels drawn at random. A share of nothing is NaN.
    """
    counted = (classes[:, 1:] >= 0) & (classes[:, :-1] >= 0)
    changed = (classes[:, 1:] != classes[:, :-1]) & counted
    dissimilar = labels & counted

    def near(marks: Tensor) -> Tensor:
        return max_pool1d(marks.float()[:, None], 2 * tolerance + 1, stride=1, padding=tolerance)[:, 0] > 0

    def share(part: Tensor, whole: Tensor) -> float:
        return part.sum().item() / whole.sum().item() if whole.any() else float("nan")

    return {
        "ones": int(dissimilar.sum()),
        "share": share(dissimilar, counted),
        "precision": share(dissimilar & near(changed), dissimilar),
        "recall": share(changed & near(dissimilar), changed),
        "base": share(near(changed) & counted, counted),
    }
