"""What the landing page says of the dial's rows and of those on two encoders."""

from math import ceil, floor

from companion.claims import claim, require
from companion.claims.dial import mean, rows, values
from companion.dial import EMARGIN, SMALLEST, UNTRAINED
from companion.grid.store import Store
from companion.statistics import encoders
from emargin.paths import home

BODY, SLEEP = "spsw-har", "sleepedf-features"


def seeds_of(score: str, factor: float):
    """Return a score of the untrained encoder by data set and seed."""
    return values(score, "beside", factor)


@claim("the silhouette rises from at most {before} to at least {after}, the paper's probe falls from {probe} or more")
def silhouette_rises_and_the_probe_falls():
    require(rows()[rows().line == UNTRAINED].groupby("dataset").seed.nunique().eq(3).all(), "not three seeds each")
    return {
        "before": f"{ceil(100 * seeds_of('silhouette', 1).max()) / 100:.2f}",
        "after": f"{floor(100 * seeds_of('silhouette', SMALLEST).min()) / 100:.2f}",
        "probe": f"{floor(100 * seeds_of('probe', 1).min()) / 100:.2f}",
    }


@claim(
    "or more to chance ({chance}), and on whitened features, where all directions have one size, "
    "it moves by at most {moved}. The"
)
def chance_and_whitened():
    chance = rows().chance.unique()
    require(len(chance) == 1, f"levels of chance: {chance}")
    above = seeds_of("probe", SMALLEST) - chance[0]
    require((above.abs() < 0.005).all(), f"the paper's probe ends {above.max():.3f} above chance")
    moved = (seeds_of("whitened", SMALLEST) - seeds_of("whitened", 1)).abs().max()
    return {"chance": f"{chance[0]:.2f}", "moved": f"{ceil(100 * moved) / 100:.2f}"}


@claim(
    "Raising the small directions of the trained eMargin sixteen times closes about half of its probe's gap to the "
    "untrained encoder on SP-SW-HAR, and on the features of Sleep-EDF next to nothing in two of three seeds."
)
def raising_helps():
    gained = values("probe", "beside", 16, EMARGIN) - values("probe", "beside", 1, EMARGIN)
    lacked = mean("certified", "beside", 1, EMARGIN)[BODY] - mean("probe", "beside", 1, EMARGIN)[BODY]
    require(
        (gained[BODY] > 0).all() and 0.4 < gained[BODY].mean() / lacked < 0.6,
        f"gains {gained.to_dict()}, lacked {lacked}",
    )
    require((gained[SLEEP].sort_values().iloc[:2] < 0.02).all(), f"on the second set {gained[SLEEP].tolist()}")


@claim(
    "On SP-SW-HAR a probe with a chosen penalty reaches {untrained} on an untrained encoder that sees the sequence. "
    "On the paper's encoder, which sees one frame, only CoST gets there, whose own layers look across time; after all "
    "other losses it reaches at most {frame}."
)
def encoder_and_loss():
    cells = encoders.lines(Store(home() / "results" / "encoders"))
    cells = cells[cells.dataset == BODY].dropna(subset=encoders.PROBE)
    means = cells.groupby(["encoder", "method", "line"])[encoders.PROBE].mean()
    frame, untrained = means[encoders.FRAME].droplevel("line"), means[encoders.CONTEXT, "random"].item()
    require(frame.pop("cost") > untrained - 0.02, "CoST reads less")
    require(frame.max() < untrained - 0.02, f"another reads {frame.max()}")
    return {"untrained": f"{untrained:.2f}", "frame": f"{frame.max():.2f}"}
