"""Does the encoder decide? Every method on two encoders, each against the untrained control on the same one.

A gain is a method's balanced accuracy minus that of untrained weights of the same encoder: calibrated random weights
where it sees one frame, random weights where it sees the sequence, which has no BatchNorm to calibrate.
"""

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.labels import label
from companion.statistics.configurations import SPLIT
from companion.statistics.correlations import METRIC
from companion.statistics.crossed import difference, ends, estimate, people_values, tables_of
from companion.statistics.over_sets import FEWEST_SETS
from emargin.evaluation import series
from emargin.evaluation.per_subject import PROBES
from emargin.methods import METHODS

FRAME, CONTEXT, SMALL = "frame", "context", "context-small"
CONTROLS = {FRAME: "random-calibrated", CONTEXT: "random", SMALL: "random"}
PROBE = f"chosen_{METRIC}"
ARCHIVE = "ucr"  # stands for the named sets of the UCR archive together
SCORES = ("silhouette", "participation_ratio", METRIC, PROBE)
DATA = [name for name in SPLIT if name != "fold"]
LINE = ["dataset", "encoder", "line"]


def lines(store: Store) -> pd.DataFrame:
    """Return a line a cell with its scores: `SPLIT`, "encoder", "line", "method", "seed", "digest", then `SCORES`.

    "line" names method, fidelity and reading; "encoder" is one of `CONTROLS`, "frame" for the methods' own. Scores are
    of frames, or of whole series where a set is scored by those.
    """
    cells = store.rows.drop_duplicates("digest").set_index("digest")
    names = [label(row._replace(encoder="")) for row in cells.itertuples()]
    rows = store.rows.assign(metric=store.rows.metric.str.removeprefix(series.PREFIX))
    scores = rows[rows.metric.isin(SCORES)].pivot(index="digest", columns="metric", values="value")
    found = cells[[*SPLIT, "method", "seed"]].assign(
        encoder=cells.encoder.replace("", FRAME),
        line=names,
        untrained=[METHODS[name].untrained for name in cells.method],
    )
    return found.join(scores.reindex(columns=SCORES)).reset_index()


def gains(store: Store, probe: str = PROBE) -> pd.DataFrame:
    """Return a line a set, encoder and method: what training adds to the untrained control of that encoder.

    probe: one of `SCORES`. Columns: "dataset", "encoder", "line", "value" (balanced accuracy), "control", "gain", "low"
    and "high" (95 %, new people and seeds; over seeds alone where recordings have no people), "people", "seeds", "flaw"
    (why there is no interval). Only the seeds that the line and its control both have count.
    """
    cells, tables, result = lines(store).dropna(subset=probe), tables_of(store), []
    (of_people,) = (name for name, prefix in PROBES.items() if probe == f"{prefix}{METRIC}")
    controls = cells[cells.method == cells.encoder.map(CONTROLS)]
    trained = cells[~cells.untrained].merge(
        controls, on=[*SPLIT, "encoder", "seed"], suffixes=("", "_control"), validate="many_to_one"
    )
    for names, both in trained.groupby([*DATA, "encoder", "line"], sort=False):
        dataset, encoder, line = names[0], *names[-2:]
        found = {"dataset": dataset, "encoder": encoder, "line": line, "value": both[probe].mean()}
        found["control"] = both[f"{probe}_control"].mean()
        sides = [list(both.digest), list(both.digest_control)]
        if all(of_people in tables.get(digest, {}) for side in sides for digest in side):
            first, second = (people_values(store, side, probe, tables=tables) for side in sides)
            found = estimate(difference(first, second)) | found
        else:
            found |= _over_seeds(both[probe] - both[f"{probe}_control"])
        result.append(found)
    columns = [*LINE, "value", "control", "gain", "low", "high", "people", "seeds", "flaw"]
    table = pd.DataFrame(result).reindex(columns=columns)
    return table.assign(gain=table.value - table.control)


def with_archive(table: pd.DataFrame) -> pd.DataFrame:
    """Return the gains with the sets of the UCR archive as one, `ARCHIVE`: means over sets, t intervals over sets.

    table: of `gains`. A line counts where it ran on every one of these sets that any line ran on; below `FEWEST_SETS`
    sets there is no interval. "seeds" is the smallest number over sets.
    """
    within = table.dataset.str.startswith(f"{ARCHIVE}-")
    result = []
    n = table.dataset[within].nunique()
    for (encoder, line), own in table[within].groupby(["encoder", "line"], sort=False):
        if len(own) < n:
            continue
        found = {"dataset": ARCHIVE, "encoder": encoder, "line": line, "people": 0, "seeds": own.seeds.min()}
        found |= {"low": np.nan, "high": np.nan, "flaw": f"{n} sets, {FEWEST_SETS} wanted: no interval"}
        if n >= FEWEST_SETS:
            low, high = ends(own.gain.mean(), own.gain.std(ddof=1) / n**0.5, n - 1)
            found |= {"low": float(low), "high": float(high), "flaw": ""}
        result.append(found | own[["value", "control", "gain"]].mean().to_dict())
    return pd.concat([table[~within], pd.DataFrame(result, columns=table.columns)], ignore_index=True)


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set: the rank correlation of the methods' values on the frame encoder with those on context.

    table: of `gains`. Also "first_frame" and "first_context", the line with the highest value on each, and "methods".
    """
    result = []
    for dataset, inside in table[table.encoder.isin([FRAME, CONTEXT])].groupby("dataset", sort=False):
        wide = inside.pivot_table("value", "line", "encoder").dropna()
        if wide.shape[1] < 2 or len(wide) < 3:
            continue
        result.append(
            {"dataset": dataset, "methods": len(wide), "correlation": wide[FRAME].corr(wide[CONTEXT], "spearman")}
            | {f"first_{encoder}": wide[encoder].idxmax() for encoder in (FRAME, CONTEXT)}
        )
    first = [f"first_{encoder}" for encoder in (FRAME, CONTEXT)]
    return pd.DataFrame(result, columns=["dataset", "methods", "correlation", *first])


def _over_seeds(differences: pd.Series) -> dict:
    """Return both ends of t over seeds, or why there are none."""
    n = len(differences)
    if n < 2:
        return {"low": np.nan, "high": np.nan, "people": 0, "seeds": n, "flaw": "one seed: no interval"}
    low, high = ends(differences.mean(), differences.std(ddof=1) / n**0.5, n - 1)
    return {"low": float(low), "high": float(high), "people": 0, "seeds": n, "flaw": ""}
