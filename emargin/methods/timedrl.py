"""TimeDRL: patches of a sequence predict their raw frames, and two dropout masks of it agree."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, mse_loss

from emargin.config import Experiment
from emargin.data.catalogue import window_of
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.methods.base import Method

PATCH = {"original": 16, "released": 10}  # P in frames; TimeDRL's default is 16
RELEASED_PADDING = 8  # frames; with P = 10 there is a token less than frames
DROPOUT = {"original": 0.1, "released": 0.2}
CONTRASTIVE_WEIGHT = 0.1  # lambda, TimeDRL's default


class TimeDRL(Method):
    """Patches of a normalised sequence predict their raw frames (L_P), and two passes with dropout agree (L_C).

        L = L_P + lambda L_C

    L_P is the mean squared error of the patches that a linear map makes of their embeddings, L_C `contrastive_loss` of
    the instance embedding, that of the whole sequence.

    Fidelity "original": token t is the patch of frames t .. t + P - 1, P = 16, mapped to D features, with sine and
    cosine positions; the last frame is repeated beyond the end. TimeDRL's stride is 8; here it is 1, so that each frame
    has a token. TimeDRL normalises the samples of each channel; here `normalised_channels` does so to their spectra.
    Its [CLS] token gathers the sequence by attention. A frame-wise encoder has no attention, so the instance embedding
    is the mean over tokens. Evaluation takes the same path as training. An embedding depends on the 15 frames after
    frame t and, through the normalisation, on the whole sequence.

    Fidelity "released": P = 10, and the last frame is repeated 8 times. The instance embedding is that of the [CLS]
    token, which is the same for every series but for dropout. Evaluation gives raw frames to the encoder, which in
    training only saw normalised and mapped patches.

    References
    ----------
    Chang et al., "TimeDRL: Disentangled Representation Learning for Multivariate Time-Series", ICDE 2024
    (arXiv 2312.04142).
    """

    title = "TimeDRL"
    summary = "patches predict their raw frames; two dropout masks of a sequence agree"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        self.length, dropout = PATCH[experiment.fidelity], DROPOUT[experiment.fidelity]
        self.padding = RELEASED_PADDING if self.released else self.length - 1
        width, hidden = n_features * self.length, (n_features if self.released else EMBEDDING) // 2
        self.to_tokens = nn.Linear(width, n_features, bias=False)
        if not self.released:
            self.bins = bins_of(experiment, n_features)
        if self.released:
            self.class_patch = nn.Parameter(torch.randn(1, 1, width))
        self.dropout = nn.Dropout(dropout)
        self.to_frames = nn.Sequential(nn.Dropout(dropout), nn.Linear(EMBEDDING, width))
        self.predictor = nn.Sequential(
            nn.Linear(EMBEDDING, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, EMBEDDING),
        )

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if len(batch) < 2:
            raise InputError(
                "TimeDRL: the predictor's BatchNorm needs a batch", found=f"{len(batch)} sequence", wanted="at least 2"
            )
        tokens = self.tokens(batch)  # dropout, where the two passes begin to differ, comes after
        (instance_1, tokens_1), (instance_2, tokens_2) = self.encoded(tokens), self.encoded(tokens)
        raw = patches(batch, self.length, self.padding)
        predictive = (mse_loss(self.to_frames(tokens_1), raw) + mse_loss(self.to_frames(tokens_2), raw)) / 2
        contrastive = contrastive_loss(instance_1, instance_2, self.predictor(instance_1), self.predictor(instance_2))
        return (
            predictive + CONTRASTIVE_WEIGHT * contrastive,
            {"predictive": predictive.detach(), "contrastive": contrastive.detach()},
        )

    def encode(self, sequences: Tensor) -> Tensor:
        return self.encoder(sequences) if self.released else self.embed(sequences)[1]

    def embed(self, sequences: Tensor) -> tuple[Tensor, Tensor]:
        """Embed the instance and the tokens in a pass with dropout: `(B, T, D)` -> `(B, C)` and `(B, T', C)`."""
        return self.encoded(self.tokens(sequences))

    def tokens(self, sequences: Tensor) -> Tensor:
        """Map patches to D features and add positions, for the encoder: `(B, T, D)` -> `(B, T', D)`."""
        inputs = patches(
            normalised(sequences) if self.released else normalised_channels(sequences, self.bins),
            self.length,
            self.padding,
        )
        if self.released:
            inputs = torch.cat([self.class_patch.expand(len(inputs), -1, -1), inputs], 1)
        tokens = self.to_tokens(inputs)
        return tokens + positions(*tokens.shape[1:]).to(tokens)

    def encoded(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Embed tokens; the two results of `embed`."""
        embedding = self.encoder(self.dropout(tokens))
        return (embedding[:, 0], embedding[:, 1:]) if self.released else (embedding.mean(1), embedding)


def normalised(sequences: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Normalise each feature of each sequence over time: (x - mean) / sqrt(var + epsilon).

    `(B, T, D)` -> `(B, T, D)`.

    Raises
    ------
    InputError
        For T = 1, which would always give zero.
    """
    if sequences.shape[1] < 2:
        raise InputError(
            "TimeDRL normalises over time: one frame alone becomes zero",
            found=f"{sequences.shape[1]} frame",
            wanted="at least 2 in a sequence",
        )
    mean = sequences.mean(1, keepdim=True)
    return (sequences - mean) / (sequences.var(1, keepdim=True, correction=0) + epsilon).sqrt()


def normalised_channels(sequences: Tensor, bins: int, epsilon: float = 1e-5) -> Tensor:
    """Normalise each channel of each sequence over time and over the channel's `bins` features together.

    One mean and one spread a channel keep the shape of its spectrum, as normalising the samples before the transform
    would. For bins = 1 it is `normalised`. `(B, T, D)` -> `(B, T, D)`; the layout is that of
    `emargin.data.framing.stft_frames`.
    """
    channels = sequences.unflatten(-1, (-1, bins)).mT  # (B, T, bins, channels)
    return normalised(channels.flatten(1, 2), epsilon).reshape(channels.shape).mT.flatten(2)


def bins_of(experiment: Experiment, n_features: int) -> int:
    """Return how many features of a frame are of one channel.

    They are the bins of its spectrum, or the samples of a raw window. A feature of ready frames is a channel of its
    own. All features are one channel where their number is no multiple of that.
    """
    bins = window_of(experiment.dataset) or (1 if experiment.n_fft is None else experiment.n_fft // 2 + 1)
    return bins if n_features % bins == 0 else n_features


def patches(sequences: Tensor, length: int, padding: int) -> Tensor:
    """Cut all runs of P = `length` frames, stride 1, after the last frame was repeated `padding` times.

    `(B, T, D)` -> `(B, T + padding - P + 1, D * P)`: feature by feature, each in time order.
    """
    padded = torch.cat([sequences, sequences[:, -1:].expand(-1, padding, -1)], 1)
    return padded.unfold(1, length, 1).flatten(2)


def positions(length: int, width: int) -> Tensor:
    """Return sines and cosines in turn, `(length, width)`: angle t / 10000^(2 i / width) in columns 2 i and 2 i + 1."""
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


def contrastive_loss(instance_1: Tensor, instance_2: Tensor, predicted_1: Tensor, predicted_2: Tensor) -> Tensor:
    """Compare what two passes predict of each other.

        L_C = -1/2 [cos(sg(i_1), p_2) + cos(sg(i_2), p_1)],   sg stops the gradient

    Parameters
    ----------
    instance_1, instance_2 : Tensor
        i, `(B, C)`.
    predicted_1, predicted_2 : Tensor
        p, `(B, C)`: what the predictor makes of i_1 and i_2.

    Returns
    -------
    Tensor
        The mean over the batch, from -1 to 1.
    """
    return (
        -(
            cosine_similarity(instance_1.detach(), predicted_2, dim=1).mean()
            + cosine_similarity(instance_2.detach(), predicted_1, dim=1).mean()
        )
        / 2
    )
