"""The public face: what `from emargin import ...` gives, by which name, and what it costs to ask."""

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import emargin
from emargin.fingerprint import ROOT, Source

HEAVY = {"torch", "sklearn", "pandas", "scipy", "matplotlib", "numpy"}


def in_a_new_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def names_for_type_checkers() -> dict[str, str]:
    """Name and module of what `emargin/__init__.py` imports for type checkers alone."""
    tree = ast.parse(Path(emargin.__file__).read_text())
    (branch,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {alias.name: statement.module for statement in branch.body for alias in statement.names}


@pytest.mark.parametrize("name", emargin.__all__)
def test_every_public_name_is_what_its_module_defines(name):
    module = importlib.import_module(emargin._PLACES[name])
    assert getattr(emargin, name) is getattr(module, name)


def test_type_checkers_see_the_names_that_run():
    assert names_for_type_checkers() == emargin._PLACES
    assert set(emargin.__all__) == set(emargin._PLACES)
    assert set(emargin.__all__) < set(dir(emargin))


def test_a_fingerprint_follows_public_names_to_their_definitions():
    source = Source(ROOT)
    for name in set(emargin.__all__) - {"Method"}:
        place, rest = source.find(f"emargin:{name}")
        assert (place.name, rest) == (name, []) and place.module.startswith("emargin.")


@pytest.mark.parametrize("name", ["resolve", "pseudo_labels"])
@pytest.mark.parametrize("first", ["import emargin.{0}", "from emargin.{0} import {0}", "from emargin import {0}"])
def test_a_function_is_not_replaced_by_its_module_of_the_same_name(name, first):
    program = (
        f"{first.format(name)}\nimport emargin.{name}\nfrom emargin import {name}\n"
        f"import sys\nprint(type({name}).__name__, sys.modules['emargin.{name}'].{name} is {name})"
    )
    assert in_a_new_process(program) == "function True"


def test_modules_can_still_be_imported_from_the_package():
    assert in_a_new_process("from emargin import rows, losses; print(rows.__name__, losses.__name__)") == (
        "emargin.rows emargin.losses"
    )


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'emargn_loss'"):
        emargin.emargn_loss  # noqa: B018
    with pytest.raises(ImportError, match="emargn_loss"):
        from emargin import emargn_loss  # noqa: F401


@pytest.mark.parametrize(
    "program",
    [
        "import emargin; dir(emargin); emargin.__version__",
        "from emargin import Experiment, METHODS, resolve; resolve(Experiment(margin=3)); list(METHODS)",
        "from companion.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from companion.__main__ import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(program):
    assert in_a_new_process(f"{program}\nimport sys; print('heavy:', {HEAVY} & set(sys.modules))").endswith(
        "heavy: set()"
    )


def test_the_version_stands_in_one_place_and_the_citation_has_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "emargin.__version__"}
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == emargin.__version__
    assert f"\n## [{emargin.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_type_checkers_are_told_that_the_package_has_types():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (ROOT / "emargin" / "py.typed").is_file()
    assert project["tool"]["setuptools"]["package-data"]["emargin"] == ["py.typed"]


def test_public_names_have_examples_that_are_collected():
    finder = doctest.DocTestFinder()
    losses = [module.name for module in pkgutil.iter_modules(emargin.losses.__path__, "emargin.losses.")]
    counts = {
        name: sum(len(test.examples) for test in finder.find(importlib.import_module(name)))
        for name in ("emargin", *losses)
    }
    assert counts["emargin"] >= 5 and counts["emargin.losses.margin"] and counts["emargin.losses.emargin"]
    assert "--doctest-modules" in (ROOT / "Makefile").read_text()


def test_the_reference_describes_every_public_name():
    pages = "".join(page.read_text() for page in sorted((ROOT / "book" / "api").glob("*.md")))
    described = set(re.findall(r"^\.\. auto(?:class|function):: (\w+)$", pages, re.MULTILINE))
    assert described == set(emargin.__all__) - {"METHODS"} and "`METHODS`" in pages
