"""What the page of the ledger says of its items, and of the spread that limits their effects."""

from companion.audit.effects import METRICS
from companion.audit.ledger import read_ledger
from companion.claims import claim
from companion.committed import results
from emargin.rows import read_rows


@claim("say different things in {all} places; {rows} of them change what a row of a table means")
def items():
    grades = [item["grade"] for item in read_ledger()["items"]]
    return {"all": str(len(grades)), "rows": str(grades.count("A"))}


@claim(
    "of one method on one set is at most {silhouette} in nine of ten cases for the silhouette and {probe} for the probe"
)
def spread():
    rows = read_rows(results() / "grid" / "rows.csv")
    rows = rows[(rows.protocol == "original") & (rows.fold == 1)]
    line = ["metric", "dataset", "method", "fidelity", "reading", "labels"]
    spreads = rows.groupby(line, dropna=False).value.std().groupby(level="metric").quantile(0.9)
    return {
        name: f"{spreads[metric]:.2f}" for name, metric in zip(("silhouette", "probe"), METRICS.values(), strict=True)
    }
