"""What the page on the data says of the cards in `results/data/cards.json`."""

import math

from companion.claims import claim, ends, require
from companion.data_cards import read_cards

RAW, STANDARDISED = "raw", "standardised"


def labelled(scaling: str, cards: dict) -> dict[str, dict]:
    """Return the facts of the pseudo-label of sets in which classes change."""
    return {name: card["pseudo_label"][scaling] for name, card in cards.items() if card["transitions"]}


def lift(name: str, tolerance: int = 0) -> float:
    """Return how many times as often as at random label 1 of standardised frames is right."""
    facts = read_cards()[name]["pseudo_label"][STANDARDISED][f"tolerance {tolerance}"]
    return facts["precision"] / facts["base"]


@claim(
    "label 1 on standardised frames is right less often than a label drawn at random on one, up to a fifth more often"
    " on three, and three times as often on the fifth, where one label in {labels} is right."
)
def precision_on_real_sets():
    real = {name for name, card in read_cards().items() if card["source"] == "real" and card["transitions"]}
    require(sorted(real) == ["dsads", "mitbih", "mitbih-beats", "sleepedf-features", "spsw-har"], f"they are {real}")
    lifts = {name: lift(name) for name in real}
    require(lifts["spsw-har"] < 1 and 3 < lifts["dsads"] < 3.5, f"they are {lifts}")
    require(
        all(1 < lifts[name] <= 1.2 for name in ("mitbih", "mitbih-beats", "sleepedf-features")), f"they are {lifts}"
    )
    precision = read_cards()["dsads"]["pseudo_label"][STANDARDISED]["tolerance 0"]["precision"]
    return {"labels": f"{1 / precision:.0f}"}


@claim("between one adjacent pair in {most} and one in {least}, except in `spsw-har`, made of short transitions,")
def changes_are_rare():
    real = {name: card for name, card in read_cards().items() if card["source"] == "real" and card["transitions"]}
    shares = [card["transitions"]["share"] for name, card in real.items() if name != "spsw-har"]
    simulated = [card["transitions"]["share"] for card in read_cards().values() if card["source"] == "simulated"]
    require(min(shares) < min(simulated) and max(simulated) < max(shares), f"of simulators they are {simulated}")
    return {"most": f"{1 / min(shares):.0f}", "least": f"{1 / max(shares):.0f}"}


@claim("in seven of the eight sets half of the changes or more are found.")
def changes_are_found():
    recalls = {name: facts["tolerance 0"]["recall"] for name, facts in labelled(STANDARDISED, read_cards()).items()}
    require((len(recalls), sum(recall >= 0.5 for recall in recalls.values())) == (8, 7), f"they are {recalls}")
    for name, facts in labelled(STANDARDISED, read_cards()).items():
        near = recalls[name] < 1.25 * facts["share"]  # of as many random labels: their own frequency
        require(near == (name not in ("dsads", "harth-sim")), f"{name}: {recalls[name]}, at random {facts['share']}")


@claim(
    "Only in `dsads` and `harth-sim`, the two sets of trunk and leg acceleration, is the precision {dsads} and {harth}"
    " times the base rate."
)
def precision_of_two_sets():
    others = [lift(name) for name in labelled(STANDARDISED, read_cards()) if name not in ("dsads", "harth-sim")]
    require(max(others) < 1.2, f"the others have {others}")
    return {"dsads": f"{lift('dsads'):.1f}", "harth": f"{lift('harth-sim'):.1f}"}


@claim("precision is slightly *below* the base rate, with a tolerance of one pair, too.")
def real_transitions():
    require(all(0.9 < lift("spsw-har", tolerance) < 1 for tolerance in (0, 1)), "it is not")


@claim("next to no change is found; the highest recall is {recall} % (`mitbih`).")
def raw_frames():
    recalls = {name: facts["tolerance 0"]["recall"] for name, facts in labelled(RAW, read_cards()).items()}
    require(max(recalls, key=recalls.get) == "mitbih", f"they are {recalls}")
    return {"recall": f"{100 * recalls['mitbih']:.1f}"}


@claim("more often right than random ones, {precision} % against {base} %. Those of `dsads` mark the frames of zeros")
def few_labels_of_raw_frames():
    cards = read_cards()
    own, dsads = cards["mitbih"]["pseudo_label"][RAW]["tolerance 0"], cards["dsads"]
    require(dsads["zero_frames"] == 46, f"there are {dsads['zero_frames']} frames of zeros")
    require(dsads["pseudo_label"][RAW]["tolerance 0"]["precision"] == 0, "they mark changes")
    require(round(dsads["pseudo_label"][RAW]["share"] * dsads["transitions"]["pairs"]) == 92, "they are not 92 pairs")
    return {"precision": f"{100 * own['precision']:.1f}", "base": f"{100 * own['base']:.1f}"}


@claim(
    "at most {raw} % of the pairs of raw frames get label 1 on any set; of standardised frames it is between {low} %"
    " and {high} %."
)
def shares_of_label_1():
    shares = {
        scaling: [100 * card["pseudo_label"][scaling]["share"] for card in read_cards().values()]
        for scaling in (RAW, STANDARDISED)
    }
    low, high = min(shares[STANDARDISED]), max(shares[STANDARDISED])
    return {"raw": f"{math.ceil(10 * max(shares[RAW])) / 10:.1f}", "low": f"{low:.0f}", "high": f"{high:.0f}"}


@claim("neither are their cosines; the medians lie between {low} and {high}.")
def medians_of_raw_frames():
    medians = [card["cosines"][RAW]["0.5"] for card in read_cards().values()]
    return {"low": ends(medians)["low"], "high": f"{max(medians):.2g}"}


@claim("no pair of raw frames has a cosine below 0.99. Standardised, the medians of {sets} sets are below $\\theta$.")
def medians_of_standardised_frames():
    cards = read_cards()
    require(cards["sleepedf-features"]["cosines"][RAW]["0"] >= 0.99, "one has")
    below = sum(card["cosines"][STANDARDISED]["0.5"] < 0.4 for card in cards.values())
    return {"sets": {3: "three", 4: "four", 5: "five"}[below]}


@claim(
    "about a quarter of the pairs of the simulated HARTH, on one in {ecg} of the simulated ECG and on one in {sleep} of"
)
def margin_on_the_inputs_of_the_released_code():
    cards = read_cards()
    harth = cards["harth-sim"]["pseudo_label"][STANDARDISED]["share"]
    require(0.22 < harth < 0.28, f"it is {harth}")
    ecg, sleep = (1 / cards[name]["pseudo_label"][RAW]["share"] for name in ("ecg-sim", "sleepeeg-sim"))
    return {"ecg": f"{ecg:.0f}", "sleep": f"{sleep:.0f}"}
