"""The data sets by name, with the paper's settings for each.

Geometry and hyperparameters are those of the paper's section 4 where it is unambiguous. For SleepEEG the released
configuration is used (STFT of 178 samples, D 90, T 200), because the paper says that every set goes through the STFT
while its D 178 only fits raw windows. The margin is the paper's 5 for all sets.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from emargin.data.npz import read_description
from emargin.paths import home


@dataclass(frozen=True)
class Settings:
    """What the paper fixes for one data set.

    n_fft, hop: STFT window and step in samples. sequence_length: T, frames in a sequence.
    stride: frames between the starts of two sequences. temperature: tau. iterations: optimiser steps.
    train_share: part of the sequences (protocol `released`) or subjects (`original`) that is trained on.
    draw: frames per class for clustering (nominal; all there are where there are fewer).
    standardise: what protocol `released` computes feature statistics from, "all" recordings or "none".
    """

    n_fft: int | None
    hop: int | None
    sequence_length: int
    stride: int
    temperature: float
    iterations: int
    train_share: float
    draw: tuple[int, ...]
    standardise: str


HARTH = Settings(n_fft=50, hop=25, sequence_length=119, stride=24, temperature=0.05, iterations=600,
                 train_share=0.5, draw=(1000,) * 11 + (500,), standardise="all")
SLEEPEEG = Settings(n_fft=178, hop=178, sequence_length=200, stride=200, temperature=0.1, iterations=600,
                    train_share=0.8, draw=(1000,) * 5, standardise="none")
ECG = Settings(n_fft=250, hop=125, sequence_length=500, stride=500, temperature=0.5, iterations=200,
               train_share=0.8, draw=(1577, 972, 459, 1467), standardise="none")

SIMULATED = {f"{name}-{kind}": settings
             for kind in ("sim", "noise")
             for name, settings in (("harth", HARTH), ("sleepeeg", SLEEPEEG), ("ecg", ECG))}
REAL = {"harth": HARTH, "sleepeeg": SLEEPEEG, "ecg": ECG, "mitbih": ECG}
READABLE = ("ecg", "mitbih")  # those whose public files this module reads
DATASETS = REAL | SIMULATED


def data_root() -> Path:
    """The folder of the real data sets: $EMARGIN_DATA, or `data/` in the checkout."""
    return Path(os.environ.get("EMARGIN_DATA") or home() / "data")


def real_folder(name: str) -> Path:
    """Where the real recordings of a named set are looked for."""
    return data_root() / name


def own_settings(folder: Path) -> Settings:
    """Settings for the reader's own recordings: one-second frames, half overlapping, as in HARTH and ECG.

    Frames that are features already are taken as they come. T is 100; all of it can be set in the Experiment.
    Raises InputError if `dataset.json` is missing or cannot be read.
    """
    description = read_description(folder / "dataset.json")
    rate = description.get("sampling_rate")
    n_fft = None if rate is None else max(2, round(rate))
    return Settings(n_fft=n_fft, hop=None if n_fft is None else n_fft // 2, sequence_length=100, stride=100,
                    temperature=0.1, iterations=200, train_share=0.8, draw=(1000,) * len(description["classes"]),
                    standardise="none")
