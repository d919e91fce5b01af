"""The shared frame encoder (the paper's section 4, "Network Architecture") and the wrappers that some methods use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

EMBEDDING = 320  # C; the paper's architecture paragraph says 32, its training paragraph and the released code 320
HIDDEN = 64  # channels after the input layer of the wrappers, as in TS2Vec
OUTPUT_DROPOUT = 0.1  # likewise
KEPT = 0.5  # probability that a frame stays in a masked view, likewise
DILATED_BLOCKS = 11  # ten of 64 channels and one of 320, likewise
SMALL = 21  # channels in place of the 64, with which parameters are about as many as the frame encoder's


class FrameEncoder(nn.Module):
    """Three blocks of 1-D convolution with kernel 1, BatchNorm and ReLU: `(B, T, D)` -> `(B, T, 320)`.

    A convolution of kernel 1 is a linear map of each frame, and is written as such a map. An embedding z_t depends on
    x_t alone in evaluation mode; in training mode also through BatchNorm's statistics over batch and time.
    Outputs are not negative. 128 D + 30,208 parameters.

    Parameters
    ----------
    n_features : int
        D, of a frame.

    References
    ----------
    The paper's section 4, "Network Architecture" (arXiv 2507.14828).
    """

    def __init__(self, n_features: int):
        super().__init__()
        widths = (n_features, 128, 64, EMBEDDING)
        self.blocks = nn.Sequential(
            *(
                layer
                for n_in, n_out in zip(widths, widths[1:], strict=False)
                for layer in (nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(inplace=True))
            )
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Return the embedding of each frame."""
        return self.blocks(frames.flatten(0, -2)).unflatten(0, frames.shape[:-1])


def frame_mask(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Draw which frames stay in a masked view, each with probability 1/2.

    Parameters
    ----------
    frames : Tensor
        `(B, T, D)`.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor
        Bool `(B, T)` on the device of `frames`, True where a frame is kept.
    """
    return (torch.rand(frames.shape[:2], generator=generator) < KEPT).to(frames.device)


class MaskedEncoder(nn.Module):
    """A linear input layer, masked frames set to zero behind it, the shared frame encoder, dropout.

    `(B, T, D)` and a mask `(B, T)`, True where a frame is kept -> `(B, T, 320)`. Without a mask all frames are kept; a
    frame with a NaN never is. All masked frames of a batch have the same embedding, whatever they held.
    64 D + 38,464 parameters.

    Parameters
    ----------
    n_features : int
        D, of a frame.
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.input = nn.Linear(n_features, HIDDEN)
        self.frames = FrameEncoder(HIDDEN)
        self.dropout = nn.Dropout(OUTPUT_DROPOUT)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embed frames `(B, T, D)`, those where `mask` `(B, T)` is False as zeros: `(B, T, C)`."""
        return self.dropout(self.frames(_masked_input(self.input, frames, mask)))


class DilatedEncoder(nn.Module):
    """The encoder of TS2Vec: input layer and mask as in `MaskedEncoder`, then 11 dilated residual blocks, dropout.

    `(B, T, D)` and a mask `(B, T)`, True where a frame is kept -> `(B, T, 320)`. Beyond the ends of a sequence are
    zeros. An embedding depends on 4,094 frames to either side. 64 D + 637,184 parameters.

    Parameters
    ----------
    n_features : int
        D, of a frame.

    References
    ----------
    Yue et al., "TS2Vec: Towards Universal Representation of Time Series", AAAI 2022 (arXiv 2106.10466).
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.input = nn.Linear(n_features, HIDDEN)
        widths = [HIDDEN] * DILATED_BLOCKS + [EMBEDDING]
        self.blocks = nn.Sequential(
            *(_DilatedBlock(n_in, n_out, 2**i) for i, (n_in, n_out) in enumerate(zip(widths, widths[1:], strict=False)))
        )
        self.dropout = nn.Dropout(OUTPUT_DROPOUT)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embed frames `(B, T, D)`, those where `mask` `(B, T)` is False as zeros: `(B, T, C)`."""
        return self.dropout(self.blocks(_masked_input(self.input, frames, mask).mT).mT)


class _DilatedBlock(nn.Module):
    """GELU, convolution, GELU, convolution, plus the input (through a 1 x 1 convolution where widths differ)."""

    def __init__(self, n_in: int, n_out: int, dilation: int):
        super().__init__()
        self.first = nn.Conv1d(n_in, n_out, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv1d(n_out, n_out, 3, padding=dilation, dilation=dilation)
        self.past = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, channels, T)
        return self.second(functional.gelu(self.first(functional.gelu(x)))) + self.past(x)


class ContextEncoder(nn.Module):
    """The network of `DilatedEncoder`, computed faster: what any method can have in the place of its own encoder.

    `(B, T, D)` and a mask `(B, T)`, True where a frame is kept -> `(B, T, 320)`. Without a mask all frames are kept; a
    frame with a NaN never is. 64 D + 637,184 parameters, and none of BatchNorm.

    Parameters
    ----------
    n_features : int
        D, of a frame.
    width : int
        Channels of the blocks.
    last : nn.Module, optional
        What comes after ten blocks; an eleventh, of 320 channels, unless it is given.

    References
    ----------
    As for `DilatedEncoder`.
    """

    def __init__(self, n_features: int, width: int = HIDDEN, last: nn.Module | None = None):
        super().__init__()
        self.input = nn.Linear(n_features, width)
        blocks: list[nn.Module] = [_ContextBlock(width, width, 2**i) for i in range(DILATED_BLOCKS - 1)]
        self.blocks = nn.Sequential(*blocks, last or _ContextBlock(width, EMBEDDING, 2 ** len(blocks)))
        self.dropout = nn.Dropout(OUTPUT_DROPOUT)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embed frames `(B, T, D)`, those where `mask` `(B, T)` is False as zeros: `(B, T, C)`."""
        return self.dropout(self.blocks(_masked_input(self.input, frames, mask)))


class SmallContextEncoder(ContextEncoder):
    """`ContextEncoder` with 21 channels, and a linear map of each frame to 320 in the place of the last block.

    An embedding depends on 2,046 frames to either side. 21 D + 33,941 parameters; the frame encoder has 128 D + 30,208.

    Parameters
    ----------
    n_features : int
        D, of a frame.
    """

    def __init__(self, n_features: int):
        super().__init__(n_features, SMALL, nn.Linear(SMALL, EMBEDDING))


class _ContextBlock(nn.Module):
    """A `_DilatedBlock` of frames in rows, `(B, T, n_in)` -> `(B, T, n_out)`."""

    def __init__(self, n_in: int, n_out: int, dilation: int):
        super().__init__()
        self.first, self.second = _Neighbours(n_in, n_out, dilation), _Neighbours(n_out, n_out, dilation)
        self.past = nn.Identity() if n_in == n_out else nn.Linear(n_in, n_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(functional.gelu(self.first(functional.gelu(x)))) + self.past(x)


class _Neighbours(nn.Linear):
    """A convolution of kernel 3 as a linear map of x_{t-d}, x_t and x_{t+d} joined; zeros beyond the ends.

    It starts as a convolution of torch does: with as many inputs, the bounds of the weights are the same.
    """

    def __init__(self, n_in: int, n_out: int, dilation: int):
        super().__init__(3 * n_in, n_out)
        self.n_in, self.dilation = n_in, dilation

    def forward(self, x: Tensor) -> Tensor:
        length, d = x.shape[1], self.dilation
        if d >= length:  # no frame has such a neighbour
            return functional.linear(x, self.weight[:, self.n_in : 2 * self.n_in], self.bias)
        padded = functional.pad(x, (0, 0, d, d))
        return super().forward(torch.cat([padded[:, :length], x, padded[:, 2 * d :]], dim=2))


ENCODERS = {"context": ContextEncoder, "context-small": SmallContextEncoder}  # of an experiment that names one


def _masked_input(layer: nn.Linear, frames: Tensor, mask: Tensor | None) -> Tensor:
    whole = ~frames.isnan().any(-1, keepdim=True)
    hidden = layer(frames.where(whole, 0.0))
    return hidden.where(whole if mask is None else whole & mask[..., None], 0.0)


def weight_average(encoder: nn.Module) -> AveragedModel:
    """Return a frozen copy that will hold the equal-weight mean of all iterates, the initial weights being the first.

    Call `update_parameters(encoder)` on it after each step. Its buffers, BatchNorm's statistics among them, are those
    of the last iterate; `fresh_statistics` collects statistics that fit the mean.
    """
    average = AveragedModel(encoder)
    average.update_parameters(encoder)
    return average.requires_grad_(False)


@contextmanager
def fresh_statistics(encoder: nn.Module) -> Iterator[None]:
    """Replace BatchNorm's running statistics by the plain mean over the forward passes made inside."""
    norms = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm1d)]
    momenta, training = [norm.momentum for norm in norms], encoder.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    encoder.train()
    with torch.no_grad():
        yield
    encoder.train(training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
