"""How well pseudo-labels mark changes of class."""

from torch import Tensor
from torch.nn.functional import max_pool1d

from emargin.losses.guards import check_labels


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

    Raises
    ------
    InputError
        For labels other than bool, 0 and 1, and for shapes that do not fit.
    """
    check_labels(labels, classes, tuple(classes[:, 1:].shape))
    labels = labels.bool()
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
