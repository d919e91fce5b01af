"""The encoder that a run leaves in its folder, with the curve of its training: to score again, or to go on from.

`encoder.pt` holds the experiment; the fingerprint of its training, `origin`; the weights and the precision that they
were kept in; and what a user of the encoder needs besides: names of the classes, the number of features, and the mean
and standard deviation of each feature that frames are standardised with. It is read without unpickling.
"""

from pathlib import Path

import pandas as pd
import torch

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.methods import Method
from emargin.rows import write_text
from emargin.stages import code_versions
from emargin.training import Curve, build, load_checkpoint, save_atomically

EXACT = "float32"  # the precision of weights that are as the training left them


def origin_of(experiment: Experiment, dataset: Dataset) -> dict:
    """Return what weights come from: the checksum of the data, and the code that reads these and trains on them."""
    return {"data": dataset.checksum, "code": training_code(experiment)}


def training_code(experiment: Experiment) -> list[str]:
    """Return the fingerprints of the code that reads a cell's data and that trains on them."""
    code = code_versions(experiment)
    return [code["data"], code["train"]]


def write_encoder(folder: Path, experiment: Experiment, dataset: Dataset, method: Method, curve: Curve) -> None:
    """Put `curve.csv` and, last, `encoder.pt` into the folder; remove what an interrupted training left there."""
    state = {
        "experiment": experiment.to_json(),
        "origin": origin_of(experiment, dataset),
        "method": method.state_dict(),
        "weights": EXACT,
        "classes": list(dataset.classes),
        "n_features": dataset.n_features,
        "standardisation": None if dataset.standardisation is None else list(dataset.standardisation),
    }
    write_state(folder, state, pd.DataFrame(curve).to_csv(index=False))
    for name in ("resume.pt", "origin.json"):
        (folder / name).unlink(missing_ok=True)


def write_state(folder: Path, state: dict, curve: str) -> None:
    """Put a curve and, last, what an `encoder.pt` holds into the folder."""
    write_text(folder / "curve.csv", curve)
    save_atomically(state, folder / "encoder.pt")


def read_encoder(
    folder: Path, experiment: Experiment, dataset: Dataset, device: torch.device | str = "cpu"
) -> tuple[Method, pd.DataFrame] | None:
    """Return the method in evaluation mode, and the curve; None where there is none of this code, data, experiment.

    Weights that were rounded since are none of these. An encoder of another experiment, or that is damaged, is removed.
    """
    file = folder / "encoder.pt"
    try:
        state = load_checkpoint(file, experiment, device)
        if state["origin"] != origin_of(experiment, dataset) or state["weights"] != EXACT:
            return None
        curve = pd.read_csv(folder / "curve.csv") if experiment.iterations else pd.DataFrame()
        return _method_of(state, experiment, dataset, device), curve
    except (InputError, KeyError, RuntimeError, OSError, pd.errors.EmptyDataError):
        file.unlink(missing_ok=True)
        return None


def load_encoder(
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
        For a file that is damaged, or of another experiment, code or data.
    """
    what, state = f"encoder {file}", load_checkpoint(file, experiment, device)
    try:
        origin, weights = state["origin"], state["weights"]
        if origin == origin_of(experiment, dataset):
            return _method_of(state, experiment, dataset, device), weights
    except (KeyError, RuntimeError, TypeError) as error:
        wanted, todo = "an encoder that this program wrote", "delete it, and run the cell again"
        raise InputError(f"{what} cannot be read", found=type(error).__name__, wanted=wanted, todo=todo) from error
    wanted = f"{origin_of(experiment, dataset)}"
    raise InputError(f"{what} is of another training", found=f"{origin}", wanted=wanted, todo="run the cell again")


def _method_of(state: dict, experiment: Experiment, dataset: Dataset, device: torch.device | str) -> Method:
    method = build(experiment, dataset.n_features, device)
    method.load_state_dict(state["method"])
    return method.eval()
