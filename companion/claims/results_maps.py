"""What the page on maps says of the rows and maps in `results/grid`: protocol `original`, first fold and seed."""

from functools import cache

import pandas as pd
from scipy.stats import spearmanr

from companion.claims import claim, require, signed
from companion.figures.maps import LINE, NO_LINE, maps_of, shapes
from companion.grid.plan import read_chapter
from companion.grid.store import Store
from emargin.paths import home

WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SPORTS = "dsads"


@cache
def table() -> pd.DataFrame:
    """Return shape, local dimension and effective rank of every map."""
    store = Store(home() / "results" / "grid")
    cells = {cell.digest: cell for own in read_chapter(store).values() for cell in own}
    chosen = [cell for cell in cells.values() if (cell.protocol, cell.seed, cell.fold) == ("original", 1, 1)]
    return shapes(maps_of(store, chosen))


def drawn_out() -> pd.Series:
    """Return which maps are a curve or a band."""
    return table()["shape"].isin(["curve", "band"])


def rho(own: pd.DataFrame) -> float:
    """Return the rank correlation of effective rank and local dimension."""
    return spearmanr(own.participation_ratio, own.local_dimension).statistic


@claim(
    "the lower the effective rank of an embedding, the thinner its map ($\\rho$ = {rho} over {maps} maps), but neither"
)
def finding():
    require(rho(table()) > 0.5, f"the correlation is {rho(table())}")
    return {"rho": signed(rho(table())), "maps": str(len(table()))}


@claim(
    "Of the {far} maps whose embedding has an effective rank of 3 or more, {bands} are bands (none of them"
    " is a curve, and {sports} are of Daily and Sports Activities,"
)
def thin_without_a_line():
    far = table()[table().participation_ratio >= NO_LINE]
    found = far[far["shape"].isin(["curve", "band"])]
    require(set(found["shape"]) == {"band"}, f"they are {found['shape'].tolist()}")
    return {"far": str(len(far)), "bands": WORDS[len(found)], "sports": WORDS[(found.dataset == SPORTS).sum()]}


@claim("and of the {lines} at 1.5 or less, {areas} are areas.")
def lines_without_a_curve():
    lines = table()[table().participation_ratio <= LINE]
    return {"lines": WORDS[len(lines)], "areas": WORDS[(lines["shape"] == "area").sum()]}


@claim(
    "over all {maps} maps the rank correlation is {rho}, within the sets between {low} (Daily and Sports Activities)"
    " and {high}, so there"
)
def there_is_an_order():
    require(rho(table()) >= 0.5, f"it is {rho(table())}")
    within = {name: rho(own) for name, own in table().groupby("dataset")}
    require(min(within, key=within.get) == SPORTS, f"they are {within}")
    ends = {"low": signed(min(within.values())), "high": signed(max(within.values()))}
    return {"maps": str(len(table())), "rho": signed(rho(table()))} | ends


@claim(
    "the {curves} maps that are curves come from embeddings of a rank below 2; and no untrained encoder has a curve"
    " or a band."
)
def none_without_training():
    curves = table()[table()["shape"] == "curve"]
    require(curves.participation_ratio.max() < 2, f"their ranks are {curves.participation_ratio.tolist()}")
    untrained = (drawn_out() & (table().kind == "control")).sum()
    require(untrained == 0, f"{untrained} have")
    return {"curves": WORDS[len(curves)]}
