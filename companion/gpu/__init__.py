"""Code for GPUs, experimental: equal to the CPU's code in tests, and not yet measured on a device.

The rule: if it is not measured at 3 times or more on a GPU the first time one is at hand, it goes. The measure of
`fused` is a step of a loss, against torch's own operations on the same blocks (`enable` left out); that of `together`
is training as many experiments one after another.
"""

from importlib.util import find_spec


def enable() -> None:
    """Let `fused` serve several blocks of cosines on CUDA devices, where torch's compiler has its Triton."""
    if find_spec("triton") is not None:
        from companion.gpu import fused
        from emargin.losses import log_sums

        log_sums.CUDA_SUMS = fused
