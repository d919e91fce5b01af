"""What a method declares: from its class, or from the text of its file, which needs no torch."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from emargin.config import CHOICES, CORE, FIDELITIES, Experiment
from emargin.errors import InputError, unreadable
from emargin.fields import KINDS, Field, known

if TYPE_CHECKING:
    from emargin.methods.base import Method


@dataclass(frozen=True)
class Declaration:
    """The class attributes by which a method says what it is.

    Attributes
    ----------
    title : str
        Its name in tables, as in the paper's.
    summary : str
        A line for `emargin methods`.
    untrained : bool
        It takes no optimiser step.
    fidelities : tuple of str
        Those in which the method exists.
    encoders : tuple of str
        Those that an experiment may name in the place of the method's own.
    clustered_alone : tuple of str
        The fidelities in which frames are clustered as they are encoded one at a time, without their sequence.
    fields : mapping of str to Field
        Its settings, by name.
    """

    title: str
    summary: str = ""
    untrained: bool = False
    fidelities: tuple[str, ...] = FIDELITIES
    encoders: tuple[str, ...] = CHOICES["encoder"]
    clustered_alone: tuple[str, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)

    def fields_of(self, fidelity: str) -> dict[str, Field]:
        """Return the settings that the method has in a fidelity, by name."""
        return {name: declared for name, declared in self.fields.items() if declared.has(fidelity)}


DECLARED = tuple(Declaration.__dataclass_fields__)


def of_class(method: type[Method]) -> Declaration:
    """Return what a class declares.

    Raises
    ------
    InputError
        For a class that is no method, or whose declaration cannot be used.
    """
    from emargin.methods.base import Method  # imports torch

    place = f"{method.__module__}:{method.__qualname__}"
    what = f"the method {place} has no"
    if not issubclass(method, Method):
        extended = f"a class that extends {', '.join(base.__name__ for base in method.__bases__)}"
        raise InputError(f"{place} is no method", found=extended, wanted="a class that extends emargin.methods.Method")
    values = {name: getattr(method, name) for name in DECLARED if hasattr(method, name)}
    title = values.get("title")
    if not isinstance(title, str):
        todo = f'write title = "{method.__name__}" into the class'
        raise InputError(f"{what} title", found=title, wanted="its name in tables", todo=todo)
    if method.loss is Method.loss and not method.untrained:
        wanted = "a function loss(self, batch, generator) that returns a scalar and measurements"
        raise InputError(f"{what} loss", wanted=wanted, todo="write one into the class, or untrained = True")
    return _checked(values, place)


@cache
def of_source(place: str) -> Declaration:
    """Return what the class at "package.module:Class" declares, by the syntax tree of its module, which is not run.

    Raises
    ------
    InputError
        For a declaration that is no literal.
    """
    values = _assigned(*place.split(":"))
    return _checked({name: _literal(values[name], place) for name in DECLARED if name in values}, place)


def imported(place: str) -> type[Method]:
    """Import the class at "package.module:Class".

    Raises
    ------
    InputError
        Where the module cannot be imported, or has no such class.
    """
    module_name, _, class_name = place.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module of the reader's own can fail in any way
        what, todo = f"the module of the method {place} cannot be imported", f"try: python -c 'import {module_name}'"
        wanted = "a module that Python can import, such as a file in the folder where you are"
        raise unreadable(what, error, wanted, todo) from error
    method = getattr(module, class_name, None)
    if not isinstance(method, type):
        what = f"no class {class_name!r} in the module of the method {place}"
        there = [name for name, value in vars(module).items() if isinstance(value, type) and not name.startswith("_")]
        classes = f"the classes {', '.join(there)}" if there else "no class"
        wanted = 'a method\'s class as "package.module:Class"'
        top = "define it at the top of a module, which a new process can import"
        raise InputError(what, found=classes, wanted=wanted, todo=top if module_name == "__main__" else None)
    return method


def _checked(values: dict[str, Any], place: str) -> Declaration:
    """Return the declaration with these values. Raise InputError for values that cannot be used."""
    declared = Declaration(**values)
    if not isinstance(declared.fields, Mapping):
        raise InputError(f"fields of the method {place}", found=repr(declared.fields), wanted="a dictionary of Field")
    if not isinstance(declared.fidelities, tuple) or not declared.fidelities:
        wanted = f"a tuple of {' and '.join(FIDELITIES)}, or of one"
        raise InputError(f"fidelities of the method {place}", found=repr(declared.fidelities), wanted=wanted)
    for fidelity in declared.fidelities:
        known(f"fidelity of the method {place}", fidelity, FIDELITIES)
    if not isinstance(declared.encoders, tuple):
        wanted = f"a tuple of {' and '.join(CHOICES['encoder'])}, of one, or of none"
        raise InputError(f"encoders of the method {place}", found=repr(declared.encoders), wanted=wanted)
    for name in declared.encoders:
        known(f"encoder of the method {place}", name, CHOICES["encoder"])
    for name, setting in declared.fields.items():
        what = f"the field {name!r} of the method {place}"
        if complaint := _complaint(name, setting):
            raise InputError(f"{what} {complaint[0]}", found=complaint[1], wanted=complaint[2])
        for fidelity in chain(*(part for part in (setting.default, setting.choices) if isinstance(part, Mapping))):
            known(f"fidelity in {what}", fidelity, FIDELITIES)
        for fidelity in filter(setting.has, FIDELITIES):
            if setting.default_of(fidelity) is not None:
                setting.checked(f"the default of {what}", setting.default_of(fidelity), fidelity)
    return declared


def _complaint(name: object, setting: Field) -> tuple[str, str, str] | None:
    """Return what is wrong with a field, the value found and the value wanted; None where it can be used."""
    if not isinstance(setting, Field):
        return "is no Field", repr(setting), f"Field(float, default={setting!r})"
    if not isinstance(name, str) or not name.isidentifier() or iskeyword(name) or name[0] == "_":
        return "cannot be named so", repr(name), "a name as in Python, without _ first"
    if hasattr(Experiment, name):
        free = f"another name, none of {', '.join(CORE)}, nor a method of Experiment"
        return "clashes with what every experiment has", name, free
    if setting.kind not in KINDS:
        return "has no plain type", repr(setting.kind), ", ".join(kind.__name__ for kind in KINDS)
    return None


def _assigned(module: str, name: str) -> dict[str, ast.expr]:
    """Return what a class of this package and those that it extends assign, by name: expressions."""
    values: dict[str, ast.expr] = {}
    package, _, file = module.rpartition(".")
    for node in ast.parse(pkgutil.get_data(package, f"{file}.py") or "").body:
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return _assigned(node.module, name)
        if isinstance(node, ast.ClassDef) and node.name == name:
            for base in reversed(node.bases):
                values |= _assigned(module, base.id) if isinstance(base, ast.Name) else {}
            lines = [line for line in node.body if isinstance(line, ast.Assign)]
            values |= {ast.unparse(line.targets[0]): line.value for line in lines}
    return values


def _literal(node: ast.expr, place: str) -> Any:
    """Return the value of an expression, to which no names are known but `Field` and the types of settings."""
    names = {kind.__name__: kind for kind in (Field, *KINDS)}
    try:
        return eval(compile(ast.Expression(node), place, "eval"), {"__builtins__": names})
    except (AttributeError, NameError, TypeError) as error:
        what = f"the declaration of the method {place} cannot be read without running it"
        wanted = "numbers, text, tuples, dictionaries and Field"
        raise InputError(what, found=ast.unparse(node), wanted=wanted, todo="write the values out") from error
