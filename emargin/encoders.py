"""The shared frame encoder (the paper's section 4, "Network Architecture")."""

from torch import Tensor, nn

EMBEDDING = 320  # C; the paper's architecture paragraph says 32, its training paragraph and the released code 320


class FrameEncoder(nn.Module):
    """Three blocks of 1-D convolution with kernel 1, BatchNorm and ReLU: `(B, T, D)` -> `(B, T, 320)`.

    A convolution of kernel 1 is a linear map of each frame, and is written as one. An embedding z_t depends on x_t
    alone in evaluation mode; in training mode also through BatchNorm's statistics over batch and time.
    Outputs are not negative. 128 D + 30,208 parameters.
    """

    def __init__(self, n_features: int):
        super().__init__()
        widths = (n_features, 128, 64, EMBEDDING)
        self.blocks = nn.Sequential(*(
            layer for n_in, n_out in zip(widths, widths[1:], strict=False)
            for layer in (nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU())))

    def forward(self, frames: Tensor) -> Tensor:
        return self.blocks(frames.flatten(0, -2)).unflatten(0, frames.shape[:-1])
