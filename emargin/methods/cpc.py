"""CPC: contrastive predictive coding. A summary of the past picks its next frames out of the batch."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from emargin.config import Experiment
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.methods.base import Method

HORIZONS = 4  # K; the paper predicts 12 steps of 10 ms in long audio, here frames are long and sequences short
RELEASED_CONTEXT = 5  # frames in the released GRU, from the centre on
SHORTEST = {  # frames of a sequence
    "original": HORIZONS + 2,  # a context of two frames, K to predict
    "released": 6,  # with fewer there is no frame outside centre - 2 .. centre + 2
}


class CPC(Method):
    """A GRU's summary of the past predicts the next frames, against other frames as negatives.

    Fidelity "original", loss `cpc`: the GRU reads frames 0 .. t of a sequence, with a t for each sequence, uniform in
    [1, T - 1 - K]. A matrix W_k for each k predicts frame t + k, k = 1 .. K, K = 4. The negatives are all frames of the
    batch but t .. t + K of this sequence. Encoder, GRU and matrices are trained together. The embedding is the
    encoder's z_t; the CPC paper names z_t and the GRU's state as possible.

    Fidelity "released", loss `released_cpc`: the GRU reads the five frames from the centre c = T // 2 on (fewer where
    the sequence ends) and "predicts" frame c + 1, which is among them. T // 2 negatives are drawn with replacement
    outside c - 2 .. c + 2, so frames that the GRU has read can be negatives. GRU and linear map are never trained.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018
    (arXiv 1807.03748).
    """

    title = "CPC"
    summary = "a summary of the past picks its next frames out of the batch"

    def __init__(self, experiment: Experiment, n_features: int):
        super().__init__(experiment, n_features)
        self.released = experiment.fidelity == "released"
        self.gru = nn.GRU(EMBEDDING, EMBEDDING, batch_first=True)
        if self.released:
            self.prediction = nn.Linear(EMBEDDING, EMBEDDING)
            self.gru.requires_grad_(False)
            self.prediction.requires_grad_(False)
        else:
            self.prediction = nn.Linear(EMBEDDING, HORIZONS * EMBEDDING, bias=False)  # W_1 .. W_K, stacked

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.encoder.parameters() if self.released else self.parameters()

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        n, length, _ = batch.shape
        shortest = SHORTEST[self.experiment.fidelity]
        if length < shortest:
            raise InputError(
                f"CPC, fidelity {self.experiment.fidelity}: the sequences are too short",
                found=f"{length} frames",
                wanted=f"at least {shortest}",
            )
        embedding = self.encoder(batch)
        if self.released:
            predicted = self.prediction(self.released_context(embedding))
            value, accuracy = released_cpc(predicted, embedding, _released_negatives(length, generator))
        else:
            t = torch.randint(1, length - HORIZONS, (n,), generator=generator)
            predicted = self.prediction(self.context(embedding, t)).unflatten(-1, (HORIZONS, EMBEDDING))
            value, accuracy = cpc(predicted, embedding, t)
        return value, {"accuracy": accuracy}

    def context(self, embedding: Tensor, t: Tensor) -> Tensor:
        """Return the GRU's state c_t of each sequence, made from its frames 0 .. t alone.

        `(B, T, C)` and int64 `(B,)` on the CPU -> `(B, C)`.
        """
        states, _ = self.gru(embedding[:, : int(t.max()) + 1])
        return states[torch.arange(len(t)), t]

    def released_context(self, embedding: Tensor) -> Tensor:
        """Return the GRU's last state over the frames from the centre on: `(B, T, C)` -> `(B, C)`."""
        centre = embedding.shape[1] // 2
        _, last = self.gru(embedding[:, centre : centre + RELEASED_CONTEXT])
        return last[0]


def cpc(predicted: Tensor, embedding: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the cross-entropy of picking frame t + k among all frames of the batch.

        l_bk = -log[exp(p_bk . z_{b,t+k}) / (exp(p_bk . z_{b,t+k}) + sum_{(b',s) in N_b} exp(p_bk . z_{b',s}))]

    N_b are all frames of the batch but t_b .. t_b + K of sequence b: with the positive B T - K candidates.

    Parameters
    ----------
    predicted : Tensor
        p_bk = W_k c_b, `(B, K, C)`.
    embedding : Tensor
        z, `(B, T, C)`.
    t : Tensor
        t_b, int64 `(B,)`.

    Returns
    -------
    value, accuracy : Tensor
        The mean over sequences and horizons, and the share of frames that are picked.
    """
    (n, horizons, _), length, device = predicted.shape, embedding.shape[1], embedding.device
    t, sequences, ahead = t.to(device), torch.arange(n, device=device), torch.arange(1, horizons + 1, device=device)
    scores = torch.einsum("bkc,nsc->bkns", predicted, embedding)  # (B, K, B, T)
    lag = torch.arange(length, device=device) - t[:, None]  # (B, T)
    window = (lag >= 0) & (lag <= horizons)
    positive = lag[:, None] == ahead[:, None]  # (B, K, T)
    left_out = scores.new_zeros(scores.shape, dtype=torch.bool)
    left_out[sequences, :, sequences] = window[:, None] & ~positive
    target = (sequences * length + t)[:, None] + ahead  # (B, K)
    return _pick(scores.masked_fill(left_out, float("-inf")).flatten(2).flatten(0, 1), target.flatten())


def released_cpc(predicted: Tensor, embedding: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the cross-entropy of picking frame c + 1, c = T // 2, against other frames of the same sequence.

        l_b = -log[exp(p_b . z_{b,c+1}) / (exp(p_b . z_{b,c+1}) + sum_i exp(p_b . z_{b,negatives_i}))]

    Parameters
    ----------
    predicted : Tensor
        p_b, `(B, C)`.
    embedding : Tensor
        z, `(B, T, C)`.
    negatives : Tensor
        Numbers of frames, int64 `(n,)`, the same for all sequences; a repeated frame counts each time.

    Returns
    -------
    value, accuracy : Tensor
        The mean over sequences, and the share of frames that are picked.
    """
    scores = (embedding @ predicted[..., None])[..., 0]  # (B, T)
    candidates = torch.cat([negatives, torch.tensor([embedding.shape[1] // 2 + 1])]).to(scores.device)
    target = torch.full((len(scores),), len(negatives), device=scores.device)
    return _pick(scores[:, candidates], target)


def _pick(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return cross_entropy(logits, target), (logits.argmax(-1) == target).float().mean()


def _released_negatives(length: int, generator: torch.Generator) -> Tensor:
    """Draw T // 2 frames outside centre - 2 .. centre + 2, with replacement."""
    centre = length // 2
    pool = torch.cat([torch.arange(centre - 2), torch.arange(centre + 3, length)])
    return pool[torch.randint(len(pool), (length // 2,), generator=generator)]
