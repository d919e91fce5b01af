"""Compare the released code and the methods' own, on the reader's disk, with this companion.

    python -m companion.audit --released PATH
    python -m companion.audit --checkouts FOLDER

The first looks up every place in the released code that the ledger cites, calls its functions and ours on the same
inputs, and prints both. The second does so for checkouts of the methods' own repositories, FOLDER/ts2vec and so on, and
of the released code, FOLDER/eMargin; it writes the table that the methods' page shows. This runs code of those folders;
whether to trust it is the reader's choice.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from companion.audit.ledger import check_folder, misplaced, read_ledger
from companion.audit.parity import run as parity
from companion.audit.released import compare, difference
from companion.audit.stand_ins import NOT_RUN
from emargin.errors import InputError
from emargin.paths import home

TOLERANCE = 1e-5  # relative: some released functions add up in float32


def _shown(values: list[float] | str) -> str:
    if isinstance(values, str):
        return values
    return " ".join(f"{value:.6g}" for value in values[:4]) + (" ..." if len(values) > 4 else "")


def _verdict(theirs: list[float] | str, gap: float) -> str:
    """Say whether a quantity agrees; nothing where the released function could not be run, which is no difference."""
    if isinstance(theirs, str) and theirs.startswith(NOT_RUN):
        return ""
    return "agree" if gap <= TOLERANCE else "DIFFER"


def _released(folder: Path, ledger: dict, *, any_commit: bool) -> tuple[int, list[dict[str, Any]]]:
    """Compare with the released code; return the exit status and the lines for the table of parity."""
    known = check_folder(folder, ledger, any_commit=any_commit)
    print(f"{folder}: {known}. Its functions run in a process of their own.")
    rows = compare(folder)
    verdicts, lines = [], []
    print(f"{'item':5}{'quantity':50}{'ours':>34}  {'theirs':>34}{'difference':>12}")
    for check, ours, theirs in rows:
        gap = difference(ours, theirs)
        verdicts.append(_verdict(theirs, gap))
        size = f"{gap:12.1e}  {verdicts[-1]}" if verdicts[-1] else ""
        print(f"{check.item:5}{check.what:50}{_shown(ours):>34}  {_shown(theirs):>34}{size}")
        result = {"agree": "equal", "DIFFER": "differs"}.get(verdicts[-1], NOT_RUN)
        line = {"function": f"{check.item}: {check.what}", "how": "value", "cases": 1, "result": result}
        lines.append(line | ({"reason": parity.UNKNOWN} if result == "differs" else {}))
    places = misplaced(ledger, folder)
    total = sum(len(item["where"]) for item in ledger["items"])
    agreed, not_run = verdicts.count("agree"), verdicts.count("")
    print(
        f"{agreed} of {len(rows)} quantities agree; "
        + (f"{not_run} {NOT_RUN}; " if not_run else "")
        + f"{total - len(places)} of {total} places of the ledger are there"
    )
    print("".join(f"  {place}\n" for place in places), end="")
    return int(agreed < len(rows) or bool(places)), lines


def _checkouts(folder: Path, ledger: dict, out: Path, golden: str) -> int:
    """Compare with all checkouts in a folder, write the table, and say what is neither equal nor explained."""
    if not folder.is_dir():
        raise InputError("a folder of checkouts is needed", found=f"no {folder}", wanted="--checkouts FOLDER")
    status, results = 0, parity.compare_all(folder)
    released = folder / "eMargin"
    if released.is_dir():
        try:
            status, lines = _released(released, ledger, any_commit=True)
        except InputError as error:
            print(f"audit: {error}", file=sys.stderr)
        else:
            results["released"] = {
                "title": "The released code",
                "repository": ledger["repository"],
                "commit": parity.commit_of(released),
                "lines": lines,
                "stated": [],
            }
    if not results:
        raise InputError(
            "no checkout could be compared", found=str(folder), wanted="checkouts of the methods' own repositories"
        )
    left = parity.surprises(results)
    parity.write(results, out)
    if golden:
        parity.write_golden(results, Path(golden))
    lines = [line for result in results.values() for line in result["lines"]]
    equal = sum(line["result"] == parity.EQUAL for line in lines)
    not_run = sum(line["result"].startswith(NOT_RUN) for line in lines)
    print(
        f"{equal} of {len(lines)} lines are equal, {not_run} {NOT_RUN}, {len(left)} are neither equal nor explained or "
        f"have a reason that no longer holds; written to {out}"
    )
    print("".join(f"  {line}\n" for line in left), end="")
    return max(status, int(bool(left)))


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 all agrees, 1 something does not or could not be run, 2 nothing to compare with."""
    parser = argparse.ArgumentParser(prog="python -m companion.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--released", metavar="PATH", default="", help="a checkout of the released repository")
    parser.add_argument(
        "--checkouts",
        metavar="FOLDER",
        default="",
        help="a folder with checkouts of the methods' own repositories, named as on GitHub, as many as there are",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        default=str(home() / "results" / "audit" / "parity.json"),
        help="the table of --checkouts",
    )
    parser.add_argument("--golden", metavar="FOLDER", default="", help="write golden values of --checkouts there, too")
    asked, ledger = parser.parse_args(arguments), read_ledger()
    try:
        if not asked.released and not asked.checkouts:
            raise InputError(
                "the released code is needed, and this companion does not contain it",
                found="no path",
                wanted="--released PATH, or --checkouts FOLDER",
                todo=f"git clone {ledger['repository']} && git -C eMargin checkout {ledger['commit']}, "
                "then python -m companion.audit --released eMargin",
            )
        status = 0
        if asked.released:
            status, _ = _released(Path(asked.released), ledger, any_commit=False)
        if asked.checkouts:
            status = max(status, _checkouts(Path(asked.checkouts), ledger, Path(asked.out), asked.golden))
        return status
    except InputError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
