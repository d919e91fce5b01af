"""The command line: `emargin run`, `emargin grid`, `emargin methods`, `emargin data` (also `python -m emargin ...`)."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from companion.grid import validation
from companion.grid.plan import estimate, plan, read_grid
from companion.grid.runner import LastOnly, finished, run_cells, run_grid, run_in
from companion.grid.store import Store
from emargin.config import Experiment
from emargin.data.fetch.archives import fetch
from emargin.data.fetch.verify import overview, verify
from emargin.data.loading import load
from emargin.errors import InputError, NonFiniteGradient
from emargin.experiment import default_folder
from emargin.flags import add_flags, help_of, settings_from
from emargin.methods import METHODS, declaration
from emargin.paths import home
from emargin.resolve import resolve
from emargin.rows import read_rows, writable_folder, write_text


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input or a run that had to stop, 130 interrupted."""
    parser = _parser()
    options, settings = parser.parse_known_args(arguments)
    if settings and options.command is not _run:
        parser.error(f"unrecognized arguments: {' '.join(settings)}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a reader's own methods are, which the installed command leaves out
    try:
        return _run(options, settings) if options.command is _run else options.command(options)
    except (InputError, NonFiniteGradient) as error:
        print(f"emargin: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a file that cannot be read: nothing half-written is left behind
        print(f"emargin: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("emargin: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emargin", description="An executable companion to the eMargin paper.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    runner = commands.add_parser("run", help="run one experiment, or a grid of them")
    runner.set_defaults(command=_run)
    add_flags(runner)
    runner.add_argument("--grid", type=Path, metavar="FILE", help="run the cells of a grid file instead")
    runner.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where results go (default: a folder of its own under runs/)"
    )
    runner.add_argument(
        "--together",
        type=_one_or_more,
        default=1,
        metavar="N",
        help="with --grid: cells of InfoNCE and eMargin that train together at most, which pays on a GPU (default: 1)",
    )
    runner.add_argument("--device", type=_device, help="cpu, cuda, ... (default: CUDA where there is one)")
    _add_grid(commands.add_parser("grid", help="what is done of a grid, its cells one by one, its rows together"))
    choose = commands.add_parser("choose", help="score settings on people held out of the training side")
    choose.set_defaults(command=_choose)
    choose.add_argument("grid", type=Path, metavar="FILE", help="a grid file of the settings to choose between")
    choose.add_argument("--out", type=Path, required=True, metavar="CSV", help="where the scores go")
    choose.add_argument("--device", type=_device, help="cpu, cuda, ... (default: CUDA where there is one)")
    lister = commands.add_parser("methods", help="list the methods")
    lister.set_defaults(command=_methods)
    data = commands.add_parser("data", help="fetch, verify or list the real data sets")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    for action, command, what in (
        ("fetch", _fetch, "download a public set into the data folder"),
        ("verify", _verify, "compare a set with the published checksums"),
    ):
        named = actions.add_parser(action, help=what)
        named.set_defaults(command=command)
        named.add_argument("name", metavar="NAME", help="a set of `emargin data list`, sleepedf, or ucr-NAME")
    actions.add_parser("list", help="what is there of each set").set_defaults(command=_list)
    return parser


def _device(name: str) -> torch.device:
    """Raises ArgumentTypeError for a device that is not there."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f"no device {name!r} on this machine") from error


def _one_or_more(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, but wanted is one or more")
    return int(text)


def _add_grid(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for action, command, what in (
        ("plan", _plan, "say which cells are done, missing, stale or failed, and what is ahead"),
        ("frames", _frames, "read and frame the recordings of a cell, so that others find them ready"),
        ("cell", _cell, "run single cells, each in its folder under runs/cells"),
        ("collect", _collect, "take the cells that ran here into the rows of a folder"),
        ("merge", _merge, "take the rows of other folders into one"),
    ):
        named = actions.add_parser(action, help=what)
        named.set_defaults(command=command)
        if action != "merge":
            named.add_argument("grid", type=Path, metavar="FILE", help="the grid file")
        if action in ("frames", "cell"):
            named.add_argument(
                "digests",
                nargs="+" if action == "cell" else 1,
                metavar="DIGEST",
                help="as `emargin grid plan` gives them",
            )
        if action == "cell":
            named.add_argument("--device", type=_device, help="cpu, cuda, ... (default: CUDA where there is one)")
        elif action != "frames":
            named.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the rows are")
        if action == "plan":
            named.add_argument("--json", type=Path, metavar="FILE", help="write the cells that are ahead, in order")
        if action == "merge":
            named.add_argument("folders", nargs="+", type=Path, metavar="FROM", help="folders of rows")


def _plan(options: argparse.Namespace) -> int:
    store = Store(options.out)
    todo = plan(read_grid(options.grid), store)
    print(todo)
    if todo.ahead:
        print(estimate(todo, store))
    if options.json:
        write_text(options.json, todo.to_json())
    else:
        for cell in todo.ahead:
            print(f"{cell.digest} {todo.why[cell.digest]:8s} {cell}")
    return 0


def _frames(options: argparse.Namespace) -> int:
    """Recordings that are missing or cannot be used stop no cell from running: each leaves a row that says so."""
    (cell,) = _named_cells(options)
    try:
        load(cell)
    except InputError as error:
        print(f"emargin: {error} The cells that need them will say so in their rows.", file=sys.stderr)
    return 0


def _cell(options: argparse.Namespace) -> int:
    for outcome in run_cells(_named_cells(options), device=options.device):
        print(outcome, flush=True)
    return 0


def _named_cells(options: argparse.Namespace) -> list[Experiment]:
    """Raises InputError for a digest that is not in the grid."""
    cells = {cell.digest: cell for cell in read_grid(options.grid)}
    for digest in options.digests:
        if digest not in cells:
            raise InputError(
                f"no such cell in {options.grid}",
                found=digest,
                wanted=f"one of its {len(cells)} cells",
                todo="emargin grid plan lists them",
            )
    return [cells[digest] for digest in options.digests]


def _collect(options: argparse.Namespace) -> int:
    store, cells = Store(options.out), read_grid(options.grid)
    with store.locked():
        folders = finished(cells, store)
        store.add(folders)
    print(f"{len(folders)} cells taken into {options.out}; {plan(cells, store)}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    store = Store(options.out)
    absent = [str(folder) for folder in options.folders if not (folder / "rows.csv").exists()]
    if absent:
        raise InputError("nothing to merge", found=f"no rows.csv in {', '.join(absent)}", wanted="folders of rows")
    with store.locked():
        for folder in options.folders:
            store.merge(Store(folder))
    print(f"{len(store.known)} cells in {options.out}")
    return 0


def _run(options: argparse.Namespace, settings: Sequence[str] = ()) -> int:
    chosen = {
        name: value
        for name, value in vars(options).items()
        if name not in ("command", "grid", "out", "device", "together")
    }
    if options.grid is not None:
        if chosen or settings:
            raise InputError(
                "a grid file says all about its cells",
                found=", ".join([*(f"--{name}" for name in chosen), *settings]),
                wanted="--grid, --out and --device alone",
            )
        run_grid(
            options.grid,
            options.out or home() / "runs" / options.grid.stem,
            device=options.device,
            together=options.together,
        )
        return 0
    asked = Experiment.from_dict(chosen)
    experiment = resolve(replace(asked, **settings_from(asked.method, settings)))
    print(experiment)
    folder = writable_folder(options.out or default_folder(experiment))
    if (folder / "rows.csv").exists() and set(read_rows(folder / "rows.csv").digest) != {experiment.digest}:
        raise InputError(
            "results would be overwritten",
            found=f"rows of other experiments in {folder}",
            wanted="a folder of its own",
            todo="name another one with --out, or leave --out away",
        )
    run_in(folder, experiment, load(experiment), device=options.device)
    for row in read_rows(folder / "rows.csv").itertuples():
        print(f"{row.metric:28s} {row.value:10.4f}   n {row.n}")
    print(f"written to {folder}")
    return 0


def _choose(options: argparse.Namespace) -> int:
    experiments, loaded = read_grid(options.grid), LastOnly(load)
    ahead = validation.missing(experiments, options.out)
    for number, experiment in enumerate(ahead, 1):
        line = validation.score(experiment, loaded(experiment), options.device)
        validation.add(line, options.out)
        print(f"[{number}/{len(ahead)}] {line[validation.DECIDES]:.3f} {experiment}", file=sys.stderr)
    for best in validation.chosen(experiments, validation.read(options.out)).values():
        setting = ", ".join(
            f"{name} {getattr(best, name):g}" for name in validation.SETTINGS if getattr(best, name) is not None
        )
        print(f"{best.dataset}, fold {best.fold}: {best.method} with {setting}")
    return 0


def _methods(options: argparse.Namespace) -> int:
    for name in METHODS:
        declared = declaration(name)
        print(f"{name:20s} {declared.summary}")
        if declared.fields:
            print(help_of(name))
    return 0


def _fetch(options: argparse.Namespace) -> int:
    fetch(options.name)
    return 0


def _verify(options: argparse.Namespace) -> int:
    return 2 if verify(options.name) else 0


def _list(options: argparse.Namespace) -> int:
    print(overview())
    return 0


if __name__ == "__main__":
    sys.exit(main())
