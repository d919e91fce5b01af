"""From what is asked to what is run: fill in an experiment from the catalogue and from its method.

    print(resolve(Experiment(dataset="ecg", seed=2)))  # says whether the data are real or simulated

The functions that run an experiment resolve it themselves.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from emargin.config import CORE, RECORDED, Experiment
from emargin.data.catalogue import DATASETS, Settings, entry_of, settings_of
from emargin.data.checksums import FileState, files_digest, state_of
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
    experiment : Experiment or type
        What is asked; or the class of a method, with all else at its default.

    Returns
    -------
    Resolved

    Raises
    ------
    InputError
        For an unknown data set, method or setting, or a value that the method does not allow.
    MissingData
        For a set of the UCR archive that is not there and whose size is not known.
    """
    if isinstance(experiment, Resolved):
        return experiment
    return Resolved(**vars(Experiment(method=experiment) if isinstance(experiment, type) else experiment))


def resolving(function: Callable[Concatenate[Experiment, P], R]) -> Callable[Concatenate[Experiment, P], R]:
    """Return the function, with its first argument, an experiment, resolved on the way in."""

    @functools.wraps(function)
    def resolved(experiment: Experiment, *values: P.args, **named: P.kwargs) -> R:
        return function(resolve(experiment), *values, **named)

    return resolved


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Resolved(Experiment):
    """An experiment with the values that it runs with; `str` of it says what was chosen.

    What `dataclasses.replace` and `for_method` make of it is resolved, too. Parameters and errors are those of
    `Experiment` and `resolve`.
    """

    def __init__(self, /, *values: Any, **named: Any):
        super().__init__(*values, **named)
        self._set("method", name_of(self.method))
        if ":" not in self.method:
            known("method", self.method, METHODS)
        self._complete_data(self._source())
        self._complete_method()

    @classmethod
    def settled(cls, text: str) -> Self:
        """Return the experiment that `to_json` of a resolved one wrote, as it is: its data need not be there.

        Parameters
        ----------
        text : str

        Raises
        ------
        InputError
            As `Experiment.from_json`, and for an unknown method.
        """
        asked = Experiment.from_json(text)
        if ":" not in asked.method:
            known("method", asked.method, METHODS)
        experiment = cls.__new__(cls)
        Experiment.__init__(experiment, **vars(asked))
        return experiment

    def _source(self) -> Settings:
        """Return the catalogue's settings of the data set; settle `source` and `quick` on the way."""
        entry = entry_of(self.dataset)
        if self.source == "auto":
            has_files = entry.reader is not None and entry.folder.is_dir()
            self._set("source", "real" if has_files or entry.simulator is None else "simulated")
        real = self.source == "real"
        if (entry.reader if real else entry.simulator) is None:
            what = "no real recordings behind this name" if real else "no simulator for this data set"
            names = ", ".join(name for name, listed in DATASETS.items() if bool(listed.reader) == real)
            raise InputError(what, found=self.dataset, wanted=names, todo="choose one of these, or another source")
        if real:
            self._set("quick", False)
        return settings_of(self.dataset)

    def _complete_data(self, settings: Settings) -> None:
        for name in ("n_fft", "hop", "temperature"):
            if getattr(self, name) is not None and getattr(settings, name) is None:
                raise self._without_meaning(name, f"{self.dataset}: its frames are no STFT", "nothing")
        usual = settings.sequence_length
        length = self.sequence_length or (min(QUICK_LENGTH, usual) if self.quick else usual)
        defaults = {
            "n_fft": settings.n_fft,
            "hop": settings.hop,
            "temperature": settings.temperature,
            "iterations": QUICK_ITERATIONS if self.quick else settings.iterations,
            "sequence_length": length,
            "stride": min(settings.stride, length) if settings.stride < usual else length,
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                self._set(name, value)

    def _complete_method(self) -> None:
        declared = declaration(self.method)
        if self.fidelity not in declared.fidelities:
            wanted, todo = " or ".join(declared.fidelities), f"choose fidelity {declared.fidelities[0]}"
            raise InputError(f"{self.method} has no such fidelity", found=self.fidelity, wanted=wanted, todo=todo)
        if self.encoder is not None and self.encoder not in declared.encoders:
            what, wanted = f"{self.method} cannot use this encoder", " or ".join(declared.encoders) or "its own alone"
            raise InputError(what, found=self.encoder, wanted=wanted, todo="leave encoder out")
        if declared.untrained:
            self._set("iterations", 0)
        fields = declared.fields_of(self.fidelity)
        for name in self.settings:
            if name not in fields and (name in RECORDED or name in declared.fields):
                wanted = f"one of its settings: {', '.join(fields)}" if fields else "nothing: it has no settings"
                raise self._without_meaning(name, f"{self.method}, fidelity {self.fidelity}", wanted)
            known("parameter", name, [*CORE, *fields])
        for name, field in fields.items():
            value = vars(self).get(name)
            value = field.default_of(self.fidelity) if value is None else value
            self._set(name, None if value is None else field.checked(name, value, self.fidelity))

    def _without_meaning(self, name: str, place: str, wanted: str) -> InputError:
        what, todo = f"{name} has no meaning for {place}", f"leave {name} out"
        return InputError(what, found=getattr(self, name), wanted=wanted, todo=todo)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for all fields that have a value, on every machine.

        A folder with the reader's own recordings goes by the checksum of its content.
        """
        values = {name: value for name, value in vars(self).items() if value is not None}
        entry = entry_of(self.dataset)
        if entry.is_folder:
            values["dataset"] = _checksum(tuple(map(state_of, sorted(entry.paths))))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        """Return whether both are one experiment; a folder is the same by whatever path it is named."""
        if not isinstance(other, Resolved) or vars(self) == vars(other):
            return super().__eq__(other)
        return vars(self) | {"dataset": other.dataset} == vars(other) and self.digest == other.digest

    __hash__ = Experiment.__hash__

    def for_method(self, method: str | type, fidelity: str = "released") -> Self:
        """Return the same data, seed and training for another method, whose settings are left to it.

        The number of steps of a method without training is not taken over. Parameters are those of
        `Experiment.for_method`.
        """
        core = {name: getattr(self, name) for name in CORE}
        if declaration(self.method).untrained:
            core["iterations"] = None
        return type(self)(**core | {"method": method, "fidelity": fidelity})

    def __str__(self) -> str:
        labels = f"labels {self.labels}" if self.labels else None
        encoder = f"encoder {self.encoder}" if self.encoder else None
        method = " ".join(part for part in (self.method, self.fidelity, self.reading, labels, encoder) if part)
        control = f", surrogate {self.surrogate}" if self.surrogate else ""
        profile = "quick profile, " if self.quick else ""
        split = f", split {self.split}" if self.split else ""
        quality = f", quality {self.quality}" if self.quality else ""
        data = f"{self.source} data{control}, {profile}protocol {self.protocol}, fold {self.fold}{split}{quality}"
        return f"{self.dataset} ({data}), {method}, seed {self.seed}, {self.iterations} iterations"


@functools.cache
def _checksum(files: tuple[FileState, ...]) -> str:
    """Return the checksum of files as they are: read again once one of them has changed."""
    return files_digest(path for path, *_ in files)
