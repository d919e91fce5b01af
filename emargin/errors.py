"""Errors that tell a reader what to do next."""


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
        given = {"found": found, "wanted": wanted, "what to do": todo}
        parts = [what, *(f"{name}: {part}" for name, part in given.items() if part is not None)]
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")


def unreadable(what: str, error: Exception, wanted: str, todo: str) -> InputError:
    """Return the error for what a library could not read: that library's own error is what was found."""
    return InputError(what, found=f"{type(error).__name__}: {error}", wanted=wanted, todo=todo)


class MissingData(InputError):
    """A real data set was asked for and its files are not there."""


class NonFiniteGradient(ArithmeticError):
    """Training met a gradient that is NaN or infinite and stopped before using it."""
