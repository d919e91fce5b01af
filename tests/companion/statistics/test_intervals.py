"""Differences and rank correlations: against slow references, and on data whose answer is known."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from companion.figures import claim
from companion.grid.integrity import stamp
from companion.grid.store import Store
from companion.statistics.intervals import Bootstrap, Correlation, Interval, configurations, rank_correlation
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.evaluation import per_subject, probing
from emargin.resolve import resolve

N, L = 60, 3  # frames a person, classes


class Cells:
    """Frames of `people`, true and predicted, for cells that are put into a store."""

    def __init__(self, people: int):
        self.generator = np.random.default_rng(5)
        self.subjects = np.repeat(np.arange(people), N)
        self.truth = self.generator.integers(0, L, people * N)
        self.predicted, self.rows, self.arrays = {}, [], {}

    def add(self, right, *, tables=True, **fields) -> str:
        """A cell whose predictions are right with the given chance, one for everybody or one a person."""
        cell = resolve(Experiment(dataset="harth-sim", **fields))
        hit = self.generator.random(len(self.truth)) < np.broadcast_to(right, self.subjects.max() + 1)[self.subjects]
        predicted = np.where(hit, self.truth, (self.truth + 1) % L)
        self.predicted[cell.digest] = predicted
        self.rows += [
            results.tidy(cell, name, value, len(predicted))
            for name, value in probing.scores(self.truth, predicted).items()
        ]
        self.rows.append(results.tidy(cell, "knn_accuracy", 0.5, len(predicted)))
        if tables:
            self.arrays[f"{cell.digest}/probe"] = per_subject.counts(
                (self.subjects, self.truth, predicted), (self.subjects.max() + 1, L, L)
            )
        return cell.digest

    def fail(self, **fields) -> str:
        cell = resolve(Experiment(dataset="harth-sim", **fields))
        self.rows.append(results.tidy(cell, "failed", float("nan"), None, "why"))
        return cell.digest

    def store(self, folder) -> Store:
        results.write_text(folder / "rows.csv", results.rows_to_csv(results.table(self.rows)))
        results.write_text(folder / "provenance.json", json.dumps({row["digest"]: {} for row in self.rows}))
        results.write_arrays(folder / "arrays.npz", self.arrays)
        stamp(folder, anew=True)
        return Store(folder)


def seeds_of(cells: Cells, right, n=3, **fields) -> list[str]:
    return [cells.add(right, seed=seed, **fields) for seed in range(1, n + 1)]


def test_difference_is_that_of_people_and_seeds_drawn_one_by_one(tmp_path):
    """The reference repeats the frames of each drawn person and scores them as the evaluation does."""
    cells, draws = Cells(6), 40
    first, second = seeds_of(cells, 0.7, method="infonce"), seeds_of(cells, 0.6, method="cpc")
    found = Bootstrap(cells.store(tmp_path), draws, seed=3).difference(first, second, "macro_f1")
    weights = np.random.default_rng([3, 0]).multinomial(6, [1 / 6] * 6, draws)
    picked = np.random.default_rng([3, 1]).integers(0, 3, (3, draws))
    differences = []
    for draw in range(draws):
        frames = np.repeat(np.arange(6 * N), weights[draw][cells.subjects])
        scores = [
            [
                probing.scores(cells.truth[frames], cells.predicted[digests[seed]][frames])["macro_f1"]
                for seed in picked[:, draw]
            ]
            for digests in (first, second)
        ]
        differences.append(np.mean(scores[0]) - np.mean(scores[1]))
    everybody = [
        np.mean([probing.scores(cells.truth, cells.predicted[digest])["macro_f1"] for digest in digests])
        for digests in (first, second)
    ]
    assert found.value == pytest.approx(everybody[0] - everybody[1])
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])))
    assert (found.people, found.seeds, found.flaw, found.verdict) == (6, 3, "", "higher")


def test_both_configurations_see_the_same_people(tmp_path):
    """People differ much, the configurations by the same little for each: a pair of resamples would not see it."""
    chances = np.linspace(0.1, 0.8, 8)
    cells = Cells(8)
    first, second = seeds_of(cells, chances + 0.15, method="infonce"), seeds_of(cells, chances, method="cpc")
    bootstrap = Bootstrap(cells.store(tmp_path))
    found = bootstrap.difference(first, second, "accuracy")
    assert found.verdict == "higher" and found.high - found.low < 0.12
    assert bootstrap.difference(second, first, "accuracy").verdict == "lower"
    same = bootstrap.difference(first, first, "accuracy")
    assert (same.value, same.low, same.high, same.verdict) == (0, 0, 0, "cannot be told apart")


def test_seeds_that_contradict_each_other_leave_it_open(tmp_path):
    cells = Cells(8)
    first = [cells.add(right, seed=seed, method="infonce") for seed, right in ((1, 0.95), (2, 0.45), (3, 0.7))]
    second = seeds_of(cells, 0.65, method="cpc")
    found = Bootstrap(cells.store(tmp_path)).difference(first, second, "accuracy")
    assert found.value > 0.02 and found.low < -0.1 and found.high > 0.2 and found.verdict == "cannot be told apart"


def test_seeds_are_paired_whatever_their_order(tmp_path):
    cells = Cells(6)
    first, second = seeds_of(cells, 0.7, method="infonce"), seeds_of(cells, 0.6, method="cpc")
    bootstrap = Bootstrap(cells.store(tmp_path))
    assert bootstrap.difference(first[::-1], second, "accuracy") == bootstrap.difference(first, second, "accuracy")


def test_too_few_people_seeds_or_tables_are_said(tmp_path):
    few = Cells(4)
    first, second = seeds_of(few, 0.7, method="infonce"), seeds_of(few, 0.6, method="cpc")
    found = Bootstrap(few.store(tmp_path)).difference(first, second, "accuracy")
    assert found.value > 0 and np.isnan([found.low, found.high]).all() and found.verdict == "no verdict"
    assert (found.people, found.seeds, found.flaw) == (4, 3, "4 people: no interval")
    cells = Cells(6)
    first, second = seeds_of(cells, 0.9, 1, method="infonce"), seeds_of(cells, 0.6, 1, method="cpc")
    bare = seeds_of(cells, 0.5, 1, method="tnc", tables=False)
    bootstrap = Bootstrap(cells.store(tmp_path))
    one = bootstrap.difference(first, second, "accuracy")
    assert one.low > 0 and (one.seeds, one.flaw, one.verdict) == (1, "one seed: no verdict", "no verdict")
    for pair, metric in (((first, bare), "accuracy"), ((bare, first), "accuracy"), ((first, second), "knn_accuracy")):
        found = bootstrap.difference(*pair, metric)
        assert np.isnan(found.low) and (found.people, found.flaw) == (0, "no counts of people: no interval")


def test_people_without_frames_are_not_drawn(tmp_path):
    """A person whose recording is too short for a sequence has a line of zeros in the tables."""
    cells = Cells(5)
    first, second = seeds_of(cells, 0.7, method="infonce"), seeds_of(cells, 0.6, method="cpc")
    bootstrap = Bootstrap(cells.store(tmp_path))
    wanted = bootstrap.difference(first, second, "accuracy")
    cells.arrays = {name: np.insert(table, 2, 0, axis=0) for name, table in cells.arrays.items()}
    assert Bootstrap(cells.store(tmp_path)).difference(first, second, "accuracy") == wanted
    assert wanted.people == 5


def test_who_is_on_the_test_side(tmp_path):
    """Two people, and one without frames; the second class comes from one of them."""
    cells = Cells(3)
    cells.truth[:] = np.repeat([0, 2, 0], N)
    cells.truth[:20] = 1
    (bare,), digests = seeds_of(cells, 1.0, 1, method="tnc", tables=False), seeds_of(cells, 1.0, method="cpc")
    cells.arrays = {name: table * np.array([1, 1, 0])[:, None, None] for name, table in cells.arrays.items()}
    bootstrap = Bootstrap(cells.store(tmp_path))
    people, holders, frames = bootstrap.test_side([bare, "not run", *digests])
    assert people == 2 and holders.tolist() == [1, 1, 1] and frames.tolist() == [40, 20, 60]
    assert bootstrap.test_side([bare]) is None


def test_a_metric_that_is_often_undefined_has_no_interval(tmp_path):
    """One person has a cluster alone: a resample of five leaves one cluster with chance 0.8^5 + 0.2^5."""
    cells = Cells(5)
    first, second = seeds_of(cells, 0.7, 2, method="infonce"), seeds_of(cells, 0.6, 2, method="cpc")
    for digest in (*first, *second):
        cluster = (cells.subjects == 4).astype(int)
        cells.arrays |= {
            f"{digest}/{name}": table
            for name, table in per_subject.cluster_tables(
                cells.generator.random((5 * N, 2)), cells.truth, cluster, cells.subjects, n_classes=L, n_subjects=5
            ).items()
        }
        row = next(row for row in cells.rows if row["digest"] == digest)
        cells.rows.append(row | {"metric": "silhouette", "value": 0.1})
    found = Bootstrap(cells.store(tmp_path)).difference(first, second, "silhouette")
    assert np.isnan([found.low, found.high]).all() and found.verdict == "no verdict"
    share = re.fullmatch(r"undefined in (\d+)% of the resamples: no interval", found.flaw)
    assert int(share[1]) == pytest.approx(32.8, abs=4)


def test_what_cannot_be_compared_is_refused(tmp_path):
    cells = Cells(5)
    first, second = seeds_of(cells, 0.7, method="infonce"), seeds_of(cells, 0.6, method="cpc")
    other, failed = [cells.add(0.5, fold=2, seed=1, method="cpc")], [cells.fail(seed=1, method="tnc")]
    bootstrap = Bootstrap(cells.store(tmp_path))
    for pair, found in (
        ((first, second[:2]), r"seeds \[1, 2, 3\] and \[1, 2\]"),
        ((first[:1], other), "2 splits"),
        (([], []), r"seeds \[\]"),
        ((first[:1], failed), f"none for cell {failed[0]}"),
        ((["nothing"], ["nothing"]), "nothing"),
    ):
        with pytest.raises(InputError, match=found):
            bootstrap.difference(*pair, "accuracy")


def test_damaged_tables_are_an_error_that_says_so(tmp_path):
    store = Cells(5).store(tmp_path)
    (tmp_path / "arrays.npz").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match="arrays.npz is damaged"):
        Bootstrap(store)


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.1, 0.3, "higher"), (-0.3, -0.1, "lower"), (-0.1, 0.1, "cannot be told apart")]
)
def test_verdict_of_a_difference(low, high, verdict):
    assert Interval(0.1, low, high, 8, 3).verdict == verdict
    assert Interval(0.1, low, high, 8, 1, "one seed: no verdict").verdict == "no verdict"


def test_intervals_as_text():
    assert str(Interval(0.1, -0.02, 0.3, 8, 3)) == "+0.100 [-0.020, +0.300]"
    assert str(Interval(-0.1, np.nan, np.nan, 2, 3, "2 people: no interval")) == "-0.100"


def synthetic(generator, methods=13, sets=1, shared=True) -> pd.DataFrame:
    """Two configurations a method and set; x and y are independent, and alike within a method if `shared`."""
    rows = []
    for name in range(sets):
        for method in range(methods):
            x, y = generator.standard_normal(2) * shared
            rows += [
                {
                    "set": f"s{name}",
                    "method": f"m{method:02d}",
                    "x": x + 0.5 * generator.standard_normal(),
                    "y": y + 0.5 * generator.standard_normal(),
                }
                for _ in range(2)
            ]
    return pd.DataFrame(rows)


def test_within_one_set_it_is_spearmans_correlation_with_ties():
    frame = synthetic(np.random.default_rng(0)).round(0)
    assert frame.x.duplicated().any() and frame.y.duplicated().any()
    assert rank_correlation(frame, "x", "y").value == pytest.approx(spearmanr(frame.x, frame.y).statistic)


def test_interval_is_that_of_methods_drawn_one_by_one():
    frame, draws = synthetic(np.random.default_rng(1), methods=7, sets=2).round(1), 60
    methods = sorted(frame.method.unique())
    found = rank_correlation(frame, "x", "y", draws=draws, seed=4)
    values = []
    for counts in np.random.default_rng(4).multinomial(7, [1 / 7] * 7, draws):
        drawn = pd.concat(
            [frame[frame.method == method] for method, count in zip(methods, counts, strict=True) for _ in range(count)]
        )
        ranks = drawn.groupby("set")[["x", "y"]].rank(pct=True)
        ranks -= ranks.groupby(drawn["set"]).transform("mean")
        values.append((ranks.x * ranks.y).sum() / np.sqrt((ranks.x**2).sum() * (ranks.y**2).sum()))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))
    assert (found.configurations, found.methods, found.sets, found.left_out) == (28, 7, 2, 0)


def test_pooling_compares_within_sets_alone():
    """Within each set y falls as x rises; the sets differ so much that all points together rise."""
    frame = pd.DataFrame(
        [
            {"set": name, "method": f"m{number}", "x": 10 * shift + number, "y": 10 * shift - number}
            for name, shift in (("a", 0), ("b", 1))
            for number in range(6)
        ]
    )
    assert spearmanr(frame.x, frame.y).statistic > 0.4
    found = rank_correlation(frame, "x", "y")
    assert (found.value, found.low, found.high, found.verdict) == pytest.approx((-1, -1, -1, "goes against"))


@pytest.mark.parametrize("sets", [1, 3])
def test_interval_of_independent_metrics_mostly_holds_zero(sets):
    """At 95 % in 200 repetitions; a bootstrap of configurations would hold it far less often."""
    generator = np.random.default_rng(2)
    found = [rank_correlation(synthetic(generator, sets=sets), "x", "y", draws=200) for _ in range(200)]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.88 <= held <= 0.99
    assert np.mean([one.high - one.low for one in found]) < 1.2


def test_identical_metrics_have_correlation_one():
    frame = synthetic(np.random.default_rng(3), sets=2)
    found = rank_correlation(frame.assign(y=frame.x**3), "x", "y")
    assert (found.value, found.low, found.high, found.verdict) == pytest.approx((1, 1, 1, "goes along"))


def test_higher_is_better_for_every_metric():
    frame = synthetic(np.random.default_rng(3)).rename(columns={"x": "davies_bouldin"})
    found = rank_correlation(frame.assign(y=-frame.davies_bouldin), "davies_bouldin", "y")
    assert found.value == pytest.approx(1)


def test_configurations_without_a_value_are_left_out_and_counted():
    frame = synthetic(np.random.default_rng(6))
    whole = rank_correlation(frame[3:], "x", "y")
    frame.loc[:1, "y"] = np.nan
    frame.loc[2, "x"] = np.nan
    found = rank_correlation(frame, "x", "y")
    assert found.left_out == 3 and found.value == whole.value and found.methods == 12


def test_few_methods_have_no_interval_and_no_spread_has_no_value():
    frame = synthetic(np.random.default_rng(7), methods=4)
    few = rank_correlation(frame, "x", "y")
    assert not np.isnan(few.value) and np.isnan(few.low) and few.verdict == "no interval"
    flat = rank_correlation(synthetic(np.random.default_rng(7)).assign(y=1.0), "x", "y")
    assert np.isnan([flat.value, flat.low, flat.high]).all()
    assert rank_correlation(frame[:0], "x", "y").configurations == 0


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.9, "goes along"), (-0.9, -0.1, "goes against"), (-0.4, 0.4, "says little"), (-0.4, 0.6, "open")],
)
def test_verdict_of_a_correlation(low, high, verdict):
    assert Correlation(0.0, low, high, 20, 13, 1, 0).verdict == verdict


def test_configurations_are_means_over_the_seeds_that_ran(tmp_path):
    cells = Cells(5)
    seeds_of(cells, 0.7, 2, method="infonce")
    cells.fail(method="infonce", seed=3)
    cells.fail(method="tnc", seed=1)
    cells.add(0.6, method="emargin", fidelity="original", reading="pair")
    cells.add(0.6, method="emargin", fidelity="original", reading="anchor", fold=2)
    rows = cells.store(tmp_path).rows
    wide = configurations(rows).set_index(["method", "set"])
    assert sorted(wide.reading) == ["", "", "anchor", "pair"]
    accuracy = rows[(rows.method == "infonce") & (rows.metric == "accuracy")].value
    name = "harth-sim, simulated, protocol original, fold 1"
    assert wide.accuracy["infonce", name] == pytest.approx(accuracy.mean()) and len(accuracy) == 2
    assert np.isnan(wide.accuracy["tnc", name])
    assert ("emargin", name.replace("fold 1", "fold 2")) in wide.index
    assert rank_correlation(wide.reset_index(), "accuracy", "macro_f1").left_out == 1


def test_configurations_are_those_of_one_encoder(tmp_path):
    cells = Cells(5)
    cells.add(0.6, method="infonce")
    cells.add(0.9, method="infonce", encoder="context")
    rows = cells.store(tmp_path).rows
    own, context = configurations(rows), configurations(rows, encoder="context")
    for wide, encoder in ((own, ""), (context, "context")):
        assert wide.encoder.tolist() == [encoder]
        accuracy = rows[(rows.encoder == encoder) & (rows.metric == "accuracy")].value
        assert wide.accuracy.tolist() == accuracy.tolist()
    assert own.accuracy.item() != context.accuracy.item()
    assert configurations(rows[rows.encoder == ""].drop(columns=["encoder", "split"])).equals(own)


def test_the_forest_draws_each_value_and_its_interval():
    found = {
        ("a probe", name, kind): Correlation(value, value - 0.2, value + 0.1, 20, 13, 1, 0)
        for name, kind, value in (
            ("one", "released", 0.3),
            ("one", "original", -0.4),
            ("pooled", "the paper's tables", 0.0),
        )
    }
    found["another", "one", "released"] = Correlation(0.5, np.nan, np.nan, 8, 4, 1, 0)
    axes = claim.forest(found, "the silhouette", "source").axes
    assert [axis.get_title("left") for axis in axes] == ["a probe", "another"]
    drawn = [line.get_xydata() for line in axes[0].lines[1:]]  # the first one is zero
    for number, one in enumerate(list(found.values())[:3]):
        assert drawn[2 * number][:, 0].tolist() == [one.low, one.high] and drawn[2 * number + 1][0, 0] == one.value
    assert [round(line[0, 1]) for line in drawn[1:6:2]] == [0, 0, 1]


def test_the_scatter_draws_every_configuration_with_both_values():
    frame = pd.DataFrame(
        {
            "set": ["a"] * 5 + ["b"],
            "method": ["random", "emargin", "emargin", "tnc", "cpc", "tnc"],
            "fidelity": ["released", "released", "original", "original", "released", "released"],
            "silhouette": np.arange(6) / 10,
            "nmi": [0.1, 0.2, 0.3, 0.4, np.nan, 0.6],
        }
    )
    axes = claim.scatter(frame, "nmi", {"a": "A", "b": "B"}, "source", title="NMI").axes
    points = {marks.get_label(): marks.get_offsets().tolist() for marks in axes[0].collections}
    assert points == {
        "random encoders": [[0, 0.1]],
        "released": [],
        "original": [[pytest.approx(0.3), 0.4]],
        "eMargin, released": [[0.1, 0.2]],
        "eMargin, original": [[0.2, 0.3]],
    }
    assert sum(len(marks.get_offsets()) for marks in axes[1].collections) == 1
