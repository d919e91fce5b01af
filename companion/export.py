"""An encoder as a file that needs PyTorch alone: no package of ours, and no data set.

    export(load_encoder("runs/MY-RUN"), "encoder.pt2")
    embed = torch.export.load("encoder.pt2").module()  # elsewhere: frames (B, T, D) -> embeddings (B, T, C)

The file takes frames as they come from the recordings: their standardisation is in it.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from emargin.embedding import Encoder
from emargin.encoders import FrameEncoder
from emargin.methods.base import Method


class _Standardised(nn.Module):
    """What `Encoder.embed` computes of a sequence of frames: standardise them, encode them."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        mean, std = encoder.standardisation or (torch.zeros(encoder.n_features), torch.ones(encoder.n_features))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.method = encoder.method

    def forward(self, frames: Tensor) -> Tensor:
        return self.method.encode((frames - self.mean) / self.std)


def export(encoder: Encoder, file: Path | str) -> ExportedProgram:
    """Write an encoder on the CPU as a file of `torch.export`, and return the program.

    It maps frames `(B, T, D)`, not standardised, to embeddings `(B, T, C)`, for any B. The frame encoder takes any T;
    an encoder that sees neighbours, the T of its training, since its embeddings depend on where a sequence ends.
    """
    module = _Standardised(encoder).eval()
    length = encoder.experiment.sequence_length
    each_frame = isinstance(encoder.method.encoder, FrameEncoder) and type(encoder.method).encode is Method.encode
    shapes = {0: Dim("B"), 1: Dim("T")} if each_frame else {0: Dim("B")}
    with torch.no_grad():
        program = torch.export.export(module, (torch.zeros(2, length, encoder.n_features),), dynamic_shapes=(shapes,))
    torch.export.save(program, file)
    return program
