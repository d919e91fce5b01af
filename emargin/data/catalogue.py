"""The data sets by name, with the settings of each.

The paper's three sets, in the geometry of the paper's section 4 where it is unambiguous:

- `harth`: text and released configuration agree.
- `ecg`: the text's D 252, T 500; `ecg-released` is the released configuration's D 1502, T 200, with its own draw.
- `sleepeeg`: the released configuration's STFT of 178 samples, D 90, T 200, because the paper says that every set goes
  through the STFT; `sleepeeg-paper` is the text's D 178, T 300, which only fits raw windows of 178 samples.

The name of a geometry frames the same recordings in another way, and that is all that differs: temperature and
iterations stay the paper's, the margin is the paper's 5 for all sets. Each of the five names has a simulator (`-sim`)
and a white noise (`-noise`). Four further real sets take the hyperparameters of the nearest of the three; any set of
the UCR archive is `ucr-NAME`.
"""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from emargin.data.readers.npz import read_description
from emargin.data.readers.ucr import classes_and_length
from emargin.errors import InputError, MissingData
from emargin.paths import home


@dataclass(frozen=True)
class Settings:
    """What is fixed for one data set.

    n_fft, hop: STFT window and step in samples; None where frames are no STFT.
    sequence_length: T, frames in a sequence.
    stride: frames between the starts of two sequences. temperature: tau. iterations: optimiser steps.
    train_share: part of the sequences (protocol `released`) or subjects (`original`) that is trained on.
    draw: frames per class for clustering (nominal; all there are where there are fewer).
    standardise: what protocol `released` computes feature statistics from, "all" recordings or "none".
    window: samples of a frame that is a piece of the signal as it is, not transformed and not overlapping; else None.
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
    window: int | None = None


HARTH = Settings(
    n_fft=50,
    hop=25,
    sequence_length=119,
    stride=24,
    temperature=0.05,
    iterations=600,
    train_share=0.5,
    draw=(1000,) * 11 + (500,),
    standardise="all",
)
SLEEPEEG = Settings(
    n_fft=178,
    hop=178,
    sequence_length=200,
    stride=200,
    temperature=0.1,
    iterations=600,
    train_share=0.8,
    draw=(1000,) * 5,
    standardise="none",
)
SLEEPEEG_PAPER = replace(SLEEPEEG, n_fft=None, hop=None, window=178, sequence_length=300, stride=300)
ECG = Settings(
    n_fft=250,
    hop=125,
    sequence_length=500,
    stride=500,
    temperature=0.5,
    iterations=200,
    train_share=0.8,
    draw=(1577, 972, 459, 1467),
    standardise="none",
)
ECG_RELEASED = replace(ECG, n_fft=1500, hop=750, sequence_length=200, stride=200, draw=(1000, 162, 77, 800))

# As HARTH: frames of a second, half overlapping (12 of 25 samples), and sequences of 119 of them, 57 s; a person's
# 95 minutes make 490 sequences. Half of the eight people are trained on, and everyone does all nineteen activities.
DSADS = replace(HARTH, n_fft=25, hop=12, draw=(1000,) * 19)
# Executions last 9 to 15 s and standing up a little more than one, so frames are of half a second (24 of 50 samples a
# second), half overlapping, and T is 24, 6 s: the shortest execution has 34 frames. The stride of 2 leaves at most one
# frame of an execution's end, which is the sitting down, outside all sequences.
SPSW_HAR = replace(HARTH, n_fft=24, hop=12, sequence_length=24, stride=2, draw=(1000,) * 5)
# Frames are epochs of 30 s already. T is 120, one hour: a record has 7 to 23 sequences (T 200 would leave four).
SLEEPEDF_FEATURES = replace(SLEEPEEG, n_fft=None, hop=None, sequence_length=120, stride=120)

PAPER = {
    "harth": HARTH,
    "sleepeeg": SLEEPEEG,
    "sleepeeg-paper": SLEEPEEG_PAPER,
    "ecg": ECG,
    "ecg-released": ECG_RELEASED,
}
SIMULATED = {f"{name}-{kind}": settings for kind in ("sim", "noise") for name, settings in PAPER.items()}
REAL = PAPER | {
    "mitbih": ECG,
    "mitbih-released": ECG_RELEASED,
    "dsads": DSADS,
    "spsw-har": SPSW_HAR,
    "sleepedf-features": SLEEPEDF_FEATURES,
}
READABLE = tuple(REAL)  # those whose public files this module reads
DATASETS = REAL | SIMULATED
UCR = "ucr-"  # what the name of a set of the UCR archive starts with


def data_root() -> Path:
    """The folder of the real data sets: $EMARGIN_DATA, or `data/` in the checkout."""
    return Path(os.environ.get("EMARGIN_DATA") or home() / "data")


def real_folder(name: str) -> Path:
    """Where the real recordings of a named set are looked for."""
    if name.startswith(UCR):
        return data_root() / "ucr" / name.removeprefix(UCR)
    return data_root() / recordings_of(name)


def recordings_of(name: str) -> str:
    """The name of the recordings that a name of the catalogue frames: "ecg-released-sim" frames "ecg-sim"."""
    return name.replace("-released", "").replace("-paper", "")


def settings_of(dataset: str) -> Settings:
    """Settings of a name of the catalogue, of `ucr-NAME`, or of a folder with the reader's own recordings.

    Raises MissingData for a set of the UCR archive that is not there, InputError for a folder that cannot be used.
    """
    if dataset in DATASETS:
        return DATASETS[dataset]
    return ucr_settings(dataset) if dataset.startswith(UCR) else own_settings(Path(dataset))


def ucr_settings(name: str) -> Settings:
    """Settings for a set of the UCR archive: every series is one sequence, so T follows from its length.

    Frames are 16 samples, an eighth of the shortest series here, at steps of 4: series of 128 to 300 samples make 29 to
    72 frames of D 9. At the usual half overlap the shortest would make 15, too few for the windows of some methods.
    The six sets here have fewer than 160,000 training samples, for which the paper's rule says 200 iterations. The
    archive's own split leaves train_share unused, and no original set is near: the temperature is the middle one of
    the paper's three. Every class of the archive has a nominal draw of 1000 frames.
    Raises MissingData if the set is not there.
    """
    folder = real_folder(name)
    if not folder.is_dir():
        there = sorted(path.name for path in folder.parent.glob("[!.]*") if path.is_dir())
        raise MissingData(
            f"the UCR set {name.removeprefix(UCR)} is not here",
            found=f"no folder {folder}",
            wanted=", ".join(UCR + other for other in there) or "a folder of the archive's .tsv files",
            todo="get it from the UCR time series archive of 2018; another place: set EMARGIN_DATA to "
            "the folder that holds ucr/",
        )
    n_fft, hop = 16, 4
    n_classes, length = classes_and_length(folder)
    frames = max((length - n_fft) // hop + 1, 1)
    return Settings(
        n_fft=n_fft,
        hop=hop,
        sequence_length=frames,
        stride=frames,
        temperature=0.1,
        iterations=200,
        train_share=0.5,
        draw=(1000,) * n_classes,
        standardise="none",
    )


def own_settings(folder: Path) -> Settings:
    """Settings for the reader's own recordings: one-second frames, half overlapping, as in HARTH and ECG.

    Frames that are features already are taken as they come. T is 100; all of it can be set in the Experiment.
    Raises InputError if `dataset.json` is missing or cannot be read, or its sampling rate is no positive number.
    """
    description = read_description(folder / "dataset.json")
    rate = description.get("sampling_rate")
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if rate is not None and not (number and 0 < rate < math.inf):
        raise InputError(
            f"sampling_rate in {folder / 'dataset.json'} cannot be used",
            found=repr(rate),
            wanted="a positive number, in Hz",
        )
    n_fft = None if rate is None else max(2, round(rate))
    return Settings(
        n_fft=n_fft,
        hop=None if n_fft is None else n_fft // 2,
        sequence_length=100,
        stride=100,
        temperature=0.1,
        iterations=200,
        train_share=0.8,
        draw=(1000,) * len(description["classes"]),
        standardise="none",
    )
