"""AdamW against torch's class, bit for bit."""

import copy
import subprocess
import sys

import pytest
import torch

from emargin.optimiser import AdamW


def parameters():
    draws = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=draws).requires_grad_() for shape in ((3, 4), (5,), (2,))]


def gradients(step):
    draws = torch.Generator().manual_seed(step)
    drawn = [torch.randn(shape, generator=draws) for shape in ((3, 4), (5,), (2,))]
    return drawn if step % 3 else [drawn[0], None, drawn[2]]  # a part that the loss did not reach


def run(optimiser, values, steps):
    for step in steps:
        for value, gradient in zip(values, gradients(step), strict=True):
            value.grad = gradient
        optimiser.step()


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_it_is_torchs(decay):
    ours, theirs = parameters(), parameters()
    run(AdamW(ours, learning_rate=0.01, weight_decay=decay), ours, range(20))
    run(torch.optim.AdamW(theirs, lr=0.01, weight_decay=decay, fused=True), theirs, range(20))
    assert all(map(torch.equal, ours, theirs))


def test_the_fused_form_computes_the_plain_one():
    ours, theirs = ([value.detach().double().requires_grad_() for value in parameters()] for _ in range(2))
    for optimiser, values in (
        (AdamW(ours, learning_rate=0.01, weight_decay=0.1), ours),
        (torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1, foreach=False), theirs),
    ):
        for step in range(20):
            for value, gradient in zip(values, gradients(step), strict=True):
                value.grad = None if gradient is None else gradient.double()
            optimiser.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_step_that_is_spoilt_leaves_values_and_state():
    ours, theirs = parameters(), parameters()
    optimiser, other = (AdamW(values, learning_rate=0.01, weight_decay=0.1) for values in (ours, theirs))
    for step in range(6):
        for value, gradient in zip(ours, gradients(step), strict=True):
            value.grad = None if gradient is None else gradient * (float("nan") if step == 2 else 1)
        optimiser.step(unless=torch.tensor(float(step == 2)))
    run(other, theirs, [0, 1, 3, 4, 5])
    assert all(map(torch.equal, ours, theirs))


def test_without_decay_it_is_adam():
    ours, theirs = parameters(), parameters()
    run(AdamW(ours, learning_rate=0.01), ours, range(20))
    run(torch.optim.Adam(theirs, lr=0.01, fused=True), theirs, range(20))
    assert all(map(torch.equal, ours, theirs))


def test_it_goes_on_from_its_state():
    whole, part = parameters(), parameters()
    run(AdamW(whole, learning_rate=0.01, weight_decay=0.01), whole, range(10))
    first = AdamW(part, learning_rate=0.01, weight_decay=0.01)
    run(first, part, range(6))
    saved = copy.deepcopy(first.state_dict())
    second = AdamW(part, learning_rate=0.01, weight_decay=0.01)
    second.load_state_dict(saved)
    run(second, part, range(6, 10))
    assert all(map(torch.equal, whole, part))
    assert saved["steps"][0] == 6  # the loaded state is its own


def test_gradients_are_cleared():
    values = parameters()
    run(AdamW(values, learning_rate=0.01), values, range(1))
    AdamW(values, learning_rate=0.01).zero_grad()
    assert all(value.grad is None for value in values)


def test_a_run_does_not_import_the_compiler():
    code = (
        "import sys; from emargin.config import Experiment; from emargin.data.loading import load; "
        "from emargin.training import train; e = Experiment(dataset='ecg-noise', quick=True, iterations=1, "
        "sequence_length=5); train(e, load(e), progress=False); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
