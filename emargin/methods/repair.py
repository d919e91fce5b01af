"""What the repairs have in common: losses of this book's own, made to act where the released eMargin does not."""

from torch import Tensor

from emargin.errors import InputError
from emargin.methods.base import Method


class Repair(Method):
    """A loss that no paper compared here has, or a control of one; its fidelity is "original", that of a definition."""

    fidelities = ("original",)


def of_three_frames(embedding: Tensor) -> Tensor:
    """The embedding `(B, T, C)` as it is. Raises InputError for fewer than 3 frames a sequence."""
    if embedding.shape[1] < 3:
        raise InputError(
            "a contrast needs a positive and a negative",
            found=f"{embedding.shape[1]} frames a sequence",
            wanted="at least 3",
            todo="use longer sequences",
        )
    return embedding


def variance_covariance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The two terms of VICReg that keep an embedding from collapsing, on `(n, C)`, as scalars:

        variance = 1/C sum_c max(0, 1 - sqrt(Var_c + 1e-4)),   covariance = 1/C sum_{c != d} Cov_cd^2

    (Bardes, Ponce and LeCun 2022, equations 1 and 4; moments with n - 1.)
    """
    n, channels = rows.shape
    centred = rows - rows.mean(0)
    moments = centred.mT @ centred / (n - 1)
    variances = moments.diagonal()
    variance = (1 - (variances + 1e-4).sqrt()).clamp(min=0).mean()
    return variance, (moments.square().sum() - variances.square().sum()) / channels
