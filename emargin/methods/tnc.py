"""TNC: temporal neighbourhood coding. A discriminator tells a window's neighbours from distant windows."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from emargin.augmentations.windows import distant_centres, neighbour_centres, window_indices
from emargin.config import Experiment
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.methods.base import Method

WIDTH = 20  # w in frames, of the released configurations
SEQUENCE_WIDTHS = 14  # original: least T / w with which an anchor in the middle has windows 5 w away
SAMPLES = 20  # windows near and as many far from an anchor
EPSILON = 1  # half-width of the neighbourhood in windows
FAR = 5 * EPSILON  # windows from the anchor to where "far" begins
UNLABELLED = {"original": 0.05, "released": 0.1}  # w_pu, the weight with which a far window counts as a neighbour
RELEASED_BATCH = 5  # the released anchors lie in [2 w, B w - 2 w)
RELEASED_LENGTH = WIDTH + 1  # in shorter sequences the range that near centres are clipped to is empty


class TNC(Method):
    """A discriminator tells windows near an anchor from windows far from it, loss `pu_loss`.

    Fidelity "original": each sequence has an anchor; a window's embedding is the mean over its frames, cut from the
    encoded sequence. Encoder and discriminator are trained together. A window has w = 20 frames; in short sequences
    T / 14, made even (8 for T = 119), for there hardly any frame is 5 w away with w = 20. TNC chooses epsilon, the size
    of the neighbourhood, from 1 to 3 by augmented Dickey-Fuller tests of the signal round the anchor: it grows where
    the signal is stationary. That is left out, and epsilon = 1 throughout.

    Fidelity "released": each step has a single anchor, in the first 20 B frames of the flattened batch; centres of
    windows are drawn as if the first T frames were the whole series. The anchor's window, the near and the distant
    windows pass BatchNorm as three batches, and are compared frame by frame, not as wholes. The discriminator is never
    trained, but its dropout is active. Epsilon is 1 here too, as the released tests fail silently on a GPU.

    References
    ----------
    Tonekaboni, Eytan and Goldenberg, "Unsupervised Representation Learning for Time Series with Temporal Neighborhood
    Coding", ICLR 2021 (arXiv 2106.00750).
    """

    title = "TNC"
    summary = "a discriminator tells a window's neighbours from distant windows"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        self.discriminator = Discriminator(EMBEDDING)
        if self.released:
            self.discriminator.requires_grad_(False)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters() if self.released else self.parameters()

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        windows = self._released if self.released else self._original
        anchor, near, distant = windows(batch, generator)
        near, distant = self.discriminator(anchor, near), self.discriminator(anchor, distant)
        accuracy = ((near > 0).float().mean() + (distant < 0).float().mean()) / 2
        return pu_loss(near, distant, UNLABELLED[self.experiment.fidelity]), {"accuracy": accuracy}

    def _original(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Embed each sequence's anchor window, repeated, and its near and its distant windows: `(B, 20, C)` each."""
        n, length, _ = batch.shape
        width = window_width(length)
        if length <= 4 * width:
            raise InputError(
                "TNC, fidelity original: the sequences are too short",
                found=f"{length} frames",
                wanted=f"at least {4 * width + 1}",
            )
        anchors = torch.randint(2 * width, length - 2 * width, (n,), generator=generator)
        embedding, sequences = self.encoder(batch), torch.arange(n)[:, None, None]
        anchor, near, distant = (
            embedding[sequences, window_indices(centres, width)].mean(2)
            for centres in (anchors[:, None], *_centres(anchors, length, width, generator))
        )
        return anchor.expand_as(near), near, distant

    def _released(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Embed the frames of an anchor's window, repeated, and of near and distant windows: `(20, 20, C)` each."""
        n, length, _ = batch.shape
        if n < RELEASED_BATCH or length < RELEASED_LENGTH:
            raise InputError(
                "TNC, fidelity released: no room for windows",
                found=f"{n} sequences of {length} frames",
                wanted=f"at least {RELEASED_BATCH} of {RELEASED_LENGTH}",
            )
        anchors = torch.randint(2 * WIDTH, n * WIDTH - 2 * WIDTH, (1,), generator=generator)
        near, distant = _centres(anchors, length, WIDTH, generator)
        frames = batch.flatten(0, 1)
        anchor, near, distant = (
            self.encoder(frames[window_indices(centres[0], WIDTH)])
            for centres in (anchors[:, None].expand_as(near), near, distant)
        )
        return anchor, near, distant


class Discriminator(nn.Module):
    """The logit that two embeddings `(..., C)` are neighbours, `(...)`. 8 C^2 + 8 C + 1 parameters."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * channels, 4 * channels), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4 * channels, 1)
        )
        nn.init.xavier_uniform_(cast(Tensor, self.layers[0].weight))
        nn.init.xavier_uniform_(cast(Tensor, self.layers[3].weight))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.layers(torch.cat([first, second], -1))[..., 0]


def window_width(length: int) -> int:
    """Return w of the original in a sequence of T frames: even, at most T / 14, from 2 to 20."""
    return min(max(length // SEQUENCE_WIDTHS // 2 * 2, 2), WIDTH)


def pu_loss(near: Tensor, distant: Tensor, weight: float) -> Tensor:
    """Compute the positive-unlabelled loss of the discriminator's logits a.

        L = 1/2 {E softplus(-a_near) + w_pu E softplus(-a_distant) + (1 - w_pu) E softplus(a_distant)}

    A distant window may look like the anchor's, so it counts as a neighbour, too, with weight w_pu.

    Parameters
    ----------
    near, distant : Tensor
        Of any shape.
    weight : float
        w_pu.

    Returns
    -------
    Tensor
        A scalar.
    """
    neighbours = softplus(-near).mean() + weight * softplus(-distant).mean()
    return (neighbours + (1 - weight) * softplus(distant).mean()) / 2


def _centres(anchors: Tensor, length: int, width: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw centres of near and of distant windows, `(A, 20)` each."""
    near = neighbour_centres(
        anchors, SAMPLES, length=length, width=width, deviation=EPSILON * width, generator=generator
    )
    distant = distant_centres(anchors, SAMPLES, length=length, width=width, far=FAR * width, generator=generator)
    return near, distant
