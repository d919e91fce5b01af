"""What the page on the six differences that decide says of the ledger and of the committed rows."""

from functools import cache

import pandas as pd

from companion.audit.ledger import read_ledger
from companion.claims import claim, require
from companion.six import on_noise, paper_silhouettes, with_control

GEOMETRIES = ("HARTH", "SleepEEG", "ECG")
SIX = (1, 2, 7, 8, 14, 45)


@cache
def controls() -> dict[str, pd.Series]:
    """Return the mean silhouette over seeds by data set, for each line of the fifth figure."""
    return {line: values.groupby(level=0).mean() for line, values in with_control("silhouette").items()}


@claim("Of the {all} differences in")
def all_differences():
    return {"all": str(len(read_ledger()["items"]))}


@claim("Besides these, {more} further differences change what a row of a table means")
def further_differences():
    grades = {item["id"]: item["grade"] for item in read_ledger()["items"]}
    require(all(grades[number] == "A" for number in SIX), "one of the six changes no row")
    return {"more": str(list(grades.values()).count("A") - len(SIX))}


@claim(
    "it gives eMargin a silhouette of {harth} (seeds {harth_low} to {harth_high}), "
    "{sleep} ({sleep_low} to {sleep_high}) and {ecg} ({ecg_low} to {ecg_high}) in"
)
def emargin_on_noise():
    values = on_noise("silhouette")["eMargin, released"]
    found = {}
    for name, geometry in zip(("harth", "sleep", "ecg"), GEOMETRIES, strict=True):
        of_seeds = values[geometry]
        require(len(of_seeds) == 3, f"{geometry} has {len(of_seeds)} seeds")
        found |= {name: of_seeds.mean(), f"{name}_low": of_seeds.min(), f"{name}_high": of_seeds.max()}
    return {name: f"{value:.2f}" for name, value in found.items()}


@claim("the paper prints {harth}, {sleep} and {ecg} for its data")
def printed():
    paper = paper_silhouettes()
    return {
        name: f"{paper[geometry]:.2f}" for name, geometry in zip(("harth", "sleep", "ecg"), GEOMETRIES, strict=True)
    }


@claim("Plain InfoNCE and an untrained encoder have at most {most} on the same noise")
def others_on_noise():
    others = pd.concat([values for line, values in on_noise("silhouette").items() if not line.startswith("eMargin")])
    return {"most": f"{others.max():.2f}"}


@claim("a higher silhouette than InfoNCE of the same sides and batch, by {low} to {high}. For")
def released_against_its_control():
    gain = controls()["eMargin, released"] - controls()["InfoNCE, released"]
    require(len(gain) == 4 and (gain > 0).all(), f"it is higher by {gain.to_dict()}")
    return {"low": f"{gain.min():.2f}", "high": f"{gain.max():.2f}"}


@claim("the reading `pair` is higher on all four sets and `anchor` lower on three")
def readings_against_their_control():
    means = controls()
    pair, anchor = (means[f"eMargin, {reading}"] - means["InfoNCE, original"] for reading in ("pair", "anchor"))
    require((pair > 0).all(), f"pair is higher by {pair.to_dict()}")
    require((anchor < 0).sum() == 3, f"anchor is higher by {anchor.to_dict()}")
