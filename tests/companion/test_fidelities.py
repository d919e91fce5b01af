"""A method in both fidelities, beside each other."""

import torch

from companion.fidelities import both, count, shown
from emargin.config import Experiment
from emargin.resolve import resolve

EXPERIMENT = resolve(Experiment(dataset="harth-sim", batch_size=2, sequence_length=12))


def test_both_fidelities_have_their_own_settings_and_the_weights_of_the_seed():
    first, again = both(EXPERIMENT, "cpc", 6), both(EXPERIMENT, "cpc", 6)
    for fidelity in ("original", "released"):
        assert first[fidelity].experiment.fidelity == fidelity
        same = zip(first[fidelity].parameters(), again[fidelity].parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in same)


def test_weights_are_counted_that_the_optimiser_gets():
    methods = both(EXPERIMENT, "cpc", 6)
    for trained, (fidelity, method) in zip((True, False), methods.items(), strict=True):
        weights = list(method.gru.parameters())
        held = sum(weight.numel() for weight in weights)
        assert count(weights) == held
        assert count(weights, trained_by=method) == (held if trained else 0), fidelity


def test_a_distance_within_rounding_is_zero():
    assert [shown(0.0), shown(2e-7, 1e-6), shown(2e-7), shown(0.0214)] == ["0", "0", "0.000", "0.021"]
