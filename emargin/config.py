"""Experiment: everything that a run depends on, checked when it is made."""

import dataclasses
import difflib
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

from emargin.data.catalogue import DATASETS, READABLE, SIMULATED, UCR, Settings, real_folder, settings_of
from emargin.data.surrogates import SURROGATES
from emargin.errors import InputError
from emargin.losses import READINGS, SCOPES
from emargin.methods import METHODS, REPAIRS
from emargin.pseudo_labels import RULES

FIDELITIES = ("released", "original")
PROTOCOLS = ("original", "released")
SOURCES = ("auto", "real", "simulated")
# those that not every method has
LOSS_FIELDS = ("reading", "labels", "margin", "threshold", "sides", "scope", "weight", "label_share")
QUICK_ITERATIONS, QUICK_LENGTH = 40, 100  # the quick profile: the same code on simulators, smaller


@dataclass(frozen=True)
class Experiment:
    """One cell of the grid. Fields left at None take the data set's or the method's own value.

    dataset: a name of the catalogue, `ucr-NAME`, or the path of a folder with the reader's own recordings.
    source: "real", "simulated", or "auto": real where the files are there, else the simulator of that name.
    surrogate: a control made of the recordings: "phase", their Fourier phases at random, or "frames", their frames in
    random order. None takes them as they are.
    protocol: how data are joined, split and standardised: "original" or "released". fold: which split, from 1.
    method, fidelity: what is trained, as its own paper defines it ("original") or as the released code computes it.
    reading, labels: of eMargin: "anchor", "pair", "all-pairs"; pseudo-labels by the rule "paper" or "released".
    sides, scope: InfoNCE and eMargin: contrast with one or both neighbours, in a "sequence" or "flattened" batch.
    seed: of the weights, the order of batches and the method's own draws.
    quick: the quick profile; it belongs to the simulators alone and is switched off for real data.
    temperature, margin, threshold: tau, m, theta. weight: of the term that a repair adds. label_share: of the labelled
    training frames, what a method that uses labels sees. iterations: optimiser steps (0 for untrained methods).
    batch_size: sequences a step.
    learning_rate, weight_decay: of AdamW. n_fft, hop: STFT window and step in samples.
    sequence_length: T in frames. stride: frames from the start of a sequence to the next.

    Raises InputError for an unknown name or a value out of range.
    """

    dataset: str = "ecg-sim"
    source: str = "auto"
    protocol: str = "original"
    fold: int = 1
    method: str = "emargin"
    fidelity: str = "released"
    reading: str | None = None
    labels: str | None = None
    sides: int | None = None
    scope: str | None = None
    seed: int = 1
    quick: bool = False
    temperature: float | None = None
    margin: float | None = None
    threshold: float | None = None
    iterations: int | None = None
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    n_fft: int | None = None
    hop: int | None = None
    sequence_length: int | None = None
    stride: int | None = None
    surrogate: str | None = None
    weight: float | None = None
    label_share: float | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            self._set(field.name, _typed(field, getattr(self, field.name)))
        _known("method", self.method, METHODS)
        _known("fidelity", self.fidelity, FIDELITIES)
        _known("protocol", self.protocol, PROTOCOLS)
        _known("source", self.source, SOURCES)
        if self.surrogate is not None:
            _known("surrogate", self.surrogate, SURROGATES)
        self._complete_data(self._settings())
        self._complete_loss()
        self._check_ranges()

    def _settings(self) -> Settings:
        """The catalogue's entry; settles `source` and `quick` on the way."""
        archived = self.dataset.startswith(UCR)
        own = self.dataset not in DATASETS and not archived and Path(self.dataset).is_dir()
        if not own and not archived:
            if "/" in self.dataset:
                raise InputError(
                    "the folder of recordings is not there",
                    found=self.dataset,
                    wanted="a folder with dataset.json and one npz file a recording",
                )
            _known("dataset", self.dataset, DATASETS)
        simulated_only = self.dataset in SIMULATED
        has_simulator = simulated_only or f"{self.dataset}-sim" in SIMULATED
        if self.source == "auto":
            there = own or (self.dataset in READABLE and real_folder(self.dataset).is_dir())
            self._set("source", "real" if there or not has_simulator else "simulated")
        if self.source == "real" and simulated_only:
            raise InputError(
                "no real recordings behind this name",
                found=self.dataset,
                wanted=", ".join(sorted(set(DATASETS) - set(SIMULATED))),
                todo="choose one of these, or source simulated",
            )
        if self.source == "simulated" and not has_simulator:
            raise InputError("no simulator for this data set", found=self.dataset, wanted=", ".join(SIMULATED))
        if self.source == "real":
            self._set("quick", False)
        return settings_of(self.dataset)

    def _complete_data(self, settings: Settings):
        for name in ("n_fft", "hop", "temperature"):
            if getattr(self, name) is None:
                self._set(name, getattr(settings, name))
            elif getattr(settings, name) is None:
                raise InputError(
                    f"{name} has no meaning for {self.dataset}: its frames are no STFT",
                    found=getattr(self, name),
                    wanted="nothing",
                    todo=f"leave {name} out",
                )
        if METHODS[self.method].untrained:
            self._set("iterations", 0)
        elif self.iterations is None:
            self._set("iterations", QUICK_ITERATIONS if self.quick else settings.iterations)
        if self.sequence_length is None:
            self._set(
                "sequence_length",
                min(QUICK_LENGTH, settings.sequence_length) if self.quick else settings.sequence_length,
            )
        if self.stride is None:
            overlapping = settings.stride < settings.sequence_length
            self._set("stride", min(settings.stride, self.sequence_length) if overlapping else self.sequence_length)

    def _complete_loss(self):
        released = self.fidelity == "released"
        if self.method in REPAIRS and released:
            raise InputError(
                f"no released code computes {self.method}",
                found="fidelity released",
                wanted="original",
                todo="choose fidelity original",
            )
        emargin, contrast = self.method == "emargin", self.method in ("emargin", "infonce")
        defaults = {
            "reading": "anchor" if emargin and not released else None,
            "labels": ("released" if released else "paper") if emargin else None,
            "margin": 5.0 if emargin else None,
            "threshold": 0.4 if emargin else None,
            "sides": (2 if released else 1) if contrast else None,
            "scope": ("flattened" if released else "sequence") if contrast else None,
            "weight": None,
            "label_share": None,
        }
        if self.method in REPAIRS:
            defaults |= REPAIRS[self.method].settings
        for name, value in defaults.items():
            if getattr(self, name) is None:
                self._set(name, value)
            elif value is None:
                raise InputError(
                    f"{name} has no meaning for {self.method}, fidelity {self.fidelity}",
                    found=getattr(self, name),
                    wanted="nothing",
                    todo=f"leave {name} out",
                )
        for name, names in (("reading", READINGS), ("labels", RULES), ("scope", SCOPES)):
            if getattr(self, name) is not None:
                _known(name, getattr(self, name), names)
        if emargin and released and self.scope != "flattened":
            raise InputError("the released eMargin works on the flattened batch", found=self.scope, wanted="flattened")
        if emargin and not released and self.sides != 1:
            raise InputError("the paper's eMargin has one side", found=self.sides, wanted=1)

    def _check_ranges(self):
        def check(name, holds, wanted):
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise InputError(f"{name} is out of range", found=value, wanted=wanted)

        for name in ("temperature", "margin", "learning_rate", "weight"):
            check(name, lambda v: 0 < v < float("inf"), "a positive number")
        check("threshold", lambda v: -1 <= v <= 1, "a cosine, from -1 to 1")
        check("label_share", lambda v: 0 < v <= 1, "a share, above 0 and at most 1")
        check("weight_decay", lambda v: 0 <= v < float("inf"), "zero or more")
        check("sides", lambda v: v in (1, 2), "1 or 2")
        check("iterations", lambda v: v >= 0, "zero or more")
        check("seed", lambda v: 0 <= v < 2**32, "zero or more, below 2^32")
        for name in ("fold", "batch_size", "n_fft", "hop", "sequence_length", "stride"):
            check(name, lambda v: v >= 1, "one or more")

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for all fields that have a value."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def for_method(self, method: str, fidelity: str = "released") -> "Experiment":
        """The same data, seed and training for another method, whose loss has its own defaults.

        The number of steps of a method without training is not taken over.
        """
        left = LOSS_FIELDS if not METHODS[self.method].untrained else (*LOSS_FIELDS, "iterations")
        kept = {name: value for name, value in dataclasses.asdict(self).items() if name not in left}
        return Experiment(**kept | {"method": method, "fidelity": fidelity})

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, values: dict) -> "Experiment":
        """Raises InputError for a name that is no field."""
        for name in values:
            _known("parameter", name, [field.name for field in dataclasses.fields(cls)])
        return cls(**values)

    @classmethod
    def from_notebook(cls, names: dict) -> "Experiment":
        """From a notebook's `globals()`, straight after its parameters cell.

        papermill only warns of a misspelt parameter and injects it all the same; here it meets the check of names.
        """
        plain = str | int | float | bool | None
        return cls.from_dict(
            {name: value for name, value in names.items() if not name.startswith("_") and isinstance(value, plain)}
        )

    def __str__(self) -> str:
        method = " ".join(
            str(part)
            for part in (self.method, self.fidelity, self.reading, self.labels and f"labels {self.labels}")
            if part
        )
        profile = "quick profile, " if self.quick else ""
        control = f", surrogate {self.surrogate}" if self.surrogate else ""
        return (
            f"{self.dataset} ({self.source} data{control}, {profile}protocol {self.protocol}, fold {self.fold}), "
            f"{method}, seed {self.seed}, {self.iterations} iterations"
        )


def _known(what: str, name, names):
    if name not in names:
        close = difflib.get_close_matches(str(name), list(names), n=1)
        raise InputError(
            f"unknown {what}",
            found=repr(name),
            wanted=", ".join(map(str, names)),
            todo=f"did you mean {close[0]!r}?" if close else None,
        )


def _typed(field: dataclasses.Field, value):
    """The value in the field's type; whole floats and ints stand for each other, as papermill may pass either."""
    wanted = str(field.type) if not isinstance(field.type, type) else field.type.__name__
    kind, optional = wanted.split(" | ")[0], wanted.endswith("None")
    if value is None and optional:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float" and number:
        return float(value)
    if kind == "int" and number and math.isfinite(value) and value == int(value):
        return int(value)
    if kind in ("str", "bool") and type(value).__name__ == kind:
        return value
    raise InputError(f"{field.name} has the wrong type", found=repr(value), wanted=wanted)
