"""The training loop: the same bits twice, exact resume, a clear stop."""

import json
import os
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from emargin import training
from emargin.encoder_files import write_encoder
from emargin.errors import InputError, NonFiniteGradient
from emargin.methods import METHODS
from emargin.threads import limited
from emargin.training import build, train
from tests.conftest import make_dataset

TRAINED = [("infonce", "released"), ("infonce", "original"), ("emargin", "released"), ("emargin", "original")]


def weights(method):
    return {name: value.clone() for name, value in method.state_dict().items()}


def assert_same(one, two):
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


@pytest.mark.parametrize(("method", "fidelity"), TRAINED)
def test_same_seed_same_bits(small, small_dataset, method, fidelity):
    torch.manual_seed(17)
    one, curve = train(small(method=method, fidelity=fidelity), small_dataset, progress=False)
    torch.manual_seed(99)  # the caller's own state does not matter
    two, again = train(small(method=method, fidelity=fidelity), small_dataset, progress=False)
    assert_same(weights(one), weights(two))
    assert curve == again
    other, _ = train(small(method=method, fidelity=fidelity, seed=2), small_dataset, progress=False)
    assert not torch.equal(one.encoder.blocks[0].weight, other.encoder.blocks[0].weight)


def test_training_runs_deterministic_algorithms_and_puts_the_setting_back(small, small_dataset, monkeypatch):
    """Otherwise gradients of indexing, as TNC has them, add up in the order of the threads."""
    seen, loss = [], METHODS["emargin"].loss

    def watched(self, batch, generator):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return loss(self, batch, generator)

    monkeypatch.setattr(METHODS["emargin"], "loss", watched)
    train(small(), small_dataset, progress=False)
    assert seen == [True] * 12
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_training_leaves_the_callers_random_state_alone(small, small_dataset):
    torch.manual_seed(17)
    before = torch.get_rng_state()
    train(small(), small_dataset, progress=False)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("method", "fidelity"), TRAINED)
def test_every_parameter_is_trained(small, small_dataset, method, fidelity):
    experiment = small(method=method, fidelity=fidelity, iterations=2, weight_decay=0.0)
    before = weights(build(experiment, small_dataset.n_features))
    after, _ = train(experiment, small_dataset, progress=False)
    for name, _ in after.named_parameters():
        # a bias before BatchNorm is subtracted again: its gradient is round-off, whatever the loss
        if not (name.endswith("bias") and name.split(".")[-2] in ("0", "3", "6")):
            assert not torch.equal(before[name], after.state_dict()[name]), name


def test_random_encoders_keep_their_weights_and_only_calibration_moves_statistics(small, small_dataset):
    fresh = build(small(method="random"), small_dataset.n_features)
    raw, curve = train(small(method="random"), small_dataset, progress=False)
    calibrated, _ = train(small(method="random-calibrated"), small_dataset, progress=False)
    assert curve == []
    assert_same(weights(fresh), weights(raw))
    for name, value in calibrated.named_parameters():
        assert torch.equal(value, dict(fresh.named_parameters())[name])
    norm = calibrated.encoder.blocks[1]
    features = calibrated.encoder.blocks[0](small_dataset.train.batch(slice(None))).flatten(0, 1)
    torch.testing.assert_close(norm.running_mean, features.mean(0), atol=0.15, rtol=0)
    assert raw.encoder.blocks[1].running_mean.abs().max() == 0


@pytest.mark.parametrize(
    ("stop", "number", "method"),
    [
        (5, signal.SIGINT, "emargin"),
        (7, signal.SIGTERM, "emargin"),
        (11, signal.SIGHUP, "emargin"),
        (6, signal.SIGINT, "simmtm"),  # which draws in every step
    ],
)
@pytest.mark.usefixtures("signals_are_heard")
def test_an_interrupted_run_goes_on_bit_for_bit(small, small_dataset, tmp_path, monkeypatch, stop, number, method):
    experiment = small(method=method)
    before = signal.getsignal(number)
    whole, curve = train(experiment, small_dataset, progress=False)
    check, steps = training._Gradients.spoilt, iter(range(1, 100))

    def interrupt(*arguments):
        if next(steps) == stop:
            os.kill(os.getpid(), number)  # in the middle of a step
            if number != signal.SIGINT:
                os.kill(os.getpid(), number)  # a scheduler and a terminal may say it twice
        return check(*arguments)

    monkeypatch.setattr(training._Gradients, "spoilt", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["step"] == stop
    assert signal.getsignal(number) == before
    monkeypatch.setattr(training._Gradients, "spoilt", check)
    resumed, same = train(experiment, small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert_same(weights(whole), weights(resumed))
    assert curve == same


@pytest.mark.usefixtures("signals_are_heard")
def test_a_second_interruption_breaks_into_the_step(small, small_dataset, tmp_path, monkeypatch):
    check, steps = training._Gradients.spoilt, []

    def impatient(*arguments):
        steps.append(1)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the step went on")
        return check(*arguments)

    monkeypatch.setattr(training._Gradients, "spoilt", impatient)
    with pytest.raises(KeyboardInterrupt):
        train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert len(steps) == 3 and not (tmp_path / "resume.pt").exists()


def test_a_signal_that_nohup_ignores_is_ignored(small, small_dataset, monkeypatch):
    before, check = signal.signal(signal.SIGHUP, signal.SIG_IGN), training._Gradients.spoilt

    def hang_up(*arguments):
        os.kill(os.getpid(), signal.SIGHUP)
        return check(*arguments)

    monkeypatch.setattr(training._Gradients, "spoilt", hang_up)
    try:
        _, curve = train(small(), small_dataset, progress=False)
        assert curve[-1]["step"] == 12 and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    except KeyboardInterrupt:
        pytest.fail("it ended")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_method_is_told_of_each_step_once_the_weights_have_changed(small, small_dataset, monkeypatch):
    seen = []

    def note(self):
        seen.append(next(self.parameters()).detach().clone())

    monkeypatch.setattr(METHODS["emargin"], "after_step", note)
    method, _ = train(small(), small_dataset, progress=False)
    first = next(build(small(), small_dataset.n_features).parameters())
    assert len(seen) == 12 and torch.equal(seen[-1], next(method.parameters()))
    assert not any(torch.equal(one, two) for one, two in zip([first, *seen], seen, strict=False))


def test_a_killed_run_goes_on_from_its_last_checkpoint(small, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    monkeypatch.setattr(training, "LOG_EVERY", 3)
    whole, curve = train(small(), small_dataset, progress=False)
    check, steps = training._Gradients.spoilt, iter(range(1, 100))

    def die(*arguments):
        if next(steps) == 7:
            raise MemoryError  # as good as killed: no chance to save
        return check(*arguments)

    monkeypatch.setattr(training._Gradients, "spoilt", die)
    with pytest.raises(MemoryError):
        train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    monkeypatch.setattr(training._Gradients, "spoilt", check)
    resumed, same = train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert_same(weights(whole), weights(resumed))
    assert curve == same


def test_the_curve_has_diagnostics(small, small_dataset):
    _, curve = train(small(), small_dataset, progress=False)
    assert [point["step"] for point in curve] == [10, 12]
    assert set(curve[0]) == {"step", "loss", "label_share", "nonpositive_share", "mean_cosine", "participation_ratio"}
    assert 0 < curve[0]["mean_cosine"] <= 1
    assert 1 <= curve[0]["participation_ratio"] <= 320


def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(small, small_dataset, tmp_path, monkeypatch):
    experiment = small()
    kept = {}

    def poisoned(self, batch, generator):
        loss = (self.encoder(batch) ** 2).mean()
        kept["calls"] = kept.get("calls", 0) + 1
        return (loss * float("nan") if kept["calls"] == 4 else loss), {}

    monkeypatch.setattr(METHODS["emargin"], "loss", poisoned)
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    with pytest.raises(NonFiniteGradient, match="step 4 of .*not finite.*What to do"):
        train(experiment, small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert state["step"] == 3
    assert all(torch.isfinite(value).all() for value in state["method"].values())


def test_it_is_found_at_the_next_point_of_the_curve_and_weights_stay_until_then(small, small_dataset, monkeypatch):
    methods = []

    def poisoned(self, batch, generator):
        methods.append((self, [value.detach().clone() for value in self.parameters()]))
        loss = (self.encoder(batch) ** 2).mean()
        return (loss * float("inf") if len(methods) in (4, 6) else loss), {}

    monkeypatch.setattr(METHODS["emargin"], "loss", poisoned)
    with pytest.raises(NonFiniteGradient, match=r"step 4 of .*\(norm (nan|inf), loss inf\)"):
        train(small(), small_dataset, progress=False)
    assert len(methods) == training.LOG_EVERY
    method, before = methods[3]
    assert all(map(torch.equal, method.parameters(), before))
    assert not torch.equal(before[0], methods[2][1][0])


class Waits(TorchDispatchMode):
    """Counts values that the host reads: each makes it wait for a GPU."""

    count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function.overloadpacket is torch.ops.aten._local_scalar_dense
        return function(*arguments, **keywords or {})


@pytest.mark.parametrize(
    ("method", "fidelity"),
    [
        ("infonce", "released"),
        ("emargin", "released"),
        ("cpc", "released"),
        ("tnc", "original"),
        ("simmtm", "released"),
        ("timedrl", "original"),
    ],
)  # others read numbers that were drawn on the CPU, such as the length of a crop
def test_a_step_does_not_wait_for_the_device(small, small_dataset, monkeypatch, method, fidelity):
    monkeypatch.setattr("emargin.losses.triangle_sums._uniform", lambda labels: None)  # as on CUDA

    def waits(iterations):
        with Waits() as mode:
            train(small(method=method, fidelity=fidelity, iterations=iterations), small_dataset, progress=False)
        return mode.count

    assert waits(1) == waits(10) < waits(11)  # one point of the curve, one, two


def test_a_checkpoint_of_another_experiment_is_refused(small, small_dataset, tmp_path):
    train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    with pytest.raises(InputError, match="another experiment.*margin 5.0 instead of 4.0"):
        train(small(margin=4.0), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04cos\nsystem\n."])
def test_a_damaged_or_pickled_checkpoint_is_refused(small, small_dataset, tmp_path, content):
    (tmp_path / "resume.pt").write_bytes(content)
    with pytest.raises(InputError, match="resume.pt cannot be read.*delete"):
        train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)


class Runs:
    """Runs code where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_what_a_checkpoint_holds_is_never_unpickled(small, small_dataset, tmp_path):
    torch.save({"experiment": small().to_json(), "curve": Runs(tmp_path / "ran")}, tmp_path / "resume.pt")
    with pytest.raises(InputError, match="resume.pt cannot be read. found: UnpicklingError"):
        train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_with_a_flipped_bit_is_refused_or_gives_the_same_bits(small, small_dataset, tmp_path):
    path = tmp_path / "resume.pt"
    whole, curve = train(small(), small_dataset, checkpoint=path, progress=False)
    content, refused = path.read_bytes(), 0
    for place in np.random.default_rng(0).integers(0, len(content), 40):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        try:
            resumed, same = train(small(), small_dataset, checkpoint=path, progress=False)
        except InputError as error:
            assert "resume.pt" in str(error)
            refused += 1
        else:
            assert_same(weights(whole), weights(resumed))
            assert curve == same
    assert refused > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "resume.pt was written by a newer version of this program. found: format 3. wanted: format 2"),
        ({"format": 1}, "resume.pt was written by an older version of this program. found: format 1"),
        ({"format": None}, "resume.pt was written by an older version .*no number of a format.*delete"),
    ],
)
def test_a_checkpoint_of_another_version_says_so(small, small_dataset, tmp_path, change, message):
    path = tmp_path / "resume.pt"
    train(small(), small_dataset, checkpoint=path, progress=False)
    state = torch.load(path, weights_only=True)
    newer = json.dumps(json.loads(state["experiment"]) | {"warmup": 10})
    changed = {name: value for name, value in (state | change | {"experiment": newer}).items() if value is not None}
    torch.save(changed, path)
    with pytest.raises(InputError, match=message):
        train(small(), small_dataset, checkpoint=path, progress=False)


def test_an_encoder_is_no_checkpoint(small, small_dataset, tmp_path):
    method, curve = train(small(), small_dataset, progress=False)
    write_encoder(tmp_path, small(), small_dataset, method, curve)
    with pytest.raises(InputError, match="encoder.pt is none. found: encoder. wanted: checkpoint"):
        train(small(), small_dataset, checkpoint=tmp_path / "encoder.pt", progress=False)


@pytest.mark.parametrize("change", ["data", "code"])
def test_a_checkpoint_on_other_recordings_or_by_other_code_is_not_gone_on_from(
    small, small_dataset, tmp_path, monkeypatch, capsys, change
):
    path, dataset = tmp_path / "resume.pt", small_dataset
    train(small(), dataset, checkpoint=path, progress=False)
    if change == "data":
        dataset = replace(make_dataset(features=6), checksum="corrected")
        dataset.train.frames.mul_(2)
    else:
        monkeypatch.setattr("emargin.state.code_versions", lambda cell: {"data": "d", "train": "other"})
    fresh, curve = train(small(), dataset, progress=False)
    again, same = train(small(), dataset, checkpoint=path, progress=False)
    assert_same(weights(fresh), weights(again))
    assert curve == same
    words = {"data": "other recordings (checksum checksum, now corrected)", "code": "by other code (fingerprints "}
    assert f"checkpoint {path} is " in (said := capsys.readouterr().err) and words[change] in said
    assert said.endswith("training starts again\n")


def test_a_checkpoint_of_another_number_of_threads_is_kept_and_names_it(small, small_dataset, tmp_path):
    path = tmp_path / "resume.pt"
    train(small(), small_dataset, checkpoint=path, progress=False)
    kept = path.read_bytes()
    assert torch.load(path, weights_only=True)["threads"] == 1
    with limited(2), pytest.raises(InputError, match="found: 1. wanted: 2, .* what to do: go on with --threads 1"):
        train(small(), small_dataset, checkpoint=path, progress=False)
    assert path.read_bytes() == kept


def test_a_disk_that_fills_during_a_checkpoint_leaves_the_last_one(small, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    path, saved, limits = tmp_path / "resume.pt", [], resource.getrlimit(resource.RLIMIT_FSIZE)
    save = training._State.save

    def filling(self, checkpoint, step, curve):
        if saved:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        save(self, checkpoint, step, curve)
        saved.append(step)

    monkeypatch.setattr(training._State, "save", filling)
    try:
        with pytest.raises(OSError, match="resume.pt cannot be written. found: File too large.*what to do: free some"):
            train(small(), small_dataset, checkpoint=path, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved == [4] and torch.load(path, weights_only=True)["step"] == 4
    assert list(tmp_path.iterdir()) == [path]


def test_fewer_sequences_than_a_batch_are_refused(small, small_dataset):
    with pytest.raises(InputError, match="fewer sequences than a batch.*12.*batch_size = 13"):
        train(small(batch_size=13), small_dataset, progress=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("method", "fidelity"), TRAINED)
def test_cuda_agrees_with_the_cpu(small, small_dataset, method, fidelity):
    experiment = small(method=method, fidelity=fidelity, iterations=5)
    cpu, _ = train(experiment, small_dataset, progress=False)
    cuda, _ = train(experiment, small_dataset, device="cuda", progress=False)
    batch = small_dataset.test.batch(slice(None))
    torch.testing.assert_close(cuda.encode(batch.cuda()).cpu(), cpu.encode(batch), atol=1e-3, rtol=1e-3)
