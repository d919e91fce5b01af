"""What the page on probing says of the paper's Table 2, as printed."""

from functools import cache

import pandas as pd

from companion.claims import claim, require
from emargin.paths import home

ROUNDING = 0.01  # of two numbers of two digits, and half of each of two more, at most


@cache
def table() -> pd.DataFrame:
    """Return its rows, index (dataset, method), a column a metric."""
    paper = pd.read_csv(home() / "book" / "_static" / "paper_tables.csv")
    return paper[paper.table == 2].pivot(index=["dataset", "method"], columns="metric", values="mean")


@claim("$F_1$ is another average than precision and recall.")
def f1_is_no_macro_average():
    excess = table().f1 - (table().precision + table().recall) / 2
    require(excess.min() > ROUNDING, f"a row exceeds the mean of its precision and recall by {excess.min()} only")


@claim("All {rows} rows lie above, by {least} to {most}.")
def every_row_lies_above():
    excess = table().f1 - (table().precision + table().recall) / 2
    require(excess.min() > ROUNDING, f"the smallest excess is {excess.min()}")
    return {"rows": str(len(excess)), "least": f"{excess.min():.3f}", "most": f"{excess.max():.3f}"}


@claim("weighted recall equals accuracy, and in the table it does not.")
def recall_is_no_weighted_average():
    off = (table().accuracy_percent / 100 - table().recall).abs()
    require(off.min() > ROUNDING, f"in {off.idxmin()} they differ by {off.min()}")


@claim(
    "an accuracy of {accuracy} %, a weighted $F_1$ of {f1}, a macro precision of {precision} and a macro recall of "
    "{recall}, where a constant answer"
)
def emargin_on_sleepeeg():
    row = table().loc["sleepeeg", "InfoNCE + eMargin"]
    require(row.recall < 0.25, f"its recall is {row.recall}")
    scores = {name: f"{row[name]:.2f}" for name in ("f1", "precision", "recall")}
    return scores | {"accuracy": f"{row.accuracy_percent:.0f}"}


@claim("by its accuracy it is in the middle of the field.")
def its_accuracy_is_in_the_middle():
    accuracy = table().loc["sleepeeg"].accuracy_percent
    place = int((accuracy > accuracy["InfoNCE + eMargin"]).sum()) + 1
    require(3 < place < len(accuracy) - 2, f"it is number {place} of {len(accuracy)}")
