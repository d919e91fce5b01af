"""Whether code that was made faster still gives the committed results: cells of the grids run anew, beside their rows.

    python -m companion.bench.unchanged
    python -m companion.bench.unchanged --datasets spsw-har --jobs 2 --out results/benchmarks/unchanged.json

Sums in another order differ in the last digit, and a training carries that on until two runs of one seed are two draws.
So a difference between old and new is measured in the standard deviation over seeds that the committed rows have, for
means over the seeds: what a reader of the tables would see. Cells that are in the file already are not run again.
"""

import argparse
import json
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from companion.bench import surroundings
from companion.bench.surroundings import SERVER, machine
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.labels import label
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.experiment import run
from emargin.paths import home
from emargin.rows import write_text

# By grid: each form of the losses that share the blocks; an encoder that does not train shows the probe alone.
LINES = {
    "grid": (
        "Random Init",
        "InfoNCE, original",
        "eMargin, released",
        "eMargin, original, anchor",
        "SimMTM, original",
        "SimMTM, released",
        "eMargin, released, the paper's labels",
        "eMargin, original, pair",
        "eMargin, original, all-pairs",
    ),
    "repairs": (
        "Distance margin, original, the paper's labels",
        "Cosine margin, original, the paper's labels",
        "eMargin + VICReg terms, original",
        "eMargin + labels, original",
        "InfoNCE + labels, original",
    ),
}
SHARE = 0.05  # of the labelled frames, where a line has several shares: the sums are the same
LONGEST = 600  # seconds that a cell's training may have taken by its record; SimMTM released can take half an hour
DATASETS = ("spsw-har", "sleepedf-features", "mitbih", "dsads")
METRICS = (
    "silhouette",
    "davies_bouldin",
    "nmi",
    "participation_ratio",
    "accuracy",
    "weighted_f1",
    "balanced_accuracy",
    "converged_balanced_accuracy",
)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.unchanged", description=__doc__.partition("\n")[0])
    parser.add_argument("--datasets", default=",".join(DATASETS), metavar="NAME,...", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, of one thread each; default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures, added to if it is there")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.unchanged",
        lambda: measure(options.datasets.split(","), options.jobs, options.out),
        options.out,
    )


def measure(datasets: list[str], jobs: int, out: Path | None = None) -> dict:
    """Run the cells that `out` does not have, writing it after each. Returns all figures.

    Raises InputError, before the first cell, for no job, an `out` without a folder, or no cell with rows.
    """
    surroundings.check(1, out)
    if jobs < 1:
        raise InputError("number of jobs", found=jobs, wanted="1 or more")
    stores = {grid: Store(home() / "results" / grid) for grid in LINES}
    cells = {
        grid: chosen(grid, read_grid(home() / "workflow" / f"{grid}.json"), store) for grid, store in stores.items()
    }
    ahead = [cell for name in datasets for grid in LINES for cell in cells[grid] if cell.dataset == name]
    if not ahead:
        raise InputError(
            "cells to run anew",
            found=f"none with rows on {', '.join(datasets)}",
            wanted=f"data sets of the grids, such as {', '.join(DATASETS)}",
        )
    figures = {"cells": {}}
    if out is not None and out.exists():
        figures = json.loads(out.read_text(encoding="utf-8"))
    on = machine(1)
    with ProcessPoolExecutor(jobs, mp_context=SERVER) as pool:
        for done in as_completed(
            [pool.submit(values_of, cell) for cell in ahead if cell.digest not in figures["cells"]]
        ):
            digest, values = done.result()
            figures["cells"][digest] = values | {"processor": on["processor"], "torch": on["torch"]}
            if out is not None:
                write_text(out, json.dumps(figures, indent=1) + "\n")
            print(f"{len(figures['cells'])} cells", flush=True)
    figures["lines"] = [row for grid in LINES for row in compared(cells[grid], stores[grid], figures["cells"])]
    figures["summary"] = summary(figures["lines"])
    for row in figures["lines"]:
        print(
            "{dataset:18s} {line:28s} {metric:28s} {committed:8.4f} {again:8.4f}  deviation {deviation:.4f}".format(
                **row
            )
        )
    print(
        "{comparisons} means: median difference {median:.2f} deviations, {above_one} above 1, largest {largest:.2f}; "
        "{undefined} differ without a deviation".format(**figures["summary"])
    )
    return figures


def chosen(grid: str, cells: list[Experiment], store: Store) -> list[Experiment]:
    """Cells of a grid's LINES on each data set's first split that the store has numbers of and LONGEST allows."""
    return [
        cell
        for cell in cells
        if cell.fold == 1
        and cell.protocol == "original"
        and label(cell) in LINES[grid]
        and cell.label_share in (None, SHARE)
        and cell.digest in store.known - store.failed
        and store.records[cell.digest]["seconds"]["train"] < LONGEST
    ]


def values_of(cell: Experiment) -> tuple[str, dict[str, float]]:
    """Digest and METRICS of a cell, run anew on one thread of the CPU."""
    torch.set_num_threads(1)
    rows = run(cell, device="cpu", maps=False, progress=False).rows.set_index("metric").value
    return cell.digest, {metric: float(rows[metric]) for metric in METRICS}


def compared(cells: list[Experiment], store: Store, again: dict[str, dict[str, float]]) -> list[dict]:
    """A row for each data set, line and metric: the mean over seeds as committed and anew, the deviation over seeds.

    again: METRICS by digest. Seeds are those that were run anew; lines with fewer than two are left out.
    """
    committed = store.rows[store.rows.metric.isin(METRICS)].pivot(index="digest", columns="metric", values="value")
    groups: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.digest in again:
            groups.setdefault((cell.dataset, label(cell)), []).append(cell.digest)
    rows = []
    for (dataset, line), digests in groups.items():
        if len(digests) < 2:
            continue
        for metric in METRICS:
            old = [float(committed.loc[digest, metric]) for digest in digests]
            new = [again[digest][metric] for digest in digests]
            before, after, deviation = statistics.mean(old), statistics.mean(new), statistics.stdev(old)
            rows.append(
                {
                    "dataset": dataset,
                    "line": line,
                    "metric": metric,
                    "seeds": len(digests),
                    "committed": before,
                    "again": after,
                    "deviation": deviation,
                    "deviations": in_deviations(after - before, deviation),
                }
            )
    return rows


def in_deviations(difference: float, deviation: float) -> float | None:
    """A difference in deviations over seeds; None where the seeds have none and it is more than rounding."""
    if abs(difference) < 1e-8:  # committed rows have nine digits
        return 0.0
    return abs(difference) / deviation if deviation else None


def summary(lines: list[dict]) -> dict:
    """Of the differences between means, in deviations over seeds. undefined: without a deviation, and not counted."""
    defined = [row["deviations"] for row in lines if row["deviations"] is not None]
    return {
        "comparisons": len(defined),
        "median": statistics.median(defined),
        "above_one": sum(value > 1 for value in defined),
        "largest": max(defined),
        "undefined": len(lines) - len(defined),
    }


if __name__ == "__main__":
    sys.exit(main())
