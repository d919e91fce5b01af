"""What holds for every method in every fidelity: a new one is tested here as soon as METHODS names it."""

import copy

import pytest
import torch

from emargin import training
from emargin.methods import METHODS, REPAIRS
from emargin.training import build, train
from tests.conftest import make_dataset

PAIRS = [
    (name, fidelity)
    for name in METHODS
    for fidelity in ("released", "original")
    if not (METHODS[name].untrained and fidelity == "original") and not (name in REPAIRS and fidelity == "released")
]
TRAINED = [(name, fidelity) for name, fidelity in PAIRS if not METHODS[name].untrained]

every_pair = pytest.mark.parametrize(("name", "fidelity"), PAIRS)
every_trained_pair = pytest.mark.parametrize(("name", "fidelity"), TRAINED)


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(n_train=10, n_test=5, length=21)


@pytest.fixture
def experiment(small, name, fidelity):
    return small(method=name, fidelity=fidelity, sequence_length=21, batch_size=5, iterations=5)


def state(method):
    """Copies of everything that a checkpoint holds, tensors alone."""
    return {key: value.clone() for key, value in method.state_dict().items() if torch.is_tensor(value)}


def assert_same(one, two):
    one, two = state(one), state(two)
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key]), key


@every_pair
def test_the_same_seed_gives_the_same_bits(experiment, dataset):
    (one, curve), (two, again) = (train(experiment, dataset, progress=False) for _ in range(2))
    assert curve == again
    assert_same(one, two)
    assert all(torch.isfinite(value).all() for value in state(one).values())


@every_trained_pair
def test_an_interrupted_run_goes_on_bit_for_bit(experiment, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    whole, curve = train(experiment, dataset, progress=False)
    check, steps = training._Gradients.spoilt, iter(range(5))

    def stop(*arguments):
        if next(steps) == 3:  # after the checkpoint of step 2, in the middle of step 4
            raise KeyboardInterrupt
        return check(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training._Gradients, "spoilt", stop)
        train(experiment, dataset, progress=False, checkpoint=tmp_path / "run.pt")
    resumed, again = train(experiment, dataset, progress=False, checkpoint=tmp_path / "run.pt")
    assert curve == again
    assert_same(whole, resumed)


@every_trained_pair
def test_a_step_moves_what_is_trained_and_nothing_that_is_frozen(experiment, dataset):
    method, draws = build(experiment, dataset.n_features).train(), torch.Generator().manual_seed(0)
    method.prepare(dataset.train, draws)
    before = copy.deepcopy(dict(method.named_parameters()))
    held = [p for p in method.trained_parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(held, lr=0.01, weight_decay=0)  # decay would move weights that learn nothing
    for number in range(2):
        loss, _ = method.loss(dataset.train.batch(torch.arange(5) + number), draws)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    names = {key for key, value in method.named_parameters() if any(value is p for p in held)}
    moved = {key for key, value in method.named_parameters() if not torch.equal(value, before[key])}
    assert moved and moved <= names


@every_pair
def test_embeddings_are_finite_and_frozen_after_training(experiment, dataset):
    method, _ = train(experiment, dataset, progress=False)
    frames = dataset.test.batch(slice(None))
    with torch.no_grad():
        one, two = method.encode(frames), method.encode(frames)
    assert one.shape[:2] == frames.shape[:2]
    assert torch.isfinite(one).all()
    assert torch.equal(one, two)
