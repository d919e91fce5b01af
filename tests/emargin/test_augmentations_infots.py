"""InfoTS's windows and warps against PyTorch's `interpolate`, sequence by sequence, and the range of their starts."""

import math

import pytest
import torch
from torch.nn.functional import interpolate

from emargin.augmentations.infots import cutout, window_slice, window_warp

X = torch.randn(200, 19, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def stretched(run, size):
    return interpolate(run.T[None], size, mode="linear", align_corners=False)[0].T


@pytest.mark.parametrize("frames", [8, 19])
def test_a_slice_is_what_interpolate_makes_of_its_run(frames):
    x, length = X[:, :frames], math.ceil(frames / 2)
    found, seen = window_slice(x, draws()), set()
    for sequence, row in zip(x, found, strict=True):
        runs = [stretched(sequence[s : s + length], frames) for s in range(frames - length + 1)]
        starts = [s for s, run in enumerate(runs) if torch.allclose(row, run, atol=1e-5)]
        assert len(starts) == 1
        seen |= set(starts)
    assert seen == set(range(frames - length))  # never the last place


@pytest.mark.parametrize("frames", [8, 19])
def test_a_warp_is_what_interpolate_makes_of_run_and_sequence(frames):
    x, length = X[:, :frames], math.ceil(0.3 * frames)
    found, seen = window_warp(x, draws()), set()
    for sequence, row in zip(x, found, strict=True):
        for start in range(frames - length + 1):
            for factor in (0.5, 2.0):
                run = stretched(sequence[start : start + length], int(length * factor))
                whole = torch.cat([sequence[:start], run, sequence[start + length :]])
                if torch.allclose(row, stretched(whole, frames), atol=1e-5):
                    seen.add((start, factor))
                    break
            else:
                continue
            break
        else:
            pytest.fail("no window gives this warp")
    assert {start for start, _ in seen} == set(range(1, frames - length - 1))
    assert {factor for _, factor in seen} == {0.5, 2.0}


@pytest.mark.parametrize(("frames", "length"), [(8, 0), (19, 1), (40, 4)])
def test_a_cutout_starts_anywhere_but_at_the_last_two_places(frames, length):
    seen = set()
    for seed in range(400):
        gone = (cutout(torch.ones(2, frames, 1), draws(seed))[0, :, 0] == 0).nonzero().flatten().tolist()
        assert len(gone) == length
        seen |= {(gone[0], gone[-1])} if gone else set()
    assert seen == {(s, s + length - 1) for s in range(frames - length - 1)} or length == 0
