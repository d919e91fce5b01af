"""Rows as configurations: a method with its settings, a line each, means over seeds."""

import pandas as pd

from emargin.rows import complete

SPLIT = ["dataset", "source", "surrogate", "protocol", "fold", "split"]
CONFIGURATION = [*SPLIT, "method", "fidelity", "reading", "labels", "encoder"]
LOWER_IS_BETTER = ("davies_bouldin",)


def configurations(rows: pd.DataFrame, encoder: str = "") -> pd.DataFrame:
    """A line a configuration, a column a metric, means over the seeds that did not fail; "set" names data set, protocol
    and fold. A configuration of which all seeds failed has a line without values.

    rows: tidy results. encoder: whose rows are taken; by default those of the methods' own.
    """
    rows = complete(rows)
    rows = rows[rows.encoder == encoder]
    wide = rows.groupby([*CONFIGURATION, "metric"]).value.mean().unstack("metric").reset_index()
    names = [
        f"{row.dataset}{f' ({row.surrogate})' if row.surrogate else ''}, {row.source}, protocol {row.protocol}, "
        f"fold {row.fold}{f', split {row.split}' if row.split else ''}"
        for row in wide.itertuples()
    ]
    return wide.assign(set=names)
