"""Surrogates of recordings: controls that keep a part of what is in real data and destroy the rest.

    Experiment(dataset="mitbih", surrogate="phase")

- "phase": the Fourier phases of each recording are random. Power spectrum and cross-spectra of the channels stay, so
  the signal is as rough and as smooth as the real one; events, changes and whatever labels name go (Theiler et al.
  1992, and Prichard and Theiler 1994 for several channels).
- "frames": the frames of each recording come in random order, each with its label. Every frame stays as it was, and
  so does what can be told from single frames; adjacent frames have nothing to do with each other.
"""

import zlib
from dataclasses import replace

import numpy as np

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError

SEED = 0  # the surrogate of a recording is one and the same for all seeds of an experiment


def random_phases(recordings: RecordingSet) -> RecordingSet:
    """Return the set with other values `(samples, channels)`: same spectrum, phases uniform in [0, 2 pi).

    A phase is added to all channels alike, which keeps their cross-spectra; mean and labels stay.

    Raises
    ------
    InputError
        For a set of ready-made frames, which has no signal.
    """
    if recordings.framed:
        raise InputError(
            f"data set {recordings.name}: frames have no phases",
            found="surrogate phase",
            wanted="surrogate frames, or a set of signals",
        )
    return replace(
        recordings,
        recordings=tuple(
            Recording(real.name, real.subject, _random_phases(real.values, _generator(real.name)), real.labels)
            for real in recordings.recordings
        ),
    )


def _random_phases(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(values.astype(np.float64), axis=0)
    turns = np.exp(2j * np.pi * generator.random(len(spectrum)))
    turns[0] = 1  # the mean
    if len(values) % 2 == 0:
        turns[-1] = 1  # half the sampling rate, whose coefficient is real
    return np.fft.irfft(spectrum * turns[:, None], n=len(values), axis=0).astype(np.float32)


def order_of_frames(recording: str, frames: int) -> np.ndarray:
    """Return a random order of a recording's frames, `(frames,)`."""
    return _generator(recording).permutation(frames)


def _generator(recording: str) -> np.random.Generator:
    return np.random.default_rng([SEED, zlib.crc32(recording.encode())])
