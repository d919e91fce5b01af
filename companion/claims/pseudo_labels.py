"""What the page on pseudo-labels says of the recorded sets, from their cards."""

from companion.claims import claim, require
from companion.data_cards import read_cards

PEOPLE = ("dsads", "mitbih", "sleepedf-features", "spsw-har")  # the recorded sets that have changes of class


def shares(scaling: str) -> list[float]:
    """Return the share of pairs that the paper's rule labels 1 in each recorded set."""
    cards = read_cards()
    return [cards[name]["pseudo_label"][scaling]["share"] for name in PEOPLE]


def gain(name: str) -> float:
    """Return the precision of label 1 on standardised frames as a multiple of the base rate."""
    score = read_cards()[name]["pseudo_label"]["standardised"]["tolerance 0"]
    return score["precision"] / score["base"]


@claim("labels at most {raw} % of their pairs of raw frames, and {low} % to {high} % of the standardised ones")
def shares_by_scaling():
    raw, standardised = shares("raw"), shares("standardised")
    require(max(raw) < 0.01, f"raw frames: {raw}")
    ends = {"low": min(standardised), "high": max(standardised)}
    return {"raw": f"{100 * max(raw):.1f}"} | {name: f"{100 * value:.0f}" for name, value in ends.items()}


@claim(
    "the precision is {dsads} times the base rate on Daily and Sports Activities, whose changes are cuts, {both} times"
    " on MIT-BIH and on the features of Sleep-EDF, and {below} times on SP-SW-HAR, the one with many real transitions."
)
def precision_and_chance():
    both = {f"{gain(name):.1f}" for name in ("mitbih", "sleepedf-features")}
    require(len(both) == 1, f"the two differ: {both}")
    require(gain("spsw-har") < 1, f"on SP-SW-HAR it is {gain('spsw-har')}")
    return {"dsads": f"{gain('dsads'):.1f}", "both": both.pop(), "below": f"{gain('spsw-har'):.2f}"}


@claim("SP-SW-HAR, the one with many real transitions.")
def many_transitions():
    changes = {name: read_cards()[name]["transitions"]["share"] for name in PEOPLE}
    others = max(share for name, share in changes.items() if name != "spsw-har")
    require(changes["spsw-har"] > 3 * others, f"shares of changes: {changes}")
