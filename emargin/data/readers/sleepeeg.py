"""Sleep EEG as the TF-C authors prepared it from Sleep-EDF: the SleepEEG files that the paper's code reads.

    recordings = load_sleepeeg(Path("data/sleepeeg"))

`train.pt` and `val.pt` hold windows of one EEG channel at 100 Hz with a sleep stage each (Zhang et al. 2022,
Self-Supervised Contrastive Pre-Training for Time Series via Time-Frequency Consistency). `sleepedf` reads the nights
that they were cut from.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData, unreadable

SAMPLING_RATE = 100  # Hz
STAGES = ("W", "N1", "N2", "N3", "REM")
FILES = ("train.pt", "val.pt")  # in the order in which the paper's code trains and tests
WINDOWS = (178, 200)  # samples: of the published files, and of the two seconds that their description names
NOBODY = "unknown"  # the subject of every window
# What torch.load raises on damaged files, next to the UnpicklingError with which it refuses what is not plain data.
DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    OSError,
    AttributeError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    AssertionError,
)
DOWNLOAD_AGAIN = "download the SleepEEG files again from the figshare article of TF-C, number 19930178"


def load_sleepeeg(folder: Path, *, n_fft: int = 178, hop: int = 178) -> RecordingSet:
    """Read `train.pt` and `val.pt` from the folder, each a dict of `samples` `(n, 1, 178)` and `labels` `(n,)`.

    n_fft, hop: window and step, in samples, of the frames that will be cut. Both must be the length of the windows in
    the files, so that frame q is window q. With windows of 200 samples and frames of 178, as in the released
    configuration, there are 1.1236 frames a window (50 windows give 56 frames), while the released code takes label q
    for frame q: the labels slip by a frame every eight or nine windows. Other frames would mix two windows, which need
    not be neighbours in time. So every other combination is refused.

    Returns one recording a file, named `train` and `val`: its windows end to end, values `(n * 178, 1)` in the unit
    of the files at 100 Hz, labels 0 W, 1 N1, 2 N2, 3 N3, 4 REM at every sample. The windows are cut from nights and
    nothing in the files says from which, so a sequence of frames follows the order of the file, not necessarily time.
    The border between the files is that between the sides of protocol `released`.

    The files carry no subject either: windows of one night can lie on both sides. All recordings therefore have one
    subject, and a split by subject (protocol `original`) refuses the set; nights with subjects are in Sleep-EDF's own
    files. A file `test.pt` is not read, because the paper's code does not.

    Only plain tensors are read: a file that needs code to be unpickled is refused with an InputError, and so is one
    that is damaged or not of this format. Raises MissingData where neither file is there.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        kind = MissingData if len(missing) == len(FILES) else InputError
        raise kind(
            f"{folder}: SleepEEG is not complete",
            found=f"no {' and no '.join(missing)}",
            wanted=" and ".join(FILES),
            todo=DOWNLOAD_AGAIN,
        )
    recordings = []
    for name in FILES:
        path = folder / name
        samples, labels = _read_file(path)
        length = samples.shape[-1]
        if not length == n_fft == hop:
            raise InputError(
                f"{path}: the frames are not the windows of the file, so labels would shift",
                found=f"windows of {length} samples, n_fft {n_fft}, hop {hop}",
                wanted=f"n_fft and hop {length}",
                todo=f"set n_fft={length} and hop={length}",
            )
        recordings.append(Recording(path.stem, NOBODY, samples.reshape(-1, 1), np.repeat(labels, length)))
    return RecordingSet(
        "sleepeeg", "real", STAGES, float(SAMPLING_RATE), tuple(recordings), test_from=recordings[-1].name
    )


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return windows float32 `(n, 1, samples)` and labels int64 `(n,)`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message advises to allow the code, so only the name in it is repeated.
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise InputError(
            f"{path}: not plain tensors, and anything else is refused since reading it could run code",
            found=f"a call of {code[1]}" if code else "no pickled tensors",
            wanted="a dict of tensors saved with torch.save",
            todo=DOWNLOAD_AGAIN,
        ) from error
    except DAMAGE as error:
        raise unreadable(
            f"{path}: cannot be read", error, "a dict of tensors saved with torch.save", DOWNLOAD_AGAIN
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), torch.Tensor) for key in ("samples", "labels")
    ):
        given: Any = type(content).__name__
        if isinstance(content, dict):
            given = ", ".join(f"{key}: {type(value).__name__}" for key, value in content.items())
        raise InputError(
            f"{path}: not the two tensors of SleepEEG",
            found=given or "nothing",
            wanted="samples and labels",
            todo=DOWNLOAD_AGAIN,
        )
    samples, labels = content["samples"], content["labels"]
    for what, usable, given, wanted in (
        (
            "samples",
            samples.ndim == 3 and samples.shape[1] == 1 and samples.shape[2] in WINDOWS and len(samples),
            tuple(samples.shape),
            f"(n, 1, {WINDOWS[0]}) or (n, 1, {WINDOWS[1]})",
        ),
        (
            "samples",
            samples.layout == torch.strided and samples.is_floating_point(),
            f"{samples.dtype}, {samples.layout}",
            "floating-point numbers",
        ),
        ("labels", labels.shape == samples.shape[:1], tuple(labels.shape), f"{tuple(samples.shape[:1])}, one each"),
        (
            "labels",
            labels.layout == torch.strided and not labels.is_complex(),
            f"{labels.dtype}, {labels.layout}",
            "whole numbers",
        ),
    ):
        if not usable:
            raise InputError(f"{path}: {what} cannot be used", found=given, wanted=wanted, todo=DOWNLOAD_AGAIN)
    wrong = ~torch.isin(labels.double(), torch.arange(len(STAGES)).double())
    if wrong.any():
        window = int(wrong.nonzero()[0])
        raise InputError(
            f"{path}: no sleep stage",
            found=f"label {labels[window].item()} at window {window}",
            wanted=f"0 to {len(STAGES) - 1}",
            todo=DOWNLOAD_AGAIN,
        )
    return samples.detach().float().numpy(), labels.detach().long().numpy()
