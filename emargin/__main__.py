"""The command line of one experiment: `python -m emargin run`.

The installed command `emargin` is `companion.__main__`: this command, those that get data, and those that make the
book's results.
"""

import argparse
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

from emargin import __version__
from emargin.config import CORE, Experiment
from emargin.errors import InputError, NonFiniteGradient
from emargin.flags import add_flags, settings_from

DEVICES = "what to compute on: cpu, cuda, cuda:1, mps, ... (default: CUDA where there is one)"
MAIN = (  # metrics that a run prints unless all are asked for
    "davies_bouldin",
    "silhouette",
    "nmi",
    "ari",
    "accuracy",
    "balanced_accuracy",
    "weighted_f1",
    "macro_precision",
    "macro_recall",
    "converged_balanced_accuracy",
)
THREADS = "how many threads to compute with; the last digits of scores depend on it (default: 1)"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 2 bad input or a run that had to stop, 130 interrupted."""
    parser, commands = new_parser()
    add_run(commands)
    return execute(parser, arguments)


def new_parser() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction]:
    """Return the parser, and what takes its commands."""
    parser = argparse.ArgumentParser(prog="emargin", description="An executable companion to the eMargin paper.")
    parser.add_argument("--version", action="version", version=__version__, help="print the version, and end")
    return parser, parser.add_subparsers(required=True, metavar="COMMAND")


def execute(parser: argparse.ArgumentParser, arguments: list[str] | None) -> int:
    """Do what the arguments say, with errors as sentences; return the exit status.

    A command that has `settings` by default gets there the words that are no flags of its own.
    """
    flags = [word.partition("=")[0] for word in (sys.argv if arguments is None else arguments) if word[:2] == "--"]
    if twice := [flag for flag in dict.fromkeys(flags) if flags.count(flag) > 1 and flag != "--"]:
        print(f"emargin: given twice, the last one counts: {', '.join(twice)}", file=sys.stderr)
    options, settings = parser.parse_known_args(arguments)
    if settings and not hasattr(options, "settings"):
        parser.error(f"unrecognized arguments: {' '.join(settings)}")
    options.settings = settings
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a reader's own methods are, which the installed command leaves out
    usual, warnings.formatwarning = warnings.formatwarning, lambda remark, *_: f"emargin: {remark}\n"
    try:
        return options.command(options)
    except (InputError, NonFiniteGradient, OSError) as error:  # at a full disk, too, nothing half-written is left
        print(f"emargin: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("emargin: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    finally:
        warnings.formatwarning = usual


def add_run(commands: argparse._SubParsersAction, what: str = "run one experiment") -> argparse.ArgumentParser:
    """Add the command that runs an experiment: a flag for each of its fields, where results go, and the device."""
    runner = commands.add_parser("run", help=what)
    runner.set_defaults(command=run_experiment, settings=[])
    what = "Train a method on a data set and score its embeddings. Settings of the method are flags, too."
    runner.description = textwrap.fill(what, width())
    add_flags(runner)
    where = "where results go (default: a folder of its own under runs/)"
    runner.add_argument("--out", type=Path, metavar="FOLDER", help=where)
    runner.add_argument("--all", action="store_true", help="print all numbers (default: ten main ones)")
    add_device(runner)
    return runner


def width() -> int:
    """Return how wide a help text is, which is what argparse makes of the terminal."""
    return shutil.get_terminal_size().columns - 2


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what to compute with: a device, and a number of threads."""
    parser.add_argument("--device", type=_device, help=DEVICES)
    parser.add_argument("--threads", default=1, metavar="N", help=THREADS)


def fields_of(options: argparse.Namespace) -> dict:
    """Return those fields of an experiment that the arguments name."""
    return {name: value for name, value in vars(options).items() if name in CORE}


def run_experiment(options: argparse.Namespace, shown: Callable[..., str] | None = None) -> int:
    """Run one experiment, print its numbers; return the exit status.

    shown: a function of the folder and `everything` that gives the numbers as a text, in place of `rows_of`.
    """
    from emargin.experiment import default_folder, run
    from emargin.resolve import resolve

    asked = Experiment.from_dict(fields_of(options) | settings_from(options.settings))
    experiment = resolve(asked)
    print(experiment)
    folder = options.out or default_folder(experiment)
    run(asked, folder=folder, device=options.device, threads=options.threads)
    print((shown or rows_of)(folder, everything=options.all))
    print(f"written to {folder}")
    return 0


def rows_of(folder: Path, *, everything: bool = False) -> str:
    """Return the numbers of a run, a line each: the main ones, or all."""
    from emargin.rows import read_rows

    rows = read_rows(folder / "rows.csv")
    lines = [
        f"{row.metric:28s} {row.value:10.4f}   {row.note if row.value != row.value else f'n {row.n}'}"
        for row in rows.itertuples()
        if everything or row.metric.removeprefix("series_") in MAIN
    ]
    return "\n".join([*lines, *[f"{len(rows) - len(lines)} more numbers: --all"] * (len(lines) < len(rows))])


def _device(name: str):
    """Return the torch device of that name. Raises ArgumentTypeError for one that cannot compute here."""
    from emargin.training import device_of

    try:
        return device_of(name)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
