"""What the page of all tables says of the rows in `results/grid`."""

from functools import cache

import numpy as np
import pandas as pd

from companion.claims import claim, require, told
from companion.claims.results_tables import splits, store
from companion.statistics import tables
from companion.statistics.resampling import scores_of

PROBE, CONVERGED = "balanced_accuracy", "converged_balanced_accuracy"
BODY, SPORTS, SLEEP, HEART = "spsw-har", "dsads", "sleepedf-features", "mitbih"
CLUSTERING = ("davies_bouldin", "silhouette")


@cache
def differences() -> tables.Differences:
    """Return what compares lines."""
    return tables.Differences(store())


@cache
def emargin(dataset: str, fold: int = 1) -> pd.Series:
    """Return the released eMargin less the released InfoNCE, by metric."""
    cells = splits()[dataset, "original", fold]
    lines = differences().lines(cells, [*CLUSTERING, PROBE, CONVERGED], "infonce")
    own = lines[(lines.line == "InfoNCE + eMargin") & (lines.fidelity == "released")]
    return own.set_index("metric").interval


@claim("With everybody counted once the counts of people give the rows of {cells} cells again.")
def counts_give_the_rows():
    own = differences()
    for digest, kept in own.tables.items():
        for metric, value in scores_of(kept, np.ones(len(kept["probe"]))).items():
            row = own.values[digest, metric]
            require(np.isclose(value, row, atol=1e-4, equal_nan=True), f"{digest}: {metric} is {value}, not {row}")
    return {"cells": str(len(own.tables))}


def _better_clusters(dataset: str) -> None:
    found = emargin(dataset)
    require(found["davies_bouldin"].verdict == "lower", f"Davies-Bouldin: {found['davies_bouldin']}")
    require(found["silhouette"].verdict == "higher", f"silhouette: {found['silhouette']}")


def _better_clusters_and_lower_probe(dataset: str, converged: str) -> dict:
    _better_clusters(dataset)
    found = emargin(dataset)
    require(found[PROBE].verdict == "lower", f"the paper's probe is {found[PROBE].verdict}")
    require(found[CONVERGED].verdict == converged, f"converged: {found[CONVERGED].verdict}")
    return found


@claim(
    "Against InfoNCE the released eMargin has the better clustering scores by its intervals, and a lower "
    "paper's probe, {probe}; the converged probe is equivalent within 0.02, {converged}, for these "
    "training people."
)
def on_the_body():
    found = _better_clusters_and_lower_probe(BODY, "equivalent within 0.02")
    return {"probe": told(found[PROBE], 3), "converged": told(found[CONVERGED], 3)}


@claim(
    "Here, too, the clustering scores are better by intervals of four people, the paper's probe is "
    "lower, {probe}, and the converged one is not decided."
)
def on_sports():
    return {"probe": told(_better_clusters_and_lower_probe(SPORTS, "not decided")[PROBE], 3)}


@claim("From two test people nothing is decided against InfoNCE.")
def on_sleep():
    require({one.verdict for one in emargin(SLEEP)} == {"not decided"}, f"{[str(one) for one in emargin(SLEEP)]}")


@claim(
    "the released eMargin has the better clustering scores on this fold, and neither probe is decided, "
    "nor does this split say anything about probes."
)
def on_the_heart():
    _better_clusters(HEART)
    require({emargin(HEART)[probe].verdict for probe in (PROBE, CONVERGED)} == {"not decided"}, "a probe is decided")


@claim(
    "the paper's probe reads no method here: its balanced accuracy lies between {low} and {high} for "
    "every cell, and chance is 0.25."
)
def nothing_on_the_second_fold():
    rows = store().rows
    own = rows[(rows.dataset == HEART) & (rows.fold == 2) & (rows.protocol == "original") & (rows.metric == PROBE)]
    require(own.value.max() < 0.26, f"it reads up to {own.value.max()}")
    return {"low": f"{own.value.min():.3f}", "high": f"{own.value.max():.3f}"}


@cache
def protocols() -> pd.DataFrame:
    """Return the same `released` methods under both protocols: a row a set and metric."""
    return tables.under_both_protocols(store(), [*CLUSTERING, PROBE, CONVERGED]).set_index(["dataset", "metric"])


def over(datasets: tuple[str, ...], metrics: tuple[str, ...]) -> dict[str, str]:
    """Return the least and the most rank correlation of both orders."""
    found = [protocols().correlation[dataset, metric] for dataset in datasets for metric in metrics]
    return {"low": f"{min(found):.2f}".replace("-", "−"), "high": f"{max(found):.2f}"}


@claim("The order by clustering carries over to ρ of {low} to {high} on the two sets of activities,")
def clustering_of_activities():
    require(float(over((BODY, SPORTS), CLUSTERING)["low"]) > 0.8, "it does not")
    return over((BODY, SPORTS), CLUSTERING)


@claim("and of {low} to {high} on the other two;")
def clustering_of_others():
    return over((SLEEP, HEART), CLUSTERING)


@claim("so does that by the probes on the activities ({low} to {high}),")
def probes_of_activities():
    require(float(over((BODY, SPORTS), (PROBE, CONVERGED))["low"]) > 0.8, "it does not")
    return over((BODY, SPORTS), (PROBE, CONVERGED))


@claim("on the other two it hardly does ({low} to {high}).")
def probes_of_others():
    found = over((SLEEP, HEART), (PROBE, CONVERGED))
    require(float(found["high"]) < 0.5, "it does")
    return found


@claim("on MIT-BIH it goes from {original} to {released}, where chance is 0.25.")
def the_heart_under_released():
    one = protocols().loc[(HEART, CONVERGED)]
    return {"original": f"{one.original:.2f}", "released": f"{one.released:.2f}"}


@claim("The released eMargin's silhouette is {sleep} in place of {sleep_original} on the features of Sleep-EDF")
def emargin_on_sleep():
    one = protocols().loc[(SLEEP, "silhouette")]
    require(one.emargin_released < one.emargin_original, "it is higher")
    return {"sleep": f"{one.emargin_released:.2f}", "sleep_original": f"{one.emargin_original:.2f}"}


@claim(
    "Cells of MF-CLR, `original`, failed on the features of Sleep-EDF: its filters need frequencies, "
    "which these features do not have."
)
def what_failed():
    rows = store().rows[store().rows.digest.isin(store().failed)]
    found = set(rows[["dataset", "method", "fidelity"]].itertuples(index=False, name=None))
    require(found == {(SLEEP, "mfclr", "original")}, f"failed are {found}")
