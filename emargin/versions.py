"""Which code a cell's numbers come from: what makes a committed row stale, and what does not.

A stage's version stands for the module's files that it runs for this experiment, followed through their imports,
without comments and docstrings. So a change of a figure, of another method or of a sentence leaves a row as it is.
Settings (`config`, `catalogue`) are not followed: what they decide is in the experiment's digest, or added by value.
A text that was shown to compute the same as an earlier one goes by the earlier one's version (`equal_versions`).
"""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

from emargin.config import Experiment
from emargin.data.catalogue import UCR, recordings_of, settings_of
from emargin.equal_versions import EQUAL
from emargin.methods import METHODS

ROOT = Path(__file__).parent
# Not followed: no number depends on them, or (settings, the lists of all methods and all readers) on only a part of
# them, which is named below. Nor is the cache of frames, which `loading` uses: it has a version of its own, and its
# tests hold what it gives to what the readers give, bit for bit.
LEFT_OUT = {"emargin", "emargin.config", "emargin.data", "emargin.data.catalogue", "emargin.data.loading",
            "emargin.errors", "emargin.evaluation", "emargin.methods", "emargin.paths", "emargin.results",
            "emargin.versions"}
READERS = {"harth": ("harth",), "sleepeeg": ("sleepeeg", "sleepedf"), "ecg": ("rhythms",), "mitbih": ("rhythms",),
           "dsads": ("npz",), "spsw-har": ("npz",), "sleepedf-features": ("npz",)}


def code_versions(experiment: Experiment) -> dict[str, str]:
    """The versions of the three stages: "data", "train", "evaluate"."""
    data = ("emargin.data.protocols", "emargin.data.surrogates",
            *(f"emargin.data.{reader}" for reader in _readers(experiment)))
    scored = "emargin.series" if experiment.dataset.startswith(UCR) else "emargin.experiment"
    found = {"data": _version(data, also=("emargin.data.loading",), value=repr(settings_of(experiment.dataset))),
             "train": _version(("emargin.training", METHODS[experiment.method].__module__)),
             "evaluate": _version((scored,))}
    return {stage: EQUAL.get(version, version) for stage, version in found.items()}


def _readers(experiment: Experiment) -> tuple[str, ...]:
    if experiment.source == "simulated":
        return ("simulated",)
    if experiment.dataset.startswith(UCR):
        return ("ucr",)
    return READERS.get(recordings_of(experiment.dataset), ("npz",))


@cache
def _version(modules: tuple[str, ...], also: tuple[str, ...] = (), value: str = "") -> str:
    """Sixteen hexadecimal digits for the modules, all that they import, and `also`, whose imports are not followed."""
    digest = hashlib.sha256(value.encode())
    for name in sorted(_followed(modules) | set(also)):
        digest.update(f"{name}\0{_substance(_file(name))}\0".encode())
    return digest.hexdigest()[:16]


def _followed(modules: tuple[str, ...]) -> set[str]:
    found, ahead = set(), list(modules)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _imports(_file(name))
    return found


@cache
def _imports(path: Path) -> frozenset[str]:
    """Modules of this package that a file imports, anywhere in it, without LEFT_OUT."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name not in LEFT_OUT and name.split(".")[0] == "emargin"
                     and _file(name).exists())


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _substance(path: Path) -> str:
    """A file's lines without comments, docstrings, blank lines and trailing spaces."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, False) is not None:
            words = node.body[0]
            lines[words.lineno - 1:words.end_lineno] = [""] * (words.end_lineno - words.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
