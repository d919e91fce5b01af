"""The wheel works in an empty folder: it brings the committed rows, and says what needs a checkout."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_setup import ROOT

MOST = 10_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of what git tracks, as a checkout may hold much more."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name.startswith(("companion/", "emargin/", "results/")) or name and "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, f"--wheel-dir={built}", str(source)], check=True, capture_output=True)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def emargin(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "EMARGIN_DATA"}
    command = [sys.executable, "-m", "companion", *words]
    environment |= {"PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_wheel_has_the_committed_rows_as_they_are_and_is_small(wheel):
    assert wheel.stat().st_size < MOST
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        rows = {
            path for name in ("rows.csv", "provenance.json", "arrays.npz") for path in ROOT.glob(f"results/*/{name}")
        }
        assert len(rows) > 20
        for path in rows:
            assert archive.read(f"companion/{path.relative_to(ROOT)}") == path.read_bytes(), path
    assert "companion/results/data/cards.json" in names and "emargin/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "notebooks"))]


def test_committed_rows_are_shown_in_an_empty_folder(installed, tmp_path):
    done = emargin(installed, tmp_path, "show", "results/timedrl-path")
    assert done.returncode == 0, done.stderr
    assert "Table 1: harth-sim" in done.stdout and list(tmp_path.iterdir()) == []


def test_an_experiment_runs_in_an_empty_folder(installed, tmp_path):
    done = emargin(installed, tmp_path, "run", "--dataset", "ecg-sim", "--iterations", "2", "--quick")
    assert done.returncode == 0, done.stderr
    assert "silhouette" in done.stdout and [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["grid", "plan", "workflow/grid.json", "--out", "out"], "those in workflow/ are part of a checkout"),
        (["show", "results/none"], "no rows in .*none.*the committed ones are in .*companion/results"),
    ],
    ids=" ".join,
)
def test_what_needs_a_checkout_says_so(installed, tmp_path, words, says):
    done = emargin(installed, tmp_path, *words)
    assert done.returncode == 2
    assert re.search(says, done.stderr), done.stderr
