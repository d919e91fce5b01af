"""Flags of the command line for an experiment's fields, and for the settings that its method declares."""

import argparse
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from emargin.config import CHOICES, FIELDS
from emargin.errors import InputError
from emargin.fields import Field, Plain
from emargin.methods import METHODS, declaration


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of an experiment; settings of methods are in the help text and are left unparsed.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Changed in place. A flag that the words do not have is no attribute of what it parses.
    """
    parser.formatter_class, parser.allow_abbrev = argparse.RawDescriptionHelpFormatter, False
    for name, field in FIELDS.items():
        kind = next(kind for kind in (bool, int, float, str) if kind.__name__ in str(field.type))
        unset = "none" if name in CHOICES else "that of the data set"
        default = unset if field.default is None else field.default
        options: dict[str, Any] = {"type": kind, "metavar": kind.__name__.upper(), "help": f"default: {default}"}
        if kind is bool:
            options = {"action": "store_true"}
        parser.add_argument(_flag(name), default=argparse.SUPPRESS, **options)
    parser.epilog = "settings of the methods, and their values where none are named:\n" + "\n".join(
        f"  {name}\n{help_of(name)}" for name in METHODS if declaration(name).fields
    )


def help_of(method: str) -> str:
    """Return a line for each setting of a method: flag, type, default, choices, what it is."""
    return "\n".join(
        f"    {_flag(name):14s} {field.kind.__name__:6s} {_default(field)}{_choices(field)}; {field.help}"
        for name, field in declaration(method).fields.items()
    )


def settings_from(method: str, words: Sequence[str]) -> dict[str, Plain]:
    """Return settings by name, each in the type that the method declares, from flags that were left unparsed.

    Parameters
    ----------
    method : str
        A name, or the place of a class. The settings of an unknown name stay text.
    words : sequence of str
        `--name value` or `--name=value`, again and again.

    Returns
    -------
    dict of str to str, int, float or bool

    Raises
    ------
    InputError
        For words that are no flag with a value.
    """
    fields = declaration(method).fields if method in METHODS or ":" in method else {}
    settings: dict[str, Plain] = {}
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag, text in zip_longest(parts[::2], parts[1::2], fillvalue="--"):
        if not flag.startswith("--") or text.startswith("--"):
            word, todo = flag if flag.startswith("--") else repr(flag), "emargin run --help lists what there is"
            raise InputError("the command line cannot be read", found=word, wanted="--NAME VALUE", todo=todo)
        name = flag.removeprefix("--").replace("-", "_")
        settings[name] = _read(fields[name], text) if name in fields else text
    return settings


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read(field: Field, text: str) -> Plain:
    """Return a text in the field's type, or as it is where it does not stand for such a value."""
    if field.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return field.kind(text)
    except ValueError:
        return text


def _default(field: Field) -> str:
    if isinstance(field.default, Mapping):
        return ", ".join(f"{value} ({fidelity})" for fidelity, value in field.default.items())
    return str(field.default)


def _choices(field: Field) -> str:
    each = field.choices.values() if isinstance(field.choices, Mapping) else [field.choices]
    choices = dict.fromkeys(str(value) for values in each for value in values)
    return f" of {', '.join(choices)}" if choices else ""
