"""Choose a method's settings by people held out of the training side; the test side is never looked at."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock

from companion.grid.plan import once
from emargin import rows as results
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import checksum_of
from emargin.data.protocols import hold_out
from emargin.errors import InputError, NonFiniteGradient
from emargin.evaluation.features import encode_both
from emargin.evaluation.probing import further_probes
from emargin.stages import code_versions
from emargin.training import default_device, train

ROWS = 1000  # training frames a class at most for the probe that decides
DECIDES = "converged_balanced_accuracy"
SETTINGS = ("margin", "weight", "temperature", "label_share")  # fields that a choice may be between
COLUMNS = ("dataset", "fold", "method", "fidelity", *SETTINGS, "seed", "digest", "code", "data", "people", DECIDES)


def score(experiment: Experiment, dataset: Dataset, device: torch.device | str | None = None) -> dict:
    """Train without the held-out people and score them: a line of `COLUMNS`, without a score if training diverges."""
    device = device or default_device()
    split = hold_out(dataset)
    try:
        method, _ = train(experiment, split, device=device, progress=False)
    except NonFiniteGradient as error:
        print(f"{experiment}: {error}", file=sys.stderr)
        reached = float("nan")
    else:
        probes = further_probes(*encode_both(method, split, device), seed=experiment.seed, rows=ROWS)
        reached = probes["converged"]["balanced_accuracy"]
    line = {name: getattr(experiment, name) for name in COLUMNS if hasattr(experiment, name)}
    return line | {
        "code": _code(experiment),
        "data": dataset.checksum,
        "people": f"{len(split.train.subjects.unique())} + {len(split.test.subjects.unique())}",
        DECIDES: reached,
    }


def _code(experiment: Experiment) -> str:
    versions = code_versions(experiment)
    return "-".join(versions[stage] for stage in ("data", "train", "further probes"))


def read(path: Path) -> pd.DataFrame:
    """Lines that `add` wrote; none where there is no file. Raises InputError if it is no such file."""
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    lines = results.read_csv(path, dtype={name: str for name in ("digest", "code", "data")})
    absent = [name for name in COLUMNS if name not in lines]
    if absent:
        raise InputError(
            f"{path} is no file of scores",
            found=f"no column {', '.join(absent)}",
            wanted=", ".join(COLUMNS),
            todo="name another file with --out",
        )
    return lines


def add(line: dict, path: Path) -> None:
    """Put a line into the file, in the place of an earlier one of the same experiment."""
    results.writable_folder(path.parent)
    with FileLock(path.with_name(f".{path.name}.lock")):
        lines = read(path)
        lines = pd.concat([lines[lines.digest != line["digest"]], pd.DataFrame([line])], ignore_index=True)
        lines = lines.sort_values(["dataset", "fold", "method", *SETTINGS, "seed"])
        results.write_text(path, lines.to_csv(index=False, float_format="%.9g"))


def missing(experiments: Sequence[Experiment], path: Path) -> list[Experiment]:
    """Those that the file has no line of by the present code; where the data are at hand, on the present data."""
    lines, checksum = read(path), once(checksum_of)
    known = {line.digest: (line.code, line.data) for line in lines.itertuples()}

    def holds(one: Experiment) -> bool:
        code, data = known.get(one.digest, (None, None))
        return code == _code(one) and checksum(one) in (None, data)

    return [one for one in experiments if not holds(one)]


def chosen(experiments: Sequence[Experiment], lines: pd.DataFrame) -> dict[tuple, Experiment]:
    """The best experiment of each (data set, fold, method) by the mean over seeds; of equals, the one named first.

    Returns the one with the lowest seed. A setting with a training that diverged is not chosen. Raises InputError where
    an experiment has no line, those of a method differ in more than `SETTINGS` and seed, or every setting diverged.
    """
    values = lines.set_index("digest")[DECIDES]
    absent = [one for one in experiments if one.digest not in values.index]
    if absent:
        raise InputError(
            "settings cannot be chosen",
            found=f"no score of {absent[0]}",
            wanted="a line of each",
            todo="emargin choose",
        )
    groups: dict[tuple, dict[tuple, list[Experiment]]] = {}
    first: dict[tuple, Experiment] = {}
    for one in experiments:
        key, setting = (one.dataset, one.fold, one.method), tuple(getattr(one, name) for name in SETTINGS)
        like = first.setdefault(key, one)
        if replace(one, seed=like.seed, **{name: getattr(like, name) for name in SETTINGS}) != like:
            raise InputError(
                "settings cannot be chosen",
                found=f"{one} beside {like}",
                wanted=f"differences in {', '.join(SETTINGS)} and seed alone",
                todo="use two files",
            )
        groups.setdefault(key, {}).setdefault(setting, []).append(one)
    best = {}
    for key, settings in groups.items():
        means = [np.mean([values[one.digest] for one in same]) for same in settings.values()]
        if np.isnan(means).all():
            raise InputError(
                "settings cannot be chosen",
                found=f"no training of {first[key]} that ends",
                wanted="one setting at least",
            )
        best[key] = min(list(settings.values())[np.nanargmax(means)], key=lambda one: one.seed)
    return best
