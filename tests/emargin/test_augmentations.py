"""Augmentations: each against a slow reference on the same draws, and the statistics of what they draw."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import PchipInterpolator

from emargin.augmentations.masks import markov_mask
from emargin.augmentations.noise import (
    cutout,
    jitter,
    resample,
    scaling,
    shift,
    sometimes,
    subsequence,
    time_warp,
    window_slice,
    window_warp,
)
from emargin.errors import InputError

ALL = {
    "jitter": lambda x, g: jitter(x, g, sigma=0.3),
    "scaling": lambda x, g: scaling(x, g, sigma=0.5),
    "shift": lambda x, g: shift(x, g, sigma=0.5),
    "subsequence": subsequence,
    "cutout": cutout,
    "window_slice": window_slice,
    "window_warp": window_warp,
    "time_warp": time_warp,
}


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def series(shape=(3, 21, 4), seed=0, dtype=torch.float64):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


def ramp(sequences, frames):
    """Frame t holds the number t, so a resampled ramp shows the times that were read."""
    return torch.arange(frames, dtype=torch.float64)[None, :, None].expand(sequences, -1, 1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(3, 21, 4), (1, 2, 1), (2, 10, 3)])
def test_shape_and_type_stay_and_the_generator_decides(name, shape):
    x = series(shape, dtype=torch.float32)
    one = ALL[name](x, draws())
    assert one.shape == x.shape and one.dtype == x.dtype and torch.isfinite(one).all()
    assert torch.equal(one, ALL[name](x, draws()))
    if shape == (3, 21, 4):
        assert any(not torch.equal(one, ALL[name](x, draws(seed))) for seed in (1, 2))


@pytest.mark.parametrize("name", sorted(set(ALL) - {"subsequence"}))
def test_a_single_frame_is_enough(name):
    assert torch.isfinite(ALL[name](series((2, 1, 3)), draws())).all()


def test_a_subsequence_of_one_frame_is_refused():
    with pytest.raises(InputError, match="subsequence.*1 frames.*2 or more"):
        subsequence(series((2, 1, 3)), draws())


def test_noise_has_its_size_and_is_shared_where_it_should_be():
    x = torch.ones(200, 5, 40, dtype=torch.float64)
    assert jitter(x, draws(), sigma=0.3).std().item() == pytest.approx(0.3, rel=0.02)
    assert (jitter(x, draws(), sigma=0.3).std(1) > 0).all()
    for change in (scaling, shift):
        changed = change(x, draws(), sigma=0.5)
        assert changed.std().item() == pytest.approx(0.5, rel=0.03)
        assert (changed == changed[:, :1]).all()
        assert changed[:, 0].unique().numel() == 200 * 40
        together = change(x, draws(), sigma=0.5, shared=True)
        assert (together == together[:1]).all() and together[0, 0].unique().numel() == 40
    assert (scaling(0 * x, draws(), sigma=0.5) == 0).all()
    assert (shift(0 * x, draws(), sigma=0.5) != 0).all()


def kept_run(change, frames, seed):
    kept = change(torch.ones(2, frames, 3), draws(seed))
    assert (kept == kept[:1, :, :1]).all()
    return kept[0, :, 0].tolist()


def runs(values):
    """Lengths of runs of equal values: [(value, length), ...]."""
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


def test_subsequence_keeps_one_run_of_every_length_from_two():
    lengths, starts = set(), set()
    for seed in range(150):
        kept = kept_run(subsequence, 6, seed)
        assert len([run for run in runs(kept) if run[0] == 1]) == 1
        lengths.add(int(sum(kept)))
        starts.add(kept.index(1))
    assert lengths == {2, 3, 4, 5, 6}
    assert starts == {0, 1, 2, 3, 4}


def test_cutout_zeroes_a_tenth_in_one_run_anywhere():
    starts = set()
    for seed in range(150):
        kept = kept_run(cutout, 29, seed)
        assert [length for value, length in runs(kept) if value == 0] == [2]
        starts.add(kept.index(0))
    assert {0, 27} <= starts


def test_resample_is_linear_between_frames_and_holds_beyond_the_ends():
    x = series((2, 5, 3))
    times = torch.tensor([[0.0, 1.25, 4.0, 9.0], [3.5, -1.0, 2.0, 0.5]], dtype=torch.float64)
    expected = np.stack(
        [np.stack([np.interp(times[b], np.arange(5), x[b, :, d]) for d in range(3)], -1) for b in range(2)]
    )
    np.testing.assert_allclose(resample(x, times), expected, rtol=1e-12)


@pytest.mark.parametrize("frames", [2, 9, 20])
def test_window_slice_stretches_half_of_each_sequence(frames):
    read = window_slice(ramp(50, frames), draws())[..., 0]
    length = math.ceil(frames / 2)
    starts = read[:, 0].tolist()
    assert {0.0, float(frames - length)} <= set(starts)
    for row, start in zip(read, starts, strict=True):
        np.testing.assert_allclose(row, np.linspace(start, start + length - 1, frames), rtol=1e-12)


@pytest.mark.parametrize("frames", [3, 9, 20])
def test_window_warp_equals_its_definition(frames):
    x = series((12, frames, 2))
    generator, length = draws(), math.ceil(0.3 * frames)
    starts = torch.randint(frames - length + 1, (12, 1), generator=generator)
    slow_or_fast = torch.randint(2, (12, 1), generator=generator)
    assert len(slow_or_fast.unique()) == 2
    found = window_warp(x, draws())
    for b in range(12):
        start, new = int(starts[b]), math.ceil(length * (0.5, 2)[int(slow_or_fast[b])])
        for d in range(2):
            values = x[b, :, d].numpy()
            window = np.interp(np.linspace(0, length - 1, new), np.arange(length), values[start : start + length])
            spliced = np.concatenate([values[:start], window, values[start + length :]])
            expected = np.interp(np.linspace(0, len(spliced) - 1, frames), np.arange(len(spliced)), spliced)
            np.testing.assert_allclose(found[b, :, d], expected, rtol=1e-10, atol=1e-12)


def test_time_warp_equals_its_definition():
    x, frames = series((3, 20, 2)), 20
    uniform = torch.rand((3, 101), generator=draws(), dtype=torch.float64).numpy()
    found = time_warp(x, draws())
    for b in range(3):
        speed = uniform[b] - (10 * uniform[b].min() - uniform[b].max()) / 9
        assert speed.max() / speed.min() == pytest.approx(10)
        knots = np.concatenate([[0], np.cumsum(speed) / speed.sum() * (frames - 1)])
        times = PchipInterpolator(np.linspace(0, frames - 1, 102), knots)(np.arange(frames))
        for d in range(2):
            np.testing.assert_allclose(found[b, :, d], np.interp(times, np.arange(frames), x[b, :, d]), rtol=1e-9)


def test_time_warp_keeps_the_order_of_time_and_its_ends():
    read = time_warp(ramp(20, 50), draws())[..., 0]
    assert (read.diff() > 0).all()
    torch.testing.assert_close(read[:, [0, -1]], torch.tensor([[0.0, 49.0]], dtype=torch.float64).expand(20, -1))
    assert read[:, 1:-1].std(0).min() > 0.01


def test_sometimes_changes_whole_sequences_or_the_whole_batch():
    x, changed = torch.zeros(400, 2, 3), torch.ones(400, 2, 3)
    alone = sometimes(x, changed, draws(), probability=0.25)
    assert (alone == alone[:, :1, :1]).all()
    assert alone[:, 0, 0].mean().item() == pytest.approx(0.25, abs=0.06)
    together = [sometimes(x[:4], changed[:4], draws(seed), shared=True) for seed in range(40)]
    assert {tuple(t.unique().tolist()) for t in together} == {(0.0,), (1.0,)}


def transitions(kept):
    """How often "masked" and "kept" are left."""
    now, then = kept[:-1], kept[1:]
    return (then & ~now).sum().item() / (~now).sum().item(), (~then & now).sum().item() / now.sum().item()


@pytest.mark.parametrize(("share", "mean_run"), [(0.5, 3.0), (0.25, 3.0), (0.5, 8.0)])
def test_markov_mask_has_the_share_and_the_runs_asked_for(share, mean_run):
    kept = markov_mask((200_000,), draws(), share=share, mean_run=mean_run)
    assert 1 - kept.float().mean().item() == pytest.approx(share, abs=0.01)
    leave_masked, leave_kept = transitions(kept)
    assert leave_masked == pytest.approx(1 / mean_run, rel=0.03)
    assert leave_kept == pytest.approx(share / (1 - share) / mean_run, rel=0.03)
    masked_runs = [length for value, length in runs(kept.tolist()) if not value]
    assert np.mean(masked_runs) == pytest.approx(mean_run, rel=0.03)
    assert np.mean(np.array(masked_runs) == 1) == pytest.approx(1 / mean_run, rel=0.05)  # as geometric


def test_markov_mask_starts_masked_with_its_share():
    starts = [markov_mask((1,), draws(seed), share=0.25, mean_run=4.0).item() for seed in range(600)]
    assert np.mean(starts) == pytest.approx(0.75, abs=0.05)


def test_markov_mask_is_one_chain_with_the_last_axis_fastest():
    kept = markov_mask((7, 5, 3), draws(), share=0.5, mean_run=3.0)
    assert torch.equal(kept.flatten(), markov_mask((105,), draws(), share=0.5, mean_run=3.0))
    thin = markov_mask((40_000, 2), draws(), share=0.5, mean_run=3.0)
    assert (thin[:-1, 1] != thin[1:, 0]).float().mean().item() == pytest.approx(1 / 3, abs=0.01)


def test_runs_too_short_for_their_share_are_refused():
    with pytest.raises(InputError, match="mean length of masked runs.*2.*at least 5"):
        markov_mask((10,), draws(), share=0.8, mean_run=2.0)
