"""Settings are chosen by cells whose scores are of people held out of the training side."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from companion.__main__ import main
from companion.grid.choose import DECIDES, chosen
from companion.grid.plan import cell_folder, once, read_grid
from companion.grid.store import Store
from emargin import rows as results
from emargin.data.catalogue import settings_of
from emargin.data.loading import checksum_of
from emargin.data.protocols import hold_out
from emargin.errors import InputError, NonFiniteGradient
from emargin.stages import code_versions
from tests.conftest import make_dataset
from tests.test_setup import ROOT

CHOICES = {
    "dataset": "ecg-sim",
    "split": "validation",
    "sequence_length": 10,
    "batch_size": 3,
    "iterations": 2,
    "method": "cosine-margin",
    "fidelity": "original",
    "margin": [0.2, 0.4],
}


def put(store, cell, value, *, lasting=True):
    """A score of the cell into the store; a failure where the value is not a number."""
    metric = DECIDES if np.isfinite(value) else "failed"
    row = results.tidy(cell, metric, value, 9)
    store.records[cell.digest] = {"experiment": vars(cell)} | ({"code": code_versions(cell)} if lasting else {})
    store._replace({cell.digest}, [results.table([row])], {})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "validation")


@pytest.fixture
def candidates(small):
    def make(*margins, seeds=(1, 2)):
        fields = {"method": "cosine-margin", "fidelity": "original", "split": "validation"}
        return [small(**fields, margin=margin, seed=seed) for seed in seeds for margin in margins]

    return make


def test_the_best_mean_over_seeds_is_chosen_and_the_first_of_equals(candidates, store):
    cells = candidates(0.1, 0.2)
    for cell, value in zip(cells, (0.5, 0.9, 0.7, 0.2), strict=True):
        put(store, cell, value)
    assert chosen(cells, store) == {("ecg-sim", 1, "cosine-margin"): cells[0]}
    for cell in cells:
        put(store, cell, 0.5)
    assert list(chosen(cells[::-1], store).values()) == [cells[1]]
    with pytest.raises(InputError, match="no score of .*seed 3.*emargin choose"):
        chosen(candidates(0.1, seeds=(3,)), store)


def test_a_setting_whose_training_fails_for_good_is_not_chosen(candidates, store):
    cells = candidates(0.2, 0.4, seeds=(1,))
    put(store, cells[0], float("nan"))
    put(store, cells[1], 0.3)
    assert list(chosen(cells, store).values()) == [cells[1]]
    with pytest.raises(InputError, match="no training of .* that ends"):
        chosen(cells[:1], store)
    put(store, cells[0], float("nan"), lasting=False)  # it may have a score yet
    with pytest.raises(InputError, match="no score of"):
        chosen(cells, store)


def test_a_choice_is_between_settings_alone_and_never_on_the_test_side(small, store):
    cells = [small(method="infonce", fidelity=fidelity, split="validation") for fidelity in ("released", "original")]
    for cell in cells:
        put(store, cell, 0.5)
    with pytest.raises(InputError, match="cannot be chosen.*original.*beside.*released"):
        chosen(cells, store)
    with pytest.raises(InputError, match='on the test side. wanted: cells of split "validation"'):
        chosen([small()], store)


@pytest.fixture
def choices(tmp_path, monkeypatch):
    """A grid file of two candidates, on a small data set of twelve people; cells run under tmp_path."""
    dataset = make_dataset(n_train=24)
    subjects = torch.arange(len(dataset.train.frames)) // 20
    dataset = dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, subjects=subjects))
    dataset = dataclasses.replace(hold_out(dataset), checksum="ecg-sim seed 0 full, validation")
    monkeypatch.setattr("companion.grid.runner.load", lambda cell: dataset)
    monkeypatch.setattr("companion.grid.plan.home", lambda: tmp_path)
    path = tmp_path / "choices.json"
    path.write_text(json.dumps([CHOICES]))
    return path


def test_the_command_runs_what_is_missing_and_names_the_choice(choices, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["choose", str(choices), "--out", str(out), "--device", "cpu"]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("ecg-sim, fold 1: cosine-margin with margin 0.") and "[2/2] done in" in first.err
    store = Store(out)
    assert set(store.rows.split) == {"validation"} and DECIDES in set(store.rows.metric)
    assert {tuple(record["people"].items()) for record in store.records.values()} == {(("train", 9), ("test", 3))}
    assert main(["choose", str(choices), "--out", str(out)]) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "2 cells: 2 done" in again.err


def test_a_training_that_diverges_has_a_row_and_is_not_chosen(choices, tmp_path, monkeypatch, capsys):
    from emargin.training import train

    def diverging(cell, *arguments, **keywords):
        if cell.margin == 0.2:
            raise NonFiniteGradient("step 2")
        return train(cell, *arguments, **keywords)

    monkeypatch.setattr("emargin.experiment.train", diverging)
    assert main(["choose", str(choices), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "ecg-sim, fold 1: cosine-margin with margin 0.4, temperature 0.5\n"
    rows = Store(tmp_path / "out").rows
    assert rows.note[rows.metric == "failed"].tolist() == ["step 2"]


def test_a_cell_of_the_validation_and_one_of_the_test_side_are_two(choices, tmp_path):
    path = tmp_path / "both.json"
    path.write_text(json.dumps([CHOICES | {"margin": 0.2, "split": [None, "validation"]}]))
    test_side, held_out = read_grid(path)
    assert test_side.digest != held_out.digest and cell_folder(test_side) != cell_folder(held_out)
    checksum = once(checksum_of)
    assert [checksum(cell) for cell in (test_side, held_out)] == [checksum_of(test_side), checksum_of(held_out)]


@pytest.mark.parametrize("name, value", [("split", "validation"), ("encoder", "context")])
def test_a_table_has_a_column_for_what_is_not_the_default_where_a_row_has_it(small, tmp_path, name, value):
    plain, held = (results.tidy(small(**{name: asked}), "nmi", 0.5, 9) for asked in (None, value))
    assert list(results.table([plain]).columns) == list(results.COLUMNS)
    both = results.table([plain, held])
    assert both[name].tolist() == ["", value]
    results.write_text(tmp_path / "rows.csv", results.rows_to_csv(both))
    assert results.read_rows(tmp_path / "rows.csv")[name].tolist() == ["", value]
    results.write_text(tmp_path / "rows.csv", results.rows_to_csv(both.assign(**{name: "12"})))
    assert results.read_rows(tmp_path / "rows.csv")[name].tolist() == ["12", "12"]  # a word that looks like a number
    store, file = Store(tmp_path / "out"), tmp_path / "out" / "rows.csv"
    put(store, small(), 0.5)
    assert file.read_text().splitlines()[0] == ",".join(results.COLUMNS)
    assert not (tmp_path / "out" / "arrays.npz").exists()
    for read in (store, Store(tmp_path / "out")):
        assert read.rows[name].tolist() == [""]  # to select by, though the file has no such column
    put(store, small(**{name: value}), 0.7)
    assert name in file.read_text().splitlines()[0].split(",")
    assert Store(tmp_path / "out").rows[name].tolist() == ["", value]
    store._replace({small(**{name: value}).digest}, [], {})
    assert file.read_text().splitlines()[0] == ",".join(results.COLUMNS)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81\x9d"])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(InputError, match="rows.csv cannot be read"):
        results.read_rows(tmp_path / "rows.csv")


@pytest.fixture
def committed(monkeypatch, tmp_path):
    """The committed candidates and their rows, as on a machine without the recordings."""
    (tmp_path / "no data").mkdir()
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "no data"))
    return read_grid(ROOT / "workflow" / "choices.json"), Store(ROOT / "results" / "validation")


def test_every_committed_score_says_how_it_was_made(committed):
    cells, store = committed
    assert store.known == {cell.digest for cell in cells} and set(store.rows.metric) == {DECIDES}
    assert (store.rows.note == "at most 1,000 training frames a class for this probe").all()


def test_the_grid_of_repairs_has_the_chosen_settings(committed):
    found = {}
    for cell in read_grid(ROOT / "workflow" / "repairs.json"):
        found.setdefault((cell.dataset, cell.fold, cell.method), []).append(cell)
    for key, best in chosen(*committed).items():
        settings = {(cell.temperature, cell.margin, cell.weight) for cell in found[key]}
        if best.method == "infonce":  # with its own temperature, too
            default = settings_of(best.dataset).temperature
            assert settings == {(default, None, None), (best.temperature, None, None)}
        else:
            assert settings == {(best.temperature, best.margin, best.weight)}
        assert {cell.seed for cell in found[key]} == {1, 2, 3}
        assert {cell.label_share for cell in found[key]} == (
            {0.01, 0.05, 0.1} if best.method.endswith("-labels") else {None}
        )
