"""A method of the reader's own, in a module or a notebook, goes wherever a method's name goes."""

import importlib
import json
import subprocess
import sys

import pytest

from companion.grid.plan import read_grid
from companion.grid.runner import run_grid
from companion.grid.store import Store
from companion.labels import label
from companion.statistics.tables import runs_of
from emargin.__main__ import main
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.experiment import run
from emargin.methods import METHODS, Method, declaration
from emargin.methods.declarations import of_class
from emargin.methods.emargin import EMargin
from emargin.resolve import resolve
from emargin.rows import read_rows
from emargin.training import build, train
from tests.conftest import make_dataset

MODULE = """
from emargin.fields import Field
from emargin.methods import Method


class Nearer(Method):
    title = "Nearer"
    fields = {"distance": Field(float, default=0.5, above=0), "power": Field(int, default=1, choices=(1, 2))}

    def loss(self, batch, generator):
        z = self.encoder(batch)
        apart = (z[:, 1:] - z[:, :-1]).abs().mean() - self.experiment.distance
        return SIGN * apart.abs() ** self.experiment.power, {}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the module `mine` where Python finds it, as a new process meets it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def written(text=MODULE, sign=1):
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        (tmp_path / "mine.py").write_text(text.replace("SIGN", str(sign)))
        importlib.invalidate_caches()

    written()
    yield written
    sys.modules.pop("mine", None)


# --- the same folder again


def test_a_method_that_was_changed_gives_new_numbers_in_the_same_folder(write, small, tmp_path):
    values = []
    for sign in (1, -1):
        write(sign=sign)
        result = run(small(method="mine:Nearer"), dataset=make_dataset(), folder=tmp_path / "run", progress=False)
        values.append(result["participation_ratio"])
    assert values[0] != values[1]


CELLS = """
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(user_module=sys.modules["__main__"])
for sign in ("1", "-1"):
    shell.run_cell(MODULE.replace("SIGN", sign)).raise_error()
    shell.run_cell('''
from emargin.stages import code_versions
from emargin.resolve import resolve

print(code_versions(resolve(Nearer))["train"])
''').raise_error()
"""


def test_a_class_defined_again_in_a_notebook_is_other_code():
    done = subprocess.run([sys.executable, "-c", f"MODULE = {MODULE!r}\n{CELLS}"], capture_output=True, text=True)
    first, second = done.stdout.split()[-2:] if done.returncode == 0 else (None, None)
    assert first and second and first != second, done.stderr


# --- everywhere a name goes


def test_its_settings_are_completed_checked_and_in_the_digest(write):
    experiment = resolve(Experiment(method="mine:Nearer"))
    assert experiment.settings == {"distance": 0.5, "power": 1}
    assert resolve(Experiment(method="mine:Nearer", distance=0.5)).digest == experiment.digest
    assert resolve(Experiment(method="mine:Nearer", distance=0.25)).digest != experiment.digest
    assert resolve(Experiment.from_json(experiment.to_json())) == experiment
    with pytest.raises(InputError, match="distance is out of range.*-1"):
        resolve(Experiment(method="mine:Nearer", distance=-1))
    with pytest.raises(InputError, match="unknown parameter.*'distanc'.*did you mean 'distance'"):
        resolve(Experiment(method="mine:Nearer", distanc=1))


def test_a_whole_number_as_default_of_a_float_is_the_same_value(write):
    write(MODULE.replace("default=0.5", "default=1"))
    named, default = resolve(Experiment(method="mine:Nearer", distance=1)), resolve(Experiment(method="mine:Nearer"))
    assert named.digest == default.digest


def test_a_later_field_whose_default_is_none_leaves_the_digest_as_it_is(write):
    before = resolve(Experiment(method="mine:Nearer"))
    write(MODULE.replace('"power"', '"later": Field(str), "power"'))
    after = resolve(Experiment(method="mine:Nearer"))
    assert after.digest == before.digest and after.later is None
    assert after == resolve(Experiment.from_json(after.to_json()))
    assert resolve(Experiment(method="mine:Nearer", later="so")).digest != before.digest


def test_the_class_itself_goes_by_its_place(write, small):
    from mine import Nearer

    asked = Experiment(method=Nearer, distance=0.25)
    assert asked.method == "mine:Nearer" and METHODS[asked.method] is Nearer
    assert resolve(Nearer) == resolve(Experiment(method="mine:Nearer"))
    assert resolve(Experiment()).for_method(Nearer).settings == {"distance": 0.5, "power": 1}
    assert resolve(asked).for_method("emargin") == resolve(Experiment())
    assert isinstance(build(small(method=Nearer), 6), Nearer)


def test_a_class_of_the_table_goes_by_its_name():
    assert resolve(Experiment(method=EMargin)) == resolve(Experiment(method="emargin"))
    assert resolve(Experiment(method="emargin.methods.emargin:EMargin")).digest == resolve(Experiment()).digest


def test_a_class_that_its_place_does_not_give_is_refused(write):
    class Local(Method):
        title = "Local"

    with pytest.raises(InputError, match="Local cannot be named.*top of its module"):
        Experiment(method=Local)
    from mine import Nearer

    write()
    importlib.import_module("mine")
    with pytest.raises(InputError, match="Nearer cannot be named.*last definition"):
        Experiment(method=Nearer)


def test_the_command_line_takes_it_with_its_settings(write, tmp_path, monkeypatch, capsys):
    words = "run --dataset sleepeeg-sim --quick --iterations 2 --sequence-length 20 --device cpu --method".split()
    assert main([*words, "mine:Nearer", "--distance", "0.25", "--out", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())["experiment"]
    assert (record["method"], record["distance"], record["power"]) == ("mine:Nearer", 0.25, 1)
    (row, *_) = read_rows(tmp_path / "out" / "rows.csv").itertuples()
    assert label(row) == "Nearer, released"
    assert main([*words, "mine:Nearer", "--margin", "3"]) == 2
    assert "margin has no meaning for mine:Nearer" in capsys.readouterr().err
    assert main([*words, "mine:Farther"]) == 2
    assert "no class 'Farther'" in capsys.readouterr().err


def test_a_grid_file_takes_it_beside_others(write, tmp_path):
    block = {"dataset": "ecg-sim", "quick": True, "sequence_length": 20, "iterations": 2, "batch_size": 3}
    blocks = [block | {"method": "mine:Nearer", "distance": [0.25, 0.5]}, block | {"method": "random"}]
    (tmp_path / "grid.json").write_text(json.dumps(blocks))
    rows = run_grid(tmp_path / "grid.json", tmp_path / "rows", progress=False, cells_folder=tmp_path / "cells")
    assert "failed" not in set(rows.metric)
    assert set(rows.digest) == {cell.digest for cell in read_grid(tmp_path / "grid.json")}
    assert set(rows.method) == {"mine:Nearer", "random"}
    cells = [cell for cell in read_grid(tmp_path / "grid.json") if vars(cell).get("distance") != 0.5]
    assert list(runs_of(Store(tmp_path / "rows"), cells))[::2] == [("Random Init", "released"), ("Nearer", "released")]


def test_a_checkpoint_of_a_method_with_other_settings_is_refused(write, small, tmp_path):
    one, other = small(method="mine:Nearer"), small(method="mine:Nearer", distance=0.25)
    train(one, make_dataset(), checkpoint=tmp_path / "run.pt", progress=False)
    for experiment, message in ((other, "distance 0.5 instead of 0.25"), (small(), "distance 0.5 instead of None")):
        with pytest.raises(InputError, match=f"belongs to another experiment.*{message}"):
            train(experiment, make_dataset(), checkpoint=tmp_path / "run.pt", progress=False)


# --- what cannot be used


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("nowhere:Nearer", "module of the method nowhere:Nearer cannot be imported.*ModuleNotFoundError.*python -c"),
        (":Nearer", "module of the method :Nearer cannot be imported"),
        ("mine:Farther", "no class 'Farther' in the module.*the classes .*Nearer"),
        ("mine:", "no class '' in the module"),
        ("__main__:Nearer", "no class 'Nearer'.*define it at the top of a module, which a new process can import"),
        ("mine:Field", "mine:Field|emargin.fields:Field is no method.*extends object.*extends emargin.methods.Method"),
    ],
)
def test_a_place_without_a_method_is_named(write, method, message):
    with pytest.raises(InputError, match=message):
        resolve(Experiment(method=method))


def test_a_module_that_fails_says_how(write):
    write("1 / 0")
    with pytest.raises(InputError, match="mine:Nearer cannot be imported.*ZeroDivisionError: division by zero"):
        resolve(Experiment(method="mine:Nearer"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Nearer"', "", "mine:Nearer has no title.*write title = "),
        ("def loss", "def lost", "mine:Nearer has no loss.*loss\\(self, batch, generator\\).*untrained = True"),
        ("fields = {", "fields = 3 or {", "fields of the method mine:Nearer.*3.*a dictionary of Field"),
        ("Field(float, default=0.5, above=0)", "0.5", "'distance' of the method mine:Nearer is no Field.*0.5"),
        ('"distance"', '"not so"', "'not so'.*cannot be named so.*a name as in Python"),
        ('"distance"', '"lambda"', "'lambda'.*cannot be named so"),
        ('"distance"', '"seed"', "'seed' of the method mine:Nearer clashes.*seed.*another name, none of dataset"),
        ('"distance"', '"digest"', "'digest' of the method mine:Nearer clashes"),
        ("Field(float", "Field(list", "'distance'.*no plain type.*list.*str, int, float, bool"),
        ("default=0.5", 'default="half"', "default of the field 'distance'.*has the wrong type.*'half'.*float"),
        (
            "default=0.5",
            "default=-0.5",
            "default of the field 'distance' of the method mine:Nearer is out of range.*-0.5",
        ),
        ("default=1", "default=3", "default of the field 'power'.*not among its choices.*3.*1 or 2"),
        ("default=0.5", 'default={"orignal": 0.5}', "unknown fidelity in the field 'distance'.*'orignal'.*'original'"),
        ('title = "Nearer"', 'title, fidelities = "N", ("paper",)', "unknown fidelity of the method.*'paper'"),
        ('title = "Nearer"', 'title, fidelities = "N", ()', "fidelities of the method.*found: .*wanted: a tuple"),
        ('title = "Nearer"', 'title, fidelities = "N", None', "fidelities of the method.*found: None.*wanted: a tuple"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_named(write, old, new, message):
    assert old in MODULE
    write(MODULE.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        resolve(Experiment(method="mine:Nearer"))


def test_a_method_without_fields_has_those_of_what_it_extends(write):
    write("from emargin.methods.emargin import EMargin\n\n\nclass Nearer(EMargin):\n    title = 'Nearer'\n")
    assert declaration("mine:Nearer").fields == of_class(EMargin).fields
    assert resolve(Experiment(method="mine:Nearer", margin=3)).settings["margin"] == 3.0
