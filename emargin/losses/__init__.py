"""The losses of the paper, and of the methods it compares with.

In the order of reading: `margin` (the map), `reference` (every loss of section 3, dense), `emargin` (the same from
embeddings, fast). Behind the fast ones stand `log_sums`, `exponent`, `triangle` and `triangle_sums`, which take the
cosines of `cosines` a block at a time, and `memory`, which says how large a block is. `hierarchical` is TS2Vec's loss.
`guards` makes all of them fit for other training loops: half precision, autocast, rows of zeros, input that is wrong.
"""

from emargin.losses.emargin import READINGS, SCOPES, emargin_loss, emargin_released, info_nce
from emargin.losses.margin import RELEASED_SCALE, MarginMap, phi, phi_slope, psi, psi_slope

__all__ = [
    "READINGS",
    "RELEASED_SCALE",
    "SCOPES",
    "MarginMap",
    "emargin_loss",
    "emargin_released",
    "info_nce",
    "phi",
    "phi_slope",
    "psi",
    "psi_slope",
]
