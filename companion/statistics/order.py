"""Do clustering scores order methods as probes do? The correlations of the page on that question, by configurations."""

import pandas as pd

from companion.grid.store import Store
from companion.statistics.configurations import configurations
from companion.statistics.correlations import correlation, with_control
from companion.statistics.readable import informing
from emargin.config import FIDELITIES, PROTOCOLS
from emargin.methods import METHODS

PROBES = {"balanced_accuracy": "the paper's probe", "converged_balanced_accuracy": "converged probe"}
SCORES = ("silhouette", "davies_bouldin")
CLUSTERING = {
    "silhouette": "silhouette",
    "davies_bouldin": "Davies-Bouldin, negated",
    "nmi": "NMI with the classes",
    "participation_ratio": "effective rank",
}
POOLED = "informing, pooled"
RULE = "by the rule"


def by_fidelity(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the configurations of each fidelity, the untrained ones in both.

    found: as `configurations.configurations` gives them.
    """
    untrained = found.method.map({name: method.untrained for name, method in METHODS.items()})
    return {fidelity: found[(found.fidelity == fidelity) | untrained] for fidelity in FIDELITIES}


def choices(rows: pd.DataFrame, inform: pd.DataFrame, probe: str) -> dict[str, pd.DataFrame]:
    """Return configurations of the splits of the rule, and for comparison of two other choices of splits.

    inform: as `readable.readable` gives it.
    """
    return {RULE: informing(rows, inform, probe), "without MIT-BIH": rows[rows.dataset != "mitbih"], "all splits": rows}


def with_probe(found: pd.DataFrame, inform: pd.DataFrame, probe: str) -> dict[tuple[str, str, str], dict]:
    """Return the correlation of each score and of the control with a probe: (metric, choice, fidelity) -> numbers."""
    number = {}
    for fidelity, configured in by_fidelity(found).items():
        for choice, inside in choices(configured, inform, probe).items():
            for metric in SCORES:
                for one in with_control(inside, metric, probe).to_dict("records"):
                    number[one["metric"], choice, fidelity] = one
    return number


def by_split(found: pd.DataFrame, inform: pd.DataFrame) -> dict[tuple[str, str, str, str], dict]:
    """Return every correlation: (metric, probe, split, fidelity) -> numbers; the split is POOLED over those of the
    rule.
    """
    result = {}
    for fidelity, configured in by_fidelity(found).items():
        for probe in PROBES:
            inside = {name: configured[configured["set"] == name] for name in dict.fromkeys(found["set"])}
            inside[POOLED] = informing(configured, inform, probe)
            for metric in CLUSTERING:
                for name, rows in inside.items():
                    result[metric, probe, name, fidelity] = correlation(rows, metric, probe)
    return result


def follows_rank(found: pd.DataFrame) -> dict[tuple[str, str], dict]:
    """Return the correlation of each score with the effective rank over all splits: (metric, fidelity) -> numbers."""
    return {
        (metric, fidelity): correlation(configured, metric, "participation_ratio")
        for metric in SCORES
        for fidelity, configured in by_fidelity(found).items()
    }


def under_both(store: Store) -> dict[str, pd.DataFrame]:
    """Return by protocol the `released` configurations that have run under both, eMargin with its own labels."""
    rows = store.rows[(store.rows.fidelity == "released") & (store.rows.labels != "paper")]
    of = {
        name: configurations(rows[rows.protocol == name]).set_index(["dataset", "fold", "method"]) for name in PROTOCOLS
    }
    shared = of["original"].index.intersection(of["released"].index)
    return {name: scores.loc[shared].reset_index() for name, scores in of.items() if len(shared)}


def between_protocols(under: dict[str, pd.DataFrame], inform: pd.DataFrame) -> dict[tuple[str, str, str], dict]:
    """Return (metric, probe, protocol) -> the correlation over the splits that inform. under: of `under_both`."""
    result = {}
    for name, scores in under.items():
        for probe in PROBES:
            for metric in SCORES:
                for one in with_control(informing(scores, inform, probe), metric, probe).to_dict("records"):
                    result[one["metric"], probe, name] = one
    return result
