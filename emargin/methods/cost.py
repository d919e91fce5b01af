"""CoST: trend contrasted in time, season contrasted in frequency."""

import copy
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from emargin.augmentations.noise import jitter, scaling, shift, sometimes
from emargin.config import Experiment
from emargin.encoders import EMBEDDING, FrameEncoder
from emargin.errors import InputError
from emargin.losses.cosines import unit_rows
from emargin.losses.hierarchical import _instance_contrast as instance_contrast
from emargin.methods.base import Method

# Values of the official code, which the released code keeps except for alpha.
ALPHA = {"released": 0.05, "original": 5e-4}  # weight of the frequency loss
COMPONENT = 160  # channels of trend and of season
KERNELS = tuple(2**i for i in range(8))  # of the causal convolutions
SEASON_DROPOUT = 0.1
SIGMA = 0.5  # of scaling, shift and jitter, each applied with probability 1/2
QUEUE = 256  # keys kept from earlier batches, K
MOMENTUM = 0.999  # m
TEMPERATURE = 0.07
EPSILON = 1e-6  # added to real and imaginary parts


class CoST(Method):
    """The trend of a view is contrasted with keys of earlier batches, the season of two views frequency by frequency.

        L = L_time + alpha / 2 (L_amplitude + L_phase)

    L_time is `moco_loss` of the trends at a random frame; `frequency_losses` of the seasons are the other two;
    `TrendSeason` forms trend and season. The key encoder is a copy of the query encoder whose weights follow it slowly,
    k <- m k + (1 - m) q.

    Fidelity "original": both views are augmented, every sequence by itself. As for all methods, AdamW takes the place
    of CoST's SGD with a cosine schedule. An embedding is trend and season of a frame, 160 channels each, see
    `represented`; CoST's code takes those of the last frame. The layer over frequencies starts as in CoST's code, see
    `shrink`.

    Fidelity "released": the key encoder is no copy but the query encoder itself. Keys take no gradient, so none of its
    weights learns; only the query's head does. All that training does to the encoder is to calibrate BatchNorm, on
    inputs mixed by a random linear layer that evaluation leaves out. The query is the batch as it is; the key's
    augmentation is decided and drawn once for the batch. An embedding is what the frame encoder gives, without trend
    and season.

    References
    ----------
    Woo et al., "CoST: Contrastive Learning of Disentangled Seasonal-Trend Representations for Time Series Forecasting",
    ICLR 2022 (arXiv 2202.01575).
    """

    title = "CoST"
    summary = "trend against a queue of earlier keys, season by amplitude and phase of its frequencies"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        if experiment.batch_size > QUEUE:
            raise InputError(
                f"{self.title}: a batch does not fit the queue",
                found=experiment.batch_size,
                wanted=f"batch_size of at most {QUEUE}",
            )
        self.encoder = TrendSeason(self.encoder, n_features, experiment.sequence_length, self.released)
        if not self.released:
            shrink(self.encoder.season[0])
        self.head = nn.Sequential(nn.Linear(COMPONENT, COMPONENT), nn.ReLU(), nn.Linear(COMPONENT, COMPONENT))
        self.key_encoder = self.encoder if self.released else copy.deepcopy(self.encoder)
        self.key_head = copy.deepcopy(self.head)
        self.key_encoder.requires_grad_(False)
        self.key_head.requires_grad_(False)
        self.queue: Tensor
        self.pointer: Tensor
        self.register_buffer("queue", unit_rows(torch.randn(QUEUE, COMPONENT)))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        self._check(batch)
        first, second = self.views(batch, generator)
        at = int(torch.randint(batch.shape[1], (), generator=generator))
        hidden = self.encoder(first)
        query = unit_rows(self.head(self.encoder.trend(hidden, at)))
        with torch.no_grad():
            self.keys = unit_rows(self.key_head(self.key_encoder.trend(self.key_encoder(second), at)))
        time = moco_loss(query, self.keys, self.queue)
        # most weights are in the layer over frequencies: a single pass over both views reads them once
        seasons = self.encoder.season(torch.cat([hidden, self.encoder(second)]))
        amplitude, phase = frequency_losses(*seasons.chunk(2))
        value = time + ALPHA[self.experiment.fidelity] / 2 * (amplitude + phase)
        return value, {"time": time.detach(), "amplitude": amplitude.detach(), "phase": phase.detach()}

    def views(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the query view and the key view of a batch, `(B, T, D)` each."""
        if self.released:
            return batch, augmented(batch, generator, shared=True)
        return augmented(batch, generator), augmented(batch, generator)

    @torch.no_grad()
    def after_step(self) -> None:
        """Let the key encoder follow the query encoder; replace the oldest keys of the queue by the batch's."""
        for key_part, query_part in ((self.key_encoder, self.encoder), (self.key_head, self.head)):
            for key, query in zip(key_part.parameters(), query_part.parameters(), strict=True):
                key.lerp_(query, 1 - MOMENTUM)
        place = torch.arange(len(self.keys), device=self.queue.device) + self.pointer
        self.queue[place % QUEUE] = self.keys
        self.pointer.add_(len(self.keys)).remainder_(QUEUE)

    def encode(self, sequences: Tensor) -> Tensor:
        return self.encoder.backbone(sequences) if self.released else represented(self.encoder, sequences)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def _check(self, batch: Tensor) -> None:
        wanted = self.experiment.sequence_length
        if batch.shape[1] != wanted:
            raise InputError(
                f"{self.title}: its layer over frequencies fits one length",
                found=f"{batch.shape[1]} frames",
                wanted=f"sequence_length = {wanted}",
            )
        if len(batch) > QUEUE:
            raise InputError(
                f"{self.title}: a batch does not fit the queue", found=len(batch), wanted=f"at most {QUEUE} sequences"
            )


class TrendSeason(nn.Module):
    """The frame encoder, `(B, T, D)` -> `(B, T, 320)`, with the layers that form trend and season of its output.

    The original leaves out those of the eight causal convolutions whose kernel is longer than T.

    Parameters
    ----------
    backbone : FrameEncoder
    n_features : int
        D, of a frame.
    length : int
        T.
    released : bool
        Put a linear layer before the encoder, and keep all kernels.
    """

    def __init__(self, backbone: FrameEncoder, n_features: int, length: int, released: bool):
        super().__init__()
        self.input = nn.Linear(n_features, n_features) if released else nn.Identity()
        self.backbone = backbone
        kernels = [kernel for kernel in KERNELS if released or kernel <= length]
        self.trends: Any = nn.ModuleList(nn.Conv1d(EMBEDDING, COMPONENT, kernel) for kernel in kernels)
        self.season = nn.Sequential(FrequencyLayer(EMBEDDING, COMPONENT, length), nn.Dropout(SEASON_DROPOUT))

    def forward(self, frames: Tensor) -> Tensor:
        return self.backbone(self.input(frames))

    def trend(self, hidden: Tensor, at: int) -> Tensor:
        """Average the causal convolutions at frame `at`: `(B, T, 320)` -> `(B, 160)`; zeros before frame 0."""
        longest = max(layer.kernel_size[0] for layer in self.trends)
        past = functional.pad(hidden[:, : at + 1].mT, (longest - 1, 0))  # (B, 320, longest + at)
        return cast(
            Tensor,
            sum(
                functional.linear(past[..., -layer.kernel_size[0] :].flatten(1), layer.weight.flatten(1), layer.bias)
                for layer in self.trends
            )
            / len(self.trends),
        )


class FrequencyLayer(nn.Module):
    """y = F^-1(W_f F(x)_f + b_f) along time, complex W_f and b_f for each of the T // 2 + 1 frequencies f."""

    def __init__(self, n_in: int, n_out: int, length: int):
        super().__init__()
        bins, bound = length // 2 + 1, n_in**-0.5
        self.weight = nn.Parameter(torch.empty(bins, n_in, n_out, 2).uniform_(-bound, bound))  # real, imaginary
        self.bias = nn.Parameter(torch.empty(bins, n_out, 2).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:  # (B, T, n_in) -> (B, T, n_out)
        spectrum = torch.view_as_real(torch.fft.rfft(x, dim=1))  # (B, F, n_in, 2)
        # real products of (re, im) as rows: torch multiplies complex matrices of a batch singly
        rows = spectrum.permute(1, 3, 0, 2).flatten(1, 2)  # (F, 2 B, n_in)
        of_real, of_imaginary = (rows @ self.weight.flatten(2)).unflatten(1, (2, -1)).unflatten(-1, (-1, 2)).unbind(1)
        turned = torch.stack([-of_imaginary[..., 1], of_imaginary[..., 0]], dim=-1)  # times i
        mapped = torch.view_as_complex(of_real + turned + self.bias[:, None])  # (F, B, n_out)
        return torch.fft.irfft(mapped, n=x.shape[1], dim=0).transpose(0, 1)


def shrink(layer: FrequencyLayer) -> None:
    """Divide a new layer's weights by the root of its n_out: CoST's code draws them from +- 1 / sqrt(n_in n_out).

    PyTorch takes the last axis of the weights `(F, n_in, n_out)` for a kernel's size, and counts it as an input.
    """
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(layer.bias.shape[1] ** -0.5)


def represented(encoder: TrendSeason, sequences: Tensor) -> Tensor:
    """Return trend and season of every frame side by side: `(B, T, D)` -> `(B, T, 320)`."""
    frames, bins = sequences.shape[1], encoder.season[0].bias.shape[0]  # type: ignore[index] # of a parameter
    if frames // 2 + 1 != bins:
        raise InputError(
            "CoST: its layer over frequencies fits one length",
            found=f"{frames} frames, {frames // 2 + 1} frequencies",
            wanted=f"{bins} frequencies",
            todo="encode sequences of the length that was trained on",
        )
    hidden = encoder(sequences)
    trends = [
        functional.conv1d(functional.pad(hidden.mT, (layer.kernel_size[0] - 1, 0)), layer.weight, layer.bias)
        for layer in encoder.trends
    ]
    return torch.cat([(cast(Tensor, sum(trends)) / len(trends)).mT, encoder.season(hidden)], dim=-1)


def augmented(x: Tensor, generator: torch.Generator, *, shared: bool = False) -> Tensor:
    """Scale, shift and jitter in turn, each with probability 1/2.

    Parameters
    ----------
    x : Tensor
        `(B, T, D)`.
    generator : torch.Generator
    shared : bool
        Decide and draw once for the batch, except for the jitter itself, instead of for each sequence.

    Returns
    -------
    Tensor
        `(B, T, D)`.
    """
    x = sometimes(x, scaling(x, generator, sigma=SIGMA, shared=shared), generator, shared=shared)
    x = sometimes(x, shift(x, generator, sigma=SIGMA, shared=shared), generator, shared=shared)
    return sometimes(x, jitter(x, generator, sigma=SIGMA), generator, shared=shared)


def moco_loss(query: Tensor, key: Tensor, queue: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Compute the cross-entropy of picking a query's key among the keys n of the queue; all of unit length.

        mean over B of -log( exp(q . k / T) / (exp(q . k / T) + sum_n exp(q . n / T)) )

    Parameters
    ----------
    query, key : Tensor
        q and k, `(B, C)`.
    queue : Tensor
        `(K, C)`.
    temperature : float
        T.

    Returns
    -------
    Tensor
        A scalar.

    References
    ----------
    He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020 (arXiv 1911.05722).
    """
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T], dim=1) / temperature
    return functional.cross_entropy(logits, torch.zeros(len(query), dtype=torch.int64, device=query.device))


def frequency_losses(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast sequences by the amplitudes and by the phases of their frequencies, which take the place of frames.

    Frames are scaled to unit length first. With re + i im the Fourier transform over time and e = 1e-6:

        amplitude = sqrt((re + e)^2 + (im + e)^2),   phase = atan2(im, re + e)

    Parameters
    ----------
    first, second : Tensor
        The seasons of the two views, `(B, T, C)`.

    Returns
    -------
    amplitude, phase : Tensor
        Scalars, see `emargin.losses.hierarchical.instance_contrast`.
    """
    spectra = [torch.fft.rfft(unit_rows(view), dim=1) for view in (first, second)]
    amplitudes = [((s.real + EPSILON).square() + (s.imag + EPSILON).square()).sqrt() for s in spectra]
    phases = [torch.atan2(s.imag, s.real + EPSILON) for s in spectra]
    return instance_contrast(*amplitudes), instance_contrast(*phases)
