"""Compute the measures of `companion.measures_embedding` from encoders that were kept.

    python -m companion.measures RUNS --out results/measures [--grid FILE] [--digests D ...]

RUNS is searched for `encoder.pt`, such as `runs/cells`. Clusterings, spectrum and likeness are of frames of the test
side: the draw of the cell's clusters, each frame once, thinned evenly to 4,000 at most; they are the same frames for
all encoders of a split. People are recognised on the training side, from 4,000 frames at most to learn from and as many
to test on; under protocol `released`, whose data sets name no people, by the recording that a frame's centre lies in.

    measures.csv     a line a cell, measure, features, k and score
    likeness.csv     linear CKA of each two cells of a split
    measured.json    a record a cell: the experiment, code and data of its training, commit, versions, CPU seconds

Each cell is written as it ends, and one that is there with the same training and measures is not computed again.
Draws are kept beside RUNS, in `runs/measures`, for the likeness.
"""

import argparse
import hashlib
import inspect
import itertools
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion import measures_embedding
from companion.grid.plan import read_grid
from companion.grid.runner import LastOnly
from companion.statistics.configurations import SPLIT
from emargin import rows as results
from emargin.config import Experiment
from emargin.data.catalogue import entry_of, settings_of
from emargin.data.dataset import Dataset
from emargin.data.loading import load, load_recordings
from emargin.encoder_files import load_trained
from emargin.errors import InputError
from emargin.evaluation.clustering import draw_rows
from emargin.evaluation.features import encode_both
from emargin.paths import home
from emargin.resolve import resolve
from emargin.rows import IDENTITY, OPTIONAL
from emargin.state import read_state
from emargin.threads import limited

MOST = 4000  # frames
LINE = ["measure", "features", "k", "score", "value", "n"]
PAIR = [*SPLIT, "split", "digest", "method", "seed", "other", "other_method", "other_seed", "value", "n"]


@dataclass(frozen=True)
class Kept:
    """An encoder that a cell left: the file, the experiment, and the data and code of its training."""

    file: Path
    cell: Experiment
    origin: dict


def kept_encoders(runs: Path, cells: Iterable[Experiment] | None = None, digests: Iterable[str] = ()) -> list[Kept]:
    """Return the encoders below a folder, sorted so that those of a split follow each other; one a cell.

    cells, digests: these alone, unless there are none. Of several of a cell the newest file is taken.
    Raises InputError where there is none, and for a file that cannot be read.
    """
    wanted = {cell.digest for cell in cells} if cells is not None else set()
    wanted |= set(digests)
    found: dict[str, Kept] = {}
    for file in sorted(runs.rglob("encoder.pt"), key=lambda path: path.stat().st_mtime):
        state = read_state("encoder", file)
        cell = resolve(Experiment.from_json(state["experiment"]))
        if (not wanted or cell.digest in wanted) and not entry_of(cell.dataset).has_series:
            found[cell.digest] = Kept(file, cell, state["origin"])
    if not found:
        raise InputError(f"no encoders of frames below {runs}", found="none", wanted="folders of cells that ran")
    return sorted(found.values(), key=lambda kept: (*map(str, _split(kept.cell)), kept.cell.method, kept.cell.digest))


def measure(kept: Kept, dataset: Dataset) -> tuple[pd.DataFrame, np.ndarray, dict[str, float]]:
    """Return the lines of a cell, the draw `(n, C)` that they are of, and the CPU seconds of each part."""
    cell, seconds = kept.cell, {}
    start = time.process_time()

    def took(part: str) -> None:
        nonlocal start
        seconds[part], start = round(time.process_time() - start, 2), time.process_time()

    method, _ = load_trained(kept.file, cell, dataset)
    train, test = encode_both(method, dataset)
    took("encode")
    picked = _thinned(draw_rows(test, dataset.draw))
    embedding = test.embedding.flatten(0, 1)[picked].numpy()
    labels = test.labels.flatten()[picked].numpy()
    lines = measures_embedding.clusterings(embedding, labels, len(dataset.classes))
    took("clusterings")
    lines += _lines("spectrum", "raw", measures_embedding.spectrum(embedding))
    took("spectrum")
    lines = [line | {"n": len(labels)} for line in lines]
    rows = train.rows().numpy()
    people = people_of(cell, dataset)[train.frame.flatten()[rows]]
    recognised = measures_embedding.people_recognised(
        train.embedding.flatten(0, 1)[rows].numpy(), train.labels.flatten()[rows].numpy(), people, MOST
    )
    took("people")
    tested = recognised.pop("n")
    lines += [line | {"n": tested} for line in _lines("people", "standardised", recognised)]
    identity = {name: getattr(cell, name) for name in (*IDENTITY, *OPTIONAL)}
    identity = {name: "" if value is None else value for name, value in identity.items()}
    table = pd.DataFrame([identity | {"digest": cell.digest} | line for line in lines])
    return table, embedding, seconds


def people_of(cell: Experiment, dataset: Dataset) -> np.ndarray:
    """Return the number of the person that each frame of the training side's table is of, int `(F,)`.

    Where recordings were joined, that is the person at the centre of the frame.
    Raises InputError where the recordings do not come to as many frames.
    """
    if dataset.train.subjects is not None:
        return dataset.train.subjects.numpy()
    recordings, _ = load_recordings(cell)
    names = [recording.subject for recording in recordings.recordings]
    files = [recording.name for recording in recordings.recordings]
    border = files.index(recordings.test_from) if recordings.test_from else 0
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    parts = []
    for side in (slice(0, border), slice(border, None)) if border else (slice(None),):
        pieces = [recordings.recordings[side]]
        if settings_of(cell.dataset).joined == "person":
            pieces = [tuple(group) for _, group in itertools.groupby(pieces[0], key=lambda piece: piece.subject)]
        for joined in pieces:
            of_sample = np.repeat([numbers[piece.subject] for piece in joined], [len(piece.values) for piece in joined])
            if not recordings.framed:
                n_fft, hop = cell.n_fft or 1, cell.hop or 1
                frames = max(0, (len(of_sample) - n_fft) // hop + 1)
                of_sample = of_sample[np.arange(frames) * hop + n_fft // 2]
            parts.append(of_sample)
    people = np.concatenate(parts)
    if len(people) != len(dataset.train.frames):
        raise InputError(f"people of {cell}", found=f"{len(people)} frames", wanted=f"{len(dataset.train.frames)}")
    return people


def likeness(kept: list[Kept], draws: Path) -> pd.DataFrame:
    """Return the linear CKA of each two cells of a split whose draws are there."""
    lines = []
    for split, of_split in itertools.groupby(kept, lambda one: _split(one.cell)):
        there = [(one.cell, np.load(draws / f"{one.cell.digest}.npy")) for one in of_split]
        for (cell, embedding), (other, others) in itertools.combinations(there, 2):
            value = measures_embedding.linear_cka(embedding, others)
            both = (cell.digest, cell.method, cell.seed, other.digest, other.method, other.seed)
            lines.append((*split, *both, value, len(embedding)))
    table = pd.DataFrame(lines, columns=PAIR)
    return table.fillna({name: "" for name in SPLIT})


def run(kept: list[Kept], out: Path, draws: Path) -> None:
    """Compute what is missing, cell by cell, and the likeness of all at the end."""
    results.writable_folder(out)
    results.writable_folder(draws)
    rows, records = _read(out)
    loaded, code = LastOnly(load), code_of_measures()
    for number, one in enumerate(kept, 1):
        digest, made = one.cell.digest, {"origin": one.origin, "measures": code}
        draw = draws / f"{digest}.npy"
        if draw.exists() and made.items() <= records.get(digest, {}).items():
            continue
        dataset = loaded(one.cell)
        with limited():
            table, embedding, seconds = measure(one, dataset)
        rows = pd.concat([rows[rows.digest != digest] if len(rows) else rows, table], ignore_index=True)
        stream = draw.with_suffix(".part.npy")
        np.save(stream, embedding.astype(np.float32))
        stream.replace(draw)
        whole = results.provenance(one.cell, dataset, torch.device("cpu"), seconds, metrics=())
        records[digest] = {name: value for name, value in whole.items() if name != "code"} | made
        results.write_text(out / "measures.csv", rows.to_csv(index=False, float_format="%.9g"))
        results.write_text(out / "measured.json", json.dumps(records, indent=1))
        print(f"[{number}/{len(kept)}] {sum(seconds.values()):.0f} s of CPU: {one.cell}: {seconds}", file=sys.stderr)
    results.write_text(out / "likeness.csv", likeness(kept, draws).to_csv(index=False, float_format="%.9g"))


def code_of_measures() -> str:
    """Return a checksum of the text that computes the measures."""
    text = inspect.getsource(measures_embedding) + inspect.getsource(measure) + inspect.getsource(people_of)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(out: Path) -> tuple[pd.DataFrame, dict]:
    """Return rows and records of an earlier run, as far as they belong together."""
    table, record = out / "measures.csv", out / "measured.json"
    if not (table.exists() and record.exists()):
        return pd.DataFrame(), {}
    rows = results.read_csv(table, keep_default_na=False, na_values={"value": [""]}, dtype={"digest": str})
    records = json.loads(record.read_text(encoding="utf-8"))
    return rows, {digest: records[digest] for digest in records if digest in set(rows.digest)}


def _split(cell: Experiment) -> tuple:
    return tuple(getattr(cell, name) for name in (*SPLIT, "split"))


def _thinned(picked: np.ndarray) -> np.ndarray:
    """Return 4,000 rows at most, spread evenly; the draw is sorted by class."""
    return picked[np.linspace(0, len(picked) - 1, min(MOST, len(picked))).astype(int)]


def _lines(measure: str, features: str, values: dict[str, float]) -> list[dict]:
    return [
        {"measure": measure, "features": features, "k": "", "score": name, "value": value}
        for name, value in values.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Compute the measures of the encoders that are there; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion.measures", description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, help="the folder that is searched for encoder.pt")
    parser.add_argument("--out", type=Path, default=home() / "results" / "measures")
    parser.add_argument("--grid", type=Path, help="the cells of this grid file alone")
    parser.add_argument("--digests", nargs="+", default=[], help="these cells alone")
    parser.add_argument("--draws", type=Path, default=home() / "runs" / "measures", help="where draws are kept")
    asked = parser.parse_args(arguments)
    try:
        cells = read_grid(asked.grid) if asked.grid else None
        run(kept_encoders(asked.runs, cells, asked.digests), asked.out, asked.draws)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
