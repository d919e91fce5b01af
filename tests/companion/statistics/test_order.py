"""Correlations of scores with probes: by fidelity, by choice of splits, and under both protocols."""

import numpy as np
import pandas as pd
import pytest

from companion.statistics import order
from companion.statistics.configurations import SPLIT
from companion.statistics.order import POOLED, RULE

METHODS = ["random", "infonce", "cpc", "tnc", "ts2vec", "emargin"]


def configurations(dataset: str, **scores) -> pd.DataFrame:
    """A configuration a method of one set, all `released` but the untrained one."""
    table = pd.DataFrame({"method": METHODS, "set": dataset, "dataset": dataset, "reading": "", "labels": ""})
    table["fidelity"] = ["", *["released"] * (len(METHODS) - 1)]
    table = table.assign(source="real", surrogate="", protocol="original", fold=1, split="", encoder="")
    rising = np.arange(len(METHODS), dtype=float)
    empty = {name: rising for name in (*order.CLUSTERING, *order.PROBES)}
    return table.assign(**(empty | scores))


RISING = np.arange(6.0)
FOUND = pd.concat([configurations("spsw-har"), configurations("mitbih", silhouette=-RISING)], ignore_index=True)


def informs(*sets: str) -> pd.DataFrame:
    """What `readable` says where each set informs, or not."""
    first = FOUND.drop_duplicates("dataset")[SPLIT]
    lines = pd.concat([first.assign(probe=probe) for probe in order.PROBES])
    return lines.assign(informs=lines.dataset.isin(sets))


def test_the_untrained_stand_in_both_fidelities():
    of = order.by_fidelity(FOUND)
    assert set(of["original"].method) == {"random"} and set(of["released"].method) == set(METHODS)


def test_the_rule_takes_the_splits_that_inform_and_the_choices_stand_beside():
    number = order.with_probe(FOUND, informs("spsw-har"), "balanced_accuracy")
    assert number["silhouette", RULE, "released"]["value"] == pytest.approx(1)
    assert number["silhouette", "without MIT-BIH", "released"]["value"] == pytest.approx(1)
    assert number["silhouette", "all splits", "released"]["value"] == pytest.approx(0)
    assert number["davies_bouldin", RULE, "released"]["value"] == pytest.approx(-1)  # low is good


def test_splits_stand_alone_and_pooled():
    every = order.by_split(FOUND, informs("mitbih"))
    values = [every["silhouette", "balanced_accuracy", name, "released"]["value"] for name in ("spsw-har", POOLED)]
    assert values == pytest.approx([1, -1])
    follows = order.follows_rank(FOUND)
    assert follows["silhouette", "released"]["value"] == pytest.approx(0)
    assert follows["davies_bouldin", "released"]["value"] == pytest.approx(-1)


def test_protocols_are_compared_on_what_has_run_under_both():
    under = {"original": FOUND, "released": FOUND.assign(nmi=-RISING[[0, 1, 2, 3, 4, 5] * 2])}
    found = order.between_protocols(under, informs("spsw-har", "mitbih"))
    assert found["nmi", "balanced_accuracy", "original"]["value"] == pytest.approx(1)
    assert found["nmi", "balanced_accuracy", "released"]["value"] == pytest.approx(-1)
