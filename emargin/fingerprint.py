"""Fingerprints of the code behind a cell: what makes its rows stale, and what does not.

A cell has stages: its data, its training, and each metric of its evaluation. The fingerprint of a stage is a hash of
the syntax trees of all top-level definitions (functions, classes, constants) that the stage reaches by name from its
roots. It does not see docstrings, comments, annotations, imports, assertions, the wording of errors and warnings, the
names of files, modules, definitions and local variables, or the layout of the text. A statement that calls a function
named `check_...`, and takes no value from it, counts as an assertion does: it can stop a run, not change its numbers.
Where a field of the experiment picks a branch (`experiment.fidelity == "released"`) or an entry of a table
(`ENCODERS[experiment.encoder]`), only what it picks counts.

Names are followed as the text has them. What a name is at run time only is named here: the method, the reader of the
data set, the metric. Calls on objects are followed through annotations: `train: Sequences` reaches the class.
"""

import ast
import builtins
import hashlib
import importlib.util
import inspect
import linecache
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from emargin.errors import InputError

PACKAGE = __name__.partition(".")[0]
# Of a class: words, what the digest says, and what its training does not ask.
METADATA = {"title", "summary", "fields", "fidelities", "encoders", "clustered_alone"}
FACTS_OF = ("experiment", "self.experiment", "settings", "settings_of(experiment.dataset)")
SAME, DIFFERENT = ast.Eq | ast.Is, ast.NotEq | ast.IsNot  # a field, and a constant
INSTALLED = {"site-packages", "dist-packages"}  # folders of the reader's environment, of a system's, of a user's
CHECK = "check_"  # what a name starts with that returns nothing and changes nothing, but may raise
ROOT = Path(__file__).resolve().parents[1]  # the folder that the package lies in


@dataclass(frozen=True)
class Stage:
    """What a fingerprint is made of.

    Parameters
    ----------
    roots : tuple of str
        Definitions to start from, as "module:name".
    left_out : frozenset of str
        Definitions that are not followed: a change of theirs is no change of the stage.
    facts : mapping of str to str
        Values of the experiment's fields that pick branches.
    value : str
        Further text that counts, such as settings that the code is called with.
    """

    roots: tuple[str, ...]
    left_out: frozenset[str] = frozenset()
    facts: tuple[tuple[str, str | None], ...] = ()
    value: str = ""


def fingerprint(stage: Stage, source: "Source | None" = None) -> str:
    """Return sixteen hexadecimal digits for the code of a stage.

    Parameters
    ----------
    stage : Stage
    source : Source, optional
        Where definitions are read from: the running code unless another is given.

    Raises
    ------
    InputError
        For a root that is not there.
    """
    return _fingerprint(stage, source or _source_for(stage))


@cache
def _fingerprint(stage: Stage, source: "Source") -> str:
    return hashlib.sha256(f"{stage.value}\0{_Reading(stage, source).text()}".encode()).hexdigest()[:16]


def reached(stage: Stage, source: "Source | None" = None) -> set[str]:
    """Return the definitions that a stage reaches and does not leave out, as "module:name"."""
    reading = _Reading(stage, source or _source_for(stage))
    reading.text()
    return {f"{place.module}:{place.name}" for place in reading.all_places - reading.left_out}


def _source_for(stage: Stage) -> "Source":
    """Return the running code; read anew where a definition outside the package may have changed."""
    return _running() if all(root.startswith(f"{PACKAGE}.") for root in stage.roots) else Source(ROOT)


@cache
def _running() -> "Source":
    return Source(ROOT)


@dataclass(frozen=True)
class Place:
    """A top-level definition: its module and its name there."""

    module: str
    name: str


@dataclass(frozen=True)
class _Value:
    """What a name stands for in a notebook, if that is neither a class nor a function."""

    value: object


def _described(value: object, name: str) -> str:
    """Return a text that differs where the value does.

    Raises
    ------
    InputError
        For a value that is not made of numbers, texts and arrays.
    """
    if isinstance(value, int | float | complex | str | bytes | type(None)):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        return f"{type(value).__name__}{[_described(part, name) for part in value]}"
    if isinstance(value, dict):
        return str([(_described(key, name), _described(part, name)) for key, part in value.items()])
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # an array, or a tensor
        return f"{value.dtype}{_described(value.tolist(), name)}"
    raise InputError(
        f"{name} cannot be part of a fingerprint",
        found=f"a {type(value).__name__} in the notebook",
        wanted="a class, a function written with def, or a value of numbers, texts and arrays",
        todo="put it into a file and import it",
    )


@dataclass
class _Module:
    """The statements of a module by the name that they define, and what imported names stand for.

    Of what was typed in, the object stands for its statement until that is asked for.
    """

    definitions: dict[str, "list[ast.stmt] | type | types.FunctionType | _Value"] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)  # name -> "module:name", or "module:" for a module

    def statements(self, name: str) -> list[ast.stmt]:
        found = self.definitions[name]
        if isinstance(found, _Value):
            return [ast.Return(ast.Constant(_described(found.value, name)))]
        return found if isinstance(found, list) else [_source_of(found)]


class Source:
    """Reads modules of a tree of files, and resolves names to definitions.

    Parameters
    ----------
    root : Path
        The folder that holds the package. Modules of other packages are not followed, except those of own methods,
        which `roots` name: they are found where Python imports them from.
    """

    def __init__(self, root: Path):
        self.root = root
        self.packages, self.is_own = {PACKAGE}, False
        self.modules: dict[str, _Module | None] = {}

    def module(self, name: str) -> _Module | None:
        """Return what a module defines; None for a module that is not followed."""
        if name not in self.modules:
            top = name.partition(".")[0]
            self.modules[name] = self._read(name) if top in self.packages or (self.is_own and _is_own(top)) else None
        return self.modules[name]

    def _read(self, name: str) -> _Module | None:
        if name == "__main__":
            return _interactive()
        path = self.root.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not path.is_file():
            spec = None if name.partition(".")[0] == PACKAGE else _spec_of(name)
            if spec is None:
                return None
            if not spec.origin:
                return _Module()  # a folder of modules, which defines nothing itself
            path = Path(spec.origin)
        return _parsed(ast.parse(path.read_text(encoding="utf-8")), name, is_package=path.name == "__init__.py")

    def statements(self, place: "Place") -> list[ast.stmt]:
        """Return what defines a name."""
        module = self.module(place.module)
        assert module is not None, place
        return module.statements(place.name)

    def find(self, name: str) -> tuple[Place | None, list[str]]:
        """Split "module:name.attribute" into a definition and the attributes asked of it; none: it is another's.

        A name that a module passes on is followed to where it is defined.
        """
        place, _, path = name.partition(":")
        parts = path.split(".") if path else []
        while parts and (found := self.module(place)):
            if parts[0] in found.definitions:
                return Place(place, parts[0]), parts[1:]
            if parts[0] in found.imported:
                return self.find(".".join([found.imported[parts[0]], *parts[1:]]).replace(":.", ":"))
            place, parts = f"{place}.{parts[0]}", parts[1:]  # a module of a package
        return None, []


def _spec_of(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


@cache
def _is_own(top: str) -> bool:
    """Return whether a module is the reader's, neither Python's own nor installed: it lies beside an own method."""
    spec = _spec_of(top)
    places = [Path(place) for place in (spec.submodule_search_locations or [spec.origin or ""])] if spec else []
    standard = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    return bool(places) and all(
        place.is_absolute()
        and INSTALLED.isdisjoint(place.parts)
        and not any(place.is_relative_to(folder) for folder in standard)
        for place in places
    )


def _parsed(tree: ast.Module, name: str, *, is_package: bool = False) -> _Module:
    """Sort a module's statements. Those that define nothing belong to the name that they change."""
    definitions: dict[str, list[ast.stmt]] = {}
    imported: dict[str, str] = {}
    effects = []
    for statement in _flat(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imported |= _bindings(statement, name, is_package)
        for target in _defined(statement):
            definitions.setdefault(target, []).append(statement)
        if isinstance(statement, ast.Expr | ast.For | ast.While | ast.With):
            effects.append(statement)
    for statement in effects:
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        for target in names & definitions.keys():
            definitions[target].append(statement)
    return _Module(dict(definitions), imported)


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those under a condition or a `try` too: both branches may define."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            handled = [part for handler in getattr(statement, "handlers", []) for part in handler.body]
            yield from _flat([*statement.body, *handled, *statement.orelse])
        else:
            yield statement


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return []
    names = []
    for target in targets:
        while isinstance(target, ast.Subscript | ast.Attribute):  # TABLE["key"] = ... belongs to TABLE
            target = target.value
        names += [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return names


def _bindings(statement: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> dict[str, str]:
    """Return the names that an import binds, and what each stands for."""
    if isinstance(statement, ast.Import):
        tops = {alias.name: alias.name.partition(".")[0] for alias in statement.names}  # `import a.b` binds a
        return {
            alias.asname or tops[alias.name]: f"{alias.name if alias.asname else tops[alias.name]}:"
            for alias in statement.names
        }
    base = statement.module or ""
    if statement.level:
        parents = module.split(".") if is_package else module.split(".")[:-1]
        kept = parents[: len(parents) - statement.level + 1]
        base = ".".join([*kept, *([base] if base else [])])
    return {alias.asname or alias.name: f"{base}:{alias.name}" for alias in statement.names}


def _interactive() -> _Module:
    """Return what a notebook or a script has defined so far, by the objects' own sources."""
    found = _Module()
    for name, value in list(vars(sys.modules["__main__"]).items()):
        if name.startswith("_"):
            continue
        if isinstance(value, types.ModuleType):
            found.imported[name] = f"{value.__name__}:"
        elif isinstance(value, type | types.FunctionType):
            if value.__module__ == "__main__":
                found.definitions[name] = value
            else:
                found.imported[name] = f"{value.__module__}:{value.__qualname__}"
        else:
            found.definitions[name] = _Value(value)
    return found


def _source_of(thing: type | types.FunctionType) -> ast.stmt:
    """Return the syntax tree of a class or function that was typed in.

    Raises
    ------
    InputError
        Where Python does not keep its text.
    """
    parts = [thing, *vars(thing).values()]
    files = [part.__code__.co_filename for part in parts if isinstance(part, types.FunctionType)]
    files += [name for name in reversed(list(linecache.cache)) if name not in files and "ipy" in name]
    try:
        files.insert(0, inspect.getsourcefile(thing) or "")
    except (TypeError, OSError):  # a class of a notebook: only its functions know the cell that they come from
        pass
    for file in files:
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except SyntaxError:
            continue
        named = [node for node in _flat(tree.body) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        if same := [node for node in named if node.name == thing.__name__]:
            return same[-1]
    raise InputError(
        f"the source of {thing.__qualname__} is not at hand",
        found=f"module {thing.__module__}",
        wanted="a class in a file or in a notebook's cell",
        todo="put it into a file and import it",
    )


class _Reading:
    """The definitions that a stage reaches, and the text that they count as.

    Definitions are numbered in the order in which they are met, so their names do not count. Classes that annotations
    alone lead to are read apart, each from itself, since the place of an annotation does not count either; and of them
    the functions alone: their fields are filled where such objects are made.
    """

    def __init__(self, stage: Stage, source: Source):
        self.source, self.facts = source, dict(stage.facts)
        source.packages |= {root.partition(":")[0].partition(".")[0] for root in stage.roots}
        source.is_own = len(source.packages) > 1
        self.roots = [self._root(root) for root in stage.roots]
        self.left_out = {place for name in stage.left_out if (place := source.find(name)[0])}
        self.known_attributes: dict[str, bool | None] = {}  # None: another value somewhere
        self.with_attributes: set[Place] = set()  # the classes whose `self` has them
        for place in self.roots:
            self._note_attributes(place)
        self.words: frozenset[str] = frozenset()  # that name a parameter somewhere: keywords of calls, and texts
        self.noted: set[str] = set()
        self.all_places: set[Place] = set()
        self.places: list[Place] = []
        self.numbers: dict[Place, int] = {}

    def text(self) -> str:
        self._components()  # which words name parameters is known when everything was read once
        self.words = frozenset(self.noted)
        return "\0".join(self._components())

    def _components(self) -> list[str]:
        self.annotated: set[Place] = set()
        first = self._component(self.roots)
        read, apart = set(self.places), []
        while ahead := self.annotated - read:
            place = min(ahead, key=lambda place: (place.module, place.name))
            apart.append(self._component([place], functions_alone=True))
            read.add(place)
        self.all_places |= read
        return [first, *sorted(apart)]

    def _component(self, places: list[Place], *, functions_alone: bool = False) -> str:
        """Return the texts of these definitions and of all that they refer to."""
        self.places, self.numbers, texts = [], {}, []
        for place in places:
            self.number_of(place)
        for place in self.places:  # grows on the way
            if place in self.left_out:
                texts.append("left out")
                continue
            for statement in self.source.statements(place):
                if functions_alone and place in places and isinstance(statement, ast.ClassDef):
                    texts += [
                        _Text(self, place, in_class=True).of(part)
                        for part in statement.body
                        if isinstance(part, ast.FunctionDef)
                    ]
                else:
                    texts.append(_Text(self, place).of(statement))
        self.all_places |= set(self.places)
        return "\0".join(texts)

    def follow(self, place: Place) -> None:
        """Note a class that an annotation leads to, or those that an alias in its place stands for."""
        for statement in self.source.statements(place):
            if isinstance(statement, ast.ClassDef):
                self.annotated.add(place)
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
                _Text(self, place)._follow(statement.value)

    def number_of(self, place: Place) -> int:
        if place not in self.numbers:
            self.numbers[place] = len(self.places)
            self.places.append(place)
        return self.numbers[place]

    def _root(self, name: str) -> Place:
        place = self.source.find(name)[0]
        if place is None:
            raise InputError(
                "a fingerprint starts from a definition",
                found=f"no {name}",
                wanted="module:name",
                todo="name the root as the code does now",
            )
        return place

    def _note_attributes(self, place: Place) -> None:
        """Note `self.released = experiment.fidelity == "released"` of a class and of those that it is made of."""
        for statement in self.source.statements(place):
            if not isinstance(statement, ast.ClassDef):
                continue
            self.with_attributes.add(place)
            for base in statement.bases:
                parent = _Text(self, place).resolved(base)
                if parent:
                    self._note_attributes(parent)
            assigned = [part for part in ast.walk(statement) if isinstance(part, ast.Assign)]
            for value, target in ((part.value, target) for part in assigned for target in part.targets):
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    known = _folded(value, self.facts, {})
                    same = self.known_attributes.setdefault(target.attr, known) == known
                    self.known_attributes[target.attr] = known if same else None


def _field(node: ast.expr) -> str | None:
    """Return NAME of `experiment.NAME`, or of the same asked of the settings of its data set."""
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) in FACTS_OF:
        return node.attr
    return None


def _folded(node: ast.expr, facts: Mapping[str, str | None], attributes: Mapping[str, bool | None]) -> bool | None:
    """Return what a test is worth, where the experiment's fields decide it; else None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _folded(node.operand, facts, attributes)
        return None if inner is None else not inner
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return attributes.get(node.attr)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], SAME | DIFFERENT):
        field_name, right = _field(node.left), node.comparators[0]
        if field_name and field_name in facts and isinstance(right, ast.Constant):
            return (facts[field_name] == right.value) == isinstance(node.ops[0], SAME)
    return None


class _Text:
    """A definition as text in which only what counts is left; on the way it tells the reading what it refers to."""

    def __init__(self, reading: _Reading, place: Place, *, in_class: bool = False):
        self.reading, self.place, self.in_class = reading, place, in_class
        module = reading.source.module(place.module)
        assert module is not None, place
        self.module, self.imported = module, dict(module.imported)
        self.attributes = reading.known_attributes if place in reading.with_attributes else {}
        self.scopes: list[dict[str, str]] = []  # of functions and comprehensions: variable -> what stands for it
        self.locals = 0

    def of(self, statement: ast.stmt) -> str:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imported |= _bindings(node, self.place.module, is_package=False)
        return self._node(statement)

    def resolved(self, node: ast.expr) -> Place | None:
        """Return the definition that a name or a dotted name stands for, if it is followed."""
        dotted = self._dotted(node)
        return self.reading.source.find(dotted)[0] if dotted else None

    # Names

    def _dotted(self, node: ast.expr) -> str | None:
        """Return "module:name.attribute" for a global name, or what is asked of it."""
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return f"{before}{'' if before.endswith(':') else '.'}{node.attr}" if before else None
        if not isinstance(node, ast.Name) or any(node.id in scope for scope in self.scopes):
            return None
        if node.id in self.module.definitions:
            return f"{self.place.module}:{node.id}"
        return self.imported.get(node.id)

    def _reference(self, node: ast.expr) -> str | None:
        dotted = self._dotted(node)
        if dotted is None:
            return None
        place, rest = self.reading.source.find(dotted)
        if place is None:
            return f"<{dotted.replace(':', '.').rstrip('.')}>"
        return ".".join([f"#{self.reading.number_of(place)}", *rest])

    def _name(self, name: str) -> str:
        for scope in reversed(self.scopes):
            if name in scope:
                if not scope[name]:
                    scope[name] = f"v{self.locals}"
                    self.locals += 1
                return scope[name]
        return name if hasattr(builtins, name) else f"?{name}"

    # Nodes

    def _node(self, node) -> str:
        if isinstance(node, list):
            return "[" + ",".join(filter(None, map(self._node, node))) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        handler = getattr(self, f"_{type(node).__name__}", None)
        return handler(node) if handler else self._plain(node)

    def _plain(self, node: ast.AST) -> str:
        """Return a node with those of its parts that are there: other Pythons have further, empty ones."""
        parts = []
        for name, value in ast.iter_fields(node):
            if name not in ("ctx", "type_comment", "kind", "type_params", "name") and value is not None and value != []:
                is_block = name in ("body", "orelse", "finalbody") and isinstance(value, list)
                text = self._body(value) if is_block else self._node(value)
                parts += [f"{name}={text}"] if text else []
        return f"{type(node).__name__}({','.join(parts)})"

    def _body(self, statements: list[ast.stmt]) -> str:
        """Return the statements that count: no texts that stand alone, nothing behind a branch that ends here."""
        return f"[{','.join(filter(None, map(self._node, self._taken(statements))))}]"

    def _known(self, test: ast.expr) -> bool | None:
        """Return what a test is worth, where the experiment's fields decide it."""
        return _folded(test, self.reading.facts, self.attributes)

    def _taken(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        taken: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.If) and (known := self._known(statement.test)) is not None:
                taken += self._taken(statement.body if known else statement.orelse)
            elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                taken.append(statement)
            if taken and isinstance(taken[-1], ast.Return | ast.Raise | ast.Break | ast.Continue):
                break
        return taken

    def _Constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, str):
            self.reading.noted.add(node.value)
        return f"{type(node.value).__name__}:{node.value!r}"

    def _Name(self, node: ast.Name) -> str:
        return self._reference(node) or self._name(node.id)

    def _Attribute(self, node: ast.Attribute) -> str:
        known = self._known(node)
        if known is not None and isinstance(node.ctx, ast.Load):
            return f"bool:{known}"
        either = node.value  # (this if condition else that).name, (this or that).name: each may be meant
        if isinstance(either, ast.IfExp):
            branches = (ast.Attribute(part, node.attr, ast.Load()) for part in (either.body, either.orelse))
            return self._node(ast.IfExp(either.test, *branches))
        if isinstance(either, ast.BoolOp):
            sides: list[ast.expr] = [ast.Attribute(part, node.attr, ast.Load()) for part in either.values]
            return self._node(ast.BoolOp(either.op, sides))
        return self._reference(node) or f"{self._node(node.value)}.{node.attr}"

    def _keyword(self, node: ast.keyword) -> str:
        if node.arg:
            self.reading.noted.add(node.arg)
        return f"{node.arg}={self._node(node.value)}"

    def _Compare(self, node: ast.Compare) -> str:
        known = self._known(node)
        return self._plain(node) if known is None else f"bool:{known}"

    def _IfExp(self, node: ast.IfExp) -> str:
        known = self._known(node.test)
        return self._plain(node) if known is None else self._node(node.body if known else node.orelse)

    def _Call(self, node: ast.Call) -> str:
        if self._dotted(node.func) == "typing:cast":
            self._follow(node.args[0])
            return self._node(node.args[1])
        return self._plain(node)

    def _Expr(self, node: ast.Expr) -> str:
        call = node.value
        return "" if isinstance(call, ast.Call) and self._only_says(call.func) else self._plain(node)

    def _only_says(self, function: ast.expr) -> bool:
        """Return whether a call whose value nobody takes can but warn or raise, by what it calls."""
        name = getattr(function, "attr", getattr(function, "id", ""))
        return name.lstrip("_").startswith(CHECK) or self._dotted(function) == "warnings:warn"

    def _Subscript(self, node: ast.Subscript) -> str:
        """Return the chosen entry alone where a field of the experiment picks it from a table."""
        key, place = _field(node.slice), self.resolved(node.value)
        if place and key in self.reading.facts:
            statements = self.reading.source.statements(place)
            for statement in statements if len(statements) == 1 else ():
                table = getattr(statement, "value", None)
                for name, value in zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ():
                    if isinstance(name, ast.Constant) and name.value == self.reading.facts[key]:
                        return _Text(self.reading, place)._node(value)
        return self._plain(node)

    def _Raise(self, node: ast.Raise) -> str:
        return "Raise"

    def _Pass(self, node: ast.stmt) -> str:
        return ""

    _Assert = _Import = _ImportFrom = _Pass

    def _AnnAssign(self, node: ast.AnnAssign) -> str:
        self._follow(node.annotation)
        if node.value is None:
            return "" if self.scopes else f"Field({self._target(node.target)})"
        return f"Assign(targets=[{self._target(node.target)}],value={self._node(node.value)})"

    def _Assign(self, node: ast.Assign) -> str:
        value = self._node(node.value)
        return f"Assign(targets=[{','.join(map(self._target, node.targets))}],value={value})"

    def _target(self, node: ast.expr) -> str:
        """Return what is assigned to. The name of a definition is not part of its text."""
        if not self.scopes and isinstance(node, ast.Name):
            return node.id if self.in_class else "name"
        return self._node(node)

    def _ClassDef(self, node: ast.ClassDef) -> str:
        if self.scopes:
            self._name(node.name)
        outside, self.in_class = self.in_class, True
        words = [
            part
            for part in (node.body if self.place in self.reading.with_attributes else ())
            if isinstance(part, ast.Assign | ast.AnnAssign) and METADATA.issuperset(_defined(part))
        ]
        kept = [statement for statement in node.body if statement not in words]
        head = f"{self._node(node.bases)},{self._node(node.keywords)},{self._node(self._decorators(node))}"
        text = f"Class({head},{self._body(kept)})"
        self.in_class = outside
        return text

    def _decorators(self, node: ast.FunctionDef | ast.ClassDef) -> list[ast.expr]:
        return [decorator for decorator in node.decorator_list if self.resolved(decorator) not in self.reading.left_out]

    def _FunctionDef(self, node: ast.FunctionDef) -> str:
        name = self._name(node.name) if self.scopes else node.name if self.in_class else ""
        decorators = self._node(self._decorators(node))
        parameters = self._parameters(node.args, node.returns)
        self.scopes.append(self._variables(node.args, node.body, numbered=False))
        inside, self.in_class = self.in_class, False
        shown = self._shown(node.args)
        body = self._body(node.body)
        self.in_class = inside
        self.scopes.pop()
        return f"Function({name},{decorators},{parameters},{shown},{body})"

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda) -> str:
        parameters = self._parameters(node.args, None)
        self.scopes.append(self._variables(node.args, [ast.Expr(node.body)], numbered=True))
        text = f"Lambda({parameters},{self._shown(node.args)},{self._node(node.body)})"
        self.scopes.pop()
        return text

    def _parameters(self, arguments: ast.arguments, returns: ast.expr | None) -> str:
        """Return the defaults, and follow the annotations."""
        if returns is not None:
            self._follow(returns)
        for argument in _all_arguments(arguments):
            if argument.annotation is not None:
                self._follow(argument.annotation)
        keywords = [default for default in arguments.kw_defaults if default is not None]
        return f"{self._node(arguments.defaults)},{self._node(keywords)},{len(arguments.posonlyargs)}"

    def _shown(self, arguments: ast.arguments) -> str:
        """Return the parameters in order: by number, but by name where a keyword or a text somewhere names them."""
        positional = [self._name(argument.arg) for argument in (*arguments.posonlyargs, *arguments.args)]
        defaults = ["" if default is None else "=" for default in arguments.kw_defaults]
        keywords = [
            f"{argument.arg}{default}" for argument, default in zip(arguments.kwonlyargs, defaults, strict=True)
        ]
        stars = [self._name(argument.arg) if argument else "" for argument in (arguments.vararg, arguments.kwarg)]
        return f"{positional}{keywords}{stars}"

    def _variables(self, arguments: ast.arguments, body: list[ast.stmt], *, numbered: bool) -> dict[str, str]:
        """Return the variables of a function. A name that is kept stands for itself, another gets a number when met."""
        scope = dict.fromkeys(_assigned(body), "")
        for argument in _all_arguments(arguments):
            kept = argument.arg in self.reading.words or argument.arg in ("self", "experiment")
            scope[argument.arg] = f"={argument.arg}" if kept and not numbered else ""
        for argument in arguments.kwonlyargs:
            scope[argument.arg] = f"={argument.arg}"
        return scope

    def _ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> str:
        targets = [name for generator in node.generators for name in ast.walk(generator.target)]
        self.scopes.append({name.id: "" for name in targets if isinstance(name, ast.Name)})
        text = self._plain(node)
        self.scopes.pop()
        return text

    _SetComp = _DictComp = _GeneratorExp = _ListComp

    def _follow(self, annotation: ast.expr) -> None:
        """Tell the reading of the classes that an annotation names, also through an alias."""
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                try:
                    self._follow(ast.parse(node.value, mode="eval").body)
                except SyntaxError:
                    continue
            elif isinstance(node, ast.Name | ast.Attribute):
                place = self.resolved(node)
                if place and place not in self.reading.left_out:
                    self.reading.follow(place)


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return named + [argument for argument in (arguments.vararg, arguments.kwarg) if argument]


def _assigned(body: list[ast.stmt]) -> list[str]:
    """Return the names that a function's own statements bind, in order; those of functions inside it are theirs."""
    names: dict[str, None] = {}
    elsewhere: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            names.update({inner.target.id: None for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)})
            return
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names[node.name] = None
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in body:
        visit(statement)
    return [name for name in names if name not in elsewhere]
