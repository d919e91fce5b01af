"""Give rows the fingerprints of a text that was shown to compute the same.

    python -m companion.grid.restamp --before CHECKOUT

For a change of the code that is meant to leave every number alone. CHECKOUT is a checkout of the commit before it, with
the same packages. Where the fingerprint of a stage differs between the two texts, the stage is run in both, each in
processes of its own, on the data of this machine: every selection of data that rows were made from is loaded, and of
every method, fidelity and data set one cell is run. All bits of the data, of the trained weights and of the rows have
to be equal. Then the records of those cells get the new fingerprints, and `results/equal_texts.json` says what was run.
A cell whose outcome differs is named, and its like keep their fingerprints: they are stale.

What has run is kept in `runs/restamp`, so the command goes on where it was stopped.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from companion.grid.runner import DATA_FIELDS
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.experiment import run
from emargin.paths import home
from emargin.resolve import resolve
from emargin.rows import read_rows, write_text
from emargin.stages import MAP_NAME, code_versions, map_version
from emargin.training import train

KIND = ("method", "fidelity", "dataset", "source")  # one cell of each is run
PROOFS = "results/equal_texts.json"


def main() -> int:
    """Return 0 where all records have the fingerprints of the present text in the end, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of the commit before")
    parser.add_argument(
        "--rows-below",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="where only the training differs, score a cell only if that took at most so long (default: always)",
    )
    parser.add_argument("--worker", choices=("data", "cell", "codes"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        for line in sys.stdin:
            print(json.dumps(WORKERS[options.worker](json.loads(line))), flush=True)
        return 0
    return _restamp(options.before.resolve(), options.rows_below)


def _restamp(before: Path, rows_below: float) -> int:
    stores = {path: json.loads(path.read_text()) for path in sorted(home().glob("results/*/provenance.json"))}
    records = [(path, digest, record) for path, found in stores.items() for digest, record in found.items()]
    cells = [_named(record["experiment"]) for _, _, record in records]
    then, now = (_ask(folder, "codes", cells) for folder in (before, home()))
    ahead = []  # (path, digest, cell, the stages that differ)
    for (path, digest, record), old, new in zip(records, then, now, strict=True):
        if old is None or new is None:
            continue
        stages = [stage for stage in record["code"] if old[stage] != new[stage]]
        if stages and all(record["code"][stage] == old[stage] for stage in stages):
            ahead.append((path, digest, stages, new))
    print(f"{len(ahead)} of {len(records)} records have stages whose text differs")
    proofs, equal = {}, {}
    by_data, by_kind = {}, {}
    for path, digest, stages, _ in ahead:
        cell = _named(stores[path][digest]["experiment"])
        if "data" in stages:
            by_data.setdefault(_key(cell, DATA_FIELDS), []).append((digest, cell))
        if set(stages) - {"data"}:
            by_kind.setdefault(_key(cell, KIND), []).append((digest, cell))
    work = [("data", key, *found[0]) for key, found in by_data.items()]
    # of each kind the longest training, whose bits have the most time to part
    work += [
        ("cell", key, *max(found, key=lambda pair: (pair[1]["iterations"], pair[1]["protocol"], -pair[1]["seed"])))
        for key, found in by_kind.items()
    ]
    seconds = {
        digest: sum(record.get("seconds", {}).values()) - record.get("seconds", {}).get("train", 0)
        for _, digest, record in records
    }
    work = [
        (worker, key, digest, {"experiment": cell, "rows": seconds[digest] <= rows_below})
        for worker, key, digest, cell in work
    ]
    for kind in ("data", "cell"):
        part = [item for item in work if item[0] == kind]
        with ThreadPoolExecutor(2) as pool:  # the two texts side by side
            answers = list(pool.map(partial(_answers, worker=kind, work=part), (before, home())))
        for (worker, key, digest, _), old, new in zip(part, *answers, strict=True):
            equal[worker, key] = old == new
            outcome = {"equal": old == new, "outcome": new} | ({} if old == new else {"before": old})
            proofs.setdefault(worker, {})[digest] = outcome
            print(f"{worker} {'equal' if old == new else 'DIFFERS'}: {key}", flush=True)
    stamped = 0
    for path, digest, stages, new in ahead:
        record = stores[path][digest]
        cell = _named(record["experiment"])
        holds = [equal["data", _key(cell, DATA_FIELDS)]] if "data" in stages else []
        if set(stages) - {"data"}:
            holds.append(equal["cell", _key(cell, KIND)])
        if all(holds):
            record["code"] |= {stage: new[stage] for stage in stages}
            stamped += 1
    for path, found in stores.items():
        lines = ",\n".join(f'"{digest}": {json.dumps(record)}' for digest, record in sorted(found.items()))
        write_text(path, f"{{\n{lines}\n}}\n")
    file = home() / PROOFS
    known = json.loads(file.read_text()) if file.exists() else []
    changed = sorted(
        {
            (stage, record["code"][stage])
            for path, digest, stages, _ in ahead
            for stage in stages
            for record in [stores[path][digest]]
        }
    )
    known.append({"before": _commit(before), "records": stamped, "fingerprints": changed, "rerun": proofs})
    write_text(file, json.dumps(known, indent=1) + "\n")
    print(f"{stamped} of {len(ahead)} records have the fingerprints of the present text")
    return int(stamped < len(ahead))


def _named(experiment: dict) -> dict:
    """Return the fields that have a value: a text from before a field knows nothing of it."""
    return {name: value for name, value in experiment.items() if value is not None}


def _key(cell: dict, names: tuple[str, ...]) -> tuple:
    return tuple(cell.get(name) for name in names)


def _answers(folder: Path, worker: str, work: list[tuple]) -> list[dict]:
    """Return a worker's answers in a checkout. Each is kept by the code that gave it."""
    codes = _ask(folder, "codes", [question["experiment"] for *_, question in work])
    files = []
    for (_, _, digest, question), code in zip(work, codes, strict=True):
        name = hashlib.sha256(json.dumps([worker, digest, code, question["rows"]], sort_keys=True).encode())
        files.append(home() / "runs" / "restamp" / f"{name.hexdigest()[:16]}.json")
    ahead = [(file, question) for file, (*_, question) in zip(files, work, strict=True) if not file.exists()]
    with _started(folder, worker) as process:
        for number, (file, question) in enumerate(ahead, 1):
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                raise RuntimeError(f"{worker} in {folder} ended at {question}")
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, answer)
            print(f"{folder.name}: {number} of {len(ahead)} {worker}", file=sys.stderr, flush=True)
    return [json.loads(file.read_text()) for file in files]


def _ask(folder: Path, worker: str, question: object) -> list:
    """Ask a worker in a checkout once."""
    with _started(folder, worker) as process:
        return json.loads(process.communicate(json.dumps(question) + "\n")[0])


def _started(folder: Path, worker: str) -> subprocess.Popen:
    """Start a worker in a checkout, on one thread, so that the order of sums is the same."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "companion.grid.restamp", "--worker", worker]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    )


def _commit(folder: Path) -> str:
    return subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _experiment(fields: dict) -> Experiment:
    return resolve(Experiment.from_dict(fields))


def _codes(cells: list[dict]) -> list[dict | None]:
    """Return the fingerprints of each cell; None for one that this text does not know, with a field of a later one."""
    found = []
    for cell in cells:
        try:
            found.append(code_versions(_experiment(cell)) | {MAP_NAME: map_version()})
        except InputError:
            found.append(None)
    return found


def _data(question: dict) -> dict:
    """Return the hashes of all that a data set holds."""
    data = load(_experiment(question["experiment"]))
    found = {"classes": list(data.classes), "draw": list(data.draw), "checksum": data.checksum}
    for side in ("train", "test"):
        sequences = getattr(data, side)
        for name in ("frames", "labels", "starts", "subjects"):
            found[f"{side}.{name}"] = _sha(getattr(sequences, name))
    return found


def _cell(question: dict) -> dict:
    """Return the hash of the weights that a cell trains and, where they are asked for, its rows."""
    experiment = _experiment(question["experiment"])
    data = load(experiment)
    method, _ = train(experiment, data, progress=False)
    state = method.state_dict()
    found = {"encoder": _sha(*(state[name] for name in sorted(state)))}
    if question["rows"]:
        with tempfile.TemporaryDirectory() as scratch:
            run(experiment, dataset=data, device="cpu", folder=scratch, progress=False)
            rows = read_rows(Path(scratch) / "rows.csv")
        found["rows"] = {row.metric: repr(row.value) for row in rows.itertuples()}
    return found


def _sha(*tensors: torch.Tensor | None) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(b"none" if tensor is None else tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


WORKERS = {"codes": _codes, "data": _data, "cell": _cell}

if __name__ == "__main__":
    sys.exit(main())
