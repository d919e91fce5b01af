"""The comparison with checkouts of the methods' own repositories, each in a process of its own, and its table."""

import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from companion.audit.parity.comparison import DISTRIBUTION, TOLERANCE, Comparison, difference, summarised
from companion.audit.stand_ins import NOT_RUN, install
from emargin.errors import InputError
from emargin.paths import home

METHODS = ("ts2vec", "softclt", "cost", "tnc", "infots", "simmtm", "timedrl", "mfclr")
TIME_LIMIT = 600  # seconds a checkout; all of one take less than a tenth of that
EQUAL, DIFFERS, UNKNOWN = "equal", "differs", "no reason is known"


def about(method: str) -> dict[str, Any]:
    """Read a method's `NAME.yml`: repository, commit, folder, code, archive, differs, stated."""
    import yaml  # of the book's packages

    return yaml.safe_load(Path(__file__).with_name(f"{method}.yml").read_text(encoding="utf8"))


def comparisons(method: str) -> list[Comparison]:
    """Return what is compared for a method."""
    return importlib.import_module(f"companion.audit.parity.{method}").comparisons()


def commit_of(folder: Path) -> str | None:
    """Return the commit of a checkout, None where git does not tell it."""
    if not (folder / ".git").exists():
        return None
    run = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else None


def call(method: str, folder: str, answer: str) -> None:
    """Make all comparisons of a method with the code in `folder`, and write the outcomes to the JSON file `answer`.

    Made for a process of its own: it changes where modules are found. A comparison that fails is answered by its error.
    """
    install(folder, double=True)
    outcomes = [_outcome(comparison) for comparison in comparisons(method)]
    Path(answer).write_text(json.dumps(outcomes), encoding="utf8")


def _outcome(comparison: Comparison) -> dict[str, Any]:
    import torch

    outcome: dict[str, Any] = {"function": comparison.function, "how": comparison.how, "key": comparison.key}
    ours = comparison.ours()
    torch.set_default_dtype(torch.float64)
    try:
        theirs = comparison.theirs(importlib.import_module)
        gap = difference(ours, theirs, comparison.how, comparison.tolerance)
        return outcome | {"gap": gap if math.isfinite(gap) else None, "summary": summarised(theirs)}
    except ImportError as error:
        return outcome | {"error": f"{NOT_RUN}: {error}"}
    except Exception as error:  # any error of that code is its answer, and the reader sees it in the table
        return outcome | {"error": f"{type(error).__name__}: {error}"}
    finally:
        torch.set_default_dtype(torch.float32)


def outcomes(method: str, checkout: Path) -> list[dict[str, Any]]:
    """Return the outcome of each comparison of a method with a checkout.

    Raises InputError where the checkout does not hold the code, and where the process that runs it gives no answer.
    """
    known = about(method)
    with tempfile.TemporaryDirectory() as scratch:
        code = _code(checkout, known, Path(scratch))
        answer = Path(scratch) / "answer.json"
        settings = os.environ | {
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]),
        }
        program = "import sys; from companion.audit.parity.run import call; call(*sys.argv[1:])"
        command = [sys.executable, "-c", program, method, str(code.resolve()), str(answer)]
        try:
            done = subprocess.run(
                command, cwd=scratch, env=settings, capture_output=True, text=True, timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{checkout}: the process that runs its code did not end", found=f"more than {TIME_LIMIT} seconds"
            ) from None
        if not answer.exists():
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise InputError(
                f"{checkout}: the process that runs its code ended without an answer",
                found=f"exit status {done.returncode}; {last[0][-300:]}",
            )
        return json.loads(answer.read_text(encoding="utf8"))


def _code(checkout: Path, known: dict[str, Any], scratch: Path) -> Path:
    """Return the folder of a checkout that its modules are found in; what a repository keeps zipped is taken out."""
    code = checkout / known.get("code", ".")
    archive = checkout / known.get("archive", "")
    if archive.is_file():
        with zipfile.ZipFile(archive) as stored:
            stored.extractall(scratch / "code")
        code = scratch / "code"
    if not (code / known["needs"]).is_file():
        raise InputError(
            f"{checkout} does not hold the code of {known['title']}",
            found=f"no {known['needs']}",
            todo=f"git clone {known['repository']} {checkout}",
        )
    return code


def lines(method: str, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the outcomes of each function to a line of the table.

    Returns
    -------
    list of dict
        function, how, cases, result ("equal", "differs" or an error), and a reason where it differs.
    """
    reasons = {entry["function"]: entry["reason"].strip() for entry in about(method).get("differs", [])}
    joined: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for outcome in found:
        joined.setdefault((outcome["function"], outcome["how"]), []).append(outcome)
    rows = []
    for (function, how), cases in joined.items():
        errors = [case["error"] for case in cases if "error" in case]
        equal = not errors and all(case["gap"] is not None and case["gap"] <= 1 for case in cases)
        row = {"function": function, "how": how, "cases": len(cases)}
        if errors:
            rows.append(row | {"result": errors[0]})
        elif equal:
            stale = {"note": "the reason given for a difference no longer holds"} if function in reasons else {}
            rows.append(row | {"result": EQUAL} | stale)
        else:
            rows.append(row | {"result": DIFFERS, "reason": reasons.get(function, UNKNOWN)})
    return rows


def compare_all(folder: Path, methods: Sequence[str] = METHODS) -> dict[str, Any]:
    """Compare with the checkouts in `folder`, as many as are there, and print a line for each function.

    Returns
    -------
    dict
        Method -> title, repository, commit of the checkout, lines and differences stated by reading; what could not be
        compared is left out. Under "outcomes" of each method, what `golden` takes.
    """
    results: dict[str, Any] = {}
    for method in methods:
        known = about(method)
        checkout = folder / known["folder"]
        if not checkout.is_dir():
            print(f"{known['title']}: no {checkout}; git clone {known['repository']} {checkout}")
            continue
        commit = commit_of(checkout)
        if commit != known["commit"]:
            print(
                f"{known['title']}: {checkout} is at {commit or 'an unknown commit'}, the table's is {known['commit']}"
            )
        try:
            found = outcomes(method, checkout)
        except InputError as error:
            print(f"{known['title']}: {error}", file=sys.stderr)
            continue
        rows = lines(method, found)
        for row in rows:
            why = f": {row['reason']}" if "reason" in row else f" ({row['note']})" if "note" in row else ""
            print(f"{known['title']:10}{row['function']:62}{row['how']:20}{row['cases']:3}  {row['result']}{why}")
        results[method] = {
            "title": known["title"],
            "repository": known["repository"],
            "commit": commit,
            "lines": rows,
            "stated": [{key: text.strip() for key, text in entry.items()} for entry in known.get("stated", [])],
            "outcomes": found,
        }
    return results


def surprises(results: dict[str, Any]) -> list[str]:
    """Return the lines that are neither equal nor explained, and reasons that no longer hold: "TITLE FUNCTION: what".

    What could not be run for want of a package is no surprise.
    """
    told = []
    for result in results.values():
        for row in result["lines"]:
            name = f"{result['title']} {row['function']}"
            if row["result"] == DIFFERS and row["reason"] == UNKNOWN:
                told.append(f"{name}: differs, and no reason is known")
            elif row["result"] not in (EQUAL, DIFFERS) and not row["result"].startswith(NOT_RUN):
                told.append(f"{name}: {row['result']}")
            elif "note" in row:
                told.append(f"{name}: {row['note']}")
    return told


def write(results: dict[str, Any], path: Path) -> None:
    """Write the table; methods that were not compared now keep the lines that the file has."""
    from emargin.files import write_bytes

    table = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    table |= {
        method: {key: value for key, value in result.items() if key != "outcomes"} for method, result in results.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(table, indent=1, ensure_ascii=False) + "\n").encode())


def write_golden(results: dict[str, Any], folder: Path) -> None:
    """Write `official_METHOD.json` files: what the official functions give where ours are equal to them."""
    from emargin.files import write_bytes

    for method, result in results.items():
        cases = {
            outcome["key"]: outcome["summary"]
            for outcome in result.get("outcomes", [])
            if outcome.get("gap") is not None and outcome["gap"] <= 1 and outcome["how"] != DISTRIBUTION
        }
        if not cases:
            continue
        content = {
            "about": f"values of functions in {result['repository']}, commit {result['commit']}, in float64 on a CPU; "
            "for each tensor its size, sum, norm, and four entries spread over it; of more than five tensors all but "
            "the first are joined. The inputs are those of "
            f"companion/audit/parity/{method}.py, from seeds",
            "tolerance": TOLERANCE,
            "cases": cases,
        }
        write_bytes(folder / f"official_{method}.json", _compact(content).encode())


def _compact(content: dict[str, Any]) -> str:
    """Return JSON with a line a case."""
    cases = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content["cases"].items())
    head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(content[key])}" for key in ("about", "tolerance"))
    return "{\n " + head + ',\n "cases": {\n  ' + cases + "\n }\n}\n"


def read_table(path: Path | None = None) -> dict[str, Any]:
    """Read the committed table: what `write` wrote."""
    return json.loads((path or home() / "results" / "audit" / "parity.json").read_text(encoding="utf8"))
