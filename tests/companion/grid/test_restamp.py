"""A restamp is a proof: records get new fingerprints only where both texts give the same bits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from companion.grid import restamp
from companion.grid.integrity import stamp
from companion.grid.restamp import _changes
from companion.grid.store import Store
from emargin import rows as results
from emargin.config import Experiment
from emargin.fingerprint import ROOT, Source
from emargin.resolve import resolve
from emargin.stages import code_versions

CELLS = [
    resolve(Experiment(dataset="sleepeeg-sim", quick=True, sequence_length=50, method=method, iterations=2, seed=seed))
    for method, seed in (("infonce", 1), ("infonce", 2), ("cpc", 1))
]
LINE = "previous = torch.logaddexp(negatives[:, :-2], beyond)"  # of the two-sided InfoNCE
SAME = (LINE, f"earlier = negatives[:, :-2]\n    {LINE.replace('negatives[:, :-2]', 'earlier')}")
OTHER = (LINE, LINE.replace("beyond", "beyond + 1"))


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """A checkout of the running code that git knows."""
    folder = checkout(tmp_path_factory.mktemp("before"))
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "before"]):
        subprocess.run([*git, *words], check=True)
    return folder


def checkout(folder: Path) -> Path:
    for name in ("emargin", "companion"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def restamped(before: Path, folder: Path, change: tuple[str, str]) -> tuple[int, dict, dict, list]:
    """Exit status, the records before and after, and the proofs, of the code before with one change."""
    file = checkout(folder) / "emargin" / "losses" / "emargin.py"
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    records = {
        cell.digest: {"experiment": json.loads(cell.to_json()), "code": code_versions(cell), "data": "x"}
        for cell in CELLS
    }
    store = folder / "results" / "small" / "provenance.json"
    also = folder / "results" / "also" / "provenance.json"  # a cell may be in two stores
    for path, kept in ((store, records), (also, dict([next(iter(records.items()))]))):
        path.parent.mkdir(parents=True)
        rows = [results.tidy(cell, "silhouette", 0.5, 9) for cell in CELLS if cell.digest in kept]
        results.write_text(path.with_name("rows.csv"), results.rows_to_csv(results.table(rows)))
        path.write_text(json.dumps(kept))
        stamp(path.parent)
    environment = os.environ | {"PYTHONPATH": str(folder), "EMARGIN_DATA": str(folder / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "companion.grid.restamp", "--before", str(before)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    ((digest, record),) = Store(also.parent).records.items()
    after = Store(store.parent).records
    assert after[digest] == record
    for kept in after.values():
        del kept["checksums"]
    return (
        done.returncode,
        records,
        after,
        json.loads((folder / "results" / "equal_texts.json").read_text()),
    )


def test_another_text_with_the_same_bits_is_proved(before, tmp_path):
    status, records, after, proofs = restamped(before, tmp_path, SAME)
    now = {cell.digest: code_versions(cell, Source(tmp_path)) for cell in CELLS}
    assert status == 0
    assert {digest: record["code"] for digest, record in after.items()} == now
    infonce, _, cpc = (cell.digest for cell in CELLS)
    assert after[infonce]["code"]["train"] != records[infonce]["code"]["train"]
    assert after[cpc] == records[cpc]
    (proof,) = proofs
    assert proof["records"] == 3
    (rerun,) = proof["rerun"]["cell"].values()  # one cell for both seeds
    assert rerun["equal"] and rerun["outcome"]["encoder"] and "silhouette" in rerun["outcome"]["rows"]


def test_a_text_with_other_bits_is_refused(before, tmp_path):
    status, records, after, proofs = restamped(before, tmp_path, OTHER)
    assert status == 1
    assert after == records
    (rerun,) = proofs[0]["rerun"]["cell"].values()
    assert not rerun["equal"] and rerun["before"]["encoder"] != rerun["outcome"]["encoder"]


def test_a_metric_under_another_name_takes_the_stamp_where_the_cell_has_its_rows():
    cell = CELLS[0]
    code = code_versions(cell)
    old = {name: code[name] for name in ("data", "train", "clustering")} | {"classifiers": "0"}
    record = {"experiment": json.loads(cell.to_json()), "code": old, "earlier_text": ["train", "classifiers"]}
    lines = {cell.digest: {"silhouette", "knn_accuracy", "mlp_accuracy"}}
    (change,) = _changes([(cell.digest, record)], lines, {cell.digest: old}, {cell.digest: code})
    assert change.proofs() == [("cell", ("infonce", cell.fidelity, "sleepeeg-sim", cell.source))]
    change.stamp()
    assert record["code"] == {name: code[name] for name in ("data", "train", "clustering", "knn", "mlp")}
    assert record["earlier_text"] == ["train", "knn", "mlp"]


def test_a_record_that_the_text_before_did_not_make_is_left_alone():
    cell = CELLS[0]
    code = code_versions(cell)
    record = {"experiment": json.loads(cell.to_json()), "code": code | {"train": "another"}}
    assert _changes([(cell.digest, record)], {}, {cell.digest: code | {"probe": "0"}}, {cell.digest: code}) == []


@pytest.mark.parametrize("name", ["results/small/provenance.json", restamp.PROOFS])
def test_a_damaged_file_is_named_before_anything_runs(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(restamp, "home", lambda: tmp_path)
    monkeypatch.setattr(restamp, "_ask", lambda *a: pytest.fail("it ran"))
    monkeypatch.setattr("sys.argv", ["restamp", "--before", str(tmp_path)])
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("[" * 100_000)
    assert restamp.main() == 2
    assert f"restamp: {tmp_path / name} is damaged" in capsys.readouterr().err
