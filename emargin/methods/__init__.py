"""The methods, a file for each, and the tables that name them for experiments, the command line and the book.

    METHODS["ts2vec"], declaration("ts2vec").title

Names, their order and what a method declares can be read without torch. `METHODS[name]` imports the method's file. To
add a method, write its file and a line here. A class elsewhere needs no line: it goes by "package.module:Class".
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from emargin.fields import Field
from emargin.methods.declarations import Declaration, imported, of_class, of_source

if TYPE_CHECKING:
    from emargin.methods.base import Method

__all__ = ["COMPARED", "METHODS", "REPAIRS", "Declaration", "Field", "Method", "declaration", "name_of"]


class Methods(Mapping[str, "type[Method]"]):
    """Classes of methods by name, each imported when it is asked for.

    `METHODS["package.module:Class"]` gives a class that has no name here.

    Parameters
    ----------
    places : dict of str to str
        "package.module:Class" by name.
    """

    def __init__(self, places: dict[str, str]):
        self.places = places

    def __getitem__(self, name: str) -> "type[Method]":
        if name not in self.places and ":" not in name:
            raise KeyError(name)
        return imported(self.places.get(name, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, name: object) -> bool:
        return name in self.places


COMPARED = Methods(  # in the order of the paper's tables; the controls first
    {
        "random": "emargin.methods.random:Random",
        "random-calibrated": "emargin.methods.random:RandomCalibrated",
        "infonce": "emargin.methods.infonce:InfoNCE",
        "cpc": "emargin.methods.cpc:CPC",
        "tnc": "emargin.methods.tnc:TNC",
        "infots": "emargin.methods.infots:InfoTS",
        "cost": "emargin.methods.cost:CoST",
        "simmtm": "emargin.methods.simmtm:SimMTM",
        "timedrl": "emargin.methods.timedrl:TimeDRL",
        "ts2vec": "emargin.methods.ts2vec:TS2Vec",
        "softclt": "emargin.methods.softclt:SoftCLT",
        "mfclr": "emargin.methods.mfclr:MFCLR",
        "emargin": "emargin.methods.emargin:EMargin",
    }
)
REPAIRS = Methods(  # what the book tries in eMargin's place, and their controls
    {
        "distance-margin": "emargin.methods.distance_margin:DistanceMargin",
        "cosine-margin": "emargin.methods.cosine_margin:CosineMargin",
        "emargin-vicreg": "emargin.methods.emargin_vicreg:EMarginVICReg",
        "emargin-labels": "emargin.methods.labelled:EMarginLabels",
        "infonce-labels": "emargin.methods.labelled:InfoNCELabels",
        "supervised": "emargin.methods.labelled:Supervised",
    }
)
METHODS = Methods(COMPARED.places | REPAIRS.places)


def name_of(method: str) -> str:
    """Return the name in the table of a class that goes by its place; any other name or place as it is."""
    return next((name for name, place in METHODS.places.items() if place == method), method)


def declaration(method: str) -> Declaration:
    """Return what a method declares: of a name without importing it, of "package.module:Class" from the class.

    Parameters
    ----------
    method : str
        A name of the table, or the place of a class.

    Returns
    -------
    Declaration

    Raises
    ------
    KeyError
        For a name that is not in the table.
    InputError
        For a class that cannot be imported or is no method.
    """
    return of_source(METHODS.places[method]) if method in METHODS else of_class(METHODS[method])


def __getattr__(name: str) -> object:
    """Import `Method`, whose module needs torch, at its first use."""
    if name == "Method":
        from emargin.methods.base import Method

        return Method
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
