"""The cost of each stage of one cell of the grid, beside the same cell in the plain form.

    python -m companion.bench.cell
    python -m companion.bench.cell --dataset harth-sim,mitbih --threads 2 --out results/benchmarks/cell.json

A cell: frames, 200 iterations of eMargin released, features of both sides, clustering, the ten-epoch probe. The plain
form trains with `companion.bench.baselines.plain_emargin_released` on the same batches. Its probe encodes every batch
anew, with gradients through the encoder, in every epoch; it is measured over a few steps and epochs and scaled to the
whole. Features and both probes take turns and count with their medians. Frames and clustering are the same in both; the
plain form needs features for clustering alone. Where there is a CUDA device, the same is measured with the encoder and
its losses on that.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import torch
from torch import nn

from companion.bench import surroundings
from companion.bench.baselines import plain_emargin_released, plain_pseudo_labels
from companion.bench.losses import print_targets, target
from companion.bench.surroundings import alone, machine, wait
from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.encoders import EMBEDDING
from emargin.evaluation import clustering
from emargin.evaluation.features import encode
from emargin.evaluation.probing import EPOCHS, LEARNING_RATE, linear_probe, scores
from emargin.methods import Method
from emargin.resolve import QUICK_ITERATIONS, resolve
from emargin.training import build, train

ITERATIONS = 200
WARM_UP, PLAIN_STEPS = 2, 5  # what is measured of the plain training
ROUNDS = 5  # of features, our probe and an epoch of the plain one
STAGES = ("frames", "training", "features", "clustering", "probe")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.cell", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", metavar="NAME,...", help="default: harth-sim, and mitbih where it is")
    parser.add_argument("--quick", action="store_true", help="the quick profile of a simulator")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    datasets = options.dataset.split(",") if options.dataset else default_datasets()
    return surroundings.command(
        "companion.bench.cell", lambda: measure(datasets, options.quick, options.threads, options.out), options.out
    )


def default_datasets() -> list[str]:
    """Those that the targets name: HARTH's simulator, and mitbih where its recordings are."""
    return ["harth-sim", *(["mitbih"] if entry_of("mitbih").folder.is_dir() else [])]


def measure(datasets: list[str], quick: bool, threads: int, out: Path | None = None) -> dict:
    """Measure a cell of each data set, print its stages and at the end the targets. Returns all figures.

    Raises InputError, before the first cell, for an unknown data set, no thread, or an `out` without a folder.
    """
    experiments = [
        resolve(Experiment(dataset=name, quick=quick, iterations=QUICK_ITERATIONS if quick else ITERATIONS))
        for name in datasets
    ]
    surroundings.check(threads, out)
    figures = machine(threads) | {"scaled": True, "cells": []}
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for experiment, device in product(experiments, devices):
        cell = alone(of_cell, experiment, threads, device)
        figures["cells"].append(cell)
        print(
            f"{experiment}, {cell['device']}\n"
            f"plain training from {PLAIN_STEPS} steps, plain probe from {ROUNDS} epochs: scaled\n"
            f"{'stage':12s} {'ours s':>9s} {'plain s':>9s}"
        )
        for row in [*cell["stages"], {"stage": "whole cell", "ours_s": cell["ours_s"], "plain_s": cell["plain_s"]}]:
            print("{stage:12s} {ours_s:9.2f} {plain_s:9.2f}".format(**row))
        print(
            f"plain / ours: whole cell {cell['cell_ratio']:.2f}, features and probe {cell['probe_ratio']:.2f}",
            flush=True,
        )
    figures["targets"] = targets_of(figures["cells"])
    print_targets(figures["targets"])
    return figures


def of_cell(experiment: Experiment, threads: int, device: str = "cpu") -> dict:
    """Seconds of each stage, ours and plain, in this process.

    probe_ratio: the plain probe by ours, where ours includes the features of both sides, which it trains on.
    """
    torch.set_num_threads(threads)
    ours = {}
    with _timed(ours, "frames"):
        dataset = load(experiment)
    with _timed(ours, "training", device):
        method, _ = train(experiment, dataset, device=device, progress=False)
    rounds = [probe_round(experiment, dataset, method, device) for _ in range(ROUNDS)]
    median = {stage: statistics.median(seconds[stage] for seconds in rounds) for stage in rounds[0]}
    ours |= {"features": median["features of training"] + median["features of test"], "probe": median["probe"]}
    test_features = encode(method, dataset.test, device)
    with _timed(ours, "clustering"):
        drawn = clustering.draw(test_features, dataset.draw, dataset.classes, repeats=experiment.protocol == "released")
        clustering.cluster(*drawn, len(dataset.classes))
    _, steps = plain_training(experiment, dataset, WARM_UP + PLAIN_STEPS, device)
    plain = {
        "frames": ours["frames"],
        "training": experiment.iterations * statistics.median(steps[WARM_UP:]),
        "features": median["features of test"],
        "clustering": ours["clustering"],
        "probe": median["plain probe"],
    }
    stages = [
        {"stage": stage, "ours_s": ours[stage], "plain_s": plain[stage], "scaled": stage in ("training", "probe")}
        for stage in STAGES
    ]
    whole = {form: sum(row[form] for row in stages) for form in ("ours_s", "plain_s")}
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "dataset": experiment.dataset,
        "source": dataset.source,
        "quick": experiment.quick,
        "iterations": experiment.iterations,
        "batch_size": experiment.batch_size,
        "sequence_length": experiment.sequence_length,
        "features": dataset.n_features,
        "train_sequences": len(dataset.train),
        "test_sequences": len(dataset.test),
        "clustered_frames": len(drawn[1]),
        "plain_steps": PLAIN_STEPS,
        "rounds": ROUNDS,
        "stages": stages,
        **whole,
        "cell_ratio": whole["plain_s"] / whole["ours_s"],
        "probe_ratio": statistics.median(
            seconds["plain probe"] / (seconds["features of training"] + seconds["features of test"] + seconds["probe"])
            for seconds in rounds
        ),
    }


def probe_round(experiment: Experiment, dataset: Dataset, method: Method, device: str = "cpu") -> dict[str, float]:
    """Seconds of the features of both sides, of our probe on them and of the plain one, from one of its epochs."""
    seconds = {}
    with _timed(seconds, "features of training"):
        train_features = encode(method, dataset.train, device)
    with _timed(seconds, "features of test"):
        test_features = encode(method, dataset.test, device)
    with _timed(seconds, "probe"):
        linear_probe(
            train_features,
            test_features,
            len(dataset.classes),
            batch_size=experiment.batch_size,
            seed=experiment.seed,
            drop_last=experiment.protocol == "released",
        )
    _, (epoch,), scoring = plain_probe(experiment, dataset, method, 1, device)
    return seconds | {"plain probe": EPOCHS * epoch + scoring}


def plain_training(
    experiment: Experiment, dataset: Dataset, steps: int, device: str = "cpu"
) -> tuple[Method, list[float]]:
    """The first steps of training with the plain loss. Returns the method and the seconds of each step.

    The weights are those of `emargin.training.train` after as many steps, within rounding, for `steps` in one epoch.
    """
    method = build(experiment, dataset.n_features, device).train()
    optimiser = torch.optim.AdamW(
        method.parameters(), lr=experiment.learning_rate, weight_decay=experiment.weight_decay
    )
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(experiment.seed))
    batches = order.split(experiment.batch_size)[: len(order) // experiment.batch_size]
    seconds = []
    for step in range(steps):
        start = time.perf_counter()
        batch = dataset.train.batch(batches[step % len(batches)]).to(device)
        labels = plain_pseudo_labels(batch.flatten(0, 1), threshold=experiment.threshold, rule=experiment.labels)
        loss = plain_emargin_released(
            method.encoder(batch), labels, temperature=experiment.temperature, margin=experiment.margin
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        wait(device)
        seconds.append(time.perf_counter() - start)
    return method, seconds


def plain_probe(
    experiment: Experiment, dataset: Dataset, method: Method, epochs: int, device: str = "cpu"
) -> tuple[dict[str, float], list[float], float]:
    """The paper's probe, each batch encoded in every epoch with gradients through the encoder, which stays as it is.

    Returns the scores (those of `emargin.evaluation.probing.linear_probe`, for all its epochs), the seconds of each
    epoch and the seconds of scoring.
    """
    method.eval()
    size = experiment.batch_size
    generator = torch.Generator().manual_seed(experiment.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        probe = nn.Linear(EMBEDDING, len(dataset.classes)).to(device)
    optimiser = torch.optim.Adam(probe.parameters(), lr=LEARNING_RATE)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        order = torch.randperm(len(dataset.train), generator=generator)
        for picked in order.split(size)[: len(order) // size]:
            labels = dataset.train.labels[dataset.train.indices(picked)].flatten().to(device)
            if (labels < 0).all():
                continue
            logits = probe(method.encode(dataset.train.batch(picked).to(device))).flatten(0, 1)
            loss = nn.functional.cross_entropy(logits, labels, ignore_index=-1)
            optimiser.zero_grad()
            loss.backward()  # reaches the encoder's parameters, too, which no optimiser holds
            optimiser.step()
        wait(device)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    predicted = torch.cat(
        [probe(method.encode(batch.to(device))).argmax(-1).cpu() for batch in dataset.test.in_order(size)]
    )
    scored = len(predicted) - (len(predicted) % size if experiment.protocol == "released" else 0)
    labels, predicted = dataset.test.labels[dataset.test.indices()][:scored].flatten(), predicted[:scored].flatten()
    values = scores(labels[labels >= 0].numpy(), predicted[labels >= 0].numpy())
    return values, seconds, time.perf_counter() - start


def targets_of(cells: list[dict]) -> list[dict]:
    """The targets for a cell beside what was measured; a quick profile measures none, and they are about a CPU."""
    whole = {cell["dataset"]: cell for cell in cells if cell["device"] == "CPU" and not cell["quick"]}
    harth = whole.get("harth", whole.get("harth-sim"))
    mitbih = whole.get("mitbih")
    return [
        target(
            "probe, encoding in every epoch / ours with features",
            "HARTH size",
            "≥",
            6,
            "×",
            harth and harth["probe_ratio"],
        ),
        target("whole cell of 200 iterations, plain / ours", "mitbih", "≥", 6, "×", mitbih and mitbih["cell_ratio"]),
    ]


@contextmanager
def _timed(seconds: dict[str, float], stage: str, device: str = "cpu") -> Iterator[None]:
    start = time.perf_counter()
    yield
    wait(device)
    seconds[stage] = time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
