"""What the page of maps draws and lists: maps and their shapes, and which of them speak against the explanation."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from IPython.display import Image
from scipy.stats import spearmanr

from companion.figures.maps import CURVE, LINE, NO_LINE, class_names, map_grid, maps_of, pairs, png, shapes
from companion.page import Page
from companion.statistics.curves import thick_segment, thickness_of_rank
from companion.statistics.map_shape import local_dimension
from companion.statistics.tables import SET_TITLES
from emargin.evaluation.tsne import tsne

AGAINST = {
    "no line": "curves or bands without a line",
    "no curve": "lines without a curve",
    "no training": "curves or bands without training",
}
ORDER = 0.5  # the least rank correlation that is called an order
FEWEST = 5  # maps for a correlation
FIRST = 7  # rows of maps in the first of a set's two figures: a page-long one is too long to look at


class MapsPage:
    """The maps of one seed and fold, under one protocol.

    Parameters
    ----------
    page : Page
    protocol : str
    fold, seed : int
    """

    def __init__(self, page: Page, protocol: str, fold: int, seed: int):
        self.page, self.protocol, self.where = page, protocol, f"protocol {protocol}, fold {fold}, seed {seed}"
        self.titles = page.sets(SET_TITLES)
        own = [cell for cell in page.cells if (cell.protocol, cell.seed, cell.fold) == (protocol, seed, fold)]
        self.maps = maps_of(page.store, sorted(own, key=lambda cell: list(self.titles).index(cell.dataset)))

    def first(self, dataset: str) -> Image | str:
        """Draw the first methods of a set."""
        return self._drawn(dataset, slice(FIRST))

    def second(self, dataset: str) -> Image | str:
        """Draw the other methods of a set."""
        return self._drawn(dataset, slice(FIRST, None))

    @cached_property
    def table(self) -> pd.DataFrame:
        """Shape, scores and kind of each map that is there, with the sets' titles."""
        return shapes(self.maps).assign(dataset=lambda own: own.dataset.map(self.titles))

    def counts(self) -> pd.DataFrame:
        """Return how many maps of each set are planned, drawn, failed and not run."""
        counted = {}
        for dataset, title in self.titles.items():
            why_not = [drawn.why_not for drawn in self.maps if drawn.cell.dataset == dataset]
            counted[title] = {
                "planned": len(why_not),
                "drawn": why_not.count(""),
                "failed": sum(reason.startswith("failed") for reason in why_not),
                "not run": why_not.count("not run"),
            }
        return pd.DataFrame(counted).T

    def dimensions(self) -> pd.DataFrame:
        """Return the local dimension of each map, with the effective rank in brackets: a line a method, by set."""
        words = pd.DataFrame(
            "", index=list(dict.fromkeys(one.title for one in self.maps)), columns=self.titles.values()
        )
        for drawn in self.maps:
            scores = drawn.scores and "{local_dimension:.3f} ({participation_ratio:.1f})".format_map(drawn.scores)
            words.loc[drawn.title, self.titles[drawn.cell.dataset]] = scores or drawn.why_not.split(":")[0]
        return words

    def correlations(self) -> pd.DataFrame:
        """Return the rank correlation of effective rank and local dimension, of neighbourhoods of three sizes.

        Of half and twice the size from every third point, for time. By all maps, those that are no piles, and each set.
        """
        table, there = self.table, [drawn for drawn in self.maps if not drawn.why_not]
        half, twice = ([local_dimension(drawn.points[::3], share) for drawn in there] for share in (0.05, 0.2))
        sizes = {"5% of the points": half, "10%": table.local_dimension.tolist(), "20%": twice}
        groups = {"all": table.index, "without piles": table.index[table["shape"] != "piles"]}
        groups |= {title: table.index[table.dataset == title] for title in self.titles.values()}
        found: dict[str, dict[str, object]] = {}
        for name, members in groups.items():
            found[name] = {"maps": len(members)}
            for size, values in sizes.items():
                rho = rank_correlation(table.loc[members].assign(local_dimension=np.take(values, members)))
                found[name][size] = "too few" if np.isnan(rho) else f"{rho:+.2f}"
        return pd.DataFrame(found).T

    def _drawn(self, dataset: str, part: slice) -> Image | str:
        own = [drawn for drawn in self.maps if drawn.cell.dataset == dataset]
        source = f"{self.page.source_of(dataset, self.titles.get(dataset, dataset))}, {self.where}"
        if not own:
            return f"not planned: {source}"
        names = class_names(self.page.store, dataset, self.protocol)
        return Image(png(map_grid(pairs(own)[part], names, source)))


def rank_correlation(table: pd.DataFrame) -> float:
    """Return that of effective rank and local dimension; NaN of fewer than `FEWEST` maps."""
    if len(table) < FEWEST:
        return float("nan")
    return float(spearmanr(table.participation_ratio, table.local_dimension).statistic)


def by_rank(table: pd.DataFrame) -> pd.DataFrame:
    """Count the maps by effective rank and shape. table: as `maps.shapes` gives it."""
    ranks = pd.cut(
        table.participation_ratio, [0, LINE, NO_LINE, np.inf], labels=["rank up to 1.5", "1.5 to 3", "above 3"]
    )
    kinds = pd.Categorical(table["shape"], ["piles", "curve", "band", "area"])
    return pd.crosstab(ranks, kinds, dropna=False, rownames=["maps by effective rank"], colnames=["shape"])


def against(table: pd.DataFrame) -> pd.DataFrame:
    """Return which maps speak against the explanation: a column of booleans for each way in `AGAINST`."""
    drawn_out, rank = table["shape"].isin(["curve", "band"]), table.participation_ratio
    found = [
        drawn_out & (rank >= NO_LINE),
        (table["shape"] == "area") & (rank <= LINE),
        drawn_out & (table.kind == "control"),
    ]
    return pd.DataFrame(dict(zip(AGAINST, found, strict=True)))


def listed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the maps that are no area, and those that speak against the explanation, the thinnest first."""
    ways = against(table)
    said = [", ".join(AGAINST[way] for way in AGAINST if ways.loc[row, way]) for row in table.index]
    chosen = table.assign(said=said)[(table["shape"] != "area") | ways.any(axis=1)].sort_values("local_dimension")
    lines = [
        {
            "Map": f"{row.dataset}: {row.method}",
            "Shape": row.called,
            "Local dimension": f"{row.local_dimension:.3f}",
            "Effective rank": f"{row.participation_ratio:.1f}",
            "Speaks against it as": row.said,
        }
        for row in chosen.rename(columns={"shape": "called"}).itertuples()
    ]
    return pd.DataFrame(lines, columns=["Map", "Shape", "Local dimension", "Effective rank", "Speaks against it as"])


def examples() -> pd.DataFrame:
    """Return the local dimension of shapes of 1,000 points."""
    generator = np.random.default_rng(0)
    even = generator.random((1000, 2))
    turn = 4 * np.pi * np.sqrt(np.linspace(0.1, 1, 1000))[:, None]
    radius, angle = np.sqrt(even[:, :1]), 2 * np.pi * even[:, 1:]
    disc = radius * np.hstack([np.cos(angle), np.sin(angle)])
    drawn = {
        "spiral of a little over one turn": turn * np.hstack([np.cos(turn), np.sin(turn)]),
        "band 40 times as long as wide": even * [40, 1],
        "band 20 times": even * [20, 1],
        "band 12 times": even * [12, 1],
        "disc": disc,
        "five separate discs": disc + 5 * generator.integers(5, size=(1000, 1)),
    }
    return _two_columns("Shape", {name: f"{local_dimension(points):.2f}" for name, points in drawn.items()})


def lines_of_one_rank(directions: Sequence[int] = (300, 2)) -> pd.DataFrame:
    """Return the local dimension of the maps of straight lines of effective rank 1.2, thick in so many directions."""
    found = {}
    for count in directions:
        line = thick_segment(200, thickness_of_rank(1.2), count, np.random.default_rng(0))
        dimension = local_dimension(tsne(line, perplexity=6))
        found[f"thick in {count} directions"] = f"{dimension:.1f}, {'a curve' if dimension < CURVE else 'no curve'}"
    return _two_columns("Line", found)


def _two_columns(first: str, values: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({first: list(values), "Local dimension": list(values.values())})
