"""The claims under test as data: a number, its interval, what it rests on, and a verdict by rules stated beforehand.

    python -m companion.statistics.conclusions [--out results/statistics/claims.csv]

Pages print these lines, and a test holds the file to the rows. A line has the columns

    claim       number of the claim, as the page of conclusions lists them
    of          "paper" (its printed tables), "released", "original" (eMargin's anchor reading), or "untrained"
    by          score, or probe
    against     whom eMargin is compared with, or what a score is correlated with
    where       the sets; ", frame encoder" or ", context encoder" where `results/encoders` has the claim on both
    holds, sets on how many of the sets the claim holds; empty where it is not counted
    value, low, high, drawn
                the number, its 95 % interval, and what the interval draws; no ends where there is no interval
    verdict     of the claim, by the rules below; of a difference or a control, what `verdicts` and `correlations` say

Rules, for all claims alike. An embedding is one observation: each probe has one metric, its balanced accuracy. Claims
about probes are of the splits that inform (`readable`). Folds of one set are one set. A count of sets "stands" from
three quarters on, "does not stand" up to a quarter, is "in part" between, and "open" below four sets. From six sets on
methods and sets are both drawn and the interval decides. Differences on one set are tested against zero and, two-sided,
against `verdicts.MARGIN`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion.dial import UNTRAINED, read, where_read
from companion.grid.store import Store
from companion.labels import label
from companion.statistics import correlations
from companion.statistics.configurations import LOWER_IS_BETTER, configurations
from companion.statistics.correlations import CONTROL, METRIC, correlation, with_control
from companion.statistics.crossed import compared, ends, estimate, in_words
from companion.statistics.encoders import CONTEXT, FRAME
from companion.statistics.over_sets import FEWEST_SETS, over_sets
from companion.statistics.readable import informing, readable
from companion.statistics.tables import METRICS, entries, nearest, paper_configurations, places, runs_of
from companion.statistics.verdicts import test_of, words_of
from emargin.config import FIDELITIES, Experiment
from emargin.data.protocols import FOLDS, USUAL_FOLDS
from emargin.errors import InputError
from emargin.evaluation import series
from emargin.methods import METHODS
from emargin.paths import home
from emargin.pseudo_labels import pseudo_labels
from emargin.rows import write_text

EMARGIN = METHODS["emargin"].title  # the line of its defaults: the anchor reading, each fidelity's own labels
FEWEST_LINES = 5  # a place among fewer methods says little
FEWEST_RANKED = 8  # methods, below which a rank correlation says nothing
FEWEST = 4  # sets below which a count has no verdict
MOST, FEW = 3 / 4, 1 / 4
SCORES = {"davies_bouldin": "Davies-Bouldin", "silhouette": "silhouette"}
OF_PROBES = ("probe", "certified", "whitened")  # scores of the dial that are of probes
PROBES = {  # what the names of a probe's metrics start with -> its name
    "": "the paper’s probe",
    "converged_": "converged, C = 1",
    "certified_": "at its optimum, C = 1",
    "chosen_": "C chosen on people held out",
    "whitened_": "whitened, C chosen",
    "knn_": "k nearest neighbours",
    "mlp_": "MLP",
}
RECORDINGS, ARCHIVE = "recordings", "UCR archive"
ENCODERS = {FRAME: "", CONTEXT: CONTEXT}  # as pages name them -> as rows do
SMALLEST = 1 / 64  # of the dial
COLUMNS = ["claim", "of", "by", "against", "where", "holds", "sets", "value", "low", "high", "drawn", "verdict"]
FILE = home() / "results" / "statistics" / "claims.csv"
CLAIMS = {  # the paper's, as pages name them
    "1": "1. eMargin has the best clustering scores",
    "2": "2. It is not competitive in linear probing",
    "3": "3. Clustering scores do not order methods as a probe does",
    "4": "4. The margin prevents collapse",
    "6": "6. TS2Vec and TNC agree better with the classes",
    "7": "7. The margin acts where frames differ",
}
SOURCES = {"paper": "The paper’s tables", "released": "Here, released", "original": "Here, original (anchor)"}


@dataclass(frozen=True)
class Count:
    """On how many sets a claim holds."""

    holds: int
    of: int

    @property
    def verdict(self) -> str:
        """ "stands" from three quarters of the sets on, "does not stand" up to a quarter, "in part" between; "open"
        with fewer than four.
        """
        if self.of < FEWEST:
            return "open"
        share = self.holds / self.of
        return "stands" if share >= MOST else "does not stand" if share <= FEW else "in part"

    def __str__(self) -> str:
        return f"{self.verdict} ({self.holds} of {self.of})" if self.of else "not run"


def count(holds: Sequence[bool]) -> Count:
    """Count what holds."""
    return Count(int(np.sum(holds)), len(holds))


def emargin_places(
    store: Store, splits: Sequence[Sequence[Experiment]], paper: pd.DataFrame, fewest: int = FEWEST_LINES
) -> pd.DataFrame:
    """Return eMargin's place among the methods of the paper's tables: a line a data set, metric and column.

    splits: the planned cells of each, of one protocol. paper: its tables. Returns "table", "data" (our data set and
    fold, or the paper's data set), "metric", "column" ("paper", "released", "original"), "place" from 1, the best, and
    "of", how many methods have a value there; lines with fewer than `fewest` are left out.
    """
    of_splits = []
    for cells in splits:
        for number in METRICS:
            of_emargin = places(entries(store, cells, paper, number), EMARGIN)
            names = nearest(cells[0].dataset), f"{cells[0].dataset}, fold {cells[0].fold}"
            of_splits.append(of_emargin.assign(table=number, data=np.where(of_emargin.column == "paper", *names)))
    everything = pd.concat(of_splits)
    return everything[everything.of >= fewest].drop_duplicates(ignore_index=True)  # one set of the paper, two of ours


def means(store: Store, splits: Sequence[Sequence[Experiment]], metric: str) -> pd.DataFrame:
    """Return a metric's means over seeds: a line a split and fidelity, a column a line of the tables; NaN if none ran.

    The index has "split" (data set and fold) and "fidelity"; an untrained method is the same in both.
    """
    values = store.rows[store.rows.metric == metric].set_index("digest").value
    by_split = {}
    for cells in splits:
        for (line, fidelity), runs in runs_of(store, cells).items():
            split = (f"{cells[0].dataset}, fold {cells[0].fold}", fidelity)
            by_split.setdefault(split, {})[line] = values.reindex(list(runs.done.values())).mean()
    table = pd.DataFrame(by_split).T
    return table.rename_axis(["split", "fidelity"]) if by_split else table


def standing(found: pd.DataFrame, metric: str, fidelity: str) -> pd.DataFrame:
    """Return by how much eMargin is better than each other method: "set", "method", "value", folds of a set averaged.

    found: as `configurations.configurations` gives them. The others are the methods of one fidelity and the untrained
    ones, all with their defaults.
    """
    labels = "released" if fidelity == "released" else "paper"
    chosen = found[
        ((found.fidelity == fidelity) | _untrained(found))
        & found.reading.isin(["", "anchor"])
        & found.labels.isin(["", labels])
    ]
    wide = chosen.pivot_table(index="dataset", columns="method", values=metric, aggfunc="mean")
    sign = -1 if metric in LOWER_IS_BETTER else 1
    if "emargin" not in wide:
        return pd.DataFrame(columns=["set", "method", "value"])
    better = sign * wide.drop(columns="emargin").rsub(wide.emargin, axis=0).rename_axis("set")
    return better.reset_index().melt("set", var_name="method").dropna(ignore_index=True)


def places_of(better: pd.DataFrame) -> pd.DataFrame:
    """Return eMargin's place on each set, from 1, the best: "set", "place", "of". better: of `standing`."""
    grouped = better.groupby("set").value
    placed = grouped.agg(place=lambda value: 1 + int((value < 0).sum()), of=lambda value: 1 + len(value))
    return placed.reset_index()


def lead(better: pd.DataFrame) -> dict:
    """Return the mean of `standing` over methods and sets (`over_sets`), of the methods that all sets have; NaN where
    there is none.
    """
    everywhere = better.groupby("method").set.transform("nunique") == better["set"].nunique()
    if not everywhere.any():
        return dict.fromkeys(("value", "error", "freedom", "low", "high"), np.nan) | {"drawn": ""}
    found, _ = over_sets(better[everywhere])
    drawn = "methods and sets" if not np.isnan(found["low"]) else ""
    return found | {"drawn": drawn}


def claims(results: Path | None = None, protocol: str = "original", own: Store | None = None) -> pd.DataFrame:
    """Return every claim's lines, from the rows of a folder `results` (by default those of the checkout).

    own: other rows, of frames and of whole series, in place of the chapter's and the archive's; then there are no lines
    of the penalty, of folds that test everyone, and of the dial.
    """
    folder = results or home() / "results"
    store, archive = (own, own) if own else (Store(folder / "grid"), Store(folder / "ucr"))
    rows = store.rows[(store.rows.protocol == protocol) & (store.rows.surrogate == "")]
    found, groups = configurations(rows), {}
    if set(SCORES) <= set(found):
        groups[RECORDINGS] = found, readable(store)
    if archive.rows.metric.str.startswith(series.PREFIX).any():
        groups[ARCHIVE] = of_archive(archive)
    if own is None:
        groups |= on_both(Store(folder / "encoders"))
    theirs = paper_configurations(pd.read_csv(folder / "paper" / "tables.csv"))
    lines = [*_best_scores(theirs, groups), *_probing(theirs, groups)]
    if own is None:
        lines += [*_penalty(Store(folder / "encoders")), *_on_core(Store(folder / "core"))]
    lines += _over_methods(theirs, groups)
    for where, (of_group, _) in groups.items():
        if not where.startswith(ARCHIVE):
            lines += [*_ranks(of_group, where), *_clusters(of_group, where)]
    lines += _margin()
    if own is None:
        lines += _dial(folder / "dial")
    return pd.DataFrame(lines, columns=COLUMNS).astype({"holds": "Int64", "sets": "Int64"})


def on_both(store: Store) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Return recordings and archive on the encoder that sees a frame and on the one that sees the sequence.

    The same sets, splits and probes on both, of one store: where a set is named here, methods differ in their encoder
    alone. Keys are `ENCODERS` after the sets, values configurations and which splits inform (`readable`).
    """
    probes = [f"{prefix}{METRIC}" for prefix in PROBES]
    groups = {}
    for name, encoder in ENCODERS.items():
        for where, prefix in ((RECORDINGS, ""), (ARCHIVE, series.PREFIX)):
            rows = store.rows[store.rows.dataset.str.startswith("ucr-") == bool(prefix)]
            rows = rows.assign(metric=rows.metric.str.removeprefix(prefix))
            found = configurations(rows, encoder)
            if set(SCORES) <= set(found):
                inform = readable(store, [f"{prefix}{probe}" for probe in probes])
                inform = inform[inform.get("encoder", "") == encoder]
                inform = inform.assign(probe=inform.probe.str.removeprefix(prefix))
                groups[f"{where}, {name} encoder"] = found, inform
    return groups


def lines_for(protocol: str, own: Store | None = None) -> pd.DataFrame:
    """Return the lines that the command wrote, for the committed rows of protocol `original`; else compute and say so.

    own: a reader's rows, in place of the committed ones.
    """
    if own is None and protocol == "original":
        return read_claims()
    print("the claims of these rows; the sentences are about the committed ones under protocol original")
    return claims(protocol=protocol, own=own)


def said(lines: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Return numbers with intervals and verdicts in words: a row each "by" in its order, `columns` across."""
    words = [f"{in_words(one.value, one.low, one.high)}, {one.verdict}" for one in lines.itertuples()]
    wide = lines.assign(said=words).pivot(index="by", columns=columns, values="said")
    return wide.reindex(lines.by.unique())


def claim_words(line) -> str:
    """Return the verdict of a claim's line, and the count and interval that it rests on."""
    counted = f"{line.holds} of {line.sets}" if pd.notna(line.holds) else ""
    number = in_words(line.value, line.low, line.high, 2) if line.drawn else ""
    rests = ", ".join(filter(None, [counted, number]))
    return f"{line.verdict} ({rests})" if rests else line.verdict


def claim_table(lines: pd.DataFrame, claim: str) -> pd.DataFrame:
    """Return lines of a claim as a page prints them: a row a comparison, a column a source, `claim_words` in each."""
    rows: dict[str, dict[str, str]] = {}
    for line in lines.itertuples():
        name = f"{line.by}, {line.where}" if claim in "126" else line.by
        name = f"{line.against}, {line.where}" if claim == "6" else name
        rows.setdefault(name, dict.fromkeys(SOURCES.values(), "–"))[SOURCES[line.of]] = claim_words(line)
    return pd.DataFrame(rows).T.rename_axis(CLAIMS[claim]).reset_index()


def claims_on_both(lines: pd.DataFrame, probe: str = PROBES["chosen_"]) -> pd.DataFrame:
    """Return the claims that compare methods, on both encoders: a row a claim, fidelity and sets, a column an encoder.

    lines: as `claims` returns them. probe: of `PROBES`, that claims 2 and 3 are read by.
    """
    split = lines["where"].str.extract(r"^(?P<sets_>.*), (?P<encoder>\w+) encoder$")
    own = lines.assign(**split)[split.encoder.notna() & (lines.sets != 0)]
    own = own[((own.claim != "2") | (own.by == probe)) & ((own.claim != "3") | (own.against == probe))]
    own = own[~((own.claim == "3") & own.by.str.startswith("NMI"))]
    told = own.assign(words=[claim_words(one) for one in own.itertuples()])
    names = ["claim", "by", "against", "sets_", "of"]
    wide = told.set_index([*names, "encoder"]).words.unstack("encoder").reindex(columns=list(ENCODERS)).fillna("–")
    order = told[names].drop_duplicates()
    wide = wide.loc[order.itertuples(index=False, name=None)].reset_index()
    said = [
        CLAIMS[one.claim] + (f": {one.against}" if one.claim == "6" else f", {one.by}") for one in wide.itertuples()
    ]
    return pd.DataFrame(
        {"Claim": said, "Sets": wide.sets_, "eMargin": wide.of} | {name: wide[name] for name in ENCODERS}
    )


def read_claims(file: Path = FILE) -> pd.DataFrame:
    """Return the lines that the command wrote."""
    words = dict.fromkeys(("claim", "of", "by", "against", "where", "drawn", "verdict"), str)
    return pd.read_csv(
        file,
        dtype=words | {"holds": "Int64", "sets": "Int64"},
        keep_default_na=False,
        na_values={name: [""] for name in ("holds", "sets", "value", "low", "high")},
    )


def one_line(of: str, by: str, against: str = "all methods", where: str = RECORDINGS, *, claim: str, lines=None):
    """Return the one line of these names, as a named tuple; raises InputError unless there is one.

    lines: as `claims` returns them; by default those that the command wrote.
    """
    lines = read_claims() if lines is None else lines
    names = {"claim": claim, "of": of, "by": by, "against": against, "where": where}
    found = lines[(lines[list(names)] == pd.Series(names)).all(axis=1)]
    if len(found) != 1:
        raise InputError(f"a line of claims {names}", found=f"{len(found)} lines", wanted="one")
    return next(found.itertuples(index=False))


def everyone(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of claim 2 in which every person is tested once, with the column "set"."""
    ending = ", everyone tested"
    own = lines[(lines.claim == "2") & lines["where"].str.endswith(ending)]
    return own.assign(set=own["where"].str.removesuffix(ending))


def of_archive(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return configurations of whole series, and which sets inform, with the names that frames have."""
    lines = readable(store, [f"{series.PREFIX}{prefix}{METRIC}" for prefix in PROBES])
    return configurations_of_series(store), lines.assign(probe=lines.probe.str.removeprefix(series.PREFIX))


def configurations_of_series(store: Store) -> pd.DataFrame:
    """Return configurations of whole series, with the names of metrics that frames have."""
    rows = store.rows[store.rows.metric.str.startswith(series.PREFIX)]
    return configurations(rows.assign(metric=rows.metric.str.removeprefix(series.PREFIX)))


def _untrained(found: pd.DataFrame) -> pd.Series:
    return found.method.map({name: method.untrained for name, method in METHODS.items()})


def _line(claim: str, of: str, by: str, against: str, where: str, verdict: str, **numbers) -> dict:
    empty = {"holds": np.nan, "sets": np.nan, "value": np.nan, "low": np.nan, "high": np.nan, "drawn": ""}
    names = {"claim": claim, "of": of, "by": by, "against": against, "where": where, "verdict": verdict}
    return names | {name: numbers.get(name, value) for name, value in empty.items()}


def _places_in_paper(theirs: pd.DataFrame, metric: str) -> pd.DataFrame:
    name = METHODS["emargin"].title
    wide = theirs.pivot(index="set", columns="method", values=metric)
    ranks = wide.rank(axis=1, ascending=metric in LOWER_IS_BETTER, method="min")[name]
    return pd.DataFrame({"place": ranks, "of": wide.notna().sum(axis=1)})


def _best_scores(theirs: pd.DataFrame, groups: dict) -> list[dict]:
    """Claim 1: eMargin has the best clustering scores."""
    lines = []
    for metric, score in SCORES.items():
        printed = count(_places_in_paper(theirs, metric).place == 1)
        numbers = {"holds": printed.holds, "sets": printed.of}
        lines.append(_line("1", "paper", score, "its methods", "the paper’s sets", printed.verdict, **numbers))
        for (where, (found, _)), fidelity in ((group, name) for group in groups.items() for name in FIDELITIES):
            better = standing(found, metric, fidelity)
            first = count(places_of(better).place == 1)
            numbers = {"holds": first.holds, "sets": first.of} | _numbers(lead(better))
            lines.append(_line("1", fidelity, score, "all methods", where, first.verdict, **numbers))
    return lines


def _numbers(found: dict) -> dict:
    return {name: found[name] for name in ("value", "low", "high", "drawn")}


def _probing(theirs: pd.DataFrame, groups: dict) -> list[dict]:
    """Claim 2: eMargin is not competitive in linear probing. Among all methods, a line a probe."""
    printed = _places_in_paper(theirs, "macro_recall")
    printed = count(printed.place > (printed.of + 1) / 2)
    numbers = {"holds": printed.holds, "sets": printed.of}
    lines = [_line("2", "paper", "its recall", "its methods", "the paper’s sets", printed.verdict, **numbers)]
    for where, (found, inform) in groups.items():
        for prefix, probe in PROBES.items():
            metric = f"{prefix}{METRIC}"
            if metric not in found:
                continue
            for fidelity in FIDELITIES:
                better = standing(informing(found, inform, metric), metric, fidelity)
                if better.empty:
                    continue
                placed = places_of(better)
                lower = count(placed.place > (placed.of + 1) / 2)
                found_lead = lead(better)
                verdict = lower.verdict if np.isnan(found_lead["low"]) else _behind(found_lead)
                numbers = {"holds": lower.holds, "sets": lower.of} | _numbers(found_lead)
                lines.append(_line("2", fidelity, probe, "all methods", where, verdict, **numbers))
    return lines


def _penalty(store: Store) -> list[dict]:
    """Claim 2 on the archive under other penalties, frame encoder: released eMargin minus InfoNCE, means over seeds.

    The interval draws sets alone, from six on.
    """
    if store.rows.empty:
        return []
    found, lines = configurations_of_series(store), []
    found = found[found.fidelity == "released"]
    for prefix in ("certified_", "chosen_", "whitened_"):
        wide = found.pivot_table(index="dataset", columns="method", values=f"{prefix}{METRIC}")
        apart = (wide.emargin - wide.infonce).dropna()
        lower, sets = count(apart < 0), len(apart)
        numbers = {"holds": lower.holds, "sets": sets, "value": apart.mean()}
        verdict = lower.verdict
        if sets >= FEWEST_SETS:
            error = apart.std(ddof=1) / sets**0.5
            low, high = ends(apart.mean(), error, sets - 1)
            verdict = words_of(apart.mean(), test_of(apart.mean(), error, sets - 1))
            numbers |= {"low": low, "high": high, "drawn": "sets"}
        lines.append(_line("2", "released", PROBES[prefix], "InfoNCE, released", ARCHIVE, verdict, **numbers))
    return lines


def _behind(found: dict) -> str:
    """Return whether "eMargin is behind" stands by an interval over methods and sets."""
    words = words_of(found["value"], test_of(found["value"], found["error"], found["freedom"]))
    return {"lower": "stands", "not decided": "not decided"}.get(words, "does not stand")


def _on_core(store: Store) -> list[dict]:
    """Claim 2 where every person is tested once: eMargin minus InfoNCE and minus the untrained control, set by set.

    A difference counts once all folds of a set have run: before that not everyone is tested.
    """
    rows = store.rows[store.rows.split == "everyone"]
    rows = rows.assign(line=[label(row) for row in rows.itertuples()])
    probes = [f"{prefix}{METRIC}" for prefix in PROBES if f"{prefix}{METRIC}" in set(rows.metric)]
    inform = readable(store, probes, folds_together=True)
    informs = set(inform[inform.informs][["dataset", "probe"]].itertuples(index=False, name=None))
    lines = []
    for dataset, inside in rows.groupby("dataset", sort=False):
        for fidelity, own in (("released", "eMargin, released"), ("original", "eMargin, original, anchor")):
            for other in (f"InfoNCE, {fidelity}", "Random, calibrated"):
                for metric in probes:
                    found = by_fold(inside, own, other, metric)
                    if found is None or found["folds"] < FOLDS.get(dataset, USUAL_FOLDS):
                        continue
                    told = compared(found, metric)
                    words = told.verdict if (dataset, metric) in informs else "open"
                    drawn = f"{told.folds} folds" if not np.isnan(told.low) else ""
                    numbers = {"value": told.value, "low": told.low, "high": told.high, "drawn": drawn}
                    probe = PROBES[metric.removesuffix(METRIC)]
                    lines.append(_line("2", fidelity, probe, other, f"{dataset}, everyone tested", words, **numbers))
    return lines


def by_fold(rows: pd.DataFrame, first: str, second: str, metric: str) -> dict | None:
    """Estimate one line minus another over the folds and seeds that both have (t over folds); None without any.

    rows: of one set, with the column "line".
    """
    of_metric = rows[rows.metric == metric].set_index(["fold", "seed"])
    one, two = (of_metric.value[of_metric.line == line] for line in (first, second))
    apart = (one - two).dropna()
    if apart.empty:
        return None
    by = apart.groupby("fold")
    table = by.mean().reset_index().assign(person=0, seed=0)
    return estimate(table, over="folds") | {"seeds": int(by.size().min()), "people": 0}


def _over_methods(theirs: pd.DataFrame, groups: dict) -> list[dict]:
    """Claim 3: good clustering scores do not imply a useful embedding. Over methods, with the control beside it."""
    lines = []
    for score, title in SCORES.items():
        one = correlation(theirs, score, "macro_recall")
        verdict = _of_correlation(one["verdict"])
        against = "its recall, without a control"
        lines.append(_line("3", "paper", title, against, "the paper’s sets", verdict, **_numbers(one)))
    for where, (found, inform) in groups.items():
        for prefix in PROBES:
            if (probe := f"{prefix}{METRIC}") not in found:
                continue
            chosen = informing(found, inform, probe)
            for fidelity in FIDELITIES:
                of_fidelity = chosen[(chosen.fidelity == fidelity) | _untrained(chosen)]
                if 0 < of_fidelity.method.nunique() < FEWEST_RANKED:
                    continue
                for number, (score, title) in enumerate(SCORES.items()):
                    for one in with_control(of_fidelity, score, probe).to_dict("records")[: 1 if number else 2]:
                        own = one["role"] == "score"
                        by = title if own else "NMI, the control"
                        verdict = _of_correlation(one["verdict"]) if own else one["verdict"]
                        numbers = _numbers(one) | {"sets": chosen.dataset.nunique()}
                        lines.append(_line("3", fidelity, by, PROBES[prefix], where, verdict, **numbers))
    return lines


def _of_correlation(verdict: str) -> str:
    """Return what a score's correlation says of the claim that it is no sign of a good probe."""
    if verdict.startswith("equivalent") or verdict == correlations.AGAINST:
        return "stands"
    return "does not stand" if verdict == correlations.ALONG else verdict.replace("no interval", "open")


def _ranks(found: pd.DataFrame, where: str) -> list[dict]:
    """Claim 4: the margin prevents representation collapse: a higher effective rank than InfoNCE's."""
    lines = []
    for fidelity in FIDELITIES:
        better = standing(found, "participation_ratio", fidelity)
        better = better[better.method == "infonce"]
        higher = count(better.value > 0)
        numbers = {"holds": higher.holds, "sets": higher.of, "value": better.value.mean()}
        lines.append(_line("4", fidelity, "effective rank", "InfoNCE", where, higher.verdict, **numbers))
    return lines


def _clusters(found: pd.DataFrame, where: str) -> list[dict]:
    """Claim 6: clusters of TS2Vec and TNC agree better with the classes."""
    lines = []
    for fidelity in FIDELITIES:
        better = standing(found, CONTROL, fidelity)
        for method in ("ts2vec", "tnc"):
            of_method = better[better.method == method]
            higher = count(of_method.value < 0)
            numbers = {"holds": higher.holds, "sets": higher.of, "value": of_method.value.mean()}
            title = METHODS[method].title
            lines.append(_line("6", fidelity, "NMI with the classes", title, where, higher.verdict, **numbers))
    return lines


def _margin() -> list[dict]:
    """Claim 7: the margin acts where adjacent frames differ: whether a pseudo-label depends on the data at all."""
    frames = torch.randn(2000, 16, generator=torch.Generator().manual_seed(0))  # any frames will do
    lines = []
    for fidelity, rule in (("released", "released"), ("original", "paper")):
        share = pseudo_labels(frames, threshold=0.4, rule=rule).float().mean().item()
        verdict = "does not stand" if share == 1 else "stands"
        lines.append(_line("7", fidelity, "share of pairs with pseudo-label 1", "", "any frames", verdict, value=share))
    return lines


def _dial(folder: Path) -> list[dict]:
    """Claim 8, this book's: an untrained encoder gets such scores and loses such a probe by the size of directions."""
    table = where_read(read(Store(folder)))
    chosen = table[(table.line == UNTRAINED) & (table.turned == "beside")]
    wide = chosen.pivot_table(index=["dataset", "seed", "score"], columns="factor", values="value").reset_index()
    wide["change"] = wide[SMALLEST] - wide[1.0]
    names = {"silhouette": "silhouette", "nmi": "NMI with the classes", "probe": PROBES[""]}
    names |= {"certified": PROBES["certified_"], "whitened": "the paper’s probe, whitened"}
    lines = []
    for (dataset, score), inside in wide.groupby(["dataset", "score"]):
        if score in names:
            value, seeds = inside.change.mean(), len(inside)
            error = inside.change.std(ddof=1) / seeds**0.5
            low, high = ends(value, error, seeds - 1)
            words = words_of(value, test_of(value, error, seeds - 1), may_be_equivalent=score in OF_PROBES)
            numbers = {"value": value, "low": low, "high": high, "drawn": f"{seeds} seeds"}
            against = "the other directions at 1/64, less as they are"
            lines.append(_line("8", "untrained", names[score], against, f"{dataset}, fold 1", words, **numbers))
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Compute the lines from the rows and write them."""
    parser = argparse.ArgumentParser(
        prog="python -m companion.statistics.conclusions", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args(arguments)
    lines = claims()
    write_text(asked.out, lines.to_csv(index=False, float_format="%.4f"))
    print(f"{len(lines)} lines of claims: {asked.out}")


if __name__ == "__main__":
    main()
