"""What every benchmark needs around it: a process apart, the machine's description, the file of figures."""

import json
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import torch

from emargin import rows
from emargin.errors import InputError
from emargin.rows import processor, write_text

# Children of a small server: a process forked off it counts its peak from its own start. One that is started anew takes
# over, on Linux, the peak of the process that starts it. Windows has no such server.
SERVER = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")


def command(program: str, measure: Callable[[], dict], out: Path | None) -> int:
    """Measure, and write the figures to `out` as JSON if it is given. Returns the exit status: 0 done, 2 bad input."""
    try:
        figures = measure()
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    if out is not None:
        write_text(out, json.dumps(figures, indent=1) + "\n")
    return 0


def check(threads: int, out: Path | None) -> None:
    """Raises InputError for no thread, or an `out` whose folder is not there."""
    if threads < 1:
        raise InputError("number of threads", found=threads, wanted="1 or more")
    if out is not None and not out.parent.is_dir():
        raise InputError("the figures cannot be written", found=f"no folder {out.parent}", wanted="one that is there")


def machine(threads: int) -> dict:
    """What the figures were measured with and on."""
    return {"torch": torch.__version__, "processor": processor(), "machine": platform.machine(), "threads": threads}


def alone(function: Callable, *arguments) -> dict | float:
    """The function's value, from a process of its own."""
    with ProcessPoolExecutor(1, mp_context=SERVER) as process:
        return process.submit(function, *arguments).result()


def wait(device: str) -> None:
    """Until a CUDA device has done all that it was given; a CPU has."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_memory() -> float:
    """The most memory that this process has ever held, in MB. Raises InputError where the system does not say."""
    peak = rows.peak_memory()
    if peak is None:
        raise InputError("memory cannot be measured", found=platform.system(), wanted="Linux or macOS")
    return peak
