"""Run what is ahead of a grid with Snakemake, and take its rows into a folder of results: what `make reproduce` does.

    python -m companion.grid.reproduce workflow/grid.json --out results/grid --jobs 2

Cells that an earlier, killed run left finished are taken in first, and metrics that are missing or stale are computed
from the encoders that lie in `runs/cells`; then `companion.grid.plan.plan` says by content what
is ahead, and where that is nothing, nothing is started. Rows land in the folder while Snakemake runs, and when it ends,
however it ends.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from companion.grid.plan import Plan, cell_folder, estimate, plan, read_grid
from companion.grid.runner import finished
from companion.grid.score import score_cells
from companion.grid.store import Store
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.rows import write_text
from emargin.training import stops_call

HERE = Path(__file__).resolve().parents[2] / "workflow"
EVERY = 120  # seconds between two looks at what has landed


def main(arguments: list[str] | None = None) -> int:
    """Returns Snakemake's exit status (0 where nothing is ahead), 2 for bad input, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        cells, store = read_grid(options.grid), Store(options.out)
        with store.locked():
            return _reproduce(cells, store, options)
    except (InputError, OSError) as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reproduce", description="Run what is ahead of a grid with Snakemake.")
    parser.add_argument("grid", type=Path, help="the grid file")
    parser.add_argument("--out", type=Path, required=True, help="the folder of results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once (default: one a core)")
    parser.add_argument("--cells", type=int, default=1, help="cells a job at most (default: 1)")
    parser.add_argument("--gpu", type=int, default=0, help="1 asks the cluster for a GPU a job")
    parser.add_argument("--profile", type=Path, default=HERE / "profiles" / "default", help="Snakemake's profile")
    parser.add_argument("--snakemake", default="snakemake", help="the command (default: from the PATH)")
    return parser


def _reproduce(cells: list[Experiment], store: Store, options: argparse.Namespace) -> int:
    store.add(finished(cells, store))
    grid = options.grid.stem
    with_encoder = [cell for cell in cells if (cell_folder(cell) / "encoder.pt").exists()]
    for problem in score_cells(with_encoder, store, grid=grid, exact=True):
        print(f"reproduce: {problem}", file=sys.stderr)
    todo = plan(cells, store, grid)
    print(todo)
    if not todo.ahead:
        print("Nothing to run.")
        return 0
    print(estimate(todo, store), flush=True)
    work = home() / "runs" / "reproduce" / _name_of(store.folder)
    shutil.rmtree(work / "done", ignore_errors=True)  # marks of an earlier plan
    work.mkdir(parents=True, exist_ok=True)
    write_text(work / "plan.json", todo.to_json())
    start = time.time()

    def look() -> None:
        store.add(finished(cells, store))
        print(_progress(todo, start), flush=True)

    try:
        return _run(
            [
                options.snakemake,
                "--snakefile",
                str(HERE / "Snakefile"),
                "--workflow-profile",
                str(options.profile),
                "--jobs",
                str(options.jobs),
                "--config",
                f"grid={options.grid}",
                f"plan={work / 'plan.json'}",
                f"python={sys.executable}",
                f"cells_a_job={options.cells}",
                f"gpu={options.gpu}",
            ],
            look,
        )
    finally:
        store.add(finished(cells, store))
        print(plan(cells, store, grid))
        failed = store.failed & {cell.digest for cell in todo.ahead}
        for row in store.rows[store.rows.digest.isin(failed)].itertuples() if failed else ():
            print(f"failed: {row.dataset} {row.method} {row.fidelity} seed {row.seed}: {row.note}")


def _name_of(folder: Path) -> str:
    """`results-grid` for `results/grid` in the checkout; another name for every other folder."""
    place = folder.resolve()
    place = place.relative_to(home().resolve()) if place.is_relative_to(home().resolve()) else place
    return str(place).replace(os.sep, "-")


def _run(command: list[str], look: Callable[[], None]) -> int:
    """The command's exit status, 130 if it was interrupted; `look` is called while it runs.

    Ctrl-C reaches the command and its jobs without our help, and they end in good order. SIGTERM and SIGHUP, unless
    that is ignored as under nohup, reach this process alone and are passed on as what Ctrl-C would be.
    """
    noted: list[int] = []
    with stops_call(lambda number, frame: noted.append(number)):
        try:
            process = subprocess.Popen(command)
        except FileNotFoundError as error:
            raise InputError(
                "Snakemake is not here", found=f"no command {command[0]}", todo="make reproduce installs it"
            ) from error
        passed_on, looked = False, time.monotonic()
        try:
            while True:
                try:
                    status = process.wait(timeout=1)
                    return 130 if noted else status
                except subprocess.TimeoutExpired:
                    if set(noted) - {signal.SIGINT} and not passed_on:
                        process.send_signal(signal.SIGINT)
                        passed_on = True
                    if time.monotonic() - looked >= EVERY:
                        look()
                        looked = time.monotonic()
        except BaseException:  # a full disk or a damaged table, while rows were taken in
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def _progress(todo: Plan, start: float) -> str:
    """How many of the cells that were ahead have ended, and how long the others take at that pace."""
    rows = [cell_folder(cell) / "rows.csv" for cell in todo.ahead]
    ended = sum(path.exists() and path.stat().st_mtime >= start for path in rows)
    passed = (time.time() - start) / 60
    left = f"about {passed / ended * (len(rows) - ended):.0f} min left at this pace" if ended else "none to judge by"
    return f"{ended} of {len(rows)} cells in {passed:.0f} min, {left}"


if __name__ == "__main__":
    sys.exit(main())
