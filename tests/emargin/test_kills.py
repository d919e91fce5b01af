"""A run that is killed at any time goes on: the same bits at the end, no checkpoint lost, and nothing left beside.

Each run is a process of its own on recordings of its own, whose frames are cached, and SIGKILL gives it no last word.
"""

import contextlib
import io
import os
import signal
import time

import numpy as np
import pytest
import torch

from companion.fetch.folder import save_folder
from emargin import training
from emargin.config import Experiment
from emargin.data import cache
from emargin.experiment import run
from tests.conftest import without_further_probes

IN_A_RUN = 4
FILES = {"encoder.pt", "curve.csv", "arrays.npz", "provenance.json", "rows.csv"}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST", 0)
    monkeypatch.setattr(training, "SAVE_EVERY", 5)
    without_further_probes(monkeypatch)
    draws, labels = np.random.default_rng(0), np.repeat(np.arange(40) % 2, 100)
    people = {f"p{number}": (draws.normal(size=(4000, 3)) * (1 + labels[:, None]), labels) for number in range(6)}
    save_folder(tmp_path / "d", people, classes=["a", "b"], sampling_rate=50)
    return Experiment(dataset=str(tmp_path / "d"), sequence_length=20, batch_size=4, iterations=150)


def started(experiment, folder) -> int:
    """Return the number of a process that runs an experiment in `folder`, with the cache beside it."""
    number = os.fork()
    if not number:
        os.environ["EMARGIN_CACHE"] = str(folder.with_name("cache-" + folder.name))
        with contextlib.redirect_stderr(io.StringIO()) as said:
            run(experiment, folder=folder, device="cpu", progress=False)
        os._exit(0 if not said.getvalue() else 1)
    return number


def step_of(folder) -> int:
    """Return how far the run in a folder has come, by what it has on the disk, all of which must be whole."""
    if (folder / "rows.csv").exists():
        return 1_000_000
    for name in ("encoder.pt", "resume.pt"):
        if (folder / name).exists():
            return torch.load(folder / name, weights_only=True).get("step", 1000)
    return 0


@pytest.mark.parametrize("wanted", [3, pytest.param(17, marks=pytest.mark.long)])
def test_a_run_that_is_killed_at_any_time_ends_with_the_same_bits(experiment, tmp_path, wanted):
    start = time.monotonic()
    assert os.waitpid(started(experiment, tmp_path / "whole"), 0)[1] == 0
    took, draws, kills, runs = time.monotonic() - start, np.random.default_rng(), 0, 0
    assert {path.name for path in (tmp_path / "whole").iterdir()} == FILES
    while kills < wanted:
        folder, runs, before = tmp_path / f"run{runs}", runs + 1, 0
        for _ in range(IN_A_RUN):
            number = started(experiment, folder)
            time.sleep(draws.uniform(0, 0.7 * took))
            os.kill(number, signal.SIGKILL)
            kills += os.WIFSIGNALED(os.waitpid(number, 0)[1])
            assert step_of(folder) >= before, "a checkpoint was lost"
            before = step_of(folder)
        assert os.waitpid(started(experiment, folder), 0)[1] == 0, "it said that it began again"
        assert {path.name for path in folder.iterdir()} == FILES
        assert [path.name[0] for path in (tmp_path / f"cache-{folder.name}").iterdir()] == ["d"]
        for name in ("rows.csv", "arrays.npz", "curve.csv", "encoder.pt"):
            assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    print(f"{kills} kills of {runs} runs")
