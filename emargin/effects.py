"""Which values that are asked of an experiment cannot matter to it.

Nobody lists them: the method is built with a value and with others in its place, and where a batch gives the same loss,
the same measurements and the same gradients, bit for bit, with all of them, the value has no effect.
"""

from collections.abc import Iterator

import torch

from emargin.config import FIELDS, Experiment
from emargin.data.catalogue import entry_of, settings_of
from emargin.data.dataset import Sequences
from emargin.errors import InputError
from emargin.fields import Field
from emargin.methods import METHODS, declaration
from emargin.resolve import Resolved, resolve
from emargin.threads import limited
from emargin.training import build

SEQUENCES, FEATURES = 6, 6  # of the batch: as few as give every method its windows and views
LONGEST = 50  # frames of its sequences
TRAINING = ("iterations", "learning_rate", "weight_decay")


def without_effect(asked: Experiment | type) -> list[str]:
    """Return a sentence for each value that is asked for and cannot matter to what the experiment is resolved to.

    Of a resolved experiment those values count that are others than it would have by default. The settings of methods
    that are not in `METHODS` are not judged: what they do with a setting may show on other data.
    """
    experiment, usual = resolve(asked), vars(Experiment())
    if asked is experiment:
        kept = ("dataset", "source", "quick", "sequence_length", "method", "fidelity")
        usual = usual | vars(resolve(Experiment(**{name: getattr(experiment, name) for name in kept})))
    values = {} if isinstance(asked, type) else vars(asked)
    given = {name: value for name, value in values.items() if value != usual.get(name)}
    declared, settings, why = declaration(experiment.method), settings_of(experiment.dataset), {}
    if experiment.source == "real":
        why["quick"] = "the quick profile belongs to the simulators, and the data are real"
    if entry_of(experiment.dataset).has_series and settings.sequence_length == experiment.sequence_length:
        why["stride"] = "a series is one sequence"
    if declared.untrained:
        why |= dict.fromkeys((*TRAINING, "temperature", "fidelity"), f"{experiment.method} is not trained")
    elif experiment.method in METHODS:
        fields = {"temperature": Field(float, least=1e-6), **declared.fields_of(experiment.fidelity)}
        with limited():
            for name in given.keys() & fields.keys():
                if _is_idle(experiment, name, fields[name]):
                    why[name] = f"{experiment.method} computes the same with others{_beside(experiment, name)}"
    return [f"{name} = {value} has no effect: {why[name]}" for name, value in given.items() if name in why]


def _beside(experiment: Experiment, name: str) -> str:
    """Return the method's other settings, which decide that a value has no effect."""
    others = ", ".join(f"{other} {value}" for other, value in experiment.settings.items() if other != name)
    return f" ({experiment.fidelity}{', ' if others else ''}{others})"


def _is_idle(experiment: Experiment, name: str, field: Field) -> bool:
    """Return whether a batch gives the same with other values of a setting."""
    small = {"iterations": 1, "batch_size": SEQUENCES, "sequence_length": min(experiment.sequence_length, LONGEST)}
    try:
        expected = _outcome(Resolved(**vars(experiment) | small))
        others = list(_others(experiment, name, field))
        outcomes = [_outcome(Resolved(**vars(experiment) | small | {name: other})) for other in others]
    except InputError:  # too short for the method: that is said elsewhere
        return False
    return bool(others) and all(
        len(outcome) == len(expected) and all(map(torch.equal, outcome, expected)) for outcome in outcomes
    )


def _others(experiment: Experiment, name: str, field: Field) -> Iterator[object]:
    """Yield other values of a setting: all its choices, or its default, the half and the double within its bounds."""
    value, fidelity = getattr(experiment, name), experiment.fidelity
    default = settings_of(experiment.dataset).temperature if name in FIELDS else field.default_of(fidelity)
    choices = field.choices.get(fidelity, ()) if isinstance(field.choices, dict) else field.choices
    for other in choices or (default, value / 2, value * 2):
        try:
            if other is not None and field.checked(name, other, fidelity) != value:
                yield other
        except InputError:
            continue


def _outcome(experiment: Experiment) -> list[torch.Tensor]:
    """Return the loss of a batch, what is measured beside it, and its gradients."""
    draws = torch.Generator().manual_seed(0)
    length, features = experiment.sequence_length, experiment.n_fft // 2 + 1 if experiment.n_fft else FEATURES
    # neighbours at every angle, so that no threshold on their cosine leaves all as they are
    angles = (torch.rand(SEQUENCES * length, generator=draws) * torch.pi).cumsum(0)
    frames = 0.01 * torch.randn(SEQUENCES * length, features, generator=draws)
    frames[:, 0] += angles.cos()
    frames[:, 1] += angles.sin()
    labels = torch.arange(len(frames)) % len(settings_of(experiment.dataset).draw)
    sequences = Sequences(frames, labels, torch.arange(0, len(frames), length), length)
    method = build(experiment, features)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        method.prepare(sequences, draws)
        loss, measured = method.loss(sequences.batch(torch.arange(SEQUENCES)), draws)
        loss.backward()
    gradients = [parameter.grad for parameter in method.parameters() if parameter.grad is not None]
    return [loss.detach(), *measured.values(), *gradients]
