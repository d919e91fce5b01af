"""Settings are chosen on people of the training side, and the test side stays out of it."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from companion.grid import validation
from companion.grid.plan import read_grid
from emargin import rows as results
from emargin.__main__ import main
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Sequences
from emargin.errors import InputError, NonFiniteGradient
from emargin.training import train
from tests.conftest import make_dataset
from tests.test_setup import ROOT


def with_people(dataset, people):
    """People of two sequences each, as far as there are any."""
    frames = len(dataset.train.frames)
    subjects = torch.arange(frames) // (2 * dataset.train.length) % people
    return dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, subjects=subjects))


@pytest.fixture
def dataset():
    return with_people(make_dataset(n_train=24), 12)


def frames_of(sequences):
    return sequences.batch(slice(None))


def test_people_are_held_out_whole(dataset):
    split = validation.hold_out(dataset)
    people = [set(side.subjects.tolist()) for side in (split.train, split.test)]
    assert len(people[1]) == 3 and not people[0] & people[1] and len(people[0] | people[1]) == 12
    assert len(split.train) == 18 and len(split.test) == 6
    for side in (split.train, split.test):
        whole = dataset.train
        kept = [start for start in whole.starts if whole.subjects[start].item() in set(side.subjects.tolist())]
        labels = whole.labels[torch.stack(kept)[:, None] + torch.arange(10)]
        assert torch.equal(side.labels[side.indices()], labels)
        moved = side.indices()
        assert (side.subjects[moved] == side.subjects[moved[:, :1]]).all()


def test_frames_are_standardised_by_those_who_are_trained_on(dataset):
    split, whole = validation.hold_out(dataset), dataset.train
    assert split.train.frames.mean(0).abs().max() < 1e-5
    assert (split.train.frames.std(0, correction=0) - 1).abs().max() < 1e-5
    own = torch.isin(whole.subjects, split.train.subjects)
    mean, std = whole.frames[own].mean(0), whole.frames[own].std(0, correction=0)
    torch.testing.assert_close(split.test.frames, (whole.frames[~own] - mean) / std, rtol=1e-4, atol=1e-5)


def test_the_data_set_itself_and_its_test_side_are_left_alone(dataset):
    before = dataset.train.frames.clone()
    split = validation.hold_out(dataset)
    assert torch.equal(dataset.train.frames, before)
    spoiled = dataclasses.replace(
        dataset, test=Sequences(torch.full((40, 6), torch.nan), dataset.test.labels, dataset.test.starts, 10)
    )
    again = validation.hold_out(spoiled)
    assert torch.equal(frames_of(split.test), frames_of(again.test))
    assert split.checksum == f"{dataset.checksum}, validation"


def test_without_people_there_is_nothing_to_hold_out(dataset):
    with pytest.raises(InputError, match="0 people told apart.*protocol original"):
        validation.hold_out(make_dataset())
    with pytest.raises(InputError, match="1 people told apart"):
        validation.hold_out(with_people(make_dataset(), 1))
    assert len(validation.hold_out(with_people(make_dataset(), 2)).test.subjects.unique()) == 1


@pytest.fixture
def experiments(small):
    return [small(method="cosine-margin", fidelity="original", margin=margin, iterations=3) for margin in (0.2, 0.4)]


def test_a_score_is_that_of_the_held_out_people(dataset, experiments):
    line = validation.score(experiments[0], dataset, "cpu")
    assert set(line) == set(validation.COLUMNS)
    assert (line["people"], line["margin"], line["data"]) == ("9 + 3", 0.2, "checksum")
    assert 0.25 < line[validation.DECIDES] <= 1
    assert line == validation.score(experiments[0], dataset, "cpu")


def line(experiment, value, **fields):
    return (
        {name: getattr(experiment, name, None) for name in validation.COLUMNS}
        | {"code": "c", "data": "d", "people": "9 + 3", validation.DECIDES: value}
        | fields
    )


def test_the_best_mean_over_seeds_is_chosen_and_the_first_of_equals(small, tmp_path):
    def cells(*margins, seeds=(1, 2)):
        return [
            small(method="cosine-margin", fidelity="original", margin=margin, seed=seed)
            for seed in seeds
            for margin in margins
        ]

    path = tmp_path / "deep" / "validation.csv"
    two = cells(0.1, 0.2)
    for one, value in zip(two, (0.5, 0.9, 0.7, 0.2), strict=True):
        validation.add(line(one, value), path)
    assert validation.chosen(two, validation.read(path)) == {("ecg-sim", 1, "cosine-margin"): two[0]}
    for one in two:
        validation.add(line(one, 0.5), path)
    assert list(validation.chosen(two[::-1], validation.read(path)).values()) == [two[1]]
    assert len(validation.read(path)) == 4  # a line of the same experiment is replaced
    with pytest.raises(InputError, match="no score of.*seed 3"):
        validation.chosen(cells(0.1, seeds=(3,)), validation.read(path))


def test_a_setting_that_diverges_has_a_line_and_is_not_chosen(dataset, experiments, tmp_path, monkeypatch, capsys):
    def diverging(experiment, *arguments, **keywords):
        if experiment.margin == 0.2:
            raise NonFiniteGradient("step 2")
        return train(experiment, *arguments, **keywords)

    monkeypatch.setattr(validation, "train", diverging)
    for one in experiments:
        validation.add(validation.score(one, dataset, "cpu"), tmp_path / "validation.csv")
    assert "step 2" in capsys.readouterr().err
    lines = validation.read(tmp_path / "validation.csv")
    assert lines[validation.DECIDES].isna().tolist() == [True, False]
    assert list(validation.chosen(experiments, lines).values()) == [experiments[1]]
    with pytest.raises(InputError, match="no training of .* that ends"):
        validation.chosen(experiments[:1], lines)


def test_a_choice_is_between_settings_alone(small, tmp_path):
    one, other = (small(method="infonce", fidelity=fidelity) for fidelity in ("released", "original"))
    for experiment in (one, other):
        validation.add(line(experiment, 0.5), tmp_path / "validation.csv")
    with pytest.raises(InputError, match="cannot be chosen.*original.*beside.*released"):
        validation.chosen([one, other], validation.read(tmp_path / "validation.csv"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81\x9d"])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    (tmp_path / "rows.csv").write_bytes(content)
    for read in (validation.read, results.read_rows):
        with pytest.raises(InputError, match="rows.csv cannot be read"):
            read(tmp_path / "rows.csv")


def test_another_file_is_not_taken_for_scores(tmp_path):
    (tmp_path / "rows.csv").write_text("dataset,metric\nmitbih,nmi\n")
    with pytest.raises(InputError, match="no file of scores. found: no column fold, method"):
        validation.read(tmp_path / "rows.csv")


def test_the_command_scores_what_is_missing_and_names_the_choice(dataset, tmp_path, monkeypatch, capsys):
    grid, out = tmp_path / "choices.json", tmp_path / "validation.csv"
    grid.write_text(
        json.dumps(
            [
                {
                    "dataset": "ecg-sim",
                    "sequence_length": 10,
                    "batch_size": 3,
                    "iterations": 2,
                    "method": "cosine-margin",
                    "fidelity": "original",
                    "margin": [0.2, 0.4],
                }
            ]
        )
    )
    dataset = dataclasses.replace(dataset, checksum="ecg-sim seed 0 full")
    monkeypatch.setattr("emargin.__main__.load", lambda experiment: dataset)
    scored, score = [], validation.score
    monkeypatch.setattr(validation, "score", lambda one, *rest: scored.append(one.margin) or score(one, *rest))
    assert main(["choose", str(grid), "--out", str(out), "--device", "cpu"]) == 0
    assert "ecg-sim, fold 1: cosine-margin with margin 0." in capsys.readouterr().out
    assert main(["choose", str(grid), "--out", str(out)]) == 0
    assert scored == [0.2, 0.4]
    lines = validation.read(out)
    lines.loc[0, "code"] = "older"
    lines.to_csv(out, index=False)
    assert main(["choose", str(grid), "--out", str(out)]) == 0
    assert scored == [0.2, 0.4, 0.2]
    assert np.isfinite(validation.read(out)[validation.DECIDES]).all()


def test_the_grid_of_repairs_has_the_chosen_settings_and_their_scores_are_of_the_present_code(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "no data"))
    choices, path = read_grid(ROOT / "workflow" / "choices.json"), ROOT / "results" / "repairs" / "validation.csv"
    assert validation.missing(choices, path) == []
    best = validation.chosen(choices, validation.read(path))
    found = {}
    for cell in read_grid(ROOT / "workflow" / "repairs.json"):
        found.setdefault((cell.dataset, cell.fold, cell.method), []).append(cell)
    for key, one in best.items():
        settings = {(cell.temperature, cell.margin, cell.weight) for cell in found[key]}
        if one.method == "infonce":  # with its own temperature, too
            default = settings_of(one.dataset).temperature
            assert settings == {(default, None, None), (one.temperature, None, None)}
        else:
            assert settings == {(one.temperature, one.margin, one.weight)}
        assert {cell.seed for cell in found[key]} == {1, 2, 3}
        assert {cell.label_share for cell in found[key]} == (
            {0.01, 0.05, 0.1} if one.method.endswith("-labels") else {None}
        )
