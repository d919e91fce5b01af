"""Time of a training step on each encoder, beside that of the official TS2Vec code on the same sequences.

    python -m companion.bench.context --official CHECKOUT
    python -m companion.bench.context --datasets mitbih,spsw-har --turns 40 --out context.json

CHECKOUT is a folder with the files of github.com/zhihanyue/ts2vec; without it ours alone are timed. The official step
is one of its own `fit`. Ours has all that a step of `emargin.training.train` has but the points of the curve. All take
turns, a step each, so that a busy machine slows them alike. Times are those of the processor, medians over the turns.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from companion.bench import surroundings
from emargin.config import CHOICES, Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.optimiser import AdamW
from emargin.resolve import resolve
from emargin.training import _Gradients, build

DATASETS = ("harth-sim",)
METHODS = ("infonce", "ts2vec")
ENCODERS = (None, *CHOICES["encoder"])
OFFICIAL = "official TS2Vec"
WARM_UP, TURNS = 3, 31  # steps of each before those that are timed, and those
SEQUENCES = 64  # of the data set, drawn with seed 0


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.context", description=__doc__.partition("\n")[0])
    names: dict[str, Any] = {"type": lambda text: tuple(text.split(",")), "metavar": "NAME,..."}
    parser.add_argument("--official", type=Path, metavar="FOLDER", help="a checkout of github.com/zhihanyue/ts2vec")
    parser.add_argument("--datasets", **names, default=DATASETS, help="whose sequences are taken (default: harth-sim)")
    parser.add_argument("--methods", **names, default=METHODS, help="default: infonce,ts2vec")
    parser.add_argument("--turns", type=int, default=TURNS, help="steps of each that are timed (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.context",
        lambda: measure(options.datasets, options.methods, options.official, options.turns, options.out),
        options.out,
    )


def measure(
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    official: Path | None = None,
    turns: int = TURNS,
    out: Path | None = None,
) -> dict:
    """Measure each method, fidelity "original", on each encoder and print a line as it is done. Returns all figures.

    Raises InputError, before the first step, for an unknown data set or method, no turn, a checkout without the code,
    or an `out` whose folder is not there.
    """
    surroundings.check(1, out)
    if turns < 1:
        raise InputError("number of turns", found=turns, wanted="1 or more")
    if official is not None and not (official / "ts2vec.py").is_file():
        raise InputError(f"no official TS2Vec in {official}", found="no ts2vec.py", wanted="a checkout of its code")
    asked = {
        dataset: [
            resolve(Experiment(dataset=dataset, method=method, fidelity="original", encoder=encoder))
            for method in methods
            for encoder in ENCODERS
        ]
        for dataset in datasets
    }
    figures: dict = {"steps": []} | surroundings.machine(1)
    for dataset, experiments in asked.items():
        data = load(experiments[0])
        drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:SEQUENCES]
        frames = data.train.batch(drawn)  # (S, T, D)
        print(f"{dataset} ({data.source}), B {experiments[0].batch_size}, T {frames.shape[1]}, D {frames.shape[2]}")
        seconds = cast(dict, surroundings.alone(of_set, experiments, frames.numpy(), official, turns))
        for name, of_one in seconds.items():
            figure = {"dataset": dataset, "step": name, "ms": 1e3 * statistics.median(of_one), "turns": len(of_one)}
            quartiles = np.percentile(of_one, (25, 75)) * 1e3
            figures["steps"].append(figure | {"quartiles_ms": quartiles.tolist()})
            print(f"  {name:32s} {figure['ms']:8.1f} ms ({quartiles[0]:.1f} to {quartiles[1]:.1f})", flush=True)
    return figures


def of_set(experiments: list[Experiment], frames: np.ndarray, official: Path | None, turns: int) -> dict:
    """Time steps in this process, on sequences `(S, T, D)`. Returns the seconds of each turn, by what was timed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    steps = {name_of(experiment): step_of(experiment, torch.from_numpy(frames)) for experiment in experiments}
    seconds: dict[str, list[float]] = {name: [] for name in ([OFFICIAL] if official else []) + list(steps)}
    ends = [time.process_time()]

    def turn(*_: object) -> None:
        """Note the official step that ends here, and take a turn of ours."""
        if official:
            seconds[OFFICIAL].append(time.process_time() - ends[-1])
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
        ends.append(time.process_time())

    if official:
        sys.path.insert(0, str(official))
        from ts2vec import TS2Vec  # type: ignore[import-not-found]

        size = experiments[0].batch_size
        theirs = TS2Vec(frames.shape[2], device="cpu", batch_size=size, after_iter_callback=turn)
        theirs.fit(frames, n_iters=WARM_UP + turns)
    else:
        for _ in range(WARM_UP + turns):
            turn()
    return {name: of_one[WARM_UP:] for name, of_one in seconds.items()}


def name_of(experiment: Experiment) -> str:
    """Return what a line is called."""
    return f"{experiment.method}, {experiment.encoder or 'its own encoder'}"


def step_of(experiment: Experiment, frames: Tensor) -> Callable[[], None]:
    """Return a training step on sequences drawn from `(S, T, D)`."""
    method = build(experiment, frames.shape[-1]).train()
    parameters = [weight for weight in method.trained_parameters() if weight.requires_grad]
    optimiser = AdamW(parameters, learning_rate=experiment.learning_rate, weight_decay=experiment.weight_decay)
    gradients, draws = _Gradients(parameters, experiment, "cpu"), torch.Generator().manual_seed(experiment.seed)
    number = iter(range(1, experiment.iterations))

    def step() -> None:
        picked = torch.randperm(len(frames), generator=draws)[: experiment.batch_size]
        loss, _ = method.loss(frames[picked], draws)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(unless=gradients.spoilt(next(number), loss))
        method.after_step()

    return step


if __name__ == "__main__":
    sys.exit(main())
