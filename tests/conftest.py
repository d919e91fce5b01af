"""A small data set for tests of training and evaluation."""

import os
import signal

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from emargin.config import Experiment
from emargin.data.dataset import Dataset, Sequences
from emargin.resolve import resolve
from emargin.stages import METRICS

torch.set_num_threads(1)  # small tensors: a second thread costs more than it brings, most of all on a busy machine
threadpool_limits(1)

CLASSES = ("a", "b", "c", "d")


def make_dataset(n_train=12, n_test=4, length=10, features=6, draw=(20, 20, 20, 20)) -> Dataset:
    """Frames of four classes in runs of five, each class with a mean of its own."""
    generator = np.random.default_rng(0)

    def side(n):
        labels = np.repeat(generator.permutation(np.arange(n * length // 5) % 4), 5)
        frames = generator.standard_normal((n * length, features)) + 2 * np.eye(4, features)[labels]
        return Sequences(
            torch.tensor(frames, dtype=torch.float32), torch.tensor(labels), torch.arange(0, n * length, length), length
        )

    return Dataset("small", "simulated", CLASSES, side(n_train), side(n_test), draw, "checksum")


@pytest.fixture(autouse=True)
def _data_or_none(tmp_path_factory, monkeypatch):
    """Where EMARGIN_DATA names a folder that is missing, which is an error for a reader, tests run without data."""
    named = os.environ.get("EMARGIN_DATA")
    if named and not os.path.isdir(os.path.expanduser(named)):
        empty = tmp_path_factory.getbasetemp() / "no-data"
        empty.mkdir(exist_ok=True)
        monkeypatch.setenv("EMARGIN_DATA", str(empty))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the reader's cache of frames."""
    monkeypatch.setenv("EMARGIN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def signals_are_heard():
    """Signals that end a program, as in a terminal: under nohup, or in the background of a script, some are ignored."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def small_dataset() -> Dataset:
    return make_dataset()


@pytest.fixture
def small():
    """Experiments at the small data set's size."""

    def make(**fields) -> Experiment:
        return resolve(
            Experiment(
                **{"dataset": "ecg-sim", "sequence_length": 10, "batch_size": 3, "iterations": 12, "temperature": 0.5}
                | fields
            )
        )

    return make


@pytest.fixture
def ucr(tmp_path, monkeypatch):
    """A small set in the place of the UCR archive: 24 series a side of 80 samples, a sine and noise. Its name."""
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "ucr" / "Waves"
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for side in ("TRAIN", "TEST"):
        lines = []
        for number in range(24):
            values = draws.standard_normal(80) * (0.1 if number % 2 else 1)
            values += np.sin(np.arange(80) / 3 + number) * (number % 2)
            lines.append("\t".join(f"{value:.6f}" for value in [number % 2 + 1, *values]))
        (folder / f"Waves_{side}.tsv").write_text("\n".join(lines) + "\n")
    return "ucr-Waves"


def without_further_probes(monkeypatch):
    """Take the further probes, which take seconds, from the table of metrics."""
    probes = ("mlp", "knn", "whitened", "chosen", "certified", "converged")
    for name in probes:  # put back the other way round, so that they keep their order
        monkeypatch.delitem(METRICS, name)
