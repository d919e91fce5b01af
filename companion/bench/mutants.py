"""Whether the tests see small faults: mutants of the code, each run against the tests of the package it is in.

    python -m companion.bench.mutants
    python -m companion.bench.mutants --seed 2 --number 50 --only emargin/losses

A mutant is the code with a single place changed: `<` to `<=`, `+` to `-`, 10 to 11, True to False, `min` to `max`, a
condition turned round, a slice a step shorter, a statement left out. The tests kill it if one of them fails. Places are
drawn with a seed, so that the share killed estimates that of all places, and each place of the draw is changed in one
way, drawn too. A change of the code elsewhere leaves the draw as it is.

All happens in a copy of the tree, in a temporary folder. A first run of the tests, unchanged, says which of them
execute each line, and how long each takes. A mutant then meets those that execute its line, the fastest first, until
one fails; the other tests of its package follow, so that what is called a survivor has passed them all. Each mutant is
a process forked off one that has torch, scikit-learn and pytest loaded, but nothing of `emargin`, and it ends at the
first failure, or when a test takes far more processor time than it did. Results are lines of JSON: the same command
goes on where it was stopped. A result holds until the code changes, and for a survivor until any of its tests does, so
that after a new test only survivors run again.

Survivors that are known stand in `tests/mutants.json`, with the reason. Those that no test could kill, since the code
does the same, are "equivalent" and do not count. An entry that fits no mutant of the code any longer is an error.

Among the tools, mutmut leaves out decorated functions and constants of modules, cosmic-ray runs one command for every
mutant in a process that starts anew, and neither leaves out statements or draws.
"""

import argparse
import ast
import hashlib
import importlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import coverage
import hypothesis
import pytest

from emargin.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
# What is mutated, and by which tests. Code and tests that the tests read besides are in COPIED.
TESTS = {
    "emargin/losses": [
        "tests/emargin/losses",
        "tests/emargin/test_pseudo_labels.py",
        "tests/companion/gpu/test_fused.py",
    ],
    "emargin/pseudo_labels.py": ["tests/emargin/test_pseudo_labels.py"],
    "emargin/evaluation": ["tests/emargin/evaluation", "tests/emargin/test_experiment.py"],
    "emargin/data/protocols.py": ["tests/emargin/data/test_protocols*.py", "tests/emargin/data/test_split.py"],
    "emargin/data/framing.py": ["tests/emargin/data/test_framing.py"],
    "emargin/training.py": ["tests/emargin/test_training*.py"],
}
COPIED = ("emargin", "companion", "tests", "workflow", "pyproject.toml")
LOADED = ("torch", "scipy.stats", "sklearn.cluster", "sklearn.linear_model", "sklearn.manifold", "sklearn.metrics")
KNOWN = "tests/mutants.json"
TARGET = 0.9  # of the mutants that are not equivalent
# A test may take this many times its processor time, and these seconds more; all of them these seconds more, waits
# included.
SLOWER, GRACE, WAIT = 10, 5.0, 300.0
MEMORY = 8 << 30  # bytes of addresses a mutant may use: a size that grows tenfold must not fill the machine

OPERATORS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
CALLS = {
    "min": "max",
    "max": "min",
    "amin": "amax",
    "amax": "amin",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmin": "argmax",
    "argmax": "argmin",
    "any": "all",
    "all": "any",
    "floor": "ceil",
    "ceil": "floor",
    "round": "int",
    "zeros": "ones",
    "ones": "zeros",
    "new_zeros": "new_ones",
    "new_ones": "new_zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "sum": "mean",
    "mean": "sum",
}


@dataclass(frozen=True)
class Place:
    """A stretch of a file, and what may stand there instead."""

    file: str
    within: str  # dotted name of the function or class around it; empty in the module itself
    line: int
    start: int  # bytes
    stop: int
    instead: tuple[bytes, ...]


@dataclass(frozen=True)
class Mutant:
    """A place of a file with something else in it."""

    place: Place
    text: bytes  # of the file, unchanged
    instead: bytes
    number: int  # among mutants of the same words in the same function

    @property
    def mutated(self) -> bytes:
        """Return the file's text with the change."""
        return self.text[: self.place.start] + self.instead + self.text[self.place.stop :]

    @cached_property
    def words(self) -> tuple[str, str]:
        """Return the lines that are changed, as they are and as they become."""
        first = self.text.rfind(b"\n", 0, self.place.start) + 1
        last = self.text.find(b"\n", self.place.stop)
        last = len(self.text) if last < 0 else last
        before = self.text[first:last]
        after = self.text[first : self.place.start] + self.instead + self.text[self.place.stop : last]
        return _joined(before), _joined(after)

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Return what names the mutant as long as its lines stay: lines above may come and go."""
        return self.place.file, self.place.within, *self.words, self.number

    def __str__(self) -> str:
        """Return file, line and difference."""
        before, after = self.words
        return f"{self.place.file}:{self.place.line} {self.place.within}\n    - {before}\n    + {after}"


def _joined(lines: bytes) -> str:
    return " ".join(lines.decode().split())


class Places(ast.NodeVisitor):
    """The places of a file that can be changed."""

    def __init__(self, file: str, text: bytes):
        self.file, self.text, self.found = file, text, list[Place]()
        self.lines = [0]
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.names: list[str] = []
        self.visit(ast.parse(text))

    def _start(self, node: ast.AST) -> int:
        return self.lines[node.lineno - 1] + node.col_offset

    def _stop(self, node: ast.AST) -> int:
        return self.lines[node.end_lineno - 1] + node.end_col_offset

    def _of(self, node: ast.AST) -> bytes:
        return self.text[self._start(node) : self._stop(node)]

    def _add(self, start: int, stop: int, *instead: bytes | str) -> None:
        words = tuple(part.encode() if isinstance(part, str) else part for part in instead)
        line = self.text.count(b"\n", 0, start) + 1
        self.found.append(Place(self.file, ".".join(self.names), line, start, stop, words))

    def _replace(self, node: ast.AST, *instead: bytes | str) -> None:
        self._add(self._start(node), self._stop(node), *instead)

    def _operator(self, left: ast.AST, operator: ast.AST, right: ast.AST) -> None:
        """Swap an operator, which stands somewhere between two nodes, among brackets."""
        if type(operator) not in OPERATORS:
            return
        old, new = OPERATORS[type(operator)]
        start = self._stop(left)
        gap = self.text[start : self._start(right)]
        pattern = rb"\s+".join(re.escape(word.encode()) for word in old.split())
        found = re.search(pattern, gap)
        assert found, f"{self.file}: no {old} in {gap!r}"
        self._add(start + found.start(), start + found.end(), new)

    def _condition(self, node: ast.expr) -> None:
        if not (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            self._replace(node, b"(not (" + self._of(node) + b"))")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Leave out annotations and decorators."""
        self.names.append(node.name)
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self.names.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Leave out bases and decorators."""
        self.names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.names.pop()

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave assertions as they are: they hold whatever happens."""

    visit_Import = visit_ImportFrom = visit_JoinedStr = visit_Assert

    def visit_Raise(self, node: ast.Raise) -> None:
        """Leave an error out; its words are left as they are."""
        if node.exc is not None:
            self._replace(node, "pass")

    def visit_Assign(self, node: ast.Assign) -> None:
        """Leave an assignment to an attribute or an entry out. Aliases of types are no code."""
        alias = not self.names and isinstance(node.value, ast.Subscript)
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._replace(node, "pass")
        if not alias:
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look at the value alone."""
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Swap the operator, or leave the statement out."""
        self._operator(node.target, node.op, node.value)
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Leave a call out; docstrings are no code."""
        if isinstance(node.value, ast.Call):
            self._replace(node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        """Go on."""
        self._replace(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        """Do not go on."""
        self._replace(node, "break", "pass")

    def visit_Return(self, node: ast.Return) -> None:
        """Return nothing."""
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node.value, "None")
            self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.While | ast.IfExp) -> None:
        """Turn the condition round."""
        self._condition(node.test)
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_If

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Turn conditions round."""
        for condition in node.ifs:
            self._condition(condition)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Swap operators."""
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self._operator(left, operator, right)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Swap the operator."""
        self._operator(node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Swap `and` and `or`."""
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._operator(left, node.op, right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Leave the sign out, or the `not`."""
        start = self._start(node)
        self._add(start, start + len("not" if isinstance(node.op, ast.Not) else "-"), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change a truth value or a number."""
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value))
        elif isinstance(node.value, int):
            self._replace(node, f"{node.value + 1}", f"({node.value - 1})", f"{node.value * 10 or 10}")
        elif isinstance(node.value, float):
            self._replace(node, f"{node.value * 10 or 1.0!r}", f"{node.value / 10 or -1.0!r}")

    def visit_Call(self, node: ast.Call) -> None:
        """Call the function's counterpart, or end a range a step earlier. A cast is no code."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "cast":
            return self.visit(node.args[1])
        if name in CALLS:
            stop = self._stop(node.func)
            self._add(stop - len(name), stop, CALLS[name])
        if name in ("range", "arange") and node.args:
            end = node.args[min(len(node.args) - 1, 1)]
            self._replace(end, self._of(end) + b" - 1")
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        """Begin a step later, end a step earlier; bounds that are numbers are changed as numbers are."""
        if node.lower is None and node.upper is not None:
            self._add(self._start(node), self._start(node), "1")
        elif node.lower is not None and not isinstance(node.lower, ast.Constant):
            self._replace(node.lower, self._of(node.lower) + b" + 1")
        if node.upper is None and node.lower is not None and node.step is None:
            self._add(self._stop(node), self._stop(node), "-1")
        elif node.upper is not None and not isinstance(node.upper, ast.Constant):
            self._replace(node.upper, self._of(node.upper) + b" - 1")
        self.generic_visit(node)


def files_of(root: Path, package: str) -> list[str]:
    """Return the files of a package or module of TESTS."""
    path = root / package
    return [file.relative_to(root).as_posix() for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def mutants_of(file: str, text: bytes) -> Iterator[list[Mutant]]:
    """Yield the mutants of each place of a file."""
    numbers: dict[tuple, int] = {}
    for place in Places(file, text).found:
        ways = []
        for instead in place.instead:
            mutant = Mutant(place, text, instead, 0)
            number = numbers[mutant.key] = numbers.get(mutant.key, -1) + 1
            ways.append(Mutant(place, text, instead, number))
        yield ways


def draw(places: list[list[Mutant]], number: int, seed: int) -> list[Mutant]:
    """Draw places, and of each a mutant. A place's rank depends on nothing but the seed and the place itself."""

    def rank(mutant: Mutant) -> bytes:
        return hashlib.sha256(repr((seed, mutant.key)).encode()).digest()

    return sorted((min(ways, key=rank) for ways in places), key=lambda one: hashlib.sha256(rank(one)).digest())[:number]


class Watch:
    """A plugin for pytest: the lines that each test executes and its processor time, or the test that fails first."""

    def __init__(self, order: dict[str, int], seconds: dict[str, float], trace: coverage.Coverage | None = None):
        self.order, self.limits, self.trace = order, seconds, trace
        self.seconds: dict[str, float] = {}
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the tests in order."""
        items.sort(key=lambda item: self.order.get(item.nodeid, len(self.order)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        """Name the test to `coverage`, or see to it that it ends."""
        if self.trace is not None:
            self.trace.switch_context(item.nodeid)
        elif item.nodeid in self.limits:
            signal.setitimer(signal.ITIMER_PROF, GRACE + SLOWER * self.limits[item.nodeid])
        begun = time.process_time()
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.seconds[item.nodeid] = time.process_time() - begun

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


TOO_LONG = 75  # exit status of a mutant whose test takes too long


def _session(tree: Path, tests: list[str], watch: Watch, log: Path) -> int:
    """Run tests of the tree, in this process, which is used up by it. Returns pytest's exit status."""
    os.chdir(tree)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("emargin", "companion", "tests")]:
        del sys.modules[name]
    sys.path[:] = [str(tree), *(path for path in sys.path if path != "" and Path(path) != ROOT)]
    (tree / "no-data").mkdir(exist_ok=True)
    os.environ |= {"EMARGIN_DATA": str(tree / "no-data"), "PYTHONPATH": str(tree)}
    import emargin

    assert Path(emargin.__file__).is_relative_to(tree), emargin.__file__
    generating = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # a failure is enough: it need not be small
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, phases=generating)
    hypothesis.settings.load_profile("mutants")
    options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", f"--rootdir={tree}", *tests]
    return int(pytest.main(options, plugins=[watch]))


def _learn(tree: Path, tests: list[str], out: Path) -> None:
    """Run the unchanged tests. Write which of them execute each line, and how long each takes."""
    trace = coverage.Coverage(data_file=None, source=[str(tree / "emargin")], config_file=False)
    watch = Watch({}, {}, trace)
    trace.start()
    status = _session(tree, tests, watch, out.with_suffix(".log"))
    trace.stop()
    data = trace.get_data()
    lines = {
        Path(file).relative_to(tree).as_posix(): {
            line: names for line, names in data.contexts_by_lineno(file).items() if names != [""]
        }
        for file in data.measured_files()
    }
    out.write_text(json.dumps({"status": status, "seconds": watch.seconds, "lines": lines}))


def _meet(tree: Path, tests: list[str], order: list[str], seconds: dict[str, float], out: Path) -> None:
    """Run the tests on a mutant. Write which fails first."""
    import resource  # which Windows lacks, as it lacks forks

    os.setsid()  # what a test starts ends with the mutant
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, lambda number, frame: os._exit(TOO_LONG))
    sys.dont_write_bytecode = True
    watch = Watch({test: number for number, test in enumerate(order)}, seconds)
    status = _session(tree, tests, watch, out.with_suffix(".log"))
    out.write_text(watch.failed)
    os._exit(status)


def _tests_at(tree: Path, package: str) -> list[str]:
    found = [path.relative_to(tree).as_posix() for pattern in TESTS[package] for path in sorted(tree.glob(pattern))]
    if not found:
        raise InputError(f"tests of {package}", found="none", wanted=" or ".join(TESTS[package]))
    return found


class Package:
    """A package of a copied tree, and its tests."""

    def __init__(self, tree: Path, name: str):
        self.tree, self.name, self.tests = tree, name, _tests_at(tree, name)
        self.learnt: dict = {}
        self.fork = multiprocessing.get_context("fork")

    def learn(self) -> None:
        """Run the tests on the code as it is.

        Raises
        ------
        InputError
            Where they fail.
        """
        out = self.tree / "learnt.json"
        out.unlink(missing_ok=True)
        process = self.fork.Process(target=_learn, args=(self.tree, self.tests, out))
        process.start()
        process.join()
        self.learnt = json.loads(out.read_text()) if out.exists() else {"status": process.exitcode}
        if self.learnt["status"] != 0:
            log = out.with_suffix(".log").read_text(errors="replace")
            raise InputError(
                f"the tests of {self.name} fail before anything is changed",
                found=log.strip().splitlines()[-1] if log.strip() else "no output",
                wanted="tests that pass",
                todo=f"run: pytest {' '.join(self.tests)}",
            )

    def outcome(self, mutant: Mutant) -> dict:
        """Return "killed", "timeout" or "survived", the test that failed, and the seconds it took."""
        seconds, lines = self.learnt["seconds"], self.learnt["lines"].get(mutant.place.file, {})
        place = mutant.place
        span = range(place.line, place.line + mutant.text.count(b"\n", place.start, place.stop) + 1)
        meeting = {test for line in span for test in lines.get(str(line), []) if test}
        if not place.within or not meeting:  # the module's own lines are executed at import, before any test
            meeting |= {test for tests in lines.values() for test in tests if test}
        order = sorted(seconds, key=lambda test: (test not in meeting, seconds[test]))
        file, out = self.tree / place.file, self.tree / "met"
        out.unlink(missing_ok=True)
        compiled = [*file.parent.glob(f"__pycache__/{file.stem}.*.pyc")]
        begun = time.perf_counter()
        file.write_bytes(mutant.mutated)
        for path in compiled:
            path.unlink()
        try:
            process = self.fork.Process(target=_meet, args=(self.tree, self.tests, order, seconds, out))
            process.start()
            process.join(WAIT + SLOWER * sum(seconds.values()))
            late = process.is_alive() or process.exitcode == TOO_LONG
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.join()
        finally:
            file.write_bytes(mutant.text)
        outcome = "timeout" if late else "killed" if process.exitcode else "survived"
        by = out.read_text() if out.exists() else ""
        return {"outcome": outcome, "by": by, "seconds": round(time.perf_counter() - begun, 2)}


def known(root: Path, places: list[list[Mutant]]) -> dict[tuple, dict]:
    """Return the entries of KNOWN by the key of their mutant.

    Raises
    ------
    InputError
        For an entry that fits no mutant of these places, or has no reason.
    """
    file = root / KNOWN
    there = {mutant.key for ways in places for mutant in ways}
    entries = {}
    for entry in json.loads(file.read_text(encoding="utf-8")):
        key = (entry["file"], entry["within"], entry["line"], entry["becomes"], entry.get("number", 0))
        if key not in there:
            raise InputError(
                f"{KNOWN}: an entry fits no mutant of the code",
                found=f"{key[0]} {key[1]}: {key[2]!r} to {key[3]!r}",
                wanted="a line that the code has",
                todo="see whether the reason still holds, and rewrite or remove the entry",
            )
        if not entry["why"] or not isinstance(entry["equivalent"], bool):
            raise InputError(f"{KNOWN}: an entry has no reason", found=repr(entry))
        entries[key] = entry
    return entries


def places_of(root: Path, packages: list[str]) -> dict[str, list[list[Mutant]]]:
    """Return the mutants of each place of each package."""
    return {
        package: [ways for file in files_of(root, package) for ways in mutants_of(file, (root / file).read_bytes())]
        for package in packages
    }


def _checksum(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def state_of(root: Path, package: str, by: str = "") -> dict[str, str]:
    """Return checksums of the code, of the package's tests, and of the file of the test `by` that killed a mutant."""
    tests = [root / test for test in _tests_at(root, package)]
    files = [file for test in tests for file in (test.rglob("*.py") if test.is_dir() else [test])]
    killer = root / by.partition("::")[0]
    return {
        "code": _checksum(root, [*root.glob("emargin/**/*.py"), *root.glob("tests/conftest.py")]),
        "tests": _checksum(root, files),
        "killer": _checksum(root, [killer]) if by and killer.is_file() else "",
    }


def holds(result: dict, package: str) -> bool:
    """Say whether a result holds still: what survived, as long as no test changes; what was killed, as its test is."""
    now = state_of(ROOT, package, result["by"])
    same = {name for name, value in result["state"].items() if value and value == now[name]}
    return "code" in same and bool(same & {"tests", "killer"})


def measure(
    out: Path, *, number: int, seed: int, minutes: float, packages: list[str]
) -> tuple[list[tuple[Mutant, dict]], dict[tuple, dict]]:
    """Run the mutants that `out` has no result of, and return all of the draw with theirs, and the known survivors."""
    ends = time.monotonic() + 60 * minutes
    places = places_of(ROOT, list(TESTS))
    reasons = known(ROOT, [ways for package in places.values() for ways in package])
    package_of = {ways[0].place.file: package for package, found in places.items() for ways in found}
    drawn = [
        mutant
        for mutant in draw([ways for found in places.values() for ways in found], number, seed)
        if package_of[mutant.place.file] in packages
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict] = {}
    for line in out.read_text(encoding="utf-8").splitlines() if out.exists() else []:
        result = json.loads(line)
        results[repr(tuple(result["mutant"]))] = result
    for mutant in drawn:
        result = results.get(repr(mutant.key))
        if result is not None and not holds(result, package_of[mutant.place.file]):
            del results[repr(mutant.key)]
    waiting = [mutant for mutant in drawn if repr(mutant.key) not in results]
    print(f"{len(drawn)} mutants of seed {seed}, {len(waiting)} to run", flush=True)
    if waiting:
        _run(waiting, package_of, results, out, ends)
    done = [(mutant, results[repr(mutant.key)]) for mutant in drawn if repr(mutant.key) in results]
    if len(done) < len(drawn):
        print(f"{len(done)} of {len(drawn)} mutants have been run: a draw, too, but a smaller one", flush=True)
    return done, reasons


def _run(waiting: list[Mutant], package_of: dict[str, str], results: dict, out: Path, ends: float) -> None:
    """Run mutants on a copy of the tree until the time is up."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, out.open("a", encoding="utf-8") as file:
        tree = Path(folder).resolve() / "tree"
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, tree / name)
        packages: dict[str, Package] = {}
        for mutant in waiting:
            if time.monotonic() > ends:
                print("the time is up; the same command goes on", flush=True)
                return
            name = package_of[mutant.place.file]
            if name not in packages:
                packages[name] = Package(tree, name)
                packages[name].learn()
            result = {"mutant": list(mutant.key)} | packages[name].outcome(mutant)
            result["state"] = state_of(tree, name, result["by"])
            results[repr(mutant.key)] = result
            file.write(json.dumps(result) + "\n")
            file.flush()
            place = f"{mutant.place.file}:{mutant.place.line}"
            print(f"{result['outcome']:9s}{result['seconds']:6.1f} s  {place}", flush=True)


def report(done: list[tuple[Mutant, dict]], reasons: dict[tuple, dict]) -> float:
    """Print counts by file, then the survivors. Returns the share killed of those that are not equivalent."""
    counts: dict[str, dict[str, int]] = {}
    alive = []
    for mutant, result in sorted(done, key=lambda one: (one[0].place.file, one[0].place.line)):
        outcome, reason = result["outcome"], reasons.get(mutant.key)
        if outcome == "survived":
            if reason is not None and reason["equivalent"]:
                outcome = "equivalent"
            else:
                alive.append((mutant, reason))
        for name in (mutant.place.file, "all"):
            counts.setdefault(name, dict.fromkeys(("killed", "timeout", "survived", "equivalent"), 0))[outcome] += 1
    print(f"\n{'':40s}{'killed':>10s}{'timeout':>10s}{'survived':>10s}{'equivalent':>12s}{'share':>8s}")
    share = 0.0
    for name in sorted(counts, key=lambda name: (name == "all", name)):
        count = counts[name]
        counted = count["killed"] + count["timeout"] + count["survived"]
        share = (count["killed"] + count["timeout"]) / counted if counted else 1.0
        numbers = f"{count['killed']:10d}{count['timeout']:10d}{count['survived']:10d}{count['equivalent']:12d}"
        print(f"{name:40s}{numbers}{share:8.1%}")
    if alive:
        print("\nSurvivors:")
    for mutant, reason in alive:
        print(mutant)
        if reason is not None:
            print(f"    known: {reason['why']}")
    return share


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 enough are killed, 1 too few, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m companion.bench.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=300, help="how many places to draw; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the draw; default: %(default)s")
    parser.add_argument("--minutes", type=float, default=60, help="stop after these; default: %(default)s")
    parser.add_argument("--only", action="append", choices=TESTS, metavar="PATH", help=f"one of {', '.join(TESTS)}")
    parser.add_argument("--out", type=Path, default=Path("runs/mutants/results.jsonl"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        done, reasons = measure(
            options.out,
            number=options.number,
            seed=options.seed,
            minutes=options.minutes,
            packages=options.only or list(TESTS),
        )
    except InputError as error:
        print(f"companion.bench.mutants: {error}", file=sys.stderr)
        return 2
    return 0 if report(done, reasons) >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
