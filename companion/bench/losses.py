"""Time and memory of one step of the losses, forward and backward, against plain and lean dense formulations.

    python -m companion.bench.losses
    python -m companion.bench.losses --sizes 952,1600,4000 --threads 2 --rounds 7 --out results/benchmarks/losses.json

A step takes pseudo-labels from the frames, the loss on the flattened batch and its gradient on the embedding. The forms
(see `companion.bench.baselines`) take turns within each round, so that a busy machine slows all of them; a ratio is the
median of the rounds' ratios. Memory is what the first steps of a process need beyond what it held before them. Where
there is a CUDA device, the same is measured on it, and one step of a batch that no dense form holds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from companion import gpu
from companion.bench import surroundings
from companion.bench.baselines import (
    dense_info_nce,
    lean_emargin_anchor,
    lean_emargin_released,
    lean_info_nce,
    matrix_products,
    plain_emargin_anchor,
    plain_emargin_released,
    plain_pseudo_labels,
)
from companion.bench.surroundings import alone, machine, peak_memory, wait
from emargin.encoders import EMBEDDING
from emargin.errors import InputError
from emargin.losses import emargin_loss, emargin_released, info_nce
from emargin.losses.triangle import Triangle
from emargin.pseudo_labels import pseudo_labels

FORMS = ("ours", "plain", "lean", "lean_kept", "limit")  # lean_kept: its two N x N tensors stay from step to step
TEMPERATURE, MARGIN, THRESHOLD = 0.1, 5.0, 0.4  # the middle one of the paper's three temperatures
FEATURES = 252  # D of the frames that labels are taken from
SIZES, LARGE, ACCURATE, LABELLED = (952, 1600, 4000), 32_000, 952, 4000  # N: timed; ours alone; in float64; labels
WARM = 64  # N of the step that loads code and starts threads before memory is counted
ON_GPU = 65_536  # N of ours alone on a CUDA device, in tf32
SQUARE = 8192  # rows and columns of the product that a device's rate is measured with

surroundings.SERVER.set_forkserver_preload(
    ["companion.bench.steps"]
)  # imports that take seconds, once for all processes


@dataclass(frozen=True)
class Loss:
    """One loss in its forms. rule: of its pseudo-labels. lean returns (loss, gradient), the others the loss alone."""

    rule: str
    ours: Callable[[Tensor, Tensor], Tensor]
    plain: Callable[[Tensor, Tensor], Tensor]
    lean: Callable[..., tuple[Tensor, Tensor]]


KEYWORDS = {"temperature": TEMPERATURE, "margin": MARGIN}
LOSSES = {
    "emargin released": Loss(
        "released",
        lambda z, y: emargin_released(z, y, **KEYWORDS)[0],
        lambda z, y: plain_emargin_released(z, y, **KEYWORDS),
        lambda z, y, scratch: lean_emargin_released(z, y, **KEYWORDS, scratch=scratch),
    ),
    "emargin original": Loss(
        "paper",
        lambda z, y: emargin_loss(z, y, **KEYWORDS, reading="anchor", scope="flattened"),
        lambda z, y: plain_emargin_anchor(z, y, **KEYWORDS),
        lambda z, y, scratch: lean_emargin_anchor(z, y, **KEYWORDS, scratch=scratch),
    ),
    "infonce": Loss(
        "",
        lambda z, y: info_nce(z, temperature=TEMPERATURE, scope="flattened"),
        lambda z, y: dense_info_nce(z, temperature=TEMPERATURE),
        lambda z, y, scratch: lean_info_nce(z, temperature=TEMPERATURE, scratch=scratch),
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.losses", description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), metavar="N,...", help="default: %(default)s")
    parser.add_argument("--large", type=int, default=LARGE, metavar="N", help="ours alone; default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="at the largest N; default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    return surroundings.command(
        "companion.bench.losses",
        lambda: measure(sizes_of(options.sizes), options.large, options.threads, options.rounds, options.out),
        options.out,
    )


def sizes_of(text: str) -> list[int]:
    """ "952,1600" -> [952, 1600]. Raises InputError for what is no number."""
    try:
        return [int(size) for size in text.split(",")]
    except ValueError as error:
        raise InputError("number of frames N", found=text, wanted="whole numbers and commas, as 952,1600") from error


def measure(sizes: list[int], large: int, threads: int, rounds: int, out: Path | None = None) -> dict:
    """Measure everything, print each line as it is done and the targets at the end. Returns all figures.

    Raises InputError, before the first step, for a size below 3, no thread, no round, or an `out` without a folder.
    """
    if min(*sizes, large) < 3:
        raise InputError("number of frames N", found=min(*sizes, large), wanted="at least 3 for a contrast")
    if rounds < 1:
        raise InputError("number of rounds", found=rounds, wanted="1 or more")
    surroundings.check(threads, out)
    figures = machine(threads) | {"rounds": rounds, "channels": EMBEDDING, "temperature": TEMPERATURE, "margin": MARGIN}
    print(
        f"{figures['processor']}, {threads} thread(s), torch {figures['torch']}, C {EMBEDDING}, float32, {rounds} "
        f"rounds at the largest N\nmilliseconds of a step: {', '.join(FORMS)}; extra MB: the same, lean_kept as lean"
    )
    figures["steps"] = steps_on("cpu", sizes, threads, rounds)
    figures["large"] = alone(large_step, large, threads)
    print("ours at N {n}: {seconds:.1f} s, {mb:.0f} MB extra".format(**figures["large"]), flush=True)
    figures["labels"] = alone(label_times, LABELLED, threads, rounds)
    print(
        "labels at N {n}, D {features}: {ours_ms:.2f} ms, by the full product {plain_ms:.1f} ms".format(
            **figures["labels"]
        )
    )
    figures["accuracy"] = [alone(accuracy_of, loss, ACCURATE, threads) for loss in LOSSES]
    for row in figures["accuracy"]:
        print("{loss:17s} N {n}, against float64: loss {loss_error:.1e}, gradient {gradient_error:.1e}".format(**row))
    figures["gpu"] = None
    if torch.cuda.is_available():
        figures["gpu"] = {
            "name": torch.cuda.get_device_name(),
            "steps": steps_on("cuda", sizes, threads, rounds),
            "large": alone(share_of_rate, ON_GPU, "cuda", rounds),
        }
        print(
            "ours at N {n}, tf32: {ms:.0f} ms, {mb:.0f} MB extra, {share:.0%} of the rate of a product, error of the "
            "gradient against float32 {gradient_error:.1e}".format(**figures["gpu"]["large"])
        )
    figures["targets"] = targets_of(figures)
    print_targets(figures["targets"])
    return figures


def steps_on(device: str, sizes: list[int], threads: int, rounds: int) -> list[dict]:
    """Time and memory of every loss at every size, a line printed for each.

    A size takes more rounds than the largest as its matrix is smaller: medians of few short steps move by half.
    """
    figures = []
    for loss in LOSSES:
        for n in sizes:
            figure = alone(times_of, loss, n, threads, rounds * (max(sizes) // n) ** 2, device)
            for form in FORMS:
                figure[f"{form}_mb"] = (
                    figure["lean_mb"] if form == "lean_kept" else alone(memory_of, loss, form, n, threads, device)
                )
            figures.append(figure)
            print(
                f"{device} {loss:17s} N {n:6d}  ms",
                *(f"{figure[f'{form}_ms']:8.1f}" for form in FORMS),
                "  MB",
                *(f"{figure[f'{form}_mb']:7.1f}" for form in FORMS),
                flush=True,
            )
    return figures


def times_of(loss: str, n: int, threads: int, rounds: int, device: str = "cpu") -> dict:
    """Medians of each form's milliseconds, and of the ratios that the targets are about, from interleaved rounds."""
    torch.set_num_threads(threads)
    seconds = _in_turns({form: step_of(loss, form, n, device=device) for form in FORMS}, rounds, device)
    figure = {"loss": loss, "n": n, "rounds": rounds}
    figure |= {f"{form}_ms": 1e3 * statistics.median(seconds[form]) for form in FORMS}
    for form in ("plain", "lean", "lean_kept"):
        figure[f"{form}_over_ours"] = _ratio(seconds[form], seconds["ours"])
    return figure | {"ours_over_limit": _ratio(seconds["ours"], seconds["limit"])}


def memory_of(loss: str, form: str, n: int, threads: int, device: str = "cpu") -> float:
    """MB that two steps need beyond what the process, or the device, held before them."""
    torch.set_num_threads(threads)
    step_of(loss, form, WARM, device=device)()
    step = step_of(loss, form, n, device=device)
    before = _held(device)
    for _ in range(2):
        step()
    return _peak(device) - before


def share_of_rate(n: int, device: str, rounds: int) -> dict:
    """A step of ours, eMargin released, in tf32: time, extra memory, error, and its share of the device's rate.

    rate: of the product of two square matrices, in the same turns. The step's operations are those of its products
    alone: the triangle of cosines, once more what of it did not stay, and the gradient. Errors are relative, against
    the same step in float32.
    """
    side = min(n, SQUARE)
    step = step_of("emargin released", "ours", n, device=device)
    factors = torch.randn(2, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    product = torch.empty_like(factors[0])
    value, gradient = step()
    torch.set_float32_matmul_precision("high")
    try:
        before = _held(device)
        rough, rough_gradient = step()
        held = _peak(device) - before
        seconds = _in_turns({"step": step, "product": lambda: torch.mm(*factors, out=product)}, rounds, device)
    finally:
        torch.set_float32_matmul_precision("highest")
    triangle = Triangle(torch.empty(1, n, 1, device=device), keep=True, spares=0)
    operations = 2 * EMBEDDING * (sum(triangle.sizes) + sum(triangle.sizes[: triangle.first_staying]) + n**2)
    shares = [
        operations / of_step / (2 * side**3 / of_product) for of_step, of_product in zip(*seconds.values(), strict=True)
    ]
    return {
        "n": n,
        "ms": 1e3 * statistics.median(seconds["step"]),
        "mb": held,
        "share": statistics.median(shares),
        "tflops": operations / statistics.median(seconds["step"]) / 1e12,
        "product_tflops": 2 * side**3 / statistics.median(seconds["product"]) / 1e12,
        "loss_error": abs(rough.item() - value.item()) / abs(value.item()),
        "gradient_error": ((rough_gradient - gradient).norm() / gradient.norm()).item(),
    }


def _held(device: str) -> float:
    """MB of memory, from which `_peak` counts."""
    if device != "cuda":
        return peak_memory()
    wait(device)
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated() / 1e6


def _peak(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else peak_memory()


def large_step(n: int, threads: int) -> dict:
    """Seconds and extra MB of one step of ours, eMargin released."""
    torch.set_num_threads(threads)
    step_of("emargin released", "ours", WARM)()
    step = step_of("emargin released", "ours", n)
    before, start = peak_memory(), time.perf_counter()
    step()
    return {"n": n, "seconds": time.perf_counter() - start, "mb": peak_memory() - before}


def label_times(n: int, threads: int, rounds: int) -> dict:
    """Labels by row-wise products and by the full product, in turns."""
    torch.set_num_threads(threads)
    frames, _ = batch(n)
    forms = {
        "ours": lambda: pseudo_labels(frames, threshold=THRESHOLD),
        "plain": lambda: plain_pseudo_labels(frames, threshold=THRESHOLD, rule="paper"),
    }
    seconds = _in_turns(forms, rounds)
    return {"n": n, "features": FEATURES, "plain_over_ours": _ratio(seconds["plain"], seconds["ours"])} | {
        f"{form}_ms": 1e3 * statistics.median(seconds[form]) for form in forms
    }


def accuracy_of(loss: str, n: int, threads: int) -> dict:
    """Relative errors of loss and gradient of ours in float32, against plain in float64 on the same embedding."""
    torch.set_num_threads(threads)
    value, gradient = step_of(loss, "ours", n)()
    exact, exact_gradient = step_of(loss, "plain", n, torch.float64)()
    return {
        "loss": loss,
        "n": n,
        "loss_error": abs(value.item() - exact.item()) / abs(exact.item()),
        "gradient_error": ((gradient - exact_gradient).norm() / exact_gradient.norm()).item(),
    }


def step_of(loss: str, form: str, n: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Callable:
    """A step in one of FORMS, ready to be called; it returns (loss, gradient), the limit a gradient."""
    if device == "cuda":
        gpu.enable()
    frames, embedding = (values.to(device) for values in batch(n, dtype))
    if form == "limit":
        unit, scratch = normalize(embedding[0], dim=-1), embedding.new_empty(n, n)
        return lambda: matrix_products(unit, scratch)
    chosen = LOSSES[loss]
    find = plain_pseudo_labels if form == "plain" else pseudo_labels

    def labels() -> Tensor | None:
        return find(frames, threshold=THRESHOLD, rule=chosen.rule) if chosen.rule else None

    if form in ("lean", "lean_kept"):
        scratch = embedding.new_empty(2, n, n) if form == "lean_kept" else None
        return lambda: chosen.lean(embedding, labels(), scratch)
    function = getattr(chosen, form)

    def step() -> tuple[Tensor, Tensor]:
        leaf = embedding.detach().requires_grad_()
        value = function(leaf, labels())
        value.backward()
        return value.detach(), leaf.grad

    return step


def batch(n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Frames `(N, D)` in runs of four alike, so that both labels occur, and an embedding `(1, N, C)`, not negative."""
    generator = torch.Generator().manual_seed(0)
    runs = torch.randn(n // 4 + 1, FEATURES, generator=generator).repeat_interleave(4, dim=0)[:n]
    frames = runs.add_(torch.randn(n, FEATURES, generator=generator), alpha=0.5)
    embedding = torch.randn(1, n, EMBEDDING, generator=generator).relu_()  # as the encoder's last layer is a ReLU
    return frames.to(dtype), embedding.to(dtype)


def _in_turns(forms: dict[str, Callable], rounds: int, device: str = "cpu") -> dict[str, list[float]]:
    """Seconds of each form in each round, after one call of each that is not timed."""
    for form in forms.values():
        form()
    seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            wait(device)
            start = time.perf_counter()
            form()
            wait(device)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _ratio(numerator: list[float], denominator: list[float]) -> float:
    return statistics.median(over / under for over, under in zip(numerator, denominator, strict=True))


def targets_of(figures: dict) -> list[dict]:
    """The targets for the losses beside what was measured; not measured is None."""
    steps = {(figure["loss"], figure["n"]): figure for figure in figures["steps"]}

    def of_step(loss: str, n: int, key: str) -> float | None:
        return steps[loss, n][key] if (loss, n) in steps else None

    rows = [
        target(
            "eMargin released, plain / ours",
            f"N {n:,}",
            "≥",
            bound,
            "×",
            of_step("emargin released", n, "plain_over_ours"),
        )
        for n, bound in zip(SIZES, (4, 5, 7), strict=True)
    ]
    n = SIZES[-1]
    bounds = {"emargin released": (2, 1.3), "emargin original": (1.3, 2), "infonce": (1.3, 2)}
    titles = {
        "emargin released": "eMargin released",
        "emargin original": "eMargin original, anchor, flattened",
        "infonce": "InfoNCE, flattened",
    }
    for loss, (over_lean, over_limit) in bounds.items():
        rows.append(
            target(f"{titles[loss]}, lean / ours", f"N {n:,}", "≥", over_lean, "×", of_step(loss, n, "lean_over_ours"))
        )
        rows.append(
            target(
                f"{titles[loss]}, ours / limit", f"N {n:,}", "≤", over_limit, "×", of_step(loss, n, "ours_over_limit")
            )
        )
    for loss in bounds:
        ours, plain = of_step(loss, n, "ours_mb"), of_step(loss, n, "plain_mb")
        rows.append(
            target(
                f"{titles[loss]}, extra memory, plain / ours",
                f"N {n:,}",
                "≥",
                15,
                "×",
                None if ours is None else plain / max(ours, 0.1),
            )
        )
    large = figures["large"]
    rows.append(
        target(
            "eMargin released, extra memory of a step",
            f"N {LARGE:,}",
            "≤",
            1000,
            "MB",
            large["mb"] if large["n"] == LARGE else None,
        )
    )
    rows.append(
        target(
            "pseudo-labels, full product / ours",
            f"N {LABELLED:,}, D {FEATURES}",
            "≥",
            30,
            "×",
            figures["labels"]["plain_over_ours"],
        )
    )
    for kind in ("loss", "gradient"):
        rows.append(
            target(
                f"{kind} in float32, relative error, worst of the losses",
                f"N {ACCURATE:,}",
                "≤",
                1e-6,
                "",
                max(row[f"{kind}_error"] for row in figures["accuracy"]),
            )
        )
    on_gpu = figures["gpu"]["large"] if figures["gpu"] else {"mb": None, "share": None}
    rows.append(target("one GPU: eMargin step, extra memory", f"N {ON_GPU:,}", "≤", 2000, "MB", on_gpu["mb"]))
    rows.append(
        target(
            "one GPU: eMargin step, share of the matrix-product rate", f"N {ON_GPU:,}", "≥", 0.4, "", on_gpu["share"]
        )
    )
    return rows


def target(what: str, at: str, relation: str, bound: float, unit: str, measured: float | None) -> dict:
    """A row of the table of targets. met: None where nothing was measured."""
    met = None if measured is None else bool(measured >= bound if relation == "≥" else measured <= bound)
    return {
        "what": what,
        "at": at,
        "relation": relation,
        "bound": bound,
        "unit": unit,
        "measured": measured,
        "met": met,
    }


def print_targets(rows: list[dict]) -> None:
    """The table of targets."""
    verdicts = {True: "met", False: "missed", None: "not measured"}
    for row in rows:
        measured = "" if row["measured"] is None else f"{row['measured']:.3g}"
        print(
            f"{row['what']:66s} {row['at']:15s} {row['relation']} {row['bound']:<8.3g} {row['unit']:2s} "
            f"{measured:>9s}  {verdicts[row['met']]}"
        )


if __name__ == "__main__":
    sys.exit(main())
