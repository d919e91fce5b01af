"""The method of the paper as a transformer of scikit-learn: recordings in, an embedding of each out.

    features = EMarginEncoder(rate=50).fit(X).transform(X)  # X (recordings, channels, samples) -> (recordings, 320)

It works in pipelines, and in cross-validation by groups, where the encoder is trained anew in each fold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from emargin.config import Experiment
from emargin.data.dataset import Dataset, Sequences
from emargin.data.framing import check_frames, stft_frames
from emargin.data.protocols import statistics_of
from emargin.data.recordings import UNLABELLED
from emargin.embedding import Encoder
from emargin.encoder_files import level_of
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.fields import in_range, typed
from emargin.resolve import resolve
from emargin.threads import THREADS, limited
from emargin.training import train

NAMELESS = "ecg-sim"  # no data set is behind arrays; all that the catalogue says of this one is replaced
WINDOWS, LONGEST_WINDOW = 8, 64  # windows in the shortest recording, and samples of one, where no rate is known
LONGEST = 100  # frames of a sequence
BATCH = 8
FEWEST = 2  # recordings to learn from


class EMarginEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learn an encoder of recordings without labels, and embed recordings with it.

    Frames are magnitudes of the short-time Fourier transform of all channels, standardised as in the training. An
    embedding does not depend on the other recordings that are transformed with it.

    Parameters
    ----------
    method : str
        Of `METHODS`.
    fidelity : {"released", "original"}
        As the released code has the method, or as the paper's text has it.
    rate : float, optional
        Samples a second. It picks the window alone: a second.
    window : int, optional
        Samples of a frame; by default a second, or without a rate an eighth of the shortest recording, 64 at most.
    hop : int, optional
        Samples from a frame to the next; half a window by default.
    sequence_length : int, optional
        Frames of the sequences that it trains on; by default 100, or what the median recording has if that is less.
        Shorter recordings are embedded, but not trained on.
    iterations : int
        Optimiser steps.
    temperature : float
    settings : dict, optional
        Settings of the method, such as `{"margin": 3.0}`.
    encoder : {"context", "context-small"}, optional
        As for `Experiment`.
    any_level : bool
        Whether to embed recordings, too, whose values are far from those of the training.
    seed : int
        Of the weights and of all draws.
    threads : int
        As for `run`.

    Attributes
    ----------
    encoder_ : emargin.embedding.Encoder
        What was trained.
    curve_ : list of dict
        The points of its training.
    n_features_in_ : int
        Channels; of a table `(recordings, samples)`, its columns.
    """

    def __init__(
        self,
        method: str = "emargin",
        *,
        fidelity: str = "released",
        rate: float | None = None,
        window: int | None = None,
        hop: int | None = None,
        sequence_length: int | None = None,
        iterations: int = 200,
        temperature: float = 0.1,
        settings: dict[str, Any] | None = None,
        encoder: str | None = None,
        any_level: bool = False,
        seed: int = 1,
        threads: int = THREADS,
    ):
        self.method = method
        self.fidelity = fidelity
        self.rate = rate
        self.window = window
        self.hop = hop
        self.sequence_length = sequence_length
        self.iterations = iterations
        self.temperature = temperature
        self.settings = settings
        self.encoder = encoder
        self.any_level = any_level
        self.seed = seed
        self.threads = threads

    def fit(self, X: ArrayLike, y: object = None) -> EMarginEncoder:
        """Train the encoder.

        Parameters
        ----------
        X : array or list
            Recordings: `(recordings, channels, samples)`, or a list of arrays `(channels, samples)` of any lengths. A
            table `(recordings, samples)` has one channel.
        y : object
            Not used.

        Returns
        -------
        EMarginEncoder

        Raises
        ------
        InputError
            For a single recording, values that are not finite, recordings that differ in their channels or are shorter
            than a frame, and parameters that are out of range.
        """
        signals = self._signals(X, fits=True)
        if len(signals) < FEWEST:
            raise InputError("nothing to contrast", found="1 sample", wanted=f"{FEWEST} recordings or more")
        window, hop = self._framing(min(map(len, signals)))
        asked = {
            "method": self.method,
            "fidelity": self.fidelity,
            "encoder": self.encoder,
            "seed": self.seed,
            "iterations": self.iterations,
            "temperature": self.temperature,
            "n_fft": window,
            "hop": hop,
            "sequence_length": self.sequence_length,
        }
        experiment = resolve(Experiment(dataset=NAMELESS, **asked, settings=self.settings or {}))
        frames = _framed(signals, experiment)
        counts = [len(each) for each in frames]
        length = self.sequence_length or min(LONGEST, int(np.median(counts)))
        firsts = np.cumsum([0, *counts])
        starts = [
            first + start
            for first, count in zip(firsts, counts, strict=False)
            for start in range(0, count - length + 1, length)
        ]
        if not starts:
            found, todo = f"{max(counts)} frames in the longest", "lower sequence_length, window or hop"
            raise InputError("no recording has a whole sequence", found=found, wanted=f"{length} frames", todo=todo)
        batch_size = min(BATCH, len(starts))
        experiment = replace(experiment, sequence_length=length, stride=length, batch_size=batch_size)
        table = torch.cat(frames)
        level, standardisation = level_of(table, experiment.n_fft // 2 + 1), statistics_of(table)
        table.sub_(standardisation[0]).div_(standardisation[1])
        side = Sequences(table, torch.full((len(table),), UNLABELLED), torch.tensor(starts), length)
        dataset = Dataset("arrays", "real", (), side, side, (), "", standardisation)
        with limited(self.threads):
            method, self.curve_ = train(experiment, dataset, progress=False)
        self.encoder_ = Encoder(
            experiment, method, (), dataset.n_features, standardisation, self.rate and float(self.rate), tuple(level)
        )
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the mean embedding of each recording, float32 `(recordings, 320)`.

        Parameters
        ----------
        X : array or list
            As for `fit`, with as many channels.

        Raises
        ------
        InputError
            As for `fit`, and for recordings that are, all together, in a unit far from that of the training.
        """
        return np.stack([each.mean(0) for each in self.transform_frames(X)])

    def transform_frames(self, X: ArrayLike) -> list[np.ndarray]:
        """Return the embeddings of each recording's frames, float32 `(frames, 320)`, as `transform` takes the mean of.

        Parameters
        ----------
        X : array or list
            As for `transform`.
        """
        check_is_fitted(self)
        frames = _framed(self._signals(X, fits=False), self.encoder_.experiment)
        if not self.any_level:
            self.encoder_.check_level("X", torch.cat(frames))
        with limited(self.threads):
            return [self.encoder_.embed_frames([each]).numpy() for each in frames]

    def _framing(self, shortest: int) -> tuple[int, int]:
        """Return window and hop in samples; shortest: samples of the shortest recording."""
        given = {"rate": self.rate, "window": self.window, "hop": self.hop}
        for name, value in given.items():
            if value is not None:
                in_range(name, typed(name, float if name == "rate" else int, value), above=0, most=1e9)
        usual = min(LONGEST_WINDOW, shortest // WINDOWS) if self.rate is None else round(float(self.rate))
        window = max(2, usual) if self.window is None else int(self.window)
        return window, max(1, window // 2) if self.hop is None else int(self.hop)

    def _signals(self, X: ArrayLike, *, fits: bool) -> list[np.ndarray]:
        """Return the recordings, float32 `(samples, channels)`, checked."""
        if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
            X = list(X)  # numpy's way to hold arrays that differ in shape
        if isinstance(X, list | tuple) and all(np.ndim(each) == 1 for each in X) and len(set(map(len, X))) > 1:
            found, todo = f"{min(map(len, X))} to {max(map(len, X))} values", "give each as (channels, samples)"
            raise InputError("the rows of a table differ in length", found=found, wanted="equal lengths", todo=todo)
        if isinstance(X, list | tuple) and X and all(np.ndim(each) == 2 for each in X):
            parts = [check_array(each, dtype=np.float32, ensure_all_finite=False) for each in X]
        elif (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) == 3:
            parts = list(check_array(X, dtype=np.float32, allow_nd=True, ensure_all_finite=False))
        else:
            table = validate_data(self, X, reset=fits, dtype=np.float32, ensure_min_features=1 + fits)
            if fits:
                self.n_channels_ = 1
            return list(table[:, :, None])
        if fits:
            self.n_channels_ = self.n_features_in_ = parts[0].shape[0]
        for number, part in enumerate(parts):
            if part.shape[0] != self.n_channels_:
                todo = "give each as (channels, samples)"
                what = f"recording {number} has another number of channels"
                raise InputError(what, found=part.shape[0], wanted=self.n_channels_, todo=todo)
            if bad := int((~np.isfinite(part)).sum()):
                wanted = "finite numbers that single precision can hold"
                raise InputError(
                    f"recording {number}: values that cannot be used", found=f"{bad} NaN or inf", wanted=wanted
                )
        return [part.T for part in parts]

    @property
    def _n_features_out(self) -> int:
        return EMBEDDING

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _framed(signals: list[np.ndarray], experiment: Experiment) -> list[Tensor]:
    """Return the frames of signals `(samples, channels)`, `(frames, D)` each."""
    frames = []
    assert experiment.n_fft and experiment.hop, "arrays are signals"
    for number, signal in enumerate(signals):
        if len(signal) < experiment.n_fft:
            what, found = f"recording {number} is shorter than a frame", f"{len(signal)} samples"
            todo = "lower window, or leave the recording out"
            raise InputError(what, found=found, wanted=f"window = {experiment.n_fft} or more", todo=todo)
        frames.append(stft_frames(signal, experiment.n_fft, experiment.hop))
        check_frames(str(number), frames[-1])
    return frames
