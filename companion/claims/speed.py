"""What the page on speed says of the figures in `results/benchmarks`."""

import json
from functools import cache

from companion.claims import claim, ends, printed, require
from emargin.paths import home


@cache
def figures(name: str) -> dict:
    """Return the committed figures of one file."""
    return json.loads((home() / "results" / "benchmarks" / f"{name}.json").read_text(encoding="utf8"))


def cell(dataset: str) -> dict:
    """Return the figures of one cell, with the seconds of all its stages."""
    (found,) = [one for one in figures("cell")["cells"] if one["dataset"] == dataset]
    return found | {"seconds": sum(stage["ours_s"] for stage in found["stages"])}


def ratios(key: str, loss: str | None = None) -> list[float]:
    """Return a ratio of the steps of all losses and sizes, or of one loss."""
    return [step[key] for step in figures("losses")["steps"] if loss in (None, step["loss"])]


@claim(
    "**A cell of HARTH's size takes {harth} seconds on two cores, one of MIT-BIH's {ecg}: {less} and {many} times less"
    " than the same written plainly.**"
)
def a_cell():
    harth, ecg = cell("harth-sim"), cell("mitbih")
    require(figures("cell")["threads"] == 2, "it was measured with another number of threads")
    seconds = {"harth": f"{harth['seconds']:.0f}", "ecg": f"{ecg['seconds']:.0f}"}
    return seconds | printed(1, less=harth["cell_ratio"], many=ecg["cell_ratio"])


@claim("A step is {low} to {high} times faster than in the plain form, at every size and for every loss,")
def against_the_plain_form():
    return ends(ratios("plain_over_ours"), 1)


@claim(
    "and needs {least} to {most} times less extra memory. Against the lean form it is {low} to {high} times as fast;"
)
def against_the_lean_form():
    memory = [step["plain_mb"] / step["ours_mb"] for step in figures("losses")["steps"]]
    lean = ratios("lean_over_ours")
    slower = [(step["loss"], step["n"]) for step in figures("losses")["steps"] if step["lean_over_ours"] < 1]
    require(slower == [("infonce", 952)], f"it is slower at {slower}")
    return {"least": f"{min(memory):.0f}", "most": f"{max(memory):.0f}"} | ends(lean)


@claim("A step on {frames} frames takes {seconds} s and {memory} MB, where one matrix of cosines is {matrix} MB.")
def a_large_batch():
    large = figures("losses")["large"]
    words = {"frames": f"{large['n']:,}", "seconds": f"{large['seconds']:.1f}", "memory": f"{large['mb']:.0f}"}
    return words | {"matrix": f"{4 * large['n'] ** 2 / 1e6:,.0f}"}


@claim("Labels of {frames} frames take {ours} ms row by row and {plain} ms by the full product.")
def labels():
    one = figures("losses")["labels"]
    return {"frames": f"{one['n']:,}", "ours": f"{one['ours_ms']:.1f}", "plain": f"{one['plain_ms']:.0f}"}


@claim(
    "error of the loss is below $10^{-7}$ and that of the gradient below $2\\cdot10^{-7}$ of the plain form in double."
)
def accuracy():
    rows = figures("losses")["accuracy"]
    require(max(row["loss_error"] for row in rows) < 1e-7, "the loss has a larger error")
    require(max(row["gradient_error"] for row in rows) < 2e-7, "the gradient has a larger error")


@claim("brings nothing on a CPU: {configurations} configurations take {more} times as long together as in turn.")
def together():
    one = figures("together")
    (device,) = one["devices"]
    require(device["ratio"] < 1, "together they are faster")
    return {"configurations": str(one["configurations"]), "more": f"{1 / device['ratio']:.1f}"}


@claim(
    "Of {cells} cells run anew, {means} means over seeds differ from the committed ones by {median} deviations over"
    " seeds in the median; {share} % of them by more than one."
)
def the_same_results():
    one = figures("unchanged")
    found = one["summary"]
    share = f"{100 * found['above_one'] / found['comparisons']:.0f}"
    return {
        "cells": str(len(one["cells"])),
        "means": str(found["comparisons"]),
        "median": f"{found['median']:.2f}",
        "share": share,
    }


@claim(
    "**It is {low} to {high} times as fast as scikit-learn's solvers, and at most {unlike} % of test frames are "
    "classed otherwise.** L-BFGS, scikit-learn's default, is missing on SP-SW-HAR:"
)
def beside_scikit_learn():
    fits = figures("evaluation")["fits"]
    theirs = [fit for fit in fits if fit["solver"] != "emargin"]
    there = {(fit["dataset"], fit["solver"]) for fit in theirs}
    require({name for name, solver in there if solver == "lbfgs"} == {"sleepedf-features"}, f"there are {there}")
    require({fit["source"] for fit in fits} == {"real"}, "frames are simulated")
    return ends([fit["ratio"] for fit in theirs], 1) | {"unlike": f"{100 * max(fit['unlike'] for fit in theirs):.2f}"}
