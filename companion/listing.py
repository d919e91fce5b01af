"""What the command line says of the methods and their settings."""

import textwrap
from collections.abc import Mapping

from emargin.fields import Field
from emargin.methods import METHODS, declaration


def listing() -> str:
    """Return a line for each method, and below it a line for each of its settings."""
    return "\n".join(
        "\n".join(filter(None, (f"{name:20s} {declaration(name).summary}", help_of(name)))) for name in METHODS
    )


def settings(width: int) -> str:
    """Return the settings of all methods, for the end of a help text, in lines of so many characters at most."""
    lines = ["settings of the methods, and their values where none are named:"]
    for name in METHODS:
        if declaration(name).fields:
            lines += [f"  {name}", *help_of(name).splitlines()]
    wrapper = textwrap.TextWrapper(width, subsequent_indent=" " * 8, break_on_hyphens=False)
    return "\n".join(map(wrapper.fill, lines))


def help_of(method: str) -> str:
    """Return a line for each setting of a method: flag, type, default, choices, what it is."""
    return "\n".join(
        f"    --{name.replace('_', '-'):12s} {field.kind.__name__:6s} {_default(field)}{_choices(field)}; {field.help}"
        for name, field in declaration(method).fields.items()
    )


def _default(field: Field) -> str:
    if isinstance(field.default, Mapping):
        return ", ".join(f"{value} ({fidelity})" for fidelity, value in field.default.items())
    return str(field.default)


def _choices(field: Field) -> str:
    each = field.choices.values() if isinstance(field.choices, Mapping) else [field.choices]
    choices = dict.fromkeys(str(value) for values in each for value in values)
    return f" of {', '.join(choices)}" if choices else ""
