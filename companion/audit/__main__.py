"""Compare the released code, on the reader's disk, with this companion.

    python -m companion.audit --released PATH

Looks up every place in that code that the ledger cites, calls its functions and ours on the same inputs, and prints
both. This runs code of that folder; whether to trust it is the reader's choice.
"""

import argparse
import sys
from pathlib import Path

from companion.audit.ledger import check_folder, misplaced, read_ledger
from companion.audit.released import NOT_RUN, compare, difference
from emargin.errors import InputError

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


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 all agrees, 1 something does not or could not be run, 2 nothing to compare with."""
    parser = argparse.ArgumentParser(prog="python -m companion.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--released", metavar="PATH", default="", help="a checkout of the released repository")
    folder, ledger = parser.parse_args(arguments).released, read_ledger()
    try:
        if not folder:
            raise InputError(
                "the released code is needed, and this companion does not contain it",
                found="no path",
                wanted="--released PATH",
                todo=f"git clone {ledger['repository']} && git -C eMargin checkout {ledger['commit']}, "
                "then python -m companion.audit --released eMargin",
            )
        known = check_folder(Path(folder), ledger)
        print(f"{folder}: {known}. Its functions run in a process of their own.")
        rows = compare(Path(folder))
    except InputError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    verdicts = []
    print(f"{'item':5}{'quantity':50}{'ours':>34}  {'theirs':>34}{'difference':>12}")
    for check, ours, theirs in rows:
        gap = difference(ours, theirs)
        verdicts.append(_verdict(theirs, gap))
        size = f"{gap:12.1e}  {verdicts[-1]}" if verdicts[-1] else ""
        print(f"{check.item:5}{check.what:50}{_shown(ours):>34}  {_shown(theirs):>34}{size}")
    places = misplaced(ledger, Path(folder))
    total = sum(len(item["where"]) for item in ledger["items"])
    agreed, not_run = verdicts.count("agree"), verdicts.count("")
    print(
        f"{agreed} of {len(rows)} quantities agree; "
        + (f"{not_run} {NOT_RUN}; " if not_run else "")
        + f"{total - len(places)} of {total} places of the ledger are there"
    )
    print("".join(f"  {place}\n" for place in places), end="")
    return int(agreed < len(rows) or bool(places))


if __name__ == "__main__":
    sys.exit(main())
