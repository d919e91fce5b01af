"""Imports point one way: `emargin` imports nothing of `companion`, no module imports itself by way of others, and the
command line imports nothing slow before it is needed.
"""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.test_setup import ROOT

SLOW = {"torch", "sklearn", "pandas", "scipy"}


def name_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_of(package: str, root: Path = ROOT) -> dict[str, Path]:
    return {name_of(path, root): path for path in sorted((root / package).rglob("*.py"))}


def imports_of(path: Path, names: set[str]) -> set[str]:
    """Modules among `names` that a file imports, anywhere in it; from a package, the module where there is one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside if inside <= names else inside | {node.module}
    return found & names


def circle_of(package: str, root: Path = ROOT) -> list[str]:
    """Modules that import each other in a ring, or none. Imports for type checkers and inside functions count."""
    modules = modules_of(package, root)
    graph = {name: imports_of(path, set(modules)) - {name} for name, path in modules.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return error.args[1]
    return []


def test_emargin_imports_nothing_of_companion():
    names = set(modules_of("companion"))
    upwards = {name: imports_of(path, names) for name, path in modules_of("emargin").items()}
    assert {name: found for name, found in upwards.items() if found} == {}


@pytest.mark.parametrize("package", ["emargin", "companion"])
def test_no_module_imports_itself_by_way_of_others(package):
    assert circle_of(package) == []


def test_a_circle_is_found_through_a_package_a_function_and_a_type(tmp_path):
    package = tmp_path / "made"
    package.mkdir()
    texts = {
        "__init__": "",
        "a": "from made import b",
        "b": "def f():\n    import made.c",
        "c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made.a import x",
    }
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text)
    assert sorted(set(circle_of("made", tmp_path))) == ["made.a", "made.b", "made.c"]
    (package / "c.py").write_text("x = 1")
    assert circle_of("made", tmp_path) == []


@pytest.mark.parametrize(
    "words", [["emargin", "--help"], ["companion", "--help"], ["companion", "methods"]], ids=" ".join
)
def test_the_command_line_imports_nothing_slow_before_it_is_needed(words):
    module, *arguments = words
    program = (
        "import sys, importlib\n"
        f"main = importlib.import_module('{module}.__main__').main\n"
        "try:\n"
        f"    main({arguments})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('imported:', *sorted({SLOW} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].split() == ["imported:"], done.stdout + done.stderr


WITHOUT_UNIX = """
import builtins, importlib, multiprocessing, signal, sys

modules = {modules}
for name in modules:
    importlib.import_module(name)  # what others make of such a system is theirs: their modules stay
for name in [name for name in sys.modules if name.split(".")[0] in ("emargin", "companion")]:
    del sys.modules[name]

usual = builtins.__import__


def without_unix(name, globals=None, *others, **named):
    ours = (globals or {{}}).get("__name__", "").split(".")[0] in ("emargin", "companion")
    if ours and name in {unix}:
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    return usual(name, globals, *others, **named)


def start_method(name=None, usual=multiprocessing.get_context):
    if name not in (None, "spawn"):
        raise ValueError(f"cannot find context for {{name!r}}")
    return usual(name)


builtins.__import__ = without_unix
multiprocessing.get_context, multiprocessing.get_all_start_methods = start_method, lambda: ["spawn"]
del signal.SIGHUP, signal.SIGPROF
for name in modules:
    importlib.import_module(name)
print("imported", len(modules))
words = ["run", "--dataset", "ecg-sim", "--iterations", "2", "--out", sys.argv[1]]
sys.exit(sys.modules["companion.__main__"].main(words))
"""


def test_all_modules_are_imported_and_an_experiment_runs_without_what_only_unix_has(tmp_path):
    modules = [name for package in ("emargin", "companion") for name in modules_of(package)]
    assert "emargin.files" in modules and "companion.bench.mutants" in modules
    unix = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
    program = WITHOUT_UNIX.format(modules=modules, unix=unix)
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"imported {len(modules)}" in done.stdout and (tmp_path / "rows.csv").is_file()
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["peak_memory_mb"] == {}
