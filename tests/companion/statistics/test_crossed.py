"""Intervals over people and seeds: special cases that are Student's t, slow references, and tables of a store."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from companion.grid.integrity import stamp
from companion.grid.store import Store
from companion.statistics.crossed import compared, difference, ends, estimate, in_words, moments, people_values
from companion.statistics.resampling import scores_of
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.evaluation import per_subject, probing
from emargin.resolve import resolve

FOLDS = np.array([0, 0, 0, 1, 1, 2, 2, 2])


def tidy(values: np.ndarray, folds: np.ndarray) -> pd.DataFrame:
    people, seeds = (axis.ravel() for axis in np.indices(values.shape))
    return pd.DataFrame({"fold": folds[people], "person": people, "seed": seeds, "value": values.ravel()})


def t_interval(values) -> tuple[float, float]:
    return tuple(ttest_1samp(values, 0).confidence_interval(0.95))


def test_seeds_that_agree_leave_the_t_interval_of_people():
    people = np.random.default_rng(1).standard_normal(8)
    found = estimate(tidy(np.repeat(people[:, None], 3, 1), FOLDS))
    assert (found["low"], found["high"]) == pytest.approx(t_interval(people)) and found["freedom"] == pytest.approx(7)
    assert (found["people"], found["seeds"], found["folds"], found["flaw"]) == (8, 3, 3, "")


def test_people_who_agree_leave_the_t_interval_of_seeds():
    seeds = np.random.default_rng(2).standard_normal(4)
    found = estimate(tidy(np.repeat(seeds[None], 6, 0), np.zeros(6)))
    assert (found["low"], found["high"]) == pytest.approx(t_interval(seeds)) and found["freedom"] == pytest.approx(3)


def test_two_people_who_agree_lend_no_degrees_of_freedom():
    seeds = np.random.default_rng(2).standard_normal(10)
    assert estimate(tidy(np.repeat(seeds[None], 2, 0), np.zeros(2)))["freedom"] == 1


def test_parts_are_those_of_the_formula():
    values = np.random.default_rng(3).standard_normal((8, 3))
    mean, error, freedom = moments(values, FOLDS)
    of_person = [np.mean(values[p]) for p in range(8)]
    people = sum((m - mean) ** 2 for m in of_person) / 7 / 8
    encoders = []
    for fold in range(3):
        inside = values[fold == FOLDS]
        of_seed = [inside[:, s].mean() for s in range(3)]
        encoders.append((len(inside) / 8) ** 2 * np.var(of_seed, ddof=1) / 3)
    total = people + sum(encoders)
    assert error**2 == pytest.approx(total)
    wanted = total**2 / (people**2 / 7 + sum(part**2 / 2 for part in encoders))
    assert freedom == pytest.approx(min(wanted, 7))


def test_training_people_are_drawn_as_folds():
    values = np.random.default_rng(4).standard_normal((8, 3))
    equal = np.repeat([0, 1, 2, 3], 2)
    of_fold = [values[equal == fold].mean() for fold in range(4)]
    found = estimate(tidy(values, equal), over="folds")
    assert (found["low"], found["high"]) == pytest.approx(t_interval(of_fold)) and found["freedom"] == pytest.approx(3)
    two = estimate(tidy(values, equal // 2), over="folds")
    assert np.isnan(two["low"]) and two["flaw"] == "2 folds: no interval over training people"


def test_no_spread_at_all_gives_a_point():
    found = estimate(tidy(np.full((5, 3), 0.25), np.zeros(5)))
    assert (found["value"], found["low"], found["high"], found["freedom"]) == (0.25, 0.25, 0.25, 4)


def test_too_few_people_or_seeds_and_holes_are_said():
    values = np.random.default_rng(5).standard_normal((4, 3))
    for few, flaw in (
        (values[:1], "1 people, 3 seeds: no interval"),
        (values[:, :1], "4 people, 1 seeds: no interval"),
    ):
        found = estimate(tidy(few, np.zeros(4)))
        assert np.isnan([found["low"], found["error"]]).all() and found["flaw"] == flaw
    whole = tidy(values, np.zeros(4))
    for broken in (whole[1:], pd.concat([whole, whole[:1]]), whole[:0]):
        with pytest.raises(InputError, match="one value for each person and seed"):
            estimate(broken)


def test_differences_are_person_by_person():
    first, second = (tidy(np.random.default_rng(seed).standard_normal((8, 3)), FOLDS) for seed in (6, 7))
    first.attrs["value"], second.attrs["value"] = 0.7, 0.4
    found = difference(first, second.sample(frac=1, random_state=0))
    assert found.value.to_numpy() == pytest.approx((first.value - second.value).to_numpy())
    assert estimate(found)["value"] == pytest.approx(0.3)
    with pytest.raises(InputError, match="cannot be compared"):
        difference(first, second[second.person > 0])


def store_of(folder, arrays: dict, rows: list) -> Store:
    results.write_text(folder / "rows.csv", results.rows_to_csv(results.table(rows)))
    results.write_text(folder / "provenance.json", json.dumps({row["digest"]: {} for row in rows}))
    results.write_arrays(folder / "arrays.npz", arrays)
    stamp(folder, anew=True)
    return Store(folder)


def test_people_of_all_folds_are_scored_together(tmp_path):
    """The reference scores the frames of everybody, and of everybody but one, as the evaluation does."""
    generator, arrays, rows, frames, digests = np.random.default_rng(8), {}, [], {1: [], 2: []}, []
    for fold in (1, 2):
        for seed in (1, 2):
            cell = resolve(Experiment(dataset="harth-sim", method="infonce", fold=fold, seed=seed))
            people, truth = np.repeat(np.arange(3), 40), generator.integers(0, 3, 120)
            predicted = np.where(generator.random(120) < 0.6, truth, 0)
            arrays[f"{cell.digest}/probe"] = per_subject.counts((people, truth, predicted), (4, 3, 3))
            rows.append(results.tidy(cell, "balanced_accuracy", 0.0, 120))
            frames[seed].append((people + 10 * fold, truth, predicted))
            digests.append(cell.digest)
    found = people_values(store_of(tmp_path, arrays, rows), digests, "balanced_accuracy")
    assert len(found) == 12 and set(found.fold) == {1, 2}
    wholes = []
    for seed in (1, 2):
        people, truth, predicted = (np.concatenate(parts) for parts in zip(*frames[seed], strict=True))
        wholes.append(probing.scores(truth, predicted)["balanced_accuracy"])
        for person in np.unique(people):
            kept = people != person
            without = probing.scores(truth[kept], predicted[kept])["balanced_accuracy"]
            row = found[(found.seed == seed) & (found.fold == person // 10) & (found.person == person % 10)]
            assert row.value.item() == pytest.approx(6 * wholes[-1] - 5 * without)
    assert found.attrs["value"] == pytest.approx(np.mean(wholes))


def test_a_class_of_a_single_person_does_not_raise_chance(tmp_path):
    """A probe that names one class is at chance, and so it is without the person who alone has the third class."""
    cell = resolve(Experiment(dataset="harth-sim", method="infonce"))
    counts = np.zeros((3, 3, 3), int)
    counts[:, :2, 0], counts[2, 2, 0] = 10, 10
    rows = [results.tidy(cell, "balanced_accuracy", 1 / 3, 70)]
    store = store_of(tmp_path, {f"{cell.digest}/probe": counts}, rows)
    plain = people_values(store, [cell.digest], "balanced_accuracy")
    level = people_values(store, [cell.digest], "balanced_accuracy", above_chance=True)
    assert plain.value.std() > 0.1 and level.value.to_numpy() == pytest.approx(0)
    assert level.attrs["value"] == pytest.approx(0)


def test_clusters_are_scored_fold_by_fold(tmp_path):
    generator, people = np.random.default_rng(9), 4
    truth, kind, person = (generator.integers(0, of, 200) for of in (3, 3, people))
    tables = per_subject.cluster_tables(
        generator.standard_normal((200, 2)), truth, kind, person, n_classes=3, n_subjects=people
    )
    arrays, rows, digests = {}, [], []
    for fold in (1, 2):
        cell = resolve(Experiment(dataset="harth-sim", method="infonce", fold=fold))
        arrays |= {f"{cell.digest}/{name}": table for name, table in tables.items()}
        rows.append(results.tidy(cell, "nmi", 0.0, 1))
        digests.append(cell.digest)
    found = people_values(store_of(tmp_path, arrays, rows), digests, "nmi")
    whole = scores_of(tables, np.ones(people, int))["nmi"]
    weights = np.ones(people, int)
    weights[1] = 0
    wanted = people * whole - (people - 1) * scores_of(tables, weights)["nmi"]
    assert found[found.person == 1].value.to_numpy() == pytest.approx([wanted] * 2, abs=1e-5)
    assert found.attrs["value"] == pytest.approx(whole, abs=1e-6)


def test_cells_without_counts_and_two_of_a_seed_are_refused(tmp_path):
    cells = [resolve(Experiment(dataset="harth-sim", method=method)) for method in ("infonce", "cpc")]
    rows = [results.tidy(cell, "balanced_accuracy", 0.5, 10) for cell in cells]
    arrays = {f"{cell.digest}/probe": np.ones((3, 2, 2), int) for cell in cells}
    store = store_of(tmp_path, arrays, rows)
    with pytest.raises(InputError, match="two cells of a fold and seed"):
        people_values(store, [cell.digest for cell in cells], "balanced_accuracy")
    with pytest.raises(InputError, match="no tables of cell"):
        people_values(store, [cells[0].digest], "knn_balanced_accuracy")


def test_ends_widen_with_the_level():
    assert np.diff(ends(0.0, 1.0, 5, 0.9)) < np.diff(ends(0.0, 1.0, 5))


def test_folds_need_no_second_seed():
    values = np.random.default_rng(11).standard_normal((8, 1))
    equal = np.repeat([0, 1, 2, 3], 2)
    found = estimate(tidy(values, equal), over="folds")
    of_fold = [values[equal == fold].mean() for fold in range(4)]
    assert (found["low"], found["high"]) == pytest.approx(t_interval(of_fold)) and found["flaw"] == ""


def test_what_is_undefined_without_somebody_has_no_interval():
    table = tidy(np.random.default_rng(12).standard_normal((5, 2)), np.zeros(5))
    table.loc[3, "value"], table.attrs["value"] = np.nan, 0.4
    found = estimate(table)
    assert found["value"] == 0.4 and np.isnan(found["low"]) and "undefined" in found["flaw"]
    assert compared(found, "silhouette").verdict == "no interval"


def test_a_difference_says_its_verdict():
    apart = estimate(tidy(np.random.default_rng(13).normal(0.1, 0.01, (8, 3)), np.zeros(8)))
    alike = estimate(tidy(np.random.default_rng(14).normal(0, 0.01, (8, 3)), np.zeros(8)))
    found = compared(apart, "balanced_accuracy")
    assert found.verdict == "higher" and found.low > 0 and (found.people, found.seeds) == (8, 3)
    assert compared(alike, "knn_balanced_accuracy").verdict == "equivalent within 0.02"
    assert compared(alike, "silhouette").verdict == "not decided"  # no margin was stated for clustering scores


def test_numbers_with_their_intervals_in_words():
    assert in_words(0.1, -0.02, 0.3) == "+0.100 [−0.020, +0.300]"
    assert in_words(-0.1, np.nan, np.nan, 2) == "−0.10"
