"""Results: tidy rows, one a metric, and beside them a record of where they come from."""

import importlib.metadata
import io
import json
import os
import platform
import resource
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from emargin.config import Experiment
from emargin.errors import InputError
from emargin.methods import METHODS
from emargin.stages import MAP_NAME, code_versions, map_version

IDENTITY = ("dataset", "source", "surrogate", "protocol", "fold", "method", "fidelity", "reading", "labels", "seed")
COLUMNS = (*IDENTITY, "metric", "value", "n", "digest", "note")
NUMBERS = ("fold", "seed", "value", "n")
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas")


def tidy(experiment: Experiment, metric: str, value: float, n: int | None, note: str = "") -> dict:
    """One row. n: how many frames the value was computed from."""
    row = {name: "" if getattr(experiment, name) is None else getattr(experiment, name) for name in IDENTITY}
    return row | {"metric": metric, "value": value, "n": n, "digest": experiment.digest, "note": note}


def table(rows: list[dict]) -> pd.DataFrame:
    """Rows as a frame with the columns of COLUMNS."""
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": "Int64"})


def read_rows(path: Path) -> pd.DataFrame:
    """Rows from a CSV file that `write_text` wrote. Raises InputError if it cannot be read or a column is missing."""
    words = {name: str for name in COLUMNS if name not in NUMBERS}  # a digest may look like one: 5e12345678901234
    rows = read_csv(path, dtype=words, keep_default_na=False, na_values={"value": [""], "n": [""]})
    missing = set(COLUMNS) - set(rows.columns)
    if missing:
        raise InputError(
            f"{path} is no file of result rows",
            found=f"no column {', '.join(sorted(missing))}",
            wanted=", ".join(COLUMNS),
        )
    return rows.astype({"n": "Int64"})


def read_csv(path: Path, **keywords) -> pd.DataFrame:
    """As pandas reads it. Raises InputError for a file that is no table."""
    try:
        return pd.read_csv(path, **keywords)
    except ValueError as error:  # pandas' own errors and those of the encoding
        raise InputError(
            f"{path} cannot be read",
            found=str(error),
            wanted="a CSV file that this program wrote",
            todo="get it back from the repository, or remove it",
        ) from error


def rows_to_csv(rows: pd.DataFrame) -> str:
    """CSV with nine significant digits."""
    return rows.to_csv(index=False, float_format="%.9g")


def label(row) -> str:
    """The name of a row's method in tables and figures: title, fidelity, and what sets it apart."""
    title = short(METHODS[row.method].title)
    if METHODS[row.method].untrained:
        return title
    detail = row.reading or ("the paper's labels" if row.labels == "paper" else "")
    return f"{title}, {row.fidelity}{f', {detail}' if detail else ''}"


def short(name: str) -> str:
    """The name of a method or of a table's line as it is printed: eMargin without the loss that it is added to."""
    return name.replace("InfoNCE + eMargin", "eMargin")


def comparison(rows: pd.DataFrame, metrics: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """A table as the book prints it: a line a method, a column a metric, "mean ± std" over seeds (one seed has no std).

    metrics: metric -> column title. A cell that has not been run reads "not run"; one that failed, "failed".
    """
    lines = {}
    for (name,), group in rows.assign(name=[label(row) for row in rows.itertuples()]).groupby(["name"], sort=False):
        values = group.pivot_table(index="seed", columns="metric", values="value")
        empty = "failed" if (group.metric == "failed").any() else "not run"
        spread = {
            metric: f" ± {values[metric].std():.{digits}f}" if values[metric].count() > 1 else " (one seed)"
            for metric in values
        }
        lines[name] = {
            title: f"{values[metric].mean():.{digits}f}{spread[metric]}" if metric in values else empty
            for metric, title in metrics.items()
        }
    return pd.DataFrame(lines).T


def provenance(
    experiment: Experiment, device: torch.device, checksum: str, seconds: dict[str, float], *, maps: bool = False
) -> dict:
    """What a run was: experiment, code, data, versions, machine, seconds a stage, peak memory in MB.

    The peak is that of the process so far, which may have run other cells before.
    """
    memory = {
        "host": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if platform.system() == "Darwin" else 1e3)
        )
    }
    if device.type == "cuda":
        memory["device"] = round(torch.cuda.max_memory_allocated(device) / 1e6)
    return {
        "experiment": json.loads(experiment.to_json()),
        "code": code_versions(experiment) | ({MAP_NAME: map_version()} if maps else {}),
        "commit": _commit(),
        "data": checksum,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
        ),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "peak_memory_mb": memory,
    }


def _commit() -> str | None:
    """The commit of the checkout that the module lies in, with "+" where it was changed since; None outside one."""
    here = Path(__file__).resolve().parent

    def git(*words):
        return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def writable_folder(folder: Path) -> Path:
    """Make the folder. Raises InputError where it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}",
            found=error.strerror or str(error),
            wanted="a folder with write permission",
            todo="name another one with --out",
        ) from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write beside the target, then rename: a reader never meets half a file."""
    _write_beside(path, text.encode())


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A compressed npz file, written beside the target and renamed."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    _write_beside(path, stream.getbuffer())


def _write_beside(path: Path, content: bytes | memoryview) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
