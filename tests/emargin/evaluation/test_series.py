"""Whole series: pooling, scores on pooled embeddings, and what a run on a set of the UCR archive leaves."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from emargin import rows as results
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.errors import InputError
from emargin.evaluation import probing, series
from emargin.evaluation.features import Features, encode
from emargin.evaluation.scoring import score
from emargin.experiment import run
from emargin.resolve import resolve
from emargin.stages import code_versions, metrics_of
from emargin.training import train


def test_pooling_is_the_mean_over_the_frames_of_each_series():
    embedding = torch.randn(5, 7, 3)
    labels = torch.arange(5)[:, None].expand(5, 7)
    found = series.pooled(Features(embedding, labels, torch.arange(35).reshape(5, 7)))
    np.testing.assert_allclose(found.embedding[2, 0], embedding[2].double().mean(0), rtol=1e-5)
    rows, truth = found.flat()
    assert rows.shape == (5, 3) and truth.tolist() == [0, 1, 2, 3, 4]


def test_sequences_of_several_classes_are_refused():
    labels = torch.zeros(4, 6, dtype=torch.int64)
    labels[1, 3] = 1
    with pytest.raises(InputError, match="several classes.*1 of 4"):
        series.pooled(Features(torch.randn(4, 6, 2), labels, torch.arange(24).reshape(4, 6)))


def test_scores_are_those_of_the_protocol_on_pooled_embeddings(ucr):
    experiment = resolve(Experiment(dataset=ucr, method="infonce", iterations=3))
    dataset = load(experiment)
    method, _ = train(experiment, dataset, progress=False)
    found = {row["metric"]: row for row in score(experiment, method, dataset).rows}
    means = encode(method, dataset.test).embedding.double().mean(1).float().numpy()
    clusters = KMeans(2, n_init=10, random_state=1).fit_predict(means)
    assert found["series_silhouette"]["value"] == pytest.approx(silhouette_score(means, clusters), abs=1e-4)
    assert {row["n"] for row in found.values()} == {24}
    assert {
        "series_nmi",
        "series_participation_ratio",
        "series_balanced_accuracy",
        "series_converged_balanced_accuracy",
        "series_knn_accuracy",
    } <= found.keys()
    assert found["series_converged_balanced_accuracy"]["value"] > 0.8  # a sine and noise


def test_the_probe_scores_every_series_whatever_the_size_of_a_batch(ucr, monkeypatch):
    numbers, scores = [], probing.scores
    monkeypatch.setattr(probing, "scores", lambda truth, found: numbers.append(len(truth)) or scores(truth, found))
    means = Features(torch.randn(24, 1, 3), torch.arange(24)[:, None] % 2, torch.arange(24)[:, None])
    experiment = resolve(Experiment(dataset=ucr, batch_size=5))
    series.score_probe(experiment, load(experiment), means, means)
    assert numbers == [24]


def test_a_run_on_a_set_of_the_archive_has_rows_of_series_alone_and_the_files_of_every_run(ucr, tmp_path):
    experiment = Experiment(dataset=ucr, method="infonce", iterations=2)
    result = run(experiment, device="cpu", folder=tmp_path / "run", progress=False, maps=True)
    assert result.rows.metric.str.startswith(series.PREFIX).all() and not result.rows.metric.duplicated().any()
    assert result.arrays == {} and set(result.provenance["seconds"]) == {"data", "train", "encode", *metrics_of()}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "arrays.npz",
        "curve.csv",
        "encoder.pt",
        "provenance.json",
        "rows.csv",
    }
    means = encode(result.method, result.dataset.test).embedding.mean(1).numpy()
    np.testing.assert_array_equal(result.drawn[0], means)
    assert result.drawn[1].tolist() == result.dataset.test.labels[result.dataset.test.starts].tolist()


def test_the_encoder_of_a_set_of_the_archive_is_not_trained_again(ucr, tmp_path, monkeypatch):
    experiment = Experiment(dataset=ucr, method="infonce", iterations=2)
    first = run(experiment, device="cpu", folder=tmp_path, progress=False)
    monkeypatch.setattr("emargin.experiment.train", lambda *a, **k: pytest.fail("trained again"))
    again = run(experiment, device="cpu", folder=tmp_path, progress=False)
    assert again.rows.value.tolist() == first.rows.value.tolist()


def test_the_command_scores_a_set_of_the_archive_by_series(ucr, tmp_path, capsys):
    assert main(["run", "--dataset", ucr, "--method", "random", "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert results.read_rows(tmp_path / "run" / "rows.csv").metric.str.startswith(series.PREFIX).all()
    assert "series_silhouette" in capsys.readouterr().out


def test_rows_of_the_archive_depend_on_how_series_are_scored(ucr):
    own, other = resolve(Experiment(dataset=ucr)), resolve(Experiment(dataset="ecg-sim"))
    assert code_versions(own)["clustering"] != code_versions(other)["clustering"]
