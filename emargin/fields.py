"""Field: a setting that a method declares, with what it may be. Checks of names and types that settings share."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emargin.errors import InputError

Plain = str | int | float | bool | None
KINDS = (str, int, float, bool)


@dataclass(frozen=True)
class Field:
    """A setting of a method, declared in its class:

        fields = {"margin": Field(float, default=5.0, above=0, help="m, what dissimilar frames are kept apart by")}

    Parameters
    ----------
    kind
        `str`, `int`, `float` or `bool`.
    default
        The value where none is named; or one for each fidelity, by its name, and then the method has the field in these
        fidelities alone. None stands for no value, which is left out of the digest: so a field that is added later
        leaves the digests of earlier experiments as they are.
    help
        One line for the command line.
    choices
        The values that are allowed, all of them where there are none; or those for each fidelity, by its name.
    least, most, above
        Bounds of a number; `above` is not allowed itself.
    """

    kind: type
    default: Plain | Mapping[str, Plain] = None
    help: str = ""
    choices: tuple[Plain, ...] | Mapping[str, tuple[Plain, ...]] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None

    def has(self, fidelity: str) -> bool:
        """Say whether the method has the field in this fidelity."""
        return not isinstance(self.default, Mapping) or fidelity in self.default

    def default_of(self, fidelity: str) -> Plain:
        """Return the value in this fidelity where none is named."""
        return self.default[fidelity] if isinstance(self.default, Mapping) else self.default

    def checked(self, name: str, value: Plain, fidelity: str) -> Plain:
        """Return the value in the field's type.

        Raises
        ------
        InputError
            For a value of another type, out of range, or not among the choices.
        """
        value = typed(name, self.kind, value)
        choices = self.choices.get(fidelity, ()) if isinstance(self.choices, Mapping) else self.choices
        if choices and value not in choices:
            close = difflib.get_close_matches(str(value), map(str, choices), n=1)
            raise InputError(
                f"{name} has a value that is not among its choices",
                found=repr(value),
                wanted=" or ".join(map(repr, choices)) + f" in fidelity {fidelity}",
                todo=f"did you mean {close[0]!r}?" if close else None,
            )
        in_range(name, value, least=self.least, most=self.most, above=self.above)
        return value


def typed(name: str, kind: type, value: Plain) -> Plain:
    """Return the value in the type; whole floats and ints stand for each other, as papermill may pass either.

    Raises
    ------
    InputError
        For a value of another type.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind is float:
            return float(value)
        if kind is int and math.isfinite(value) and value == int(value):
            return int(value)
    elif kind in (str, bool) and isinstance(value, kind):
        return value
    raise InputError(f"{name} has the wrong type", found=repr(value), wanted=kind.__name__)


def in_range(
    name: str,
    value: Plain,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Raise InputError for a number outside these bounds, `above` and `below` excluded; floats have to be finite."""
    if isinstance(value, str | bool) or value is None:
        return
    holds = (
        math.isfinite(value)
        and (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not holds:
        bounds = {"above": above, "at least": least, "at most": most, "below": below}
        words = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise InputError(f"{name} is out of range", found=value, wanted=f"a number, {words or 'finite'}")


def known(what: str, name: Plain, names: Iterable[str]) -> None:
    """Raise InputError for a name that is none of these; it says which one was meant."""
    names = list(names)
    if name not in names:
        close = difflib.get_close_matches(str(name), names, n=1)
        raise InputError(
            f"unknown {what}",
            found=repr(name),
            wanted=", ".join(names),
            todo=f"did you mean {close[0]!r}?" if close else None,
        )
