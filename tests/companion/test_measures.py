"""The command that measures kept encoders: what it writes, and that it goes on where it was."""

import json

import numpy as np
import pandas as pd
import pytest

from companion import measures
from companion.measures import kept_encoders, likeness, main, people_of
from companion.measures_embedding import linear_cka
from emargin.config import Experiment
from emargin.data.loading import load, load_recordings
from emargin.encoder_files import write_encoder
from emargin.resolve import resolve
from emargin.training import build


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(measures, "MOST", 120)


def encoder(folder, **fields) -> Experiment:
    cell = resolve(Experiment(dataset="harth-sim", quick=True, **fields))
    dataset = load(cell)
    (folder / cell.digest).mkdir(parents=True)
    write_encoder(folder / cell.digest, cell, dataset, build(cell, dataset.n_features).eval(), [])
    return cell


@pytest.fixture
def cells(tmp_path) -> list[Experiment]:
    return [encoder(tmp_path / "cells", method="random", seed=seed) for seed in (1, 2)]


def measured(tmp_path, *more) -> pd.DataFrame:
    arguments = [tmp_path / "cells", "--out", tmp_path / "out", "--draws", tmp_path / "draws", *more]
    assert main([str(argument) for argument in arguments]) == 0
    return pd.read_csv(tmp_path / "out" / "measures.csv", keep_default_na=False, na_values={"value": [""]})


def test_rows_records_and_likeness_of_every_cell(tmp_path, cells, monkeypatch):
    rows = measured(tmp_path)
    assert set(rows.digest) == {cell.digest for cell in cells} and (rows.n <= 120).all()
    assert set(rows.measure) == {"kmeans", "classes", "mixture", "hdbscan", "spectrum", "people"}
    assert not rows.duplicated(["digest", "measure", "features", "k", "score"]).any()
    records = json.loads((tmp_path / "out" / "measured.json").read_text())
    for cell in cells:
        record = records[cell.digest]
        assert {"origin", "measures", "data", "commit", "versions", "threads"} <= set(record)
        assert set(record["seconds"]) == {"encode", "clusterings", "spectrum", "people"}
    (pair,) = pd.read_csv(tmp_path / "out" / "likeness.csv").itertuples()
    draws = [np.load(tmp_path / "draws" / f"{digest}.npy") for digest in (pair.digest, pair.other)]
    assert pair.value == pytest.approx(linear_cka(*draws)) and 0 < pair.value < 1 and pair.n == len(draws[0])

    monkeypatch.setattr(measures, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(measures, "code_of_measures", lambda: record["measures"])
    assert measured(tmp_path).equals(rows)


def test_a_new_cell_is_added_and_another_text_measures_again(tmp_path, cells, monkeypatch):
    first = measured(tmp_path, "--digests", cells[0].digest)
    assert set(first.digest) == {cells[0].digest}
    seen, whole = [], measures.measure
    monkeypatch.setattr(measures, "code_of_measures", lambda: "a text")
    monkeypatch.setattr(measures, "measure", lambda kept, data: (seen.append(kept.cell.digest), whole(kept, data))[1])
    assert len(measured(tmp_path)) == 2 * len(first) and sorted(seen) == sorted(cell.digest for cell in cells)


def test_people_of_recordings_that_are_joined_a_person_have_the_frames_of_theirs():
    cell = resolve(Experiment(dataset="harth-sim", quick=True, method="random", protocol="released"))
    lengths = {}
    for recording in load_recordings(cell)[0].recordings:
        lengths[recording.subject] = lengths.get(recording.subject, 0) + len(recording.values)
    frames = [(length - cell.n_fft) // cell.hop + 1 for length in lengths.values()]
    assert np.bincount(people_of(cell, load(cell))).tolist() == frames


def test_people_of_joined_recordings_are_those_at_the_centre_of_frames():
    cell = resolve(Experiment(dataset="sleepeeg-sim", quick=True, method="random", protocol="released"))
    dataset = load(cell)
    assert dataset.train.subjects is None
    found = people_of(cell, dataset)
    own = [recording.subject for recording in load_recordings(cell)[0].recordings for _ in recording.values]
    names = list(dict.fromkeys(own))
    assert len(found) == len(dataset.train.frames)
    for frame in range(0, len(found), 37):
        assert names[found[frame]] == own[frame * cell.hop + cell.n_fft // 2]


def test_people_of_a_split_by_people_are_its_own():
    dataset = load(cell := resolve(Experiment(dataset="harth-sim", quick=True, method="random")))
    assert people_of(cell, dataset).tolist() == dataset.train.subjects.tolist()


def test_cells_of_other_splits_have_no_likeness(tmp_path, cells):
    other = encoder(tmp_path / "cells", method="random", protocol="released")
    kept = kept_encoders(tmp_path / "cells")
    (tmp_path / "draws").mkdir()
    for one in kept:
        np.save(tmp_path / "draws" / f"{one.cell.digest}.npy", np.random.default_rng(1).standard_normal((20, 3)))
    assert len(kept) == 3 and other.digest not in set(likeness(kept, tmp_path / "draws").digest)


def test_a_folder_without_encoders_is_said(tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no encoders of frames" in capsys.readouterr().err
