"""A method in both fidelities, beside each other: what the pages on the methods share."""

from collections.abc import Iterable

from torch.nn import Parameter

from emargin.config import Experiment
from emargin.methods.base import Method
from emargin.training import build

FIDELITIES = ("original", "released")


def both(experiment: Experiment, name: str, n_features: int) -> dict[str, Method]:
    """Return a method in both fidelities, for frames of D features, with weights drawn from the experiment's seed."""
    return {fidelity: build(experiment.for_method(name, fidelity), n_features) for fidelity in FIDELITIES}


def count(weights: Iterable[Parameter], trained_by: Method | None = None) -> int:
    """Return how many numbers weights hold; trained_by: of those alone that the optimiser of this method gets."""
    trained = None if trained_by is None else {id(weight) for weight in trained_by.trained_parameters()}
    return sum(weight.numel() for weight in weights if trained is None or id(weight) in trained)


def shown(distance: float, rounding: float = 0.0) -> str:
    """Return a distance with three decimals: "0" where it is no more than the rounding of the arithmetic."""
    return "0" if abs(distance) <= rounding else f"{distance:.3f}"
