"""Experiment: plain data, checked for what needs neither catalogue nor method, the same after a round trip."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from emargin.config import CORE, RECORDED, Experiment
from emargin.errors import InputError
from emargin.resolve import resolve


def test_it_keeps_what_was_asked_and_nothing_else(tmp_path, monkeypatch):
    asked = Experiment(dataset="ecg", margin=3)
    (tmp_path / "ecg").mkdir()
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    assert Experiment(dataset="ecg", margin=3) == asked
    assert (asked.source, asked.iterations, asked.margin, asked.threshold) == ("auto", None, 3, None)
    assert repr(asked) == "Experiment(dataset='ecg', margin=3)"


def test_importing_it_reads_no_catalogue_no_method_and_no_torch():
    code = "import emargin.config, sys; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    here = sorted(name for name in names if name.partition(".")[0] in ("emargin", "torch", "numpy", "pandas"))
    assert here == ["emargin", "emargin.config", "emargin.errors", "emargin.fields"]


@pytest.mark.parametrize("keep", [resolve, lambda experiment: experiment], ids=["resolved", "asked"])
def test_round_trips_keep_every_field_setting_and_type(keep):
    experiment = keep(Experiment(dataset="sleepeeg-sim", fidelity="original", reading="pair", seed=3, temperature=0.2))
    for again in (
        Experiment.from_json(experiment.to_json()),
        pickle.loads(pickle.dumps(experiment)),
        copy.deepcopy(experiment),
        dataclasses.replace(experiment),
        Experiment.from_dict(vars(experiment)),
    ):
        assert again == experiment and hash(again) == hash(experiment)
    assert type(pickle.loads(pickle.dumps(experiment))) is type(experiment)


def test_settings_are_plain_names_beside_the_fields():
    experiment = Experiment(margin=3, slope=0.5)
    assert experiment.settings == {"margin": 3, "slope": 0.5} and experiment.slope == 0.5
    assert Experiment(settings={"margin": 3, "slope": 0.5}) == experiment
    changed = dataclasses.replace(experiment, margin=4, seed=2)
    assert (changed.margin, changed.slope, changed.seed) == (4, 0.5, 2)
    assert set(vars(experiment)) == {*CORE, *RECORDED, "slope"}


def test_a_setting_that_was_not_named_is_none_where_rows_know_it_and_an_error_elsewhere():
    assert Experiment().margin is None
    with pytest.raises(InputError, match="no setting 'slope'"):
        _ = Experiment().slope
    assert not hasattr(Experiment(), "slope")


def test_only_a_resolved_experiment_has_a_digest():
    with pytest.raises(InputError, match=r"Experiment\(seed=2\), which is not resolved.*call emargin.resolve.resolve"):
        _ = Experiment(seed=2).digest


def test_whole_numbers_and_floats_stand_for_each_other():
    assert Experiment(margin=5, iterations=200.0) == Experiment(margin=5.0, iterations=200)
    assert Experiment(temperature=1).to_json() == Experiment(temperature=1.0).to_json()


def test_it_is_frozen():
    for experiment in (Experiment(), resolve(Experiment())):
        with pytest.raises(dataclasses.FrozenInstanceError):
            experiment.seed = 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            experiment.margin = 2.0


def test_values_without_names_are_the_first_fields():
    assert Experiment("ecg", "real") == Experiment(dataset="ecg", source="real")
    with pytest.raises(TypeError, match="multiple values.*'dataset'"):
        Experiment("ecg", dataset="ecg")
    with pytest.raises(TypeError, match="at most"):
        Experiment(*["ecg"] * (len(CORE) + 1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fidelity": "paper"}, "unknown fidelity.*released, original"),
        ({"protocol": "none"}, "unknown protocol"),
        ({"source": "fake"}, "unknown source"),
        ({"surrogate": "phases"}, "unknown surrogate.*did you mean 'phase'"),
        ({"split": "validate"}, "unknown split.*did you mean 'validation'"),
        ({"method": "random", "temperature": -0.1}, "temperature is out of range.*-0.1"),
        ({"temperature": 0}, "temperature is out of range.*above 0"),
        ({"temperature": float("nan")}, "temperature is out of range.*nan"),
        ({"weight_decay": float("inf")}, "weight_decay is out of range.*inf.*at least 0"),
        ({"seed": -1}, "seed is out of range"),
        ({"seed": 2**32}, "seed is out of range.*4294967296"),
        ({"seed": float("inf")}, "seed has the wrong type.*inf"),
        ({"seed": float("nan")}, "seed has the wrong type.*nan"),
        ({"iterations": -5}, "iterations is out of range"),
        ({"batch_size": 0}, "batch_size is out of range"),
        ({"seed": "one"}, "seed has the wrong type.*'one'.*int"),
        ({"seed": None}, "seed has the wrong type.*None"),
        ({"iterations": 1.5}, "iterations has the wrong type"),
        ({"quick": 1}, "quick has the wrong type"),
        ({"seed": True}, "seed has the wrong type"),
        ({"dataset": 3}, "dataset has the wrong type"),
        ({"digest": "d6fd5cab8b9b4cc3"}, "'digest' can be no setting.*no attribute of Experiment"),
        ({"margin": [1, 2]}, r"margin has the wrong type.*\[1, 2\]"),
    ],
)
def test_bad_values_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        Experiment(**fields)


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
    for value in (3, None):
        with pytest.raises(InputError, match="unknown parameter.*'sed'.*did you mean 'seed'"):
            resolve(Experiment.from_notebook(names | {"sed": value}))


def test_for_method_leaves_what_was_asked_of_the_other_method():
    asked = Experiment(dataset="harth-sim", iterations=7, method="emargin", margin=2.0, split="validation")
    assert asked.for_method("infonce", "original") == Experiment(
        dataset="harth-sim", iterations=7, method="infonce", fidelity="original", split="validation"
    )
