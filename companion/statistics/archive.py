"""Tables of whole series, as the page on the UCR archive shows them."""

import pandas as pd

from companion.grid.store import Store
from companion.statistics.conclusions import lead, of_archive, places_of, standing
from companion.statistics.correlations import with_control
from companion.statistics.crossed import in_words
from companion.statistics.readable import informing
from emargin.config import FIDELITIES
from emargin.errors import InputError
from emargin.evaluation import series
from emargin.methods import METHODS

SCORES = {
    "davies_bouldin": "DBI",
    "silhouette": "silhouette",
    "participation_ratio": "rank",
    "nmi": "NMI",
    "balanced_accuracy": "probe",
    "converged_balanced_accuracy": "converged",
}
PLACED = ("davies_bouldin", "silhouette", "nmi", "balanced_accuracy", "converged_balanced_accuracy")
LEADS = SCORES | {
    "davies_bouldin": "DBI, negated",
    "balanced_accuracy": "paper’s probe",
    "converged_balanced_accuracy": "converged probe",
}
ENCODERS = {
    ("random-calibrated", "released"): "random",
    ("infonce", "released"): "InfoNCE, released",
    ("infonce", "original"): "InfoNCE, original",
    ("emargin", "released"): "eMargin, released",
    ("emargin", "original"): "eMargin, original",
}
CORRELATED = {
    "silhouette": "silhouette",
    "davies_bouldin": "Davies-Bouldin, negated",
    "nmi": "NMI, the control",
    "participation_ratio": "effective rank",
}
PROBES = {
    "balanced_accuracy": "paper’s probe",
    "converged_balanced_accuracy": "converged probe",
    "knn_balanced_accuracy": "k nearest neighbours",
}
PENALTIES = {"certified_balanced_accuracy": "C = 1", "chosen_balanced_accuracy": "C chosen"}
PAIR = {"infonce": "InfoNCE", "emargin": "eMargin"}  # whose distance the penalty has a part in


def read(store: Store, protocol: str = "original") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return configurations of whole series, and which sets inform. Raises InputError where no row is of a series."""
    if not store.rows.metric.str.startswith(series.PREFIX).any():
        wanted, todo = "rows of sets of the UCR archive", "scores of frames are on the other pages of results"
        raise InputError("no scores of whole series in these rows", wanted=wanted, todo=todo)
    found, inform = of_archive(store)
    return found[found.protocol == protocol], inform


def name_of(dataset: str) -> str:
    """Return a set's name without "ucr-"."""
    return dataset.removeprefix("ucr-")


def beside_untrained(found: pd.DataFrame) -> pd.DataFrame:
    """Return `SCORES`, two decimals, of InfoNCE, eMargin at its defaults and the calibrated random encoder on each set.

    found: configurations of whole series, as `read` gives them.
    """
    own_labels = found.fidelity.map({"released": "released", "original": "paper"})
    usual = found[found.reading.isin(["", "anchor"]) & (found.labels.eq("") | found.labels.eq(own_labels))]
    lines = [
        {"Set: encoder": f"{name_of(row.dataset)}: {ENCODERS[row.method, row.fidelity]}"}
        | {title: f"{getattr(row, metric):.2f}" for metric, title in SCORES.items()}
        for row in usual.itertuples()
        if (row.method, row.fidelity) in ENCODERS
    ]
    return pd.DataFrame(lines)


def places(found: pd.DataFrame, fidelity: str) -> pd.DataFrame:
    """Return eMargin's place by set and score among the methods of a fidelity and the untrained encoders."""
    of_score = {metric: places_of(standing(found, metric, fidelity)).set_index("set").place for metric in PLACED}
    wide = pd.DataFrame(of_score).rename(columns=SCORES)
    return wide.set_axis(wide.index.map(name_of)).rename_axis(index=None, columns=f"eMargin, {fidelity}")


def leads(found: pd.DataFrame) -> pd.DataFrame:
    """Return by how much eMargin is better than the others, over methods and sets, with intervals in words."""
    lines = []
    for fidelity in FIDELITIES:
        for metric in PLACED:
            one = lead(standing(found, metric, fidelity))
            words = in_words(one["value"], one["low"], one["high"])
            lines.append({"Score": LEADS[metric], "Fidelity": fidelity, "eMargin less the others": words})
    return pd.DataFrame(lines)


def by_penalty(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return what is read with each of `PENALTIES` from released InfoNCE and eMargin, and how far eMargin is behind.

    Parameters
    ----------
    chosen : DataFrame
        Configurations of whole series that have both probes.

    Returns
    -------
    DataFrame
        A line a data set that has both encoders; columns (penalty, "infonce" | "emargin" | "behind").
    """
    own = chosen[(chosen.fidelity == "released") & chosen.method.isin(PAIR)]
    read = own.reindex(columns=["dataset", "method", *PENALTIES]).groupby(["dataset", "method"]).mean()
    wide = read.rename(columns=PENALTIES).unstack("method")
    wide = wide.reindex(columns=pd.MultiIndex.from_product([PENALTIES.values(), PAIR]))
    for penalty in PENALTIES.values():
        wide[penalty, "behind"] = wide[penalty, "infonce"] - wide[penalty, "emargin"]
    return wide.dropna()


def penalty_table(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return `by_penalty` as it is printed, three decimals."""
    read = by_penalty(chosen)
    columns = [(penalty, method) for method in PAIR for penalty in PENALTIES.values()]
    columns += [(penalty, "behind") for penalty in PENALTIES.values()]
    names = PAIR | {"behind": "behind"}
    shown = {f"{names[method]}, {penalty}": read[penalty, method].map("{:.3f}".format) for penalty, method in columns}
    return pd.DataFrame({"Set": read.index.map(name_of), **{name: own.to_numpy() for name, own in shown.items()}})


def of_fidelity(found: pd.DataFrame, fidelity: str) -> pd.DataFrame:
    """Return the configurations of one fidelity and of the untrained encoders."""
    untrained = found.method.map({name: method.untrained for name, method in METHODS.items()})
    return found[(found.fidelity == fidelity) | untrained]


def pooled(found: pd.DataFrame, inform: pd.DataFrame, score: str, probe: str, fidelity: str) -> dict[str, dict]:
    """Return the pooled rank correlations of a score and of NMI with a probe, on the sets that inform, by metric."""
    inside = informing(of_fidelity(found, fidelity), inform, probe)
    return {one["metric"]: one for one in with_control(inside, score, probe).to_dict("records")}


def correlations(found: pd.DataFrame, inform: pd.DataFrame) -> pd.DataFrame:
    """Return `pooled` of each score, probe and fidelity, as it is printed."""
    lines = []
    for probe, title in PROBES.items():
        for fidelity in FIDELITIES:
            ones: dict[str, dict] = {}
            for score in ("silhouette", "davies_bouldin", "participation_ratio"):
                ones |= pooled(found, inform, score, probe, fidelity)
            lines += [_line(one) | {"With": title, "Fidelity": fidelity} for one in ones.values()]
    return pd.DataFrame(lines)[["Metric", "ρ and its 95 % interval", "With", "Fidelity", "Reading", "Drawn"]]


def without_emargin(found: pd.DataFrame) -> pd.DataFrame:
    """Return the correlations of silhouette and NMI with the converged probe without eMargin, as they are printed."""
    lines, others = [], found[found.method != "emargin"]
    for fidelity in FIDELITIES:
        pair = with_control(of_fidelity(others, fidelity), "silhouette", "converged_balanced_accuracy")
        lines += [_line(one) | {"Fidelity": fidelity} for one in pair.to_dict("records")]
    return pd.DataFrame(lines)[["Metric", "ρ and its 95 % interval", "Fidelity", "Reading"]]


def _line(one: dict) -> dict[str, str]:
    words = in_words(one["value"], one["low"], one["high"], 2)
    reading = {"Reading": one["verdict"], "Drawn": one["drawn"]}
    return {"Metric": CORRELATED[one["metric"]], "ρ and its 95 % interval": words, **reading}
