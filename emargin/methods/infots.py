"""InfoTS: a mixture of seven augmentations, contrasted between and within sequences."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from emargin.augmentations import infots as official
from emargin.augmentations.noise import cutout, jitter, scaling, subsequence, time_warp, window_slice, window_warp
from emargin.config import Experiment
from emargin.encoders import EMBEDDING, DilatedEncoder, MaskedEncoder, frame_mask, weight_average
from emargin.errors import InputError
from emargin.losses.hierarchical import _instance_contrast as instance_contrast
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
ORIGINAL_POOL: tuple[Callable[..., Tensor], ...] = (
    subsequence,
    official.cutout,
    partial(jitter, sigma=0.3),
    partial(scaling, sigma=0.5),
    time_warp,
    official.window_slice,
    official.window_warp,
)
AUGMENTED = 0.2  # probability that view 1 is augmented at all, p1
SEGMENTS = 8  # k of the local loss
LOCAL_WEIGHT = 1.0  # beta
LOGIT_SCALE = 0.01  # standard deviation of the mixture's logits as initialised
NOISE_EDGE = 1e-4  # epsilon_k stays this far from 0 and 1
LONGEST = {"released": 500, "original": 2048}  # frames of a sequence; a longer one is cropped
META_EVERY = 2  # steps from one meta step to the next
META_LEARNING_RATE = 1e-2  # of the mixture and of the classifier


class InfoTS(Method):
    """Sequences are told apart by their maxima over time (`global_loss`), segments within a sequence by `local_loss`.

        L = global(view 1, view 2) + beta local(view 1)

    View 2 is the batch itself. View 1 is a `Mixture` of augmentations of it with probability 0.2, else the batch, too.
    Each view passes the encoder under a mask and a dropout that are drawn for it alone.

    Fidelity "original": the shared encoder (`MaskedEncoder`); the local loss on all sequences; a `MetaLearner` without
    labels fits the mixture. The official code lets it make a pass over the data after every second epoch: a meta step
    for two ordinary steps. As a whole run can be shorter than an epoch here, a meta step follows every second step, on
    that step's batch. After the last step the encoder takes the equal-weight mean of all iterates, as in the official
    code, which has no BatchNorm: here the statistics of the mean run along with it, over the masked batches. Points of
    the curve before that are of the iterate at hand.

    Fidelity "released": `DilatedEncoder`, which sees the whole sequence; the local loss on the first sequence of the
    batch; the mixture stays as initialised, and its slices and warps keep the ends of what they resample; the last
    iterate is used. Frames are clustered as they are encoded each alone, without the context that its probe sees.

    References
    ----------
    Luo et al., "Time Series Contrastive Learning with Information-Aware Augmentations", AAAI 2023 (arXiv 2303.11911).
    """

    title = "InfoTS"
    summary = "a mixture of seven augmentations, contrasted between sequences and between their segments"
    clustered_alone = ("released",)

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        if experiment.encoder is None:
            self.encoder = (DilatedEncoder if self.released else MaskedEncoder)(n_features)
        self.mixture = Mixture() if self.released else LearnedMixture()
        if self.released:
            self.mixture.requires_grad_(False)
        else:
            self.meta = MetaLearner(self.mixture, experiment.batch_size)
            self.average: Any = weight_average(self.encoder)

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
            self.last: Any = batch, generator  # for the meta step that may follow this step
        return between + LOCAL_WEIGHT * within, {"global": between.detach(), "local": within.detach()}

    def after_step(self) -> None:
        """Give the meta-learner the batch of the step, and the encoder, after the last, the mean of its iterates."""
        if not self.released:
            batch, generator = self.last
            self.meta.step(batch, generator, self.mixture, self.encoder)
            _take_in(self.average, self.encoder)
            with torch.no_grad():
                self.average(batch, frame_mask(batch, generator))  # for BatchNorm's statistics
            if self.average.n_averaged == self.experiment.iterations + 1:
                self.encoder.load_state_dict(self.average.module.state_dict())
            self.last = None

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters()

    def _masked(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        return self.encoder(frames, frame_mask(frames, generator))


class Mixture(nn.Module):
    """A weighted sum of the augmentations in `POOL`, with weights drawn anew each time: `(B, T, D)` -> `(B, T, D)`.

        sum over k of w_k aug_k(x),   w = softmax(logit(epsilon) + theta),   epsilon_k uniform

    theta is what can be learnt.
    """

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(LOGIT_SCALE * torch.randn(len(POOL)))  # theta

    def weights(self, generator: torch.Generator) -> Tensor:
        """Draw w, `(7,)`."""
        epsilon = NOISE_EDGE + (1 - 2 * NOISE_EDGE) * torch.rand(len(POOL), generator=generator)
        return (epsilon.logit().to(self.logits) + self.logits).softmax(0)

    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        weights = self.weights(generator)
        return cast(Tensor, sum(weight * augment(x, generator) for weight, augment in zip(weights, POOL, strict=True)))


class LearnedMixture(Mixture):
    """The mixture of the official code: some of its augmentations start and resample as in `ORIGINAL_POOL`."""

    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        drawn = zip(self.weights(generator), ORIGINAL_POOL, strict=True)
        return cast(Tensor, sum(weight * augment(x, generator) for weight, augment in drawn))


class MetaLearner(nn.Module):
    """The training of the mixture: a linear classifier h tells which sequence of the batch an embedding came from.

        CE(h(pool(v)), y) + CE(h(pool(x)), y),   y = place in the batch, pool = maximum over time

    v is mixture(x) with probability 0.2, else x, and then theta rests. The encoder is in evaluation mode, without mask
    and dropout, and does not learn from this; theta and h learn by AdamW. The official code never clears h's gradient,
    so that each step is made along the sum of all before; here each step has its own.

    Parameters
    ----------
    mixture : Mixture
    batch_size : int
        Number of classes of h.
    """

    def __init__(self, mixture: Mixture, batch_size: int):
        super().__init__()
        self.classify = nn.Linear(EMBEDDING, batch_size)
        self.optimiser = torch.optim.AdamW([*mixture.parameters(), *self.classify.parameters()], META_LEARNING_RATE)
        self.steps = 0

    def step(self, batch: Tensor, generator: torch.Generator, mixture: Mixture, encoder: nn.Module) -> None:
        """Learn at each second call; to be called after every ordinary step.

        Parameters
        ----------
        batch : Tensor
            `(B, T, D)`.
        generator : torch.Generator
        mixture : Mixture
        encoder : Module
            `(B, T, D)` -> `(B, T, C)`; its mode is left as it was.
        """
        self.steps += 1
        if self.steps % META_EVERY:
            return
        place, training = torch.arange(len(batch), device=batch.device), encoder.training
        augmented = torch.rand((), generator=generator) < AUGMENTED
        view = mixture(batch, generator) if augmented else batch
        encoder.eval()
        value = cast(
            Tensor,
            sum(functional.cross_entropy(self.classify(encoder(frames).amax(1)), place) for frames in (view, batch)),
        )
        encoder.train(training)
        learned = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        gradients = torch.autograd.grad(value, learned, allow_unused=True)
        for parameter, gradient in zip(learned, gradients, strict=True):
            parameter.grad = gradient  # None for theta where nothing was mixed: AdamW leaves it alone
        self.optimiser.step()
        self.optimiser.zero_grad()

    def get_extra_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "optimiser": self.optimiser.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        self.optimiser.load_state_dict(state["optimiser"])


def global_loss(first: Tensor, second: Tensor) -> Tensor:
    """Contrast sequences by their maxima over time u, dot products as they are.

        mean over 2B anchors of -log( exp(u_i . u_i') / sum_{j != i} exp(u_i . u_j) )

    Parameters
    ----------
    first, second : Tensor
        The views, `(B, T, C)`.

    Returns
    -------
    Tensor
        A scalar, 0 for B = 1.
    """
    return instance_contrast(first.amax(1, keepdim=True), second.amax(1, keepdim=True))


def local_loss(view: Tensor, segments: int = SEGMENTS) -> Tensor:
    """Contrast the segments of each sequence: neighbours attract.

    With s_i the maximum over segment i:

        mean over B and i of -log( exp(s_i . s_p) / (exp(s_i . s_p) + sum_j exp(s_i . s_j)) )

    The positive p is the next segment, for the last segment the segment before. j runs over k - 3 segments: all but i,
    i - 1 and i + 1, and at either end all but the three outermost.

    Parameters
    ----------
    view : Tensor
        `(B, k L, C)`.
    segments : int
        k.

    Returns
    -------
    Tensor
        A scalar.
    """
    s = view.unflatten(1, (segments, -1)).amax(2)  # (B, k, C)
    place = torch.arange(segments, device=view.device)
    positive = (place + 1).where(place < segments - 1, segments - 2)
    hidden = (place.clamp(1, segments - 2)[:, None] - place).abs() <= 1
    hidden[place, positive] = False
    logits = (s @ s.mT).masked_fill(hidden, float("-inf"))
    return functional.cross_entropy(logits.flatten(0, 1), positive.repeat(len(s)))


def _take_in(average: Any, encoder: nn.Module) -> None:
    """Let the mean take in an iterate, and keep statistics of its own: PyTorch would copy those of the iterate."""
    kept = [buffer.clone() for buffer in average.module.buffers()]
    average.update_parameters(encoder)
    for buffer, before in zip(average.module.buffers(), kept, strict=True):
        buffer.copy_(before)


def _cropped(batch: Tensor, longest: int, generator: torch.Generator) -> Tensor:
    """Cut a run of `longest` frames at a random place, the same for the batch, where sequences are longer."""
    if batch.shape[1] <= longest:
        return batch
    start = int(torch.randint(batch.shape[1] - longest + 1, (), generator=generator))
    return batch[:, start : start + longest]
