"""The table of what differs from the methods' own code, from the committed result of `--checkouts`."""

from typing import Any

import pandas as pd

from companion.audit.parity.run import DIFFERS, EQUAL

HOW = {
    "value": "same inputs",
    "value and gradient": "same inputs, with gradients",
    "weights": "same weights",
    "draws": "same draws",
    "distribution": "by distribution",
}


def counts(table: dict[str, Any]) -> pd.DataFrame:
    """Count a method's functions and comparisons: equal, differing, not run; with repository and commit."""
    rows = {}
    for result in table.values():
        lines = result["lines"]
        equal, differing = (sum(line["result"] == kind for line in lines) for kind in (EQUAL, DIFFERS))
        rows[result["title"]] = {
            "functions": len(lines),
            "comparisons": sum(line["cases"] for line in lines),
            "equal": equal,
            "differ": differing,
            "not run": len(lines) - equal - differing,
            "repository, commit": f"{result['repository'].removeprefix('https://github.com/')} "
            f"{(result['commit'] or 'not known')[:7]}",
        }
    return pd.DataFrame(rows).T


def differing(table: dict[str, Any]) -> pd.DataFrame:
    """List what differs from the methods' own code, a row each: method, what, how it was seen, why."""
    rows = []
    for result in table.values():
        for line in result["lines"]:
            if line["result"] != EQUAL:
                why = line["reason"] if line["result"] == DIFFERS else line["result"]
                rows.append((result["title"], line["function"], HOW[line["how"]], why))
        rows += [(result["title"], entry["what"], "by reading", entry["reason"]) for entry in result["stated"]]
    return pd.DataFrame(rows, columns=["method", "what", "how it was seen", "why"]).set_index("method")


def equal(table: dict[str, Any]) -> pd.DataFrame:
    """List the functions that are equal to the methods' own."""
    rows = [
        (result["title"], line["function"], HOW[line["how"]], line["cases"])
        for result in table.values()
        for line in result["lines"]
        if line["result"] == EQUAL
    ]
    return pd.DataFrame(rows, columns=["method", "function", "compared", "cases"]).set_index("method")
