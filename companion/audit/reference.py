"""TS2Vec as its authors ran it, on its own encoder, raw series of the UCR archive, beside published scores.

    python -m companion.audit.reference --data data/ucr --out results/audit/reference.json
    python -m companion.audit.reference --data data/ucr --official CHECKOUT --sets CricketX

Series as they are in the files; the dilated encoder; batches of 8; AdamW with the authors' rate and decay; the mean of
all iterates; the maximum over time as a series' representation; a support vector machine with their grid of C. Rows
that the file has are not run again. With `--official` the authors' own code, in a checkout on the reader's disk, runs
instead, in this process and with its own draws, and its rows stand beside ours.
"""

import argparse
import importlib
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from companion.audit.parity.run import commit_of
from companion.audit.stand_ins import install
from emargin.augmentations.crops import overlapping_crops
from emargin.data.readers.ucr import load_ucr
from emargin.encoders import DilatedEncoder, frame_mask, weight_average
from emargin.errors import InputError
from emargin.files import write_bytes
from emargin.losses.hierarchical import hierarchical
from emargin.methods.ts2vec import shared
from emargin.optimiser import AdamW
from emargin.paths import home
from emargin.threads import limited

SETS = ("Adiac", "CricketX", "FacesUCR", "FiftyWords", "SwedishLeaf", "WordSynonyms")
SEEDS = (1, 2, 3)
BATCH, LEARNING_RATE, WEIGHT_DECAY = 8, 1e-3, 0.01
SMALL = 100_000  # values of a training side, up to which 200 steps are made, beyond which 600
STEPS = (200, 600)
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4, np.inf)  # of C
FEWEST, FEWEST_A_CLASS = 50, 5  # training series, below which the grid is left out
CLOSE = 0.03  # accuracies that differ by more than that are looked into
LONGEST = 3000  # frames, above which the authors' command would cut series; these sets have 300 at most
PUBLISHED = {
    "method": "TS2Vec",
    "read_from": "Sun et al., TEST: Text Prototype Aligned Embedding to Activate LLM's Ability for Time Series, ICLR "
    "2024, Table 14, column TS2Vec, in a transcription of the paper as Markdown. TS2Vec's own paper was not at hand.",
    "accuracy": {
        "Adiac": 0.765,
        "CricketX": 0.805,
        "FacesUCR": 0.926,
        "FiftyWords": 0.774,
        "SwedishLeaf": 0.942,
        "WordSynonyms": 0.704,
    },
    "TNC": {  # its column TNC; nothing of ours is run like it, since the text names neither encoder nor window
        "Adiac": 0.726,
        "CricketX": 0.623,
        "FacesUCR": 0.789,
        "FiftyWords": 0.653,
        "SwedishLeaf": 0.880,
        "WordSynonyms": 0.630,
    },
}


def steps(values: int) -> int:
    """Return the number of steps for a training side of so many values: TS2Vec's own rule."""
    return STEPS[0] if values <= SMALL else STEPS[1]


def trained(series: Tensor, seed: int, n_steps: int) -> nn.Module:
    """Train TS2Vec's encoder.

    Parameters
    ----------
    series : Tensor
        `(n, T, D)`, the training side.
    seed : int
        Of the weights and all draws.
    n_steps : int

    Returns
    -------
    nn.Module
        The mean of all iterates, in evaluation mode: `(n, T, D)` -> `(n, T, 320)`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = DilatedEncoder(series.shape[2])
        generator = torch.Generator().manual_seed(seed)
        average = weight_average(encoder)
        optimiser = AdamW(encoder.parameters(), learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        size = min(BATCH, len(series))
        order: list[int] = []
        for _ in range(n_steps):
            if len(order) < size:  # an epoch ends with its last full batch
                order = torch.randperm(len(series), generator=generator).tolist()
            batch, order = series[order[:size]], order[size:]
            first, second, overlap = overlapping_crops(batch, generator)
            views = (encoder(crop, frame_mask(crop, generator)) for crop in (first, second))
            optimiser.zero_grad()
            hierarchical(*shared(*views, overlap)).backward()
            optimiser.step()
            average.update_parameters(encoder)
    return average.eval()


@torch.no_grad()
def represented(encoder: nn.Module, series: Tensor, chunk: int = 64) -> np.ndarray:
    """Return the maximum over time of each series' embedding, `(n, 320)`."""
    return torch.cat([encoder(part).amax(1) for part in series.split(chunk)]).numpy()


def accuracy(train: np.ndarray, classes: np.ndarray, test: np.ndarray, true: np.ndarray) -> float:
    """Return the accuracy of a support vector machine with radial kernel, C from the authors' grid by five folds."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    machine = SVC(C=np.inf, gamma="scale")
    if len(train) // len(np.unique(classes)) < FEWEST_A_CLASS or len(train) < FEWEST:
        return float(machine.fit(train, classes).score(test, true))
    search = GridSearchCV(SVC(gamma="scale", max_iter=10_000_000), {"C": list(GRID)}, cv=5)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The least populated class"
        )  # a class can have fewer series than folds
        return float(search.fit(train, classes).score(test, true))


def run(folder: Path, seed: int) -> dict[str, Any]:
    """Train and score on one set: name, seed, steps and accuracy."""
    (train, classes), (test, true) = _sides(folder)
    n_steps = steps(train.numel())
    encoder = trained(train, seed, n_steps)
    value = accuracy(represented(encoder, train), classes, represented(encoder, test), true)
    return {"set": folder.name, "seed": seed, "steps": n_steps, "accuracy": value}


def run_official(folder: Path, seed: int) -> dict[str, Any]:
    """Do the same with the authors' code, where `stand_ins.install` lets it be found, as its `train.py` calls it."""
    from joblib import parallel_config

    (train, classes), (test, true) = _sides(folder)
    importlib.import_module("utils").init_dl_program("cpu", seed=seed)
    model = importlib.import_module("ts2vec").TS2Vec(
        input_dims=train.shape[2], device="cpu", batch_size=BATCH, lr=LEARNING_RATE, max_train_length=LONGEST
    )
    model.fit(train.numpy())
    features = [model.encode(side.numpy(), encoding_window="full_series") for side in (train, test)]
    with parallel_config("sequential"), warnings.catch_warnings():  # it asks for five processes
        warnings.simplefilter("ignore")
        machine = importlib.import_module("tasks._eval_protocols").fit_svm(features[0], classes)
    value = float(machine.score(features[1], true))
    return {"set": folder.name, "seed": seed, "steps": int(model.n_iters), "accuracy": value}


def _sides(folder: Path) -> list[tuple[Tensor, np.ndarray]]:
    """Return series `(n, T, 1)` and classes of the training side and of the test side."""
    recordings, sides = load_ucr(folder).recordings, []
    for side in ("TRAIN", "TEST"):
        chosen = [recording for recording in recordings if recording.subject == side]
        series = torch.from_numpy(np.stack([recording.values for recording in chosen]))
        sides.append((series, np.array([recording.labels[0] for recording in chosen])))
    return sides


def run_all(
    data: Path, out: Path, sets: Sequence[str], seeds: Sequence[int], official: Path | None = None
) -> list[dict[str, Any]]:
    """Run what the file lacks, seed by seed, and write it after each; return all rows, ours or the official code's."""
    kept = {"published": PUBLISHED, "rows": []} | (json.loads(out.read_text(encoding="utf8")) if out.exists() else {})
    kept["published"], rows, one = PUBLISHED, kept["rows"], run
    if official:
        if not (official / "ts2vec.py").is_file():
            found, todo = f"no {official / 'ts2vec.py'}", "git clone https://github.com/zhihanyue/ts2vec"
            raise InputError("a checkout of TS2Vec's code is needed", found=found, todo=todo)
        install(str(official.resolve()), double=False)
        beside = kept.setdefault("official", {"rows": []})
        beside["commit"], rows, one = commit_of(official), beside["rows"], run_official
    out.parent.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for name in sets:
            if any((row["set"], row["seed"]) == (name, seed) for row in rows):
                continue
            row = one(data / name, seed)
            rows.append(row)
            rows.sort(key=lambda row: (row["set"], row["seed"]))
            write_bytes(out, (json.dumps(kept, indent=1) + "\n").encode())
            print(f"{name}, seed {seed}: {row['accuracy']:.3f}", flush=True)
    return rows


def against_published(rows: Sequence[dict[str, Any]], official: Sequence[dict[str, Any]] = ()) -> pd.DataFrame:
    """Return a line a set: "seeds", "ours" (mean) and its "spread", "published", and ours less published.

    With rows of the official code also its mean, "official", and its "official_spread".
    """
    found = pd.DataFrame(rows).groupby("set").accuracy.agg(seeds="size", ours="mean", spread="std")
    found["published"] = pd.Series(PUBLISHED["accuracy"], dtype=float).reindex(found.index)
    found["difference"] = found.ours - found.published
    if official:
        theirs = pd.DataFrame(official).groupby("set").accuracy
        found = found.join(theirs.agg(official="mean", official_spread="std"))
    return found.rename_axis(index=None)


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line a set: mean and spread over seeds, the published accuracy, and whether they are far apart."""
    lines = []
    for name, ours in against_published(rows).iterrows():
        spread = "" if np.isnan(ours.spread) else f" +- {ours.spread:.3f}"
        beside = "not at hand" if np.isnan(ours.published) else f"{ours.published:.3f}"
        far = f": more than {CLOSE} apart" if abs(ours.difference) > CLOSE else ""
        lines.append(f"{name:14}{ours.ours:.3f}{spread} (seeds: {ours.seeds:.0f}), published {beside}{far}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 where a set cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m companion.audit.reference", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=str(home() / "data" / "ucr"), help="the folder with the sets")
    parser.add_argument("--out", default=str(home() / "results" / "audit" / "reference.json"))
    parser.add_argument("--official", metavar="CHECKOUT", type=Path, help="run the authors' code there, not ours")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    asked = parser.parse_args(arguments)
    try:
        with limited():
            rows = run_all(Path(asked.data), Path(asked.out), asked.sets, asked.seeds, asked.official)
    except InputError as error:
        print(f"reference: {error}", file=sys.stderr)
        return 2
    print("\n".join(summary(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
