"""The encoder that a run leaves in its folder, with the curve of its training, for a later run of the same cell."""

from pathlib import Path

import pandas as pd
import torch

from emargin import rows as results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.methods import Method
from emargin.stages import code_versions
from emargin.training import Curve, build, load_checkpoint, save_atomically


def origin_of(experiment: Experiment, dataset: Dataset) -> dict:
    """What trained weights come from: the checksum of the data, and the code that reads these and trains on them."""
    code = code_versions(experiment)
    return {"data": dataset.checksum, "code": [code["data"], code["train"]]}


def write_encoder(folder: Path, experiment: Experiment, dataset: Dataset, method: Method, curve: Curve) -> None:
    """Put `curve.csv` and, last, `encoder.pt` into the folder; remove what an interrupted training left there."""
    results.write_text(folder / "curve.csv", pd.DataFrame(curve).to_csv(index=False))
    save_atomically(
        {
            "experiment": experiment.to_json(),
            "origin": origin_of(experiment, dataset),
            "method": method.state_dict(),
        },
        folder / "encoder.pt",
    )
    for name in ("resume.pt", "origin.json"):
        (folder / name).unlink(missing_ok=True)


def read_encoder(
    folder: Path, experiment: Experiment, dataset: Dataset, device: torch.device | str = "cpu"
) -> tuple[Method, pd.DataFrame] | None:
    """The method in evaluation mode, and the curve; None where the folder has none of this code, data and experiment.

    An encoder of another experiment, or that is damaged, is removed.
    """
    file = folder / "encoder.pt"
    try:
        state = load_checkpoint(file, experiment, device)
        if state["origin"] != origin_of(experiment, dataset):
            return None
        method = build(experiment, dataset.n_features, device)
        method.load_state_dict(state["method"])
        return method.eval(), pd.read_csv(folder / "curve.csv")
    except (InputError, KeyError, RuntimeError, OSError, pd.errors.EmptyDataError):  # the last: it takes no steps
        file.unlink(missing_ok=True)
        return None
