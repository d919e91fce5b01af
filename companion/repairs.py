"""What the page on repairs reads of its rows, and the lengths of embeddings that a distance margin leaves."""

from collections.abc import Iterable, Mapping

import pandas as pd
import torch

from companion.grid import choose
from companion.statistics.tables import Differences
from emargin.data.catalogue import settings_of
from emargin.data.loading import load
from emargin.evaluation import clustering, collapse
from emargin.evaluation.features import encode
from emargin.losses.cosines import unit_rows
from emargin.methods import METHODS, REPAIRS
from emargin.resolve import Resolved
from emargin.training import train

INFONCE, RELEASED, TUNED = "InfoNCE, original", "eMargin, released", "InfoNCE, temperature chosen"
WITH_LABELS, SHARES = ("emargin-labels", "infonce-labels", "supervised"), ("1 %", "5 %", "10 %")
ORDER = [
    METHODS["random-calibrated"].title,
    INFONCE,
    TUNED,
    METHODS["ts2vec"].title,
    RELEASED,
    *(METHODS[method].title for method in ("distance-margin", "cosine-margin", "emargin-vicreg")),
    *(f"{METHODS[method].title}, {share}" for method in WITH_LABELS for share in SHARES),
    METHODS["supervised"].title,
]
SCORES = {
    "converged_balanced_accuracy": "converged probe",
    "balanced_accuracy": "paper’s probe",
    "nmi": "NMI",
    "ari": "ARI",
    "silhouette": "silhouette",
    "davies_bouldin": "Davies-Bouldin",
    "participation_ratio": "effective rank",
    "mean_cosine": "mean cosine",
}
MARK = {"higher": " ▲", "lower": " ▼", "equivalent within 0.02": " ≈"}
VARIED = {
    "infonce": ("temperature", "τ/2, τ, 2τ"),
    "distance-margin": ("margin", "m = 0.25, 0.5, 1"),
    "cosine-margin": ("margin", "m = 0.1, 0.2, 0.4"),
}
WEIGHT = ("weight", "w = 0.1, 1, 10")


def name_of(run, fidelities: bool = False) -> str:
    """Return the line of a run or cell: the method, and where it sees some labels, how many; or its fidelity."""
    title = METHODS[run.method].title
    if (run.method, run.fidelity) == ("infonce", "original"):
        return INFONCE if run.temperature == settings_of(run.dataset).temperature else TUNED
    if (getattr(run, "label_share", None) or 1) < 1:
        return f"{title}, {100 * run.label_share:g} %"
    if (run.method, run.fidelity) == ("emargin", "released"):
        return RELEASED
    return f"{title}, {run.fidelity}" if fidelities else title


def scores(runs: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the scores of one set as text, mean ± standard deviation over seeds: a row a line, and its seeds."""
    own = runs[runs.dataset == dataset].groupby("name")

    def spread(values: pd.Series) -> str:
        return f"{values.mean():.2f}" + (f" ± {values.std():.2f}" if len(values) > 1 else "")

    found = own[list(SCORES)].agg(spread).rename(columns=SCORES).join(own.seed.nunique().rename("seeds"))
    known = [name for name in ORDER if name in found.index]
    return found.loc[[*known, *found.index.difference(known)]].rename_axis(index=None)


def choices(lines: pd.DataFrame, sets: Mapping[str, str]) -> pd.DataFrame:
    """Return the scores of people held out in the order of the settings, the best marked: a row a method."""

    def words(own: pd.DataFrame, setting: str) -> str:
        values = own.sort_values(setting)[choose.DECIDES]
        return ", ".join(f"{value:.2f}{' ✓' if value == values.max() else ''}" for value in values)

    chosen = {}
    for method in ("infonce", *REPAIRS):
        setting, values = VARIED.get(method, WEIGHT)
        own = lines[lines.method == method]
        if len(own):
            row = {title: words(own[own.dataset == name], setting) for name, title in sets.items()}
            chosen[METHODS[method].title] = {"settings": values} | row
    return pd.DataFrame(chosen).T


def differences(
    compared: Differences, runs: pd.DataFrame, pairs: Mapping[str, tuple[str, str]], sets: Mapping[str, str]
) -> pd.DataFrame:
    """Return first line minus second in the converged probe, over the seeds that both have run: a row a pair.

    In each cell the difference with its mark, the interval on a line below.
    """
    found: dict[str, dict[str, str]] = {}
    for line, both in pairs.items():
        for dataset, title in sets.items():
            own = runs[runs.dataset == dataset]
            one, two = (own[own.name == name].set_index("seed").digest for name in both)
            seeds = one.index.intersection(two.index)
            if len(seeds):
                difference = compared.between(list(one[seeds]), list(two[seeds]), "converged_balanced_accuracy")
                value, _, interval = str(difference).partition(" ")
                words = f"{value}{MARK.get(difference.verdict, '')}<br><small>{interval}</small>"
                found.setdefault(title, {})[line] = words
    return pd.DataFrame(found).reindex(pairs).dropna(how="all").fillna("not run")


def lengths(experiment: Resolved, methods: Iterable[str] = ("infonce", "distance-margin")) -> pd.DataFrame:
    """Train methods as their papers define them and measure the lengths of embeddings: a row a method."""
    data, found = load(experiment), {}
    for method in methods:
        trained, curve = train(experiment.for_method(method, "original"), data, progress=False)
        embedding, _ = encode(trained, data.test).flat()
        length = embedding.norm(dim=1)
        short, long = length.quantile(torch.tensor([0.05, 0.95])).tolist()
        cluster = clustering.partition(embedding.numpy(), len(data.classes))
        within = pd.Series(length).groupby(cluster).var(ddof=0)[cluster].mean()
        found[method] = {
            "effective rank": collapse.participation_ratio(embedding),
            "the same, rows of length 1": collapse.participation_ratio(unit_rows(embedding)),
            "length, 95th over 5th percentile": long / short,
            "variance of length that clusters tell": 1 - within / length.var(correction=0).item(),
            "pairs within the margin": curve[-1].get("hinge_share", float("nan")),
        }
    return pd.DataFrame(found).T
