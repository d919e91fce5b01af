"""One training loop for every method."""

import functools
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from tqdm import tqdm

from emargin.config import Experiment
from emargin.data.dataset import Dataset, Sequences
from emargin.errors import InputError, NonFiniteGradient
from emargin.evaluation.collapse import mean_cosine, participation_ratio
from emargin.methods import METHODS, Method
from emargin.optimiser import AdamW
from emargin.resolve import resolving
from emargin.state import Checkpoint, origin_of

LOG_EVERY = 10  # steps between two points of the curve
SAVE_EVERY = 50  # steps between two checkpoints: what a killed run can lose
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # signals that end a program; Windows has no SIGHUP

Curve = list[dict[str, float]]
Function = TypeVar("Function", bound=Callable[..., Any])


def default_device() -> torch.device:
    """Return a CUDA device where the machine has such, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(name: torch.device | str) -> torch.device:
    """Return the device of that name.

    Raises
    ------
    InputError
        For a name that stands for no device, or for a device that this machine cannot compute on.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).add(1).item()  # a device such as "meta" is there, and holds no numbers
    except Exception as error:  # each kind of device has an error of its own for not being there
        what, found = f"no device {str(name)!r} on this machine", f"{type(error).__name__}: {error}".split("\n")[0]
        raise InputError(what, found=found, wanted="cpu, or cuda and others where they are there") from error
    return device


@resolving
def build(experiment: Experiment, n_features: int, device: torch.device | str = "cpu") -> Method:
    """Build the experiment's method, with weights drawn from its seed.

    Parameters
    ----------
    experiment : Experiment
    n_features : int
        D, of a frame.
    device : torch.device or str

    Returns
    -------
    Method
        In training mode. The caller's random state is left as it was.
    """
    with _reproducible(experiment.seed, device):
        return METHODS[experiment.method](experiment, n_features).to(device)


def _checkpointing(function: Function) -> Function:
    """Return the function `train`, which gets a `Checkpoint` that knows code and data in place of a file."""

    @functools.wraps(function)
    def trained(experiment: Experiment, dataset: Dataset, *, checkpoint: Path | None = None, **named: Any) -> Any:
        known = Checkpoint(checkpoint, experiment, origin_of(experiment, dataset)) if checkpoint else None
        return function(experiment, dataset, checkpoint=known, **named)

    return cast(Function, trained)


@resolving
@_checkpointing
def train(
    experiment: Experiment,
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[Method, Curve]:
    """Train the experiment's method: AdamW, no schedule, incomplete batches dropped, last weights used.

    The CPU does not wait for the device within a step, unless the method does. So a gradient that is not finite is
    reported late: no weight changes from that step on, and the error comes at the next point of the curve or the next
    checkpoint, which is not written then.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
        Its training side is used.
    device : torch.device or str
    checkpoint : Path, optional
        A file to resume from if it is there, and to write every 50 steps and on interruption. On the CPU a resumed run
        equals an uninterrupted run bit for bit. One that other code or other data left is not resumed from; a line on
        stderr says so.
    progress : bool
        Show a bar.

    Returns
    -------
    method : Method
        In evaluation mode.
    curve : list of dict
        A point every 10 steps: step, loss, what the loss measures, and of the batch's embedding the mean pairwise
        cosine and the participation ratio.

    Raises
    ------
    InputError
        For fewer sequences than a batch, or a checkpoint of another experiment or version, or that is damaged.
    NonFiniteGradient
        For a gradient that is NaN or infinite.
    """
    if len(dataset.train) < experiment.batch_size and not METHODS[experiment.method].untrained:
        raise InputError(
            f"data set {dataset.name}: fewer sequences than a batch",
            found=len(dataset.train),
            wanted=f"at least batch_size = {experiment.batch_size}",
            todo="lower batch_size or sequence_length",
        )
    method = build(experiment, dataset.n_features, device)
    draws = torch.Generator().manual_seed(experiment.seed)
    with _reproducible(experiment.seed, device):
        method.train()
        method.prepare(dataset.train, draws)
        if experiment.iterations:
            curve = _steps(method, experiment, dataset.train, draws, device, checkpoint, progress)
        else:
            curve = []
    return method.eval(), curve


def _steps(
    method: Method,
    experiment: Experiment,
    sequences: Sequences,
    draws: torch.Generator,
    device: torch.device | str,
    checkpoint: Any,  # a Checkpoint, or None
    progress: bool,
) -> Curve:
    parameters = [p for p in method.trained_parameters() if p.requires_grad]
    optimiser = AdamW(parameters, learning_rate=experiment.learning_rate, weight_decay=experiment.weight_decay)
    order = _Order(len(sequences), experiment.batch_size, experiment.seed)
    state = _State(method, optimiser, order, draws, experiment, device)
    step, curve = state.resume(checkpoint) if checkpoint else (0, [])
    frames, starts = sequences.frames.to(device), sequences.starts
    offsets = torch.arange(sequences.length, device=device)
    gradients = _Gradients(parameters, experiment, device)
    bar = tqdm(
        total=experiment.iterations,
        initial=step,
        desc=f"{experiment.method} {experiment.fidelity}",
        disable=not progress,
    )
    with bar, _interrupts_wait() as interrupted:
        while step < experiment.iterations:
            batch = frames[starts[order.next(), None].to(device, non_blocking=True) + offsets]
            loss, measured = method.loss(batch, draws)
            optimiser.zero_grad()
            loss.backward()
            step += 1
            optimiser.step(unless=gradients.spoilt(step, loss))
            method.after_step()
            bar.update()
            ends = step == experiment.iterations
            if ends or step % LOG_EVERY == 0:
                gradients.check()
                curve.append(_point(step, loss, measured, method, batch))
                bar.set_postfix(loss=f"{curve[-1]['loss']:.3f}")
            stops = bool(interrupted)
            if checkpoint and (ends or stops or step % SAVE_EVERY == 0):
                gradients.check()
                state.save(checkpoint, step, curve)
            if stops:
                raise KeyboardInterrupt
    return curve


class _Gradients:
    """A watch for gradients that are not finite; what it sees stays on the device until it is asked for."""

    def __init__(self, parameters: Sequence[Tensor], experiment: Experiment, device: torch.device | str):
        self.parameters, self.experiment = parameters, experiment
        self.failed = torch.zeros((), device=device)
        self.seen: list[tuple[int, Tensor, Tensor]] = []  # step, norm and loss, since the last check

    def spoilt(self, step: int, loss: Tensor) -> Tensor:
        """Return a scalar on the device: 1 from the first gradient on that is not finite, 0 before."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        self.failed = torch.maximum(self.failed, (~torch.isfinite(norm)).to(self.failed.dtype))
        self.seen.append((step, norm, loss.detach()))
        return self.failed

    def check(self) -> None:
        """Raise NonFiniteGradient for the first such gradient since the last check."""
        if self.failed:
            step, norm, loss = next(row for row in self.seen if not torch.isfinite(row[1]))
            raise NonFiniteGradient(
                f"the gradient at step {step} of {self.experiment} is not finite (norm {norm.item()}, loss "
                f"{loss.item()}). No weight was changed from that step on. What to do: raise the temperature "
                f"({self.experiment.temperature}), lower the margin ({self.experiment.margin}) or the learning rate "
                f"({self.experiment.learning_rate}), or look at the input of that step."
            )
        self.seen.clear()


@torch.no_grad()
def _point(step: int, loss: Tensor, measured: dict[str, Tensor], method: Method, batch: Tensor) -> dict[str, float]:
    method.eval()
    embedding = method.encode(batch).flatten(0, 1)
    method.train()
    point = {"step": float(step), "loss": loss.item()} | {name: float(value) for name, value in measured.items()}
    return point | {"mean_cosine": mean_cosine(embedding), "participation_ratio": participation_ratio(embedding)}


class _Order:
    """Batches of sequence numbers: shuffled each epoch, the incomplete last batch dropped."""

    def __init__(self, n: int, batch_size: int, seed: int):
        self.n, self.batch_size = n, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch, self.position = torch.empty(0, dtype=torch.int64), 0

    def next(self) -> Tensor:
        """Return the numbers of the next batch's sequences, int64 `(batch_size,)`."""
        if self.position + self.batch_size > len(self.epoch):
            self.epoch, self.position = torch.randperm(self.n, generator=self.generator), 0
        picked = self.epoch[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return picked


@dataclass
class _State:
    """All that a run needs to go on as if it had never stopped."""

    method: Method
    optimiser: AdamW
    order: _Order
    draws: torch.Generator
    experiment: Experiment
    device: torch.device | str

    def save(self, checkpoint: Checkpoint, step: int, curve: Curve) -> None:
        """Write the checkpoint after so many steps."""
        state = {
            "step": step,
            "curve": curve,
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.order.epoch,
            "position": self.order.position,
            "order": self.order.generator.get_state(),
            "draws": self.draws.get_state(),
            "cpu": torch.get_rng_state(),
        }
        if torch.device(self.device).type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        checkpoint.save(state)

    def resume(self, checkpoint: Checkpoint) -> tuple[int, Curve]:
        """Take up a checkpoint; return the steps done and the curve so far, (0, []) where none can be gone on from."""
        state = checkpoint.load(self.device)
        if state is None:
            return 0, []
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.order.epoch, self.order.position = state["epoch"].cpu(), state["position"]
        self.order.generator.set_state(state["order"].cpu())
        self.draws.set_state(state["draws"].cpu())
        torch.set_rng_state(state["cpu"].cpu())
        if "cuda" in state and torch.device(self.device).type == "cuda":
            torch.cuda.set_rng_state(state["cuda"].cpu(), self.device)
        return state["step"], state["curve"]


@contextmanager
def stops_call(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let the signals that end a program call a function: Ctrl-C, a scheduler's SIGTERM, SIGHUP of a lost connection.

    The last two are left alone where somebody handles or ignores them already, as `nohup` does. Only a process's main
    thread hears signals; elsewhere nothing changes.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in [getattr(signal, name) for name in ENDING if hasattr(signal, name)]:
            if number == signal.SIGINT or signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _interrupts_wait() -> Iterator[list[int]]:
    """Note such a signal in the list that this yields, for it must not break into a step: half a step is no state.

    A second Ctrl-C breaks in all the same; a scheduler or a terminal may say its word twice.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted and number == signal.SIGINT:
            raise KeyboardInterrupt
        noted.append(number)

    with stops_call(note):
        yield noted


@contextmanager
def _reproducible(seed: int, device: torch.device | str) -> Iterator[None]:
    """Start torch's global generators from `seed` and make its algorithms deterministic; undo both after.

    The global generators draw weights and dropout. Algorithms that are not deterministic add up gradients of indexing
    in the order of the threads. On CUDA an operation that has no deterministic form warns instead of failing.
    """
    device = torch.device(device)
    before, filled = (
        torch.get_deterministic_debug_mode(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    torch.set_deterministic_debug_mode("warn" if device.type == "cuda" else "error")
    # else every new tensor would be filled, as a guard against reading unset memory
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_deterministic_debug_mode(before)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
