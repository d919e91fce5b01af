"""What a run's rows and tables say together: of which frames, which people, which metrics."""

import dataclasses

import numpy as np
import pytest
import torch

from emargin.evaluation.features import encode, encode_alone
from emargin.evaluation.scoring import score
from emargin.experiment import run
from tests.conftest import make_dataset

CLUSTERS = ("davies_bouldin", "silhouette", "calinski_harabasz", "nmi", "ari")
COLLAPSE = ("mean_cosine", "participation_ratio", "uniformity")


def with_people(dataset):
    """The test side's sequences are of persons 0, 1, 2, 0, 1 and so on."""
    frames, length = len(dataset.test.frames), dataset.test.length
    return dataclasses.replace(
        dataset, test=dataclasses.replace(dataset.test, subjects=torch.arange(frames) // length % 3)
    )


@pytest.fixture(scope="module")
def dataset():
    return with_people(make_dataset(n_test=7, draw=(9, 9, 9, 1000)))


@pytest.fixture
def result(small, dataset):
    return run(small(method="random", protocol="original"), dataset=dataset, device="cpu", progress=False)


def test_each_row_counts_the_frames_that_it_is_of(result, dataset):
    rows = result.rows.set_index("metric")
    labels = dataset.test.labels
    drawn = sum(min(wanted, int((labels == label).sum())) for label, wanted in enumerate(dataset.draw))
    assert {metric: rows.n[metric] for metric in CLUSTERS + COLLAPSE} == dict.fromkeys(CLUSTERS + COLLAPSE, drawn)
    assert rows.n["alignment"] == rows.n["accuracy"] == rows.n["converged_accuracy"] == 70
    assert len(result.drawn[0]) == len(result.drawn[1]) == drawn


def test_tables_of_people_add_up_to_the_rows(result, dataset):
    labels, people = dataset.test.labels.numpy(), dataset.test.subjects.numpy()
    for table, prefix in (("probe", ""), ("converged", "converged_")):
        counts = result.arrays[table]
        assert counts.shape == (3, 4, 4)
        expected = [
            [np.count_nonzero((people == person) & (labels == label)) for label in range(4)] for person in range(3)
        ]
        assert counts.sum(2).tolist() == expected
        assert np.trace(counts.sum(0)) / 70 == pytest.approx(result[f"{prefix}accuracy"])
    assert set(result.arrays) == {"probe", "converged", "clusters", "spread", "separation", "silhouette"}
    clusters, drawn = result.arrays["clusters"], result.drawn[1]
    assert clusters.shape == (3, 4, 4) and clusters.sum() == len(drawn)
    assert clusters.sum((0, 1)).tolist() == np.bincount(drawn, minlength=4).tolist()
    assert result.arrays["silhouette"].sum() / len(drawn) == pytest.approx(result["silhouette"], rel=1e-6)


def test_rows_are_the_same_where_people_are_not_told_apart_but_there_are_no_tables(small, dataset, result):
    nameless = dataclasses.replace(dataset, test=dataclasses.replace(dataset.test, subjects=None))
    other = run(small(method="random", protocol="original"), dataset=nameless, device="cpu", progress=False)
    assert other.rows.metric.tolist() == result.rows.metric.tolist()
    assert other.rows.value.tolist() == result.rows.value.tolist()
    assert other.arrays == {}


def test_a_metric_alone_has_its_own_rows_and_tables(small, dataset, result):
    alone = {}
    for name in ("clustering", "probe"):
        alone[name] = run(
            small(method="random", protocol="original"), dataset=dataset, device="cpu", progress=False, metrics=[name]
        )
        for metric, value in zip(alone[name].rows.metric, alone[name].rows.value, strict=True):
            assert value == result[metric]
    assert set(alone["clustering"].arrays) == {"clusters", "spread", "separation", "silhouette"}
    assert set(alone["probe"].arrays) == {"probe"}
    assert "accuracy" in set(alone["probe"].rows.metric) and "silhouette" in set(alone["clustering"].rows.metric)


def test_maps_show_a_thousand_frames_at_most_and_as_many_of_each_class(small):
    large = make_dataset(n_test=400, draw=(600, 600, 3, 3))
    arrays = run(
        small(method="random", protocol="original"),
        dataset=large,
        device="cpu",
        progress=False,
        metrics=["clustering"],
        maps=True,
    ).arrays
    assert np.bincount(arrays["map_labels"]).tolist() == [250, 250, 3, 3]
    assert np.bincount(arrays["component_labels"]).tolist() == [75, 75, 3, 3]
    assert arrays["map"].shape == (506, 2) and arrays["components"].shape == (156, 16)
    assert np.abs(arrays["components"].astype(float).mean(0)).max() < 0.01 * np.abs(arrays["components"]).max()


@pytest.mark.parametrize(("protocol", "frames"), [("original", 40), ("released", 7 * 10)])
def test_frames_of_overlapping_sequences_are_drawn_once_and_by_the_released_protocol_as_often_as_they_occur(
    small, protocol, frames
):
    whole = make_dataset(n_test=4, draw=(1000,) * 4)
    overlapping = dataclasses.replace(whole, test=dataclasses.replace(whole.test, starts=torch.arange(0, 31, 5)))
    result = run(
        small(method="random", protocol=protocol),
        dataset=overlapping,
        device="cpu",
        progress=False,
        metrics=["clustering"],
    )
    assert len(result.drawn[1]) == frames and (result.rows.n == frames).all()


def test_the_released_infots_is_clustered_on_frames_alone_and_probed_in_context(small, dataset):
    asked = {"method": "infots", "protocol": "original", "iterations": 1}
    alone = run(small(fidelity="released", **asked), dataset=dataset, device="cpu", progress=False)
    method, frames = alone.method, dataset.test.batch(slice(None))
    with torch.no_grad():
        context, single = method.encode(frames).flatten(0, 1), method.encode(frames.flatten(0, 1)[:, None])[:, 0]
    assert (context - single).abs().max() > 0.01
    whole = run(small(fidelity="original", **asked), dataset=dataset, device="cpu", progress=False)
    assert whole.drawn[1].tolist() == alone.drawn[1].tolist()
    to_single, to_context = (
        (torch.from_numpy(alone.drawn[0])[:, None] - embedding).abs().amax(2).amin(1) for embedding in (single, context)
    )
    assert to_single.max() < 1e-3 < to_context.min()
    as_if = dataclasses.replace(alone.experiment, fidelity="original")
    whole = {row["metric"]: row["value"] for row in score(as_if, method, dataset, metrics=None).rows}
    for metric in (*CLUSTERS[:3], *COLLAPSE):
        assert alone[metric] != pytest.approx(whole[metric], rel=1e-3), metric
    for metric in ("accuracy", "converged_accuracy", "knn_accuracy"):
        assert alone[metric] == whole[metric], metric


def test_repeated_frames_have_one_embedding_alone(small):
    overlapping = make_dataset(n_test=7)
    test = dataclasses.replace(overlapping.test, starts=torch.arange(0, 12, 2))
    method = run(small(method="infots", fidelity="released", iterations=1), dataset=overlapping, progress=False).method
    features = encode(method, test)
    alone = encode_alone(method, test, features)
    assert alone.embedding.shape == features.embedding.shape and (alone.frame == features.frame).all()
    with torch.no_grad():
        expected = method.encode(test.frames[features.frame].flatten(0, 1)[:, None])[:, 0]
    torch.testing.assert_close(alone.embedding.flatten(0, 1), expected, rtol=1e-4, atol=1e-5)
