"""What the repairs share. A repair is a loss that the book tries in eMargin's place, or a control of such a loss."""

from torch import Tensor

from emargin.errors import InputError
from emargin.methods.base import Method


class Repair(Method):
    """A method that no paper compared here has. There is no released code of it, so its fidelity is "original"."""

    fidelities = ("original",)


def of_three_frames(embedding: Tensor) -> Tensor:
    """Return an embedding as it is, after a check that each sequence has a positive and a negative.

    Parameters
    ----------
    embedding : Tensor
        `(B, T, C)`.

    Raises
    ------
    InputError
        For fewer than 3 frames a sequence.
    """
    if embedding.shape[1] < 3:
        raise InputError(
            "a contrast needs a positive and a negative",
            found=f"{embedding.shape[1]} frames a sequence",
            wanted="at least 3",
            todo="use longer sequences",
        )
    return embedding


def variance_covariance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the two terms of VICReg that keep an embedding from collapsing.

        variance = 1/C sum_c max(0, 1 - sqrt(Var_c + 1e-4)),   covariance = 1/C sum_{c != d} Cov_cd^2

    Parameters
    ----------
    rows : Tensor
        `(n, C)`; moments are divided by n - 1.

    Returns
    -------
    variance, covariance : Tensor
        Scalars.

    References
    ----------
    Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    ICLR 2022 (arXiv 2105.04906), equations 1 and 4.
    """
    n, channels = rows.shape
    centred = rows - rows.mean(0)
    moments = centred.mT @ centred / (n - 1)
    variances = moments.diagonal()
    variance = (1 - (variances + 1e-4).sqrt()).clamp(min=0).mean()
    return variance, (moments.square().sum() - variances.square().sum()) / channels
