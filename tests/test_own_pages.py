"""What the pages under "Use it" say of their numbers, held to ranges: their cells run here, without a kernel."""

import nbformat
import pytest

from companion.grid.store import Store
from emargin import Experiment, resolve, run
from tests.test_setup import ROOT

FIRST = "%%writefile "


def cells(page):
    """Sources of a page's code cells, by identifier."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def names_after(page, last):
    """Run a page's cells, in the current folder, up to this one; return its variables."""
    names = {}
    for place, source in cells(page).items():
        exec(compile(source.replace("os.chdir(workplace.name)", ""), place, "exec"), names)
        if place == last:
            return names
    raise AssertionError(f"{page} has no cell {last}")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_training_does_not_help_on_the_made_up_recordings():
    names_after("own_data", "run")
    scores = Store("mine").rows.pivot(index="method", columns="metric", values="value")
    own, control = scores.loc["emargin"], scores.loc["random-calibrated"]
    assert all(own[one] < control[one] for one in ("nmi", "balanced_accuracy", "converged_balanced_accuracy"))
    assert control.converged_balanced_accuracy > 0.9


def test_the_import_sorts_cuts_and_fills(capsys):
    names_after("own_data", "import")
    report = capsys.readouterr().out
    for said in ("1500 were out of order", "cut at 1 gap: 20.04 s", "3 interpolated", "3 subjects, 4 recordings"):
        assert said in report


def test_an_encoder_learns_on_from_labels_and_the_loss_works_in_another_loop():
    names = names_after("own_encoder", "d719388f")
    assert names["right"] > 0.4  # by chance 0.2
    batch, decoder, error = names["batch"], names["decoder"], names["functional"].mse_loss
    assert error(decoder(names["z"]), batch) < error(decoder(0 * names["z"]), batch)  # its embeddings say something


def test_the_method_of_the_page_learns_what_it_is_for(here):
    magic, _, source = cells("own_method")["method"].partition("\n")
    (here / magic.removeprefix(FIRST)).write_text(source, encoding="utf-8")
    experiment = resolve(Experiment(dataset="sleepeeg-sim", quick=True, iterations=40, sequence_length=50))
    curve = run(experiment.for_method("triplet:Triplet"), metrics=["collapse"], progress=False).curve
    assert curve.violated.iloc[-1] < curve.violated.iloc[0] - 0.1
