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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from companion.grid.files import read_records, records_text
from companion.grid.runner import DATA_FIELDS
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.experiment import run
from emargin.paths import home
from emargin.resolve import resolve
from emargin.rows import read_rows, write_text
from emargin.stages import MAP_NAME, METRICS, code_versions, map_version
from emargin.training import train

KIND = ("method", "fidelity", "dataset", "source")  # one cell of each is run
PROOFS = "results/equal_texts.json"


def main() -> int:
    """Return 0 where all records have the fingerprints of the present text in the end, else 1; 2 for a damaged file."""
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
    try:
        return _restamp(options.before.resolve(), options.rows_below)
    except InputError as error:
        print(f"restamp: {error}", file=sys.stderr)
        return 2


@dataclass(frozen=True)
class _Change:
    """A record whose stages have another text now, and their fingerprints in it."""

    digest: str
    record: dict
    codes: dict[str, str]
    gone: tuple[str, ...]  # metrics of the text before that the present one computes under other names

    @property
    def cell(self) -> dict:
        return _named(self.record["experiment"])

    def proofs(self) -> list[tuple[str, tuple]]:
        """What has to be equal: the data that the cell is made from, the cell that stands for its kind."""
        wanted = [("data", _key(self.cell, DATA_FIELDS))] if "data" in self.codes else []
        return wanted + ([("cell", _key(self.cell, KIND))] if set(self.codes) - {"data"} else [])

    def stamp(self) -> None:
        """Give the record the present fingerprints; what was made by an earlier text still is."""
        made, earlier = self.record["code"], self.record.get("earlier_text", [])
        new = [stage for stage in self.codes if stage not in made]
        if set(self.gone) & set(earlier):
            self.record["earlier_text"] = [stage for stage in earlier if stage not in self.gone] + new
        self.record["code"] = {stage: code for stage, code in made.items() if stage not in self.gone} | self.codes


def _restamp(before: Path, rows_below: float) -> int:
    known = _proofs_so_far()
    stores = {path: read_records(path) for path in sorted(home().glob("results/*/provenance.json"))}
    records = [(digest, record) for store in stores.values() for digest, record in store.items()]
    cells = {digest: _named(record["experiment"]) for digest, record in records}  # a cell may be in several stores
    codes = {
        folder: dict(zip(cells, _ask(folder, "codes", list(cells.values())), strict=True))
        for folder in (before, home())
    }
    named: dict[str, set[str]] = {}
    for folder in {path.parent for path in stores}:
        for row in read_rows(folder / "rows.csv").itertuples():
            named.setdefault(row.digest, set()).add(row.metric)
    changes = _changes(records, named, codes[before], codes[home()])
    print(f"{len(changes)} of {len(records)} records have stages whose text differs")
    proofs = _proved(_questions(changes, rows_below, codes), codes)
    held = [change for change in changes if all(proofs[proof]["equal"] for proof in change.proofs())]
    for change in held:
        change.stamp()
    for path, store in stores.items():
        write_text(path, records_text(store))
    _note(known, before, held, proofs)
    print(f"{len(held)} of {len(changes)} records have the fingerprints of the present text")
    return int(len(held) < len(changes))


def _changes(
    records: list[tuple[str, dict]],
    rows: dict[str, set[str]],
    then: dict[str, dict | None],
    now: dict[str, dict | None],
) -> list[_Change]:
    """Return the records that hold in the text before, and whose stages differ in the present one.

    rows: names of the rows of each cell. A metric that the text before did not know takes the place of one that is gone
    if the cell has rows of it.
    """
    changes = []
    for digest, record in records:
        old, new, made = then[digest], now[digest], record["code"]
        if not old or not new or any(made[stage] != old.get(stage) for stage in made):
            continue
        gone = tuple(stage for stage in made if stage not in new)
        names = [name for name in new if gone and name in METRICS and name not in old]
        known = [name for name in names if any(map(METRICS[name].holds, rows.get(digest, ())))]
        codes = {stage: new[stage] for stage in [*made, *known] if stage in new and new[stage] != old.get(stage)}
        if codes:
            changes.append(_Change(digest, record, codes, gone))
    return changes


def _questions(
    changes: list[_Change], rows_below: float, codes: dict[Path, dict]
) -> dict[tuple[str, tuple], tuple[str, dict]]:
    """Return for each proof the cell that is run.

    Of a kind whose training has another text the longest, whose bits have most time to part; else one that both texts
    have run already, or the shortest.
    """
    alike: dict[tuple[str, tuple], list[_Change]] = {}
    for change in changes:
        for proof in change.proofs():
            alike.setdefault(proof, []).append(change)
    questions = {}
    for proof, candidates in alike.items():
        trained = [change for change in candidates if "train" in change.codes]
        if trained or proof[0] == "data":
            change = max(
                trained or candidates,
                key=lambda change: (change.cell["iterations"], change.cell["protocol"], -change.cell["seed"]),
            )
        else:
            change = min(
                candidates,
                key=lambda change: (
                    not _has_run(change, codes),
                    sum(change.record.get("seconds", {}).values()) or float("inf"),
                ),
            )
        seconds = change.record.get("seconds", {})
        scoring = sum(seconds.values()) - seconds.get("train", 0)
        questions[proof] = change.digest, {"experiment": change.cell, "rows": not trained or scoring <= rows_below}
    return questions


def _has_run(change: _Change, codes: dict[Path, dict]) -> bool:
    return all(
        _answer_file("cell", change.digest, known[change.digest], rows=True).exists() for known in codes.values()
    )


def _proved(questions: dict[tuple[str, tuple], tuple[str, dict]], codes: dict[Path, dict]) -> dict[tuple, dict]:
    """Return for each proof whether both texts gave the same, and what they gave."""
    proofs = {}
    for worker in ("data", "cell"):
        asked = {proof: question for proof, question in questions.items() if proof[0] == worker}
        with ThreadPoolExecutor(2) as pool:  # the two texts side by side
            answers = pool.map(partial(_answers, worker=worker, asked=list(asked.values())), codes, codes.values())
        for (proof, (digest, _)), old, new in zip(asked.items(), *answers, strict=True):
            proofs[proof] = {"digest": digest, "equal": old == new, "outcome": new}
            if old != new:
                proofs[proof]["before"] = old
            print(f"{worker} {'equal' if old == new else 'DIFFERS'}: {proof[1]}", flush=True)
    return proofs


def _proofs_so_far() -> list:
    file = home() / PROOFS
    if not file.exists():
        return []
    proofs = _json(file)
    if not isinstance(proofs, list):
        raise InputError(f"{file} is damaged", wanted="a JSON list", todo="get it back from the repository")
    return proofs


def _json(file: Path) -> Any:
    """Return what a JSON file holds; None for one that is damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None


def _note(known: list, before: Path, held: list[_Change], proofs: dict[tuple, dict]) -> None:
    """Add to the file of proofs: from which commit, for which fingerprints, by what."""
    rerun: dict[str, dict] = {}
    for (worker, _), proof in proofs.items():
        rerun.setdefault(worker, {})[proof["digest"]] = {name: proof[name] for name in proof if name != "digest"}
    fingerprints = sorted({code for change in held for code in change.codes.items()})
    known.append({"before": _commit(before), "records": len(held), "fingerprints": fingerprints, "rerun": rerun})
    write_text(home() / PROOFS, json.dumps(known, indent=1) + "\n")


def _named(experiment: dict) -> dict:
    """Return the fields that have a value: a text from before a field knows nothing of it."""
    return {name: value for name, value in experiment.items() if value is not None}


def _key(cell: dict, names: tuple[str, ...]) -> tuple:
    return tuple(cell.get(name) for name in names)


def _answers(folder: Path, codes: dict[str, dict], *, worker: str, asked: list[tuple[str, dict]]) -> list[dict]:
    """Return a worker's answers in a checkout. Each is kept by the code that gave it."""
    files = []
    for digest, question in asked:
        files.append(_answer_file(worker, digest, codes[digest], rows=question["rows"]))
    ahead = []
    for file, (_, question) in zip(files, asked, strict=True):
        if not file.exists() or _json(file) is None:
            ahead.append((file, question))
    if ahead:
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


def _answer_file(worker: str, digest: str, code: dict, *, rows: bool) -> Path:
    name = json.dumps([worker, digest, code, rows], sort_keys=True)
    return home() / "runs" / "restamp" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


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
    codes = []
    for cell in cells:
        try:
            codes.append(code_versions(_experiment(cell)) | {MAP_NAME: map_version()})
        except InputError:
            codes.append(None)
    return codes


def _data(question: dict) -> dict:
    """Return the hashes of all that a data set holds."""
    data = load(_experiment(question["experiment"]))
    hashes = {"classes": list(data.classes), "draw": list(data.draw), "checksum": data.checksum}
    for side in ("train", "test"):
        sequences = getattr(data, side)
        for name in ("frames", "labels", "starts", "subjects"):
            hashes[f"{side}.{name}"] = _sha(getattr(sequences, name))
    return hashes


def _cell(question: dict) -> dict:
    """Return the hash of the weights that a cell trains and, where they are asked for, its rows."""
    experiment = _experiment(question["experiment"])
    data = load(experiment)
    method, _ = train(experiment, data, progress=False)
    state = method.state_dict()
    answer = {"encoder": _sha(*(state[name] for name in sorted(state)))}
    if question["rows"]:
        with tempfile.TemporaryDirectory() as scratch:
            run(experiment, dataset=data, device="cpu", folder=scratch, progress=False)
            rows = read_rows(Path(scratch) / "rows.csv")
        answer["rows"] = {row.metric: repr(row.value) for row in rows.itertuples()}
    return answer


def _sha(*tensors: torch.Tensor | None) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(b"none" if tensor is None else tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


WORKERS = {"codes": _codes, "data": _data, "cell": _cell}

if __name__ == "__main__":
    sys.exit(main())
