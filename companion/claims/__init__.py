"""Sentences of pages that rest on committed rows: what they say, the numbers in them, and what must hold.

    python -m companion.claims          # says which sentences no longer agree with the rows, and what they would be
    python -m companion.claims --fill   # writes the numbers of the rows into the pages

A module `companion/claims/PAGE.py` belongs to the page of that name. Each of its claims is a function under `claim`:

    @claim("the silhouette has $\\\\rho={rho}$ (95 % interval {low} to {high}), which decides nothing")
    def silhouette_and_probe():
        require(one.low < 0 < one.high, f"the interval {one.low} to {one.high} leaves zero out")
        return {"rho": signed(one.value), "low": signed(one.low), "high": signed(one.high)}

The text stands once in the page, inside one paragraph, with any short text in place of the fields. A test holds every
claim to the rows, so that text and rows cannot part.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from emargin.errors import InputError
from emargin.paths import home

FIELD = re.compile(r"\{(\w+)\}")
ENDS = ("value", "low", "high")
FILLED = r"([^|\n]{1,60}?)"  # what may stand in a field


class Fallen(AssertionError):
    """The rows do not support a sentence any more."""


def require(holds: bool, otherwise: str) -> None:
    """Raise Fallen, with what is so instead, where a sentence's condition does not hold."""
    if not holds:
        raise Fallen(otherwise)


def interval(value: float, low: float, high: float, digits: int = 2) -> str:
    """Return a number with its 95 % interval: "−0.15 (−0.22 to −0.09)"; without one where an end is missing."""
    if low != low or high != high:
        return signed(value, digits)
    return f"{signed(value, digits)} ({signed(low, digits)} to {signed(high, digits)})"


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign, and a true minus: "+0.18", "−0.36"."""
    return f"{value:+.{digits}f}".replace("-", "−")


def told(one, digits: int = 2) -> str:
    """Return what has a value and the ends of its interval, as attributes or under these names, as `interval` does."""
    value, low, high = (one[name] if isinstance(one, Mapping) else getattr(one, name) for name in ENDS)
    return interval(value, low, high, digits)


def printed(digits: int = 2, **values: float) -> dict[str, str]:
    """Return numbers by field, with that many digits and a true minus."""
    return {name: f"{value:.{digits}f}".replace("-", "−") for name, value in values.items()}


def ends(values: Iterable[float], digits: int = 2) -> dict[str, str]:
    """Return the least and the greatest of values for the fields "low" and "high"."""
    values = list(values)
    return printed(digits, low=min(values), high=max(values))


@dataclass(frozen=True)
class Claim:
    """A sentence of a page, with fields in braces, and the function that returns what fills them."""

    page: str
    text: str
    values: Callable[[], Mapping[str, str] | None]

    def __post_init__(self) -> None:
        """Refuse a text that has a field at an end, where nothing bounds it."""
        if FIELD.match(self.text) or re.search(r"\{\w+\}$", self.text):
            raise InputError(f"claim {self}: a field at an end of its text", found=self.text, wanted="words around it")

    def __str__(self) -> str:
        """The page and the function, such as "dial: probe_falls"."""
        return f"{self.page}: {self.values.__name__}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What finds the sentence in its page, whatever stands in its fields and wherever its lines end."""
        parts = FIELD.split(" ".join(self.text.split()))[::2]
        return re.compile(FILLED.join(re.escape(part).replace(r"\ ", r"\s+") for part in parts) + r"(?!\d)")

    def now(self) -> list[str]:
        """Return what the rows put into the fields, in their order; raises Fallen where the sentence does not hold."""
        values, fields = self.values() or {}, FIELD.findall(self.text)
        if set(values) != set(fields):
            raise InputError(f"claim {self}: fields and values differ", found=sorted(values), wanted=sorted(fields))
        return [values[field] for field in fields]

    def found(self, text: str) -> re.Match[str]:
        """Return where the sentence stands in a page's text; raises InputError unless it stands there once."""
        matches = list(self.pattern.finditer(text))
        if len(matches) != 1:
            raise InputError(
                f"claim {self}: the page has its text {len(matches)} times",
                found=self.text,
                wanted="once, with a short text in each field",
                todo=f"change the page and companion/claims/{self.page}.py together",
            )
        return matches[0]


def claim(text: str) -> Callable[[Callable[[], Mapping[str, str] | None]], Claim]:
    """Return a decorator that makes of a function without arguments the claim `text` of its module's page."""
    return lambda values: Claim(values.__module__.rpartition(".")[2], text, values)


def claims() -> list[Claim]:
    """Return the claims of all pages."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return [one for module in modules for one in vars(module).values() if isinstance(one, Claim)]


def page_of(name: str) -> Path:
    """Return the file of a page: a notebook, or Markdown in `book`."""
    notebook = home() / "notebooks" / f"{name}.ipynb"
    return notebook if notebook.exists() else home() / "book" / f"{name}.md"


def prose(page: Path) -> str:
    """Return the text of a page without its code."""
    text = page.read_text(encoding="utf8")
    if page.suffix == ".md":
        return text
    cells = nbformat.reads(text, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def fill(page: Path, one: Claim) -> bool:
    """Write what the rows say into a sentence of a page; return whether that changed it. Raises as `Claim` does."""
    sentence = one.found(prose(page))
    filled = "".join(_replaced(sentence, one.now()))
    if filled == sentence[0]:
        return False
    if page.suffix == ".md":
        page.write_text(page.read_text(encoding="utf8").replace(sentence[0], filled), encoding="utf8")
    else:
        notebook = nbformat.read(page, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = cell.source.replace(sentence[0], filled)
        nbformat.write(notebook, page)
    return True


def _replaced(sentence: re.Match[str], values: list[str]) -> Iterator[str]:
    """Yield the pieces of a found sentence, with `values` in place of its groups."""
    at = sentence.start()
    for number, value in enumerate(values, start=1):
        yield sentence.string[at : sentence.start(number)]
        yield value
        at = sentence.end(number)
    yield sentence.string[at : sentence.end()]
