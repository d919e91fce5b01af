"""The installed command `emargin`, also `python -m companion`: experiments, grids, choices of settings, and data."""

import argparse
import os
import signal
import sys
from pathlib import Path

from companion.listing import listing, settings
from emargin.__main__ import (
    add_device,
    add_run,
    execute,
    fields_of,
    new_parser,
    run_experiment,
    width,
)
from emargin.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status, as `emargin.__main__.main` does."""
    parser, commands = new_parser()
    runner = add_run(commands, "run one experiment, or a grid of them")
    runner.set_defaults(command=_run)
    runner.epilog = settings(width())
    runner.add_argument("--grid", type=Path, metavar="FILE", help="run the cells of a grid file instead")
    runner.add_argument(
        "--together",
        type=_one_or_more,
        default=1,
        metavar="N",
        help="with --grid: cells of InfoNCE and eMargin that train together at most, which pays on a GPU (default: 1)",
    )
    _add_embed(commands)
    _add_grid(commands.add_parser("grid", help="what is done of a grid, its cells one by one, its rows together"))
    choose = commands.add_parser("choose", help="choose settings by scores on people held out of the training side")
    choose.set_defaults(command=_choose)
    choose.add_argument("grid", type=Path, metavar="FILE", help="a grid file of the settings to choose between")
    choose.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the rows are")
    add_device(choose)
    _add_score(commands)
    check = commands.add_parser("check", help="compare a run with the committed cell of the same experiment")
    check.set_defaults(command=_check)
    check.description = (
        "Say of each metric whether it is equal to the committed one, within its spread of seeds (where one more seed "
        "falls with a chance of 95 %), or outside; with processor, threads and versions."
    )
    check.add_argument("folder", type=Path, metavar="FOLDER", help="where the run wrote, as `emargin run` says")
    shown = commands.add_parser("show", help="print Tables 1 and 2 of rows, with chance and controls beside")
    shown.set_defaults(command=_show)
    shown.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of rows, or where a single run wrote")
    shown.add_argument(
        "--format",
        default="text",
        choices=("text", "markdown", "csv", "rows"),
        help="of the tables (default: text); rows: CSV of the rows themselves, one a cell and metric, with settings",
    )
    shown.add_argument("--all", action="store_true", help="all metrics (default: those of the paper's tables)")
    _add_results(commands)
    _add_encoders(commands)
    commands.add_parser("methods", help="list the methods and their settings").set_defaults(command=_methods)
    _add_data(commands.add_parser("data", help="fetch, verify or list the real data sets"))
    return execute(parser, arguments)


def _one_or_more(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, but wanted is one or more")
    return int(text)


def _methods(options: argparse.Namespace) -> int:
    print(listing())
    return 0


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
            named.add_argument("--again", action="store_true", help="run them even though their rows are there")
            add_device(named)
        elif action != "frames":
            named.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the rows are")
        if action == "plan":
            named.add_argument("--json", type=Path, metavar="FILE", help="write the cells that are ahead, in order")
        if action == "merge":
            named.add_argument("folders", nargs="+", type=Path, metavar="FROM", help="folders of rows")


def _add_embed(commands: argparse._SubParsersAction) -> None:
    embed = commands.add_parser("embed", help="embed recordings with the encoder of a run")
    embed.set_defaults(command=_embed)
    embed.description = (
        "Frame and standardise recordings as those that the encoder was trained on, and embed each frame. The file "
        "holds embedding (n, C), time, recording and labels (n,), and their names."
    )
    embed.add_argument("model", type=Path, metavar="MODEL", help="the folder of a run, with its encoder.pt")
    embed.add_argument("data", metavar="DATA", help="a folder of recordings, or a set of `emargin data list`")
    embed.add_argument("--out", type=Path, required=True, metavar="FILE", help="the npz file to write")
    embed.add_argument(
        "--any-level", action="store_true", help="take recordings whose values are far from those of the training"
    )
    add_device(embed)


def _add_score(commands: argparse._SubParsersAction) -> None:
    score = commands.add_parser("score", help="compute metrics that cells lack from their encoders, without training")
    score.set_defaults(command=_score)
    score.add_argument("grid", type=Path, metavar="GRID", help="the grid file")
    score.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the rows are")
    score.add_argument("--metric", metavar="NAME", help="this metric alone (default: all that are missing or stale)")
    score.add_argument("--cells", type=Path, metavar="FOLDER", help="where encoders are (default: runs/cells)")
    add_device(score)


def _add_results(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("results", help="compare rows, records and arrays with their checksums")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="say which folders of results are as they were written")
    verify.set_defaults(command=_verify_results)
    stamp = actions.add_parser("stamp", help="give checksums to results that an earlier version wrote without")
    stamp.set_defaults(command=_stamp)
    stamp.add_argument("--anew", action="store_true", help="to all: their files were changed on purpose")
    for action in (verify, stamp):
        action.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="(default: all in results/)")


def _add_encoders(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("encoders", help="make an archive of encoders, or take them out of it")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    pack = actions.add_parser("pack", help="put the encoders of a folder into an archive")
    pack.set_defaults(command=_pack)
    pack.add_argument("folder", type=Path, metavar="FOLDER", help="where they are, such as runs/cells")
    pack.add_argument("archive", type=Path, metavar="ARCHIVE", help="the file to write")
    pack.add_argument("--dtype", default="float32", help="of the weights: float32 (default) or float16")
    unpack = actions.add_parser("unpack", help="put the encoders of an archive where `emargin score` looks for them")
    unpack.set_defaults(command=_unpack)
    unpack.add_argument("archive", type=Path, metavar="ARCHIVE", help="as `emargin encoders pack` wrote it")
    unpack.add_argument("folder", type=Path, metavar="FOLDER", help="where to put them, such as runs/cells")


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for action, command, what in (
        ("fetch", _fetch, "download a public set into the data folder"),
        ("verify", _verify, "compare a set with the published checksums"),
    ):
        named = actions.add_parser(action, help=what)
        named.set_defaults(command=command)
        named.add_argument("name", metavar="NAME", help="a set of `emargin data list`, sleepedf, or ucr-NAME")
    lister = actions.add_parser("list", help="what is there of each set, or, with --quality, what is bad in it")
    lister.set_defaults(command=_list)
    lister.add_argument("--quality", action="store_true", help="read the recordings, and list their bad samples")
    lister.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="with --quality: these sets or folders alone (default: all that are there)",
    )
    _add_import(actions.add_parser("import", help="make a data set of CSV files"))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_import)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILES", help="CSV files, or folders of them")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="the column of the classes")
    parser.add_argument("--rate", required=True, type=float, metavar="HZ", help="samples a second of the data set")
    parser.add_argument(
        "--time",
        metavar="COLUMN",
        help="the column of the times: ISO dates, seconds, or since 1970 (default: rows are samples at the rate)",
    )
    parser.add_argument("--subject", metavar="COLUMN", help="the column of the people (default: a file is a person)")
    parser.add_argument(
        "--gap",
        type=float,
        metavar="SECONDS",
        help="cut recordings where no row comes for so long (default: 1, or three steps between rows if that is more)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="the folder to write (default: the first file's name and -set)"
    )
    parser.add_argument(
        "--channels", nargs="+", metavar="COLUMN", help="the columns of measurements (default: all others)"
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="LABEL", help="labels that are classes; others become unlabelled (default: all)"
    )
    parser.add_argument("--time-unit", choices=("s", "ms", "us", "ns"), help="of times that are numbers")
    parser.add_argument("--time-format", metavar="PATTERN", help="of dates that are not ISO 8601, as strptime has it")
    parser.add_argument("--encoding", metavar="NAME", help="of the files, such as cp1252 (default: UTF-8)")
    parser.add_argument(
        "--repeated",
        choices=("refuse", "first"),
        default="refuse",
        help="what to do with rows of one time that differ: refuse them (default), or take the first",
    )


def _run(options: argparse.Namespace) -> int:
    from companion.show import brief, show, show_run

    if options.grid is None:
        return run_experiment(options, show_run)
    from companion.grid.plan import read_grid
    from companion.grid.runner import run_grid

    if chosen := [*(f"--{name}" for name in fields_of(options)), *options.settings]:
        raise InputError(
            "a grid file says all about its cells",
            found=", ".join(chosen),
            wanted="--grid, --out, --device, --threads and --together alone",
        )
    folder = options.out or Path("runs") / options.grid.stem
    how = {"device": options.device, "threads": options.threads, "together": options.together}
    run_grid(options.grid, folder, **how)
    print(show(folder) if options.all else brief(folder, {cell.digest for cell in read_grid(options.grid)}))
    return 0


def _show(options: argparse.Namespace) -> int:
    from companion.show import show

    print(show(options.folder, options.format, everything=options.all))
    return 0


def _embed(options: argparse.Namespace) -> int:
    from emargin.embedding import load_encoder
    from emargin.rows import writable_folder
    from emargin.threads import limited
    from emargin.training import default_device

    writable_folder(options.out.parent)
    with limited(options.threads):
        encoder = load_encoder(options.model, options.device or default_device())
        embedded = encoder.embed(options.data, any_level=options.any_level)
    embedded.save(options.out)
    frames, width = embedded.embedding.shape
    what = f"{frames} frames of {len(embedded.recordings)} recordings ({embedded.source} data), {width} numbers each"
    print(f"{what}, written to {options.out}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from companion.grid.plan import estimate, idle, plan, read_grid
    from companion.grid.store import Store
    from emargin.rows import write_text

    store = Store(options.out)
    todo = plan(read_grid(options.grid), store, options.grid.stem)
    print(todo)
    for sentence, cells in idle(todo.ahead).items():
        print(f"emargin: {sentence} ({cells} cells)", file=sys.stderr)
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
    from emargin.data.loading import load
    from emargin.threads import limited

    (cell,) = _named_cells(options)
    try:
        with limited():
            load(cell)
    except InputError as error:
        print(f"emargin: {error} The cells that need them will say so in their rows.", file=sys.stderr)
    return 0


def _cell(options: argparse.Namespace) -> int:
    from companion.grid.runner import run_cells
    from emargin.training import stops_call

    named = _named_cells(options)
    how = {"device": options.device, "threads": options.threads, "again": options.again}
    with stops_call(signal.default_int_handler):
        for outcome in run_cells(named, grid=options.grid.stem, **how):
            print(outcome, flush=True)
    return 0


def _named_cells(options: argparse.Namespace) -> list:
    """The cells of the grid with these digests. Raises InputError for a digest that is not in the grid."""
    from companion.grid.plan import read_grid

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
    from companion.grid.plan import plan, read_grid
    from companion.grid.runner import finished
    from companion.grid.store import Store

    store, cells = Store(options.out), read_grid(options.grid)
    with store.locked():
        folders = finished(cells, store)
        store.add(folders)
    print(f"{len(folders)} cells taken into {options.out}; {plan(cells, store, options.grid.stem)}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    from companion.grid.store import Store

    store = Store(options.out)
    absent = [str(folder) for folder in options.folders if not (folder / "rows.csv").exists()]
    if absent:
        raise InputError("nothing to merge", found=f"no rows.csv in {', '.join(absent)}", wanted="folders of rows")
    with store.locked():
        for folder in options.folders:
            store.merge(Store(folder))
    print(f"{len(store.known)} cells in {options.out}")
    return 0


def _score(options: argparse.Namespace) -> int:
    """Exit status 2 where a cell could not be scored; the others are."""
    from companion.grid.plan import plan, read_grid
    from companion.grid.score import score_cells
    from companion.grid.store import Store
    from emargin.threads import limited
    from emargin.training import stops_call

    store, cells, grid = Store(options.out), read_grid(options.grid), options.grid.stem
    with stops_call(signal.default_int_handler), store.locked(), limited(options.threads):
        problems = score_cells(
            cells, store, grid=grid, metric=options.metric, root=options.cells, device=options.device
        )
        for problem in problems:
            print(f"emargin: {problem}", file=sys.stderr)
        print(plan(cells, store, grid))
    return 2 if problems else 0


def _check(options: argparse.Namespace) -> int:
    """Exit status 1 where a metric is outside the spread of seeds."""
    from companion.grid.check import check

    comparisons = check(options.folder)
    print("\n\n".join(map(str, comparisons)))
    return 1 if any(comparison.outside for comparison in comparisons) else 0


def _verify_results(options: argparse.Namespace) -> int:
    """Exit status 2 where a folder is damaged; the others are read all the same."""
    from companion.grid.integrity import folders_of, verify

    damaged = 0
    for outcome in verify(folders_of(options.folders)):
        if isinstance(outcome, InputError):
            damaged += 1
            print(f"emargin: {outcome}", file=sys.stderr)
        else:
            print(outcome)
    return 2 if damaged else 0


def _stamp(options: argparse.Namespace) -> int:
    from companion.grid.integrity import folders_of, stamp

    for folder in folders_of(options.folders):
        print(f"{folder}: checksums for {stamp(folder, anew=options.anew)} cells")
    return 0


def _pack(options: argparse.Namespace) -> int:
    from companion.encoders import pack

    packed = pack(options.folder, options.archive, options.dtype)
    for problem in packed.left_out:
        print(f"emargin: {problem}", file=sys.stderr)
    print(f"{packed.number} encoders in {options.archive}, sha256 {packed.checksum}")
    return 0


def _unpack(options: argparse.Namespace) -> int:
    """Exit status 2 where an encoder is of another training; the others are unpacked."""
    from companion.encoders import unpack

    unpacked = unpack(options.archive, options.folder)
    for problem in unpacked.left_out:
        print(f"emargin: {problem}", file=sys.stderr)
    print(f"{unpacked.number} encoders unpacked into {options.folder}, {unpacked.present} were there already")
    return 2 if unpacked.left_out else 0


def _choose(options: argparse.Namespace) -> int:
    from companion.grid.choose import SETTINGS, chosen
    from companion.grid.plan import read_grid
    from companion.grid.runner import run_grid
    from companion.grid.store import Store

    run_grid(options.grid, options.out, device=options.device, threads=options.threads)
    for best in chosen(read_grid(options.grid), Store(options.out)).values():
        values = {name: getattr(best, name) for name in SETTINGS}
        setting = ", ".join(f"{name} {value:g}" for name, value in values.items() if value is not None)
        print(f"{best.dataset}, fold {best.fold}: {best.method} with {setting}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from companion.fetch.archives import fetch

    fetch(options.name)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from companion.fetch.verify import verify

    return 2 if verify(options.name) else 0


def _list(options: argparse.Namespace) -> int:
    """Exit status 2 where a set could not be read; what is bad in the others is listed."""
    if options.quality:
        from companion.quality import report

        text, all_read = report(options.names)
        print(text)
        return 0 if all_read else 2
    if options.names:
        what, todo = "sets are named without saying what to do with them", "add --quality, which reads their recordings"
        raise InputError(what, found=", ".join(options.names), todo=todo)
    from companion.fetch.verify import overview

    print(overview())
    return 0


def _import(options: argparse.Namespace) -> int:
    from companion.importing.sets import import_tables

    first = Path(os.path.abspath(options.files[0]))
    out = options.out or Path(f"{first.name if os.path.isdir(first) else first.stem}-set")
    report = import_tables(
        options.files,
        out,
        rate=options.rate,
        label=options.label,
        time=options.time,
        subject=options.subject,
        channels=options.channels,
        classes=options.classes,
        gap=options.gap,
        unit=options.time_unit,
        pattern=options.time_format,
        encoding=options.encoding,
        repeated=options.repeated,
    )
    print(report, end="")
    place = out if out.is_absolute() or len(out.parts) > 1 else f"./{out}"
    print(f"next: emargin run --dataset {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
