"""InfoTS: a mixture of seven augmentations, contrasted between and within sequences (Luo et al. 2023; section 6)."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from emargin.augmentations.noise import cutout, jitter, scaling, subsequence, time_warp, window_slice, window_warp
from emargin.config import Experiment
from emargin.encoders import EMBEDDING, DilatedEncoder, MaskedEncoder, frame_mask
from emargin.errors import InputError
from emargin.losses.hierarchical import instance_contrast
from emargin.methods.base import Method

# Values of the official code, which the released code keeps.
POOL: tuple[Callable[..., Tensor], ...] = (
    subsequence,
    cutout,
    partial(jitter, sigma=0.3),
    partial(scaling, sigma=0.5),
    time_warp,
    window_slice,
    window_warp,
)
AUGMENTED = 0.2  # probability that view 1 is augmented at all, p1
SEGMENTS = 8  # k of the local loss
LOCAL_WEIGHT = 1.0  # beta
LOGIT_SCALE = 0.01  # standard deviation of the mixture's logits as initialised
NOISE_EDGE = 1e-4  # epsilon_k stays this far from 0 and 1
LONGEST = {"released": 500, "original": 2048}  # frames of a sequence; a longer one is cropped
META_EVERY = 2  # steps from one meta step to the next
META_LEARNING_RATE = 1e-2


class InfoTS(Method):
    """original: the shared encoder, and a mixture that learns. released: another encoder, and a mixture that does not.

    Both views pass the encoder under masks and dropout of their own; view 2 is the batch itself, and so is view 1 in
    four of five steps.
    original: MaskedEncoder; the local loss on all sequences; a meta-learner without labels. The official code lets it
    make a pass over the data after every second epoch, a meta step for two ordinary ones. Spread evenly here: one after
    every second step, on the batch of that step, because a whole run can be shorter than an epoch.
    released: DilatedEncoder, which sees the whole sequence; the local loss on the first sequence of the batch; the
    mixture stays as initialised.
    """

    title = "InfoTS"
    summary = "a mixture of seven augmentations, contrasted between sequences and between their segments"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        self.encoder = (DilatedEncoder if self.released else MaskedEncoder)(n_features)
        self.mixture = Mixture()
        if self.released:
            self.mixture.requires_grad_(False)
        else:
            self.meta = MetaLearner(self.mixture, experiment.batch_size, experiment.learning_rate)

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        batch = _cropped(batch, LONGEST[self.experiment.fidelity], generator)
        if batch.shape[1] < SEGMENTS:
            raise InputError(
                f"{self.title}: sequences too short for the local loss",
                found=f"{batch.shape[1]} frames",
                wanted=f"at least {SEGMENTS}, one a segment",
                todo="raise sequence_length",
            )
        view = batch
        if torch.rand((), generator=generator) < AUGMENTED:
            with torch.no_grad():
                view = self.mixture(batch, generator)
        first, second = (self._masked(frames, generator) for frames in (view, batch))
        spare = first.shape[1] % SEGMENTS
        start = int(torch.randint(spare + 1, (), generator=generator))
        between = global_loss(first, second)
        within = local_loss((first[:1] if self.released else first)[:, start : first.shape[1] - spare + start])
        if not self.released:
            self.last: Any = batch, generator
        return between + LOCAL_WEIGHT * within, {"global": between.detach(), "local": within.detach()}

    def after_step(self) -> None:
        if not self.released:
            batch, generator = self.last
            self.meta.step(batch, generator, self.mixture, partial(self._masked, generator=generator))
            self.last = None

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters()

    def _masked(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        return self.encoder(frames, frame_mask(frames, generator))


class Mixture(nn.Module):
    """Sum over k of w_k aug_k(x), with w = softmax(logit(epsilon) + theta), epsilon uniform; `(B, T, D)` -> same."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(LOGIT_SCALE * torch.randn(len(POOL)))  # theta

    def weights(self, generator: torch.Generator) -> Tensor:
        """A draw of w, `(7,)`."""
        epsilon = NOISE_EDGE + (1 - 2 * NOISE_EDGE) * torch.rand(len(POOL), generator=generator)
        return (epsilon.logit().to(self.logits) + self.logits).softmax(0)

    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        weights = self.weights(generator)
        return cast(Tensor, sum(weight * augment(x, generator) for weight, augment in zip(weights, POOL, strict=True)))


class MetaLearner(nn.Module):
    """Fits the mixture so that a linear classifier h tells from an embedding which sequence of the batch it came from.

        CE(h(pool(v)), y) + CE(h(pool(x)), y),   v = mixture(x), y = place in the batch, pool = maximum over time

    theta and h learn by AdamW, each with its own rate; the encoder does not. v is always augmented.
    """

    def __init__(self, mixture: Mixture, batch_size: int, learning_rate: float):
        super().__init__()
        self.classify = nn.Linear(EMBEDDING, batch_size)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": mixture.parameters(), "lr": META_LEARNING_RATE},
                {"params": self.classify.parameters(), "lr": learning_rate},
            ]
        )
        self.steps = 0

    def step(
        self, batch: Tensor, generator: torch.Generator, mixture: Mixture, embed: Callable[[Tensor], Tensor]
    ) -> None:
        """Called after every ordinary step; each second call learns."""
        self.steps += 1
        if self.steps % META_EVERY:
            return
        place = torch.arange(len(batch), device=batch.device)
        value = cast(
            Tensor,
            sum(
                functional.cross_entropy(self.classify(embed(frames).amax(1)), place)
                for frames in (mixture(batch, generator), batch)
            ),
        )
        learned = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        for parameter, gradient in zip(learned, torch.autograd.grad(value, learned), strict=True):
            parameter.grad = gradient
        self.optimiser.step()
        self.optimiser.zero_grad()

    def get_extra_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "optimiser": self.optimiser.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        self.optimiser.load_state_dict(state["optimiser"])


def global_loss(first: Tensor, second: Tensor) -> Tensor:
    """NT-Xent at temperature 1 on maxima over time u, dot products as they are; views `(B, T, C)`, 0 for B = 1.

    mean over 2B anchors of -log( exp(u_i . u_i') / sum_{j != i} exp(u_i . u_j) )
    """
    return instance_contrast(first.amax(1, keepdim=True), second.amax(1, keepdim=True))


def local_loss(view: Tensor, segments: int = SEGMENTS) -> Tensor:
    """Neighbouring segments attract within each sequence of `(B, k L, C)`; s_i is the maximum over segment i.

        mean over B and i of -log( exp(s_i . s_p) / (exp(s_i . s_p) + sum_j exp(s_i . s_j)) )

    p is the next segment, for the last the one before. j runs over k - 3 segments: all but i, i - 1 and i + 1, and at
    either end all but the three outermost.
    """
    s = view.unflatten(1, (segments, -1)).amax(2)  # (B, k, C)
    place = torch.arange(segments, device=view.device)
    positive = (place + 1).where(place < segments - 1, segments - 2)
    hidden = (place.clamp(1, segments - 2)[:, None] - place).abs() <= 1
    hidden[place, positive] = False
    logits = (s @ s.mT).masked_fill(hidden, float("-inf"))
    return functional.cross_entropy(logits.flatten(0, 1), positive.repeat(len(s)))


def _cropped(batch: Tensor, longest: int, generator: torch.Generator) -> Tensor:
    """A run of `longest` frames from a random place, the same for the batch, where sequences are longer."""
    if batch.shape[1] <= longest:
        return batch
    start = int(torch.randint(batch.shape[1] - longest + 1, (), generator=generator))
    return batch[:, start : start + longest]
