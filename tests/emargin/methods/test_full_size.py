"""Every method in every fidelity, 200 steps at the paper's own sizes on each simulator; hours, so by `make check-long`.

One pair alone: `pytest -m long tests/emargin/methods/test_full_size.py -k "harth and cost"`.
"""

import functools
import time

import pytest
import torch

from emargin.config import Experiment
from emargin.data.loading import load
from emargin.methods import COMPARED
from emargin.resolve import resolve
from emargin.training import train

TRAINED = [name for name in COMPARED if not COMPARED[name].untrained]


@functools.lru_cache(maxsize=1)
def loaded(simulator):
    return load(Experiment(dataset=simulator))


@pytest.mark.long
@pytest.mark.parametrize("fidelity", ["original", "released"])
@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("simulator", ["harth-sim", "sleepeeg-sim", "ecg-sim"])  # slowest to vary: each is loaded once
def test_two_hundred_steps_are_finite(simulator, name, fidelity, capsys):
    experiment = resolve(Experiment(dataset=simulator, method=name, fidelity=fidelity, iterations=200))
    dataset = loaded(simulator)
    start = time.perf_counter()
    method, curve = train(experiment, dataset, progress=False)
    seconds = time.perf_counter() - start
    assert len(curve) == 20
    for point in curve:
        assert all(map(torch.isfinite, torch.tensor(list(point.values())))), point
    assert all(torch.isfinite(value).all() for value in method.parameters())
    first, last = curve[0], curve[-1]
    with capsys.disabled():
        print(
            f"\n{simulator:13s} {name:8s} {fidelity:9s} {seconds * 5:6.0f} ms a step, loss {first['loss']:.4g} -> "
            f"{last['loss']:.4g}, effective rank {first['participation_ratio']:.1f} -> "
            f"{last['participation_ratio']:.1f}",
            end="",
        )
