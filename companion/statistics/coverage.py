"""How often the intervals hold the truth: simulated at the sizes used, under several error laws.

    python -m companion.statistics.coverage [--tables N] [--out results/statistics/coverage.json]

A table of differences between two lines is drawn, with effects of people, of the encoders (one a fold and seed, shared
by the people of its fold), and a rest, all of mean zero: so the truth is 0. In the law "bounded" both lines have an
accuracy a person, of 60 frames each, and the truth is the difference over many people. In "balanced accuracy" the
values are the pseudo-values of `crossed.people_values`, of people with other shares of the classes. Each line of the
output has the share of tables whose interval holds the truth, with its standard error, and the mean width. Methods:

    t            `crossed.estimate`, new people and seeds
    t of folds   `crossed.estimate`, new training people as well
    percentile   a percentile bootstrap of people and seeds, of means
    studentised  a bootstrap of (mean - truth) / error, with the error of "t"

and "jackknife" for rank correlations of 13 methods on a few sets (`correlations`).
"""

import argparse
import itertools
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from companion.statistics.correlations import correlation, value_of
from companion.statistics.crossed import FEWEST_FOLDS, LEVEL, ends, moments
from emargin.paths import home
from emargin.rows import write_text

FILE = home() / "results" / "statistics" / "coverage.json"
WANTED = 0.93  # for a nominal .95
TABLES, DRAWS = 4000, 400  # simulated tables; resamples of a bootstrap
RESAMPLED = 400  # tables of a bootstrap at most
FRAMES = 60  # a person, in the law "bounded"
SIZES = {  # name -> people, folds
    "two people": (2, 1),
    "DSADS, one fold": (4, 1),
    "DSADS": (8, 4),
    "features of Sleep-EDF": (10, 5),
    "MIT-BIH, rhythms": (20, 2),
    "SP-SW-HAR": (23, 4),
    "MIT-BIH, beats": (44, 2),
}
SEEDS = (3, 10)
LAWS = {  # name -> kind of the draws, standard deviations of people, encoders, rest, training people of a fold
    "normal": ("normal", (1, 0.5, 0.5, 0)),
    "heavy tails": ("t3", (1, 0.5, 0.5, 0)),
    "skewed": ("lognormal", (1, 0.5, 0.5, 0)),
    "people more than seeds": ("normal", (1, 0.1, 0.2, 0)),
    "seeds more than people": ("normal", (0.2, 1, 0.2, 0)),
    "the rest alone": ("normal", (0, 0, 1, 0)),
    "bounded": ("bounded", (0.6, 0.3, 0, 0)),
    "training people too": ("normal", (1, 0.5, 0.5, 0.7)),
    "balanced accuracy": ("pooled", (0.6, 0.3, 0, 0)),
}
METHODS = ("t", "t of folds", "percentile", "studentised")
STUDENTISED = ("DSADS", "SP-SW-HAR")  # it takes most of the time


def folds_of(people: int, folds: int) -> np.ndarray:
    """Return the fold of each person `(n,)`, as equal as can be."""
    return np.sort(np.arange(people) % folds)


def draw(law: str, tables: int, folds: np.ndarray, seeds: int, generator: np.random.Generator) -> np.ndarray:
    """Draw differences `(tables, n, S)`."""
    kind, (people, encoders, rest, training) = LAWS[law]
    n, n_folds = len(folds), folds[-1] + 1

    def effect(spread, *shape):
        return spread * _noise(kind, (tables, *shape), generator)

    if kind == "pooled":
        return _pseudo_values(tables, folds, seeds, (people, encoders), generator)
    if kind == "bounded":
        ability = 1.2 + effect(1, n, 1)
        logits = [ability + effect(encoders, n_folds, seeds)[:, folds]]
        logits += [ability - 0.3 + effect(people, n, 1) + effect(encoders, n_folds, seeds)[:, folds]]
        first, second = (generator.binomial(FRAMES, 1 / (1 + np.exp(-of_line))) / FRAMES for of_line in logits)
        return first - second
    shared = effect(training, n_folds, 1) + effect(encoders, n_folds, seeds)
    return effect(people, n, 1) + shared[:, folds] + effect(rest, n, seeds)


def _pseudo_values(
    tables: int, folds: np.ndarray, seeds: int, spreads: tuple[float, float], generator: np.random.Generator
) -> np.ndarray:
    """Draw pseudo-values `(tables, n, S)` of a difference in balanced accuracy over the frames of all people.

    Three classes, of which each person has another share, and unlike difficulty; both lines see the same frames.
    """
    n, (people, encoders) = len(folds), spreads
    frames = generator.poisson(FRAMES * generator.dirichlet([2, 2, 2], (tables, n)))[:, :, None]
    ability = np.array([2, 1.2, 0.4]) + generator.standard_normal((tables, n, 1, 1))
    every = frames.sum(1, keepdims=True)
    values = []
    for shift, spread in ((0, 0), (-0.3, people)):
        logits = ability + shift + spread * generator.standard_normal((tables, n, 1, 3))
        logits = logits + encoders * generator.standard_normal((tables, folds[-1] + 1, seeds, 1))[:, folds]
        right = generator.binomial(frames, 1 / (1 + np.exp(-logits)))
        together = right.sum(1, keepdims=True)
        whole, without = together / np.maximum(every, 1), (together - right) / np.maximum(every - frames, 1)
        values.append(n * whole.mean(-1) - (n - 1) * without.mean(-1))
    return values[0] - values[1]


def _noise(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Draw numbers of mean 0 and standard deviation 1."""
    if kind == "t3":
        return generator.standard_t(3, shape) / np.sqrt(3)
    if kind == "lognormal":  # of shape 0.5: skewness 1.75
        grown = np.exp(0.5 * generator.standard_normal(shape))
        return (grown - np.exp(0.125)) / np.sqrt((np.exp(0.25) - 1) * np.exp(0.25))
    return generator.standard_normal(shape)


def interval(method: str, values: np.ndarray, folds: np.ndarray, generator: np.random.Generator):
    """Return both ends `(tables,)` for tables `(tables, n, S)`."""
    mean, error, freedom = moments(values, folds, "folds" if method == "t of folds" else "people")
    if method.startswith("t"):
        return ends(mean, error, freedom)
    people, seeds = _resamples(folds, values.shape[-1], generator)
    n, chosen = len(folds), np.zeros((len(people), *values.shape[1:]))
    chosen[:] = people[:, :, None] * seeds[:, folds]  # how often each value is drawn
    means = values.reshape(len(values), -1) @ chosen.reshape(len(chosen), -1).T / (n * values.shape[-1])
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    if method == "percentile":
        return np.percentile(means, tails, axis=1)
    errors = np.array([_error(values, folds, *both) for both in zip(people, seeds, strict=True)]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num((means - mean[:, None]) / errors, posinf=1e9, neginf=-1e9)
    low, high = np.percentile(ratios, tails, axis=1)
    return mean - high * error, mean - low * error


def _resamples(folds: np.ndarray, seeds: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each person `(draws, n)` is drawn, and each encoder `(draws, F, S)` among those of its fold."""
    n = len(folds)
    people = generator.multinomial(n, np.full(n, 1 / n), DRAWS)
    return people, generator.multinomial(seeds, np.full(seeds, 1 / seeds), (DRAWS, folds[-1] + 1))


def _error(values: np.ndarray, folds: np.ndarray, people: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the standard error of "t" in one resample of each table, `(tables,)`."""
    n, count = len(folds), values.shape[-1]
    of_person = (values * seeds[folds]).sum(-1) / count
    mean = of_person @ people / n
    variance = (of_person - mean[:, None]) ** 2 @ people / (n - 1) / n
    for fold, drawn in enumerate(seeds):
        inside = np.where(folds == fold, people, 0)
        if inside.any():
            of_seed = np.tensordot(values, inside, ([1], [0])) / inside.sum()
            apart = (of_seed - (of_seed @ drawn / count)[:, None]) ** 2 @ drawn / (count - 1)
            variance = variance + (inside.sum() / n) ** 2 * apart / count
    return np.sqrt(variance)


@cache
def truth_of(law: str) -> float:
    """Return the mean that the tables of a law have; where both lines have accuracies, of 80,000 people."""
    if LAWS[law][0] not in ("bounded", "pooled"):
        return 0.0
    return float(draw(law, 1, np.arange(80_000), 2, np.random.default_rng(99)).mean())


def covered(method: str, law: str, people: int, folds: int, seeds: int, tables: int, seed: int = 0) -> dict:
    """Return how often intervals of one method, law and size hold the truth."""
    generator = np.random.default_rng([seed, people, folds, seeds, list(LAWS).index(law)])
    if method in ("percentile", "studentised"):
        tables = min(tables, RESAMPLED)
    of = folds_of(people, folds)
    low, high = interval(method, draw(law, tables, of, seeds, generator), of, generator)
    return _line((low <= truth_of(law)) & (truth_of(law) <= high), high - low)


def _line(held: np.ndarray, widths: np.ndarray) -> dict:
    share = float(held.mean())
    error = float(np.sqrt(max(share * (1 - share), 1e-9) / len(held)))
    return {"coverage": round(share, 4), "error": round(error, 4), "width": round(float(np.mean(widths)), 4)} | {
        "tables": len(held)
    }


def of_correlations(sets: int, tables: int, seed: int = 0) -> dict:
    """Return coverage for 13 methods with two configurations on each of some sets, whose quality the scores share.

    The truth is what 400 methods have on 20 sets.
    """
    generator = np.random.default_rng([seed, sets])

    def rows(methods, n_sets):
        quality, other = generator.standard_normal((2, methods, 1, 1))
        noise = generator.standard_normal((2, methods, n_sets, 2))
        names = np.array(list(itertools.product(range(methods), range(n_sets), range(2))))[:, :2]
        first, second = quality + 0.8 * noise[0], 0.7 * quality + 0.7 * other + 0.8 * noise[1]
        return pd.DataFrame({"method": names[:, 0], "set": names[:, 1], "x": first.ravel(), "y": second.ravel()})

    truth = value_of(rows(400, 20), "x", "y")
    found = [correlation(rows(13, sets), "x", "y") for _ in range(tables)]
    held = np.array([one["low"] <= truth <= one["high"] for one in found])
    widths = np.array([one["high"] - one["low"] for one in found])
    size = f"13 methods, {sets} sets"
    return {"method": "jackknife", "law": "rank correlation", "size": size} | _line(held, widths)


def simulate(tables: int) -> pd.DataFrame:
    """Return all lines: "method", "law", "size", "people", "folds", "seeds", "coverage", "error", "width", "tables"."""
    lines = []
    for (size, (people, folds)), seeds, law in itertools.product(SIZES.items(), SEEDS, LAWS):
        if LAWS[law][1][3] and folds == 1:
            continue  # a single training side is held, whatever is asked
        for method in METHODS:
            slow = method == "studentised" and (size not in STUDENTISED or seeds > min(SEEDS))
            if slow or (method == "t of folds" and folds < FEWEST_FOLDS):
                continue
            line = {"method": method, "law": law, "size": size, "people": people, "folds": folds, "seeds": seeds}
            lines.append(line | covered(method, law, people, folds, seeds, tables))
    for sets in (3, 6):
        lines.append(of_correlations(sets, min(tables, RESAMPLED)))
    return pd.DataFrame(lines).astype(dict.fromkeys(("people", "folds", "seeds"), "Int64"))


def read_coverage(file: Path = FILE) -> pd.DataFrame:
    """Return the lines that the command wrote."""
    return pd.DataFrame(json.loads(file.read_text())["lines"])


def main(arguments: list[str] | None = None) -> None:
    """Simulate, print what falls short, and write everything."""
    parser = argparse.ArgumentParser(prog="python -m companion.statistics.coverage", description=__doc__.split("\n")[0])
    parser.add_argument("--tables", type=int, default=TABLES, help="simulated tables a line (%(default)s)")
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args(arguments)
    lines = simulate(asked.tables)
    shown = lines.groupby(["method", "law"], sort=False).coverage.agg(["min", "max"])
    print(f"coverage of nominal {LEVEL:g} over all sizes, least and most:\n{shown.round(3).to_string()}")
    short = lines[(lines.coverage < WANTED) & (lines.method == "t")]
    print(f"\n{len(short)} lines of t below {WANTED:g}:\n{short.to_string(index=False)}")
    records = json.loads(lines.to_json(orient="records"))
    text = ",\n  ".join(
        json.dumps({key: value for key, value in line.items() if value is not None}) for line in records
    )
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(asked.out, f'{{"nominal": {LEVEL}, "wanted": {WANTED}, "lines": [\n  {text}\n]}}\n')


if __name__ == "__main__":
    main()
