"""Give every record of committed rows the fingerprints of today's code, after proving that it may have them.

    python -m companion.grid.restamp --before CHECKOUT

CHECKOUT is a clean checkout of the commit before, whose `emargin.versions` decides by its own rules whether a record
holds. Two things are proved for each record: it holds there, and the definitions that its cell reaches are the same in
both texts. A record that held only because another text was declared equal (`EQUAL`), or that names a tree which was
not committed, is not made better by this: it lists under "earlier_text" the stages that an earlier text made.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from emargin.config import Experiment
from emargin.fingerprint import Source
from emargin.paths import home
from emargin.rows import write_text
from emargin.stages import MAP_NAME, METRICS, code_versions, map_version

ASK = """
import json, sys
from emargin import versions
from emargin.config import Experiment
equal, answers = dict(versions.EQUAL), []
for text in json.load(sys.stdin):
    cell = Experiment.from_json(text)
    versions.EQUAL = {}
    raw = versions.code_versions(cell)
    answers.append({"digest": cell.digest, "raw": raw,
                    "code": {stage: equal.get(version, version) for stage, version in raw.items()}})
json.dump(answers, sys.stdout)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, required=True, help="a clean checkout of the commit before")
    before = parser.parse_args().before.resolve()
    earlier = Source(before)
    stores = {path: json.loads(path.read_text()) for path in sorted(home().glob("results/*/provenance.json"))}
    counts = {"held": 0, "by an earlier text": 0, "refused": 0}
    for path, records in stores.items():
        cells = {digest: Experiment.from_dict(record["experiment"]) for digest, record in records.items()}
        answers = {answer["digest"]: answer for answer in _ask(before, [cell.to_json() for cell in cells.values()])}
        maps = _with_map(path.with_name("arrays.npz"))
        for digest, record in records.items():
            cell, answer = cells[digest], answers[digest]
            now = code_versions(cell) | ({MAP_NAME: map_version()} if digest in maps else {})
            there = code_versions(cell, earlier) | ({MAP_NAME: map_version(earlier)} if digest in maps else {})
            if record["code"] != answer["code"] or now != there or cell.digest != digest:
                counts["refused"] += 1
                print(f"refused: {path.parent.name} {digest} {cell}", file=sys.stderr)
                continue
            counts["held"] += 1
            records[digest] = _stamped(record, now, answer["raw"])
            counts["by an earlier text"] += "earlier_text" in records[digest]
        lines = ",\n".join(f'"{digest}": {json.dumps(record)}' for digest, record in sorted(records.items()))
        write_text(path, f"{{\n{lines}\n}}\n")
    print(counts)
    _choices(before)
    return 1 if counts["refused"] else 0


def _stamped(record: dict, now: dict[str, str], raw: dict[str, str]) -> dict:
    """The record with today's fingerprints; what it said before stays beside them."""
    equal = [stage for stage, version in record["code"].items() if raw[stage] != version]
    uncommitted = (record.get("commit") or "").endswith("+")
    before = {name: "evaluate" if name in METRICS or name == MAP_NAME else name for name in now}
    stages = [name for name in now if uncommitted or before[name] in equal]
    stamped = record | {"code": now, "stamped": {"code": record["code"], "equal": equal, "uncommitted": uncommitted}}
    return stamped | ({"earlier_text": stages} if stages else {})


def _ask(checkout: Path, cells: list[str]) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=True,
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), **_environment()},
    )
    return json.loads(done.stdout)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _with_map(arrays: Path) -> set[str]:
    with np.load(arrays) as kept:
        return {name.partition("/")[0] for name in kept.files if name.endswith("/map")}


def _choices(before: Path) -> None:
    """The scores by which settings of the repairs were chosen, which carry their code in a column."""
    path, grid = home() / "results/repairs/validation.csv", home() / "workflow/choices.json"
    from companion.grid.plan import read_grid
    from companion.grid.validation import _code

    lines = pd.read_csv(path, dtype=str, keep_default_na=False)
    cells = {cell.digest: cell for cell in read_grid(grid)}
    answers = {
        answer["digest"]: "-".join(answer["code"].values())
        for answer in _ask(before, [cell.to_json() for cell in cells.values()])
    }
    assert all(answers[line.digest] == line.code for line in lines.itertuples())
    lines["code"] = [_code(cells[digest]) for digest in lines.digest]
    write_text(path, lines.to_csv(index=False))


if __name__ == "__main__":
    sys.exit(main())
