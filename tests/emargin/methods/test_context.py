"""Every method on the encoders that see neighbours."""

import math

import numpy as np
import pytest
import torch

from companion.fetch.folder import save_folder
from emargin import training
from emargin.config import CHOICES, Experiment
from emargin.encoders import ENCODERS, ContextEncoder, DilatedEncoder, FrameEncoder, SmallContextEncoder
from emargin.errors import InputError
from emargin.experiment import run
from emargin.methods import METHODS, declaration
from emargin.resolve import resolve
from emargin.training import build, train
from tests.conftest import make_dataset

LENGTH = 21
USABLE = [
    (name, fidelity)
    for name in METHODS
    for fidelity in declaration(name).fidelities
    if declaration(name).encoders and (fidelity, declaration(name).untrained) != ("original", True)
]
TRAINED = [(name, fidelity) for name, fidelity in USABLE if not declaration(name).untrained]
KINDS = ["infonce", "ts2vec", "mfclr", "cost", "infots", "timedrl", "simmtm", "emargin-labels"]  # a method a kind
FRAMES = torch.randn(2, LENGTH, 6, generator=torch.Generator().manual_seed(0))

both = pytest.mark.parametrize("encoder", ENCODERS)
every_pair = pytest.mark.parametrize(("name", "fidelity"), USABLE)
every_trained_pair = pytest.mark.parametrize(("name", "fidelity"), TRAINED)


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(n_train=10, n_test=5, length=LENGTH)


@pytest.fixture
def asked(small):
    def make(**fields) -> Experiment:
        return small(**{"sequence_length": LENGTH, "batch_size": 5, "iterations": 4} | fields)

    return make


def assert_same(one, two):
    one, two = one.state_dict(), two.state_dict()
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert not torch.is_tensor(value) or torch.equal(value, two[key]), key


def of_frames(name):
    """An encoder of frames of 6 features, in double precision and evaluation mode, from seed 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ENCODERS[name](6).double().eval()


def test_an_experiment_can_name_each_encoder_of_the_table():
    assert CHOICES["encoder"] == tuple(ENCODERS)


# --- the methods


@both
@every_trained_pair
def test_the_loss_is_finite_and_reaches_each_weight_of_the_encoder(asked, dataset, name, fidelity, encoder):
    method = build(asked(method=name, fidelity=fidelity, encoder=encoder), dataset.n_features).train()
    draws = torch.Generator().manual_seed(0)
    method.prepare(dataset.train, draws)
    loss, _ = method.loss(dataset.train.batch(slice(5)), draws)
    loss.backward()
    kind = ENCODERS[encoder]
    inside = [part for part in method.encoder.modules() if type(part) is kind]
    weights = [weight for part in inside for name, weight in part.named_parameters() if name.endswith("weight")]
    assert len(inside) == (2 if (name, fidelity) == ("mfclr", "original") else 1)
    assert torch.isfinite(loss)
    reached = [weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in weights]
    assert not any(reached) if (name, fidelity) == ("cost", "released") else all(reached)


@both
@every_pair
def test_frames_become_320_finite_numbers_that_depend_on_other_frames(asked, dataset, name, fidelity, encoder):
    method, _ = train(asked(method=name, fidelity=fidelity, encoder=encoder), dataset, progress=False)
    frames = dataset.test.batch(slice(None))
    changed = frames.clone()
    changed[:, 11] += 1
    with torch.no_grad():
        one, two, other = method.encode(frames), method.encode(frames), method.encode(changed)
    assert one.shape == (5, LENGTH, 320)
    assert torch.isfinite(one).all()
    assert torch.equal(one, two)
    assert (one[:, 10] != other[:, 10]).any()


@both
@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_gives_the_same_bits_and_another_encoder_others(asked, dataset, name, encoder):
    asked_twice = asked(method=name, fidelity="original", encoder=encoder)
    (one, curve), (two, again) = (train(asked_twice, dataset, progress=False) for _ in range(2))
    assert curve == again
    assert_same(one, two)
    other, _ = train(asked(method=name, fidelity="original"), dataset, progress=False)
    assert one.state_dict().keys() != other.state_dict().keys()


@both
@pytest.mark.parametrize("name", KINDS)
def test_an_interrupted_run_goes_on_bit_for_bit(asked, dataset, tmp_path, monkeypatch, name, encoder):
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    experiment = asked(method=name, fidelity="original", encoder=encoder)
    whole, curve = train(experiment, dataset, progress=False)
    check, steps = training._Gradients.spoilt, iter(range(4))

    def stop(*arguments):
        if next(steps) == 2:
            raise KeyboardInterrupt
        return check(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training._Gradients, "spoilt", stop)
        train(experiment, dataset, progress=False, checkpoint=tmp_path / "run.pt")
    resumed, again = train(experiment, dataset, progress=False, checkpoint=tmp_path / "run.pt")
    assert curve == again
    assert_same(whole, resumed)


@both
def test_an_untrained_encoder_is_the_one_that_training_starts_from(asked, dataset, encoder):
    control, started = (build(asked(method=name, encoder=encoder), dataset.n_features) for name in ("random", "cpc"))
    assert_same(control.encoder, started.encoder)


@pytest.mark.parametrize("name", ["ts2vec", "softclt", "mfclr"])
def test_without_batchnorm_the_mean_of_the_iterates_needs_no_statistics(asked, dataset, name):
    method, _ = train(asked(method=name, fidelity="original", encoder="context-small"), dataset, progress=False)
    means, last = method.average.module.state_dict(), method.encoder.state_dict()
    assert method.average.n_averaged == 5
    assert any(not torch.equal(means[key], last[key]) for key in means)
    assert not any("running" in key for key in means if "projection" not in key)


def test_labelled_frames_are_learnt_amid_their_sequences(asked, dataset):
    method = build(asked(method="supervised", fidelity="original", encoder="context-small"), dataset.n_features)
    draws, shapes = torch.Generator().manual_seed(0), []
    method.prepare(dataset.train, draws)
    forward = method.encoder.forward
    method.encoder.forward = lambda frames: shapes.append(frames) or forward(frames)
    first, _ = method.loss(dataset.train.batch(slice(5)), draws)
    second, _ = method.loss(dataset.train.batch(slice(5)), draws)
    assert [frames.shape for frames in shapes] == [(5, LENGTH, 6)] * 2
    held = dataset.train.batch(slice(None))
    assert all((frames == held).flatten(1).all(1).any() for frames in shapes[0])  # whole sequences of the training side
    assert first != second


def test_of_a_share_of_labels_those_alone_are_learnt(asked, dataset):
    method = build(
        asked(method="supervised", fidelity="original", encoder="context-small", label_share=0.05), dataset.n_features
    ).eval()
    draws = torch.Generator().manual_seed(0)
    method.prepare(dataset.train, draws)
    before = method.loss(dataset.train.batch(slice(5)), torch.Generator().manual_seed(1))[0]
    known = torch.zeros(len(dataset.train.labels), dtype=torch.bool)
    known[torch.cat(method.rows)] = True
    labels = dataset.train.labels.where(known, (dataset.train.labels + 1) % 4)
    method.sequences = type(dataset.train)(dataset.train.frames, labels, dataset.train.starts, LENGTH)
    assert known.sum() < len(known) / 10
    assert torch.equal(before, method.loss(dataset.train.batch(slice(5)), torch.Generator().manual_seed(1))[0])
    method.sequences = type(dataset.train)(
        dataset.train.frames, (dataset.train.labels + 1) % 4, dataset.train.starts, LENGTH
    )
    assert not torch.equal(before, method.loss(dataset.train.batch(slice(5)), torch.Generator().manual_seed(1))[0])


# --- the encoders


@pytest.mark.parametrize("length", [1, 2, 7, 130])
@pytest.mark.parametrize("masked", [False, True])
def test_context_is_the_dilated_network_with_the_same_weights(length, masked):
    context, dilated = of_frames("context"), DilatedEncoder(6).double().eval()
    weights = {}
    for name, value in context.state_dict().items():
        kernel = {"first": 3, "second": 3, "past": 1}.get(name.split(".")[-2])
        wide = kernel and name.endswith("weight")
        weights[name] = value.unflatten(1, (kernel, -1)).mT.contiguous() if wide else value
    dilated.load_state_dict(weights)
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(3, length, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(3, length, generator=generator) < 0.5 if masked else None
    one, two = context(frames, mask), dilated(frames, mask)
    torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-13)
    (first,), (second,) = (torch.autograd.grad(out.square().sum(), frames) for out in (one, two))
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def test_it_starts_as_torch_starts_convolutions():
    context, dilated = ContextEncoder(6), DilatedEncoder(6)
    pairs = [(context.blocks[i], dilated.blocks[i]) for i in (0, 10)]
    for ours, theirs in pairs:
        for one, two in ((ours.first, theirs.first), (ours.second, theirs.second)):
            for first, second in ((one.weight, two.weight), (one.bias, two.bias)):
                assert first.numel() == second.numel()
                assert first.abs().max().item() == pytest.approx(second.abs().max().item(), rel=0.2)
                assert first.std().item() == pytest.approx(second.std().item(), rel=0.2)


def test_context_sees_neighbours_and_the_frame_encoder_does_not():
    changed = FRAMES.clone()
    changed[:, 3] += 1
    frame = FrameEncoder(6).eval()
    moved = (frame(changed) != frame(FRAMES)).any(-1).any(0)
    assert moved.nonzero().flatten().tolist() == [3]
    for name in ENCODERS:
        encoder = of_frames(name)
        moved = (encoder(changed.double()) != encoder(FRAMES.double())).any(-1).all(0)
        assert moved.all()


@pytest.mark.parametrize(("kind", "reach"), [(ContextEncoder, 4094), (SmallContextEncoder, 2046)])
def test_an_embedding_reaches_so_far_and_no_farther(kind, reach):
    torch.manual_seed(0)
    encoder = kind(1).double().eval()
    frames = torch.zeros(1, 2 * reach + 4, 1, dtype=torch.float64)
    with torch.no_grad():
        before = encoder(frames)
        frames[0, reach + 1] = 1e6
        moved = (encoder(frames) != before).any(-1)[0].nonzero().flatten()
    assert (moved.min(), moved.max()) == (1, 2 * reach + 1)


@pytest.mark.parametrize("features", [9, 72, 78, 252])
def test_context_small_has_about_as_many_parameters_as_the_frame_encoder(features):
    frame, small, context = (
        sum(weight.numel() for weight in kind(features).parameters())
        for kind in (FrameEncoder, SmallContextEncoder, ContextEncoder)
    )
    assert small == 21 * features + 33_941
    assert context == 64 * features + 637_184
    assert 0.6 < small / frame < 1.15 and context > 10 * frame


@both
def test_frames_that_are_masked_or_not_known_are_as_zeros_behind_the_input_layer(encoder):
    encoder = of_frames(encoder)
    frames, mask = FRAMES.double(), torch.ones(2, LENGTH, dtype=torch.bool)
    mask[:, 4], unknown, other = False, frames.clone(), frames.clone()
    unknown[:, 4, 2], other[:, 4] = math.nan, 7.0
    expected = encoder(frames, mask)
    assert torch.isfinite(expected).all()
    assert torch.equal(encoder(unknown), expected)
    assert torch.equal(encoder(other, mask), expected)
    assert not torch.equal(encoder(frames), expected)


@both
def test_a_series_that_is_padded_with_unknown_frames_keeps_zeros_in_their_place(encoder):
    encoder = of_frames(encoder)
    short = FRAMES[:, :8].double()
    padded = torch.cat([short, torch.full((2, 5, 6), math.nan, dtype=torch.float64)], dim=1)
    assert torch.isfinite(encoder(padded)).all()
    mask = torch.arange(13) < 8
    filled = torch.cat([short, torch.ones(2, 5, 6, dtype=torch.float64)], dim=1)
    assert torch.equal(encoder(padded), encoder(filled, mask.expand(2, -1)))


@both
def test_one_frame_has_an_embedding(encoder):
    assert of_frames(encoder)(FRAMES[:, :1].double()).shape == (2, 1, 320)


# --- runs


def test_series_of_a_set_are_embedded_whole(ucr):
    result = run(
        Experiment(dataset=ucr, method="infonce", encoder="context-small", iterations=2),
        device="cpu",
        progress=False,
        metrics=["clustering"],
    )
    assert np.isfinite(result["series_silhouette"])
    assert set(result.rows.encoder) == {"context-small"}


def test_a_folder_of_own_recordings_is_run_and_the_encoder_there_refuses_another(tmp_path):
    draws, labels = np.random.default_rng(0), np.repeat([0, 1], 300)
    people = {name: (draws.standard_normal((600, 2)), labels) for name in "abcd"}
    save_folder(tmp_path / "data", people, classes=["rest", "walk"], sampling_rate=10)
    asked = {"dataset": str(tmp_path / "data"), "method": "ts2vec", "fidelity": "original", "iterations": 2}
    asked |= {"n_fft": 20, "hop": 10, "sequence_length": 8, "batch_size": 2}
    how = {"device": "cpu", "progress": False, "metrics": ["clustering"], "folder": tmp_path / "run"}
    result = run(Experiment(**asked, encoder="context"), **how)
    assert isinstance(result.method.encoder, ContextEncoder)
    (tmp_path / "run" / "rows.csv").unlink()
    with pytest.raises(InputError, match="belongs to another experiment.*encoder 'context' instead of None"):
        run(Experiment(**asked), **how)


# --- what is refused


@both
def test_calibration_is_refused_where_there_is_no_batchnorm_before_data_are_read(encoder):
    with pytest.raises(InputError, match=f"random-calibrated cannot use this encoder. found: {encoder}") as refused:
        resolve(Experiment(dataset="ecg-sim", method="random-calibrated", encoder=encoder))
    assert "\n" not in str(refused.value)


def test_an_encoder_that_is_not_known_is_refused_in_a_line():
    with pytest.raises(InputError, match="unknown encoder. found: 'contxt'.*did you mean 'context'") as refused:
        Experiment(encoder="contxt")
    assert "\n" not in str(refused.value)
