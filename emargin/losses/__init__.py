"""The losses of the paper and of the methods it compares with."""

from emargin.losses.emargin import READINGS, RELEASED_SCALE, SCOPES, emargin, emargin_released, info_nce

__all__ = ["READINGS", "RELEASED_SCALE", "SCOPES", "emargin", "emargin_released", "info_nce"]
