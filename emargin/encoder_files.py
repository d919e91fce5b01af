"""The encoder that a run leaves in its folder, with the curve of its training: to score again, or to go on from.

`encoder.pt` holds the experiment; the fingerprint of its training, `origin`; the number of threads; the weights and the
precision that they were kept in; the checksum of `curve.csv`; and what a user of the encoder needs besides: names of
the classes, the number of features, the mean and standard deviation of each feature that frames are standardised
with, and what recordings it was trained on, as `input_of` has it. It is written and read as `emargin.state` says.
"""

import hashlib
import io
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.data.catalogue import entry_of, rate_of, settings_of
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.methods import Method
from emargin.rows import write_text
from emargin.state import check_experiment, named, origin_of, other_threads, others, read_state, save_atomically, say
from emargin.training import Curve, build

EXACT = "float32"  # the precision of weights that are as the training left them
INPUT_FORMAT = 1  # of what `input_of` says; files of earlier versions do not have it


def write_encoder(folder: Path, experiment: Experiment, dataset: Dataset, method: Method, curve: Curve) -> None:
    """Put `curve.csv` and, last, `encoder.pt` into the folder; remove what an interrupted training left there."""
    state = named(experiment) | {
        "origin": origin_of(experiment, dataset),
        "threads": torch.get_num_threads(),
        "method": method.state_dict(),
        "weights": EXACT,
        "classes": list(dataset.classes),
        "n_features": dataset.n_features,
        "standardisation": None if dataset.standardisation is None else list(dataset.standardisation),
        "input": input_of(experiment, dataset),
    }
    write_state(folder, state, pd.DataFrame(curve).to_csv(index=False))
    (folder / "resume.pt").unlink(missing_ok=True)


def input_of(experiment: Experiment, dataset: Dataset) -> dict:
    """Return what recordings an encoder is trained on, for `emargin.embedding` to take none that do not fit.

    Returns
    -------
    dict
        format; framed: whether the recordings were ready-made frames; rate: samples a second, or None; frame_seconds of
        ready-made frames, or None; window: samples of a raw window, or None; level: as `level_of` gives it.
    """
    entry, window = entry_of(experiment.dataset), settings_of(experiment.dataset).window
    framed = entry.frame_seconds is not None or (window is None and experiment.n_fft is None)
    parts = {"rate": rate_of(experiment.dataset), "frame_seconds": entry.frame_seconds, "window": window}
    bins = bins_of(experiment, framed, window)
    level = level_of(dataset.train.frames, bins, dataset.standardisation) if dataset.n_features % bins == 0 else None
    return {"format": INPUT_FORMAT, "framed": framed, **parts, "level": level}


def bins_of(experiment: Experiment, framed: bool, window: int | None) -> int:
    """Return how many features of a frame are of one channel: of ready-made frames, each is one of its own."""
    if framed:
        return 1
    return window or cast(int, experiment.n_fft) // 2 + 1


def level_of(frames: Tensor, bins: int, standardisation: tuple[Tensor, Tensor] | None = None) -> list[float]:
    """Return the root mean square of each channel's features, in the unit of the recordings, `(channels,)`.

    Parameters
    ----------
    frames : Tensor
        `(F, D)`, of which `bins` features follow each other for each channel.
    bins : int
    standardisation : tuple of Tensor, optional
        The mean and standard deviation that the frames have lost.
    """
    mean, std = standardisation or (torch.zeros(()), torch.ones(()))
    squares = torch.linalg.vector_norm(frames, dim=0, dtype=torch.float64).square() / len(frames)
    squares = squares * std.double() ** 2 + 2 * frames.mean(0, dtype=torch.float64) * mean * std + mean.double() ** 2
    return squares.view(-1, bins).mean(1).clamp(min=0).sqrt().tolist()


def write_state(folder: Path, state: dict, curve: str) -> None:
    """Put a curve and, last, what an `encoder.pt` holds into the folder."""
    write_text(folder / "curve.csv", curve)
    save_atomically(state | {"kind": "encoder", "curve": _sha(curve.encode())}, folder / "encoder.pt")


def read_curve(folder: Path, state: dict) -> bytes:
    """Return the content of `curve.csv`. Raise InputError where it is not the one of the encoder beside it."""
    path, wanted = folder / "curve.csv", f"checksum {state['curve']}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read", found=error.strerror, wanted=wanted) from error
    if _sha(content) != state["curve"]:
        raise InputError(f"{path} is damaged", found=f"checksum {_sha(content)}", wanted=wanted)
    return content


def read_encoder(
    folder: Path, experiment: Experiment, dataset: Dataset, device: torch.device | str = "cpu"
) -> tuple[Method, pd.DataFrame] | None:
    """Return the method in evaluation mode, and the curve; None where there is none of this code and these data.

    Weights that were rounded since are none of these. A line on stderr says why an encoder that is there is none.

    Raises
    ------
    InputError
        For an encoder of another experiment.
    """
    file = folder / "encoder.pt"
    if not file.exists():
        return None
    try:
        state = read_state("encoder", file, device)
        curve = read_curve(folder, state)
    except InputError as error:
        say(f"{error} The encoder is made again.")
        return None
    what, origin, reason = f"encoder {file}", origin_of(experiment, dataset), ""
    if not check_experiment(what, state, experiment) or state["origin"] != origin:
        reason = others(state["origin"], origin)
    elif state["weights"] != EXACT:
        reason = f"rounded to {state['weights']}"
    elif other_threads(state):
        reason = f"of {state['threads']} threads, now {torch.get_num_threads()}"
    if reason:
        say(f"{what} is {reason}; it is made again")
        return None
    table = pd.read_csv(io.BytesIO(curve)) if experiment.iterations else pd.DataFrame()
    return _method_of(state, experiment, dataset, device), table


def load_trained(
    file: Path, experiment: Experiment, dataset: Dataset, device: torch.device | str = "cpu"
) -> tuple[Method, str]:
    """Load an encoder to score it; leave the file as it is.

    Parameters
    ----------
    file : Path
        `encoder.pt`.
    experiment : Experiment
        Resolved.
    dataset : Dataset
    device : torch.device or str

    Returns
    -------
    Method
        In evaluation mode.
    str
        The precision that its weights were kept in.

    Raises
    ------
    InputError
        For a file that is damaged, or of another version, experiment, code or data.
    """
    what, state, origin = f"encoder {file}", read_state("encoder", file, device), origin_of(experiment, dataset)
    if not check_experiment(what, state, experiment) or state["origin"] != origin:
        wanted, todo = f"{origin}", "run the cell again"
        raise InputError(f"{what} is of another training", found=f"{state['origin']}", wanted=wanted, todo=todo)
    return _method_of(state, experiment, dataset, device), state["weights"]


def _method_of(state: dict, experiment: Experiment, dataset: Dataset, device: torch.device | str) -> Method:
    method = build(experiment, dataset.n_features, device)
    method.load_state_dict(state["method"])
    return method.eval()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
