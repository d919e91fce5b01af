"""Experiments trained together against the same experiments one after another.

    python -m companion.bench.together
    python -m companion.bench.together --steps 10 --rounds 2 --out results/benchmarks/together.json

Seeds and two temperatures of eMargin released on one data set, by `companion.gpu.together.train_together` and by
`emargin.training.train` in turn: on the CPU and, where there is one, on a CUDA device. Both forms take turns within one
process a device, so that a busy machine slows both; the first turn of each warms up and is not counted. On a CUDA
device the other precisions and the recorded step take turns with them, and one experiment as it is and recorded. Then,
for two of the experiments, how far each of these leads from the single runs in float32.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from companion.bench import surroundings
from companion.bench.losses import print_targets, target
from companion.bench.surroundings import alone, machine, wait
from companion.gpu.together import train_together
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.methods import Method
from emargin.resolve import resolve
from emargin.training import Curve, train

SEEDS, TEMPERATURES = 12, (0.1, 0.5)  # 24 configurations
STEPS, ROUNDS = 40, 5
TEST_SEQUENCES = 64  # at most, whose embeddings are compared

VARIANTS = {
    "float32": {},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "captured": {"captured": True},
}  # arguments of train_together
ON_CPU = ("float32", "bf16")  # which computes tf32 as float32, and records nothing

Outcome = list[tuple[Method, Curve]]


def main(arguments: list[str] | None = None) -> int:
    """Measure; return the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.together", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", default="harth-sim", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="the quick profile of a simulator")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each of two temperatures (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.together",
        lambda: measure(
            options.dataset, options.quick, options.seeds, options.steps, options.rounds, options.threads, options.out
        ),
        options.out,
    )


def measure(
    dataset: str, quick: bool, seeds: int, steps: int, rounds: int, threads: int, out: Path | None = None
) -> dict:
    """Measure on each device, print its figures and at the end the target. Returns all figures.

    Raises InputError, before the first step, for an unknown data set, a number below 1, or an `out` without a folder.
    """
    for what, number in (("seeds", seeds), ("steps", steps), ("rounds", rounds)):
        if number < 1:
            raise InputError(f"number of {what}", found=number, wanted="1 or more")
    experiments = [
        resolve(Experiment(dataset=dataset, quick=quick, iterations=steps, seed=seed, temperature=temperature))
        for temperature in TEMPERATURES
        for seed in range(1, seeds + 1)
    ]
    surroundings.check(threads, out)
    first = experiments[0]
    figures = machine(threads) | {
        "dataset": dataset,
        "quick": first.quick,
        "batch_size": first.batch_size,
        "sequence_length": first.sequence_length,
        "configurations": len(experiments),
        "steps": steps,
        "rounds": rounds,
        "devices": [],
    }
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        figure = alone(of_device, experiments, device, rounds, threads)
        figures["devices"].append(figure)
        print(
            "{name}: {n} configurations, {steps} steps: in turn {in_turn_s:.2f} s, together {together_s:.2f} s, "
            "in turn / together {ratio:.2f}".format(n=len(experiments), steps=steps, **figure)
        )
        for error in figure["errors"]:
            print(
                "  {variant:8s} against single runs in float32: losses {losses:.1e}, embedding {embedding:.1e}".format(
                    **error
                ),
                flush=True,
            )
    figures["targets"] = targets_of(figures)
    print_targets(figures["targets"])
    return figures


def of_device(experiments: list[Experiment], device: str, rounds: int, threads: int) -> dict:
    """Return seconds of both forms and errors of the precisions, in this process. ratio: the rounds' median."""
    torch.set_num_threads(threads)
    dataset = load(experiments[0])
    forms: dict[str, Callable[[], Outcome]] = {
        "in_turn": lambda: in_turn(experiments, dataset, device),
        "together": lambda: train_together(experiments, dataset, device=device, progress=False),
    }
    if device == "cuda":
        for name in ("tf32", "bf16", "captured"):
            forms[f"together_{name}"] = lambda name=name: train_together(
                experiments, dataset, device=device, progress=False, **VARIANTS[name]
            )
        forms["one"] = lambda: in_turn(experiments[:1], dataset, device)
        forms["one_captured"] = lambda: train_together(
            experiments[:1], dataset, device=device, captured=True, progress=False
        )
    seconds = {name: [] for name in forms}
    for number in range(1 + rounds):
        for name, form in forms.items():
            elapsed = _seconds(form, device)
            if number:
                seconds[name].append(elapsed)
    ratios = {
        name: statistics.median(
            separate / joint for separate, joint in zip(seconds["in_turn"], seconds[name], strict=True)
        )
        for name in ("together", "together_captured")
        if name in seconds
    }
    return {
        "device": device,
        "name": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "features": dataset.n_features,
        "train_sequences": len(dataset.train),
        "source": dataset.source,
        **{f"{name}_s": statistics.median(times) for name, times in seconds.items()},
        "ratio": ratios["together"],
        "captured_ratio": ratios.get("together_captured"),
        "errors": errors([experiments[0], experiments[-1]], dataset, device),
    }


def in_turn(experiments: list[Experiment], dataset: Dataset, device: str) -> Outcome:
    """Train each experiment by itself."""
    return [train(experiment, dataset, device=device, progress=False) for experiment in experiments]


def errors(experiments: list[Experiment], dataset: Dataset, device: str) -> list[dict]:
    """Return how far each variant of joint training is from the single runs, for the worst experiment.

    losses: the largest difference of two points of the curve, by the mean size of the single run's points. embedding:
    the norm of the difference by the norm, on test sequences.
    """
    wanted = in_turn(experiments, dataset, device)
    rows = []
    for variant in VARIANTS if device == "cuda" else ON_CPU:
        trained = train_together(experiments, dataset, device=device, progress=False, **VARIANTS[variant])
        pairs = list(zip(trained, wanted, strict=True))
        rows.append(
            {
                "variant": variant,
                "losses": max(_loss_error(curve, target) for (_, curve), (_, target) in pairs),
                "embedding": max(
                    _embedding_error(method, target, dataset, device) for (method, _), (target, _) in pairs
                ),
            }
        )
    return rows


def _loss_error(curve: Curve, wanted: Curve) -> float:
    size = statistics.mean(abs(point["loss"]) for point in wanted)
    return max(abs(joint["loss"] - single["loss"]) for joint, single in zip(curve, wanted, strict=True)) / size


@torch.no_grad()
def _embedding_error(method: Method, wanted: Method, dataset: Dataset, device: str) -> float:
    batch = dataset.test.batch(slice(0, TEST_SEQUENCES)).to(device)
    embedding, target = method.encode(batch), wanted.encode(batch)
    return ((embedding - target).norm() / target.norm()).item()


def _seconds(form: Callable[[], Outcome], device: str) -> float:
    start = time.perf_counter()
    form()
    wait(device)
    return time.perf_counter() - start


def targets_of(figures: dict) -> list[dict]:
    """Return the target for a GPU beside the measurement: only 24 configurations of HARTH's size measure it.

    It is judged by the faster of the two forms of a step, as it is and recorded.
    """
    whole = figures["configurations"] == 24 and figures["dataset"] in ("harth", "harth-sim") and not figures["quick"]
    ratios = [
        max(figure["ratio"], figure["captured_ratio"])
        for figure in figures["devices"]
        if figure["device"] == "cuda" and whole
    ]
    return [
        target(
            "one GPU: 24 configurations and seeds, in turn / together",
            "HARTH size",
            "≥",
            6,
            "×",
            ratios[0] if ratios else None,
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
