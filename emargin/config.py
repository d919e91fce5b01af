"""Experiment: what a run is asked to do, as plain data. What it leaves open, `emargin.resolve` fills in."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_type_hints

from emargin.errors import InputError
from emargin.fields import Plain, in_range, known, typed

FIDELITIES = ("released", "original")
PROTOCOLS = ("original", "released")
SOURCES = ("auto", "real", "simulated")
SURROGATES = ("phase", "frames")
SPLITS = ("validation",)
CHOICES = {
    "fidelity": FIDELITIES,
    "protocol": PROTOCOLS,
    "source": SOURCES,
    "surrogate": SURROGATES,
    "split": SPLITS,
}
BOUNDS: dict[str, dict[str, float]] = {
    "temperature": {"above": 0},
    "learning_rate": {"above": 0},
    "weight_decay": {"least": 0},
    "iterations": {"least": 0},
    "seed": {"least": 0, "below": 2**32},
    **{name: {"least": 1} for name in ("fold", "batch_size", "n_fft", "hop", "sequence_length", "stride")},
}
# Settings of methods that every committed row and record names; None where the method has no such setting.
RECORDED = ("reading", "labels", "sides", "scope", "margin", "threshold", "weight", "label_share")


class NoSetting(InputError, AttributeError):
    """An experiment was asked for a setting that it does not name."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Experiment:
    """What is asked of a run. Two are equal that ask the same, on every machine.

    Whatever is no field below is a setting of the method, which declares its own (`emargin methods` lists them):

        Experiment(dataset="mitbih", method="emargin", margin=3, threshold=0.2).margin

    Fields left at None take the data set's or the method's own value once the experiment is resolved
    (`emargin.resolve`), and only then are names of data sets, methods and settings checked.

    Parameters
    ----------
    dataset
        A name of the catalogue, `ucr-NAME`, or the path of a folder with the reader's own recordings.
    source
        "real", "simulated", or "auto": real where the files are there, else the simulator of that name.
    protocol
        How data are joined, split and standardised: "original" or "released".
    fold
        Which split, from 1.
    method, fidelity
        What is trained, as its own paper defines it ("original") or as the released code computes it. A name, the
        place of a class, "package.module:Class", or the class itself, which goes by its place.
    seed
        Of the weights, the order of batches and the method's own draws.
    quick
        The quick profile; it belongs to the simulators alone and is switched off for real data.
    temperature
        tau.
    iterations
        Optimiser steps (0 for untrained methods).
    batch_size
        Sequences a step.
    learning_rate, weight_decay
        Of AdamW.
    n_fft, hop
        STFT window and step in samples.
    sequence_length, stride
        T, and from the start of a sequence to the next, in frames.
    surrogate
        A control made of the recordings: "phase", their Fourier phases at random, or "frames", their frames in random
        order. None takes them as they are.
    split
        "validation": people held out of the training side take the test side's place. None: the test side.
    settings
        The method's own settings as a mapping, in place of single keywords or beside them.

    Raises
    ------
    InputError
        For a value of the wrong type or out of range.
    """

    dataset: str = "ecg-sim"
    source: str = "auto"
    protocol: str = "original"
    fold: int = 1
    method: str = "emargin"
    fidelity: str = "released"
    seed: int = 1
    quick: bool = False
    temperature: float | None = None
    iterations: int | None = None
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    n_fft: int | None = None
    hop: int | None = None
    sequence_length: int | None = None
    stride: int | None = None
    surrogate: str | None = None
    split: str | None = None

    def _settings(self) -> dict[str, Plain]:
        """The settings of the method that are named, without those of `RECORDED` that have no value."""
        return {
            name: value
            for name, value in vars(self).items()
            if name not in CORE and (value is not None or name not in RECORDED)
        }

    # Each setting is kept by its name. As a field of the class, `dataclasses.replace` hands them over.
    settings: Mapping[str, Plain] = property(_settings)  # type: ignore[assignment]

    def __init__(self, *values: Any, **named: Any):
        if len(values) > len(CORE):
            raise TypeError(f"Experiment takes at most {len(CORE)} values without a name, {len(values)} given")
        given = dict(zip(CORE, values, strict=False))
        if twice := given.keys() & named.keys():
            raise TypeError(f"Experiment got two values for {', '.join(sorted(twice))}")
        given |= dict(named.pop("settings", {})) | named
        if isinstance(given.get("method"), type):
            given["method"] = reference(given["method"])
        for field in dataclasses.fields(Experiment):
            if field.name in CORE:
                self._set(field.name, _core(field, given.pop(field.name, field.default)))
        for name in (*RECORDED, *sorted(given.keys() - set(RECORDED))):
            value = given.get(name)
            if hasattr(Experiment, name):
                raise InputError(
                    f"{name!r} can be no setting", found=repr(value), wanted="a name that is no attribute of Experiment"
                )
            if not isinstance(value, Plain):
                raise InputError(
                    f"{name} has the wrong type", found=repr(value), wanted="text, a number, True, False or None"
                )
            self._set(name, value)

    def _set(self, name: str, value: Plain) -> None:
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        raise NoSetting(
            f"no setting {name!r} in this experiment",
            found=", ".join(self.settings) if "method" in self.__dict__ else None,
            wanted="a setting that its method declares",
        )

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Experiment) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))

    def __repr__(self) -> str:
        plain = vars(Experiment())
        named = [f"{name}={value!r}" for name, value in vars(self).items() if value != plain.get(name)]
        return f"{type(self).__name__}({', '.join(named)})"

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for all fields with a value: of a resolved experiment alone.

        Raises
        ------
        InputError
            For an experiment that is not resolved.
        """
        raise InputError(
            "an experiment has a digest once its values are settled",
            found=f"{self!r}, which is not resolved",
            wanted="a resolved experiment",
            todo="call emargin.resolve.resolve on it",
        )

    def for_method(self, method: str | type, fidelity: str = "released") -> Self:
        """Return the same data, seed and training for another method, whose settings are its own."""
        kept = {name: getattr(self, name) for name in CORE}
        return type(self)(**kept | {"method": method, "fidelity": fidelity})

    def to_json(self) -> str:
        """Return all fields and settings as a JSON object."""
        return json.dumps(vars(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the experiment that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, values: Mapping[str, Plain]) -> Self:
        """Return the experiment with these values, by name."""
        return cls(**values)

    @classmethod
    def from_notebook(cls, names: Mapping[str, object]) -> Self:
        """Return the experiment of a notebook's `globals()`, straight after its parameters cell.

        papermill only warns of a misspelt parameter and injects it all the same; here it becomes a setting, which
        `resolve` refuses.
        """
        return cls.from_dict(
            {name: value for name, value in names.items() if not name.startswith("_") and isinstance(value, Plain)}
        )


CORE = tuple(field.name for field in dataclasses.fields(Experiment) if field.name != "settings")
_TYPES = get_type_hints(Experiment)


def reference(method: type) -> str:
    """Return the place of a class, "package.module:Class".

    Raises
    ------
    InputError
        For a class that is not found there, such as one that was defined within a function.
    """
    place = f"{method.__module__}:{method.__qualname__}"
    if getattr(sys.modules.get(method.__module__), method.__qualname__, None) is not method:
        raise InputError(
            f"the class {method.__qualname__} cannot be named",
            found=f"another thing or nothing at {place}",
            wanted="a class at the top of its module or notebook, and its last definition",
            todo="define it there, and hand over the class of that name",
        )
    return place


def _core(field: dataclasses.Field, value: Plain) -> Plain:
    """The value of a field in its type, checked for what can be said without data set and method."""
    *kinds, last = getattr(_TYPES[field.name], "__args__", (_TYPES[field.name],))
    if value is None and last is type(None):
        return None
    value = typed(field.name, kinds[0] if kinds else last, value)
    if field.name in CHOICES:
        known(field.name, value, CHOICES[field.name])
    in_range(field.name, value, **BOUNDS.get(field.name, {}))
    return value
