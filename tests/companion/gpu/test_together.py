"""Training together: what training alone gives, without waiting for the device; cells prepared for the grid."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from companion.gpu import together
from companion.gpu.stacked_losses import stacked_losses
from companion.gpu.together import groups, prepare_cells, train_together
from companion.grid.runner import run_cell
from emargin import encoders, training
from emargin.data.dataset import Dataset
from emargin.errors import InputError, NonFiniteGradient
from emargin.experiment import run
from emargin.losses import emargin_loss, emargin_released, info_nce
from emargin.training import build, train
from tests.conftest import make_dataset, without_further_probes

MIXED = [
    {"seed": 1, "temperature": 0.5, "labels": "paper"},
    {"seed": 3, "fidelity": "original", "margin": 2.0, "weight_decay": 0.3},
    {"seed": 2, "temperature": 0.2, "labels": "paper", "margin": 0.5, "threshold": -0.2},
    {"seed": 1, "method": "infonce", "learning_rate": 3e-3},
    {"seed": 4, "method": "infonce", "fidelity": "original", "temperature": 0.1},
    {"seed": 5, "fidelity": "original", "reading": "pair", "labels": "released"},
    {"seed": 6, "fidelity": "original", "reading": "all-pairs"},
    {"seed": 7, "sides": 1, "labels": "paper"},
]
BEFORE_NORM = [f"encoder.blocks.{number}.bias" for number in (0, 3, 6)]  # no gradient but rounding: they go anywhere


@pytest.fixture
def mixed(small):
    return [small(**{"iterations": 20} | fields) for fields in MIXED]


@pytest.fixture
def stacks(monkeypatch):
    """As on a GPU: the losses of one form side by side."""
    monkeypatch.setattr(together, "_stacks", lambda device: True)


@pytest.fixture
def in_double(monkeypatch, small_dataset) -> Dataset:
    """Weights and frames in float64, where rounding is far from everything else."""
    for module in (training, together):
        monkeypatch.setattr(module, "build", lambda *arguments: build(*arguments).double())
    return replace(small_dataset, train=replace(small_dataset.train, frames=small_dataset.train.frames.double()))


def assert_agree(found, wanted, rtol):
    """Curves, weights and statistics, without the biases before BatchNorm and the means that follow them."""
    (method, curve), (alone, points) = found, wanted
    assert [list(point) for point in curve] == [list(point) for point in points]
    for point, other in zip(curve, points, strict=True):
        for name in set(point) - {"mean_cosine", "participation_ratio"}:  # of the encoder in evaluation
            assert point[name] == pytest.approx(other[name], rel=rtol), name
    theirs = alone.state_dict()
    for name, value in method.state_dict().items():
        if name not in BEFORE_NORM and not name.endswith("running_mean"):
            torch.testing.assert_close(value, theirs[name], rtol=rtol, atol=rtol)


def float32_tolerance(experiment):
    """Where the argument of the released loss's logarithm nears 0, each step multiplies rounding."""
    return 0.02 if (experiment.method, experiment.fidelity) == ("emargin", "released") else 1e-4


@pytest.mark.parametrize("side_by_side", [False, True])
def test_together_is_alone_but_for_rounding(mixed, in_double, monkeypatch, side_by_side):
    monkeypatch.setattr(together, "_stacks", lambda device: side_by_side)
    found = train_together(mixed, in_double, progress=False)
    for experiment, outcome in zip(mixed, found, strict=True):
        assert outcome[0].experiment == experiment and not outcome[0].training
        assert_agree(outcome, train(experiment, in_double, progress=False), rtol=1e-9)


def test_in_float32_too(mixed, small_dataset, stacks):
    found = train_together(mixed, small_dataset, progress=False)
    batch = small_dataset.test.batch(slice(None))
    for experiment, outcome in zip(mixed, found, strict=True):
        wanted = train(experiment, small_dataset, progress=False)
        assert_agree(outcome, wanted, rtol=float32_tolerance(experiment))
        embedding, other = outcome[0].encode(batch), wanted[0].encode(batch)
        assert (embedding - other).norm() < 0.02 * other.norm()
        assert outcome[1][-1]["mean_cosine"] == pytest.approx(wanted[1][-1]["mean_cosine"], abs=0.02)
        assert outcome[1][-1]["participation_ratio"] == pytest.approx(wanted[1][-1]["participation_ratio"], rel=0.05)


def stack_rounds_as_alone(rows, layer):
    """Whether the products of a linear layer have the same bits in a stack of two: the result and the gradients."""

    def leaf(value):
        return value.detach().clone().requires_grad_()

    alone = [leaf(value) for value in (rows, layer.weight, layer.bias)]
    stacked = [leaf(torch.stack([value, value])) for value in alone]
    one = torch.nn.functional.linear(*alone)
    two = torch.baddbmm(stacked[2][:, None], stacked[0], stacked[1].mT)
    upstream = torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
    found = [two, *torch.autograd.grad(two, stacked, upstream.expand(2, -1, -1))]
    wanted = [one, *torch.autograd.grad(one, alone, upstream)]
    return all(torch.equal(value[1], other) for value, other in zip(found, wanted, strict=True))


def test_on_one_thread_of_a_cpu_together_gives_the_bits_of_alone(mixed, small_dataset):
    frames, generator = small_dataset.train.batch(slice(0, 3)).flatten(0, 1), torch.Generator().manual_seed(0)
    if not all(
        stack_rounds_as_alone(rows, layer)
        for rows, layer in (
            (frames, torch.nn.Linear(6, 128)),
            (torch.randn(30, 64, generator=generator), torch.nn.Linear(64, 320)),
        )
    ):
        pytest.skip("this matrix library rounds a product in a stack as it does not round it alone")
    found = train_together(mixed, small_dataset, progress=False)
    for experiment, (method, curve) in zip(mixed, found, strict=True):
        alone, points = train(experiment, small_dataset, progress=False)
        assert curve == points
        for name, value in alone.state_dict().items():
            assert torch.equal(value, method.state_dict()[name]), name


def test_the_same_bits_twice_and_in_other_company(mixed, small_dataset, stacks):
    mixed = [replace(experiment, iterations=12) for experiment in mixed]
    one, two = (train_together(mixed, small_dataset, progress=False) for _ in range(2))
    for (method, curve), (again, points) in zip(one, two, strict=True):
        assert curve == points
        assert all(map(torch.equal, method.state_dict().values(), again.state_dict().values()))
    turned = train_together(mixed[::-1], small_dataset, progress=False)[::-1]
    for experiment, outcome, other in zip(mixed, turned, one, strict=True):
        assert_agree(outcome, other, rtol=float32_tolerance(experiment))


def test_every_encoder_has_its_own_memory(small, small_dataset):
    """Else a file of one encoder would hold the weights of all."""
    (method, _), _ = train_together([small(iterations=1), small(iterations=1, seed=2)], small_dataset, progress=False)
    for value in method.state_dict().values():
        assert value.untyped_storage().nbytes() == value.nbytes


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "infonce", "fidelity": fidelity, "sides": sides, "scope": scope}
        for fidelity in ("original", "released")
        for sides in (1, 2)
        for scope in ("sequence", "flattened")
    ]
    + [
        {"fidelity": "original", "reading": "anchor"},
        {"fidelity": "original", "reading": "pair"},
        {"fidelity": "original", "reading": "anchor", "scope": "flattened"},
        {"sides": 2},
        {"sides": 1},
    ],
    ids=lambda fields: " ".join(map(str, fields.values())),
)
def test_stacked_losses_are_the_losses(small, fields):
    """Values and gradients; margins below and above the largest cosine, labels mixed and alike."""
    form, generator = small(**fields), torch.Generator().manual_seed(0)
    embedding = torch.rand(4, 3, 7, 5, generator=generator, dtype=torch.float64).requires_grad_()
    temperature, margin = [0.1, 0.2, 0.5, 0.05], [5.0, 0.7, 0.9, 1.5]
    labels = torch.rand(4, 3, 7, generator=generator) < torch.tensor([0.5, 0.5, 0.0, 1.0])[:, None, None]
    labels = labels[..., :-1] if form.scope == "sequence" else labels.flatten(1)[:, :-1]
    single = []
    for z, y, tau, m in zip(embedding, labels, temperature, margin, strict=True):
        if form.method == "infonce":
            single.append({"loss": info_nce(z, temperature=tau, sides=form.sides, scope=form.scope)})
        elif form.fidelity == "released":
            value, share = emargin_released(z, y, temperature=tau, margin=m, sides=form.sides)
            single.append({"loss": value, "label_share": y.float().mean(), "nonpositive_share": share})
        else:
            single.append(
                {
                    "loss": emargin_loss(z, y, temperature=tau, margin=m, reading=form.reading, scope=form.scope),
                    "label_share": y.float().mean(),
                }
            )
    columns = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (temperature, margin))
    found = stacked_losses(embedding, labels, form=form, **dict(zip(("temperature", "margin"), columns, strict=True)))
    assert list(found) == list(single[0])
    for name in found:
        wanted = torch.stack([values[name] for values in single])
        torch.testing.assert_close(found[name], wanted, rtol=1e-10, atol=1e-12, check_dtype=False)
    if "nonpositive_share" in found:
        assert 0 < found["nonpositive_share"].max()
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    gradients = [
        torch.autograd.grad(weights @ loss, embedding)[0]
        for loss in (found["loss"], torch.stack([values["loss"] for values in single]))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_stacked_losses_refuse_a_margin_map_that_was_rewritten(small, monkeypatch):
    monkeypatch.setattr("companion.gpu.stacked_losses.parabolas_of", lambda function, margin: None)
    column = torch.ones(1, 1, 1)
    for fidelity in ("original", "released"):
        with pytest.raises(InputError, match="train them one after another"):
            stacked_losses(
                torch.rand(1, 2, 5, 4),
                torch.ones(1, 2 * 4 if fidelity == "original" else 9).bool(),
                form=small(fidelity=fidelity),
                temperature=column,
                margin=column,
            )


def test_stacked_losses_survive_a_large_margin(small):
    """m^2 / 2 tau is 5e5 there; beside it float32 would have one digit left of the loss."""
    embedding = torch.rand(1, 1, 40, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(1, 1, 39, dtype=torch.bool)
    value = stacked_losses(
        embedding,
        labels,
        form=small(fidelity="original"),
        temperature=torch.full((1, 1, 1), 0.01),
        margin=torch.full((1, 1, 1), 100.0),
    )["loss"]
    wanted = emargin_loss(embedding[0].double(), labels[0], temperature=0.01, margin=100.0)
    torch.testing.assert_close(value[0], wanted, rtol=1e-3, atol=0, check_dtype=False)


def test_a_large_stack_is_taken_in_parts_and_a_large_batch_alone(small, small_dataset, monkeypatch, stacks):
    cells = [small(seed=seed, iterations=3) for seed in range(5)] + [small(method="infonce")]
    sequences, methods = small_dataset.train, [build(cell, small_dataset.n_features) for cell in cells]

    def parts(pairs):
        monkeypatch.setattr(together, "PAIRS", pairs)
        return [(type(part).__name__, part.numbers) for part in together._parts(methods, sequences, sequences.frames)]

    assert 24 * (8 * 119) ** 2 <= together.PAIRS  # 24 experiments on HARTH are one part
    n = 30
    assert parts(6 * n**2) == [("_Stack", [0, 1, 2, 3, 4]), ("_Stack", [5])]
    assert parts(2 * n**2) == [("_Stack", [0, 1]), ("_Stack", [2, 3]), ("_Stack", [4]), ("_Stack", [5])]
    assert parts(n**2 - 1) == [("_Single", [number]) for number in range(6)]


class Waits(TorchDispatchMode):
    """Counts what makes the host wait for a GPU: a value read, and an index whose length the device decides."""

    count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function.overloadpacket in (
            torch.ops.aten._local_scalar_dense,
            torch.ops.aten.nonzero,
            torch.ops.aten.masked_select,
            torch.ops.aten.is_nonzero,
        )
        return function(*arguments, **keywords or {})


def test_a_step_does_not_wait_for_the_device(small, small_dataset, stacks):
    def waits(iterations):
        cells = [small(**{"iterations": iterations} | fields) for fields in MIXED if fields["seed"] != 6]  # all-pairs
        with Waits() as mode:
            train_together(cells, small_dataset, progress=False)
        return mode.count

    assert waits(1) == waits(10) < waits(11)  # one point of the curve, one, two


class Record(TorchDispatchMode):
    """What a CUDA graph is, on a CPU: operations with the memory they read and wrote, run again without their Python.

    Numbers of the host are frozen into it, and what the host would have to read cannot be recorded.
    """

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        assert function.overloadpacket not in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero), function
        result = function(*arguments, **keywords or {})
        # the same memory without a history: autograd has done its part when an operation arrives here
        self.operations.append(
            (function, *tree_map_only(torch.Tensor, torch.Tensor.detach, (arguments, keywords or {}, result)))
        )
        return result

    def replay(self):
        def memory(tensor):
            return tensor.untyped_storage().data_ptr()

        for function, arguments, keywords, result in self.operations:
            again = function(*arguments, **keywords)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and memory(old) != memory(new):  # not changed in place, nor a view
                    old.copy_(new)


@pytest.fixture
def records(monkeypatch):
    """Number and operations of steps that were recorded. On CUDA a recording does not run: here its first replay does
    nothing.
    """
    made = []

    def record(step):
        with Record() as one:
            step()
        made.append((int(step.number), one.operations))
        ahead = [lambda: None]
        return lambda: (ahead.pop() if ahead else one.replay)()

    monkeypatch.setattr(together, "_can_record", lambda device: True)
    monkeypatch.setattr(together, "_record", record)
    monkeypatch.setattr("emargin.losses.triangle_sums._uniform", lambda labels: None)
    return made


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_recorded_step_gives_the_bits_of_the_step(
    mixed, small_dataset, monkeypatch, records, precision, side_by_side
):
    monkeypatch.setattr(together, "_stacks", lambda device: side_by_side)
    wanted, found = (
        train_together(mixed, small_dataset, precision=precision, captured=captured, progress=False)
        for captured in (False, True)
    )
    ((number, operations),) = records
    assert number == together.WARM_UP + 1 and len(operations) > 100
    for (method, curve), (other, points) in zip(found, wanted, strict=True):
        assert curve == points
        assert all(map(torch.equal, method.state_dict().values(), other.state_dict().values()))


def test_a_recorded_step_notes_which_step_was_not_finite(small, small_dataset, records, monkeypatch):
    monkeypatch.setattr(together, "WARM_UP", 0)  # all is over after a few steps
    cells = [small(), small(seed=2, learning_rate=1e9), small(seed=3)]
    messages = []
    for captured in (False, True):
        with pytest.raises(NonFiniteGradient) as found:
            train_together(cells, small_dataset, captured=captured, progress=False)
        messages.append(str(found.value))
    assert messages[0] == messages[1] and records


def test_a_step_is_not_recorded_on_a_cpu(small, small_dataset):
    with pytest.raises(InputError, match="captured training. found: cpu. wanted: cuda"):
        train_together([small()], small_dataset, captured=True, progress=False)


def test_a_gradient_that_is_not_finite_is_named_with_its_step(small, small_dataset):
    cells = [small(), small(seed=2, learning_rate=1e9), small(seed=3)]
    with pytest.raises(NonFiniteGradient) as alone:
        train(cells[1], small_dataset, progress=False)
    step = str(alone.value).split("step ")[1].split(" ")[0]
    with pytest.raises(NonFiniteGradient, match=f"step {step} of .*seed 2.*found at step 10.*all 3.*What to do"):
        train_together(cells, small_dataset, progress=False)


def test_the_first_of_several_is_named(small, small_dataset):
    cells = [small(seed=2, learning_rate=1e9), small(seed=3), small()]
    cells[1]._set("temperature", 1e-42)  # which no setting may be
    with pytest.raises(NonFiniteGradient, match="step 1 of .*seed 3"):
        train_together(cells, small_dataset, progress=False)


@pytest.mark.parametrize(
    ("cells", "keywords", "message"),
    [
        ([], {}, "experiments to train together.*none"),
        ([{"method": "ts2vec"}], {}, "found: ts2vec.*infonce or emargin"),
        ([{"method": "random"}], {}, "found: random"),
        ([{}, {"iterations": 13}], {}, "one iterations.*12 and 13"),
        ([{}, {"seed": 2, "batch_size": 4}], {}, "batch_size"),
        ([{}, {"dataset": "harth-sim"}], {}, "one dataset.*ecg-sim.*harth-sim"),
        ([{}], {"precision": "fp16"}, "unknown precision.*fp16.*float32, tf32, bf16"),
        ([{"batch_size": 13}], {}, "fewer sequences than a batch.*12.*batch_size = 13"),
    ],
)
def test_what_cannot_be_trained_together_is_told(small, small_dataset, cells, keywords, message):
    with pytest.raises(InputError, match=message):
        train_together([small(**fields) for fields in cells], small_dataset, progress=False, **keywords)


def test_without_steps_weights_are_the_initial_ones(small, small_dataset):
    ((method, curve),) = train_together([small(iterations=0, seed=3)], small_dataset, progress=False)
    assert curve == []
    fresh = build(small(iterations=0, seed=3), small_dataset.n_features)
    assert all(map(torch.equal, method.state_dict().values(), fresh.state_dict().values()))


@pytest.mark.parametrize(("precision", "setting"), [("float32", "highest"), ("tf32", "high"), ("bf16", "highest")])
def test_the_precision_of_products_is_set_and_put_back(small, small_dataset, monkeypatch, precision, setting):
    seen = []

    def watched(parts, embedding, batches):
        seen.append((torch.get_float32_matmul_precision(), embedding.dtype, torch.is_autocast_enabled("cpu")))
        raise ArithmeticError

    monkeypatch.setattr(together, "_losses", watched)
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(ArithmeticError):
            train_together([small()], small_dataset, precision=precision, progress=False)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == [(setting, torch.float32, False)]


def test_bf16_is_near_float32_and_not_the_same(small, small_dataset):
    cells = [small(), small(method="infonce", seed=2)]
    rough, exact = (
        train_together(cells, small_dataset, precision=precision, progress=False) for precision in ("bf16", "float32")
    )
    for (method, curve), (_, points) in zip(rough, exact, strict=True):
        assert method.encoder.blocks[0].weight.dtype == torch.float32
        assert curve[0]["loss"] == pytest.approx(points[0]["loss"], rel=0.02)
        assert curve[0]["loss"] != points[0]["loss"]


def test_training_is_deterministic_and_leaves_the_callers_random_state(small, small_dataset, monkeypatch):
    seen, forward = [], together._Encoders.__call__

    def watched(self, frames, *, training):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return forward(self, frames, training=training)

    monkeypatch.setattr(together._Encoders, "__call__", watched)
    before = torch.get_rng_state()
    train_together([small()], small_dataset, progress=False)
    assert all(seen) and not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before, torch.get_rng_state())


def test_the_stack_knows_every_layer_of_the_encoder():
    """A layer with state of another kind would be run with the first encoder's."""
    layers = encoders.FrameEncoder(6).blocks
    assert {type(layer) for layer in layers} == {torch.nn.Linear, torch.nn.BatchNorm1d, torch.nn.ReLU}


@pytest.fixture
def cells(small):
    return [small(seed=1), small(seed=2, temperature=0.2), small(seed=3, method="infonce", fidelity="original")]


def test_a_prepared_cell_is_evaluated_and_not_trained_again(cells, small_dataset, tmp_path, monkeypatch):
    without_further_probes(monkeypatch)
    folders = [tmp_path / str(number) for number in range(3)]
    folders[1].mkdir()
    (folders[1] / "resume.pt").write_bytes(b"of a run that was killed")
    alone = [
        run(cell, dataset=small_dataset, device="cpu", folder=tmp_path / f"alone{number}", progress=False)
        for number, cell in enumerate(cells)
    ]
    assert prepare_cells(cells, small_dataset, folders, progress=False) == cells
    for number, folder in enumerate(folders):
        assert {path.name for path in folder.iterdir()} == {"encoder.pt", "curve.csv"}
        curve, other = (pd.read_csv(place / "curve.csv") for place in (folder, tmp_path / f"alone{number}"))
        pd.testing.assert_frame_equal(curve, other, rtol=0.02)
        kept, other = (
            torch.load(place / "encoder.pt", weights_only=True) for place in (folder, tmp_path / f"alone{number}")
        )
        assert kept.keys() == other.keys() and kept["origin"] == other["origin"]
        assert list(kept["method"]) == list(other["method"])
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: pytest.fail("trained again"))
    for cell, folder, wanted in zip(cells, folders, alone, strict=True):
        assert run_cell(cell, folder, dataset=lambda cell: small_dataset, device="cpu", progress=False) == "done"
        rows = pd.read_csv(folder / "rows.csv").set_index("metric").value
        pd.testing.assert_series_equal(rows, wanted.rows.set_index("metric").value, rtol=0.02, check_names=False)
        assert json.loads((folder / "provenance.json").read_text())["data"] == "checksum"


def test_what_is_trained_already_stays(cells, small_dataset, tmp_path, monkeypatch):
    folders = [tmp_path / str(number) for number in range(3)]
    prepare_cells(cells, small_dataset, folders, progress=False)
    (folders[0] / "curve.csv").unlink()
    (folders[2] / "encoder.pt").write_bytes(b"damaged")
    trained, train_all = [], together._train
    monkeypatch.setattr(
        together,
        "_train",
        lambda ahead, *arguments, **keywords: (trained.append(ahead), train_all(ahead, *arguments, **keywords))[1],
    )
    assert prepare_cells(cells, small_dataset, folders, progress=False) == cells
    assert prepare_cells(cells, small_dataset, folders, progress=False) == cells
    assert trained == [[cells[0], cells[2]]]
    prepare_cells(cells, replace(small_dataset, checksum="other"), folders, progress=False)
    assert trained[1:] == [cells]


def test_a_cell_that_fails_is_left_out_and_the_others_are_as_without_it(small, small_dataset, tmp_path):
    cells = [small(iterations=25), small(seed=2, learning_rate=1e9, iterations=25), small(seed=3, iterations=25)]
    folders = [tmp_path / str(number) for number in range(3)]
    assert prepare_cells(cells, small_dataset, folders, progress=False) == [cells[0], cells[2]]
    assert not folders[1].exists()
    others = train_together([cells[0], cells[2]], small_dataset, progress=False)
    for folder, (method, _) in zip((folders[0], folders[2]), others, strict=True):
        assert len(pd.read_csv(folder / "curve.csv")) == 3
        kept = torch.load(folder / "encoder.pt", weights_only=True)["method"]
        torch.testing.assert_close(kept["encoder.blocks.0.weight"], method.encoder.blocks[0].weight.detach())


def test_groups_are_of_cells_that_share_data_and_steps(small):
    cells = [
        small(),
        small(method="random"),
        small(seed=2, temperature=0.1),
        small(iterations=5),
        small(method="infonce", fidelity="original"),
        small(method="random", seed=2),
        small(encoder="context"),
        small(encoder="context", seed=2),
    ]
    alone = [[cells[number]] for number in (1, 3, 5, 6, 7)]
    assert groups(cells) == [[cells[0], cells[2], cells[4]], *alone]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("precision", together.PRECISIONS)
def test_cuda_agrees_with_the_cpu(mixed, precision, captured):
    cells, dataset = [replace(cell, iterations=5) for cell in mixed], make_dataset()
    found = train_together(cells, dataset, device="cuda", precision=precision, captured=captured, progress=False)
    batch, tolerance = dataset.test.batch(slice(None)), {"float32": 1e-3, "tf32": 1e-2, "bf16": 5e-2}[precision]
    for cell, (method, _) in zip(cells, found, strict=True):
        alone, _ = train(cell, dataset, progress=False)
        embedding, wanted = method.encode(batch.cuda()).cpu(), alone.encode(batch)
        assert (embedding - wanted).norm() < tolerance * wanted.norm()
