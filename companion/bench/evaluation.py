"""The linear probe at its optimum beside scikit-learn's solvers, which minimise the same function.

    python -m companion.bench.evaluation --datasets spsw-har,sleepedf-features --out results/benchmarks/evaluation.json

Frames of the training side, embedded by the calibrated random encoder and standardised, as the probe sees them; C = 1.
Ours stops where the norm of the gradient is 1e-4 of that at zero weights. Each of scikit-learn's solvers has the
loosest tolerance with which it gets there, which is found before the clock starts. All take turns, so that a busy
machine slows them alike; times are those of the processor, medians over the turns. Clusters, silhouette, nearest
neighbours and MLP are scikit-learn's own here, so there is nothing to compare.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from companion.bench import surroundings
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation.features import encode_both
from emargin.evaluation.logistic import TOLERANCE, _Problem, path
from emargin.evaluation.probing import PROBE_ROWS, _standardised
from emargin.resolve import resolve
from emargin.training import train

DATASETS, TURNS = ("harth-sim",), 7
OURS, SOLVERS = "emargin", ("lbfgs", "newton-cg", "newton-cholesky")
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # of scikit-learn, from the loosest


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m companion.bench.evaluation", description=__doc__.partition("\n")[0]
    )
    names = {"type": lambda text: tuple(text.split(",")), "metavar": "NAME,..."}
    parser.add_argument("--datasets", **names, default=DATASETS, help="whose frames are embedded (default: harth-sim)")
    parser.add_argument("--quick", action="store_true", help="the quick profile of a simulator")
    parser.add_argument("--turns", type=int, default=TURNS, help="fits of each that are timed (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=PROBE_ROWS, help="frames of a class at most (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.evaluation",
        lambda: measure(options.datasets, options.quick, options.turns, options.rows, options.out),
        options.out,
    )


def measure(
    datasets: tuple[str, ...], quick: bool, turns: int = TURNS, rows: int = PROBE_ROWS, out: Path | None = None
) -> dict:
    """Time the fits on each data set and print a line each as it is done. Returns all figures.

    Raises InputError, before the first fit, for an unknown data set, no turn, or an `out` whose folder is not there.
    """
    surroundings.check(1, out)
    if turns < 1:
        raise InputError("number of turns", found=turns, wanted="1 or more")
    asked = [resolve(Experiment(dataset=name, quick=quick, method="random-calibrated")) for name in datasets]
    figures: dict = surroundings.machine(1) | {"turns": turns, "fits": []}
    for experiment in asked:
        data = load(experiment)
        method, _ = train(experiment, data, progress=False)
        sides = encode_both(method, data)
        x, y, test = _standardised(*sides, rows)
        print(f"{experiment.dataset} ({data.source}), {len(x):,} frames of {x.shape[1]} features")
        about = {"dataset": experiment.dataset, "source": data.source, "frames": len(x)}
        for fit in compared(x, y, test, turns):
            figures["fits"].append(about | fit)
            words = "  {solver:16s} {seconds:8.2f} s, {ratio:6.2f} of ours, gradient {gradient:.0e}, {unlike:.2%} apart"
            print(words.format(**fit), flush=True)
    return figures


def compared(x: np.ndarray, y: np.ndarray, test: np.ndarray, turns: int) -> list[dict]:
    """Return a figure a solver: its seconds and their quartiles, the ratio to ours turn by turn, and what it found.

    x, y : features `(n, C)` and classes of the training side. test : features whose predicted classes are compared;
    "unlike" is the share that differs from ours. "gradient" is the certificate of `emargin.evaluation.logistic`.
    """
    problem = _Problem(x, y)
    penalty = 1 / len(x)  # of C = 1
    fits: dict[str, Callable] = {OURS: lambda: next(path(x, y, [penalty]))}
    for solver in SOLVERS:
        if fit := _reaching(solver, x, y, problem):
            fits[solver] = fit
    seconds: dict[str, list[float]] = {name: [] for name in fits}
    found: dict[str, dict] = {}
    with threadpool_limits(1):
        torch.set_num_threads(1)
        for _ in range(turns):
            for name, fit in fits.items():
                start = time.process_time()
                fitted = fit()
                seconds[name].append(time.process_time() - start)
                found[name] = {"classes": fitted.predict(test), "gradient": _gradient(fitted, problem)}
    ours = found[OURS]["classes"]
    return [
        {
            "solver": name,
            "seconds": statistics.median(times),
            "quartiles": np.percentile(times, (25, 75)).tolist(),
            "ratio": statistics.median(one / other for one, other in zip(times, seconds[OURS], strict=True)),
            "gradient": found[name]["gradient"],
            "unlike": float((found[name]["classes"] != ours).mean()),
        }
        for name, times in seconds.items()
    ]


def _reaching(solver: str, x: np.ndarray, y: np.ndarray, problem: _Problem) -> Callable | None:
    """Return a fit by one of scikit-learn's solvers, with the loosest tolerance that certifies it, or else None."""
    for tolerance in TOLERANCES:
        model = LogisticRegression(class_weight="balanced", solver=solver, tol=tolerance, max_iter=20_000)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            if _gradient(model.fit(x, y), problem) <= TOLERANCE:
                return lambda: model.fit(x, y)
    return None


def _gradient(fitted, problem: _Problem) -> float:
    """Return the certificate of a fit, ours or scikit-learn's."""
    if isinstance(fitted, LogisticRegression):
        weights, intercept = torch.from_numpy(fitted.coef_).double(), torch.from_numpy(fitted.intercept_).double()
        return problem.gradient_norm(weights, intercept, 1 / len(problem.y))
    return fitted.gradient


if __name__ == "__main__":
    sys.exit(main())
