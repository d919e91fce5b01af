"""The picture of README.md, from the committed rows of the dial.

python -m companion.figures.front book/_static/front.png
"""

import sys
from pathlib import Path

from companion.committed import results
from companion.dial import UNTRAINED, read, where_read
from companion.figures import dial
from companion.grid.store import Store
from companion.statistics.tables import SET_TITLES


def main(path: Path) -> None:
    """Draw it into a file."""
    table = where_read(read(Store(results() / "dial")))
    table = table[table.line == UNTRAINED]
    sets = {name: SET_TITLES[name] for name in SET_TITLES if name in set(table.dataset)}
    seeds = table.seed.nunique()
    fig = dial.dial(table, sets, f"an untrained encoder; recordings, protocol original, fold 1, means of {seeds} seeds")
    fig.savefig(path, dpi=140, metadata={"Software": None}, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
