"""What a run leaves for the next one: the contract of `resume.pt` and `encoder.pt`.

Each holds the format of the file, the experiment and its digest, the origin of its weights (the checksum of the data,
and the code that reads these and trains on them), the number of threads, and a checksum of all of it. All
are checked where a file is read, which is without unpickling.
"""

import hashlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.files import write_bytes
from emargin.stages import code_versions

FORMAT = 2  # of both files; the first had no number and no checksum


def origin_of(experiment: Experiment, dataset: Dataset) -> dict:
    """Return what weights come from: the checksum of the data, and the code that reads these and trains on them."""
    return {"data": dataset.checksum, "code": training_code(experiment)}


def training_code(experiment: Experiment) -> list[str]:
    """Return the fingerprints of the code that reads a cell's data and that trains on them."""
    code = code_versions(experiment)
    return [code["data"], code["train"]]


def save_atomically(state: dict, path: Path) -> None:
    """Save beside the target, with format and checksum, then rename: a reader never meets half a file.

    Raises
    ------
    Unwritable
        Where the disk is full, or nothing may be written there; the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"format": FORMAT} | state
    stream = io.BytesIO()  # torch itself reports a full disk as a fault of its own
    torch.save(state | {"checksum": _checksum(state)}, stream)
    write_bytes(path, stream.getbuffer())


def read_state(what: str, path: Path, device: torch.device | str = "cpu") -> dict:
    """Return what a file holds.

    Parameters
    ----------
    what : {"checkpoint", "encoder"}
    path : Path
    device : torch.device or str

    Returns
    -------
    dict

    Raises
    ------
    InputError
        For a file that cannot be read, that another version of this program wrote, that is of another kind, or whose
        content is not what was written.
    """
    name, todo = f"{what} {path}", f"delete {path}; training starts again"
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        version, checksum = state.get("format", 1), state.pop("checksum", None)
        newer = version > FORMAT
    except Exception as error:  # torch.load reports damage by many types, in words that advise to unpickle
        wanted = "a file that this program wrote"
        raise InputError(f"{name} cannot be read", found=type(error).__name__, wanted=wanted, todo=todo) from error
    if version != FORMAT:
        written = f"{name} was written by {'a newer' if newer else 'an older'} version of this program"
        there = f"format {version}" if "format" in state else "no number of a format"
        raise InputError(written, found=there, wanted=f"format {FORMAT}", todo=f"use that version, or {todo}")
    if checksum != (content := _checksum(state)):
        raise InputError(
            f"{name} cannot be read: it is damaged", found=f"checksum {content}", wanted=checksum, todo=todo
        )
    if state.get("kind") != what:
        raise InputError(f"{name} is none", found=state.get("kind"), wanted=what, todo=todo)
    return state


def named(experiment: Experiment) -> dict:
    """Return what a file says of its experiment: all fields, its digest, and where its data lie if it is a folder."""
    entry = entry_of(experiment.dataset)
    place = str(entry.folder.resolve()) if entry.is_folder else experiment.dataset
    return {"experiment": experiment.to_json(), "digest": experiment.digest, "place": place}


def check_experiment(what: str, state: dict, experiment: Experiment) -> bool:
    """Return whether a state is of the experiment; False where its own recordings have changed since.

    Raises
    ------
    InputError
        For a state of another experiment, with both named.
    """
    if state["digest"] == experiment.digest:
        return True
    theirs, ours = (json.loads(kept["experiment"]) | {"dataset": kept["place"]} for kept in (state, named(experiment)))
    names = [name for name in ours.keys() | theirs.keys() if theirs.get(name) != ours.get(name)]
    if not names:
        return False
    differing = "; ".join(f"{name} {theirs.get(name)!r} instead of {ours.get(name)!r}" for name in sorted(names))
    found, todo = f"digest {state['digest']}: {differing}", "choose another folder, or delete the file"
    wanted = f"{experiment}, digest {experiment.digest}"
    raise InputError(f"{what} belongs to another experiment", found=found, wanted=wanted, todo=todo)


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training that was stopped, and what it must be of for the training to go on from it."""

    path: Path
    experiment: Experiment
    origin: dict

    def save(self, state: dict[str, Any]) -> None:
        """Write the state of the training. Raises Unwritable, and leaves the last checkpoint then."""
        what = {"kind": "checkpoint", "origin": self.origin, "threads": torch.get_num_threads()}
        save_atomically(named(self.experiment) | what | state, self.path)

    def load(self, device: torch.device | str = "cpu") -> dict | None:
        """Return the state of the training; None where there is none, or one on other recordings or by other code.

        Raises
        ------
        InputError
            For a file that cannot be read, of another experiment, or computed with another number of threads.
        """
        if not self.path.exists():
            return None
        state = read_state("checkpoint", self.path, device)
        if check_experiment(f"checkpoint {self.path}", state, self.experiment) and state["origin"] == self.origin:
            if other_threads(state):
                raise InputError(
                    f"checkpoint {self.path} was computed with another number of threads",
                    found=state["threads"],
                    wanted=f"{torch.get_num_threads()}, since with others sums differ in their last digits",
                    todo=f"go on with --threads {state['threads']}, or delete the file; training starts again then",
                )
            return state
        say(f"checkpoint {self.path} is {others(state['origin'], self.origin)}; training starts again")
        return None


def other_threads(state: dict) -> bool:
    """Return whether a state is known to be of another number of threads than this process computes with."""
    return state.get("threads") not in (None, torch.get_num_threads())


def others(theirs: dict, ours: dict) -> str:
    """Return in words what two origins differ in."""
    if theirs["data"] != ours["data"]:
        return f"of other recordings (checksum {theirs['data']}, now {ours['data']})"
    return f"by other code (fingerprints {' '.join(theirs['code'])}, now {' '.join(ours['code'])})"


def say(what: str) -> None:
    """Print a line about what is not gone on from."""
    print(f"emargin: {what}", file=sys.stderr)


def _checksum(state: dict) -> str:
    """Return the SHA-256 (hex) of all that a state holds, however a file lays it out."""
    digest = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, Tensor):
            value = value.detach().cpu().contiguous()
            digest.update(f"{value.dtype} {tuple(value.shape)}\0".encode())
            digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, dict):
            add(list(value))
            for part in value.values():
                add(part)
        elif isinstance(value, list | tuple):
            digest.update(f"{len(value)} parts\0".encode())
            for part in value:
                add(part)
        else:
            digest.update(f"{value!r}\0".encode())

    add(state)
    return digest.hexdigest()
