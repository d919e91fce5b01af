"""From what is asked to what is run: fill in an experiment from the catalogue and from its method.

    print(resolve(Experiment(dataset="ecg", seed=2)))  # says whether the data are real or simulated

The functions that run an experiment resolve it themselves.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from emargin.config import CORE, RECORDED, Experiment
from emargin.data.catalogue import DATASETS, Entry, Settings, entry_of, settings_of
from emargin.data.checksums import files_digest
from emargin.errors import InputError
from emargin.fields import known
from emargin.methods import METHODS, declaration, name_of

QUICK_ITERATIONS, QUICK_LENGTH = 40, 100  # the quick profile: the same code on simulators, smaller

P = ParamSpec("P")
R = TypeVar("R")


def resolve(experiment: Experiment | type) -> Resolved:
    """Return the experiment with every value settled; a resolved one as it is.

    Parameters
    ----------
    experiment
        What is asked; or the class of a method, with all else at its default.

    Raises
    ------
    InputError
        For an unknown data set, method or setting, or a value that the method does not allow.
    MissingData
        For a set of the UCR archive that is not there and whose size is not known.
    """
    if isinstance(experiment, Resolved):
        return experiment
    asked = Experiment(method=experiment) if isinstance(experiment, type) else experiment
    return Resolved(**vars(asked))


def resolving(function: Callable[Concatenate[Experiment, P], R]) -> Callable[Concatenate[Experiment, P], R]:
    """Let a function take an experiment as its first argument that is not resolved yet."""

    @functools.wraps(function)
    def resolved(experiment: Experiment, *values: P.args, **named: P.kwargs) -> R:
        return function(resolve(experiment), *values, **named)

    return resolved


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Resolved(Experiment):
    """An experiment with the values that it runs with; its text says what was chosen.

    `dataclasses.replace` and `for_method` give resolved ones, too.
    """

    def __init__(self, *values: Any, **named: Any):
        super().__init__(*values, **named)
        self._set("method", name_of(self.method))
        if ":" not in self.method:
            known("method", self.method, METHODS)
        self._complete_data(self._source())
        self._complete_method()

    def _source(self) -> Settings:
        """The catalogue's entry; settles `source` and `quick` on the way."""
        entry = entry_of(self.dataset)
        if self.source == "auto":
            there = entry.reader is not None and entry.folder.is_dir()
            self._set("source", "real" if there or entry.simulator is None else "simulated")
        if self.source == "real" and entry.reader is None:
            raise InputError(
                "no real recordings behind this name",
                found=self.dataset,
                wanted=", ".join(sorted(name for name, other in DATASETS.items() if other.reader)),
                todo="choose one of these, or source simulated",
            )
        if self.source == "simulated" and entry.simulator is None:
            raise InputError(
                "no simulator for this data set",
                found=self.dataset,
                wanted=", ".join(name for name, other in DATASETS.items() if not other.reader),
            )
        if self.source == "real":
            self._set("quick", False)
        return settings_of(self.dataset)

    def _complete_data(self, settings: Settings) -> None:
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
        if self.iterations is None:
            self._set("iterations", QUICK_ITERATIONS if self.quick else settings.iterations)
        length = self.sequence_length
        if length is None:
            length = min(QUICK_LENGTH, settings.sequence_length) if self.quick else settings.sequence_length
            self._set("sequence_length", length)
        if self.stride is None:
            overlapping = settings.stride < settings.sequence_length
            self._set("stride", min(settings.stride, length) if overlapping else length)

    def _complete_method(self) -> None:
        declared = declaration(self.method)
        if self.fidelity not in declared.fidelities:
            raise InputError(
                f"{self.method} has no such fidelity",
                found=self.fidelity,
                wanted=" or ".join(declared.fidelities),
                todo=f"choose fidelity {declared.fidelities[0]}",
            )
        if declared.untrained:
            self._set("iterations", 0)
        fields = declared.fields_of(self.fidelity)
        for name in self.settings:
            if name not in fields:
                self._refuse(name, list(fields), known_elsewhere=name in RECORDED or name in declared.fields)
        for name, field in fields.items():
            value = vars(self).get(name)
            if value is None:
                value = field.default_of(self.fidelity)
            self._set(name, None if value is None else field.checked(name, value, self.fidelity))

    def _refuse(self, name: str, fields: list[str], *, known_elsewhere: bool) -> None:
        if known_elsewhere:
            raise InputError(
                f"{name} has no meaning for {self.method}, fidelity {self.fidelity}",
                found=getattr(self, name),
                wanted=f"one of its settings: {', '.join(fields)}" if fields else "nothing: it has no settings",
                todo=f"leave {name} out",
            )
        known("parameter", name, [*CORE, *fields])

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for all fields that have a value, on every machine.

        A folder with the reader's own recordings goes by the checksum of its content.
        """
        values = {name: value for name, value in vars(self).items() if value is not None}
        entry = entry_of(self.dataset)
        if entry.is_folder:
            values["dataset"] = _content(entry)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def for_method(self, method: str | type, fidelity: str = "released") -> Self:
        """Return the same data, seed and training for another method, whose settings are its own.

        The number of steps of a method without training is not taken over.
        """
        asked = Experiment(**{name: getattr(self, name) for name in CORE})
        if declaration(self.method).untrained:
            asked = replace(asked, iterations=None)
        return type(self)(**vars(asked.for_method(method, fidelity)))

    def __str__(self) -> str:
        method = " ".join(
            str(part)
            for part in (self.method, self.fidelity, self.reading, self.labels and f"labels {self.labels}")
            if part
        )
        profile = "quick profile, " if self.quick else ""
        control = f", surrogate {self.surrogate}" if self.surrogate else ""
        fold = f"fold {self.fold}" + (f", split {self.split}" if self.split else "")
        return (
            f"{self.dataset} ({self.source} data{control}, {profile}protocol {self.protocol}, {fold}), "
            f"{method}, seed {self.seed}, {self.iterations} iterations"
        )


def _content(entry: Entry) -> str:
    files = sorted(entry.paths)
    stats = [path.stat() for path in files]
    return _checksum(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in zip(files, stats, strict=True)))


@functools.cache
def _checksum(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Read once what has not changed since."""
    return files_digest(path for path, *_ in files)
