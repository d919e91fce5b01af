"""What the pages on spirals compute: an embedding beside its line, training without BatchNorm, properties of frames."""

import numpy as np
import pandas as pd
import pytest
import torch

from companion import spirals
from companion.statistics import curves
from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.data.protocols import build
from emargin.data.recordings import Recording, RecordingSet
from emargin.evaluation.features import Features
from emargin.resolve import resolve
from tests.conftest import make_dataset


def test_a_line_has_the_scores_of_its_positions_and_a_cloud_has_not():
    generator = np.random.default_rng(0)
    line = spirals.beside_its_line(curves.thick_segment(300, 0.01, 50, generator), np.arange(300) // 75, 4)
    assert list(line) == spirals.BESIDE
    assert line["rank"] < 1.1 and line["agreement"] > 0.95 and line["NMI, line"] > 0.9
    assert all(line[score] == pytest.approx(line[f"{score}, line"], abs=0.1) for score in spirals.SCORES.values())
    points = generator.standard_normal((300, 50))
    cloud = spirals.beside_its_line(points, curves.cuts(curves.positions(points), 4), 4)
    assert cloud["silhouette"] < 0.1 < 0.5 < cloud["silhouette, line"]
    assert cloud["agreement"] < 0.5 and cloud["NMI, line"] == pytest.approx(1)


def test_kept_components_are_found_by_name_and_the_classes_are_those_there(monkeypatch):
    cells = [resolve(Experiment(dataset="harth-sim", method=method)) for method in ("infonce", "emargin", "random")]
    kept = {
        cell.digest: {
            "components": curves.thick_segment(60, 0.01, 15, np.random.default_rng(number)).astype(np.float16),
            "component_labels": np.arange(60) % 3 + 5,
        }
        for number, cell in enumerate(cells[1:])
    }
    asked = []
    monkeypatch.setattr(spirals.curves, "whole_and_line", watched(asked, spirals.curves.whole_and_line))
    store = type("Kept", (), {"arrays_of_cells": lambda self, names: kept})()
    found = spirals.kept_beside_lines(store, cells, ["InfoNCE, released", "eMargin, released"])
    assert list(found.index) == [("harth-sim", "eMargin, released")] and asked == [3]
    assert found.columns.tolist() == spirals.BESIDE
    nothing = spirals.kept_beside_lines(store, cells[:1], ["InfoNCE, released"])
    assert nothing.empty and nothing.columns.tolist() == spirals.BESIDE and nothing.index.nlevels == 2


def watched(asked, function):
    def called(embedding, labels, k):
        assert embedding.dtype == np.float32
        asked.append(k)
        return function(embedding, labels, k)

    return called


RUNS = pd.DataFrame(
    {
        "silhouette": [0.9, 0.5, 0.5, 0.49, 0.1],
        "participation_ratio": [1.0, 3.0, 2.99, 8.0, 9.0],
        "nmi": [0.1, 0.2, 0.2, 0.3, 0.4],
    }
)


def test_runs_are_counted_with_both_ends():
    found = spirals.counted(RUNS)
    assert found.iloc[:3].tolist() == [5, 3, 1]
    assert found["ρ with NMI"] == pytest.approx(-1) and -1 < found["ρ with rank"] < -0.9
    assert spirals.good_without_a_line(RUNS).index.tolist() == [1]


def test_without_batchnorm_the_cosines_go_to_one():
    data = make_dataset()
    experiment = resolve(Experiment(dataset="ecg-sim", method="emargin", sequence_length=10, batch_size=6))
    found = spirals.without_batchnorm(experiment, data, 60, every=30)
    assert found.step.tolist() == [1, 30, 60]
    assert found.mean_cosine.iloc[0] < 0.9 and found.mean_cosine.iloc[-1] > 0.98
    assert found.participation_ratio.iloc[-1] < found.participation_ratio.iloc[0] / 2


def test_properties_of_frames_of_known_sines():
    """A person each: slow and quiet, slow and loud, fast and quiet. All are tested but one."""
    time = np.arange(600) / 50
    waves = {"a": (2, 1), "b": (2, 3), "c": (20, 1), "d": (2, 1)}
    recordings = tuple(
        Recording(
            name, name, (size * np.sin(2 * np.pi * hertz * time))[:, None].astype(np.float32), np.arange(600) // 300
        )
        for name, (hertz, size) in waves.items()
    )
    everything = RecordingSet("set", "real", ("x", "y"), 50.0, recordings, test_subjects=(frozenset("abc"),))
    experiment = resolve(Experiment(dataset="harth-sim", sequence_length=5, n_fft=50, hop=25))
    data = build(everything, settings_of("harth-sim"), experiment, "checksum")
    properties, recording = spirals.frame_properties(everything, experiment, data)
    assert {len(values) for values in properties.values()} == {len(recording)} == {len(data.test.frames)}
    middle = {name: pd.Series(values).groupby(recording).median() for name, values in properties.items()}
    energy, mean = middle["log energy"], middle["mean frequency"]
    assert energy[1] - energy[0] == pytest.approx(2 * np.log(3), rel=1e-3)
    assert mean[0] == pytest.approx(mean[1], rel=1e-3) and mean[0] < 0.2 and 0.7 < mean[2] < 0.9
    lower, upper = (middle[f"log energy, {half} half of the band"] for half in ("lower", "upper"))
    assert lower[0] > upper[0] and upper[2] > lower[2]
    time_of = pd.Series(properties["time in the recording"]).groupby(recording)
    assert time_of.min().tolist() == [0, 0, 0] and time_of.max().tolist() == [1, 1, 1]
    np.testing.assert_allclose(properties["mean standardised magnitude"], data.test.frames.numpy().mean(1))


def test_a_position_is_that_on_the_direction_of_the_training_side():
    along = torch.linspace(-1, 1, 20).reshape(2, 10, 1)
    train = Features(
        along * torch.tensor([3.0, 4.0]) + 7, torch.zeros(2, 10, dtype=int), torch.arange(20).reshape(2, 10)
    )
    test = Features(torch.tensor([[[10.0, 11.0], [7.0, 7.0]]]), torch.zeros(1, 2, dtype=int), torch.arange(2)[None])
    alone, other = spirals.position_alone((train, test))
    assert alone.embedding.shape == (2, 10, 1) and other.labels is test.labels
    sign = torch.sign(alone.embedding[1, -1, 0])
    torch.testing.assert_close(sign * alone.embedding, 5 * along, atol=1e-5, rtol=0)
    torch.testing.assert_close(sign * other.embedding.flatten(), torch.tensor([5.0, 0.0]), atol=1e-5, rtol=0)
