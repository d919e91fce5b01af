"""The ledger, `book/ledger.yml`, and the places in a checkout of the released code that it cites."""

import ast
import subprocess
from pathlib import Path

from companion.audit.released import LABELS, LOSSES
from emargin.errors import InputError
from emargin.paths import home


def read_ledger(path: Path | None = None) -> dict:
    """Read the ledger: `repository`, `commit` and `items`, a dictionary each, as its head says. Default: the book's."""
    import yaml  # of the book's packages; what else is here does without it

    return yaml.safe_load((path or home() / "book" / "ledger.yml").read_text(encoding="utf8"))


def misplaced(ledger: dict, folder: Path) -> list[str]:
    """Return places of the ledger that a checkout does not have: a line each, "D1 FILE: what is wrong"."""
    problems = []
    for item in ledger["items"]:
        for place in item["where"]:
            problem = _problem(folder / place["file"], place["function"], *place["lines"])
            if problem:
                problems.append(f"D{item['id']} {place['file']}: {problem}")
    return problems


def _problem(file: Path, function: str | None, first: int, last: int) -> str | None:
    if not file.is_file():
        return "no such file"
    text = file.read_text(encoding="utf8")
    if last > len(text.splitlines()):
        return f"line {last} of {len(text.splitlines())}"
    if function is None:
        return None
    body = ast.parse(text).body
    for name in function.split("."):
        node = next((node for node in body if getattr(node, "name", None) == name), None)
        if node is None:
            return f"no {function}"
        body = node.body
    if not node.lineno <= first <= last <= node.end_lineno:
        return f"lines {first} to {last} are not in {function}, lines {node.lineno} to {node.end_lineno}"
    return None


def check_folder(folder: Path, ledger: dict, *, any_commit: bool = False) -> str:
    """Say what is known of the folder's commit, in words.

    Raises InputError for a folder without the released code, and for a checkout of another commit unless any will do.
    """
    clone = f"git clone {ledger['repository']} && git -C eMargin checkout {ledger['commit']}"
    needed = [f"{name.replace('.', '/')}.py" for name in (LOSSES, LABELS)]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} does not hold the released code",
            found=f"no {', '.join(missing)}",
            wanted="a checkout of the released repository",
            todo=clone,
        )
    if not (folder / ".git").exists():
        return "no git checkout, so its commit is not known"
    run = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True)
    if run.returncode:
        raise InputError(f"git does not tell the commit of {folder}", found=run.stderr.strip())
    if run.stdout.strip() != ledger["commit"] and any_commit:
        return f"at commit {run.stdout.strip()}, the ledger's is {ledger['commit']}"
    if run.stdout.strip() != ledger["commit"]:
        raise InputError(
            f"{folder} is at another commit",
            found=run.stdout.strip(),
            wanted=ledger["commit"],
            todo=f"git -C {folder} checkout {ledger['commit']}",
        )
    return f"at commit {ledger['commit'][:7]}"
