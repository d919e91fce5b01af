"""Measures of frozen embeddings: against slow references, and on embeddings whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score, silhouette_samples

from companion import measures_embedding
from companion.measures_embedding import clusterings, features_of, linear_cka, people_recognised, spectrum
from emargin.evaluation.clustering import partition


def normal(seed, *shape) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def heaps(seed=1, each=60, apart=8.0) -> tuple[np.ndarray, np.ndarray]:
    """Three round heaps in ten coordinates."""
    labels = np.repeat(np.arange(3), each)
    return normal(seed, 3 * each, 10) + apart * np.eye(3, 10)[labels], labels


def value_of(lines, score, **wanted) -> float:
    (line,) = [one for one in lines if one["score"] == score and wanted.items() <= one.items()]
    return line["value"]


def test_features_are_scaled_as_they_say():
    rows = normal(1, 200, 5) @ normal(2, 5, 5) + 3
    rows = np.column_stack([rows, np.full(200, 2.0)])
    found = features_of(rows)
    assert found["raw"] == pytest.approx(rows)
    assert found["standardised"].mean(0) == pytest.approx(0) and found["standardised"].std(0)[:5] == pytest.approx(1)
    assert np.cov(found["whitened"], rowvar=False, ddof=0) == pytest.approx(np.eye(5), abs=1e-8)
    assert np.linalg.norm(found["unit"], axis=1) == pytest.approx(1)
    assert found["unit"][0] * np.linalg.norm(rows[0]) == pytest.approx(rows[0])


def test_rows_that_are_equal_or_zero_have_features():
    assert all(np.isfinite(rows).all() for rows in features_of(np.zeros((6, 3))).values())
    assert features_of(np.ones((6, 3)))["whitened"].shape == (6, 1)


def test_heaps_are_met_by_every_clustering():
    embedding, labels = heaps()
    lines = clusterings(embedding, labels, 3)
    for measure, features in (("kmeans", "raw"), ("kmeans", "unit"), ("mixture", "leading"), ("hdbscan", "leading")):
        assert value_of(lines, "nmi", measure=measure, features=features, k=3) > 0.9, measure
    assert {line["k"] for line in lines if line["measure"] == "kmeans" and line["features"] == "raw"} == {2, 3, 6}
    assert value_of(lines, "noise") < 0.2


def test_only_whitening_undoes_a_direction_that_is_stretched():
    """Noise in one direction hides the heaps from K-means on the rows as they are."""
    embedding, labels = heaps()
    embedding[:, 9] *= 200
    lines = clusterings(embedding, labels, 3)
    assert value_of(lines, "nmi", measure="kmeans", features="raw", k=3) < 0.1
    assert value_of(lines, "nmi", measure="kmeans", features="standardised") > 0.9


def test_silhouette_of_the_classes_is_that_of_the_truth():
    embedding, labels = heaps(apart=2.0)
    lines = clusterings(embedding, labels, 3)
    found = value_of(lines, "silhouette", measure="classes", features="unit")
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    assert found == pytest.approx(silhouette_samples(unit, labels).mean())


def test_noise_of_the_density_is_a_cluster_of_its_own_for_the_truth():
    embedding, labels = heaps(each=80)
    scattered = np.vstack([embedding, 60 * normal(3, 40, 10)])
    labels = np.concatenate([labels, np.full(40, 3)])
    lines = clusterings(scattered, labels, 4)
    assert value_of(lines, "noise") == pytest.approx(40 / 280, abs=0.1)
    assert value_of(lines, "nmi", measure="hdbscan") > 0.85 and value_of(lines, "silhouette", measure="hdbscan") > 0.3


def test_spectrum_of_equal_directions_and_of_a_line():
    turned = np.linalg.qr(normal(4, 400, 8) - normal(4, 400, 8).mean(0))[0]
    even = spectrum(turned)
    assert even["rankme"] == pytest.approx(8, rel=1e-4) and even["participation_ratio"] == pytest.approx(8, rel=1e-6)
    line = spectrum(np.outer(normal(5, 400), normal(6, 8)))
    assert line["rankme"] == pytest.approx(1, abs=1e-4) and line["participation_ratio"] == pytest.approx(1)
    assert np.isnan(line["alpha_req"]) and np.isnan(spectrum(normal(7, 50, 4))["alpha_req"])


def test_rankme_is_the_entropy_of_singular_values_that_are_not_centred():
    rows = normal(8, 60, 5) + 4
    singular = np.sqrt(np.linalg.eigvalsh(rows.T @ rows))
    shares = singular / singular.sum()
    assert spectrum(rows)["rankme"] == pytest.approx(np.exp(-sum(p * np.log(p) for p in shares)), rel=1e-4)
    assert spectrum(rows)["rankme"] < spectrum(rows - rows.mean(0))["rankme"] - 0.5


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_alpha_is_the_exponent_of_a_power_law(exponent):
    even = np.linalg.qr(normal(9, 500, 60) - normal(9, 500, 60).mean(0))[0]
    even -= even.mean(0)
    spread = np.arange(1, 61) ** (-exponent / 2)
    spread[:2] *= 7  # the first two are left out
    assert spectrum(even * spread)["alpha_req"] == pytest.approx(exponent, abs=1e-3)


def test_cka_is_the_alignment_of_centred_kernels():
    first, second = normal(10, 40, 6), normal(11, 40, 3)
    centre = np.eye(40) - 1 / 40
    kernels = [centre @ rows @ rows.T @ centre for rows in (first, second)]
    wanted = np.sum(kernels[0] * kernels[1]) / np.sqrt(np.sum(kernels[0] ** 2) * np.sum(kernels[1] ** 2))
    assert linear_cka(first, second) == pytest.approx(wanted)


def test_cka_is_blind_to_turns_shifts_and_scale_alone():
    rows = normal(12, 300, 5)
    turn = np.linalg.qr(normal(13, 5, 5))[0]
    assert linear_cka(rows, 3 * rows @ turn + 7) == pytest.approx(1)
    assert linear_cka(rows, rows * [9, 1, 1, 1, 1]) < 0.8 and linear_cka(rows, normal(14, 300, 5)) < 0.1
    assert np.isnan(linear_cka(rows, np.ones((300, 2))))


def walks(n_people=4, each=100):
    """Frames of two classes of each person, in time."""
    people = np.repeat(np.arange(n_people), each)
    return people, np.tile(np.repeat([0, 1], each // 2), n_people), normal(15, len(people), 6)


def test_people_are_recognised_by_what_lasts():
    people, labels, noise = walks()
    lasting = people_recognised(noise + 6 * np.eye(4, 6)[people], labels, people, 400)
    assert lasting["balanced_accuracy"] > 0.95 and lasting["chance"] == 0.25 and lasting["leakage"] > 0.9
    nothing = people_recognised(noise, labels, people, 400)
    assert abs(nothing["leakage"]) < 0.2


def test_what_passes_recognises_nobody():
    """A mark that a person has in the first half of each class alone is learned, and of no use later."""
    people, labels, noise = walks()
    early = (np.arange(len(people)) % 50 < 25)[:, None]
    assert people_recognised(noise + 6 * early * np.eye(4, 6)[people], labels, people, 400)["leakage"] < 0.35
    in_the_gap = ((np.arange(len(people)) % 50) // 10 == 2)[:, None]
    marked = noise + 6 * in_the_gap * np.eye(4, 6)[people]
    assert people_recognised(marked, labels, people, 400) == people_recognised(noise, labels, people, 400)


def test_classes_do_not_stand_for_people():
    """Each class is tested where it was learned: a class that only one person has tells that person apart."""
    people, labels, noise = walks()
    alone = people_recognised(noise + 6 * np.eye(4, 6)[people], people, people, 400)
    assert alone["leakage"] > 0.9
    one = people_recognised(noise, labels, np.zeros_like(people), 400)
    assert one.pop("n") == 0 and np.isnan(list(one.values())).all()


def test_frames_are_drawn_evenly_and_as_few_as_asked(monkeypatch):
    people, labels, noise = walks()
    seen = []
    fit = measures_embedding.StandardScaler.fit
    monkeypatch.setattr(
        measures_embedding.StandardScaler, "fit", lambda self, rows: (seen.append(len(rows)), fit(self, rows))[1]
    )
    found = people_recognised(noise, labels, people, 40)
    assert seen == [40] and found["n"] == 40


def test_scores_follow_the_partition():
    embedding, labels = heaps()
    found = features_of(embedding)["unit"]

    wanted = normalized_mutual_info_score(labels, partition(found, 3))
    lines = clusterings(embedding, labels, 3)
    assert value_of(lines, "nmi", measure="kmeans", features="unit") == pytest.approx(wanted)
