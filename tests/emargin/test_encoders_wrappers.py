"""The wrappers of the encoder: masks, dilation, averaged weights, fresh statistics."""

import pytest
import torch
from torch.nn import functional

from emargin.encoders import DilatedEncoder, MaskedEncoder, frame_mask, fresh_statistics, weight_average

FRAMES = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(18).reshape(2, 9) % 3 > 0
BOTH = pytest.mark.parametrize("kind", [MaskedEncoder, DilatedEncoder])


@pytest.mark.parametrize(("kind", "constant"), [(MaskedEncoder, 38_464), (DilatedEncoder, 637_184)])
def test_number_of_parameters(kind, constant):
    assert sum(p.numel() for p in kind(156).parameters()) == {38_464: 48_448, 637_184: 647_168}[constant]
    assert sum(p.numel() for p in kind(90).parameters()) == 64 * 90 + constant


@BOTH
def test_what_a_masked_frame_holds_does_not_matter(kind):
    encoder = kind(6).eval()
    assert encoder(FRAMES).shape == (2, 9, 320)
    changed = FRAMES.where(MASK[..., None], 7.0)
    torch.testing.assert_close(encoder(FRAMES, MASK), encoder(changed, MASK), rtol=0, atol=0)
    assert (encoder(FRAMES, MASK)[~MASK] - encoder(FRAMES)[~MASK]).abs().amax(-1).min() > 1e-4
    assert torch.equal(encoder(FRAMES), encoder(FRAMES, torch.ones(2, 9, dtype=torch.bool)))


def test_masked_encoder_is_frame_wise_and_gives_masked_frames_one_embedding():
    encoder = MaskedEncoder(6).eval()
    torch.testing.assert_close(encoder(FRAMES, MASK)[MASK], encoder(FRAMES)[MASK])
    masked = encoder(FRAMES, MASK)[~MASK]
    torch.testing.assert_close(masked, encoder.frames(torch.zeros(1, 1, 64))[0].expand_as(masked))
    torch.testing.assert_close(encoder(FRAMES[:, 4:5]), encoder(FRAMES)[:, 4:5])
    torch.testing.assert_close(encoder(FRAMES), encoder.frames(encoder.input(FRAMES)))


@BOTH
def test_dropout_only_in_training(kind):
    encoder = kind(6)
    share = (encoder(FRAMES) == 0).float().mean() - (encoder.eval()(FRAMES) == 0).float().mean()
    assert encoder.dropout.p == 0.1
    if kind is DilatedEncoder:  # its outputs are not zero of themselves
        assert share.item() == pytest.approx(0.1, abs=0.02)


@BOTH
def test_a_frame_with_a_nan_counts_as_masked(kind):
    encoder = kind(6).eval()
    frames = FRAMES.clone()
    frames[..., 2][~MASK] = float("nan")
    torch.testing.assert_close(encoder(frames), encoder(FRAMES, MASK))
    encoder(frames).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_dilated_encoder_equals_its_definition():
    encoder = DilatedEncoder(6).eval()
    weights = dict(encoder.named_parameters())
    x = (FRAMES @ weights["input.weight"].T + weights["input.bias"]).mT
    for i in range(11):
        w = {name.removeprefix(f"blocks.{i}."): p for name, p in weights.items() if name.startswith(f"blocks.{i}.")}
        h = x
        for layer in ("first", "second"):
            h = functional.pad(functional.gelu(h), (2**i, 2**i))
            h = functional.conv1d(h, w[f"{layer}.weight"], w[f"{layer}.bias"], dilation=2**i)
        assert ("past.weight" in w) == (i == 10)
        x = h + (functional.conv1d(x, w["past.weight"], w["past.bias"]) if i == 10 else x)
    torch.testing.assert_close(encoder(FRAMES), x.mT)


def test_dilated_encoder_sees_the_whole_sequence():
    encoder, changed = DilatedEncoder(6).eval(), FRAMES.clone()
    changed[:, 0] += 1
    assert (encoder(changed)[:, -1] - encoder(FRAMES)[:, -1]).abs().max() > 1e-5
    assert encoder(FRAMES[:, :1]).shape == (2, 1, 320)


def test_masks_come_from_the_generator_alone():
    frames = torch.zeros(50, 40, 1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = frame_mask(frames, torch.Generator().manual_seed(3))
    assert torch.equal(one, frame_mask(frames, torch.Generator().manual_seed(3)))
    assert not torch.equal(one, frame_mask(frames, torch.Generator().manual_seed(4)))
    assert torch.equal(before, torch.get_rng_state())
    assert one.shape == (50, 40) and one.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_average_is_the_mean_of_all_iterates_with_the_statistics_of_the_last():
    encoder = MaskedEncoder(6)
    average = weight_average(encoder)
    total, norm = encoder.input.weight.detach().clone(), encoder.frames.blocks[1]
    for step in (1, 2, 3):
        with torch.no_grad():
            encoder.input.weight += step
        norm.running_mean.fill_(step)
        average.update_parameters(encoder)
        total += encoder.input.weight.detach()
    torch.testing.assert_close(average.module.input.weight, total / 4)
    assert average.module.frames.blocks[1].running_mean.unique().tolist() == [3.0]
    assert not any(p.requires_grad for p in average.parameters())
    assert all(p.requires_grad for p in encoder.parameters())


def test_fresh_statistics_are_the_mean_over_the_passes():
    encoder = MaskedEncoder(6)
    encoder(100 + FRAMES)
    encoder.eval()
    norm, other = encoder.frames.blocks[1], FRAMES + 1
    with fresh_statistics(encoder):
        encoder(FRAMES)
        encoder(other)
    inputs = [encoder.frames.blocks[0](encoder.input(x)).flatten(0, 1) for x in (FRAMES, other)]
    torch.testing.assert_close(norm.running_mean, (inputs[0].mean(0) + inputs[1].mean(0)) / 2)
    torch.testing.assert_close(norm.running_var, (inputs[0].var(0) + inputs[1].var(0)) / 2)
    assert norm.momentum == 0.1 and not encoder.training
