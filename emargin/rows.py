"""Results: tidy rows, one a metric, and beside them a record of where they come from."""

import hashlib
import importlib.metadata
import io
import json
import platform
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.errors import InputError
from emargin.files import names_to_disk, unfinished, write_bytes
from emargin.stages import MAP_NAME, NEEDED, code_versions, map_version

IDENTITY = ("dataset", "source", "surrogate", "protocol", "fold", "method", "fidelity", "reading", "labels", "seed")
OPTIONAL = (
    "split",
    "encoder",
)  # identity, too, in tables where a row has a value there; elsewhere all have the default
MEASURED = ("metric", "value", "n", "digest", "note")
COLUMNS = (*IDENTITY, *MEASURED)  # of every table
NUMBERS = ("fold", "seed", "value", "n")
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas")


def tidy(experiment: Experiment, metric: str, value: float, n: int | None, note: str = "") -> dict:
    """One row. n: how many frames the value was computed from."""
    identity = {name: getattr(experiment, name) for name in (*IDENTITY, *OPTIONAL)}
    row = {name: "" if value is None else value for name, value in identity.items()}
    return row | {"metric": metric, "value": value, "n": n, "digest": experiment.digest, "note": note}


def table(rows: list[dict] | pd.DataFrame) -> pd.DataFrame:
    """Rows as a frame with the columns of COLUMNS, and those of OPTIONAL in which a row has a value."""
    tidied = pd.DataFrame(rows, columns=[*IDENTITY, *OPTIONAL, *MEASURED])
    tidied = tidied.astype({"n": "Int64", "value": float} | dict.fromkeys(OPTIONAL, object))
    tidied = tidied.fillna(dict.fromkeys(OPTIONAL, ""))
    return tidied.drop(columns=[name for name in OPTIONAL if (tidied[name] == "").all()])


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with all columns of OPTIONAL, empty where a table has none: to select by them."""
    lacking = {name: "" for name in OPTIONAL if name not in rows}
    return rows.assign(**lacking).astype(dict.fromkeys(lacking, object))


def read_rows(path: Path, text: io.StringIO | None = None) -> pd.DataFrame:
    """Rows from a CSV file that `write_text` wrote, or from its text.

    Raises InputError if it cannot be read, a column is missing, or a line has a word in the place of a number or of a
    digest, which it names.
    """
    words = dict.fromkeys({*COLUMNS, *OPTIONAL} - {*NUMBERS}, str)  # a digest may look like a number: 5e12345678901234
    empty = {"value": [""], "n": [""]}
    rows = read_csv(path, text, dtype=words, keep_default_na=False, na_values=empty)
    if missing := sorted(set(COLUMNS) - set(rows.columns)):
        what, lacking = f"{path} is no file of result rows", f"no column {', '.join(missing)}"
        raise InputError(what, found=lacking, wanted=", ".join(COLUMNS))
    odd = pd.DataFrame({"digest": ~rows.digest.fillna("").str.fullmatch("[0-9a-f]{16}")})
    for name in NUMBERS:
        numbers = pd.to_numeric(rows[name], errors="coerce")
        odd[name] = numbers.isna() & ~(rows[name].isna() & (name in empty))
        if name != "value":
            odd[name] |= numbers.notna() & (numbers % 1 != 0)
    if odd.to_numpy().any():
        place, name = odd.stack().idxmax()
        line = place + 2 + rows.note[:place].str.count("\n").sum()
        what, wanted = f"{path} cannot be read, line {line}", "16 digits" if name == "digest" else "a number"
        raise InputError(what, found=f"{name} {rows[name][place]}", wanted=wanted, todo="get it back, or remove it")
    return rows.astype({"n": "Int64"})


def read_csv(path: Path, text: io.StringIO | None = None, **keywords) -> pd.DataFrame:
    """As pandas reads it. Raises InputError for a file that is no table."""
    try:
        return pd.read_csv(path if text is None else text, **keywords)
    except ValueError as error:  # pandas' own errors and those of the encoding
        wanted, todo = "a CSV file that this program wrote", "get it back from the repository, or remove it"
        raise InputError(f"{path} cannot be read", found=error, wanted=wanted, todo=todo) from error


def rows_to_csv(rows: pd.DataFrame) -> str:
    """CSV with nine significant digits."""
    return rows.to_csv(index=False, float_format="%.9g")


def provenance(
    experiment: Experiment,
    dataset: Dataset,
    device: torch.device,
    seconds: dict[str, float],
    *,
    metrics: Collection[str] | None = None,
    maps: bool = False,
) -> dict:
    """Return what a run was: experiment, code, data, people, versions, machine, seconds a stage, peak memory in MB.

    The processor goes with the instructions that torch computes with, on which last digits depend.
    metrics: those that were computed, if not all. The peak is that of the process so far, which may have run other
    cells before.
    """
    peak = peak_memory()
    memory = {} if peak is None else {"host": round(peak)}
    device_name = "CPU"
    sides = {"train": dataset.train.subjects, "test": dataset.test.subjects}
    people = {side: len(subjects.unique()) for side, subjects in sides.items() if subjects is not None}
    if device.type == "cuda":
        memory["device"] = round(torch.cuda.max_memory_allocated(device) / 1e6)
        device_name = torch.cuda.get_device_name(device)
    code = code_versions(experiment)
    if metrics is not None:
        code = {stage: version for stage, version in code.items() if stage in NEEDED or stage in metrics}
    if maps:
        code[MAP_NAME] = map_version()
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "experiment": json.loads(experiment.to_json()),
        "code": code,
        "commit": _commit(),
        "data": dataset.checksum,
        **({"people": people} if people else {}),
        **({} if dataset.left_out is None else {"left_out": dataset.left_out}),
        "versions": {"python": platform.python_version()} | versions,
        "device": device_name,
        "processor": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "peak_memory_mb": memory,
    }


def peak_memory() -> float | None:
    """Return the most memory that this process has ever held, in MB; None where the system does not say, as Windows."""
    if resource is None:
        return None
    unit = 1e6 if platform.system() == "Darwin" else 1e3  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def processor() -> str:
    """Return the name of the processor, as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the checkout that the module lies in, with "+" where it was changed; None outside one."""
    here = Path(__file__).resolve().parent

    def git(*words):
        return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def write_cell(folder: Path, rows: pd.DataFrame, record: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    """Write the files of a cell, the rows last: where they are, everything is. The record has their checksums."""
    text, sums = rows_to_csv(rows), {}
    if arrays is not None:
        write_arrays(folder / "arrays.npz", arrays)
        sums["arrays.npz"] = checksum_of_file(folder / "arrays.npz")
    sums["rows.csv"] = _sha(text.encode())
    checksum = checksum_of_record(record | {"checksums": sums})
    record = record | {"checksums": sums | {"record": checksum}}
    write_text(folder / "provenance.json", json.dumps(record, indent=1))
    write_text(folder / "rows.csv", text)


def checksum_of_record(record: dict) -> str:
    """Return the checksum of a record that has those of its files."""
    return _sha(json.dumps(record).encode())


def checksum_of_file(path: Path) -> str:
    """Return the checksum of a file's bytes."""
    return _sha(path.read_bytes())


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def writable_folder(folder: Path) -> Path:
    """Make the folder. Raises InputError where it cannot be made or written to."""
    try:
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for place in made:
            names_to_disk(place.parent)
        with unfinished(folder / "probe"):
            pass
    except OSError as error:
        what, reason = f"results cannot be written to {folder}", error.strerror or error
        wanted, todo = "a folder with write permission", "name another one with --out"
        raise InputError(what, found=reason, wanted=wanted, todo=todo) from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole (`emargin.files.write_bytes`)."""
    write_bytes(path, text.encode())


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed npz file, in single precision at most, as a whole."""
    single = {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in arrays.items()}
    stream = io.BytesIO()
    np.savez_compressed(stream, **cast(dict[str, Any], single))
    write_bytes(path, stream.getbuffer())
