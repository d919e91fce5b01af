"""Training K experiments in one process, as one: what a GPU needs to be used by encoders as small as this one.

`emargin.training.train` spends a step on a GPU mostly on starting small operations. Here each operation serves all K
experiments: their weights are the rows of one matrix, their batches are one gather, and their losses are formed side by
side. Nothing waits for the device except at the points of the curve.

Only InfoNCE and eMargin can be trained so: their losses are functions of the frames and of the shared encoder's
embedding of them, and draw nothing.

How near a result is to that of `emargin.training.train`. On one thread of a CPU, in float32, the operations are those
of the single run, and so are the bits, where the matrix library multiplies a matrix in a stack as alone (MKL does on
some processors). Elsewhere only rounding differs. A bias before BatchNorm has no gradient besides rounding, though, and
Adam walks along that at full speed: such a bias ends somewhere else, and BatchNorm's running mean, which lags behind
it, carries some of that into evaluation, as it does between a CPU and a GPU. And where the argument of the released
eMargin's logarithm changes its sign, each step multiplies what rounding has left. `companion.bench.together` measures
the differences.

Experimental: this has not run on a GPU yet.

Memory: the activations of K encoders, about 3,000 numbers for each of `K B T` frames, and the pairs of one part of the
losses (see `PAIRS`). On a CPU all this is no faster than training the experiments one after another.

A step has a few hundred operations however many experiments it serves. On a CUDA device it can be recorded once and
started as a whole (`captured`).
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from tqdm import tqdm

from companion.gpu.stacked_losses import stacked_losses
from emargin.config import Experiment
from emargin.data.dataset import Dataset, Sequences
from emargin.encoder_files import read_encoder, write_encoder
from emargin.encoders import FrameEncoder
from emargin.errors import InputError, NonFiniteGradient
from emargin.evaluation.collapse import mean_cosine, participation_ratio
from emargin.experiment import check_sequences
from emargin.methods import Method
from emargin.optimiser import AdamW
from emargin.pseudo_labels import _pseudo_labels as pseudo_labels
from emargin.rows import writable_folder
from emargin.training import LOG_EVERY, Curve, _Order, _reproducible, build

TRAINED = ("infonce", "emargin")
PRECISIONS = ("float32", "tf32", "bf16")
FREE = (
    "method",
    "fidelity",
    "reading",
    "labels",
    "sides",
    "scope",
    "seed",
    "temperature",
    "margin",
    "threshold",
    "learning_rate",
    "weight_decay",
)  # in which experiments trained together may differ
FORM = ("method", "fidelity", "reading", "sides", "scope")  # the loss, but for its numbers and its labels
WARM_UP = 3  # steps before one is recorded: what a library sets up at its first use must not be in the record
PAIRS = 2**26  # pairs of frames in a part of stacked losses at most: 256 MB a tensor, of which autograd keeps about ten


def train_together(
    experiments: list[Experiment],
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    captured: bool = False,
    progress: bool = True,
) -> list[tuple[Method, Curve]]:
    """Train the experiments, each as `emargin.training.train` would; methods in evaluation mode with their curves.

    The experiments are of the methods in `TRAINED` and differ in the fields `FREE` alone.
    precision: of matrix products. "float32". "tf32": factors of 10 bits on CUDA devices that have it; a CPU without it
    computes in float32. "bf16": factors of 8 bits, in the encoder, whose activations are in bf16, too; weights,
    statistics, losses and the points of the curve stay in float32.
    captured: record a step as a CUDA graph and replay it, so that its operations start as one; of use for a
    single experiment, too. They are the same operations. Not on a CPU.
    There is no checkpoint: an interrupted training starts again.

    Raises InputError for no experiment, a method or a precision that is not among the above, a field in which the
    experiments may not differ, fewer sequences than a batch, or `captured` on a CPU. Raises NonFiniteGradient, which
    names the first of the experiments to meet one and its step, at the next point of the curve; no method is returned
    then.
    """
    outcomes = _train(experiments, dataset, torch.device(device), precision, captured, progress, go_on=False)
    return [outcomes[number] for number in range(len(experiments))]


def prepare_cells(
    cells: list[Experiment],
    dataset: Dataset,
    folders: list[Path],
    *,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> list[Experiment]:
    """Train cells of a grid together, in float32, and put `curve.csv` and `encoder.pt` into the folder of each.

    `emargin.experiment.run` takes such an encoder for one that it trained there itself. A folder whose encoder the same
    code trained on the same data is left as it is. A cell that meets a gradient that is not finite is left out, and the
    others go on: trained alone, it fails at that step and says so. The caller holds the locks of the folders.
    Returns the cells whose folders have an encoder now. Raises InputError as `train_together` does.
    """
    places = dict(zip(cells, folders, strict=True))
    ahead = [cell for cell in cells if read_encoder(places[cell], cell, dataset) is None]
    outcomes = _train(ahead, dataset, torch.device(device), "float32", False, progress, go_on=True) if ahead else {}
    for number, (method, curve) in outcomes.items():
        cell = ahead[number]
        write_encoder(writable_folder(places[cell]), cell, dataset, method, curve)
    failed = [cell for number, cell in enumerate(ahead) if number not in outcomes]
    return [cell for cell in cells if cell not in failed]


def groups(cells: list[Experiment]) -> list[list[Experiment]]:
    """Split the cells into groups that train together; a cell of another method or encoder is a group by itself."""
    by_setting: dict[tuple, list[Experiment]] = {}
    for cell in cells:
        stacks = cell.method in TRAINED and cell.encoder is None
        key = tuple(getattr(cell, name) for name in _shared()) if stacks else (cell.digest,)
        by_setting.setdefault(key, []).append(cell)
    return list(by_setting.values())


def _shared() -> list[str]:
    return [name for name in vars(Experiment()) if name not in FREE]


def _check(experiments: list[Experiment], dataset: Dataset, precision: str) -> None:
    if precision not in PRECISIONS:
        raise InputError("unknown precision", found=repr(precision), wanted=", ".join(PRECISIONS))
    if not experiments:
        raise InputError("experiments to train together", found="none", wanted="one or more")
    for experiment in experiments:
        if experiment.method not in TRAINED:
            raise InputError(
                "a method that is not trained together with others",
                found=experiment.method,
                wanted=" or ".join(TRAINED),
                todo="train it alone",
            )
        if experiment.encoder is not None:
            raise InputError(
                "an encoder that is not trained together with others",
                found=experiment.encoder,
                wanted="the frame encoder",
                todo="train it alone",
            )
        for name in _shared():
            value, different = getattr(experiments[0], name), getattr(experiment, name)
            if value != different:
                raise InputError(
                    f"experiments that are trained together have one {name}",
                    found=f"{value!r} and {different!r}",
                    wanted="one value",
                    todo="train them in two groups",
                )
    check_sequences(experiments[0], dataset)


def _train(
    experiments: list[Experiment],
    dataset: Dataset,
    device: torch.device,
    precision: str,
    captured: bool,
    progress: bool,
    go_on: bool,
) -> dict[int, tuple[Method, Curve]]:
    """By number of the experiment, its method and curve. go_on: where one meets a gradient that is not finite, leave it
    out and go on with the others.
    """
    _check(experiments, dataset, precision)
    if captured and not _can_record(device):
        raise InputError(
            "device of a captured training",
            found=device.type,
            wanted="cuda",
            todo="leave captured out: a CPU starts an operation as soon as it meets it",
        )
    methods = [build(experiment, dataset.n_features, device) for experiment in experiments]
    encoders = _Encoders([method.encoder for method in methods])
    with _reproducible(experiments[0].seed, device), _products(precision):
        curves = _steps(methods, encoders, dataset.train, device, precision, captured, progress, go_on)
    encoders.write_to([method.encoder for method in methods])
    return {number: (methods[number].eval(), curve) for number, curve in curves.items()}


def _steps(
    methods: list[Method],
    encoders: "_Encoders",
    sequences: Sequences,
    device: torch.device,
    precision: str,
    captured: bool,
    progress: bool,
    go_on: bool,
) -> dict[int, Curve]:
    experiments = [method.experiment for method in methods]
    steps = experiments[0].iterations
    step = _Step(methods, encoders, sequences, device, precision)
    run = _Replayed(step) if captured else step
    starts = _starts(experiments, sequences).to(device)
    curves: dict[int, Curve] = {number: [] for number in range(len(experiments))}
    for done in tqdm(range(1, steps + 1), desc=f"{len(experiments)} experiments", disable=not progress):
        step.starts.copy_(starts[done - 1])
        run()
        if done % LOG_EVERY == 0 or done == steps:
            for number, failed in enumerate(step.failed_at.tolist()):
                if failed and number in curves:
                    if not go_on:
                        raise _not_finite(experiments, step.failed_at.tolist(), done)
                    del curves[number]
            _add_points(curves, done, step.losses, encoders, step.batches)
    return curves


class _Step:
    """A step of all experiments. It has no argument and its state stays where it is, so that it can be recorded.

    starts: `(K, B)`, first frames of the sequences of its batches, to be written before each call. failed_at: `(K,)`,
    the step of the first gradient that was not finite, or 0. losses, batches: of the last call.
    """

    def __init__(
        self,
        methods: list[Method],
        encoders: "_Encoders",
        sequences: Sequences,
        device: torch.device,
        precision: str,
    ):
        experiments = [method.experiment for method in methods]
        self.encoders, self.precision = encoders, precision
        self.optimisers = _optimisers(experiments, encoders)
        self.frames = sequences.frames.to(device)
        self.offsets = torch.arange(sequences.length, device=device)
        self.parts = _parts(methods, sequences, self.frames)
        self.starts = torch.zeros((len(experiments), experiments[0].batch_size), dtype=torch.int64, device=device)
        self.number = torch.zeros((), dtype=torch.int64, device=device)
        self.failed_at = torch.zeros(len(experiments), dtype=torch.int64, device=device)
        self.losses: list[tuple[_Part, _Values]] = []
        self.batches = self.frames

    def __call__(self) -> None:
        weights = self.encoders.weights
        self.number += 1
        self.batches = self.frames[self.starts[..., None] + self.offsets]  # (K, B, T, D)
        weights.grad = None
        with torch.autocast(self.frames.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            embedding = self.encoders(self.batches, training=True)
        self.losses, gradient = _losses(self.parts, embedding.detach().to(self.frames.dtype), self.batches)
        embedding.backward(gradient.to(embedding.dtype))
        finite = torch.linalg.vector_norm(weights.grad, dim=1).isfinite()
        self.failed_at.copy_(torch.where(finite | (self.failed_at > 0), self.failed_at, self.number))
        for optimiser, rows in self.optimisers:
            for row, held in zip(rows, optimiser.parameters, strict=True):
                held.grad = weights.grad[row]
            optimiser.step()


class _Replayed:
    """A step that is recorded once it has run a few times, and started as one operation from then on."""

    def __init__(self, step: _Step):
        self.step, self.ahead, self.replay = step, WARM_UP, None

    def __call__(self) -> None:
        if self.ahead:
            self.ahead -= 1
            self.step()
            return
        if self.replay is None:
            self.replay = _record(self.step)
        self.replay()


def _record(step: _Step) -> Callable[[], None]:
    """Record a step's operations as a CUDA graph and return what starts them. Recording does not run them."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _starts(experiments: list[Experiment], sequences: Sequences) -> Tensor:
    """First frames of the sequences of every step's batches, `(steps, K, B)`, each in the order of its own seed."""
    size = experiments[0].batch_size
    orders = [_Order(len(sequences), size, experiment.seed) for experiment in experiments]
    picked = [order.next() for _ in range(experiments[0].iterations) for order in orders]
    picked = torch.cat(picked) if picked else torch.empty(0, dtype=torch.int64)
    return sequences.starts[picked].view(-1, len(experiments), size)


def _optimisers(experiments: list[Experiment], encoders: "_Encoders") -> list[tuple[AdamW, list[int]]]:
    """Make one optimiser for each pair of learning rate and weight decay, with the numbers of its experiments."""
    rows: dict[tuple[float, float], list[int]] = {}
    for number, experiment in enumerate(experiments):
        rows.setdefault((experiment.learning_rate, experiment.weight_decay), []).append(number)
    held = encoders.weights.detach().unbind()  # they share memory with the matrix
    return [
        (AdamW([held[number] for number in numbers], learning_rate=learning_rate, weight_decay=weight_decay), numbers)
        for (learning_rate, weight_decay), numbers in rows.items()
    ]


def _not_finite(experiments: list[Experiment], failed_at: list[int], seen: int) -> NonFiniteGradient:
    step, experiment = min(
        ((step, experiment) for step, experiment in zip(failed_at, experiments, strict=True) if step),
        key=lambda pair: pair[0],
    )
    return NonFiniteGradient(
        f"the gradient at step {step} of {experiment} is not finite. It was found at step {seen}, where the training "
        f"of all {len(experiments)} experiments stopped. What to do: leave this one out, raise its temperature "
        f"({experiment.temperature}), or lower its margin ({experiment.margin}) or learning rate "
        f"({experiment.learning_rate})."
    )


@torch.no_grad()
def _add_points(
    curves: dict[int, Curve], step: int, losses: list[tuple["_Part", "_Values"]], encoders: "_Encoders", batches: Tensor
) -> None:
    embedding = encoders(batches, training=False).flatten(1, 2)
    for part, values in losses:
        columns = {name: value.tolist() for name, value in values.items()}
        for place, number in enumerate(part.numbers):
            if number in curves:
                curves[number].append(
                    {"step": float(step)}
                    | {name: column[place] for name, column in columns.items()}
                    | {
                        "mean_cosine": mean_cosine(embedding[number]),
                        "participation_ratio": participation_ratio(embedding[number]),
                    }
                )


class _Encoders:
    """K frame encoders as one.

    weights: `(K, P)`, a row holds the parameters of an encoder, in the order of the module. statistics: BatchNorm's
    buffers by name, each with a leading K.
    """

    def __init__(self, encoders: list[FrameEncoder]):
        self.layers = encoders[0].blocks
        self.shapes = [parameter.shape for parameter in encoders[0].parameters()]
        self.weights = (
            torch.stack([nn.utils.parameters_to_vector(encoder.parameters()) for encoder in encoders])
            .detach()
            .requires_grad_()
        )
        buffers = [dict(encoder.blocks.named_buffers()) for encoder in encoders]
        self.statistics = {name: torch.stack([each[name] for each in buffers]) for name in buffers[0]}

    def __call__(self, frames: Tensor, *, training: bool) -> Tensor:
        """`(K, B, T, D)` -> `(K, B, T, C)`; in training BatchNorm's statistics are those of each encoder's batch."""
        parameters = iter(self._parameters(self.weights))
        rows = frames.flatten(1, 2)
        for number, layer in enumerate(self.layers):
            if isinstance(layer, nn.Linear):
                weight, bias = next(parameters), next(parameters)
                rows = torch.baddbmm(bias[:, None], rows, weight.mT)
            elif isinstance(layer, nn.BatchNorm1d):
                rows = self._normalised(rows, number, next(parameters), next(parameters), training)
            else:
                rows = layer(rows)
        return rows.unflatten(1, frames.shape[1:3])

    def _normalised(self, rows: Tensor, number: int, weight: Tensor, bias: Tensor, training: bool) -> Tensor:
        """BatchNorm over `(N, K C)`: a channel of one encoder is a channel like any other."""
        mean, variance, batches = (
            self.statistics[f"{number}.{name}"] for name in ("running_mean", "running_var", "num_batches_tracked")
        )
        layer, channels = self.layers[number], rows.shape[::2]
        if training:
            batches += 1
        columns = batch_norm(
            rows.transpose(0, 1).flatten(1),
            mean.view(-1),
            variance.view(-1),
            weight.flatten(),
            bias.flatten(),
            training,
            layer.momentum,
            layer.eps,
        )
        return columns.unflatten(1, channels).transpose(0, 1)

    def _parameters(self, weights: Tensor) -> list[Tensor]:
        """Return views of the rows' parameters, each `(K, *shape)`."""
        parts = weights.split([shape.numel() for shape in self.shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    @torch.no_grad()
    def write_to(self, encoders: list[FrameEncoder]) -> None:
        stacked = self._parameters(self.weights)
        for number, encoder in enumerate(encoders):
            for parameter, values in zip(encoder.parameters(), stacked, strict=True):
                parameter.copy_(values[number])
            for name, buffer in encoder.blocks.named_buffers():
                buffer.copy_(self.statistics[name][number])


_Values = dict[str, Tensor]  # of the G experiments of a part: "loss" and what the loss measures, each `(G,)`


class _Given(nn.Module):
    """An encoder whose embedding of the batch is there already."""

    embedding: Tensor

    def forward(self, batch: Tensor) -> Tensor:
        return self.embedding


class _Single:
    """One experiment's loss, by its method, which takes the embedding from the stacked encoders."""

    def __init__(self, number: int, method: Method):
        self.numbers, self.picked = [number], slice(number, number + 1)
        self.method, self.encoder = copy.deepcopy(method), _Given()
        self.method.encoder = self.encoder

    def __call__(self, embedding: Tensor, batches: Tensor) -> _Values:
        self.encoder.embedding = embedding[0]
        loss, measured = self.method.loss(batches[0], torch.Generator())  # which draws nothing
        return {name: value[None] for name, value in ({"loss": loss} | measured).items()}


class _Stack:
    """Losses of experiments that have one form, side by side."""

    def __init__(self, numbers: list[int], experiments: list[Experiment], like: Tensor):
        def column(name):
            values = [getattr(experiment, name) for experiment in experiments]
            return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]

        self.numbers, self.form = numbers, experiments[0]
        self.picked = _index(numbers, like.device)
        self.temperature = column("temperature")
        self.margin = column("margin") if self.form.method == "emargin" else None
        rules: dict[tuple, list[int]] = {}
        for place, experiment in enumerate(experiments):
            rules.setdefault((experiment.labels, experiment.threshold), []).append(place)
        self.rules = [(rule, threshold, _index(places, like.device)) for (rule, threshold), places in rules.items()]

    def __call__(self, embedding: Tensor, batches: Tensor) -> _Values:
        if self.form.method == "infonce":
            return stacked_losses(embedding, None, form=self.form, temperature=self.temperature)
        frames = batches if self.form.scope == "sequence" else batches.flatten(1, 2)
        labels = torch.empty((*frames.shape[:-2], frames.shape[-2] - 1), dtype=torch.bool, device=frames.device)
        for rule, threshold, places in self.rules:
            labels[places] = pseudo_labels(frames[places], threshold=threshold, rule=rule)
        return stacked_losses(embedding, labels, form=self.form, temperature=self.temperature, margin=self.margin)


def _index(numbers: list[int], device: torch.device) -> slice | Tensor:
    """Return a slice where the numbers follow one another: a view costs nothing, and a gather is a copy."""
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return slice(numbers[0], numbers[-1] + 1)
    return torch.tensor(numbers, device=device)


_Part = _Single | _Stack


def _parts(methods: list[Method], sequences: Sequences, frames: Tensor) -> list[_Part]:
    """On CUDA one part for all experiments of a form, or as many as `PAIRS` needs; else one for each experiment.

    The reading "all-pairs" has a label for every pair, and a large batch too many pairs: both are left to
    `emargin.losses`.
    """
    experiments = [method.experiment for method in methods]
    parts: list[_Part] = []
    forms: dict[tuple, list[int]] = {}
    size, length = experiments[0].batch_size, sequences.length
    for number, experiment in enumerate(experiments):
        pairs = size * length**2 if experiment.scope == "sequence" else (size * length) ** 2
        if not _stacks(frames.device) or experiment.reading == "all-pairs" or pairs > PAIRS:
            parts.append(_Single(number, methods[number]))
        else:
            forms.setdefault((PAIRS // pairs, *(getattr(experiment, name) for name in FORM)), []).append(number)
    for (most, *_), numbers in forms.items():
        for start in range(0, len(numbers), most):
            chosen = numbers[start : start + most]
            parts.append(_Stack(chosen, [experiments[number] for number in chosen], frames))
    return parts


def _can_record(device: torch.device) -> bool:
    return device.type == "cuda"


def _stacks(device: torch.device) -> bool:
    """Return whether starting an operation costs more than the operation."""
    return device.type == "cuda"


def _losses(parts: list[_Part], embedding: Tensor, batches: Tensor) -> tuple[list[tuple[_Part, _Values]], Tensor]:
    """Return each part's values, and the gradient of the sum of all losses on the embedding.

    Each part ends with its gradient, so that the pairs of one part are in memory and not those of all.
    """
    losses, gradient = [], torch.empty_like(embedding)
    for part in parts:
        frames = embedding[part.picked].requires_grad_()
        values = part(frames, batches[part.picked])
        gradient[part.picked] = torch.autograd.grad(values["loss"].sum(), frames)[0]
        losses.append((part, {name: value.detach() for name, value in values.items()}))
    return losses, gradient


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """Matrix products of float32 in tf32 or not, whatever the caller's setting, which is put back after."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
