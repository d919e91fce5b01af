"""Errors that tell a reader what to do next."""

from collections.abc import Callable
from typing import Any

LONGEST = 500  # characters of a part of a message; the middle of a longer one is left out


class InputError(ValueError):
    """Something the caller gave cannot be used. The message is made of the parts that are given.

    Parameters
    ----------
    what : str
        What is wrong, and where.
    found, wanted : object, optional
        The value that is there, and what should be.
    todo : str, optional
        What to do next.
    """

    def __init__(self, what: str, *, found: object = None, wanted: object = None, todo: str | None = None):
        given = {"found": None if found is None else _shortened(found, str), "wanted": wanted, "what to do": todo}
        parts = [_shortened(what, str), *(f"{name}: {part}" for name, part in given.items() if part is not None)]
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")


def shown(value: object) -> str:
    """Return a value as Python writes it, a very long one shortened."""
    return _shortened(value, repr)


def _shortened(value: object, write: Callable[[object], str]) -> str:
    try:
        text = write(value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, lists in lists without end
        return f"a value of type {type(value).__name__} that is too long to write out"
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]} ({len(text)} characters)"


def unreadable(what: str, error: Exception, wanted: str, todo: str) -> InputError:
    """Return the error for what a library could not read: that library's own error is what was found."""
    return InputError(what, found=f"{type(error).__name__}: {error}", wanted=wanted, todo=todo)


class MissingData(InputError):
    """A real data set was asked for and its files are not there."""


class Unwritable(OSError):
    """A file could not be written, such as on a full disk; what was there before is as it was.

    Parameters are those of `InputError`.
    """

    def __init__(self, what: str, **parts: Any):
        super().__init__(str(InputError(what, **parts)))


class NonFiniteGradient(ArithmeticError):
    """Training met a gradient that is NaN or infinite and stopped before using it."""
