"""Flags of the command line for an experiment's fields, and the settings that its method declares."""

import argparse
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from emargin.config import CHOICES, FIELDS, Experiment
from emargin.data.catalogue import DATASETS
from emargin.errors import InputError, shown
from emargin.fields import Plain
from emargin.methods import METHODS


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of an experiment; settings of methods are left unparsed.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Changed in place. A flag that the words do not have is no attribute of what it parses. Values stay text, which
        an experiment takes for what it spells.
    """
    parser.formatter_class, parser.allow_abbrev = argparse.RawDescriptionHelpFormatter, False
    sentences = _sentences(inspect.getdoc(Experiment) or "")
    choices: dict[str, Iterable[str]] = {"dataset": DATASETS, "method": METHODS, **CHOICES}
    for name, field in FIELDS.items():
        kind = next(kind for kind in ("bool", "int", "float", "str") if kind in str(field.type))
        unset = "none" if name in CHOICES else "that of the data set"
        parts = [sentences.get(name, ""), f"One of {', '.join(choices[name])}." if name in choices else ""]
        parts.append(f"Default: {unset if field.default is None else field.default}.")
        options: dict[str, Any] = {"nargs": "?", "const": True} if kind == "bool" else {}
        text = " ".join(filter(None, parts)).replace("%", "%%")
        parser.add_argument(_flag(name), default=argparse.SUPPRESS, metavar=kind.upper(), help=text, **options)


def settings_from(words: Sequence[str]) -> dict[str, Plain]:
    """Return settings by name, as text, from flags that were left unparsed.

    Parameters
    ----------
    words : sequence of str
        `--name value` or `--name=value`, again and again.

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        For words that are no flag with a value.
    """
    settings: dict[str, Plain] = {}
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag, text in zip_longest(parts[::2], parts[1::2], fillvalue="--"):
        if not flag.startswith("--") or text.startswith("--"):
            word, todo = flag if flag.startswith("--") else shown(flag), "emargin run --help lists what there is"
            raise InputError("the command line cannot be read", found=word, wanted="--NAME VALUE", todo=todo)
        settings[flag.removeprefix("--").replace("-", "_")] = text
    return settings


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _sentences(docstring: str) -> Mapping[str, str]:
    """Return what a docstring says of each of its parameters, by name."""
    part = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n|\Z)", docstring, re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    for names, lines in re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n?)+)", part[1] if part else "", re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(lines.split()).replace("`", ""))
    return found
