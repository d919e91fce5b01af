"""resolve: completed from the catalogue and from the method, and no committed experiment changed under its digest."""

import itertools
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emargin.config import Experiment
from emargin.data.checksums import state_of
from emargin.data.readers.ucr import SIDES
from emargin.errors import InputError
from emargin.resolve import QUICK_ITERATIONS, QUICK_LENGTH, Resolved, resolve, resolving

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "digests.json").read_text())
LENGTHS = {
    "SwedishLeaf": 128,
    "FacesUCR": 131,
    "CricketX": 300,
    "Adiac": 176,
    "FiftyWords": 270,
    "WordSynonyms": 270,
}


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))


def resolved(**fields) -> Experiment:
    return resolve(Experiment(**fields))


# --- data


def test_defaults_are_completed_from_the_paper():
    experiment = resolved(dataset="harth-sim")
    assert (experiment.temperature, experiment.margin, experiment.threshold) == (0.05, 5.0, 0.4)
    assert (experiment.iterations, experiment.sequence_length, experiment.stride) == (600, 119, 24)
    assert (experiment.n_fft, experiment.hop, experiment.batch_size, experiment.weight_decay) == (50, 25, 8, 0.01)


@pytest.mark.parametrize(
    ("dataset", "t", "tau", "steps"),
    [("ecg-sim", 500, 0.5, 200), ("sleepeeg-noise", 200, 0.1, 600), ("mitbih", 500, 0.5, 200)],
)
def test_each_set_has_its_own_settings(dataset, t, tau, steps):
    experiment = resolved(dataset=dataset)
    assert (experiment.sequence_length, experiment.temperature, experiment.iterations) == (t, tau, steps)


def test_a_name_without_real_files_falls_back_to_its_simulator_and_says_so():
    assert resolved(dataset="ecg").source == "simulated"
    assert resolved(dataset="ecg", quick=True).quick
    assert str(resolved(dataset="ecg", quick=True)).startswith("ecg (simulated data, quick profile, protocol original")


def test_real_files_are_taken_where_they_are_and_are_never_quick(tmp_path):
    (tmp_path / "ecg").mkdir()
    experiment = resolved(dataset="ecg", quick=True)
    assert (experiment.source, experiment.quick, experiment.iterations) == ("real", False, 200)
    assert str(experiment).startswith("ecg (real data, protocol original")


def test_the_quick_profile_is_smaller():
    quick = resolved(dataset="ecg-sim", quick=True)
    assert (quick.iterations, quick.sequence_length, quick.stride) == (QUICK_ITERATIONS, QUICK_LENGTH, QUICK_LENGTH)


# --- method


@pytest.mark.parametrize(
    ("fidelity", "settings"),
    [
        ("released", {"labels": "released", "sides": 2, "scope": "flattened"}),
        ("original", {"labels": "paper", "sides": 1, "scope": "sequence", "reading": "anchor"}),
    ],
)
def test_a_method_has_its_defaults_in_each_fidelity(fidelity, settings):
    assert resolved(fidelity=fidelity).settings == settings | {"margin": 5.0, "threshold": 0.4}
    contrast = {name: settings[name] for name in ("sides", "scope")}
    assert resolved(method="infonce", fidelity=fidelity).settings == contrast
    assert resolved(method="cpc", fidelity=fidelity).settings == {}


def test_settings_take_the_type_that_the_method_declares():
    assert repr(resolved(margin=3).margin) == "3.0" and repr(resolved(sides=1.0).sides) == "1"


def test_an_untrained_method_takes_no_step_whatever_is_asked():
    assert resolved(method="random", iterations=9).iterations == 0


def test_none_is_not_asked():
    assert resolved(margin=None, reading=None, seed=2) == resolved(seed=2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": "ecg-smi"}, "unknown dataset.*'ecg-smi'.*did you mean 'ecg-sim'"),
        ({"dataset": "no/such/folder"}, "folder of recordings is not there.*no/such/folder"),
        ({"dataset": "ecg-sim", "source": "real"}, "no real recordings.*ecg-sim"),
        ({"dataset": "mitbih", "source": "simulated"}, "no simulator.*mitbih"),
        ({"dataset": "sleepeeg-paper", "n_fft": 64}, "n_fft has no meaning for sleepeeg-paper.*leave n_fft out"),
        ({"method": "emargn"}, "unknown method.*did you mean 'emargin'"),
        ({"method": "supervised"}, "supervised has no such fidelity.*released.*choose fidelity original"),
        ({"datset": "ecg"}, "unknown parameter.*'datset'.*did you mean 'dataset'"),
        ({"marign": 3}, "unknown parameter.*'marign'.*did you mean 'margin'"),
        ({"marign": None}, "unknown parameter.*'marign'"),
        ({"reading": "pair"}, "reading has no meaning for emargin, fidelity released.*leave reading out"),
        ({"method": "infonce", "margin": 3}, "margin has no meaning for infonce, .*one of its settings: sides, scope"),
        ({"method": "cpc", "margin": 3}, "margin has no meaning for cpc.*it has no settings"),
        ({"fidelity": "original", "reading": "pairs"}, "reading.*choices.*'pairs'.*'anchor' or 'pair'.*mean 'pair'"),
        ({"labels": "all"}, "labels.*choices.*'all'.*'paper' or 'released'"),
        ({"sides": 3}, "sides.*choices.*3.*1 or 2"),
        ({"scope": "sequence"}, "scope.*choices.*'sequence'.*'flattened' in fidelity released"),
        ({"fidelity": "original", "sides": 2}, "sides.*choices.*2.*1 in fidelity original"),
        ({"margin": float("inf")}, "margin is out of range.*inf.*above 0"),
        ({"margin": 0}, "margin is out of range.*0"),
        ({"threshold": 1.5}, "threshold is out of range.*1.5.*at least -1 and at most 1"),
        ({"threshold": float("nan")}, "threshold is out of range.*nan"),
        ({"margin": "five"}, "margin has the wrong type.*'five'.*float"),
        ({"margin": True}, "margin has the wrong type.*True"),
    ],
)
def test_what_data_and_method_do_not_allow_is_named(fields, message):
    with pytest.raises(InputError, match=message):
        resolved(**fields)


# --- a resolved experiment


def test_resolving_again_changes_nothing():
    experiment = resolved(dataset="ecg", margin=3)
    assert resolve(experiment) is experiment
    again = resolve(Experiment.from_json(experiment.to_json()))
    assert (again, again.digest) == (experiment, experiment.digest)


def test_what_is_made_from_a_resolved_experiment_is_resolved_and_checked():
    experiment = resolved(margin=3)
    changed = replace(experiment, margin=4, iterations=7)
    assert isinstance(changed, Resolved) and (changed.margin, changed.iterations) == (4.0, 7)
    with pytest.raises(InputError, match="margin is out of range"):
        replace(experiment, margin=-1)


def test_functions_that_resolve_do_it_once_and_pass_the_rest_on():
    @resolving
    def function(experiment, other, *, named):
        """Words."""
        return experiment, other, named

    experiment = resolved(seed=3)
    assert function(experiment, 1, named=2) == (experiment, 1, 2) and function(experiment, 1, named=2)[0] is experiment
    assert isinstance(function(Experiment(seed=3), 1, named=2)[0], Resolved)
    assert function.__doc__ == "Words."


def test_for_method_keeps_the_data_and_the_training_and_leaves_the_settings_to_the_method():
    start = resolved(
        dataset="harth-sim",
        quick=True,
        seed=3,
        iterations=7,
        sequence_length=30,
        temperature=0.2,
        method="emargin",
        margin=2.0,
        labels="paper",
    )
    data = {"dataset": "harth-sim", "quick": True, "seed": 3, "iterations": 7, "sequence_length": 30}
    assert start.for_method("emargin") == resolved(**data, temperature=0.2)
    other = start.for_method("infonce", "original")
    assert other == resolved(**data, temperature=0.2, method="infonce", fidelity="original")
    assert other.digest == resolved(**data, temperature=0.2, method="infonce", fidelity="original").digest
    assert start.for_method("random").iterations == 0
    untrained = resolved(dataset="harth-sim", method="random")
    assert (untrained.iterations, untrained.for_method("infonce").iterations) == (0, 600)


# --- digests


def cells(grid: str) -> list[tuple[dict, str]]:
    """What each cell of a grid asks, and its digest when its rows were committed."""
    pairs = []
    for part in GOLDEN[grid]:
        lists = {name: value if isinstance(value, list) else [value] for name, value in part["block"].items()}
        asked = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
        pairs += zip(asked, part["digests"], strict=True)
    return pairs


@pytest.fixture
def archive(tmp_path):
    """Series of the length that those of each set have, which the catalogue reads from the archive's files."""
    for name, length in LENGTHS.items():
        (tmp_path / "ucr" / name).mkdir(parents=True)
        for side in SIDES:
            (tmp_path / "ucr" / name / f"{name}_{side}.tsv").write_text("\t".join(["1"] * (length + 1)) + "\n")


@pytest.mark.parametrize("grid", GOLDEN)
def test_every_cell_keeps_its_digest(grid, archive):
    assert [resolved(**asked).digest for asked, _ in cells(grid)] == [digest for _, digest in cells(grid)]


@pytest.mark.parametrize("path", sorted(ROOT.glob("results/*/provenance.json")), ids=lambda path: path.parent.name)
def test_every_record_is_of_a_cell_with_a_known_digest(path, archive):
    known = {digest for grid in GOLDEN for _, digest in cells(grid)}
    records = json.loads(path.read_text())
    assert records and set(records) <= known
    for digest, record in records.items():
        assert resolved(**record["experiment"]).digest == digest


@pytest.mark.parametrize("change", [{"seed": 2}, {"margin": 4.0}, {"quick": True}, {"split": "validation"}])
def test_any_change_changes_the_digest(change):
    assert resolved(**change).digest != resolved().digest


def test_a_folder_goes_by_its_content_wherever_it_lies(tmp_path):
    def folder(name, values):
        place = tmp_path / name
        place.mkdir()
        (place / "dataset.json").write_text('{"classes": ["a", "b"], "sampling_rate": 10}')
        np.savez(place / "one.npz", values=values)
        return str(place)

    here, other = folder("here", np.zeros(9)), folder("other", np.ones(9))
    shutil.copytree(here, tmp_path / "there")
    digest = resolved(dataset=here).digest
    assert resolved(dataset=str(tmp_path / "there")).digest == digest != resolved(dataset=other).digest
    np.savez(Path(here) / "one.npz", values=np.ones(9) * 2)
    os.utime(Path(here) / "one.npz", (1, 1))
    assert resolved(dataset=here).digest != digest
    assert resolved(dataset=here).dataset == here


def test_a_folder_is_one_experiment_by_any_path(tmp_path, monkeypatch):
    folder, other = own(tmp_path / "d"), own(tmp_path / "other" / "d", 1)
    monkeypatch.chdir(tmp_path)
    cells = [resolved(dataset=path) for path in ("d", "./d", "other/../d", str(folder))]
    assert len(set(cells)) == len({cell.digest for cell in cells}) == 1
    assert cells[0] != resolved(dataset=str(other)) and cells[0] != resolved(dataset="d", seed=2)
    assert cells[0] != resolved()


def own(place, seed=0):
    place.mkdir(parents=True)
    (place / "dataset.json").write_text('{"classes": ["a", "b"], "sampling_rate": 10}')
    np.savez(place / "one.npz", values=np.full(9, seed))
    return place


def test_a_folder_goes_by_the_files_that_its_reader_reads(tmp_path):
    folder = own(tmp_path / "d")
    digest = resolved(dataset=str(folder)).digest
    for name in ("notes.txt", "._one.npz", ".DS_Store", "one.npz.part"):
        (folder / name).write_bytes(b"of no reader")
    assert resolved(dataset=str(folder)).digest == digest
    np.savez(folder / "two.npz", values=np.zeros(9))
    assert resolved(dataset=str(folder)).digest != digest


def test_a_folder_of_the_same_name_size_and_time_has_its_own_digest(tmp_path, monkeypatch):
    digests = set()
    for number in range(2):
        folder = own(tmp_path / str(number) / "d", number)
        for path in folder.iterdir():
            os.utime(path, (1, 1))
        monkeypatch.chdir(folder.parent)
        digests.add(resolved(dataset="d").digest)
        assert state_of(Path("d"))[0] == folder, "for clocks that tick too slowly"
    np.savez(folder / "one.npz", values=np.full(9, 2))
    os.utime(folder / "one.npz", (1, 1))
    digests.add(resolved(dataset="d").digest)
    assert len(digests) == 3


def test_names_that_no_table_can_hold_are_refused_at_once(tmp_path):
    folder = own(tmp_path / "d")
    (folder / "one.npz").rename(folder / os.fsdecode(b"p\xe9.npz"))
    with pytest.raises(InputError, match=r"p.+udce9.npz: a name that cannot be printed"):
        resolved(dataset=str(folder))
    odd = own(tmp_path / os.fsdecode(b"\xe9"))
    with pytest.raises(InputError, match="a name that cannot be printed"):
        resolved(dataset=str(odd))
