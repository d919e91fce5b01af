"""Which splits can inform a statement about probes: one rule, stated beforehand, for every claim alike.

A split informs about a probe where the best untrained encoder is clearly above chance: where the lower end of its 95 %
interval over people and seeds lies above chance by more than 0.05. Elsewhere a probe that ranks encoders ranks noise.
The rule looks at no trained encoder, so no claim about training can choose its splits.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from companion.grid.store import Store
from companion.statistics.configurations import SPLIT
from companion.statistics.correlations import METRIC
from companion.statistics.crossed import FEWEST_FOLDS, ends, estimate, fold_values, people_values
from companion.statistics.resampling import RESAMPLED
from emargin.data.catalogue import settings_of
from emargin.evaluation.per_subject import PROBES
from emargin.methods import METHODS
from emargin.rows import OPTIONAL

ABOVE = 0.05  # balanced accuracy above chance that the lower end must reach
CONTROLS = tuple(name for name, method in METHODS.items() if method.untrained)
READS = ("control", "value", "low", "chance", "drawn", "people", "seeds")
PROBE_METRICS = tuple(f"{prefix}{METRIC}" for prefix in ("", "converged_", "knn_", "mlp_"))


def readable(
    store: Store, probes: Sequence[str] = PROBE_METRICS, *, folds_together: bool = False, above: float = ABOVE
) -> pd.DataFrame:
    """Return a line a split and probe: what the best untrained encoder reads there, and whether the split "informs".

    folds_together: the folds of a set are one split, as where every person is tested once. "control" is the encoder
    with the highest lower end, "value" and "low" are its balanced accuracy and lower end, "chance" that of a guess.
    "drawn" says what the interval rests on: "4 folds", where three or more are one split: new training people, too;
    "people and seeds"; or "seeds" where no table tells people apart, as for whole series and under protocol `released`.
    An interval over seeds alone is narrow, and holds for these people. "reason" says what is missing where a split does
    not inform.
    """
    by = [name for name in SPLIT if not (folds_together and name == "fold")]
    by += [name for name in OPTIONAL if name in store.rows and name not in by]
    rows = store.rows[store.rows.method.isin(CONTROLS) & store.rows.metric.isin(probes)]
    tables = store.arrays_of_cells(PROBES)
    lines = []
    for names, inside in rows.groupby([*by, "metric"], sort=False, dropna=False):
        found = [
            {"control": method} | _reads(store, tables, of_method, names[-1])
            for method, of_method in inside.groupby("method")
        ]
        best = max(found, key=lambda one: (not np.isnan(one["low"]), one["low"], one["value"]))
        informs = bool(best["low"] > best["chance"] + above)
        short = f"lower end {best['low']:.3f}, wanted above {best['chance'] + above:.3f}"
        lines.append(
            dict(zip([*by, "probe"], names, strict=True))
            | {key: best[key] for key in READS}
            | {"informs": informs, "reason": "" if informs else best["flaw"] or short}
        )
    return pd.DataFrame(lines, columns=[*by, "probe", *READS, "informs", "reason"]).astype({"informs": bool})


def _reads(store: Store, tables: dict, rows: pd.DataFrame, metric: str) -> dict:
    """Return what one untrained encoder reads on a split, its lower end, and chance."""
    table = next((name for name, metrics in RESAMPLED.items() if metric in metrics), None)
    counts = [tables[digest][table] for digest in rows.digest if table in tables.get(digest, {})]
    if rows.fold.nunique() >= FEWEST_FOLDS:
        of_folds = fold_values(rows, metric).groupby(["fold", "person"], as_index=False).value.mean()
        found = estimate(of_folds.assign(seed=1), over="folds")
        found |= {"seeds": rows.groupby("fold").seed.nunique().min(), "people": 0, "drawn": f"{found['folds']} folds"}
        classes = (np.concatenate(counts).sum((0, 2)) > 0).sum() if counts else _classes(rows)
        return found | {"chance": 1 / int(classes)}
    if table is not None and len(counts) == len(rows):
        classes = int((np.concatenate(counts).sum((0, 2)) > 0).sum())
        found = estimate(people_values(store, list(rows.digest), metric, tables=tables, above_chance=True))
        found |= {"value": found["value"] + 1 / classes, "low": found["low"] + 1 / classes}
        return found | {"chance": 1 / classes, "drawn": "people and seeds"}
    values = rows.groupby("seed").value.mean()
    found = {"value": float(values.mean()), "low": np.nan, "people": 0, "seeds": len(values), "flaw": ""}
    found |= {"chance": 1 / _classes(rows), "drawn": "seeds"}
    if len(values) < 2:
        return found | {"flaw": "one seed: no interval"}
    return found | {"low": float(ends(found["value"], values.std(ddof=1) / len(values) ** 0.5, len(values) - 1)[0])}


def _classes(rows: pd.DataFrame) -> int:
    return len(settings_of(rows.dataset.iloc[0]).draw)  # the draw has a number for each class


def informing(configurations: pd.DataFrame, lines: pd.DataFrame, probe: str) -> pd.DataFrame:
    """Return the configurations whose split informs about a probe.

    configurations: as `configurations.configurations` gives them. lines: of `readable`, fold by fold.
    """
    there = [name for name in SPLIT if name in configurations and name in lines]
    inform = set(lines.loc[lines.informs & (lines.probe == probe), there].fillna("").itertuples(index=False, name=None))
    return configurations[
        [names in inform for names in configurations[there].fillna("").itertuples(index=False, name=None)]
    ]
