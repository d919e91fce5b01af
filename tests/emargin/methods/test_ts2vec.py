"""TS2Vec: crops, what is compared with what, averaged weights."""

import numpy as np
import pytest
import torch
from torch import nn

from emargin.augmentations.crops import overlapping_crops, random_window
from emargin.encoders import frame_mask
from emargin.errors import InputError
from emargin.losses.hierarchical import hierarchical
from emargin.methods import ts2vec
from emargin.training import build, train

FIDELITIES = pytest.mark.parametrize("fidelity", ["released", "original"])
BATCH = torch.randn(3, 11, 6, generator=torch.Generator().manual_seed(0))
BEFORE_BATCHNORM = ("blocks.0.bias", "blocks.3.bias", "blocks.6.bias")  # subtracted again: the gradient is round-off


class Identity(nn.Module):
    def forward(self, frames, mask=None):
        return frames


def ramp(n, length):
    """Frame t of sequence b holds (b, t)."""
    return torch.stack(torch.meshgrid(torch.arange(n), torch.arange(length), indexing="ij"), -1).float()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_crops_are_stretches_of_their_sequence_that_share_the_overlap(length):
    draws, frames, seen = generator(), ramp(4, length), set()
    for _ in range(400):
        one, two, overlap = overlapping_crops(frames, draws)
        for crop in (one, two):
            assert crop[..., 0].eq(torch.arange(4)[:, None]).all()
            assert crop[..., 1].diff(dim=1).eq(1).all()
            assert 0 <= crop[..., 1].min() and crop[..., 1].max() < length
        assert torch.equal(one[:, -overlap:], two[:, :overlap])
        seen.add((overlap, one.shape[1] - overlap, two.shape[1] - overlap))
    assert {overlap for overlap, _, _ in seen} == set(range(2, length + 1))
    assert max(left for _, left, _ in seen) == max(right for _, _, right in seen) == length - 2


def test_crops_have_the_statistics_of_the_released_sampler():
    """Measured on the released code, T = 119: how far apart position-wise positives are, and how much is padding."""
    draws, frames, offsets, padding, shifts = generator(), ramp(8, 119), [], [], set()
    for _ in range(2000):
        one, two, overlap = overlapping_crops(frames, draws)
        offsets.append(one.shape[1] - overlap)
        padding.append(1 - min(one.shape[1], two.shape[1]) / max(one.shape[1], two.shape[1]))
        shifts.add(len(one[:, 0, 1].unique()))
    assert np.mean(offsets) == pytest.approx(14.3, abs=1.0)
    assert np.median(offsets) == pytest.approx(8, abs=1)
    assert np.mean(np.array(offsets) > 0) == pytest.approx(0.882, abs=0.02)
    assert np.mean(padding) == pytest.approx(0.226, abs=0.02)
    assert max(shifts) > 4  # each sequence has an offset of its own


def test_windows_of_long_sequences():
    frames = ramp(2, 9)
    assert random_window(frames, 9, generator()) is frames
    starts = {random_window(frames, 7, draws)[0, 0, 1].item() for draws in [generator()] for _ in range(50)}
    assert starts == {0, 1, 2}
    assert random_window(frames, 7, generator()).shape == (2, 7, 2)


def test_the_original_compares_equal_frames_and_the_released_code_does_not(small, monkeypatch):
    compared = []
    monkeypatch.setattr(ts2vec, "hierarchical", lambda one, two: compared.append((one, two)) or one.sum())
    for fidelity in ("original", "released"):
        method = build(small(method="ts2vec", fidelity=fidelity), 2).train()
        method.encoder = Identity()
        for seed in range(20):
            method.loss(1 + ramp(3, 11), generator(seed))
    original, released = compared[:20], compared[20:]
    assert all(torch.equal(one, two) for one, two in original)
    assert not all(torch.equal(one, two) for one, two in released)
    for seed, (one, two) in enumerate(released):
        first, second, _ = overlapping_crops(1 + ramp(3, 11), generator(seed))
        length = max(first.shape[1], second.shape[1])
        for view, crop in ((one, first), (two, second)):
            assert view.shape[1] == length
            assert torch.equal(view[:, : crop.shape[1]], crop)
            assert (view[:, crop.shape[1] :] == 0).all()


@FIDELITIES
def test_loss_is_the_contrast_of_masked_crops(small, fidelity):
    method = build(small(method="ts2vec", fidelity=fidelity), 6).train()
    method.encoder.dropout.p = 0.0
    value, measured = method.loss(BATCH, generator(3))
    draws = generator(3)
    one, two, overlap = overlapping_crops(BATCH, draws)
    one, two = (method.encoder(crop, frame_mask(crop, draws)) for crop in (one, two))
    if fidelity == "original":
        expected = hierarchical(one[:, one.shape[1] - overlap :], two[:, :overlap])
    else:
        length = max(one.shape[1], two.shape[1])
        one, two = (torch.cat([v, v.new_zeros(3, length - v.shape[1], 320)], 1) for v in (one, two))
        expected = hierarchical(one, two)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert measured["overlap"] == overlap


@FIDELITIES
def test_masked_encoder_is_what_is_trained(small, fidelity):
    method = build(small(method="ts2vec", fidelity=fidelity), 156).train()
    trained = dict(method.encoder.named_parameters())
    assert {id(p) for p in method.trained_parameters()} == {id(p) for p in trained.values()}
    assert sum(p.numel() for p in method.trained_parameters()) == 48_448
    method.loss(torch.randn(3, 10, 156, generator=generator()), generator())[0].backward()
    largest = {name: p.grad.abs().max().item() for name, p in trained.items()}
    assert all(size > 1e-6 for name, size in largest.items() if not name.endswith(BEFORE_BATCHNORM)), largest


@FIDELITIES
def test_training_moves_every_weight(small, small_dataset, fidelity):
    experiment = small(method="ts2vec", fidelity=fidelity, iterations=5, weight_decay=0.0)
    fresh = build(experiment, 6).encoder.state_dict()
    one, _ = train(experiment, small_dataset, progress=False)
    for name, p in one.encoder.named_parameters():
        assert torch.isfinite(p).all()
        assert name.endswith(BEFORE_BATCHNORM) or not torch.equal(p, fresh[name]), name
    assert one.encode(BATCH).shape == (3, 11, 320)
    assert torch.equal(one.encode(BATCH), one.encode(BATCH))  # neither mask nor dropout
    if fidelity == "released":
        assert torch.equal(one.encode(BATCH), one.encoder(BATCH))


def test_features_of_the_original_come_from_the_mean_of_all_iterates(small, small_dataset):
    method = build(small(method="ts2vec", fidelity="original", iterations=4, batch_size=5), 6).train()
    method.prepare(small_dataset.train, generator())
    start = method.encoder.input.weight.detach().clone()
    for _ in range(4):
        with torch.no_grad():
            method.encoder.input.weight += 1
        method.loss(BATCH, generator())
        method.after_step()
    method.eval()
    mean = method.average.module
    torch.testing.assert_close(mean.input.weight, start + 2)
    assert torch.equal(method.encode(BATCH), mean(BATCH))
    # twelve training sequences in batches of 5, 5 and 2, masked
    norm, draws, inputs = mean.frames.blocks[1], generator(method.experiment.seed), []
    for batch in small_dataset.train.in_order(5):
        hidden = mean.input(batch) * frame_mask(batch, draws)[..., None]
        inputs.append(mean.frames.blocks[0](hidden).flatten(0, 1))
    assert norm.num_batches_tracked == 3
    torch.testing.assert_close(norm.running_mean, sum(h.mean(0) for h in inputs) / 3, rtol=1e-4, atol=1e-5)
    assert method.encoder.frames.blocks[1].num_batches_tracked == 8
    assert norm.momentum == 0.1


@FIDELITIES
@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 7, 6), (3, 2, 6)])
def test_one_sequence_odd_and_shortest_lengths(small, fidelity, shape):
    method = build(small(method="ts2vec", fidelity=fidelity), 6).train()
    value, _ = method.loss(torch.randn(shape, generator=generator()), generator())
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in method.trained_parameters())


@FIDELITIES
def test_one_frame_is_refused(small, fidelity):
    with pytest.raises(InputError, match="TS2Vec.*1 frame.*at least 2"):
        build(small(method="ts2vec", fidelity=fidelity), 6).loss(BATCH[:, :1], generator())


def test_released_steps_use_at_most_500_frames(small, monkeypatch):
    monkeypatch.setattr(ts2vec, "LONGEST", {"released": 4, "original": 11})
    method = build(small(method="ts2vec", fidelity="released"), 6).train()
    lengths = {method.views(BATCH, generator(seed))[0].shape[1] for seed in range(20)}
    assert max(lengths) == 4
