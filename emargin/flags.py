"""Flags of the command line for an experiment's fields, and for the settings that its method declares."""

import argparse
import dataclasses
from collections.abc import Sequence

from emargin.config import CHOICES, CORE, Experiment
from emargin.errors import InputError
from emargin.fields import Field, Plain
from emargin.methods import METHODS, declaration


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of an experiment; settings of methods are in the help text and are left unparsed."""
    parser.formatter_class, parser.allow_abbrev = argparse.RawDescriptionHelpFormatter, False
    for field in dataclasses.fields(Experiment):
        if field.name not in CORE:
            continue
        flag = f"--{field.name.replace('_', '-')}"
        if field.type == "bool":
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS)
        else:
            kind = next(kind for kind in (int, float, str) if kind.__name__ in str(field.type))
            default = field.default
            if default is None:
                default = "none" if field.name in CHOICES else "that of the data set"
            parser.add_argument(
                flag, type=kind, default=argparse.SUPPRESS, metavar=kind.__name__.upper(), help=f"default: {default}"
            )
    parser.epilog = "settings of the methods, and their values where none are named:\n" + "\n".join(
        f"  {name}\n{help_of(name)}" for name in METHODS if declaration(name).fields
    )


def help_of(method: str) -> str:
    """Return a line for each setting of a method: flag, type, default, choices, what it is."""
    return "\n".join(
        f"    --{name.replace('_', '-'):12s} {field.kind.__name__:6s} {_default(field)}{_choices(field)}; {field.help}"
        for name, field in declaration(method).fields.items()
    )


def settings_from(method: str, words: Sequence[str]) -> dict[str, Plain]:
    """Return settings by name, each in the type that the method declares, from flags that were left unparsed.

    Raises
    ------
    InputError
        For words that are no flag with a value.
    """
    fields = declaration(method).fields if method in METHODS or ":" in method else {}
    settings: dict[str, Plain] = {}
    rest = list(words)
    while rest:
        flag, equals, text = rest.pop(0).partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or (not equals and (not rest or rest[0].startswith("--"))):
            raise InputError(
                "the command line cannot be read",
                found=flag if flag.startswith("--") else repr(flag),
                wanted="--NAME VALUE",
                todo="emargin run --help lists what there is",
            )
        text = text if equals else rest.pop(0)
        settings[name] = _read(fields[name], text) if name in fields else text
    return settings


def _read(field: Field, text: str) -> Plain:
    """The text in the field's type, or as it is where it does not stand for such a value."""
    if field.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return field.kind(text)
    except ValueError:
        return text


def _default(field: Field) -> str:
    if isinstance(field.default, dict):
        return ", ".join(f"{value} ({fidelity})" for fidelity, value in field.default.items())
    return str(field.default)


def _choices(field: Field) -> str:
    choices = field.choices
    if isinstance(choices, dict):
        choices = tuple(dict.fromkeys(value for values in choices.values() for value in values))
    return f" of {', '.join(map(str, choices))}" if choices else ""
