"""What probes read of MIT-BIH's rhythms, line by line, on either split by patients and on both together.

Intervals draw people and seeds (`crossed`). Few people have a rare rhythm, so they are wide.
"""

import pandas as pd

from companion.grid.store import Store
from companion.labels import label
from companion.statistics.crossed import estimate, people_values, tables_of
from emargin.data.catalogue import settings_of
from emargin.rows import complete

FOLDS = {"first": (1,), "second": (2,), "both": (1, 2)}  # split -> its folds


def reads(store: Store, dataset: str, metric: str) -> pd.DataFrame:
    """Return the balanced accuracy of each line of a data set: a row a line and split.

    dataset: one whose cells have counts of people. metric: a probe's, such as "chosen_balanced_accuracy". Columns:
    "line", "split" (of `FOLDS`), "value", "low", "high", "chance", "people", "seeds". A line counts on a split with the
    seeds that it has on all its folds; with one seed it has no interval.
    """
    rows = complete(store.rows)
    cells = rows[(rows.dataset == dataset) & (rows.metric == metric)].drop_duplicates("digest")
    cells = cells.assign(line=[label(row) for row in cells.itertuples()])
    tables, found = tables_of(store), []
    chance = 1 / len(settings_of(dataset).draw)  # which has a number for each class
    for line, of_line in cells.groupby("line", sort=False):
        for split, folds in FOLDS.items():
            inside = of_line[of_line.fold.isin(folds)]
            whole = inside.groupby("seed").filter(lambda own, folds=folds: len(own) == len(folds))
            if whole.empty:
                continue
            own = estimate(people_values(store, list(whole.digest), metric, tables=tables, above_chance=True))
            own |= {end: own[end] + chance for end in ("value", "low", "high")}
            found.append({"line": line, "split": split, "chance": chance} | own)
    columns = ["line", "split", "value", "low", "high", "chance", "people", "seeds"]
    return pd.DataFrame(found, columns=columns)
