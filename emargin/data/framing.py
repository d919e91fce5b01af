"""From samples to frames: short-time Fourier transform and one label a frame."""

import numpy as np
import torch
from torch import Tensor

from emargin.errors import InputError


def stft_frames(signal: np.ndarray, n_fft: int, hop: int) -> Tensor:
    """Return magnitudes of the short-time Fourier transform, as `torch.stft` gives them.

    Periodic Hann window of n_fft samples, no padding, not normalised: frame q covers samples q hop to q hop + n_fft - 1
    and F = (samples - n_fft) // hop + 1. Channel-major: feature c (n_fft // 2 + 1) + k is bin k of channel c.

    Parameters
    ----------
    signal : ndarray
        `(samples, channels)`.
    n_fft, hop : int
        Window and step in samples.

    Returns
    -------
    Tensor
        Float32 `(F, D)` in the unit of the signal, D = channels (n_fft // 2 + 1).

    Raises
    ------
    InputError
        For a signal that is shorter than one window.
    """
    if len(signal) < n_fft:
        raise InputError(
            "a recording is shorter than one frame", found=f"{len(signal)} samples", wanted=f"at least n_fft = {n_fft}"
        )
    channels = torch.from_numpy(np.ascontiguousarray(signal.T, dtype=np.float32))
    spectrum = torch.stft(channels, n_fft, hop, window=torch.hann_window(n_fft), center=False, return_complex=True)
    return spectrum.abs().permute(2, 0, 1).flatten(1)


def check_frames(recording: str, frames: Tensor) -> None:
    """Raise InputError where frames `(F, D)` are not finite: the recording's values are too large to be transformed."""
    if len(frames) and not torch.isfinite(torch.stack(frames.aminmax())).all():
        frame, feature = torch.isfinite(frames).logical_not().nonzero()[0].tolist()
        raise InputError(
            f"recording {recording}: its frames overflow",
            found=f"{frames[frame, feature]} in feature {feature} of frame {frame}",
            wanted=f"finite numbers: sums of a frame's samples below {torch.finfo(torch.float32).max:.1e}",
            todo="give the signal in a larger unit; or, where single samples are damaged, take quality cut or split",
        )


def frame_labels(labels: np.ndarray, n_fft: int, hop: int, n_classes: int) -> np.ndarray:
    """Return the most frequent sample label of each frame; ties go to the smallest class.

    A frame is unlabelled (-1) only where unlabelled samples outnumber every class.

    Parameters
    ----------
    labels : ndarray
        Integers `(samples,)` from -1 to n_classes - 1.
    n_fft, hop : int
        Window and step in samples.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray
        Int64 `(F,)`, F = (samples - n_fft) // hop + 1.
    """
    starts = np.arange(0, len(labels) - n_fft + 1, hop)
    counts = np.empty((n_classes + 1, len(starts)), dtype=np.int64)
    for row, label in enumerate([*range(n_classes), -1]):
        running = np.concatenate([[0], np.cumsum(labels == label)])
        counts[row] = running[starts + n_fft] - running[starts]
    winner = counts.argmax(0)
    return np.where(winner == n_classes, -1, winner)
