"""Cells of the UCR archive in a grid: killed, taken in, planned, and trained alone."""

import json

import pytest

from companion.grid.plan import cell_folder, plan, read_grid
from companion.grid.runner import finished, run_cell, run_grid
from companion.grid.store import Store


@pytest.fixture
def grid_of(tmp_path, monkeypatch):
    """A grid file of the set; its cells run under tmp_path."""
    monkeypatch.setattr("companion.grid.plan.home", lambda: tmp_path)

    def written(dataset, **fields):
        path = tmp_path / "grid.json"
        path.write_text(json.dumps([{"dataset": dataset, "method": "infonce", "iterations": 2} | fields]))
        return path

    return written


def test_a_cell_that_is_killed_while_it_is_scored_has_no_rows_and_runs_again(ucr, grid_of, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    (cell,) = read_grid(grid_of(ucr))
    with monkeypatch.context() as patch:
        patch.setattr("emargin.evaluation.series.score_clusters", killed)
        with pytest.raises(KeyboardInterrupt):
            run_cell(cell, cell_folder(cell), device="cpu", progress=False)
    store = Store(tmp_path / "out")
    assert finished([cell], store) == []
    assert run_cell(cell, cell_folder(cell), device="cpu", progress=False) == "done"
    store.add(finished([cell], store))
    assert plan([cell], Store(tmp_path / "out")).done == [cell]


def test_cells_of_the_archive_train_alone(ucr, grid_of, tmp_path):
    rows = run_grid(grid_of(ucr, seed=[1, 2]), tmp_path / "out", device="cpu", progress=False, together=2)
    assert set(rows.seed) == {1, 2} and "failed" not in set(rows.metric)
    assert all("trained_together" not in record for record in Store(tmp_path / "out").records.values())
