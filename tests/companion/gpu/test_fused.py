"""The sums that are compiled for CUDA devices: equal to those of the CPU, and used where they are enabled."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion import gpu
from companion.gpu import fused
from emargin.losses import log_sums as module
from emargin.losses.exponent import Exponent
from emargin.losses.log_sums import log_sums
from tests.emargin.losses.test_emargin import BLOCKS, assert_sums_are_those_of_the_whole_matrix, in_small_blocks


@pytest.mark.parametrize("stay", [0, 2])
@pytest.mark.parametrize("labels", BLOCKS["labels"])
@pytest.mark.parametrize("exclude", BLOCKS["exclude"])
@pytest.mark.parametrize("shape", BLOCKS["shape"])
def test_fused_blocks_give_the_sums_and_gradients_of_the_whole_matrix(monkeypatch, shape, exclude, labels, stay):
    in_small_blocks(monkeypatch, stay)
    monkeypatch.setattr("emargin.losses.log_sums._cuda_sums", lambda unit: fused)
    monkeypatch.setattr("companion.gpu.fused._compiled", lambda function: function)
    assert_sums_are_those_of_the_whole_matrix(shape, exclude, labels)


class Rows(SimpleNamespace):
    """What decides about sums: rows `(G, N, C)` on a device, without memory for them."""

    def __len__(self):
        return self.shape[0]


@pytest.mark.parametrize(("triton", "serves"), [(object(), fused), (None, None)])
def test_once_enabled_fused_serves_several_blocks_on_cuda(monkeypatch, triton, serves):
    monkeypatch.setattr(module, "CUDA_SUMS", None)
    monkeypatch.setattr(gpu, "find_spec", lambda name: triton if name == "triton" else None)
    assert module._cuda_sums(Rows(is_cuda=True, shape=(1, 9000, 4))) is None
    gpu.enable()
    assert module._cuda_sums(Rows(is_cuda=True, shape=(1, 9000, 4))) is serves
    assert module._cuda_sums(Rows(is_cuda=True, shape=(1, 8192, 4))) is None
    assert module._cuda_sums(Rows(is_cuda=False, shape=(1, 9000, 4))) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("block", "sums"), [(8192, None), (256, None), (256, fused)])  # one block, several, compiled
@pytest.mark.parametrize("labels", ["none", "one", "mixed"])
def test_cuda_gives_the_sums_and_gradients_of_the_cpu(monkeypatch, labels, block, sums):
    monkeypatch.setattr("emargin.losses.triangle.CUDA_BLOCK", block)
    monkeypatch.setattr("emargin.losses.log_sums.CUDA_BLOCK", block)
    monkeypatch.setattr("emargin.losses.log_sums.CUDA_SUMS", sums)
    z = torch.tensor(np.random.default_rng(2).standard_normal((1, 1000, 16)), dtype=torch.float32)
    y = {"none": None, "one": torch.ones(1, 1000).bool(), "mixed": torch.arange(1000)[None] % 3 == 0}[labels]
    exponent = Exponent(2.0) if y is None else Exponent(2.0, 0.7)
    outcomes = []
    for device in ("cpu", "cuda"):
        leaf = z.to(device).requires_grad_()
        found, _, cosines = log_sums(leaf, exponent, exclude=(0, 1), labels=None if y is None else y.to(device))
        (found.sum() + cosines.sum()).backward()
        outcomes.append((found.detach().cpu(), leaf.grad.cpu()))
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_compiled_blocks_give_what_the_same_lines_give():
    if shutil.which("g++") is None:
        pytest.skip("torch's compiler needs a C++ compiler on a CPU")
    draw = np.random.default_rng(3)

    def anchors(*shape):
        return tuple(torch.tensor(draw.standard_normal(shape), dtype=torch.float32) for _ in range(3))

    for rows, columns in ((33, 33), (33, 20), (70, 65)):
        s = torch.tensor(draw.uniform(-1, 1, (2, rows, columns)), dtype=torch.float32)
        numbers = torch.arange(rows)[:, None], torch.arange(columns) + (0 if rows == columns else rows)
        own, other, there = anchors(2, rows, 1), anchors(2, 1, columns), torch.arange(columns).expand(2, 1, -1) < 18
        for function, given in (
            (fused.block_sums, (s, own, other, there, *numbers, 0, 1)),
            (fused.block_weights, (s, own, other, own[0], other[0], *numbers, -1, 1)),
        ):
            torch.testing.assert_close(fused._compiled(function)(*given), function(*given), rtol=1e-5, atol=1e-5)
