"""Many experiments in one process: a grid file, rows written as they land, finished cells skipped."""

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from emargin import results
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError, NonFiniteGradient
from emargin.experiment import Result, run

DATA_FIELDS = ("dataset", "source", "surrogate", "protocol", "fold", "quick", "n_fft", "hop", "sequence_length",
               "stride")
COMPONENTS, POINTS = 32, 300  # kept of an embedding for t-SNE: principal components, frames a class


def read_grid(path: Path) -> list[Experiment]:
    """Experiments of a grid file, in the order they run.

    The file is a JSON list of blocks; a block maps fields of Experiment to a value or a list of values and stands for
    their product. Cells are ordered by seed first, so that a first result of everything comes early.
    Raises InputError for a file that is no such list, an unknown field or value, or an empty product.
    """
    try:
        blocks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"grid file {path} cannot be read", found=str(error),
                         wanted="a JSON list of blocks") from error
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise InputError(f"grid file {path}", found="no list of objects", wanted="a JSON list of blocks")
    cells = []
    for block in blocks:
        lists = {name: value if isinstance(value, list) else [value] for name, value in block.items()}
        cells += [Experiment.from_dict(dict(zip(lists, values, strict=True)))
                  for values in itertools.product(*lists.values())]
    if not cells:
        raise InputError(f"grid file {path} has no cells", wanted="at least one block with values in every list")
    return sorted(cells, key=lambda cell: cell.seed)


def run_grid(path: Path, folder: Path, *, device: torch.device | str | None = None,
             progress: bool = True) -> pd.DataFrame:
    """Run the cells of a grid file that `folder/rows.csv` does not hold yet; returns all rows.

    After each cell its rows, its provenance and, for seed 1, a small set of embeddings are written. A cell that fails
    leaves one row, metric "failed", with the reason as its note, and the others go on; it is tried again next time.
    """
    cells, folder = read_grid(path), results.writable_folder(folder)
    rows_file, provenance_file = folder / "rows.csv", folder / "provenance.json"
    rows = results.read_rows(rows_file) if rows_file.exists() else results.table([])
    records = json.loads(provenance_file.read_text()) if provenance_file.exists() else {}
    done = set(rows.digest[rows.metric != "failed"])
    missing = [cell for cell in cells if cell.digest not in done]
    print(f"{len(cells)} cells, {len(cells) - len(missing)} done before", file=sys.stderr)
    dataset, loaded = None, None
    for number, cell in enumerate(missing, 1):
        start = time.perf_counter()
        key = tuple(getattr(cell, name) for name in DATA_FIELDS)
        try:
            if key != loaded:
                dataset, loaded = load(cell), key
            result = run(cell, dataset=dataset, device=device, progress=progress)
            new, status = result.rows, "done"
            records[cell.digest] = result.provenance
            if cell.seed == 1:
                _keep_embedding(result, folder / "embeddings.npz")
        except (InputError, NonFiniteGradient) as error:
            new, status = results.table([results.tidy(cell, "failed", float("nan"), None, str(error))]), "failed"
        rows = pd.concat([rows[rows.digest != cell.digest], new], ignore_index=True)
        results.write_text(provenance_file, json.dumps(records, indent=1))
        results.write_text(rows_file, results.rows_to_csv(rows))
        print(f"[{number}/{len(missing)}] {status} in {time.perf_counter() - start:.0f} s: {cell}", file=sys.stderr)
    return rows


def _keep_embedding(result: Result, path: Path) -> None:
    """Add principal components of up to 300 drawn frames a class, float16, under the cell's digest.

    The frames are spread evenly over the draw, which is in the order of the recordings.
    """
    embedding, labels = result.drawn
    kinds = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    some = np.concatenate([rows[np.linspace(0, len(rows) - 1, min(POINTS, len(rows))).astype(int)] for rows in kinds])
    kept = dict(np.load(path)) if path.exists() else {}
    components = PCA(COMPONENTS, svd_solver="full").fit_transform(embedding[some])
    kept |= {f"{result.experiment.digest}_embedding": components.astype(np.float16),
             f"{result.experiment.digest}_labels": labels[some].astype(np.int8)}
    beside = path.with_name(f"{path.stem}.part.npz")
    np.savez_compressed(beside, **kept)
    beside.replace(path)
