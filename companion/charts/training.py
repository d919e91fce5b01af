"""Two losses on real recordings, checkpoint by checkpoint: a cloud of embeddings and its scores.

    python -m companion.charts.training

needs the recordings of the set, and trains anew, to each checkpoint. Training amplifies last digits, in which machines
differ, so that a run anew is like one of another seed. The command ends with an error where a score lies further than
`APART` outside those that the rows in `results/training` and `results/grid` have of three seeds.
"""

import functools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from companion.grid.store import Store
from emargin.config import Experiment
from emargin.data.dataset import Dataset
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation import frames
from emargin.evaluation.features import encode_both
from emargin.paths import home
from emargin.resolve import Resolved, resolve
from emargin.training import train

SET, SEED, FIDELITY = "spsw-har", 1, "released"
SEEDS = (1, 2, 3)
LOSSES = {"infonce": "InfoNCE", "emargin": "eMargin"}
STEPS = (0, 2, 5, 10, 25, 50, 100, 200, 400, 600)
SCORES = (
    "silhouette",
    "davies_bouldin",
    "participation_ratio",
    "balanced_accuracy",
    "chosen_balanced_accuracy",
    "nmi",
)
POINTS = 400
CLOUD, TABLE = (home() / "results" / "charts" / f"collapse_{name}.csv" for name in ("cloud", "scores"))
APART = {
    "silhouette": 0.1,
    "davies_bouldin": 0.3,
    "participation_ratio": 2.0,
    "balanced_accuracy": 0.03,
    "nmi": 0.1,
}


def cell(loss: str, steps: int, seed: int = SEED) -> Resolved:
    """Return the experiment whose encoder has been trained for so many steps; without any, the untrained one."""
    if not steps:
        return resolve(Experiment(dataset=SET, source="real", method="random", seed=seed))
    asked = Experiment(dataset=SET, source="real", method=loss, fidelity=FIDELITY, seed=seed, iterations=steps)
    return resolve(asked)


def plane(embedding: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """Return the two leading principal components `(n, 2)` of `(n, C)`, in units of the spread of the first.

    Their signs are such that they go with the components `before` of the same frames. Without these the longer tail is
    on the side of the large values.
    """
    rows = embedding.astype(np.float64) - embedding.mean(0, dtype=np.float64)
    _, directions = np.linalg.eigh(rows.T @ rows)
    components = rows @ directions[:, :-3:-1]
    components /= components[:, 0].std()
    return components * np.sign((components * (components**2 if before is None else before)).sum(0))


def scores(experiment: Resolved, dataset: Dataset) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Train and score; return scores, and the embeddings and classes of the frames that are clustered."""
    method, _ = train(experiment, dataset, progress=False)
    sides = encode_both(method, dataset)
    rows: dict[str, tuple] = {}
    for score in (frames.score_clusters, frames.score_collapse, frames.score_probe, frames.score_chosen):
        rows |= score(experiment, dataset, *sides)[0]
    embedding, labels, _ = frames.drawn(experiment, dataset, sides[1])
    return {name: rows[name][0] for name in SCORES}, embedding, labels


def known(loss: str, steps: int) -> pd.DataFrame:
    """Return the committed scores of the seeds, a line a seed, and a column a score that the rows have."""
    tables = []
    for seed in SEEDS:
        digest = cell(loss, steps, seed).digest
        for rows in _rows():
            if len(found := rows[(rows.digest == digest) & rows.metric.isin(SCORES)]):
                tables.append(found.set_index("metric").value.rename(seed))
                break
    return pd.DataFrame(tables)


def check(values: Mapping[str, float], rows: pd.DataFrame, what: str) -> None:
    """Raise InputError where a score is not among those of the committed seeds, or there are no rows of it."""
    for name, apart in APART.items():
        seeds = rows.get(name, pd.Series(dtype=float))
        least, most = seeds.min(), seeds.max()
        if not least - apart <= values[name] <= most + apart:
            found = f"{values[name]:.3f}"
            raise InputError(f"{what}: {name} is not among the rows", found=found, wanted=f"{least:.3f} to {most:.3f}")


@functools.cache
def _rows() -> list[pd.DataFrame]:
    return [Store(home() / "results" / name).rows for name in ("training", "grid")]


def main() -> None:
    """Write the files."""
    dataset, cloud, table = load(cell("infonce", 2)), {}, []
    picked: np.ndarray | None = None
    for loss in LOSSES:
        before = None
        for steps in STEPS:
            experiment = cell(loss, steps)
            values, embedding, labels = scores(experiment, dataset)
            before = plane(embedding, before)
            if picked is None:
                picked = np.sort(np.random.default_rng(0).permutation(len(labels))[:POINTS])
                cloud["class"] = [dataset.classes[label] for label in labels[picked]]
            for name, column in zip("xy", before[picked].T.round(2), strict=True):
                cloud[f"{loss}_{steps}_{name}"] = column + 0.0  # no -0.0
            table += [
                {"loss": loss, "steps": steps, "score": name, "value": round(value, 4)}
                for name, value in values.items()
            ]
            check(values, known(loss, steps), f"{loss}, {steps} steps")
            print(f"{loss}, {steps} steps: among the rows", flush=True)
    CLOUD.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(cloud).to_csv(CLOUD, index=False, lineterminator="\n")
    pd.DataFrame(table).to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
