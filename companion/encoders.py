"""Archives of encoders, for a release: `emargin encoders pack` and `emargin encoders unpack`.

An archive is a zip file without compression. Its members are arrays in numpy's format, one for each tensor, the curve
of each training as CSV, and `manifest.json`, which has of each encoder the experiment, the fingerprint of its training,
the precision of its weights, the names of the classes, the number of features, and the SHA-256 of every member. Nothing
in it is pickled, and nothing is unpickled. The same encoders give the same bytes.

In half precision the weights are rounded, and they alone: running statistics and counters of BatchNorm, and the
standardisation of the features, stay as they are.
"""

import hashlib
import io
import json
import math
import os
import re
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock

from companion.grid.plan import cell_folder, once
from emargin.config import Experiment
from emargin.data.loading import checksum_of
from emargin.encoder_files import EXACT, read_curve, write_state
from emargin.errors import InputError
from emargin.files import clear, names_to_disk, to_disk, unfinished
from emargin.methods import METHODS
from emargin.resolve import resolve
from emargin.rows import writable_folder
from emargin.state import named, read_state, training_code
from emargin.training import build

FORMAT = "emargin encoders 1"
PRECISIONS = (EXACT, "float16")
MANIFEST = "manifest.json"
NAMES = re.compile(
    r"[0-9a-f]{16}-[0-9a-f]{8}/(curve\.csv|standardisation/(mean|std)\.npy|method/\w+(\.\w+)*\.npy)", re.ASCII
)
NUMBERS = ("<f4", "<f2", "<f8", "<i8", "<i4", "|u1", "|b1")  # what arrays may hold
KEPT = ("experiment", "origin", "weights", "classes", "n_features")  # of an `encoder.pt`, besides its tensors
DATE = (1980, 1, 1, 0, 0, 0)  # of every member


@dataclass
class Outcome:
    """What was packed or unpacked.

    Parameters
    ----------
    number : int
        How many encoders.
    present : int
        How many lay where they belong before.
    left_out : list of InputError
        Why others were left out.
    checksum : str
        SHA-256 of the archive that was written.
    """

    number: int = 0
    present: int = 0
    left_out: list[InputError] = field(default_factory=list)
    checksum: str = ""


def pack(folder: Path, archive: Path, dtype: str = EXACT) -> Outcome:
    """Write the encoders of a folder into an archive.

    Those that other code than the present trained, or that hold more than tensors, are left out.

    Parameters
    ----------
    folder : Path
        Its folders hold an `encoder.pt` and a `curve.csv` each, as `runs/cells` has them.
    archive : Path
    dtype : str
        Of the weights: "float32", or "float16", to which they are rounded.

    Raises
    ------
    InputError
        For an unknown dtype, no encoder, one that is damaged, or weights that half precision cannot hold; nothing is
        written then.
    """
    _check_dtype(dtype, "an archive of encoders")
    files = sorted(folder.glob("*/encoder.pt"))
    outcome, entries = Outcome(), {}
    clear(writable_folder(archive.parent))
    with unfinished(archive) as beside:
        with zipfile.ZipFile(beside, "w") as archived:
            for file in files:
                state, cell = _read(file)
                if state["origin"]["code"] != training_code(cell):
                    outcome.left_out.append(_other_training(cell, file, state["origin"]["code"], training_code(cell)))
                    continue
                if more := [name for name, value in state["method"].items() if not isinstance(value, torch.Tensor)]:
                    outcome.left_out.append(_more_than_tensors(cell, file, more[0]))
                    continue
                name = cell_folder(cell).name
                if name in entries:
                    raise InputError(f"two encoders of {cell}", found=f"the second is {file}", wanted="one of a cell")
                members = _members_of(state, cell, file, dtype)
                for part, content in members.items():
                    archived.writestr(_info(f"{name}/{part}"), content)
                entry = {key: state[key] for key in KEPT} | {"experiment": json.loads(state["experiment"])}
                entry |= {key: state.get(key) for key in ("threads", "input")}
                if dtype != EXACT:
                    entry["weights"] = dtype
                entries[name] = entry | {"members": {part: _sha(content) for part, content in members.items()}}
            if not entries:
                raise InputError(
                    f"no encoder in {folder}",
                    found=f"{len(outcome.left_out)} that are left out" if outcome.left_out else None,
                    wanted="FOLDER/*/encoder.pt of the present code",
                    todo="name the folder that cells ran in, such as runs/cells",
                )
            manifest = {"format": FORMAT, "dtype": dtype, "encoders": entries}
            archived.writestr(_info(MANIFEST), json.dumps(manifest, indent=1, sort_keys=True))
        outcome.number = len(entries)
        with beside.open("rb+") as stream:
            outcome.checksum = hashlib.file_digest(stream, "sha256").hexdigest()
            to_disk(stream)
        os.replace(beside, archive)
    names_to_disk(archive.parent)
    return outcome


def unpack(archive: Path, folder: Path) -> Outcome:
    """Put the encoders of an archive into folders of cells, where `emargin score` finds them.

    The whole archive is checked before anything is written. Encoders that the present code or the data on this machine
    did not train are left out; `Outcome.left_out` names them. An encoder that is there already stays.

    Parameters
    ----------
    archive : Path
        As `pack` wrote it.
    folder : Path
        The folder of folders of cells, such as `runs/cells`.

    Raises
    ------
    InputError
        For an archive that is damaged, that `pack` did not write, or with a name that could lead elsewhere.
    """
    outcome, checksum = Outcome(), once(checksum_of)
    try:
        archived = zipfile.ZipFile(archive)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise _damaged(archive, error) from error
    with archived:
        entries = _manifest(archived, archive)
        ahead = []
        for name, entry in entries.items():
            state, curve = _state_of(archived, archive, name, entry)
            try:
                cell = _cell_of(state, archive)
                _check_training(cell, entry["origin"], checksum(cell), archive)
            except InputError as error:
                outcome.left_out.append(error)
                continue
            _check_fit(state, cell, f"{archive}, {name}")
            ahead.append((name, cell))
        for name, cell in ahead:
            state, curve = _state_of(archived, archive, name, entries[name])
            place = writable_folder(cell_folder(cell, folder))
            with FileLock(place / ".lock"):
                if _is_there(place / "encoder.pt", state):
                    outcome.present += 1
                else:
                    write_state(place, state | named(cell), curve)
                    outcome.number += 1
    return outcome


# --- writing


def _read(file: Path) -> tuple[dict, Experiment]:
    """Return what an `encoder.pt` holds, and its experiment."""
    state = read_state("encoder", file)
    _check_dtype(state["weights"], f"encoder {file}")
    return state, resolve(Experiment.from_json(state["experiment"]))


def _members_of(state: dict, cell: Experiment, file: Path, dtype: str) -> dict[str, bytes]:
    """Return the members of one encoder, by their names below its folder."""
    weights = _check_fit(state, cell, f"encoder {file}")
    members = {}
    for name, tensor in state["method"].items():
        if dtype != EXACT and name in weights and tensor.dtype == torch.float32:
            rounded = tensor.half()
            if not torch.isfinite(rounded).all():
                raise InputError(
                    f"encoder {file}: half precision cannot hold {name}",
                    found=f"{tensor.abs().max().item():g}",
                    wanted=f"finite weights of at most {torch.finfo(torch.float16).max:g}",
                    todo="pack it with --dtype float32",
                )
            tensor = rounded
        members[f"method/{name}.npy"] = _npy(tensor)
    for name, tensor in zip(("mean", "std"), state["standardisation"] or (), strict=False):
        members[f"standardisation/{name}.npy"] = _npy(tensor)
    members["curve.csv"] = read_curve(file.parent, state)
    return dict(sorted(members.items()))


def _check_fit(state: dict, cell: Experiment, where: str) -> set[str]:
    """Return the names of the weights. Raise InputError where the tensors are not those that the cell's method has."""
    found, given = _flaw(state), state["method"]
    try:
        found = found or _difference(given, _on_no_device(cell, state["n_features"]))
        method = None if found else build(cell, state["n_features"])
        if method is not None:
            found = _difference(given, method.state_dict())
            method.load_state_dict(given)
    except (RuntimeError, TypeError, ValueError) as error:
        found = found or str(error)
    if found or method is None:
        raise InputError(f"{where}: not the tensors of {cell}", found=found, wanted="those that its method has")
    return {name for name, _ in method.named_parameters()}


def _flaw(state: dict) -> str | None:
    """Return what no training leaves: numbers that are not finite, a scale of 0, more features than numbers."""
    tensors = dict(state["method"])
    both, n_features = state["standardisation"] or (), state["n_features"]
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if type(n_features) is not int or not 0 < n_features <= numbers:
        return f"{n_features!r} features, and {numbers} numbers in all"
    if len(both) not in (0, 2):
        return "a mean without a standard deviation, or the reverse"
    tensors |= dict(zip(("standardisation/mean", "standardisation/std"), both, strict=False))
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return f"a number in {name} that is not finite"
        if name.startswith("standardisation/") and (tensor.dtype, tensor.numel()) != (torch.float32, n_features):
            return f"{name} of {tensor.dtype} and shape {tuple(tensor.shape)}, for {n_features} features"
        if name == "standardisation/std" and not (tensor > 0).all() or "running_var" in name and (tensor < 0).any():
            return f"a spread in {name} that is not positive"
    return None


def _on_no_device(cell: Experiment, n_features: int) -> dict[str, torch.Tensor] | None:
    """Return the tensors of the cell's method without memory; None of a method that looks at its numbers as it is made.

    So what an archive says of sizes takes no memory before it has been compared with what is there.
    """
    try:
        with torch.random.fork_rng(), torch.device("meta"):
            return METHODS[cell.method](cell, n_features).state_dict()
    except Exception:
        return None


def _difference(given: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor] | None) -> str | None:
    """Return where names, shapes or dtypes of tensors differ."""
    if wanted is None:
        return None
    if given.keys() != wanted.keys():
        return f"{min(given.keys() ^ wanted.keys())} in one of both alone"
    for name, tensor in wanted.items():
        theirs, ours = ((each.dtype, tuple(each.shape)) for each in (given[name], tensor))
        if theirs != ours:
            return f"{name} of {theirs[0]} and shape {theirs[1]}, not {ours[0]} and {ours[1]}"
    return None


def _npy(tensor: torch.Tensor) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(tensor.numpy()).reshape(tensor.shape), allow_pickle=False)
    return stream.getvalue()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, DATE)
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- reading


def _manifest(archived: zipfile.ZipFile, archive: Path) -> dict[str, dict]:
    """Return the entries of the manifest, after a look at the names and kinds of all members."""
    members = archived.infolist()
    names = [info.filename for info in members]
    for name in names:
        if name != MANIFEST and not NAMES.fullmatch(name):
            raise _not_ours(archive, f"a member {name!r}", f"{MANIFEST}, and arrays and curves in folders of cells")
    for info in members:
        if info.compress_type != zipfile.ZIP_STORED:
            raise _not_ours(archive, f"a compressed member {info.filename}", "members as they are")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise _not_ours(archive, f"{twice[0]} twice", "each member once")
    if (size := sum(info.file_size for info in members)) > (whole := archive.stat().st_size):
        raise _not_ours(archive, f"members of {size:,} bytes", f"at most the {whole:,} of the file")
    if MANIFEST not in names:
        raise _not_ours(archive, f"no {MANIFEST}", f"a {MANIFEST}")
    try:
        manifest = json.loads(_bytes(archived, MANIFEST, archive))
        if manifest["format"] != FORMAT:
            raise _not_ours(archive, f"format {manifest['format']!r}", repr(FORMAT))
        _check_dtype(manifest["dtype"], f"archive {archive}")
        entries = manifest["encoders"]
        for name, entry in entries.items():
            if missing := {*KEPT, "members"} - set(entry):
                raise _not_ours(archive, f"{name} without {', '.join(sorted(missing))}", "an entry that is whole")
            if odd := [key for key in ("experiment", "origin", "members") if not isinstance(entry[key], dict)]:
                raise _not_ours(archive, f"{name} with {odd[0]} {entry[odd[0]]!r}", f"an object as {odd[0]}")
            _check_dtype(entry["weights"], f"archive {archive}, {name}")
            classes = entry["classes"]
            if not isinstance(classes, list) or not all(isinstance(title, str) for title in classes):
                raise _not_ours(archive, f"{name} with classes {classes!r}", "a list of names")
            if {"code", "data"} - set(entry["origin"]):
                raise _not_ours(archive, f"{name} without its training", "an origin with code and data")
        listed = {f"{name}/{part}" for name, entry in entries.items() for part in entry["members"]}
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _not_ours(archive, f"a manifest with {type(error).__name__}", "a manifest that pack wrote") from error
    if different := listed ^ (set(names) - {MANIFEST}):
        name = min(different)
        raise _not_ours(archive, f"{name}, " + ("not there" if name in listed else "not listed"), "what the list says")
    return entries


def _state_of(archived: zipfile.ZipFile, archive: Path, name: str, entry: dict) -> tuple[dict, str]:
    """Return what goes into `encoder.pt` and `curve.csv`. Raise InputError where a member is not what it was."""
    arrays, curve = {}, ""
    for part, wanted in sorted(entry["members"].items()):
        content = _bytes(archived, f"{name}/{part}", archive)
        if _sha(content) != wanted:
            raise InputError(
                f"{archive}: {name}/{part} is damaged",
                found=f"SHA-256 {_sha(content)}",
                wanted=str(wanted),
                todo="get the archive again",
            )
        if part == "curve.csv":
            curve = _curve(content, f"{archive}: {name}/{part}")
        else:
            arrays[part.removesuffix(".npy")] = _tensor(content, f"{archive}: {name}/{part}", entry["weights"])
    both = [arrays[f"standardisation/{kind}"] for kind in ("mean", "std") if f"standardisation/{kind}" in arrays]
    state = {key: entry[key] for key in KEPT} | {
        "threads": entry.get("threads"),
        "input": entry.get("input"),
        "experiment": json.dumps(entry["experiment"], sort_keys=True),
        "standardisation": both or None,
        "method": {
            part.removeprefix("method/"): tensor for part, tensor in arrays.items() if part.startswith("method/")
        },
    }
    return state, curve


def _curve(content: bytes, where: str) -> str:
    """Return the text of a curve."""
    try:
        text = content.decode("utf-8")
        kinds = pd.read_csv(io.StringIO(text)).dtypes if text.strip() else []
    except ValueError as error:
        raise InputError(f"{where} is no curve of a training", found=str(error), wanted="a table of numbers") from error
    if odd := [kind for kind in kinds if kind.kind not in "if"]:
        raise InputError(f"{where} is no curve of a training", found=f"a column of {odd[0]}", wanted="numbers")
    return text


def _tensor(content: bytes, where: str, weights: str) -> torch.Tensor:
    """Return an array as a tensor, half precision as single."""
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("another version of the format than 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
            raise ValueError(f"shape {shape} of {dtype.str} in {len(content)} bytes")
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:
        raise InputError(f"{where} is no array of numbers", found=str(error), wanted="an array, not pickled") from error
    if array.dtype.str not in NUMBERS:
        raise InputError(f"{where}: unknown dtype", found=array.dtype.str, wanted=", ".join(NUMBERS))
    if array.dtype.str == "<f2" and weights == EXACT:
        raise InputError(f"{where}: rounded numbers", found=array.dtype.str, wanted=f"{weights}, as the list says")
    tensor = torch.from_numpy(array.copy())
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _bytes(archived: zipfile.ZipFile, name: str, archive: Path) -> bytes:
    try:
        return archived.read(name)
    except Exception as error:  # a flipped bit meets every layer of the format
        raise _damaged(archive, error) from error


def _cell_of(state: dict, archive: Path) -> Experiment:
    """Return the experiment. Raise InputError where that would import a module because the archive names it."""
    asked = Experiment.from_json(state["experiment"])
    module = asked.method.rpartition(":")[0]
    if module and module not in sys.modules:
        raise InputError(
            f"{archive}: an encoder of a method that is none of this program's, and left out",
            found=asked.method,
            wanted="a method that emargin methods lists, or that is imported already",
            todo="if it is yours, import it in Python and call companion.encoders.unpack there",
        )
    return resolve(asked)


def _check_training(cell: Experiment, origin: dict, checksum: str | None, archive: Path) -> None:
    """Raise InputError where the present code, or the data where they are here, would train another encoder."""
    if origin["code"] != training_code(cell):
        raise _other_training(cell, archive, origin["code"], training_code(cell))
    if checksum not in (None, origin["data"]):
        raise _other_training(cell, archive, origin["data"], checksum)


def _is_there(file: Path, state: dict) -> bool:
    """Return whether the file holds the same training's weights, no less precise."""
    try:
        stored, _ = _read(file)
    except InputError:
        return False
    same = stored["origin"] == state["origin"] and stored["experiment"] == state["experiment"]
    return same and stored["weights"] in (EXACT, state["weights"])


def _check_dtype(dtype: object, where: str) -> None:
    if dtype not in PRECISIONS:
        raise InputError(f"{where}: unknown dtype of weights", found=repr(dtype), wanted=" or ".join(PRECISIONS))


def _other_training(cell: Experiment, where: Path, theirs: object, present: object) -> InputError:
    return InputError(
        f"the encoder of {cell} in {where} is of another training, and left out",
        found=f"code or data {theirs}",
        wanted=f"{present}",
        todo="use the version of this program, and the data, that it comes from; or run the cell again",
    )


def _more_than_tensors(cell: Experiment, where: Path, name: str) -> InputError:
    return InputError(
        f"the encoder of {cell} in {where} holds more than tensors, and is left out",
        found=name,
        wanted="what a file of plain arrays can hold",
        todo="run the cell again where its encoder is needed",
    )


def _not_ours(archive: Path, flaw: str, wanted: str) -> InputError:
    return InputError(
        f"{archive} is no archive of encoders",
        found=flaw,
        wanted=wanted,
        todo="get an archive that emargin encoders pack wrote",
    )


def _damaged(archive: Path, error: Exception) -> InputError:
    return InputError(
        f"{archive} cannot be read",
        found=f"{type(error).__name__}: {error}",
        wanted="an archive of encoders, whole",
        todo="get it again",
    )
