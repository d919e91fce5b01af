"""Experiment: completed, checked, and the same after a round trip."""

import dataclasses

import pytest

from emargin.config import Experiment
from emargin.errors import InputError


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))


def test_defaults_are_completed_from_the_paper():
    experiment = Experiment(dataset="harth-sim")
    assert (experiment.temperature, experiment.margin, experiment.threshold) == (0.05, 5.0, 0.4)
    assert (experiment.iterations, experiment.sequence_length, experiment.stride) == (600, 119, 24)
    assert (experiment.n_fft, experiment.hop, experiment.batch_size, experiment.weight_decay) == (50, 25, 8, 0.01)
    assert (experiment.labels, experiment.reading, experiment.sides, experiment.scope) == (
        "released",
        None,
        2,
        "flattened",
    )


def test_original_emargin_is_one_sided_per_sequence_with_the_papers_labels():
    experiment = Experiment(fidelity="original")
    assert (experiment.labels, experiment.reading, experiment.sides, experiment.scope) == (
        "paper",
        "anchor",
        1,
        "sequence",
    )


@pytest.mark.parametrize(
    ("dataset", "t", "tau", "steps"),
    [("ecg-sim", 500, 0.5, 200), ("sleepeeg-noise", 200, 0.1, 600), ("mitbih", 500, 0.5, 200)],
)
def test_each_set_has_its_own_settings(dataset, t, tau, steps):
    experiment = Experiment(dataset=dataset)
    assert (experiment.sequence_length, experiment.temperature, experiment.iterations) == (t, tau, steps)


def test_json_round_trip_keeps_every_field_and_the_digest():
    experiment = Experiment(dataset="sleepeeg-sim", fidelity="original", reading="pair", seed=3, temperature=0.2)
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment
    assert again.digest == experiment.digest


@pytest.mark.parametrize("change", [{"seed": 2}, {"margin": 4.0}, {"quick": True}, {"protocol": "released"}])
def test_any_change_changes_the_digest(change):
    assert Experiment(**change).digest != Experiment().digest


def test_whole_numbers_and_floats_stand_for_each_other():
    assert Experiment(margin=5, iterations=200.0) == Experiment(margin=5.0, iterations=200)


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment().seed = 2


def test_a_name_without_real_files_falls_back_to_its_simulator():
    assert Experiment(dataset="ecg").source == "simulated"
    assert Experiment(dataset="ecg", quick=True).quick


def test_real_files_are_taken_where_they_are_and_are_never_quick(tmp_path):
    (tmp_path / "ecg").mkdir()
    experiment = Experiment(dataset="ecg", quick=True)
    assert (experiment.source, experiment.quick, experiment.iterations) == ("real", False, 200)


def test_the_quick_profile_is_smaller():
    quick = Experiment(dataset="ecg-sim", quick=True)
    assert quick.iterations < 200
    assert quick.sequence_length < 500
    assert quick.stride == quick.sequence_length


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": "ecg-smi"}, "unknown dataset.*'ecg-smi'.*did you mean 'ecg-sim'"),
        ({"dataset": "no/such/folder"}, "folder of recordings is not there.*no/such/folder"),
        ({"method": "emargn"}, "unknown method.*did you mean 'emargin'"),
        ({"fidelity": "paper"}, "unknown fidelity.*released, original"),
        ({"fidelity": "original", "reading": "row"}, "unknown reading.*anchor, pair, all-pairs"),
        ({"protocol": "none"}, "unknown protocol"),
        ({"source": "fake"}, "unknown source"),
        ({"dataset": "ecg-sim", "source": "real"}, "no real recordings.*ecg-sim"),
        ({"dataset": "mitbih", "source": "simulated"}, "no simulator.*mitbih"),
        ({"labels": "all"}, "unknown labels"),
        ({"method": "infonce", "reading": "pair"}, "reading has no meaning for infonce"),
        ({"method": "random", "temperature": -0.1}, "temperature is out of range.*-0.1"),
        ({"temperature": 0}, "temperature is out of range"),
        ({"temperature": float("nan")}, "temperature is out of range.*nan"),
        ({"margin": float("inf")}, "margin is out of range"),
        ({"threshold": 1.5}, "threshold is out of range.*1.5.*-1 to 1"),
        ({"seed": -1}, "seed is out of range"),
        ({"seed": 2**32}, "seed is out of range.*4294967296"),
        ({"seed": float("inf")}, "seed has the wrong type.*inf"),
        ({"seed": float("nan")}, "seed has the wrong type.*nan"),
        ({"iterations": -5}, "iterations is out of range"),
        ({"batch_size": 0}, "batch_size is out of range"),
        ({"sides": 3}, "sides is out of range"),
        ({"scope": "sequence"}, "flattened batch"),
        ({"fidelity": "original", "sides": 2}, "one side"),
        ({"seed": "one"}, "seed has the wrong type.*'one'.*int"),
        ({"iterations": 1.5}, "iterations has the wrong type"),
        ({"quick": 1}, "quick has the wrong type"),
        ({"seed": True}, "seed has the wrong type"),
    ],
)
def test_bad_values_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        Experiment(**fields)


def test_an_unknown_parameter_is_refused_with_the_name_that_was_meant():
    with pytest.raises(InputError, match="unknown parameter.*'datset'.*did you mean 'dataset'"):
        Experiment.from_dict({"datset": "ecg"})


def test_a_notebook_is_read_by_its_plain_names_alone():
    names = {
        "dataset": "harth-sim",
        "seed": 2,
        "__name__": "__main__",
        "_i1": "seed = 2",
        "In": ["seed = 2"],
        "Experiment": Experiment,
    }
    assert Experiment.from_notebook(names) == Experiment(dataset="harth-sim", seed=2)
    with pytest.raises(InputError, match="unknown parameter.*'sed'"):
        Experiment.from_notebook(names | {"sed": 3})


def test_for_method_keeps_the_data_and_the_training_and_leaves_the_loss_to_the_method():
    start = Experiment(
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
    assert start.for_method("emargin") == Experiment(
        dataset="harth-sim", quick=True, seed=3, iterations=7, sequence_length=30, temperature=0.2
    )
    untrained = Experiment(dataset="harth-sim", method="random")
    assert (untrained.iterations, untrained.for_method("infonce").iterations) == (0, 600)
    other = start.for_method("infonce", "original")
    assert other == Experiment(
        dataset="harth-sim",
        quick=True,
        seed=3,
        iterations=7,
        sequence_length=30,
        temperature=0.2,
        method="infonce",
        fidelity="original",
    )
    assert start.for_method("random").iterations == 0
