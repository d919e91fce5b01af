"""Field: a setting that a method declares, with the values that it allows; and the checks that all settings share."""

import difflib
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emargin.errors import InputError, shown

Plain = str | int | float | bool | None
KINDS = (str, int, float, bool)
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}  # as YAML has them
LIMITS = {  # of a number: in words, and what holds within the bound
    "above": ("above", operator.gt),
    "least": ("at least", operator.ge),
    "most": ("at most", operator.le),
    "below": ("below", operator.lt),
}
LARGEST, SMALLEST = 1e9, 1e-15  # of any number: beyond, single precision has no room for its square and quotients


@dataclass(frozen=True)
class Field:
    """A setting of a method, declared in its class.

    For example::

        fields = {"margin": Field(float, default=5.0, above=0, help="m, what dissimilar frames are kept apart by")}

    Parameters
    ----------
    kind : type
        `str`, `int`, `float` or `bool`.
    default : str, int, float, bool, None or dict
        The value where an experiment names none. A dictionary has a value for each fidelity, and the method has the
        field in these fidelities alone. None stands for no value, which is left out of the digest: so a field
        that is added later leaves the digests of earlier experiments as they are.
    help : str
        A line for the command line.
    choices : tuple or dict
        The values that are allowed; all are where it is empty. A dictionary has a tuple for each fidelity.
    least, most, above : float, optional
        Bounds of a number; `above` is not allowed itself. Without them -1e9 and 1e9.
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
        """Return the value in this fidelity where an experiment names none."""
        return self.default[fidelity] if isinstance(self.default, Mapping) else self.default

    def checked(self, name: str, value: Plain, fidelity: str) -> Plain:
        """Return a value in the field's type.

        Parameters
        ----------
        name : str
            What errors call the setting.
        value : str, int, float, bool or None
        fidelity : str

        Returns
        -------
        str, int, float or bool

        Raises
        ------
        InputError
            For a value of another type, out of range, or not among the choices.
        """
        value = typed(name, self.kind, value)
        choices = self.choices.get(fidelity, ()) if isinstance(self.choices, Mapping) else self.choices
        if choices:
            wanted = " or ".join(map(repr, choices)) + f" in fidelity {fidelity}"
            _among(f"{name} has a value that is not among its choices", value, choices, wanted)
        in_range(name, value, least=self.least, most=self.most, above=self.above)
        return value


def plain(value: Any) -> Any:
    """Return what a scalar of numpy or torch, or a path, stands for in Python; anything else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def typed(name: str, kind: type, value: Any) -> Plain:
    """Return a value in a type. Whole floats and ints stand for each other, and text for what it spells.

    Text comes from a command line, and from YAML, to which `1e-3` is text. A scalar of numpy or torch and a path are
    taken for what they are.

    Raises
    ------
    InputError
        For a value of another type, and for a number that is no float.
    """
    value = given = plain(value)
    if isinstance(value, str) and kind is not str:
        value = SWITCHES.get(value.strip().lower(), value) if kind is bool else _number(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError as error:
            wanted = "a number that a float can hold"
            raise InputError(f"{name} is out of range", found=shown(given), wanted=wanted) from error
        if kind is float:
            return number
        if kind is int and number.is_integer():
            return int(value)
    elif kind in (str, bool) and isinstance(value, kind):
        return value
    raise InputError(f"{name} has the wrong type", found=shown(given), wanted=kind.__name__)


def _number(text: str) -> int | float | str:
    """Return the number that a text spells, or the text where it spells none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def in_range(name: str, value: Plain, **bounds: float | None) -> None:
    """Check a number against bounds, those of `LIMITS` that are given, and of a finite size where none is.

    Raises
    ------
    InputError
        For a number beyond a bound, or so close to 0 that its square or a quotient by it would be no number.
    """
    if isinstance(value, str | bool) or value is None:
        return
    given = {kind: bound for kind, bound in bounds.items() if bound is not None}
    if not given.keys() & {"above", "least"}:
        given["least"] = -LARGEST
    if not given.keys() & {"most", "below"}:
        given["most"] = LARGEST
    tiny = 0 < abs(value) < SMALLEST
    if tiny or not all(LIMITS[kind][1](value, bound) for kind, bound in given.items()):
        words = " and ".join(f"{LIMITS[kind][0]} {bound:g}" for kind, bound in given.items())
        words += f", 0 or at least {SMALLEST:g} from it" if tiny else ""
        raise InputError(f"{name} is out of range", found=shown(value), wanted=f"a number, {words}")


def known(what: str, name: Plain, names: Iterable[str]) -> None:
    """Check that a name is one of these.

    Raises
    ------
    InputError
        For another name; it says which was meant.
    """
    names = list(names)
    _among(f"unknown {what}", name, names, ", ".join(names))


def _among(complaint: str, value: Plain, values: Sequence[Plain], wanted: str) -> None:
    if value not in values:
        close = difflib.get_close_matches(str(value), map(str, values), n=1)
        todo = f"did you mean {close[0]!r}?" if close else None
        raise InputError(complaint, found=shown(value), wanted=wanted, todo=todo)
