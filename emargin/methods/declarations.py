"""What a method declares: from its class, or from the text of its file, which needs no torch."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from keyword import iskeyword
from typing import TYPE_CHECKING

from emargin.config import CORE, FIDELITIES, Experiment
from emargin.errors import InputError
from emargin.fields import KINDS, Field, known

if TYPE_CHECKING:
    from emargin.methods.base import Method


@dataclass(frozen=True)
class Declaration:
    """The class attributes by which a method says what it is.

    title: as in the paper's tables. summary: one line for `emargin methods`. untrained: takes no optimiser step.
    fidelities: in which the method exists. fields: its settings, by name.
    """

    title: str
    summary: str = ""
    untrained: bool = False
    fidelities: tuple[str, ...] = FIDELITIES
    fields: Mapping[str, Field] = field(default_factory=dict)

    def fields_of(self, fidelity: str) -> dict[str, Field]:
        """Return the settings that the method has in a fidelity."""
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
    if not issubclass(method, Method):
        raise InputError(
            f"{place} is no method",
            found=f"a class that extends {', '.join(base.__name__ for base in method.__bases__)}",
            wanted="a class that extends emargin.methods.Method",
        )
    if not isinstance(getattr(method, "title", None), str):
        raise InputError(
            f"the method {place} has no title",
            found=getattr(method, "title", None),
            wanted="its name in tables",
            todo=f'write title = "{method.__name__}" into the class',
        )
    if method.loss is Method.loss and not method.untrained:
        raise InputError(
            f"the method {place} has no loss",
            wanted="a function loss(self, batch, generator) that returns a scalar and measurements",
            todo="write one into the class, or untrained = True",
        )
    found = Declaration(**{name: getattr(method, name) for name in DECLARED if hasattr(method, name)})
    _check(found, place)
    return found


def of_source(place: str) -> Declaration:
    """Return what the class at "package.module:Class" declares, by the syntax tree of its module, which is not run.

    Raises
    ------
    InputError
        For a declaration that is no literal.
    """
    found: dict[str, object] = {}
    for module, node in _lineage(*place.split(":")):
        for name, value in _assignments(node):
            if name in DECLARED and name not in found:
                found[name] = _literal(value, f"{module}:{node.name}")
    declared = Declaration(**found)  # type: ignore[arg-type]
    _check(declared, place)
    return declared


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
        raise InputError(
            f"the module of the method {place} cannot be imported",
            found=f"{type(error).__name__}: {error}",
            wanted="a module that Python can import, such as a file in the folder where you are",
            todo=f"try: python -c 'import {module_name}'",
        ) from error
    method = getattr(module, class_name, None)
    if not isinstance(method, type):
        there = [name for name, value in vars(module).items() if isinstance(value, type) and not name.startswith("_")]
        raise InputError(
            f"no class {class_name!r} in the module of the method {place}",
            found=f"the classes {', '.join(there)}" if there else "no class",
            wanted='a method\'s class as "package.module:Class"',
            todo="define it at the top of a module, which a new process can import"
            if module_name == "__main__"
            else None,
        )
    return method


def _check(declared: Declaration, place: str) -> None:
    """Raises InputError for a declaration that cannot be used."""
    if not isinstance(declared.fields, Mapping):
        raise InputError(f"fields of the method {place}", found=repr(declared.fields), wanted="a dictionary of Field")
    for fidelity in declared.fidelities:
        known(f"fidelity of the method {place}", fidelity, FIDELITIES)
    for name, declared_field in declared.fields.items():
        what = f"the field {name!r} of the method {place}"
        if not isinstance(declared_field, Field):
            raise InputError(
                f"{what} is no Field", found=repr(declared_field), wanted=f"Field(float, default={declared_field!r})"
            )
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name) or name[0] == "_":
            raise InputError(
                f"{what} cannot be named so", found=repr(name), wanted="a name as in Python, without _ first"
            )
        if hasattr(Experiment, name):
            raise InputError(
                f"{what} clashes with what every experiment has",
                found=name,
                wanted=f"a name that is none of {', '.join(CORE)}, nor a method of Experiment",
                todo="give it another name",
            )
        if declared_field.kind not in KINDS:
            raise InputError(
                f"{what} has no plain type",
                found=repr(declared_field.kind),
                wanted=", ".join(kind.__name__ for kind in KINDS),
            )
        for by_fidelity in (declared_field.default, declared_field.choices):
            if isinstance(by_fidelity, Mapping):
                for fidelity in by_fidelity:
                    known(f"fidelity in {what}", fidelity, FIDELITIES)
        for fidelity in FIDELITIES:
            if declared_field.has(fidelity) and declared_field.default_of(fidelity) is not None:
                declared_field.checked(f"the default of {what}", declared_field.default_of(fidelity), fidelity)


def _lineage(module: str, name: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """A class of this package and those it extends, with their modules, the class itself first."""
    tree = _tree(module)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield module, node
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield from _lineage(module, base.id)
        elif isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            yield from _lineage(node.module, name)


@cache
def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    source = spec and spec.loader and spec.loader.get_source(module)  # type: ignore[attr-defined]
    return ast.parse(source or "")


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, line.value
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
            yield line.target.id, line.value


def _literal(node: ast.expr, place: str) -> object:
    """The value of an expression made of literals, types and `Field(...)`."""
    if isinstance(node, ast.Dict) and len(keys := [key for key in node.keys if key is not None]) == len(node.keys):
        return {_literal(key, place): _literal(value, place) for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Field.__name__:
        named = {keyword.arg: _literal(keyword.value, place) for keyword in node.keywords if keyword.arg}
        return Field(*(_literal(value, place) for value in node.args), **named)  # type: ignore[arg-type]
    if isinstance(node, ast.Name) and node.id in (names := {kind.__name__: kind for kind in KINDS}):
        return names[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise InputError(
            f"the declaration of the method {place} cannot be read without running it",
            found=ast.unparse(node),
            wanted="numbers, text, tuples, dictionaries and Field",
            todo="write the values out",
        ) from error
