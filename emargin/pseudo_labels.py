"""Pseudo-labels: which steps between adjacent frames count as dissimilar (the paper's section 3.1), and how well they
find changes of class."""

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from emargin.errors import InputError
from emargin.losses.cosines import adjacent_cosines

RULES = ("paper", "released")


def pseudo_labels(frames: Tensor, *, threshold: float, rule: str = "paper", wrap: bool = False) -> Tensor:
    """Label each adjacent pair of frames 1 (dissimilar, the margin acts) or 0 (similar).

    frames: `(..., T, D)`, input features, not embeddings. Returns bool, `(..., T - 1)`; with `wrap` `(..., T)`, where
    the last frame is compared with the first, as the released code does on a flattened batch.

    rule "paper": y_t = 0 if cos(x_t, x_{t+1}) > threshold, else 1.
    rule "released": see `released_rule`. For threshold >= 0 it labels every pair 1 (discrepancy D1).
    Raises InputError for a threshold outside [-1, 1] or an unknown rule.
    """
    if not -1 <= threshold <= 1:
        raise InputError("threshold is a cosine", found=threshold, wanted="a number from -1 to 1")
    if rule not in RULES:
        raise InputError("unknown rule for pseudo-labels", found=repr(rule), wanted=" or ".join(RULES))
    cosines = adjacent_cosines(frames, wrap=wrap)
    return ~(cosines > threshold) if rule == "paper" else released_rule(cosines, threshold)


def released_rule(cosines: Tensor, threshold: float) -> Tensor:
    """Two masked writes on one vector; the second also meets the zeros that the first wrote, and 0 <= threshold."""
    values = cosines.clone()
    values[values >= threshold] = 0
    values[values <= threshold] = 1
    return values.to(torch.bool)


def detection(labels: Tensor, classes: Tensor, *, tolerance: int = 0) -> dict[str, float]:
    """How well label 1 marks a change of class between adjacent frames.

    labels: bool `(S, T - 1)`, classes: int `(S, T)`; pairs with an unlabelled frame (-1) are not counted. A label is
    right, and a change is found, if one lies within `tolerance` pairs of the other.

    Returns `ones`, the number of pairs labelled 1; `share`, their share of all pairs; `precision`, the share of them
    that is right; `recall`, the share of changes that is found; `base`, the share of all pairs that would be right:
    the precision of labels drawn at random. A share of nothing is NaN.
    """
    counted = (classes[:, 1:] >= 0) & (classes[:, :-1] >= 0)
    changed = (classes[:, 1:] != classes[:, :-1]) & counted
    ones = labels & counted

    def near(marks: Tensor) -> Tensor:
        return max_pool1d(marks.float()[:, None], 2 * tolerance + 1, stride=1, padding=tolerance)[:, 0] > 0

    def share(part: Tensor, whole: Tensor) -> float:
        return part.sum().item() / whole.sum().item() if whole.any() else float("nan")

    return {
        "ones": int(ones.sum()),
        "share": share(ones, counted),
        "precision": share(ones & near(changed), ones),
        "recall": share(changed & near(ones), changed),
        "base": share(near(changed) & counted, counted),
    }
