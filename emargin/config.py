"""Experiment: what a run is asked to do, as plain data. What it leaves open, `emargin.resolve` fills in."""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self, TypeAlias, get_args, get_type_hints

from emargin.errors import InputError, shown
from emargin.fields import Plain, in_range, known, plain, typed

# None until the experiment is resolved. Code that runs has a resolved experiment, so to it such a value is never None.
Open: TypeAlias = Any

FIDELITIES = ("released", "original")
PROTOCOLS = ("original", "released")
CHOICES = {
    "fidelity": FIDELITIES,
    "protocol": PROTOCOLS,
    "source": ("auto", "real", "simulated"),
    "surrogate": ("phase", "frames"),
    "split": ("validation", "everyone"),
    "quality": ("refuse", "cut", "split"),
    "encoder": ("context", "context-small"),
}
BOUNDS: dict[str, dict[str, float | None]] = {
    "temperature": {"least": 1e-6},
    "learning_rate": {"above": 0},
    "weight_decay": {"least": 0},
    "iterations": {"least": 0},
    "seed": {"least": 0, "below": 2**32},
    **{name: {"least": 1} for name in ("fold", "batch_size", "hop", "sequence_length", "stride")},
    "n_fft": {"least": 1, "most": 2**16},
}
INJECTED = "# Parameters\n"  # how the cell begins that papermill puts after a page's own
# Settings of methods that every row and record names; None where the method has no such setting.
RECORDED = ("reading", "labels", "sides", "scope", "margin", "threshold", "weight", "label_share")


class NoSetting(InputError, AttributeError):
    """An experiment was asked for a setting that it does not name."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Experiment:
    """What is asked of a run. Two that ask the same are equal, on every machine.

    Any keyword that is no parameter below is a setting of the method, which declares the settings that it has
    (`emargin methods` lists them)::

        Experiment(dataset="mitbih", method="emargin", margin=3, threshold=0.2).margin

    `emargin.resolve.resolve` puts the value of the data set or of the method where a field is None, and only then are
    names of data sets, methods and settings checked.

    Parameters
    ----------
    dataset : str
        A name of the catalogue, `ucr-NAME`, or the path of a folder with the reader's own recordings.
    source : {"auto", "real", "simulated"}
        "auto" stands for the real recordings where their files are there, and for the simulator of that name elsewhere.
    protocol : {"original", "released"}
        How data are joined, split and standardised.
    fold : int
        Which of the data set's splits, from 1.
    method : str or type
        What is trained: a name, the place of a class, "package.module:Class", or the class itself, which goes by its
        place.
    fidelity : {"released", "original"}
        As the released code computes the method, or as its own paper defines it.
    seed : int
        What the weights, the order of batches and the method's draws start from.
    quick : bool
        The quick profile; it belongs to the simulators alone and is switched off for real data.
    temperature : float, optional
        tau, which the loss divides cosines by.
    iterations : int, optional
        Optimiser steps (0 for untrained methods).
    batch_size : int
        Sequences in the batch of a step.
    learning_rate : float
        The step size of AdamW.
    weight_decay : float
        How fast AdamW draws weights to 0, as a multiple of the step size.
    n_fft : int, optional
        Window of the STFT, in samples.
    hop : int, optional
        Step from a window of the STFT to the next, in samples.
    sequence_length : int, optional
        T, the frames of a sequence.
    stride : int, optional
        Frames from the start of a sequence to the start of the next.
    surrogate : {"phase", "frames"}, optional
        A control made of the recordings: their Fourier phases at random, or their frames in random order. By default
        the recordings themselves.
    split : {"validation", "everyone"}, optional
        "validation": people held out of the training side take the test side's place. "everyone": the people of the
        set are dealt into folds of its own, so that over all folds every person is tested once (protocol `original`).
        By default the test side of the set's split.
    quality : {"refuse", "cut", "split"}, optional
        What happens to bad samples (`emargin.data.quality`): an error; or frames without them, with gaps; or a
        recording of each stretch between them. By default an error where they are certainly no measurement.
    encoder : {"context", "context-small"}, optional
        What embeds the frames: the dilated network of TS2Vec, which sees neighbours, or the same with about as many
        parameters as the frame encoder. By default the method's own, for most the frame encoder.
    settings : mapping of str to str, int, float, bool or None
        Settings of the method, instead of single keywords or beside them.

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
    temperature: float | Open = None
    iterations: int | Open = None
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    n_fft: int | Open = None
    hop: int | Open = None
    sequence_length: int | Open = None
    stride: int | Open = None
    surrogate: str | None = None
    split: str | None = None
    quality: str | None = None
    encoder: str | None = None

    def _settings(self) -> dict[str, Plain]:
        """Return the settings of the method that are named, without those of `RECORDED` that have no value."""
        named = {name: value for name, value in vars(self).items() if name not in CORE}
        return {name: value for name, value in named.items() if value is not None or name not in RECORDED}

    # Each setting is kept by its name. As a field of the class, `dataclasses.replace` hands them over.
    settings: Mapping[str, Plain] = property(_settings)  # type: ignore[assignment]

    def __init__(self, /, *values: Any, **named: Any):
        if len(values) > len(CORE):
            raise TypeError(f"Experiment takes at most {len(CORE)} values without a name, {len(values)} given")
        settings = named.pop("settings", {})
        if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
            what, wanted = "settings have the wrong type", "a mapping of names to values"
            raise InputError(what, found=shown(settings), wanted=wanted)
        given = dict(settings) | dict(**dict(zip(CORE, values, strict=False)), **named)
        if isinstance(given.get("method"), type):
            given["method"] = reference(given["method"])
        for name, field in FIELDS.items():
            self._set(name, _core(name, given.pop(name, field.default)))
        for name in (*RECORDED, *sorted(given.keys() - set(RECORDED))):
            value = plain(given.get(name))
            if hasattr(Experiment, name):
                wanted = "a name that is no attribute of Experiment"
                raise InputError(f"{name!r} can be no setting", found=shown(value), wanted=wanted)
            if not isinstance(value, Plain):
                wanted = "text, a number, True, False or None"
                raise InputError(f"{name} has the wrong type", found=shown(value), wanted=wanted)
            self._set(name, value)

    def _set(self, name: str, value: Plain) -> None:
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        named = ", ".join(self.settings) if "method" in self.__dict__ else None
        wanted = "a setting that its method declares"
        raise NoSetting(f"no setting {name!r} in this experiment", found=named, wanted=wanted)

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Experiment) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset((vars(self) | {"dataset": ""}).items()))  # a folder may be named by several paths

    def __repr__(self) -> str:
        usual = vars(Experiment())
        named = [f"{name}={value!r}" for name, value in vars(self).items() if value != usual.get(name)]
        return f"{type(self).__name__}({', '.join(named)})"

    @property
    def digest(self) -> str:
        """Return sixteen hexadecimal digits that stand for all values of a resolved experiment.

        Raises
        ------
        InputError
            For an experiment that is not resolved.
        """
        what, asked = "an experiment has a digest once its values are settled", f"{self!r}, which is not resolved"
        wanted, todo = "a resolved experiment", "call emargin.resolve.resolve on it"
        raise InputError(what, found=asked, wanted=wanted, todo=todo)

    def for_method(self, method: str | type, fidelity: str = "released") -> Self:
        """Return the same data, seed and training for another method, whose settings are left to it.

        Parameters
        ----------
        method : str or type
            As for an experiment, likewise the fidelity.
        fidelity : {"released", "original"}

        Returns
        -------
        Experiment
        """
        core = {name: getattr(self, name) for name in CORE}
        return type(self)(**core | {"method": method, "fidelity": fidelity})

    def to_json(self) -> str:
        """Return all fields and settings as a JSON object."""
        return json.dumps(vars(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the experiment that `to_json` wrote.

        Raises
        ------
        InputError
            For text that is no JSON object, and as for an experiment.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # brackets within brackets without end
            found = f"{type(error).__name__}: {error}"
            raise InputError("an experiment cannot be read", found=found, wanted="a JSON object") from error
        if not isinstance(values, dict):
            raise InputError("an experiment cannot be read", found=shown(values), wanted="a JSON object")
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Plain]) -> Self:
        """Return the experiment with these values, by name."""
        return cls(**values)

    @classmethod
    def from_notebook(cls, names: Mapping[str, Any]) -> Self:
        """Return the experiment of a notebook's `globals()`, straight after its parameters cell.

        Every name that the cells before assign is a parameter, those too that papermill injects with no more than a
        warning: one that is misspelt, or is a list, is refused here or by `resolve`, and a warning names one that the
        page's own cell does not have. Where the cells are not known, as
        in a script or under nbval, all names count that stand for data and are not imported.
        """
        cells = names.get("_ih")  # the text of each cell that ran, the present one last; IPython keeps it
        if isinstance(cells, list) and any("from_notebook" in cell for cell in cells):
            given = {name for name in _assigned(cells) if name in names}
            own = set(_assigned(cell for cell in cells if not cell.startswith(INJECTED)))
            if others := sorted(given - own):
                what = f"{', '.join(others)}: not among the parameters of this page, which are {', '.join(sorted(own))}"
                warnings.warn(f"{what}; it has an effect only where the page trains or loads data", stacklevel=2)
        else:
            public = {name: value for name, value in names.items() if name[0] != "_" and name not in ("In", "Out")}
            given = {name for name, value in public.items() if isinstance(value, Plain) or not _imported(value)}
        return cls.from_dict({name: names[name] for name in sorted(given)})


def _imported(value: object) -> bool:
    """Return whether a value is a module, or was defined in some module but the one that runs."""
    modules = [module for name, module in list(sys.modules.items()) if name != "__main__" and module is not None]
    return (
        callable(value)
        or isinstance(value, ModuleType)
        or any(value is held for module in modules for held in list(vars(module).values()))
    )


def _assigned(cells: Iterable[str]) -> Iterator[str]:
    """Yield the names that cells assign before `from_notebook` is called first, and in later cells of values alone."""
    called = False
    for cell in cells:
        try:
            lines = ast.parse(cell).body
        except SyntaxError:  # so it did not run
            continue
        values = all(isinstance(line, ast.Assign | ast.AnnAssign) for line in lines) and not any(
            isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != "float"  # float("nan")
            for line in lines
            for node in ast.walk(line)
        )
        for line in lines:
            called = called or "from_notebook" in ast.unparse(line)
            if not isinstance(line, ast.FunctionDef | ast.ClassDef) and (values or not called):
                nodes = ast.walk(line)
                yield from (node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


FIELDS = {field.name: field for field in dataclasses.fields(Experiment) if field.name != "settings"}
CORE = tuple(FIELDS)
_TYPES = get_type_hints(Experiment)


def reference(method: type) -> str:
    """Return the place of a class, "package.module:Class".

    Raises
    ------
    InputError
        For a class that Python does not find there, such as a class that was defined within a function.
    """
    place = f"{method.__module__}:{method.__qualname__}"
    if getattr(sys.modules.get(method.__module__), method.__qualname__, None) is not method:
        what, there = f"the class {method.__qualname__} cannot be named", f"another thing or nothing at {place}"
        wanted = "a class at the top of its module or notebook, and its last definition"
        raise InputError(what, found=there, wanted=wanted, todo="define it there, and hand over the class of that name")
    return place


def _core(name: str, value: Plain) -> Plain:
    """Return the value of a field in its type, checked for what can be said without data set and method."""
    kind, *optional = get_args(_TYPES[name]) or (_TYPES[name],)
    if value is None and optional:
        return None
    value = typed(name, kind, value)
    if value == "":
        raise InputError(f"{name} is empty", found="''", wanted="a name")
    if name in CHOICES:
        known(name, value, CHOICES[name])
    in_range(name, value, **BOUNDS.get(name, {}))
    return value
