"""Experiment: plain data, checked for what needs neither catalogue nor method, the same after a round trip."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from emargin.config import BOUNDS, CORE, RECORDED, Experiment
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
        ({"temperature": 0}, "temperature is out of range.*at least 1e-06"),
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
        ({"temperature": [0.1]}, r"temperature has the wrong type.*\[0.1\].*float"),
        ({"temperature": {"a": 1}}, "temperature has the wrong type.*{'a': 1}"),
        ({"temperature": 1e300}, "temperature is out of range.*1e\\+300.*at most 1e\\+09"),
        ({"learning_rate": 1e-300}, "learning_rate is out of range.*1e-300.*0 or at least 1e-15"),
        ({"temperature": 10**1000}, "temperature is out of range.*10000.*1001 characters.*that a float can hold"),
        ({"hop": int("7" * 20)}, "hop is out of range.*7{20}.*at most 1e\\+09"),
        ({"stride": int("7" * 40)}, "stride is out of range.*7{40}"),
        ({"batch_size": 10**5000}, "batch_size is out of range.*type int that is too long to write out"),
        ({"quick": "maybe"}, "quick has the wrong type.*'maybe'.*bool"),
        ({"seed": ""}, "seed has the wrong type.*''"),
        ({"dataset": ""}, "dataset is empty"),
        ({"method": ""}, "method is empty"),
    ],
)
def test_bad_values_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        Experiment(**fields)


def test_values_are_taken_for_what_they_are():
    given = Experiment(
        dataset=Path("ecg"),
        seed=np.int64(3),
        fold=np.uint8(1),
        quick=np.bool_(True),
        iterations=torch.tensor(7),
        learning_rate=np.float64(1e-3),
        margin=np.array(2.0),
        reading=np.str_("pair"),
    )
    plain = Experiment(dataset="ecg", seed=3, fold=1, quick=True, iterations=7, margin=2.0, reading="pair")
    assert given == plain and given.to_json() == plain.to_json()
    assert {type(value) for value in vars(given).values()} <= {str, int, float, bool, type(None)}
    assert Experiment(temperature=np.float32(0.5)).temperature == 0.5


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("Yes", True), ("on", True), ("off", False), ("no", False)]
)
def test_a_switch_may_be_spelt_as_yaml_spells_it(text, value):
    assert Experiment(quick=text).quick is value


def test_numbers_may_come_as_text_as_yaml_has_some():
    assert Experiment(learning_rate="1e-3", seed="4", batch_size="1e1") == Experiment(seed=4, batch_size=10)
    assert resolve(Experiment(margin="1e1")).margin == 10.0


@pytest.mark.parametrize("value", ["x" * 5000, ["x"] * 5000, {"x": list(range(5000))}, "1" * 5000])
def test_a_long_value_is_shortened_in_the_error(value):
    for field in ("seed", "surrogate", "margin", "dataset", "x" * 5000):
        with pytest.raises(InputError) as caught:
            resolve(Experiment(**{field: value}))
        assert len(str(caught.value)) < 2000, field


def test_a_value_without_end_is_named_without_being_written_out():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InputError, match="seed has the wrong type.*of type list that is too long to write out"):
        Experiment(seed=nested)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "cannot be read.*RecursionError"),
        ('{"seed": ' + "1" * 5000 + "}", "cannot be read.*4300 digits"),
        ('{"seed": 1', "cannot be read.*JSONDecodeError"),
        ("[1]", "cannot be read.*\\[1\\].*a JSON object"),
        ('{"seed": [1]}', "seed has the wrong type"),
        ('{"seed": NaN}', "seed has the wrong type.*nan"),
    ],
)
def test_text_that_is_no_experiment_is_named(text, message):
    with pytest.raises(InputError, match=message):
        Experiment.from_json(text)


# --- notebooks


def in_cells(*cells: str) -> Experiment:
    """What the last cell calls `experiment`, in a kernel's shell that runs these cells in turn."""
    shell = InteractiveShell()
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
    return shell.user_ns["experiment"]


ASKS = "from emargin.config import CORE, Experiment\nexperiment = Experiment.from_notebook(globals())\nnumber = 3"


def test_a_notebook_goes_by_its_parameters_cell():
    asked = in_cells('dataset = "harth-sim"\nseed = 2  # of all\nmargin = None', "# Parameters\nmargin = 3", ASKS)
    assert asked == Experiment(dataset="harth-sim", seed=2, margin=3)


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("margin = [0.5, 50]", r"margin has the wrong type.*\[0.5, 50\]"),
        ('seed = {"a": 1}', "seed has the wrong type.*{'a': 1}"),
        ("margn = [1]", r"margn has the wrong type.*\[1\]"),
        ("margn = None", "unknown parameter.*'margn'"),
        ("_margin = 1", "unknown parameter.*'_margin'"),
        ("CORE = 5", "CORE has the wrong type"),
        ("Experiment = 5", "Experiment has the wrong type"),
        ('margin = float("nan")', "margin is out of range.*nan"),
        ("if True:\n    margn = 2", "unknown parameter.*'margn'"),
    ],
)
def test_nothing_that_is_injected_is_dropped(injected, message):
    with pytest.raises(InputError, match=message):
        resolve(in_cells("seed = 2", injected, ASKS))


def test_what_is_injected_beside_the_parameters_of_a_page_is_named():
    own = "seed = 2\nquick = True"
    with pytest.warns(
        UserWarning, match="^fold, margin: not among the parameters of this page, which are quick, seed;"
    ):
        asked = in_cells(own, "# Parameters\nmargin = 3\nseed = 4\nfold = 2\n", ASKS)
    assert asked == Experiment(seed=4, quick=True, margin=3, fold=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_cells(own, "# Parameters\nseed = 4\n", ASKS)
        in_cells(own, "margin = 3", ASKS)  # of a reader, in a cell of their own


def test_what_later_cells_compute_is_no_parameter_and_a_changed_parameter_is():
    cells = ["seed = 2", ASKS, "total = 0\nfor step in range(3):\n    total += step", "other = seed"]
    assert in_cells(*cells, ASKS) == Experiment(seed=2)
    assert in_cells(*cells, "seed = 4\nmargin = 2", ASKS) == Experiment(seed=4, margin=2)
    with pytest.raises(InputError, match=r"margn has the wrong type"):
        in_cells(*cells, "margn = [4]", ASKS)
    with pytest.raises(InputError, match="temperature is out of range.*nan"):
        in_cells(*cells, 'temperature = float("nan")  # as papermill writes it', ASKS)


def test_in_one_cell_the_lines_before_are_parameters():
    asks = ASKS.replace("experiment =", "seed = 2\nmargin = 3\nexperiment =")
    assert in_cells(asks) == in_cells(asks, asks) == Experiment(seed=2, margin=3)


def test_without_cells_all_names_of_data_are_parameters():
    names = {
        "dataset": "harth-sim",
        "seed": 2,
        "__name__": "__main__",
        "_i1": "seed = 2",
        "In": ["seed = 2"],
        "Experiment": Experiment,
        "np": np,
        "settings_there": BOUNDS,  # an import
    }
    assert Experiment.from_notebook(names) == Experiment(dataset="harth-sim", seed=2)
    for value in (3, None):
        with pytest.raises(InputError, match="unknown parameter.*'sed'.*did you mean 'seed'"):
            resolve(Experiment.from_notebook(names | {"sed": value}))
    with pytest.raises(InputError, match="margn has the wrong type"):
        Experiment.from_notebook(names | {"margn": [1]})


def test_for_method_leaves_what_was_asked_of_the_other_method():
    asked = Experiment(dataset="harth-sim", iterations=7, method="emargin", margin=2.0, split="validation")
    assert asked.for_method("infonce", "original") == Experiment(
        dataset="harth-sim", iterations=7, method="infonce", fidelity="original", split="validation"
    )
