"""The training loop at its edges: which batches it shows, what a point of the curve is of, what it leaves behind."""

import copy
import signal
import threading
from types import SimpleNamespace

import pytest
import torch

from emargin import training
from emargin.errors import InputError
from emargin.evaluation.collapse import mean_cosine, participation_ratio
from emargin.methods import METHODS
from emargin.training import build, default_device, train
from tests.conftest import make_dataset


@pytest.fixture
def shown(monkeypatch):
    """What each call of eMargin's loss is given and gives: batch, whether in training mode, value."""
    calls, loss = [], METHODS["emargin"].loss

    def watched(self, batch, generator):
        value, measured = loss(self, batch, generator)
        calls.append((batch.clone(), self.training, value.item()))
        return value, measured

    monkeypatch.setattr(METHODS["emargin"], "loss", watched)
    return calls


def numbers_of(batch, dataset):
    """Which sequences of the training side a batch has."""
    whole = dataset.train.batch(slice(None))
    return [next(number for number, one in enumerate(whole) if torch.equal(one, row)) for row in batch]


def test_each_epoch_shows_each_sequence_once_in_another_order(small, small_dataset, shown):
    train(small(batch_size=3, iterations=12), small_dataset, progress=False)
    numbers = [numbers_of(batch, small_dataset) for batch, _, _ in shown]
    epochs = [sum(numbers[start : start + 4], []) for start in (0, 4, 8)]
    assert [len(batch) for batch in numbers] == [3] * 12
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_what_is_left_of_an_epoch_is_dropped_where_it_is_no_full_batch(small, small_dataset, shown):
    train(small(batch_size=5, iterations=6), small_dataset, progress=False)
    numbers = [numbers_of(batch, small_dataset) for batch, _, _ in shown]
    for start in (0, 2, 4):
        epoch = sum(numbers[start : start + 2], [])
        assert len(epoch) == len(set(epoch)) == 10


def test_a_single_batch_is_enough_and_an_untrained_encoder_needs_none(small, small_dataset, shown):
    train(small(batch_size=12, iterations=2), small_dataset, progress=False)
    assert [len(batch) for batch, _, _ in shown] == [12, 12]
    for method in ("random", "random-calibrated"):
        assert train(small(method=method, batch_size=13), small_dataset, progress=False)[1] == []


def test_training_is_adamw_on_the_losses_of_the_batches(small, small_dataset):
    experiment = small(iterations=6, weight_decay=0.1)
    trained, curve = train(experiment, small_dataset, progress=False)
    method = build(experiment, small_dataset.n_features).train()
    plain = torch.optim.AdamW(method.parameters(), lr=experiment.learning_rate, weight_decay=0.1)
    order, draws = (torch.Generator().manual_seed(experiment.seed) for _ in range(2))
    for step in range(6):
        if step % 4 == 0:
            epoch = torch.randperm(12, generator=order)
        plain.zero_grad()
        loss, _ = method.loss(small_dataset.train.batch(epoch[step % 4 * 3 : step % 4 * 3 + 3]), draws)
        loss.backward()
        plain.step()
    for name, value in method.named_parameters():
        # a bias before BatchNorm is subtracted again: its gradient is round-off, which AdamW blows up
        if not (name.endswith("bias") and name.split(".")[-2] in ("0", "3", "6")):
            torch.testing.assert_close(trained.get_parameter(name), value, rtol=1e-3, atol=1e-5)
    assert [point["step"] for point in curve] == [6]
    assert curve[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_a_point_of_the_curve_is_of_its_batch_after_the_step_in_evaluation_mode(small, small_dataset, shown):
    method, curve = train(small(iterations=12), small_dataset, progress=False)
    assert [point["loss"] for point in curve] == [shown[9][2], shown[11][2]]
    assert all(in_training for _, in_training, _ in shown)
    with torch.no_grad():
        embedding = method.encode(shown[11][0]).flatten(0, 1)
    assert curve[1]["mean_cosine"] == pytest.approx(mean_cosine(embedding), rel=1e-6)
    assert curve[1]["participation_ratio"] == pytest.approx(participation_ratio(embedding), rel=1e-6)
    assert not method.training


def test_a_run_of_few_steps_ends_with_a_point_and_a_checkpoint(small, small_dataset, tmp_path):
    _, curve = train(small(iterations=3), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert [point["step"] for point in curve] == [3]
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["step"] == 3


def test_every_fifty_steps_a_checkpoint_is_written_and_no_other(small, small_dataset, tmp_path, monkeypatch):
    steps, save = [], training._State.save

    def saved(self, path, step, curve):
        steps.append(step)
        save(self, path, step, curve)

    monkeypatch.setattr(training._State, "save", saved)
    train(small(method="infonce", iterations=104), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert steps == [50, 100, 104]


def test_no_checkpoint_is_written_without_a_place_for_it(small, small_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(small(iterations=3), small_dataset, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_heard_as_before_once_training_has_ended(small, small_dataset):
    before = signal.getsignal(signal.SIGINT)
    train(small(iterations=2), small_dataset, progress=False)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_a_thread_gives_the_same(small, small_dataset):
    alone, curve = train(small(iterations=4), small_dataset, progress=False)
    done = []
    thread = threading.Thread(target=lambda: done.append(train(small(iterations=4), small_dataset, progress=False)))
    thread.start()
    thread.join()
    ((method, same),) = done
    assert curve == same
    assert all(map(torch.equal, alone.state_dict().values(), method.state_dict().values()))


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("mode", [0, 1])
def test_torchs_settings_are_put_back_whatever_they_were(small, small_dataset, monkeypatch, mode, fails):
    inside, loss = [], METHODS["emargin"].loss

    def watched(self, batch, generator):
        inside.append((torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory))
        if fails:
            raise MemoryError
        return loss(self, batch, generator)

    monkeypatch.setattr(METHODS["emargin"], "loss", watched)
    before = torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory
    torch.set_deterministic_debug_mode(mode)
    try:
        if fails:
            with pytest.raises(MemoryError):
                train(small(iterations=2), small_dataset, progress=False)
        else:
            train(small(iterations=2), small_dataset, progress=False)
        assert torch.get_deterministic_debug_mode() == mode
        assert torch.utils.deterministic.fill_uninitialized_memory == before[1]
        assert set(inside) == {(2, False)}  # 2: an operation without a deterministic form is an error
    finally:
        torch.set_deterministic_debug_mode(before[0])


def test_the_bar_counts_all_steps_and_shows_the_last_loss(small, small_dataset, capsys):
    _, curve = train(small(iterations=12), small_dataset, progress=True)
    bar = capsys.readouterr().err
    assert "emargin released" in bar and "12/12" in bar and f"loss={curve[-1]['loss']:.3f}" in bar
    train(small(iterations=12), small_dataset, progress=False)
    assert capsys.readouterr().err == ""
    train(small(iterations=2), small_dataset)  # unless it is told not to
    assert "2/2" in capsys.readouterr().err


def test_a_resumed_bar_goes_on_where_it_was(small, small_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    spoilt, steps = training._Gradients.spoilt, iter(range(1, 100))

    def die(*arguments):
        if next(steps) == 7:
            raise MemoryError
        return spoilt(*arguments)

    monkeypatch.setattr(training._Gradients, "spoilt", die)
    with pytest.raises(MemoryError):
        train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    monkeypatch.setattr(training._Gradients, "spoilt", spoilt)
    train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=True)
    assert " 4/12 " in (bar := capsys.readouterr().err) and "12/12" in bar


def test_a_checkpoint_keeps_the_draws_of_a_cuda_device_which_the_cpu_has_no_use_for(small, small_dataset, monkeypatch):
    """Dropout draws there. The device is played here by two functions."""
    kept, restored = {}, []
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.tensor([7]))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: restored.append((state.tolist(), device)))
    checkpoint = SimpleNamespace(save=kept.update, load=lambda device: kept)

    def state_on(device):
        method = build(small(), small_dataset.n_features)
        optimiser = training.AdamW(list(method.parameters()), learning_rate=1e-3, weight_decay=0.0)
        order = training._Order(len(small_dataset.train), 3, 1)
        return training._State(method, optimiser, order, torch.Generator(), small(), device)

    with torch.random.fork_rng(devices=[]):
        state_on("cuda:0").save(checkpoint, 4, [])
        assert state_on("cpu").resume(checkpoint) == (4, []) and not restored
        assert state_on("cuda:0").resume(checkpoint) == (4, []) and restored == [([7], "cuda:0")]
        kept.clear()
        state_on("cpu").save(checkpoint, 5, [])
        assert state_on("cuda:0").resume(checkpoint) == (5, []) and len(restored) == 1


def test_a_checkpoint_of_another_experiment_is_refused_with_what_differs_alone(small, small_dataset, tmp_path):
    train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    with pytest.raises(InputError) as refused:
        train(small(margin=4.0, seed=7), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    message = str(refused.value)
    assert "margin 5.0 instead of 4.0" in message and "seed 1 instead of 7" in message
    assert "temperature" not in message and "batch_size" not in message


def test_a_finished_checkpoint_is_taken_as_it_is(small, small_dataset, tmp_path, shown):
    first, curve = train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    calls = len(shown)
    again, same = train(small(), small_dataset, checkpoint=tmp_path / "resume.pt", progress=False)
    assert len(shown) == calls and curve == same
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))


def test_the_error_names_the_first_step_whose_gradient_is_not_finite_after_earlier_points(small, monkeypatch):
    calls = []

    def poisoned(self, batch, generator):
        calls.append(None)
        loss = (self.encoder(batch) ** 2).mean()
        return (loss * float("nan") if len(calls) in (14, 17) else loss), {}

    monkeypatch.setattr(METHODS["emargin"], "loss", poisoned)
    with pytest.raises(training.NonFiniteGradient, match="step 14 of .*norm nan, loss nan"):
        train(small(iterations=30), make_dataset(), progress=False)
    assert len(calls) == 20


def test_parameters_that_need_no_gradient_are_left_alone(small, small_dataset, monkeypatch):
    prepare = METHODS["emargin"].prepare

    def frozen(self, sequences, generator):
        prepare(self, sequences, generator)
        self.encoder.blocks[0].weight.requires_grad_(False)

    monkeypatch.setattr(METHODS["emargin"], "prepare", frozen)
    before = copy.deepcopy(build(small(), small_dataset.n_features).encoder.blocks[0].weight)
    method, _ = train(small(iterations=3, weight_decay=0.5), small_dataset, progress=False)
    assert torch.equal(method.encoder.blocks[0].weight, before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device")
def test_without_a_cuda_device_the_cpu_is_the_default():
    assert default_device() == torch.device("cpu")
