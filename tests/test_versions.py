"""Versions of the code behind a cell: what changes them, and what does not."""

import shutil

import pytest

from emargin import versions
from emargin.config import Experiment
from emargin.data.loading import READERS
from emargin.methods import METHODS
from emargin.versions import code_versions


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The module's files as a copy that a test may change."""
    shutil.copytree(versions.ROOT, tmp_path / "emargin", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "ROOT", tmp_path / "emargin")
    forget()
    yield tmp_path / "emargin"
    forget()


def forget():
    for function in (versions._version, versions._imports, versions._substance):
        function.cache_clear()


def changed_by(path, old, new, **fields) -> set[str]:
    """The stages whose version changes when a file's text does."""
    cell = Experiment(**{"dataset": "harth-sim"} | fields)
    before = code_versions(cell)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    forget()
    after = code_versions(cell)
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.parametrize(("file", "stages", "fields"), [
    ("similarity.py", {"train", "evaluate"}, {}),
    ("losses.py", {"train"}, {}),
    ("losses.py", set(), {"method": "cost"}),
    ("methods/cost.py", {"train"}, {"method": "cost"}),
    ("methods/cost.py", set(), {}),
    ("encoders.py", {"train"}, {"method": "random"}),
    ("augmentations/crops.py", {"train"}, {"method": "ts2vec"}),
    ("evaluation/clustering.py", {"evaluate"}, {}),
    ("evaluation/resampling.py", set(), {}),
    ("data/framing.py", {"data"}, {}),
    ("data/simulated.py", {"data"}, {}),
    ("data/npz.py", set(), {}),
    ("plots/style.py", set(), {}),
    ("results.py", set(), {}),
])
def test_a_change_of_code_concerns_the_cells_that_run_it(copy, file, stages, fields):
    assert changed_by(copy / file, '"""\n\n', '"""\nNEW = 1\n', **fields) == stages


def test_words_are_no_change(copy):
    path = copy / "losses.py"
    assert changed_by(path, '"""', '"""Other words. ') == set()
    assert changed_by(path, "\n\n\ndef ", "\n\n\n# a remark\n\ndef ") == set()


def test_a_comment_after_code_is_no_change_and_a_string_is_one(copy):
    path = copy / "losses.py"
    line = next(line for line in path.read_text().splitlines() if line.startswith("READINGS"))
    assert changed_by(path, line, f"{line}  # the order of the book") == set()
    assert changed_by(path, line, line.replace('"anchor"', '"anchors"')) == {"train"}


def test_a_setting_of_the_data_set_is_part_of_its_version(monkeypatch):
    before = code_versions(Experiment(dataset="harth-sim"))
    other = versions.settings_of("sleepeeg-sim")
    monkeypatch.setattr(versions, "settings_of", lambda name: other)
    assert code_versions(Experiment(dataset="harth-sim"))["data"] != before["data"]


def test_every_reader_is_known():
    assert set(versions.READERS) == set(READERS)


def test_an_experiment_sees_the_reader_of_its_data(copy, monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "data"))
    assert changed_by(copy / "data" / "rhythms.py", '"""\n\n', '"""\nNEW = 1\n', dataset="mitbih",
                      source="real") == {"data"}


def test_an_equal_text_goes_by_the_version_that_rows_carry(monkeypatch):
    cell = Experiment(dataset="harth-sim")
    before = code_versions(cell)
    monkeypatch.setattr(versions, "EQUAL", versions.EQUAL | {versions._version(("emargin.experiment",)): "earlier"})
    assert code_versions(cell) == before | {"evaluate": "earlier"}


def test_only_texts_of_today_are_equal_to_earlier_ones():
    """With the next change of such a file its entry has to go: what was compared is no longer what runs."""
    today = {versions._version((module,)) for module in ("emargin.experiment", "emargin.series")} | {
        versions._version(("emargin.training", method.__module__)) for method in METHODS.values()}
    assert set(versions.EQUAL) <= today
    assert not set(versions.EQUAL) & set(versions.EQUAL.values())
