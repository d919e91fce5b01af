"""Time and memory of a training step, for every method in both fidelities.

    python -m companion.bench.steps
    python -m companion.bench.steps --methods cost,simmtm --threads 2 --out steps.json

Time is a ratio: to a step of the shared encoder with the plain dense InfoNCE of `companion.bench.baselines`. Both take
turns within one run of `emargin.training.train`, so that a busy machine slows both. Each method runs in a process of
its own, where memory is what its first steps need beyond what the process held before them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from companion.bench import surroundings
from companion.bench.baselines import dense_info_nce
from emargin.config import FIDELITIES, Experiment
from emargin.data.dataset import Dataset, Sequences
from emargin.data.loading import load
from emargin.encoders import FrameEncoder
from emargin.errors import InputError
from emargin.methods import COMPARED, METHODS
from emargin.resolve import resolve
from emargin.training import train

WARM_UP = 8  # steps before the first that is timed; the peak of memory is read after them
TURN = 4  # steps in a row of the method, then of the baseline: InfoTS learns its mixture at every second step
TURNS = 11  # the few in which the training loop measures a point of its curve do not move the median
SEQUENCES = 64  # of the data set, drawn with seed 0
TEMPERATURE = 0.1  # of the baseline


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    trained = [name for name, method in COMPARED.items() if not method.untrained]
    parser = argparse.ArgumentParser(prog="python -m companion.bench.steps", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--methods",
        type=lambda names: names.split(","),
        default=trained,
        metavar="NAME,...",
        help="default: all that are trained",
    )
    parser.add_argument("--dataset", default="harth-sim", help="whose sequences are taken (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.steps",
        lambda: measure(options.methods, options.dataset, options.threads, options.out),
        options.out,
    )


def measure(methods: list[str], dataset: str, threads: int, out: Path | None = None) -> dict:
    """Measure each method in both fidelities and print a line of the table as it is done. Returns all figures.

    Raises InputError, before the first step, for a method that is unknown or not trained, an unknown data set, no
    thread, or an `out` whose folder is not there.
    """
    experiments = [
        resolve(Experiment(dataset=dataset, method=name, fidelity=fidelity, iterations=WARM_UP + TURNS * TURN + 1))
        for name in methods
        for fidelity in FIDELITIES
    ]
    untrained = [name for name in methods if COMPARED[name].untrained]
    if untrained:
        raise InputError("a method that is not trained has no steps", found=", ".join(untrained))
    surroundings.check(threads, out)
    data = load(experiments[0])
    drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:SEQUENCES]
    frames = data.train.batch(drawn)  # (S, T, D)
    batch, (length, features) = experiments[0].batch_size, frames.shape[1:]
    figures = {
        "dataset": dataset,
        "source": data.source,
        "batch_size": batch,
        "sequence_length": length,
        "features": features,
        "steps": [],
    } | surroundings.machine(threads)
    print(
        f"{dataset} ({data.source}), B {batch}, T {length}, D {features}, {threads} thread(s)\n"
        f"ratio: time of a step by that of a plain dense InfoNCE step with N = {batch * length}\n"
        f"{'method':12s} {'fidelity':10s} {'ratio':>6s} {'step ms':>9s} {'dense ms':>9s} {'peak MB':>9s}"
    )
    for experiment in experiments:
        figure = surroundings.alone(of_one, experiment, frames.numpy(), threads)
        figures["steps"].append(figure)
        print(
            "{method:12s} {fidelity:10s} {ratio:6.2f} {step_ms:9.1f} {dense_ms:9.1f} {peak_mb:9.0f}".format(**figure),
            flush=True,
        )
    return figures


def of_one(experiment: Experiment, frames: np.ndarray, threads: int) -> dict:
    """Train in this process, on sequences `(S, T, D)`. Returns the figures of the experiment's method."""
    torch.set_num_threads(threads)
    rows = torch.from_numpy(frames).flatten(0, 1)
    n, length, features = frames.shape
    turns = Turns(_dense_step(experiment, rows[: experiment.batch_size * length].view(-1, length, features)))
    sequences = Sequences(rows, torch.zeros(len(rows), dtype=torch.int64), torch.arange(n) * length, length)
    method = METHODS[experiment.method]
    loss = method.loss

    def watched(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        turns.step_begins()
        return loss(self, batch, generator)

    with patch.object(method, "loss", watched):
        train(experiment, Dataset("benchmark", experiment.source, (), sequences, sequences, (), ""), progress=False)
    pairs = list(zip(turns.own, turns.dense, strict=True))
    return {
        "method": experiment.method,
        "fidelity": experiment.fidelity,
        "ratio": statistics.median(ours / dense for ours, dense in pairs),
        "step_ms": 1e3 * statistics.median(turns.own),
        "dense_ms": 1e3 * statistics.median(turns.dense),
        "peak_mb": turns.peak,
    }


class Turns:
    """Notes seconds a step, turn by turn: `own` and `dense`; and `peak`, the memory of the first steps in MB."""

    def __init__(self, dense_step: Callable[[], None]):
        self.dense_step, self.begun = dense_step, 0
        self.own, self.dense = [], []

    def step_begins(self) -> None:
        """To be called wherever the method's next loss begins."""
        now = time.perf_counter()
        if self.begun == 0:
            self.peak = -surroundings.peak_memory()
        if self.begun == WARM_UP:
            self.peak += surroundings.peak_memory()
            self._seconds_of_dense_step()
        if self.begun >= WARM_UP and (self.begun - WARM_UP) % TURN == 0:
            if self.begun > WARM_UP:
                self.own.append((now - self.start) / TURN)
                self.dense.append(self._seconds_of_dense_step())
            self.start = time.perf_counter()
        self.begun += 1

    def _seconds_of_dense_step(self) -> float:
        start = time.perf_counter()
        for _ in range(TURN):
            self.dense_step()
        return (time.perf_counter() - start) / TURN


def _dense_step(experiment: Experiment, batch: Tensor) -> Callable[[], None]:
    encoder = FrameEncoder(batch.shape[-1])
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=experiment.learning_rate)

    def step():
        optimiser.zero_grad()
        dense_info_nce(encoder(batch), temperature=TEMPERATURE).backward()
        optimiser.step()

    return step


if __name__ == "__main__":
    sys.exit(main())
