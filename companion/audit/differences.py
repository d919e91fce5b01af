"""Differences of the ledger in numbers: those that no page of the book shows, a function an item, named after it."""

import csv
import inspect
import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emargin.data.catalogue import ECG, ECG_RELEASED, HARTH, SLEEPEEG
from emargin.data.framing import stft_frames
from emargin.encoders import DilatedEncoder, FrameEncoder
from emargin.losses import RELEASED_SCALE, emargin_released, info_nce, phi, psi
from emargin.losses.cosines import adjacent_cosines
from emargin.paths import home

MARGIN, BATCH = 5.0, 8


@dataclass(frozen=True)
class Difference:
    """One quantity of an item of the ledger, as the paper has it and as the released code has it."""

    item: str
    quantity: str
    paper: float
    released: float


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64, the same on every machine."""
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def d4() -> list[Difference]:
    """The largest exponent over cosines, at s = 0 with label 1, for HARTH's temperature."""
    exponent = phi(torch.zeros((), dtype=torch.float64), 1, MARGIN).item() / HARTH.temperature
    return [Difference("D4", "largest exponent of label 1, HARTH", exponent, RELEASED_SCALE * exponent)]


def d5() -> list[Difference]:
    """The one-sided loss of orthonormal frames: log(N - 2), and 12.5 + log N with the self term, less the positive."""
    n = 64
    rows, ones = torch.eye(n, dtype=torch.float64)[None], torch.ones(n - 1, dtype=torch.bool)
    loss, _ = emargin_released(rows, ones, temperature=HARTH.temperature, margin=MARGIN, sides=1)
    return [Difference("D5", f"one-sided loss of {n} orthonormal frames, label 1", math.log(n - 2), loss.item())]


def d7() -> list[Difference]:
    """The share of the denominator's terms that float32 can hold, once the diagonal is subtracted from itself."""
    unit = torch.nn.functional.normalize(normal(40, 16).abs().float(), dim=1)
    shares = []
    for margin in (MARGIN, 100.0):
        terms = torch.exp(RELEASED_SCALE * psi(unit @ unit.T, 1, margin) / ECG.temperature)
        shares.append((terms - torch.diag(terms.diag())).isfinite().float().mean().item())
    return [Difference("D7", "share of finite terms in the denominator, ECG, float32", *shares)]


def d10() -> list[Difference]:
    """Positive pairs across sequences in a batch of HARTH, and the loss of one random batch in both scopes."""
    within, across = BATCH * (HARTH.sequence_length - 1), BATCH * HARTH.sequence_length - 1
    values = (info_nce(normal(4, 10, 8), temperature=0.5, scope=scope).item() for scope in ("sequence", "flattened"))
    return [
        Difference("D10", "positive pairs across sequences, HARTH", 0, across - within),
        Difference("D10", "one-sided InfoNCE of a random batch of 4 x 10", *values),
    ]


def d12() -> list[Difference]:
    """How many adjusted similarities of T frames change when one label does."""
    rows = normal(HARTH.sequence_length, 16)
    unit = torch.nn.functional.normalize(rows, dim=1)
    before, after = torch.zeros(2, len(rows), dtype=torch.bool)
    after[3] = True
    pairs, anchors = (
        (phi(s, before[: len(s)].reshape(shape), MARGIN) != phi(s, after[: len(s)].reshape(shape), MARGIN)).sum()
        for s, shape in ((adjacent_cosines(rows), (-1,)), (unit @ unit.T, (-1, 1)))
    )
    return [Difference("D12", "entries that one label changes, T = 119", pairs.item(), anchors.item() - 1)]


def d14() -> list[Difference]:
    """Rows of InfoNCE without the margin: a comparison takes one a table, and the paper has two tables, without any."""
    methods = {(row["table"], row["method"]) for row in _tables()}
    have_one = sum(name == "InfoNCE" for _, name in methods)
    return [Difference("D14", "tables that need a row of plain InfoNCE; that have one", 2, have_one)]


def d15() -> list[Difference]:
    """Size of an untrained encoder's features, with statistics of the data as trained rows have them, and without."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = FrameEncoder(156)
        frames = normal(BATCH, HARTH.sequence_length, 156).float()
        sizes = []
        with torch.no_grad():
            sizes.append(encoder.eval()(frames).square().mean().sqrt().item())
            for _ in range(60):
                encoder.train()(frames)
            sizes.append(encoder.eval()(frames).square().mean().sqrt().item())
    return [Difference("D15", "r.m.s. feature of an untrained encoder", sizes[1], sizes[0])]


def d31() -> list[Difference]:
    """Parameters of InfoTS's encoder for the features of HARTH."""
    counts = (sum(weight.numel() for weight in kind(156).parameters()) for kind in (FrameEncoder, DilatedEncoder))
    return [Difference("D31", "parameters of InfoTS's encoder, HARTH", *counts)]


def d32() -> list[Difference]:
    """The weight decay of an AdamW that is given the learning rate alone."""
    default = inspect.signature(torch.optim.AdamW).parameters["weight_decay"].default
    return [Difference("D32", "weight decay: in the configuration, in effect", 0.0, default)]


def d33() -> list[Difference]:
    """Features, seconds a frame and the rarest class of the draw, for two leads at 250 Hz."""
    text, released = ECG, ECG_RELEASED
    return [
        Difference("D33", "features a frame, ECG", *(2 * (kind.n_fft // 2 + 1) for kind in (text, released))),
        Difference("D33", "seconds a frame, ECG", *(kind.n_fft / 250 for kind in (text, released))),
        Difference("D33", "frames of AFL in the draw", text.draw[1], released.draw[1]),
    ]


def d34() -> list[Difference]:
    """Frames of 50 joined windows, if a window has 200 samples: one a window, and what the transform gives."""
    frames = stft_frames(np.zeros((50 * 200, 1)), SLEEPEEG.n_fft, SLEEPEEG.hop)
    return [Difference("D34", "frames of 50 windows of 200 samples, SleepEEG", 50, len(frames))]


def d36() -> list[Difference]:
    """Training sequences that share frames with the test side, where the boundary falls inside a file of HARTH."""
    starts = torch.arange(0, 100 * HARTH.stride, HARTH.stride)
    train, first_tested = starts[:50], starts[50]
    shared = (train + HARTH.sequence_length > first_tested).sum().item()
    return [Difference("D36", "training sequences that share frames with the test side", 0, shared)]


def d37() -> list[Difference]:
    """How often one frame of HARTH stands in the pool that is drawn from, at most."""
    starts = torch.arange(0, 100 * HARTH.stride, HARTH.stride)
    times = (starts[:, None] + torch.arange(HARTH.sequence_length)).flatten().bincount().max().item()
    return [Difference("D37", "copies of a frame in the pool, HARTH, at most", 1, times)]


def d38() -> list[Difference]:
    """Test sequences that are not scored because their batch is not full, at most."""
    return [Difference("D38", "test sequences left out, at most", 0, max(n % BATCH for n in range(100, 200)))]


def d41() -> list[Difference]:
    """Methods with a higher silhouette than eMargin on HARTH in Table 1; the text allows for none."""
    silhouettes = {
        row["method"]: float(row["mean"])
        for row in _tables()
        if (row["dataset"], row["metric"]) == ("harth", "silhouette")
    }
    better = sum(value > silhouettes["InfoNCE + eMargin"] for value in silhouettes.values())
    return [Difference("D41", "methods above eMargin's silhouette on HARTH", 0, better)]


def d46() -> list[Difference]:
    """The training loss of 250 steps whose loss is 1, in epochs of 100 steps: the mean, and the last epoch's sum."""
    running = 0.0
    for step in range(250):
        running = 1.0 if step % 100 == 0 else running + 1.0
    return [Difference("D46", "reported loss of 250 steps of loss 1, epochs of 100", 1.0, running)]


def d49() -> list[Difference]:
    """Frames that the draws of two methods share, 1000 of 5000, if one of them used the generator in training."""
    draws = []
    for numbers_a_step in (0, 3):  # as eMargin, and as CoST: three augmentations, each with its own chance
        generator = random.Random(1)
        for _ in range(600 * numbers_a_step):
            generator.random()
        draws.append(set(generator.sample(range(5000), 1000)))
    return [Difference("D49", "frames that two methods share, of 1000 drawn", 1000, len(draws[0] & draws[1]))]


def differences() -> list[Difference]:
    """All of the above, in the ledger's order."""
    items = (d4, d5, d7, d10, d12, d14, d15, d31, d32, d33, d34, d36, d37, d38, d41, d46, d49)
    return [row for item in items for row in item()]


def _tables() -> list[dict[str, str]]:
    with (home() / "book" / "_static" / "paper_tables.csv").open(encoding="utf8", newline="") as stream:
        return list(csv.DictReader(stream))
